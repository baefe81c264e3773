//! What a reader and writer owes to itself: what it reads it writes again, and what it dumps reads back to the same value.
//!
//! No interpreter is needed to see that, so it is what a coverage-guided fuzzer tries thousands of times a second
//! (`marshal_roundtrip`), and the work that `provost bench` measures its mutators against.

use crate::generators::values;
use crate::observation::{Accepted, Dump, Observation};
use crate::oracle::{self, Verdict};
use crate::subjects::core::Core;
use arbitrary::Unstructured;

/// The one of several Pythons, of which there are some, that the last byte of an input chooses: after the end of a stream it
/// means nothing to a reader.
#[must_use]
pub fn chosen<'a, T>(pythons: &'a [T], input: &[u8]) -> &'a T {
    &pythons[input.last().map_or(0, |&byte| usize::from(byte) % pythons.len())]
}

/// What the generator of values makes of a tape, whose last byte chooses the Python: what the fuzz target `marshal_value` tries.
#[must_use]
pub fn stream_of<'a>(cores: &'a [Core], tape: &[u8]) -> (&'a Core, Vec<u8>) {
    let core = chosen(cores, tape);
    let tape = tape.split_last().map_or(tape, |(_, tape)| tape);
    (core, values::generate(&mut Unstructured::new(tape), core.target()))
}

/// Reads a stream under the core's profile, writes it again, and reads back every dump. Gives what the profile says of it.
///
/// # Errors
/// What came out otherwise.
pub fn roundtrip(core: &Core, stream: &[u8]) -> Result<Observation, String> {
    let (observation, rewritten) = core.observe_and_rewrite(stream);
    let fail = |what: &str| Err(format!("{}: {what}", name(core)));
    match (&observation, rewritten) {
        (Observation::Accepted(accepted), Some(rewritten)) => {
            let Some(consumed) = accepted.consumed.and_then(|n| usize::try_from(n).ok()) else {
                return fail("the bytes it takes are not counted");
            };
            judge(core, &oracle::preserve(stream, consumed, &rewritten))?;
            reread(core, &observation, accepted)?;
        }
        (Observation::Accepted(_), None) => return fail("what it accepts is not written again"),
        (_, Some(_)) => return fail("what it does not accept is written again"),
        (_, None) => {}
    }
    Ok(observation)
}

/// What is dumped reads back to the canon of what was dumped, as far as that version can say it. Bytes that several versions
/// have in common are read once.
///
/// # Errors
/// The first dump that does not.
pub fn reread(core: &Core, observation: &Observation, accepted: &Accepted) -> Result<(), String> {
    let mut before: &[u8] = &[];
    for (version, dump) in &accepted.dumps {
        if let Dump::Bytes { bytes, loss: None, .. } = dump
            && bytes != before
        {
            before = bytes;
            judge(core, &oracle::reread("core", *version, observation, &core.read(bytes)))?;
        }
    }
    Ok(())
}

/// What messages call a profile.
pub(crate) fn name(core: &Core) -> String {
    format!("core as {}", core.profile().version)
}

fn judge(core: &Core, verdict: &Verdict) -> Result<(), String> {
    match verdict {
        Verdict::Diverge(divergence) => Err(format!("{}: {divergence}", name(core))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_goes_around() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds");
        let seeds = crate::generators::seeds(&folder).unwrap();
        for core in Core::all() {
            let is_accepted = |(file, stream): &&(String, Vec<u8>)| {
                let observation = roundtrip(&core, stream).unwrap_or_else(|e| panic!("{file}: {e}"));
                matches!(observation, Observation::Accepted(_))
            };
            let accepted = seeds.iter().filter(is_accepted).count();
            assert!(4 * accepted > seeds.len(), "{}: {accepted} of {} seeds", core.profile().version, seeds.len());
        }
    }

    /// A prediction that is changed does not.
    #[test]
    fn a_dump_of_another_value_is_noticed() {
        let core = Core::named("3.13").unwrap();
        let Ok(observation) = roundtrip(&core, b"i\x05\0\0\0") else { panic!("5 goes around") };
        let Observation::Accepted(mut accepted) = observation.clone() else { panic!("{observation}") };
        for (_, dump) in &mut accepted.dumps {
            *dump = Dump::Bytes { bytes: b"i\x06\0\0\0".to_vec(), unpredictable: None, loss: None };
        }
        let error = reread(&core, &observation, &accepted).unwrap_err();
        assert!(error.contains("core as 3.13") && error.contains("int 6"), "{error}");
    }
}
