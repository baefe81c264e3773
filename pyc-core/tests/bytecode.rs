//! Bytecode: what holds for any bytes, and what the documents of CPython say.

use pyc_core::bytecode::{
    AssembleError, Assembled, Assembly, Body, Label, Place, Residue, StackError, Step, StepArgument,
};
use pyc_core::bytecode::{
    Handler, Handlers, InstructionSet, Instructions, LineRange, Lines, Position, Positions, Raised, listing,
};
use pyc_core::code::{CodeInts, Field, fields};
use pyc_core::{Graph, NodeId, Profile, Value, Version};

fn profile(major: u8, minor: u8) -> &'static Profile {
    Profile::of(Version::new(major, minor)).unwrap()
}

/// Random numbers, the same in each run.
struct Random(u32);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }

    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let length = self.below(longest + 1);
        (0..length).map(|_| self.below(256).to_le_bytes()[0]).collect()
    }
}

/// A code object with these fields and nothing else.
fn build(profile: &Profile, code: &[u8], table: &[u8], handlers: &[u8]) -> Graph<'static> {
    let mut graph = Graph::new(profile);
    let objects: Vec<NodeId> = fields(profile.code_layout)
        .iter()
        .map(|field| match field {
            Field::Code => graph.bytes(code),
            Field::Lnotab | Field::Linetable => graph.bytes(table),
            Field::Exceptiontable => graph.bytes(handlers),
            Field::Localspluskinds => graph.bytes(b"\x20"),
            Field::Consts => {
                let items = [graph.none(), graph.float(1e22), graph.int(-5)];
                graph.tuple(&items)
            }
            Field::Names | Field::Localsplusnames | Field::Varnames => {
                let name = graph.str("name");
                graph.tuple(&[name])
            }
            Field::Freevars | Field::Cellvars => graph.tuple(&[]),
            Field::Filename | Field::Name | Field::Qualname => graph.str("f"),
        })
        .collect();
    let root = graph.code(CodeInts { firstlineno: 7, ..CodeInts::default() }, &objects).unwrap();
    graph.set_root(root);
    graph
}

#[test]
fn instructions_lose_nothing_and_tables_end() {
    let mut random = Random(1);
    for profile in Profile::all() {
        for _ in 0..2000 {
            let (code, table) = (random.bytes(60), random.bytes(30));
            let mut at = 0;
            for instruction in Instructions::new(&code, profile) {
                assert_eq!((instruction.offset, instruction.end() > at), (at, true));
                at = instruction.end();
                assert!(instruction.bytes.ends_with(instruction.caches()));
                assert!(instruction.target().is_none_or(|target| target.abs() < 1 << 34));
            }
            let bytes: Vec<u8> = Instructions::new(&code, profile).flat_map(|it| it.bytes).copied().collect();
            assert_eq!(bytes, code);
            assert!(Lines::new(&table, 1, code.len(), profile).count() <= table.len() + 1);
            assert!(Positions::new(&table, 1, profile).count() <= table.len());
            let graph = build(profile, &code, &table, &table);
            assert!(listing(&graph, graph.root(), profile).text.len() < 1 << 16);
        }
    }
}

fn body<'g>(graph: &'g Graph<'_>, profile: &'g Profile) -> Body<'g> {
    let Value::Code(code) = graph.value(graph.root()) else { panic!("a code object") };
    Body::new(graph, &code, profile)
}

/// Entries of an exception table, each behind the one before, or not.
fn handlers(random: &mut Random, are_in_order: bool) -> Vec<u8> {
    let mut start = 0;
    let mut table = Vec::new();
    for _ in 0..random.below(5) {
        start = if are_in_order { start + random.below(6) } else { random.below(32) };
        let length = random.below(5);
        table.extend([start, length, random.below(32), random.below(4)].map(|number| number.to_le_bytes()[0]));
        start += length;
    }
    table
}

#[test]
fn a_cursor_finds_what_covers_an_instruction() {
    let mut random = Random(5);
    for profile in Profile::all() {
        for case in 0..2000 {
            let (code, table) = (random.bytes(64), random.bytes(40));
            let graph = build(profile, &code, &table, &handlers(&mut random, case % 2 == 0));
            let body = body(&graph, profile);
            let lines: Vec<LineRange> = body.lines().collect();
            let positions: Vec<Position> = body.positions().collect();
            let handlers: Vec<Handler> = body.handlers().collect();
            let jumps = body.instructions().filter_map(|it| it.target());
            let targets: Vec<i64> = jumps.chain(handlers.iter().map(|it| it.target.cast_signed())).collect();
            let (mut cursor, are_targets) = (body.cursor(), body.targets());
            let mut one_by_one = Vec::new();
            for it in body.instructions() {
                let at = it.offset;
                let found = cursor.at(at);
                assert_eq!(found.line, lines.iter().find(|range| (range.start..range.end).contains(&at)));
                assert_eq!(found.position, positions.iter().find(|it| (it.start..it.end).contains(&at)));
                assert_eq!(found.handler, handlers.iter().find(|it| (it.start..it.end).contains(&(at as u64))));
                assert_eq!(are_targets.contains(at), targets.contains(&(at as i64)), "{at} of {code:?}");
                one_by_one.push((at, it.code, it.operand, it.bytes, it.flaw, it.target()));
            }
            let mut at_once = Vec::new();
            body.instructions().for_each(|it| {
                at_once.push((it.offset, it.code, it.operand, it.bytes, it.flaw, it.target()));
            });
            assert_eq!(one_by_one, at_once);
        }
    }
}

#[track_caller]
fn check_assembly<'p>(graph: &Graph<'_>, profile: &'p Profile) -> Assembly<'p> {
    let body = body(graph, profile);
    let assembly = Assembly::of(&body, profile);
    let Assembled { code, line_table, exception_table } = assembly.assemble().unwrap();
    assert_eq!((&code[..], &line_table[..]), (body.code, body.line_table), "{}", profile.version);
    assert_eq!(exception_table, body.exception_table, "{}", profile.version);
    assembly
}

/// Any bytes come back, be they instructions or not; and the residue says what is odd.
#[test]
fn what_is_taken_apart_goes_together_again() {
    let mut random = Random(2);
    for profile in Profile::all() {
        let set = pyc_core::bytecode::InstructionSet::of(profile);
        let prefix = set.named("EXTENDED_ARG").unwrap();
        for round in 0..2000 {
            let mut code = random.bytes(80);
            if round % 2 == 0 {
                // Prefixes, and jumps that hit.
                for at in (0..code.len()).step_by(2) {
                    code[at] = match random.below(4) {
                        0 => prefix,
                        1 => set.named("JUMP_FORWARD").unwrap(),
                        _ => code[at],
                    };
                    if let (Some(argument), true) = (code.get_mut(at + 1), random.below(2) == 0) {
                        *argument %= 8;
                    }
                }
            }
            let table = random.bytes(40);
            check_assembly(&build(profile, &code, &table, &random.bytes(20)), profile);
        }
    }
}

/// What each kind of residue is for, in 3.9 and 3.12.
#[test]
fn residue_says_what_does_not_follow() {
    let check = |minor: u8, code: &[u8], lines: &[u8], handlers: &[u8], kinds: &[&str]| {
        let graph = build(profile(3, minor), code, lines, handlers);
        let assembly = check_assembly(&graph, profile(3, minor));
        assert_eq!(assembly.residue.kinds(), kinds);
        assert_eq!(assembly.residue == Residue::default(), kinds.is_empty());
    };
    // NOP, JUMP_FORWARD 0, LOAD_CONST 0.
    let code = [9, 0, 110, 0, 100, 0];
    check(9, &code, &[0, 1, 2, 5, 2, 130], b"", &[]);
    check(9, &[144, 0, 100, 0], b"", b"", &["prefixes"]);
    check(9, &[9, 1], b"", b"", &["unused arguments"]);
    check(9, &code, &[2, 5, 0, 1], b"", &["line pairs"]);
    check(9, &code, &[3, 5], b"", &["last line pairs"]);
    check(9, &[9, 0, 9], b"", b"", &["tail"]);
    // Three units of NOP; BINARY_OP of 3.12 has a cache.
    let code = [9, 0, 9, 0, 9, 0];
    check(12, &code, &[0xEA, 2], &[0x80, 1, 2, 2], &[]);
    check(12, &code, &[0xEA, 2, 1], &[0x80, 1, 2, 2], &["line table"]);
    check(12, &code, &[0xEA, 2], &[0x80, 1, 9, 2], &["exception table"]);
    check(12, &[122, 0, 0, 1], &[0xE9, 2], b"", &["caches"]);
    check(12, &[122, 0], &[0xE8, 2], b"", &["caches"]);
}

/// Depths of small pieces of code in 3.12: what they reach, or why there is no answer.
#[test]
fn the_stack_is_as_deep_as_the_flow_makes_it() {
    let check = |code: &[u8], handlers: &[u8], expected: Result<u32, StackError>| {
        let graph = build(profile(3, 12), code, b"", handlers);
        let assembly = Assembly::of(&body(&graph, profile(3, 12)), profile(3, 12));
        assert_eq!(assembly.stack(0).map(|(depth, _)| depth), expected, "{code:?}");
    };
    // LOAD_CONST twice, BUILD_TUPLE 2, RETURN_VALUE.
    check(&[100, 0, 100, 0, 102, 2, 83, 0], b"", Ok(2));
    check(&[], b"", Ok(0));
    check(&[1, 0], b"", Err(StackError::Underflow(0)));
    check(&[200, 0], b"", Err(StackError::Unknown(0)));
    // LOAD_CONST, then back to it.
    check(&[100, 0, 140, 2], b"", Err(StackError::Endless(0)));
    // Behind RETURN_VALUE nothing counts, but a handler does: what stays, the offset and the exception.
    check(&[100, 0, 83, 0, 100, 0, 100, 0, 100, 0], b"", Ok(1));
    check(&[100, 0, 83, 0, 9, 0], &[0x80, 1, 2, 2 << 1 | 1], Ok(4));
}

/// A jump over 300 instructions needs a prefix, which moves everything behind it; so do the lines and the handlers.
#[test]
fn what_is_inserted_moves_what_is_behind() {
    for (minor, nop, jump) in [(9, 9, 110), (12, 9, 110)] {
        let profile = profile(3, minor);
        let graph = build(profile, &[jump, 0, nop, 0], b"", b"");
        let mut assembly = Assembly::of(&body(&graph, profile), profile);
        assert_eq!(assembly.steps[0].argument, StepArgument::Jump(Label(0)));
        let place = Place { line: Some(8), ..Place::default() };
        let step = Step { label: None, opcode: nop, argument: StepArgument::None, place };
        assembly.residue = Residue::default();
        assembly.steps.splice(1..1, [step; 300]);
        let assembled = assembly.assemble().unwrap();
        let length = if profile.version.minor == 9 { 600_u16 } else { 300 };
        let [low, high] = length.to_le_bytes();
        assert_eq!(assembled.code[..6], [144, high, jump, low, nop, 0]);
        assert_eq!(assembled.code.len(), 606);
        let lines = Lines::new(&assembled.line_table, 7, 606, profile).map(|it| it.line).collect::<Vec<_>>();
        assert!(lines.contains(&Some(8)), "{lines:?}");
        assembly.steps[0].argument = StepArgument::Jump(Label(9));
        assert_eq!(assembly.assemble(), Err(AssembleError::NoSuchLabel(Label(9))));
        assembly.steps[0].label = Some(Label(9));
        assert_eq!(assembly.assemble(), Err(AssembleError::Direction(0)));
    }
}

/// `Objects/lnotab_notes.txt`: the table of the example, for code of 70 bytes that begins in line 1; with line deltas of
/// both signs since 3.6.
#[test]
fn lines_are_those_of_the_table() {
    #[track_caller]
    fn check(minor: u8, table: &[u8], length: usize, expected: &[(usize, usize, Option<i32>)]) {
        let profile = if minor == 27 { profile(2, 7) } else { profile(3, minor) };
        let lines = Lines::new(table, 1, length, profile).map(|LineRange { start, end, line }| (start, end, line));
        assert_eq!(lines.collect::<Vec<_>>(), expected, "{minor}");
    }
    let notes = [0, 1, 6, 1, 44, 5, 255, 0, 45, 45];
    check(
        27,
        &notes,
        360,
        &[(0, 6, Some(2)), (6, 50, Some(3)), (50, 305, Some(8)), (305, 350, Some(8)), (350, 360, Some(53))],
    );
    check(8, &[4, 2, 4, 255], 12, &[(0, 4, Some(1)), (4, 8, Some(3)), (8, 12, Some(2))]);
    check(27, &[4, 2, 4, 255], 12, &[(0, 4, Some(1)), (4, 8, Some(3)), (8, 12, Some(258))]);
    // No line, then the line before, a line below zero, and a range without instructions.
    check(
        10,
        &[2, 0, 4, 128, 0, 5, 2, 0, 2, 130],
        10,
        &[(0, 2, Some(1)), (2, 6, None), (6, 8, Some(6)), (8, 10, None)],
    );
    // Short form of 2 units, no columns with +3 lines, one of no position; then the same line twice.
    let table = [0x81, 0x12, 0xE8, 6, 0xF8, 0x80, 0, 0x80, 0];
    check(12, &table, 12, &[(0, 4, Some(1)), (4, 6, Some(4)), (6, 8, None), (8, 12, Some(4))]);
    let ranges = [(0, 4, Some(1)), (4, 6, Some(4)), (6, 8, None), (8, 10, Some(4)), (10, 12, Some(4))];
    check(11, &table, 12, &ranges);
}

#[test]
fn positions_are_those_of_the_table() {
    // Short form; one line later with two columns; long form over two lines; no columns.
    let table = [0x89, 0x23, 0xD8, 4, 9, 0xF0, 2, 1, 6, 0, 0xE8, 3];
    let some = |line, end_line, column, end_column| (Some(line), Some(end_line), column, end_column);
    let positions: Vec<_> = Positions::new(&table, 5, profile(3, 12))
        .map(|Position { start, end, line, end_line, column, end_column }| {
            ((start, end), (line, end_line, column, end_column))
        })
        .collect();
    let expected = [
        ((0, 4), some(5, 5, Some(10), Some(13))),
        ((4, 6), some(6, 6, Some(4), Some(9))),
        ((6, 8), some(7, 8, Some(5), None)),
        ((8, 10), some(6, 6, None, None)),
    ];
    assert_eq!(positions, expected);
    assert_eq!(Positions::new(&table, 5, profile(3, 10)).count(), 0);
    // A column of eight groups: the seventh is shifted by 36 bits, which is 4, the eighth by 42, which is 10.
    let table = [0xF0, 0, 0, 2, 64, 64, 64, 64, 64, 64, 65, 1];
    let columns = Positions::new(&table, 5, profile(3, 12)).map(|it| (it.column, it.end_column));
    assert_eq!(columns.collect::<Vec<_>>(), [(Some(1), Some((1 << 4 | 1 << 10) - 1))]);
}

/// The example of `Objects/exception_handling_notes.txt`: 20 to 28 goes to 100 with depth 3, but no last instruction.
#[test]
fn handlers_are_those_of_the_table() {
    let table = [0x80 | 20, 8, 64 | 1, 36, 3 << 1];
    let mut handlers = Handlers::new(&table);
    assert_eq!(handlers.next(), Some(Handler { start: 40, end: 56, target: 200, depth: 3, lasti: false }));
    assert_eq!(handlers.next(), None);
    // One that is cut short.
    let mut handlers = Handlers::new(&table[..3]);
    assert_eq!((handlers.next(), handlers.rest().len()), (None, 3));
}

#[test]
fn an_index_that_is_too_large_is_the_exception_of_dis() {
    let check = |profile: &Profile, code: &[u8], text: &str, message: Option<&'static str>| {
        let graph = build(profile, code, b"", b"");
        let listing = listing(&graph, graph.root(), profile);
        assert_eq!(listing.text, text);
        assert_eq!(listing.raised, message.map(|message| Raised { class: "IndexError", message }));
    };
    // NOP, LOAD_CONST 1, LOAD_CONST 9.
    let text = "  7           0 NOP\n              2 LOAD_CONST               1 (1e+22)\n";
    check(profile(3, 9), &[9, 0, 100, 1, 100, 9], text, Some("tuple index out of range"));
    check(profile(3, 9), &[100, 9], "", Some("tuple index out of range"));
    let text = "  7           0 NOP                 \n              1 LOAD_CONST               9";
    check(profile(2, 7), &[9, 100, 9, 0], text, Some("tuple index out of range"));
    check(profile(2, 7), &[9, 100, 9], "", Some("string index out of range"));
}

/// Asked of 3.10 and 3.12: prefixes before LOAD_CONST and LOAD_FAST that make a number of more bits than an index has, and since
/// 3.11 more than the number of a variable.
#[test]
fn an_argument_that_is_no_index_is_the_exception_of_dis() {
    let check = |minor: u8, prefix: u8, times: usize, opcode: u8, class: &str, message: &str| {
        let code = [[144, prefix].repeat(times), vec![opcode, 0]].concat();
        let graph = build(profile(3, minor), &code, b"", b"");
        let raised = listing(&graph, graph.root(), profile(3, minor)).raised;
        assert_eq!(raised.map(|raised| (raised.class, raised.message)), Some((class, message)));
    };
    check(10, 255, 6, 100, "IndexError", "tuple index out of range");
    check(10, 255, 7, 100, "IndexError", "cannot fit 'int' into an index-sized integer");
    check(12, 127, 8, 100, "IndexError", "cannot fit 'int' into an index-sized integer");
    check(12, 127, 8, 124, "OverflowError", "Python int too large to convert to C int");
    check(12, 255, 9, 124, "IndexError", "tuple index out of range");
}

/// The digits of 10^n in a stream.
fn power_of_ten(n: usize) -> Vec<u8> {
    let mut digits = vec![1_u32];
    for _ in 0..n {
        let mut carry = 0;
        for digit in &mut digits {
            carry += *digit * 10;
            *digit = carry & 0x7FFF;
            carry >>= 15;
        }
        digits.extend((carry > 0).then_some(carry));
    }
    let length = i32::try_from(digits.len()).unwrap().to_le_bytes();
    [
        &b"l"[..],
        &length,
        &digits.iter().flat_map(|digit| [digit.to_le_bytes()[0], digit.to_le_bytes()[1]]).collect::<Vec<_>>(),
    ]
    .concat()
}

/// Asked of 3.6, of the others, and of a program that 3.14 compiles to an int of 19200 bits.
#[test]
fn a_constant_with_too_many_digits_is_the_exception_of_dis() {
    let check = |minor: u8, int: &[u8], message: Option<&str>| {
        let profile = profile(3, minor);
        let code = [InstructionSet::of(profile).named("LOAD_CONST").unwrap(), 1];
        let stream = build(profile, &code, b"", b"").write_anew().unwrap();
        let float = [&b"g"[..], &1e22_f64.to_le_bytes()].concat();
        let at = stream.windows(float.len()).position(|part| part == float).unwrap();
        // Inside of a tuple.
        let tuple = [b"(\x01\0\0\0", int].concat();
        let stream = [&stream[..at], &tuple, &stream[at + float.len()..]].concat();
        let graph = pyc_core::read(&stream, profile).unwrap();
        let listing = listing(&graph, graph.root(), profile);
        let raised = listing.raised.map(|raised| (raised.class, raised.message));
        assert_eq!(raised.is_some(), message.is_some(), "3.{minor} {raised:?}");
        match (raised, message) {
            (Some((class, text)), Some(message)) => {
                assert_eq!(class, "ValueError");
                assert!(text.starts_with(message) && !listing.text.contains("LOAD_CONST"), "3.{minor} {text}");
            }
            _ => assert!(listing.text.contains(" ((1000000000"), "3.{minor}"),
        }
    };
    let (longest, too_long, longer) = (power_of_ten(4299), power_of_ten(4300), power_of_ten(6000));
    check(6, &longer, None);
    for (minor, message) in [(7, "Exceeds the limit (4300) for"), (10, "Exceeds the limit (4300) for")]
        .into_iter()
        .chain((11..=15).map(|minor| (minor, "Exceeds the limit (4300 digits) for")))
    {
        check(minor, &longest, None);
        check(minor, &too_long, Some(message));
        check(minor, &longer, Some(message));
    }
}

/// Asked of 2.7, which takes a string of characters for `co_code`, too.
#[test]
fn characters_can_be_code() {
    let check = |code: &str, text: &str, raised: Option<&str>, is_cut: bool| {
        let length = u8::try_from(code.len()).unwrap();
        let names = b"(\0\0\0\0(\0\0\0\0(\0\0\0\0(\0\0\0\0(\0\0\0\0s\x01\0\0\0fs\x01\0\0\0n\x07\0\0\0s\0\0\0\0";
        let stream = [&b"c"[..], &[0; 16], &[b'u', length, 0, 0, 0], code.as_bytes(), names].concat();
        let graph = pyc_core::read(&stream, profile(2, 7)).unwrap();
        let listing = listing(&graph, graph.root(), profile(2, 7));
        let message = listing.raised.map(|raised| raised.message);
        assert_eq!((listing.text.as_str(), message, listing.is_cut), (text, raised, is_cut));
    };
    let nop = "  7           0 NOP                 \n";
    check("\t\t", &format!("{nop}              1 NOP                 \n"), None, false);
    check("ab", "", Some("string index out of range"), false);
    check("\t\u{100}", &format!("{nop}              1 STOP_CODE           \n"), None, true);
}

/// `repr`, as the interpreters print it.
#[test]
fn values_are_written_as_python_writes_them() {
    let check = |profile: &Profile, make: &dyn Fn(&mut Graph) -> NodeId, expected: &str| {
        let mut graph = Graph::new(profile);
        let id = make(&mut graph);
        assert_eq!(graph.repr(id, profile, 1000), expected);
    };
    let (old, new) = (profile(2, 7), profile(3, 15));
    for (value, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.5, "1.5"),
        (1e16, "1e+16"),
        (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
        (1e15, "1000000000000000.0"),
        (0.0001, "0.0001"),
        (0.000_01, "1e-05"),
        (5e-324, "5e-324"),
        (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
        (f64::NAN, "nan"),
        (f64::NEG_INFINITY, "-inf"),
        // Two shortest texts are equally near: the even one; but not if it is another float.
        ((-25.0_f64).exp2(), "2.9802322387695312e-08"),
        ((-24.0_f64).exp2(), "5.960464477539063e-08"),
    ] {
        check(new, &|graph| graph.float(value), expected);
    }
    check(new, &|graph| graph.complex(0.0, -1.5), "-1.5j");
    check(new, &|graph| graph.complex(-0.0, 1.0), "(-0+1j)");
    check(new, &|graph| graph.complex(1.0, f64::NAN), "(1+nanj)");
    check(new, &|graph| graph.str("it's \"é\u{202E}\u{1F600}\u{7F}\\\n"), r#"'it\'s "é\u202e😀\x7f\\\n'"#);
    check(new, &|graph| graph.str("it's"), "\"it's\"");
    check(new, &|graph| graph.bytes(b"\0'a"), r#"b"\x00'a""#);
    check(new, &|graph| graph.int(i64::MIN), "-9223372036854775808");
    check(old, &|graph| graph.int(1 << 40), "1099511627776L");
    let sets = |graph: &mut Graph| {
        let one = graph.int(1);
        let parts = [graph.frozenset(&[one]), graph.frozenset(&[]), graph.set(&[one]), graph.set(&[])];
        let tuple = graph.tuple(&parts[..1]);
        let list = graph.list(&parts);
        graph.dict(&[(tuple, list)])
    };
    check(new, &sets, "{(frozenset({1}),): [frozenset({1}), frozenset(), {1}, set()]}");
    let unicode = pyc_core::read(b"u\x06\0\0\0\xc3\xa9\xf0\x9f\x98\x80", old).unwrap();
    assert_eq!(unicode.repr(unicode.root(), old, 1000), r"u'\xe9\U0001f600'");
    // Where a character of 2.7 has 21 bits, two surrogates are two.
    let pair = pyc_core::read(b"u\x06\0\0\0\xed\xa0\xbd\xed\xb8\x80", old).unwrap();
    assert_eq!(pair.repr(pair.root(), old, 1000), r"u'\ud83d\ude00'");
    check(old, &sets, "{(frozenset([1]),): [frozenset([1]), frozenset([]), set([1]), set([])]}");
}
