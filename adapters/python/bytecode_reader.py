"""bytecode takes code objects of the Python that it runs in apart and puts them together again."""
import dis
import marshal
import re
import sys
from types import CodeType

import exec as adapter
from bytecode import Bytecode, ConcreteBytecode, __version__

# A line table: only the first byte of an entry has the highest bit.
LINES = re.compile(rb"([\x80-\xcf][\0-\x7f]|[\xd0-\xe7][\0-\x7f]{2}|[\xe8-\xf7][\0-\x7f]+|[\xf8-\xff])*", re.S)
PYTHON = "%d.%d" % sys.version_info[:2]
JUMPS = {*dis.hasjabs, *dis.hasjrel}
HEAD = ["argcount", "posonlyargcount", "kwonlyargcount", "flags", "filename", "name", "qualname", "firstlineno", "freevars",
        "cellvars"]


def said(code):
    """What a code object says: the number of a constant or a name is its own business. Raises for what is no bytecode."""
    kept, order = [], {}
    for step in dis.get_instructions(code):
        # Caches of an instruction are not listed.
        if step.opname in ("CACHE", "<%d>" % step.opcode):
            raise ValueError("no instruction")
        order[step.offset] = len(kept)
        if step.opname != "EXTENDED_ARG":
            kept.append(step)
    order[len(code.co_code)] = len(kept)
    # Tracebacks read the line table by other rules than `positions` does.
    lines = {offset: line for start, end, line in code.co_lines() for offset in range(start, end, 2)}
    instructions = [(
        step.opname, order[step.argval] if step.opcode in JUMPS else step.argrepr, step.positions, lines.get(step.offset),
    ) for step in kept]
    handlers = [(
        order[one.start], order[one.end], order[one.target], one.depth, one.lasti,
    ) for one in dis._parse_exception_table(code) if one.start < one.end]
    return [getattr(code, "co_" + field) for field in HEAD], arguments(code), instructions, handlers


def arguments(code):
    number = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    if not 0 <= number <= len(code.co_varnames):
        raise ValueError("arguments without names")
    return code.co_varnames[:number]


def same(code, other):
    return said(code) == said(other)


def is_made(code):
    """Whether a compiler might have made it; nothing else is claimed."""
    try:
        # CPython's constructor does not ask, and reads what is behind the names.
        arguments(code)
        covered = sum(end - start for start, end, _ in code.co_lines()) if LINES.fullmatch(code.co_linetable) else -1
        names = code.co_varnames + code.co_freevars
        return covered == len(code.co_code) and len({*names}) == len(names) and same(code, code.replace(co_name=code.co_name))
    except (IndexError, KeyError, ValueError):
        return False


def again(code):
    """The code object put together in each of two ways, with those in its constants; itself if it says the same."""
    if not is_made(code):
        raise adapter.Unsupported("what no compiler makes")
    constants = tuple(again(one) if isinstance(one, CodeType) else one for one in code.co_consts)
    if any(one is not other for one, other in zip(constants, code.co_consts)):
        code = code.replace(co_consts=constants)
    for way in (ConcreteBytecode, Bytecode):
        made = way.from_code(code).to_code()
        # Those in the constants are the same objects where they are the same.
        if not same(code, made):
            return made
    return code


def convert(value):
    if isinstance(value, CodeType):
        return adapter.code(PYTHON, {field: getattr(value, "co_" + field) for field in adapter.fields(PYTHON)})
    return value


def load(data, _):
    code = marshal.loads(data)
    if not isinstance(code, CodeType):
        raise adapter.Unsupported("what is no code object")
    return adapter.plain(again(code), convert), None


if __name__ == "__main__":
    adapter.serve({
        "exec": 1, "name": "bytecode", "version": __version__, "pythons": [PYTHON], "owes": ["value"],
    }, load)
