//! Damaged files are repaired as far as that goes, and it is said what was done.

mod schema;

use pyc_core::{Profile, Pyc, read};
use std::path::Path;
use std::process::Command;

fn greet(version: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../corpus/seeds/greet-{version}.pyc"));
    std::fs::read(file).unwrap()
}

fn provost(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_provost")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code().unwrap(), text)
}

/// Repairs these bytes: the status, what is said, and the file afterwards.
fn repaired(bytes: &[u8], more: &[&str]) -> (i32, String, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.pyc");
    std::fs::write(&file, bytes).unwrap();
    let arguments = [&["repair", "--in-place"], more, &[file.to_str().unwrap()]].concat();
    let (status, text) = provost(&arguments);
    assert_eq!(more.contains(&"--json"), schema::fits("repair", &text) > 0, "{text}");
    (status, text, std::fs::read(&file).unwrap())
}

/// What is repaired is the file that it was.
#[test]
fn headers_and_text_are_repaired() {
    for profile in Profile::all() {
        let good = greet(&profile.version.to_string());
        let start = profile.header.length();
        let check = |what: &str, bytes: &[u8], said: &str, keeps_header: bool| {
            let (status, text, now) = repaired(bytes, &[]);
            let at = format!("{what} of {}: {text}", profile.version);
            assert!(status == 0 && text.contains(said), "{at}");
            assert_eq!(&now[start..], &good[start..], "{at}");
            assert_eq!(Pyc::parse(&now).unwrap().profile(), profile, "{at}");
            assert!(!keeps_header || now == good, "{at}");
            // Once is enough.
            let (status, text, again) = repaired(&now, &[]);
            assert!(status == 0 && again == now && text.contains("good"), "{at}{text}");
        };
        check("the good file", &good, "good", true);
        check("the bare stream", &good[start..], "there was no header", false);
        // Of another length, with the time that it has.
        let time = if start == 16 { &good[8..12] } else { &good[4..8] };
        for length in [8, 12, 16].into_iter().filter(|length| *length != start) {
            let mut header = [&good[..4], time, &[0; 8]].concat();
            if length == 16 {
                header = [&good[..4], &[0; 4], time, &[0; 4]].concat();
            }
            let bytes = [&header[..length], &good[start..]].concat();
            check(
                "another header",
                &bytes,
                &format!("the header had {length} bytes: one of {start} bytes is written"),
                false,
            );
        }
        let latin1: String = good.iter().map(|byte| char::from(*byte)).collect();
        check("UTF-8", latin1.as_bytes(), "written as UTF-8", true);
    }
    // Line feeds that were not preceded by carriage returns.
    let good = greet("3.12");
    let mangled: Vec<u8> =
        good.iter().flat_map(|byte| if *byte == b'\n' { b"\r\n".to_vec() } else { vec![*byte] }).collect();
    let (status, text, now) = repaired(&mangled, &[]);
    assert!(status == 0 && now == good, "{text}");
    let dos = [&good[..4], &mangled[5..]].concat();
    let (status, text, now) = repaired(&dos, &[]);
    assert!(status == 0 && now == good && text.contains("each line feed became"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.pyc");
    std::fs::write(&file, &dos).unwrap();
    for command in ["check", "verify", "identify"] {
        let (_, text) = provost(&[command, file.to_str().unwrap()]);
        assert!(text.contains("each line feed became a carriage return and a line feed"), "{command}: {text}");
    }
    // Inside of something else.
    let inside = [&[7; 100][..], &good[16..], &[9; 30]].concat();
    let (status, text, now) = repaired(&inside, &[]);
    assert!(status == 0 && now[16..] == good[16..] && text.contains("begins at byte 0x64"), "{text}");
    // A magic number that nobody has; and one that lost its carriage return. What else is in the header stays.
    let header = |flags: u32| [&good[..4], &flags.to_le_bytes(), &good[8..]].concat();
    let hashed =
        |flags: u32| [&good[..4], &flags.to_le_bytes(), b"\x11\x22\x33\x44\x55\x66\x77\x88", &good[16..]].concat();
    for (bytes, expected, said) in [
        (
            [&b"\xa8\x0d\x0d\x0a"[..], &good[4..]].concat(),
            good.clone(),
            &["the magic number 3496 is that of nobody known"][..],
        ),
        (
            [&b"\xee\xee\x0d\x0a"[..], &good[4..]].concat(),
            good.clone(),
            &["the magic number 61166 is that of nobody known"],
        ),
        ([&b"\xa8\x0d\x0d\x0a"[..], &header(3)[4..]].concat(), header(3), &["3496"]),
        (
            [&b"\xcb\x0d\x0a"[..], &good[4..]].concat(),
            good.clone(),
            &["became a line feed", "the magic number is written again"],
        ),
        ([b"\xef\xbb\xbf", &header(3)[..]].concat(), header(3), &["3 bytes before the magic number are left out"]),
        ([&[7; 99], &good[..]].concat(), good.clone(), &["99 bytes before the magic number are left out"]),
        ([&good[..16], &[0; 4], &good[16..]].concat(), good.clone(), &["the header had 20 bytes"]),
        (header(7), header(0), &["no Python knows the flags 0x7: 0x0 is written, as it seems that time and size"]),
        (header(u32::MAX), header(0), &["no Python knows the flags 0xffffffff: 0x0 is written"]),
        (hashed(7), hashed(3), &["no Python knows the flags 0x7: 0x3 is written, as it seems that a hash"]),
        (header(4), header(0), &["no Python knows the flags 0x4: 0x0 is written"]),
        (
            [&good[..4], &good[8..12], &good[16..]].concat(),
            [&good[..12], &[0; 4], &good[16..]].concat(),
            &["the header had 8 bytes", "the size of the source is not known: 0 is written"],
        ),
        (
            [&greet("3.8")[..4], &header(3)[4..]].concat(),
            [&good[..4], &[0; 12], &good[16..]].concat(),
            &["was made with another magic number", "time and size of the source are not known"],
        ),
    ] {
        let (status, text, now) = repaired(&bytes, &[]);
        assert!(status == 0 && now == expected, "{said:?}: {text}");
        assert!(said.iter().all(|said| text.contains(said)), "{said:?}: {text}");
    }
    // A magic number of another version.
    let wrong = [&greet("3.8")[..4], &good[4..]].concat();
    let (status, text, now) = repaired(&wrong, &[]);
    assert!(status == 0 && now == good && text.contains("the magic number was that of CPython 3.8"), "{text}");
}

#[test]
fn what_is_lost_is_said() {
    let good = greet("3.12");
    let check = |bytes: &[u8], more: &[&str], said: &[&str]| {
        let (status, text, now) = repaired(bytes, more);
        assert_eq!((status, &now[..]), (1, bytes), "{text}");
        for one in said {
            assert!(text.contains(one), "{text} does not say {one}");
        }
    };
    check(b"", &[], &["the file is empty"]);
    check(&[0; 300], &[], &["all zeros"]);
    check(b"hello, world, this is a text", &[], &["it is a text"]);
    for (text, said) in [
        ("cb0d0d0a00000000", "seems to hold a .pyc file in hexadecimal digits"),
        ("00000000: cb0d 0d0a 0000 0000  ........\n", "seems to hold a .pyc file in hexadecimal digits"),
        ("00000000  cb 0d 0d 0a 00 00 00 00  |........|\n", "seems to hold a .pyc file in hexadecimal digits"),
        ("yw0NCgAAAAA=\n", "seems to hold a .pyc file in base64"),
    ] {
        check(text.as_bytes(), &[], &[said]);
    }
    check(b"\x80\x01\xff\xfe\x01\x02\x03\x04\x05", &[], &["--as X.Y"]);
    check(&good[..good.len() - 1], &[], &["code objects are complete", "--salvage", "Greeter"]);
    check(&good[..100], &["--salvage"], &["no code object in it is complete"]);
    check(&good[..good.len() - 1], &["--json"], &["\"kind\":\"damaged\",\"offset\":"]);
}

/// A magic number that is known is not replaced by a guess, and what ends its Python is not good.
#[test]
fn known_magic_numbers_stay() {
    let with = |opcode: u8| {
        let mut bytes = greet("3.13");
        // Behind the RESUME that the module begins with.
        let at = bytes.windows(2).position(|it| it == b"\x95\0").unwrap();
        bytes[at + 2] = opcode;
        bytes
    };
    let of_others = |magic: &str, stream: &str| [&greet(magic)[..16], &greet(stream)[16..]].concat();
    for (bytes, said) in [
        (with(247), "Python 3.13 cannot load it: "),
        (with(254), "Python 3.13 cannot load it: "),
        (with(70), "Python 3.13 cannot load it: "),
        (of_others("3.8", "3.9"), "the magic number is that of CPython 3.8, and that reads the stream; --as 3.9"),
        (of_others("3.13", "3.12"), "the magic number is that of CPython 3.13, and that reads the stream; --as 3.12"),
    ] {
        let (status, text, now) = repaired(&bytes, &[]);
        assert!(status == 1 && now == bytes && text.contains(said), "{said}: {text}");
    }
    let (status, text, now) = repaired(&of_others("3.8", "3.9"), &["--as", "3.9"]);
    assert!(status == 0 && now[..4] == greet("3.9")[..4], "{text}");
    // Without its header it is as deadly.
    for opcode in [70, 254] {
        let (status, text, _) = repaired(&with(opcode)[16..], &["--as", "3.13"]);
        assert!(status == 1 && text.contains("the interpreter crashes"), "{text}");
    }
}

/// What is out of the folder stays.
#[test]
fn links_in_folders_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let (out, inner) = (folder.path().join("out.pyc"), folder.path().join("inner"));
    let bare = &greet("3.12")[16..];
    std::fs::write(&out, bare).unwrap();
    std::fs::create_dir(&inner).unwrap();
    let link = inner.join("x.pyc");
    std::os::unix::fs::symlink("../out.pyc", &link).unwrap();
    let (status, text) = provost(&["repair", "--in-place", inner.to_str().unwrap()]);
    assert!(status == 0 && text.contains("x.pyc: is a link, and is skipped"), "{text}");
    assert_eq!(std::fs::read(&out).unwrap(), bare);
    let (status, text) = provost(&["repair", "--in-place", link.to_str().unwrap()]);
    assert!(status == 0 && link.is_symlink() && std::fs::read(&out).unwrap() != bare, "{text}");
}

/// Nothing is written unless it is asked for; what is salvaged loads, and has the functions that were whole.
#[test]
fn complete_code_objects_are_salvaged() {
    for profile in Profile::all() {
        let good = greet(&profile.version.to_string());
        let cut = &good[..good.len() - 10];
        let folder = tempfile::tempdir().unwrap();
        let (file, out) = (folder.path().join("m.pyc"), folder.path().join("out.pyc"));
        std::fs::write(&file, cut).unwrap();
        let arguments = ["repair", "--salvage", file.to_str().unwrap()];
        let (status, text) = provost(&arguments);
        assert!(status == 0 && text.contains("repairable") && text.contains("code objects are kept"), "{text}");
        assert_eq!(std::fs::read(&file).unwrap(), cut);
        let (status, text) = provost(&[&arguments[..], &["--json", "--output", out.to_str().unwrap()]].concat());
        assert!(status == 0 && text.contains("\"status\":\"repaired\"") && text.contains("\"is_part\":true"), "{text}");
        assert_eq!(schema::fits("repair", &text), 1);
        let bytes = std::fs::read(&out).unwrap();
        let pyc = Pyc::parse(&bytes).unwrap();
        let graph = read(pyc.payload, profile).unwrap();
        let names: Vec<String> = graph.code_objects().iter().map(|id| graph.path(*id)).collect();
        for name in ["<module>", "Greeter", "Greeter.__init__", "greet"] {
            assert!(names.iter().any(|it| it == name), "{} has {names:?}", profile.version);
        }
        assert_eq!(pyc.header, Pyc::parse(&good).unwrap().header);
    }
}
