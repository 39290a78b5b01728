"""Everything that Python's ftplib can do to files: session.py HOST PORT USER PASSWORD DIRECTORY"""

import ftplib
import hashlib
import io
import sys
import time

host, port, user, password, top = sys.argv[1:6]
ftp = ftplib.FTP(timeout=30)
ftp.connect(host, int(port))
ftp.login(user, password)


def pattern(size):
    return b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(size // 32 + 1))[:size]


def fetch(name):
    got = io.BytesIO()
    ftp.retrbinary(f"RETR {name}", got.write)
    return got.getvalue()


def refused(code, call, *words):
    try:
        answer = call(*words)
    except ftplib.Error as error:
        assert str(error).startswith(code), f"{words}: {error}, wanted {code}"
        return
    raise AssertionError(f"{words}: {answer}, wanted {code}")


assert ftp.pwd().startswith("/"), ftp.pwd()
ftp.cwd(top)
made = ftp.mkd("WORK")
assert made.upper().endswith("/WORK"), made
ftp.cwd("WORK")
assert ftp.pwd().upper().rstrip("/") == top.upper() + "/WORK", ftp.pwd()

# Sizes around those of sectors, clusters and windows; each in passive and in active mode.
for passive in (True, False):
    ftp.set_pasv(passive)
    for size in (0, 1, 511, 512, 513, 4096, 65_537, 300_000):
        name, data = f"{'P' if passive else 'A'}{size}.BIN", pattern(size)
        ftp.storbinary(f"STOR {name}", io.BytesIO(data))
        assert fetch(name) == data, f"{name} came back different"
        assert ftp.size(name) == size, f"SIZE {name}: {ftp.size(name)}"
ftp.set_pasv(True)

names = sorted(name.upper() for name in ftp.nlst())
assert names == sorted(f"{m}{s}.BIN" for m in "PA" for s in (0, 1, 511, 512, 513, 4096, 65537, 300000)), names
lines = []
ftp.retrlines("LIST", lines.append)
assert len([line for line in lines if ".BIN" in line.upper()]) == 16, lines

# No overwriting; appending goes on where the file ends, and makes one where there is none.
refused("553", ftp.storbinary, "STOR P512.BIN", io.BytesIO(b"other"))
assert fetch("P512.BIN") == pattern(512), "a refused upload changed the file"
ftp.storbinary("APPE P512.BIN", io.BytesIO(b"more"))
assert fetch("P512.BIN") == pattern(512) + b"more"
ftp.storbinary("APPE FRESH.BIN", io.BytesIO(b"new"))
assert fetch("FRESH.BIN") == b"new"

# Going on where a transfer broke off, both ways.
ftp.storbinary("STOR PART.BIN", io.BytesIO(pattern(300_000)[:123_456]))
ftp.storbinary("STOR PART.BIN", io.BytesIO(pattern(300_000)[123_456:]), rest=123_456)
assert fetch("PART.BIN") == pattern(300_000), "resumed upload"
got = io.BytesIO(pattern(300_000)[:99_999])
got.seek(0, io.SEEK_END)
ftp.retrbinary("RETR PART.BIN", got.write, rest=99_999)
assert got.getvalue() == pattern(300_000), "resumed download"

# ASCII: lines end in CRLF on the wire, and on a DOS disk too.
ftp.storlines("STOR LINES.TXT", io.BytesIO(b"one\ntwo\n\nfour\n"))
assert fetch("LINES.TXT") == b"one\r\ntwo\r\n\r\nfour\r\n", fetch("LINES.TXT")
lines = []
ftp.retrlines("RETR LINES.TXT", lines.append)
assert lines == ["one", "two", "", "four"], lines
ftp.voidcmd("TYPE I")

# Renaming, also into another directory; deleting; directories.
ftp.rename("FRESH.BIN", "OLD.BIN")
refused("550", ftp.size, "FRESH.BIN")
ftp.mkd("SUB")
ftp.rename("OLD.BIN", "SUB/OLD.BIN")
assert fetch("SUB/OLD.BIN") == b"new"
refused("550", ftp.rmd, "SUB")
ftp.delete("SUB/OLD.BIN")
refused("550", ftp.delete, "SUB/OLD.BIN")
ftp.rmd("SUB")
refused("550", ftp.cwd, "SUB")
ftp.cwd("..")
assert ftp.pwd().upper().rstrip("/") == top.upper(), ftp.pwd()

# A file's time is that of the PC's clock, which QEMU sets to UTC.
stamp = ftp.voidcmd(f"MDTM {top}/WORK/P1.BIN").split()[1]
age = time.time() - time.mktime(time.strptime(stamp[:14], "%Y%m%d%H%M%S")) + time.timezone
assert -5 < age < 600, f"MDTM says {stamp}, {age} s ago"

# Many small transfers one after the other: PASV at once after 226.
ftp.cwd("WORK")
for i in range(40):
    ftp.storbinary(f"STOR N{i}.DAT", io.BytesIO(b"%d" % i))
    assert fetch(f"N{i}.DAT") == b"%d" % i
    ftp.delete(f"N{i}.DAT")
print(ftp.quit())
