//! What pyc-core says of instructions is what the interpreters say.

use harness::observation::Observation;
use harness::subjects::core::Core;
use std::process::Command;

/// A few files of each standard library and some generated code objects; `cargo provost bytecode` asks about all.
#[test]
fn interpreters_agree_about_instructions() {
    let output = Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(["bytecode", "--no-pyodide", "--files", "3", "--cases", "200"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if text.contains("no CPython was found") {
        println!("skipped: no CPython was found");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("3 of 3 files agree"), "{text}");
}

/// Where `dis` does not go into nested code (3.6), each code object is shown once, however often it is a constant; where it
/// does, each time.
#[test]
fn shared_code_objects_are_shown_as_dis_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    for python in ["3.6", "3.7", "3.12"] {
        let text = format!(
            ".python {python}\n.bare\n.code f\n.consts code g, None, code g\nLOAD_CONST code g\nRETURN_VALUE\n\
             .code g\nLOAD_CONST None\nRETURN_VALUE\n"
        );
        let path = folder.path().join(format!("{python}.marshal"));
        std::fs::write(&path, pyc_core::bytecode::text::assemble(&text).unwrap()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["replay", "--no-pyodide", "--as", python])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(0), "{python}: {said}");
    }
}

/// `co_freevars` of a variable that is free and local writes behind a tuple (3.11 and later), so nobody is asked to read it.
#[test]
fn free_variables_that_are_local_are_not_asked_of() {
    let check = |kinds: &str, is_asked: bool| {
        let text = format!(
            ".python 3.11\n.bare\n.code f\n.field localsplusnames (\"a\", \"b\")\n.field localspluskinds b\"{kinds}\"\n\
             LOAD_CONST None\nRETURN_VALUE\n"
        );
        let stream = pyc_core::bytecode::text::assemble(&text).unwrap();
        let core = Core::named("3.11").unwrap();
        let predicted = harness::bytecode::predict(&core, &stream);
        assert_eq!(matches!(predicted, Observation::Accepted(_)), is_asked, "{kinds}: {predicted}");
    };
    check("\\x20\\x80", true);
    check("\\x60\\x80", true);
    check("\\x20\\xa0", false);
    check("\\x20\\xc0", false);
}
