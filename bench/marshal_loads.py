"""CPython's side of `cargo provost bench`: times marshal.loads, marshal.dumps and dis in this interpreter, when asked.

Both sides of a ratio must do the same work on the same bytes, so everything that is not marshal is done before the clock
starts or kept out of the loop: the streams are in memory, the values that are dumped are loaded, the garbage collector is
off, and the loop itself runs in C. What is left is the call, the work, and that the result is dropped.

    arguments       FILE            streams, each after its length (4 bytes, little-endian)
    answer          101...          a digit for each stream: whether it is loaded and dumped without an error
    use 100...      ok              time these from now on
    load            0.123           seconds for marshal.loads of all of them once
    dump            0.123           seconds for marshal.dumps of their values once
    dis             0.123           seconds for every field of all instructions of the code objects in their values

Works with Python 2.7 and 3.x; nothing is executed.
"""
import dis
import gc
import marshal
import operator
import struct
import sys
import time
import types
from collections import deque

try:
    from itertools import imap as each
except ImportError:
    each = map

# 2.7 has no get_instructions: asked for it, this process ends.
instruction = getattr(dis, "Instruction", object)
public = [name for name in dir(instruction) if not name.startswith("_") and not callable(getattr(instruction, name))]
fields = operator.attrgetter(*(public or ["__class__"]))

clock = getattr(time, "perf_counter", time.time)


def split(data):
    streams = []
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        streams.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return streams


def accepts(stream):
    try:
        marshal.dumps(marshal.loads(stream))
        return "1"
    except Exception:
        return "0"


def seconds(function, arguments):
    begin = clock()
    deque(each(function, arguments), 0)
    return repr(clock() - begin)


def codes(values):
    """The code objects among these values, and those inside of them."""
    found = []
    rest = list(values)
    while rest:
        value = rest.pop()
        if isinstance(value, types.CodeType):
            found.append(value)
            rest.extend(value.co_consts)
        elif isinstance(value, tuple):
            rest.extend(value)
    return found


def look(code):
    """Every field of all instructions; since 3.13 most are made when they are asked for."""
    for instruction in dis.get_instructions(code):
        fields(instruction)


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main():
    gc.disable()
    with open(sys.argv[1], "rb") as file:
        streams = split(file.read())
    say("".join([accepts(stream) for stream in streams]))
    used, values = [], None
    for line in iter(sys.stdin.readline, ""):
        command = line.split()
        if command[0] == "use":
            used = [stream for stream, digit in zip(streams, command[1]) if digit == "1"]
            values = None
            say("ok")
        elif command[0] == "load":
            say(seconds(marshal.loads, used))
        elif command[0] == "dump":
            if values is None:
                values = [marshal.loads(stream) for stream in used]
            say(seconds(marshal.dumps, values))
        elif command[0] == "dis":
            if values is None:
                values = [marshal.loads(stream) for stream in used]
            say(seconds(look, codes(values)))
        else:
            say("what?")


main()
