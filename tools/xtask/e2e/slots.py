"""As many clients as there are slots, each at work; one more gets 421:
slots.py HOST PORT USER PASSWORD COUNT"""

import ftplib
import io
import sys
import time

host, port, user, password = sys.argv[1:5]
count = int(sys.argv[5])


def login():
    ftp = ftplib.FTP(timeout=20)
    ftp.connect(host, int(port))
    ftp.login(user, password)
    return ftp


clients = [login() for _ in range(count)]
for index, ftp in enumerate(clients):
    ftp.cwd("/drive_c")
    ftp.storbinary(f"STOR S{index}.BIN", io.BytesIO(bytes([index]) * 10_000))
for _ in range(3):
    try:
        one_more = ftplib.FTP(timeout=20)
        one_more.connect(host, int(port))
    except ftplib.Error as error:
        assert str(error).startswith("421"), error
    else:
        raise AssertionError(f"client {count + 1} was greeted with {one_more.welcome}")
for index, ftp in enumerate(clients):
    got = io.BytesIO()
    ftp.retrbinary(f"RETR S{index}.BIN", got.write)
    assert got.getvalue() == bytes([index]) * 10_000

# A slot that is left, politely or not, is free for the next.
clients[0].quit()
clients[1].close()
deadline = time.time() + 10
for _ in range(2):
    while True:
        try:
            login().quit()
            break
        except ftplib.Error as error:
            assert str(error).startswith("421") and time.time() < deadline, error
            time.sleep(0.2)
for ftp in clients[2:]:
    ftp.quit()
