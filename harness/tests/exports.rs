//! What is exported tells right readers from wrong ones, in each format.
//!
//! The right reader is pyc-core, or the `marshal` of a real Python; the wrong ones are planted faults. Their answers are
//! written into a file, and a reader in the language of the format reads them from there.

use harness::export::plain::plain;
use harness::export::{Export, Format, Said, core};
use harness::faults::Fault;
use harness::observation::{Accepted, Canon, Dump, Observation};
use harness::subjects::core::Core;
use interpreters::{Driver, Limits, Options, Workspace, discover_with};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// Wrong about a value, about what is refused, and about what is written.
const FAULTS: [&str; 3] = ["int-unsigned", "null-is-none", "version-4-as-3"];

/// A release whose pyc-core needs to know nothing of the build.
const RELEASE: &str = "3.10.13";

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

static EXPORT: LazyLock<Export> = LazyLock::new(|| Export::of(&corpus()).unwrap());

/// The whole corpus, for which pyc-core is to be right.
static WHOLE: LazyLock<Trial> = LazyLock::new(|| Trial { export: &EXPORT, release: RELEASE, faults: &FAULTS });

/// Writes a corpus into a folder that goes away.
fn exported(export: &Export, format: Format) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    export.write(format, dir.path()).unwrap();
    assert!(dir.path().join("README.md").is_file());
    assert!(export.write(format, dir.path()).is_err(), "a folder that is not empty was written into");
    dir
}

/// A corpus, who reads it, and faults that it is to catch.
struct Trial<'a> {
    export: &'a Export,
    release: &'a str,
    faults: &'a [&'a str],
}

/// What the core says of all cases as this release, or the core with a planted fault.
fn answers(Trial { export, release, .. }: &Trial, fault: Option<&str>) -> Vec<(Vec<u8>, Observation)> {
    let head = export.interpreters.iter().find(|head| head.version == *release).unwrap();
    let core: Core = core(head).unwrap();
    let fault = fault.map(|name| Fault::all().find(|fault| fault.name == name).unwrap());
    let answer = |stream: &[u8]| {
        let right = core.observe(stream);
        fault.and_then(|fault| fault.observe(&core, stream, &right)).unwrap_or(right)
    };
    export.cases.iter().map(|case| (case.stream.clone(), answer(&case.stream))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value as plain JSON, where everybody prints the same one.
fn value(accepted: &Accepted) -> Option<String> {
    match &accepted.canon {
        Canon::Text(text) => plain(text, false),
        _ => None,
    }
}

/// A line for a reader in Python: the stream, a tab, and its answer as JSON.
fn line((stream, observation): &(Vec<u8>, Observation)) -> String {
    let answer = match observation {
        Observation::Accepted(accepted) => {
            let dump = |(_, dump): &(u8, Dump)| match dump {
                Dump::Bytes { bytes, unpredictable: None, .. } => json!({"bytes": hex(bytes)}),
                Dump::Raises(e) => json!({"raises": [e.class, e.message]}),
                _ => json!(null),
            };
            let dumps: Vec<_> = accepted.dumps.iter().map(dump).collect();
            let value = value(accepted).map(|json| format!(r#","value":{json}"#)).unwrap_or_default();
            let consumed = accepted.consumed.unwrap();
            format!(r#"{{"outcome":"accepted","consumed":{consumed}{value},"dumps":{}}}"#, json!(dumps))
        }
        Observation::Rejected(e) => json!({"outcome": "rejected", "exception": [e.class, e.message]}).to_string(),
        other => json!({"outcome": other.to_string()}).to_string(),
    };
    format!("{}\t{answer}\n", hex(stream))
}

/// A line for a reader in Rust.
fn row((stream, observation): &(Vec<u8>, Observation)) -> String {
    let cells = match observation {
        Observation::Accepted(accepted) => {
            let dump = |(_, dump): &(u8, Dump)| match dump {
                Dump::Bytes { bytes, .. } => hex(bytes),
                Dump::Raises(e) => format!("{}: {}", e.class, e.message),
                Dump::Undefined(_) | Dump::Slow { .. } => "?".into(),
            };
            let consumed = accepted.consumed.unwrap().to_string();
            let told = ["accepted".into(), consumed, value(accepted).unwrap_or_default()];
            told.into_iter().chain(accepted.dumps.iter().map(dump)).collect()
        }
        Observation::Rejected(e) => vec!["rejected".into(), e.class.clone(), e.message.clone()],
        other => vec![other.to_string()],
    };
    format!("{}\t{}\n", hex(stream), cells.join("\t"))
}

/// Checks that `run` succeeds with the right answers and fails with each of the wrong ones.
fn tells_apart(trial: &Trial, file: &Path, print: fn(&(Vec<u8>, Observation)) -> String, run: &dyn Fn() -> Output) {
    for fault in [None].into_iter().chain(trial.faults.iter().copied().map(Some)) {
        let text: String = answers(trial, fault).iter().map(print).collect();
        std::fs::write(file, text).unwrap();
        let output = run();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.success(), fault.is_none(), "{fault:?}: {said}");
        assert!(fault.is_none() || said.contains("instead of"), "{fault:?}: {said}");
    }
}

/// A Python 3 of a release that was recorded, and the release; without one, says that a test is skipped.
fn python() -> Option<(PathBuf, String)> {
    let binaries = Path::new(env!("CARGO_BIN_EXE_provost")).parent().unwrap();
    let options = Options {
        pythons: Vec::new(),
        search: true,
        driver: Some(Driver::Script),
        pyodide: false,
        home: Workspace::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../interpreters"), binaries),
        limits: Limits::default(),
    };
    let recorded = |version: &str| EXPORT.interpreters.iter().any(|head| head.version == version);
    let found = discover_with(&options, &|_| {}).interpreters;
    let is_it = |one: &interpreters::Interpreter| {
        one.facts.implementation == "cpython" && one.facts.version.starts_with("3.") && recorded(&one.facts.version)
    };
    let python = found.into_iter().rfind(is_it).map(|one| (one.path, one.facts.version));
    if python.is_none() {
        println!("skipped: no Python 3 of a recorded release was found");
    }
    python
}

fn run(command: &mut Command) -> Output {
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).output().unwrap()
}

#[test]
fn answers_are_those_of_interpreters() {
    let versions: Vec<String> = pyc_core::Profile::all().map(|profile| profile.version.to_string()).collect();
    for case in &EXPORT.cases {
        for version in &versions {
            let of = |number: &usize| EXPORT.interpreters[*number].version.starts_with(&format!("{version}."));
            let asked = case.answers.iter().any(|(by, _)| by.iter().any(of));
            assert_ne!(asked, case.unasked.contains(version), "{} in {version}", case.name);
        }
    }
    let answers = EXPORT.cases.iter().flat_map(|case| &case.answers);
    let told = answers.clone().filter(|(_, said)| matches!(said, Said::Accepted { value: Some(_), .. })).count();
    assert!(told > 500, "{told} of {} answers have a value", answers.count());
}

#[test]
fn lines_of_json_are_what_their_schema_says() {
    let dir = exported(&EXPORT, Format::Jsonl);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&read("case.schema.json")).unwrap()).unwrap();
    let lines = read("cases.jsonl");
    for line in lines.lines() {
        let case = serde_json::from_str(line).unwrap();
        if let Err(error) = schema.validate(&case) {
            panic!("{error}: {line}");
        }
    }
    assert_eq!(lines.lines().count(), EXPORT.cases.len());
    let Some((python, _)) = python() else { return };
    lines_tell_apart(&python, &WHOLE);
}

fn lines_tell_apart(python: &Path, trial: &Trial) {
    let dir = exported(trial.export, Format::Jsonl);
    let program = dir.path().join("program.py");
    let text = "import json, sys\n\
                answers = dict(line.rstrip('\\n').split('\\t', 1) for line in open(sys.argv[1]))\n\
                for line in sys.stdin:\n    print(answers[json.loads(line)['stream']])\n";
    std::fs::write(&program, text).unwrap();
    let file = dir.path().join("answers");
    tells_apart(trial, &file, line, &|| {
        run(Command::new(python)
            .current_dir(dir.path())
            .args(["check.py", trial.release])
            .arg(python)
            .args([&program, &file]))
    });
}

#[test]
fn tests_for_python_tell_readers_apart() {
    let Some((python, _)) = python() else { return };
    let dir = exported(&EXPORT, Format::Pytest);
    let tests = |arguments: &[&str]| run(Command::new(&python).current_dir(dir.path()).args(arguments));
    // As it is exported: the interpreter itself.
    let output = tests(&["-m", "unittest", "test_corpus"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    if tests(&["-c", "import pytest"]).status.success() {
        let output = tests(&["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    } else {
        println!("skipped: pytest is not installed; unittest ran the tests");
    }
    tests_tell_apart(&python, &WHOLE);
}

fn tests_tell_apart(python: &Path, trial: &Trial) {
    let dir = exported(trial.export, Format::Pytest);
    let release = trial.release;
    let reader = format!(
        "import binascii, json\n\
         MESSAGES = True\n\
         ANSWERS = dict(line.split('\\t', 1) for line in open('answers'))\n\
         def release():\n    return '{release}'\n\
         def found(stream):\n    return json.loads(ANSWERS[binascii.hexlify(stream).decode()])\n\
         def refuse(pair):\n    raise type(str(pair[0]), (Exception,), {{}})(pair[1])\n\
         def load(stream):\n    answer = found(stream)\n    \
         return answer if answer['outcome'] == 'accepted' else refuse(answer['exception'])\n\
         def dump(stream, version):\n    answer = found(stream)['dumps'][version]\n    \
         return NotImplemented if answer is None else refuse(answer['raises']) if 'raises' in answer else \
         binascii.unhexlify(answer['bytes'])\n"
    );
    std::fs::write(dir.path().join("reader.py"), reader).unwrap();
    tells_apart(trial, &dir.path().join("answers"), line, &|| {
        run(Command::new(python).current_dir(dir.path()).args(["-m", "unittest", "test_corpus"]))
    });
}

const PROGRAM: &str = include_str!("exports/reader.rs");

/// pyc-core reads and writes as a reader of the exported crate, whose own tests run, too.
#[test]
fn a_crate_tells_readers_apart() {
    crate_tells_apart(&WHOLE);
}

fn crate_tells_apart(trial: &Trial) {
    let dir = exported(trial.export, Format::Rust);
    let program = dir.path().join("program");
    std::fs::create_dir_all(program.join("src")).unwrap();
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pyc-core");
    let manifest = format!(
        "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         marshal-corpus = {{ path = \"..\" }}\npyc-core = {{ path = {core:?} }}\n\n[workspace]\n"
    );
    std::fs::write(program.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(program.join("src/main.rs"), PROGRAM).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exported").join(trial.release);
    let cargo = |arguments: &[&str]| {
        let output = run(Command::new(env!("CARGO"))
            .args(arguments)
            .args(["--offline", "--quiet", "--target-dir"])
            .arg(&target)
            .current_dir(&program)
            .env("RUSTFLAGS", "-Dwarnings"));
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    cargo(&["test", "-p", "marshal-corpus"]);
    cargo(&["build"]);
    let binary = target.join("debug").join("program");
    let output = run(Command::new(&binary).arg(trial.release));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let file = dir.path().join("answers");
    tells_apart(trial, &file, row, &|| run(Command::new(&binary).arg(trial.release).arg(&file)));
}

/// Seeds have no answers: a fuzz target asserts what it likes. One that is wrong about negative ints ends, one that is not
/// does not.
#[test]
fn seeds_for_fuzzers_end_a_wrong_target() {
    let dir = exported(&EXPORT, Format::Libfuzzer);
    let seeds: Vec<PathBuf> = std::fs::read_dir(dir.path().join("seeds")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(seeds.len(), EXPORT.cases.len());
    let dictionary = std::fs::read_to_string(dir.path().join("marshal.dict")).unwrap();
    for word in dictionary.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(word.split_once("=\"").is_some_and(|(_, rest)| rest.ends_with('"')), "{word}");
    }
    if !Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no C compiler");
        return;
    }
    for (name, is_right) in [("right", true), ("wrong", false)] {
        let target = dir.path().join(format!("{name}.c"));
        let body = if is_right { "" } else { "if (n >= 5 && b[0] == 'i' && (b[4] & 0x80)) abort();" };
        let text = format!(
            "#include <stdint.h>\n#include <stdlib.h>\n\
             int LLVMFuzzerTestOneInput(const uint8_t *b, size_t n) {{ {body} (void)b; (void)n; return 0; }}\n"
        );
        std::fs::write(&target, text).unwrap();
        let binary = dir.path().join(name);
        let built = run(Command::new("cc")
            .current_dir(dir.path())
            .args(["-Wall", "-Werror", "-o"])
            .args([&binary, &target])
            .arg("replay.c"));
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let output = run(Command::new(&binary).args(&seeds));
        assert_eq!(output.status.success(), is_right, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Runs `provost` and wants this exit status; gives what it prints.
fn provost(arguments: &[&str], status: i32) -> String {
    let output = run(Command::new(env!("CARGO_BIN_EXE_provost")).args(arguments));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    said
}

/// A corpus with nothing in it but the documents.
fn empty_corpus(dir: &Path) {
    for folder in ["seeds", "regressions", "coverage", "golden"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
    for file in ["README.md", "golden/README.md"] {
        std::fs::copy(corpus().join(file), dir.join(file)).unwrap();
    }
    std::fs::write(dir.join("golden/by-hand.txt"), "# nothing\n").unwrap();
}

/// The whole flow of a fault: hunt, minimize, promote, ask the interpreters, export, and three readers in other languages
/// that have the fault or have it not.
#[test]
fn a_fault_becomes_a_test_of_other_readers() {
    let fault = "int-unsigned";
    let dir = tempfile::tempdir().unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let runs = text(&dir.path().join("runs"));
    let plant = ["--plant", fault];
    let said = provost(&[&["hunt", "--seed", "1", "--cases", "2000", "--out", &runs], &plant[..]].concat(), 1);
    assert!(said.contains("1 finding"), "one cause is one finding: {said}");
    let folder = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let finding = || {
        let run = reports::read(&folder.join(reports::FILE_NAME)).unwrap();
        run.findings.into_iter().find(|finding| finding.is_new()).unwrap()
    };
    let found = finding();
    assert!(found.smallest && found.case.length < found.original_length.unwrap(), "{found:?}");
    assert!(found.also.iter().any(|other| other.starts_with("reread")), "a dump of it does not read back: {found:?}");
    // By hand, from the case that the hunt began with, the same comes out. Other cases there are of findings that were
    // merged into this one: this subject need not diverge on them in this relation.
    let mut cases = std::fs::read_dir(folder.join("cases")).unwrap().map(|entry| entry.unwrap().path());
    let original = cases.find(|path| Some(path.metadata().unwrap().len()) == found.original_length).unwrap();
    let small = text(&dir.path().join("small.marshal"));
    let subject = ["--subject", &found.subject, "--relation", &found.relation];
    provost(&[&["minimize", &text(&original), "--out", &small], &plant[..], &subject].concat(), 1);
    let bytes = std::fs::read(&small).unwrap();
    assert_eq!(hex(&bytes), found.case.hex);
    let corpus = dir.path().join("corpus");
    empty_corpus(&corpus);
    let at = text(&corpus);
    let promote = |words: &[&str], status: i32| {
        let case = text(&folder.join(found.case.path.as_ref().unwrap()));
        provost(&[&["promote", &case, "--corpus", &at], &plant[..], words].concat(), status)
    };
    let words = ["--what", "A negative int", "--root-cause", "The sign was lost"];
    assert!(promote(&[], 2).contains("root_cause"));
    promote(&words, 0);
    assert!(promote(&words, 2).contains("already"));
    assert!(finding().fixture.unwrap().starts_with("regressions/a-negative-int"));
    let Some((python, release)) = python() else { return };
    let one = ["--no-search", "--no-pyodide", "--driver", "script", "--python", &text(&python)];
    provost(&[&["golden", "--cases", "0", "--corpus", &at], &one[..]].concat(), 0);
    let export = Export::of(&corpus).unwrap();
    assert_eq!(export.cases.len(), 1);
    let trial = Trial { export: &export, release: &release, faults: &[fault] };
    lines_tell_apart(&python, &trial);
    tests_tell_apart(&python, &trial);
    crate_tells_apart(&trial);
}
