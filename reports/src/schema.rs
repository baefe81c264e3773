//! The JSON schema of [`Event`](crate::Event), generated from the types, so that it cannot say anything else.

use crate::Standing;
use crate::{
    Case, Checkpoint, Counts, End, Event, FORMAT, FaultEvent, FeatureCount, Finding, Host, Level, Note, Outcome, Part,
    Place, Reached, Rule, Rules, Run, Side, Sighting, Spread, Statistics, Subject, Verdict,
};
use schemars::generate::SchemaSettings;
use std::collections::BTreeMap;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/event.schema.json");

// A mirror of `protocol::Facts`, which knows nothing of schemas; the tests below fail when the two differ.
/// What an interpreter says of itself. `interpreters/PROTOCOL.md` explains each key.
#[derive(schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub(crate) struct Facts {
    protocol: u32,
    driver: String,
    implementation: String,
    version: String,
    version_info: (u8, u8, u8, String, u32),
    implementation_version: String,
    magic: String,
    marshal_version: u8,
    pointer_bits: u8,
    unicode_max: u32,
    debug: bool,
    gil: bool,
    free_threaded: bool,
    executable: String,
    prefix: String,
    stdlib: String,
    platform: String,
    optimize: Vec<u8>,
    build: String,
    interned_elsewhere: Vec<u8>,
    quiets_nans: bool,
}

fn case() -> Case {
    Case { path: Some("cases/1".into()), sha256: "0".repeat(64), length: 2, hex: "db00".into(), truncated: false }
}

fn side(outcome: Outcome) -> Side {
    Side { subject: "core".into(), outcome, detail: "EOFError: EOF read".into() }
}

/// At least one event of each kind, with and without each optional field.
fn events() -> Vec<Event> {
    let facts = protocol::Facts {
        protocol: 1,
        driver: "embedded".into(),
        implementation: "cpython".into(),
        version: "9.8.7".into(),
        version_info: (9, 8, 7, "final".into(), 0),
        implementation_version: "9.8.7".into(),
        magic: "cb0d0d0a".into(),
        marshal_version: 4,
        pointer_bits: 64,
        unicode_max: 0x0010_ffff,
        debug: false,
        gil: true,
        free_threaded: false,
        executable: String::new(),
        prefix: "/usr".into(),
        stdlib: "/usr/lib".into(),
        platform: "linux".into(),
        optimize: vec![0, 1, 2],
        build: "9.8.7 (main)".into(),
        interned_elsewhere: vec![120],
        quiets_nans: false,
    };
    let run = Run {
        format: FORMAT,
        provost_version: "0.1.0".into(),
        generator_version: 3,
        started: "2026-01-02T03:04:05Z".into(),
        command: "provost run --seed 1".into(),
        arguments: vec!["--seed".into(), "1".into()],
        corpus: "0".repeat(64),
        seed: u64::MAX,
        minutes: None,
        cases: None,
        generators: vec!["values".into()],
        shard: None,
        parts: vec![],
        host: Host { os: "linux".into(), arch: "x86_64".into(), cpus: 2 },
    };
    let subject = Subject {
        id: "cpython:9.8".into(),
        usable: true,
        reason: None,
        advice: None,
        facts: Some(Box::new(facts)),
        driver: Some("embedded".into()),
        driver_reason: Some("has a shared library".into()),
        found_by: Some("PATH".into()),
        start_up_ms: Some(12),
        caution: Some("newer than the model".into()),
    };
    let unusable = Subject {
        usable: false,
        reason: Some("does not start".into()),
        advice: Some("install it again".into()),
        facts: None,
        driver: None,
        driver_reason: None,
        found_by: None,
        start_up_ms: None,
        caution: None,
        ..subject.clone()
    };
    let counts = Counts {
        subject: "cpython:9.8".into(),
        generator: "values".into(),
        inconclusive: BTreeMap::from([("undefined".into(), 1)]),
        skipped: BTreeMap::from([("too long".into(), 2)]),
        ..Counts::default()
    };
    let finding = Finding {
        signature: "same-canon cpython accepted accepted int".into(),
        relation: "same-canon".into(),
        subject: "cpython:9.8".into(),
        seen_in: vec!["cpython:9.8".into()],
        generator: "values".into(),
        case: case(),
        expected: side(Outcome::Accepted),
        observed: side(Outcome::Rejected),
        first_difference: Some("int".into()),
        repro_python: Some("import marshal".into()),
        repro_rust: Some("provost check cases/1".into()),
        occurrences: 3,
        turn: 12,
        origin: "values seed 1 index 7".into(),
        made: Some((1, 7)),
        original_length: Some(391),
        smallest: true,
        program: Some("a = -1\n".into()),
        also: vec!["same-canon cpython accepted accepted float".into()],
        standing: Standing::Accepted,
        merged_into: None,
        fixture: Some("long-sign.3.12.marshal".into()),
        expected_entry: Some("by design".into()),
        caution: Some("newer than the model".into()),
    };
    let bare = Finding {
        case: Case { path: None, truncated: true, ..case() },
        expected: side(Outcome::Undefined),
        observed: side(Outcome::Faulted),
        first_difference: None,
        repro_python: None,
        repro_rust: None,
        made: None,
        original_length: None,
        also: Vec::new(),
        merged_into: Some("another".into()),
        fixture: None,
        expected_entry: None,
        caution: None,
        ..finding.clone()
    };
    let skipped = Finding { observed: side(Outcome::Skipped), ..bare.clone() };
    let fault = FaultEvent {
        subject: "cpython:9.8".into(),
        turn: 4,
        kind: "SIGSEGV".into(),
        detail: String::new(),
        case: Some(case()),
        expected_by_model: Some("hashes an unfinished tuple".into()),
    };
    let unknown = FaultEvent { case: None, expected_by_model: None, ..fault.clone() };
    let mut events = vec![
        Event::Run(run.clone()),
        Event::Run(Run { minutes: Some(1.5), cases: Some(10), shard: Some("3/16".into()), ..run.clone() }),
        Event::Run(Run {
            parts: vec![Part {
                path: "parts/a.jsonl".into(),
                command: run.command.clone(),
                started: run.started.clone(),
            }],
            ..run
        }),
        Event::Subject(subject),
        Event::Subject(unusable),
        Event::Counts(counts),
        Event::Statistics(Statistics {
            subject: "cpython:9.8".into(),
            generator: "values".into(),
            cases: 1001,
            valid: 1000,
            valid_accepted: 998,
            sampled: 125,
            size: Spread { sum: 1250, max: 70 },
            features: vec![FeatureCount { name: "list".into(), cases: 0, promised: true }],
            starved: vec!["no list".into()],
            ..Statistics::default()
        }),
        Event::Rules(Rules { rules: vec![Rule { group: "types".into(), name: "i flagged".into() }] }),
        Event::Reached(Reached {
            subject: "cpython:9.8".into(),
            compared: 3,
            dumps: 9,
            cases: vec![None, Some(0), Some(7)],
            masked: BTreeMap::from([("bytes of a dump: hash-order".into(), 2)]),
        }),
        Event::Finding(finding),
        Event::Finding(bare),
        Event::Finding(skipped),
        Event::Sighting(Sighting {
            subject: "cpython:9.8".into(),
            signature: "same-canon cpython accepted accepted int".into(),
            occurrences: 3,
            smallest: Some(2),
            flaky: 1,
            entry: Some("model at int".into()),
        }),
        Event::Sighting(Sighting::default()),
        Event::Fault(fault),
        Event::Fault(unknown),
        Event::Checkpoint(Checkpoint { seconds: 1.5, place: None }),
        Event::Checkpoint(Checkpoint {
            seconds: 1.5,
            place: Some(Place {
                subject: "cpython:9.8".into(),
                turn: 7,
                causes: vec!["hashes an unfinished tuple".into()],
            }),
        }),
    ];
    for level in [Level::Info, Level::Warning, Level::Error] {
        events.push(Event::Note(Note { level, text: "text".into(), sums_up: false }));
    }
    for verdict in [Verdict::Agree, Verdict::Diverged, Verdict::Broken, Verdict::NothingCompared] {
        events.push(Event::End(End { verdict, exit_code: -1, interrupted: false, seconds: 0.5 }));
    }
    events
}

fn generated() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Event>().to_value()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&generated()).expect("the schema is a schema")
}

#[test]
fn schema_is_that_of_the_types() {
    let text = serde_json::to_string_pretty(&generated()).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    let current = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(text == current, "{PATH} is out of date; run the tests of `reports` with BLESS=1");
}

#[test]
fn every_event_validates_and_survives_the_way_there_and_back() {
    let validator = validator();
    for event in events() {
        let json = serde_json::to_value(&event).unwrap();
        let errors: Vec<String> = validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{json}\n{}", errors.join("\n"));
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }
}

#[test]
fn the_sample_validates() {
    let validator = validator();
    for (i, line) in include_str!("../tests/sample.jsonl").lines().enumerate() {
        let json = serde_json::from_str(line).unwrap();
        let errors: Vec<String> = validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "line {}: {}", i + 1, errors.join("\n"));
    }
}

/// Both readers, serde and the schema, must refuse the same mistakes.
#[test]
fn mistakes_are_refused() {
    #[track_caller]
    fn check(event: &serde_json::Value, what: &str) {
        assert!(!validator().is_valid(event), "the schema accepts {what}: {event}");
        assert!(serde_json::from_value::<Event>(event.clone()).is_err(), "serde accepts {what}: {event}");
    }
    for event in events() {
        let good = serde_json::to_value(&event).unwrap();
        let mut bad = good.clone();
        bad["event"] = "party".into();
        check(&bad, "an unknown event");
        let mut bad = good.clone();
        bad["surprise"] = 1.into();
        check(&bad, "an unknown field");
        for (key, value) in good.as_object().unwrap().iter().filter(|(_, v)| !v.is_null()) {
            let mut bad = good.clone();
            bad[key] = if value.is_boolean() { "no".into() } else { true.into() };
            check(&bad, &format!("a bad `{key}`"));
        }
    }
}
