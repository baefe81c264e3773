"""What exec.py is, for adapters that run in a Python 2.7 itself: CPython's or Jython."""
import json
import struct
import sys
import threading

FIELDS = ["argcount", "nlocals", "stacksize", "flags", "code", "consts", "names", "varnames", "freevars", "cellvars",
          "filename", "name", "firstlineno", "lnotab"]
CONTAINERS = [("tuple", tuple), ("list", list), ("set", set), ("frozenset", frozenset)]


class Unsupported(Exception):
    """The reader does not claim to know this."""


def bits(number):
    return struct.pack(">d", number).encode("hex")


def code_points(text):
    """The numbers of the characters. Where they have 16 bits, two surrogates are one."""
    points = []
    if sys.maxunicode > 0xFFFF:
        return map(ord, text)
    for point in map(ord, text):
        if points and 0xD800 <= points[-1] < 0xDC00 <= point < 0xE000:
            point = 0x10000 + ((points.pop() - 0xD800) << 10) + point - 0xDC00
        points.append(point)
    return points


def plain(value, bits=bits, convert=lambda value: value, fields=FIELDS):
    """The text of a value. `bits` gives the digits of a float, `convert` makes what a reader has to what Python has."""
    numbers, alive = {}, []

    def scalar(value):
        if isinstance(value, bool) or value is None:
            return json.dumps(value)
        if value is Ellipsis or value is StopIteration:
            return '{"singleton":"%s"}' % ("Ellipsis" if value is Ellipsis else "StopIteration")
        if isinstance(value, (int, long)):
            return '{"%s":"%d"}' % ("int" if isinstance(value, int) else "long", value)
        if isinstance(value, float):
            return '{"float":"%s"}' % bits(value)
        if isinstance(value, complex):
            return '{"complex":["%s","%s"]}' % (bits(value.real), bits(value.imag))
        if isinstance(value, str):
            return '{"bytes":"%s"}' % value.encode("hex")
        if isinstance(value, unicode):
            return '{"code_points":%s}' % json.dumps(code_points(value))

    def inside(value):
        if hasattr(value, "co_code"):
            held = ['"%s":%s' % (field, text(getattr(value, "co_" + field))) for field in fields]
            return '"code":{%s}' % ",".join(held)
        if isinstance(value, dict):
            return '"dict":[%s]' % ",".join(["[%s,%s]" % (text(key), text(item)) for key, item in value.items()])
        for kind, its in CONTAINERS:
            if isinstance(value, its):
                return '"%s":[%s]' % (kind, ",".join(map(text, value)))
        raise TypeError("the reader made an object of type %s" % type(value).__name__)

    def text(value):
        value = convert(value)
        found = scalar(value)
        if found is not None:
            return found
        # An empty tuple is no object of its own, whoever made it.
        if isinstance(value, (tuple, frozenset)) and not value:
            return "{%s}" % inside(value)
        if id(value) in numbers:
            return '{"$ref":%d}' % numbers[id(value)]
        alive.append(value)
        number = numbers[id(value)] = len(numbers) + 1
        return '{"$id":%d,%s}' % (number, inside(value))

    return text(value)


def serve(declaration, load):
    """Answers until the input ends. `load(data, rewrite)` gives the keys of an answer as a text."""
    out = sys.stdout
    # Whatever a library prints is no answer.
    sys.stdout = sys.stderr
    sys.setrecursionlimit(20000)
    # Streams may be nested deeper than the usual stack is.
    threading.stack_size(128 << 20)

    def converse():
        for line in iter(sys.stdin.readline, ""):
            request = json.loads(line)
            if request["op"] == "hello":
                answer = json.dumps(declaration)
            else:
                try:
                    body = load(request["data"].decode("hex"), request.get("rewrite"))
                except Unsupported as e:
                    body = '"unsupported":%s' % json.dumps(str(e))
                except (Exception, SystemExit) as e:
                    body = '"error":%s,"class":"%s"' % (json.dumps(str(e)[:500].encode("string_escape")), type(e).__name__)
                answer = '{"id":%d,%s}' % (request["id"], body)
            out.write(answer + "\n")
            out.flush()

    thread = threading.Thread(target=converse)
    thread.start()
    thread.join()
