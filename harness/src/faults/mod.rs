//! Planted faults: do the generators find what they are for?
//!
//! A hunt that finds nothing proves little, unless the same hunt finds bugs that are known to be there. Each planted fault
//! is a subject that does all as pyc-core does, and is wrong in one way in which readers and writers of this format are
//! wrong, or were. A fault counts as found at the first case on which the [oracle] tells the two apart; what
//! mutations of single bytes of real files find stands beside it (`contest`).
//!
//! No fault recognises a case: each does what a wrong implementation would do with any bytes. Most are wrong about one
//! object of the stream and go on from there (`walk`); writers are wrong about the bytes of their dumps (`emission`).

mod contest;
mod emission;
mod example;
pub mod exceptions;
pub mod exhaustive;
pub mod mutants;
mod numbering;
mod plants;
pub mod report;
pub mod smallest;
pub mod subject;
mod tables;
mod walk;

use contest::take_turns;
pub use contest::{Column, Contest, Member, Row, columns, members};

use crate::generators::Target;
use crate::observation::{Accepted, Dump, Observation};
use crate::oracle::{self, Signature, Verdict};
use crate::subjects::core::Core;
use emission::Policy;
use example::Example;
use numbering::When;
use pyc_core::{Profile, Version};
use walk::{Edit, Object, Walk};

/// An implementation that is wrong in one way.
#[derive(Debug)]
pub struct Fault {
    /// What it is called.
    pub name: &'static str,
    /// What it does instead of what is right.
    pub what: &'static str,
    /// How an implementation comes to that.
    pub cause: &'static str,
    /// The versions that can be implemented so, from the first to the last.
    pub versions: Versions,
    way: Way,
    /// A small stream that shows it, to the last of its versions.
    example: Example,
}

/// The first and the last version.
pub type Versions = (Version, Version);

type Hook = fn(&Walk, Object) -> Option<Edit>;

/// Where an implementation is wrong.
#[derive(Debug)]
enum Way {
    /// A reader takes objects of these types for other ones.
    Reads(&'static [u8], Hook),
    /// A reader numbers what references name in another way.
    Numbers(fn(&Walk, Object) -> Option<When>),
    /// A writer that knows no better of these types in dumps of these format versions.
    Writes(&'static [u8], &'static [u8], Hook),
    /// A writer with other flags, or another order, in dumps of these format versions.
    Emits(&'static [u8], Policy),
    /// It takes itself for another interpreter; `None` where that cannot matter.
    Is(fn(&Profile, &[u8]) -> Option<Profile>),
    /// Its answer is another one.
    Answers(fn(Target, &[u8], &Observation) -> Option<Observation>),
}

/// The types that a right reader comes across: one bit for each.
fn types(case: &[u8], target: Target) -> u128 {
    let mut walk = Walk::new(case, target);
    let mut types = 0;
    while let Some(object) = walk.advance() {
        types |= 1_u128.checked_shl(object.code.into()).unwrap_or(0);
    }
    types
}

impl Fault {
    /// All of them.
    pub fn all() -> impl Iterator<Item = &'static Fault> {
        plants::ALL.iter().copied().flatten()
    }

    /// Whether this version can be implemented so.
    #[must_use]
    pub fn concerns(&self, profile: &Profile) -> bool {
        (self.versions.0..=self.versions.1).contains(&profile.version)
    }

    /// The last of its versions.
    ///
    /// # Panics
    /// Never: a test looks at all of them.
    #[must_use]
    pub fn last_profile(&self) -> &'static Profile {
        Profile::of(self.versions.1).expect("the version is modelled")
    }

    /// A small stream that shows it, to the last of its versions.
    #[must_use]
    pub fn example(&self) -> Vec<u8> {
        self.example.bytes(Target::from(self.last_profile()))
    }

    /// Whether the oracle tells this implementation from what is right, given what is right.
    #[must_use]
    pub fn shows(&self, core: &Core, case: &[u8], right: &Observation) -> bool {
        self.shows_among(types(case, core.target()), core, case, right)
    }

    /// [`Fault::shows`], of a case with these types.
    fn shows_among(&self, types: u128, core: &Core, case: &[u8], right: &Observation) -> bool {
        let concerned: &[u8] = match self.way {
            // It is wrong first where a right reader comes by, too.
            Way::Reads(codes, _) => codes,
            Way::Numbers(_) => b"rR",
            _ => &[],
        };
        if !concerned.is_empty() && !concerned.iter().any(|code| types & 1 << code != 0) {
            return false;
        }
        signature(&[self], core, case, right).is_some()
    }

    /// What this implementation does with a case; `None` if that is what is right.
    #[must_use]
    pub fn observe(&self, core: &Core, case: &[u8], right: &Observation) -> Option<Observation> {
        observe(&[self], core, case, right)
    }

    /// Rewrites a stream as this reader understands it; `false` if that is right, or no matter of reading.
    fn rewrite(&self, walk: &mut Walk) -> bool {
        match &self.way {
            Way::Reads(codes, wrong) => reread(walk, codes, *wrong),
            Way::Numbers(when) => numbering::renumber(walk, *when),
            _ => false,
        }
    }

    /// What comes of a value that was read; `None` if that is what is right, or no matter of writing.
    fn answer(&self, target: Target, case: &[u8], right: &Observation) -> Option<Observation> {
        match &self.way {
            Way::Writes(formats, codes, wrong) => redump(right, formats, |dump| {
                let mut walk = Walk::new(dump, target);
                reread(&mut walk, codes, *wrong).then_some(walk.bytes)
            }),
            Way::Emits(formats, policy) => redump(right, formats, |dump| emission::emit(dump, target, policy)),
            Way::Answers(wrong) => wrong(target, case, right),
            _ => None,
        }
    }
}

/// How the oracle tells an implementation with all these faults from what is right, if it does.
#[must_use]
pub fn signature(faults: &[&Fault], core: &Core, case: &[u8], right: &Observation) -> Option<Signature> {
    let wrong = observe(faults, core, case, right)?;
    let read = |stream: &[u8]| core.read(stream);
    match oracle::model("planted", core.profile().pointer_bits, right, &wrong, &read) {
        Verdict::Diverge(divergence) => Some(divergence.signature),
        _ => None,
    }
}

/// What an implementation with all these faults does with a case; `None` if that is what is right.
///
/// One after the other takes the stream for another one; then it is read, and each answers in its own way.
fn observe(faults: &[&Fault], core: &Core, case: &[u8], right: &Observation) -> Option<Observation> {
    let target = core.target();
    let mut walks: Vec<Walk> = Vec::new();
    let mut taken: Option<Core> = None;
    for fault in faults {
        let stream = walks.last().map_or(case, |walk| &walk.bytes);
        if let Way::Is(other) = fault.way {
            taken = other(core.profile(), stream).map(Core::with).or(taken);
            continue;
        }
        let mut walk = Walk::new(stream, target);
        if fault.rewrite(&mut walk) {
            walks.push(walk);
        }
    }
    let mut wrong = (taken.is_some() || !walks.is_empty()).then(|| read(taken.as_ref().unwrap_or(core), case, &walks));
    for fault in faults {
        wrong = fault.answer(target, case, wrong.as_ref().unwrap_or(right)).or(wrong);
    }
    wrong
}

/// Rewrites the stream as a wrong reader understands it; `false` if that is right.
fn reread(walk: &mut Walk, codes: &[u8], wrong: Hook) -> bool {
    let mut is_wrong = false;
    while let Some(object) = walk.advance() {
        if codes.contains(&object.code)
            && let Some(edit) = wrong(walk, object)
        {
            is_wrong = true;
            walk.edit(edit);
        }
    }
    is_wrong
}

/// What comes of a stream that was rewritten, one time after the other, told as if it had been the original.
fn read(core: &Core, case: &[u8], walks: &[Walk]) -> Observation {
    let mut observation = core.observe(walks.last().map_or(case, |walk| &walk.bytes));
    if let Observation::Accepted(Accepted { consumed: Some(consumed), .. }) = &mut observation {
        *consumed = walks.iter().rev().fold(*consumed, |consumed, walk| walk.original(consumed));
    }
    observation
}

/// What is right but for the dumps of these format versions.
fn redump(right: &Observation, formats: &[u8], wrong: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Observation> {
    let Observation::Accepted(accepted) = right else { return None };
    let mut is_wrong = false;
    let dumps = accepted.dumps.iter().map(|(version, dump)| {
        let other = match dump {
            Dump::Bytes { bytes, .. } if formats.contains(version) => wrong(bytes),
            _ => None,
        };
        is_wrong |= other.is_some();
        let other = other.map(|bytes| Dump::Bytes { bytes, unpredictable: None, loss: None });
        (*version, other.unwrap_or_else(|| dump.clone()))
    });
    let accepted = Accepted { dumps: dumps.collect(), ..accepted.clone() };
    is_wrong.then_some(Observation::Accepted(accepted))
}

#[cfg(test)]
mod tests;
