//! What the generators find of the mutants, by file, and what they do not: for a terminal, and as a section of docs/MUTANTS.md.

use super::survivors::{KNOWN, Known};
use crate::progress;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the crate `mutants` built.
#[derive(Debug, Clone, Deserialize)]
pub struct Built {
    /// Each mutant.
    pub mutants: Vec<Mutant>,
    /// The programs with pyc-core's tests.
    pub tests: Vec<PathBuf>,
}

/// What the crate `mutants` says of a mutant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Mutant {
    /// The number that switches it on.
    pub id: u32,
    /// `FILE:LINE:COLUMN: WHAT`.
    pub name: String,
    /// The function that it is in, if it is in one.
    pub function: Option<String>,
    /// Whether it can be switched on.
    pub state: State,
}

/// Whether a mutant can be switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It can.
    Built,
    /// It does not compile.
    Unviable,
    /// No switch is known for it.
    Homeless,
}

impl Mutant {
    /// The path of the file, the line, and what is changed.
    fn parts(&self) -> (&str, &str, &str) {
        let mut parts = self.name.splitn(4, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (file, line, _, what) = (next(), next(), next(), next());
        (file, line, what.trim_start())
    }

    fn file(&self) -> &str {
        let file = self.parts().0;
        file.strip_prefix("pyc-core/src/").unwrap_or(file)
    }

    /// The file and the function.
    fn place(&self) -> String {
        match &self.function {
            Some(function) => format!("{}: {function}", self.file()),
            None => format!("{}: constants", self.file()),
        }
    }
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The seeds, in the order of the counts.
    pub seeds: Vec<u64>,
    /// Cases of each seed.
    pub cases: u64,
}

/// A mutant and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row<'m> {
    /// What cargo-mutants calls it.
    #[serde(rename = "name", serialize_with = "name")]
    pub mutant: &'m Mutant,
    /// For each seed the number of the first case that shows it.
    pub found: Vec<Option<u64>>,
    /// Whether pyc-core's tests notice it; they are asked about what the cases do not show.
    pub is_tested: Option<bool>,
}

fn name<S: serde::Serializer>(mutant: &&Mutant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&mutant.name)
}

impl Row<'_> {
    /// Whether every seed finds it.
    #[must_use]
    pub fn is_found(&self) -> bool {
        self.found.iter().all(Option::is_some)
    }

    /// Whether any case shows it.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.found.iter().any(Option::is_some)
    }
}

/// Mutants of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Share {
    /// Found by the cases or noticed by the tests.
    shown: usize,
    found: usize,
    /// Neither.
    hidden: usize,
}

impl Share {
    fn cells(self, file: &str) -> Vec<String> {
        #[allow(clippy::cast_precision_loss)] // Some thousands.
        let share = 100.0 * self.found as f64 / self.shown.max(1) as f64;
        let counts = [self.shown, self.found].map(|count| count.to_string());
        vec![file.into(), counts[0].clone(), counts[1].clone(), format!("{share:.1} %"), self.hidden.to_string()]
    }
}

/// What came of all of them.
#[derive(Debug)]
pub struct Outcome {
    shares: BTreeMap<String, Share>,
    all: Share,
    /// What is not found though the tests notice it, by place.
    lost: BTreeMap<String, Vec<String>>,
}

impl Outcome {
    /// From the rows.
    #[must_use]
    pub fn new(rows: &[Row]) -> Outcome {
        let mut outcome = Outcome { shares: BTreeMap::new(), all: Share::default(), lost: BTreeMap::new() };
        for row in rows {
            let is_found = row.is_found();
            let is_shown = row.is_shown() || row.is_tested == Some(true);
            let share = outcome.shares.entry(row.mutant.file().to_owned()).or_default();
            for share in [share, &mut outcome.all] {
                share.shown += usize::from(is_shown);
                share.found += usize::from(is_found);
                share.hidden += usize::from(!is_shown);
            }
            if is_shown && !is_found {
                outcome.lost.entry(row.mutant.place()).or_default().push(row.mutant.parts().2.to_owned());
            }
        }
        outcome
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let heading = ["file", "found or tested", "found", "share", "neither"].map(String::from).to_vec();
        let shares = self.shares.iter().map(|(file, share)| share.cells(file));
        std::iter::once(heading).chain(shares).chain([self.all.cells("all")]).collect()
    }

    /// The table for a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        progress::table(&self.lines())
    }

    /// How many are found, and how many can be.
    #[must_use]
    pub fn summary(&self, terms: &Terms) -> String {
        let seeds: Vec<String> = terms.seeds.iter().map(u64::to_string).collect();
        let Share { shown, found, hidden } = self.all;
        let silent: usize = self.lost.keys().filter_map(|place| known(place)).map(|known| known.silent).sum();
        #[allow(clippy::cast_precision_loss)] // Some thousands.
        let share = 100.0 * found as f64 / shown.saturating_sub(silent).max(1) as f64;
        format!(
            "The generators find {found} of {shown} mutants that they or the tests of pyc-core find, within {} cases from each of \
             the seeds {}. {hidden} show neither in a case nor in a test. Of those that only tests notice no case can show \
             {silent}, which change speed, memory, or what only programs call; without these {share:.1} % are found.",
            terms.cases,
            seeds.join(", "),
        )
    }

    /// What is not found: a paragraph for each place.
    #[must_use]
    pub fn lost(&self) -> String {
        let paragraph = |(place, lost): (&String, &Vec<String>)| {
            let lines: String = lost.iter().map(|what| format!("    {what}\n")).collect();
            format!("{place}: {}\n{lines}", why(place))
        };
        self.lost.iter().map(paragraph).collect()
    }

    /// What is not found and not explained, and what is explained and found.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let lost = self.lost.iter().map(|(place, lost)| (place.as_str(), lost.len())).collect();
        complaints(&lost, &KNOWN.iter().map(|known| (known.place, known.count)).collect())
    }

    /// The section of docs/MUTANTS.md.
    #[must_use]
    pub fn section(&self, terms: &Terms, command: &str) -> String {
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut lines = self.lines().into_iter();
        let heading: String = lines.next().map(row).unwrap_or_default();
        let shares: String = lines.map(row).collect();
        let lost: String = self.lost.iter().map(|(place, lost)| lost_row(place, lost)).collect();
        format!(
            "{SECTION}\n\n{HOW}\nWritten by `{command}`.\n\n{}\n\n{heading}|---|--:|--:|--:|--:|\n{shares}\n\
             ### What they do not find\n\n{LOST}\n|---|--:|--:|---|---|\n{lost}",
            self.summary(terms)
        )
    }
}

/// A row of the document, which begins with what the table of survivors knows.
fn lost_row(place: &str, lost: &[String]) -> String {
    // Several of one name are told once.
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    lost.iter().for_each(|what| *counts.entry(what.clone()).or_default() += 1);
    let names = counts.iter().map(|(what, count)| {
        let times = if *count == 1 { String::new() } else { format!(" ({count} times)") };
        format!("`{}`{times}", what.replace('|', "\\|"))
    });
    let silent = known(place).map_or(0, |known| known.silent);
    format!("{} {} |\n", known_cells(place, lost.len(), silent, why(place)), names.collect::<Vec<_>>().join("<br>"))
}

fn known_cells(place: &str, count: usize, silent: usize, why: &str) -> String {
    format!("| `{place}` | {count} | {silent} | {why} |")
}

fn known(place: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.place == place)
}

fn why(place: &str) -> &'static str {
    known(place).map_or(UNEXPLAINED, |known| known.why)
}

fn complaints(lost: &BTreeMap<&str, usize>, known: &BTreeMap<&str, usize>) -> Vec<String> {
    let places = lost.keys().chain(known.keys().filter(|place| !lost.contains_key(*place)));
    let complaint = |place: &&str| {
        let [now, known] = [lost, known].map(|counts| counts.get(place).copied().unwrap_or(0));
        (now != known).then(|| format!("{place}: {now} are not found, and {known} in the table of survivors"))
    };
    places.filter_map(complaint).collect()
}

/// In place of a reason.
const UNEXPLAINED: &str = "unexplained";

/// Where the section begins.
pub const SECTION: &str = "## What the generators find";

const LOST: &str = "| place | mutants | that no case can show | why not the others, or all | which |";

const HOW: &str = "\
`cargo provost faults --mutants` measures this and writes this section. The mutants that cargo-mutants lists are compiled into one
copy of pyc-core and switched on one at a time. A mutant is found by the first case for which the copy says anything else than
with none: whether it is accepted and how many bytes of it, the error with its place, the canon, the dumps that a hunt asks
for, what is undefined, the rules that it reaches, what code objects say of themselves, and the stream written again; and what
the tools have: the normal form and another form of the stream, the places of its objects, what a new process writes, what the
verifier and `diff` say, what is kept of a stream that is refused, and the same with memory that was used before. So are those
that panic, or do not end. The generators take turns, and the cases are for all versions in turn, and for free-threaded
builds, a 32-bit one and one with assertions. What no case shows is given to pyc-core's own tests (those of
`.cargo/mutants.toml`), built from the same copy: a mutant that they do not notice either does not count. It is equivalent, or
makes a difference in speed only, or is missed by both.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(name: &str) -> Mutant {
        Mutant { id: 1, name: name.into(), function: Some("f".into()), state: State::Built }
    }

    #[test]
    fn a_mutant_is_found_if_every_seed_finds_it() {
        let names = ["pyc-core/src/a.rs:1:2: x", "pyc-core/src/a.rs:3:4: x", "pyc-core/src/b.rs:5:6: y"];
        let mutants = names.map(mutant);
        let found = [[Some(1), Some(2)], [Some(1), None], [None, None]];
        let check = |tested: [Option<bool>; 3], all: [usize; 3], lost: &[&str]| {
            let rows = mutants.iter().zip(found).zip(tested);
            let row = |((mutant, found), is_tested): ((_, [Option<u64>; 2]), _)| Row {
                mutant,
                found: found.to_vec(),
                is_tested,
            };
            let outcome = Outcome::new(&rows.map(row).collect::<Vec<_>>());
            assert_eq!([outcome.all.shown, outcome.all.found, outcome.all.hidden], all, "{tested:?}");
            assert_eq!(outcome.lost.keys().collect::<Vec<_>>(), lost, "{tested:?}");
        };
        check([None, None, Some(true)], [3, 1, 0], &["a.rs: f", "b.rs: f"]);
        check([None, None, Some(false)], [2, 1, 1], &["a.rs: f"]);
    }

    #[test]
    fn what_is_not_explained_is_told_and_so_is_what_is_no_longer_true() {
        let check = |lost: &[(&str, usize)], known: &[(&str, usize)], expected: usize| {
            let [lost, known] = [lost, known].map(|counts| counts.iter().copied().collect());
            assert_eq!(complaints(&lost, &known).len(), expected, "{lost:?} {known:?}");
        };
        check(&[("a", 1)], &[("a", 1)], 0);
        check(&[("a", 2)], &[("a", 1)], 1);
        check(&[("a", 1)], &[("a", 2)], 1);
        check(&[("a", 1)], &[], 1);
        check(&[], &[("a", 1)], 1);
    }

    #[test]
    fn the_document_has_the_table_of_survivors() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/MUTANTS.md");
        let text = std::fs::read_to_string(path).unwrap();
        let section = &text[text.find(SECTION).expect("the section")..];
        let lines = section.lines().skip_while(|line| *line != LOST).skip(2).take_while(|line| line.starts_with('|'));
        let is_explained = |line: &&str| !line.contains(&format!(" | {UNEXPLAINED} | "));
        let lines: Vec<&str> = lines.filter(is_explained).collect();
        let known = KNOWN.iter().map(|known| known_cells(known.place, known.count, known.silent, known.why));
        let known: Vec<String> = known.collect();
        assert_eq!(lines.len(), known.len());
        for (line, known) in lines.iter().zip(known) {
            assert!(line.starts_with(&known), "{line}\n{known}");
        }
    }
}
