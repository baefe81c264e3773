"""Jython, with its own marshal module. It runs in Jython 2.7."""
import cStringIO
import marshal
import sys
from array import array

import exec27 as adapter
from java.lang import Double, Throwable

# It adds to the flags those of what it always allows.
FIELDS = [field for field in adapter.FIELDS if field != "flags"]


def bits(number):
    # `struct` has one NaN.
    return "%016x" % (Double.doubleToRawLongBits(number) & (1 << 64) - 1)


def convert(value):
    # The names in a code object.
    return tuple([name.encode("latin-1") for name in value]) if isinstance(value, array) else value


def load(data, rewrite):
    stream = cStringIO.StringIO(data)
    try:
        value = marshal.load(stream)
        answer = '"value":%s,"consumed":%d' % (adapter.plain(value, bits, convert, FIELDS), stream.tell())
    except Throwable as e:
        # No exception of Python: who calls it cannot expect that.
        return '"panic":%s' % adapter.json.dumps(str(e)[:500])
    if rewrite:
        try:
            answer += ',"rewritten":"%s"' % marshal.dumps(value).encode("hex")
        except Exception as e:
            answer += ',"rewrite_error":%s' % adapter.json.dumps(str(e))
    return answer


if __name__ == "__main__":
    adapter.serve({
        "exec": 1, "name": "jython", "version": ".".join(map(str, sys.version_info[:3])), "pythons": ["2.7"],
        "operations": ["load", "rewrite"], "owes": ["accept", "refuse", "consumed", "value", "reread"],
        # Memory is the heap of the virtual machine, which grows as that likes.
        "merges": {"long": "int"}, "memory": 1000000,
    }, load)
