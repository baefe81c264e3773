//! Adapters for readers of other people: the skeletons work, and the commands take them everywhere.

use harness::adapters::{Language, write};
use harness::comparison::Pair;
use harness::oracle::{Came, Verdict};
use harness::subjects::{InProcess, core::Core};
use reader::{Read, Reader, Refusal, Value};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn provost(arguments: &[&str], folder: &Path) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_provost")).args(arguments).current_dir(folder).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), text)
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(if program == "java" { "-version" } else { "--version" });
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A skeleton in a folder of its own, made without cargo, which would ask for a registry; `None`, with a note, if a tool is
/// missing.
fn made(language: Language) -> Option<(tempfile::TempDir, String)> {
    let (tool, make, start): (_, &[&str], _) = match language {
        Language::Python => ("python3", &[], "python3 adapter.py"),
        Language::Rust => ("rustc", &["rustc", "--edition=2024", "-o", "adapter", "src/main.rs"], "./adapter"),
        Language::C => ("cc", &["cc", "-Wall", "-Wextra", "-Werror", "-o", "adapter", "adapter.c"], "./adapter"),
        Language::Go => ("go", &["go", "build"], "./adapter"),
        Language::Javascript => ("node", &[], "node adapter.mjs"),
        Language::Java => ("java", &["javac", "Adapter.java"], "java -cp . Adapter"),
    };
    if !is_there(tool) {
        eprintln!("skipped: there is no {tool}");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    write(language, false, folder.path(), &root()).unwrap();
    if let Some((program, arguments)) = make.split_first() {
        let output = Command::new(program).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{language:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Some((folder, start.to_owned()))
}

#[test]
fn every_skeleton_passes_its_test() {
    for language in Language::ALL {
        let Some((folder, start)) = made(language) else { continue };
        let (status, text) = provost(&["adapter", "test", &start], folder.path());
        assert!(
            status == 0 && text.contains("mine:3.11: an int: right") && text.contains("nothing is wrong"),
            "{language:?}: {text}"
        );
    }
}

#[test]
fn a_skeleton_is_written_once_and_is_short() {
    let folder = tempfile::tempdir().unwrap();
    for (language, most) in [(Language::Python, 100), (Language::Rust, 150)] {
        let folder = folder.path().join(format!("{language:?}"));
        write(language, false, &folder, &root()).unwrap();
        let lines: usize = lines(&folder);
        assert!(lines < most, "{language:?} has {lines} lines");
        write(language, false, &folder, &root()).unwrap_err();
    }
    let fuzz = folder.path().join("fuzz");
    write(Language::Rust, true, &fuzz, &root()).unwrap();
    assert!(lines(&fuzz) < 60, "{}", lines(&fuzz));
    write(Language::C, true, &folder.path().join("c"), &root()).unwrap_err();
}

/// The lines of all files in a folder, but for what is there to be read.
fn lines(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !path.ends_with("README.md"));
    entries
        .map(|path| if path.is_dir() { lines(&path) } else { std::fs::read_to_string(&path).unwrap().lines().count() })
        .sum()
}

/// The skeleton in Python with one thing changed.
fn changed(from: &str, to: &str) -> Option<(tempfile::TempDir, String)> {
    let (folder, start) = made(Language::Python)?;
    let path = folder.path().join("adapter.py");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    Some((folder, start))
}

#[test]
fn a_test_says_line_by_line_what_is_wrong() {
    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        let Some((folder, start)) = changed(from, to) else { return };
        let (status, text) = provost(&["adapter", "test", &start], folder.path());
        assert!(status == 1 && text.contains(expected), "{text}");
    }
    check(
        "\"T\": True",
        "\"T\": False",
        "mine:3.11: True: WRONG (wrong): at value: CPython says true; your reader says false",
    );
    check(
        "at + 5\n    if code",
        "at + 4\n    if code",
        "mine:3.11: an int: WRONG (wrong): at bytes consumed: CPython says 5; your reader says 4",
    );
    check("\"exec\": 1", "\"exec\": 7", "hello: WRONG: it speaks version 7 of EXEC.md");
    check(
        "\"value\": plain",
        "\"valeu\": plain",
        "mine:3.11: None: WRONG: its answer: an answer with none of the keys",
    );
    check("return {type(value)", "return {\"a\": 1, type(value)", "is no value of plain JSON");
    check("for line in sys.stdin:", "out.write(\"Welcome!\\n\")\nfor line in sys.stdin:", "hello: WRONG");
}

/// The adapter beside one that does its worst has the results that it has alone.
#[test]
fn a_hunt_takes_an_adapter_and_others_change_nothing() {
    let Some((folder, start)) = changed("at + 1)[0], at + 5", "at + 1)[0] + 1, at + 5") else { return };
    let worst = include_str!("../../interpreters/tests/fake_adapter.py")
        .replace("        say(right)\n", "        os._exit(3) if case[:1] in b\"(\\xa8\" else say(right)\n")
        .replace("\"3.11\", \"3.12\"", "\"3.11\"");
    std::fs::write(folder.path().join("worst.py"), worst).unwrap();
    let hunt = |adapters: &[&str], cases: &str| {
        let mut arguments = vec![
            "hunt",
            "--seed",
            "1",
            "--cases",
            cases,
            "--generators",
            "values,streams",
            "--minimize-for",
            "2s",
            "--out",
            "out",
        ];
        adapters.iter().for_each(|adapter| arguments.extend(["--adapter", adapter]));
        let (status, text) = provost(&arguments, folder.path());
        let row = text.lines().find(|line| line.starts_with("mine:3.11")).map(|line| {
            // All but the last: how many cases there were in a second.
            line.split_whitespace().take(10).map(str::to_owned).collect::<Vec<_>>()
        });
        (status, row, text)
    };
    let (status, alone, text) = hunt(&[&start], "120");
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("reader at value:int: core accepted, mine accepted"), "{text}");
    let (_, beside, text) = hunt(&[&start, "python3 worst.py"], "240");
    assert!(alone.is_some() && alone == beside, "{alone:?} and {text}");
}

#[derive(Clone)]
struct Mine;

impl Reader for Mine {
    fn declaration(&self) -> String {
        r#"{"exec":1,"name":"mine","version":"0.1","pythons":["3.11"]}"#.into()
    }

    fn load(&mut self, stream: &[u8], _: (u8, u8), _: bool) -> Result<Read, Refusal> {
        match stream[0] {
            b'N' => Ok(Value::None.into()),
            b'T' => Ok(Value::Bool(false).into()),
            b'F' => Err(Refusal::error("no")),
            code => Err(Refusal::Unsupported(format!("{code}"))),
        }
    }
}

#[test]
fn a_reader_in_this_process_is_judged_alike() {
    let (subject, declaration) = InProcess::new(Mine, "3.11").unwrap();
    let core = Core::for_reader(&declaration, "3.11").unwrap();
    let mut pair = Pair::new(&declaration.name, core, Box::new(subject));
    for (stream, expected) in [
        (&b"N"[..], Came::Right),
        (b"T", Came::Wrong),
        (b"F", Came::Refused),
        (b"i\0\0\0\0", Came::NotClaimed),
        (b"", Came::Crashed),
    ] {
        let compared = pair.compare(stream).unwrap();
        assert_eq!(Came::of(&compared.observation, &compared.verdict), expected, "{compared:?}");
    }
    let Verdict::Diverge(divergence) = pair.compare(b"").unwrap().verdict else { panic!("a panic is no agreement") };
    assert!(divergence.signature.path.starts_with("outcome:panic: index out of bounds"), "{divergence}");
}
