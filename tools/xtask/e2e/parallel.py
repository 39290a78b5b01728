"""Clients that transfer at the same time: parallel.py HOST PORT USER PASSWORD DIRECTORY COUNT"""

import ftplib
import io
import os
import sys
import threading

host, port, user, password, top = sys.argv[1:6]
count = int(sys.argv[6])
SIZE = 1_000_000
failures = []


def work(index):
    try:
        ftp = ftplib.FTP(timeout=60)
        ftp.connect(host, int(port))
        ftp.login(user, password)
        ftp.cwd(top)
        for turn in range(2):
            data = os.urandom(SIZE)
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
