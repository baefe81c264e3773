//! The verifier: an example of each kind of violation under the versions that have it, and beside it one that is safe.

use pyc_core::bytecode::safety::{Certainty, KINDS, Kind, STEPS_PER_INSTRUCTION, Verdict, verify, verify_all};
use pyc_core::bytecode::text;
use pyc_core::{Graph, Profile, Version};
use std::collections::BTreeSet;

const ALL: [&str; 11] = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"];

/// From one version on, up to another one.
fn span(first: &str, last: &str) -> &'static [&'static str] {
    let place = |version| ALL.iter().position(|it| *it == version).unwrap();
    &ALL[place(first)..=place(last)]
}

/// Of a version; `3.13d` is a debug build.
fn profile(version: &str) -> Profile {
    let (major, minor) = version.trim_end_matches('d').split_once('.').unwrap();
    let profile = Profile::of(Version::new(major.parse().unwrap(), minor.parse().unwrap())).unwrap();
    profile.clone().with_assertions(version.ends_with('d'))
}

/// What the verifier says of each code object of a text, whose first one is `f`.
fn verdicts(version: &str, code: &str) -> Vec<Verdict> {
    let python = version.trim_end_matches('d');
    let whole = format!(".python {python}\n.bare\n.code f\n{}", code.replace("; ", "\n"));
    let stream = text::assemble(&whole).unwrap_or_else(|error| panic!("{error}:\n{whole}"));
    let graph = pyc_core::read(&stream, &profile(version)).unwrap_or_else(|error| panic!("{error}:\n{whole}"));
    verify_all(&graph, &profile(version))
}

/// The kinds of violations, without doubles.
fn kinds(version: &str, code: &str) -> Vec<(Kind, Certainty)> {
    let verdicts = verdicts(version, code);
    let errors = verdicts.iter().filter_map(|verdict| verdict.result.as_ref().err());
    let mut found: Vec<_> = errors.flat_map(|it| it.iter().map(|it| (it.kind, it.certainty))).collect();
    found.dedup();
    found
}

const CRASH: Certainty = Certainty::Crash;
const CANNOT_TELL: Certainty = Certainty::CannotTell;

/// A kind, the versions, a code object that is refused for that and nothing else, and one that is safe.
type Row = (Kind, Certainty, &'static [&'static str], &'static str, &'static str);

fn rows() -> Vec<Row> {
    use Kind::*;
    const DONE: &str = "LOAD_CONST None; RETURN_VALUE";
    let (old, new) = (span("2.7", "3.10"), span("3.11", "3.15"));
    vec![
        (StackUnderflow, CRASH, &ALL, ".stacksize 1; POP_TOP; LOAD_CONST None; RETURN_VALUE", DONE),
        (
            StackUnderflow,
            CRASH,
            &ALL,
            ".stacksize 3; LOAD_CONST None; BUILD_LIST 3; RETURN_VALUE",
            ".stacksize 3; LOAD_CONST None; BUILD_LIST 1; RETURN_VALUE",
        ),
        (
            StackUnderflow,
            CRASH,
            span("3.11", "3.15"),
            ".stacksize 3; LOAD_CONST None; COPY 2; RETURN_VALUE",
            ".stacksize 3; LOAD_CONST None; COPY 1; RETURN_VALUE",
        ),
        (
            StackOverflow,
            CRASH,
            &ALL,
            ".stacksize 1; LOAD_CONST None; LOAD_CONST None; POP_TOP; RETURN_VALUE",
            ".stacksize 2; LOAD_CONST None; LOAD_CONST None; POP_TOP; RETURN_VALUE",
        ),
        (
            StackMismatch,
            CANNOT_TELL,
            old,
            ".stacksize 999; a:; LOAD_CONST None; JUMP_ABSOLUTE a",
            "a:; NOP; JUMP_ABSOLUTE a",
        ),
        (
            StackMismatch,
            CANNOT_TELL,
            new,
            ".stacksize 999; a:; LOAD_CONST None; JUMP_BACKWARD a",
            "a:; NOP; JUMP_BACKWARD a",
        ),
        (
            JumpTarget,
            CRASH,
            &ALL,
            ".stacksize 1; JUMP_FORWARD #99",
            "JUMP_FORWARD a; a:; LOAD_CONST None; RETURN_VALUE",
        ),
        // They jump in units of two bytes, too, and drop the rest.
        (
            JumpTarget,
            CRASH,
            span("3.6", "3.9"),
            ".stacksize 1; JUMP_ABSOLUTE #99",
            ".stacksize 1; JUMP_ABSOLUTE #3; LOAD_CONST None; RETURN_VALUE",
        ),
        (RunsOff, CRASH, new, ".stacksize 1; LOAD_CONST None", DONE),
        (CutInstruction, CRASH, &["2.7"], ".stacksize 1; .tail b\"d\"", DONE),
        (InternalOpcode, CRASH, new, ".stacksize 1; CACHE", DONE),
        (InternalOpcode, CRASH, span("3.12", "3.15"), ".stacksize 1; LOAD_CONST None; INTERPRETER_EXIT", DONE),
        (ConstantIndex, CRASH, &ALL, ".stacksize 1; LOAD_CONST #7; RETURN_VALUE", DONE),
        (ConstantIndex, CRASH, span("3.12", "3.13"), ".stacksize 1; RETURN_CONST #7", "RETURN_CONST None"),
        (NameIndex, CRASH, &ALL, ".stacksize 2; LOAD_GLOBAL #14; RETURN_VALUE", "LOAD_GLOBAL a; RETURN_VALUE"),
        (VariableIndex, CRASH, &ALL, ".stacksize 1; LOAD_FAST #7; RETURN_VALUE", ".args a; LOAD_FAST a; RETURN_VALUE"),
        (
            VariableIndex,
            CRASH,
            old,
            ".stacksize 1; LOAD_DEREF #7; RETURN_VALUE",
            ".cells a; LOAD_DEREF a; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            span("2.7", "3.10"),
            ".stacksize 2; LOAD_CONST None; LOAD_CONST None; COMPARE_OP #40; RETURN_VALUE",
            "LOAD_CONST None; LOAD_CONST None; COMPARE_OP \"<\"; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            new,
            ".stacksize 2; LOAD_CONST None; LOAD_CONST None; BINARY_OP #90; RETURN_VALUE",
            "LOAD_CONST None; LOAD_CONST None; BINARY_OP \"+\"; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            span("3.12", "3.15"),
            ".stacksize 1; LOAD_CONST None; CALL_INTRINSIC_1 #99; RETURN_VALUE",
            "LOAD_CONST None; CALL_INTRINSIC_1 INTRINSIC_PRINT; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            span("3.13", "3.15"),
            ".stacksize 1; LOAD_CONST None; CONVERT_VALUE #9; RETURN_VALUE",
            "LOAD_CONST None; CONVERT_VALUE 1; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            span("3.14", "3.15"),
            ".stacksize 2; LOAD_CONST None; LOAD_SPECIAL #9; POP_TOP; RETURN_VALUE",
            "LOAD_CONST None; LOAD_SPECIAL __enter__; POP_TOP; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            &["2.7"],
            ".stacksize 9; LOAD_CONST None; DUP_TOPX 4; RETURN_VALUE",
            ".stacksize 9; LOAD_CONST None; LOAD_CONST None; DUP_TOPX 2; RETURN_VALUE",
        ),
        (
            UnboundLocal,
            CRASH,
            span("3.12", "3.15"),
            ".locals a; LOAD_FAST a; RETURN_VALUE",
            ".locals a; LOAD_FAST_CHECK a; RETURN_VALUE",
        ),
        (NullValue, CRASH, new, "PUSH_NULL; RETURN_VALUE", DONE),
        (NullValue, CRASH, &["3.8"], ".stacksize 6; BEGIN_FINALLY; RETURN_VALUE", DONE),
        (
            NullValue,
            CANNOT_TELL,
            span("3.7", "3.10"),
            ".stacksize 2; LOAD_CONST None; LOAD_METHOD a; POP_TOP; RETURN_VALUE",
            ".stacksize 2; LOAD_CONST None; LOAD_METHOD a; CALL_METHOD 0; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            span("2.7", "3.11"),
            ".stacksize 2; LOAD_CONST None; FOR_ITER a; POP_TOP; POP_TOP; a:; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 2; LOAD_CONST None; GET_ITER; FOR_ITER a; POP_TOP; POP_TOP; a:; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            span("3.9", "3.15"),
            ".stacksize 2; .args a; LOAD_FAST a; LOAD_CONST None; LIST_EXTEND 1; RETURN_VALUE",
            "BUILD_LIST 0; LOAD_CONST None; LIST_EXTEND 1; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            span("3.11", "3.15"),
            ".stacksize 2; .args a; .cells b; LOAD_DEREF b; RETURN_VALUE",
            ".args a; .cells b; MAKE_CELL b; LOAD_DEREF b; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            new,
            ".stacksize 1; LOAD_CONST None; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE",
            "a:; NOP; NOP; b:; LOAD_CONST None; RETURN_VALUE; h:; PUSH_EXC_INFO; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE; .try a b h",
        ),
        (
            BorrowedReference,
            CRASH,
            span("3.14", "3.15"),
            ".args a; LOAD_FAST_BORROW a; LOAD_CONST None; STORE_FAST a; RETURN_VALUE",
            ".args a; LOAD_FAST a; LOAD_CONST None; STORE_FAST a; RETURN_VALUE",
        ),
        (
            BorrowedReference,
            CANNOT_TELL,
            span("3.14", "3.15"),
            ".args a; .locals b; LOAD_FAST_BORROW a; STORE_FAST b; LOAD_CONST None; RETURN_VALUE",
            ".args a; .locals b; LOAD_FAST a; STORE_FAST b; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            GeneratorOnly,
            CRASH,
            span("3.12", "3.15"),
            ".stacksize 1; LOAD_CONST None; YIELD_VALUE #0; RETURN_VALUE",
            ".stacksize 1; .flags GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; YIELD_VALUE #0; RETURN_VALUE",
        ),
        (
            GeneratorOnly,
            CRASH,
            &["3.11"],
            ".stacksize 1; LOAD_CONST None; YIELD_VALUE; RETURN_VALUE",
            ".stacksize 1; .flags GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; YIELD_VALUE; RETURN_VALUE",
        ),
        (
            GeneratorOnly,
            CRASH,
            new,
            ".stacksize 2; .flags GENERATOR; RETURN_GENERATOR; RETURN_GENERATOR; RETURN_VALUE",
            ".stacksize 1; .flags GENERATOR; RETURN_GENERATOR; RETURN_VALUE",
        ),
        (
            GeneratorOnly,
            CANNOT_TELL,
            old,
            ".stacksize 1; LOAD_CONST None; YIELD_VALUE; RETURN_VALUE",
            ".stacksize 2; .flags GENERATOR; LOAD_CONST None; YIELD_VALUE; RETURN_VALUE",
        ),
        (
            BlockStack,
            CRASH,
            old,
            ".stacksize 1; POP_BLOCK; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 9; SETUP_FINALLY a; POP_BLOCK; a:; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            BlockStack,
            CRASH,
            span("2.7", "3.7"),
            ".stacksize 1; BREAK_LOOP",
            ".stacksize 1; SETUP_LOOP a; BREAK_LOOP; a:; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            BlockStack,
            CRASH,
            span("3.6", "3.10"),
            ".stacksize 9; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 9; SETUP_FINALLY a; POP_BLOCK; LOAD_CONST None; RETURN_VALUE; a:; POP_TOP; POP_TOP; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            HandlerTable,
            CANNOT_TELL,
            new,
            ".stacksize 1; .field exceptiontable b\"\\x80\\x01\"; LOAD_CONST None; RETURN_VALUE",
            DONE,
        ),
        (
            HandlerDepth,
            CRASH,
            new,
            ".stacksize 9; a:; LOAD_NAME x; b:; RETURN_VALUE; h:; RERAISE #0; .try a b h depth 3",
            ".stacksize 9; a:; LOAD_NAME x; b:; RETURN_VALUE; h:; RERAISE #0; .try a b h depth 0",
        ),
        (
            HandlerDepth,
            CRASH,
            old,
            ".stacksize 9; LOAD_CONST None; SETUP_FINALLY a; POP_TOP; LOAD_GLOBAL x; a:; RETURN_VALUE",
            ".stacksize 9; LOAD_CONST None; SETUP_FINALLY a; LOAD_GLOBAL x; a:; RETURN_VALUE",
        ),
        (
            LineTable,
            CANNOT_TELL,
            new,
            ".stacksize 1; .field linetable b\"\\xf0\\x02\"; LOAD_CONST None; RETURN_VALUE",
            DONE,
        ),
        (
            LineTable,
            CANNOT_TELL,
            &["3.11d", "3.13d", "3.15d"],
            ".stacksize 1; .field linetable b\"\\x06\\x00\"; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 1; .field linetable b\"\\x86\\x00\"; LOAD_CONST None; RETURN_VALUE",
        ),
        (Closure, CRASH, old, ".free a; .stacksize 1; LOAD_CONST None; RETURN_VALUE", DONE),
        (Closure, CRASH, new, ".free a; .stacksize 1; COPY_FREE_VARS 1; LOAD_CONST None; RETURN_VALUE", DONE),
        (Closure, CANNOT_TELL, new, ".free a; .stacksize 1; NOP; LOAD_CONST None; RETURN_VALUE", DONE),
        (
            Closure,
            CRASH,
            &["2.7"],
            ".cells a; .flags NOFREE; LOAD_CONST None; RETURN_VALUE",
            ".cells a; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            Sequence,
            CRASH,
            &["3.11"],
            ".stacksize 4; PUSH_NULL; LOAD_GLOBAL f; KW_NAMES (\"a\",); NOP; PRECALL 0; CALL 0; RETURN_VALUE",
            ".stacksize 4; PUSH_NULL; LOAD_GLOBAL f; LOAD_CONST 1; KW_NAMES (\"a\",); PRECALL 1; CALL 1; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            &["3.11"],
            ".stacksize 4; PUSH_NULL; LOAD_GLOBAL f; KW_NAMES (\"a\",); PRECALL 0; CALL 0; RETURN_VALUE",
            DONE,
        ),
        (
            Operand,
            CRASH,
            span("3.12", "3.15"),
            "LOAD_CONST None; LOAD_CONST None; CALL_INTRINSIC_2 #0; RETURN_VALUE",
            "LOAD_CONST None; LOAD_CONST None; POP_TOP; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            &["3.12"],
            ".stacksize 4; PUSH_NULL; LOAD_GLOBAL f; BUILD_TUPLE 0; CALL_FUNCTION_EX 2; RETURN_VALUE",
            ".stacksize 4; PUSH_NULL; LOAD_GLOBAL f; BUILD_TUPLE 0; CALL_FUNCTION_EX 0; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            &["3.13"],
            ".stacksize 4; LOAD_GLOBAL f; PUSH_NULL; BUILD_TUPLE 0; CALL_FUNCTION_EX 2; RETURN_VALUE",
            ".stacksize 4; LOAD_GLOBAL f; PUSH_NULL; BUILD_TUPLE 0; CALL_FUNCTION_EX 0; RETURN_VALUE",
        ),
        (
            LeftOver,
            CRASH,
            &["3.9d", "3.11d", "3.13d", "3.15d"],
            ".stacksize 2; LOAD_CONST None; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 2; LOAD_CONST None; LOAD_CONST None; POP_TOP; RETURN_VALUE",
        ),
        (
            LeftOver,
            CRASH,
            &["3.14d"],
            ".stacksize 2; LOAD_CONST None; LOAD_CONST None; RETURN_VALUE",
            ".flags GENERATOR; RETURN_GENERATOR; RETURN_VALUE",
        ),
        (
            GeneratorOnly,
            CRASH,
            &["3.12d", "3.14d"],
            ".stacksize 2; RETURN_GENERATOR; RETURN_VALUE",
            ".flags GENERATOR; RETURN_GENERATOR; RETURN_VALUE",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            &["3.13d"],
            ".args a; LOAD_FAST a; POP_JUMP_IF_FALSE b; b:; LOAD_CONST None; RETURN_VALUE",
            ".args a; LOAD_FAST a; TO_BOOL; POP_JUMP_IF_FALSE b; b:; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            span("3.12", "3.15"),
            ".stacksize 4; NOP; RAISE_VARARGS 3",
            ".stacksize 4; NOP; RAISE_VARARGS 0",
        ),
        (Operand, CRASH, &["2.7"], ".stacksize 9; LOAD_CONST None; DUP_TOPX 1; RETURN_VALUE", DONE),
        (
            InternalOpcode,
            CRASH,
            &["3.11"],
            ".stacksize 1; #255 0; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 1; #254 0; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            InternalOpcode,
            CRASH,
            &["3.11"],
            ".stacksize 1; #254 512; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 1; #254 2; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            &["3.13"],
            "LOAD_CONST 1; LOAD_CONST 2; BUILD_CONST_KEY_MAP 1; RETURN_VALUE",
            "LOAD_CONST 1; LOAD_CONST (2,); BUILD_CONST_KEY_MAP 1; RETURN_VALUE",
        ),
        (
            Sequence,
            CRASH,
            &["3.13"],
            ".stacksize 2; .args a; LOAD_FAST a; GET_ITER; i:; FOR_ITER e; POP_TOP; JUMP_BACKWARD i; e:; END_FOR; NOP; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 2; .args a; LOAD_FAST a; GET_ITER; i:; FOR_ITER e; POP_TOP; JUMP_BACKWARD i; e:; END_FOR; POP_TOP; LOAD_CONST None; RETURN_VALUE",
        ),
        (Closure, CRASH, new, ".free a; .field localspluskinds b\"\\xc0\"; LOAD_CONST None; RETURN_VALUE", DONE),
        (
            ValueKind,
            CRASH,
            span("3.6", "3.10"),
            ".stacksize 4; LOAD_GLOBAL f; LOAD_CONST 1; LOAD_CONST (5,); CALL_FUNCTION_KW 1; RETURN_VALUE",
            ".stacksize 4; LOAD_GLOBAL f; LOAD_CONST 1; LOAD_CONST (\"a\",); CALL_FUNCTION_KW 1; RETURN_VALUE",
        ),
        (
            Closure,
            CRASH,
            span("3.13", "3.15"),
            ".cells a; MAKE_CELL a; LOAD_FAST a; BUILD_TUPLE 1; LOAD_CONST code g; MAKE_FUNCTION; SET_FUNCTION_ATTRIBUTE #8; RETURN_VALUE; .code g; .free a, b; COPY_FREE_VARS 2; LOAD_CONST None; RETURN_VALUE",
            ".cells a; MAKE_CELL a; LOAD_FAST a; BUILD_TUPLE 1; LOAD_CONST code g; MAKE_FUNCTION; SET_FUNCTION_ATTRIBUTE #8; RETURN_VALUE; .code g; .free a; COPY_FREE_VARS 1; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            Counts,
            CRASH,
            old,
            ".args a, b; .nlocals 1; LOAD_CONST None; RETURN_VALUE",
            ".args a, b; .nlocals 2; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            StackSize,
            CRASH,
            span("2.7", "3.7"),
            ".stacksize -1; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 1; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            StackSize,
            CANNOT_TELL,
            &ALL,
            ".stacksize 2000000; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 1000000; LOAD_CONST None; RETURN_VALUE",
        ),
        (Sequence, CRASH, span("3.11", "3.12"), ".stacksize 3; KW_NAMES (\"a\",); LOAD_CONST None; RETURN_VALUE", DONE),
        (
            ValueKind,
            CRASH,
            &["3.10"],
            ".stacksize 4; LOAD_CONST \"a\"; BUILD_TUPLE 1; LOAD_CONST code g; LOAD_CONST \"g\"; MAKE_FUNCTION #4; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 4; LOAD_CONST \"a\"; LOAD_CONST 1; BUILD_TUPLE 2; LOAD_CONST code g; LOAD_CONST \"g\"; MAKE_FUNCTION #4; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            span("3.11", "3.12"),
            ".stacksize 4; LOAD_CONST \"a\"; BUILD_TUPLE 1; LOAD_CONST code g; MAKE_FUNCTION #4; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 4; LOAD_CONST \"a\"; LOAD_CONST 1; BUILD_TUPLE 2; LOAD_CONST code g; MAKE_FUNCTION #4; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            span("3.13", "3.15"),
            "LOAD_CONST (\"a\",); LOAD_CONST code g; MAKE_FUNCTION; SET_FUNCTION_ATTRIBUTE #4; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
            "LOAD_CONST (\"a\", 1); LOAD_CONST code g; MAKE_FUNCTION; SET_FUNCTION_ATTRIBUTE #4; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            HandlerTable,
            CANNOT_TELL,
            new,
            ".stacksize 2; .field exceptiontable b\"\\x80\\x01\\x02\\x80\"; NOP; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 2; .field exceptiontable b\"\\x80\\x01\\x02\\x00\"; NOP; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            Closure,
            CRASH,
            new,
            ".args a; .cells a; NOP; LOAD_CONST None; RETURN_VALUE",
            ".args a; .cells a; MAKE_CELL a; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            new,
            ".args a; .cells a; MAKE_CELL a; LOAD_CONST None; STORE_FAST a; LOAD_CONST None; RETURN_VALUE",
            ".args a; .cells a; MAKE_CELL a; LOAD_CONST None; STORE_DEREF a; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            span("3.12", "3.15"),
            ".stacksize 2; .args a; .cells a; MAKE_CELL a; LOAD_CONST None; LOAD_CONST None; STORE_FAST a; STORE_FAST a; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 2; .args a; .cells a; MAKE_CELL a; LOAD_FAST_AND_CLEAR a; LOAD_CONST None; STORE_FAST a; STORE_FAST a; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            StackUnderflow,
            CRASH,
            &["3.12"],
            ".flags GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; YIELD_VALUE 1; RESUME 33; RETURN_VALUE",
            ".flags GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; YIELD_VALUE 1; RESUME 1; RETURN_VALUE",
        ),
        (
            Closure,
            CRASH,
            new,
            ".locals a; .field localspluskinds b\"\\x00\"; LOAD_CONST None; RETURN_VALUE",
            ".args a; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            span("3.12", "3.15"),
            ".cells \".type_params\"; MAKE_CELL \".type_params\"; MAKE_CELL \".type_params\"; LOAD_CONST None; RETURN_VALUE",
            ".cells \".type_params\"; MAKE_CELL \".type_params\"; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            Sequence,
            CRASH,
            &["3.11"],
            ".stacksize 4; PUSH_NULL; PUSH_NULL; LOAD_GLOBAL f; LOAD_CONST 1; PRECALL 2; CALL 1; RETURN_VALUE",
            ".stacksize 4; PUSH_NULL; PUSH_NULL; LOAD_GLOBAL f; LOAD_CONST 1; PRECALL 1; CALL 1; RETURN_VALUE",
        ),
        (
            ConstantIndex,
            CRASH,
            span("3.14", "3.15"),
            ".flags HAS_DOCSTRING; .args a; .field consts (); LOAD_FAST a; RETURN_VALUE",
            ".flags HAS_DOCSTRING; .args a; .field consts (1,); LOAD_FAST a; RETURN_VALUE",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            span("3.14", "3.15"),
            ".args a; LOAD_CONST (\"\", \"\"); LOAD_FAST a; BUILD_TUPLE 1; BUILD_TEMPLATE; RETURN_VALUE",
            ".args a; LOAD_CONST (\"\", \"\"); LOAD_FAST a; LOAD_CONST \"a\"; BUILD_INTERPOLATION #2; BUILD_TUPLE 1; BUILD_TEMPLATE; RETURN_VALUE",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            span("3.14", "3.15"),
            "LOAD_CONST (\"\", \"\"); LOAD_CONST (); BUILD_TEMPLATE; RETURN_VALUE",
            "LOAD_CONST (\"\",); LOAD_CONST (); BUILD_TEMPLATE; RETURN_VALUE",
        ),
        (
            NullValue,
            CRASH,
            &["3.13", "3.14d", "3.15d"],
            "PUSH_NULL; END_FOR; LOAD_CONST None; RETURN_VALUE",
            "LOAD_CONST None; END_FOR; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            &["3.11d", "3.13d", "3.15d"],
            "EXTENDED_ARG #0; NOP; LOAD_CONST None; RETURN_VALUE",
            "EXTENDED_ARG #1; EXTENDED_ARG #0; NOP; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            Operand,
            CRASH,
            &["3.12d", "3.13d", "3.15d"],
            "LOAD_CONST None; LOAD_CONST None; COMPARE_OP #0; RETURN_VALUE",
            "LOAD_CONST None; LOAD_CONST None; COMPARE_OP \"<\"; RETURN_VALUE",
        ),
        (Operand, CRASH, &["3.12d", "3.14d"], "LOAD_CONST None; SWAP 1; RETURN_VALUE", DONE),
        (
            Operand,
            CRASH,
            &["3.14d", "3.15d"],
            "BUILD_TUPLE 0; RETURN_VALUE",
            "LOAD_CONST 1; BUILD_TUPLE 1; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            &["3.11d", "3.14d"],
            "LOAD_CONST None; LOAD_NAME E; CHECK_EXC_MATCH; POP_TOP; RETURN_VALUE",
            "a:; NOP; NOP; b:; LOAD_CONST None; RETURN_VALUE; h:; PUSH_EXC_INFO; LOAD_NAME E; CHECK_EXC_MATCH; POP_TOP; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE; .try a b h",
        ),
        (
            ValueKind,
            CRASH,
            &["3.11d", "3.14d"],
            ".flags ASYNC_GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST \"a\"; RETURN_VALUE",
            ".flags ASYNC_GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; RETURN_VALUE",
        ),
        // What is in a cell is known until somebody else can have the cell, or another cell takes its place.
        (
            ValueKind,
            CANNOT_TELL,
            span("3.12", "3.15"),
            ".stacksize 3; .cells \".type_params\", x; MAKE_CELL \".type_params\"; MAKE_CELL x; LOAD_CONST (1,); STORE_DEREF \".type_params\"; LOAD_CONST 1; STORE_DEREF x; LOAD_FAST x; STORE_FAST \".type_params\"; LOAD_DEREF \".type_params\"; CALL_INTRINSIC_1 INTRINSIC_SUBSCRIPT_GENERIC; RETURN_VALUE",
            ".stacksize 3; .cells \".type_params\", x; MAKE_CELL \".type_params\"; MAKE_CELL x; LOAD_CONST (1,); STORE_DEREF \".type_params\"; LOAD_CONST 1; STORE_DEREF x; LOAD_FAST \".type_params\"; BUILD_TUPLE 1; LOAD_DEREF \".type_params\"; CALL_INTRINSIC_1 INTRINSIC_SUBSCRIPT_GENERIC; RETURN_VALUE",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            span("3.12", "3.15"),
            ".stacksize 3; .cells \".type_params\", x; MAKE_CELL \".type_params\"; MAKE_CELL x; LOAD_CONST (1,); STORE_DEREF \".type_params\"; LOAD_CONST 1; STORE_DEREF x; LOAD_FAST \".type_params\"; STORE_FAST x; LOAD_CONST 1; STORE_DEREF x; LOAD_DEREF \".type_params\"; CALL_INTRINSIC_1 INTRINSIC_SUBSCRIPT_GENERIC; RETURN_VALUE",
            ".stacksize 3; .cells \".type_params\", x; MAKE_CELL \".type_params\"; MAKE_CELL x; LOAD_CONST (1,); STORE_DEREF \".type_params\"; LOAD_CONST 1; STORE_DEREF x; LOAD_FAST \".type_params\"; BUILD_TUPLE 1; LOAD_DEREF \".type_params\"; CALL_INTRINSIC_1 INTRINSIC_SUBSCRIPT_GENERIC; RETURN_VALUE",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            span("3.12", "3.15"),
            ".stacksize 3; .cells \".type_params\", x; MAKE_CELL \".type_params\"; MAKE_CELL x; LOAD_CONST (1,); STORE_DEREF \".type_params\"; LOAD_CONST 1; STORE_DEREF x; LOAD_FAST \".type_params\"; STORE_NAME y; LOAD_DEREF \".type_params\"; CALL_INTRINSIC_1 INTRINSIC_SUBSCRIPT_GENERIC; RETURN_VALUE",
            ".stacksize 3; .cells \".type_params\", x; MAKE_CELL \".type_params\"; MAKE_CELL x; LOAD_CONST (1,); STORE_DEREF \".type_params\"; LOAD_CONST 1; STORE_DEREF x; LOAD_FAST \".type_params\"; BUILD_TUPLE 1; LOAD_DEREF \".type_params\"; CALL_INTRINSIC_1 INTRINSIC_SUBSCRIPT_GENERIC; RETURN_VALUE",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            span("3.12", "3.13"),
            ".stacksize 3; .cells \".type_params\", x; MAKE_CELL \".type_params\"; MAKE_CELL x; LOAD_CONST (1,); STORE_DEREF \".type_params\"; LOAD_CONST 1; STORE_DEREF x; LOAD_NAME y; LOAD_FAST \".type_params\"; BUILD_TUPLE 1; BINARY_SUBSCR; LOAD_DEREF \".type_params\"; CALL_INTRINSIC_1 INTRINSIC_SUBSCRIPT_GENERIC; RETURN_VALUE",
            ".stacksize 3; .cells \".type_params\", x; MAKE_CELL \".type_params\"; MAKE_CELL x; LOAD_CONST (1,); STORE_DEREF \".type_params\"; LOAD_CONST 1; STORE_DEREF x; LOAD_FAST \".type_params\"; BUILD_TUPLE 1; LOAD_DEREF \".type_params\"; CALL_INTRINSIC_1 INTRINSIC_SUBSCRIPT_GENERIC; RETURN_VALUE",
        ),
        // A comprehension in the bound of a type parameter makes a cell of a variable that is one, behind a jump of 3.14 (test_type_params.py).
        (
            Closure,
            CANNOT_TELL,
            span("3.12", "3.15"),
            ".cells a; MAKE_CELL a; LOAD_NAME n; POP_JUMP_IF_NONE l; NOP; l:; MAKE_CELL a; JUMP_BACKWARD l",
            ".cells a; MAKE_CELL a; LOAD_NAME n; POP_JUMP_IF_NONE l; NOP; l:; MAKE_CELL a; m:; NOP; JUMP_BACKWARD m",
        ),
        // A keyword that comes twice is told by its name.
        (
            ValueKind,
            CANNOT_TELL,
            &["2.7"],
            ".stacksize 5; LOAD_NAME f; LOAD_CONST 1; LOAD_CONST 2; LOAD_CONST 1; LOAD_CONST 2; CALL_FUNCTION 512; RETURN_VALUE",
            ".stacksize 5; LOAD_NAME f; LOAD_CONST b\"x\"; LOAD_CONST 2; LOAD_CONST b\"x\"; LOAD_CONST 2; CALL_FUNCTION 512; RETURN_VALUE",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            &["2.7"],
            ".stacksize 4; LOAD_NAME f; LOAD_NAME x; LOAD_CONST 2; BUILD_MAP 0; CALL_FUNCTION_KW 256; RETURN_VALUE",
            ".stacksize 4; LOAD_NAME f; LOAD_CONST b\"x\"; LOAD_CONST 2; BUILD_MAP 0; CALL_FUNCTION_KW 256; RETURN_VALUE",
        ),
        // If something was handled before, each third of it is believed to be what it was.
        (
            BlockStack,
            CANNOT_TELL,
            span("3.6", "3.10"),
            ".stacksize 9; SETUP_FINALLY a; LOAD_NAME x; POP_TOP; POP_BLOCK; LOAD_CONST None; RETURN_VALUE; a:; POP_TOP; POP_TOP; POP_TOP; ROT_THREE; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 9; SETUP_FINALLY a; LOAD_NAME x; POP_TOP; POP_BLOCK; LOAD_CONST None; RETURN_VALUE; a:; POP_TOP; POP_TOP; POP_TOP; ROT_THREE; ROT_THREE; ROT_THREE; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE",
        ),
        // What reraises exceptions of a group believes that there is nothing else in the list.
        (
            ValueKind,
            CANNOT_TELL,
            span("3.12", "3.15"),
            ".stacksize 6; a:; LOAD_NAME x; b:; RETURN_VALUE; h:; PUSH_EXC_INFO; BUILD_LIST 0; LOAD_CONST 1; LIST_APPEND #1; CALL_INTRINSIC_2 INTRINSIC_PREP_RERAISE_STAR; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE; .try a b h",
            ".stacksize 6; a:; LOAD_NAME x; b:; RETURN_VALUE; h:; PUSH_EXC_INFO; BUILD_LIST 0; LOAD_CONST None; LIST_APPEND #1; CALL_INTRINSIC_2 INTRINSIC_PREP_RERAISE_STAR; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE; .try a b h",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            span("3.12", "3.15"),
            ".stacksize 6; a:; LOAD_NAME x; b:; RETURN_VALUE; h:; PUSH_EXC_INFO; BUILD_LIST 0; COPY #1; POP_TOP; CALL_INTRINSIC_2 INTRINSIC_PREP_RERAISE_STAR; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE; .try a b h",
            ".stacksize 6; a:; LOAD_NAME x; b:; RETURN_VALUE; h:; PUSH_EXC_INFO; BUILD_LIST 0; LOAD_CONST None; LIST_APPEND #1; CALL_INTRINSIC_2 INTRINSIC_PREP_RERAISE_STAR; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE; .try a b h",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            span("3.12", "3.15"),
            ".stacksize 6; a:; LOAD_NAME x; b:; RETURN_VALUE; h:; PUSH_EXC_INFO; BUILD_LIST 0; LOAD_NAME y; LIST_EXTEND #1; CALL_INTRINSIC_2 INTRINSIC_PREP_RERAISE_STAR; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE; .try a b h",
            ".stacksize 6; a:; LOAD_NAME x; b:; RETURN_VALUE; h:; PUSH_EXC_INFO; BUILD_LIST 0; COPY #2; LIST_APPEND #1; CALL_INTRINSIC_2 INTRINSIC_PREP_RERAISE_STAR; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE; .try a b h",
        ),
        (
            ValueKind,
            CANNOT_TELL,
            span("3.12", "3.15"),
            ".stacksize 6; a:; LOAD_NAME x; b:; RETURN_VALUE; h:; PUSH_EXC_INFO; BUILD_LIST 0; IMPORT_FROM append; POP_TOP; CALL_INTRINSIC_2 INTRINSIC_PREP_RERAISE_STAR; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE; .try a b h",
            ".stacksize 6; a:; LOAD_NAME x; b:; RETURN_VALUE; h:; PUSH_EXC_INFO; BUILD_LIST 0; NOP; CALL_INTRINSIC_2 INTRINSIC_PREP_RERAISE_STAR; POP_TOP; POP_EXCEPT; LOAD_CONST None; RETURN_VALUE; .try a b h",
        ),
        (
            ValueKind,
            CRASH,
            &["3.13d", "3.14d", "3.15", "3.15d"],
            ".stacksize 3; LOAD_CONST \"T\"; LOAD_CONST None; BUILD_MAP 0; BUILD_TUPLE 3; CALL_INTRINSIC_1 11; RETURN_VALUE",
            ".stacksize 3; LOAD_CONST \"T\"; LOAD_CONST None; LOAD_CONST code g; MAKE_FUNCTION; BUILD_TUPLE 3; CALL_INTRINSIC_1 11; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            GeneratorOnly,
            CANNOT_TELL,
            span("3.11", "3.14"),
            ".stacksize 2; .flags GENERATOR; LOAD_NAME a; POP_TOP; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 2; .flags GENERATOR; NOP; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; RETURN_VALUE",
        ),
        // What a frame raises that a call entered is looked up before the call, and the rest where its caches end.
        (
            StackUnderflow,
            CRASH,
            span("3.13", "3.15"),
            ".stacksize 3; LOAD_NAME f; a:; PUSH_NULL; b:; CALL 0; RETURN_VALUE; h:; POP_TOP; POP_TOP; LOAD_CONST None; RETURN_VALUE; .try a b h",
            ".stacksize 3; a:; NOP; b:; LOAD_NAME f; PUSH_NULL; CALL 0; RETURN_VALUE; h:; POP_TOP; POP_TOP; LOAD_CONST None; RETURN_VALUE; .try a b h",
        ),
        (
            StackUnderflow,
            CRASH,
            span("3.13", "3.15"),
            ".stacksize 3; LOAD_CONST None; LOAD_ATTR a; RETURN_VALUE; POP_TOP; POP_TOP; LOAD_CONST None; RETURN_VALUE; .field exceptiontable b\"\\x82\\x09\\x0c\\x00\"",
            ".stacksize 3; LOAD_CONST None; LOAD_ATTR a; RETURN_VALUE; POP_TOP; POP_TOP; LOAD_CONST None; RETURN_VALUE; .field exceptiontable b\"\\x8b\\x01\\x0c\\x00\"",
        ),
        (
            StackUnderflow,
            CRASH,
            &["3.12"],
            ".stacksize 3; PUSH_NULL; LOAD_NAME f; CALL 0; RETURN_VALUE; POP_TOP; POP_TOP; LOAD_CONST None; RETURN_VALUE; .field exceptiontable b\"\\x83\\x03\\x07\\x00\"",
            ".stacksize 3; LOAD_CONST None; LOAD_CONST None; STORE_ATTR a; LOAD_CONST None; RETURN_VALUE; POP_TOP; POP_TOP; LOAD_CONST None; RETURN_VALUE; .field exceptiontable b\"\\x83\\x04\\x09\\x00\"",
        ),
        (
            ValueKind,
            CRASH,
            &["3.13d"],
            ".stacksize 4; LOAD_CONST None; LOAD_CONST code g; MAKE_FUNCTION; SET_FUNCTION_ATTRIBUTE #2; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 4; BUILD_MAP 0; LOAD_CONST code g; MAKE_FUNCTION; SET_FUNCTION_ATTRIBUTE #2; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            ValueKind,
            CRASH,
            &["3.11d", "3.12d"],
            ".stacksize 4; LOAD_CONST None; LOAD_CONST code g; MAKE_FUNCTION #2; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 4; BUILD_MAP 0; LOAD_CONST code g; MAKE_FUNCTION #2; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
        ),
        // Who throws into a generator that waits for another one looks for that where it ought to be.
        (
            NullValue,
            CRASH,
            &["3.13", "3.14"],
            ".stacksize 4; .flags GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; PUSH_NULL; LOAD_CONST None; YIELD_VALUE 1; RESUME 2; RETURN_VALUE",
            ".stacksize 4; .flags GENERATOR; RETURN_GENERATOR; POP_TOP; PUSH_NULL; LOAD_CONST None; LOAD_CONST None; YIELD_VALUE 1; RESUME 2; RETURN_VALUE",
        ),
        (
            NullValue,
            CRASH,
            &["3.15"],
            ".stacksize 4; .flags GENERATOR; RETURN_GENERATOR; POP_TOP; PUSH_NULL; LOAD_CONST None; LOAD_CONST None; YIELD_VALUE 1; RESUME 2; RETURN_VALUE",
            ".stacksize 4; .flags GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; PUSH_NULL; LOAD_CONST None; YIELD_VALUE 1; RESUME 2; RETURN_VALUE",
        ),
        (
            StackUnderflow,
            CRASH,
            &["3.15"],
            ".stacksize 4; .flags GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; LOAD_CONST None; YIELD_VALUE 1; RESUME 2; RETURN_VALUE",
            ".stacksize 4; .flags GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; LOAD_CONST None; LOAD_CONST None; YIELD_VALUE 1; RESUME 2; RETURN_VALUE",
        ),
        (
            Sequence,
            CRASH,
            &["3.13d"],
            ".stacksize 3; .flags GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; LOAD_CONST None; YIELD_VALUE 1; RESUME 1; RETURN_VALUE",
            ".stacksize 3; .flags GENERATOR; RETURN_GENERATOR; POP_TOP; LOAD_CONST None; LOAD_CONST None; YIELD_VALUE 1; RESUME 2; POP_TOP; RETURN_VALUE",
        ),
        (
            Sequence,
            CRASH,
            &["3.13d", "3.15d"],
            ".stacksize 4; LOAD_CONST (1,); LOAD_CONST (1,); LOAD_CONST code g; MAKE_FUNCTION; SET_FUNCTION_ATTRIBUTE #1; SET_FUNCTION_ATTRIBUTE #1; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
            ".stacksize 4; LOAD_CONST (1,); BUILD_MAP 0; LOAD_CONST code g; MAKE_FUNCTION; SET_FUNCTION_ATTRIBUTE #2; SET_FUNCTION_ATTRIBUTE #1; RETURN_VALUE; .code g; LOAD_CONST None; RETURN_VALUE",
        ),
        (
            Sequence,
            CRASH,
            span("3.12", "3.14"),
            ".stacksize 2; .args a; LOAD_FAST a; GET_ITER; FOR_ITER b; POP_TOP; POP_TOP; b:; LOAD_CONST None; RETURN_VALUE",
            DONE,
        ),
    ]
}

#[test]
fn each_kind_has_an_example_and_a_safe_neighbour() {
    let mut failures = Vec::new();
    let mut check = |(kind, certainty, versions, wrong, right): Row| {
        for version in versions {
            for (code, expected) in [(wrong, vec![(kind, certainty)]), (right, vec![])] {
                if kinds(version, code) != expected {
                    failures.push(format!("{version}: {expected:?} of {code}: {:?}\n", verdicts(version, code)));
                }
            }
        }
    };
    let shown: BTreeSet<Kind> = rows().iter().map(|row| row.0).collect();
    rows().into_iter().for_each(&mut check);
    assert!(failures.is_empty(), "{}", failures.concat());
    let missing: Vec<&str> = KINDS.iter().filter(|it| !shown.contains(&it.kind)).map(|it| it.name).collect();
    // It has a test of its own.
    assert_eq!(missing, [Kind::TooComplex.name()]);
}

#[test]
fn kinds_are_told_in_the_order_of_their_variants() {
    for (place, about) in KINDS.iter().enumerate() {
        assert_eq!((about.kind as usize, about.kind.name()), (place, about.name));
        assert!(about.explanation.ends_with('.'), "{}", about.name);
    }
    let names: BTreeSet<&str> = KINDS.iter().map(|about| about.name).collect();
    assert_eq!(names.len(), KINDS.len());
}

/// Whatever the ways through the code are, the steps are bounded by its length and the smaller of the depth and a limit.
#[test]
fn steps_are_bounded() {
    let check = |version: &str, code: &[u8], table: &[u8], stacksize: i32| {
        let profile = &profile(version);
        let body = ".stacksize 1\nLOAD_CONST None\nRETURN_VALUE";
        let stream = text::assemble(&format!(".python {version}\n.bare\n.code f\n{body}")).unwrap();
        let graph = pyc_core::read(&stream, profile).unwrap();
        let graph = with(&graph, profile, code, table, stacksize);
        let instructions = code.len() / 2 + 1;
        match verify(&graph, graph.root(), profile) {
            Ok(facts) => {
                let slots = (usize::try_from(stacksize).unwrap() + 8).min(STEPS_PER_INSTRUCTION);
                assert!(facts.steps <= (instructions + 16) * slots, "{version}: {facts:?}");
            }
            Err(violations) => assert!(violations.iter().count() <= 32),
        }
    };
    let set = |version: &str, name: &str| {
        let set = pyc_core::bytecode::InstructionSet::of(&profile(version));
        set.named(name).unwrap_or_else(|| panic!("{name} of {version}"))
    };
    const MANY: usize = 1 << 16;
    // Jumps to one place, each with another stack.
    let mut jumps = Vec::new();
    for place in 0..MANY {
        let distance = (MANY - place - 1) * 2;
        let prefix = set("3.10", "EXTENDED_ARG");
        jumps.extend([set("3.10", "DUP_TOP"), 0]);
        let [low, middle, high, ..] = distance.to_le_bytes();
        jumps.extend([prefix, high, prefix, middle, set("3.10", "JUMP_IF_TRUE_OR_POP"), low]);
    }
    check("3.10", &jumps, b"", 20);
    check("3.10", &jumps, b"", 1_000_000);
    // Prefixes without an end, and values without an end.
    for (name, argument) in [("EXTENDED_ARG", 255), ("LOAD_CONST", 0), ("NOP", 0)] {
        for version in ["3.6", "3.12", "3.15"] {
            let code = [set(version, name), argument].repeat(MANY);
            check(version, &code, b"", 1_000_000);
        }
    }
    // Handlers that cover everything, each the next one; and one that covers all and keeps what is there.
    let code = [[set("3.12", "LOAD_CONST"), 0], [set("3.12", "LOAD_NAME"), 0]].concat().repeat(MANY / 2);
    check("3.12", &code, b"\xc1\x7f\x7f\x3f\x00\x00", 1_000_000);
    check("3.12", &code, &b"\x81\x01\x00\x00".repeat(1000), 1000);
}

/// The graph's code object with other instructions.
fn with(graph: &Graph<'_>, profile: &Profile, code: &[u8], table: &[u8], stacksize: i32) -> Graph<'static> {
    use pyc_core::Value;
    use pyc_core::code::{Field, fields};
    let mut built = Graph::new(profile);
    let Value::Code(old) = graph.value(graph.root()) else { panic!() };
    let empty = built.tuple(&[]);
    let names = built.str("x");
    let names = built.tuple(&[names]);
    let none = built.none();
    let consts = built.tuple(&[none]);
    let objects: Vec<_> = fields(old.layout())
        .iter()
        .map(|field| match field {
            Field::Code => built.bytes(code),
            Field::Exceptiontable => built.bytes(table),
            Field::Consts => consts,
            Field::Names => names,
            Field::Lnotab | Field::Linetable | Field::Localspluskinds => built.bytes(b""),
            Field::Filename | Field::Name | Field::Qualname => built.str("f"),
            _ => empty,
        })
        .collect();
    let ints = pyc_core::code::CodeInts { stacksize, nlocals: 0, ..old.ints() };
    let root = built.code(ints, &objects).unwrap();
    built.set_root(root);
    built
}
