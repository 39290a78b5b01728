"""Commands as TCP may bring them: byte by byte, several in one segment, ended by CRLF or LF; and lines
that no server should take: split.py HOST PORT USER PASSWORD"""

import socket
import sys
import time

host, port, user, password = sys.argv[1:5]


def connect():
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection, connection.makefile("rb")


def reply(lines):
    """A reply's code, after its last line."""
    while True:
        line = lines.readline()
        assert line.endswith(b"\r\n"), f"cut off: {line!r}"
        if line[:3].isdigit() and line[3:4] == b" ":
            return int(line[:3])


def codes(lines, wanted):
    got = [reply(lines) for _ in wanted]
    assert got == wanted, f"{got}, wanted {wanted}"


# Byte by byte.
connection, lines = connect()
codes(lines, [220])
for byte in f"USER {user}\r\nPASS {password}\r\nNOOP\r\n".encode():
    connection.sendall(bytes([byte]))
    time.sleep(0.005)
codes(lines, [331, 230, 200])

# Several in one segment are answered in order; LF alone ends a line too.
connection.sendall(b"NOOP\r\nPWD\nTYPE I\nSYST\r\nNOOP\n")
codes(lines, [200, 257, 200, 215, 200])

# A line over the limit gets one reply, and its tail is not run.
connection.sendall(b"NOOP " + b"x" * 5000 + b"DELE nothing\r\nNOOP\r\n")
codes(lines, [500, 200])

# Control bytes harm nothing and are not echoed.
connection.sendall(b"\x00\x1b[2JWHAT\x1b]0;x\x07\r\n")
line = lines.readline()
assert line.startswith(b"500 ") or line.startswith(b"502 "), line
assert all(byte >= 0x20 or byte in b"\r\n" for byte in line), line

# Telnet's IP and Synch before a command, as clients send them with ABOR.
connection.sendall(b"\xff\xf4\xff\xf2NOOP\r\n")
codes(lines, [200])
connection.sendall(b"QUIT\r\n")
codes(lines, [221])
assert lines.read() == b"", "the connection is closed after 221"

# A login that fails is answered, and a second one is given its chance.
connection, lines = connect()
connection.sendall(b"USER nobody\r\nPASS wrong\r\n")
codes(lines, [220, 331, 530])
connection.sendall(f"USER {user}\r\nPASS {password}\r\nQUIT\r\n".encode())
codes(lines, [331, 230, 221])
