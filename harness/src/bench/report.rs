//! Rows, as a table for people, as JSON for programs, and as docs/PERFORMANCE.md.

use super::contest::Timing;
use super::{campaign, toolbox};
use crate::progress;
use serde::Serialize;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// [`super::Name`], or `memory/` and a crafted stream.
    pub bench: String,
    /// pyc-core, and as which Python.
    pub subject: String,
    /// What it is compared with.
    pub reference: String,
    /// How many times faster the subject is; of memory: bytes allocated for each byte of the streams.
    pub ratio: Option<f64>,
    /// What the ratio was made from.
    pub figures: Option<Figures>,
    /// Why there is no ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// What a ratio was made from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Figures {
    /// Of a race.
    Time {
        /// How many streams both sides accept ...
        streams: usize,
        /// ... of how many.
        offered: usize,
        /// The accepted streams together.
        bytes: usize,
        /// Their instructions, if these were looked at.
        #[serde(skip_serializing_if = "Option::is_none")]
        instructions: Option<usize>,
        /// The rounds.
        #[serde(flatten)]
        timing: Timing,
    },
    /// Of a measurement of memory.
    Memory {
        /// How many streams there are.
        streams: usize,
        /// The streams together.
        bytes: usize,
        /// The peaks of what `read` holds, summed up.
        allocated: u64,
        /// The largest peak, as a multiple of its stream.
        worst: f64,
        /// The peaks of what `read` and `Loaded::new` hold together, summed up.
        loaded: u64,
        /// The largest of these.
        worst_loaded: f64,
    },
}

const HEADING: [&str; 10] = [
    "bench",
    "subject",
    "reference",
    "ratio",
    "range",
    "subject MB/s",
    "reference MB/s",
    "streams",
    "MB",
    "subject streams/s",
];

/// What the columns mean, for those who see nothing but the table.
const LEGEND: &str = "\
ratio: how many times faster the subject is; range: the same in single rounds.
Of memory: bytes allocated for each byte of the streams; range: in the worst of them.
";

impl Row {
    /// A row without a ratio.
    #[must_use]
    pub fn skipped(bench: String, subject: String, reference: String, reason: String) -> Row {
        Row { bench, subject, reference, ratio: None, figures: None, skipped: Some(reason) }
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.bench.clone(), self.subject.clone(), self.reference.clone()];
        cells.push(self.ratio.map_or_else(|| "-".into(), short));
        match &self.figures {
            Some(Figures::Time { streams, offered, bytes, instructions, timing }) => {
                let speed = |ms: f64| format!("{:.0}", *bytes as f64 / ms / 1e3);
                let of = if streams == offered { String::new() } else { format!(" of {offered}") };
                cells.push(format!("{}-{}", short(timing.lowest), short(timing.highest)));
                cells.extend([speed(timing.subject_ms), speed(timing.reference_ms), format!("{streams}{of}")]);
                cells.push(megabytes(*bytes));
                let a_second = |count: usize| count as f64 / timing.subject_ms * 1e3;
                cells.push(match instructions {
                    Some(count) => format!("{:.1} M instructions", a_second(*count) / 1e6),
                    None => format!("{:.0}", a_second(*streams)),
                });
            }
            Some(Figures::Memory { streams, bytes, worst, .. }) => {
                let range = if *streams > 1 { format!("up to {}", short(*worst)) } else { String::new() };
                cells.extend([range, String::new(), String::new(), streams.to_string(), megabytes(*bytes)]);
            }
            None => {
                let reason = self.skipped.as_deref().unwrap_or_default();
                cells.push(format!("skipped: {reason}"));
            }
        }
        cells.resize(HEADING.len(), String::new());
        cells
    }
}

/// A number in as many digits as mean something.
fn short(number: f64) -> String {
    let digits = [100.0, 10.0, 0.0].into_iter().position(|least| number >= least).unwrap_or(2);
    format!("{number:.digits$}")
}

fn megabytes(bytes: usize) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

fn lines(rows: &[Row]) -> Vec<Vec<String>> {
    std::iter::once(HEADING.map(String::from).to_vec()).chain(rows.iter().map(Row::cells)).collect()
}

/// The rows for a terminal. Reasons are below it: one long cell would make the table too wide for any.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let (skipped, timed): (Vec<Row>, Vec<Row>) = rows.iter().cloned().partition(|row| row.skipped.is_some());
    let mut text = progress::table(&lines(&timed)) + "\n" + LEGEND;
    for Row { bench, subject, reference, skipped, .. } in &skipped {
        text += &format!("skipped: {bench}, {subject}, {reference}: {}\n", skipped.as_deref().unwrap_or_default());
    }
    text
}

/// The rows as a table in Markdown.
fn markdown(rows: &[Row]) -> String {
    let line = |cells: &Vec<String>| format!("| {} |\n", cells.join(" | ").replace('\n', " "));
    let lines: Vec<Vec<String>> =
        lines(rows).into_iter().map(|cells| cells.iter().map(|cell| cell.replace('|', "\\|")).collect()).collect();
    let rule = "|---|---|---|--:|---|--:|--:|--:|--:|--:|\n";
    lines.iter().take(1).map(line).chain([rule.into()]).chain(lines.iter().skip(1).map(line)).collect()
}

/// Where and when the rows were measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The processor and the system.
    pub machine: String,
    /// The day.
    pub date: String,
    /// The compiler of our side and of the peers.
    pub compiler: String,
    /// Id, version and build of each interpreter.
    pub interpreters: Vec<(String, String)>,
}

/// How the section about the verifier begins.
const VERIFIER: &str = "## The verifier\n";

/// A part of docs/PERFORMANCE.md that one command measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All races, and how to read the document: it has no title of its own.
    Races,
    /// The verifier.
    Verifier,
    /// Commands on a large tree.
    Toolbox,
    /// What hunts cost.
    Hunts,
}

impl Part {
    /// In the order of the document.
    const ALL: [Part; 4] = [Part::Races, Part::Verifier, Part::Toolbox, Part::Hunts];

    fn title(self) -> Option<&'static str> {
        match self {
            Part::Races => None,
            Part::Verifier => Some(VERIFIER),
            Part::Toolbox => Some(toolbox::TITLE),
            Part::Hunts => Some(campaign::TITLE),
        }
    }

    /// The document with a text in the place of this part.
    #[must_use]
    pub fn replace(self, old: &str, text: &str) -> String {
        let mut rest = old;
        let mut parts: Vec<&str> = Vec::new();
        for part in Part::ALL.into_iter().rev() {
            let start = part.title().map_or(Some(0), |title| rest.find(title)).unwrap_or(rest.len());
            let kept = if part == self { text } else { &rest[start..] };
            parts.push(kept.trim_end());
            rest = &rest[..start];
        }
        parts.retain(|part| !part.is_empty());
        parts.reverse();
        parts.join("\n\n") + "\n"
    }
}

/// The section of docs/PERFORMANCE.md about the verifier.
#[must_use]
pub fn verifier(rows: &[Row], made: &str) -> String {
    format!(
        "{VERIFIER}
`cargo provost bench --only verify` measures this table and replaces this section: how many MB of `co_code` of the standard library
the verifier takes a second, of graphs that are read already, and, as the reference, how many are read. At least 50 are wanted.
Since 3.11 half of `co_code` are caches: of 3.6 to 3.10 more instructions and more streams a second are verified for fewer MB.

{made}

{LEGEND}
{}",
        markdown(rows)
    )
}

/// docs/PERFORMANCE.md, without the parts that have a title.
#[must_use]
pub fn document(rows: &[Row], command: &str, place: &Place) -> String {
    let Place { machine, date, compiler, interpreters } = place;
    let interpreters: String = interpreters.iter().map(|(id, build)| format!("- {id}: {build}\n")).collect();
    let interpreters = if interpreters.is_empty() { "- no interpreter was found\n".into() } else { interpreters };
    format!(
        "{HOW}\n## Where and when\n\nWritten by `{command}`.\n\n- {machine}\n- {compiler}, release build\n- {date}\n\
         {interpreters}\n## The table\n\n{LEGEND}\n{}",
        markdown(rows)
    )
}

const HOW: &str = "\
# Performance

`cargo provost bench` measures this table and writes this file; nothing in it is typed by hand. Absolute speeds belong to one
machine, so what counts are the ratios: both sides of each were measured in one run, in turn, on the same bytes.

## How it is measured

All streams are in memory before a clock starts. Both sides run in one thread. After a round of each that does not count,
rounds alternate, one of ours and one of theirs; the medians are compared, and the column *range* shows the least and the
largest ratio of two rounds that followed each other. On a quiet machine it is narrow.

CPython is timed inside itself by `bench/marshal_loads.py`, with the garbage collector off and a loop that runs in C. Only
streams that both sides accept are timed; the column *streams* says how many these are. What a read or a load makes is
dropped within the time, on both sides: ours leaves its memory to the next stream, as CPython's free lists do.

| input | streams |
|---|---|
| `stdlib` | the standard library of that interpreter, compiled at level 0 |
| `values` | records with text in several scripts, floats, short and long ints, bytes, nested dicts, as that interpreter writes them |
| `tiny` | 20000 random values of fewer than 100 bytes |
| `graphs` | for `generate` only: 20000 cases of the generator `values` |
| `streams` | for `generate` only: 20000 cases of the generator `streams` of fewer than 100 bytes |
| `seeds` | for `mutate` only: the streams of corpus/seeds of at most 16 KiB, with which fuzzers begin |
| crafted | for `memory` only, and as the newest Python only: one byte for a node, two for a container, named in the row |

| row | what is compared |
|---|---|
| `read` | `pyc_core::read_with`, to the graph, with `marshal.loads` |
| `load` | `read` and `model::Loaded::new_with`, to the value of that interpreter, with `marshal.loads` |
| `dump` | `Loaded::dump` with `marshal.dumps`, of values that are loaded already, to the interpreter's own marshal version |
| `memcpy` | a copy of the bytes with `marshal.loads`: what no reader surpasses |
| `preserve` | `Graph::write`, which gives the stream back, with a copy of the same bytes: what no writer surpasses |
| `dis` | all instructions of code objects that are loaded already, with argument, target, position, line, handler and whether something jumps there, with `dis.get_instructions` and every field of what it gives; ours makes no text of an argument, and goes through them again for a quarter of a second, as the interpreter takes seconds for them |
| `verify` | whether each code object can crash its interpreter, of graphs that are read already, with reading them; MB are those of `co_code`, of which at least 50 a second are wanted |
| `memory` | the peak of what `read` allocates, for each byte of the streams; a block that grows counts twice while it is copied |
| `generate` | making random cases, with a copy of the same cases; what is wanted is absolute: 100 000 graphs and 500 000 streams a second |
| `mutate` | mutating and crossing each stream, for the Python that its last byte chooses, with the work of `marshal_roundtrip` on what comes out; from 2.33 on, 70 % of a fuzzer's time is the target's |
| others | `read` with another reader written in Rust (the crate in `bench/peers`), on the streams that it accepts |

The other readers make different things of a stream: some read code objects only, some skip what they do not know, none
tells what the interpreter makes of it. A row says how fast they are at what they do.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn time(lowest: f64) -> Row {
        let timing = Timing { rounds: 3, subject_ms: 2.0, reference_ms: 8.0, lowest, highest: 12.34 };
        let figures = Some(Figures::Time { streams: 9, offered: 10, bytes: 4_000_000, instructions: None, timing });
        let [bench, subject, reference] = ["read/tiny", "core:3.12", "cpython:3.12"].map(String::from);
        Row { bench, subject, reference, ratio: Some(4.0), figures, skipped: None }
    }

    fn memory() -> Row {
        let (allocated, loaded) = (100, 120);
        let figures = Figures::Memory { streams: 2, bytes: 10, allocated, worst: 52.0, loaded, worst_loaded: 60.0 };
        let figures = Some(figures);
        let [bench, subject, reference] = ["memory/tiny", "core:3.12", "bytes"].map(String::from);
        Row { bench, subject, reference, ratio: Some(10.0), figures, skipped: None }
    }

    fn skipped() -> Row {
        let [bench, subject, reference] = ["py-marshal/tiny", "core:3.12", "py-marshal"].map(String::from);
        Row::skipped(bench, subject, reference, "it does not | build".into())
    }

    /// Whatever is there, a part that is written is there once, in its place, and the others stay.
    #[test]
    fn parts_of_the_document_are_replaced_one_by_one() {
        let [verifier, toolbox, hunts] =
            [VERIFIER, toolbox::TITLE, campaign::TITLE].map(|title| format!("{title}\nold\n"));
        let old = ["# Performance\n", &verifier, &toolbox, &hunts].join("\n");
        let check = |old: &str, part: Part, text: &str, expected: &[&str]| {
            assert_eq!(part.replace(old, text), expected.join("\n"), "{part:?}");
        };
        let anew = toolbox.replace("old", "new");
        check(&old, Part::Toolbox, &anew, &["# Performance\n", &verifier, &anew, &hunts]);
        check(&old, Part::Races, "# New\n", &["# New\n", &verifier, &toolbox, &hunts]);
        check(&old, Part::Hunts, &hunts, &[&old]);
        check("# Performance\n", Part::Hunts, &hunts, &["# Performance\n", &hunts]);
        check(&hunts, Part::Verifier, &verifier, &[&verifier, &hunts]);
        check("", Part::Toolbox, &anew, &[&anew]);
    }

    #[test]
    fn a_table_has_all_rows_and_reasons() {
        let table = table(&[time(3.0), memory(), skipped()]);
        for text in ["4.00  3.00-12.3", "2000", "500", "9 of 10", "4.0", "up to 52.0"] {
            assert!(table.contains(text), "no {text} in\n{table}");
        }
        assert!(table.ends_with("skipped: py-marshal/tiny, core:3.12, py-marshal: it does not | build\n"), "{table}");
    }

    #[test]
    fn json_has_one_object_for_each_row() {
        let json = |row: &Row| serde_json::to_value(row).unwrap();
        let row = json(&time(3.0));
        assert_eq!((&row["ratio"], &row["figures"]["subject_ms"]), (&4.0.into(), &2.0.into()));
        assert_eq!((&row["figures"]["streams"], row.get("skipped")), (&9.into(), None));
        assert_eq!(json(&memory())["figures"]["worst_loaded"], 60.0);
        assert_eq!(
            (&json(&skipped())["ratio"], &json(&skipped())["skipped"]),
            (&().into(), &"it does not | build".into())
        );
    }

    #[test]
    fn the_document_has_the_table_and_where_it_comes_from() {
        let place = Place {
            machine: "a machine".into(),
            date: "2026-01-31".into(),
            compiler: "rustc 1.88".into(),
            interpreters: vec![("cpython:3.12".into(), "3.12.1".into())],
        };
        let text = document(&[time(3.0), skipped()], "cargo provost bench", &place);
        let columns = |line: &str| line.replace("\\|", "").matches('|').count();
        let rows: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("| bench")).collect();
        assert_eq!(rows.len(), 4, "{text}");
        assert!(rows.iter().all(|row| columns(row) == HEADING.len() + 1), "{text}");
        for part in ["a machine", "2026-01-31", "rustc 1.88", "cpython:3.12: 3.12.1", "`cargo provost bench`"] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        assert_eq!([0.123, 1.234, 12.34, 1234.5].map(short), ["0.12", "1.23", "12.3", "1234"]);
    }
}
