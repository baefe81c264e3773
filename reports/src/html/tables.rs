//! The tables: subjects, faults, acceptance, reasons, interpreters.

use super::text::{grouped, hex_dump, percent, share, size};
use super::{scroller, section, sign, tone};
use crate::summary::{Row, Standing, Summary, Tone, all};
use maud::{Markup, html};

/// A number, pale when it is zero and coloured when it is not what one hopes for.
fn number(n: u64, look: Tone) -> Markup {
    let class = if n == 0 { "zero" } else { tone(look) };
    html! { td.n.(class) data-v=(n) { (grouped(n)) } }
}

/// A share to sort by; what has none comes below zero.
fn parts_per_million(part: u64, whole: u64) -> String {
    (u128::from(part) * 1_000_000).checked_div(u128::from(whole)).map_or("-1".into(), |n| n.to_string())
}

/// How often it was each subject.
fn subjects_cell(subjects: &[(&str, u64)]) -> Markup {
    html! {
        td.why { @for (i, (id, times)) in subjects.iter().enumerate() {
            @if i > 0 { ", " }
            span.nowrap { (id) " " span.zero { (grouped(*times)) } }
        } }
    }
}

/// A share with a small bar; a dash if there is nothing to have a share of.
pub(crate) fn share_cell(part: u64, whole: u64, title: &str) -> Markup {
    html! {
        @if whole == 0 {
            td.n.zero data-v="-1" { "\u{2013}" }
        } @else {
            td.n.bar data-v=(parts_per_million(part, whole)) style={ "--share:" (share(part, whole)) }
                title=(title) { (percent(part, whole)) }
        }
    }
}

/// A row's heading: which subject, and how it stands.
fn subject_heading(row: &Row) -> Markup {
    let look = row.standing.tone();
    html! {
        th scope="row" {
            span.sign.(tone(look)) title=(row.standing.word()) { (sign(look)) span.unseen { (row.standing.word()) } }
            " " (row.id)
        }
    }
}

pub(crate) fn results(s: &Summary) -> Option<Markup> {
    if s.rows.is_empty() {
        let lead = "The log names no subject.";
        return Some(section("subjects", "Subjects", lead, &html! {}));
    }
    let rate = |row: &Row| u128::from(row.total.cases) * 1000 / u128::from(row.total.ms.max(1));
    let table = html! {
        table.sortable {
            caption { "What each subject was given and what came out" }
            thead { tr {
                th scope="col" { "Subject" }
                th scope="col" { "Version" }
                th scope="col" { "Standing" }
                th.n scope="col" { "Cases" }
                th.n scope="col" { "Compared" }
                th.n scope="col" { "Agreed" }
                th.n scope="col" { "Diverged" }
                th.n scope="col" { "Known" }
                th.n scope="col" title="No oracle could decide" { "Inconclusive" }
                th.n scope="col" { "Skipped" }
                th.n scope="col" { "Faulted" }
                th.n scope="col" title="Cases of which also the instructions were compared" { "Instructions" }
                th.n scope="col" { "Restarts" }
                th.n scope="col" { "Cases/s" }
            } }
            tbody {
                @for (i, row) in s.rows.iter().enumerate() {
                    @let faults = if row.surprising_faults > 0 { Tone::Warn } else { Tone::Calm };
                    tr id={ "subject-" (i) } class=(format!("row-{}", tone(row.standing.tone()))) {
                        (subject_heading(row))
                        td { (row.version().unwrap_or("\u{2013}")) }
                        td { span.badge.(tone(row.standing.tone())) { (row.standing.word()) } }
                        @if row.standing == Standing::Unusable {
                            td.why colspan="11" { (row.subject.and_then(|s| s.reason.as_deref()).unwrap_or("no reason given")) }
                        } @else {
                            (number(row.total.cases, Tone::Calm))
                            (number(row.total.compared, Tone::Calm))
                            td.n data-v=(parts_per_million(row.total.agreed, row.total.compared)) {
                                (percent(row.total.agreed, row.total.compared))
                            }
                            (number(row.total.diverged, Tone::Bad))
                            (number(row.total.expected, Tone::Calm))
                            (number(all(&row.total.inconclusive), Tone::Calm))
                            (number(all(&row.total.skipped), Tone::Calm))
                            (number(row.total.faulted, faults))
                            (number(row.total.instructions, Tone::Calm))
                            (number(row.total.restarts, Tone::Calm))
                            @if row.total.ms == 0 {
                                td.n.zero data-v="-1" { "\u{2013}" }
                            } @else {
                                td.n data-v=(rate(row)) { (grouped(u64::try_from(rate(row)).unwrap_or(u64::MAX))) }
                            }
                        }
                    }
                }
            }
        }
    };
    let body = html! { (scroller("Results of each subject", &table)) (unusable(s)) };
    Some(section("subjects", "Subjects", "", &body))
}

/// Who did not take part, or not to the end, and what to do about it.
fn unusable(s: &Summary) -> Markup {
    let rows = || s.rows.iter().filter_map(|row| row.subject.filter(|s| !s.usable));
    html! {
        @if rows().next().is_some() {
            h3 { "Not usable" }
            dl.unusable {
                @for subject in rows() {
                    div {
                        dt { code { (subject.id) } }
                        dd {
                            (subject.reason.as_deref().unwrap_or("no reason given"))
                            @if let Some(advice) = &subject.advice { p.advice { (advice) } }
                        }
                    }
                }
            }
        }
    }
}

pub(crate) fn faults(s: &Summary) -> Option<Markup> {
    if s.faults.is_empty() {
        return None;
    }
    let table = html! {
        table.sortable {
            caption { "Cases that a subject did not answer, those that no model predicted first" }
            thead { tr {
                th scope="col" { "Kind" }
                th.n scope="col" { "Times" }
                th scope="col" { "Predicted" }
                th scope="col" { "Subjects" }
                th scope="col" { "Smallest case" }
                th scope="col" { "Last words" }
            } }
            tbody {
                @for group in &s.faults {
                    tr {
                        @let look = if group.expected_by_model.is_some() { Tone::Calm } else { Tone::Warn };
                        th scope="row" { span.badge.(tone(look)) { (group.kind) } }
                        td.n data-v=(group.times) { (grouped(group.times)) }
                        td.why {
                            @match group.expected_by_model {
                                Some(cause) => { (cause) }
                                None => { strong { "no" } }
                            }
                        }
                        (subjects_cell(&group.subjects))
                        td {
                            @if let Some(case) = &group.example.case {
                                details {
                                    summary { (size(case.length)) }
                                    @if let Some(path) = &case.path { code { (path) } }
                                    pre.hex tabindex="0" { (hex_dump(&case.hex)) @if case.truncated { "\u{2026}" } }
                                }
                            } @else { span.zero { "not known" } }
                        }
                        td.why { (group.example.detail) }
                    }
                }
            }
        }
    };
    let lead = "Some streams kill every interpreter; where the model predicts that, it is no finding.";
    Some(section("faults", "Faults", lead, &scroller("Faults", &table)))
}

pub(crate) fn acceptance(s: &Summary) -> Option<Markup> {
    let rows: Vec<&Row> = s.rows.iter().filter(|row| row.total.cases > 0).collect();
    if rows.is_empty() {
        return None;
    }
    let table = html! {
        table.sortable.matrix {
            caption { "Share of the answered cases that the subject accepted, by generator" }
            thead { tr {
                th scope="col" { "Subject" }
                @for generator in &s.generators { th.n scope="col" { (generator) } }
                th.n scope="col" { "all" }
            } }
            tbody {
                @for row in rows {
                    tr {
                        (subject_heading(row))
                        @for generator in &s.generators {
                            @let counts = s.log.counts.iter().find(|c| c.subject == row.id && c.generator == *generator);
                            @let (yes, no) = counts.map_or((0, 0), |c| (c.accepted, c.rejected));
                            (accepted(yes, no))
                        }
                        (accepted(row.total.accepted, row.total.rejected))
                    }
                }
            }
        }
    };
    let lead = "A generator whose streams are all rejected, or all accepted, tests little.";
    Some(section("acceptance", "Acceptance", lead, &scroller("Acceptance by generator", &table)))
}

fn accepted(yes: u64, no: u64) -> Markup {
    let title = format!("{} accepted, {} rejected", grouped(yes), grouped(no));
    share_cell(yes, yes.saturating_add(no), &title)
}

pub(crate) fn reasons(s: &Summary) -> Option<Markup> {
    if s.reasons.is_empty() {
        return None;
    }
    let cases = s.sum(|c| c.cases);
    let table = html! {
        table.sortable {
            caption { "Why cases were not compared" }
            thead { tr {
                th scope="col" { "What" }
                th scope="col" { "Reason" }
                th.n scope="col" { "Cases" }
                th.n scope="col" { "Of all" }
                th scope="col" { "Subjects" }
            } }
            tbody {
                @for reason in &s.reasons {
                    tr {
                        td { span.badge.calm { @if reason.skipped { "skipped" } @else { "inconclusive" } } }
                        th.why scope="row" { (reason.text) }
                        (number(reason.times, Tone::Calm))
                        (share_cell(reason.times, cases, "of all cases given to subjects"))
                        (subjects_cell(&reason.subjects))
                    }
                }
            }
        }
    };
    let lead = "Neither agreement nor difference: these cases say nothing about their subject.";
    Some(section("undecided", "Undecided", lead, &scroller("Reasons", &table)))
}

pub(crate) fn interpreters(s: &Summary) -> Option<Markup> {
    let known = || s.rows.iter().filter_map(|row| Some((row, row.subject?)));
    known().next()?;
    let table = html! {
        table.sortable {
            caption { "What each subject says of itself" }
            thead { tr {
                th scope="col" { "Subject" }
                th scope="col" { "Version" }
                th scope="col" { "Implementation" }
                th scope="col" { "Driver" }
                th.n scope="col" { "Bits" }
                th scope="col" title="Global interpreter lock" { "GIL" }
                th scope="col" { "Debug" }
                th scope="col" { "Magic" }
                th.n scope="col" { "Marshal" }
                th.n scope="col" { "Start-up" }
                th scope="col" { "Found by" }
                th scope="col" { "Build" }
            } }
            tbody {
                @for (row, subject) in known() {
                    tr {
                        (subject_heading(row))
                        @if let Some(facts) = &subject.facts {
                            td { (facts.version) }
                            td {
                                (facts.implementation)
                                @if facts.implementation_version != facts.version { " " (facts.implementation_version) }
                                ", " (facts.platform)
                            }
                            (driver(subject))
                            td.n data-v=(facts.pointer_bits) { (facts.pointer_bits) }
                            td { @if facts.gil { "yes" } @else { strong { "no" } } }
                            td { @if facts.debug { strong { "yes" } } @else { "no" } }
                            td { code { (facts.magic) } }
                            td.n data-v=(facts.marshal_version) { (facts.marshal_version) }
                        } @else {
                            td.zero { "\u{2013}" }
                            td.zero { "\u{2013}" }
                            (driver(subject))
                            @for _ in 0..5 { td.zero { "\u{2013}" } }
                        }
                        @match subject.start_up_ms {
                            Some(ms) => { td.n data-v=(ms) { (grouped(ms)) "\u{202f}ms" } }
                            None => { td.n.zero data-v="-1" { "\u{2013}" } }
                        }
                        td { (subject.found_by.as_deref().unwrap_or("\u{2013}")) }
                        td.why.small {
                            @if let Some(facts) = &subject.facts {
                                (facts.build)
                                @if !facts.executable.is_empty() { br; code { (facts.executable) } }
                            }
                        }
                    }
                }
            }
        }
    };
    Some(section("interpreters", "Interpreters", "", &scroller("Interpreters", &table)))
}

fn driver(subject: &crate::Subject) -> Markup {
    html! {
        td.why.driver {
            (subject.driver.as_deref().unwrap_or("\u{2013}"))
            @if let Some(reason) = &subject.driver_reason { span.under { (reason) } }
        }
    }
}
