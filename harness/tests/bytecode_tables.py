"""Prints the opcode table of the interpreter that runs this, as one of pyc-core/src/bytecode/tables/*.rs.

`tests/bytecode_tables.rs` compares these files with what every interpreter prints; `BLESS=1` writes them.
"""
import dis
import opcode
import sys

VERSION = sys.version_info[:2]
NAMES = getattr(dis, "_all_opname", None) or dis.opname
SPECIALIZED = getattr(dis, "deoptmap", {})


def members(name):
    return set(getattr(opcode, name, ()))


HAS_ARGUMENT = members("hasarg") if VERSION >= (3, 12) else set(range(opcode.HAVE_ARGUMENT, 256))

# What an argument means where no list of the module `opcode` says it, and the first version in which it means that.
BY_NAME = [
    ("FORMAT_VALUE", (3, 6), "Format"),
    ("CONVERT_VALUE", (3, 13), "Convert"),
    ("MAKE_FUNCTION", (3, 6), "Function"),
    ("SET_FUNCTION_ATTRIBUTE", (3, 13), "Function"),
    ("BINARY_OP", (3, 11), "Binary"),
    ("CALL_INTRINSIC_1", (3, 12), "Intrinsic1"),
    ("CALL_INTRINSIC_2", (3, 12), "Intrinsic2"),
    ("LOAD_SMALL_INT", (3, 14), "SmallInt"),
    ("LOAD_COMMON_CONSTANT", (3, 14), "Common"),
    ("LOAD_SPECIAL", (3, 14), "Special"),
    ("IS_OP", (3, 14), "Is"),
    ("CONTAINS_OP", (3, 14), "Contains"),
    ("LOAD_GLOBAL", (3, 11), "NameAndNull"),
    ("LOAD_ATTR", (3, 12), "NameAndSelf"),
    ("LOAD_SUPER_ATTR", (3, 12), "SuperName"),
    ("IMPORT_NAME", (3, 15), "ImportName"),
    ("LOAD_FAST_LOAD_FAST", (3, 13), "LocalPair"),
    ("STORE_FAST_LOAD_FAST", (3, 13), "LocalPair"),
    ("STORE_FAST_STORE_FAST", (3, 13), "LocalPair"),
    ("LOAD_FAST_BORROW_LOAD_FAST_BORROW", (3, 14), "LocalPair"),
]


def is_backward(name):
    return "JUMP_BACKWARD" in name or VERSION >= (3, 14) and name == "END_ASYNC_FOR"


def operand(op, name):
    plain = name.replace("INSTRUMENTED_", "")
    if plain in NAMES:
        name, op = plain, NAMES.index(plain)
    for other, since, kind in BY_NAME:
        if name == other and VERSION >= since and op in HAS_ARGUMENT:
            return kind
    if op in members("hasconst"):
        return "Const"
    if op in members("hasname"):
        return "Name"
    if op in members("hasjrel"):
        return "Backward" if is_backward(name) else "Forward"
    if op in members("hasjabs"):
        return "Absolute"
    if op in members("haslocal"):
        return "Local"
    if op in members("hascompare"):
        return "Compare"
    if op in members("hasfree"):
        return "Free"
    return "Number" if op in HAS_ARGUMENT else "None"


# 2.7 has no `dis.stack_effect`: these are from `Python/compile.c`, `opcode_stack_effect`. A string computes with `a`.
EFFECTS_OF_PYTHON2 = {
    0: "STOP_CODE ROT_TWO ROT_THREE ROT_FOUR NOP UNARY_POSITIVE UNARY_NEGATIVE UNARY_NOT UNARY_CONVERT UNARY_INVERT SLICE+0"
    " PRINT_NEWLINE BREAK_LOOP YIELD_VALUE POP_BLOCK DELETE_NAME DELETE_GLOBAL LOAD_ATTR JUMP_FORWARD JUMP_IF_TRUE_OR_POP"
    " JUMP_IF_FALSE_OR_POP JUMP_ABSOLUTE CONTINUE_LOOP SETUP_LOOP SETUP_EXCEPT SETUP_FINALLY DELETE_FAST GET_ITER EXTENDED_ARG",
    1: "DUP_TOP LOAD_LOCALS FOR_ITER LOAD_CONST LOAD_NAME BUILD_MAP IMPORT_FROM LOAD_GLOBAL LOAD_FAST LOAD_CLOSURE LOAD_DEREF",
    4: "SETUP_WITH",
    -1: "POP_TOP SET_ADD LIST_APPEND BINARY_POWER BINARY_MULTIPLY BINARY_DIVIDE BINARY_MODULO BINARY_ADD BINARY_SUBTRACT"
    " BINARY_SUBSCR BINARY_FLOOR_DIVIDE BINARY_TRUE_DIVIDE INPLACE_FLOOR_DIVIDE INPLACE_TRUE_DIVIDE SLICE+1 SLICE+2"
    " INPLACE_ADD INPLACE_SUBTRACT INPLACE_MULTIPLY INPLACE_DIVIDE INPLACE_MODULO BINARY_LSHIFT BINARY_RSHIFT BINARY_AND"
    " BINARY_XOR BINARY_OR INPLACE_POWER PRINT_EXPR PRINT_ITEM PRINT_NEWLINE_TO INPLACE_LSHIFT INPLACE_RSHIFT INPLACE_AND"
    " INPLACE_XOR INPLACE_OR WITH_CLEANUP RETURN_VALUE IMPORT_STAR STORE_NAME DELETE_ATTR STORE_GLOBAL COMPARE_OP IMPORT_NAME"
    " POP_JUMP_IF_FALSE POP_JUMP_IF_TRUE STORE_FAST STORE_DEREF DELETE_SLICE+0",
    -2: "SLICE+3 STORE_SLICE+0 DELETE_SLICE+1 DELETE_SLICE+2 STORE_MAP MAP_ADD DELETE_SUBSCR PRINT_ITEM_TO BUILD_CLASS STORE_ATTR",
    -3: "STORE_SLICE+1 STORE_SLICE+2 DELETE_SLICE+3 STORE_SUBSCR EXEC_STMT END_FINALLY",
    -4: "STORE_SLICE+3",
    "a": "DUP_TOPX",
    "a - 1": "UNPACK_SEQUENCE",
    "1 - a": "BUILD_TUPLE BUILD_LIST BUILD_SET",
    "-a": "RAISE_VARARGS MAKE_FUNCTION",
    "-a - 1": "MAKE_CLOSURE",
    "-2 if a == 3 else -1": "BUILD_SLICE",
    "-(a % 256) - 2 * (a // 256)": "CALL_FUNCTION",
    "-(a % 256) - 2 * (a // 256) - 1": "CALL_FUNCTION_VAR CALL_FUNCTION_KW",
    "-(a % 256) - 2 * (a // 256) - 2": "CALL_FUNCTION_VAR_KW",
}

# What is other if an instruction jumps: 2.7 to 3.7 do not tell it. The first is without the jump, the second with it; both
# added to what `stack_effect` says (`Python/compile.c`, `stackdepth_walk`; 3.7: `stack_effect`).
JUMPS = {
    (2, 7): {"FOR_ITER": (0, -2), "SETUP_EXCEPT": (0, 3), "SETUP_FINALLY": (0, 3),
             "JUMP_IF_TRUE_OR_POP": (-1, 0), "JUMP_IF_FALSE_OR_POP": (-1, 0)},
    (3, 7): {"FOR_ITER": (0, -2), "SETUP_EXCEPT": (-6, 0), "SETUP_FINALLY": (-6, 0), "SETUP_WITH": (-6, 0),
             "SETUP_ASYNC_WITH": (-5, 0), "JUMP_IF_TRUE_OR_POP": (-1, 0), "JUMP_IF_FALSE_OR_POP": (-1, 0)},
}
JUMPS[3, 6] = JUMPS[2, 7]


def stack_effect(op, name, argument, jump):
    if VERSION >= (3, 8):
        return dis.stack_effect(op, argument if op in HAS_ARGUMENT else None, jump=jump)
    if name in ("NOP", "EXTENDED_ARG"):  # of which 3.6 and 3.7 do not say it
        effect = 0
    elif VERSION >= (3, 6):
        effect = dis.stack_effect(op, argument if op in HAS_ARGUMENT else None)
    else:
        effect = next(effect for effect, names in EFFECTS_OF_PYTHON2.items() if name in names.split())
        if isinstance(effect, str):
            effect = eval(effect, {"a": argument})
    return effect + JUMPS[VERSION].get(name, (0, 0))[jump]


ARGUMENTS = list(range(34)) + [255, 256, 257, 300, 513, 515, 772]


def effect(op, name, jump):
    """How the depth of the stack changes, as a form of pyc-core/src/bytecode/table.rs."""
    plain = SPECIALIZED.get(name, name.replace("INSTRUMENTED_", ""))
    if plain in NAMES:
        name, op = plain, NAMES.index(plain)
    try:
        seen = dict((a, stack_effect(op, name, a, jump)) for a in ARGUMENTS)
    except (ValueError, StopIteration):
        return "Unknown"
    base, bits = seen[0], [seen[1 << bit] - seen[0] for bit in range(5)]
    forms = [
        ("Fixed(%d)" % base, lambda a: base),
        ("PerArgument(%d, %d)" % (base, bits[0]), lambda a: base + bits[0] * a),
        ("PerBit(%d, %r)" % (base, bits), lambda a: base + sum(w for bit, w in enumerate(bits) if a >> bit & 1)),
        ("PerByte(%d, %d, %d)" % (base, bits[0], seen[256] - base),
         lambda a: base + bits[0] * (a % 256) + (seen[256] - base) * (a // 256)),
        ("IfThree(%d, %d)" % (base, seen[3]), lambda a: seen[3] if a == 3 else base),
    ]
    return next(form for form, value in forms if all(value(a) == seen[a] for a in ARGUMENTS))


def texts(name, items):
    quoted = ", ".join('"%s"' % item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return "    %s: &[%s],\n" % (name, quoted)


def common():
    for constant in getattr(opcode, "_common_constants", ()):
        yield constant.__name__ if isinstance(constant, type) else repr(constant)


def main():
    print("//! Opcodes of %d.%d, generated from the interpreter: never edit by hand (harness/tests/bytecode_tables.rs)." % VERSION)
    print("")
    print("use crate::Version;")
    print("use crate::bytecode::table::{Data, Effect::*, Operand::*, Row};")
    print("")
    print("#[rustfmt::skip]")
    print("pub(super) static DATA: Data = Data {")
    print("    version: Version::new(%d, %d)," % VERSION)
    unassigned = [op for op in range(256) if NAMES[op].startswith("<")]
    takes = [op for op in unassigned if op in HAS_ARGUMENT]
    print("    unassigned_with_argument: %d," % (min(takes) if takes else 256))
    print("    rows: &[")
    for op in range(256):
        name = NAMES[op]
        if op in unassigned:
            continue
        base = SPECIALIZED.get(name)
        if base:
            op_of_base = NAMES.index(base)
            kind = operand(op_of_base, base)
        else:
            kind = operand(op, name)
        effects = [effect(op, name, jump) for jump in (False, True)]
        print('        Row(%d, "%s", %s, %s, %s),' % (op, name, kind, effects[0], effects[1]))
    print("    ],")
    out = texts("compare", dis.cmp_op)
    out += texts("binary", [text for _, text in getattr(opcode, "_nb_ops", ())])
    out += texts("intrinsics_1", getattr(opcode, "_intrinsic_1_descs", ()))
    out += texts("intrinsics_2", getattr(opcode, "_intrinsic_2_descs", ()))
    out += texts("special", getattr(opcode, "_special_method_names", ()))
    out += texts("common", common())
    print(out + "};")


main()
