//! `provost bytecode`: what pyc-core says of the instructions of whole standard libraries, beside what their interpreters say.

use super::{Search, root, select, target_dir};
use crate::bytecode::{Sets, answered, around, difference, expected, is_same};
use crate::case::{Case, Origin, hex, sha256_hex};
use crate::comparison::Pair;
use crate::dis::Taken;
use crate::generators::{Generator, generate};
use crate::oracle::{Relation, Verdict};
use crate::repro::excerpt;
use crate::stdlib::{Cache, Library};
use crate::subjects::core::{Core, payload};
use crate::subjects::{Compiled, Reality};
use anyhow::{Context, Result};
use clap::Args;
use interpreters::{Interpreter, Limits, Supervisor};
use pyc_core::Profile;
use pyc_core::bytecode::text;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How many streams a worker is asked about at once.
const BATCH: usize = 16;

/// How many compiled files are looked at for the mutators, and how long they may be.
const BASES_TRIED: usize = 60;
const LONGEST_BASE: usize = 3 << 10;

/// Arguments of `bytecode`.
#[derive(Debug, Args)]
pub(crate) struct Bytecode {
    /// Only these subjects, such as cpython:3.12 (repeatable)
    #[arg(long, value_name = "ID")]
    subject: Vec<String>,
    /// The optimization levels; 2.7 has those that it was started with
    #[arg(long, value_delimiter = ',', default_value = "0,1,2")]
    levels: Vec<u8>,
    /// Only so many files of each library, chosen at random but always the same
    #[arg(long, value_name = "N")]
    files: Option<usize>,
    /// Also so many generated code objects, legal and wrong ones: of the generator `codes`, and mutations of compiled files
    #[arg(long, value_name = "N", default_value_t = 0)]
    cases: u64,
    /// Decides the generated code objects
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write the document [default: docs/BYTECODE.md if nothing is left out]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where compiled standard libraries are kept
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    #[command(flatten)]
    search: Search,
}

/// What came of one library.
#[derive(Debug, Default)]
struct Tally {
    python: String,
    files: usize,
    codes: usize,
    instructions: usize,
    compared: usize,
    equal: usize,
    unanswered: usize,
    /// Code objects that are the same after they were taken apart and put together.
    assembled: usize,
    /// Those that are the same without any residue.
    tight: usize,
    /// Whether all have to be: since 3.11 compilers write nothing that does not follow.
    is_tight: bool,
    /// Those whose `co_stacksize` is what the flow of their instructions comes to.
    stack: usize,
    /// Files whose text assembles to the same bytes.
    texts: usize,
    /// Generated code objects of which the interpreter says the same; and those that it was asked about.
    generated: [usize; 2],
    residue: BTreeMap<&'static str, usize>,
}

impl Bytecode {
    /// Exit status 1 if something differs.
    pub(crate) fn run(&self) -> Result<u8> {
        let discovery = self.search.run().whole()?;
        let mut seen = BTreeSet::new();
        let mut tallies = Vec::new();
        for interpreter in select(&discovery.found.interpreters, &self.subject)? {
            let core = Core::of(&interpreter.facts).ok().filter(|core| core.is_model());
            let Some(core) = core.filter(|core| seen.insert(core.profile().version)) else { continue };
            let mut tally = self.library(interpreter, core.profile())?;
            self.generated(&mut tally, interpreter, &core)?;
            println!(
                "{}: {} files, {} code objects, {} instructions; {} of {} files agree, {} unanswered; {} texts \
                 assemble to the same bytes; {} code objects assembled to the same bytes, {} without residue; \
                 {} stack sizes agree; {} of {} generated code objects agree",
                interpreter.id,
                tally.files,
                tally.codes,
                tally.instructions,
                tally.equal,
                tally.compared,
                tally.unanswered,
                tally.texts,
                tally.assembled,
                tally.tight,
                tally.stack,
                tally.generated[0],
                tally.generated[1]
            );
            tallies.push(tally);
        }
        anyhow::ensure!(!tallies.is_empty(), "no CPython was found; {}", super::MORE);
        let is_whole = self.subject.is_empty() && self.files.is_none() && self.levels == [0, 1, 2];
        let out = self.out.clone().or_else(|| is_whole.then(|| root().join("docs").join("BYTECODE.md")));
        if let Some(out) = out {
            std::fs::write(&out, document(&tallies)).with_context(|| format!("cannot write {}", out.display()))?;
            println!("{}", out.display());
        }
        let is_bad = |tally: &Tally| {
            let Tally { files, codes, equal, texts, assembled, tight, is_tight, generated: [same, asked], .. } = tally;
            equal < files || texts < files || assembled < codes || *is_tight && tight < codes || same < asked
        };
        Ok(u8::from(tallies.iter().any(is_bad)))
    }

    fn library(&self, interpreter: &Interpreter, profile: &Profile) -> Result<Tally> {
        let mut library = Library::open(&interpreter.facts.stdlib).context(interpreter.id.clone())?;
        let cache = self.cache(interpreter);
        let mut subject = Reality::new(interpreter, Limits::default());
        let mut supervisor = Supervisor::new(interpreter, Limits::default());
        let mut tally = Tally { python: interpreter.facts.version.clone(), ..Tally::default() };
        tally.is_tight = profile.has_positions();
        let mut batch: Vec<(String, Vec<u8>)> = Vec::new();
        for item in library.items(&self.levels, 0) {
            if self.files.is_some_and(|most| tally.files == most) {
                break;
            }
            let source = library.read(&item.path)?;
            // The library has files that are not meant to compile.
            let Compiled::Pyc(pyc) = cache.compile(&mut subject, &item, source)? else { continue };
            let stream = payload(&pyc).map_err(anyhow::Error::msg)?;
            tally.files += 1;
            tally.count_text(&pyc, &format!("{} -O{}", item.path, item.optimize));
            batch.push((format!("{} -O{}", item.path, item.optimize), stream));
            if batch.len() == BATCH {
                compare(&mut tally, &mut supervisor, profile, &std::mem::take(&mut batch))?;
            }
        }
        compare(&mut tally, &mut supervisor, profile, &batch)?;
        Ok(tally)
    }
}

impl Tally {
    /// Writes a file as text, and makes a file of that.
    fn count_text(&mut self, pyc: &[u8], name: &str) {
        let document = text::disassemble(pyc, None);
        let again = document.as_ref().ok().map(|document| text::assemble(&text::print(document)));
        match again {
            Some(Ok(again)) if again == pyc => self.texts += 1,
            Some(Err(error)) => println!("{} {name}: its text is refused: {error}", self.python),
            _ => println!("{} {name}: its text assembles to other bytes", self.python),
        }
        for kind in document.iter().flat_map(|document| &document.blocks).flat_map(|block| block.residue()) {
            *self.residue.entry(kind).or_default() += 1;
        }
    }

    /// Says where the interpreter and the core differ, if they do.
    fn tell(&self, name: &str, difference: Option<(usize, &str, &str)>) -> bool {
        let Some((line, ours, theirs)) = difference else { return true };
        let [ours, theirs] = around(ours, theirs).map(excerpt);
        println!("{} {name}: line {line}\n  core    {ours}\n  python  {theirs}", self.python);
        false
    }

    /// Counts a generated code object and says what does not hold of it.
    fn judged(&mut self, family: &str, verdict: &Verdict, case: &Case) {
        let is_asked = family != "core";
        match verdict {
            Verdict::Agree => self.generated[0] += usize::from(is_asked),
            Verdict::Diverge(divergence) => {
                println!("{} {}: {divergence}\n  stream:  {}", self.python, case.origin, kept(&case.bytes));
                // Without an answer it is one more that does not agree.
                self.generated[1] += usize::from(!is_asked);
            }
            Verdict::Refused(_) | Verdict::Inconclusive(_) => return,
        }
        self.generated[1] += usize::from(is_asked);
    }

    /// Takes a code object apart and puts it together.
    fn count(&mut self, code: &Taken<'_>, name: &str) {
        let Taken { body, assembly, stacksize } = code;
        self.codes += 1;
        self.instructions += body.instructions().count();
        let is_assembled = assembly.assemble().is_ok_and(|assembled| is_same(&assembled, body));
        if !is_assembled {
            println!("{} {name}: assembles to other bytes", self.python);
        }
        self.assembled += usize::from(is_assembled);
        self.tight += usize::from(assembly.assemble_tight().is_ok_and(|assembled| is_same(&assembled, body)));
        let is_depth = |(depth, _): (u32, _)| i64::from(depth) == i64::from(*stacksize);
        self.stack += usize::from(assembly.stack(body.flags).is_ok_and(is_depth));
        for kind in assembly.residue.kinds() {
            *self.residue.entry(kind).or_default() += 1;
        }
    }
}

impl Bytecode {
    /// Asks about generated code objects: those of the generator `codes`, and one in eight is a mutation of a compiled file.
    fn generated(&self, tally: &mut Tally, interpreter: &Interpreter, core: &Core) -> Result<()> {
        if self.cases == 0 {
            return Ok(());
        }
        let bases = self.bases(interpreter)?;
        let mut pair = Pair::new("cpython", core.clone(), Box::new(Reality::new(interpreter, Limits::default())));
        for first in (0..self.cases).step_by(BATCH) {
            let make = |index: u64| {
                let generator = if index % 8 == 7 { Generator::Streams } else { Generator::Codes };
                let bytes = generate(generator, core.target(), self.seed, index, &bases).bytes;
                Case::stream(bytes, Origin::generated(generator, self.seed, index))
            };
            let cases: Vec<Case> = (first..self.cases.min(first + BATCH as u64)).map(make).collect();
            for family in ["core", "cpython"] {
                let compared = pair.compare_in(Relation::Bytecode, family, &cases)?;
                compared.iter().zip(&cases).for_each(|(one, case)| tally.judged(family, &one.verdict, case));
            }
        }
        Ok(())
    }

    /// Compiled files of the library for the mutators: short ones.
    fn bases(&self, interpreter: &Interpreter) -> Result<Vec<Vec<u8>>> {
        let mut library = Library::open(&interpreter.facts.stdlib).context(interpreter.id.clone())?;
        let cache = self.cache(interpreter);
        let mut subject = Reality::new(interpreter, Limits::default());
        let mut bases = Vec::new();
        for item in library.items(&[0], self.seed).iter().take(BASES_TRIED) {
            let source = library.read(&item.path)?;
            let Compiled::Pyc(pyc) = cache.compile(&mut subject, item, source)? else { continue };
            bases.extend(payload(&pyc).ok().filter(|stream| stream.len() <= LONGEST_BASE));
        }
        Ok(bases)
    }

    fn cache(&self, interpreter: &Interpreter) -> Cache {
        let folder = self.cache.clone().unwrap_or_else(|| target_dir().join("provost").join("stdlib"));
        Cache::new(&folder, &interpreter.facts)
    }
}

/// Where a stream was written for whoever wants to look at it, or the stream if it could not be.
fn kept(stream: &[u8]) -> String {
    let folder = target_dir().join("provost").join("bytecode");
    let file = folder.join(format!("{}.marshal", sha256_hex(stream)));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, stream));
    written.map_or_else(|_| excerpt(&hex(stream)), |()| file.display().to_string())
}

fn compare(
    tally: &mut Tally,
    supervisor: &mut Supervisor,
    profile: &Profile,
    batch: &[(String, Vec<u8>)],
) -> Result<()> {
    let streams: Vec<Vec<u8>> = batch.iter().map(|(_, stream)| stream.clone()).collect();
    let answers = supervisor.disassemble(&streams).map_err(|e| anyhow::anyhow!("{e}"))?;
    for ((name, stream), answer) in batch.iter().zip(answers) {
        let file = crate::dis::File::stream(stream, profile)?;
        let ours = expected(&file).map_err(|e| anyhow::anyhow!("{name}: {e}"))?;
        for (path, id) in file.codes(None)? {
            let Some(assembly) = file.taken(id) else { continue };
            tally.count(&assembly, &format!("{name}: {path}"));
        }
        match answered(answer) {
            Ok(theirs) => {
                tally.compared += 1;
                let difference = difference(&ours, &theirs, Sets::Sorted);
                tally.equal += usize::from(tally.tell(name, difference));
            }
            Err(other) => {
                tally.unanswered += 1;
                println!("{} {name}: {other}", tally.python);
            }
        }
    }
    Ok(())
}

fn document(tallies: &[Tally]) -> String {
    let share = |part: usize, whole: usize| format!("{:.2} %", 100.0 * part as f64 / whole.max(1) as f64);
    let row = |tally: &Tally| {
        let Tally { python, files, codes, instructions, equal, texts, assembled, tight, stack, residue, .. } = tally;
        let kinds: Vec<String> = residue.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let of_files = [equal, texts].map(|count| share(*count, *files));
        let of_codes = [assembled, tight, stack].map(|count| share(*count, *codes));
        let shares = [&of_files[..], &of_codes].concat().join(" | ");
        format!("| {python} | {files} | {codes} | {instructions} | {shares} | {} |\n", kinds.join(", "))
    };
    let rows: String = tallies.iter().map(row).collect();
    include_str!("bytecode.md").replace("ROWS\n", &rows)
}
