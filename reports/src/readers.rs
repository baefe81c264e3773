//! Which reader reads what, on one page: a cell for each reader, Python and group of rules, which leads to its smallest case.

use crate::html::{hex_dump, page, scroller, section, snippet};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// What came of one reader as one of a Python.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The reader, with its release.
    pub reader: String,
    /// Whose streams it was given.
    pub python: String,
    /// By the groups of rules that the streams reach.
    pub groups: BTreeMap<String, Cell>,
}

/// What came of the streams that reach a group.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// The share that is right, and what became of the others.
    pub text: String,
    /// The smallest stream that is not right.
    pub smallest: Option<Smallest>,
}

/// A stream that a reader does not read as CPython does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Smallest {
    /// The stream, in hexadecimal digits.
    pub hex: String,
    /// What came of it, in a word or two.
    pub came: String,
    /// Where they differ first, if it is a value.
    pub at: String,
    /// What CPython says there.
    pub cpython: String,
    /// What the reader says there.
    pub reader: String,
    /// A command that shows it.
    pub replay: String,
}

/// The page. `lead` says what was asked.
#[must_use]
pub fn readers(rows: &[Reading], lead: &str) -> String {
    let groups: BTreeSet<&str> = rows.iter().flat_map(|row| row.groups.keys().map(String::as_str)).collect();
    // Many groups have one smallest case.
    let mut cases: Vec<(&Reading, &Smallest, Vec<&str>)> = Vec::new();
    let mut places: Vec<BTreeMap<&str, usize>> = Vec::new();
    for row in rows {
        let (first, mut at) = (cases.len(), BTreeMap::new());
        for (group, cell) in &row.groups {
            let Some(smallest) = &cell.smallest else { continue };
            let known = cases[first..].iter().position(|(_, case, _)| *case == smallest);
            let place = known.map_or(cases.len(), |known| first + known);
            if place == cases.len() {
                cases.push((row, smallest, Vec::new()));
            }
            cases[place].2.push(group);
            at.insert(group.as_str(), place);
        }
        places.push(at);
    }
    let table = html! {
        table {
            caption { "A cell leads to the smallest stream that is not right" }
            thead { tr {
                th scope="col" { "Reader" }
                th scope="col" { "Python" }
                @for group in &groups { th scope="col" { (group) } }
            } }
            tbody { @for (row, at) in rows.iter().zip(&places) {
                tr {
                    th scope="row" { (row.reader) }
                    td { (row.python) }
                    @for group in &groups { td { (cell(row.groups.get(*group), at.get(group).copied())) } }
                }
            } }
        }
    };
    let shown = html! { @for (number, (row, smallest, groups)) in cases.iter().enumerate() { (case(number, row, smallest, groups)) } };
    let body = html! {
        header.masthead { span.brand { "Provost" } span.what { "Which reader reads what" } }
        main {
            (section("readers", "Reader, Python and group of rules", lead, &scroller("Readers", &table)))
            (section("cases", "Smallest cases", "", &shown))
        }
    };
    page("Provost: readers", &body)
}

fn cell(cell: Option<&Cell>, place: Option<usize>) -> Markup {
    html! {
        @if let Some(cell) = cell {
            @if let Some(place) = place { a href={ "#case-" (place) } { (cell.text) } } @else { (cell.text) }
        }
    }
}

fn case(number: usize, row: &Reading, smallest: &Smallest, groups: &[&str]) -> Markup {
    html! {
        section.side id={ "case-" (number) } {
            h3 { (row.reader) " as " (row.python) ": " (smallest.came) }
            p.under { (groups.join(", ")) " " a href="#readers" { "back to the table" } }
            pre.hex { (hex_dump(&smallest.hex)) }
            dl.facts {
                @if !smallest.at.is_empty() { div { dt { "Where" } dd { (smallest.at) } } }
                div { dt { "CPython" } dd { code { (smallest.cpython) } } }
                div { dt { "The reader" } dd { code { (smallest.reader) } } }
            }
            (snippet(&smallest.replay))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smallest(hex: &str) -> Smallest {
        Smallest { hex: hex.into(), came: "wrong".into(), reader: "<b>".into(), ..Smallest::default() }
    }

    fn row(python: &str, cells: &[(&str, Option<&str>)]) -> Reading {
        let cell = |hex: &Option<&str>| Cell { text: "50% w1".into(), smallest: hex.map(smallest) };
        let groups = cells.iter().map(|(group, hex)| ((*group).to_owned(), cell(hex))).collect();
        Reading { reader: "mine 1".into(), python: python.into(), groups }
    }

    /// Each cell that is not right leads to a case that is there once, and nothing of a reader's words is markup.
    #[test]
    fn cells_lead_to_their_cases() {
        let rows = [
            row("3.11", &[("tables", Some("4e")), ("types", Some("4e")), ("places", None)]),
            row("3.12", &[("types", Some("4e")), ("tables", Some("4e4e"))]),
        ];
        let page = readers(&rows, "asked");
        for (number, links) in [(0, 2), (1, 1), (2, 1), (3, 0)] {
            assert_eq!(page.matches(&format!("href=\"#case-{number}\"")).count(), links, "{number}");
            assert_eq!(page.matches(&format!("id=\"case-{number}\"")).count(), usize::from(links > 0), "{number}");
        }
        assert!(page.contains("tables, types") && page.contains("&lt;b&gt;") && !page.contains("<b>"), "{page}");
    }
}
