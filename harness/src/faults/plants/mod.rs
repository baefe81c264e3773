//! The table of planted faults, by what they are about.
//!
//! Reviewed for Python 3.15.

mod codes;
mod containers;
mod floats;
mod ints;
mod locations;
mod references;
mod refusals;
mod texts;
mod writers;

use super::walk::{Edit, Object, Walk};
use super::{Example, Fault, Versions, Way};
use pyc_core::Version;

/// All faults.
pub(super) const ALL: [&[Fault]; 9] = [
    &ints::FAULTS,
    &floats::FAULTS,
    &texts::FAULTS,
    &references::FAULTS,
    &containers::FAULTS,
    &codes::FAULTS,
    &locations::FAULTS,
    &refusals::FAULTS,
    &writers::FAULTS,
];

const OLDEST: Version = Version::new(2, 7);
const NEWEST: Version = Version::new(3, 15);

/// All versions.
const EVERY: Versions = (OLDEST, NEWEST);
const PYTHON2: Versions = (OLDEST, OLDEST);
/// References, flags, short strings and tuples.
const PYTHON3: Versions = (Version::new(3, 6), NEWEST);
/// Only 3.14 and later take a small `l` from a cache ...
const FRESH_LONGS: Versions = (PYTHON3.0, Version::new(3, 13));
/// ... and only 3.11 and later a small `I`.
const FRESH_INT64S: Versions = (PYTHON3.0, Version::new(3, 10));
const SLICES: Versions = (Version::new(3, 14), NEWEST);
const FROZENDICTS: Versions = (NEWEST, NEWEST);
/// Code objects that tell positional-only arguments.
const POSITIONAL_ONLY: Versions = (Version::new(3, 8), NEWEST);
/// Code objects with varnames, freevars and cellvars.
const SEPARATE_NAMES: Versions = (OLDEST, Version::new(3, 10));
/// Code objects with localsplusnames, a qualified name, location and exception tables, caches in the instructions.
const LOCALSPLUS: Versions = (Version::new(3, 11), NEWEST);
/// Kinds of variables that tell which are hidden ...
const HIDDEN_KINDS: Versions = (Version::new(3, 12), NEWEST);
/// ... and which are arguments.
const ARGUMENT_KINDS: Versions = (Version::new(3, 14), NEWEST);
/// lnotab with signed lines.
const LNOTAB: Versions = (PYTHON3.0, Version::new(3, 9));
/// lnotab's first successor.
const LINETABLE: Versions = (Version::new(3, 10), Version::new(3, 10));
