//! What the generators made: how much of it was accepted, how large it is, what it has.

use super::tables::share_cell;
use super::text::grouped;
use super::{scroller, section};
use crate::summary::Summary;
use crate::{Spread, Statistics};
use maud::{Markup, html};

/// The least share of accepted cases, in thousandths, among those that were made to be accepted.
const ENOUGH: u64 = 999;

pub(crate) fn generators(s: &Summary) -> Option<Markup> {
    let mut all: Vec<&Statistics> = s.log.statistics.iter().collect();
    if all.is_empty() {
        return None;
    }
    let place = |one: &Statistics| {
        (s.generators.iter().position(|g| *g == one.generator), s.rows.iter().position(|row| row.id == one.subject))
    };
    all.sort_by_key(|one| place(one));
    let starved: Vec<&&Statistics> = all.iter().filter(|one| !one.starved.is_empty()).collect();
    let body = html! {
        @if starved.is_empty() {
            p { "Every generator made what it promises." }
        } @else {
            h3 { "Starved" }
            ul.missed { @for one in &starved {
                li { b { (one.generator) } " for " (one.subject) ": " (one.starved.join("; ")) }
            } }
        }
        (scroller("What the generators made", &overview(&all)))
        @for generator in &s.generators {
            @let of: Vec<&Statistics> = all.iter().filter(|one| one.generator == *generator).copied().collect();
            @if !of.is_empty() {
                details { summary { "Features of " (generator) } (scroller(&format!("Features of {generator}"), &features(&of))) }
            }
        }
    };
    let lead = "What was made to be accepted should be, and what is promised should come. The sizes and features are those of a sample.";
    Some(section("generators", "Generators", lead, &body))
}

fn overview(all: &[&Statistics]) -> Markup {
    html! {
        table.sortable {
            caption { "What each generator made for each subject" }
            thead { tr {
                th scope="col" { "Generator" }
                th scope="col" { "Subject" }
                th.n scope="col" title="Cases that were made to be accepted, and answered" { "Valid" }
                th.n scope="col" title="Of the valid ones" { "Accepted" }
                th.n scope="col" { "Sample" }
                th.n scope="col" title="Bytes, on average" { "Size" }
                th.n scope="col" { "Largest" }
                th.n scope="col" title="Objects, on average" { "Nodes" }
                th.n scope="col" { "Most" }
                th.n scope="col" title="Levels of nesting, on average" { "Depth" }
                th.n scope="col" { "Deepest" }
                th.n scope="col" title="Objects with a flag, for each case" { "Flags" }
                th.n scope="col" title="For each case" { "References" }
                th.n scope="col" title="References to what is still being read, for each hundred cases" { "Cycles/100" }
            } }
            tbody {
                @for one in all {
                    tr {
                        td { (one.generator) }
                        th scope="row" {
                            @if !one.starved.is_empty() {
                                span.sign.warn title=(one.starved.join("; ")) { "!" span.unseen { "starved" } } " "
                            }
                            (one.subject)
                        }
                        (count(one.valid))
                        @let title = format!("{} of {}", grouped(one.valid_accepted), grouped(one.valid));
                        (accepted(one, &title))
                        (count(one.sampled))
                        (spread(one.size, one.sampled))
                        (spread(one.nodes, one.sampled))
                        (spread(one.depth, one.sampled))
                        (mean(one.flagged, one.sampled))
                        (mean(one.references, one.sampled))
                        (mean(one.cycles.saturating_mul(100), one.sampled))
                    }
                }
            }
        }
    }
}

fn accepted(one: &Statistics, title: &str) -> Markup {
    let few = u128::from(one.valid_accepted) * 1000 < u128::from(one.valid) * u128::from(ENOUGH);
    if few && !one.starved.is_empty() {
        html! { td.n.missed data-v="0" title=(title) { strong { (super::text::percent(one.valid_accepted, one.valid)) } } }
    } else {
        share_cell(one.valid_accepted, one.valid, title)
    }
}

fn count(n: u64) -> Markup {
    html! { td.n.zero[n == 0] data-v=(n) { (grouped(n)) } }
}

fn spread(spread: Spread, of: u64) -> Markup {
    html! { (mean(spread.sum, of)) (count(spread.max)) }
}

/// With one digit after the point.
fn mean(sum: u64, of: u64) -> Markup {
    let tenths = (u128::from(sum) * 10).checked_div(u128::from(of)).unwrap_or(0);
    html! { td.n.zero[tenths == 0] data-v=(tenths) { (tenths / 10) "." (tenths % 10) } }
}

/// How many cases in the sample have each feature.
fn features(of: &[&Statistics]) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    for feature in of.iter().flat_map(|one| &one.features) {
        if !names.contains(&feature.name.as_str()) {
            names.push(&feature.name);
        }
    }
    html! {
        table.sortable.rules {
            caption { "Cases of the sample that have each feature; a zero is marked where the feature is promised" }
            thead { tr {
                th scope="col" { "Feature" }
                @for one in of { th.n scope="col" { (one.subject) } }
            } }
            tbody {
                @for name in &names {
                    tr {
                        th scope="row" { (name) }
                        @for one in of {
                            @match one.features.iter().find(|feature| feature.name == *name) {
                                Some(feature) if feature.cases == 0 && feature.promised && one.sampled > 0 => {
                                    td.n.missed title="Promised" data-v="0" { strong { "0" } }
                                }
                                Some(feature) if feature.cases > 0 || feature.promised => (count(feature.cases)),
                                _ => { td.n.never title="Not promised" data-v="-1" {} }
                            }
                        }
                    }
                }
            }
        }
    }
}
