# Pairs of .pyc files that differ for one cause each: python pairs.py OUT SEED. Writes KIND.a.pyc and KIND.b.pyc; of kinds that take
# two processes one of them, by SEED.
import marshal
import os
import py_compile
import sys

out, seed = sys.argv[1], int(sys.argv[2])
three = sys.version_info[0] > 2
SOURCE = '''"""Module."""
def f(x, y=(1000, "q")):
    """Function."""
    if x in frozenset(["delta"]):
        return "Function."
    return [x + i for i in y if i]
class A(object):
    """Class."""
    def g(self):
        return self, "some words"
'''


def path(kind, side):
    return os.path.join(out, "%s.%s.pyc" % (kind, side))


def compiled(kind, side, source, when=1000, **more):
    name = os.path.join(out, "source.py")
    with open(name, "w") as f:
        f.write(source)
    os.utime(name, (when, when))
    more.setdefault("dfile", "source.py")
    py_compile.compile(name, cfile=path(kind, side), doraise=True, **more)


def header():
    with open(path("mtime", "a"), "rb") as f:
        head = f.read()
    return head[: 8 if not three else 12 if sys.version_info < (3, 7) else 16]


def dumped(kind, side, value, *version):
    with open(path(kind, side), "wb") as f:
        f.write(header() + marshal.dumps(value, *version))


def code(source, name="source.py"):
    return compile(source, name, "exec", dont_inherit=True)


def pair(kind, a, b, **more):
    compiled(kind, "a", a, **more)
    compiled(kind, "b", b, **more)


compiled("mtime", "a", SOURCE)
compiled("mtime", "b", SOURCE, when=2000)
pair("filename", SOURCE, SOURCE)
compiled("filename", "b", SOURCE, dfile="another.py")
pair("lines", SOURCE, SOURCE.replace("class A", "\n\nclass A"))
pair("docstring", SOURCE, SOURCE.replace('"""Function."""', '"""Edited!!!"""'))
pair("constant", SOURCE, SOURCE.replace("1000", "2000"))
pair("code", SOURCE, SOURCE.replace("x + i", "x - i"))
# The docstring is used as a value, too.
pair("constant-of-docstring", *["def f():\n    'doc %s'\n    return 'doc %s', f\n" % (word, word) for word in "ab"])
pair("constant-of-docstring-elsewhere", *["def f():\n    'doc %s'\nx = 'doc %s', 1000\n" % (word, word) for word in "ab"])
# Only the exception table differs since 3.11.
call, begin = "    g()\n", "    try:\n"
end = "        h()\n    except ValueError:\n        return 1\n"
pair("code-in-try", "def f():\n" + call + begin + end, "def f():\n" + begin + "    " + call + end)
compiled("trailing", "a", SOURCE)
with open(path("trailing", "a"), "rb") as f:
    whole = f.read()
with open(path("trailing", "b"), "wb") as f:
    f.write(whole + b"more")
dumped("value", "a", (1,))
dumped("value", "b", (2,))
words = "".join(["some ", "words"])
dumped("interning", "a", (words,))
dumped("interning", "b", ((sys.intern if three else intern)("".join(["some ", "words"])),))
if three:
    compiled("size", "a", SOURCE)
    compiled("size", "b", SOURCE + "# at the end\n")
    one = (1000, words)
    dumped("sharing", "a", (one, one))
    dumped("sharing", "b", ((1000, words), tuple([1000, words])))
    dumped("encoding", "a", code(SOURCE), 3)
    dumped("encoding", "b", code(SOURCE), 4)
    c = code("def f(x): return x in {'delta', 'alpha', 'gamma'}\n")
    # All in one process and before the set is held: else its order would differ, too.
    dumped("flags", "a", c)
    held = [k for k in c.co_consts if hasattr(k, "co_consts")][0].co_consts
    held = [k for k in held if isinstance(k, frozenset)] + [held]
    dumped("flags", "b", c)
    for level in (1, 2):
        compiled("docstring-oo", "ab"[level - 1], SOURCE, optimize=level)
    # The order of a set follows the seed.
    dumped("set-order", "a" if seed == 1 else "b", code("x = y in {'delta', 'alpha', 'gamma', 'beta', 'epsilon'}\n"))
if sys.version_info >= (3, 7):
    modes = py_compile.PycInvalidationMode
    pair("hash", SOURCE, SOURCE + "# at the end\n", invalidation_mode=modes.CHECKED_HASH)
    compiled("header", "a", SOURCE, invalidation_mode=modes.CHECKED_HASH)
    compiled("header", "b", SOURCE, invalidation_mode=modes.UNCHECKED_HASH)
if sys.version_info >= (3, 8):
    import dis

    c = code("a = 1000\nb = 2000\n")
    first, second = c.co_consts.index(1000), c.co_consts.index(2000)
    moved = {first: second, second: first}
    text = bytearray(c.co_code)
    for at in range(0, len(text), 2):
        if text[at] == dis.opmap["LOAD_CONST"]:
            text[at + 1] = moved.get(text[at + 1], text[at + 1])
    consts = list(c.co_consts)
    consts[first], consts[second] = consts[second], consts[first]
    dumped("constant-order", "a", c)
    dumped("constant-order", "b", c.replace(co_code=bytes(text), co_consts=tuple(consts)))
