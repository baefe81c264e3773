use super::*;
use crate::generators::draft::Node;
use crate::generators::{Generator, generate};

/// Streams of every version, and their target.
fn streams() -> impl Iterator<Item = (Target, Vec<u8>)> {
    let made = |target| (0..60).map(move |index| (target, generate(Generator::Streams, target, 4, index, &[]).bytes));
    Profile::all().map(Target::from).flat_map(made)
}

fn smallest(form: Form, case: &[u8], interesting: impl FnMut(&[u8]) -> bool) -> Minimized {
    minimize(form, case, interesting, |_| true).minimized().unwrap()
}

#[test]
fn candidates_are_simpler() {
    for (target, stream) in streams().step_by(4) {
        let form = Form::Stream(Some(target));
        for candidate in Minimizer::trusting(form, stream.clone()).batch(200) {
            assert_eq!(compare(form, &candidate, &stream), Ordering::Less, "{stream:02x?} {candidate:02x?}");
        }
    }
}

#[test]
fn whatever_is_interesting_nothing_is_left() {
    for (target, stream) in streams().filter(|(_, stream)| stream.len() < 1000) {
        let found = smallest(Form::Stream(Some(target)), &stream, |stream| stream != b"N");
        assert_eq!(found.bytes, b"", "{stream:02x?}");
    }
}

/// What is found in random streams is cut down to the thing itself and what has to be around it: always the same bytes.
#[test]
fn findings_become_small() {
    let find = |what: &str, interesting: &dyn Fn(&[u8]) -> bool, expected: &[u8]| {
        let found: Vec<_> = streams().filter(|(_, stream)| interesting(stream)).take(20).collect();
        assert!(found.len() >= 5, "{what}: {} found", found.len());
        for (_, stream) in found {
            let smallest = smallest(Form::Stream(None), &stream, interesting);
            assert_eq!(smallest.bytes, expected, "{what}: {stream:02x?}");
        }
    };
    let draft = |stream: &[u8], wanted: &dyn Fn(&Draft, &Node) -> bool| {
        Draft::read(stream, None).is_some_and(|draft| draft.nodes.iter().any(|node| wanted(&draft, node)))
    };
    let minus_zero = (-0.0_f64).to_le_bytes();
    find("-0.0", &|s| draft(s, &|_, n| n.code == b'g' && *n.payload == minus_zero), b"g\0\0\0\0\0\0\0\x80");
    let none_key = |d: &Draft, n: &Node| n.items.iter().step_by(2).any(|key| d.nodes[*key].code == b'N');
    find("a dict with None as a key", &|s| draft(s, &|d, n| n.code == b'{' && none_key(d, n)), b"{N0");
    find(
        "a shared list",
        &|s| draft(s, &|d, n| n.target.is_some_and(|t| d.nodes[t].code == b'[')),
        b"\xdb\x01\0\0\0r\0\0\0\0",
    );
    find("four items", &|s| draft(s, &|_, n| n.code == b'(' && n.items.len() >= 4), b"(\x04\0\0\0NNNN");
    find("a long string", &|s| draft(s, &|_, n| n.code == b'u' && n.payload.len() >= 5), b"u\x05\0\0\0\0\0\0\0\0");
    find("a stream that breaks off in a list", &|s| Draft::read(s, None).is_none() && s.contains(&b'['), b"[");
}

#[test]
fn no_single_byte_can_go_or_become_simpler() {
    for (target, stream) in streams().step_by(9) {
        let wanted = stream.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 251;
        let interesting =
            |case: &[u8]| case == stream || case.iter().map(|b| usize::from(*b)).sum::<usize>() % 251 == wanted;
        if wanted == usize::from(b'N') || stream.len() > 200 {
            continue;
        }
        let form = Form::Stream(Some(target));
        let best = smallest(form, &stream, interesting).bytes;
        for at in 0..best.len() {
            assert!(!interesting(&[&best[..at], &best[at + 1..]].concat()), "{best:02x?} {at}");
            for byte in 0..=255 {
                let mut other = best.clone();
                other[at] = byte;
                assert!(
                    compare(form, &other, &best) != Ordering::Less || !interesting(&other),
                    "{best:02x?} {at} {byte}"
                );
            }
        }
    }
}

#[test]
fn what_comes_out_does_not_depend_on_the_batches() {
    for (target, stream) in streams().step_by(31) {
        let count = stream.iter().filter(|byte| **byte & 0x80 != 0).count().min(5);
        let interesting = |case: &[u8]| case.iter().filter(|byte| **byte & 0x80 != 0).count() >= count.max(1);
        let run = |most: usize| {
            let mut minimizer = Minimizer::new(Form::Stream(Some(target)), stream.clone());
            while let batch = minimizer.batch(most)
                && !batch.is_empty()
            {
                minimizer.answer(&batch.iter().map(|case| interesting(case)).collect::<Vec<_>>());
            }
            minimizer.finish()
        };
        let one = run(1);
        assert_eq!([run(7), run(1000)], [one.clone(), one.clone()], "{stream:02x?}");
        assert_eq!(minimize(Form::Stream(Some(target)), &stream, interesting, |_| true), one);
    }
}

#[test]
fn the_predicate_is_checked() {
    let form = Form::Stream(None);
    let check = |interesting: &mut dyn FnMut(&[u8]) -> bool, expected: Option<Outcome>| {
        let outcome = minimize(form, b"(\x02\0\0\0NT", interesting, |_| true);
        assert_eq!(Some(&outcome).filter(|outcome| !matches!(outcome, Outcome::Minimized(_))), expected.as_ref());
    };
    check(&mut |_| false, Some(Outcome::NotInteresting));
    check(&mut |_| true, Some(Outcome::TrivialToo));
    check(&mut |case| case != b"N", None);
    let mut count = 0;
    let mut every_third = |_: &[u8]| {
        count += 1;
        count % 3 == 0
    };
    check(&mut every_third, Some(Outcome::Flaky));
    // It is so at first, but what comes out is it no longer.
    let mut count = 0;
    let mut at_first = |case: &[u8]| {
        count += 1;
        case != b"N" && count < 6
    };
    check(&mut at_first, Some(Outcome::Flaky));
    assert!(matches!(minimize(form, b"N", |_| true, |_| true), Outcome::Minimized(_)));
}

#[test]
fn whoever_stops_has_what_was_found_so_far() {
    let case = [b"(\x04\0\0\0".as_slice(), &[b'T'; 4]].concat();
    let run = |most: u64| minimize(Form::Stream(None), &case, |case| case.contains(&b'T'), |tries| tries < most);
    let Outcome::Minimized(short) = run(2) else { panic!() };
    let Outcome::Minimized(long) = run(1000) else { panic!() };
    assert!(!short.complete && short.tries == 2 && short.bytes.len() > 1, "{short:?}");
    assert!(long.complete && long.bytes == b"T", "{long:?}");
}

#[test]
fn headers_become_plain_and_streams_shrink_behind_them() {
    for profile in Profile::all() {
        let target = Target::from(profile);
        let form = Form::Pyc(target);
        let header = plain_header(target);
        let mut case = [&header[..], b"[\x02\0\0\0TN"].concat();
        case[4..header.len()].fill(7);
        assert_eq!(smallest(form, &case, |case| case.contains(&b'T')).bytes, b"T");
        let with_header = |case: &[u8]| case.len() > header.len() && case[header.len()..].contains(&b'T');
        assert_eq!(smallest(form, &case, with_header).bytes, [&vec![0; header.len()][..], b"T"].concat());
        let right_magic = |case: &[u8]| with_header(case) && case[..4] == header[..4];
        assert_eq!(smallest(form, &case, right_magic).bytes, [&header[..], b"T"].concat());
    }
}
