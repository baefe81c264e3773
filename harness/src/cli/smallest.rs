//! `provost faults --minimize` and `--search`: whether the minimizer cuts findings down to the smallest cases there are.

use super::root;
use crate::case::hex;
use crate::faults::smallest::{self, MOST, Row};
use crate::faults::{Fault, exceptions, exhaustive, members};
use crate::progress::table;
use crate::subjects::core::Core;
use anyhow::{Context, Result};
use pyc_core::Version;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;

/// How many bytes of a case are shown.
const SHOWN: usize = 32;

/// What is to be minimized.
pub(super) struct Terms<'a> {
    pub(super) seeds: &'a [u64],
    pub(super) cases: u64,
    pub(super) pairs: usize,
    pub(super) json: bool,
    /// Whether the cases are those that are taken if nobody says otherwise.
    pub(super) is_default: bool,
}

/// Exit status 0 if the cases of every fault come down to its stated minimum, or near it, and pairs stay two, but for what
/// the table of exceptions says; 1 if not, or if that is no longer true.
pub(super) fn minimize(faults: &[&'static Fault], terms: &Terms) -> Result<u8> {
    let members = members(&root().join("corpus"), &mut |_| Vec::new()).context("cannot read corpus/seeds")?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let tell = |what: &str, done: usize, all: usize| {
        if 10 * done / all > 10 * (done - 1) / all {
            eprintln!("{done} of {all} {what}");
        }
    };
    let rows = smallest::smallest(faults, terms.seeds, terms.cases, &members, threads, &tell);
    let (pairs, mixed) = smallest::pairs(&rows, terms.pairs, 1, threads, &tell);
    let mut out = std::io::stdout().lock();
    if terms.json {
        for row in &rows {
            writeln!(out, "{}", row_json(row))?;
        }
        for pair in &pairs {
            let findings: Vec<String> = pair.findings.iter().map(|case| hex(case)).collect();
            writeln!(out, "{}", json!({"pair": pair.faults.map(|fault| fault.name), "findings": findings}))?;
        }
    } else {
        let head = ["fault", "stated", "minimized", "ratio", "cases", "findings", "slowest", "smallest case"];
        let cells = rows.iter().map(cells);
        let lines: Vec<Vec<String>> = std::iter::once(head.map(String::from).to_vec()).chain(cells).collect();
        writeln!(out, "{}\n{}", table(&lines), summary(&rows))?;
        if !pairs.is_empty() {
            let two = pairs.iter().filter(|pair| pair.findings.len() > 1).count();
            writeln!(
                out,
                "Of {} pairs of faults planted together, {two} gave two findings or more. {mixed} pairs were passed over: \
                 the stated minimum of one shows the other as well, or the two differ in a single byte.",
                pairs.len()
            )?;
        }
        exceptions::reasons(&rows, &pairs).iter().try_for_each(|reason| writeln!(out, "Known: {reason}"))?;
    }
    let complaints = exceptions::complaints(&rows, &pairs, terms.is_default);
    complaints.iter().for_each(|complaint| eprintln!("{complaint}"));
    Ok(u8::from(!complaints.is_empty() || median(rows.iter().map(Row::ratio).collect()) > 1.0))
}

fn cells(row: &Row) -> Vec<String> {
    let smallest = row.smallest().unwrap_or_default();
    let dots = if smallest.len() > SHOWN { "..." } else { "" };
    vec![
        row.fault.name.to_owned(),
        row.minimum.len().to_string(),
        smallest.len().to_string(),
        format!("{:.2}", row.ratio()),
        row.cases.len().to_string(),
        row.findings.len().to_string(),
        format!("{:.2}", row.slowest().as_secs_f64()),
        hex(&smallest[..smallest.len().min(SHOWN)]) + dots,
    ]
}

fn row_json(row: &Row) -> serde_json::Value {
    let findings: Vec<String> = row.findings.iter().map(|group| hex(&row.cases[group[0]].smallest.bytes)).collect();
    let cases = row.cases.iter().map(|case| {
        json!({
            "generator": case.generator, "seed": case.seed, "index": case.index, "length": case.from,
            "minimized": case.smallest.bytes.len(), "tries": case.smallest.tries, "seconds": case.took.as_secs_f64(),
        })
    });
    json!({
        "fault": row.fault.name, "stated": hex(&row.minimum), "ratio": row.ratio(), "findings": findings,
        "cases": cases.collect::<Vec<_>>(),
    })
}

fn median<T: PartialOrd + Copy + Default>(mut all: Vec<T>) -> T {
    all.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn summary(rows: &[Row]) -> String {
    let cases: Vec<f64> = rows.iter().flat_map(Row::ratios).collect();
    let at_minimum = cases.iter().filter(|ratio| **ratio <= 1.0).count();
    let near = cases.iter().filter(|ratio| **ratio <= MOST).count();
    let findings: Vec<usize> = rows.iter().map(|row| row.findings.len()).collect();
    let good = rows.iter().filter(|row| row.ratio() <= MOST && row.findings.len() <= 2).count();
    format!(
        "{good} of {} faults come down to at most {MOST} times the stated minimum, in at most 2 findings each. Ratios: \
         median {:.2}, at most {:.2}. Findings: median {}, at most {}.\nOf {} minimized cases, {at_minimum} end with as few \
         bytes as stated, {near} with at most {MOST} times as many. Ratios: median {:.2}, at most {:.2}. The slowest took \
         a processor {:.2} s.",
        rows.len(),
        median(rows.iter().map(Row::ratio).collect()),
        rows.iter().map(Row::ratio).fold(0.0, f64::max),
        median(findings.clone()),
        findings.iter().max().unwrap_or(&0),
        cases.len(),
        median(cases.clone()),
        cases.iter().copied().fold(0.0, f64::max),
        rows.iter().map(|row| row.slowest().as_secs_f64()).fold(0.0, f64::max),
    )
}

/// Exit status 0 if no stream of up to so many bytes that shows a fault is shorter than what is stated, nor one near a longer
/// one.
pub(super) fn search(faults: &[&'static Fault], longest: usize) -> Result<u8> {
    let versions: BTreeSet<Version> = faults.iter().map(|fault| fault.last_profile().version).collect();
    let mut is_beaten = false;
    let mut out = std::io::stdout().lock();
    for version in versions {
        let of_this = |fault: &&&Fault| fault.last_profile().version == version;
        let these: Vec<&'static Fault> = faults.iter().filter(of_this).copied().collect();
        let core = Core::with(these[0].last_profile().clone());
        for (fault, found) in these.iter().zip(exhaustive::simplest(&these, &core, longest)) {
            let stated = fault.example();
            let found = found.or_else(|| exhaustive::shorter(fault, &core));
            let is_shorter = found.as_ref().is_some_and(|found| found.len() < stated.len());
            is_beaten |= is_shorter;
            let said = match found {
                Some(found) if is_shorter => format!("{} is shorter than the stated", hex(&found)),
                Some(found) => format!("{} is as long as the stated", hex(&found)),
                None => "by hand; nothing near it is shorter than the stated".to_owned(),
            };
            writeln!(out, "{}: {said} {}", fault.name, hex(&stated[..stated.len().min(2 * SHOWN)]))?;
        }
    }
    Ok(u8::from(is_beaten))
}
