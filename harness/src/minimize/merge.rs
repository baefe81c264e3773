//! One cause, one finding.
//!
//! The same bug is found by several generators, for several interpreters, and by several relations: a dump that differs
//! also rereads differently. Each finding is minimized for itself, and what the smallest cases *show* decides whether
//! they are one; what anybody wrote about them does not.
//!
//! 1. Two findings with the same bytes in their normal form are one. A smallest case has nothing in it that could
//!    be left out, so two bugs do not end in the same bytes by accident.
//! 2. If the case of one, as it is, shows the divergence of the other, and shrinks to the other's case as it goes on
//!    showing it, they are one: then the first holds the second, and needs all of it.
//!
//! Two findings of which neither is seen are two.

use super::{Form, Minimized, Outcome, hash, minimize, order};
use crate::generators::normal;
use crate::oracle::{Relation, Signature};
pub use reports::Standing;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};

/// In how many places it is looked whether two cases react alike, at most.
const LOOKED_AT: usize = 32;

/// How many times more often two findings of one way react alike than not, if they are one.
const SURELY: usize = 3;

/// The most pairs of places that are compared for what two cases have in common.
const COMPARED: usize = 1 << 20;

/// How a relation fails: what has to stay the same while a case shrinks.
///
/// A signature says more: which type differs in the canon, say. That changes with the things around the cause, which
/// shrinking takes away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Way {
    /// The relation that does not hold.
    pub relation: Relation,
    /// The outcome of the core: `accepted`, `rejected`, `faulted`.
    pub core: String,
    /// That of the subject.
    pub subject: String,
    /// What differs: `outcome`, `exception`, `value`, a field of code objects; or which dump, and in what.
    pub what: String,
}

impl Way {
    /// Whether both are about what was read, or both about what was dumped of the same value.
    fn is_near(&self, other: &Way) -> bool {
        let is_dumped = |way: &Way| way.what.starts_with("dump");
        self.relation == other.relation && is_dumped(self) == is_dumped(other)
    }
}

/// The smallest case that shows the same as this one: [`minimize`], and then further where the way changes but not the
/// cause.
///
/// An enclosing object that refuses what is in it makes another outcome of another value. So what is smallest in its way
/// goes on to shrink in any way of reading, and what comes out is taken if both react [alike](react_alike) to changes of
/// what they have in common. If they do not, it was another cause.
pub fn minimize_finding(
    form: Form,
    case: &[u8],
    mut way: impl FnMut(&[u8]) -> Option<Way>,
    mut goes_on: impl FnMut(u64) -> bool,
) -> Outcome {
    let Some(wanted) = way(case) else { return Outcome::NotInteresting };
    let mut agreed = HashSet::new();
    let is_wanted = |case: &[u8]| {
        let found = way(case);
        if found.is_none() {
            agreed.insert(hash(case));
        }
        found.as_ref() == Some(&wanted)
    };
    let outcome = minimize(form, case, is_wanted, &mut goes_on);
    let Outcome::Minimized(strict) = outcome else { return outcome };
    let tries = strict.tries;
    // What shows nothing in its own way shows nothing in any.
    let mut is_near =
        |case: &[u8]| !agreed.contains(&hash(case)) && way(case).is_some_and(|found| found.is_near(&wanted));
    let loose = minimize(form, &strict.bytes, &mut is_near, |more| goes_on(tries + more));
    let Outcome::Minimized(loose) = loose else { return Outcome::Minimized(strict) };
    let (steps, tries) = (strict.steps + loose.steps, strict.tries + loose.tries);
    if loose.bytes != strict.bytes && react_alike(&strict.bytes, &loose.bytes, 1, |case| way(case).is_some()) {
        return Outcome::Minimized(Minimized { steps, tries, ..loose });
    }
    Outcome::Minimized(Minimized { tries, ..strict })
}

/// Whether a case and a smaller one react alike: what can be changed in the one without an end of the divergence can be
/// changed in the other, where they have the same bytes, so many times more often than not. `false` if they have few in
/// common.
fn react_alike(whole: &[u8], part: &[u8], times: usize, mut diverges: impl FnMut(&[u8]) -> bool) -> bool {
    let places = places(whole, part);
    if places.len() * 2 < part.len() {
        return false;
    }
    let (mut same, mut different) = (0, 0);
    for &(place, at) in places.iter().step_by(places.len().div_ceil(LOOKED_AT).max(1)) {
        let byte = part[at];
        let bits = (0..8).map(|bit| byte ^ 1 << bit);
        let others: BTreeSet<u8> = bits.chain([byte.wrapping_add(1), byte.wrapping_sub(1), 0, 0xff, b'N']).collect();
        for other in others.into_iter().filter(|other| *other != byte) {
            let mut changed = |case: &[u8], at: usize| {
                let mut case = case.to_vec();
                case[at] = other;
                diverges(&case)
            };
            match (changed(part, at), changed(whole, place)) {
                (true, true) => same += 1,
                (false, false) => {}
                _ => different += 1,
            }
        }
    }
    same >= times * different
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

impl From<&Signature> for Way {
    fn from(signature: &Signature) -> Way {
        let Signature { relation, core, subject, path, .. } = signature;
        let kind = |class: &str| class.split(':').next().unwrap_or_default().to_owned();
        // Fields of code objects that hold what can be anywhere.
        const PLACES: [&str; 9] =
            ["consts", "names", "varnames", "freevars", "cellvars", "localsplusnames", "filename", "name", "qualname"];
        let what = match path.split(['.', ':']).next().unwrap_or_default() {
            "canon" => match path.split(['.', ':']).nth(1) {
                Some(field) if path.starts_with("canon.") && !PLACES.contains(&field) => field,
                _ => "value",
            },
            "consumed" => "value",
            "class" | "message" => "exception",
            "outcome" => "outcome",
            "dump" => "dump",
            _ => path,
        };
        Way { relation: *relation, core: kind(core), subject: kind(subject), what: what.to_owned() }
    }
}

/// A minimized finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What the bytes are.
    pub form: Form,
    /// The smallest case that shows it.
    pub bytes: Vec<u8>,
    /// How much it matters.
    pub standing: Standing,
}

impl Finding {
    /// The order in which findings are told, the first first: what CPython wrote, then what it accepts, then what it
    /// refuses; of equals the one of fewer bytes, then the simpler one.
    #[must_use]
    pub fn rank(&self, other: &Finding) -> Ordering {
        let simpler = || order::compare(self.form, &self.bytes, &other.bytes);
        self.standing.cmp(&other.standing).then_with(simpler)
    }

    fn normal(&self) -> Vec<u8> {
        let normal = match self.form {
            Form::Stream(Some(target)) => normal(target, &self.bytes),
            _ => None,
        };
        normal.unwrap_or_else(|| self.bytes.clone())
    }
}

/// Which findings are one: groups of their numbers, in the order of [`Finding::rank`] within each and among them.
///
/// `shows(case, finding)` says whether a case shows the divergence of a finding, to the pair that it was found with.
pub fn merge(findings: &[Finding], mut shows: impl FnMut(&[u8], usize) -> bool) -> Vec<Vec<usize>> {
    let mut ranked: Vec<usize> = (0..findings.len()).collect();
    ranked.sort_by(|a, b| findings[*a].rank(&findings[*b]));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for finding in ranked {
        let same = |group: &Vec<usize>| findings[group[0]].normal() == findings[finding].normal();
        let place = groups.iter().position(same);
        let place = place.or_else(|| groups.iter().position(|group| is_held(findings, group[0], finding, &mut shows)));
        match place {
            Some(place) => groups[place].push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// Whether either of two cases shows the other's divergence and shrinks to the other's case.
fn is_held(findings: &[Finding], a: usize, b: usize, shows: &mut impl FnMut(&[u8], usize) -> bool) -> bool {
    [(a, b), (b, a)].into_iter().any(|(inner, outer)| {
        let Finding { form, bytes, .. } = &findings[outer];
        if *form != findings[inner].form || !shows(bytes, inner) {
            return false;
        }
        let found = match minimize(*form, bytes, |case| shows(case, inner), |_| true) {
            Outcome::Minimized(found) => Finding { bytes: found.bytes, ..findings[inner].clone() },
            _ => return false,
        };
        // Some things can be said in two ways of which neither shrinks to the other.
        found.normal() == findings[inner].normal()
            || found.bytes == *bytes && react_alike(bytes, &findings[inner].bytes, SURELY, |case| shows(case, inner))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generators::Target;
    use pyc_core::Profile;

    fn finding(bytes: &[u8]) -> Finding {
        let target = Profile::all().last().map(Target::from);
        Finding { form: Form::Stream(target), bytes: bytes.to_vec(), standing: Standing::Accepted }
    }

    #[test]
    fn what_cpython_wrote_comes_first_and_then_what_is_small() {
        let of = |standing, bytes| Finding { standing, ..finding(bytes) };
        let ranked = [
            of(Standing::Written, b"[\x01\0\0\0N"),
            of(Standing::Written, b"[\x01\0\0\0T"),
            of(Standing::Accepted, b"T"),
            of(Standing::Accepted, b"z\0"),
            of(Standing::Refused, b""),
        ];
        for (place, finding) in ranked.iter().enumerate() {
            let ranks: Vec<Ordering> = ranked.iter().map(|other| finding.rank(other)).collect();
            let expected = (0..ranked.len()).map(|other| place.cmp(&other));
            assert_eq!(ranks, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn findings_are_one_by_what_their_cases_show() {
        let check = |cases: &[&[u8]], shows: &dyn Fn(&[u8], usize) -> bool, expected: &[&[usize]]| {
            let findings: Vec<Finding> = cases.iter().map(|case| finding(case)).collect();
            assert_eq!(merge(&findings, shows), expected, "{cases:02x?}");
        };
        // The same bytes, or the same in their normal form, whoever shows what.
        check(&[b"T", b"i\x05\0\0\0", b"T"], &|_, _| false, &[&[0, 2], &[1]]);
        check(&[b"u\x02\0\0\0ab", b"z\x02ab"], &|_, _| false, &[&[1, 0]]);
        // The second shows what the first shows, and goes down to it.
        let has = |case: &[u8], wanted: &[u8]| case.windows(wanted.len()).any(|window| window == wanted);
        check(&[b"T", b")\x01T"], &|case, of| if of == 0 { has(case, b"T") } else { has(case, b")\x01T") }, &[&[0, 1]]);
        // It does not show it, or goes down to something else.
        check(&[b"T", b")\x01F"], &|case, of| has(case, if of == 0 { b"T" } else { b"F" }), &[&[0], &[1]]);
        check(&[b"T", b")\x01F"], &|case, of| of == 0 && (case == b"T" || case == b")\x01F"), &[&[0], &[1]]);
    }
}
