"""marshalparser: Fedora's tool for reproducible .pyc files. It tells which object a reference means in a text."""
import os
import re
from importlib.metadata import version

import exec as adapter
from marshalparser.marshalparser import MarshalParser

PYTHONS = ["3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
# What it notes of a text with one byte for each character: the type, and then the bytes.
LATIN1 = re.compile(r"TYPE_\w*ASCII\w* [^\n]*\n *result=b[^\n]*\\x[89a-f]")


class Log:
    """What the reader tells, line by line. It adds each to a str, which copies all that is there: minutes for a large file."""

    def __init__(self):
        self.parts = []

    def __iadd__(self, text):
        self.parts.append(text)
        return self


def load(data, python):
    scratch = os.memfd_create("case")
    try:
        os.write(scratch, data)
        parser = MarshalParser("/proc/self/fd/%d" % scratch)
        # It takes the version from the header of a .pyc file; this stream has none.
        parser.python_version = tuple(map(int, python.split(".")))
        parser.iterator = enumerate(parser.bytes)
        parser.references, parser.flag_refs, parser.output, parser.indent = [], [], Log(), 0
        value = parser.read_object()
    except RuntimeError as e:
        if "is empty" in str(e):
            raise adapter.Unsupported("fewer than four bytes") from None
        raise
    finally:
        os.close(scratch)
    consumed = next(parser.iterator, (len(data),))[0]
    if LATIN1.search("".join(parser.output.parts)):
        raise adapter.Unsupported("texts that are Latin-1, of which it keeps the bytes")

    def convert(value):
        # It has bytes for all texts of a stream.
        if isinstance(value, str) and value.startswith("REF to "):
            return adapter.Same(parser.flag_refs[int(re.match(r"REF to (\d+)", value)[1])].content)
        if isinstance(value, dict) and "argcount" in value:
            return adapter.code(python, {**value, "lnotab": value["linetable"]})
        return value

    return adapter.plain(value, convert), consumed


if __name__ == "__main__":
    adapter.serve({
        "exec": 1, "name": "marshalparser", "version": version("marshalparser"), "pythons": PYTHONS,
        "owes": ["accept", "refuse", "consumed", "value"], "merges": {"str": "bytes"},
    }, load)
