//! What follows from a log: totals, the standing of each subject, and the verdict in words.
//!
//! The verdict is worked out from the events and not taken from the `end` event: a harness that counts wrongly must not
//! be able to call a run green.

use crate::{Case, Counts, FaultEvent, Finding, Gap, Level, RunLog, Subject, Verdict};
use std::collections::BTreeMap;

/// How something should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warn,
    Bad,
    Calm,
}

/// What can be said of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Something was compared and all of it agrees.
    Agrees,
    /// As `Agrees`, apart from divergences that are listed.
    Known,
    /// At least one divergence is not listed.
    Diverges,
    /// It took part, but nothing was compared.
    Silent,
    /// It was compared and then lost: it does not count as usable any more.
    Lost,
    /// It did not take part.
    Unusable,
}

impl Standing {
    pub(crate) fn tone(self) -> Tone {
        match self {
            Standing::Agrees | Standing::Known => Tone::Good,
            Standing::Diverges => Tone::Bad,
            Standing::Silent | Standing::Lost => Tone::Warn,
            Standing::Unusable => Tone::Calm,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Standing::Agrees => "agrees",
            Standing::Known => "as listed",
            Standing::Diverges => "diverges",
            Standing::Silent => "nothing compared",
            Standing::Lost => "lost",
            Standing::Unusable => "not usable",
        }
    }
}

/// One subject with everything that was counted for it.
pub(crate) struct Row<'a> {
    pub(crate) id: &'a str,
    /// None if the log counts for a subject that it never introduced.
    pub(crate) subject: Option<&'a Subject>,
    pub(crate) total: Counts,
    pub(crate) standing: Standing,
    /// Faults that no model predicted.
    pub(crate) surprising_faults: usize,
    pub(crate) is_cpython: bool,
}

impl Row<'_> {
    /// The exact version, if it is known.
    pub(crate) fn version(&self) -> Option<&str> {
        Some(self.subject?.facts.as_ref()?.version.as_str())
    }
}

/// Faults that look alike: of all subjects if the model predicted them for one reason, else of one subject.
pub(crate) struct FaultGroup<'a> {
    pub(crate) kind: &'a str,
    pub(crate) expected_by_model: Option<&'a str>,
    pub(crate) times: u64,
    pub(crate) subjects: Vec<(&'a str, u64)>,
    /// The one with the smallest case.
    pub(crate) example: &'a FaultEvent,
}

/// Why cases were not compared, over all subjects.
pub(crate) struct Reason<'a> {
    pub(crate) skipped: bool,
    pub(crate) text: &'a str,
    pub(crate) times: u64,
    pub(crate) subjects: Vec<(&'a str, u64)>,
}

/// A log and what follows from it.
pub(crate) struct Summary<'a> {
    pub(crate) log: &'a RunLog,
    pub(crate) rows: Vec<Row<'a>>,
    /// Those of the header, then others that were counted.
    pub(crate) generators: Vec<&'a str>,
    /// Findings that are not listed, in the order of [`Finding::rank`].
    pub(crate) unexpected: Vec<&'a Finding>,
    /// Findings that are listed, most frequent first.
    pub(crate) known: Vec<&'a Finding>,
    /// Those that no model predicted first.
    pub(crate) faults: Vec<FaultGroup<'a>>,
    /// Most frequent first.
    pub(crate) reasons: Vec<Reason<'a>>,
}

impl<'a> Summary<'a> {
    pub(crate) fn of(log: &'a RunLog) -> Summary<'a> {
        let mut findings: Vec<&Finding> = log.findings.iter().collect();
        findings.sort_by_key(|f| std::cmp::Reverse(f.occurrences));
        // Another finding stands for what was merged into it.
        findings.retain(|f| f.merged_into.is_none());
        let (known, mut unexpected): (Vec<_>, Vec<_>) = findings.into_iter().partition(|f| f.expected_entry.is_some());
        unexpected.sort_by_key(|f| f.rank());
        let mut generators: Vec<&str> = log.run.generators.iter().map(String::as_str).collect();
        for counts in &log.counts {
            push_new(&mut generators, &counts.generator);
        }
        Summary { log, rows: rows(log), generators, unexpected, known, faults: faults(log), reasons: reasons(log) }
    }

    /// The rows of the CPythons with which something was compared.
    pub(crate) fn cpythons(&self) -> impl Iterator<Item = &Row<'a>> {
        self.rows.iter().filter(|row| row.is_cpython && row.total.compared > 0)
    }

    /// The sum of one count over all subjects.
    pub(crate) fn sum(&self, count: impl Fn(&Counts) -> u64) -> u64 {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(count(&row.total)))
    }

    /// What the events say, whatever the `end` event says, unless that says that the harness broke.
    pub(crate) fn verdict(&self) -> Verdict {
        let said = self.log.end.as_ref().map(|end| end.verdict);
        let diverged = !self.unexpected.is_empty() || self.rows.iter().any(|row| row.total.diverged > 0);
        if said == Some(Verdict::Broken) {
            Verdict::Broken
        } else if diverged || said == Some(Verdict::Diverged) {
            Verdict::Diverged
        } else if said == Some(Verdict::NothingCompared) || self.cpythons().next().is_none() {
            Verdict::NothingCompared
        } else {
            Verdict::Agree
        }
    }

    pub(crate) fn tone(&self) -> Tone {
        let silent = self.rows.iter().any(|row| matches!(row.standing, Standing::Silent | Standing::Lost));
        let trouble = self.log.notes.iter().any(|note| note.level == Level::Error);
        match self.verdict() {
            Verdict::Diverged | Verdict::Broken => Tone::Bad,
            Verdict::NothingCompared => Tone::Warn,
            Verdict::Agree if self.log.partial.is_some() || silent || trouble => Tone::Warn,
            Verdict::Agree => Tone::Good,
        }
    }

    /// How many of the known findings have been seen in subjects of each family, such as `cpython`.
    pub(crate) fn known_by_family(&self) -> Vec<(&'a str, usize)> {
        let mut families: Vec<(&str, usize)> = Vec::new();
        for finding in &self.known {
            let mut seen: Vec<&str> = Vec::new();
            for id in finding.seen_in.iter().chain([&finding.subject]) {
                push_new(&mut seen, id.split(':').next().unwrap_or(id));
            }
            for family in seen {
                match families.iter_mut().find(|(known, _)| *known == family) {
                    Some((_, n)) => *n += 1,
                    None => families.push((family, 1)),
                }
            }
        }
        families.sort_unstable();
        families
    }

    /// One line that says what came out.
    pub(crate) fn headline(&self) -> String {
        let compared = self.cpythons().count();
        let hit = self.cpythons().filter(|row| row.standing == Standing::Diverges).count();
        match (self.verdict(), self.unexpected.len()) {
            (Verdict::Broken, _) => "The run broke before it could come to a verdict".into(),
            (Verdict::NothingCompared, _) => "Nothing was compared with a CPython".into(),
            (Verdict::Diverged, 0) => "The run failed without an unexpected finding".into(),
            (Verdict::Diverged, n) if hit == 0 && compared > 0 => {
                format!("{}, none of them in a CPython", plural(n, "unexpected finding"))
            }
            (Verdict::Diverged, n) if hit == 0 => plural(n, "unexpected finding"),
            (Verdict::Diverged, n) => {
                format!("{} in {hit} of {}", plural(n, "unexpected finding"), plural(compared, "CPython"))
            }
            (Verdict::Agree, _) => {
                let agrees = format!("Agrees with {}", plural(compared, "CPython"));
                match self.known_by_family().iter().find(|(family, _)| *family == "cpython") {
                    Some((_, n)) => format!("{agrees}, apart from {}", plural(*n, "known divergence")),
                    None => agrees,
                }
            }
        }
    }

    /// What else must be known to read the headline correctly.
    pub(crate) fn explanation(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let verdict = self.verdict();
        match verdict {
            Verdict::Broken => lines.push(format!(
                "The harness failed, so neither agreement nor difference can be claimed; {} had been written by then. See the notes.",
                plural(self.unexpected.len(), "unexpected finding")
            )),
            Verdict::Diverged if self.unexpected.is_empty() => {
                lines.push("The harness reports a divergence for which this log holds no finding. See the notes.".into());
            }
            _ => {}
        }
        let versions: Vec<&str> = self.cpythons().map(|row| row.version().unwrap_or(row.id)).collect();
        if versions.is_empty() {
            let others: Vec<&str> = self.rows.iter().filter(|r| r.total.compared > 0).map(|r| r.id).collect();
            lines.push(match others.as_slice() {
                [] => {
                    "No oracle came to a conclusion on any case, so this report says nothing about any reader.".into()
                }
                ids if ids.iter().all(|id| id.starts_with("core:")) => format!(
                    "Only what needs no CPython was checked ({}). Whether real interpreters agree is not known.",
                    ids.join(", ")
                ),
                ids => format!(
                    "No CPython took part: {} was compared with what pyc-core predicts of CPython.",
                    ids.join(", ")
                ),
            });
        } else {
            lines.push(format!("Compared with CPython {}.", versions.join(", ")));
        }
        let known: Vec<String> = self.known_by_family().iter().map(|(family, n)| format!("{n} in {family}")).collect();
        if !known.is_empty() {
            lines.push(format!("Known divergences, which are listed with their reasons: {}.", known.join(", ")));
        }
        let missing = |standing| self.rows.iter().filter(move |r| r.standing == standing).map(|r| r.id);
        let silent: Vec<&str> = missing(Standing::Silent).collect();
        if !silent.is_empty() {
            lines.push(format!("Took part, but produced nothing to compare: {}.", silent.join(", ")));
        }
        let lost: Vec<&str> = missing(Standing::Lost).collect();
        if !lost.is_empty() {
            lines.push(format!("Lost during the run: {}.", lost.join(", ")));
        }
        let unusable: Vec<&str> = missing(Standing::Unusable).collect();
        if !unusable.is_empty() {
            lines.push(format!("Not usable, so not compared: {}.", unusable.join(", ")));
        }
        if let Some(end) = &self.log.end
            && end.verdict != verdict
        {
            lines.push(format!(
                "The harness called this run \u{201c}{}\u{201d}; its own log says otherwise.",
                word(end.verdict)
            ));
        }
        lines
    }

    /// What limits the whole report, to be said before anything else.
    pub(crate) fn warnings(&self) -> Vec<&'static str> {
        let gap = self.log.partial.map(|gap| match gap {
            Gap::NoEnd => {
                "Partial run: the log has no end. The run was killed or is still going on; the numbers are the last snapshots."
            }
            Gap::TornLine => {
                "Partial run: the last line of the log is torn. The run was killed while it wrote; the numbers are the last snapshots."
            }
        });
        let stopped = self.log.end.as_ref().is_some_and(|end| end.interrupted);
        let stopped = stopped
            .then_some("Interrupted run: it was stopped before it reached its limits, or a part of it is missing.");
        gap.into_iter().chain(stopped).collect()
    }
}

/// A verdict as people say it.
pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Agree => "agree",
        Verdict::Diverged => "diverged",
        Verdict::Broken => "broken",
        Verdict::NothingCompared => "nothing compared",
    }
}

/// `1 finding`, `2 findings`, `no findings`.
pub(crate) fn plural(n: usize, noun: &str) -> String {
    match n {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

fn push_new<'a>(all: &mut Vec<&'a str>, new: &'a str) {
    if !all.contains(&new) {
        all.push(new);
    }
}

fn rows(log: &RunLog) -> Vec<Row<'_>> {
    let mut ids = Vec::new();
    for id in log.subjects.iter().map(|s| &s.id).chain(log.counts.iter().map(|c| &c.subject)) {
        push_new(&mut ids, id);
    }
    for finding in &log.findings {
        push_new(&mut ids, &finding.subject);
    }
    ids.into_iter()
        .map(|id| {
            let subject = log.subjects.iter().find(|s| s.id == id);
            let total = log.counts.iter().filter(|c| c.subject == id).fold(Counts::default(), add);
            let hit = |f: &&Finding| f.subject == id || f.seen_in.iter().any(|s| s == id);
            let mut hits = log.findings.iter().filter(hit);
            let unexpected = hits.clone().any(|f| f.expected_entry.is_none());
            let usable = subject.is_none_or(|s| s.usable);
            let standing = if unexpected || total.diverged > 0 {
                Standing::Diverges
            } else if total.compared == 0 && !usable {
                Standing::Unusable
            } else if !usable {
                Standing::Lost
            } else if total.agreed == 0 && total.expected == 0 {
                Standing::Silent
            } else if total.expected > 0 || hits.next().is_some() {
                Standing::Known
            } else {
                Standing::Agrees
            };
            let implementation = subject.and_then(|s| s.facts.as_ref()).map(|f| f.implementation.as_str());
            let is_cpython = implementation.unwrap_or(id.split(':').next().unwrap_or("")) == "cpython";
            let surprising = |f: &&FaultEvent| f.subject == id && f.expected_by_model.is_none();
            let surprising_faults = log.faults.iter().filter(surprising).count();
            Row { id, subject, total, standing, surprising_faults, is_cpython }
        })
        .collect()
}

/// Saturating, because a log can say anything.
pub(crate) fn add(mut sum: Counts, one: &Counts) -> Counts {
    let numbers = [
        (&mut sum.cases, one.cases),
        (&mut sum.bytes, one.bytes),
        (&mut sum.compared, one.compared),
        (&mut sum.agreed, one.agreed),
        (&mut sum.faulted, one.faulted),
        (&mut sum.diverged, one.diverged),
        (&mut sum.expected, one.expected),
        (&mut sum.accepted, one.accepted),
        (&mut sum.rejected, one.rejected),
        (&mut sum.not_compiled, one.not_compiled),
        (&mut sum.instructions, one.instructions),
        (&mut sum.restarts, one.restarts),
        (&mut sum.ms, one.ms),
    ];
    for (total, n) in numbers {
        *total = total.saturating_add(n);
    }
    for (total, part) in [(&mut sum.inconclusive, &one.inconclusive), (&mut sum.skipped, &one.skipped)] {
        for (reason, n) in part {
            let total = total.entry(reason.clone()).or_default();
            *total = total.saturating_add(*n);
        }
    }
    sum
}

/// All of one of the maps of reasons.
pub(crate) fn all(reasons: &BTreeMap<String, u64>) -> u64 {
    reasons.values().fold(0, |sum, n| sum.saturating_add(*n))
}

fn faults(log: &RunLog) -> Vec<FaultGroup<'_>> {
    let size = |case: &Option<Case>| case.as_ref().map_or(u64::MAX, |c| c.length);
    let mut groups: Vec<FaultGroup<'_>> = Vec::new();
    for fault in &log.faults {
        let (kind, cause) = (fault.kind.as_str(), fault.expected_by_model.as_deref());
        let same = |g: &&mut FaultGroup<'_>| {
            (g.kind, g.expected_by_model) == (kind, cause) && (cause.is_some() || g.subjects[0].0 == fault.subject)
        };
        match groups.iter_mut().find(same) {
            Some(group) => {
                group.times += 1;
                tally(&mut group.subjects, &fault.subject, 1);
                if size(&fault.case) < size(&group.example.case) {
                    group.example = fault;
                }
            }
            None => groups.push(FaultGroup {
                kind,
                expected_by_model: cause,
                times: 1,
                subjects: vec![(&fault.subject, 1)],
                example: fault,
            }),
        }
    }
    groups.sort_by_key(|g| (g.expected_by_model.is_some(), std::cmp::Reverse(g.times)));
    groups
}

/// Adds `n` to the number of `id`.
fn tally<'a>(numbers: &mut Vec<(&'a str, u64)>, id: &'a str, n: u64) {
    match numbers.iter_mut().find(|(known, _)| *known == id) {
        Some((_, sum)) => *sum = sum.saturating_add(n),
        None => numbers.push((id, n)),
    }
}

fn reasons(log: &RunLog) -> Vec<Reason<'_>> {
    let mut reasons: BTreeMap<(bool, &str), Reason<'_>> = BTreeMap::new();
    for counts in &log.counts {
        for (skipped, part) in [(false, &counts.inconclusive), (true, &counts.skipped)] {
            for (text, &n) in part.iter().filter(|(_, n)| **n > 0) {
                let new = || Reason { skipped, text, times: 0, subjects: Vec::new() };
                let reason = reasons.entry((skipped, text)).or_insert_with(new);
                reason.times = reason.times.saturating_add(n);
                tally(&mut reason.subjects, &counts.subject, n);
            }
        }
    }
    let mut reasons: Vec<_> = reasons.into_values().collect();
    reasons.sort_by_key(|r| (r.skipped, std::cmp::Reverse(r.times)));
    reasons
}
