//! The findings: both sides next to each other, the case, and how to see it for oneself.

use super::text::{Marked, grouped, hex_dump, mark, size, snippet};
use super::{section, tone};
use crate::summary::{Summary, Tone};
use crate::{Finding, Outcome, Side, Standing};
use maud::{Markup, html};

/// How many findings are shown unfolded.
const OPEN: usize = 5;
/// How many equal lines are shown above the first difference.
const CONTEXT: usize = 4;

pub(crate) fn unexpected(s: &Summary) -> Option<Markup> {
    if s.unexpected.is_empty() {
        return None;
    }
    let lead = "Divergences that are not listed in corpus/expected, each with its smallest case. \
                Those with one cause are one finding. What CPython wrote itself comes first, then what it accepts, then what it \
                refuses; of equals the smallest.";
    let body = html! {
        @for (i, finding) in s.unexpected.iter().enumerate() { (card(finding, i + 1, i < OPEN)) }
    };
    Some(section("findings", "Findings", lead, &body))
}

/// How many known divergences are shown before somebody asks for the others: they must not hide what comes below them.
const FEW: usize = 10;

pub(crate) fn known(s: &Summary) -> Option<Markup> {
    if s.known.is_empty() {
        return None;
    }
    let lead = "Divergences that are listed in corpus/expected and do not fail the run, most frequent first.";
    let cards = || s.known.iter().enumerate().map(|(i, finding)| card(finding, i + 1, false));
    let body = html! {
        @for card in cards().take(FEW) { (card) }
        @if s.known.len() > FEW {
            details { summary { "The other " (s.known.len() - FEW) } @for card in cards().skip(FEW) { (card) } }
        }
    };
    Some(section("known", "Known divergences", lead, &body))
}

fn card(f: &Finding, number: usize, open: bool) -> Markup {
    let look = if f.expected_entry.is_some() { Tone::Calm } else { Tone::Bad };
    html! {
        details.finding.(tone(look)) open[open] {
            summary {
                span.number { (number) }
                span.headline {
                    span.signature { (f.signature) }
                    span.under {
                        span.badge.(tone(look)) { (f.relation) }
                        @if f.standing == Standing::Written { span.badge { "written by CPython" } }
                        " " (f.subject)
                        @if f.seen_in.iter().any(|id| *id != f.subject) {
                            " and " (f.seen_in.iter().filter(|id| **id != f.subject).count()) " more"
                        }
                    }
                }
                span.times { (grouped(f.occurrences)) "\u{202f}\u{d7}" span.under { (size(f.case.length)) } }
            }
            div.body {
                @if let Some(reason) = &f.expected_entry { p.entry { strong { "Known: " } (reason) } }
                @if let Some(caution) = &f.caution { p.entry { strong { "Caution: " } (caution) } }
                @if let Some(place) = &f.first_difference { p { "First difference: " code { (place) } } }
                (sides(&f.expected, &f.observed))
                h4 {
                    "The case: " (size(f.case.length))
                    @match (f.original_length, f.smallest) {
                        (Some(original), true) => { ", minimized from " (size(original)) }
                        (Some(original), false) => { ", cut down from " (size(original)) " until the time was up" }
                        (None, _) => { ", not minimized" }
                    }
                }
                div.case {
                    pre.hex tabindex="0" { (hex_dump(&f.case.hex)) @if f.case.truncated { "\u{2026}" } }
                    dl.facts {
                        @if let Some(path) = &f.case.path { div { dt { "File" } dd { code { (path) } } } }
                        div { dt { "SHA-256" } dd { code { (f.case.sha256) } } }
                        div { dt { "Generator" } dd { (f.generator) } }
                        @if !f.origin.is_empty() { div { dt { "Made by" } dd { (f.origin) } } }
                        @if let Some(fixture) = &f.fixture { div { dt { "Fixture" } dd { code { (fixture) } } } }
                        div { dt { "Seen in" } dd { (f.seen_in.join(", ")) } }
                    }
                }
                @if let Some(program) = &f.program {
                    h4 { "The simplest program whose compiled stream shows it" }
                    (snippet(program))
                }
                @if !f.also.is_empty() {
                    h4 { "The same cause" }
                    p { "The minimized cases of these findings show that they have the same cause:" }
                    ul { @for signature in &f.also { li { code { (signature) } } } }
                }
                @for (language, line) in [("Python", &f.repro_python), ("Rust", &f.repro_rust)] {
                    @if let Some(line) = line { h4 { "See it in " (language) } (snippet(line)) }
                }
            }
        }
    }
}

fn sides(expected: &Side, observed: &Side) -> Markup {
    // Where the outcomes differ, they are the difference; comparing a canon with an exception shows nothing.
    let comparable = expected.outcome == observed.outcome;
    html! {
        div.sides {
            (side("Expected", expected, comparable.then(|| mark(&expected.detail, &observed.detail)).flatten(), !comparable))
            (side("Observed", observed, comparable.then(|| mark(&observed.detail, &expected.detail)).flatten(), !comparable))
        }
    }
}

fn side(title: &str, side: &Side, marked: Option<Marked>, outcome_differs: bool) -> Markup {
    html! {
        div.side {
            h4 { (title) span.from { (side.subject) } span.outcome.differs[outcome_differs] { (outcome(side.outcome)) } }
            pre tabindex="0" {
                @match &marked {
                    Some(m) => {
                        @let hidden = m.above.len().saturating_sub(CONTEXT);
                        @if hidden > 0 { span.skip { (hidden) " equal lines above\n" } }
                        @for line in &m.above[hidden..] { (line) }
                        span.line { (m.before) mark.gap[m.changed.is_empty()] { (m.changed) } }
                        (m.rest)
                    }
                    None => { (side.detail) }
                }
            }
        }
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Rejected => "rejected",
        Outcome::Skipped => "skipped",
        Outcome::Faulted => "faulted",
        Outcome::Undefined => "undefined",
    }
}
