# Compiles source files in the order in which they are named, in one process, and writes .pyc files: python compile_order.py
# OUT HEADER SOURCE... Whatever else a process has compiled, interned and still holds decides about flags and references. HEADER is
# what precedes the streams, in hexadecimal.
import binascii
import marshal
import os
import sys

out, header, sources = sys.argv[1], binascii.unhexlify(sys.argv[2]), sys.argv[3:]
held = []


def constants(code):
    for constant in code.co_consts:
        yield constant
        if hasattr(constant, "co_consts"):
            for inner in constants(constant):
                yield inner


for place, path in enumerate(sources):
    with open(path, "rb") as f:
        text = f.read()
    code = compile(text, path, "exec", dont_inherit=True)
    # Somebody else owns the constants of every other file, as a cache or a debugger may.
    if place % 2 == 0:
        held.extend(constants(code))
    name = "%d.pyc" % sorted(sources).index(path)
    with open(os.path.join(out, name), "wb") as f:
        f.write(header + marshal.dumps(code))
