"""A worker that speaks the protocol and does to itself what each case says.

MODE, set by the test, makes it fail from the start instead. An ordinary case is answered by a rejection that repeats it.
"""
import json
import os
import signal
import struct
import sys
import time

MODE = "honest"
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.dup(1)
os.dup2(2, 1)


def exactly(n):
    data = b""
    while len(data) < n:
        piece = os.read(0, n - len(data))
        if not piece:
            os._exit(0)
        data += piece
    return data


def write(data):
    while data:
        data = data[os.write(OUT, data):]


def frame(payload):
    return struct.pack("<I", len(payload)) + payload


def blob(data):
    return frame(data)


def die(number):
    os.kill(os.getpid(), number)
    signal.pause()


def once(name):
    """Whether this is the first time, over all processes of this test."""
    try:
        os.close(os.open(os.path.join(HERE, name), os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def facts():
    return {
        "protocol": 0 if MODE == "other protocol" else 5,
        "driver": "pyodide" if MODE == "other driver" else "script",
        "implementation": sys.implementation.name,
        "version": "%d.%d.%d" % sys.version_info[:3],
        "version_info": [9, 9, 9, "final", 0] if MODE == "other version" else list(sys.version_info),
        "implementation_version": "%d.%d.%d" % sys.version_info[:3],
        "magic": "00000000",
        "marshal_version": 4,
        "pointer_bits": 64,
        "unicode_max": sys.maxunicode,
        "debug": False,
        "gil": True,
        "free_threaded": False,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "stdlib": "",
        "platform": sys.platform,
        "optimize": [sys.flags.optimize],
        "build": sys.version,
        "interned_elsewhere": [],
        "quiets_nans": False,
    }


def answer(case):
    word = case.decode("latin-1")
    if word.startswith("SIG"):
        die(getattr(signal, word))
    elif word == "killed once" and once("killed"):
        die(signal.SIGKILL)
    elif word == "exit":
        os.write(2, b"first words\nlast words\n")
        os._exit(3)
    elif word == "trap":
        os._exit(70)
    elif word == "starve":
        os.write(2, b"memory allocation of 5 bytes failed\n")
        die(signal.SIGABRT)
    elif word == "hang":
        signal.pause()
    elif word == "spin":
        while True:
            pass
    elif word == "doze":
        begin = time.time()
        while time.time() < begin + 10:
            until = time.process_time() + 0.03
            while time.process_time() < until:
                pass
            time.sleep(1)
    elif word == "close":
        os.close(OUT)
        signal.pause()
    elif word == "garbage":
        write(b"Hello, world!\n")
    elif word == "half":
        write(frame(b"R" + blob(b"Echo") + blob(case))[:9])
        os._exit(0)
    elif word == "other answer":
        write(frame(b"P" + blob(b"")))
    elif word == "failed":
        write(frame(b"F" + blob(b"I give up")))
    elif word == "break":
        once("broken")
        os._exit(4)
    elif word == "twice":
        write(frame(b"R" + blob(b"Echo") + blob(case)) * 2)
        return
    elif word == "shout":
        os.write(2, b"x" * 1000000)
    write(frame(b"R" + blob(b"Echo") + blob(case)))


if MODE == "dies" or os.path.exists(os.path.join(HERE, "broken")):
    sys.exit("no interpreter today")
if MODE == "crashes":
    die(signal.SIGSEGV)

while True:
    request = exactly(struct.unpack("<I", exactly(4))[0])
    if request[:1] == b"H":
        if MODE == "silent":
            signal.pause()
        if MODE == "closes":
            os._exit(0)
        if MODE == "garbage":
            write(b"Python 3 is great\n")
        if MODE == "no facts":
            write(frame(b"h" + blob(b"{}")))
        write(frame(b"h" + blob(json.dumps(facts()).encode())))
    elif request[:1] == b"L":
        at = 4 + request[3] + 4
        while at < len(request):
            length, = struct.unpack("<I", request[at:at + 4])
            answer(request[at + 4:at + 4 + length])
            at += 4 + length
    else:
        write(frame(b"P" + blob(b"level %d" % sys.flags.optimize)))
