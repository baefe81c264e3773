//! Rounds in turn, and our side of them.

use super::inputs::Case;
use anyhow::{Context, Result};
use pyc_core::bytecode::Body;
use pyc_core::bytecode::safety::verify_all;
use pyc_core::model::{Dump, Loaded};
use pyc_core::{Graph, NodeId, Profile, Scratch, read, read_with};
use serde::Serialize;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// When this much time is over, a contest has enough rounds ...
const ENOUGH: Duration = Duration::from_secs(4);
/// ... if it has so many.
const LEAST: usize = 3;
/// What is over in less is done again until this much time is over.
const LONG_ENOUGH: Duration = Duration::from_millis(250);

/// What a contest came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Timing {
    /// Rounds of each side.
    pub rounds: usize,
    /// The median round of ours, in milliseconds.
    pub subject_ms: f64,
    /// The median round of the other side.
    pub reference_ms: f64,
    /// The least and the largest ratio of two rounds that followed each other.
    pub lowest: f64,
    /// See [`Timing::lowest`].
    pub highest: f64,
}

impl Timing {
    /// How many times faster ours is.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.reference_ms / self.subject_ms
    }

    fn of(pairs: &[(f64, f64)]) -> Timing {
        let ratios = || pairs.iter().map(|(ours, theirs)| theirs / ours);
        Timing {
            rounds: pairs.len(),
            subject_ms: 1e3 * median(pairs.iter().map(|pair| pair.0).collect()),
            reference_ms: 1e3 * median(pairs.iter().map(|pair| pair.1).collect()),
            lowest: ratios().fold(f64::INFINITY, f64::min),
            highest: ratios().fold(0.0, f64::max),
        }
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { (numbers[middle - 1] + numbers[middle]) / 2.0 }
}

/// Up to so many rounds of each side in turn, after one that does not count. A side tells how many seconds it took.
///
/// # Errors
/// The first error of a side.
pub fn contest(
    rounds: usize,
    mut ours: impl FnMut() -> f64,
    mut theirs: impl FnMut() -> Result<f64>,
) -> Result<Timing> {
    ours();
    theirs()?;
    let begin = Instant::now();
    let mut pairs = Vec::new();
    while pairs.len() < rounds && (pairs.len() < LEAST || begin.elapsed() < ENOUGH) {
        pairs.push((ours(), theirs()?));
    }
    Ok(Timing::of(&pairs))
}

/// How long something takes, in seconds; never 0, so that it can be divided by.
pub(super) fn seconds(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().max(Duration::from_nanos(1)).as_secs_f64()
}

/// pyc-core, the streams that it is timed on, and nothing else.
#[derive(Debug)]
pub struct Ours<'a> {
    /// The Python that is meant.
    pub profile: &'a Profile,
    /// The streams.
    pub streams: Vec<&'a [u8]>,
}

impl<'a> Ours<'a> {
    /// Whether a stream can be timed: it is read, loaded and dumped without an error.
    #[must_use]
    pub fn accepts(stream: &[u8], profile: &Profile) -> bool {
        read(stream, profile)
            .is_ok_and(|graph| matches!(Loaded::new(&graph, profile).dump(profile.marshal_version), Dump::Bytes { .. }))
    }

    /// The streams together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.streams.iter().map(|stream| stream.len()).sum()
    }

    /// Makes each case of a generator, and drops it.
    #[must_use]
    pub fn make(cases: &[Case]) -> f64 {
        seconds(|| cases.iter().for_each(|case| drop(black_box(black_box(case).make()))))
    }

    /// Reads each stream to its graph, and drops it.
    #[must_use]
    pub fn read(&self) -> f64 {
        let mut scratch = Scratch::default();
        let mut read = |stream: &&[u8]| {
            if let Ok(graph) = black_box(read_with(black_box(stream), self.profile, &mut scratch)) {
                graph.recycle(&mut scratch);
            }
        };
        seconds(|| self.streams.iter().for_each(&mut read))
    }

    /// Reads each stream to the value of the interpreter that is meant, and drops it.
    #[must_use]
    pub fn load(&self) -> f64 {
        let mut scratch = Scratch::default();
        let mut load = |stream: &&[u8]| {
            if let Ok(graph) = read_with(black_box(stream), self.profile, &mut scratch) {
                black_box(Loaded::new_with(&graph, self.profile, &mut scratch)).recycle(&mut scratch);
                graph.recycle(&mut scratch);
            }
        };
        seconds(|| self.streams.iter().for_each(&mut load))
    }

    /// Copies each stream.
    #[must_use]
    pub fn copy(&self) -> f64 {
        seconds(|| self.streams.iter().for_each(|stream| drop(black_box(black_box(stream).to_vec()))))
    }

    /// The graphs of the streams.
    ///
    /// # Errors
    /// When one is not read.
    pub fn graphs(&self) -> Result<Vec<Graph<'a>>> {
        self.streams.iter().map(|stream| read(stream, self.profile).ok().context("a stream is not read")).collect()
    }

    /// Loaded values, ready to be dumped.
    #[must_use]
    pub fn loaded<'g>(&'g self, graphs: &'g [Graph<'a>]) -> Vec<Loaded<'g, 'a>> {
        graphs.iter().map(|graph| Loaded::new(graph, self.profile)).collect()
    }

    /// Dumps each value with the marshal version of the interpreter that is meant.
    #[must_use]
    pub fn dump(&self, values: &[Loaded]) -> f64 {
        let version = self.profile.marshal_version;
        seconds(|| values.iter().for_each(|value| drop(black_box(black_box(value).dump(version)))))
    }

    /// Goes through all instructions of the graphs, with everything that is known of each: argument, target, position, handler,
    /// and whether something jumps there. How many there were is told as well.
    ///
    /// The interpreter takes seconds for what takes us milliseconds, and a processor that slept for seconds is slow for
    /// milliseconds. So we go through them again and again, and the first time does not count.
    #[must_use]
    pub fn dis(&self, graphs: &[Graph]) -> (f64, usize) {
        let codes: Vec<_> = graphs.iter().map(|graph| (graph, graph.code_objects())).collect();
        let once = || {
            let bodies = |(graph, ids): &(&Graph<'_>, Vec<NodeId>)| -> usize {
                let codes = ids.iter().filter_map(|id| graph.code_of(*id));
                codes.map(|code| instructions(&Body::new(graph, &code, self.profile))).sum()
            };
            codes.iter().map(bodies).sum::<usize>()
        };
        let begin = Instant::now();
        let count = once();
        let mut times = 0_u32;
        let warm = Instant::now();
        while times == 0 || begin.elapsed() < LONG_ENOUGH {
            black_box(once());
            times += 1;
        }
        (warm.elapsed().as_secs_f64() / f64::from(times), count)
    }

    /// Looks whether all code objects of the graphs are safe to run. How long their instructions are is told as well.
    #[must_use]
    pub fn verify(&self, graphs: &[Graph]) -> (f64, usize) {
        let time = seconds(|| graphs.iter().for_each(|graph| drop(black_box(verify_all(graph, self.profile)))));
        let length = |graph: &Graph<'_>| -> usize {
            let codes = graph.code_objects().into_iter().filter_map(|id| graph.code_of(id));
            codes.map(|code| Body::new(graph, &code, self.profile).code.len()).sum()
        };
        (time, graphs.iter().map(length).sum())
    }

    /// Writes each graph as it was read.
    #[must_use]
    pub fn write(graphs: &[Graph]) -> f64 {
        seconds(|| graphs.iter().for_each(|graph| drop(black_box(black_box(graph).write()))))
    }
}

/// Looks at everything about the instructions of a code object. What is looked at must be in memory, no more.
fn instructions(body: &Body<'_>) -> usize {
    let (targets, mut cursor) = (body.targets(), body.cursor());
    let mut count = 0;
    for it in body.instructions() {
        black_box(&body.argument(&it));
        black_box((it.offset, it.code, it.operand, it.name(), it.target(), it.caches(), targets.contains(it.offset)));
        black_box(&cursor.at(it.offset));
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_round_counts_and_the_spread_is_of_pairs() {
        let mut ours = [9.0, 1.0, 2.0, 4.0].into_iter();
        let mut theirs = [9.0, 4.0, 4.0, 4.0].into_iter();
        let timing = contest(3, || ours.next().unwrap(), || Ok(theirs.next().unwrap())).unwrap();
        let expected = Timing { rounds: 3, subject_ms: 2e3, reference_ms: 4e3, lowest: 1.0, highest: 4.0 };
        assert_eq!(timing, expected);
        assert_eq!(timing.ratio(), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn the_other_side_may_fail() {
        let mut left = 2;
        let theirs = || {
            left -= 1;
            if left == 0 { anyhow::bail!("gone") } else { Ok(1.0) }
        };
        assert_eq!(contest(5, || 1.0, theirs).unwrap_err().to_string(), "gone");
    }

    #[test]
    fn our_side_does_all_of_its_work() {
        let profile = Profile::all().last().unwrap();
        assert!(Ours::accepts(b"N", profile) && !Ours::accepts(b"?", profile));
        let ours = Ours { profile, streams: vec![b"N", b"(\x01\0\0\0N"] };
        assert_eq!(ours.bytes(), 7);
        let graphs = ours.graphs().unwrap();
        let values = ours.loaded(&graphs);
        let rounds = [ours.read(), ours.load(), ours.copy(), ours.dump(&values), Ours::write(&graphs)];
        assert!(rounds.iter().all(|&round| round > 0.0));
        assert!(Ours { profile, streams: vec![b"?"] }.graphs().is_err());
    }
}
