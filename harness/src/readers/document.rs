//! The text of docs/READERS.md.

use super::{Ends, Row, Smallest};
use crate::case::hex;
use crate::oracle::Came;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What was not asked: name and reason.
type Skipped = (String, String);

/// The document.
#[must_use]
pub fn document(rows: &[Row], skipped: &[Skipped], seed: u64, cases: u64, files: Option<usize>) -> String {
    let files = files.map_or("the files".to_owned(), |most| format!("{most} files"));
    let mut text = format!(
        "# Readers

What other readers of marshal streams do, compared with the CPython whose streams they read. Written by `cargo provost readers`
(seed {seed}); nobody edits it. [FOUND.md](FOUND.md) explains what was found.

Each reader got {cases} valid generated streams and {cases} damaged ones, in equal parts for each Python that it reads, and {files}
of each standard library, compiled at level 0. *Right*: it reads the value that CPython reads, or refuses what CPython refuses.
*Wrong*: another value. *Refused*: CPython reads it. *False accept*: CPython refuses it. *Crashed*: a panic, or the end of its
process. *Hung*: more than 2 seconds of CPU time. *Memory*: more than 64 MiB and 1000 times the length of the stream. *Not claimed*:
the reader, or its adapter, says that it does not know what is there; or nobody can say what is right. *Garbled*: the adapter's
answer cannot be used. What each reader owes is in its adapter ([adapters](../adapters/README.md)).

"
    );
    let readers = by_reader(rows);
    section(&mut text, "Valid streams", &readers, |row| &row.valid);
    section(&mut text, "Damaged streams", &readers, |row| &row.damaged);
    library(&mut text, rows);
    matrix(&mut text, rows);
    memory(&mut text, &readers);
    if !skipped.is_empty() {
        text.push_str("\n## Not asked\n\n| reader | why |\n|---|---|\n");
        for (name, why) in skipped {
            let _ = writeln!(text, "| {name} | {} |", why.replace('|', "\\|"));
        }
    }
    text
}

fn by_reader(rows: &[Row]) -> BTreeMap<String, Vec<&Row>> {
    let mut readers: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        readers.entry(format!("{} {}", row.reader, row.version)).or_default().push(row);
    }
    readers
}

fn add(sum: &mut Ends, ends: &Ends) {
    for (came, count) in ends {
        *sum.entry(*came).or_default() += count;
    }
}

fn count(ends: &Ends, came: Came) -> u64 {
    ends.get(&came).copied().unwrap_or(0)
}

fn section(text: &mut String, title: &str, readers: &BTreeMap<String, Vec<&Row>>, of: impl Fn(&Row) -> &Ends) {
    let heads: Vec<String> = Came::ALL.iter().map(ToString::to_string).collect();
    let _ = writeln!(text, "## {title}\n\n| reader | {} |\n|---|{}", heads.join(" | "), "---:|".repeat(heads.len()));
    for (name, rows) in readers {
        let mut sum = Ends::new();
        rows.iter().for_each(|row| add(&mut sum, of(row)));
        let cells: Vec<String> = Came::ALL.iter().map(|came| count(&sum, *came).to_string()).collect();
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text.push('\n');
}

fn library(text: &mut String, rows: &[Row]) {
    text.push_str(
        "## The standard library\n\nFiles, and how many of them are read rightly; what else came of them; and, of a reader that \
         writes, how many are\nwritten as they were.\n\n| reader | Python | files | right | else | written | as they were |\n\
         |---|---|---:|---:|---|---:|---:|\n",
    );
    for row in rows.iter().filter(|row| !row.library.is_empty()) {
        let files: u64 = row.library.values().sum();
        let [written, same] = row.rewritten;
        let wrote = if written > 0 { format!("{written} | {same}") } else { " | ".into() };
        let (right, others) = (count(&row.library, Came::Right), others(&row.library));
        let _ = writeln!(text, "| {} | {} | {files} | {right} | {others} | {wrote} |", row.reader, row.python);
    }
    text.push('\n');
}

/// Everything but right, in words.
fn others(ends: &Ends) -> String {
    let others = ends.iter().filter(|(came, count)| **came != Came::Right && **count > 0);
    others.map(|(came, count)| format!("{count} {came}")).collect::<Vec<_>>().join(", ")
}

fn matrix(text: &mut String, rows: &[Row]) {
    let groups: BTreeSet<&str> = rows.iter().flat_map(|row| row.groups.keys().copied()).collect();
    text.push_str(
        "## Reader, Python and group of rules\n\nHow many percent of the generated streams that reach a rule of a group are right, of \
         those that are claimed; then how many are\n`w`rong, `r`efused, `f`alsely accepted, `c`rashed, `h`ung, over in `m`emory.\n\n",
    );
    let heads: Vec<&str> = groups.iter().copied().collect();
    let _ = writeln!(text, "| reader | Python | {} |\n|---|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows {
        let cells: Vec<String> = groups.iter().map(|group| row.groups.get(group).map_or(String::new(), cell)).collect();
        let _ = writeln!(text, "| {} | {} | {} |", row.reader, row.python, cells.join(" | "));
    }
    text.push('\n');
}

fn cell(ends: &Ends) -> String {
    let judged: u64 =
        ends.iter().filter(|(came, _)| !matches!(came, Came::NotClaimed | Came::Garbled)).map(|(_, count)| count).sum();
    if judged == 0 {
        return "not claimed".into();
    }
    let letters = [
        ("w", Came::Wrong),
        ("r", Came::Refused),
        ("f", Came::FalseAccept),
        ("c", Came::Crashed),
        ("h", Came::Hung),
        ("m", Came::Hungry),
    ];
    let mut cell = format!("{}%", count(ends, Came::Right) * 100 / judged);
    for (letter, came) in letters {
        if count(ends, came) > 0 {
            let _ = write!(cell, " {letter}{}", count(ends, came));
        }
    }
    cell
}

/// The matrix as a page, where each cell leads to its smallest case.
#[must_use]
pub fn page(rows: &[Row], seed: u64, cases: u64) -> String {
    let smallest = |row: &Row, Smallest { stream, came, sides: [at, cpython, reader] }: &Smallest| {
        let hex = hex(stream);
        reports::Smallest {
            came: came.to_string(),
            at: at.clone(),
            cpython: cpython.clone(),
            reader: reader.clone(),
            replay: format!(
                "echo {hex} | xxd -r -p | cargo provost replay --adapter {} --as {} -",
                row.reader, row.python
            ),
            hex,
        }
    };
    let rows: Vec<reports::Reading> = rows
        .iter()
        .map(|row| reports::Reading {
            reader: format!("{} {}", row.reader, row.version),
            python: row.python.clone(),
            groups: row
                .groups
                .iter()
                .map(|(group, ends)| {
                    let smallest = row.smallest.get(group).map(|found| smallest(row, found));
                    ((*group).to_owned(), reports::Cell { text: cell(ends), smallest })
                })
                .collect(),
        })
        .collect();
    let lead = format!(
        "How many percent of the generated streams that reach a rule of a group are right, of those that are claimed; then how many \
         are wrong (w), refused (r), falsely accepted (f), crashed (c), hung (h), over in memory (m). Seed {seed}, {cases} valid \
         streams and {cases} damaged ones for each reader."
    );
    reports::readers(&rows, &lead)
}

fn memory(text: &mut String, readers: &BTreeMap<String, Vec<&Row>>) {
    text.push_str(
        "## Memory\n\nThe most that a reader took for one generated stream, beyond what it had before, in MiB. A process may have 2 GiB \
         of data;\nwhat wants more ends.\n\n| reader | MiB | |\n|---|---:|---|\n",
    );
    for (name, rows) in readers {
        let most = rows.iter().map(|row| row.memory).max().unwrap_or(0) >> 20;
        let stopped: Vec<String> = rows
            .iter()
            .filter_map(|row| row.stopped.as_ref().map(|why| format!("not asked to the end as {}: {why}", row.python)))
            .collect();
        let _ = writeln!(text, "| {name} | {most} | {} |", stopped.join("; "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_what_came_of_what_is_claimed() {
        #[track_caller]
        fn check(ends: &[(Came, u64)], expected: &str) {
            assert_eq!(cell(&ends.iter().copied().collect()), expected);
        }
        check(&[(Came::Right, 3), (Came::Wrong, 1), (Came::NotClaimed, 90)], "75% w1");
        check(&[(Came::Right, 2)], "100%");
        check(&[(Came::NotClaimed, 2)], "not claimed");
        check(&[(Came::Refused, 1), (Came::Hung, 2)], "0% r1 h2");
    }

    #[test]
    fn the_document_adds_the_pythons_of_a_reader() {
        let row = |python: &str, right| Row {
            reader: "mine".into(),
            version: "1".into(),
            python: python.into(),
            valid: [(Came::Right, right)].into(),
            groups: [("types", [(Came::Right, right)].into())].into(),
            ..Row::default()
        };
        let text =
            document(&[row("3.11", 2), row("3.12", 3)], &[("other".into(), "it is not there".into())], 1, 5, None);
        assert!(text.contains("| mine 1 | 5 | 0 |") && text.contains("| mine | 3.12 | 100% |"), "{text}");
        assert!(text.contains("| other | it is not there |"), "{text}");
    }

    #[test]
    fn the_page_says_how_to_see_the_smallest_case() {
        let sides = ["tuple[0]", "int 1", "int 2"].map(String::from);
        let smallest = Smallest { stream: b"N0".to_vec(), came: Came::Wrong, sides };
        let row = Row {
            reader: "mine".into(),
            python: "3.12".into(),
            groups: [("types", [(Came::Wrong, 1)].into())].into(),
            smallest: [("types", smallest)].into(),
            ..Row::default()
        };
        let page = page(&[row], 7, 20);
        for text in
            ["0% w1", "tuple[0]", "int 2", "echo 4e30 | xxd -r -p | cargo provost replay --adapter mine --as 3.12 -"]
        {
            assert!(page.contains(text), "no {text} in {page}");
        }
    }
}
