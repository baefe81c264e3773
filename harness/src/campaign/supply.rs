//! Where a subject's cases come from.
//!
//! Each subject makes its own cases from the seed, a generator and an index, and from nothing that another subject does.
//! So a run repeats whatever the machine's mood was, a slow subject holds back nobody, and a run can be continued at any turn.

use super::plan::{Member, Plan};
use crate::case::{Case, Form, Origin};
use crate::corpus::Kind;
use crate::generators::execution::{self, OF_EACH};
use crate::generators::{self, Generated, Generator, Target, programs, pyc};
use crate::golden;
use crate::input::Content;
use crate::stdlib::{Cache, Item, Library};
use crate::subjects::core::payload;
use crate::subjects::{Broken, Compiled, Subject};
use arbitrary::Unstructured;
use protocol::Exception;
use reports::Level;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A batch, which is a turn or a part of one, ends when it has this many bytes.
const BYTES: usize = 1 << 20;

/// How many compiled files are given to the mutators, how many are tried for that, and how long they may be.
const BASES: usize = 12;
const BASES_TRIED: usize = 36;
const LONGEST_BASE: usize = 3 << 10;

/// Makes the cases of one subject.
pub(super) struct Supply {
    id: String,
    target: Target,
    seed: u64,
    library: Option<(Library, Cache)>,
    /// The files of the library, each at each level.
    items: Vec<Item>,
    /// The streams of the corpus, or the files that are the cases: of a .pyc file the header is one, and its stream another.
    corpus: Vec<Case>,
    /// Whether these are all the cases there are.
    is_given: bool,
    bases: Vec<Vec<u8>>,
    /// Those of the bases that the subject compiled.
    compiled: Vec<Vec<u8>>,
    /// How many cases a batch has at most.
    batch: u64,
}

/// What some indexes of a generator give.
#[derive(Default)]
pub(super) struct Batch {
    /// How many of the indexes.
    pub(super) used: u64,
    /// The cases.
    pub(super) cases: Vec<Case>,
    /// .pyc files, for what is before their streams.
    pub(super) files: Vec<Case>,
    /// Streams to be executed.
    pub(super) executed: Vec<Case>,
    /// Sources that gave no case: path or origin, and why.
    pub(super) without: Vec<(String, Without)>,
}

/// Why a source gave no case.
#[derive(Debug)]
pub(super) enum Without {
    /// The subject refuses to compile it.
    NotCompiled(Exception),
    /// Anything else, in words that follow the source's name.
    Other(String),
}

impl Without {
    /// What it is counted by.
    pub(super) fn kind(&self) -> String {
        match self {
            Without::NotCompiled(e) => format!("does not compile ({})", e.class),
            Without::Other(reason) => reason.split(':').next().unwrap_or(reason).to_owned(),
        }
    }
}

impl fmt::Display for Without {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Without::NotCompiled(e) => write!(f, "does not compile ({}): {}", e.class, e.message),
            Without::Other(reason) => f.write_str(reason),
        }
    }
}

impl Supply {
    /// Opens the subject's library; the text says what is missing.
    pub(super) fn new(plan: &Plan, member: &Member) -> (Supply, Option<(Level, String)>) {
        let from_bases = [Generator::Stdlib, Generator::Streams, Generator::Codes, Generator::Pyc];
        let wants_library = plan.generators.iter().any(|generator| from_bases.contains(generator));
        let target = member.pair.core().target();
        let mut missing = None;
        let mut library = None;
        if let (Some(facts), true) = (&member.facts, wants_library) {
            if !target.codes {
                let text = format!("{}: its code objects are its own: no case from what it compiles", member.id);
                missing = Some((Level::Info, text));
            } else {
                match Library::open(&facts.stdlib) {
                    Ok(opened) => library = Some((opened, Cache::new(&plan.cache, facts))),
                    Err(e) => {
                        let text = format!("{}: no case from its standard library: {e:#}", member.id);
                        missing = Some((Level::Warning, text));
                    }
                }
            }
        }
        let levels = [0, 1, 2];
        let items = library.as_ref().map(|(library, _)| library.items(&levels, plan.seed)).unwrap_or_default();
        let supply = Supply {
            id: member.id.clone(),
            target,
            seed: plan.seed,
            library,
            items,
            is_given: plan.inputs.is_some(),
            corpus: if let Some(folder) = &plan.inputs {
                inputs(folder)
            // A reader is to be found out by the generators alone.
            } else if plan.generators.contains(&Generator::Streams) && member.pair.core().declaration().is_none() {
                corpus(&plan.corpus, member)
            } else {
                Vec::new()
            },
            bases: Vec::new(),
            compiled: Vec::new(),
            batch: plan.batch.max(1),
        };
        (supply, missing)
    }

    /// Makes the bases of the mutators, when the first of them is wanted: compiling takes a slow subject its time.
    fn make_bases(&mut self, subject: Option<&mut (dyn Subject + 'static)>) -> Result<(), Broken> {
        self.bases = self.corpus.iter().map(|case| case.bytes.clone()).collect();
        self.bases.extend(generators::value_bases(self.target, self.seed));
        match subject {
            Some(subject) => self.add_compiled_bases(subject),
            None => Ok(()),
        }
    }

    fn add_compiled_bases(&mut self, subject: &mut dyn Subject) -> Result<(), Broken> {
        let mut found = 0;
        for index in 0..self.items.len().min(BASES_TRIED) {
            if let Ok(stream) = self.compile(index, subject)?
                && stream.len() <= LONGEST_BASE
            {
                self.compiled.push(stream);
                found += 1;
            }
            if found == BASES {
                break;
            }
        }
        self.bases.extend_from_slice(&self.compiled);
        Ok(())
    }

    /// How many indexes of a generator there are; `compiles`: whether the subject compiles what it is given.
    pub(super) fn total(&self, generator: Generator, compiles: bool) -> u64 {
        match generator {
            Generator::Streams if self.is_given => self.corpus.len() as u64,
            Generator::Stdlib if compiles => self.items.len() as u64,
            Generator::Stdlib => 0,
            Generator::Programs | Generator::Execution if !(compiles && self.target.codes) => 0,
            // A stream that is nothing but a code object says nothing about who has none of CPython's.
            Generator::Codes | Generator::Pyc if !self.target.codes => 0,
            _ => u64::MAX,
        }
    }

    /// The cases of the first of these indexes of a generator.
    pub(super) fn next(
        &mut self,
        generator: Generator,
        indexes: Range<u64>,
        subject: Option<&mut (dyn Subject + 'static)>,
    ) -> Result<Batch, Broken> {
        // Forking costs more than executing.
        let most = if generator == Generator::Execution { u64::MAX } else { self.batch };
        let indexes = indexes.start..indexes.end.min(indexes.start.saturating_add(most));
        match generator {
            Generator::Stdlib => subject.map_or_else(|| Ok(Batch::default()), |subject| self.files(indexes, subject)),
            Generator::Programs => {
                subject.map_or_else(|| Ok(Batch::default()), |subject| self.programs(indexes, subject))
            }
            Generator::Execution => {
                subject.map_or_else(|| Ok(Batch::default()), |subject| self.executions(indexes, subject))
            }
            Generator::Values | Generator::Keys => Ok(self.generated(generator, indexes)),
            Generator::Streams | Generator::Codes | Generator::Pyc => {
                if self.bases.is_empty() && !self.is_given {
                    self.make_bases(subject)?;
                }
                let is_pyc = generator == Generator::Pyc;
                Ok(if is_pyc { self.pyc_files(indexes) } else { self.generated(generator, indexes) })
            }
        }
    }

    fn generated(&self, generator: Generator, indexes: Range<u64>) -> Batch {
        // The corpus itself comes before its mutations.
        let corpus = if generator == Generator::Streams { self.corpus.as_slice() } else { &[] };
        let mut batch = Batch::default();
        let mut bytes = 0;
        for index in indexes {
            let case = match usize::try_from(index).ok().and_then(|index| corpus.get(index)) {
                Some(case) => case.clone(),
                None => {
                    let index = index - corpus.len() as u64;
                    let Generated { bytes, valid } = self.generate(generator, index);
                    Case { valid, ..Case::stream(bytes, Origin::generated(generator, self.seed, index)) }
                }
            };
            bytes += case.bytes.len();
            if case.form == Form::Stream { &mut batch.cases } else { &mut batch.files }.push(case);
            batch.used += 1;
            if bytes > BYTES {
                break;
            }
        }
        batch
    }

    fn generate(&self, generator: Generator, index: u64) -> Generated {
        let bases = if generator == Generator::Streams { &self.bases } else { &self.compiled };
        generators::generate(generator, self.target, self.seed, index, bases)
    }

    fn pyc_files(&self, indexes: Range<u64>) -> Batch {
        let used = indexes.end - indexes.start;
        let make = |index| {
            let tape = generators::tape(self.seed, Generator::Pyc.name(), index);
            let pyc::Generated { bytes, source, valid, .. } =
                pyc::generate(&mut Unstructured::new(&tape), self.target, &self.compiled);
            Case { bytes, form: Form::Pyc(source), origin: Origin::generated(Generator::Pyc, self.seed, index), valid }
        };
        Batch { used, files: indexes.map(make).collect(), ..Batch::default() }
    }

    fn files(&mut self, indexes: Range<u64>, subject: &mut dyn Subject) -> Result<Batch, Broken> {
        let mut batch = Batch::default();
        let mut bytes = 0;
        for index in indexes {
            let Ok(index) = usize::try_from(index) else { break };
            let Some(Item { path, optimize }) = self.items.get(index).cloned() else { break };
            batch.used += 1;
            match self.compile(index, subject)? {
                Ok(stream) => {
                    bytes += stream.len();
                    let origin = Origin::Compiled { interpreter: self.id.clone(), path, optimize };
                    batch.cases.push(Case { valid: true, ..Case::stream(stream, origin) });
                }
                Err(reason) => batch.without.push((path, reason)),
            }
            if bytes > BYTES {
                break;
            }
        }
        Ok(batch)
    }

    fn programs(&self, indexes: Range<u64>, subject: &mut dyn Subject) -> Result<Batch, Broken> {
        let generator = Generator::Programs;
        let mut batch = Batch { used: indexes.end - indexes.start, ..Batch::default() };
        for index in indexes {
            let origin = Origin::generated(generator, self.seed, index);
            let source = self.generate(generator, index).bytes;
            match stream(subject.compile(&programs::compile(source, index))?) {
                Ok(bytes) => batch.cases.push(Case { valid: true, ..Case::stream(bytes, origin) }),
                Err(reason) => batch.without.push((origin.to_string(), reason)),
            }
        }
        Ok(batch)
    }

    /// Small programs and what changes make of them; each of these is made of one program, and of parts of the one before.
    fn executions(&self, indexes: Range<u64>, subject: &mut dyn Subject) -> Result<Batch, Broken> {
        let mut batch = Batch { used: indexes.end - indexes.start, ..Batch::default() };
        let numbers = |indexes: &Range<u64>| indexes.start / OF_EACH..indexes.end.div_ceil(OF_EACH);
        for number in numbers(&indexes) {
            let mut compiled =
                |number| Ok(stream(subject.compile(&execution::program(self.target, self.seed, number))?));
            let (base, other) = (compiled(number)?, compiled(number.saturating_sub(1))?);
            let first = number * OF_EACH;
            let origin = |index| Origin::generated(Generator::Execution, self.seed, index);
            let base = match base {
                Ok(base) => base,
                // Told once, with the first of its cases.
                Err(reason) => {
                    let told = indexes.contains(&first).then(|| (origin(first).to_string(), reason));
                    batch.without.extend(told);
                    continue;
                }
            };
            let other = other.unwrap_or_else(|_| base.clone());
            let base = execution::Base::new(self.target, base);
            for index in first.max(indexes.start)..(first + OF_EACH).min(indexes.end) {
                let made = base.case(self.seed, index, &other);
                let origin = origin(index);
                batch.executed.extend(made.map(|bytes| Case { valid: index == first, ..Case::stream(bytes, origin) }));
            }
        }
        Ok(batch)
    }

    /// The marshal stream of a file, or why there is none.
    fn compile(&mut self, item: usize, subject: &mut dyn Subject) -> Result<Result<Vec<u8>, Without>, Broken> {
        let without = |reason: String| Ok(Err(Without::Other(reason)));
        let Some((library, cache)) = &mut self.library else { return without("no library".into()) };
        let item = &self.items[item];
        let source = match library.read(&item.path) {
            Ok(source) => source,
            Err(e) => return without(format!("cannot be read: {e:#}")),
        };
        Ok(stream(cache.compile(subject, item, source)?))
    }
}

/// The marshal stream that came of a source, or why there is none.
fn stream(compiled: Compiled) -> Result<Vec<u8>, Without> {
    match compiled {
        Compiled::Pyc(pyc) => payload(&pyc).map_err(|e| Without::Other(format!("is not a .pyc file: {e}"))),
        Compiled::Refused(e) => Err(Without::NotCompiled(e)),
        Compiled::Faulted(reason) => Err(Without::Other(format!("the compiler did not answer: {reason}"))),
    }
}

/// The cases in all files of a folder.
fn inputs(folder: &Path) -> Vec<Case> {
    // Whoever named the folder has read it before.
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    // A tape is beside the stream that it makes.
    paths.retain(|path| path.extension().is_some() || !path.with_extension("marshal").exists());
    let cases = |path: &PathBuf| {
        let (name, content) = (Path::new(path.file_name()?), Content::read(path, None).ok()?);
        // A stream may begin as a header does.
        let is_unclear = content.stream.is_none() && name.extension().is_none();
        let whole = content.import.as_ref().filter(|_| is_unclear).map(|import| import.file.clone());
        let whole = whole.map(|bytes| Case::stream(bytes, Origin::File(name.display().to_string())));
        Some(content.cases(name).into_iter().chain(whole))
    };
    paths.iter().filter_map(cases).flatten().collect()
}

/// The streams of the corpus, with their paths in it: all fixtures, and those that this very version was asked before.
fn corpus(folder: &Path, member: &Member) -> Vec<Case> {
    let mut streams = Vec::new();
    for name in Kind::ALL.map(Kind::folder) {
        // A corpus that is not there, or a folder of it, is an empty one.
        for (file, bytes) in generators::seeds(&folder.join(name)).unwrap_or_default() {
            // What is no .pyc file in spite of its name is still bytes to start from.
            let stream = if file.ends_with(".pyc") { payload(&bytes).unwrap_or(bytes) } else { bytes };
            streams.push((format!("corpus/{name}/{file}"), stream));
        }
    }
    let version = member.facts.as_ref().map(|facts| facts.version.as_str()).unwrap_or_default();
    if let Ok((_, entries)) = golden::open(&folder.join("golden").join(format!("{version}.jsonl"))) {
        // Those that stand there for the sake of a file are here already.
        let own =
            entries.into_iter().filter(|entry| !entry.from.ends_with(".marshal") && !entry.from.ends_with(".pyc"));
        streams.extend(own.map(|entry| (format!("corpus/golden/{version}.jsonl: {}", entry.from), entry.bytes())));
    }
    streams.into_iter().map(|(name, bytes)| Case::stream(bytes, Origin::File(name))).collect()
}
