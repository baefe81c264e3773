//! Asks an interpreter for the answers that are kept: twice, in two processes and in opposite order, so that nothing is kept
//! that depends on what a process did before.

use super::Entry;
use crate::case::Case;
use crate::comparison::{Pair, Question};
use crate::observation::{Accepted, Canon, Dump, Observation};
use crate::oracle::{Verdict, mask};
use crate::subjects::Broken;
use crate::subjects::core::Prediction;
use protocol::CanonMode;
use std::collections::BTreeMap;

/// How many streams an interpreter is asked at once.
const BATCH: usize = 64;

/// What came of one interpreter.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is kept.
    pub entries: Vec<Entry>,
    /// How many answers were not kept, by reason.
    pub dropped: BTreeMap<String, u32>,
    /// Where the interpreter and the core disagree.
    pub disagreements: Vec<String>,
}

/// Asks twice: the second process sees the cases in the opposite order.
pub fn ask(pair: &mut Pair, cases: &[Case]) -> Result<Outcome, Broken> {
    let predictions: Vec<Prediction> = cases.iter().map(|case| pair.core().predict(&case.bytes)).collect();
    let forth: Vec<usize> = (0..cases.len()).collect();
    let back: Vec<usize> = forth.iter().rev().copied().collect();
    let mut second = pair.fresh();
    let once = answers(pair, cases, &predictions, &forth)?;
    let twice = answers(&mut second, cases, &predictions, &back)?;
    let mut outcome = Outcome::default();
    let mut kept = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let (real, again) = (&once[&index], &twice[&index]);
        let prediction = &predictions[index];
        let predicted = &prediction.observation;
        let verdict = pair.judge(prediction, real);
        let varies = varies(predicted);
        let reason = match verdict {
            // Two processes may agree by chance.
            Verdict::Agree if varies.is_some() => varies,
            Verdict::Agree if settled(predicted, real) == settled(predicted, again) => None,
            Verdict::Refused(_) if dies_alike(real, again) => None,
            Verdict::Agree | Verdict::Refused(_) => Some("not the same in another process".to_owned()),
            Verdict::Inconclusive(reason) => Some(reason),
            Verdict::Diverge(divergence) => {
                let line = format!("{} at {}: {}", divergence.signature, divergence.at, case.origin);
                outcome.disagreements.push(line);
                Some("diverges".to_owned())
            }
        };
        match reason {
            None => kept.push(index),
            Some(reason) => *outcome.dropped.entry(reason).or_default() += 1,
        }
    }
    let mut lost = lost(pair, &once, &kept)?;
    for index in kept {
        let from = cases[index].origin.to_string();
        let lost = lost.remove(&index).unwrap_or_default();
        outcome.entries.push(Entry::of(
            &cases[index].bytes,
            from,
            &predictions[index].observation,
            &once[&index],
            lost,
        ));
    }
    Ok(outcome)
}

/// The marshal versions whose dump the interpreter itself reads as another value, by case.
fn lost(
    pair: &mut Pair,
    answers: &BTreeMap<usize, Observation>,
    kept: &[usize],
) -> Result<BTreeMap<usize, Vec<u8>>, Broken> {
    let mut lost: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    let mut dumps = Vec::new();
    for &index in kept {
        if let Observation::Accepted(Accepted { canon, dumps: all, .. }) = &answers[&index] {
            let bytes = all.iter().filter_map(|(version, dump)| match dump {
                Dump::Bytes { bytes, .. } => Some((index, canon, *version, bytes)),
                _ => None,
            });
            dumps.extend(bytes);
        }
    }
    for batch in dumps.chunks(BATCH) {
        let cases = batch.iter().map(|(_, _, _, bytes)| (*bytes).clone()).collect();
        let read = pair.ask(&Question::VALUE, cases, CanonMode::Text)?;
        for ((index, canon, version, _), read) in batch.iter().zip(read) {
            if !matches!(&read, Observation::Accepted(read) if read.canon == **canon) {
                lost.entry(*index).or_default().push(*version);
            }
        }
    }
    Ok(lost)
}

/// The answers to all cases, asked in this order as far as their questions are alike.
fn answers(
    pair: &mut Pair,
    cases: &[Case],
    predictions: &[Prediction],
    order: &[usize],
) -> Result<BTreeMap<usize, Observation>, Broken> {
    let mut answers = BTreeMap::new();
    let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for &index in order {
        match pair.question(&predictions[index]) {
            Ok(question) => alike.entry(question).or_default().push(index),
            Err(_) => {
                answers.insert(index, pair.ask_one(&Question::BARE, &cases[index].bytes, CanonMode::None)?);
            }
        }
    }
    for (question, indexes) in alike {
        for batch in indexes.chunks(BATCH) {
            let streams = batch.iter().map(|&index| cases[index].bytes.clone()).collect();
            answers.extend(batch.iter().copied().zip(pair.ask(&question, streams, CanonMode::Text)?));
        }
    }
    Ok(answers)
}

/// An answer without the bytes that depend on more than the value, and without what depends on the process in a message.
fn settled(predicted: &Observation, real: &Observation) -> Observation {
    let mut real = real.clone();
    if let (Observation::Accepted(expected), Observation::Accepted(real)) = (predicted, &mut real) {
        for (version, dump) in &mut real.dumps {
            let varies =
                |(v, dump): &(u8, Dump)| v == version && matches!(dump, Dump::Bytes { unpredictable: Some(_), .. });
            if let (true, Dump::Bytes { bytes, .. }) = (expected.dumps.iter().any(varies), dump) {
                bytes.clear();
            }
        }
        if let Canon::Failed(reason) = &mut real.canon {
            reason.clear();
        }
    }
    if let Observation::Rejected(e) = &mut real {
        e.message = mask(e).1.to_owned();
    }
    real
}

/// Why nobody can tell the canon, if so.
fn varies(predicted: &Observation) -> Option<String> {
    match predicted {
        Observation::Accepted(Accepted { canon: Canon::Varies(aspect, _), .. }) => {
            Some(format!("the canon varies: {aspect}"))
        }
        _ => None,
    }
}

/// Whether both processes came to the same kind of end.
fn dies_alike(one: &Observation, other: &Observation) -> bool {
    one.class() == other.class()
}
