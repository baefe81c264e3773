"""CPython's side of `cargo provost bench --only toolbox`: does what a command of the toolbox does, for the first files of a tree.

    arguments       info|verify|identify COUNT FOLDER
                    normalize COUNT FOLDER, which it leaves as it is
                    diff COUNT FOLDER FOLDER
    answer          12.3            seconds for COUNT files

`info` counts the instructions of all code objects by opcode with `dis`; `verify` decides as importlib does, and loads the stream;
`identify` only loads it: Python has nothing that tells who wrote a stream. `normalize` writes what `marshal.dumps` makes of it into
another file, and `diff` compares what both files load as. Nothing is executed.
"""
import collections
import dis
import importlib._bootstrap_external as external
import importlib.util as util
import marshal
import os
import sys
import tempfile
import time
import types


def files(folder, count):
    found = []
    for path, folders, names in os.walk(folder):
        folders.sort()
        found += [os.path.join(path, name) for name in sorted(names) if name.endswith(".pyc")]
        if len(found) >= count:
            break
    return found[:count]


def info(path):
    with open(path, "rb") as file:
        code = marshal.loads(file.read()[16:])
    counts = collections.Counter()
    stack = [code]
    while stack:
        code = stack.pop()
        counts.update(instruction.opname for instruction in dis.get_instructions(code))
        stack += [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return counts


def verify(path):
    with open(path, "rb") as file:
        data = file.read()
    source = util.source_from_cache(path)
    details = {"name": "module", "path": path}
    flags = external._classify_pyc(data, "module", details)
    stat = os.stat(source)
    if flags & 1:
        with open(source, "rb") as file:
            external._validate_hash_pyc(data, util.source_hash(file.read()), "module", details)
    else:
        external._validate_timestamp_pyc(data, int(stat.st_mtime), stat.st_size, "module", details)
    return marshal.loads(memoryview(data)[16:])


def identify(path):
    with open(path, "rb") as file:
        return marshal.loads(file.read()[16:])


def normalize(path):
    with open(path, "rb") as file:
        data = file.read()
    with tempfile.TemporaryFile() as file:
        file.write(data[:16] + marshal.dumps(marshal.loads(data[16:])))


def diff(path):
    return identify(path) == identify(other + path[len(folder):])


name, count, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
other = sys.argv[-1]
command = {"info": info, "verify": verify, "identify": identify, "normalize": normalize, "diff": diff}[name]
paths = files(folder, count)
begin = time.perf_counter()
for path in paths:
    command(path)
print((time.perf_counter() - begin) * count / max(1, len(paths)))
