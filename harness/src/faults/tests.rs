use super::*;
use crate::generators::{Generator, Target, generate};
use crate::subjects::core::payload;
use pyc_core::code::Field;
use std::collections::BTreeSet;
use std::path::Path;

/// The core that a fault's example is for.
fn core(fault: &Fault) -> Core {
    Core::with(fault.last_profile().clone())
}

#[test]
fn there_are_many_faults_and_each_says_what_it_is() {
    let names: BTreeSet<&str> = Fault::all().map(|fault| fault.name).collect();
    assert!(names.len() >= 60);
    assert_eq!(names.len(), Fault::all().count());
    for fault in Fault::all() {
        let is_name = fault.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        assert!(is_name && !fault.what.is_empty() && !fault.cause.is_empty(), "{}", fault.name);
        assert!(Profile::all().any(|profile| fault.concerns(profile)), "{}", fault.name);
    }
    let whats: BTreeSet<&str> = Fault::all().map(|fault| fault.what).collect();
    assert_eq!(whats.len(), names.len(), "two faults do the same");
}

#[test]
fn every_fault_shows_in_its_example() {
    let hidden: Vec<&str> = Fault::all()
        .filter(|fault| {
            let core = core(fault);
            let example = fault.example();
            !fault.shows(&core, &example, &core.observe(&example))
        })
        .map(|fault| fault.name)
        .collect();
    assert!(hidden.is_empty(), "no difference in the examples of {hidden:?}");
}

#[test]
fn no_fault_shows_where_nothing_is_special() {
    let plain: [&[u8]; 3] = [b"N", b"T", b"F"];
    for fault in Fault::all() {
        let core = core(fault);
        for case in plain {
            assert!(!fault.shows(&core, case, &core.observe(case)), "{} {case:?}", fault.name);
        }
    }
}

#[test]
fn a_walk_understands_what_the_core_accepts() {
    for core in Core::all() {
        for index in 0..300 {
            let generator = if index % 2 == 0 { Generator::Values } else { Generator::Streams };
            let case = generate(generator, core.target(), 5, index, &[]).bytes;
            let mut walk = Walk::new(&case, core.target());
            while walk.advance().is_some() {}
            assert_eq!(walk.bytes, case);
            if let Observation::Accepted(accepted) = core.read(&case) {
                // 2.7 makes numbers of fewer bytes than they should have.
                let passed = walk.passed().min(case.len()) as u64;
                assert_eq!(accepted.consumed, Some(passed), "{} {case:?}", core.profile().version);
            }
        }
    }
}

#[test]
fn tables_of_real_code_come_back_as_they_are() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds");
    let (mut lines, mut handlers) = (0, 0);
    for core in Core::all().filter(|core| core.profile().version >= Version::new(3, 11)) {
        let file = corpus.join(format!("greet-{}.pyc", core.profile().version));
        let stream = payload(&std::fs::read(file).unwrap()).unwrap();
        let mut walk = Walk::new(&stream, core.target());
        while let Some(object) = walk.advance() {
            let table = walk.payload(object).unwrap_or_default();
            match walk.field(object).map(Field::name) {
                Some("linetable") if object.code == b's' => {
                    let again = tables::locations(table, |_| {}, tables::Numbers::RIGHT);
                    assert_eq!(again.as_deref(), Some(table));
                    lines += 1;
                }
                Some("exceptiontable") if object.code == b's' => {
                    let again = tables::handlers(table, |_| {}, tables::exception_varint);
                    assert_eq!(again.as_deref(), Some(table));
                    handlers += usize::from(!table.is_empty());
                }
                _ => {}
            }
        }
    }
    assert!(lines >= 10 && handlers >= 5, "{lines} line tables, {handlers} exception tables");
}

#[test]
fn offsets_in_a_rewritten_stream_are_told_as_in_the_original() {
    let profile = Profile::all().last().unwrap();
    let mut walk = Walk::new(b"[\x03\0\0\0NTN", Target::from(profile));
    let wrong = |_: &Walk, object: Object| (object.code == b'N').then(|| Edit { length: 1, by: b"i\0\0\0\0".to_vec() });
    assert!(reread(&mut walk, b"N", wrong));
    assert_eq!(walk.bytes, b"[\x03\0\0\0i\0\0\0\0Ti\0\0\0\0");
    assert_eq!([5, 10, 11, 16].map(|offset| walk.original(offset)), [5, 6, 7, 8]);
}

#[test]
fn most_faults_are_found_soon() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let contest = |faults: &[&'static Fault], threads| {
        let contest = Contest::new(faults.to_vec(), vec![7], 330, &corpus, |_| Vec::new()).unwrap();
        contest.run(threads, &|_, _| {}).into_iter().map(|row| (row.found, row.combined)).collect::<Vec<_>>()
    };
    let faults: Vec<&Fault> = Fault::all().collect();
    let rows = contest(&faults, 3);
    assert_eq!(rows[..20], contest(&faults[..20], 1), "the counts depend on how many look, and for what");
    let found = rows.iter().filter(|(_, combined)| combined[0].is_some()).count();
    assert!(found * 3 > faults.len() * 2, "{found} of {}", faults.len());
}

/// Of each fault the stated minimum, from within a list, and a few generated cases; `provost faults --minimize` has more of them.
#[test]
fn cases_come_down_to_the_stated_minima_and_not_below() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let members = members(&corpus, &mut |_| Vec::new()).unwrap();
    let faults: Vec<&'static Fault> = Fault::all().collect();
    let rows = smallest::smallest(&faults, &[1], 12, &members, 2, &|_, _, _| {});
    assert_eq!(rows.len(), faults.len());
    for row in &rows {
        assert!(row.ratios().all(|ratio| ratio >= 1.0), "{} has a smaller case than the stated one", row.fault.name);
    }
    let mut findings: Vec<usize> = rows.iter().map(|row| row.findings.len()).collect();
    findings.sort_unstable();
    assert_eq!(findings[findings.len() / 2], 1);
    let mut ratios: Vec<f64> = rows.iter().flat_map(smallest::Row::ratios).collect();
    ratios.sort_by(f64::total_cmp);
    assert!(ratios[ratios.len() / 2] <= 1.0);
    let (pairs, _) = smallest::pairs(&rows, 10, 1, 2, &|_, _, _| {});
    let complaints = exceptions::complaints(&rows, &pairs, false);
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// `provost faults --search 6` tries them all.
#[test]
fn no_stream_of_up_to_three_bytes_is_shorter_than_a_stated_minimum() {
    for core in Core::all() {
        let of_this = |fault: &&Fault| fault.last_profile().version == core.profile().version;
        let faults: Vec<&'static Fault> = Fault::all().filter(of_this).collect();
        for (fault, found) in faults.iter().zip(exhaustive::simplest(&faults, &core, 3)) {
            let stated = fault.example().len();
            assert_eq!(found.as_ref().map(Vec::len), (stated <= 3).then_some(stated), "{} {found:02x?}", fault.name);
        }
    }
}
