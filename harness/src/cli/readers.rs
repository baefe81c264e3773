//! `provost readers`: asks every reader that comes with Provost about everything, and writes docs/READERS.md and docs/FOUND.md.

use super::adapter::places;
use super::{Places, root, target_dir, workspace, write_document};
use crate::comparison::Pair;
use crate::observation::Observation;
use crate::oracle::{Came, Verdict};
use crate::progress::table;
use crate::readers::found::{self, Found};
use crate::readers::{Plan, Row, ask, document, page};
use crate::stdlib::{Cache, Library};
use crate::subjects::core::{Core, payload};
use crate::subjects::{Compiled, Reality, Subject};
use anyhow::Result;
use clap::Args;
use interpreters::{Interpreter, Limits, adapters};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Arguments of `readers`.
#[derive(Debug, Args)]
pub(crate) struct Readers {
    /// Only these readers: names, or programs that speak interpreters/EXEC.md (repeatable) [default: all that come with Provost]
    #[arg(long, value_name = "PROGRAM")]
    adapter: Vec<String>,
    /// How many valid and how many damaged streams each reader gets, over all its Pythons
    #[arg(long, default_value_t = 20_000)]
    cases: u64,
    /// How many files of each standard library at most [default: all]
    #[arg(long)]
    files: Option<usize>,
    /// Decides the streams
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many readers are asked at the same time [default: one for each processor]
    #[arg(long)]
    jobs: Option<usize>,
    /// Only ask the readers about the bugs in corpus/found, and write docs/FOUND.md
    #[arg(long)]
    found: bool,
    /// Where to write what came of it [default: docs/READERS.md, if all readers were asked]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where to write the matrix as a page, each cell of which leads to its smallest case [default: reports/out/readers.html, if
    /// all readers were asked]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
}

impl Readers {
    /// Exit status 1 if a bug of corpus/found is gone, 2 if an adapter gives answers that cannot be used.
    pub(crate) fn run(&self) -> Result<u8> {
        let all = ["all".to_owned()];
        let named: &[String] = if self.adapter.is_empty() { &all } else { &self.adapter };
        let mut skipped = Vec::new();
        let commands =
            places().commands(named, &mut |name, reason| skipped.push((name.to_owned(), reason.to_owned())))?;
        let (home, _) = workspace(true);
        let readers = adapters(&commands, &home, &Limits::default());
        skipped.extend(readers.unusable.into_iter().map(|one| (one.what, one.reason)));
        let bugs = found::read(&root().join("corpus").join("found"))?;
        let gone = self.again(&bugs, &readers.interpreters)?;
        if self.adapter.is_empty() {
            let path = root().join("docs").join("FOUND.md");
            write_document(&path, &found::document(&bugs))?;
            println!("{}: {} bugs", path.display(), bugs.len());
        }
        let mut garbled = 0;
        if !self.found {
            let jobs = self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
            let plan =
                Plan { seed: self.seed, cases: self.cases, jobs, libraries: self.libraries(&readers.interpreters)? };
            let rows = ask(&readers.interpreters, &plan, &|row| eprintln!("{}:{} is done", row.reader, row.python))?;
            print!("{}", summary(&rows));
            garbled = rows.iter().map(garbled_answers).sum();
            if garbled > 0 {
                println!("{garbled} answers are not as interpreters/EXEC.md says; the first of each adapter:");
                for row in &rows {
                    row.garbled.iter().for_each(|why| println!("{}:{}: {why}", row.reader, row.python));
                }
            }
            self.write(self.out.as_deref(), &["docs", "READERS.md"], || {
                document(&rows, &skipped, self.seed, self.cases, self.files)
            })?;
            self.write(self.report.as_deref(), &["reports", "out", "readers.html"], || {
                page(&rows, self.seed, self.cases)
            })?;
        }
        skipped.iter().for_each(|(name, reason)| println!("{name}: skipped: {reason}"));
        Ok(if garbled > 0 { 2 } else { u8::from(gone > 0) })
    }

    /// Writes a text where it is wanted; to its usual place if all readers were asked.
    fn write(&self, wanted: Option<&Path>, usual: &[&str], text: impl FnOnce() -> String) -> Result<()> {
        let usual = || self.adapter.is_empty().then(|| root().join(usual.iter().collect::<PathBuf>()));
        let Some(path) = wanted.map(Path::to_path_buf).or_else(usual) else { return Ok(()) };
        write_document(&path, &text())?;
        println!("{}", path.display());
        Ok(())
    }

    /// Asks again what was found, and says what is gone.
    fn again(&self, bugs: &[Found], readers: &[Interpreter]) -> Result<usize> {
        let pythons = if bugs.iter().any(is_python) && self.adapter.is_empty() {
            // An embedded interpreter executes nothing.
            self.places.scripts().found.interpreters
        } else {
            Vec::new()
        };
        let mut gone = 0;
        for bug in bugs {
            let among = if is_python(bug) { &pythons } else { readers };
            let mut asked = false;
            for interpreter in among.iter().filter(|one| bug.is_about(&one.facts)) {
                if bug.is_executed() {
                    asked |= interpreter.clone().executing().is_ok();
                    gone += usize::from(!still_dies(bug, interpreter)?);
                    continue;
                }
                let core = Core::for_interpreter(interpreter).map_err(anyhow::Error::msg)?;
                let subject = Box::new(Reality::new(interpreter, Limits::default()));
                let mut pair = Pair::new(&interpreter.facts.implementation, core, subject);
                let compared = pair.compare(&bug.bytes)?;
                let shown = match &compared.verdict {
                    Verdict::Diverge(divergence) => divergence.signature.path.clone(),
                    Verdict::Refused(cause) | Verdict::Inconclusive(cause) => cause.clone(),
                    Verdict::Agree => "agree".to_owned(),
                };
                let came = Came::of(&compared.observation, &compared.verdict).to_string();
                asked = true;
                let is_dead = matches!(compared.observation, Observation::Faulted(_));
                let is_the_same = match is_python(bug) {
                    true => is_dead == (bug.about.came == "crashed"),
                    false => came == bug.about.came,
                };
                if shown != bug.about.path || !is_the_same {
                    println!(
                        "{}: gone: {} shows {came} at {shown}, not {} at {}",
                        bug.name, interpreter.id, bug.about.came, bug.about.path
                    );
                    gone += 1;
                }
            }
            if !asked {
                println!(
                    "{}: nobody is there to be asked about {} {}",
                    bug.name,
                    bug.about.reader,
                    bug.about.versions.join(", ")
                );
            }
        }
        Ok(gone)
    }

    /// The standard library of each version that a reader reads, where its CPython is there.
    fn libraries(&self, readers: &[Interpreter]) -> Result<BTreeMap<String, Vec<Vec<u8>>>> {
        let mut libraries = BTreeMap::new();
        for one in self.places.natives().found.interpreters {
            let (major, minor, ..) = one.facts.version_info;
            let python = format!("{major}.{minor}");
            let is_wanted =
                one.facts.implementation == "cpython" && !one.facts.debug && !libraries.contains_key(&python);
            if !is_wanted || !readers.iter().any(|reader| reader.facts.version == python) {
                continue;
            }
            let Ok(mut library) = Library::open(&one.facts.stdlib) else { continue };
            let cache = Cache::new(&target_dir().join("provost").join("stdlib"), &one.facts);
            let mut subject = Reality::new(&one, Limits::default());
            let mut streams = Vec::new();
            for item in library.items(&[0], self.seed) {
                if self.files.is_some_and(|most| streams.len() >= most) {
                    break;
                }
                let source = library.read(&item.path)?;
                // The library has files that are not meant to compile.
                if let Compiled::Pyc(pyc) = cache.compile(&mut subject, &item, source)? {
                    streams.push(payload(&pyc).map_err(anyhow::Error::msg)?);
                }
            }
            libraries.insert(python, streams);
        }
        Ok(libraries)
    }
}

/// Whether a bug that shows in what is executed is still there, as far as this interpreter can be asked.
fn still_dies(bug: &Found, interpreter: &Interpreter) -> Result<bool> {
    let Ok(executing) = interpreter.clone().executing() else { return Ok(true) };
    let observed = Reality::new(&executing, Limits::default()).execute(std::slice::from_ref(&bug.bytes))?;
    let dies = matches!(observed[..], [Observation::Faulted(_)]);
    if !dies {
        println!("{}: gone: {} does not die of it", bug.name, interpreter.id);
    }
    Ok(dies)
}

fn is_python(bug: &Found) -> bool {
    matches!(bug.about.reader.as_str(), "cpython" | "pypy")
}

fn summary(rows: &[Row]) -> String {
    let mut lines = vec![vec!["reader".to_owned(), "asked".to_owned()]];
    lines[0].extend(Came::ALL.iter().map(ToString::to_string));
    for row in rows {
        let count = |came| [&row.valid, &row.damaged].iter().filter_map(|ends| ends.get(&came)).sum::<u64>();
        let counts: Vec<u64> = Came::ALL.into_iter().map(count).collect();
        let mut line = vec![format!("{}:{}", row.reader, row.python), counts.iter().sum::<u64>().to_string()];
        line.extend(counts.iter().map(u64::to_string));
        lines.push(line);
    }
    table(&lines)
}

fn garbled_answers(row: &Row) -> u64 {
    [&row.valid, &row.damaged, &row.library].iter().filter_map(|ends| ends.get(&Came::Garbled)).sum()
}
