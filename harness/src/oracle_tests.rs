//! The oracle against tables of observations.

use super::*;
use crate::observation::Fault;
use interpreters::Fault as WorkerFault;

fn raises(class: &str, message: &str) -> Observation {
    Observation::Rejected(Exception { class: class.into(), message: message.into() })
}

fn accepts(consumed: u64, canon: &str, dumps: &[(u8, &[u8])]) -> Observation {
    let bytes = |bytes: &[u8]| Dump::Bytes { bytes: bytes.to_vec(), unpredictable: None, loss: None };
    let dumps = dumps.iter().map(|(version, dump)| (*version, bytes(dump))).collect();
    Observation::Accepted(Accepted { consumed: Some(consumed), canon: Canon::Text(canon.into()), dumps })
}

fn with_dump(version: u8, dump: Dump) -> Observation {
    let canon = Canon::Text("none\n".into());
    Observation::Accepted(Accepted { consumed: Some(1), canon, dumps: vec![(version, dump)] })
}

fn crashes(signal: &str) -> Observation {
    Observation::Faulted(Fault::Worker(WorkerFault::Crash { signal: signal.into(), stderr: String::new() }))
}

fn times_out() -> Observation {
    Observation::Faulted(Fault::Worker(WorkerFault::Timeout {
        after: std::time::Duration::from_secs(1),
        limit: interpreters::TimeLimit::Cpu,
    }))
}

/// A reader for which a stream is the code points of its canon.
fn read(bytes: &[u8]) -> Observation {
    accepts(bytes.len() as u64, &String::from_utf8_lossy(bytes), &[])
}

/// A verdict as a line: `agree`, `refused: cause`, `inconclusive: why` or the signature's path and classes.
fn line(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Agree => "agree".into(),
        Verdict::Refused(cause) => format!("refused: {cause}"),
        Verdict::Inconclusive(reason) => format!("inconclusive: {reason}"),
        Verdict::Diverge(d) => format!("{}: {} / {}", d.signature.path, d.signature.core, d.signature.subject),
    }
}

#[track_caller]
fn check(predicted: &Observation, observed: &Observation, expected: &str) {
    assert_eq!(line(&model("cpython", 64, predicted, observed, &read)), expected);
}

#[test]
fn acceptance_and_exceptions() {
    let bad = &raises("ValueError", "bad marshal data (unknown type code)");
    let none = &accepts(1, "none\n", &[]);
    check(none, none, "agree");
    check(bad, bad, "agree");
    check(none, bad, "outcome: accepted / rejected:ValueError");
    check(bad, none, "outcome: rejected:ValueError / accepted");
    check(bad, &raises("EOFError", "x"), "class: rejected:ValueError / rejected:EOFError");
    check(bad, &raises("ValueError", "x"), "message: rejected:ValueError / rejected:ValueError");
}

#[test]
fn what_depends_on_the_build_is_masked() {
    let predicted = &raises("SystemError", "Objects/codeobject.c:0: bad argument to internal function");
    check(predicted, &raises("SystemError", "/b/Objects/codeobject.c:117: bad argument to internal function"), "agree");
    check(
        predicted,
        &raises("SystemError", "../codeobject.c:117: other"),
        "message: rejected:SystemError / rejected:SystemError",
    );
    let predicted = &raises("RecursionError", "Stack overflow (used 0 kB) while hashing a tuple");
    check(predicted, &raises("RecursionError", "Stack overflow (used 8156 kB) while hashing a frozendict"), "agree");
    check(
        predicted,
        &raises("RecursionError", "maximum recursion depth exceeded"),
        "message: rejected:RecursionError / rejected:RecursionError",
    );
    let predicted = &raises("ValueError", "a.c:1: x");
    check(predicted, &raises("ValueError", "a.c:2: x"), "message: rejected:ValueError / rejected:ValueError");
}

#[test]
fn the_environment_is_neither_agreement_nor_divergence() {
    let end = &raises("EOFError", "marshal data too short");
    let none = &accepts(1, "none\n", &[]);
    for predicted in [end, none] {
        check(predicted, &raises("MemoryError", ""), "inconclusive: MemoryError");
        check(predicted, &times_out(), "inconclusive: timeout");
        check(predicted, &crashes("SIGKILL"), "inconclusive: killed by SIGKILL");
        check(predicted, &Observation::Skipped("no time".into()), "inconclusive: skipped: no time");
    }
    let overflow = &raises("OverflowError", "byte string is too large");
    assert_eq!(line(&model("cpython", 32, end, overflow, &read)), "inconclusive: OverflowError");
    check(end, overflow, "class: rejected:EOFError / rejected:OverflowError");
}

#[test]
fn crashes_are_divergences_unless_predicted() {
    let none = &accepts(1, "none\n", &[]);
    check(none, &crashes("SIGSEGV"), "outcome: accepted / faulted:SIGSEGV");
    let undefined = &Observation::Undefined("hash".into());
    for observed in [none.clone(), raises("ValueError", "x"), crashes("SIGSEGV"), times_out()] {
        check(undefined, &observed, "refused: hash");
    }
}

#[test]
fn a_panic_of_the_core_is_always_a_finding() {
    let panicked = &Observation::Faulted(Fault::Panic("index out of bounds".into()));
    for observed in
        [accepts(1, "none\n", &[]), raises("MemoryError", ""), times_out(), Observation::Skipped("x".into())]
    {
        let verdict = line(&model("cpython", 64, panicked, &observed, &read));
        assert_eq!(verdict, format!("outcome: faulted:panic / {}", observed.class()));
    }
}

#[test]
fn values_and_lengths() {
    check(&accepts(1, "none\n", &[]), &accepts(2, "none\n", &[]), "consumed: accepted / accepted");
    check(&accepts(1, "int 1\n", &[]), &accepts(1, "long 1\n", &[]), "canon:int/long: accepted / accepted");
    let list = |x: &str| accepts(9, &format!("list 2\nint 1\nint {x}\n"), &[]);
    check(&list("2"), &list("3"), "canon:int: accepted / accepted");
    let hash = |h| Observation::Accepted(Accepted { consumed: None, canon: Canon::Hash([h; 32]), dumps: vec![] });
    check(&hash(1), &hash(1), "agree");
    check(&hash(1), &hash(2), "canon: accepted / accepted");
    let text =
        |text: &str| Observation::Accepted(Accepted { consumed: None, canon: Canon::Text(text.into()), dumps: vec![] });
    let hashed = |text: &str| {
        Observation::Accepted(Accepted { consumed: None, canon: Canon::Hash(sha256(text)), dumps: vec![] })
    };
    check(&text("none\n"), &hashed("none\n"), "agree");
    check(&text("none\n"), &hashed("true\n"), "canon: accepted / accepted");
    assert_eq!(line(&reread("core", 4, &text("none\n"), &hashed("none\n"))), "agree");
    assert_eq!(line(&reread("core", 4, &text("none\n"), &hashed("true\n"))), "canon: accepted / accepted");
    let failed = Accepted { consumed: None, canon: Canon::Failed("too deep".into()), dumps: vec![] };
    check(&hash(1), &Observation::Accepted(failed), "inconclusive: the canon's printer failed: too deep");
}

#[test]
fn dumps() {
    let one = |dump: &[u8]| accepts(1, "none\n", &[(4, dump)]);
    check(&one(b"\xe9abc"), &one(b"\xe9abc"), "agree");
    check(&one(b"\xe9abc"), &one(b"iabc"), "dump[4].flag: accepted / accepted");
    check(&one(b"abc"), &one(b"abd"), "dump[4].bytes: accepted / accepted");
    check(&one(b"abc"), &one(b"abcd"), "dump[4].length: accepted / accepted");
    // The highest version is looked at first, and only what was asked for is compared.
    let two = |a: &[u8], b: &[u8]| accepts(1, "none\n", &[(0, a), (4, b)]);
    check(&two(b"a", b"b"), &two(b"x", b"y"), "dump[4].bytes: accepted / accepted");
    check(&two(b"a", b"b"), &one(b"b"), "agree");
    let raising =
        |class: &str, text: &str| with_dump(4, Dump::Raises(Exception { class: class.into(), message: text.into() }));
    check(&raising("ValueError", "x"), &raising("ValueError", "x"), "agree");
    check(&raising("ValueError", "x"), &raising("ValueError", "y"), "dump[4].message: accepted / accepted");
    check(&raising("ValueError", "x"), &one(b"N"), "dump[4]:ValueError/bytes: accepted / accepted");
    check(&one(b"N"), &raising("ValueError", "x"), "dump[4]:bytes/ValueError: accepted / accepted");
    check(&one(b"N"), &raising("MemoryError", ""), "inconclusive: MemoryError in dumps");
    check(&with_dump(4, Dump::Undefined("expansion".into())), &one(b"N"), "agree");
    check(&with_dump(4, Dump::Slow { reason: "sorting-sets".into(), bytes: Some(b"S".into()) }), &one(b"N"), "agree");
}

#[test]
fn an_unpredictable_dump_is_compared_by_its_value() {
    let dumped = |bytes: &[u8], unpredictable: Option<&str>, loss: Option<&str>| {
        let [unpredictable, loss] = [unpredictable, loss].map(|text| text.map(String::from));
        let dumps = vec![(2, Dump::Bytes { bytes: bytes.to_vec(), unpredictable, loss })];
        Observation::Accepted(Accepted { consumed: Some(1), canon: Canon::Text("int 1\n".into()), dumps })
    };
    // Streams of one canon that are not the same bytes, for a reader that ignores case.
    let lower = |bytes: &[u8]| read(&bytes.to_ascii_lowercase());
    let verdict = |a: &[u8], loss, b: &[u8]| {
        line(&model("cpython", 64, &dumped(a, Some("order"), loss), &dumped(b, None, None), &lower))
    };
    assert_eq!(verdict(b"int 1\n", None, b"INT 1\n"), "agree");
    assert_eq!(verdict(b"int 1\n", None, b"int 2\n"), "dump.canon:int: accepted / accepted");
    // A dump that loses something is read itself.
    assert_eq!(verdict(b"int 2\n", Some("sharing"), b"INT 2\n"), "agree");
}

#[test]
fn preserve_is_about_the_consumed_bytes() {
    for (case, consumed, rewritten, expected) in [
        (&b"Nxyz"[..], 1, Ok(&b"N"[..]), "agree"),
        (b"N", 1, Ok(b"T"), "bytes: accepted / accepted"),
        (b"N", 1, Ok(b""), "bytes: accepted / accepted"),
        (b"N", 1, Err("dangling"), "outcome: rejected / accepted"),
        (b"N", 2, Ok(b"N"), "consumed: accepted / accepted"),
    ] {
        let rewritten = rewritten.map(<[u8]>::to_vec).map_err(str::to_owned);
        assert_eq!(line(&preserve(case, consumed, &rewritten)), expected, "{case:?}");
    }
}

#[test]
fn reread_is_owed_unless_the_dump_loses_something() {
    let value = |canon: &str| accepts(1, canon, &[]);
    for (loss, original, again, expected) in [
        (None, "int 1\n", value("int 1\n"), "agree"),
        (None, "int 1\n", value("int 2\n"), "canon:int: accepted / accepted"),
        (None, "int 1\n", raises("ValueError", "x"), "outcome: accepted / rejected:ValueError"),
        (None, "int 1\n", raises("MemoryError", ""), "inconclusive: MemoryError"),
        (None, "list 1\nref 0\n", value("none\n"), "canon:list/none: accepted / accepted"),
        (Some("sharing"), "list 2\nlist 0\nref 1\n", value("other\n"), "inconclusive: the dump loses sharing"),
    ] {
        let mut original = value(original);
        if let Observation::Accepted(accepted) = &mut original {
            let loss = loss.map(str::to_owned);
            accepted.dumps = vec![(2, Dump::Bytes { bytes: Vec::new(), unpredictable: None, loss })];
        }
        assert_eq!(line(&reread("core", 2, &original, &again)), expected, "{loss:?}");
    }
}

#[test]
fn what_the_core_owes_to_itself_is_a_finding_by_its_name() {
    assert_eq!(property(None), Verdict::Agree);
    let Verdict::Diverge(divergence) =
        property(Some(("asm_roundtrip", "panicked at text.rs:7: another stream".into())))
    else {
        panic!("it does not hold")
    };
    assert_eq!(divergence.signature.to_string(), "property at asm_roundtrip: core broken, core owed");
    assert!(divergence.core.contains("text.rs:7"), "{divergence}");
}
