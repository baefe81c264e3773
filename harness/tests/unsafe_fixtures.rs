//! corpus/unsafe: the verifier refuses each of its code objects for one kind of violation, and an interpreter dies of it.

use harness::execution::fixtures::{FOLDER, Fixture, ONLY_DOUBTED, only, read, signal};
use harness::subjects::{Reality, Subject};
use interpreters::{Driver, Limits, Options, Workspace, discover};
use pyc_core::bytecode::safety::{Certainty, KINDS};
use pyc_core::{Profile, Version};
use std::collections::BTreeSet;
use std::path::Path;

fn fixtures() -> Vec<Fixture> {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(FOLDER)).unwrap()
}

/// The profile of a subject such as `cpython:3.14-debug`.
fn profile(subject: &str) -> Profile {
    let version = subject.trim_start_matches("cpython:");
    let (version, debug) = version.strip_suffix("-debug").map_or((version, false), |version| (version, true));
    let mut numbers = version.split('.').map(|number| number.parse().unwrap());
    let version = Version::new(numbers.next().unwrap(), numbers.next().unwrap());
    Profile::of(version).unwrap().clone().with_assertions(debug)
}

fn check(fixture: &Fixture) {
    let found = only(&fixture.stream, &profile(&fixture.about.subject));
    let found = found.map(|(kind, certainty)| format!("{}.{}", kind.name(), certainty.name()));
    assert_eq!(found, Some(fixture.name()));
}

#[test]
fn each_is_refused_for_its_kind_and_nothing_else() {
    fixtures().iter().for_each(check);
}

#[test]
fn each_kind_has_a_fixture_that_does_crash_or_the_reason_why_none_can() {
    let shown: BTreeSet<String> = fixtures()
        .into_iter()
        .filter(|fixture| fixture.about.verdict == Certainty::Crash.name())
        .map(|fixture| fixture.about.kind)
        .collect();
    for about in &KINDS {
        let is_doubted = ONLY_DOUBTED.iter().any(|(kind, _)| *kind == about.kind);
        assert_ne!(shown.contains(about.name), is_doubted, "{}", about.name);
    }
}

/// An interpreter of another release, or built otherwise, may have other memory where this one has none.
#[test]
fn each_ends_the_interpreter_that_it_was_found_with() {
    let found = discover(&Options {
        pythons: Vec::new(),
        search: true,
        driver: Some(Driver::Script),
        pyodide: false,
        home: Workspace::locate(),
        limits: Limits::default(),
    });
    for fixture in fixtures() {
        let is_it = |one: &&interpreters::Interpreter| {
            one.id == fixture.about.subject && one.facts.implementation_version == fixture.about.release
        };
        let Some(interpreter) = found.interpreters.iter().find(is_it) else {
            println!("skipped: {}: {} {} was not found", fixture.name(), fixture.about.subject, fixture.about.release);
            continue;
        };
        match interpreter.clone().executing() {
            Ok(executing) => {
                let mut subject = Reality::new(&executing, Limits::default());
                let observed = subject.execute(std::slice::from_ref(&fixture.stream)).unwrap();
                assert_eq!(signal(&observed[0]), Some(&*fixture.about.signal), "{}", fixture.name());
            }
            Err(why) => println!("skipped: {}: {why}", fixture.name()),
        }
    }
}
