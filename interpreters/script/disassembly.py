"""What an interpreter says of the instructions of a code object: what `dis` prints, and where they come from.

Part of the workers: the script worker imports it, the embedded one has it built in. It runs under Python 2.7 and later, and
executes nothing of what it looks at.
"""

import dis
import io
import re
import sys
import types

# What `code.replace` takes (3.8 and later), and gives back.
FIELDS = """co_argcount co_posonlyargcount co_kwonlyargcount co_nlocals co_stacksize co_flags co_firstlineno co_code co_consts co_names
co_varnames co_freevars co_cellvars co_filename co_name co_qualname co_exceptiontable""".split()

ADDRESS = re.compile(r"\bat 0x[0-9A-Fa-f]+")


def nested(code):
    """The code object and those among its constants, and theirs, in the order in which `dis` shows them."""
    stack = [code]
    while stack:
        code = stack.pop()
        yield code
        stack.extend([c for c in reversed(code.co_consts) if isinstance(c, types.CodeType)])


def printed(code, write, file):
    """Prints what `dis.dis` prints. 2.7 and 3.6 do not go into nested code, so here each is shown in turn, once."""
    if sys.version_info >= (3, 7):
        dis.dis(code, file=file)
        return
    shown = set()
    for one in nested(code):
        if id(one) in shown:
            continue
        if shown:
            write("\nDisassembly of %r:\n" % (one,))
        shown.add(id(one))
        if sys.version_info >= (3,):
            dis.disassemble(one, file=file)
            continue
        stdout, sys.stdout = sys.stdout, file
        try:
            dis.disassemble(one)
        finally:
            sys.stdout = stdout


def runs(items):
    """The items in words, equal ones that follow each other once, with their number."""
    last, count, out = None, 0, []
    for item in list(items) + [None]:
        if item == last:
            count += 1
            continue
        if last is not None:
            out.append("%s*%d" % (",".join(["-" if x is None else str(x) for x in last]), count))
        last, count = item, 1
    return " ".join(out)


def replaced(code):
    """The names of the fields that are others after `replace` with all of them; none if it refuses them."""
    names = FIELDS + ["co_linetable" if hasattr(code, "co_linetable") else "co_lnotab"]
    fields = dict([(name, getattr(code, name)) for name in names if hasattr(code, name)])
    try:
        again = code.replace(**fields)
        values = [(name, fields[name], getattr(again, name)) for name in sorted(fields)]
        # Since 3.11 a cell and a local variable of one name become one, and cells take the order of these.
        values = [(n, set(a), set(b)) if n == "co_cellvars" else (n, a, b) for n, a, b in values]
        return [name for name, before, after in values if before is not after and before != after]
    except Exception:
        return []


def disassembly(code, stream):
    """One text: what is printed, the exception that ends it, and since 3.10 the lines and positions of each code object; since 3.8
    also the fields that get lost when a code object is made of all of them, which should be none."""
    file = io.StringIO() if sys.version_info >= (3,) else io.BytesIO()
    raised = ""
    try:
        printed(code, file.write, file)
    except Exception as e:
        raised = "raised %s: %s\n" % (type(e).__name__, e)
    text = ADDRESS.sub("at 0x0", file.getvalue())
    out = [text, "" if text.endswith("\n") or not text else "\n", raised]
    for one in nested(code):
        if hasattr(one, "co_lines"):
            out.append("lines %s\n" % runs(one.co_lines()))
        if hasattr(one, "co_positions"):
            out.append("positions %s\n" % runs(one.co_positions()))
        # Where co_code shows other opcodes than the stream has, which are specialized ones, it is other code: since 3.11 it can have
        # caches behind its end, and making a code object of it writes there.
        lost = replaced(one) if hasattr(one, "replace") and one.co_code in stream else []
        if lost:
            out.append("replaced %s\n" % " ".join(lost))
    text = "".join(out)
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
