//! Rows, as a table for people, as JSON for programs, and as docs/FAULTS.md.

use super::{Column, Fault, Row, columns};
use crate::case::hex;
use crate::progress;
use serde::Serialize;
use std::collections::BTreeMap;

/// What all rows have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The seeds, in the order of the counts.
    pub seeds: Vec<u64>,
    /// Cases for each seed and generator.
    pub cases: u64,
    /// What the baseline mutates.
    pub files: String,
}

/// A row for programs.
#[derive(Debug, Serialize)]
struct Json<'a> {
    name: &'a str,
    what: &'a str,
    cause: &'a str,
    versions: [String; 2],
    /// A stream that shows it to the last version, in hexadecimal.
    example: String,
    seeds: &'a [u64],
    cases: u64,
    /// For each generator, and `combined` and `baseline`: for each seed, the number of the first case that shows the fault.
    found: BTreeMap<&'a str, &'a [Option<u64>]>,
}

const COMBINED: &str = "combined";

impl Row {
    /// One JSON object.
    ///
    /// # Errors
    /// None that is known of.
    pub fn json(&self, terms: &Terms) -> serde_json::Result<String> {
        let columns = columns();
        let each = columns.iter().zip(&self.found).map(|(column, found)| (column.name(), found.as_slice()));
        let Fault { name, what, cause, versions, .. } = self.fault;
        serde_json::to_string(&Json {
            name,
            what,
            cause,
            versions: [versions.0.to_string(), versions.1.to_string()],
            example: hex(&self.fault.example()),
            seeds: &terms.seeds,
            cases: terms.cases,
            found: each.chain([(COMBINED, self.combined.as_slice())]).collect(),
        })
    }

    /// Whether all generators together find it from every seed.
    #[must_use]
    pub fn is_found(&self) -> bool {
        self.combined.iter().all(Option::is_some)
    }

    fn cells(&self) -> Vec<String> {
        let (generators, baseline) = self.found.split_at(self.found.len() - 1);
        let counts = generators.iter().chain([&self.combined]).chain(baseline);
        [self.fault.name.to_owned(), self.fault.span()].into_iter().chain(counts.map(|found| slowest(found))).collect()
    }
}

impl Fault {
    /// Its versions as people write them.
    #[must_use]
    pub fn span(&self) -> String {
        let (first, last) = self.versions;
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    }
}

/// The count of the seed that takes longest; how many seeds find it where not all do.
fn slowest(found: &[Option<u64>]) -> String {
    let counts: Vec<u64> = found.iter().flatten().copied().collect();
    match counts.iter().max() {
        None => "-".into(),
        Some(slowest) if counts.len() == found.len() => slowest.to_string(),
        Some(_) => format!("{} of {}", counts.len(), found.len()),
    }
}

fn heading() -> Vec<String> {
    let columns = columns();
    let generators = columns.iter().filter(|column| **column != Column::Baseline).map(|column| column.name());
    let names = ["fault", "versions"].into_iter().chain(generators).chain([COMBINED, Column::Baseline.name()]);
    names.map(String::from).collect()
}

/// The rows for a terminal.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let lines: Vec<Vec<String>> = std::iter::once(heading()).chain(rows.iter().map(Row::cells)).collect();
    progress::table(&lines)
}

/// How many are found, in one sentence.
#[must_use]
pub fn summary(rows: &[Row], terms: &Terms) -> String {
    let found = rows.iter().filter(|row| row.is_found()).count();
    let in_all = |row: &&Row| row.found.last().is_some_and(|found| found.iter().all(Option::is_some));
    let baseline = rows.iter().filter(in_all).count();
    let seeds: Vec<String> = terms.seeds.iter().map(u64::to_string).collect();
    format!(
        "The generators together find {found} of {} faults within {} cases from each of the seeds {}; mutations of single \
         bytes of {} find {baseline}.",
        rows.len(),
        terms.cases,
        seeds.join(", "),
        terms.files,
    )
}

/// docs/FAULTS.md.
#[must_use]
pub fn document(rows: &[Row], terms: &Terms, command: &str) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | ").replace('\n', " "));
    let rule = format!("|---|---|{}\n", "--:|".repeat(heading().len() - 2));
    let counts: String = rows.iter().map(|row| line(&row.cells())).collect();
    let meanings = rows.iter().map(|row| {
        let Fault { name, what, cause, .. } = row.fault;
        line(&[format!("`{name}`"), what.replace('|', "\\|"), cause.replace('|', "\\|")])
    });
    format!(
        "{HOW}\n## What was found\n\nWritten by `{command}`.\n\n{}\n\n{}{rule}{counts}\n## The faults\n\n\
         | fault | what it does | how one comes to that |\n|---|---|---|\n{}",
        summary(rows, terms),
        line(&heading()),
        meanings.collect::<String>(),
    )
}

const HOW: &str = "\
# Planted faults

`cargo provost faults` measures this table and writes this file; nothing in it is typed by hand. A hunt that finds nothing
proves little unless it finds bugs that are known to be there. So each fault here is a subject that does all as pyc-core does,
and is wrong in one way. A fault is found by the first case on which the oracle tells the two apart; no fault recognises
cases, each does what a wrong implementation would do with any bytes.

## How it is measured

A number is the first case that shows the fault, from the seed that takes longest; *2 of 3* says that only so many seeds find
it at all, `-` that none does. Cases are for all versions in turn, so a fault of one version can show in few of them only.
*combined* takes the generators in turn. *baseline* changes one to four bytes of compiled files, without any knowledge of
the format; it is what a fuzzer does that knows nothing.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn row(found: &[Option<u64>]) -> Row {
        let fault = Fault::all().next().unwrap();
        Row { fault, found: columns().iter().map(|_| found.to_vec()).collect(), combined: found.to_vec() }
    }

    fn terms() -> Terms {
        Terms { seeds: vec![1, 2], cases: 10, files: "files".into() }
    }

    #[test]
    fn a_cell_is_the_slowest_seed_or_how_many_find_it() {
        let check = |found: &[Option<u64>], expected: &str| assert_eq!(slowest(found), expected);
        check(&[Some(1), Some(9), Some(3)], "9");
        check(&[Some(1), None, Some(3)], "2 of 3");
        check(&[None, None], "-");
    }

    #[test]
    fn what_is_not_found_from_all_seeds_is_not_found() {
        let rows = [row(&[Some(3), Some(4)]), row(&[Some(3), None])];
        assert_eq!(rows.each_ref().map(Row::is_found), [true, false]);
        let text = summary(&rows, &terms());
        assert!(text.contains("find 1 of 2 faults within 10 cases from each of the seeds 1, 2"), "{text}");
    }

    #[test]
    fn json_has_each_column_and_each_seed() {
        let json: serde_json::Value = serde_json::from_str(&row(&[Some(3), None]).json(&terms()).unwrap()).unwrap();
        let names = columns().into_iter().map(Column::name).chain([COMBINED]);
        for name in names {
            assert_eq!(json["found"][name], serde_json::json!([3, null]), "{json}");
        }
        assert_eq!((&json["seeds"], &json["cases"]), (&serde_json::json!([1, 2]), &10.into()));
    }

    #[test]
    fn the_document_has_two_rows_for_each_fault() {
        let text = document(&[row(&[Some(3), Some(4)])], &terms(), "cargo provost faults");
        let name = Fault::all().next().unwrap().name;
        assert_eq!(text.lines().filter(|line| line.starts_with('|') && line.contains(name)).count(), 2, "{text}");
        assert!(text.contains("`cargo provost faults`"), "{text}");
    }
}
