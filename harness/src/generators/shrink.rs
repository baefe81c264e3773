//! Smaller streams: what a finding is cut down to.
//!
//! A tape shrinks badly: drop one of its bytes, and every decision behind it is another one. So it is the stream that
//! shrinks, at its joints: an object becomes `None` or one of its items, items and bytes go away in halves, numbers become
//! 0, encodings short, flags and what follows the end disappear. Counts and references stay right (`draft`), so a
//! valid stream mostly stays valid; a stream that breaks off is cut as bytes.
//!
//! Every candidate is shorter than what it was made from, or as long and less as a string of bytes: so shrinking ends.

use super::draft::{Draft, Node, is_dict};
use super::spell::spellings;
use std::borrow::Cow;
use std::ops::Range;

/// One way to make a stream simpler; the numbers are those of a draft that was read from it.
#[derive(Debug, Clone)]
enum Step {
    /// What follows the object goes away.
    Rest,
    /// An object becomes `None`.
    Nothing(usize),
    /// An object that others refer to becomes an empty tuple.
    Empty(usize),
    /// An object takes the place of the container around it.
    Unwrap(usize),
    /// Items, or bytes of a string or of the digits of an int, go away.
    Drop(usize, Range<usize>),
    /// What an object says in a fixed number of bytes becomes 0.
    Zero(usize),
    /// The shortest encoding.
    Respell(usize),
    /// A flag goes away.
    Unflag(usize),
    /// Bytes go away, from the end of a stream or from anywhere in one that breaks off.
    Cut(Range<usize>),
}

/// The smallest stream that can be had from this one in single steps such that each is still `interesting`.
///
/// ```
/// use harness::generators::shrink::minimize;
/// let stream = b"\xa9\x03\xda\x01xl\x01\0\0\0\x05\0[\x02\0\0\0r\x01\0\0\0g\0\0\0\0\0\0\0\x80rest";
/// let has_minus_zero = |stream: &[u8]| stream.windows(9).any(|w| w == b"g\0\0\0\0\0\0\0\x80");
/// assert_eq!(minimize(stream, has_minus_zero), b"g\0\0\0\0\0\0\0\x80");
/// ```
pub fn minimize(stream: &[u8], mut interesting: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut shrinker = Shrinker::new(stream.to_vec());
    while let Some(candidate) = shrinker.candidate() {
        if interesting(&candidate) {
            shrinker.accept(candidate);
        }
    }
    shrinker.best
}

/// Shrinks step by step, for who decides elsewhere what is interesting.
#[derive(Debug, Clone)]
pub struct Shrinker {
    best: Vec<u8>,
    steps: Vec<Step>,
    next: usize,
    /// Whether a candidate was accepted since the steps were begun: then those before it may have become possible.
    again: bool,
}

impl Shrinker {
    /// Starts from a stream that is interesting.
    #[must_use]
    pub fn new(stream: Vec<u8>) -> Shrinker {
        Shrinker { steps: steps(&stream), best: stream, next: 0, again: false }
    }

    /// The smallest stream that was accepted.
    #[must_use]
    pub fn best(&self) -> &[u8] {
        &self.best
    }

    /// The next simpler stream; `None` when there is none.
    pub fn candidate(&mut self) -> Option<Vec<u8>> {
        loop {
            while let Some(step) = self.steps.get(self.next) {
                self.next += 1;
                if let Some(candidate) = apply(step, &self.best) {
                    return Some(candidate);
                }
            }
            if !self.again {
                return None;
            }
            (self.next, self.again) = (0, false);
        }
    }

    /// Goes on from a candidate: it is interesting. What was tried in vain before is tried again at the end.
    pub fn accept(&mut self, candidate: Vec<u8>) {
        self.steps = steps(&candidate);
        self.best = candidate;
        self.again = true;
    }
}

/// Ranges of `0..n` that cover it: the whole, then halves, quarters ..., then parts of `least`.
fn halves(n: usize, least: usize) -> impl Iterator<Item = Range<usize>> {
    let sizes = std::iter::successors((n > 0).then_some(n), move |size| {
        (*size > least).then(|| (size / 2).next_multiple_of(least))
    });
    sizes.flat_map(move |size| (0..n).step_by(size).map(move |from| from..n.min(from + size)))
}

fn steps(stream: &[u8]) -> Vec<Step> {
    let Some(draft) = Draft::read(stream, None) else {
        return halves(stream.len(), 1).map(Step::Cut).collect();
    };
    let mut steps = vec![Step::Rest];
    let tails = std::iter::successors(Some(stream.len()), |length| (*length > 1).then_some(length / 2));
    steps.extend(tails.map(|length| Step::Cut(stream.len() - length..stream.len())));
    for (id, node) in draft.nodes.iter().enumerate() {
        steps.extend([Step::Nothing(id), Step::Empty(id), Step::Unwrap(id)]);
        let least = if is_dict(node.code) || node.code == b'l' { 2 } else { 1 };
        let parts = if node.is_container() { node.items.len() } else { node.payload.len() };
        if node.is_sized() || node.is_string() {
            steps.extend(halves(parts, least).map(|range| Step::Drop(id, range)));
        } else if node.code == b'l' {
            // The sign and number of the digits come first.
            let digits = halves(parts.saturating_sub(4), least);
            steps.extend(digits.map(|range| Step::Drop(id, range.start + 4..range.end + 4)));
        }
        steps.extend([Step::Zero(id), Step::Respell(id), Step::Unflag(id)]);
    }
    steps
}

/// The stream after this step, if that is simpler.
fn apply(step: &Step, stream: &[u8]) -> Option<Vec<u8>> {
    if let Step::Cut(range) = step {
        return Some([&stream[..range.start], &stream[range.end..]].concat());
    }
    let mut draft = Draft::read(stream, None)?;
    match step.clone() {
        Step::Rest => draft.rest = Cow::default(),
        Step::Nothing(id) => {
            let nothing = draft.add(Node::leaf(b'N', b"".as_slice()));
            draft.put(id, nothing);
        }
        Step::Empty(id) if draft.nodes[id].flag => {
            let empty = Node::container(if draft.python2 { b'(' } else { b')' }, Vec::new());
            draft.nodes[id] = Node { flag: true, owner: draft.nodes[id].owner, ..empty };
        }
        Step::Empty(_) => return None,
        Step::Unwrap(id) => {
            let (outer, _) = draft.nodes[id].owner?;
            draft.put(outer, id);
        }
        Step::Drop(id, range) if draft.nodes[id].is_container() => drop(draft.nodes[id].items.drain(range)),
        Step::Drop(id, range) => {
            let node = &mut draft.nodes[id];
            node.payload.to_mut().drain(range);
            if node.code == b'l' {
                let (count, digits) = node.payload.to_mut().split_first_chunk_mut()?;
                let n = i32::try_from(digits.len() / 2).ok()?;
                *count = (n * i32::from_le_bytes(*count).signum()).to_le_bytes();
            }
        }
        Step::Zero(id) if b"iIgyc".contains(&draft.nodes[id].code) => draft.nodes[id].payload.to_mut().fill(0),
        Step::Zero(_) => return None,
        Step::Respell(id) => {
            let node = &mut draft.nodes[id];
            let shortest = spellings(draft.python2, node).into_iter().min_by_key(|(_, payload)| payload.len())?;
            (node.code, node.payload) = shortest;
        }
        Step::Unflag(id) if draft.meant()[id] => return None,
        Step::Unflag(id) => draft.nodes[id].flag = false,
        Step::Cut(_) => return None,
    }
    let simpler = draft.write(stream.len())?;
    ((simpler.len(), &simpler[..]) < (stream.len(), stream)).then_some(simpler)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generators::{Generator, Target, generate};
    use pyc_core::Profile;

    fn everything() -> impl Iterator<Item = Vec<u8>> {
        let made = |target| (0..60).map(move |index| generate(Generator::Streams, target, 4, index, &[]).bytes);
        Profile::all().map(Target::from).flat_map(made)
    }

    #[test]
    fn candidates_are_simpler() {
        for stream in everything().step_by(4) {
            for candidate in steps(&stream).iter().filter_map(|step| apply(step, &stream)).take(100) {
                assert!((candidate.len(), &candidate) < (stream.len(), &stream), "{stream:02x?} {candidate:02x?}");
            }
        }
    }

    #[test]
    fn whatever_is_interesting_the_smallest_is_nothing() {
        for stream in everything().filter(|stream| stream.len() < 1000) {
            let smallest = minimize(&stream, |_| true);
            assert!(smallest.len() <= 1, "{stream:02x?} {smallest:02x?}");
        }
    }

    /// What is found in random streams is cut down to the thing itself and what has to be around it.
    #[test]
    fn findings_become_small() {
        let find = |what: &str, interesting: &dyn Fn(&[u8]) -> bool, limit: usize| {
            let found: Vec<Vec<u8>> = everything().filter(|stream| interesting(stream)).take(20).collect();
            assert!(found.len() >= 5, "{what}: {} found", found.len());
            for stream in found {
                let smallest = minimize(&stream, interesting);
                assert!(smallest.len() <= limit, "{what}: {stream:02x?} {smallest:02x?}");
            }
        };
        let draft = |stream: &[u8], wanted: &dyn Fn(&Draft, &Node) -> bool| {
            Draft::read(stream, None).is_some_and(|draft| draft.nodes.iter().any(|node| wanted(&draft, node)))
        };
        let minus_zero = (-0.0_f64).to_le_bytes();
        find("-0.0", &|s| draft(s, &|_, n| n.code == b'g' && *n.payload == minus_zero), 9);
        let none_key = |d: &Draft, n: &Node| n.items.iter().step_by(2).any(|key| d.nodes[*key].code == b'N');
        find("a dict with None as a key", &|s| draft(s, &|d, n| n.code == b'{' && none_key(d, n)), 4);
        find("a shared list", &|s| draft(s, &|d, n| n.target.is_some_and(|t| d.nodes[t].code == b'[')), 10);
        find("four items", &|s| draft(s, &|_, n| n.code == b'(' && n.items.len() >= 4), 9);
        find("a long string", &|s| draft(s, &|_, n| n.code == b'u' && n.payload.len() >= 5), 10);
        find("a stream that breaks off in a list", &|s| Draft::read(s, None).is_none() && s.contains(&b'['), 1);
    }
}
