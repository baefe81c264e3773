//! What builds of CPython answer that differ from the usual one: seen on 32-bit x86.

use pyc_core::model::{Dump, Loaded};
use pyc_core::{Profile, Release, read};

fn usual(release: &str) -> Profile {
    Profile::for_release(&Release::parse(release).unwrap()).unwrap()
}

fn x86(release: &str) -> Profile {
    usual(release).with_pointer_bits(32).with_quiet_nans(true)
}

fn dump(profile: &Profile, stream: &[u8], version: u8) -> Dump {
    Loaded::new(&read(stream, profile).unwrap(), profile).dump(version)
}

/// A container of up to 255 items.
fn container(code: &[u8], items: &[&[u8]]) -> Vec<u8> {
    let n = u8::try_from(items.len()).unwrap();
    let padding = if code == b")" || code == b"\xa9" { 0 } else { 3 };
    [code, &[n], &[0; 3][..padding], &items.concat()].concat()
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
