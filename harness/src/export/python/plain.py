"""Values of this Python as plain JSON, as README.md specifies it."""

import binascii
import json
import struct
import sys
import types
from collections import OrderedDict

PYTHON2 = sys.version_info[0] == 2
DEEPEST = 100
NAMES = ("localsplusnames", "varnames", "cellvars")  # since 3.11


class TooDeep(Exception):
    pass


def hexadecimal(data):
    return binascii.hexlify(data).decode("ascii")


def bits(value):
    return hexadecimal(struct.pack(">d", value))


def string(text):
    points = [ord(c) for c in text]
    return {"code_points": points} if any(0xD800 <= p < 0xE000 for p in points) else text


def scalar(value):
    """The JSON of a value that holds no other; None if it does."""
    kind = type(value)
    if value is None or kind is bool:
        return [value]
    if value is Ellipsis or value is StopIteration:
        return [{"singleton": "Ellipsis" if value is Ellipsis else "StopIteration"}]
    if kind is int:
        return [{"int": str(value)}]
    if PYTHON2 and kind is long:  # noqa: F821
        return [{"long": str(value)}]
    if kind is float:
        return [{"float": bits(value)}]
    if kind is complex:
        return [{"complex": [bits(value.real), bits(value.imag)]}]
    if kind is bytes:
        return [{"bytes": hexadecimal(value)}]
    if kind is type(u""):
        return [string(value)]
    if kind in (tuple, frozenset) and not value:
        return [{kind.__name__: []}]
    return None


def local_names(code):
    names = []
    try:
        while True:
            names.append(code._varname_from_oparg(len(names)))
    except IndexError:
        return names


def fields(code):
    """Names and values of a code object's fields."""
    since_311 = hasattr(code, "_varname_from_oparg")
    counts = "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names"
    names = "localsplusnames varnames cellvars" if since_311 else "varnames freevars cellvars"
    table = "lnotab" if sys.version_info < (3, 10) else "linetable"
    rest = ("qualname firstlineno %s exceptiontable" if since_311 else "firstlineno %s") % table
    for name in " ".join((counts, names, "filename name", rest)).split():
        if name == "localsplusnames":
            yield name, local_names(code)
        elif hasattr(code, "co_" + name):
            yield name, getattr(code, "co_" + name)


class Printer(object):
    def __init__(self):
        self.orders = {}  # of sets, by identity
        self.keep = []  # an identity is one as long as the object lives

    def held(self, value):
        """What a value holds, in the order of the text."""
        kind = type(value)
        if kind in (tuple, list):
            return list(value)
        if kind is slice:
            return [value.start, value.stop, value.step]
        if kind in (set, frozenset):
            return self.sorted(value, list(value), lambda member: member)
        if kind is types.CodeType:
            held = []
            for name, field in fields(value):
                is_names = hasattr(value, "_varname_from_oparg") and name in NAMES
                held.extend([] if is_names else [field])
            self.keep.append(held)
            return held
        pairs = list(value.items())
        pairs = self.sorted(value, pairs, lambda pair: pair[0]) if PYTHON2 else pairs
        return [part for pair in pairs for part in pair]

    def sorted(self, value, members, key):
        if id(value) not in self.orders:
            self.keep.append(value)
            texts = [json.dumps(self.plain(key(member)), separators=(",", ":")) for member in members]
            pairs = sorted(zip(texts, range(len(members))))
            self.orders[id(value)] = [members[at] for _, at in pairs]
        return self.orders[id(value)]

    def plain(self, root):
        visits, numbers = {}, {}

        def visit(value, depth):
            if depth > DEEPEST:
                raise TooDeep
            if scalar(value) is None:
                visits[id(value)] = visits.get(id(value), 0) + 1
                if visits[id(value)] == 1:
                    for child in self.held(value):
                        visit(child, depth + 1)

        def node(value):
            found = scalar(value)
            if found is not None:
                return found[0]
            if id(value) in numbers:
                return {"$ref": numbers[id(value)]}
            tree = OrderedDict()
            if visits[id(value)] > 1:
                tree["$id"] = numbers[id(value)] = len(numbers) + 1
            kind = type(value)
            if kind is types.CodeType:
                tree["code"] = OrderedDict()
                for name, field in fields(value):
                    is_names = hasattr(value, "_varname_from_oparg") and name in NAMES
                    tree["code"][name] = {"names": [string(n) for n in field]} if is_names else node(field)
            elif kind.__name__ in ("dict", "frozendict"):
                held = [node(child) for child in self.held(value)]
                tree[kind.__name__] = [list(pair) for pair in zip(held[::2], held[1::2])]
            else:
                tree[kind.__name__] = [node(child) for child in self.held(value)]
            return tree

        visit(root, 0)
        return node(root)


def plain(value):
    """The value as plain JSON; raises TooDeep where there is none."""
    return Printer().plain(value)
