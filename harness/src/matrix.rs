//! The matrix: which rules of the format a hunt has reached, interpreter by interpreter.
//!
//! "All agree" says nothing about what was never tried. So the rules of the format are a table: each type byte with and
//! without its flag, each way to be refused, each leniency of the readers, each check that building a code object makes,
//! each way to kill an interpreter. A hunt counts for each of them the cases that reached it *and* were compared with the
//! interpreter (killers: that it was asked), and the report shows the rows that are still zero.
//!
//! Whether a version can reach a rule at all is a stated fact of the table, after CPython's `Python/marshal.c` and
//! `Objects/codeobject.c`, and never a measurement; a hunt that reaches what cannot be reached says so. What a case reaches
//! is told from the graph of an accepted stream and from the error of a refused one. Type bytes are counted in accepted
//! streams only: nothing shows that a refused one was read rightly up to its error.
//!
//! The rows of `parts` are finer: each type at each place where an object can stand, each of several encodings of a value,
//! references by what they lead to, entries of the tables of a code object.
//!
//! What of a comparison was left out, because nobody can predict it, is counted beside it: the *masks*.

mod parts;
mod reach;
mod table;

pub(crate) use reach::{accepted, killing, refused};
pub(crate) use table::Rule;

use crate::observation::{Accepted, Canon, Dump, Observation};
use pyc_core::Profile;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use table::{KILLERS, Row, TABLE, TYPES};

/// A set of rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// One bit for each row of the table.
    rows: [u64; 12],
    /// Whether there is a code object in the stream, as far as it is understood.
    pub(crate) has_code: bool,
}

static ROWS: LazyLock<HashMap<Rule, usize>> =
    LazyLock::new(|| TABLE.iter().enumerate().map(|(index, row)| (row.rule, index)).collect());

impl Reached {
    /// Adds a rule; what the table does not have is left out.
    pub(crate) fn insert(&mut self, rule: Rule) {
        if let Some(&index) = ROWS.get(&rule) {
            self.insert_row(index);
        }
    }

    fn insert_row(&mut self, index: usize) {
        self.rows[index / 64] |= 1 << (index % 64);
    }

    /// Adds type bytes, given as sets of numbers below 128. They are the first rows of the table, in pairs.
    fn insert_types(&mut self, plain: u128, flagged: u128) {
        for (pair, code) in TYPES.into_iter().enumerate() {
            for (index, set) in [(2 * pair, plain), (2 * pair + 1, flagged)] {
                if set >> code & 1 != 0 {
                    self.insert_row(index);
                }
            }
        }
    }

    /// Whether a rule is in the set.
    pub(crate) fn has(&self, rule: Rule) -> bool {
        ROWS.get(&rule).is_some_and(|&row| self.has_row(row))
    }

    /// What is in both sets.
    pub(crate) fn and(self, other: Reached) -> Reached {
        let mut rows = self.rows;
        rows.iter_mut().zip(other.rows).for_each(|(mine, others)| *mine &= others);
        Reached { rows, ..self }
    }

    /// What is in this set and not in the other.
    pub(crate) fn without(self, other: Reached) -> Reached {
        let mut rows = self.rows;
        rows.iter_mut().zip(other.rows).for_each(|(mine, others)| *mine &= !others);
        Reached { rows, ..self }
    }

    /// Whether the row of this number is in the set.
    pub(crate) fn has_row(self, row: usize) -> bool {
        self.rows[row / 64] >> (row % 64) & 1 != 0
    }

    /// The numbers of the rows, ascending.
    pub fn rows(self) -> impl Iterator<Item = usize> {
        self.rows.into_iter().enumerate().flat_map(|(word, mut bits)| {
            std::iter::from_fn(move || {
                let bit = bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
                (bit < 64).then_some(64 * word + bit)
            })
        })
    }
}

/// The rows of the matrix, as a log names them.
#[must_use]
pub fn rules() -> reports::Rules {
    let rule = |row: &Row| reports::Rule { group: row.group.into(), name: row.name.clone() };
    reports::Rules { rules: TABLE.iter().map(rule).collect() }
}

/// The rows that an interpreter of this profile can reach.
pub(crate) fn reachable(profile: &Profile) -> Reached {
    let mut reached = Reached::default();
    (0..TABLE.len()).filter(|&row| TABLE[row].can(profile)).for_each(|row| reached.insert_row(row));
    reached
}

/// The ways to kill an interpreter.
pub(crate) fn killers() -> Reached {
    let mut reached = Reached::default();
    (0..TABLE.len()).filter(|&row| TABLE[row].group == KILLERS).for_each(|row| reached.insert_row(row));
    reached
}

/// The set of one row.
#[cfg(test)]
pub(crate) fn row(row: usize) -> Reached {
    let mut reached = Reached::default();
    reached.insert_row(row);
    reached
}

/// Group and name of a row.
pub(crate) fn label(row: usize) -> (&'static str, &'static str) {
    (TABLE[row].group, &TABLE[row].name)
}

/// How many of the rows that were not reached are named in the terminal; the report has all.
const NAMED: usize = 6;

/// The matrix in one line.
pub(crate) fn summary<'a>(columns: impl Iterator<Item = &'a reports::Reached>) -> String {
    let (mut can, mut did, mut masked) = (0, 0, 0);
    let mut missing = Vec::new();
    for column in columns {
        masked += column.masked.values().sum::<u64>();
        for (row, cases) in TABLE.iter().zip(&column.cases).filter_map(|(row, cases)| Some((row, (*cases)?))) {
            can += 1;
            did += u64::from(cases > 0);
            if cases == 0 {
                missing.push(format!("{} ({})", row.name, column.subject));
            }
        }
    }
    let named = missing.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = missing.len().saturating_sub(NAMED);
    let missing = match (named.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("; not reached: {named}"),
        (false, more) => format!("; not reached: {named} and {more} more"),
    };
    format!("rules: {did} of {can} that can be reached were{missing}; {masked} aspects masked")
}

/// One interpreter's column of the matrix.
#[derive(Clone)]
pub(crate) struct Tally {
    subject: String,
    compared: u64,
    dumps: u64,
    /// For each row: whether it can be reached, and how many cases did.
    rows: Vec<(bool, u64)>,
    masked: BTreeMap<String, u64>,
    /// The impossible ones that were told.
    told: Reached,
}

impl Tally {
    pub(crate) fn new(subject: &str, profile: &Profile) -> Tally {
        let can = reachable(profile);
        let rows = TABLE.iter().map(|row| (can.has(row.rule), 0)).collect();
        Tally {
            subject: subject.into(),
            compared: 0,
            dumps: 0,
            rows,
            masked: BTreeMap::new(),
            told: Reached::default(),
        }
    }

    /// Goes on from a column that was written down.
    pub(crate) fn go_on(&mut self, column: &reports::Reached) {
        (self.compared, self.dumps, self.masked) = (column.compared, column.dumps, column.masked.clone());
        for (index, ((can, count), cases)) in self.rows.iter_mut().zip(&column.cases).enumerate() {
            *count = cases.unwrap_or(0);
            if !*can && *count > 0 {
                self.told.insert_row(index);
            }
        }
    }

    /// Counts a case that was compared, with what was predicted of it.
    pub(crate) fn compared(&mut self, reached: Reached, predicted: &Observation) {
        self.compared += 1;
        self.asked(reached);
        match predicted {
            Observation::Accepted(Accepted { dumps, canon, .. }) => {
                self.dumps += dumps.len() as u64;
                if let Canon::Varies(aspect, _) = canon {
                    self.mask("canon", aspect);
                }
                for (_, dump) in dumps {
                    match dump {
                        Dump::Bytes { unpredictable: Some(aspect), .. } => self.mask("bytes of a dump", aspect),
                        Dump::Undefined(cause) => self.mask("dump not asked for", cause),
                        Dump::Slow { reason, .. } => self.mask("slow dump, not asked for", reason),
                        Dump::Bytes { .. } | Dump::Raises(_) => {}
                    }
                    if let Dump::Bytes { loss: Some(loss), .. } = dump {
                        self.mask("value of a dump when it is read again", loss);
                    }
                }
            }
            Observation::Rejected(exception) if exception.class == "SystemError" => {
                self.mask("message", "file and line of a SystemError");
            }
            _ => {}
        }
    }

    /// Counts a case to which there is no answer to compare with.
    pub(crate) fn asked(&mut self, reached: Reached) {
        for row in reached.rows() {
            self.rows[row].1 += 1;
        }
    }

    fn mask(&mut self, what: &str, why: &str) {
        *self.masked.entry(format!("{what}: {why}")).or_default() += 1;
    }

    /// The rules that were reached and, says the table, cannot be: since the last call.
    pub(crate) fn impossible(&mut self) -> Vec<&'static str> {
        let mut found = Vec::new();
        for (row, _) in TABLE.iter().zip(&self.rows).filter(|(_, (can, cases))| !can && *cases > 0) {
            if !self.told.has(row.rule) {
                self.told.insert(row.rule);
                found.push(row.name.as_str());
            }
        }
        found
    }

    pub(crate) fn column(&self) -> reports::Reached {
        reports::Reached {
            subject: self.subject.clone(),
            compared: self.compared,
            dumps: self.dumps,
            cases: self.rows.iter().map(|&(can, cases)| (can || cases > 0).then_some(cases)).collect(),
            masked: self.masked.clone(),
        }
    }
}

#[cfg(test)]
#[path = "matrix/tests.rs"]
mod tests;
