"""Twisted's FTPClient: list, upload, download, resume, rename, delete, directories, passive and active:
twisted_client.py HOST PORT USER PASSWORD

Sends up.bin of the current directory as /drive_c/dir/moved.bin, and in two parts as grown.bin; fetches it as
down.bin and active.bin, and goes on with part.bin."""

import sys

from twisted.internet import defer, reactor
from twisted.internet.protocol import ClientCreator, Protocol
from twisted.protocols.ftp import CommandFailed, FTPClient, FTPFileListProtocol

host, port, user, password = sys.argv[1:5]
failures = []


class Bytes(Protocol):
    """What comes over a data connection."""

    def __init__(self):
        self.got = b""

    def dataReceived(self, data):
        self.got += data


@defer.inlineCallbacks
def store(ftp, name, data, offset=0):
    opened, done = ftp.storeFile(name, offset)
    consumer = yield opened
    consumer.write(data)
    consumer.finish()
    yield done


@defer.inlineCallbacks
def fetch(ftp, name, offset=0):
    bytes_ = Bytes()
    yield ftp.retrieveFile(name, bytes_, offset)
    return bytes_.got


@defer.inlineCallbacks
def names(ftp, path):
    listed = FTPFileListProtocol()
    yield ftp.list(path, listed)
    assert not [line for line in getattr(listed, "unknown", []) if line], listed.unknown
    return {entry["filename"].upper(): entry for entry in listed.files}


@defer.inlineCallbacks
def session():
    with open("up.bin", "rb") as file:
        data = file.read()
    with open("part.bin", "rb") as file:
        part = file.read()
    ftp = yield ClientCreator(reactor, FTPClient, user, password).connectTCP(host, int(port), timeout=20)
    yield ftp.cwd("/drive_c")
    where = yield ftp.getDirectory()
    assert where.upper() == "/DRIVE_C", where
    yield ftp.makeDirectory("dir")
    yield ftp.cwd("dir")
    yield store(ftp, "up.bin", data)
    with open("down.bin", "wb") as file:
        file.write((yield fetch(ftp, "up.bin")))
    with open("part.bin", "ab") as file:
        file.write((yield fetch(ftp, "up.bin", len(part))))
    yield store(ftp, "grown.bin", part)
    yield store(ftp, "grown.bin", data[len(part) :], len(part))
    listed = yield names(ftp, ".")
    assert listed["UP.BIN"]["size"] == len(data) and listed["GROWN.BIN"]["size"] == len(data), listed
    yield ftp.rename("up.bin", "moved.bin")
    ftp.passive = 0
    with open("active.bin", "wb") as file:
        file.write((yield fetch(ftp, "moved.bin")))
    yield store(ftp, "gone.bin", data)
    ftp.passive = 1
    yield ftp.removeFile("gone.bin")
    try:
        yield ftp.removeFile("gone.bin")
    except CommandFailed as error:
        assert "550" in str(error), error
    else:
        raise AssertionError("a file was deleted twice")
    yield ftp.makeDirectory("sub")
    listed = yield names(ftp, ".")
    assert listed["SUB"]["filetype"] == "d" and "GONE.BIN" not in listed, listed
    yield ftp.removeDirectory("sub")
    yield ftp.quit()


def failed(failure):
    failures.append(failure.getTraceback())


done = session()
done.addErrback(failed)
done.addBoth(lambda _: reactor.stop())
reactor.run()
if failures:
    sys.exit(failures[0])
