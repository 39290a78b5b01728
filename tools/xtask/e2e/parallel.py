"""Clients that transfer at the same time: parallel.py HOST PORT USER PASSWORD DIRECTORY COUNT BYTES"""

import ftplib
import io
import os
import sys
import threading

host, port, user, password, top = sys.argv[1:6]
count, size = (int(argument) for argument in sys.argv[6:8])
failures = []


# One after the other: QEMU's user network keeps only one that waits.
connections = []
for index in range(count):
    connections.append(ftplib.FTP(timeout=60))
    connections[-1].connect(host, int(port))
    connections[-1].login(user, password)


def work(index):
    try:
        ftp = connections[index]
        ftp.cwd(top)
        for turn in range(2):
            data = os.urandom(size)
            name = f"C{index}T{turn}.BIN"
            ftp.storbinary(f"STOR {name}", io.BytesIO(data))
            got = io.BytesIO()
            ftp.retrbinary(f"RETR {name}", got.write)
            assert got.getvalue() == data, f"{name} came back different"
        ftp.quit()
    except Exception as error:  # told by the main thread
        failures.append(f"client {index}: {error!r}")


threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failures, failures
