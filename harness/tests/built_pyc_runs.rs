//! The .pyc file that pyc-core's example builds from nothing runs under every interpreter found.

mod found;

use interpreters::{Driver, Interpreter, Workspace};
use std::path::Path;
use std::process::Command;

#[test]
fn the_example_greets_from_every_interpreter() {
    let home = Workspace::locate();
    let interpreters = found::interpreters();
    if interpreters.is_empty() {
        println!("skipped: no interpreter was found, so the file that the example builds was not run");
    }
    let folder = tempfile::tempdir().unwrap();
    for interpreter in &interpreters {
        let (major, minor, ..) = interpreter.facts.version_info;
        let file = folder.path().join(format!("{}.pyc", interpreter.id.replace(':', "-")));
        let build = ["run", "--quiet", "-p", "pyc-core", "--example", "build_pyc", "--"];
        let version = format!("{major}.{minor}");
        let built = Command::new(env!("CARGO")).args(build).arg(&version).arg(&file).status().unwrap();
        if interpreter.facts.implementation != "cpython" {
            println!("skipped: {} is not a CPython, whose bytecode the example writes", interpreter.id);
            continue;
        }
        assert!(built.success(), "the example does not build for {version}");
        check(interpreter, &home, &file, &version);
    }
}

fn check(interpreter: &Interpreter, home: &Workspace, file: &Path, version: &str) {
    let mut command = if interpreter.driver == Driver::Pyodide {
        let mut command = Command::new("node");
        command.arg(home.pyodide.join("run.mjs")).arg(interpreter.path.file_name().unwrap());
        command
    } else if interpreter.path.to_string_lossy().contains(".so") {
        println!("skipped: {} has no executable", interpreter.id);
        return;
    } else {
        Command::new(&interpreter.path)
    };
    let output = command.arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let wanted = format!("hello from a .pyc that no Python made, for {version}\n");
    assert_eq!(said, wanted, "{}: {}", interpreter.id, String::from_utf8_lossy(&output.stderr));
}
