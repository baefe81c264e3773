//! What matters in a case with references: which objects take a number.
//!
//! Who gives a number too many, too few or too late shows it wherever a reference comes later, whatever this is and in
//! whatever it stands. Cases of such a bug have hardly a byte in common, but in all of them the same objects take a number.
//! So of each object that takes one it is asked whether the divergence ends if it takes none, while every reference goes on
//! meaning what it means; and whether it ends if another type stands there.

use super::Form;
use super::cause::skimmed;
use crate::generators::draft::is_dict;
use crate::generators::skim::{FLAG_REF, Item, SLOTLESS, Skim, long};

/// In a case from this length on nothing is looked for.
const LONG: usize = 1024;

/// An object that takes a number, as it has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taker {
    /// Its type; `None` if those of other types do as well.
    code: Option<u8>,
    /// The one of those before it that it is in.
    inside: Option<usize>,
}

/// How a changed case has to diverge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// As the case itself.
    Itself,
    /// Nearly so.
    Nearly,
}

/// The objects that have to take a number, one of which has to have its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Takers {
    all: Vec<Taker>,
    /// The type of the one.
    code: u8,
    /// Whether one of them does so for itself, and not because a reference means it.
    is_counted: bool,
}

impl Takers {
    /// `None` if nothing is said about that.
    pub(super) fn of(form: Form, case: &[u8], mut diverges: impl FnMut(&[u8], As) -> bool) -> Option<Takers> {
        let skim = skimmed(form, case).filter(|_| case.len() < LONG)?;
        let numbered = Numbered::of(form, case, &skim)?;
        let mut takers: Vec<(Item, Taker)> = Vec::new();
        let mut is_counted = false;
        for (place, item) in skim.items.iter().enumerate().filter(|(_, item)| numbered.is_flagged(item)) {
            if !numbered.is_meant(item) {
                if diverges(&numbered.without(item), As::Itself) {
                    continue;
                }
                is_counted = true;
            }
            let code = numbered.of_type(&skim, place, &mut |case| diverges(case, As::Nearly))?;
            let inside = takers.iter().rposition(|(outer, _)| item.at < outer.end);
            takers.push((*item, Taker { code, inside }));
        }
        let all: Vec<Taker> = takers.into_iter().map(|(_, taker)| taker).collect();
        let codes: Vec<u8> = all.iter().filter_map(|taker| taker.code).collect();
        let [code] = codes[..] else { return None };
        Some(Takers { all, code, is_counted })
    }

    /// Whether both are about numbers, and the same objects take them.
    pub(super) fn are(&self, other: &Takers) -> bool {
        self.is_counted && self == other
    }

    /// Whether something else has to take a number.
    pub(super) fn are_others(&self, other: &Takers) -> bool {
        self.code != other.code
    }
}

/// A case with references to what has a number.
struct Numbered<'c> {
    case: &'c [u8],
    header: usize,
    /// Where they stand, and the numbers.
    references: Vec<(usize, u32)>,
}

impl<'c> Numbered<'c> {
    /// `None` if there is no reference.
    fn of(form: Form, case: &'c [u8], skim: &Skim) -> Option<Numbered<'c>> {
        let header = form.header(case);
        let number = |item: &Item| {
            let at = header + item.at + 1;
            Some((at, u32::try_from(long(case, at)?).ok()?))
        };
        let references: Vec<_> = skim.items.iter().filter(|item| item.code == b'r').filter_map(number).collect();
        (!references.is_empty()).then_some(Numbered { case, header, references })
    }

    fn is_flagged(&self, item: &Item) -> bool {
        self.case[self.header + item.at] & FLAG_REF != 0
    }

    fn is_meant(&self, item: &Item) -> bool {
        takes_number(item) && self.references.iter().any(|(_, number)| *number == item.slots)
    }

    /// The object takes no number, and references mean what they meant.
    fn without(&self, item: &Item) -> Vec<u8> {
        let mut case = self.case.to_vec();
        case[self.header + item.at] = item.code;
        let later = self.references.iter().filter(|(_, number)| takes_number(item) && *number > item.slots);
        later.for_each(|(at, number)| case[*at..at + 4].copy_from_slice(&(number - 1).to_le_bytes()));
        case
    }

    /// The type that an object has to have, spelled as shortly as it can be; `Some(None)` if it may have others. `None` if one
    /// other type does and no more: then that one may show something else.
    fn of_type(&self, skim: &Skim, place: usize, diverges: &mut impl FnMut(&[u8]) -> bool) -> Option<Option<u8>> {
        let item = &skim.items[place];
        let same = |head: &[u8]| matches!((item.code, head[0] & !FLAG_REF), (b'(' | b')', b'(' | b')'));
        let heads: Vec<Vec<u8>> = heads(item).into_iter().filter(|head| head[0] & !FLAG_REF != item.code).collect();
        let mut put = |head: &[u8]| diverges(&self.with_head(skim, place, head));
        match heads.iter().filter(|head| !same(head) && put(head)).count() {
            0 => {
                let short = heads.iter().find(|head| same(head) && head[0] == b')' | FLAG_REF && put(head));
                Some(Some(short.map_or(item.code, |head| head[0] & !FLAG_REF)))
            }
            1 => None,
            _ => Some(None),
        }
    }

    /// Another beginning of a container, with the same items; or another object.
    fn with_head(&self, skim: &Skim, place: usize, head: &[u8]) -> Vec<u8> {
        let item = &skim.items[place];
        let (at, end) = (self.header + item.at, self.header + item.end);
        let first = skim.items.get(place + 1).map_or(end, |next| end.min(self.header + next.at));
        let is_whole = skim.complete || end < self.case.len();
        let last = if is_dict(item.code) && is_whole { end - 1 } else { end };
        [&self.case[..at], head, &self.case[first..last.max(first)], &self.case[end..]].concat()
    }
}

fn takes_number(item: &Item) -> bool {
    item.code != b'R' && !SLOTLESS.contains(&item.code)
}

/// What may stand in place of the beginning of an object; of one without items, in place of it all.
fn heads(item: &Item) -> Vec<Vec<u8>> {
    let short = |code: u8, size: &[u8]| [&[code | FLAG_REF], size].concat();
    let Ok(size) = u8::try_from(item.children) else { return Vec::new() };
    match item.code {
        // What is around its line number is no matter of types.
        b'c' => Vec::new(),
        _ if size == 0 => [b"z\0".as_slice(), b")\0", b"i\0\0\0\0", b"s\0\0\0\0"].map(|o| short(o[0], &o[1..])).into(),
        _ => [b')', b'[', b'<', b'>']
            .map(|code| short(code, &[size, 0, 0, 0][..if code == b')' { 1 } else { 4 }]))
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Fault;
    use crate::subjects::core::Core;

    /// What a case says that shows this fault.
    fn takers(fault: &str, case: &[u8]) -> Option<Takers> {
        let fault = Fault::all().find(|one| one.name == fault).unwrap();
        let core = Core::with(fault.last_profile().clone());
        let shows = |case: &[u8], _| fault.shows(&core, case, &core.observe(case));
        assert!(shows(case, As::Itself), "{} {case:02x?}", fault.name);
        Takers::of(Form::Stream(Some(core.target())), case, shows)
    }

    const FROZENSET: (&str, &[u8]) = ("frozenset-slot-after", b")\x02\xbe\x01\0\0\0\xa9\0r\0\0\0\0");
    const TUPLE: (&str, &[u8]) = ("tuple-slot-after", b"\xa9\x01\xfbr\x01\0\0\0");
    const INT: (&str, &[u8]) = ("int-slot-lost", b"{\xe9\0\0\0\0\xe7\0\0\0\0\0\0\0\0r\x01\0\0\0");

    #[test]
    fn whoever_numbers_in_one_way_has_the_same_takers() {
        let check = |(fault, one), other| assert!(takers(fault, one).unwrap().are(&takers(fault, other).unwrap()));
        check(FROZENSET, b"\xbe\0\0\0\x01\xfbr\0\0\0\0");
        check(TUPLE, b")\x02\xa9\x01\xfa\0r\0\0\0\0");
        check(INT, b"[\x03\0\0\0\xe9\0\0\0\0\xfa\0r\x01\0\0\0");
    }

    #[test]
    fn whoever_numbers_otherwise_has_others() {
        for (one, other) in [(FROZENSET, TUPLE), (TUPLE, INT), (INT, FROZENSET)] {
            let (one, other) = (takers(one.0, one.1).unwrap(), takers(other.0, other.1).unwrap());
            assert!(one.are_others(&other) && !one.are(&other));
        }
        // An object that a reference means has to take a number, whatever is wrong with the reference.
        let meant = takers("tuple-slot-after", b"\xa9\x01r\0\0\0\0").unwrap();
        assert!(!meant.are(&meant));
    }

    #[test]
    fn a_case_of_anything_else_says_nothing() {
        assert_eq!(takers("reference-off-by-one", b"\xfbr\0\0\0\0"), None);
        assert_eq!(takers("reference-zero", b"r\0\0\0\0"), None);
        assert_eq!(takers("negative-zero", b"g\0\0\0\0\0\0\0\x80"), None);
    }
}
