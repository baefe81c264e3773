"""What the adapters of this folder share: the conversation of interpreters/EXEC.md, and values as plain JSON."""
import json
import os
import struct
import sys
import threading


NAMES = ["varnames", "cellvars"]


class Unsupported(Exception):
    """The reader does not claim to know this."""


class Record:
    """A value that a reader has as an object of its own: a kind of plain JSON, and what it holds.

    Lists of `holds` are values, dicts are fields of a code object; anything else is JSON already.
    """

    def __init__(self, kind, holds):
        self.kind, self.holds = kind, holds


class Same:
    """What a reader has in place of an object that it refers to again."""

    def __init__(self, target):
        self.target = target


def fields(python):
    """The attributes of code objects of a Python that are compared (corpus/CANON.md)."""
    release = tuple(map(int, python.split(".")))
    names = ["argcount", "nlocals", "stacksize", "flags", "code", "consts", "names", *NAMES, "filename", "name",
             "firstlineno", "linetable" if release >= (3, 10) else "lnotab"]
    if release < (3, 11):
        names.append("freevars")
    since = {"kwonlyargcount": (3, 0), "posonlyargcount": (3, 8), "qualname": (3, 11), "exceptiontable": (3, 11)}
    return names + [name for name, start in since.items() if start <= release]


def code(python, held):
    """A code object of a Python, of what its attributes hold; what else is in `held` is left out."""
    held = {field: held[field] for field in fields(python) if field in held}
    if "exceptiontable" in held:
        # Streams since 3.11 have one table of names, from which these are made.
        held.update((field, Record("names", list(held[field]))) for field in NAMES if field in held)
    return Record("code", held)


def _bits(number):
    return struct.pack(">d", number).hex()


def _scalar(value, python2):
    """The JSON of a scalar, or None."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return '{"code_points":%s}' % json.dumps([ord(c) for c in value])
        return json.dumps(str(value))
    if isinstance(value, (bytes, bytearray)):
        return '{"bytes":"%s"}' % bytes(value).hex()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is Ellipsis or value is StopIteration:
        return '{"singleton":"%s"}' % ("Ellipsis" if value is Ellipsis else "StopIteration")
    if isinstance(value, int):
        return '{"int":"%d"}' % value
    if isinstance(value, float):
        return '{"float":"%s"}' % _bits(value)
    if isinstance(value, complex):
        return '{"complex":["%s","%s"]}' % (_bits(value.real), _bits(value.imag))
    return None


def plain(value, convert=lambda value: value, python2=False):
    """The text of a value. `convert` makes what a reader has to what Python has, or to a Record."""
    numbers = {}
    alive = []

    def text(value):
        given, value = value, convert(value)
        scalar = _scalar(value, python2)
        if scalar is not None:
            return scalar
        if isinstance(value, Same):
            return text(value.target)
        if isinstance(value, Record) and not isinstance(value.holds, (list, dict)):
            return json.dumps({value.kind: value.holds})
        if isinstance(value, Record):
            kind, items = value.kind, value.holds
        elif isinstance(value, (dict,)):
            kind, items = "dict", value.items()
        elif isinstance(value, slice):
            kind, items = "slice", [value.start, value.stop, value.step]
        elif isinstance(value, (tuple, list, set, frozenset)):
            kind, items = next(t.__name__ for t in (tuple, list, set, frozenset) if isinstance(value, t)), value
        else:
            raise TypeError("the reader made an object of type %s" % type(value).__name__)
        # An empty tuple is no object of its own, whoever made it.
        if not items and kind in ("tuple", "frozenset"):
            return '{"%s":[]}' % kind
        if id(given) in numbers:
            return '{"$ref":%d}' % numbers[id(given)]
        alive.append(given)
        number = numbers[id(given)] = len(numbers) + 1
        if isinstance(items, dict):
            inside = "{%s}" % ",".join("%s:%s" % (json.dumps(name), text(item)) for name, item in items.items())
        elif kind in ("dict", "frozendict"):
            inside = "[%s]" % ",".join("[%s,%s]" % (text(key), text(item)) for key, item in items)
        else:
            inside = "[%s]" % ",".join(map(text, items))
        return '{"$id":%d,"%s":%s}' % (number, kind, inside)

    return text(value)


def serve(declaration, load, header=None):
    """Answers until the input ends. `load(data, python)` gives the text of a value, and how many bytes of it, or None."""
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    # Whatever a library prints is no answer.
    os.dup2(2, 1)
    sys.setrecursionlimit(20000)

    def answer(request):
        data = bytes.fromhex(request.get("data", ""))
        if request["op"] == "header":
            return '"flags":%d' % header(data, request["python"])
        text, consumed = load(data, request["python"])
        return '"value":%s%s' % (text, "" if consumed is None else ',"consumed":%d' % consumed)

    def converse():
        for line in sys.stdin:
            request = json.loads(line)
            if request["op"] == "hello":
                out.write(json.dumps(declaration) + "\n")
            else:
                try:
                    body = answer(request)
                except Unsupported as e:
                    body = '"unsupported":%s' % json.dumps(str(e))
                except (Exception, SystemExit) as e:
                    body = '"error":%s,"class":"%s"' % (json.dumps(str(e)[:500]), type(e).__name__)
                out.write('{"id":%d,%s}\n' % (request["id"], body))
            out.flush()

    # A reader that recurses for ever shall end by its own limit and not by that of the stack.
    threading.stack_size(512 << 20)
    thread = threading.Thread(target=converse)
    thread.start()
    thread.join()
