"""marshalparser: Fedora's tool for reproducible .pyc files. It has references as texts, so only what has none is compared."""
import os
from importlib.metadata import version

import exec as adapter
from marshalparser.marshalparser import MarshalParser

PYTHONS = ["3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]


def load(data, python):
    scratch = os.memfd_create("case")
    try:
        os.write(scratch, data)
        parser = MarshalParser("/proc/self/fd/%d" % scratch)
        # It takes the version from the header of a .pyc file; this stream has none.
        parser.python_version = tuple(map(int, python.split(".")))
        parser.iterator = enumerate(parser.bytes)
        parser.references, parser.flag_refs, parser.output, parser.indent = [], [], "", 0
        value = parser.read_object()
    except RuntimeError as e:
        if "is empty" in str(e):
            raise adapter.Unsupported("fewer than four bytes") from None
        raise
    finally:
        os.close(scratch)
    consumed = next(parser.iterator, (len(data),))[0]
    if parser.references:
        raise adapter.Unsupported("references, of which it keeps a description")
    if "TYPE_CODE" in parser.output:
        raise adapter.Unsupported("code objects, of which it keeps nothing")
    if max(data, default=0) >= 0x80 and "ASCII" in parser.output:
        raise adapter.Unsupported("texts that may be Latin-1, of which it keeps the bytes")
    return adapter.plain(value), consumed


if __name__ == "__main__":
    adapter.serve({
        "exec": 1, "name": "marshalparser", "version": version("marshalparser"), "pythons": PYTHONS,
        "unknown": ["r", "c"], "owes": ["accept", "refuse", "consumed", "value"], "merges": {"str": "bytes"},
    }, load)
