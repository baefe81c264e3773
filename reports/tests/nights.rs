//! What is told of runs that were made on other machines or in other nights: merged, compared, and for CI systems.

use reports::{Counts, End, Event, Gap, Night, RunLog, Subject, Unmergeable, Verdict};
use std::collections::BTreeMap;
use std::path::Path;

fn sample() -> RunLog {
    reports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample.jsonl")).unwrap()
}

/// The sample in the night of this day, in which only these subjects did so many cases in a second each.
fn night(day: u32, rates: &[(&str, u64)]) -> Night {
    let mut log = sample();
    log.run.started = format!("2026-03-{day:02}T01:00:00Z");
    log.counts = rates.iter().map(|&(id, rate)| counts(id, rate)).collect();
    log.reached.clear();
    Night { log, bench: BTreeMap::new(), faults: None }
}

fn counts(id: &str, rate: u64) -> Counts {
    let (subject, generator) = (id.to_owned(), "values".to_owned());
    Counts {
        subject,
        generator,
        cases: rate * 10,
        compared: rate * 10,
        agreed: rate * 10,
        ms: 10_000,
        ..Counts::default()
    }
}

fn worse(nights: &[Night]) -> Vec<String> {
    reports::regressions(nights).into_iter().map(|line| line.0).collect()
}

/// Whoever takes part, an interpreter is compared with those that both nights have.
#[test]
fn a_speed_is_lost_only_beside_common_subjects() {
    #[track_caller]
    fn check(last: &[(&str, u64)], wanted: &[&str]) {
        let before = (1..=3).map(|day| night(day, &[("a", 100), ("b", 200), ("slow", 5)]));
        let nights: Vec<Night> = before.chain([night(4, last)]).collect();
        let told = worse(&nights);
        let subjects: Vec<&str> = told.iter().filter_map(|line| line.split(": slower beside").next()).collect();
        assert_eq!(subjects, wanted, "{told:?}");
    }
    check(&[("a", 100), ("b", 200), ("slow", 5)], &[]);
    // A slow one is gone, a fast one is new, or the machine is slow.
    check(&[("a", 100), ("b", 200)], &[]);
    check(&[("a", 100), ("b", 200), ("slow", 5), ("fast", 90_000)], &[]);
    check(&[("a", 30), ("b", 60), ("slow", 2)], &[]);
    check(&[("a", 100), ("b", 50), ("slow", 5)], &["b"]);
    check(&[("a", 100), ("b", 50), ("slow", 5), ("fast", 90_000)], &["b"]);
}

#[test]
fn rules_are_lost_only_where_they_could_be_reached() {
    #[track_caller]
    fn check(did: usize, compared: u64, subject: &str, is_worse: bool) {
        let with = |day, did: usize, compared, subject: &str| {
            let mut night = night(day, &[]);
            let cases = (0..500).map(|rule| Some(u64::from(rule < did))).collect();
            night.log.reached =
                vec![reports::Reached { subject: subject.into(), compared, cases, ..Default::default() }];
            night
        };
        let told = worse(&[with(1, 450, 1000, "a"), with(2, did, compared, subject)]);
        assert_eq!(!told.is_empty(), is_worse, "{told:?}");
    }
    check(450, 1000, "a", false);
    check(449, 1000, "a", false);
    check(442, 1000, "a", false);
    check(440, 1000, "a", true);
    check(440, 1200, "a", true);
    // Fewer cases reach less, and another interpreter reaches something else.
    check(440, 700, "a", false);
    check(300, 1000, "b", false);
}

#[test]
fn a_night_that_is_given_twice_counts_once() {
    let once = [night(1, &[("a", 1)]), night(2, &[("a", 1)])];
    let twice = [once[1].clone(), once[0].clone(), once[1].clone()];
    assert_eq!(reports::trend(&once), reports::trend(&twice));
}

/// The subject under another name or in another release, in a run with the same arguments.
fn elsewhere(from: &RunLog, old: &str, new: &str) -> RunLog {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(reports::FILE_NAME);
    let lines = from.clone().into_events().into_iter().map(|event: Event| serde_json::to_string(&event).unwrap());
    std::fs::write(&path, lines.map(|line| line.replace(old, new) + "\n").collect::<String>()).unwrap();
    reports::read(&path).unwrap()
}

/// Runs with the same arguments are one work only if the same subjects took part.
#[test]
fn runs_over_other_interpreters_are_other_runs() {
    let merged = |other: &RunLog| {
        let log = reports::merge(vec![("a".into(), sample()), ("b".into(), other.clone())]);
        log.map(|log| log.run.parts.into_iter().map(|part| part.path).collect::<Vec<_>>())
    };
    assert_eq!(merged(&sample()).unwrap(), ["a"]);
    assert_eq!(merged(&elsewhere(&sample(), "cpython:3.12", "cpython:3.12-debug")).unwrap().len(), 2);
    let newer = elsewhere(&sample(), "\"implementation_version\":\"3.12.1\"", "\"implementation_version\":\"3.12.9\"");
    assert!(matches!(merged(&newer), Err(Unmergeable::Subjects { .. })));
    let mut older = sample();
    older.run.generator_version -= 1;
    assert!(matches!(merged(&older), Err(Unmergeable::Versions { .. })), "not a double");
    // One that was killed before anything was counted, or anyone was named, is less of the same work.
    let mut killed = RunLog { counts: Vec::new(), end: None, partial: Some(Gap::NoEnd), ..sample() };
    assert_eq!(merged(&killed).unwrap(), ["a"]);
    killed.subjects.truncate(3);
    assert_eq!(merged(&killed).unwrap(), ["a"]);
}

/// A run that was killed is no good news, whatever it has compared until then.
#[test]
fn what_ci_is_told_of_a_killed_run_says_that_it_is_a_part() {
    let whole = sample();
    let killed = RunLog { end: None, partial: Some(Gap::NoEnd), ..whole.clone() };
    let check = |tell: &dyn Fn(&RunLog) -> String| {
        let told = [&whole, &killed].map(|log| tell(log).contains("Partial run: the log has no end."));
        assert_eq!(told, [false, true]);
    };
    check(&|log| reports::summary(log, &[]));
    check(&reports::annotations);
    check(&reports::junit);
    check(&|log| reports::sarif(log).to_string());
}

/// A test that is called otherwise each night has no history.
#[test]
fn the_tests_of_junit_have_the_same_names_every_night() {
    let names = |log: &RunLog| {
        let junit = reports::junit(log);
        junit.split(" name=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut later = sample();
    later.counts.iter_mut().for_each(|counts| counts.cases += 1);
    assert_eq!(names(&later), names(&sample()));
    assert!(names(&later).contains(&"values".to_owned()));
    assert_ne!(reports::junit(&later), reports::junit(&sample()), "the numbers are told");
}

/// Of findings with one cause another one may stand for the others tonight.
#[test]
fn a_finding_is_known_by_all_that_have_its_cause() {
    let mut log = sample();
    let head = log.findings.iter().position(|finding| finding.is_new()).unwrap();
    let signature = std::mem::replace(&mut log.findings[head].signature, "another".into());
    let known = std::slice::from_ref(&signature);
    let is_new = |log: &RunLog| {
        let page = reports::summary(log, known);
        let new = page.split("## New findings").nth(1).unwrap_or_default().split("\n## ").next().unwrap().to_owned();
        new.contains("another (")
    };
    assert!(is_new(&log));
    log.findings[head].also = vec![signature.clone()];
    assert!(!is_new(&log));
    let issue = reports::issues(&log).into_iter().find(|issue| issue.title.contains("another")).unwrap();
    let (names, subjects) = reports::marks(&issue.body).unwrap();
    assert_eq!(names, ["another", &signature].map(reports::fingerprint));
    assert_eq!(subjects, log.findings[head].seen_in);
    assert_eq!(reports::marks("somebody else's"), None);
}

#[test]
fn only_a_run_that_did_all_is_whole() {
    let end = |verdict, interrupted| Some(End { verdict, exit_code: 0, interrupted, seconds: 1.0 });
    let check = |end: Option<End>, partial, is_whole| {
        assert_eq!(RunLog { end, partial, ..sample() }.is_whole(), is_whole);
    };
    check(end(Verdict::Diverged, false), None, true);
    check(end(Verdict::Agree, true), None, false);
    check(end(Verdict::Broken, false), None, false);
    check(None, Some(Gap::NoEnd), false);
    let usable = |subject: &&Subject| subject.usable && sample().has_compared(&subject.id);
    assert!(sample().subjects.iter().any(|subject| usable(&subject)));
    assert!(!sample().has_compared("cpython:3.8"), "it took part, and nothing was compared");
}
