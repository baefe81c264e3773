"""Prints what this interpreter says of its 256 opcodes, as a row of harness/src/generators/codes/opcodes.rs.

The letter of an opcode tells what its argument names; the digit, how many cache units follow it.
"""
from __future__ import print_function

import opcode
import sys

letters = ["."] * 256
caches = [0] * 256
names = dict((name, op) for name, op in opcode.opmap.items() if op < 256)
counts = getattr(opcode, "_inline_cache_entries", {})
by_name = [
    ("c", opcode.hasconst),
    ("n", opcode.hasname),
    ("l", opcode.haslocal),
    ("f", opcode.hasfree),
    ("a", opcode.hasjabs),
    ("r", opcode.hasjrel),
]


def cache_count(name):
    count = counts[names[name]] if isinstance(counts, list) else counts.get(name, 0)
    assert count < 16
    return count


for name, op in names.items():
    letters[op] = "o" if op >= opcode.HAVE_ARGUMENT else "-"
    for letter, members in by_name:
        if op in members:
            letters[op] = letter
    caches[op] = cache_count(name)
    if name.startswith(("INSTRUMENTED_", "ENTER_EXECUTOR", "TRACE_RECORD")):
        base = name[len("INSTRUMENTED_") :]
        letters[op], caches[op] = "i", cache_count(base) if base in names else 0
    if name == "CACHE":
        letters[op] = "."

specialized = getattr(opcode, "_specialized_opmap", None)
if specialized is None:
    # 3.11 and 3.12 hand the free numbers out in order; `dis` does the same to know their names.
    import dis
    specialized = getattr(dis, "_all_opmap", {})
for base, forms in getattr(opcode, "_specializations", {}).items():
    for form in forms:
        letters[specialized[form]] = "s"
        caches[specialized[form]] = cache_count(base)


def rows(text):
    return "".join('        %s\\\n' % text[i : i + 64] for i in range(0, 256, 64)).strip().rstrip("\\")


print("    Opcodes {")
print("        version: (%d, %d)," % sys.version_info[:2])
print("        extended_arg: %d," % opcode.EXTENDED_ARG)
print("        have_argument: %d," % opcode.HAVE_ARGUMENT)
print('        letters: b"%s",' % rows("".join(letters)))
print('        caches: b"%s",' % rows("".join("%x" % n for n in caches)))
print("    },")
