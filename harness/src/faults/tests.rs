use super::walk::integers;
use super::*;
use crate::generators::{Generator, Target};
use std::collections::BTreeSet;
use std::path::Path;

/// The core for the last of a fault's versions.
fn core(fault: &Fault) -> Core {
    Core::with(Profile::of(fault.versions.1).expect("the version is modelled").clone())
}

/// The parts of a plain code object, by name, in the order of the stream.
fn plain_code(target: Target) -> Vec<(&'static str, Vec<u8>)> {
    let mut parts = vec![("type", b"c".to_vec())];
    parts.extend(integers(target).iter().map(|name| (*name, vec![0; 4])));
    for field in Walk::new(b"", target).fields() {
        let tuple = b"(\0\0\0\0".to_vec();
        let text = if target.version.0 == 2 { b"s\x01\0\0\0f" } else { b"u\x01\0\0\0f" }.to_vec();
        let name = field.name();
        if parts.len() == 1 + integers(target).len() + 8 {
            parts.push(("firstlineno", b"\x01\0\0\0".to_vec()));
        }
        parts.push((
            name,
            match name {
                "filename" | "name" | "qualname" => text,
                "consts" | "names" | "varnames" | "freevars" | "cellvars" | "localsplusnames" => tuple,
                _ => b"s\0\0\0\0".to_vec(),
            },
        ));
    }
    parts
}

fn stream(example: &Example, target: Target) -> Vec<u8> {
    match example {
        Example::Stream(bytes) => bytes.to_vec(),
        Example::Deep(depth) => [&b"[\x01\0\0\0".repeat(*depth as usize - 1), &b"N"[..]].concat(),
        Example::Code(changes) => {
            let mut parts = plain_code(target);
            for (name, bytes) in *changes {
                let part = parts.iter_mut().find(|(part, _)| part == name);
                part.unwrap_or_else(|| panic!("no field is called {name}")).1 = bytes.to_vec();
            }
            parts.into_iter().flat_map(|(_, bytes)| bytes).collect()
        }
    }
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
            let example = stream(&fault.example, core.target());
            !fault.shows(&core, &example, &core.predict(&example))
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
            assert!(!fault.shows(&core, case, &core.predict(case)), "{} {case:?}", fault.name);
        }
    }
}

#[test]
fn a_fault_that_is_not_reached_changes_nothing() {
    // What the walk understands of a stream is what a reader does: without an edit, nothing may be rewritten.
    for profile in Profile::all() {
        let target = Target::from(profile);
        for index in 0..300 {
            let case = crate::generators::generate(Generator::Streams, target, 5, index, &[]).bytes;
            let mut walk = Walk::new(&case, target);
            while walk.advance().is_some() {}
            assert_eq!(walk.bytes, case);
        }
    }
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
    let faults: Vec<&Fault> = Fault::all().collect();
    let contest = |threads| {
        let contest = Contest::new(faults.clone(), vec![7], 1100, &corpus, |_| Vec::new()).unwrap();
        contest.run(threads, &|_| {}).into_iter().map(|row| (row.found, row.combined)).collect::<Vec<_>>()
    };
    let rows = contest(1);
    assert_eq!(rows, contest(3), "the counts depend on how many look");
    let found = rows.iter().filter(|(_, combined)| combined[0].is_some()).count();
    assert!(found * 3 > faults.len() * 2, "{found} of {}", faults.len());
}
