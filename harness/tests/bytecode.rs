//! What pyc-core says of instructions is what the interpreters say.

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
