"""xdis: the reader behind uncompyle6, decompyle3 and pydisasm, on which their own loaders call."""
import io
import sys
from importlib.metadata import version

import exec as adapter
from xdis.cross_types import LongTypeForPython3, UnicodeForPython3
from xdis.magics import magic2int, magics
from xdis.unmarshal import load_code

PYTHONS = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]


def magic(python):
    return magic2int(magics[python])


def load(data, python):
    release = tuple(map(int, python.split(".")))
    fields = adapter.fields(python)

    def convert(value):
        if isinstance(value, LongTypeForPython3):
            return adapter.Record("long", str(int(value.value)))
        if isinstance(value, UnicodeForPython3):
            return value.value.decode("utf-8", "surrogatepass") if isinstance(value.value, bytes) else value.value
        if release < (3, 0) and isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
        if hasattr(value, "co_code"):
            return adapter.code(python, {field: getattr(value, "co_" + field) for field in fields})
        return value

    stream = io.BytesIO(data)
    value = load_code(stream, magic(python), bytes_for_s=release >= (3, 0), code_objects={})
    return adapter.plain(value, convert), stream.tell()


if __name__ == "__main__":
    adapter.serve({
        "exec": 1, "name": "xdis", "version": version("xdis"), "pythons": [p for p in PYTHONS if p in magics],
        "owes": ["accept", "refuse", "consumed", "value"], "merges": {"long": "int"},
    }, load)
