//! What people bring to bug trackers, and the answers that they get: one table of rows.

mod plain;
mod questions;

use std::path::Path;
use std::process::{Command, Stdio};

/// `a=1`, compiled by every version; in hexadecimal.
const COMPILED: [(&str, &str); 11] = [
    (
        "2.7",
        "6300000000000000000100000040000000730a0000006400005a000064010053280200000069010000004e28010000007401000000612800000000280000000028000000007304000000612e707974080000003c6d6f64756c653e010000007400000000",
    ),
    (
        "3.6",
        "e30000000000000000000000000100000040000000730800000064005a00640153002902e9010000004e2901da0161a90072030000007203000000fa04612e7079da083c6d6f64756c653e010000007300000000",
    ),
    (
        "3.7",
        "e30000000000000000000000000100000040000000730800000064005a00640153002902e9010000004e2901da0161a90072030000007203000000fa04612e7079da083c6d6f64756c653e01000000f300000000",
    ),
    (
        "3.8",
        "e3000000000000000000000000000000000100000040000000730800000064005a00640153002902e9010000004e2901da0161a90072030000007203000000fa04612e7079da083c6d6f64756c653e01000000f300000000",
    ),
    (
        "3.9",
        "e3000000000000000000000000000000000100000040000000730800000064005a00640153002902e9010000004e2901da0161a90072030000007203000000fa04612e7079da083c6d6f64756c653e01000000f300000000",
    ),
    (
        "3.10",
        "e3000000000000000000000000000000000100000040000000730800000064005a00640153002902e9010000004e2901da0161a90072030000007203000000fa04612e7079da083c6d6f64756c653e0100000073020000000800",
    ),
    (
        "3.11",
        "e30000000000000000000000000100000000000000f30a000000970064005a00640153002902e9010000004e2901da0161a900f300000000fa04612e7079fa083c6d6f64756c653e720700000001000000730e000000f003010101d802038001800180017205000000",
    ),
    (
        "3.12",
        "e30000000000000000000000000100000000000000f308000000970064005a0079012902e9010000004e2901da0161a900f300000000fa04612e7079fa083c6d6f64756c653e720700000001000000730a000000f003010101d8020381017205000000",
    ),
    (
        "3.13",
        "e30000000000000000000000000100000000000000f30800000095005300720067012902e9010000004e2901da0161a900f300000000da04612e7079da083c6d6f64756c653e720700000001000000730a000000f003010101d8020381017205000000",
    ),
    (
        "3.14",
        "e30000000000000000000000000100000000000000f30a00000080005e017400520123002902e9010000004e2901da0161a900f300000000da04612e7079da083c6d6f64756c653e720700000001000000730a000000f003010101d8020382017205000000",
    ),
    (
        "3.15",
        "e30000000000000000000000000100000000000000f30c000000800000005d017300500721002901e9010000002901da0161a900f300000000da04612e7079da083c6d6f64756c653e720700000001000000730a000000f103010101d8020382017205000000",
    ),
];

/// `def g(p,q): r=p`, compiled by 3.13.
const FUNCTION: &str = "e30000000000000000000000000100000000000000f30a000000950053001a00720067012902630200000000000000000000000100000003000000f308000000950055006e02670029014ea9002903da0170da0171da01727303000000202020da04612e7079da01677208000000010000007306000000800088618941f3000000004e29017208000000720300000072090000007207000000da083c6d6f64756c653e720a000000010000007308000000f003010101db000f7209000000";

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn compiled(version: &str) -> Vec<u8> {
    unhex(COMPILED.iter().find(|(known, _)| *known == version).unwrap().1)
}

/// The stream behind a header of this version: its magic number, and zeros.
fn pyc(version: &str, stream: &[u8]) -> Vec<u8> {
    let (major, minor) = version.split_once('.').unwrap();
    let version = pyc_core::Version::new(major.parse().unwrap(), minor.parse().unwrap());
    let profile = pyc_core::Profile::of(version).unwrap();
    let mut file = pyc_core::magic::Magic::of(profile.magic).bytes().to_vec();
    file.resize(profile.header.length(), 0);
    [file, stream.to_vec()].concat()
}

fn behind(header: &str, stream: &[u8]) -> Vec<u8> {
    [unhex(header), stream.to_vec()].concat()
}

/// A file, a command, and what it says.
struct Row {
    /// The number of the group of reports.
    number: u8,
    file: &'static str,
    bytes: Vec<u8>,
    command: &'static [&'static str],
    status: i32,
    said: &'static [&'static str],
    unsaid: &'static [&'static str],
}

fn row(
    number: u8,
    bytes: Vec<u8>,
    command: &'static [&'static str],
    status: i32,
    said: &'static [&'static str],
) -> Row {
    Row { number, file: "x.pyc", bytes, command, status, said, unsaid: &[] }
}

impl Row {
    fn named(self, file: &'static str) -> Row {
        Row { file, ..self }
    }

    fn without(self, unsaid: &'static [&'static str]) -> Row {
        Row { unsaid, ..self }
    }
}

/// Whether the other version loads it, is not the question.
const EITHER: i32 = -1;

const CHECK: &[&str] = &["check"];
const IDENTIFY: &[&str] = &["identify"];
const REPLAY: &[&str] = &["replay", "--no-search", "--no-pyodide", "--driver", "script"];

fn wrong_headers() -> Vec<Row> {
    let zeros = "000000000000000000000000";
    let header = |magic: &str| format!("{magic}{zeros}");
    let python311 = compiled("3.11");
    vec![
        row(1, behind(&header("a80d0d0a"), &python311), IDENTIFY, 0, &["Python 3.11, at byte 0x10"]),
        row(
            1,
            behind(&header("a80d0d0a"), &python311),
            &["check", "--as", "3.11"],
            0,
            &["good", "begins at byte 0x10"],
        ),
        row(
            1,
            behind(&header("a80d0d0a"), &python311),
            CHECK,
            1,
            &["looks like a stream of Python 3.11 behind 16 bytes", "--as 3.11"],
        ),
        row(
            1,
            behind(&header("660d0d0a"), &compiled("3.10")),
            CHECK,
            0,
            &["good", "before its final release", "the file is read as 3.10"],
        ),
        row(1, behind(&header("b50d0d0a"), &compiled("3.12")), CHECK, 0, &["good", "the file is read as 3.12"]),
        row(2, behind("550d0d0a00000000", &compiled("3.8")), IDENTIFY, 0, &["3.8 or 3.9, at byte 0x8"]),
        row(2, behind("550d0d0a0000000000000000", &compiled("3.8")), IDENTIFY, 0, &["at byte 0xc"]),
        row(
            2,
            behind("550d0d0a00000000", &compiled("3.8")),
            CHECK,
            1,
            &["looks like a stream of Python 3.8 or 3.9 behind 8 bytes"],
        ),
        row(4, python311.clone(), IDENTIFY, 0, &["Python 3.11, at byte 0x0"]),
        row(4, python311.clone(), CHECK, 1, &["without its .pyc header", "a bare stream of Python 3.11", "--as 3.11"])
            .named("x"),
        row(5, vec![0; 300], CHECK, 1, &["nothing but zeros", "crash", "delete it"]),
        row(5, vec![0; 300], IDENTIFY, 1, &["nothing but zeros"]),
        row(
            5,
            behind("00000000000000000000000000000000", &compiled("3.13")),
            IDENTIFY,
            0,
            &["Python 3.13, at byte 0x10"],
        ),
        row(6, unhex("c2a70d0d0a0000"), CHECK, 1, &["taken for Latin-1 text and written as UTF-8", "original"]),
        row(6, behind("a70d0d0d0a0000", &[]), IDENTIFY, 1, &["each line feed became"]),
        row(13, unhex("160d0d0a"), IDENTIFY, 1, &["3.5.0 to 3.5.2"]),
        row(13, unhex("170d0d0a"), IDENTIFY, 1, &["3.5.3 or later"]),
        row(14, unhex("02999900"), IDENTIFY, 1, &["CPython 1.0"]),
        row(14, unhex("03999900"), CHECK, 1, &["CPython 1.1 or 1.2"]).without(&["not a .pyc file"]),
        row(14, unhex("b20b0d0a"), IDENTIFY, 1, &["RustPython"]),
        row(14, b"1a2b\0\0\0\0\0\0\0\0\0\0\0\0\x05".to_vec(), CHECK, 1, &["RustPython"]),
        row(14, b"version https://git-lfs.github.com/spec/v1\noid".to_vec(), CHECK, 1, &["Git LFS"]),
        row(14, b"<!DOCTYPE html>".to_vec(), CHECK, 1, &["a web page"]),
        row(14, b"\x1f\x8b\x08\0".to_vec(), CHECK, 1, &["gzip"]),
        row(14, b"\x7fELF\x02\x01\x01\0".to_vec(), CHECK, 1, &["ELF"]),
    ]
}

fn bad_streams() -> Vec<Row> {
    let with = |place: usize, byte: u8| {
        let mut stream = compiled("3.13");
        stream[place] = byte;
        pyc("3.13", &stream)
    };
    // The second instruction; the code begins behind five integers and a length.
    let second = 1 + 20 + 5 + 2;
    let mut cut = unhex(FUNCTION);
    let kinds = cut.windows(8).position(|it| it == b"s\x03\0\0\0   ").unwrap();
    cut[kinds + 1] = 2;
    cut.remove(kinds + 5);
    let nested = [b">\x01\0\0\0".repeat(22), b">\0\0\0\0".to_vec()].concat();
    let frozen = unhex("5b02000000fdda0161e901000000307200000000");
    let whole = pyc("3.11", &compiled("3.11"));
    let mut rows = vec![
        row(7, pyc("3.11", &compiled("3.12")), CHECK, EITHER, &["this looks like a stream of Python 3.12"])
            .without(&["caches-past-end"]),
        row(
            8,
            with(second, 70),
            CHECK,
            1,
            &[
                "an opcode that only the interpreter itself writes",
                "opcode 70 (ENTER_EXECUTOR) at offset 2 of co_code of <module>",
                "value",
                "as read from the stream",
            ],
        )
        .without(&["instrumented-opcode"]),
        row(
            8,
            with(second, 247),
            CHECK,
            1,
            &["opcode 247 (INSTRUMENTED_INSTRUCTION) at offset 2 of co_code of <module>"],
        )
        .without(&["instrumented-opcode"]),
        row(
            9,
            nested.clone(),
            &["check", "--as", "3.12"],
            0,
            &["good", "slow in that Python: it sorts the members of sets", "not compared"],
        )
        .without(&["nested-sets", "undefined", "sorting-sets"]),
        row(
            10,
            pyc("3.8", &compiled("3.8")),
            CHECK,
            0,
            &["marshal.dumps(marshal.loads(stream)), in a new process: ", "dumps 4"],
        ),
        row(11, pyc("3.13", &cut), CHECK, 1, &["localspluskinds", "SystemError: Objects/codeobject.c: bad argument"])
            .without(&[".c:0"]),
        row(12, frozen.clone(), &["check", "--as", "3.15.0"], 1, &["use Python 3.15.2 in place of 3.15.0"])
            .without(&["was not written by"]),
        row(17, Vec::new(), CHECK, 1, &["the file is empty"]),
    ];
    for length in [2, 4, 10] {
        rows.push(row(17, whole[..length].to_vec(), CHECK, 1, &["the file ends too early"]));
    }
    for length in [16, 17, 40, whole.len() - 1] {
        rows.push(row(
            17,
            whole[..length].to_vec(),
            CHECK,
            1,
            &["EOFError", "the file ends too early", "bytes of the stream are there"],
        ));
    }
    rows
}

/// Streams of one version behind the magic number of another.
fn swapped() -> Vec<Row> {
    let said: [&'static [&'static str]; 3] = [
        &["this looks like a stream of Python 3.13"],
        &["this looks like a stream of Python 3.14"],
        &["this looks like a stream of Python 3.11"],
    ];
    let mut rows = Vec::new();
    for (writer, said) in ["3.13", "3.14", "3.11"].into_iter().zip(said) {
        for (magic, _) in COMPILED.iter().filter(|(magic, _)| *magic != writer && pyc(magic, &[]).len() == 16) {
            let row = row(3, pyc(magic, &compiled(writer)), CHECK, 1, said);
            // Some load the other's stream: then it is a caution.
            rows.push(Row { status: EITHER, ..row });
        }
    }
    rows
}

const SAFE: &[&str] = &["verify", "--safe"];

/// A file that loads, and ends an interpreter that runs it.
fn broken() -> Vec<u8> {
    let code = ".python 3.11\n.code module\n.stacksize 1\n RESUME 0\n LOAD_CONST #9\n RETURN_VALUE\n";
    pyc_core::bytecode::text::assemble(code).unwrap()
}

fn names() -> Vec<Row> {
    let good = || pyc("3.11", &compiled("3.11"));
    let mut rows = vec![
        row(22, good(), &["dis"], 0, &["LOAD_CONST"]),
        row(22, good(), &["check", "--hex"], 0, &["00000000  a7 0d 0d 0a"]),
        row(22, good(), &["info"], 0, &["1 code object, 5 instructions", "RETURN_VALUE 1"]),
        row(22, good(), &["info", "--attributes"], 0, &["co_names           ('a',)", "co_stacksize       1"]),
        row(23, good(), IDENTIFY, 0, &["its opcodes, tables and stack sizes are those of 3.11"]),
        row(24, pyc("3.13", b"\x0c\xff\xff\xff"), IDENTIFY, 1, &["CPython 3.13", "no Python's stream"]),
        row(15, good(), &["verify"], 0, &["good, Python 3.11, imported"]),
        row(15, good(), SAFE, 0, &["safe, 1 code object, Python 3.11"]),
        row(15, good(), &["check"], 0, &["  safety    safe, 1 code object"]),
        row(
            15,
            broken(),
            SAFE,
            1,
            &["unsafe, 1 of 1 code object", "<module> at 2: LOAD_CONST takes constant 9 of 0 (constant-index)"],
        ),
        row(15, broken(), &["info"], 0, &["  safety    unsafe, 1 of 1 code object"]),
        row(15, broken(), &["dis"], 0, &["  not safe: <module> at 2: LOAD_CONST"]),
    ];
    for file in ["cpython.pyo", "UP.PYC", "x.pyc-notyet", "x.opt-2.pyc.backup", "anything"] {
        rows.push(
            row(16, good(), REPLAY, 0, &["the header, ", "compared with no source"])
                .named(file)
                .without(&["bad marshal data (unknown type code) x"]),
        );
        rows.push(row(16, good(), CHECK, 0, &["good"]).named(file));
    }
    rows
}

fn provost(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(arguments)
        .env_remove("PROVOST_PYTHONS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn check(folder: &Path, row: &Row) {
    let path = folder.join(row.file);
    std::fs::write(&path, &row.bytes).unwrap();
    let (status, text) = provost(&[row.command, &[path.to_str().unwrap()]].concat());
    let what = format!("row {}, {:?} of {} bytes:\n{text}", row.number, row.command, row.bytes.len());
    assert!(row.status == EITHER || status == Some(row.status), "{what}");
    for said in row.said {
        assert!(text.contains(said), "does not say {said:?}: {what}");
    }
    for unsaid in row.unsaid {
        assert!(!text.contains(unsaid), "says {unsaid:?}: {what}");
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn reports_get_their_answers() {
    let folder = tempfile::tempdir().unwrap();
    for row in wrong_headers().iter().chain(&bad_streams()).chain(&swapped()).chain(&names()) {
        check(folder.path(), row);
    }
}

/// Every version's stream is found without a header: first, or tied with one that writes the same bytes.
#[test]
fn bare_streams_are_identified() {
    for (version, hex) in COMPILED {
        let found = pyc_core::identify::identify(&unhex(hex));
        let best: Vec<String> = found.best().map(|it| it.profile.version.to_string()).collect();
        let expected: Vec<&str> =
            COMPILED.iter().filter(|(_, other)| *other == hex).map(|(version, _)| *version).collect();
        assert_eq!(best, expected, "{version}");
    }
}

/// A source that changed, as importlib of that version decides: by time or size, or by hash.
#[test]
fn stale_files_are_told_in_importlibs_words() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("__pycache__");
    std::fs::create_dir(&cache).unwrap();
    let file = cache.join("x.cpython-311.opt-1.pyc");
    let source = folder.path().join("x.py");
    std::fs::write(&source, "a=1\n").unwrap();
    let changed = std::time::UNIX_EPOCH + std::time::Duration::from_secs(7);
    std::fs::File::options().write(true).open(&source).unwrap().set_modified(changed).unwrap();
    let stream = compiled("3.11");
    let header = |flags: u32, first: u32, second: u32| {
        let words = [flags, first, second].map(u32::to_le_bytes).concat();
        [unhex("a70d0d0a"), words, stream.clone()].concat()
    };
    let hash = pyc_core::pyc::source_hash(pyc_core::Profile::of(pyc_core::Version::new(3, 11)).unwrap(), b"a=1\n");
    let [low, high] = [0, 4].map(|at| u32::from_le_bytes(hash[at..at + 4].try_into().unwrap()));
    let stale = "ImportError: bytecode is stale for 'x'";
    let other_hash = "ImportError: hash in bytecode doesn't match hash of source 'x'";
    for (bytes, status, said) in [
        (header(0, 7, 4), 0, "good, Python 3.11, imported"),
        (header(0, 8, 4), 1, stale),
        (header(0, 7, 5), 1, stale),
        (header(1, 1, 2), 0, "imported; not compared"),
        (header(3, low, high), 0, "good, Python 3.11, imported"),
        (header(3, low, high ^ 1), 1, other_hash),
        (header(4, 0, 0), 1, "ImportError: invalid flags 4 in 'x'"),
        (header(0, 7, 4)[..40].to_vec(), 1, "EOFError: marshal data too short"),
        (header(0, 7, 4)[..12].to_vec(), 1, "EOFError: reached EOF while reading pyc header of 'x'"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let (exit, text) = provost(&["verify", file.to_str().unwrap()]);
        assert_eq!(exit, Some(status), "{text}");
        assert!(text.contains(said), "{said}: {text}");
    }
    std::fs::write(&file, header(0, 8, 4)).unwrap();
    let (_, text) = provost(&[REPLAY, &[file.to_str().unwrap()]].concat());
    assert!(text.contains("compared with its source") && text.contains("bytecode is stale for 'x'"), "{text}");
    std::fs::remove_file(&source).unwrap();
    let (exit, text) = provost(&["verify", file.to_str().unwrap()]);
    assert!(exit == Some(1) && text.contains("its source is gone"), "{text}");
}

/// What programs read has the form that its schema says.
#[test]
fn json_has_the_form_of_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = vec![folder.path().join("missing.pyc")];
    for (number, row) in wrong_headers().iter().chain(&bad_streams()).enumerate() {
        files.push(folder.path().join(format!("{number}.pyc")));
        std::fs::write(&files[number + 1], &row.bytes).unwrap();
    }
    files.push(folder.path().join("broken.pyc"));
    std::fs::write(&files[files.len() - 1], broken()).unwrap();
    let files: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    for (command, name) in [
        (&["check"][..], "check"),
        (&["identify"], "identify"),
        (&["info"], "info"),
        (&["verify"], "verify"),
        (SAFE, "safe"),
    ] {
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/{name}.schema.json"));
        let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
        let schema = jsonschema::draft202012::new(&schema).unwrap();
        let (_, text) = provost(&[command, &["--json"], &files[..]].concat());
        assert_eq!(text.lines().count(), files.len(), "{name}: {text}");
        for (line, file) in text.lines().zip(&files) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["file"], **file);
            let errors: Vec<String> =
                schema.iter_errors(&line).map(|e| format!("{} at {}", e, e.instance_path())).collect();
            assert!(errors.is_empty(), "{name} of {file}: {errors:?}\n{line}");
        }
    }
}
