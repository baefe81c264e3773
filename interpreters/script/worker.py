"""The script worker: any Python from 2.7 on, CPython or not, as a subject of Provost.

The embedded worker needs a shared library of CPython 3.9 or later. Everything else that runs Python is questioned
through this one file of plain Python, which needs nothing but the standard library: `python -s -S worker.py` with
PYTHONHASHSEED=0 speaks the protocol of ../PROTOCOL.md on its standard input and output, and prints the canon of
corpus/CANON.md with a printer of its own. Pyodide (../pyodide/worker.mjs) runs the same file inside WebAssembly.

The order and form of the calls of `marshal` in `load_case` are part of the protocol: they fix the reference counts that
decide which objects `marshal.dumps` flags as shared.
"""

import sys

sys.dont_write_bytecode = True  # before the imports: a worker leaves no file behind, not even in the standard library

import gc
import hashlib
import io
import itertools
import marshal
import operator
import os
import re
import struct
import types
import warnings

PROTOCOL = 5
MAX_FRAME = 1 << 30
UNKNOWN = 0xFFFFFFFF
PYTHON2 = sys.version_info[0] == 2
# Whether a stream that does not load without its last byte was read to the end; 2.7 goes on after an error.
NEEDS_ALL = not PYTHON2 and sys.implementation.name == "cpython"
EXECUTES = __name__ == "__main__" and sys.argv[1:] == ["--execute"]
GARBAGE = 100000  # container objects that may pile up before a collection; some tens of megabytes

# A NaN that an x87 makes quiet when it passes through.
SIGNALLING = b"g\1\0\0\0\0\0\xf0\x7f"

# Up to 3.12 a one-character string is written as interned or not depending on whether anybody has interned it before.
LATIN1 = [] if PYTHON2 else [sys.intern(chr(i)) for i in range(256)]


# --- The canon: one line for each node ---


class Text(str):
    """Lines of the canon that are already printed; no stream can contain one."""


class TextLines(dict):
    """str -> its line. The strings of code objects recur so often that this halves the time."""

    unusual = re.compile(u"[^ -~]")

    def __missing__(self, text):
        plain = text.replace(u"\\", u"\\{5c}").replace(u'"', u"\\{22}").replace(u"\n", u"\\{a}")
        plain = self.unusual.sub(lambda match: u"\\{%x}" % ord(match.group()), plain)
        line = self[text] = str('str "%s"\n' % plain)
        return line


def class_line(value):
    if value is not StopIteration:
        raise TypeError("the canon has no form for the class %r" % value)
    return "stopiteration\n"


def bits(value, pack=struct.Struct(">d").pack, unpack=struct.Struct(">Q").unpack):
    return "%016x" % unpack(pack(value))


TEXT_LINES = TextLines()
SCALARS = {
    type(None): lambda o: "none\n",
    bool: lambda o: "true\n" if o else "false\n",
    type(Ellipsis): lambda o: "ellipsis\n",
    type: class_line,
    int: lambda o: "int %x\n" % o,
    float: lambda o: "float " + bits(o) + "\n",
    complex: lambda o: "complex " + bits(o.real) + " " + bits(o.imag) + "\n",
    Text: lambda o: o,
}
if PYTHON2:
    SCALARS[long] = lambda o: "long %x\n" % o
    SCALARS[str] = lambda o: 'bytes "' + o.encode("hex") + '"\n'
    SCALARS[unicode] = TEXT_LINES.__getitem__
else:
    SCALARS[bytes] = lambda o: 'bytes "' + o.hex() + '"\n'
    SCALARS[str] = TEXT_LINES.__getitem__


def code_fields():
    """The names of a code object's fields, found from its attributes: PyPy has not always what CPython has."""
    code = compile("", "", "exec")
    if hasattr(code, "_varname_from_oparg"):  # 3.11
        names, table = "consts names localsplusnames varnames cellvars", "qualname firstlineno linetable exceptiontable"
    else:
        names = "consts names varnames freevars cellvars"
        table = "firstlineno " + ("linetable" if hasattr(code, "co_linetable") else "lnotab")
    counts = "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code"
    counts = [name for name in counts.split() if hasattr(code, "co_" + name)]
    return counts + (names + " filename name " + table).split()


CODE_FIELDS = code_fields()
CODE_LABELS = [half for name in CODE_FIELDS for half in (Text(name + "="), None)]
CODE_VALUES = operator.attrgetter(*["co_" + name for name in CODE_FIELDS if name != "localsplusnames"])
LOCALSPLUS = CODE_FIELDS.index("localsplusnames") if "localsplusnames" in CODE_FIELDS else None


def names_node(names):
    return Text("names %d\n%s" % (len(names), "".join([TEXT_LINES[name] for name in names])))


def code_node(code, orders):
    values = CODE_VALUES(code)
    if LOCALSPLUS is not None:
        names = []
        try:
            while True:
                names.append(code._varname_from_oparg(len(names)))
        except IndexError:
            pass
        at = LOCALSPLUS
        built = names_node(names), names_node(values[at]), names_node(values[at + 1])
        values = values[:at] + built + values[at + 2 :]
    children = CODE_LABELS[:]
    children[1::2] = values
    return "code %d\n" % len(values), children


def dict_node(word, sort):
    def node(o, orders):
        items = ordered(o, orders) if sort else o.items()
        return "%s %d\n" % (word, len(o)), itertools.chain.from_iterable(items)

    return node


# The compound types: what gives the node's first line and its children.
NODES = {
    tuple: lambda o, orders: ("tuple %d\n" % len(o), o),
    list: lambda o, orders: ("list %d\n" % len(o), o),
    set: lambda o, orders: ("set %d\n" % len(o), ordered(o, orders)),
    frozenset: lambda o, orders: ("frozenset %d\n" % len(o), ordered(o, orders)),
    dict: dict_node("dict", sort=PYTHON2),
    slice: lambda o, orders: ("slice\n", (o.start, o.stop, o.step)),
    types.CodeType: code_node,
}
# What lies below a member of a set or a key of a dict: the types that can be hashed and hold others.
BELOW = {
    tuple: lambda o: o,
    frozenset: lambda o: o,
    slice: lambda o: (o.start, o.stop, o.step),
    types.CodeType: lambda o: o.co_consts,
}
try:
    NODES[frozendict] = dict_node("frozendict", sort=False)
    BELOW[frozendict] = lambda o: itertools.chain.from_iterable(o.items())
except NameError:  # before 3.15
    pass


def ordered(collection, orders):
    """The members of a set, or the items of a dict, in member order; `orders` remembers it by identity.

    A member's key is the canon of that member. What is nested inside members is put in order first, so that printing a
    key never needs a recursion of its own.
    """
    pending = [(collection, False)] if id(collection) not in orders else []
    seen = set()
    while pending:
        o, ready = pending.pop()
        members = o.items() if type(o) is dict else o
        if ready:
            keys = [print_nodes(m[0] if type(o) is dict else m, orders) for m in members] if len(o) > 1 else [""]
            if type(o) is dict and len(set(keys)) < len(keys):  # keys that print alike, as NaNs do: the values decide
                keys = [(key, print_nodes(value, orders)) for key, (_, value) in zip(keys, members)]
            keyed = sorted(zip(keys, members), key=lambda pair: pair[0])
            orders[id(o)] = [m for _, m in keyed]
        elif id(o) not in seen and id(o) not in orders:
            seen.add(id(o))
            if o is collection or type(o) is frozenset:
                pending.append((o, True))
            below = o if o is collection else BELOW[type(o)](o)
            pending.extend([(child, False) for child in below if type(child) in BELOW])
    return orders[id(collection)]


def print_nodes(root, orders):
    lines, numbers = [], {}
    stack, keep = [iter((root,))], []  # `keep`: a number belongs to an id, so what has a number has to stay alive
    write = lines.append
    scalar = SCALARS.get
    while stack:
        for o in stack[-1]:
            kind = type(o)
            line = scalar(kind)
            if line is not None:
                write(line(o))
                continue
            if kind not in NODES:
                raise TypeError("the canon has no form for the type %s" % kind.__name__)
            if not o and (kind is tuple or kind is frozenset):
                write("tuple 0\n" if kind is tuple else "frozenset 0\n")
                continue
            number = numbers.get(id(o))
            if number is not None:
                write("ref %d\n" % number)
                continue
            numbers[id(o)] = len(numbers)
            line, children = NODES[kind](o, orders)
            write(line)
            keep.append(children)
            stack.append(iter(children))
            break
        else:
            stack.pop()
    return "".join(lines)


def canon(value):
    """The canon of a value, as bytes."""
    try:
        text = print_nodes(value, {})
    finally:
        TEXT_LINES.clear()  # no string outlives its case
    return text if PYTHON2 else text.encode("ascii")


# --- Fields of requests and answers ---


class Fields(object):
    def __init__(self, payload):
        self.payload, self.offset = payload, 0

    def take(self, length):
        start, self.offset = self.offset, self.offset + length
        if self.offset > len(self.payload):
            raise ValueError("%d bytes wanted at byte %d, %d left" % (length, start, len(self.payload) - start))
        return self.payload[start : self.offset]

    def u8(self):
        return ord(self.take(1))

    def blob(self):
        return self.take(struct.unpack("<I", self.take(4))[0])

    def end(self):
        if self.offset != len(self.payload):
            raise ValueError("%d bytes too many" % (len(self.payload) - self.offset))


u32 = struct.Struct("<I").pack


def blob(data):
    return u32(len(data)) + data


def utf8(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")


def exception(e):
    try:
        text = utf8(str(e))
    except Exception:  # PyPy can quote bytes that are no text, and then fails to encode its own message
        text = b"a message that cannot be encoded"
    return blob(utf8(type(e).__name__)) + blob(text)


# --- The operations ---


def facts(driver, stdlib):
    import json

    v = sys.version_info
    if PYTHON2:
        import platform

        implementation = platform.python_implementation().lower()
    else:
        implementation = sys.implementation.name.lower()
    return json.dumps({
        "protocol": PROTOCOL,
        "driver": driver,
        "implementation": implementation,
        "version": version(v),
        "version_info": list(v),
        "implementation_version": version(getattr(sys, "pypy_version_info", v)),
        "magic": "".join(["%02x" % byte for byte in bytearray(magic())]),
        "marshal_version": marshal.version,
        "pointer_bits": struct.calcsize("P") * 8,
        "unicode_max": sys.maxunicode,
        "debug": hasattr(sys, "gettotalrefcount"),
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "free_threaded": "t" in getattr(sys, "abiflags", ""),
        "executable": sys.executable or "",
        "prefix": getattr(sys, "base_prefix", getattr(sys, "real_prefix", sys.prefix)),
        "stdlib": os.path.dirname(os.path.abspath(os.__file__)) if stdlib is None else stdlib,
        "platform": sys.platform,
        "optimize": [sys.flags.optimize] if PYTHON2 else [0, 1, 2],
        "build": sys.version.replace("\n", " "),
        "interned_elsewhere": [c for c, interned in enumerate(LATIN1) if interned is not chr(c)],
        "quiets_nans": marshal.dumps(marshal.loads(SIGNALLING), 2) != SIGNALLING,
    }).encode("ascii")


def version(v):
    level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(v[3])
    return "%d.%d.%d" % tuple(v[:3]) + (level + str(v[4]) if level else "")


def magic():
    if PYTHON2:
        import imp

        return imp.get_magic()
    import importlib.util

    return importlib.util.MAGIC_NUMBER


def load_case(b, mode, want_consumed, versions, loads=marshal.loads, dumps=marshal.dumps):
    """The answer for one stream. `keep` gives every interned string a second owner while its twins are dumped, and the
    call through a tuple leaves the root with one: PROTOCOL.md says why. So no value may be given a name on its way."""
    try:
        try:
            keep = loads(b)
        except MemoryError:  # which counts only when it is not the fault of garbage from other cases
            gc.collect()
            keep = loads(b)
    except Exception as e:
        return b"R" + exception(e)
    try:
        text = canon(loads(b)) if mode else b""
        status = b"\0" + blob(hashlib.sha256(text).digest() if mode == 1 else text)
        del text
    except Exception as e:
        status = b"\1" + blob(utf8("%s: %s" % (type(e).__name__, e)))
    answer = [b"A", None, status]
    for v in versions:
        try:
            answer.append(b"\0" + blob(dumps(*(loads(b), v))))
        except Exception as e:
            answer.append(b"\1" + exception(e))
    answer[1] = u32(consumed(b) if want_consumed else UNKNOWN)
    del keep
    return b"".join(answer)


def consumed(b):
    """How many bytes of the stream the value is. Nearly always all of them: then it does not load without the last one. A file
    tells it, too, but costs several calls of Python for each object."""
    if NEEDS_ALL:
        try:
            marshal.loads(b[:-1])
        except MemoryError:
            pass
        except Exception:
            return len(b)
    try:
        file = stream(b)
        marshal.load(file)
        return file.tell()
    except Exception:
        return UNKNOWN


if PYTHON2:
    SCRATCH = []

    def stream(b):
        """2.7 reads from real files only: one without a name, used again and again. Who is confined has to be given it."""
        if not SCRATCH:
            given = os.environ.get("PROVOST_SCRATCH_FD")
            SCRATCH.append(os.fdopen(int(given), "w+b") if given else os.tmpfile())
        file = SCRATCH[0]
        file.seek(0)
        file.truncate()
        file.write(b)
        file.seek(0)
        return file

else:
    stream = io.BytesIO


def load(fields):
    mode, want_consumed, k = fields.u8(), fields.u8(), fields.u8()
    if mode > 2:
        raise ValueError("canon mode %d" % mode)
    versions = list(bytearray(fields.take(k)))
    cases = [fields.blob() for _ in range(struct.unpack("<I", fields.take(4))[0])]
    fields.end()
    for b in cases:
        yield load_case(b, mode, want_consumed, versions)
        # The collector never runs inside a case, so that what hangs on garbage cycles is the same in every run.
        if COLLECTED and gc.get_count()[0] > GARBAGE:
            gc.collect()
            if hasattr(gc, "freeze"):  # 3.7: what is left, cycles through code objects, stays
                gc.freeze()


def compile_source(fields):
    source, filename, level = fields.blob(), fields.blob(), fields.u8()
    fields.end()
    try:
        if PYTHON2:
            if level != sys.flags.optimize:
                raise ValueError("started with level %d, cannot compile for %d" % (sys.flags.optimize, level))
            arguments = source, filename, "exec", 0, True
        elif level > 2:
            raise ValueError("no optimization level %d" % level)
        else:
            arguments = source, filename.decode("utf-8", "surrogateescape"), "exec", 0, True, level
        code = [compile(*arguments)]
        # As in `load_case`: every interned string has a second owner, whatever else this process has seen, and the root has one.
        keep = marshal.loads(marshal.dumps(code[0]))
        data = marshal.dumps(*(code.pop(),))
        del keep
    except Exception as e:
        return b"E" + exception(e)
    header = [magic(), u32(0)]  # flags since 3.7, the time before
    if sys.version_info >= (3, 3):
        header.append(u32(len(source) & 0xFFFFFFFF))
    if sys.version_info >= (3, 7):
        header.insert(1, u32(0))
    return b"P" + blob(b"".join(header) + data)


def flags_of_pyc(file, source, mtime):
    """The flags of a file whose header the import of a module `case` accepts; its stream is not looked at."""
    name = "case"
    if PYTHON2:
        # `load_compiled` of import.c, which goes on to run the code.
        if file[:4] != magic():
            raise ImportError("Bad magic number in " + name)
        return 0
    from importlib import _bootstrap_external as external

    if sys.version_info < (3, 7):
        stats = None if source is None else {"mtime": mtime, "size": len(source)}
        external._validate_bytecode_header(file, source_stats=stats, name=name)
        return 0
    flags = external._classify_pyc(file, name, {})
    if source is not None and not flags & 1:
        external._validate_timestamp_pyc(file, mtime, len(source), name, {})
    elif source is not None and flags & 2:
        from importlib.util import source_hash

        external._validate_hash_pyc(file, source_hash(source), name, {})
    return flags


def import_headers(fields):
    cases = []
    for _ in range(struct.unpack("<I", fields.take(4))[0]):
        file, with_source, source = fields.blob(), fields.u8(), fields.blob()
        cases.append((file, source if with_source else None, struct.unpack("<I", fields.take(4))[0]))
    fields.end()
    for case in cases:
        try:
            yield b"V" + u32(flags_of_pyc(*case))
        except Exception as e:
            yield b"R" + exception(e)


def disassemble(fields):
    from disassembly import disassembly

    cases = [fields.blob() for _ in range(struct.unpack("<I", fields.take(4))[0])]
    fields.end()
    for b in cases:
        try:
            code = marshal.loads(b)
            if not isinstance(code, types.CodeType):
                raise TypeError("not a code object")
        except Exception as e:
            yield b"R" + exception(e)
            continue
        yield b"D" + blob(disassembly(code, b))


def execute(fields):
    """Only a script worker that was started for it executes anything, and only in children of its own."""
    if not EXECUTES:
        raise ValueError("this worker was not started to execute anything")
    from execution import endings

    cases = [fields.blob() for _ in range(struct.unpack("<I", fields.take(4))[0])]
    fields.end()
    for number, text in endings(cases, address_space()):
        yield b"X" + struct.pack("<B", number) + blob(text)


def answers(payload, driver, stdlib=None):
    """The payloads that answer one request's payload; the next case is touched when the next answer is asked for."""
    try:
        fields = Fields(payload)
        tag = fields.take(1)
        if tag == b"H":
            fields.end()
            yield b"h" + blob(facts(driver, stdlib))
        elif tag == b"L":
            for answer in load(fields):
                yield answer if len(answer) <= MAX_FRAME else b"F" + blob(b"the answer is longer than a frame may be")
        elif tag == b"C":
            yield compile_source(fields)
        elif tag == b"P":
            for answer in import_headers(fields):
                yield answer
        elif tag == b"D":
            for answer in disassemble(fields):
                yield answer
        elif tag == b"X":
            for answer in execute(fields):
                yield answer
        else:
            raise ValueError("request tag %r" % tag)
    except Exception as e:
        yield b"F" + blob(utf8("%s: %s" % (type(e).__name__, e)))


# --- The process ---


def address_space():
    """How many bytes of address space this process takes; 0 where there is no /proc."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (IOError, OSError):
        return 0


def limits():
    """Sets the limits that the environment asks for; returns what is to be called before every request."""
    import resource

    def lower(which, value):
        soft, hard = resource.getrlimit(which)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, hard))

    lower(resource.RLIMIT_CORE, 0)
    if os.environ.get("PROVOST_MEMORY_MIB"):
        # A free-threaded build reserves a gigabyte before it has done anything, a sanitizer terabytes.
        lower(resource.RLIMIT_AS, address_space() + (int(os.environ["PROVOST_MEMORY_MIB"]) << 20))
    seconds = os.environ.get("PROVOST_CPU_SECONDS")
    if not seconds:
        return lambda: None

    def renew():
        used = resource.getrusage(resource.RUSAGE_SELF)
        lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + 1) + int(seconds))

    return renew


def main(driver="script", stdlib=None):
    """Answers requests until the end of file. Only the script driver has limits and signals of its own to set."""
    global COLLECTED
    output = io.open(os.dup(1), "wb")
    os.dup2(2, 1)
    input = io.open(0, "rb", 1 << 16, closefd=False)
    warnings.simplefilter("ignore")
    COLLECTED = hasattr(gc, "get_count")  # PyPy's collector decides nothing that can be seen
    if COLLECTED:
        gc.disable()
    renew = lambda: None
    if driver == "script":
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)  # die by the signal, as the protocol wants, without a traceback
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        renew = limits()
    while True:
        head = input.read(4)
        if not head:
            return
        length = struct.unpack("<I", head)[0] if len(head) == 4 else 0
        payload = input.read(length) if length <= MAX_FRAME else b""
        if len(head) < 4 or len(payload) < length:
            sys.exit("provost worker: the input ends inside a frame, or the frame is longer than %d bytes" % MAX_FRAME)
        renew()
        for answer in answers(payload, driver, stdlib):
            output.write(u32(len(answer)) + answer)
            output.flush()


if __name__ == "__main__":
    main()
    os._exit(0)  # without taking the interpreter down: what hostile streams left in it is of no interest any more
