//! .pyc files that no Python made run under every interpreter found.

mod found;

use interpreters::{Driver, Interpreter, Workspace};
use pyc_core::bytecode::document::{BasicBlock, Symbol};
use pyc_core::bytecode::text;
use std::path::{Path, PathBuf};
use std::process::Command;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pyc-core/examples")
}

fn version(interpreter: &Interpreter) -> String {
    let (major, minor, ..) = interpreter.facts.version_info;
    format!("{major}.{minor}")
}

/// Every CPython found runs the file that is made for its version, and prints this.
fn check(name: &str, build: impl Fn(&str, &Path), wanted: impl Fn(&str) -> String) {
    let home = Workspace::locate();
    let interpreters = found::interpreters();
    if interpreters.is_empty() {
        println!("skipped: no interpreter was found, so {name} was not run");
    }
    let folder = tempfile::tempdir().unwrap();
    for interpreter in &interpreters {
        if interpreter.facts.implementation != "cpython" {
            println!("skipped: {} is not a CPython, whose bytecode this is", interpreter.id);
            continue;
        }
        let version = version(interpreter);
        let file = folder.path().join(format!("{}.pyc", interpreter.id.replace(':', "-")));
        build(&version, &file);
        if let Some((said, errors)) = run(interpreter, &home, &file) {
            assert_eq!(said, wanted(&version), "{name}: {}: {errors}", interpreter.id);
        }
    }
}

fn run(interpreter: &Interpreter, home: &Workspace, file: &Path) -> Option<(String, String)> {
    let mut command = if interpreter.driver == Driver::Pyodide {
        let mut command = Command::new("node");
        command.arg(home.pyodide.join("run.mjs")).arg(interpreter.path.file_name().unwrap());
        command
    } else if interpreter.path.to_string_lossy().contains(".so") {
        println!("skipped: {} has no executable", interpreter.id);
        return None;
    } else {
        Command::new(&interpreter.path)
    };
    let output = command.arg(file).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((text(&output.stdout), text(&output.stderr)))
}

/// Runs an example of pyc-core.
fn example(arguments: &[&str], file: &Path) {
    let run = ["run", "--quiet", "-p", "pyc-core", "--example"];
    let status = Command::new(env!("CARGO")).args(run).args(arguments).arg(file).status().unwrap();
    assert!(status.success(), "{arguments:?}");
}

#[test]
fn the_example_greets_from_every_interpreter() {
    check(
        "build_pyc",
        |version, file| example(&["build_pyc", "--", version], file),
        |version| format!("hello from a .pyc that no Python made, for {version}\n"),
    );
}

const HELLO: &str = "loop: hello\nloop: goodbye\nclosure: 5\ngenerator: 14\nfinally: 7 by 2\ntry: 3\nfinally: 7 by 0\n\
                     except: no division\nwith: open\nwith: inside\nwith: closed\n";
const MATCH: &str = "match: origin\nmatch: at 3\nmatch: elsewhere\n";

fn hello_text(version: &str) -> String {
    std::fs::read_to_string(examples().join("hello").join(format!("{version}.pyasm"))).unwrap()
}

fn hello_for(version: &str) -> String {
    let has_match = version.strip_prefix("3.").is_some_and(|minor| minor.parse::<u32>().unwrap() >= 10);
    format!("{HELLO}{}", if has_match { MATCH } else { "" })
}

#[test]
fn texts_say_hello_to_every_interpreter() {
    let build = |version: &str, file: &Path| {
        let bytes = text::assemble(&hello_text(version)).unwrap_or_else(|error| panic!("{version}.pyasm:{error}"));
        std::fs::write(file, bytes).unwrap();
    };
    check("hello", build, hello_for);
}

#[test]
fn the_builder_says_hello_to_every_interpreter() {
    check("the builder", |version, file| example(&["hello", "--", version], file), hello_for);
}

#[test]
fn a_constant_of_a_function_is_changed_for_every_interpreter() {
    let build = |version: &str, file: &Path| {
        std::fs::write(file, text::assemble(&hello_text(version)).unwrap()).unwrap();
        let input = file.to_string_lossy().into_owned();
        example(&["edit_function", "--", &input, "divide", "no division", "nothing comes of it"], file);
    };
    check("edit_function", build, |version| hello_for(version).replace("no division", "nothing comes of it"));
}

#[test]
fn changed_code_runs_on_every_interpreter() {
    check("changed code", |version, file| std::fs::write(file, changed(&hello_text(version))).unwrap(), hello_for);
}

/// A program with another name for a variable, and with so many instructions that do nothing in front of each basic block that
/// jumps need prefixes; and whatever was put in and taken out again leaves no trace.
fn changed(given: &str) -> Vec<u8> {
    let mut document = text::parse(given).unwrap();
    let nop = document.op("NOP", Symbol::None, 1).unwrap();
    for place in 0..document.blocks.len() {
        let flow = document.flow(place).unwrap();
        let before = document.blocks[place].ops.clone();
        for (number, basic) in flow.iter().enumerate().rev().filter(|(_, basic)| basic.depth.is_some()) {
            let block = &mut document.blocks[place];
            // A generator begins with what its caller reckons with; and nothing is between an instruction and its handler.
            if number == 0 {
                continue;
            }
            let mut one = nop.clone();
            one.place = block.ops[basic.ops.start].place;
            block.splice(basic.ops.start, vec![one; 150], number % 2 == 0);
        }
        let longer = document.flow(place).unwrap();
        let depth = |basics: &[BasicBlock]| basics.iter().filter_map(|basic| basic.depth).max();
        assert_eq!(depth(&longer), depth(&flow));
        let block = &mut document.blocks[place];
        let start = block.ops.len();
        block.splice(start, vec![nop.clone(); 3], true);
        assert_eq!(block.remove(start..start + 3).len(), 3);
        assert!(block.ops.len() >= before.len());
    }
    for (function, old, new) in [("adder.add", "x", "other"), ("squares", "i", "number")] {
        let block = document.blocks.iter_mut().find(|block| block.label == function).unwrap();
        block.rename(old, new);
        assert!(!block.ops.iter().any(|op| op.operand == Symbol::Variable(old.into())));
    }
    document.write().unwrap()
}
