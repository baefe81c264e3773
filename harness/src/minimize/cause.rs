//! Whether a simpler case still has the cause of the one that it came from.
//!
//! Cutting leads to what was in the case. A step that puts something in, or changes what a byte says, can lead to another
//! bug: what it put in diverges as well, in the same way, and is shorter. Such a step is taken only
//!
//! 1. if nothing that is new diverges for itself, unless something of its kind did before, and
//! 2. if what ends the divergence of the one case ends that of the other, where they have the same bytes.

use super::order::TYPES;
use super::{Form, hash};
use crate::generators::skim::{Skim, skim, skim_for};
use std::collections::{BTreeSet, HashMap};

/// In how many places it is looked whether two cases react alike, at most; and in long cases.
const LOOKED_AT: usize = 32;
const FEW: usize = 8;

/// How many objects that a step brought are looked at.
const NEW: usize = 64;

/// Cases from this length on are long.
const LONG: usize = 1024;

/// What ends one divergence may leave the other at most once in so many times.
const SURELY: usize = 3;

/// The most pairs of places that are compared for what two cases have in common.
const COMPARED: usize = 1 << 20;

/// Which cases diverge, each asked about once.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<u64, bool>);

impl Known {
    pub(super) fn ask(&mut self, case: &[u8], diverges: impl FnOnce(&[u8]) -> bool) -> bool {
        *self.0.entry(hash(case)).or_insert_with(|| diverges(case))
    }
}

/// Whether two smallest cases say one thing in two ways: one has the scalars of the other, and either ends to diverge with
/// the other. Of two code objects most is the same whatever their cause is; so they have to differ in nothing but their
/// integers, or to be about references.
pub(super) fn are_alike(form: Form, one: &[u8], other: &[u8], diverges: &mut impl FnMut(&[u8]) -> bool) -> bool {
    let scalars = |case: &[u8]| {
        let codes =
            skimmed(form, case).map_or(Vec::new(), |skimmed| skimmed.items.iter().map(|item| item.code).collect());
        codes.into_iter().filter(|code| !b"()[<>{}:".contains(code)).map(kind).collect::<BTreeSet<u8>>()
    };
    let (few, many) = (scalars(one), scalars(other));
    let (few, many) = if few.len() <= many.len() { (few, many) } else { (many, few) };
    let is_code = many.contains(&b'c') && !few.contains(&b'r');
    // What it takes thousands of objects for does not depend on what is in the last of them.
    let are_long = one.len().min(other.len()) > LONG;
    let say_one = !few.is_empty() && few.is_subset(&many) && (!is_code || differ_in_integers(form, one, other));
    if !are_long && !say_one {
        return false;
    }
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let mut known = Known::default();
    let mut diverges = |case: &[u8]| known.ask(case, &mut *diverges);
    follows(long, short, &mut diverges) && follows_back(short, long, &mut diverges)
}

/// Whether two cases are the same but for the integers with which code objects begin.
fn differ_in_integers(form: Form, one: &[u8], other: &[u8]) -> bool {
    let Some(skimmed) = skimmed(form, one).filter(|_| one.len() == other.len()) else { return false };
    let header = form.header(one);
    let object = |place: usize| skimmed.items.iter().rfind(|item| header + item.at <= place);
    let mut different = (0..one.len()).filter(|place| one[*place] != other[*place]);
    different.all(|place| object(place).is_some_and(|item| item.code == b'c' && header + item.at < place))
}

/// Whether there is something new in a case that diverges for itself, while nothing of its kind did in the case before.
pub(super) fn brings_another(
    form: Form,
    before: &[u8],
    after: &[u8],
    diverges: &mut impl FnMut(&[u8]) -> bool,
) -> bool {
    let (Some(old), Some(new)) = (skimmed(form, before), skimmed(form, after)) else { return false };
    let rest = |skimmed: &Skim, case: &[u8]| {
        let end = form.header(case) + skimmed.end;
        (skimmed.complete && end < case.len()).then(|| case[end..].to_vec())
    };
    if let (None, Some(rest)) = (rest(&old, before), rest(&new, after))
        && diverges(&[form.trivial(), rest].concat())
    {
        return true;
    }
    let (old, new) = (objects(form, before, &old), objects(form, after, &new));
    let header = &after[..form.header(after)];
    let mut alone = |bytes: &[u8]| diverges(&[header, bytes].concat());
    // A step puts little in; what else is new is around it.
    let mut new: Vec<&(u8, &[u8])> = new.difference(&old).filter(|(_, bytes)| bytes.len() <= LONG).collect();
    new.sort_by_key(|(_, bytes)| bytes.len());
    new.into_iter()
        .take(NEW)
        .any(|(kind, bytes)| alone(bytes) && !old.iter().any(|(other, bytes)| other == kind && alone(bytes)))
}

pub(super) fn skimmed(form: Form, case: &[u8]) -> Option<Skim> {
    match form {
        Form::Source => None,
        Form::Stream(None) => Some(skim(case)),
        Form::Stream(Some(target)) | Form::Pyc(target) => Some(skim_for(target, &case[form.header(case)..])),
    }
}

/// The objects of a case, by their kinds.
fn objects<'c>(form: Form, case: &'c [u8], skimmed: &Skim) -> BTreeSet<(u8, &'c [u8])> {
    let stream = &case[form.header(case)..];
    let whole = skimmed.items.iter().map(|item| (kind(item.code), &stream[item.at..item.end]));
    whole.chain(skimmed.cut.map(|item| (kind(item.code), &stream[item.at..]))).collect()
}

/// Types that say the same kind of thing have the same kind.
pub(super) fn kind(code: u8) -> u8 {
    let unknown = if TYPES.contains(&code) { code } else { b'?' };
    let kinds: [&[u8]; 8] = [b"iIl", b"fg", b"xy", b"tuaAzZ", b"()", b"<>", b"{}", b"rR"];
    kinds.into_iter().find(|kind| kind.contains(&code)).map_or(unknown, |kind| kind[0])
}

/// Whether what ends the divergence of one case ends that of a simpler one, where they have the same bytes. `false` if they
/// have few in common.
pub(super) fn follows(one: &[u8], other: &[u8], diverges: &mut impl FnMut(&[u8]) -> bool) -> bool {
    // Where it takes thousands of objects, no simple value took their place.
    if one == other || one.len().min(other.len()) > LONG {
        return true;
    }
    are_ended(one, other, &places(one, other), diverges)
}

/// The same, of a case that is not the simpler one.
fn follows_back(one: &[u8], other: &[u8], diverges: &mut impl FnMut(&[u8]) -> bool) -> bool {
    let places: Vec<(usize, usize)> = places(other, one).into_iter().map(|(place, at)| (at, place)).collect();
    are_ended(one, other, &places, diverges)
}

fn are_ended(one: &[u8], other: &[u8], places: &[(usize, usize)], diverges: &mut impl FnMut(&[u8]) -> bool) -> bool {
    if places.is_empty() || places.len() * 2 < one.len().min(other.len()) {
        return false;
    }
    let most = if one.len().max(other.len()) < LONG { LOOKED_AT } else { FEW };
    let every = places.len().div_ceil(most).max(1);
    let mut ending = Vec::new();
    for (_, &(place, at)) in places.iter().enumerate().filter(|(i, (p, at))| i % every == 0 || one[*p] != other[*at]) {
        let byte = one[place];
        let changes = BTreeSet::from([byte ^ 1, byte ^ 8, byte ^ 0x80, 0, 0xff, b'N']);
        let changes = changes.into_iter().filter(|change| *change != byte);
        ending.extend(changes.filter(|change| !diverges(&with(one, place, *change))).map(|change| (at, change)));
    }
    let mut lost = 0;
    ending.iter().all(|(at, change)| {
        lost += usize::from(diverges(&with(other, *at, *change)));
        lost * SURELY <= ending.len()
    })
}

fn with(case: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut case = case.to_vec();
    case[at] = byte;
    case
}

/// The places in both of the bytes that a case and a smaller one have in common, in this order: as many as there can be. Of
/// two of one length, and of long ones, those that come next.
fn places(whole: &[u8], part: &[u8]) -> Vec<(usize, usize)> {
    if whole.len() == part.len() {
        return (0..part.len()).map(|at| (at, at)).collect();
    }
    if whole.len() * part.len() > COMPARED {
        let mut next = 0;
        let find = |(at, byte): (usize, &u8)| {
            let place = next + whole[next..].iter().position(|other| other == byte)?;
            next = place + 1;
            Some((place, at))
        };
        return part.iter().enumerate().map_while(find).collect();
    }
    // How many bytes have the rests in common that begin at these places?
    let mut common = vec![vec![0_u32; part.len() + 1]; whole.len() + 1];
    for (place, byte) in whole.iter().enumerate().rev() {
        for (at, other) in part.iter().enumerate().rev() {
            let longer = common[place + 1][at].max(common[place][at + 1]);
            common[place][at] = if byte == other { common[place + 1][at + 1] + 1 } else { longer };
        }
    }
    let (mut place, mut at) = (0, 0);
    let mut places = Vec::new();
    while place < whole.len() && at < part.len() {
        if whole[place] == part[at] {
            places.push((place, at));
            (place, at) = (place + 1, at + 1);
        } else if common[place + 1][at] >= common[place][at + 1] {
            place += 1;
        } else {
            at += 1;
        }
    }
    places
}
