"""Clients that vanish in the middle of an upload, with and without a farewell of their TCP:
vanish.py HOST PORT USER PASSWORD DIRECTORY"""

import ftplib
import os
import signal
import socket
import struct
import sys
import time

host, port, user, password, top = sys.argv[1:6]


def login():
    ftp = ftplib.FTP(timeout=20)
    ftp.connect(host, int(port))
    ftp.login(user, password)
    ftp.cwd(top)
    return ftp


def upload(name):
    ftp = login()
    ftp.voidcmd("TYPE I")
    data = ftp.transfercmd(f"STOR {name}")
    for _ in range(40):
        data.sendall(os.urandom(10_000))
    return ftp, data


# By RST on both connections.
ftp, data = upload("RESET.BIN")
for connection in (data, ftp.sock):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()

# By the death of the process.
child = os.fork()
if child == 0:
    kept = upload("KILLED.BIN")
    time.sleep(60)
    os._exit(1)
time.sleep(3)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)

# By the control connection alone: the data connection must not outlive it for long.
ftp, data = upload("CONTROL.BIN")
ftp.sock.close()
time.sleep(1)
data.close()

# The server goes on serving, and the names are free again: what is there can be deleted.
time.sleep(2)
ftp = login()
names = [name.upper() for name in ftp.nlst()]
for name in ("RESET.BIN", "KILLED.BIN", "CONTROL.BIN"):
    if name in names:
        ftp.delete(name)
ftp.quit()
