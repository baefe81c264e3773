"""CPython's side of `cargo provost bench --only campaign`: does what a hunt asked of a worker, and nothing else.

    arguments       FILE ROUNDS     what was asked, in order
    answer          0.123 0.21      seconds of CPU for all of it, and the share of the costliest hundredth

FILE has for each: a letter, a number n (one byte), n bytes, a length (4 bytes, little-endian) and so many bytes. L is a stream
that is loaded, and for each of the n marshal versions loaded and dumped; C is a source that is compiled and dumped at the
optimization level n (without further bytes). The least of all rounds counts for each. What is refused takes its time, too. Memory
is limited as in a worker: a stream may claim any.

Works with Python 2.7 and 3.x; nothing is executed.
"""
import gc
import marshal
import os
import resource
import struct
import sys
import time
import warnings

clock = getattr(time, "process_time", None) or time.clock
PYTHON2 = sys.version_info[0] == 2
BETWEEN_COLLECTIONS = 256


def split(data):
    asked = []
    at = 0
    while at < len(data):
        kind, n = data[at : at + 1], ord(data[at + 1 : at + 2])
        at += 2
        versions = list(bytearray(data[at : at + n])) if kind == b"L" else n
        at += n if kind == b"L" else 0
        (length,) = struct.unpack_from("<I", data, at)
        asked.append((kind, versions, data[at + 4 : at + 4 + length]))
        at += 4 + length
    return asked


def load(stream, versions, loads=marshal.loads, dumps=marshal.dumps):
    keep = loads(stream)
    for version in versions:
        try:
            dumps(loads(stream), version)
        except ValueError:
            pass
    del keep


def compile_source(source, level):
    arguments = (source, "case", "exec", 0, True) if PYTHON2 else (source, "case", "exec", 0, True, level)
    marshal.dumps(compile(*arguments))


def seconds(kind, argument, data):
    work = load if kind == b"L" else compile_source
    begin = clock()
    try:
        work(data, argument)
    except Exception:
        pass
    return clock() - begin


def limit_memory():
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    limit = taken + (int(os.environ["PROVOST_MEMORY_MIB"]) << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main():
    warnings.simplefilter("ignore")
    gc.disable()
    with open(sys.argv[1], "rb") as file:
        asked = split(file.read())
    limit_memory()
    least = [float("inf")] * len(asked)
    for _ in range(int(sys.argv[2])):
        for index, (kind, argument, data) in enumerate(asked):
            least[index] = min(least[index], seconds(kind, argument, data))
            if index % BETWEEN_COLLECTIONS == 0:
                gc.collect()
    least.sort()
    total = sum(least)
    costliest = least[-max(1, len(least) // 100) :]
    print("%r %r" % (total, sum(costliest) / total))


main()
