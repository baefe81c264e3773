//! Where a subject's cases come from.
//!
//! Each subject makes its own cases from the seed, a generator and an index, and from nothing that another subject does.
//! So a run repeats whatever the machine's mood was, and a slow subject holds back nobody.

use super::plan::{Member, Plan};
use crate::case::{Case, Form, Origin};
use crate::corpus::Kind;
use crate::generators::{self, Generated, Generator, Target, programs, pyc};
use crate::golden;
use crate::stdlib::{Cache, Item, Library};
use crate::subjects::core::payload;
use crate::subjects::{Broken, Compiled, Subject};
use arbitrary::Unstructured;
use protocol::Exception;
use reports::Level;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

/// A batch ends when it has this many generated cases ...
const CASES: u64 = 64;
/// ... or this many compiled files in a run that takes all of them ...
const FILES: usize = 32;
/// ... or one in a mixed run, where compiling would else take most of the time ...
const FEW_FILES: usize = 1;
/// ... or this many programs, each of which has to be compiled ...
const PROGRAMS: u64 = 4;
/// ... or this many .pyc files, most of which give two cases, the header and the stream ...
const PYC_FILES: u64 = CASES / 2;
/// ... or this many bytes.
const BYTES: usize = 1 << 20;

/// How many compiled files are given to the mutators, how many are tried for that, and how long they may be.
const BASES: usize = 12;
const BASES_TRIED: usize = 36;
const LONGEST_BASE: usize = 8 << 10;

/// Makes the cases of one subject.
pub(super) struct Supply {
    id: String,
    target: Target,
    seed: u64,
    full: bool,
    library: Option<(Library, Cache)>,
    items: std::vec::IntoIter<Item>,
    /// The first of the items, until the bases are made of them.
    likely_bases: Vec<Item>,
    /// The streams of the corpus that have not been handed out yet, in reverse order.
    corpus: Vec<(String, Vec<u8>)>,
    bases: Vec<Vec<u8>>,
    /// Those of the bases that the subject compiled.
    compiled: Vec<Vec<u8>>,
    next: BTreeMap<&'static str, u64>,
}

/// What one turn of a generator gives.
#[derive(Default)]
pub(super) struct Batch {
    /// The cases.
    pub(super) cases: Vec<Case>,
    /// .pyc files, for what is before their streams.
    pub(super) files: Vec<Case>,
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
            full: plan.full,
            library,
            items: items.clone().into_iter(),
            likely_bases: items.into_iter().take(BASES_TRIED).collect(),
            corpus: if plan.generators.contains(&Generator::Streams) {
                corpus(&plan.corpus, member)
            } else {
                Vec::new()
            },
            bases: Vec::new(),
            compiled: Vec::new(),
            next: BTreeMap::new(),
        };
        (supply, missing)
    }

    /// Makes the bases of the mutators, when the first of them is wanted: compiling takes a slow subject its time.
    fn make_bases(&mut self, subject: Option<&mut (dyn Subject + 'static)>) -> Result<(), Broken> {
        self.bases = self.corpus.iter().map(|(_, stream)| stream.clone()).collect();
        self.corpus.reverse();
        self.bases.extend(generators::value_bases(self.target, self.seed));
        let items = std::mem::take(&mut self.likely_bases);
        match subject {
            Some(subject) => self.add_compiled_bases(&items, subject),
            None => Ok(()),
        }
    }

    fn add_compiled_bases(&mut self, items: &[Item], subject: &mut dyn Subject) -> Result<(), Broken> {
        let mut found = 0;
        for item in items.iter().take(BASES_TRIED) {
            if let Ok(stream) = self.compile(item, subject)?
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

    /// The next cases of a generator, at most `room`; an empty batch means that there will be none any more.
    pub(super) fn next(
        &mut self,
        generator: Generator,
        room: u64,
        subject: Option<&mut (dyn Subject + 'static)>,
    ) -> Result<Batch, Broken> {
        match generator {
            Generator::Stdlib => match subject {
                Some(subject) => self.files(room, subject),
                None => Ok(Batch::default()),
            },
            Generator::Programs => match subject {
                Some(subject) if self.target.codes => self.programs(room, subject),
                _ => Ok(Batch::default()),
            },
            Generator::Values => Ok(self.generated(generator, room)),
            // A stream that is nothing but a code object says nothing about who has none of CPython's.
            Generator::Codes | Generator::Pyc if !self.target.codes => Ok(Batch::default()),
            Generator::Streams | Generator::Codes | Generator::Pyc => {
                if self.bases.is_empty() {
                    self.make_bases(subject)?;
                }
                Ok(if generator == Generator::Pyc { self.pyc_files(room) } else { self.generated(generator, room) })
            }
        }
    }

    fn generated(&mut self, generator: Generator, room: u64) -> Batch {
        let first = self.next.get(generator.name()).copied().unwrap_or(0);
        let mut batch = Batch::default();
        let mut bytes = 0;
        let mut index = first;
        while (batch.cases.len() as u64) < CASES.min(room) {
            // The corpus itself comes before its mutations.
            let seed = self.corpus.pop_if(|_| generator == Generator::Streams);
            let case = if let Some((name, bytes)) = seed {
                Case::stream(bytes, Origin::File(name))
            } else {
                index += 1;
                let origin = Origin::generated(generator, self.seed, index - 1);
                let Generated { bytes, valid } = self.generate(generator, index - 1);
                Case { valid, ..Case::stream(bytes, origin) }
            };
            bytes += case.bytes.len();
            batch.cases.push(case);
            if bytes > BYTES {
                break;
            }
        }
        self.next.insert(generator.name(), index);
        batch
    }

    fn generate(&self, generator: Generator, index: u64) -> Generated {
        let bases = if generator == Generator::Streams { &self.bases } else { &self.compiled };
        generators::generate(generator, self.target, self.seed, index, bases)
    }

    fn pyc_files(&mut self, room: u64) -> Batch {
        let turn = self.turn(Generator::Pyc, PYC_FILES, room.div_ceil(2));
        let make = |index| {
            let tape = generators::tape(self.seed, Generator::Pyc.name(), index);
            let pyc::Generated { bytes, source, valid, .. } =
                pyc::generate(&mut Unstructured::new(&tape), self.target, &self.compiled);
            Case { bytes, form: Form::Pyc(source), origin: Origin::generated(Generator::Pyc, self.seed, index), valid }
        };
        Batch { files: turn.map(make).collect(), ..Batch::default() }
    }

    fn files(&mut self, room: u64, subject: &mut dyn Subject) -> Result<Batch, Broken> {
        let mut batch = Batch::default();
        let mut bytes = 0;
        let files = if self.full { FILES } else { FEW_FILES };
        let files = files.min(usize::try_from(room).unwrap_or(usize::MAX));
        while batch.cases.len() + batch.without.len() < files && bytes < BYTES {
            let Some(item) = self.items.next() else { break };
            match self.compile(&item, subject)? {
                Ok(stream) => {
                    bytes += stream.len();
                    let Item { path, optimize } = item;
                    let origin = Origin::Compiled { interpreter: self.id.clone(), path, optimize };
                    batch.cases.push(Case { valid: true, ..Case::stream(stream, origin) });
                }
                Err(reason) => batch.without.push((item.path, reason)),
            }
        }
        Ok(batch)
    }

    fn programs(&mut self, room: u64, subject: &mut dyn Subject) -> Result<Batch, Broken> {
        let generator = Generator::Programs;
        let mut batch = Batch::default();
        for index in self.turn(generator, PROGRAMS, room) {
            let origin = Origin::generated(generator, self.seed, index);
            let source = self.generate(generator, index).bytes;
            match stream(subject.compile(&programs::compile(source, index))?) {
                Ok(bytes) => batch.cases.push(Case { valid: true, ..Case::stream(bytes, origin) }),
                Err(reason) => batch.without.push((origin.to_string(), reason)),
            }
        }
        Ok(batch)
    }

    /// The next indexes of a generator.
    fn turn(&mut self, generator: Generator, most: u64, room: u64) -> Range<u64> {
        let next = self.next.entry(generator.name()).or_default();
        let first = *next;
        *next = first.saturating_add(most.min(room));
        first..*next
    }

    /// The marshal stream of a file, or why there is none.
    fn compile(&mut self, item: &Item, subject: &mut dyn Subject) -> Result<Result<Vec<u8>, Without>, Broken> {
        let without = |reason: String| Ok(Err(Without::Other(reason)));
        let Some((library, cache)) = &mut self.library else { return without("no library".into()) };
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

/// The streams of the corpus, with their paths in it: all fixtures, and those that this very version was asked before.
fn corpus(folder: &Path, member: &Member) -> Vec<(String, Vec<u8>)> {
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
    streams
}
