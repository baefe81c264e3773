"""bytearound takes code objects of Python 2.7 apart and puts them together again, in a Python 2.7, which is looked for.

The argument is the virtual environment that it is installed in.
"""
import glob
import os
import sys

if sys.version_info >= (3,):
    HOMES = ["~/.pyenv/versions/2.7*/bin", "/usr/local/bin", "/usr/bin", "/opt/*/bin"]
    found = [path for home in HOMES for path in glob.glob(os.path.expanduser(home) + "/python2.7")]
    if not found:
        sys.exit("there is no python2.7")
    os.execv(found[0], [found[0]] + sys.argv)

import dis
import marshal
import opcode
from types import CodeType

sys.path[1:1] = glob.glob(sys.argv[1] + "/lib/python3*/site-packages")
import exec27 as adapter
from bytearound import ByteAround, __version__


def said(code):
    """What a code object says: the number of a constant or a name is its own business."""
    names = {"const": code.co_consts, "name": code.co_names, "local": code.co_varnames,
             "free": code.co_cellvars + code.co_freevars, "compare": opcode.cmp_op}
    named = dict((op, kind) for kind in names for op in getattr(opcode, "has" + kind))
    steps, lines = map(ord, code.co_code), list(dis.findlinestarts(code))
    arguments = code.co_argcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    if len(code.co_lnotab) % 2 or not 0 <= arguments <= len(code.co_varnames):
        raise ValueError("half an entry, or an argument without a name")
    at, more, order, all_said = 0, 0, {}, []
    while at < len(steps):
        start, op, argument, target = at, steps[at], None, None
        line = [line for begins, line in lines if begins <= start][-1:]
        if opcode.opname[op] in ("STOP_CODE", "<%d>" % op):
            raise ValueError("no compiler emits this")
        at += 1
        if op >= opcode.HAVE_ARGUMENT:
            argument = steps[at] + (steps[at + 1] << 8) + more
            at += 2
        more = argument << 16 if op == opcode.EXTENDED_ARG else 0
        if more or op == opcode.EXTENDED_ARG:
            order.setdefault(start, len(all_said))
            continue
        if op in opcode.hasjabs or op in opcode.hasjrel:
            target, argument = argument + at * (op in opcode.hasjrel), None
        elif op in named:
            argument = repr(names[named[op]][argument])
        order[start] = len(all_said)
        all_said.append((op, argument, target, line))
    head = (code.co_argcount, code.co_flags, code.co_name, code.co_filename, code.co_firstlineno,
            code.co_varnames[:arguments])
    return head, [(op, argument, target and order[target], line) for op, argument, target, line in all_said]


def again(code):
    """The code object put together, with those in its constants; itself if it says the same."""
    try:
        before = said(code)
    except (IndexError, KeyError, ValueError):
        raise adapter.Unsupported("bytecode that no compiler emits")
    around = ByteAround.from_code(code)
    for step in around:
        if isinstance(step.oparg, CodeType):
            step.oparg = again(step.oparg)
    made = around.to_code(pessimize=True)
    # Those in the constants are the same objects where they are the same.
    return code if said(made) == before else made


def load(data, _):
    code = marshal.loads(data)
    if not isinstance(code, CodeType):
        raise adapter.Unsupported("what is no code object")
    return '"value":%s' % adapter.plain(again(code))


if __name__ == "__main__":
    adapter.serve({
        "exec": 1, "name": "bytearound", "version": __version__, "pythons": ["2.7"], "owes": ["accept", "value"],
    }, load)
