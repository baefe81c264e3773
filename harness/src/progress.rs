//! What a person sees while a campaign runs, and the tables at its end.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use reports::Counts;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often lines are printed where they cannot be overwritten.
const PLAIN: Duration = Duration::from_secs(10);

/// The sums of one subject over all generators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Cases that it was given.
    pub cases: u64,
    /// Cases that an oracle decided.
    pub compared: u64,
    /// Compared, without any divergence.
    pub agreed: u64,
    /// Compared, with divergences that are all listed.
    pub expected: u64,
    /// Compared, with a divergence that is not listed.
    pub diverged: u64,
    /// Nothing could be said.
    pub inconclusive: u64,
    /// Not asked.
    pub skipped: u64,
    /// Not answered.
    pub faulted: u64,
    /// Of which also the instructions were compared.
    pub instructions: u64,
    /// Processes started in place of one that died.
    pub restarts: u64,
    /// Time spent, in milliseconds.
    pub ms: u64,
}

impl Totals {
    /// The sum of some counts.
    pub fn of<'a>(counts: impl IntoIterator<Item = &'a Counts>) -> Totals {
        counts.into_iter().fold(Totals::default(), |t, c| Totals {
            cases: t.cases + c.cases,
            compared: t.compared + c.compared,
            agreed: t.agreed + c.agreed,
            expected: t.expected + c.expected,
            diverged: t.diverged + c.diverged,
            inconclusive: t.inconclusive + c.inconclusive.values().sum::<u64>(),
            skipped: t.skipped + c.skipped.values().sum::<u64>(),
            faulted: t.faulted + c.faulted,
            instructions: t.instructions + c.instructions,
            restarts: t.restarts + c.restarts,
            ms: t.ms + c.ms,
        })
    }
}

/// A live display: one line that is overwritten, and one for each subject; plain lines where there is no terminal.
pub struct Progress {
    begin: Instant,
    time: Option<Duration>,
    totals: BTreeMap<String, Totals>,
    findings: usize,
    unexpected: usize,
    display: Display,
}

enum Display {
    Live { head: ProgressBar, lines: BTreeMap<String, ProgressBar>, _all: MultiProgress },
    Plain { last: Instant },
}

impl Progress {
    /// A display for these subjects; `time` is when it will be over.
    #[must_use]
    pub fn new(subjects: &[String], time: Option<Duration>) -> Progress {
        let display = if std::io::stderr().is_terminal() {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(4));
            let style = |template: &str| {
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
            };
            let bar = |template: &str| all.add(ProgressBar::new_spinner().with_style(style(template)));
            let head = bar("{spinner} {msg}");
            head.enable_steady_tick(Duration::from_millis(250));
            let lines = subjects.iter().map(|id| (id.clone(), bar("  {msg}"))).collect();
            Display::Live { head, lines, _all: all }
        } else {
            Display::Plain { last: Instant::now() }
        };
        let totals = subjects.iter().map(|id| (id.clone(), Totals::default())).collect();
        Progress { begin: Instant::now(), time, totals, findings: 0, unexpected: 0, display }
    }

    /// New numbers for one subject, and the number of findings, in all and not listed.
    pub fn update(&mut self, subject: Option<(&str, Totals)>, findings: usize, unexpected: usize) {
        (self.findings, self.unexpected) = (findings, unexpected);
        if let Some((id, totals)) = subject {
            self.totals.insert(id.into(), totals);
        }
        let head = self.head();
        let text = |id: &str, t: &Totals| {
            format!(
                "{id:<16} {:>8} compared {:>7} skipped {:>4} faulted",
                t.compared,
                t.skipped + t.inconclusive,
                t.faulted
            )
        };
        match &mut self.display {
            Display::Live { head: bar, lines, .. } => {
                bar.set_message(head);
                if let Some((id, totals)) = subject
                    && let Some(line) = lines.get(id)
                {
                    line.set_message(text(id, &totals));
                }
            }
            Display::Plain { last } => {
                if last.elapsed() >= PLAIN {
                    *last = Instant::now();
                    let each = |(id, t): (&String, &Totals)| {
                        format!("{id} {}/{}/{}", t.compared, t.skipped + t.inconclusive, t.faulted)
                    };
                    let subjects: Vec<String> = self.totals.iter().map(each).collect();
                    eprintln!("{head}; compared/skipped/faulted: {}", subjects.join(", "));
                }
            }
        }
    }

    fn head(&self) -> String {
        let elapsed = self.begin.elapsed();
        let cases: u64 = self.totals.values().map(|t| t.cases).sum();
        let rate = u128::from(cases) * 1000 / elapsed.as_millis().max(1);
        let clock = |time: Duration| format!("{:02}:{:02}", time.as_secs() / 60, time.as_secs() % 60);
        let of = self.time.map_or(String::new(), |time| format!(" of {}", clock(time)));
        let known = self.findings - self.unexpected;
        let findings = match known {
            0 => format!("{} findings", self.unexpected),
            _ => format!("{} findings, {known} that are expected or have the same cause", self.unexpected),
        };
        format!("{}{of}  {cases} cases  {rate}/s  {findings}", clock(elapsed))
    }

    /// Takes the display away.
    pub fn finish(&self) {
        if let Display::Live { head, lines, .. } = &self.display {
            lines.values().for_each(ProgressBar::finish_and_clear);
            head.finish_and_clear();
        }
    }
}

/// Rows of equal length as text with aligned columns; the first row is the heading. The first column and those whose cells
/// are not all numbers are aligned to the left.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let is_number = |cell: &String| cell.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '%');
    let to_the_right = |column: usize| column > 0 && rows.iter().skip(1).map(|row| &row[column]).all(is_number);
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<String> = (0..columns)
            .map(|column| {
                let (cell, width) = (&row[column], width(column));
                if to_the_right(column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            })
            .collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
        if index == 0 {
            let total = (0..columns).map(width).sum::<usize>() + 2 * columns.saturating_sub(1);
            text += &"-".repeat(total);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let rows = [["id", "n", "what"], ["a", "10", "x"], ["abc", "9", "yy"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|&cell| cell.into()).collect()).collect();
        assert_eq!(table(&rows), "id    n  what\n-------------\na    10  x\nabc   9  yy\n");
    }

    #[test]
    fn totals_add_up_over_generators() {
        let reasons = |n| [("why".to_owned(), n), ("because".to_owned(), 1)].into();
        let one = Counts { cases: 5, compared: 2, agreed: 2, inconclusive: reasons(2), ..Counts::default() };
        let two = Counts { cases: 4, skipped: reasons(3), ..Counts::default() };
        let totals = Totals::of([&one, &two]);
        let expected = Totals { cases: 9, compared: 2, agreed: 2, inconclusive: 3, skipped: 4, ..Totals::default() };
        assert_eq!(totals, expected);
    }
}
