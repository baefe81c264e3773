//! Reports that take more than a row of the table: several files, another command than `check`, or a change.
//! Before each check: the repositories and numbers of the reports.

use super::{COMPILED, compiled, unhex};
use pyc_core::Pyc;
use std::path::Path;
use std::process::Command;

/// The file of a version that an interpreter wrote.
fn greet(python: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../corpus/seeds/greet-{python}.pyc"))).unwrap()
}

/// `a = 1`, compiled by 3.13.
const ONE: &str = "6300000000000000000000000001000000000000 00f308000000950053007200670129 02e9010000004e2901da0161a900\
    f300000000da04612e7079da083c6d6f64756c653e720600000001000000730a000000f003010101d80203810172 04000000";

/// Hexadecimal digits, parted as one likes.
fn hex(digits: &str) -> Vec<u8> {
    unhex(&digits.split_whitespace().collect::<String>())
}

/// Replaces the only place where these bytes are.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut places = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(old));
    let (Some(at), None) = (places.next(), places.next()) else { panic!("not in one place: {old:02x?}") };
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

/// Runs a command about files with these names and contents. `said` has what has to be among its output; what begins with `!`
/// must not be.
#[track_caller]
fn check(files: &[(&str, &[u8])], arguments: &[&str], status: i32, said: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let command = Command::new(env!("CARGO_BIN_EXE_provost")).args(arguments).current_dir(&folder).output().unwrap();
    let text = String::from_utf8_lossy(&[command.stdout, command.stderr].concat()).into_owned();
    assert_eq!(command.status.code(), Some(status), "{arguments:?}:\n{text}");
    for one in said {
        match one.strip_prefix('!') {
            Some(not) => assert!(!text.contains(not), "{arguments:?} says {not:?}:\n{text}"),
            None => assert!(text.contains(one), "{arguments:?} does not say {one:?}:\n{text}"),
        }
    }
}

/// The same of one file.
#[track_caller]
fn file(bytes: &[u8], command: &[&str], status: i32, said: &[&str]) {
    check(&[("x.pyc", bytes)], &[command, &["x.pyc"]].concat(), status, said);
}

#[test]
fn damage_is_named_and_what_can_be_had_back_is_given_back() {
    // Wheels on a package index: bytes that were taken for Latin-1 text.
    let good = greet("3.11");
    let text: String = good.iter().map(|byte| char::from(*byte)).collect();
    file(text.as_bytes(), &["check"], 1, &["it computes the original bytes"]);
    file(text.as_bytes(), &["repair"], 0, &["x.pyc"]);
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from.pyc"), folder.path().join("to.pyc"));
    std::fs::write(&from, &text).unwrap();
    let repair =
        Command::new(env!("CARGO_BIN_EXE_provost")).arg("repair").arg(&from).arg("-o").arg(&to).output().unwrap();
    assert!(repair.status.success(), "{}", String::from_utf8_lossy(&repair.stderr));
    assert_eq!(std::fs::read(&to).unwrap(), good);

    // oracle/graalpython#229 and others
    for (length, exception) in
        [(16, "EOFError: EOF read where object expected"), (17, "EOFError: marshal data too short")]
    {
        file(&good[..length], &["check"], 1, &["the file ends too early", exception, "!--salvage"]);
    }
    for length in [2, 4, 10] {
        file(&good[..length], &["check"], 1, &["the file ends too early: get a whole copy"]);
    }
    file(&[], &["check"], 1, &["the file is empty", "delete it"]);
    file(&good[..40], &["check"], 1, &["the file ends too early: 24 bytes", "EOFError", "!--salvage"]);
    let salvage = ["code objects that are complete: 6, and provost repair --salvage keeps them", "!this looks like"];
    file(&good[..good.len() - 1], &["check"], 1, &salvage);
    file(&good[..good.len() - 1], &["repair", "--salvage"], 0, &["6 code objects"]);
    file(&good[..900], &["check"], 1, &["the file ends too early: 884 bytes", "EOFError: marshal data too short"]);
}

/// python/cpython#118990 #121112: a stream that kills, and that another Python wrote.
#[test]
fn a_deadly_stream_is_no_advice_to_load_it() {
    let as_311 = ["do not load this file; this looks like a stream of Python 3.12", "inline caches", "of co_code of"];
    file(&greet("3.12"), &["check", "--as", "3.11"], 1, &as_311);
    file(&greet("3.11"), &["check", "--as", "3.12"], 0, &["caution", "this looks like a stream of Python 3.11"]);
}

/// RustPython/RustPython#6555, pypy/pypy#3782 #3105: PyPy's BUILD_LIST_FROM_ARG (203) behind CPython's number.
#[test]
fn another_implementation_is_told_by_its_instructions() {
    let pypy = replaced(&compiled("3.9"), b"d\0Z\0", b"d\0\xcb\0");
    let of_39 = [&greet("3.9")[..16], &pypy].concat();
    file(&of_39, &["identify"], 0, &["PyPy 3.9", "instructions that only PyPy has: 1"]);
    file(&of_39, &["check"], 0, &["this looks like a stream of PyPy 3.9"]);
    file(&greet("3.9"), &["identify", "--json"], 0, &["\"implementation\":\"CPython\"", "!PyPy"]);
    // PyPy's own magic number says it by itself: 336.
    let of_pypy = [b"\x50\x01\r\n\0\0\0\0\0\0\0\0\0\0\0\0", &greet("3.9")[16..]].concat();
    file(&of_pypy, &["identify"], 0, &["PyPy 3.9, at byte 0x10, 99 % sure", "the magic number is that of PyPy 3.9"]);
}

/// `info` is as sure as `identify`, of files of another version, and of what is damaged.
#[test]
fn what_is_in_a_file_is_said_with_how_sure_that_is() {
    file(&greet("3.12"), &["info"], 0, &["Python 3.12 (99 % sure)", "!caution"]);
    let swapped = [&greet("3.12")[..16], &greet("3.11")[16..]].concat();
    file(
        &swapped,
        &["info"],
        0,
        &["Python 3.12 (20 % sure)", "caution   this looks like a stream of Python 3.11 (99 % sure)"],
    );
    let cut = &greet("3.12")[..greet("3.12").len() - 1];
    file(cut, &["info"], 1, &["the stream ends in the middle", "repair --salvage", "!Python 3.11"]);
    // The last byte that says the type of an object.
    let damaged = (16..greet("3.12").len()).rev().map(|at| {
        let mut file = greet("3.12");
        file[at] = b'?';
        file
    });
    let is_refused = |file: &Vec<u8>| {
        let pyc = Pyc::parse(file).unwrap();
        pyc_core::read(pyc.payload, pyc.profile()).is_err()
    };
    let damaged = damaged.into_iter().find(is_refused).unwrap();
    file(&damaged, &["check"], 1, &["repair --salvage keeps them", "!this looks like"]);
    // Where the advice of `check` leads.
    let inside = [vec![7; 1000], greet("3.12")].concat();
    file(&inside, &["check"], 1, &["run the command again with --as 3.12"]);
    file(&inside, &["check", "--as", "3.12"], 0, &["good", "the stream begins at byte 0x3f8"]);
}

/// Two files, and why they differ.
#[track_caller]
fn differ(left: &[u8], right: &[u8], more: &[&str], status: i32, said: &[&str]) {
    check(&[("a.pyc", left), ("b.pyc", right)], &[&["diff", "a.pyc", "b.pyc"], more].concat(), status, said);
}

#[test]
fn a_difference_has_a_cause_and_a_normal_form_is_without_it() {
    let header = &greet("3.13")[..16];
    // astral-sh/uv#10619, python/cpython#129724 #124924, NixOS/nixpkgs#345329 #22570, pip#8414, mesonbuild/meson#12788,
    // pypa/manylinux#1419, nix-community/poetry2nix#92: somebody else holds a constant while it is written.
    let set = |flagged: &str| {
        let members = "da0561 6c706861 da0564656c7461 da0567616d6d61";
        [header, &hex(&format!("2902 {flagged}03000000 {members} 7a 0568656c6c6f"))].concat()
    };
    let flag = ["the same program: 1 reference flag differs, as they do when", "flags at 0x12 / 0x12"];
    differ(&set("3e"), &set("be"), &[], 1, &flag);
    differ(&set("3e"), &set("be"), &["--ignore", "flags"], 0, &["but for what is ignored"]);
    // python/cpython#92132 #93317: a name is interned in one of them.
    let name = |kind: &str| [header, &replaced(&hex(ONE), &hex("da0161"), &hex(&format!("{kind}0161")))].concat();
    differ(
        &name("da"),
        &name("fa"),
        &[],
        1,
        &["the same program: 1 string is interned in one of them", "interning at 0x3c"],
    );
    // fedora-python/marshalparser (-f), keszybz/add-determinism#11: equal tuples that were merged, and flags that nobody needs.
    let merged = [header, &hex("2902 a901 4e 7200000000")].concat();
    let apart = [header, &hex("2902 2901 4e 2901 4e")].concat();
    differ(&merged, &apart, &[], 1, &["the same program"]);
    differ(&merged, &apart, &["--ignore", "sharing", "--ignore", "flags"], 0, &["but for what is ignored"]);
    for (left, right) in [(set("3e"), set("be")), (name("da"), name("fa")), (merged, apart)] {
        let normal = |bytes: &[u8]| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.pyc");
            std::fs::write(&path, bytes).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
            let output = command.args(["normalize", "--no-search"]).arg(&path).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            std::fs::read(&path).unwrap()
        };
        assert_eq!(normal(&left), normal(&right), "{left:02x?}\n{right:02x?}");
    }
}

/// pyinstaller/pyinstaller#1059, PR#9226, pypa/pip#7808: the build path in every co_filename, in every version.
#[test]
fn file_names_are_replaced_in_every_version() {
    for (python, _) in COMPILED {
        let file = greet(python);
        let remap = ["normalize", "--no-search", "--remap", "greet.py=/build/greet.py", "x.pyc"];
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.pyc"), &file).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
        let output = command.args(remap).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{python}: {}", String::from_utf8_lossy(&output.stderr));
        let remapped = std::fs::read(folder.path().join("x.pyc")).unwrap();
        let said = ["the same program", "filename"];
        differ(&file, &remapped, &[], 1, &said);
        let info =
            Command::new(env!("CARGO_BIN_EXE_provost")).args(["info", "x.pyc"]).current_dir(&folder).output().unwrap();
        let text = String::from_utf8_lossy(&info.stdout).into_owned();
        assert!(text.contains("files     \"/build/greet.py\"\n"), "{python}:\n{text}");
    }
}

/// zrax/pycdc#271, rocky/python-xdis#180, rocky/python-uncompyle6#461: instructions, and an annotated dump.
#[test]
fn instructions_and_the_parts_of_a_file_are_shown() {
    let file = [&greet("3.13")[..16], &hex(ONE)].concat();
    check(&[("x.pyc", &file)], &["dis", "x.pyc"], 0, &["LOAD_CONST", "STORE_NAME                  0  a"]);
    let parts = [
        "00000000  f3 0d 0d 0a                 magic 3571 of CPython 3.13",
        "00000010  63 00 00 00 00 00 00 00 ..  code, argcount 0, posonlyargcount 0, kwonlyargcount 0, stacksize 1, flags 0",
        "00000025  f3 08 00 00 00 95 00 53 ..    code: bytes b'\\x95\\x00S\\x00r\\x00g\\x01'  #0",
        "00000034  e9 01 00 00 00                  0: int 1  #1",
        "72 06 00 00 00                qualname: reference to #6 at",
        "firstlineno: 1",
    ];
    check(&[("x.pyc", &file)], &["check", "--annotate", "x.pyc"], 0, &parts);
    // Of a damaged file as far as it goes.
    check(&[("x.pyc", &file[..60])], &["check", "--annotate", "x.pyc"], 1, &parts[..4]);
    let unknown = replaced(&file, &hex("e901000000"), &hex("bf01000000"));
    let said = [&parts[..3], &["00000034  bf 01 00 00 00 4e 29 01 ..  not understood from here on"]].concat();
    check(&[("x.pyc", &unknown)], &["check", "--annotate", "x.pyc"], 1, &said);
    check(
        &[("x.pyc", &file)],
        &["check", "--annotate", "--json", "x.pyc"],
        0,
        &["\"parts\":[{\"offset\":0,\"length\":4,"],
    );
}

/// The parts of every file, whole, cut and damaged, follow each other without a gap.
#[test]
fn the_parts_of_a_file_leave_no_byte_out() {
    use harness::toolbox::annotate::annotate;
    let mut seen = 0;
    for (python, _) in COMPILED {
        let good = greet(python);
        let profile = pyc_core::Profile::for_release(&pyc_core::Release::parse(python).unwrap()).unwrap();
        let damaged = (0..good.len()).step_by(7).map(|at| {
            let mut bytes = good.clone();
            bytes[at] = bytes[at].wrapping_add(0x55);
            bytes
        });
        let mut report = harness::check::check(&good, Some(python), harness::check::Shown::Tree).unwrap();
        let header = report.offset;
        for bytes in (0..=good.len()).step_by(11).map(|end| good[..end].to_vec()).chain(damaged).chain([good.clone()]) {
            // The header is whole, or there is none.
            let whole = if bytes.len() < header { 0 } else { header };
            for offset in [whole, 0, bytes.len() / 2] {
                report.offset = offset;
                let mut end = 0;
                for part in annotate(&report, &bytes, &profile) {
                    assert_eq!(part.offset, end, "{python}: {part}");
                    end += part.length;
                }
                assert_eq!(end, bytes.len(), "{python}");
                seen += 1;
            }
        }
    }
    assert!(seen > 1000);
}

/// python/cpython#143430, MatthieuDartiailh/bytecode#162 #144: are the tables well formed? And decoded.
#[test]
fn tables_are_judged_and_decoded() {
    use pyc_core::code::Field;
    let file = greet("3.12");
    check(&[("x.pyc", &file)], &["verify", "--safe", "x.pyc"], 0, &["safe"]);
    check(&[("x.pyc", &file)], &["dis", "--style", "python", "x.pyc"], 0, &["ExceptionTable:", " to ", " -> ", "[0]"]);
    check(&[("x.pyc", &file)], &["dis", "--style", "json", "x.pyc"], 0, &["\"end_line\":", "\"end_column\":"]);
    // A wrong line table crashes nothing, so it is no matter of safety.
    let (safe, identify): (&[&str], &[&str]) = (&["verify", "--safe", "x.pyc"], &["identify", "x.pyc"]);
    let look: &[&str] = &["check", "x.pyc"];
    for (field, command, status, said) in [
        (Field::Exceptiontable, safe, 1, "(handler-table"),
        (Field::Exceptiontable, identify, 0, "exception tables name places that are none"),
        (Field::Linetable, safe, 0, "safe"),
        (Field::Linetable, identify, 0, "line tables do not cover their code: 1"),
        (Field::Linetable, look, 0, "caution   Python loads it, but line tables do not cover their code: 1"),
    ] {
        let pyc = Pyc::parse(&file).unwrap();
        let graph = pyc_core::read(pyc.payload, pyc.profile()).unwrap();
        let table = |id: &pyc_core::NodeId| {
            let table = graph.resolve(graph.code_of(*id)?.object(field)?);
            let pyc_core::Value::Bytes(bytes) = graph.value(table) else { return None };
            let end = 16 + graph.byte_range(table)?.end;
            (bytes.len() > 8).then_some(end - bytes.len()..end)
        };
        let mut broken = file.clone();
        broken[graph.code_objects().iter().find_map(table).unwrap()].fill(0x7f);
        check(&[("x.pyc", &broken)], command, status, &[said]);
    }
}
