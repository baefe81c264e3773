//! All nights on one page: what was compared, what was found when, how fast, and how much of the power is left.

use crate::RunLog;
use crate::html::{grouped, moment, page, scroller, section};
use crate::summary::{Summary, word};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// A speed is told as lost when it is below this part of the median of the nights before ...
const SLOWER: f64 = 0.75;

/// Rules are told as lost when fewer than this part of those before were reached: which rare ones are met is luck ...
const FEWER: f64 = 0.98;

/// ... and the two nights compared as many cases, but for this part: more cases reach more.
const AS_MANY: f64 = 0.8;

/// ... and there are so many of these: one night is no trend.
const NIGHTS: usize = 3;

/// One run, and what was measured with it.
#[derive(Debug, Clone)]
pub struct Night {
    /// The run.
    pub log: RunLog,
    /// What `provost bench --json` said: how many times faster than CPython, in one run, by the name of the row.
    pub bench: BTreeMap<String, f64>,
    /// What `provost faults --json` said: how many planted faults are found from every seed, of how many.
    pub faults: Option<(u64, u64)>,
}

/// Something that became worse, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regression(pub String);

/// The numbers of one name, night by night.
type Series = BTreeMap<String, Vec<Option<f64>>>;

impl Night {
    /// Rules that were reached, and those that can be.
    fn rules(&self) -> (u64, u64) {
        let cells = self.log.reached.iter().flat_map(|column| column.cases.iter().flatten());
        cells.fold((0, 0), |(did, can), &cases| (did + u64::from(cases > 0), can + 1))
    }

    /// For each subject, how many cases it did in a millisecond.
    fn rates(&self) -> BTreeMap<String, f64> {
        let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for counts in &self.log.counts {
            let (cases, ms) = sums.entry(&counts.subject).or_default();
            (*cases, *ms) = (cases.saturating_add(counts.cases), ms.saturating_add(counts.ms));
        }
        let rate = |(id, (cases, ms)): (&str, (u64, u64))| {
            (cases > 0 && ms > 0).then(|| (id.to_owned(), float(cases) / float(ms)))
        };
        sums.into_iter().filter_map(rate).collect()
    }

    /// For each subject that is in an earlier night too, how fast it is beside all that both have, as part of what it was: the
    /// machine's mood is the same for all, and whoever else takes part makes no difference.
    fn changes(&self, earlier: &Night) -> BTreeMap<String, f64> {
        let before = earlier.rates();
        let change = |(id, rate)| Some((before.get(&id).map(|before| rate / before)?, id));
        let changes: Vec<(f64, String)> = self.rates().into_iter().filter_map(change).collect();
        let mean = mean(changes.iter().map(|(change, _)| *change));
        changes.into_iter().map(|(change, id)| (id, change / mean)).collect()
    }

    /// Whether two nights could have reached the same rules: they have the same subjects and about as many cases.
    fn is_like(&self, other: &Night) -> bool {
        let about = |night: &Night| {
            let columns = night.log.reached.iter();
            let compared = columns.clone().fold(0_u64, |sum, column| sum.saturating_add(column.compared));
            (columns.map(|column| column.subject.clone()).collect::<BTreeSet<String>>(), float(compared))
        };
        let ((mine, cases), (others, other_cases)) = (about(self), about(other));
        mine == others && cases.min(other_cases) >= AS_MANY * cases.max(other_cases)
    }
}

/// Exact enough for a share.
#[allow(clippy::cast_precision_loss)]
fn float(n: u64) -> f64 {
    n as f64
}

/// The geometric one: that of ratios.
fn mean(ratios: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = ratios.fold((0.0, 0), |(sum, n), ratio| (sum + ratio.ln(), n + 1));
    (sum / float(n.max(1))).exp()
}

/// The nights in the order of their beginnings; one that is given twice counts once.
fn in_order(nights: &[Night]) -> Vec<&Night> {
    let mut different: Vec<&Night> = Vec::new();
    for night in nights {
        if !different.iter().any(|known| known.log == night.log) {
            different.push(night);
        }
    }
    different.sort_by(|a, b| a.log.run.started.cmp(&b.log.run.started));
    different
}

/// For each subject, how fast it is beside those that are in every night: what a mean is of must not change from night to night.
fn speeds(nights: &[&Night]) -> Series {
    let rates: Vec<BTreeMap<String, f64>> =
        nights.iter().map(|night| night.rates()).filter(|rates| !rates.is_empty()).collect();
    let common: BTreeSet<String> = rates
        .first()
        .into_iter()
        .flat_map(BTreeMap::keys)
        .filter(|id| rates.iter().all(|rates| rates.contains_key(*id)))
        .cloned()
        .collect();
    series(nights, |night| {
        let rates = night.rates();
        let of = |id: &String| common.is_empty() || common.contains(id);
        let mean = mean(rates.iter().filter(|(id, _)| of(id)).map(|(_, rate)| *rate));
        rates.into_iter().map(|(id, rate)| (id, rate / mean)).collect()
    })
}

fn series(nights: &[&Night], of: impl Fn(&Night) -> BTreeMap<String, f64>) -> Series {
    let mut series = Series::new();
    for (index, night) in nights.iter().enumerate() {
        for (name, value) in of(night) {
            series.entry(name).or_insert_with(|| vec![None; nights.len()])[index] = Some(value);
        }
    }
    series
}

/// The median of the numbers of enough nights.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).filter(|_| numbers.len() >= NIGHTS).copied()
}

/// The last number and the median of those before, if the last one is much below it.
fn fallen(numbers: &[Option<f64>]) -> Option<(f64, f64)> {
    let (last, before) = numbers.split_last()?;
    let median = median(before.iter().flatten().copied().collect())?;
    last.filter(|last| *last < SLOWER * median).map(|last| (last, median))
}

/// For each subject of the last night, what part of its speed in the nights before is left.
fn left(nights: &[&Night]) -> BTreeMap<String, f64> {
    let Some((last, before)) = nights.split_last() else { return BTreeMap::new() };
    let mut changes: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (id, change) in before.iter().flat_map(|earlier| last.changes(earlier)) {
        changes.entry(id).or_default().push(change);
    }
    changes.into_iter().filter_map(|(id, changes)| Some((id, median(changes)?))).collect()
}

/// What became worse in the last night.
#[must_use]
pub fn regressions(nights: &[Night]) -> Vec<Regression> {
    let nights = in_order(nights);
    let mut lines = Vec::new();
    for (id, left) in left(&nights).into_iter().filter(|(_, left)| *left < SLOWER) {
        lines.push(format!(
            "{id}: slower beside the interpreters that earlier nights had too: {left:.2} of what it was"
        ));
    }
    for (name, numbers) in series(&nights, |night| night.bench.clone()) {
        if let Some((last, median)) = fallen(&numbers) {
            let what = "slower beside CPython in one run";
            lines.push(format!("{name}: {what}: {last:.2}, and {median:.2} in the nights before"));
        }
    }
    let mut shares = nights.iter().filter_map(|night| night.faults).rev();
    if let (Some((found, of)), Some((before, of_before))) = (shares.next(), shares.next())
        && found.saturating_mul(of_before) < before.saturating_mul(of)
    {
        lines.push(format!("power: {found} of {of} planted faults are found, and {before} of {of_before} were"));
    }
    if let Some((last, earlier)) = nights.split_last()
        && let Some(before) = earlier.iter().rev().find(|night| last.is_like(night))
    {
        let ((did, can), (did_before, can_before)) = (last.rules(), before.rules());
        if can > 0 && float(did) * float(can_before) < FEWER * float(did_before) * float(can) {
            let when = &before.log.run.started;
            lines.push(format!("rules: {did} of {can} were reached, and {did_before} of {can_before} on {when}"));
        }
    }
    lines.into_iter().map(Regression).collect()
}

/// The page, as one HTML file that needs no server, no network and no script.
#[must_use]
pub fn trend(nights: &[Night]) -> String {
    let worse = regressions(nights);
    let nights = in_order(nights);
    let bench = series(&nights, |night| night.bench.clone());
    let sections = [
        Some(section("worse", "What became worse", "", &lines(&worse))).filter(|_| !worse.is_empty()),
        Some(section("nights", "Nights", "", &scroller("Nights", &table(&nights)))),
        findings(&nights),
        numbers(
            "speed",
            "Speed",
            "Cases a second beside the mean, in the same run, of the interpreters that are in every night.",
            &nights,
            &speeds(&nights),
        ),
        numbers("bench", "Benchmarks", "How many times faster than CPython, measured in one run.", &nights, &bench),
    ];
    let body = html! {
        header.masthead { span.brand { "Provost" } span.what { "All nights" } }
        main { @for section in sections.iter().flatten() { (section) } }
    };
    page(&format!("Provost: {} nights", nights.len()), &body)
}

fn lines(worse: &[Regression]) -> Markup {
    html! { ul { @for Regression(line) in worse { li { (line) } } } }
}

fn table(nights: &[&Night]) -> Markup {
    html! {
        table {
            thead { tr {
                @for heading in ["night", "verdict", "cases", "compared", "new findings", "faulted", "rules", "planted faults found", "seconds"] {
                    th scope="col" { (heading) }
                }
            } }
            tbody { @for night in nights {
                @let s = Summary::of(&night.log);
                @let (did, can) = night.rules();
                tr {
                    th scope="row" { (moment(&night.log.run.started)) }
                    td { (word(s.verdict())) }
                    @for n in [s.sum(|c| c.cases), s.sum(|c| c.compared), s.unexpected.len() as u64, s.sum(|c| c.faulted)] {
                        td.number { (grouped(n)) }
                    }
                    td.number { (grouped(did)) " of " (grouped(can)) }
                    td.number { @if let Some((found, of)) = night.faults { (found) " of " (of) } @else { "\u{2013}" } }
                    td.number { (format!("{:.0}", night.log.seconds)) }
                }
            } }
        }
    }
}

/// Each signature once, with the first and the last night in which it was seen.
fn findings(nights: &[&Night]) -> Option<Markup> {
    struct Seen<'a> {
        first: &'a str,
        last: &'a str,
        nights: usize,
        length: u64,
        known: bool,
    }
    let mut all: BTreeMap<&str, Seen> = BTreeMap::new();
    for night in nights {
        let started = night.log.run.started.as_str();
        for finding in night.log.findings.iter().filter(|finding| finding.merged_into.is_none()) {
            let new = || Seen { first: started, last: started, nights: 0, length: u64::MAX, known: true };
            let seen = all.entry(&finding.signature).or_insert_with(new);
            seen.last = started;
            seen.nights += 1;
            seen.length = seen.length.min(finding.case.length);
            seen.known = finding.expected_entry.is_some();
        }
    }
    let mut rows: Vec<(&str, Seen)> = all.into_iter().collect();
    rows.sort_by(|(a, x), (b, y)| (x.known, y.last, *a).cmp(&(y.known, x.last, *b)));
    let body = html! {
        table {
            thead { tr { @for heading in ["signature", "first seen", "last seen", "nights", "smallest case", ""] { th scope="col" { (heading) } } } }
            tbody { @for (signature, seen) in &rows { tr {
                th scope="row" { code { (signature) } }
                td { (moment(seen.first)) }
                td { (moment(seen.last)) }
                td.number { (seen.nights) }
                td.number { (seen.length) " bytes" }
                td { @if seen.known { "listed as expected" } @else { strong { "not listed" } } }
            } } }
        }
    };
    let lead = "Findings by signature, those that are not listed as expected first.";
    (!rows.is_empty()).then(|| section("findings", "Findings", lead, &scroller("Findings", &body)))
}

fn numbers(id: &str, title: &str, lead: &str, nights: &[&Night], series: &Series) -> Option<Markup> {
    let body = html! {
        table {
            thead { tr { th scope="col" {} @for night in nights { th scope="col" { (moment(&night.log.run.started)) } } } }
            tbody { @for (name, numbers) in series { tr {
                th scope="row" { (name) }
                @for number in numbers {
                    td.number { @if let Some(number) = number { (format!("{number:.2}")) } @else { "\u{2013}" } }
                }
            } } }
        }
    };
    (!series.is_empty()).then(|| section(id, title, lead, &scroller(title, &body)))
}
