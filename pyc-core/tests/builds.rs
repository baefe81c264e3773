//! What builds of CPython answer that differ from the usual one: seen on 32-bit x86, debug builds and a free-threaded 3.13.

use pyc_core::model::{Aspect, Dump, Loaded};
use pyc_core::{Cause, Profile, Release, read};

fn usual(release: &str) -> Profile {
    Profile::for_release(&Release::parse(release).unwrap()).unwrap()
}

fn x86(release: &str) -> Profile {
    usual(release).with_pointer_bits(32).with_quiet_nans(true)
}

fn debug(release: &str) -> Profile {
    usual(release).with_assertions(true)
}

fn free_threaded() -> Profile {
    usual("3.13.15").with_free_threading(true)
}

fn dump(profile: &Profile, stream: &[u8], version: u8) -> Dump {
    Loaded::new(&read(stream, profile).unwrap(), profile).dump(version)
}

/// Why reading a stream, or its value, is undefined.
fn cause(profile: &Profile, stream: &[u8]) -> Option<Cause> {
    read(stream, profile).map_or_else(|error| error.cause(), |graph| Loaded::new(&graph, profile).hazard())
}

/// A container of up to 255 items.
fn container(code: &[u8], items: &[&[u8]]) -> Vec<u8> {
    let n = u8::try_from(items.len()).unwrap();
    let padding = if code == b")" || code == b"\xa9" { 0 } else { 3 };
    [code, &[n], &[0; 3][..padding], &items.concat()].concat()
}

/// A code object since 3.11 with these instructions, constants and names.
fn code(instructions: &[u8], consts: &[u8], names: &[u8]) -> Vec<u8> {
    let length = u32::try_from(instructions.len()).unwrap().to_le_bytes();
    let head = [&b"c"[..], &[0; 20], b"s", &length, instructions, consts, names].concat();
    [&head[..], b")\0s\0\0\0\0", &b"z\x01f".repeat(3), &[0; 4], &b"s\0\0\0\0".repeat(2)].concat()
}

/// NaNs are quiet once they are loaded, so they are printed and dumped so; what a text says is a quiet one.
#[test]
fn the_x87_makes_nans_quiet() {
    const SIGNALLING: &[u8] = b"\x01\0\0\0\0\0\xf0\x7f";
    const QUIET: &[u8] = b"\x01\0\0\0\0\0\xf8\x7f";
    const INFINITE: &[u8] = b"\0\0\0\0\0\0\xf0\xff";
    let check = |stream: &[u8], canon: &str, expected: &[u8]| {
        for release in ["3.11.2", "3.13.18", "3.14.10", "3.15.2"] {
            let profile = x86(release);
            let graph = read(stream, &profile).unwrap();
            assert_eq!(Loaded::new(&graph, &profile).canon(), canon, "{release} {stream:x?}");
            assert_eq!(graph.write_anew().unwrap(), stream);
            assert!(matches!(dump(&profile, stream, 4), Dump::Bytes { bytes, .. } if bytes == expected), "{stream:x?}");
        }
    };
    let float = |bits: &[u8]| [b"g", bits].concat();
    let complex = |real: &[u8], imaginary: &[u8]| [b"y", real, imaginary].concat();
    check(&float(SIGNALLING), "float 7ff8000000000001\n", &float(QUIET));
    check(&float(b"\0\0\0\0\0\0\xf4\xff"), "float fffc000000000000\n", &float(b"\0\0\0\0\0\0\xfc\xff"));
    check(&float(INFINITE), "float fff0000000000000\n", &float(INFINITE));
    check(&complex(SIGNALLING, INFINITE), "complex 7ff8000000000001 fff0000000000000\n", &complex(QUIET, INFINITE));
    // Short of the common way of dumps, too.
    let [before, after] =
        [SIGNALLING, QUIET].map(|bits| container(b"[", &[b"N", &complex(INFINITE, bits), b"z\x02ab"]));
    check(&before, "list 3\nnone\ncomplex fff0000000000000 7ff8000000000001\nstr \"ab\"\n", &after);
    check(b"f\x03nan", "float 7ff8000000000000\n", &float(b"\0\0\0\0\0\0\xf8\x7f"));
    // Members of sets are still told apart by identity.
    let set = container(b"<", &[&float(SIGNALLING), &float(QUIET)]);
    let graph = read(&set, &x86("3.13.18")).unwrap();
    assert!(Loaded::new(&graph, &x86("3.13.18")).canon().starts_with("set 2\n"));
}

/// Debug builds of 3.14 and 3.15 die of opcodes that are none, as soon as they look at them. All 256 were tried.
#[test]
fn assertions_about_opcodes() {
    for (release, none) in [("3.13.18", &[][..]), ("3.14.10", &[212..=233]), ("3.15.2", &[219..=232, 255..=255])] {
        for opcode in 0..=255 {
            let stream = code(&[&[opcode, 0][..], &[9, 0].repeat(24)].concat(), b")\0", b")\0");
            let usual = cause(&usual(release), &stream);
            let is_none = none.iter().any(|range| range.contains(&opcode));
            let expected = if is_none { Some(Cause::DebugAssertion) } else { usual };
            assert_eq!(cause(&debug(release), &stream), expected, "{release} {opcode}");
            assert!(usual.is_none() || !is_none, "{release} {opcode}");
        }
    }
}

/// The hash of a code object looks at its instructions, after its constants; whatever comes later is not read.
#[test]
fn hashes_look_at_opcodes() {
    let check = |profile: &Profile, opcode: u8, consts: &[u8], expected: Result<Cause, &str>| {
        let code = code(&[opcode, 0], consts, b")\0");
        for stream in [container(b"<", &[&code, b"?"]), [b"{", &container(b")", &[&code])[..], b"N?"].concat()] {
            let error = read(&stream, profile).unwrap_err();
            let found = error.cause().ok_or(error.exception(profile).message);
            assert_eq!(found, expected.map_err(String::from), "{} {opcode}", profile.release);
        }
    };
    let unknown = Err("bad marshal data (unknown type code)");
    for (release, none, deadly) in [("3.14.10", 212, 238), ("3.15.2", 219, 237)] {
        check(&debug(release), none, b")\0", Ok(Cause::DebugAssertion));
        check(&usual(release), none, b")\0", unknown);
        for profile in [debug(release), usual(release)] {
            check(&profile, deadly, b")\0", Ok(Cause::InstrumentedOpcode));
            check(&profile, 9, b")\0", unknown);
        }
    }
    for deadly in [70, 247, 254] {
        for profile in [usual("3.13.18"), free_threaded()] {
            check(&profile, deadly, b")\0", Ok(Cause::InstrumentedOpcode));
        }
    }
    // Only what writes caches can write them out of bounds.
    check(&usual("3.14.10"), 44, b")\0", unknown);
    check(&usual("3.13.18"), 150, b")\0", unknown);
    check(&usual("3.11.7"), 166, b")\0", Ok(Cause::CachesPastEnd));
    let list = "cannot use 'code' as a set element (unhashable type: 'list')";
    let stream = container(b"<", &[&code(&[238, 0], b")\x01[\0\0\0\0", b")\0")]);
    assert_eq!(read(&stream, &usual("3.14.10")).unwrap_err().exception(&usual("3.14.10")).message, list);
}

/// Instructions are not specialized, so loading does not look at them.
#[test]
fn a_free_threaded_build_loads_any_instructions() {
    let broken = container(b"[", &[&code(&[247, 0], b")\0", b")\0"), b"?"]);
    assert_eq!(cause(&usual("3.13.15"), &broken), Some(Cause::InstrumentedOpcode));
    assert_eq!(cause(&free_threaded(), &broken), None);
    assert_eq!(cause(&free_threaded(), &code(&[247, 0], b")\0", b")\0")), Some(Cause::InstrumentedOpcode));
}

const INT: &[u8] = b"i\x2c\x01\0\0";
const TEXT: &[u8] = b"z\x02a!";
const NAN: &[u8] = b"g\0\0\0\0\0\0\xf8\x7f";

fn flagged(object: &[u8]) -> Vec<u8> {
    [&[object[0] | 0x80], &object[1..]].concat()
}

/// A list of these items and a code object with these constants, and what of its dump comes before the names.
fn check_constants(items: &[&[u8]], consts: &[&[u8]], dumped_items: &[&[u8]], dumped_consts: &[&[u8]]) {
    let code = code(b"", &container(b")", consts), b")\0");
    let stream = container(b"[", &[items, &[&code]].concat());
    let head = [&b"\xe3"[..], &[0; 12], &[1], &[0; 7], b"\xf3\0\0\0\0", &container(b")", dumped_consts)].concat();
    let expected = container(b"[", &[dumped_items, &[&head]].concat());
    let dump = dump(&free_threaded(), &stream, 4);
    let Dump::Bytes { bytes, unpredictable: None } = dump else { panic!("{stream:x?}: {dump:?}") };
    assert_eq!(&bytes[..expected.len()], expected, "{stream:x?}");
}

/// Equal constants are one object, which nobody counts the references of; nor those of code objects.
#[test]
fn a_free_threaded_build_keeps_constants() {
    let int = &flagged(INT)[..];
    let check = |consts: &[&[u8]], dumped: &[&[u8]]| check_constants(&[], consts, &[], dumped);
    check(&[INT, INT], &[int, b"r\x02\0\0\0"]);
    check(&[b"g\0\0\0\0\0\0\x04\x40", b"f\x032.5"], &[b"\xe7\0\0\0\0\0\0\x04\x40", b"r\x02\0\0\0"]);
    check(&[b"f\x010", b"f\x02-0"], &[&[b"\xe7", &[0; 8][..]].concat(), b"\xe7\0\0\0\0\0\0\0\x80"]);
    check(&[b"l\x01\0\0\0\x01\0", b"i\x01\0\0\0"], &[b"\xe9\x01\0\0\0", b"\xe9\x01\0\0\0"]);
    check(&[b"s\x02\0\0\0ab", b"z\x02ab", TEXT], &[b"\xf3\x02\0\0\0ab", b"\xda\x02ab", TEXT]);
    for (read, written) in [(b"(\x02\0\0\0", &b"\xa9\x02"[..]), (b">\x02\0\0\0", b"\xbe\x02\0\0\0")] {
        let [read, written] = [&[read, &b"N"[..], INT].concat(), &[written, b"N", int].concat()];
        check(&[read, read], &[written, b"r\x02\0\0\0"]);
        check(&[&container(b")", &[read]), read], &[&container(b"\xa9", &[written]), b"r\x03\0\0\0"]);
    }
    // What holds something that is counted is not kept.
    let [with_list, with_text] = [&b"[\0\0\0\0"[..], TEXT].map(|other| container(b")", &[INT, other]));
    let first = [b")\x02", int, b"[\0\0\0\0"].concat();
    check(&[&with_list, &with_list], &[&first, b")\x02r\x02\0\0\0[\0\0\0\0"]);
    check(&[&with_text, INT], &[&[b")\x02", int, TEXT].concat(), b"r\x02\0\0\0"]);
}

/// The object that is kept was made by another load, so one that is read here is another one; but for NaNs, whose hash is
/// their address.
#[test]
fn what_a_free_threaded_build_keeps_is_seldom_what_it_reads() {
    let first = b"r\0\0\0\0";
    let nan = &flagged(NAN)[..];
    check_constants(&[&flagged(INT)], &[first], &[INT], &[&flagged(INT)]);
    check_constants(&[nan], &[first], &[nan], &[first]);
    check_constants(&[], &[NAN, NAN], &[], &[nan, nan]);
    let tuple = container(b")", &[NAN]);
    check_constants(
        &[&flagged(&tuple)],
        &[first, &tuple],
        &[&container(b"\xa9", &[nan])],
        &[first, &container(b"\xa9", &[nan])],
    );
    // Names are interned in a tuple that is a constant, too: of another code object, so that it is kept when it comes.
    let names = code(b"", b")\0", first);
    let constant = code(b"", &container(b")", &[first]), b")\0");
    let tuple = container(b"\xa9", &[TEXT]);
    let dumped = dump(&free_threaded(), &container(b"[", &[&tuple, &names, &constant]), 4);
    let kept = b")\x01\xa9\x01r\x01\0\0\0";
    assert!(
        matches!(&dumped, Dump::Bytes { bytes, .. } if bytes.windows(kept.len()).any(|it| it == kept)),
        "{dumped:x?}"
    );
}

/// A code object that is dropped stays until a collection, and owns what it holds.
#[test]
fn a_free_threaded_build_leaves_code_objects_to_collections() {
    let tuple = container(b")", &[TEXT]);
    let codes = [&tuple, &flagged(&tuple)].map(|constant| code(b"", &container(b")", &[constant]), b")\0"));
    let stream = container(b"[", &[&container(b"<", &[&codes[0], &codes[1]]), b"r\0\0\0\0"]);
    for (profile, end) in [(usual("3.13.15"), &tuple), (free_threaded(), &flagged(&tuple))] {
        let dump = dump(&profile, &stream, 4);
        assert!(matches!(&dump, Dump::Bytes { bytes, .. } if bytes.ends_with(end)), "{dump:x?}");
    }
}

/// Two frozensets are one if their hash tables have the same order, which the stream does not tell.
#[test]
fn frozensets_that_a_free_threaded_build_keeps() {
    let check = |left: &[u8], right: &[u8], expected: Option<Aspect>| {
        let [left, right] = [left, right].map(|items| [b">\x02\0\0\0", items].concat());
        let stream = code(b"", &container(b")", &[&left, &right]), b")\0");
        let profile = free_threaded();
        let graph = read(&stream, &profile).unwrap();
        let loaded = Loaded::new(&graph, &profile);
        assert_eq!(loaded.canon_aspect(), expected, "{stream:x?}");
        for (version, expected) in [(2, None), (4, expected)] {
            let dump = loaded.dump(version);
            assert!(matches!(dump, Dump::Bytes { unpredictable, .. } if unpredictable == expected), "{dump:?}");
        }
        let usual = Loaded::new(&graph, &usual("3.13.15")).canon_aspect();
        assert_eq!(usual, None);
    };
    let [one, other] = [b"Ni\x2c\x01\0\0", b"i\x2c\x01\0\0N"];
    check(one, one, None);
    check(one, other, Some(Aspect::KeptFrozensets));
    check(b"TF", b"TF", None);
    check(b"TF", b"FT", Some(Aspect::KeptFrozensets));
    check(b"TF", b"NT", None);
}

/// Whether there is memory for a list, nobody knows; a stream that fills it has a value all the same.
#[test]
fn lists_that_there_may_not_be_memory_for() {
    let expected = [(0x7fff_ffff, true), ((1 << 23) + 1, true), (1 << 23, false), (300, false)];
    for (size, is_undefined) in expected {
        let stream = [&b"["[..], &u32::to_le_bytes(size)].concat();
        assert_eq!(cause(&free_threaded(), &stream), is_undefined.then_some(Cause::MemoryForList), "{size}");
        for (profile, code) in [(usual("3.13.15"), b"["), (free_threaded(), b"("), (free_threaded(), b"<")] {
            assert_eq!(cause(&profile, &[&code[..], &stream[1..]].concat()), None, "{size}");
        }
    }
}
