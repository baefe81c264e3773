"""An adapter that speaks EXEC.md and does to itself what each case says.

MODE, set by the test, makes it fail from the start instead. An ordinary case is answered by its bytes.
"""
import json
import os
import signal
import sys
import time

MODE = "honest"


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def answer(number, case):
    word = case.decode("latin-1")
    right = json.dumps({"id": number, "value": {"bytes": case.hex()}, "consumed": len(case)}) + "\n"
    if word.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, word))
    elif word == "exit":
        sys.stderr.write("last words\n")
        sys.stderr.flush()
        os._exit(3)
    elif word == "hang":
        signal.pause()
    elif word == "spin":
        while True:
            pass
    elif word == "close":
        os.close(1)
        signal.pause()
    elif word == "chatter":
        say("Loading...\n" + right)
    elif word == "half":
        say(right[:9])
        os._exit(0)
    elif word == "skip":
        return
    elif word == "other":
        say(right.replace('"id": ', '"id": 1'))
    elif word == "twice":
        say(right * 2)
    elif word == "late":
        time.sleep(0.3)
        say(right)
    elif word == "much":
        say(json.dumps({"id": number, "value": "x" * 1000000}) + "\n")
    elif word == "endless":
        while True:
            say("x" * 1000000)
    elif word == "hungry":
        hoard = bytearray(200 << 20)
        hoard[::4096] = b"x" * len(hoard[::4096])
        del hoard
        say(right)
    elif word == "unsupported":
        say(json.dumps({"id": number, "unsupported": "that"}) + "\n")
    else:
        say(right)


for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "hello":
        if MODE == "chatters":
            say("Welcome!\n")
        if MODE == "silent":
            signal.pause()
        if MODE == "dies":
            sys.exit("not today")
        name = "cpython" if MODE == "lies" else "fake"
        say(json.dumps({"exec": 1, "name": name, "version": "1", "pythons": ["3.11", "3.12"]}) + "\n")
    else:
        answer(request["id"], bytes.fromhex(request["data"]))
