//! The rows of `src/generators/codes/opcodes.rs` say what the interpreters' own `opcode` modules say.
//!
//! `BLESS=1` rewrites the rows of the versions that are on this machine.

mod found;

use interpreters::{Driver, Interpreter, Limits, Outcome, Supervisor, Workspace};
use protocol::{Answer, Compile};
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = include_str!("opcodes.py");

/// How a row begins.
const ROW: &str = "    Opcodes {\n";

#[test]
fn rows_are_the_interpreters() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generators/codes/opcodes.rs");
    let home = Workspace::locate();
    let interpreters = found::interpreters();
    let mut compared = 0;
    for interpreter in interpreters.iter().filter(|i| i.facts.implementation == "cpython") {
        let Some(row) = printed(interpreter, &home) else {
            println!("skipped: {} has no executable", interpreter.id);
            continue;
        };
        compared += 1;
        check(&table, interpreter, &row);
    }
    if compared == 0 {
        println!("skipped: no CPython was found, so no row was compared");
    }
}

fn check(table: &Path, interpreter: &Interpreter, row: &str) {
    let text = std::fs::read_to_string(table).unwrap();
    if text.contains(row) {
        return;
    }
    let version = row.lines().nth(1).unwrap();
    let at = text.find(version).unwrap_or_else(|| panic!("no row has {version}"));
    let start = text[..at].rfind(ROW).unwrap();
    let end = at + text[at..].find("    },\n").unwrap() + "    },\n".len();
    assert!(
        std::env::var_os("BLESS").is_some(),
        "{}: run again with BLESS=1 to take what it says:\n{row}\ninstead of\n{}",
        interpreter.id,
        &text[start..end]
    );
    std::fs::write(table, [&text[..start], row, &text[end..]].concat()).unwrap();
}

/// What the script prints; `None` where nothing can run it.
fn printed(interpreter: &Interpreter, home: &Workspace) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("opcodes.pyc");
    let mut command = if interpreter.driver == Driver::Pyodide {
        let compile = Compile { source: SCRIPT.into(), filename: "opcodes.py".into(), optimize: 0 };
        let outcome = Supervisor::new(interpreter, Limits::default()).compile(&compile).unwrap();
        let Outcome::Answer(Answer::Compiled(pyc)) = outcome else { panic!("{outcome:?}") };
        std::fs::write(&file, pyc).unwrap();
        let mut command = Command::new("node");
        command.arg(home.pyodide.join("run.mjs")).arg(interpreter.path.file_name().unwrap()).arg(&file);
        command
    } else if interpreter.path.to_string_lossy().contains(".so") {
        return None;
    } else {
        let mut command = Command::new(&interpreter.path);
        command.arg("-c").arg(SCRIPT);
        command
    };
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}: {}", interpreter.id, String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}
