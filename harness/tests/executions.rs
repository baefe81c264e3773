//! Executing: only what was started for it does it, and whatever happens there is told of the code object that did it.

use harness::generators::Target;
use harness::generators::execution::{Base, program};
use harness::observation::{Fault, Observation};
use harness::subjects::core::{Core, payload};
use harness::subjects::{Compiled, Reality, Subject};
use interpreters::{Driver, Interpreter, Limits, Options, Workspace, discover};
use protocol::Compile;
use std::path::{Path, PathBuf};
use std::process::Command;

/// So many programs are compiled and executed, and of this many mutants some end the process.
const PROGRAMS: u64 = 40;
const MUTANTS: u64 = 400;

fn scripts() -> Vec<Interpreter> {
    let found = discover(&Options {
        pythons: Vec::new(),
        search: true,
        driver: Some(Driver::Script),
        pyodide: false,
        home: Workspace::locate(),
        limits: Limits::default(),
    });
    found.interpreters
}

/// What an observation comes to.
fn word(observation: &Observation) -> String {
    match observation {
        Observation::Accepted(_) => "returned".into(),
        Observation::Rejected(exception) => exception.class.clone(),
        Observation::Faulted(Fault::Worker(interpreters::Fault::Crash { .. })) => "died".into(),
        Observation::Faulted(fault) => fault.kind(),
        other => other.to_string(),
    }
}

fn compiled(subject: &mut Reality, compile: &Compile) -> Vec<u8> {
    match subject.compile(compile).unwrap() {
        Compiled::Pyc(pyc) => payload(&pyc).unwrap(),
        other => panic!("{}: {other:?}", String::from_utf8_lossy(&compile.source)),
    }
}

fn check(interpreter: &Interpreter, target: Target) {
    let mut subject = Reality::new(interpreter, Limits::default());
    let mut source =
        |text: &str| compiled(&mut subject, &Compile { source: text.into(), filename: "p".into(), optimize: 0 });
    let endings = [
        ("x = 1\n", "returned"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("while 1: pass\n", "timeout"),
        ("while 1:\n try:\n  while 1: pass\n except: pass\n", "timeout"),
        ("[0] * 10 ** 12\n", "out of memory"),
        ("f = lambda: f()\nf()\n", "RecursionError"),
        ("import os\n", "ImportError"),
        ("open('/dev/null')\n", "NameError"),
        // In 2.7 that is no exception at all.
        ("class A: pass\nraise A()\n", if target.version.0 == 2 { "A" } else { "TypeError" }),
        // An exception is being handled by whoever executes it.
        ("raise\n", "LookupError"),
        ("x = 2\n", "returned"),
    ];
    let streams: Vec<Vec<u8>> = endings.iter().map(|(text, _)| source(text)).collect();
    let observed: Vec<String> = subject.execute(&streams).unwrap().iter().map(word).collect();
    assert_eq!(observed, endings.map(|(_, ending)| ending), "{}", interpreter.id);

    // What a compiler wrote ends no process, and what ends one takes nothing else with it.
    let programs: Vec<Vec<u8>> =
        (0..PROGRAMS).map(|number| compiled(&mut subject, &program(target, 1, number))).collect();
    let endings: Vec<String> = subject.execute(&programs).unwrap().iter().map(word).collect();
    assert!(!endings.iter().any(|ending| ending == "died"), "{}: {endings:?}", interpreter.id);
    let base = Base::new(target, programs[0].clone());
    let mutants: Vec<Vec<u8>> = (1..MUTANTS).filter_map(|index| base.case(1, index, &programs[1])).collect();
    let observed = subject.execute(&mutants).unwrap();
    let killer = observed.iter().position(|one| word(one) == "died");
    let killer = &mutants[killer.unwrap_or_else(|| panic!("{}: no mutant ended the process", interpreter.id))];
    let batch = [&programs[0], killer, &programs[1], killer, &programs[2]].map(Clone::clone);
    let observed: Vec<String> = subject.execute(&batch).unwrap().iter().map(word).collect();
    assert_eq!(observed, [&endings[0], "died", &endings[1], "died", &endings[2]], "{}", interpreter.id);
}

#[test]
fn what_is_executed_is_told_apart() {
    let mut asked = 0;
    for interpreter in scripts() {
        let Some(core) = Core::of(&interpreter.facts).ok().filter(Core::is_model) else { continue };
        match interpreter.executing() {
            Ok(executing) => check(&executing, core.target()),
            Err(why) => println!("skipped: {}: {why}", interpreter.id),
        }
        asked += 1;
    }
    if asked == 0 {
        println!("skipped: no CPython was found, so nothing was executed");
    }
}

/// Children that die of the `last` case: after three others, or where memory is limited.
const FAKE: &str = r#"
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import execution
def execute(cases, told, words, limited):
    for case in cases[:-1]:
        os.write(told, b"\0\0")
    if cases[-1] == b"last" and (len(cases) > 3 if sys.argv[2] == "others" else limited):
        os.kill(os.getpid(), signal.SIGSEGV)
    os.write(told, b"\0\0")
execution.execute = execute
for ending in execution.endings([b""] * 9 + [b"last"], 1):
    print(*ending)
"#;

/// An interpreter that runs scripts which import `execution`, if there is one.
fn python() -> Option<PathBuf> {
    let found = scripts().iter().rev().find_map(|one| one.executable().map(Path::to_owned));
    if found.is_none() {
        println!("skipped: no interpreter was found");
    }
    found
}

/// What such a script prints, and who said what on stderr.
fn printed(python: &Path, script: &str, argument: &str) -> [String; 2] {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../interpreters/script");
    let output = Command::new(python).args(["-c", script, folder, argument]).output().unwrap();
    let said = format!("{}: {}", python.display(), String::from_utf8_lossy(&output.stderr));
    [String::from_utf8(output.stdout).unwrap(), said]
}

/// A signal that does not come when a case is executed alone is told with what it came of.
#[test]
fn what_dies_with_others_only_is_told() {
    let Some(python) = python() else { return };
    for (why, told) in [("others", "7 b'SIGSEGV after the 4 before it'"), ("memory", "4 b''")] {
        let [text, said] = printed(&python, FAKE, why);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, [["0 b''"; 9].as_slice(), &[told]].concat(), "{said}");
    }
}

/// Cases that leave no memory to those that come after them in the same child.
const FILLED: &str = r#"
import sys
sys.path.insert(0, sys.argv[1])
import execution
full = []
def ending(case):
    if full:
        return (execution.REFUSED, "MemoryError") if case == b"loads" else (execution.MEMORY, "")
    if case in (b"fills", b"leaves"):
        full.append(case)
    return (execution.MEMORY if case == b"fills" else execution.RETURNED), ""
execution.ending = ending
cases = [b"runs", b"fills", b"runs", b"loads", b"leaves", b"runs", b"leaves", b"loads", b"runs"]
print(*[number for number, text in execution.endings(cases, 1 << 40)])
"#;

/// What one leaves of its memory is in nobody's way.
#[test]
fn who_comes_after_one_that_fills_the_memory_has_its_own() {
    let Some(python) = python() else { return };
    let [text, said] = printed(&python, FILLED, "");
    assert_eq!(text.trim(), "0 4 0 0 0 0 0 0 0", "{said}");
}

#[test]
fn nobody_else_executes_anything() {
    for interpreter in scripts().iter().take(3) {
        let refused = Reality::new(interpreter, Limits::default()).execute(&[b"N".to_vec()]);
        let why = refused.expect_err("it was not started to execute anything").to_string();
        assert!(why.contains("not started to execute"), "{why}");
    }
}
