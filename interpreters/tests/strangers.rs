//! Supervision of readers of other people, seen with an adapter that misbehaves on demand (`fake_adapter.py`).

use interpreters::{Found, Limits, Outcome, Supervisor, Workspace, adapters};
use protocol::{Answer, CanonMode, Load};
use std::time::Duration;

/// Time limits that a case which hangs does reach and a busy machine does not.
fn limits() -> Limits {
    Limits { case_cpu: Duration::from_secs(1), silence: Duration::from_secs(2), ..Limits::default() }
}

/// What is found of the fake in this mode; `None`, with a note, if there is no Python to run it. The folder must outlive it.
fn found(mode: &str) -> Option<(tempfile::TempDir, Found)> {
    let home = tempfile::tempdir().unwrap();
    let script = include_str!("fake_adapter.py").replace("\"honest\"", &format!("{mode:?}"));
    let path = home.path().join("fake.py");
    std::fs::write(&path, script).unwrap();
    let limits = Limits { start: Duration::from_secs(5), ..limits() };
    let found = adapters(&[format!("python3 {}", path.display())], &Workspace::at(home.path(), home.path()), &limits);
    if found.unusable.iter().any(|unusable| unusable.reason.contains("no such program")) {
        eprintln!("skipped: there is no python3 on PATH");
        return None;
    }
    Some((home, found))
}

fn load(cases: &[&str]) -> Load {
    let cases = cases.iter().map(|case| case.as_bytes().to_vec()).collect();
    Load { canon: CanonMode::Text, consumed: true, versions: Vec::new(), cases }
}

/// What an outcome is, in one line; of what was answered rightly it is "right".
fn describe(outcome: &Outcome, case: &str) -> String {
    let right = format!(r#"{{"bytes": "{}"}}"#, case.bytes().map(|byte| format!("{byte:02x}")).collect::<String>());
    match outcome {
        Outcome::Answer(Answer::Accepted(loaded)) if loaded.canon == Ok(right.into_bytes()) => "right".into(),
        Outcome::Answer(Answer::Accepted(loaded)) => {
            format!("{} bytes", loaded.canon.as_ref().map_or(0, Vec::len))
        }
        Outcome::Answer(Answer::Rejected(exception)) => format!("{}: {}", exception.class, exception.message),
        Outcome::Answer(other) => format!("{other:?}"),
        Outcome::Fault(fault) => fault.to_string(),
    }
}

/// A case between two others comes to this after so many restarts, and the others are answered all the same.
#[track_caller]
fn check(case: &str, expected: &str, restarts: u32) {
    let Some((_home, found)) = found("honest") else { return };
    assert_eq!(found.interpreters.len(), 2, "{:?}", found.unusable);
    let mut supervisor = Supervisor::new(&found.interpreters[0], limits());
    let cases = ["before", case, "after"];
    let outcomes = supervisor.load(&load(&cases)).unwrap();
    let described: Vec<String> = outcomes.iter().zip(cases).map(|(outcome, case)| describe(outcome, case)).collect();
    assert_eq!(described, ["right", expected, "right"]);
    assert_eq!(supervisor.restarts(), restarts);
}

#[test]
fn an_adapter_is_a_subject_for_each_python() {
    let Some((_home, found)) = found("honest") else { return };
    let ids: Vec<&str> = found.interpreters.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["fake:3.11", "fake:3.12"]);
}

#[test]
fn honest_answers_need_no_restart() {
    check("a", "right", 0);
    check("late", "right", 0);
    check("much", "1000002 bytes", 0);
    check("unsupported", "unsupported: that", 0);
}

#[test]
fn a_death_is_that_of_its_case() {
    check("SIGSEGV", "it crashed with SIGSEGV", 1);
    check("SIGKILL", "it crashed with SIGKILL", 2);
    check("exit", "it exited with status 3 (last words)", 2);
}

#[test]
fn a_hang_is_measured_by_work() {
    check("spin", "it did not answer within 1s of CPU time", 1);
    check("hang", "it gave no sign of life for 2s", 1);
    check("skip", "it gave no sign of life for 2s", 1);
}

#[test]
fn nonsense_is_told_and_tried_twice() {
    let nonsense = |what: &str| format!("it broke the worker protocol: {what}");
    let chatter = r#"a line that is no JSON object (expected value at line 1 column 1): "Loading...""#;
    check("chatter", &nonsense(chatter), 2);
    check("half", &nonsense("its answers end in the middle of a line"), 2);
    check("close", &nonsense("it closed its answers and went on running"), 2);
    check("endless", &nonsense("a line of more than 64 MiB"), 2);
}

#[test]
fn an_answer_to_something_else_is_none() {
    let Some((_home, found)) = found("honest") else { return };
    let mut supervisor = Supervisor::new(&found.interpreters[0], limits());
    let outcomes = supervisor.load(&load(&["other"])).unwrap();
    let described = describe(&outcomes[0], "other");
    assert_eq!(described, "it broke the worker protocol: an answer to request 12, when 2 was asked");
}

#[test]
fn memory_is_measured_for_each_case() {
    if !std::path::Path::new("/proc/self/clear_refs").exists() {
        eprintln!("skipped: nobody tells how much memory a process has");
        return;
    }
    let Some((_home, found)) = found("honest") else { return };
    // Where memory is slow, more than a second goes into getting it.
    let mut supervisor = Supervisor::new(&found.interpreters[0], Limits::default());
    let cases = ["a", "hungry", "b"];
    let outcomes = supervisor.load(&load(&cases)).unwrap();
    let described: Vec<String> = outcomes.iter().zip(cases).map(|(outcome, case)| describe(outcome, case)).collect();
    assert!(described[1].ends_with("MiB of memory and may take 64"), "{}", described[1]);
    assert_eq!([&described[0], &described[2]], ["right", "right"]);
}

#[test]
fn whoever_answers_twice_can_be_asked_nothing_more() {
    let Some((_home, found)) = found("honest") else { return };
    let mut supervisor = Supervisor::new(&found.interpreters[0], limits());
    let broken = supervisor.load(&load(&["twice"])).unwrap_err();
    assert!(broken.reason.contains("more than it was asked"), "{broken}");
}

#[test]
fn adapters_that_cannot_be_used_are_told_with_the_reason() {
    for (mode, expected) in [
        ("chatters", "its answer to hello is not as EXEC.md says"),
        ("silent", "it gave no sign of life"),
        ("dies", "it exited with status 1 (not today)"),
        ("lies", r#"its name "cpython" is taken"#),
    ] {
        let Some((_home, found)) = found(mode) else { return };
        assert!(found.interpreters.is_empty());
        assert!(found.unusable[0].reason.contains(expected) && found.unusable[0].named, "{:?}", found.unusable);
    }
    let none = adapters(&["/there/is/none".into()], &Workspace::locate(), &limits());
    assert_eq!(none.unusable[0].reason, "there is no such program");
}
