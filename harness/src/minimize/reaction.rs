//! What matters in a smallest case: the bits without which it diverges no more.
//!
//! Two smallest cases of one bug differ in what does not matter: the other half of a complex number, the container that
//! holds a reference, the names of a code object. What does matter is the same in both, and in the same order. So each bit
//! of a case that is set is cleared for itself, and what ends the divergence is noted. A bit that is not set mostly says
//! nothing where it stands; only in references each number says as much as any other.
//!
//! What moves the joints of a case ends most divergences. It says something only of cases of which nothing else does.

use super::Form;
use super::cause::{self, skimmed};
use crate::generators::skim::FLAG_REF;

/// In a case from this length on nothing is looked for.
const LONG: usize = 1024;

/// So many changes at least have to leave the divergence, before what moves the joints of a case says anything.
const FREE: usize = 8;

/// What matters in one byte.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Matter {
    /// What kind of object it is in; 0 where joints move.
    kind: u8,
    /// The bits that matter.
    mask: u8,
    /// What they are.
    bits: u8,
}

/// What matters in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reaction(Vec<Matter>);

impl Reaction {
    /// `None` if no bit matters for itself.
    pub(super) fn of(form: Form, case: &[u8], mut diverges: impl FnMut(&[u8]) -> bool) -> Option<Reaction> {
        if case.len() >= LONG {
            return None;
        }
        let skim = skimmed(form, case)?;
        let header = form.header(case);
        let objects: Vec<_> = skim.items.iter().chain(&skim.cut).map(|item| (header + item.at, item.code)).collect();
        let joints = |case: &[u8]| {
            let skim = skimmed(form, case)?;
            Some((skim.items.iter().map(|item| (item.at, item.end)).collect::<Vec<_>>(), skim.complete))
        };
        let unchanged = joints(case);
        let (mut staying, mut moving) = (Vec::new(), Vec::new());
        let mut free = 0;
        for at in 0..case.len() {
            let object = objects.iter().rfind(|(start, _)| *start <= at);
            let is_reference = object.is_some_and(|(start, code)| *start < at && kind(*code) == b'r');
            let (mut stays, mut moves) = (0, 0);
            for bit in changes(case[at], object.is_some_and(|(start, _)| *start == at)) {
                let mut changed = case.to_vec();
                changed[at] ^= bit;
                if diverges(&changed) {
                    free += 1;
                } else if case[at] & bit != 0 || is_reference {
                    stays |= if joints(&changed) == unchanged { bit } else { 0 };
                    moves |= bit;
                }
            }
            let matter = |kind, mask| (mask != 0).then_some(Matter { kind, mask, bits: case[at] & mask });
            staying.extend(matter(object.map_or(0, |(_, code)| kind(*code)), stays));
            moving.extend(matter(0, moves));
        }
        let found = if staying.is_empty() && free >= FREE { moving } else { staying };
        (!found.is_empty()).then_some(Reaction(found))
    }
}

/// The bits to change in a byte. Another type is another object.
fn changes(byte: u8, is_type: bool) -> impl Iterator<Item = u8> {
    let bits = (0..8).map(|bit| 1 << bit);
    bits.filter(move |bit| !is_type || *bit == FLAG_REF && byte & FLAG_REF != 0)
}

/// A complex number is two floats.
fn kind(code: u8) -> u8 {
    match cause::kind(code) {
        b'x' => b'f',
        kind => kind,
    }
}
