//! What builds of CPython answer that differ from the usual one: seen on 32-bit x86 and debug builds.

use pyc_core::model::{Dump, Loaded};
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
        check(&usual("3.13.18"), deadly, b")\0", Ok(Cause::InstrumentedOpcode));
    }
    // Only what writes caches can write them out of bounds.
    check(&usual("3.14.10"), 44, b")\0", unknown);
    check(&usual("3.13.18"), 150, b")\0", unknown);
    check(&usual("3.11.7"), 166, b")\0", Ok(Cause::CachesPastEnd));
    let list = "cannot use 'code' as a set element (unhashable type: 'list')";
    let stream = container(b"<", &[&code(&[238, 0], b")\x01[\0\0\0\0", b")\0")]);
    assert_eq!(read(&stream, &usual("3.14.10")).unwrap_err().exception(&usual("3.14.10")).message, list);
}
