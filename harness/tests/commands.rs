//! The command line as a person uses it: exit status, and what is said.

use interpreters::{Driver, Interpreter, Limits, Options, Workspace, discover_with};
use std::path::Path;
use std::process::{Command, Stdio};

struct Output {
    status: Option<i32>,
    text: String,
}

/// Runs `provost` with no interpreter in its environment but those that the arguments name.
fn provost(arguments: &[&str], input: &[u8]) -> Output {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(arguments)
        .env_remove("PROVOST_PYTHONS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may have ended.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Output { status: output.status.code(), text: String::from_utf8_lossy(&text).into_owned() }
}

#[track_caller]
fn check(arguments: &[&str], input: &[u8], status: i32, said: &[&str]) {
    let output = provost(arguments, input);
    assert_eq!(output.status, Some(status), "{arguments:?}:\n{}", output.text);
    for text in said {
        assert!(output.text.contains(text), "{arguments:?} does not say {text:?}:\n{}", output.text);
    }
}

const NOBODY: [&str; 4] = ["--no-search", "--no-pyodide", "--driver", "script"];

#[test]
fn check_says_whether_a_file_is_good() {
    check(&["check", "--as", "3.12", "-"], b"N", 0, &["good", "value     1 lines", "None"]);
    check(&["check", "--as", "3.12", "--json", "-"], b"N", 0, &["\"ok\":true", "\"canon\":\"none\\n\""]);
    check(&["check", "--as", "3.12", "--canon", "-"], b"N", 0, &["canon     1 lines", "none"]);
    check(&["check", "--quiet", "--as", "3.12", "-"], b"?", 1, &["BAD"]);
    check(&["check", "-"], b"", 1, &["the file is empty", "delete it"]);
    check(&["check", "-"], b"hello, world", 1, &["not a .pyc file", "--as X.Y"]);
    check(&["check", "-"], b"\x02\x99\x99\0", 1, &["CPython 1.0", "no Provost reads such files"]);
    check(&["check", "-"], b"\x74\x0e\x0d\x0a", 1, &["CPython 3.16", "use a newer Provost"]);
    check(&["check", "--hex", "-"], b"\xcb\x0d\x0d\x0a123", 1, &["the file ends here", "00000000  cb 0d"]);
    check(&["check", "--as", "9.9", "-"], b"N", 2, &["no profile", "3.12"]);
    check(&["check", "no such file"], b"", 1, &["cannot be read"]);
    check(&["check"], b"", 2, &["Usage"]);
}

/// `def f(x): return x`, compiled by 3.12.
#[test]
fn dis_shows_instructions() {
    let code = pyc_core::code::EXAMPLE_312;
    let check = |style: &[&str], input: &[u8], status, said: &[&str]| {
        check(&[&["dis", "--as", "3.12"], style, &["-"]].concat(), input, status, said);
    };
    let plain = "f  (f.py, line 1, stack 1)\n           1:0-0       0  RESUME";
    check(&[], code, 0, &[plain, "LOAD_FAST                   0  x", "RETURN_VALUE"]);
    check(
        &["--style", "python"],
        code,
        0,
        &["  1           0 RESUME                   0\n              2 LOAD_FAST                0 (x)\n"],
    );
    check(
        &["--style", "json"],
        code,
        0,
        &["\"python\":\"3.12.1\"", "\"name\":\"LOAD_FAST\",\"operand\":0,\"argument\":\"x\""],
    );
    check(&["--function", "f"], code, 0, &["LOAD_FAST"]);
    check(&["--function", "g"], code, 1, &["no code object is named g; there are: f"]);
    check(&[], b"N", 1, &["there is no code object in it"]);
    check(&[], &code[..30], 1, &["at byte 0x1e of the file", "provost check"]);
    // A name that would turn the text around, or move the cursor, does neither.
    let mut hostile = code.to_vec();
    let at = hostile.windows(4).position(|window| window == b"f.py").unwrap();
    hostile[at..at + 4].copy_from_slice(b"\x1b[2J");
    check(&[], &hostile, 0, &["(\\u{1b}[2J, line 1"]);
    let bare: [(&str, &[&str]); 2] = [("-", &["not a .pyc file", "--as X.Y"]), ("no such file", &["cannot be read"])];
    for (file, said) in bare {
        crate::check(&["dis", file], b"hello, world", 1, said);
    }
}

/// The questions that the README's first table is for; `compile`, `verify` and `normalize` have tests of their own.
#[test]
fn the_readmes_questions_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let seed = |python: &str| format!("{}/../corpus/seeds/greet-{python}.pyc", env!("CARGO_MANIFEST_DIR"));
    let place = folder.path().join("__pycache__/greet.cpython-312.pyc");
    std::fs::create_dir(place.parent().unwrap()).unwrap();
    std::fs::copy(seed("3.12"), &place).unwrap();
    let (of_311, of_312, all) = (seed("3.11"), place.to_str().unwrap(), folder.path().to_str().unwrap());
    check(&["generate", "programs", "--seed", "1", "--index", "7", "--python", "3.12"], b"", 0, &["="]);
    check(&["check", of_312], b"", 0, &["good", "read as   3.12", "code <module>"]);
    check(&["info", "--attributes", all], b"", 0, &["co_linetable", "co_lnotab", "co_stacksize"]);
    check(&["diff", &of_311, of_312], b"", 1, &["files of two Pythons: 3.11 and 3.12"]);
    check(&["identify", of_312], b"", 0, &["Python 3.12, at byte 0x10"]);
    check(&["clean", "--dry-run", all], b"", 0, &["greet.cpython-312.pyc"]);
    assert!(place.exists());

    // How often each opcode occurs is what `dis` shows.
    let counted = provost(&["info", "--json", of_312], b"").text;
    let info: serde_json::Value = serde_json::from_str(&counted).unwrap();
    let counts = info["opcodes"].as_object().unwrap();
    let listed = provost(&["dis", "--style", "json", of_312], b"").text;
    for (opcode, count) in counts {
        let shown = listed.matches(&format!("\"name\":\"{opcode}\"")).count();
        assert_eq!(Some(shown as u64), count.as_u64(), "{opcode}");
    }
    let sum: u64 = counts.values().filter_map(serde_json::Value::as_u64).sum();
    assert_eq!(Some(sum), info["instructions"].as_u64());
}

#[test]
fn generate_prints_what_a_seed_and_an_index_name() {
    let check = |generator, index, python, status, said: &str| {
        check(&["generate", generator, "--seed", "1", "--index", index, "--python", python], b"", status, &[said]);
    };
    check("programs", "0", "2.7", 0, "# -*- coding: utf-8 -*-\n");
    check("values", "0", "3.12", 0, "\n");
    check("streams", "0", "3.12", 2, "seed and index alone");
    check("programs", "0", "9.9", 2, "no profile");
}

#[test]
fn without_any_interpreter_everything_works_and_says_so() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_str().unwrap();
    let hunt = [&["hunt", "--cases", "440", "--seed", "1", "--out", out], &NOBODY[..]].concat();
    check(&hunt, b"", 0, &["nothing was compared with a CPython", "uv python install", "core:3.12", "report.html"]);
    check(&[&["doctor"], &NOBODY[..]].concat(), b"", 0, &["No interpreter that can be used was found"]);
    let case = Path::new(out).join("case.marshal");
    std::fs::write(&case, b"N").unwrap();
    let replay = [&["replay", case.to_str().unwrap()], &NOBODY[..]].concat();
    check(&replay, b"", 0, &["what pyc-core predicts", "3.12", "accepted, 1 bytes consumed"]);
}

#[test]
fn a_wrong_command_is_refused_before_anything_runs() {
    let hunt = |more: &[&str], said: &[&str]| check(&[&["hunt"], more, &NOBODY[..]].concat(), b"", 2, said);
    hunt(&["--subject", "cpython:1.5"], &["--subject cpython:1.5 selects nothing"]);
    hunt(&["--python", "/no/such/python"], &["/no/such/python"]);
    hunt(&["--generators", "stdlib,magic"], &["no generator is called \"magic\""]);
    hunt(&["--generators", "values", "--full"], &["--full is about the generator stdlib"]);
    check(&["hunt", "--subject", "core:1.5"], b"", 2, &["selects nothing"]);
    check(&["bench", "--only", "speed"], b"", 2, &["no row is called \"speed\"", "preserve", "py-marshal", "stdlib"]);
    check(&["bench", "--no-search", "--subject", "1.5"], b"", 2, &["--subject 1.5 selects nothing"]);
}

/// Whoever names an interpreter counts on it.
#[test]
fn a_named_interpreter_that_cannot_be_used_ends_every_command_that_asks_one() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("prefix").join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let wrapper = bin.join("python3");
    std::fs::write(&wrapper, "#!/bin/sh\necho 'Error: no Python today' >&2\nexit 7\n").unwrap();
    std::fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&wrapper, &link).unwrap();
    let library = folder.path().join("libpython3.12.so.1.0");
    std::fs::write(&library, "no library").unwrap();
    let case = folder.path().join("case.marshal");
    std::fs::write(&case, b"N").unwrap();
    let out = folder.path().join("out");
    let (case, out) = (case.to_str().unwrap(), out.to_str().unwrap());
    let commands: [&[&str]; 6] = [
        &["doctor", "--no-pyodide", "--driver", "script"],
        &["hunt", "--no-pyodide", "--driver", "script", "--cases", "10", "--out", out],
        &["replay", case, "--no-pyodide", "--driver", "script"],
        &["golden", "--no-pyodide", "--driver", "script", "--out", out],
        &["faults", "--only", "int-unsigned", "--cases", "1", "--no-write"],
        &["bench", "--only", "read/tiny", "--no-write"],
    ];
    for command in commands {
        for (named, said) in [
            (wrapper.as_path(), "no Python today"),
            (link.as_path(), "no Python today"),
            (bin.parent().unwrap(), "no Python today"),
            (library.as_path(), "cannot run a script"),
            (Path::new("/no/such/python"), "there is no such file"),
        ] {
            let python = ["--no-search", "--python", named.to_str().unwrap()];
            check(&[command, &python[..]].concat(), b"", 2, &[said]);
        }
    }
}

/// The newest CPython that can run a script; without one, says that a test is skipped.
fn an_interpreter() -> Option<Interpreter> {
    let binaries = Path::new(env!("CARGO_BIN_EXE_provost")).parent().unwrap();
    let options = Options {
        pythons: Vec::new(),
        search: true,
        driver: Some(Driver::Script),
        pyodide: false,
        home: Workspace::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../interpreters"), binaries),
        limits: Limits::default(),
    };
    let interpreters = discover_with(&options, &|_| {}).interpreters;
    let found = interpreters.into_iter().rfind(|one| one.facts.implementation == "cpython");
    if found.is_none() {
        println!("skipped: no CPython was found; nothing to compare with");
    }
    found
}

/// A header is about the source file next to it, as an import would see it.
#[test]
fn the_header_of_a_pyc_file_is_replayed_with_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spam.pyc");
    let source = folder.path().join("spam.py");
    let header = pyc_core::pyc::Header::MtimeSize { flags: 0, mtime: 7, size: 4 };
    let python = pyc_core::Profile::of(pyc_core::Version::new(3, 12)).unwrap();
    std::fs::write(&file, pyc_core::Pyc::new(python, header, b"N").to_bytes()).unwrap();
    std::fs::write(&source, b"x=1\n").unwrap();
    let stale = |seconds| {
        let changed = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        std::fs::File::options().write(true).open(&source).unwrap().set_modified(changed).unwrap();
        let output = provost(&[&["replay", file.to_str().unwrap()], &NOBODY[..]].concat(), b"");
        assert_eq!(output.status, Some(0), "{}", output.text);
        assert!(
            output.text.contains("the header, 17 bytes") && output.text.contains("1 bytes, sha256"),
            "{}",
            output.text
        );
        output.text.contains("bytecode is stale for 'spam'")
    };
    assert_eq!([7, 8, 7 + (1 << 32)].map(stale), [false, true, false]);
}

#[test]
fn an_interpreter_is_compared_and_the_run_is_recorded() {
    let Some(interpreter) = an_interpreter() else { return };
    let out = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let (path, dir) =
        (interpreter.path.to_str().unwrap(), |dir: &tempfile::TempDir| dir.path().to_str().unwrap().to_owned());
    let (out_dir, cache_dir) = (dir(&out), dir(&cache));
    let named = ["--python", path, "--out", &out_dir, "--cache", &cache_dir];
    let hunt = [&["hunt", "--cases", "150", "--seed", "1"], &named[..], &NOBODY[..]].concat();
    let output = provost(&hunt, b"");
    println!("{}", output.text);
    assert_eq!(output.status, Some(0), "{}", output.text);
    let run = std::fs::read_dir(out.path()).unwrap().next().unwrap().unwrap().path();
    assert!(std::fs::read_to_string(run.join("report.html")).unwrap().contains(&interpreter.facts.version));
    let log = reports::read(&run.join(reports::FILE_NAME)).unwrap();
    let said = std::fs::read_to_string(run.join(reports::FILE_NAME)).unwrap();
    assert!(!said.contains("pypy"), "PyPy took no part, and what is expected of it is told:\n{said}");
    assert_eq!((log.partial, log.end.map(|end| end.exit_code)), (None, Some(0)));
    let sum = |generator: &str, count: fn(&reports::Counts) -> u64| {
        log.counts.iter().filter(|counts| counts.generator == generator).map(count).sum::<u64>()
    };
    assert_eq!(log.counts.iter().map(|counts| counts.cases).sum::<u64>(), 150);
    assert!(sum("values", |c| c.agreed) > 50 && sum("streams", |c| c.compared) > 10);

    let case = out.path().join("killer.marshal");
    std::fs::write(&case, b"\xa9\x02<\x01\0\0\0r\0\0\0\0N").unwrap();
    let replay = [&["replay", case.to_str().unwrap(), "--python", path], &NOBODY[..]].concat();
    let output = provost(&replay, b"");
    assert_eq!(output.status, Some(0), "{}", output.text);
    let asked = format!("  Python  {path} -c \"import marshal; print(marshal.loads(");
    assert!(output.text.contains(&asked), "{asked}\n{}", output.text);
}

#[test]
fn an_interpreter_is_measured_beside_the_core() {
    let quick = ["bench", "--no-search", "--rounds", "1", "--only", "read/tiny", "--only", "preserve/tiny"];
    let json = [&quick[..], &["--json"]].concat();
    check(
        &json,
        b"",
        0,
        &["Nothing is compared", "there is no interpreter", "\"bench\":\"preserve/tiny\"", "\"ratio\":"],
    );

    let Some(interpreter) = an_interpreter() else { return };
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("folder").join("table.md");
    let python = ["--python", interpreter.path.to_str().unwrap(), "--out", file.to_str().unwrap()];
    let output = provost(&[&quick[..], &python, &["--only", "dump/tiny"]].concat(), b"");
    assert_eq!(output.status, Some(0), "{}", output.text);
    let document = std::fs::read_to_string(&file).unwrap();
    assert!(document.contains(&interpreter.facts.version), "{document}");
    for text in [&output.text, &document] {
        for row in ["read/tiny", "preserve/tiny", "dump/tiny"] {
            let row = text.lines().find(|line| line.contains(row)).unwrap_or_else(|| panic!("no {row} in\n{text}"));
            assert!(!row.contains("skipped"), "{row}");
        }
    }
}

#[test]
fn faults_are_counted_and_one_that_is_not_found_is_bad() {
    let faults = |more: &[&str], status, said: &[&str]| {
        check(&[&["faults", "--no-search", "--no-write", "--seeds", "1"], more].concat(), b"", status, said);
    };
    faults(&["--only", "int-unsigned", "--cases", "100"], 0, &["int-unsigned", "2.7-3.15", "find 1 of 1 faults"]);
    faults(&["--only", "frozendict-as-dict", "--cases", "1"], 1, &["find 0 of 1 faults"]);
    faults(
        &["--only", "int-unsigned", "--cases", "100", "--json"],
        0,
        &["\"name\":\"int-unsigned\"", "\"combined\":["],
    );
    faults(&["--only", "nothing"], 2, &["no fault is called \"nothing\""]);
}

#[test]
fn the_corpus_is_covered_promoted_to_and_exported() {
    check(&["corpus", "cover"], b"", 0, &["has a fixture"]);
    check(&["faults", "--corpus"], b"", 0, &["int-unsigned", "coverage/", "The corpus catches"]);
    check(&["faults", "--corpus", "--json", "--only", "int-unsigned"], b"", 0, &["\"caught_by\":\""]);
    check(&["faults", "--corpus", "--seeds", "1"], b"", 2, &["cannot be used with"]);
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    check(&[&["promote", folder], &NOBODY[..]].concat(), b"", 2, &["neither the folder of a run nor a case in one"]);
    check(&["export", "--format", "jsonl", folder], b"", 0, &["answers of", "README.md"]);
    check(&["export", "--format", "jsonl", folder], b"", 2, &["is not empty"]);
    check(&["export", "--format", "xml", folder], b"", 2, &["rust", "pytest", "jsonl", "libfuzzer"]);
}
