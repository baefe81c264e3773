//! `provost faults`: whether the generators find bugs that are known to be there.

use super::{Places, mutants, root, smallest, target_dir};
use crate::corpus::cover::caught;
use crate::corpus::{self, Fixture};
use crate::faults::report::{Terms, document, summary, table};
use crate::faults::{Contest, Fault};
use crate::progress;
use crate::stdlib::{Cache, Library};
use crate::subjects::core::{Core, payload};
use crate::subjects::{Compiled, Reality};
use anyhow::{Context, Result, bail};
use clap::Args;
use interpreters::{Found, Interpreter, Limits};
use pyc_core::Profile;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How many compiled files of a version the baseline mutates, and how long they may be.
const FILES: usize = 48;
const LONGEST: usize = 16 << 10;

/// Arguments of `faults`.
#[derive(Debug, Args)]
pub(crate) struct Faults {
    /// Only these faults (repeatable)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The seeds of the campaigns
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3])]
    seeds: Vec<u64>,
    /// How many cases each generator makes from each seed [default: 100000, with --minimize 1000]
    #[arg(long)]
    cases: Option<u64>,
    /// Minimize the first cases that show each fault, and compare with the smallest there are; no table is written
    #[arg(long)]
    minimize: bool,
    /// Also plant so many random pairs of faults together, and count the findings of each
    #[arg(long, value_name = "N", requires = "minimize")]
    pairs: Option<usize>,
    /// Look for the smallest streams that show each fault, among all of up to so many bytes (6: ten minutes), and for shorter
    /// ones near those that are longer
    #[arg(long, value_name = "BYTES", conflicts_with_all = ["minimize", "corpus", "json"])]
    search: Option<usize>,
    /// In place of planted faults, all mutants of pyc-core that cargo-mutants names (docs/MUTANTS.md; builds them first)
    #[arg(long, conflicts_with_all = ["only", "minimize", "search", "corpus", "cache"])]
    mutants: bool,
    /// One JSON object for each fault
    #[arg(long)]
    json: bool,
    /// Ask the fixtures of the corpus instead of the generators; writes no file
    #[arg(long, conflicts_with_all = ["seeds", "cases", "out", "cache"])]
    corpus: bool,
    /// Where to write the table, as Markdown [default: docs/FAULTS.md, with --mutants the last section of docs/MUTANTS.md, unless
    /// --only, --seeds or --cases is given]
    #[arg(long, value_name = "PATH", conflicts_with = "no_write")]
    out: Option<PathBuf>,
    /// Write no file
    #[arg(long)]
    no_write: bool,
    /// The folder that keeps compiled standard libraries [default: in the target folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
}

/// A fault, and the shortest fixture that shows it.
#[derive(Debug, Serialize)]
struct Caught {
    name: &'static str,
    what: &'static str,
    cause: &'static str,
    caught_by: Option<String>,
    length: Option<usize>,
    python: Option<String>,
}

impl Caught {
    fn cells(&self) -> Vec<String> {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        let length = self.length.map(|length| length.to_string());
        vec![self.name.to_owned(), or_none(&self.python), or_none(&length), or_none(&self.caught_by)]
    }
}

impl Faults {
    /// Exit status 0 if all generators together find every fault from every seed, 1 if not, 2 if an interpreter
    /// that was named cannot be used.
    pub(crate) fn run(&self) -> Result<u8> {
        if self.mutants {
            let arguments = mutants::Arguments {
                seeds: &self.seeds,
                cases: self.cases(),
                json: self.json,
                is_whole: self.is_whole(),
                document: self.file("MUTANTS.md"),
            };
            return mutants::run(&arguments);
        }
        let faults = self.chosen()?;
        if self.corpus {
            return self.run_corpus(faults);
        }
        if let Some(longest) = self.search {
            return smallest::search(&faults, longest);
        }
        if self.minimize {
            let pairs = self.pairs.unwrap_or(0);
            let is_default = self.only.is_empty() && self.seeds == [1, 2, 3] && self.cases.is_none();
            let terms = smallest::Terms { seeds: &self.seeds, cases: self.cases(), pairs, json: self.json, is_default };
            return smallest::minimize(&faults, &terms);
        }
        let found = self.places.scripts().whole()?.found;
        let cache = self.cache.clone().unwrap_or_else(|| target_dir().join("provost").join("stdlib"));
        let corpus = root().join("corpus");
        let mut from_corpus = Vec::new();
        let contest = Contest::new(faults, self.seeds.clone(), self.cases(), &corpus, |profile| {
            compiled(&found, profile, &cache).unwrap_or_else(|e| {
                eprintln!("{}: the baseline mutates the compiled file of corpus/seeds: {e:#}", profile.version);
                from_corpus.push(profile.version.to_string());
                Vec::new()
            })
        })
        .context("cannot read corpus/seeds")?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let told = Mutex::new(0);
        let rows = contest.run(threads, &|run, runs| {
            let tenth = 10 * run / runs;
            let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if tenth > *told {
                *told = tenth;
                eprintln!("{tenth}0 % of the cases");
            }
        });
        let files = match from_corpus.len() {
            0 => "files of the standard library".to_owned(),
            _ => format!("files of the standard library (of {}: of corpus/seeds)", from_corpus.join(", ")),
        };
        let terms = Terms { seeds: self.seeds.clone(), cases: self.cases(), files };
        let mut out = std::io::stdout().lock();
        if self.json {
            for row in &rows {
                writeln!(out, "{}", row.json(&terms)?)?;
            }
        } else {
            writeln!(out, "{}\n{}", table(&rows), summary(&rows, &terms))?;
        }
        if let Some(path) = self.file("FAULTS.md") {
            std::fs::write(&path, document(&rows, &terms, &self.command()))
                .with_context(|| format!("cannot write {}", path.display()))?;
            eprintln!("written {}", path.display());
        }
        Ok(u8::from(!rows.iter().all(crate::faults::Row::is_found)))
    }

    /// Exit status 0 if each fault is caught by a fixture, 1 if not.
    fn run_corpus(&self, faults: Vec<&'static Fault>) -> Result<u8> {
        let fixtures = corpus::all(&root().join("corpus"))?;
        let streams: Vec<Vec<u8>> = fixtures.iter().map(Fixture::stream).collect();
        let caught: Vec<Caught> = caught(&streams, faults.into_iter())
            .into_iter()
            .map(|(fault, by)| Caught {
                name: fault.name,
                what: fault.what,
                cause: fault.cause,
                caught_by: by.map(|(index, _)| fixtures[index].name.clone()),
                length: by.map(|(index, _)| streams[index].len()),
                python: by.map(|(_, profile)| profile.version.to_string()),
            })
            .collect();
        let mut out = std::io::stdout().lock();
        if self.json {
            for row in &caught {
                writeln!(out, "{}", serde_json::to_string(row)?)?;
            }
        } else {
            let found = caught.iter().filter(|row| row.caught_by.is_some()).count();
            let rows: Vec<Vec<String>> =
                std::iter::once(["fault", "python", "bytes", "caught by"].map(String::from).to_vec())
                    .chain(caught.iter().map(Caught::cells))
                    .collect();
            writeln!(out, "{}\nThe corpus catches {found} of {} faults.", progress::table(&rows), caught.len())?;
        }
        Ok(u8::from(caught.iter().any(|row| row.caught_by.is_none())))
    }

    fn cases(&self) -> u64 {
        self.cases.unwrap_or(if self.minimize { 1_000 } else { 100_000 })
    }

    fn chosen(&self) -> Result<Vec<&'static Fault>> {
        if let Some(unknown) = self.only.iter().find(|name| !Fault::all().any(|fault| fault.name == **name)) {
            let names: Vec<&str> = Fault::all().map(|fault| fault.name).collect();
            bail!("--only: no fault is called {unknown:?}; there are {}", names.join(", "));
        }
        let wanted = |fault: &&Fault| self.only.is_empty() || self.only.iter().any(|name| name == fault.name);
        Ok(Fault::all().filter(wanted).collect())
    }

    fn command(&self) -> String {
        let only: String = self.only.iter().map(|name| format!(" --only {name}")).collect();
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        format!("cargo provost faults --seeds {} --cases {}{only}", seeds.join(","), self.cases())
    }

    /// A part of the table must not take the place of the whole.
    fn is_whole(&self) -> bool {
        self.only.is_empty() && self.seeds == [1, 2, 3] && self.cases() == 100_000
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        self.out.clone().or_else(|| (self.is_whole() && !self.no_write).then(|| root().join("docs").join(name)))
    }
}

/// Compiled files of this version's standard library.
fn compiled(found: &Found, profile: &Profile, cache: &Path) -> Result<Vec<Vec<u8>>> {
    let is_of = |one: &&Interpreter| {
        Core::of(&one.facts).is_ok_and(|core| core.is_model() && core.profile().version == profile.version)
    };
    let interpreter = found.interpreters.iter().find(is_of).context("no interpreter was found")?;
    let mut library = Library::open(&interpreter.facts.stdlib)?;
    let cache = Cache::new(cache, &interpreter.facts);
    let mut subject = Reality::new(interpreter, Limits::default());
    let mut files = Vec::new();
    for item in library.items(&[0], 0) {
        let source = library.read(&item.path)?;
        // The standard library has files that are not meant to compile.
        if let Compiled::Pyc(pyc) = cache.compile(&mut subject, &item, source)? {
            files.extend(payload(&pyc).ok().filter(|stream| stream.len() <= LONGEST));
        }
        if files.len() == FILES {
            break;
        }
    }
    Ok(files)
}
