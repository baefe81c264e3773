use super::*;
use crate::subjects::core::{Core, Prediction};
use protocol::Exception;

fn core() -> Core {
    Core::named("3.9").unwrap()
}

/// The verdict on a stream of which the other implementation makes `observed`, as a line.
#[track_caller]
fn check(case: &[u8], observed: &Observation, expected: &str) {
    let Prediction { observation, reached, .. } = core().predict(case);
    let verdict = value("pypy", reached, &observation, observed, &|stream| core().read(stream));
    let line = match verdict {
        Verdict::Agree => "agree".into(),
        Verdict::Refused(cause) => format!("refused: {cause}"),
        Verdict::Inconclusive(reason) => format!("inconclusive: {reason}"),
        Verdict::Diverge(d) => d.signature.to_string(),
    };
    assert_eq!(line, expected, "{case:02x?}");
}

fn accepts(consumed: u64, canon: &str, dumps: &[(u8, &[u8])]) -> Observation {
    let bytes = |bytes: &[u8]| Dump::Bytes { bytes: bytes.to_vec(), unpredictable: None, loss: None };
    let dumps = dumps.iter().map(|(version, dump)| (*version, bytes(dump))).collect();
    Observation::Accepted(Accepted { consumed: Some(consumed), canon: Canon::Text(canon.into()), dumps })
}

fn raises(class: &str) -> Observation {
    Observation::Rejected(Exception { class: class.into(), message: "in words of its own".into() })
}

fn dies() -> Observation {
    let crash = interpreters::Fault::Crash { signal: "SIGSEGV".into(), stderr: String::new() };
    Observation::Faulted(crate::observation::Fault::Worker(crash))
}

#[test]
fn the_same_value_is_owed_and_its_bytes_are_not() {
    let list = b"[\x01\0\0\0\xe9\x05\0\0\0";
    check(list, &accepts(10, "list 1\nint 5\n", &[]), "agree");
    // No flag: its own bytes, the same value.
    check(list, &accepts(10, "list 1\nint 5\n", &[(4, b"[\x01\0\0\0i\x05\0\0\0")]), "agree");
    let path = |path: &str, subject: &str| format!("value at {path}: core accepted, pypy {subject}");
    check(list, &accepts(10, "list 1\nint 6\n", &[]), &path("canon:int", "accepted"));
    check(list, &accepts(9, "list 1\nint 5\n", &[]), &path("consumed", "accepted"));
    check(list, &accepts(10, "list 1\nint 5\n", &[(4, b"[\0\0\0\0")]), &path("dump.canon:list", "accepted"));
    check(list, &accepts(10, "list 1\nint 5\n", &[(4, b"?")]), &path("dump.outcome", "accepted"));
    check(list, &raises("ValueError"), &path("outcome", "rejected:ValueError"));
    check(list, &raises("MemoryError"), "inconclusive: MemoryError");
    let unasked = Observation::Skipped("no time".into());
    check(list, &unasked, "inconclusive: skipped: no time");
}

#[test]
fn what_cpython_refuses_or_does_not_survive_is_outside() {
    let refused = "inconclusive: CPython refuses it, pypy need not";
    check(b"?", &raises("ValueError"), refused);
    check(b"?", &raises("EOFError"), refused);
    check(b"?", &accepts(1, "none\n", &[]), refused);
    check(b"\xa9\x01<\x01\0\0\0r\0\0\0\0", &raises("ValueError"), "refused: hash-of-unfinished-tuple");
    check(b"?", &dies(), "value at outcome: core rejected:ValueError, pypy faulted:SIGSEGV");
}

#[test]
fn code_objects_are_outside() {
    let code = include_bytes!("../../../corpus/seeds/type-code-38.marshal");
    check(code, &raises("ValueError"), "inconclusive: the code objects of pypy are its own");
    check(code, &dies(), "value at code.outcome: core accepted, pypy faulted:SIGSEGV");
    check(&code[..40], &dies(), "value at code.outcome: core rejected:EOFError, pypy faulted:SIGSEGV");
}

#[test]
fn rare_rules_are_named_in_the_signature() {
    let accepted = |path: &str| format!("value at {path}: core accepted, pypy accepted");
    let rejected = |path: &str| format!("value at {path}: core accepted, pypy rejected:ValueError");
    let singleton = b"[\x03\0\0\0\xce\xe9\x01\0\0\0r\0\0\0\0";
    let read = accepts(16, "list 3\nnone\nint 1\nnone\n", &[]);
    check(singleton, &read, &accepted("slotless.canon:int/none"));
    check(b"z\x01\xe9", &raises("ValueError"), &rejected("latin-1.outcome"));
    check(b"f\x041.5\0", &raises("ValueError"), &rejected("text-nul.outcome"));
    check(b"f\x02\xe9\x81", &dies(), "value at no-float.outcome: core rejected:ValueError, pypy faulted:SIGSEGV");
    check(b"\xa9\x01r\0\0\0\0", &raises("ValueError"), &rejected("self-tuple.outcome"));
    check(b"{N0", &raises("ValueError"), &rejected("null-value.outcome"));
    let nan = b"g\0\0\0\0\0\0\xf8\x7f";
    let two = [&b"<\x02\0\0\0"[..], nan, nan].concat();
    check(&two, &accepts(23, "set 1\nfloat 7ff8000000000000\n", &[]), &accepted("equal-nans.canon:set"));
}
