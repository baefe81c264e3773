use super::*;
use crate::execution::{Verified, verify};
use crate::generators::draft::Draft;
use crate::generators::{Generator, generate};
use pyc_core::Pyc;

const CASES: u64 = 512;

/// A mutant follows from its numbers, is a whole stream, and is seldom what it was made of.
#[test]
fn mutants_repeat_and_are_whole() {
    for profile in Profile::all() {
        let target = Target::from(profile);
        let mut valid = (0..).map(|index| generate(Generator::Codes, target, 1, index, &[])).filter(|case| case.valid);
        let mut stream = || valid.next().expect("the generator has no end").bytes;
        let (base, other) = (stream(), stream());
        let made_of = Base::new(target, base.clone());
        let make = |seed, index| made_of.case(seed, index, &other);
        let mut changed = 0;
        for index in 0..CASES {
            let mutant = make(1, index);
            assert_eq!(make(1, index), mutant, "{} index {index}", profile.version);
            let Some(mutant) = mutant else { continue };
            assert!(Draft::read(&mutant, Some(target)).is_some(), "{} index {index} is cut", profile.version);
            assert!(!index.is_multiple_of(OF_EACH) || mutant == base, "{} index {index}", profile.version);
            changed += u64::from(mutant != base && make(2, index).as_ref() != Some(&mutant));
        }
        assert!(changed > CASES / 2, "{}: {changed} of {CASES} are changed", profile.version);
    }
}

#[test]
fn programs_repeat_and_differ() {
    for profile in Profile::all() {
        let target = Target::from(profile);
        let programs: std::collections::BTreeSet<Vec<u8>> = (0..CASES)
            .map(|number| {
                let made = program(target, 1, number);
                assert_eq!(program(target, 1, number), made);
                made.source
            })
            .collect();
        assert!(programs.len() as u64 > CASES * 9 / 10, "{}: {} programs", profile.version, programs.len());
    }
}

/// Most changes of a program's instructions can be put together, and what comes of it is often safe to execute.
#[test]
fn edited_programs_are_whole() {
    for profile in Profile::all() {
        let path = format!("{}/../pyc-core/examples/hello/{}.pyasm", env!("CARGO_MANIFEST_DIR"), profile.version);
        let program = text::parse(&std::fs::read_to_string(path).unwrap()).unwrap().write().unwrap();
        let stream = Pyc::parse(&program).unwrap().payload;
        let document = text::disassemble(stream, Some(profile)).unwrap();
        let edited = |index| edit::edit(&mut Unstructured::new(&tape(1, NAME, index)), profile, &document);
        let (mut made, mut safe) = (0, 0);
        for mutant in (0..CASES).filter_map(edited).filter(|mutant| mutant != stream) {
            made += 1;
            match verify(&mutant, profile) {
                Verified::Safe => safe += 1,
                Verified::Refused(_) => {}
                other => panic!("{}: {other:?}", profile.version),
            }
        }
        println!("{}: {made} of {CASES} made, {safe} safe", profile.version);
        assert!(made > CASES / 2, "{}: {made} of {CASES} are put together", profile.version);
        assert!(safe > made / 8, "{}: {safe} of {made} are safe", profile.version);
    }
}
