//! Logs of runs that ended, were killed or are not logs at all.

use reports::{Event, FILE_NAME, Gap, Log, ReadError, RunLog};
use std::path::Path;

const SAMPLE: &str = include_str!("sample.jsonl");

fn read(text: &[u8]) -> Result<RunLog, ReadError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    std::fs::write(&path, text).unwrap();
    reports::read(&path)
}

fn lines(of: &str) -> Vec<&'static str> {
    SAMPLE.lines().filter(|line| line.starts_with(&format!("{{\"event\":\"{of}\""))).collect()
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_byte_of_a_log_that_was_killed_is_readable() {
    let whole = read(SAMPLE.as_bytes()).unwrap();
    assert_eq!(whole.partial, None);
    let header = SAMPLE.find('\n').unwrap();
    for end in (header..SAMPLE.len()).step_by(97) {
        let log = read(&SAMPLE.as_bytes()[..end]).unwrap_or_else(|e| panic!("cut at {end}: {e}"));
        let complete = SAMPLE[..end].ends_with('\n') || SAMPLE[end..].starts_with('\n');
        assert_eq!(log.partial, Some(if complete { Gap::NoEnd } else { Gap::TornLine }), "cut at {end}");
        assert!(log.findings.len() <= whole.findings.len());
    }
    let no_line_end = read(SAMPLE.trim_end().as_bytes()).unwrap();
    assert_eq!(no_line_end, whole);
}

#[test]
fn what_is_written_is_read_and_nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("new/run");
    let mut log = Log::create(&dir).unwrap();
    for line in SAMPLE.lines() {
        log.write(&serde_json::from_str::<Event>(line).unwrap()).unwrap();
        assert!(std::fs::read(log.path()).unwrap().ends_with(b"\n"), "each event is on its way when write returns");
    }
    assert_eq!(reports::read(log.path()).unwrap(), read(SAMPLE.as_bytes()).unwrap());
    let error = Log::create(&dir).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert!(error.to_string().contains(FILE_NAME), "{error}");
}

/// A run that is continued begins behind its last checkpoint, and nobody else writes to its log.
#[test]
fn a_log_is_continued_behind_its_last_checkpoint() {
    let checkpoint = r#"{"event":"checkpoint","seconds":2.5,"place":{"subject":"a","turn":7,"causes":[]}}"#;
    let (run, note, finding, end) = (lines("run")[0], lines("note")[0], lines("finding")[0], lines("end")[0]);
    let check = |behind: &str, kept: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let text = joined(kept) + behind;
        std::fs::write(&path, &text).unwrap();
        let (mut log, told) = Log::resume(dir.path()).unwrap();
        assert_eq!(told.end.is_some(), behind.contains("\"end\""));
        assert_eq!(told.findings.len(), kept.iter().filter(|line| **line == finding).count());
        assert_eq!(told.places.iter().map(|place| place.turn).collect::<Vec<_>>(), vec![7; told.places.len()]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "nothing is changed before it is cut");
        for error in [Log::open(dir.path()).unwrap_err().to_string(), Log::resume(dir.path()).unwrap_err().to_string()]
        {
            assert!(error.contains("another process is writing to it"), "{error}");
        }
        log.cut().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), joined(kept));
        log.write(&serde_json::from_str::<Event>(note).unwrap()).unwrap();
        assert_eq!(reports::read(&path).unwrap().notes.len(), told.notes.len() + 1);
    };
    check("", &[run, note, checkpoint]);
    check(&joined(&[finding]), &[run, checkpoint]);
    check(&joined(&[finding]), &[run, finding, checkpoint, note, checkpoint]);
    check(&joined(&[note, end]), &[run, checkpoint]);
    check(&checkpoint[..20], &[run, checkpoint]);
    check(&joined(&[note, finding]), &[run]);
}

#[test]
fn the_last_event_wins() {
    let edit = |line: &str, change: fn(&mut serde_json::Value)| {
        let mut value = serde_json::from_str(line).unwrap();
        change(&mut value);
        value.to_string()
    };
    let (counts, finding, subject) = (lines("counts")[0], lines("finding")[0], lines("subject")[0]);
    let later = [
        edit(counts, |v| v["cases"] = 7.into()),
        edit(counts, |v| v["generator"] = "another".into()),
        edit(finding, |v| v["occurrences"] = 77.into()),
        edit(subject, |v| v["reason"] = "lost".into()),
    ];
    let text = joined(&[lines("run")[0], counts, finding, subject]) + &joined(&later.each_ref().map(String::as_str));
    let log = read(text.as_bytes()).unwrap();
    assert_eq!(log.counts.iter().map(|c| c.cases).next(), Some(7));
    assert_eq!((log.counts.len(), log.findings.len(), log.subjects.len()), (2, 1, 1));
    assert_eq!(log.findings[0].occurrences, 77);
    assert_eq!(log.subjects[0].reason.as_deref(), Some("lost"));
    assert_eq!(log.events, 8);
}

#[test]
fn errors_say_where_and_what() {
    #[track_caller]
    fn check(text: &str, want: &str) {
        let error = read(text.as_bytes()).expect_err("not a log").to_string();
        assert!(error.starts_with(want), "{error}");
    }
    let (run, note, end) = (lines("run")[0], lines("note")[0], lines("end")[0]);
    check("", "line 1: the first event of a log must be `run`");
    check("{\"event\":\"ru", "line 1: the first event of a log must be `run`");
    check(&joined(&[note, run]), "line 1: the first event of a log must be `run`");
    check(&joined(&[run, "{]", note]), "line 2: not JSON");
    check(&joined(&[run, ""]), "line 2: not JSON");
    check(&joined(&[run, "{\"event\":\"party\"}"]), "line 2: unknown event \"party\"");
    check(&joined(&[run, "{}"]), "line 2: unknown event (no `event` field)");
    check(&joined(&[run, "[1]"]), "line 2: unknown event");
    check(&joined(&[run, "{\"event\":\"note\",\"level\":\"info\"}"]), "line 2: bad `note` event: missing field `text`");
    check(&joined(&[run, &note.replace("\"level\"", "\"lavel\"")]), "line 2: bad `note` event: unknown field `lavel`");
    check(&joined(&[&run.replace("\"format\":3", "\"format\":1")]), "line 1: the log has format 1");
    check(&joined(&[run, note, run]), "line 3: a second `run` event");
    check(&joined(&[run, end, note]), "line 3: an event after `end`");
    let missing = reports::read(Path::new("no/such/run.jsonl")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read no/such/run.jsonl: "), "{missing}");
}
