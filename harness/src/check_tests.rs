//! `check` answers whatever it is given.

use super::*;
use crate::generators::mutate;
use arbitrary::Unstructured;

/// A small .pyc file of every version that has a profile: a tuple that contains one of many things.
fn files() -> Vec<Vec<u8>> {
    Core::all()
        .map(|core| {
            let profile = core.profile();
            let header = Header::MtimeSize { flags: 0, mtime: 1, size: 2 };
            let header = if profile.is_python2() { Header::Mtime { mtime: 1 } } else { header };
            let stream = b"(\x05\0\0\0i\x01\0\0\0s\x02\0\0\0ab[\x01\0\0\0N{T.0l\x02\0\0\0\x01\0\x01\0";
            Pyc::new(profile, header, stream).to_bytes()
        })
        .collect()
}

/// The part of a report that a test states: loads, or where it goes wrong and what to do.
#[track_caller]
fn check(bytes: &[u8], python: Option<&str>, expected: Result<u64, (usize, &str)>) {
    let report = super::check(bytes, python, Shown::Tree).unwrap();
    let text = report.to_string();
    match (expected, &report.problem) {
        (Ok(consumed), None) => assert_eq!(report.value.map(|v| v.consumed), Some(consumed), "{text}"),
        (Err((offset, advice)), Some(problem)) => {
            assert_eq!(problem.offset, offset, "{text}");
            assert!(problem.advice.contains(advice) && text.contains(advice), "{text}");
            assert!(!report.ok);
        }
        (expected, _) => panic!("expected {expected:?}, got\n{text}"),
    }
}

#[test]
fn good_files_load_and_name_their_python() {
    for (core, file) in Core::all().zip(files()) {
        let report = super::check(&file, None, Shown::Tree).unwrap();
        assert_eq!(report.python, Some(core.profile().release.to_string()));
        assert!(report.ok, "{report}");
        let value = report.value.unwrap();
        assert!(value.preserved && value.trailing == 0);
        assert_eq!(value.dumps.len(), usize::from(core.profile().marshal_version) + 1);
    }
}

#[test]
fn a_slow_dump_is_named_and_shown() {
    let nested = |levels| [b">\x01\0\0\0".repeat(levels), b">\0\0\0\0".to_vec()].concat();
    let outcomes = |levels, python| {
        let value = super::check(&nested(levels), Some(python), Shown::Tree).unwrap().value.unwrap();
        value.dumps.into_iter().map(|dump| dump.outcome).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(22, "3.10"), ["115 bytes"; 5]);
    assert_eq!(outcomes(15, "3.12"), ["80 bytes"; 5]);
    let slow = "slow in that Python: it sorts the members of sets in sets again at every level; not compared";
    assert_eq!(outcomes(22, "3.12"), [format!("{slow}: 115 bytes").as_str(); 5]);
    assert_eq!(outcomes(60, "3.12"), [slow; 5]);
}

#[test]
fn accidents_are_told_apart() {
    let good = files().pop().unwrap();
    check(b"", None, Err((0, "delete it")));
    check(&good[..2], None, Err((2, "ends too early")));
    check(&good[..10], None, Err((10, "ends too early")));
    check(&good[..good.len() - 1], None, Err((good.len() - 1, "ends too early")));
    check(&good[16..], None, Err((0, "this looks like a bare stream of Python")));
    check(&good[16..], Some("3.12"), Ok(good.len() as u64 - 16));
    check(&[&good, &b"xyz"[..]].concat(), None, Ok(good.len() as u64 - 16));
    check(b"hello, world", None, Err((0, "--as X.Y")));
    check(b"\xff\x7f\r\n0123456789abcdef", None, Err((0, "newer")));
    check(b"[\x01\0\0\0?", Some("3.12"), Err((5, "damaged")));
    assert!(super::check(b"N", Some("1.5"), Shown::Tree).unwrap_err().contains("no profile"));
}

#[test]
fn what_kills_python_is_refused_and_named() {
    check(b"\xa9\x01<\x01\0\0\0r\0\0\0\0", Some("3.12"), Err((7, "do not load")));
}

/// Which releases answer otherwise, and what.
#[test]
fn other_releases_that_answer_otherwise_are_told() {
    let check = |stream: &[u8], python: &str, others: &[&str]| {
        let report = super::check(stream, Some(python), Shown::Tree).unwrap();
        let said: Vec<String> =
            report.to_string().lines().filter_map(|l| Some(l.split_once("differs   ")?.1.into())).collect();
        assert_eq!(said, others, "{python} {stream:02x?}");
    };
    let nan = [&b"y"[..], &f64::NAN.to_le_bytes().repeat(2)].concat();
    let nans = [b"<\x02\0\0\0", &nan[..], &nan].concat();
    let raises = "dumps 0, 1, 2, 3, 4, 5: MemoryError";
    check(&nans, "3.14.10", &[&format!("3.14.0 and later, before 3.14.9: {raises}; --as 3.14.8 shows it")]);
    check(&nans, "3.13.18", &[]);
    let frozen = b")\x02\xfdNT0r\0\0\0\0";
    let invalid = "raises ValueError: bad marshal data (invalid reference)";
    check(frozen, "3.15", &[&format!("3.15.0rc1 and later, before 3.15.1: {invalid}; --as 3.15.0 shows it")]);
    check(frozen, "3.15.0", &["3.15.1 and later: it loads; --as 3.15.2 shows it"]);
    check(b"s\x01\0\0\0a", "3.14.2", &["3.14.8 and later: dumps 3, 4, 5: other 6 bytes; --as 3.14.10 shows it"]);
    check(b"N", "3.14.2", &[]);
}

#[test]
fn a_release_that_is_newer_than_the_model_is_told() {
    for (python, told) in [("3.14.10", false), ("3.14.99", true)] {
        let report = super::check(b"N", Some(python), Shown::Tree).unwrap();
        assert_eq!((report.python.as_deref(), report.caution.is_some()), (Some(python), told));
        assert_eq!(report.to_string().contains("caution"), told);
    }
}

#[test]
fn the_context_marks_the_byte() {
    let bytes: Vec<u8> = (0..40).collect();
    for (offset, line, mark) in
        [(0, 0, "^^ here"), (17, 1, "^^ here"), (39, 1, "^^ here"), (40, 1, "^^ the file ends here")]
    {
        let text = context(&bytes, offset);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[line + 1].ends_with(mark), "{offset}:\n{text}");
        let column = lines[line + 1].find('^').unwrap();
        if let Some(byte) = bytes.get(offset) {
            assert_eq!(lines[line][column..column + 2], format!("{byte:02x}"), "{offset}:\n{text}");
        }
    }
}

/// 100,000 files, each a good one with a few mutations: an answer every time, and it can be printed.
#[test]
fn a_hundred_thousand_mutated_files_are_answered() {
    const FILES: u64 = 100_000;
    let good = files();
    let versions: Vec<String> = Core::all().map(|core| core.profile().version.to_string()).collect();
    let mut answers = [0_u64; 2];
    for index in 0..FILES {
        let tape = crate::generators::tape(20, "check", index);
        let mut u = Unstructured::new(&tape);
        let which = u.choose_index(good.len()).unwrap_or(0);
        let bytes = mutate(&mut u, None, &good[which], &good[(which + 1) % good.len()], 1 << 20);
        let python = if index % 4 == 0 { Some(versions[which].as_str()) } else { None };
        let report = super::check(&bytes, python, Shown::Tree).unwrap();
        let text = report.to_string();
        assert_eq!(report.ok, report.problem.is_none(), "{text}");
        assert!(!text.contains("panicked"), "{}\n{text}", hex(&bytes));
        if let Some(problem) = &report.problem {
            assert!(problem.offset <= bytes.len() && !problem.advice.is_empty() && !problem.what.is_empty(), "{text}");
        }
        answers[usize::from(report.ok)] += 1;
    }
    assert!(answers.iter().all(|&n| n > FILES / 100), "the mutations are too strong or too weak: {answers:?}");
}
