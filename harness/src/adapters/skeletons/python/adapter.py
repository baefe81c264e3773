#!/usr/bin/env python3
"""An adapter for Provost. interpreters/EXEC.md says what comes in and what goes out.

Put your reader in place of `read`, which knows None, bools, ints, strings, tuples and lists.
"""
import json
import os
import struct
import sys

DECLARATION = {
    "exec": 1, "name": "mine", "version": "0.1", "pythons": ["3.11"],
    "owes": ["accept", "refuse", "consumed", "value"],
}


class Unsupported(Exception):
    """The reader does not claim to know this."""


def read(data, at):
    """The value at this offset, and where it ends."""
    code = chr(data[at])
    if code in "NTF":
        return {"N": None, "T": True, "F": False}[code], at + 1
    if code == "i":
        return struct.unpack_from("<i", data, at + 1)[0], at + 5
    if code not in "u([":
        raise Unsupported("the type byte %r" % code)
    size, = struct.unpack_from("<I", data, at + 1)
    at += 5
    if code == "u":
        if at + size > len(data):
            raise EOFError("the string is cut")
        return data[at:at + size].decode("utf-8", "surrogatepass"), at + size
    items = []
    for _ in range(size):
        item, at = read(data, at)
        items.append(item)
    return (tuple(items) if code == "(" else items), at


def plain(value):
    """The value as EXEC.md writes it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        return {"float": struct.pack(">d", value).hex()}
    if isinstance(value, complex):
        return {"complex": [struct.pack(">d", part).hex() for part in (value.real, value.imag)]}
    if value is Ellipsis or value is StopIteration:
        return {"singleton": "Ellipsis" if value is Ellipsis else "StopIteration"}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, str):
        points = [ord(c) for c in value]
        return {"code_points": points} if any(0xD800 <= p < 0xE000 for p in points) else value
    if isinstance(value, (tuple, list, set, frozenset)):
        return {type(value).__name__: [plain(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[plain(key), plain(item)] for key, item in value.items()]}
    # A code object is {"code": {"argcount": plain(...), ...}}: its attributes without `co_`, as many as the reader has.
    raise Unsupported("the adapter has no JSON for %s" % type(value).__name__)


def answer(request):
    if request["op"] == "hello":
        return DECLARATION
    try:
        value, consumed = read(bytes.fromhex(request["data"]), 0)
        return {"id": request["id"], "value": plain(value), "consumed": consumed}
    except Unsupported as e:
        return {"id": request["id"], "unsupported": str(e)}
    except Exception as e:
        return {"id": request["id"], "error": str(e), "class": type(e).__name__}


# Whatever a library prints is no answer.
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    out.write(json.dumps(answer(json.loads(line))) + "\n")
    out.flush()
