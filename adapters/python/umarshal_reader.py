"""umarshal.py of CPython's Tools/build, with which modules were frozen: the argument is a checkout of CPython."""
import importlib.util
import os
import sys

import exec as adapter

FIELDS = ["argcount", "posonlyargcount", "kwonlyargcount", "stacksize", "flags", "code", "consts", "names", "filename",
          "name", "qualname", "firstlineno", "linetable", "exceptiontable"]


def convert(value):
    if isinstance(value, umarshal.Code):
        return adapter.Record("code", {field: getattr(value, "co_" + field) for field in FIELDS})
    return value


def load(data, python):
    reader = umarshal.Reader(data)
    value = reader.r_object()
    return adapter.plain(value, convert), reader.pos


if __name__ == "__main__":
    # It asks a debugger about types that it does not know.
    sys.breakpointhook = lambda *_: None
    path = os.path.join(sys.argv[1], "Tools", "build", "umarshal.py")
    spec = importlib.util.spec_from_file_location("umarshal", path)
    umarshal = sys.modules["umarshal"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(umarshal)
    with open(os.path.join(sys.argv[1], "Include", "patchlevel.h")) as header:
        numbers = {words[1]: words[2] for words in map(str.split, header) if len(words) > 2 and words[0] == "#define"}
    version = numbers["PY_VERSION"].strip('"')
    adapter.serve({
        "exec": 1, "name": "umarshal", "version": version.rstrip("+"), "pythons": [".".join(version.split(".")[:2])],
        "owes": ["accept", "refuse", "consumed", "value"],
    }, load)
