//! One cause, one finding.
//!
//! The same bug is found by several generators, for several interpreters, and by several relations: a dump that differs
//! also rereads differently. Each finding is minimized for itself, and what the smallest cases *show* decides whether
//! they are one; what anybody wrote about them does not.
//!
//! 1. Two findings with the same bytes in their normal form are one. A smallest case has nothing in it that could
//!    be left out, so two bugs do not end in the same bytes by accident.
//! 2. If the same bits matter in the cases of both, in the same order, they are one: see `reaction`.
//! 3. If their references mean something else because the same objects take numbers, they are one: see `numbering`.
//! 4. If the case of one, as it is, shows the divergence of the other, and shrinks to the other's case as it goes on
//!    showing it, they are one: then the first holds the second, and needs all of it.
//!    They are two if in the one an object of another type has to take a number than in the other.
//!
//! What holds of two members of two groups makes one of the groups. Two findings of which nothing of this is seen are two.

use super::cause::{Known, are_alike, brings_another, follows};
use super::numbering::{As, Takers};
use super::reaction::Reaction;
use super::{Form, Minimized, Minimizer, Outcome, order, run};
use crate::generators::normal;
use crate::oracle::{Relation, Signature};
pub use reports::Standing;
use std::cmp::Ordering;

/// How many bytes are tried at most to see whether one case holds another: in a long case there are few tries.
const HELD: usize = 1 << 20;

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
    /// Whether it is about the flags of a dump. Who writes wrong flags does so whatever has them.
    fn is_of_flags(&self) -> bool {
        self.what.ends_with(".flag")
    }

    /// Whether both are about what was read, about flags in dumps, or about something else in dumps; fields of code objects
    /// are each for itself.
    fn is_near(&self, other: &Way) -> bool {
        let subject = |way: &Way| match &way.what[..] {
            "value" | "outcome" | "exception" => "read".to_owned(),
            what if what.starts_with("dump") => format!("dump, {}", way.is_of_flags()),
            field => field.to_owned(),
        };
        self.relation == other.relation && subject(self) == subject(other)
    }
}

/// The smallest case that shows the same as this one, for the same cause.
///
/// First it is only cut, and has to fail in the same way. Then every step is taken after which it fails nearly so, if the
/// cause stays: an enclosing object that refuses what is in it makes another outcome of another value.
pub fn minimize_finding(
    form: Form,
    case: &[u8],
    mut way: impl FnMut(&[u8]) -> Option<Way>,
    goes_on: impl FnMut(u64) -> bool,
) -> Outcome {
    let Some(wanted) = way(case) else { return Outcome::NotInteresting };
    let shows = |case: &[u8], how| {
        way(case).is_some_and(|found| match how {
            How::Same => found == wanted,
            How::Near => found.is_near(&wanted),
            How::Any => true,
            How::Surely => found == wanted && wanted.is_of_flags(),
        })
    };
    shrink(form, case, shows, goes_on)
}

/// How near a case has to come to what is wanted.
#[derive(Debug, Clone, Copy)]
enum How {
    Same,
    Near,
    Any,
    /// In the same way, which says that nothing else matters.
    Surely,
}

fn shrink(
    form: Form,
    case: &[u8],
    mut shows: impl FnMut(&[u8], How) -> bool,
    mut goes_on: impl FnMut(u64) -> bool,
) -> Outcome {
    let cutting = Minimizer::new(form, case.to_vec()).cutting();
    let outcome = run(cutting, |_, candidate| shows(candidate, How::Same), &mut goes_on);
    let Outcome::Minimized(cut) = outcome else { return outcome };
    let mut known = Known::default();
    let keeps = |best: &[u8], candidate: &[u8]| {
        if !shows(candidate, How::Near) {
            return false;
        }
        let mut diverges = |case: &[u8]| known.ask(case, |case| shows(case, How::Any));
        let is_kept = !brings_another(form, best, candidate, &mut diverges) && follows(best, candidate, &mut diverges);
        is_kept || shows(candidate, How::Surely)
    };
    let outcome = run(Minimizer::new(form, cut.bytes.clone()), keeps, |more| goes_on(cut.tries + more));
    let Outcome::Minimized(smallest) = outcome else { return Outcome::Minimized(cut) };
    let (steps, tries) = (cut.steps + smallest.steps, cut.tries + smallest.tries);
    Outcome::Minimized(Minimized { steps, tries, ..smallest })
}

impl From<&Signature> for Way {
    fn from(signature: &Signature) -> Way {
        let Signature { relation, core, subject, path, .. } = signature;
        let kind = |class: &str| class.split(':').next().unwrap_or_default().to_owned();
        // Fields of code objects that hold what can be anywhere.
        const PLACES: [&str; 9] =
            ["consts", "names", "varnames", "freevars", "cellvars", "localsplusnames", "filename", "name", "qualname"];
        // The words of a reader of somebody else tell one of its bugs from another.
        if *relation == Relation::Reader {
            return Way { relation: *relation, core: kind(core), subject: kind(subject), what: path.clone() };
        }
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
    /// How it fails.
    pub way: Way,
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
/// `way(case, finding)` says how a case fails, in the relation of a finding, to the pair that it was found with.
pub fn merge(findings: &[Finding], mut way: impl FnMut(&[u8], usize) -> Option<Way>) -> Vec<Vec<usize>> {
    let mut ranked: Vec<usize> = (0..findings.len()).collect();
    ranked.sort_by(|a, b| findings[*a].rank(&findings[*b]));
    let mut groups: Vec<Group> = Vec::new();
    for finding in ranked {
        let normal = findings[finding].normal();
        if let Some(group) = groups.iter_mut().find(|group| group.normal.contains(&normal)) {
            group.members.push(finding);
            continue;
        }
        let Finding { form, bytes, way: own, .. } = &findings[finding];
        let near = |case: &[u8]| way(case, finding).is_some_and(|found| found.is_near(own));
        let reactions = Reaction::of(*form, bytes, near).into_iter().collect();
        let takers = Takers::of(*form, bytes, |case, how| {
            way(case, finding).is_some_and(|found| if how == As::Itself { found == *own } else { found.is_near(own) })
        });
        let mut new =
            Group { members: vec![finding], normal: vec![normal], reactions, takers: takers.into_iter().collect() };
        let (mut same, mut others): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(|group| group.is(&new));
        if same.is_empty() {
            let mut shows = |case: &[u8], of: usize| way(case, of).as_ref() == Some(&findings[of].way);
            let is_held =
                |group: &Group| !group.is_not(&new) && is_held(findings, group.members[0], finding, &mut shows);
            let held = others.iter().position(is_held);
            same.extend(held.map(|place| others.remove(place)));
        }
        groups = others;
        for group in same {
            new.members.extend(group.members);
            new.normal.extend(group.normal);
            new.reactions.extend(group.reactions);
            new.takers.extend(group.takers);
        }
        groups.push(new);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_iter().map(|group| group.members).collect();
    groups.iter_mut().for_each(|group| group.sort_by(|a, b| findings[*a].rank(&findings[*b])));
    groups.sort_by(|a, b| findings[a[0]].rank(&findings[b[0]]));
    groups
}

/// Findings that are one.
#[derive(Debug)]
struct Group {
    members: Vec<usize>,
    /// Their normal forms.
    normal: Vec<Vec<u8>>,
    /// What matters in their cases.
    reactions: Vec<Reaction>,
    /// Which objects have to take a number in them.
    takers: Vec<Takers>,
}

impl Group {
    /// Whether in a case of either something else has to take a number.
    fn is_not(&self, other: &Group) -> bool {
        self.takers.iter().any(|takers| other.takers.iter().any(|others| takers.are_others(others)))
    }

    /// Whether the same matters in a case of either.
    fn is(&self, other: &Group) -> bool {
        self.reactions.iter().any(|reaction| other.reactions.contains(reaction))
            || self.takers.iter().any(|takers| other.takers.iter().any(|others| takers.are(others)))
    }
}

/// Whether either of two cases shows the other's divergence and shrinks to the other's case.
fn is_held(findings: &[Finding], a: usize, b: usize, shows: &mut impl FnMut(&[u8], usize) -> bool) -> bool {
    [(a, b), (b, a)].into_iter().any(|(inner, outer)| {
        let Finding { form, bytes, .. } = &findings[outer];
        if *form != findings[inner].form || !shows(bytes, inner) {
            return false;
        }
        let Finding { bytes: wanted, .. } = &findings[inner];
        // Some things can be said in two ways of which neither shrinks to the other.
        if are_alike(*form, bytes, wanted, &mut |case| shows(case, inner)) {
            return true;
        }
        let most = (HELD / bytes.len().max(1)) as u64;
        let outcome = shrink(*form, bytes, |case, how| !matches!(how, How::Surely) && shows(case, inner), |n| n < most);
        let Outcome::Minimized(found) = outcome else { return false };
        let found = Finding { bytes: found.bytes, ..findings[inner].clone() };
        found.normal() == findings[inner].normal()
            || are_alike(*form, &found.bytes, wanted, &mut |case| shows(case, inner))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generators::Target;
    use pyc_core::Profile;

    fn finding(bytes: &[u8]) -> Finding {
        let target = Profile::all().last().map(Target::from);
        let kind = |text: &str| text.to_owned();
        let (core, subject, what) = (kind("accepted"), kind("accepted"), kind("value"));
        let way = Way { relation: Relation::Model, core, subject, what };
        Finding { form: Form::Stream(target), bytes: bytes.to_vec(), way, standing: Standing::Accepted }
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
            let way = |case: &[u8], of: usize| shows(case, of).then(|| findings[of].way.clone());
            assert_eq!(merge(&findings, way), expected, "{cases:02x?}");
        };
        // The same bytes, or the same in their normal form, whoever shows what.
        check(&[b"T", b"i\x05\0\0\0", b"T"], &|_, _| false, &[&[0, 2], &[1]]);
        check(&[b"u\x02\0\0\0ab", b"z\x02ab"], &|_, _| false, &[&[1, 0]]);
        // The second shows what the first shows, and goes down to it.
        let has = |case: &[u8], wanted: &[u8]| case.windows(wanted.len()).any(|window| window == wanted);
        check(&[b"T", b")\x01T"], &|case, of| if of == 0 { has(case, b"T") } else { has(case, b")\x01T") }, &[&[0, 1]]);
        // The same bits of a float and of half a complex number; another bit is another bug.
        let ends_with = |ending: u8| move |case: &[u8], _: usize| case.last() == Some(&ending);
        let complex = [b"y".as_slice(), &[0; 15], b"\x80"].concat();
        check(&[b"g\0\0\0\0\0\0\0\x80", &complex], &ends_with(0x80), &[&[0, 1]]);
        check(
            &[b"g\0\0\0\0\0\0\0\x80", &[&complex[..16], b"\x40"].concat()],
            &|case, of| case.last() == Some(if of == 0 { &0x80 } else { &0x40 }),
            &[&[0], &[1]],
        );
        // It does not show it, or goes down to something else.
        check(&[b"T", b")\x01F"], &|case, of| has(case, if of == 0 { b"T" } else { b"F" }), &[&[0], &[1]]);
        check(&[b"T", b")\x01F"], &|case, of| of == 0 && (case == b"T" || case == b")\x01F"), &[&[0], &[1]]);
    }
}
