use super::*;
use crate::generators::{Generator, tape};
use pyc_core::model::Loaded;
use pyc_core::{Cause, Profile, read};

fn cases(profile: &Profile, n: u64) -> impl Iterator<Item = Generated> {
    let target = Target::from(profile);
    (0..n).map(move |index| generate(&mut Unstructured::new(&tape(3, Generator::Keys.name(), index)), target))
}

#[test]
fn what_is_to_be_accepted_is() {
    for profile in Profile::all() {
        for Generated { bytes, valid } in cases(profile, 3000).filter(|case| case.valid) {
            let graph = read(&bytes, profile);
            let error = graph.as_ref().err().map(|e| e.exception(profile));
            assert!(error.is_none(), "{} {valid} {error:?} {bytes:x?}", profile.version);
            // Nothing is asked about what is undefined.
            let hazard = graph.ok().and_then(|graph| Loaded::new(&graph, profile).hazard());
            assert!(hazard.is_none(), "{} {hazard:?} {bytes:x?}", profile.version);
        }
    }
}

/// Of the sets of each version many lose members, but by far not all.
#[test]
fn members_are_equal_and_unequal() {
    for profile in Profile::all() {
        let (mut all, mut fewer) = (0, 0);
        for Generated { bytes, .. } in cases(profile, 2000).filter(|case| b"<>".contains(&case.bytes[0])) {
            let Ok(graph) = read(&bytes, profile) else { continue };
            let canon = Loaded::new(&graph, profile).canon();
            let Some(size) = canon.lines().next().and_then(|line| line.split(' ').nth(1)?.parse::<u32>().ok()) else {
                continue;
            };
            let members = u32::from_le_bytes(bytes[1..5].try_into().unwrap());
            all += 1;
            fewer += u32::from(size < members);
        }
        assert!(all > 100 && fewer * 4 > all && fewer < all, "{}: {fewer} of {all}", profile.version);
    }
}

/// After a failure 2.7 does each of the things that it can do.
#[test]
fn comparisons_after_a_failure_have_effects() {
    let profile = Profile::all().next().unwrap();
    let (mut forgotten, mut unhashable, mut others) = (0, 0, 0);
    for Generated { bytes, .. } in cases(profile, 4000).filter(|case| !case.valid) {
        match read(&bytes, profile) {
            Err(e) if e.cause() == Some(Cause::ForgottenException) => forgotten += 1,
            Err(e) if e.exception(profile).class == "TypeError" => unhashable += 1,
            _ => others += 1,
        }
    }
    assert!(forgotten > 200 && unhashable > 200 && others > 200, "{forgotten} {unhashable} {others}");
}
