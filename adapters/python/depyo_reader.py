"""depyo: a decompiler with a reader of its own. Its objects keep lists of objects, and are turned into values here."""
from importlib.metadata import version

import exec as adapter
from depyo.pyc_reader import PycReader

PYTHONS = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
SINGLETONS = {"Py_None": None, "Py_True": True, "Py_False": False, "Py_Ellipsis": ..., "Py_StopIteration": StopIteration}
CONTAINERS = {"Py_Tuple": "tuple", "Py_List": "list", "Py_Set": "set", "Py_FrozenSet": "frozenset"}
FIELDS = {
    "argcount": "ArgCount", "posonlyargcount": "PosOnlyArgCount", "kwonlyargcount": "KWOnlyArgCount",
    "nlocals": "NumLocals", "stacksize": "StackSize", "flags": "Flags", "code": "Code", "consts": "Consts",
    "names": "Names", "varnames": "VarNames", "freevars": "FreeVars", "cellvars": "CellVars", "filename": "FileName",
    "name": "Name", "qualname": "QualName", "firstlineno": "FirstLineNo", "lnotab": "LineNoTabObject",
    "linetable": "LineNoTabObject", "exceptiontable": "exceptTable",
}


def load(data, python):
    python2 = python.startswith("2")

    def code(value):
        held = {field: getattr(value, FIELDS[field]) for field in adapter.fields(python)}
        # These two are texts, whatever the Python.
        if python2:
            held.update((field, held[field].encode()) for field in ("filename", "name"))
        if "exceptiontable" in held:
            held.update((field, held[field].Value) for field in adapter.NAMES)
        return adapter.code(python, held)

    def convert(value):
        kind = getattr(value, "ClassName", None)
        if kind is None:
            return value
        if kind == "Py_CodeObject":
            return code(value)
        held = value.Value
        if kind in SINGLETONS:
            return SINGLETONS[kind]
        if kind in CONTAINERS:
            return adapter.Record(CONTAINERS[kind], list(held))
        if kind == "Py_Dict":
            return adapter.Record("dict", [(pair["key"], pair["value"]) for pair in held])
        if kind == "Py_Slice":
            return adapter.Record("slice", [held["start"], held["stop"], held["step"]])
        if kind == "Py_Complex":
            return complex(*held)
        if kind == "Py_VeryLong" and isinstance(held, (bytes, bytearray)):
            return int.from_bytes(held, "little", signed=True)
        if kind == "Py_VeryLong":
            number = sum(digit << (30 * place) for place, digit in enumerate(held))
            return -number if value.IsNegative else number
        if kind == "Py_String" and python2 and isinstance(held, str):
            return held.encode("latin-1")
        if kind == "Py_Null":
            raise ValueError("NULL object")
        return held

    reader = PycReader(data, {"marshal": True, "versionInfo": PycReader.ResolveVersionTag(python), "silent": True})
    value = reader.ReadObject()
    return adapter.plain(value, convert), reader.m_rdr.pc


if __name__ == "__main__":
    adapter.serve({
        "exec": 1, "name": "depyo", "version": version("depyo"), "pythons": PYTHONS,
        "owes": ["accept", "refuse", "consumed", "value"], "merges": {"long": "int"},
    }, load)
