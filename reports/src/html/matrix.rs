//! The matrix of rules: what the cases reached, rule by rule and subject by subject.

use super::text::grouped;
use super::{scroller, section};
use crate::Reached;
use crate::summary::{Summary, plural};
use maud::{Markup, html};

/// How many rules that were not reached are shown at once.
const FEW: usize = 24;

/// Columns come short or long when logs are joined by hand; what is missing is as if it could not be reached.
fn cell(cases: Option<u64>) -> Markup {
    html! {
        @match cases {
            None => { td.n.never title="This version cannot reach it" data-v="-1" {} }
            Some(0) => { td.n.missed title="Not reached" data-v="0" { strong { "0" } } }
            Some(n) => { td.n data-v=(n) { (grouped(n)) } }
        }
    }
}

/// In the order of the other tables.
fn columns<'a>(s: &'a Summary) -> Vec<&'a Reached> {
    let mut columns: Vec<&Reached> = s.log.reached.iter().collect();
    columns.sort_by_key(|column| s.rows.iter().position(|row| row.id == column.subject));
    columns
}

pub(crate) fn matrix(s: &Summary) -> Option<Markup> {
    let (rules, columns) = (&s.log.rules.rules, columns(s));
    if rules.is_empty() || columns.is_empty() {
        return None;
    }
    let at = |row: usize, column: usize| columns[column].cases.get(row).copied().flatten();
    let rows = rules.iter().enumerate();
    let table = html! {
        table.sortable.rules {
            caption { "Compared cases that reached each rule; empty where the version cannot reach it" }
            thead { tr {
                th scope="col" { "Group" }
                th scope="col" { "Rule" }
                @for column in &columns { th.n scope="col" { (column.subject) } }
            } }
            tbody {
                @for (row, rule) in rows.clone() {
                    tr {
                        td { (rule.group) }
                        th scope="row" { (rule.name) }
                        @for column in 0..columns.len() { (cell(at(row, column))) }
                    }
                }
            }
        }
    };
    let missed = rows.filter_map(|(row, rule)| {
        let of = |column: &usize| at(row, *column) == Some(0);
        let subjects: Vec<&str> =
            (0..columns.len()).filter(of).map(|column| columns[column].subject.as_str()).collect();
        (!subjects.is_empty()).then(|| (rule, subjects.join(", ")))
    });
    let missed: Vec<_> = missed.collect();
    let body = html! {
        @if missed.is_empty() {
            p { "Every rule that a subject can reach was reached." }
        } @else {
            h3 { "Not reached: " (plural(missed.len(), "rule")) }
            details open[missed.len() <= FEW] { summary { "Which, and by whom" } ul.missed { @for (rule, subjects) in &missed { li { (rule.group) ": " b { (rule.name) } " (" (subjects) ")" } } } }
        }
        details { summary { (rules.len()) " rules" } (scroller("Rules", &table)) }
        (masks(s))
    };
    let lead = "What was never tried proves nothing: these are the rules of the format, and the cases that tried them.";
    Some(section("rules", "Rules", lead, &body))
}

/// What was left out of comparisons.
fn masks(s: &Summary) -> Markup {
    let columns = columns(s);
    let mut names: Vec<&str> = columns.iter().flat_map(|c| c.masked.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let table = html! {
        table.sortable {
            caption { "What of the comparisons was left out because it cannot be predicted" }
            thead { tr {
                th scope="col" { "Left out" }
                @for column in &columns { th.n scope="col" { (column.subject) } }
            } }
            tbody {
                tr {
                    th scope="row" { "compared cases, for comparison" }
                    @for column in &columns { td.n data-v=(column.compared) { (grouped(column.compared)) } }
                }
                tr {
                    th scope="row" { "predicted dumps, for comparison" }
                    @for column in &columns { td.n data-v=(column.dumps) { (grouped(column.dumps)) } }
                }
                @for name in &names {
                    tr {
                        th.why scope="row" { (name) }
                        @for column in &columns {
                            @let n = column.masked.get(*name).copied().unwrap_or(0);
                            @if n == 0 { td.n.zero data-v="0" { "0" } } @else { td.n data-v=(n) { (grouped(n)) } }
                        }
                    }
                }
            }
        }
    };
    html! { details { summary { "What was left out" } (scroller("Masks", &table)) } }
}
