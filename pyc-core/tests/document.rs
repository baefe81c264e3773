//! Documents: code objects from text and back, and what happens to them in between.

use pyc_core::bytecode::document::{Document, OpError, Symbol};
use pyc_core::bytecode::{Operand, text};
use pyc_core::{Profile, Version};

/// The text of a module of 3.12 with these lines.
fn module(lines: &str) -> String {
    format!(".python 3.12\n.code module\n{lines}\n")
}

#[test]
fn errors_say_where_and_what_was_expected() {
    let check = |given: &str, line: usize, column: usize, message: &str| {
        let error = text::assemble(given).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{given:?}: {error}");
        assert!(error.message.contains(message), "{given:?}: {error}");
    };
    check("", 1, 1, "the first directive is .python");
    check(".python 3.5", 1, 9, "3.6 to 3.15 expected");
    check("; nothing\n.python 3.12", 1, 1, "there is nothing in it");
    check(".python 3.12\nNOP", 2, 1, "a directive expected");
    check(".python 3.12\n.line 3", 2, 1, "in front of the first .code");
    check(".python 3.12\n.code f\n.code f", 3, 1, "already");
    check(&module("  NOPE"), 3, 3, "3.12 has no instruction NOPE");
    check(&module("  LOAD_CONST"), 3, 13, "a value expected");
    check(&module("  LOAD_CONST (1, 2"), 4, 1, ", or ) expected");
    check(&module("  LOAD_CONST \"a"), 3, 14, "\" expected");
    check(&module("  LOAD_CONST \"\\q\""), 3, 14, "\\xNN");
    check(&module("  LOAD_CONST code g"), 3, 19, "no .code g");
    check(&module("  LOAD_CONST @i 5000000000"), 3, 17, "does not fit");
    check(&module("  LOAD_NAME 5"), 3, 13, "a name expected");
    check(&module("  LOAD_NAME a + NULL"), 3, 17, "end of the line expected");
    check(&module("  COMPARE_OP \"=<\""), 3, 14, "\"<=\"");
    check(&module("  JUMP_FORWARD end"), 3, 16, "no label end");
    check(&module("end:\nend:"), 4, 1, "there is a label end already");
    check(&module("  JUMP_FORWARD b\na:\nb:"), 5, 1, "one label expected");
    check(&module("  NOP @x"), 3, 7, "@3:4..9");
    check(&module("  NOP {prefixes 4}"), 3, 17, "at most 3");
    check(&module("  NOP NOP"), 3, 7, "end of the line");
    check(&module(".nope"), 3, 1, ".stacksize");
    check(&module(".flags FAST"), 3, 8, "OPTIMIZED");
    check(&module(".field nope 1"), 3, 8, "localsplusnames");
    check(&module("a:\n  NOP\n  JUMP_FORWARD a"), 5, 3, "cannot go");
    check(&module("  RESUME 0\n  POP_TOP"), 4, 3, "takes more values");
    check(&module("  LOAD_DEREF x"), 3, 3, "not in the list");
    check(&module(".refs 99\n  RETURN_CONST None"), 1, 1, ".refs");
    check(&module("  RETURN_CONST *1"), 1, 1, "*1 comes before &1");
}

/// What is written is what is read, however it is written.
#[test]
fn values_come_back() {
    let check = |python: &str, value: &str, shown: &str| {
        let given = format!(".python {python}\n.bare\n.root {value}\n");
        let bytes = text::assemble(&given).unwrap_or_else(|error| panic!("{given}: {error}"));
        let profile = Profile::of(pyc_core::Release::parse(python).unwrap().version).unwrap();
        let printed = text::print(&text::disassemble(&bytes, Some(profile)).unwrap());
        assert_eq!(printed, format!(".python {python}\n.bare\n.root {shown}\n"));
        assert_eq!(text::assemble(&printed).unwrap(), bytes);
    };
    for (value, shown) in [
        ("None", "None"),
        ("...", "..."),
        ("-5", "-5"),
        ("0x7fffffff", "2147483647"),
        ("-2147483649", "-2147483649"),
        ("123456789012345678901234567890", "0x18ee90ff6c373e0ee4e3f0ad2"),
        ("@l 5", "@l 5"),
        ("1e22", "1e22"),
        ("-0.0", "-0.0"),
        ("-inf", "-inf"),
        ("nan", "nan"),
        ("float(0xfff8000000000001)", "float(0xfff8000000000001)"),
        ("complex(1.5, -0.0)", "complex(1.5, -0.0)"),
        ("@x b\"\\x011\\x012\"", "@x b\"\\x011\\x012\""),
        ("\"\\u202e\\ud800 é\\n\"", "\"\\u202e\\ud800 é\\n\""),
        ("@t \"é\"", "@t \"é\""),
        ("b\"\\x00a\\\"\"", "b\"\\x00a\\\"\""),
        ("(1, (2,), ())", "(1, (2,), ())"),
        ("@( (1,)", "@( (1,)"),
        ("[\n  1,\n  2\n]", "[1, 2]"),
        ("{1: \"a\", \"b\": {}}", "{1: \"a\", \"b\": {}}"),
        ("{1, 2}", "{1, 2}"),
        ("set()", "set()"),
        ("frozenset{1}", "frozenset{1}"),
        ("&1 [1, *1]", "&1 [1, *1]"),
    ] {
        check("3.12", value, shown);
    }
    check("3.15", "frozendict{1: slice(1, None, 2)}", "frozendict{1: slice(1, None, 2)}");
    check("2.7", "(5, 5L, 5000000000, 0x10000000000000000L)", "(5, 5L, 5000000000, 0x10000000000000000L)");
    // A value that is NULL drops the pair in 2.7, and ends the dict since 3.0.
    check("2.7", "{None: NULL, 1: 2}", "{None: NULL, 1: 2}");
    check("2.7", "({None: NULL}, 1)", "({None: NULL}, 1)");
    check("3.12", "({None: NULL}, 1)", "({None: NULL}, 1)");
    check("2.7", "(\"name\", \"\\xff\", u\"é\", @t \" \")", "(\"name\", \"\\xff\", u\"é\", @t \" \")");
}

/// A slice that NULL cuts short is NULL itself, and so ends the dict that it is in: no value says that.
#[test]
fn what_null_cuts_short_is_a_stream() {
    let profile = Profile::of(pyc_core::Release::parse("3.15").unwrap().version).unwrap();
    for data in [&b"{N:0"[..], b"{:0", b"[\x01\0\0\0{:N0", b"{N:N:NN0"] {
        let data = [data, b"0NNN"].concat();
        let printed = text::print(&text::disassemble(&data, Some(profile)).unwrap());
        assert!(printed.contains(".stream"), "{data:?}: {printed}");
        assert_eq!(text::assemble(&printed).as_deref(), Ok(&data[..]));
    }
}

/// The names of a code object are those of another one, which comes later in the text and earlier in the stream.
#[test]
fn a_list_that_is_named_again_is_known() {
    let given = module(
        "    LOAD_CONST code module.f\n    STORE_NAME b\n    RETURN_CONST None\n\n.code module.f\n.field names &1 (\"a\", \"b\", \"b\")\n    LOAD_GLOBAL b\n    RETURN_VALUE",
    )
    .replace(".code module\n", ".code module\n.field names *1\n");
    let bytes = text::assemble(&given).unwrap();
    let graph = pyc_core::read(&bytes[16..], Profile::of(Version::new(3, 12)).unwrap()).unwrap();
    let names = graph.code_objects().into_iter().map(|id| {
        let names = graph.code_of(id).unwrap().object(pyc_core::code::Field::Names).unwrap();
        graph.resolve(names)
    });
    assert_eq!(names.collect::<std::collections::BTreeSet<_>>().len(), 1);
    let printed = text::print(&text::disassemble(&bytes, None).unwrap());
    assert!(printed.contains("STORE_NAME              b"), "{printed}");
    assert_eq!(text::assemble(&printed).unwrap(), bytes);
}

/// The directive says what the instructions do not, and nothing else.
#[test]
fn what_follows_is_left_out() {
    let given = module(
        "    RESUME 0\n    LOAD_CONST 5 @1\n    STORE_NAME a\n    LOAD_CONST 5 {prefixes 1}\n    STORE_NAME b\n    RETURN_CONST None",
    );
    let bytes = text::assemble(&given).unwrap();
    let printed = text::print(&text::disassemble(&bytes, None).unwrap());
    let directives: Vec<&str> = printed.lines().filter(|line| line.starts_with('.')).collect();
    assert_eq!(directives, [".python 3.12", ".pyc mtime 0 size 0", ".code module"]);
    assert_eq!(text::assemble(&printed).unwrap(), bytes);
    // Another order of the names has to be said.
    let other = given.replace(".code module\n", ".code module\n.names b\n.consts None\n");
    let other = text::assemble(&other).unwrap();
    let printed = text::print(&text::disassemble(&other, None).unwrap());
    assert!(other != bytes && printed.contains(".consts None\n.names b\n"), "{printed}");
}

/// The first of two variables may be far behind in the list, the second one has four bits.
#[test]
fn pairs_of_variables_have_a_short_second_one() {
    let locals: Vec<String> = (0..40).map(|number| format!("v{number}")).collect();
    let given = |first: usize, second: usize| {
        let both = format!("LOAD_FAST_LOAD_FAST v{first}, v{second}");
        format!(".python 3.13\n.bare\n.code f\n.locals {}\n.stacksize 2\n  {both}\n", locals.join(" "))
    };
    let bytes = text::assemble(&given(39, 15)).unwrap();
    let printed = text::print(&text::disassemble(&bytes, Profile::of(Version::new(3, 13))).unwrap());
    assert!(printed.contains("v39, v15"), "{printed}");
    assert_eq!(text::assemble(&printed).unwrap(), bytes);
    assert!(text::assemble(&given(15, 16)).unwrap_err().message.contains("not in the list"));
}

#[test]
fn instructions_take_what_they_can_have() {
    let document = Document::new(Profile::of(Version::new(3, 12)).unwrap());
    assert_eq!(
        document.op("LOAD_NAME", Symbol::None, 1).unwrap_err(),
        OpError::Argument("LOAD_NAME".into(), Operand::Name)
    );
    let error = document.op("PRINT_ITEM", Symbol::None, 1).unwrap_err();
    assert_eq!(error.to_string(), "there is no instruction PRINT_ITEM in this version");
}

/// Basic blocks and their depths, and a change in front of a label.
#[test]
fn flow_follows_jumps_and_handlers() {
    let given = module(
        "start:\n  LOAD_NAME a\n  POP_JUMP_IF_FALSE end\n  LOAD_NAME b\n  POP_TOP\nend:\n  RETURN_CONST None\n\
         handler:\n  PUSH_EXC_INFO\n  RERAISE 0\n.try start end handler depth 0",
    );
    let mut document = text::parse(&given).unwrap();
    let shape = |document: &Document| {
        let flow = document.flow(0).unwrap();
        flow.iter().map(|it| (it.ops.clone(), it.depth, it.next, it.jump, it.handlers.clone())).collect::<Vec<_>>()
    };
    let wanted = [
        (0..2, Some(0), Some(1), Some(2), vec![3]),
        (2..4, Some(0), Some(2), None, vec![3]),
        (4..5, Some(0), None, None, vec![]),
        (5..7, Some(1), None, None, vec![]),
    ];
    assert_eq!(shape(&document), wanted);
    let before = document.write().unwrap();
    let nops = vec![document.op("NOP", Symbol::None, 1).unwrap(); 2];
    // The jump comes to what is new, or passes it by.
    for (caught, start) in [(true, 4), (false, 6)] {
        let mut changed = document.clone();
        changed.blocks[0].splice(4, nops.clone(), caught);
        let places = changed.blocks[0]
            .ops
            .iter()
            .position(|op| op.label.is_some_and(|label| changed.blocks[0].ops[1].operand == Symbol::Jump(label)));
        assert_eq!(places, Some(start));
        changed.blocks[0].remove(4..6);
        assert_eq!(changed.write().unwrap(), before);
    }
    document.blocks[0].split(3);
    assert_eq!(document.flow(0).unwrap().len(), 5);
    assert_eq!(document.write().unwrap(), before);
}
