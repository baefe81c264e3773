//! Graphs as a program sees them: built from nothing, looked at, changed and written. What a graph says is compared with
//! what was put into it, or with what the interpreter shows of a file that it compiled.

use pyc_core::code::{Code, CodeInts, Field, fields, kind};
use pyc_core::model::{Aspect, Dump, Loaded};
use pyc_core::{
    Cause, CodeLayout, ErrorKind, Graph, Long, NodeId, Profile, Pyc, Release, Value, Version, WriteError, read,
};
use std::path::Path;

fn profile(version: &str) -> Profile {
    Profile::for_release(&Release::parse(version).unwrap()).unwrap()
}

/// The only code object of `corpus/seeds/greet-X.Y.pyc` with a name, as the callback sees it.
fn with_greet<T>(version: Version, name: &str, look: impl Fn(&Graph, Code) -> T) -> T {
    let path = format!("{}/../corpus/seeds/greet-{version}.pyc", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(Path::new(&path)).unwrap();
    let pyc = Pyc::parse(&file).unwrap();
    let graph = read(pyc.payload, pyc.profile()).unwrap();
    let found = graph.ids().find_map(|id| match graph.value(id) {
        Value::Code(code) if texts(&graph, &[code.object(Field::Name).unwrap()]) == [name] => Some(code),
        _ => None,
    });
    look(&graph, found.unwrap())
}

fn texts(graph: &Graph, nodes: &[NodeId]) -> Vec<String> {
    let text = |id: &NodeId| match graph.value(graph.resolve(*id)) {
        Value::Str(text) => text.to_string_lossy(),
        Value::InternedBytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    nodes.iter().map(text).collect()
}

#[test]
fn code_objects_show_their_variables_in_every_version() {
    for profile in Profile::all() {
        let check = |name: &str, argcount: i32, locals: &[&str], cells: &[&str], frees: &[&str]| {
            with_greet(profile.version, name, |graph, code| {
                let at = format!("{name} of {}", profile.version);
                assert_eq!(code.layout(), profile.code_layout, "{at}");
                assert_eq!(code.ints().argcount, argcount, "{at}");
                assert_eq!(texts(graph, &code.locals(graph)), locals, "{at}");
                assert_eq!(texts(graph, &code.cells(graph)), cells, "{at}");
                assert_eq!(texts(graph, &code.frees(graph)), frees, "{at}");
                let all = code.variables(graph);
                let local = |(_, kind): &&(NodeId, u8)| kind & kind::LOCAL != 0;
                assert_eq!(all.iter().filter(local).count(), locals.len(), "{at}");
                let objects: Vec<(Field, NodeId)> = code.objects().collect();
                assert!(objects.iter().map(|(field, _)| *field).eq(fields(profile.code_layout).iter().copied()));
                assert!(objects.iter().all(|&(field, id)| code.object(field) == Some(id)), "{at}");
                let other =
                    if profile.code_layout == CodeLayout::Python311 { Field::Varnames } else { Field::Qualname };
                assert_eq!(code.object(other), None, "{at}");
            });
        };
        check("__init__", 2, &["self", "name", "rest", "options"], &[], &[]);
        check("decorate", 1, &["text"], &[], &["self"]);
    }
}

#[test]
fn cells_of_one_function_are_free_in_another() {
    for profile in Profile::all() {
        let path = format!("{}/../corpus/seeds/greet-{}.pyc", env!("CARGO_MANIFEST_DIR"), profile.version);
        let file = std::fs::read(Path::new(&path)).unwrap();
        let graph = read(Pyc::parse(&file).unwrap().payload, profile).unwrap();
        let of = |id: NodeId| match graph.value(id) {
            Value::Code(code) => Some((texts(&graph, &code.cells(&graph)), texts(&graph, &code.frees(&graph)))),
            _ => None,
        };
        let (cells, frees): (Vec<_>, Vec<_>) = graph.ids().filter_map(of).unzip();
        for all in [cells, frees] {
            assert!(all.contains(&vec!["self".to_owned()]), "{}: {all:?}", profile.version);
        }
    }
}

#[test]
fn fields_have_the_names_of_the_attributes() {
    for field in Profile::all().flat_map(|profile| fields(profile.code_layout)) {
        assert_eq!(field.name(), format!("{field:?}").to_lowercase());
    }
}

#[test]
fn a_graph_that_was_built_is_written_and_read() {
    for profile in Profile::all() {
        let mut graph = Graph::new(profile);
        assert!(graph.is_empty());
        assert_eq!(graph.ids().count(), graph.len());
        assert_eq!(graph.write(), Err(WriteError::Empty));
        let long = "long ".repeat(60);
        let mut items = vec![graph.none(), graph.bool(true), graph.bool(false), graph.ellipsis()];
        items.extend(
            [0, -1, i64::from(i32::MAX), i64::from(i32::MIN), 1 << 31, -1 << 31, 1 << 45, i64::MAX, i64::MIN]
                .map(|i| graph.int(i)),
        );
        items.extend([graph.float(2.5), graph.complex(1.5, -0.0), graph.bytes(b"\0\xff")]);
        items.extend(["", "name", "caf\u{e9}", "\u{1f40d}", &long].map(|text| graph.str(text)));
        let (none, one) = (graph.none(), graph.int(1));
        let many = vec![none; 256];
        let few = &many[..255];
        items.extend([graph.tuple(&[]), graph.tuple(few), graph.tuple(&many), graph.list(&[one, none])]);
        items.extend([graph.set(&[one]), graph.frozenset(&[none]), graph.dict(&[(one, none), (none, one)])]);
        if profile.version >= Version::new(3, 14) {
            items.push(graph.slice(one, none, one));
        }
        let shared = graph.str("shared");
        let again = graph.reference(shared);
        let third = graph.reference(again);
        items.extend([shared, again, third]);
        assert_eq!(graph.resolve(third), shared);
        let root = graph.list(&items);
        graph.set_root(root);
        assert_eq!(graph.root(), root);
        assert_eq!(graph.ids().count(), graph.len());
        assert!(!graph.is_empty());
        let stream = graph.write().unwrap();
        let back = read(&stream, profile).unwrap();
        assert_eq!(back.write().as_deref(), Ok(&stream[..]));
        let Value::List(children) = back.value(back.root()) else { panic!() };
        assert_eq!(children.len(), items.len());
        for (&built, &read) in items.iter().zip(children) {
            let same =
                back.type_byte(read) == graph.type_byte(built) && back.is_flagged(read) == graph.is_flagged(built);
            assert!(same, "{}: {:?} {:?}", profile.version, graph.value(built), back.value(read));
        }
        for version in 0..=profile.marshal_version {
            let [built, read] = [&graph, &back].map(|graph| Loaded::new(graph, profile).dump(version));
            assert_eq!(built, read, "{}", profile.version);
        }
        let built = Loaded::new(&graph, profile).canon();
        assert_eq!(built, Loaded::new(&back, profile).canon(), "{}", profile.version);
        for line in
            ["int -1\n", "float 4004000000000000\n", "complex 3ff8000000000000 8000000000000000\n", "bytes \"00ff\"\n"]
        {
            assert!(built.contains(line), "{line}");
        }
        let text = if profile.is_python2() { "bytes \"736861726564\"\n" } else { "str \"shared\"\n" };
        assert_eq!(built.matches(text).count(), 3, "{}", profile.version);
    }
}

#[test]
fn a_code_object_needs_all_its_fields() {
    for profile in Profile::all() {
        let mut graph = Graph::new(profile);
        let empty = graph.bytes(b"");
        let objects = vec![empty; fields(profile.code_layout).len()];
        let ints = CodeInts { argcount: 1, firstlineno: 7, ..CodeInts::default() };
        assert!(graph.code(ints, &objects[1..]).is_none());
        let code = graph.code(ints, &objects).unwrap();
        let Value::Code(code) = graph.value(code) else { panic!() };
        assert_eq!(code.ints(), ints);
    }
}

#[test]
fn a_child_is_replaced_and_nothing_else() {
    let profile = profile("3.12");
    let stream = b"[\x03\0\0\0\xe9\xe8\x03\0\0Nr\0\0\0\0trailing";
    let mut graph = read(stream, &profile).unwrap();
    let root = graph.root();
    let Value::List(&[first, second, third]) = graph.value(root) else { panic!() };
    assert_eq!(graph.resolve(third), first);
    assert_eq!(graph.resolve(second), second);
    let new = graph.bytes(b"new");
    assert!(!graph.set_child(root, 3, new) && !graph.set_child(first, 0, new));
    assert!(graph.set_child(root, 1, new));
    assert_eq!(graph.write().unwrap(), b"[\x03\0\0\0\xe9\xe8\x03\0\0s\x03\0\0\0newr\0\0\0\0");
    // References are numbered anew.
    let shared = graph.str("shared");
    let again = graph.reference(shared);
    let pair = graph.tuple(&[shared, again]);
    assert!(graph.set_child(root, 0, pair) && graph.set_child(root, 2, again));
    assert_eq!(graph.write().unwrap(), b"[\x03\0\0\0)\x02\xda\x06sharedr\0\0\0\0s\x03\0\0\0newr\0\0\0\0");
}

#[test]
fn what_cannot_be_written_is_refused() {
    let profile = profile("3.12");
    let mut graph = Graph::new(&profile);
    let name = graph.str("name");
    let reference = graph.reference(name);
    let root = graph.tuple(&[reference, name]);
    graph.set_root(root);
    assert_eq!(graph.write(), Err(WriteError::DanglingReference { reference, target: name }));
    let none = graph.none();
    let inner = graph.list(&[none]);
    let outer = graph.list(&[inner]);
    graph.set_child(inner, 0, outer);
    graph.set_root(outer);
    assert!(matches!(graph.write(), Err(WriteError::Cycle(id)) if id == inner || id == outer));
    // As deep as there are nodes is no cycle.
    let mut graph = Graph::new(&profile);
    let mut deep = graph.none();
    for _ in 0..3000 {
        deep = graph.list(&[deep]);
    }
    graph.set_root(deep);
    assert_eq!(graph.write().unwrap().len(), 3000 * 5 + 1);
}

#[test]
fn numbers_and_texts_are_seen_as_what_they_are() {
    let check_long = |stream: &[u8], negative: bool, digits: &[u16], value: Option<i64>| {
        let profile = profile("3.12");
        let graph = read(stream, &profile).unwrap();
        let Value::Long(long @ Long { negative: sign, .. }) = graph.value(graph.root()) else { panic!() };
        assert_eq!((sign, long.digits().collect::<Vec<_>>().as_slice(), long.to_i64()), (negative, digits, value));
    };
    check_long(b"l\0\0\0\0", false, &[], Some(0));
    check_long(b"l\xfe\xff\xff\xff\x01\x00\x02\x00", true, &[1, 2], Some(-0x1_0001));
    check_long(
        b"l\x05\0\0\0\xff\x7f\xff\x7f\xff\x7f\xff\x7f\x07\0",
        false,
        &[0x7FFF, 0x7FFF, 0x7FFF, 0x7FFF, 7],
        Some(i64::MAX),
    );
    check_long(b"l\x05\0\0\0\0\0\0\0\0\0\0\0\x08\0", false, &[0, 0, 0, 0, 8], None);
    check_long(b"l\xfb\xff\xff\xff\0\0\0\0\0\0\0\0\x08\0", true, &[0, 0, 0, 0, 8], Some(i64::MIN));
    check_long(b"l\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0", false, &[0, 0, 0, 0, 0, 1], None);

    let check_text = |stream: &[u8], text: &str, points: &[u32], latin1: bool, interned: bool| {
        let profile = profile("3.12");
        let graph = read(stream, &profile).unwrap();
        let Value::Str(seen) = graph.value(graph.root()) else { panic!() };
        assert_eq!(seen.to_string_lossy(), text);
        assert_eq!(seen.code_points().collect::<Vec<_>>(), points);
        assert_eq!((seen.latin1, seen.interned, seen.is_ascii()), (latin1, interned, text.is_ascii()));
    };
    check_text(b"z\x02\xe9a", "\u{e9}a", &[0xE9, 0x61], true, false);
    check_text(b"Z\x01a", "a", &[0x61], true, true);
    check_text(b"u\x01\0\0\0a", "a", &[0x61], false, false);
    check_text(b"t\x02\0\0\0\xc3\xa9", "\u{e9}", &[0xE9], false, true);
    check_text(b"u\x03\0\0\0\xed\xa0\x80", "\u{fffd}", &[0xD800], false, false);
    check_text("u\x07\0\0\0\u{20ac}\u{1f40d}".as_bytes(), "\u{20ac}\u{1f40d}", &[0x20AC, 0x1_F40D], false, false);
    check_text("u\x05\0\0\0\u{7ff}\u{800}".as_bytes(), "\u{7ff}\u{800}", &[0x7FF, 0x800], false, false);

    let check = |version: &str, stream: &[u8], expected: Value| {
        let profile = profile(version);
        let graph = read(stream, &profile).unwrap();
        assert_eq!(graph.value(graph.root()), expected, "{version} {stream:x?}");
    };
    check("3.12", b"f\x041.25", Value::FloatText(b"1.25"));
    check("3.12", b"x\x011\x02-2", Value::ComplexText(b"1", b"-2"));
    check("3.12", b"g\x01\0\0\0\0\0\xf8\x3f", Value::Float(0x3FF8_0000_0000_0001));
    check("3.12", b"y\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0", Value::Complex(1, 2));
    check("3.12", b"I\xfe\xff\xff\xff\xff\xff\xff\xff", Value::Int64(-2));
    check("2.7", b"I\x01\x02", Value::Int64(-0xFDFF));
    check("2.7", b"t\x01\0\0\0a", Value::InternedBytes(b"a"));
    check("3.12", b"S", Value::StopIteration);
    check("3.12", b"{0", Value::Dict(&[]));
}

#[test]
fn containers_are_seen_with_their_items() {
    let check = |version: &str, stream: &[u8], flagged: bool, children: &[u8]| {
        let profile = profile(version);
        let graph = read(stream, &profile).unwrap();
        let root = graph.root();
        assert_eq!((graph.type_byte(root), graph.is_flagged(root)), (stream[0] & 0x7F, flagged), "{stream:x?}");
        let (Value::Tuple(items)
        | Value::List(items)
        | Value::Set(items)
        | Value::FrozenSet(items)
        | Value::Dict(items)
        | Value::FrozenDict(items)
        | Value::Slice(items)) = graph.value(root)
        else {
            panic!("{stream:x?}: {:?}", graph.value(root))
        };
        assert_eq!(items.iter().map(|id| graph.type_byte(*id)).collect::<Vec<_>>(), children, "{stream:x?}");
    };
    check("3.12", b")\x02NT", false, b"NT");
    check("3.12", b"\xdb\x01\0\0\0N", true, b"N");
    check("3.12", b"<\x01\0\0\0N", false, b"N");
    check("3.12", b"\xbe\x01\0\0\0N", true, b"N");
    check("3.12", b"{NTFS0", false, b"NTFS");
    check("3.12", b"{NT0", false, b"NT");
    check("3.12", b"{NTF0", false, b"NT");
    check("3.14", b":NTF", false, b"NTF");
    check("3.15", b"}NT0", false, b"NT");
}

#[test]
fn errors_say_what_and_where() {
    let check = |version: &str, stream: &[u8], kind: ErrorKind, offset: usize| {
        let error = read(stream, &profile(version)).unwrap_err();
        assert_eq!((error.kind, error.offset), (kind, offset), "{version} {stream:x?}");
    };
    check("3.10", b")", ErrorKind::EndAtObject, 1);
    check("3.12", b")", ErrorKind::EndAtLength, 1);
    check("3.12", b"z", ErrorKind::EndAtLength, 1);
    check("3.12", b"[\x02\0\0\0N", ErrorKind::EndAtObject, 6);
    check("3.12", b"i\0", ErrorKind::EndInside, 2);
    check("3.12", b"s\x05\0\0\0ab", ErrorKind::EndInside, 7);
    check("3.12", b"[\x02\0\0\0N?", ErrorKind::UnknownType(b'?'), 6);
    check("3.12", b"[\x02\0\0\0N0", ErrorKind::Null("list"), 6);
    check("3.12", b"[\x02\0\0\0Nr\0\0\0\0", ErrorKind::Reference, 7);
    check("3.12", b"[\xff\xff\xff\xff", ErrorKind::Size("list"), 1);
    check("3.12", b"l\x03\0\0\0\x01\0\0\x80\x01\0", ErrorKind::Digit, 7);
    check("3.12", b"l\x03\0\0\0\x01\0\x01\0\0\0", ErrorKind::Unnormalized, 9);
    check("3.12", b"l\x01\0\0\0\0\0", ErrorKind::Unnormalized, 5);
    check("3.12", b"[\x01\0\0\0f\x021x", ErrorKind::FloatText(b"1x".as_slice().into()), 7);
    // Of a code object: the first integer that is wrong, then the first object.
    for (version, ints, objects) in [("2.7", 4, 9), ("3.6", 5, 9), ("3.10", 6, 9), ("3.12", 5, 10)] {
        let code =
            |argcount: i32, rest: &[u8]| [&b"c"[..], &argcount.to_le_bytes(), &vec![0; 4 * ints - 4], rest].concat();
        let nones = [&b"N".repeat(8)[..], &[0; 4], &b"N".repeat(objects - 8)].concat();
        check(version, &code(0, &nones), ErrorKind::CodeField("code"), 0);
        check(version, &code(-1, &nones), ErrorKind::CodeField("argcount"), 0);
        let constants = [&b"s\0\0\0\0"[..], &nones[1..]].concat();
        check(version, &code(0, &constants), ErrorKind::CodeField("consts"), 0);
    }
}

/// Where the model gives up is arbitrary, but documented: 4096 steps and 16 more for each object, or 65536 bytes and 16 more for
/// each byte of the stream, counted when a container begins or a long string is written.
#[test]
fn dumps_that_grow_without_end_are_given_up() {
    let check = |inner: &[u8], references: u32, ends: bool| {
        let profile = profile("3.12");
        let head = [&b"["[..], &(references + 1).to_le_bytes()].concat();
        let stream = [&head, inner, &b"r\0\0\0\0".repeat(references as usize)[..]].concat();
        let graph = read(&stream, &profile).unwrap();
        let dump = Loaded::new(&graph, &profile).dump(2);
        assert_eq!(dump != Dump::Undefined(Cause::Expansion), ends, "{references} references");
    };
    let list = [&b"\xdb\x10\0\0\0"[..], &[b'N'; 16]].concat();
    check(&list, 4383, true);
    check(&list, 4384, false);
    let bytes = [&b"\xf3\x6c\0\0\0"[..], &[b'x'; 108]].concat();
    check(&bytes, 2043, true);
    check(&bytes, 2044, false);
}

/// Known from the reader's source: `I` is a `long` where a C long has 32 bits.
#[test]
fn a_python2_of_32_bits_has_other_ints() {
    let stream = b"I\0\0\0\0\x01\0\0\0";
    for (bits, canon, dump) in
        [(64, "int 100000000\n", &stream[..]), (32, "long 100000000\n", b"l\x03\0\0\0\0\0\0\0\x04\0")]
    {
        let profile = profile("2.7").with_pointer_bits(bits);
        let graph = read(stream, &profile).unwrap();
        let loaded = Loaded::new(&graph, &profile);
        assert_eq!(loaded.canon(), canon);
        assert!(matches!(loaded.dump(2), Dump::Bytes { bytes, .. } if bytes == dump));
    }
}

#[test]
fn losses_are_those_of_what_is_dumped() {
    let check = |version: &str, stream: &[u8], expected: [Option<&str>; 3]| {
        let profile = profile(version);
        let graph = read(stream, &profile).unwrap();
        let loaded = Loaded::new(&graph, &profile);
        assert_eq!([0, 2, 4].map(|v| loaded.loss(v).map(|loss| loss.name())), expected, "{version} {stream:x?}");
    };
    let nan = b"g\x01\0\0\0\0\0\xf8\x7f".as_slice();
    check("3.12", b"N", [None; 3]);
    check("3.12", nan, [Some("nan-bits"), None, None]);
    // A value that another one has replaced is lost already.
    check("3.12", &[b"{N", nan, b"NT0"].concat(), [None; 3]);
    check("3.12", b"[\x02\0\0\0\xdb\0\0\0\0r\0\0\0\0", [Some("sharing"), Some("sharing"), None]);
    check("3.12", b"[\x02\0\0\0\xa9\0r\0\0\0\0", [None; 3]);
    check("3.12", b"[\x02\0\0\0\xe9\xe8\x03\0\0r\0\0\0\0", [None; 3]);
    check("2.7", b"u\x06\0\0\0\xed\xa0\xbd\xed\xb8\x80", [Some("surrogate-pairs"); 3]);
    // A frozenset whose name is interned by a code object is made anew, and shares the frozendict with the old one.
    let consts = b"s\0\0\0\0)\x01\xbe\x02\0\0\0}NT0z\x02ab)\0)\0s\0\0\0\0z\x01fz\x01fz\x01f";
    let code = [&b"c"[..], &[0; 20], consts, &[0; 4], b"s\0\0\0\0s\0\0\0\0"].concat();
    let twice = [b")\x02", &code[..], b"r\0\0\0\0"].concat();
    check("3.15.0", &twice, [Some("sharing"), Some("sharing"), Some("frozendict-reference")]);
    check("3.15.1", &twice, [Some("sharing"), Some("sharing"), None]);
}

/// Members that print alike and are held by something else may print in another order; leaves have no numbers, so it does
/// not matter who holds them.
#[test]
fn canons_vary_where_members_print_alike_and_are_held_elsewhere() {
    let nan = b"g\0\0\0\0\0\0\xf8\x7f".as_slice();
    let tuple = |flag: u8, item: &[u8]| [&[b')' | flag, 1], item].concat();
    let check = |members: [Vec<u8>; 2], elsewhere: &[u8], varies: bool| {
        let stream = [b"[\x02\0\0\0<\x02\0\0\0", &members.concat()[..], elsewhere].concat();
        let profile = profile("3.12");
        let graph = read(&stream, &profile).unwrap();
        let loaded = Loaded::new(&graph, &profile);
        assert_eq!(loaded.canon_aspect().map(Aspect::name), varies.then_some("equal-members"), "{stream:x?}");
    };
    let flagged = [&[nan[0] | 0x80], &nan[1..]].concat();
    check([nan.to_vec(), nan.to_vec()], b"N", false);
    check([tuple(0, nan), tuple(0, nan)], b"N", false);
    check([tuple(0x80, nan), tuple(0, nan)], b"r\0\0\0\0", true);
    check([tuple(0, nan), tuple(0x80, nan)], b"r\0\0\0\0", true);
    check([tuple(0, &flagged), tuple(0, nan)], b"r\0\0\0\0", false);
    check([tuple(0x80, nan), tuple(0, b"T")], b"r\0\0\0\0", false);
    check([tuple(0, &tuple(0x80, nan)), tuple(0, &tuple(0, nan))], b"r\0\0\0\0", true);
    // Empty tuples are one object, and have no number.
    let pair = || [b")\x02)\0", nan].concat();
    check([pair(), pair()], b"N", false);
}

/// Graphs that can be written, but that no interpreter takes.
#[test]
fn graphs_that_would_be_refused_have_no_value() {
    let profile = profile("3.12");
    let check = |stream: &[u8], place: usize, child: fn(Value) -> bool| {
        let mut graph = read(stream, &profile).unwrap();
        let child = graph.ids().find(|id| child(graph.value(*id))).unwrap();
        let (Value::List(items) | Value::Dict(items)) = graph.value(graph.root()) else { panic!() };
        let (other, free) = (items[place], items[1 - place]);
        assert!(graph.set_child(graph.root(), place, child));
        assert!(free != child || graph.set_child(graph.root(), 1 - place, other));
        assert!(read(&graph.write().unwrap(), &profile).is_err());
        let loaded = Loaded::new(&graph, &profile);
        assert_eq!((loaded.hazard(), loaded.canon().as_str()), (Some(Cause::UnsoundGraph), ""));
    };
    check(b"[\x02\0\0\0N{NN0", 0, |value| matches!(value, Value::Null));
    check(b"{N[\0\0\0\x000", 0, |value| matches!(value, Value::List(_)));
}

/// What has no parts may be in many places, as many objects.
#[test]
fn leaves_may_be_in_many_places() {
    for profile in Profile::all() {
        let mut graph = Graph::new(profile);
        let leaves = [graph.float(1.5), graph.int(1 << 40), graph.int(1), graph.bytes(b"ab"), graph.str("ab")];
        let places: Vec<NodeId> = leaves.iter().flat_map(|leaf| [*leaf; 3]).collect();
        let again = graph.reference(leaves[4]);
        let root = graph.list(&[&places[..], &[again, again]].concat());
        graph.set_root(root);
        let stream = graph.write().unwrap();
        let back = read(&stream, profile).unwrap();
        let [built, read] = [&graph, &back].map(|graph| Loaded::new(graph, profile));
        assert_eq!(built.canon(), read.canon());
        assert_eq!(built.canon().lines().count(), 18);
        for version in 0..=profile.marshal_version {
            assert_eq!(built.dump(version), read.dump(version), "{}", profile.version);
        }
    }
}

/// Nodes of other graphs, references before their objects, containers in themselves: refused, and no reason to panic.
#[test]
fn graphs_that_are_built_wrong_are_refused() {
    let profile = profile("3.12");
    let foreign = {
        let mut other = Graph::new(&profile);
        (0..9).map(|_| other.none()).last().unwrap()
    };
    let check = |build: &dyn Fn(&mut Graph) -> NodeId, expected: fn(&WriteError) -> bool| {
        let mut graph = Graph::new(&profile);
        graph.none();
        let root = build(&mut graph);
        graph.set_root(root);
        let error = graph.write().unwrap_err();
        assert!(expected(&error), "{error}");
        let loaded = Loaded::new(&graph, &profile);
        assert_eq!(loaded.hazard(), Some(Cause::UnsoundGraph), "{error}");
        assert_eq!((loaded.canon().as_str(), loaded.canon_aspect(), loaded.loss(4)), ("", None, None), "{error}");
        assert_eq!(loaded.dump(4), Dump::Undefined(Cause::UnsoundGraph), "{error}");
        assert_eq!(graph.value(foreign), Value::Null);
    };
    check(&|_| foreign, |e| matches!(e, WriteError::Foreign(_)));
    check(&|graph| graph.tuple(&[foreign]), |e| matches!(e, WriteError::Foreign(_)));
    check(&|graph| graph.reference(foreign), |e| matches!(e, WriteError::DanglingReference { .. }));
    check(
        &|graph| {
            let list = graph.list(&[]);
            let around = graph.list(&[list]);
            assert!(graph.set_child(around, 0, around) && !graph.set_child(foreign, 0, around));
            around
        },
        |e| matches!(e, WriteError::Cycle(_)),
    );
    // Two objects for who reads them, and one for who looks at the graph.
    check(
        &|graph| {
            let shared = graph.tuple(&[]);
            let list = graph.list(&[shared]);
            graph.tuple(&[list, shared])
        },
        |e| matches!(e, WriteError::Twice(_)),
    );
    check(
        &|graph| {
            let (one, two) = (graph.float(1.5), graph.none());
            let list = graph.list(&[one, two]);
            assert!(graph.set_child(list, 1, one));
            list
        },
        |e| matches!(e, WriteError::Twice(_)),
    );
    // Written each time there would be twice as many of each next one.
    check(&|graph| (0..5).fold(graph.none(), |inner, _| graph.tuple(&[inner, inner])), |e| {
        matches!(e, WriteError::Twice(_))
    });
    check(
        &|graph| {
            let name = graph.str("x");
            let first = graph.reference(name);
            graph.tuple(&[first, name])
        },
        |e| matches!(e, WriteError::DanglingReference { .. }),
    );
}

#[test]
fn references_are_seen_as_what_they_refer_to() {
    let profile = profile("3.12.1");
    let graph = read(b"[\x02\0\0\0\xda\x01xr\0\0\0\0", &profile).unwrap();
    let Value::List(items) = graph.value(graph.root()) else { panic!() };
    assert!(matches!(graph.value(items[1]), Value::Ref(target) if target == items[0]));
    assert_eq!(graph.resolve(items[1]), items[0]);
}
