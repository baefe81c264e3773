//! The smallest streams that show faults, by trying all of them.
//!
//! "All" are the streams up to some length whose type bytes are any known type, with and without a flag, or one of none;
//! whose other bytes come from [`PAYLOAD`], of sizes and other long numbers the last three from [`HIGH`]; and behind whose
//! end there may be one byte more. Nobody can try all longer ones. What is stated of them was found by hand, and all that
//! is tried is what is near: see [`shorter`].

use super::{Fault, types};
use crate::generators::Target;
use crate::generators::skim::{FLAG_REF, SLOTLESS, skim_for};
use crate::minimize::order::TYPES;
use crate::subjects::core::Core;

/// Bytes that are not types.
pub const PAYLOAD: &[u8] = b"\0\x01\x02 -.01_an\x7f\x80\xc2\xe9\xff";

/// The bytes of a size but the lowest.
pub const HIGH: &[u8] = b"\0\x01\x80\xff";

/// Calls with every stream of so many bytes, the simplest first.
fn each(target: Target, length: usize, visit: &mut impl FnMut(&[u8])) {
    let mut types: Vec<u8> = TYPES.iter().copied().chain([b'?']).collect();
    let slots = TYPES.iter().filter(|code| !SLOTLESS.contains(code) && **code != b'R');
    types.extend(slots.map(|code| code | FLAG_REF).chain([b'N' | FLAG_REF]).filter(|_| target.version.0 > 2));
    let mut open = vec![Vec::new()];
    while let Some(stream) = open.pop() {
        if stream.len() == length {
            visit(&stream);
            continue;
        }
        let skimmed = skim_for(target, &stream);
        let next: &[u8] = match skimmed.cut {
            _ if skimmed.complete && skimmed.end < stream.len() => &[],
            _ if skimmed.complete => b"N",
            Some(cut) if !TYPES.contains(&cut.code) => &[],
            Some(cut) if b"stuaA([<>lrR".contains(&cut.code) && (2..=4).contains(&(stream.len() - cut.at)) => HIGH,
            Some(_) => PAYLOAD,
            None => &types,
        };
        open.extend(next.iter().rev().map(|byte| [&stream[..], &[*byte]].concat()));
    }
}

/// For each of these faults the simplest stream of up to `longest` bytes that shows it. They are of the core's version.
#[must_use]
pub fn simplest(faults: &[&'static Fault], core: &Core, longest: usize) -> Vec<Option<Vec<u8>>> {
    let mut found: Vec<Option<Vec<u8>>> = vec![None; faults.len()];
    for length in 0..=longest {
        each(core.target(), length, &mut |stream| {
            let right = core.observe(stream);
            let types = types(stream, core.target());
            for (fault, found) in faults.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
                if fault.shows_among(types, core, stream, &right) {
                    *found = Some(stream.to_vec());
                }
            }
        });
    }
    found
}

/// Stated minima up to this length are tried with another byte in each place as well ...
const SHORT: usize = 16;

/// ... and longer ones than this not at all: they are as long as they are because something is counted up to there.
const LONG: usize = 100;

/// A shorter stream than the stated minimum that shows the fault: this one without a run of bytes, wherever and however
/// long, and of a short one also with any byte changed then.
#[must_use]
pub fn shorter(fault: &Fault, core: &Core) -> Option<Vec<u8>> {
    let stated = fault.example();
    let n = stated.len();
    let shows = |stream: &[u8]| fault.shows(core, stream, &core.observe(stream));
    let runs = (0..n).flat_map(|from| (from + 1..=n).map(move |to| from..to)).filter(|_| n <= LONG);
    runs.map(|run| [&stated[..run.start], &stated[run.end..]].concat()).find_map(|stream| {
        if shows(&stream) {
            return Some(stream);
        }
        let places = if n <= SHORT { 0..stream.len() } else { 0..0 };
        let mut changed = places.flat_map(|at| (0..=255).map(move |byte| (at, byte))).map(|(at, byte)| {
            let mut changed = stream.clone();
            changed[at] = byte;
            changed
        });
        changed.find(|changed| shows(changed))
    })
}
