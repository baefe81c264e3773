//! What every reader does with everything: docs/READERS.md, and docs/FOUND.md beside it.
//!
//! A reader is asked, Python by Python, about valid generated streams, about damaged ones, and about a whole standard library.
//! Cases come from the generators alone: no corpus and no stream that somebody wrote down.

mod document;
pub mod found;

pub use document::{document, page};

use crate::case::sha256_hex;
use crate::comparison::{Compared, Pair};
use crate::generators::{self, Generator};
use crate::matrix;
use crate::observation::{Accepted, Dump, Observation};
use crate::oracle::{Came, Verdict};
use crate::subjects::Reality;
use crate::subjects::core::Core;
use anyhow::{Result, anyhow};
use interpreters::{Interpreter, Limits};
use protocol::CanonMode;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Where the cases come from, in turn.
const GENERATORS: [Generator; 3] = [Generator::Values, Generator::Streams, Generator::Codes];

/// How much CPU time a case may take here: of what hangs there may be many.
const CASE: Duration = Duration::from_secs(2);

/// How many cases may hang before a reader is asked no more.
const HANGS: u64 = 20;

/// How long a reader is asked about generated cases as one Python. Where each end of its process costs seconds, as with Java, it takes
/// hours otherwise.
const LONGEST: Duration = Duration::from_secs(300);

/// What to ask.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides the cases.
    pub seed: u64,
    /// How many valid ones, and how many damaged ones, each reader gets over all its Pythons.
    pub cases: u64,
    /// How many readers are asked at the same time.
    pub jobs: usize,
    /// The streams of each standard library, by version.
    pub libraries: BTreeMap<String, Vec<Vec<u8>>>,
}

/// How often a case came to each end.
pub type Ends = BTreeMap<Came, u64>;

/// What came of a reader as one of a Python.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// What the reader is called.
    pub reader: String,
    /// Its release.
    pub version: String,
    /// Whose streams it was given.
    pub python: String,
    /// The generated streams that are valid.
    pub valid: Ends,
    /// Those that are not.
    pub damaged: Ends,
    /// The files of the standard library.
    pub library: Ends,
    /// How many files were written, and how many of them as they were.
    pub rewritten: [u64; 2],
    /// All generated streams, by the groups of rules that they reach.
    pub groups: BTreeMap<&'static str, Ends>,
    /// The smallest of them that is not right, by group.
    pub smallest: BTreeMap<&'static str, Smallest>,
    /// The most memory that it took for a case, in bytes.
    pub memory: u64,
    /// Why the first answer that cannot be used cannot.
    pub garbled: Option<String>,
    /// Why it was not asked to the end, if so.
    pub stopped: Option<String>,
}

/// A stream that is not read as CPython reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smallest {
    /// The stream.
    pub stream: Vec<u8>,
    /// What came of it.
    pub came: Came,
    /// Where they differ first, what CPython says there, and what the reader says.
    pub sides: [String; 3],
}

/// Asks all of them; `told` hears of each that is done.
///
/// # Errors
/// When pyc-core has no profile for a Python.
pub fn ask(interpreters: &[Interpreter], plan: &Plan, told: &(dyn Fn(&Row) + Sync)) -> Result<Vec<Row>> {
    // A reader of one Python has all its cases there and takes longest: if it came last, nothing would be done beside it.
    let mut order: Vec<usize> = (0..interpreters.len()).collect();
    order.sort_by_key(|index| interpreters[*index].declaration().map_or(0, |declared| declared.pythons.len()));
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<(usize, Result<Row>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            scope.spawn(|| {
                while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = ask_one(&interpreters[*index], plan);
                    row.iter().for_each(told);
                    rows.lock().expect("nobody panics with it").push((*index, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().expect("nobody panics with it");
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn ask_one(interpreter: &Interpreter, plan: &Plan) -> Result<Row> {
    let declaration = interpreter.declaration().ok_or_else(|| anyhow!("{} is no adapter", interpreter.id))?;
    let core = Core::for_interpreter(interpreter).map_err(|e| anyhow!(e))?;
    let limits = Limits { case_cpu: CASE, ..Limits::default() };
    let mut row = Row {
        reader: declaration.name.clone(),
        version: declaration.version.clone(),
        python: interpreter.facts.version.clone(),
        ..Row::default()
    };
    let target = core.target();
    let subject = Reality::new(interpreter, limits);
    let pair = Pair::new(&declaration.name, core, Box::new(subject));
    let mut asked = Asked { pair, row: &mut row };
    let share = plan.cases.div_ceil(declaration.pythons.len() as u64);
    let bases: Vec<Vec<u8>> = generators::value_bases(target, plan.seed).collect();
    let done = asked.library(plan.libraries.get(&interpreter.facts.version).map_or(&[], Vec::as_slice));
    let begin = Instant::now();
    let done = done.and_then(|()| {
        for index in 0.. {
            for generator in GENERATORS {
                let bases = if generator == Generator::Streams { bases.as_slice() } else { &[] };
                asked.generated(&generators::generate(generator, target, plan.seed, index, bases).bytes, share)?;
            }
            let full = |ends: &Ends| ends.values().sum::<u64>() >= share;
            if full(&asked.row.valid) && full(&asked.row.damaged) {
                return Ok(None);
            }
            if let Some(why) = asked.is_enough(begin) {
                return Ok(Some(why));
            }
        }
        Ok(None)
    });
    let memory = asked.pair.subject().map_or(0, |subject| subject.most_memory());
    row.memory = memory;
    row.stopped = done.unwrap_or_else(|broken| Some(broken.to_string()));
    Ok(row)
}

struct Asked<'a> {
    pair: Pair,
    row: &'a mut Row,
}

impl Asked<'_> {
    /// Why it is asked no more about generated cases, if so, which began then.
    fn is_enough(&self, begin: Instant) -> Option<String> {
        let hung = |ends: &Ends| ends.get(&Came::Hung).copied().unwrap_or(0);
        if hung(&self.row.valid) + hung(&self.row.damaged) >= HANGS {
            return Some(format!("{HANGS} cases hung"));
        }
        (begin.elapsed() >= LONGEST).then(|| format!("it took {} minutes", LONGEST.as_secs() / 60))
    }

    /// One stream: what came of it.
    fn compare(&mut self, stream: &[u8]) -> Result<(Came, Compared), crate::subjects::Broken> {
        let core = self.pair.core();
        let prediction = core.predict_about(stream, &core.sample(stream));
        let observation = match self.pair.question(&prediction) {
            Ok(question) => self.pair.ask_one(&question, stream, CanonMode::Text)?,
            Err(why) => Observation::Skipped(why.to_string()),
        };
        let verdict = self.pair.judge(&prediction, &observation);
        let came = Came::of(&observation, &verdict);
        if let (Came::Garbled, Verdict::Inconclusive(why)) = (came, &verdict) {
            self.row
                .garbled
                .get_or_insert_with(|| format!("{why}, for {} bytes, sha256 {}", stream.len(), sha256_hex(stream)));
        }
        Ok((came, Compared { prediction, observation, verdict }))
    }

    fn library(&mut self, streams: &[Vec<u8>]) -> Result<(), crate::subjects::Broken> {
        for stream in streams {
            let (came, compared) = self.compare(stream)?;
            *self.row.library.entry(came).or_default() += 1;
            if let Observation::Accepted(Accepted { dumps, .. }) = compared.observation
                && let Some((_, Dump::Bytes { bytes, .. })) = dumps.first()
            {
                self.row.rewritten[0] += 1;
                self.row.rewritten[1] += u64::from(bytes == stream);
            }
        }
        Ok(())
    }

    /// A generated stream, if there are not enough of its sort.
    fn generated(&mut self, stream: &[u8], share: u64) -> Result<(), crate::subjects::Broken> {
        let is_valid = match self.pair.core().read(stream) {
            Observation::Accepted(_) => true,
            Observation::Rejected(_) => false,
            _ => return Ok(()),
        };
        let ends = if is_valid { &self.row.valid } else { &self.row.damaged };
        if ends.values().sum::<u64>() >= share {
            return Ok(());
        }
        let (came, compared) = self.compare(stream)?;
        let ends = if is_valid { &mut self.row.valid } else { &mut self.row.damaged };
        *ends.entry(came).or_default() += 1;
        let mut groups: Vec<&'static str> =
            compared.prediction.reached.rows().map(|row| matrix::label(row).0).collect();
        groups.dedup();
        groups.sort_unstable();
        groups.dedup();
        for group in groups {
            *self.row.groups.entry(group).or_default().entry(came).or_default() += 1;
            let is_smaller = self.row.smallest.get(group).is_none_or(|smallest| stream.len() < smallest.stream.len());
            if came.is_fault() && is_smaller {
                let smallest = Smallest { stream: stream.to_vec(), came, sides: sides(&compared) };
                self.row.smallest.insert(group, smallest);
            }
        }
        Ok(())
    }
}

/// Where both sides differ first, and what each says there.
fn sides(compared: &Compared) -> [String; 3] {
    match &compared.verdict {
        Verdict::Diverge(divergence) => [divergence.at.clone(), divergence.core.clone(), divergence.subject.clone()],
        _ => [String::new(), compared.prediction.observation.to_string(), compared.observation.to_string()],
    }
}
