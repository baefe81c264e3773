"""Holds conversations with the script worker and the Pyodide worker: `python3 interpreters/script/test_worker.py`.

What is expected is written down here by hand from PROTOCOL.md and corpus/CANON.md; nothing comes from the workers.
Subjects: the interpreters in PROVOST_PYTHONS (separated as in PATH), or else this one and what pyenv has installed; and
the Pyodides in PROVOST_PYODIDE_MODULES or ../pyodide/node_modules, when node is there.
"""

import functools
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "worker.py")
PYODIDE = os.path.join(os.path.dirname(HERE), "pyodide")
UNKNOWN = 0xFFFFFFFF
HANG = 300  # seconds after which a worker that should have answered is killed, so that a fault cannot block the suite

u32 = struct.Struct("<I").pack


def blob(data):
    return u32(len(data)) + data


def discover():
    given = os.environ.get("PROVOST_PYTHONS")
    pyenv = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python")))
    pythons = given.split(os.pathsep) if given else [sys.executable] + pyenv
    commands = [[os.path.abspath(python), "-s", "-S", SCRIPT] for python in pythons if python]
    if shutil.which("node"):
        modules = os.environ.get("PROVOST_PYODIDE_MODULES") or os.path.join(PYODIDE, "node_modules")
        aliases = sorted(os.path.basename(path) for path in glob.glob(os.path.join(modules, "pyodide-*")))
        commands += [["node", os.path.join(PYODIDE, "worker.mjs"), alias] for alias in aliases]
    return commands


class Worker:
    """One worker process and its answers."""

    def __init__(self, command, **environment):
        self.folder = tempfile.TemporaryDirectory()
        self.errors = tempfile.TemporaryFile()
        environment = dict(os.environ, PYTHONHASHSEED="0", TMPDIR=self.folder.name, **environment)
        self.process = subprocess.Popen(
            command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            env=environment, cwd=self.folder.name,
        )
        self.output = os.fdopen(os.dup(self.process.stdout.fileno()), "rb")
        self.watchdog = threading.Timer(HANG, self.process.kill)
        self.watchdog.daemon = True
        self.watchdog.start()
        self.end = None
        self.facts = json.loads(Fields(self.ask(b"H")[0]).skip(b"h").blob().decode())
        self.version = tuple(self.facts["version_info"][:2])
        self.wasm = self.facts["driver"] == "pyodide"

    def write(self, data, step=1 << 16):
        try:
            for at in range(0, len(data), step):
                part = data[at : at + step]
                while part:
                    part = part[self.process.stdin.write(part) :]
        except BrokenPipeError:
            pass  # it died: told by what it did not answer

    def ask(self, *requests, count=1, step=1 << 16):
        """Sends requests while reading; returns `count` answers, fewer if the worker died."""
        sender = threading.Thread(target=self.write, args=(b"".join(map(blob, requests)), step))
        sender.start()
        answers = []
        while len(answers) < count:
            head = self.output.read(4)
            if len(head) < 4:
                break
            answers.append(self.output.read(struct.unpack("<I", head)[0]))
        sender.join()
        return answers

    def load(self, *cases, mode=2, consumed=1, versions=()):
        request = b"L" + bytes([mode, consumed, len(versions), *versions]) + u32(len(cases))
        answers = self.ask(request + b"".join(map(blob, cases)), count=len(cases))
        return [Loaded(answer, len(versions)) for answer in answers]

    def compile(self, source, level=0):
        return self.ask(b"C" + blob(source) + blob("é.py".encode()) + bytes([level]))[0]

    def finish(self):
        """Closes the pipe; returns the exit status, what it wrote on stderr, and the files it left behind."""
        if self.end is None:
            self.process.stdin.close()
            self.output.read()
            status = self.process.wait()
            self.watchdog.cancel()
            self.output.close()
            self.process.stdout.close()
            self.errors.seek(0)
            with self.folder, self.errors:
                self.end = status, self.errors.read().decode("utf-8", "replace"), os.listdir(self.folder.name)
        return self.end


class Fields:
    def __init__(self, data):
        self.data = data

    def skip(self, prefix):
        assert self.data.startswith(prefix), (prefix, self.data[:200])
        self.data = self.data[len(prefix) :]
        return self

    def take(self, n):
        assert len(self.data) >= n
        part, self.data = self.data[:n], self.data[n:]
        return part

    def blob(self):
        return self.take(struct.unpack("<I", self.take(4))[0])


class Loaded:
    """One answer to a load request: `rejected` is (class, message) or None."""

    def __init__(self, answer, versions):
        fields = Fields(answer)
        tag = fields.take(1)
        self.rejected = self.canon = self.dumps = self.consumed = None
        if tag == b"R":
            self.rejected = fields.blob().decode(), fields.blob().decode()
        else:
            assert tag == b"A", answer[:200]
            self.consumed = struct.unpack("<I", fields.take(4))[0]
            failed, self.canon = fields.take(1) != b"\0", fields.blob()
            assert not failed, self.canon
            dump = lambda: fields.blob() if fields.take(1) == b"\0" else (fields.blob(), fields.blob())
            self.dumps = [dump() for _ in range(versions)]
        assert not fields.data, answer[:200]


# --- Streams and their canons ---


def L(n):
    return struct.pack("<i", n)


def i(n):
    return b"i" + L(n)


def g(bits):
    return struct.pack("<Q", bits)


def s(data):
    return b"s" + L(len(data)) + data


def u(text):
    data = text.encode("utf-8", "surrogatepass")
    return b"u" + L(len(data)) + data


def seq(kind, *items):
    return kind + L(len(items)) + b"".join(items)


def ref(n):
    return b"r" + L(n)


# (stream, canon, canon under 2.7 where it is another); lines are separated by |
EVERYWHERE = [
    (b"N", "none"),
    (seq(b"[", b"T", i(1), b"F", i(0)), "list 4|true|int 1|false|int 0"),
    (seq(b"(", b".", b"S"), "tuple 2|ellipsis|stopiteration"),
    (i(255), "int ff"),
    (i(-(2**31)), "int -80000000"),
    (b"l" + L(0), "int 0", "long 0"),
    (b"l" + L(-2) + b"\xff\x7f\x01\0", "int -ffff", "long -ffff"),
    (b"g" + g(0x3FF0000000000000), "float 3ff0000000000000"),
    (b"g" + g(0x8000000000000000), "float 8000000000000000"),
    (b"g" + g(0xFFF8000000000123), "float fff8000000000123"),
    (b"y" + g(0x8000000000000000) + g(0x7FF0000000000000), "complex 8000000000000000 7ff0000000000000"),
    (s(b"\0\xffA"), 'bytes "00ff41"'),
    (u(""), 'str ""'),
    (u(' ~\x7f"\\\né\ud800\U0001f600{}'), r'str " ~\{7f}\{22}\{5c}\{a}\{e9}\{d800}\{1f600}{}"'),
    (seq(b"(", seq(b"("), seq(b">"), seq(b"["), seq(b"<"), b"{0"), "tuple 5|tuple 0|frozenset 0|list 0|set 0|dict 0"),
    (seq(b"<", i(2), i(16), u("a"), b"T"), 'set 4|int 10|int 2|str "a"|true'),
    (seq(b">", seq(b">", i(2), i(1)), seq(b">", i(3)), i(9)),
     "frozenset 3|frozenset 1|int 3|frozenset 2|int 1|int 2|int 9"),
    (seq(b"<", seq(b"(", seq(b">", i(5), i(4))), seq(b"(", i(7))),
     "set 2|tuple 1|frozenset 2|int 4|int 5|tuple 1|int 7"),
    (b"{" + i(2) + b"N" + i(1) + b"T0", "dict 2|int 2|none|int 1|true", "dict 2|int 1|true|int 2|none"),
]
SINCE_3 = [
    (b"\xa9\1" + ref(0), "tuple 1|ref 0"),
    (b"\xdb" + L(1) + ref(0), "list 1|ref 0"),
    (b"\xfbN" + ref(0) + b"0", "dict 1|none|ref 0"),
    # the example of CANON.md
    (b")\4\xdb" + L(2) + i(1) + b")\0" + ref(0) + u('é"') + b"{" + s(b"k") + b"g" + g(0x4004000000000000) + b"0",
     r'tuple 4|list 2|int 1|tuple 0|ref 1|str "\{e9}\{22}"|dict 1|bytes "6b"|float 4004000000000000'),
    # shared scalars and empty tuples and frozensets have no numbers; empty lists have
    (b")\7" + b"\xf3" + L(1) + b"k" + ref(0) + b")\0" + seq(b">") + seq(b"\xdb") + ref(1) + seq(b"[", ref(1)),
     'tuple 7|bytes "6b"|bytes "6b"|tuple 0|frozenset 0|list 0|ref 1|list 1|ref 1'),
    # a key is the canon of the member alone, whatever number it has in the whole: `tuple` comes after `int`
    (b")\2\xa9\1" + i(1) + seq(b"<", ref(0), i(5)), "tuple 2|tuple 1|int 1|set 2|int 5|ref 1"),
    (seq(b"(", seq(b"\xbe", i(2), i(1)), seq(b"<", ref(0), b"N")), "tuple 2|frozenset 2|int 1|int 2|set 2|ref 1|none"),
    (b")\4z\1AZ\1Aa" + L(1) + b"\xe9t" + L(2) + "é".encode(), r'tuple 4|str "A"|str "A"|str "\{e9}"|str "\{e9}"'),
]
SINCE_3_14 = [
    (b":" + i(1) + b"N" + seq(b"["), "slice|int 1|none|list 0"),
    (b")\2\xba" + i(1) + b"NN" + ref(0), "tuple 2|slice|int 1|none|none|ref 1"),
    (seq(b"<", b":NN" + seq(b">", i(2), i(1)), b"N"), "set 2|none|slice|none|none|frozenset 2|int 1|int 2"),
]
SINCE_3_15 = [
    (b"}0", "frozendict 0"),
    (b"}" + i(2) + seq(b"[") + i(1) + b"N0", "frozendict 2|int 2|list 0|int 1|none"),
    (seq(b"<", b"}" + i(2) + seq(b">", i(4), i(3)) + b"0"), "set 1|frozendict 1|int 2|frozenset 2|int 3|int 4"),
]
REJECTED = [
    (b"", "EOFError", "EOF read where object expected"),
    (b"?", "ValueError", "bad marshal data (unknown type code)"),
    (b"[" + L(-1), "ValueError", "bad marshal data (list size out of range)"),
    (b"0", "TypeError", "NULL object in marshal data for object"),
]
# (stream, its dump): the root has one owner, interned strings have two, single characters are interned; 3.x
DUMPS = [
    (seq(b"\xdb"), seq(b"[")),
    (b"\xa9\1" + i(100000), b")\1" + i(100000)),
    (i(100000), i(100000)),
    (b")\1Z\2qz", b")\1\xda\2qz"),
    (b")\2Z\2qzZ\2qz", b")\2\xda\2qz" + ref(0)),
    (b"z\2qz", b"z\2qz"),
    (b"z\1A", b"\xda\1A"),
    (b"z\1\7", b"\xda\1\7"),
    (b"u" + L(2) + "ÿ".encode(), b"\xf4" + L(2) + "ÿ".encode()),
]
# Streams that kill: hashing a tuple that is not finished, or that contains itself; 2.7: a number as a name.
UNFINISHED = b"\xa9\1" + seq(b"<", ref(0))
SELF_CONTAINING = b")\2\xa9\1" + ref(0) + seq(b"<", ref(0))
NUMBER_AS_NAME = b"c" + L(0) * 4 + s(b"") + seq(b"(") + seq(b"(", i(1)) + seq(b"(") * 3 + s(b"") * 2 + L(0) + s(b"")
# Hashing it visits 2**60 tuples; since 3.14 tuples remember their hash.
SLOW = b")\2" + b"\xa9\2" * 60 + b"NN" + b"".join(ref(n) for n in range(59, 0, -1)) + seq(b"<", ref(0))

SOURCE = """# coding: utf-8
def f(a, b=(1, 'x'), *args):
    assert a
    c = a
    return lambda: (c, args, n)
""".encode()
COUNTS = "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code "
NAMES = "consts names varnames freevars cellvars filename name firstlineno "
# (first version, the fields of a code object)
LAYOUTS = [
    ((2, 7), COUNTS.replace("posonlyargcount kwonlyargcount ", "") + NAMES + "lnotab"),
    ((3, 6), COUNTS.replace("posonlyargcount ", "") + NAMES + "lnotab"),
    ((3, 8), COUNTS + NAMES + "lnotab"),
    ((3, 10), COUNTS + NAMES + "linetable"),
    ((3, 11), COUNTS + "consts names localsplusnames varnames cellvars filename name qualname firstlineno "
                       "linetable exceptiontable"),
]


def parse(lines, numbered):
    """Takes one node off the front of a list of canon lines: (line, children); those of a code object are a dict."""
    line = lines.pop(0)
    word, _, rest = line.partition(" ")
    if word == "ref":
        return numbered[int(rest)]
    node = line, {} if word == "code" else []
    if word in ("code", "slice", "list", "set", "dict") or word in ("tuple", "frozenset") and rest != "0":
        numbered.append(node)
    if word == "code":
        for _ in range(int(rest)):
            name, _, lines[0] = lines[0].partition("=")
            node[1][name] = parse(lines, numbered)
    elif word in ("tuple", "list", "set", "frozenset", "names", "dict"):
        node[1].extend(parse(lines, numbered) for _ in range(int(rest) * (2 if word == "dict" else 1)))
    return node


def each(since=(2, 7), before=(4, 0), fresh=False, **environment):
    """Runs a test with every subject of these versions: in the shared process, or in a new one that it may kill."""

    def decorate(test):
        @functools.wraps(test)
        def run(self):
            for shared, command in zip(self.workers, self.commands):
                if since <= shared.version < before:
                    with self.subTest(shared.facts["version"], driver=shared.facts["driver"]):
                        worker = Worker(command, **environment) if fresh or environment else shared
                        try:
                            test(self, worker)
                        finally:
                            if worker is not shared:
                                worker.finish()

        return run

    return decorate


class Conversations(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.commands = discover()
        cls.workers = [Worker(command) for command in cls.commands]
        for worker in cls.workers:
            print("subject:", worker.facts["driver"], worker.facts["version"], file=sys.stderr)

    @classmethod
    def tearDownClass(cls):
        ends = [(worker.facts["version"], *worker.finish()) for worker in cls.workers]
        wrong = [end for end in ends if end[1:] != (0, "", [])]
        assert not wrong, ("status, stderr and files left behind", wrong)

    def check(self, worker, table):
        """Each stream loads to its canon, and what follows it is not read."""
        answers = worker.load(*[row[0] + b"trailing" for row in table])
        self.assertEqual(len(answers), len(table))
        for (stream, canon, *canon2), got in zip(table, answers):
            want = canon2[0] if canon2 and worker.version < (3,) else canon
            self.assertEqual(got.rejected, None, stream)
            self.assertEqual(got.canon.decode("ascii"), want.replace("|", "\n") + "\n", stream)
            self.assertEqual(got.consumed, len(stream), stream)

    @each()
    def test_hello(self, worker):
        facts = worker.facts
        with open(os.path.join(os.path.dirname(HERE), "PROTOCOL.md"), encoding="utf-8") as page:
            rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", page.read(), re.MULTILINE))
        self.assertEqual(set(facts), set(rows) - {"key"})
        self.assertEqual(str(facts["protocol"]), rows["protocol"])
        self.assertIn(facts["driver"], ("script", "pyodide"))
        self.assertEqual(facts["pointer_bits"], 32 if worker.wasm else 64)
        self.assertTrue(facts["version"].startswith("%d.%d." % worker.version))
        self.assertRegex(facts["magic"], "^[0-9a-f]{4}0d0a$")
        self.assertTrue(os.path.exists(facts["stdlib"]), facts["stdlib"])
        self.assertEqual(facts["optimize"], [0] if worker.version < (3,) else [0, 1, 2])

    @each()
    def test_stdout_leads_to_stderr(self, worker):
        fds = "/proc/%d/fd/" % worker.process.pid
        if worker.wasm or not os.path.exists(fds):
            self.skipTest("its file descriptors cannot be seen from here")
        self.assertEqual(os.readlink(fds + "1"), os.readlink(fds + "2"))

    @each()
    def test_canon(self, worker):
        for since, table in ((2, 7), EVERYWHERE), ((3, 6), SINCE_3), ((3, 14), SINCE_3_14), ((3, 15), SINCE_3_15):
            if since <= worker.version:
                self.check(worker, table)

    @each()
    def test_deep(self, worker):
        sets, canon = seq(b">", i(0), i(1)), "frozenset 2|int 0|int 1"
        for n in range(2, 501):
            sets, canon = seq(b">", i(n), sets), "frozenset 2|%s|int %x" % (canon, n)
        depth = 1400 if worker.wasm else 1900  # of 1500 or 2000
        self.check(worker, [(sets, canon), ((b"[" + L(1)) * depth + b"N", "list 1|" * depth + "none")])

    @each()
    def test_large_frames_and_hashes(self, worker):
        streams = [s(bytes(range(256)) * 20000), i(1)]
        large, small = worker.load(*streams)
        self.assertEqual(large.canon, b'bytes "' + bytes(range(256)).hex().encode() * 20000 + b'"\n')
        hashes = [answer.canon for answer in worker.load(*streams, mode=1)]
        self.assertEqual(hashes, [hashlib.sha256(answer.canon).digest() for answer in (large, small)])
        nothing = worker.load(*streams, mode=0, consumed=0)
        self.assertEqual([(answer.canon, answer.consumed) for answer in nothing], [(b"", UNKNOWN)] * 2)

    @each()
    def test_rejected(self, worker):
        got = worker.load(*[row[0] for row in REJECTED])
        self.assertEqual([answer.rejected for answer in got], [row[1:] for row in REJECTED])
        self.assertEqual(worker.load(b"u" + L(1) + b"\xff")[0].rejected[0], "UnicodeDecodeError")

    @each()
    def test_dumps_without_references(self, worker):
        stream = seq(b"[", i(1), b"T")
        self.assertEqual(worker.load(stream, versions=[0, 2])[0].dumps, [stream, stream])

    @each((3, 6))
    def test_dumps_with_references(self, worker):
        got = worker.load(*[row[0] for row in DUMPS], versions=[4])
        self.assertEqual([answer.dumps for answer in got], [[row[1]] for row in DUMPS])
        itself = seq(b"\xdb", ref(0))
        got = worker.load(itself, versions=[0, 3])[0].dumps
        self.assertEqual(got, [(b"ValueError", b"object too deeply nested to marshal"), itself])

    @each()
    def test_code(self, worker):
        old, new = worker.version < (3,), worker.version >= (3, 11)
        pyc = Fields(worker.compile(SOURCE)).skip(b"P").blob()
        header = bytes.fromhex(worker.facts["magic"])
        header += L(0) + (b"" if old else L(len(SOURCE))) if worker.version < (3, 7) else L(0) * 2 + L(len(SOURCE))
        self.assertEqual(pyc[: len(header)], header)
        answer = worker.load(pyc[len(header) :])[0]
        self.assertEqual(answer.consumed, len(pyc) - len(header))
        lines = answer.canon.decode("ascii").splitlines()
        _, module = parse(lines, [])
        self.assertEqual(lines, [], "lines after the root")

        _, fields = [layout for layout in LAYOUTS if layout[0] <= worker.version][-1]
        f = next(children for line, children in module["consts"][1] if line.startswith("code"))
        self.assertEqual((list(module), list(f)), (fields.split(), fields.split()))
        text = lambda t: 'bytes "%s"' % t.encode().hex() if old else 'str "%s"' % t.replace("é", r"\{e9}")
        scalars = {"argcount": "int 2", "nlocals": "int 3", "firstlineno": "int 2"}
        scalars.update(filename=text("é.py"), name=text("f"))
        for field, want in scalars.items():
            self.assertEqual(f[field], (want, []), field)
        lists = {"varnames": "a b args", "cellvars": "args c"}
        lists.update({"localsplusnames": "a b args c"} if new else {"freevars": ""})
        for field, want in lists.items():
            head = "%s %d" % ("names" if new else "tuple", len(want.split()))
            self.assertEqual(f[field], (head, [(text(name), []) for name in want.split()]), field)
        for field in "code", fields.split()[-1]:
            data = bytes.fromhex(f[field][0].split('"')[1])
            self.assertIn(L(len(data)) + data, pyc, field)

    @each()
    def test_compile(self, worker):
        self.assertEqual(Fields(worker.compile(b"def")).skip(b"E").blob(), b"SyntaxError")
        worker.compile(b"assert (1, 2)\n'\\d'\nx is 1\n")  # a warning would be found on stderr at the end
        optimized = worker.compile(SOURCE, 2)
        if worker.version < (3,):
            self.assertEqual(Fields(optimized).skip(b"E").blob(), b"ValueError")
        else:
            self.assertLess(len(optimized), len(Fields(worker.compile(SOURCE)).skip(b"P").data))

    @each((3, 0))
    def test_compile_after_a_load(self, worker):
        source = b"some_name = other_name\n"
        before = worker.compile(source)
        # A list that holds itself stays until a collection, and a name with it.
        worker.load(seq(b"\xdb", ref(0), b"\xda\x09some_name"))
        self.assertEqual(worker.compile(source), before)

    @each()
    def test_import(self, worker):
        magic = Fields(worker.compile(SOURCE)).skip(b"P").blob()[:4]

        def check(header, want, source=None, mtime=0):
            case = blob(header) + bytes([source is not None]) + blob(source or b"") + u32(mtime)
            self.assertEqual(worker.ask(b"P" + u32(1) + case)[0], want)

        def refused(kind, text):
            return b"R" + blob(kind) + blob(text)

        def accepted(flags):
            return b"V" + u32(flags)

        stale = refused(b"ImportError", b"bytecode is stale for 'case'")
        if worker.version < (3,):
            check(magic, accepted(0), SOURCE, 1)
            return check(b"\0" + magic, refused(b"ImportError", b"Bad magic number in case"))
        check(b"\0'\r\n", refused(b"ImportError", b"bad magic number in 'case': b\"\\x00'\\r\\n\""))
        if worker.version < (3, 7):
            check(magic, refused(b"EOFError", b"reached EOF while reading timestamp in 'case'"))
            check(magic + bytes(8), accepted(0))
            check(magic + bytes(8), stale, b"", 1)
            return check(magic + bytes(8), accepted(0), b"", 0)
        check(magic, refused(b"EOFError", b"reached EOF while reading pyc header of 'case'"))
        check(magic + u32(4) + bytes(8), refused(b"ImportError", b"invalid flags 4 in 'case'"))
        check(magic + u32(1) + bytes(8), accepted(1), SOURCE)
        check(magic + u32(2) + u32(7) + u32(1), accepted(2), b"#", 7)
        check(magic + u32(2) + u32(7) + u32(1), stale, b"#", 8)
        other = refused(b"ImportError", b"hash in bytecode doesn't match hash of source 'case'")
        check(magic + u32(3) + bytes(8), other, SOURCE)
        if worker.version[:2] == (3, 12):
            check(magic + u32(3) + bytes.fromhex("2cf26ebe71328671"), accepted(3), b"x=1\n")

    @each()
    def test_odd_pieces_and_bad_requests(self, worker):
        bad = [b"", b"Q", b"Hx", b"L", b"L\3\0\0" + u32(0), b"L\0\0\0" + u32(9), b"C" + u32(1 << 31), b"P" + u32(1)]
        good = b"L\0\0\0" + u32(1) + blob(b"N")
        for step in 1, 3, 7:
            answers = worker.ask(*bad, good, b"H", count=len(bad) + 2, step=step)
            self.assertEqual([answer[:1] for answer in answers], [b"F"] * len(bad) + [b"A", b"h"])

    @each(fresh=True)
    def test_a_frame_cut_short_is_a_fault(self, worker):
        worker.write(u32(2) + b"H")
        status, stderr, _ = worker.finish()
        self.assertEqual(status, 1)
        self.assertIn("ends inside a frame", stderr)

    def dies(self, worker, stream, killed_by):
        """The stream kills the worker, which has answered everything before it."""
        cases = [b"N", b"T", stream, b"F"]
        answers = worker.ask(b"L\2\0\0" + u32(len(cases)) + b"".join(map(blob, cases)), count=len(cases))
        self.assertEqual([Loaded(answer, 0).canon for answer in answers], [b"none\n", b"true\n"])
        status, stderr, files = worker.finish()
        self.assertEqual((status, files), (70 if worker.wasm else -killed_by, []), stderr[-1000:])

    @each((3, 6), fresh=True)
    def test_killed_by_an_unfinished_tuple(self, worker):
        self.dies(worker, UNFINISHED, signal.SIGSEGV)

    @each((3, 6), fresh=True)
    def test_killed_by_a_tuple_in_itself(self, worker):
        self.dies(worker, SELF_CONTAINING, signal.SIGSEGV)

    @each((2, 7), (3, 0), fresh=True)
    def test_killed_by_a_number_as_name(self, worker):
        self.dies(worker, NUMBER_AS_NAME, signal.SIGABRT)

    @each((3, 6), (3, 14), PROVOST_CPU_SECONDS="1")
    def test_cpu_limit(self, worker):
        self.dies(worker, SLOW, signal.SIGXCPU)

    @each(PROVOST_MEMORY_MIB="1024")
    def test_memory_limit(self, worker):
        huge, fine = worker.load(b"(" + L(0x7FFFFFFF), b"N")
        self.assertEqual((huge.rejected, fine.canon), (("MemoryError", ""), b"none\n"))
        self.assertEqual(worker.finish(), (0, "", []))


if __name__ == "__main__":
    unittest.main()
