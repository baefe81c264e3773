//! What pyc-core says of one file, without any Python.
//!
//! Whoever checks a file has one that something choked on. So the answer to garbage is as careful as the answer to a good
//! file: what it is, at which byte it goes wrong, what Python would say there, and what to do.

use crate::case::{hex, sha256_hex};
use crate::observation::{Accepted, Canon, Dump, Fault, Observation, explained};
use crate::subjects::core::{Core, guard};
use crate::toolbox::answer::Answer;
use crate::toolbox::identify::{View, is_inside};
use crate::toolbox::safe::Safety;
use crate::toolbox::tree::Tree;
use pyc_core::bytecode::InstructionSet;
use pyc_core::code::Field;
use pyc_core::identify::payload_offset;
use pyc_core::magic::Magic;
use pyc_core::model::Loaded;
use pyc_core::pyc::{Header, PycError};
use pyc_core::{Graph, Profile, Pyc, Release, Value as Node, opcode, read, salvage};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// How much of a value is shown to people, in lines; JSON has all of it.
const LINES: usize = 60;

/// The answer for one file.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether it loads.
    pub ok: bool,
    /// Length in bytes.
    pub length: usize,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// The release of Python that is modelled: as asked for, or the newest known with this magic number.
    pub python: Option<String>,
    /// What to keep in mind about that.
    pub caution: Option<String>,
    /// What other releases of that version answer, where it is something else.
    pub others: Vec<Other>,
    /// The .pyc header; none for a marshal stream without one.
    pub header: Option<HeaderReport>,
    /// Where the stream is in the file.
    pub offset: usize,
    /// What is wrong, if something is.
    pub problem: Option<Problem>,
    /// Who may have written it, the best first, if it is not who the header or `--as` says; or what the file is otherwise.
    pub looks_like: Option<View>,
    /// The value, if there is one.
    pub value: Option<Value>,
    /// Whether its code objects can crash that Python; none if there are none.
    pub safety: Option<Safety>,
    /// How the value is shown to people.
    #[serde(skip)]
    pub shown: Shown,
}

/// How a value is shown to people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shown {
    /// Its first lines as a tree.
    #[default]
    Tree,
    /// All lines of the tree.
    Whole,
    /// The canon.
    Canon,
    /// Not at all: programs are told of it.
    Json,
}

impl Shown {
    /// How many lines of the tree.
    fn lines(self) -> usize {
        match self {
            Shown::Tree => LINES,
            Shown::Whole => usize::MAX,
            Shown::Canon | Shown::Json => 0,
        }
    }
}

/// A .pyc header.
#[derive(Debug, Clone, Serialize)]
pub struct HeaderReport {
    /// The magic number.
    pub magic: u16,
    /// Whose it is.
    pub whose: Option<&'static str>,
    /// Length in bytes.
    pub length: usize,
    /// The flags word of 3.7 and later.
    pub flags: Option<u32>,
    /// When the source was changed, in seconds since 1970.
    pub mtime: Option<u32>,
    /// The size of the source.
    pub size: Option<u32>,
    /// The hash of the source, in hexadecimal.
    pub hash: Option<String>,
    /// Whether the hash is compared with the source's when the file is imported.
    pub checks_source: Option<bool>,
    /// Its other fields in words.
    pub fields: String,
    /// What is odd about it.
    pub warning: Option<String>,
}

/// Releases that answer otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Other {
    /// The first of them.
    pub from: String,
    /// One of them, for `--as`.
    pub r#as: String,
    /// The first release after them, if there is one.
    pub before: Option<String>,
    /// What is other about their answer.
    pub what: String,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// For programs: `header`, `refused`, `undefined`, `hazard`, `rewritten` or `panic`.
    pub kind: &'static str,
    /// Byte offset in the file.
    pub offset: usize,
    /// What is wrong there.
    pub what: String,
    /// The exception that `marshal.loads` of that Python raises.
    pub exception: Option<Raised>,
    /// What to do about it.
    pub advice: String,
    /// The bytes around the offset, as a dump.
    pub context: String,
}

/// An exception.
#[derive(Debug, Clone, Serialize)]
pub struct Raised {
    /// `ValueError`
    pub class: String,
    /// Its text.
    pub message: String,
}

/// A value that was loaded.
#[derive(Debug, Clone, Serialize)]
pub struct Value {
    /// Bytes of the stream that it takes.
    pub consumed: u64,
    /// Bytes of the file behind it, which Python ignores.
    pub trailing: u64,
    /// The canon (corpus/CANON.md); none where looking at the value is undefined.
    pub canon: Option<String>,
    /// The value as nested objects, for programs.
    pub tree: Option<serde_json::Value>,
    /// The same for people.
    #[serde(skip)]
    lines: (Vec<String>, usize),
    /// Whether pyc-core writes the same bytes again.
    pub preserved: bool,
    /// What `marshal.dumps` makes of it, by marshal version, where something else in the process holds every interned string:
    /// what the workers ask (interpreters/PROTOCOL.md).
    pub dumps: Vec<DumpReport>,
    /// What `marshal.dumps(marshal.loads(stream))` makes of it in a new process.
    pub plain: Option<DumpReport>,
    /// How many interned strings are flagged in it only if the process holds them already.
    pub open: usize,
}

/// A predicted dump.
#[derive(Debug, Clone, Serialize)]
pub struct DumpReport {
    /// The marshal version.
    pub version: u8,
    /// What comes out, in words.
    pub outcome: String,
    /// The bytes in hexadecimal.
    pub hex: Option<String>,
    /// Whether the bytes are those of the file.
    pub same: bool,
}

/// Looks at the bytes of a file. `python` is the version that is meant ("3.12"): needed for streams without a header, and
/// overrides the magic number of those with one. What is not `shown` is not kept: it takes many times the memory of the file.
/// Never panics, whatever the bytes are.
///
/// # Errors
/// When `python` is no version that pyc-core knows.
pub fn check(bytes: &[u8], python: Option<&str>, shown: Shown) -> Result<Report, String> {
    let asked = python.map(Core::named).transpose()?;
    let mut report = Report {
        ok: false,
        length: bytes.len(),
        sha256: sha256_hex(bytes),
        python: None,
        caution: None,
        others: Vec::new(),
        header: None,
        offset: 0,
        problem: None,
        looks_like: None,
        value: None,
        safety: None,
        shown,
    };
    let parsed = match guard(|| Pyc::parse(bytes)) {
        Ok(parsed) => parsed,
        Err(panic) => {
            report.problem = Some(Problem::new("panic", bytes, 0, panicked(&panic), BUG));
            return Ok(report);
        }
    };
    let magic = Magic::at_start(bytes);
    let (core, start) = match (parsed, asked) {
        (Ok(pyc), asked) => {
            report.header = Some(header(&pyc));
            let from_magic = Core::named(&pyc.profile().version.to_string())?;
            match asked {
                // The header may be that of another version.
                Some(core) => (core.clone(), found(bytes, &core)),
                None => (from_magic, pyc.payload_offset()),
            }
        }
        (Err(PycError::Empty), _) => {
            let advice = "delete it: Python writes it again when it imports the source";
            report.problem = Some(Problem::new("header", bytes, 0, PycError::Empty.to_string(), advice));
            return Ok(report);
        }
        (Err(_), Some(core)) => (core.clone(), found(bytes, &core)),
        (Err(e), None) => match magic.and_then(Magic::family).filter(|_| matches!(e, PycError::UnknownFormat { .. })) {
            // The stream of a pre-release is mostly good for the final release.
            Some(family) => {
                let core = Core::with(family.clone());
                let start = found(bytes, &core);
                report.caution = Some(format!("{e}; the file is read as {}", family.version));
                (core, start)
            }
            None => {
                let view = View::of(bytes);
                let is_other = view.candidates.is_empty()
                    && matches!(e, PycError::NotPyc { .. } | PycError::Headerless { .. })
                    && view.kind != "other";
                let what = match () {
                    () if view.kind == "mangled" => format!("this is {}", view.what),
                    () if is_other && view.kind == "foreign" && !view.what.contains(".pyc") => {
                        format!("not a .pyc file but {}", view.what)
                    }
                    () if is_other => view.what.clone(),
                    () => e.to_string(),
                };
                let advice = advice(&e, &view);
                report.problem = Some(Problem::new("header", bytes, e.offset(), what, &advice));
                report.looks_like = Some(view);
                return Ok(report);
            }
        },
    };
    report.python = Some(core.profile().release.to_string());
    report.caution = report.caution.or_else(|| core.caution());
    report.offset = start.min(bytes.len());
    report.others = others(&core, &bytes[report.offset..]);
    let start = report.offset;
    look(&mut report, &core, bytes, start);
    compare_with_others(&mut report, &core, bytes);
    Ok(report)
}

/// Where the stream is for who names the version.
fn found(bytes: &[u8], core: &Core) -> usize {
    guard(|| payload_offset(bytes, core.profile())).unwrap_or(0)
}

/// Says who else may have written the stream, where that is more likely than who is said to have.
fn compare_with_others(report: &mut Report, core: &Core, bytes: &[u8]) {
    let view = View::of(bytes);
    let own = core.profile().version.to_string();
    if let Some(problem) = report.problem.as_mut().filter(|_| view.restored) {
        problem.advice = format!("this is {}: {RESTORE}", view.what);
        report.looks_like = Some(view);
        return;
    }
    let Some(best) = view.candidates.first() else {
        // A file of another kind, of which no Python reads anything.
        if !report.ok && report.header.is_none() {
            report.looks_like = Some(view);
        }
        return;
    };
    let Some(looks) = view.other_than(&own, report.offset) else {
        if report.ok && report.caution.is_none() {
            let flaws = view.flaws(&own, report.offset);
            report.caution = (!flaws.is_empty()).then(|| format!("Python loads it, but {}", flaws.join("; ")));
        }
        return;
    };
    let again = format!("run the command again with --as {}", best.python);
    match &mut report.problem {
        Some(problem)
            if problem.kind == "refused" && is_inside(best.offset, report.offset, Some(problem.offset as u64)) =>
        {
            return;
        }
        Some(problem) if matches!(problem.kind, "hazard" | "undefined") => {
            problem.advice = format!("{}; {looks}: {again}", problem.advice);
        }
        Some(problem) => problem.advice = format!("{looks}: {again}"),
        None => report.caution = Some(format!("{looks}: {}", best.evidence.join("; "))),
    }
    report.looks_like = Some(view);
}

const RESTORE: &str = "run `provost repair FILE -o NEW.pyc`: it computes the original bytes";

const BUG: &str = "report it with the file: this is a bug";

/// Fills in what the stream that starts at `start` holds.
fn look(report: &mut Report, core: &Core, bytes: &[u8], start: usize) {
    let stream = &bytes[start.min(bytes.len())..];
    let prediction = core.predict(stream);
    let error = prediction.error.as_ref();
    match prediction.observation {
        Observation::Accepted(accepted) => accept(report, core, bytes, start, accepted, prediction.rewritten),
        Observation::Rejected(exception) => {
            let offset = start + error.map_or(0, |e| e.offset);
            let what = error.map_or_else(String::new, |e| e.kind.to_string());
            let later = report.others.iter().find(|other| other.what == LOADS);
            let advice = match later {
                _ if offset >= bytes.len() => cut_short(stream, core.profile()),
                Some(other) => {
                    format!("use Python {} in place of {}: it loads there", other.r#as, core.profile().release)
                }
                None => format!(
                    "it is damaged, or another Python wrote it: make it anew, or run the command again with another --as{}",
                    salvageable(stream, core.profile())
                ),
            };
            let mut problem = Problem::new("refused", bytes, offset, what, &advice);
            problem.exception = Some(Raised { class: exception.class, message: without_line(&exception.message) });
            report.problem = Some(problem);
        }
        Observation::Undefined(cause) => {
            let read = guard(|| read(stream, core.profile()));
            let graph = read.as_ref().ok().and_then(|read| read.as_ref().ok());
            let deadly = deadly(stream, core.profile(), graph);
            let (kind, offset, what) = match (graph, error) {
                (Some(_), _) => ("hazard", start, format!("it loads, but {}{deadly}", explained(&cause))),
                (None, Some(e)) => ("undefined", start + e.offset, format!("{}{deadly}", e.kind)),
                (None, None) => ("undefined", start, format!("{}{deadly}", explained(&cause))),
            };
            report.problem = Some(Problem::new(kind, bytes, offset, what, "do not load this file"));
            report.value = graph.map(|graph| Value::as_read(graph, core.profile(), stream.len(), report.shown));
        }
        Observation::Faulted(Fault::Panic(message)) => {
            report.problem = Some(Problem::new("panic", bytes, start, panicked(&message), BUG));
        }
        other @ (Observation::Skipped(_) | Observation::Faulted(_)) => {
            report.problem = Some(Problem::new("panic", bytes, start, other.to_string(), "try again"));
        }
    }
}

fn accept(
    report: &mut Report,
    core: &Core,
    bytes: &[u8],
    start: usize,
    accepted: Accepted,
    rewritten: Option<Result<Vec<u8>, String>>,
) {
    let stream = &bytes[start.min(bytes.len())..];
    let Accepted { consumed, canon, dumps } = accepted;
    let consumed = consumed.unwrap_or_default();
    let length = usize::try_from(consumed).unwrap_or(usize::MAX).min(stream.len());
    let preserved = matches!(&rewritten, Some(Ok(again)) if *again == stream[..length]);
    let (profile, shown) = (core.profile(), report.shown);
    let Ok(Ok(graph)) = guard(|| read(stream, profile)) else { return };
    report.ok = preserved;
    report.safety = guard(|| Safety::of(&graph, profile)).ok().filter(|safety| safety.codes > 0);
    if !preserved {
        let what = "pyc-core does not write the same bytes again".into();
        report.problem = Some(Problem::new("rewritten", bytes, start, what, BUG));
    }
    let (plain, open) = if report.ok { plain(&graph, profile, &stream[..length]) } else { (None, 0) };
    report.value = Some(Value {
        canon: match canon {
            Canon::Text(text) | Canon::Varies(_, text) if matches!(shown, Shown::Canon | Shown::Json) => Some(text),
            _ => None,
        },
        preserved,
        dumps: dumps.into_iter().map(|(version, dump)| describe(version, dump, &stream[..length])).collect(),
        plain,
        open,
        ..Value::as_read(&graph, profile, stream.len(), shown)
    });
}

/// What to do about a stream that ends too early.
fn cut_short(stream: &[u8], profile: &Profile) -> String {
    format!(
        "the file ends too early: {} bytes of the stream are there. Get a whole copy, or delete the file so that Python writes it \
         again{}",
        stream.len(),
        salvageable(stream, profile)
    )
}

/// What can be kept of a stream that is refused.
pub(crate) fn salvageable(stream: &[u8], profile: &Profile) -> String {
    match guard(|| salvage(stream, profile).map_or(0, |salvaged| salvaged.graph.code_objects().len())) {
        Err(_) | Ok(0) => String::new(),
        Ok(complete) => {
            format!("; code objects that are complete: {complete}, and provost repair --salvage keeps them")
        }
    }
}

/// What a person's own call comes to in a new process, and how many strings it may hold already.
fn plain(graph: &Graph<'_>, profile: &Profile, stream: &[u8]) -> (Option<DumpReport>, usize) {
    let predicted = guard(|| {
        let (alone, open) = Loaded::alone(graph, profile);
        (crate::subjects::core::dump(&alone, profile.marshal_version), open)
    });
    match predicted {
        Ok((dump, open)) => (Some(describe(profile.marshal_version, dump, stream)), open),
        Err(_) => (None, 0),
    }
}

/// Which instruction makes it undefined: its code object, its name and where it is.
fn deadly(stream: &[u8], profile: &Profile, graph: Option<&Graph<'_>>) -> String {
    let say = |graph: &Graph<'_>| {
        graph.ids().find_map(|id| {
            let Node::Code(code) = graph.value(id) else { return None };
            let bytes = graph.resolve(code.object(Field::Code)?);
            let Node::Bytes(instructions) = graph.value(bytes) else { return None };
            let (_, at) = opcode::undefined_at(instructions, profile)?;
            let name = code.object(Field::Name).map(|id| graph.text(id)).unwrap_or_default();
            let opcode = instructions[at];
            let named = match InstructionSet::of(profile).opcode(opcode).name {
                "" => String::new(),
                name => format!(" ({name})"),
            };
            Some(format!(": opcode {opcode}{named} at offset {at} of co_code of {name}"))
        })
    };
    // A stream that is refused because of an instruction is read by those who do not look at instructions.
    let lenient = || Profile::all().filter(|other| other.code_layout == profile.code_layout);
    graph.and_then(say).or_else(|| lenient().find_map(|other| say(&read(stream, other).ok()?))).unwrap_or_default()
}

/// The text of an exception without the line of a C file, which depends on the build.
fn without_line(message: &str) -> String {
    message.replacen(".c:0: ", ".c: ", 1)
}

/// What other releases of the same version answer.
fn others(core: &Core, stream: &[u8]) -> Vec<Other> {
    let profile = core.profile();
    let points = profile.turning_points();
    if points.len() < 2 {
        return Vec::new();
    }
    let observe = |core: &Core| guard(|| core.observe(stream)).ok();
    let own = observe(core);
    let answer = |release: &Release| observe(&Core::with(Profile { release: *release, ..profile.clone() }));
    let answers: Vec<(&Release, Option<Observation>)> = points.iter().map(|point| (point, answer(point))).collect();
    let ways: Vec<_> = answers.chunk_by(|(_, one), (_, next)| one == next).collect();
    let before = ways.iter().skip(1).map(|next| Some(next[0].0.to_string())).chain([None]);
    let other = |(way, before): (&&[(&Release, Option<Observation>)], Option<String>)| {
        let ((from, answer), (last, _)) = (way.first()?, way.last()?);
        let what = difference(own.as_ref()?, answer.as_ref().filter(|answer| own.as_ref() != Some(answer))?);
        Some(Other { from: from.to_string(), r#as: last.to_string(), before, what })
    };
    ways.iter().zip(before).filter_map(other).collect()
}

/// What is other about an answer, in a few words.
fn difference(own: &Observation, other: &Observation) -> String {
    let (Observation::Accepted(own), Observation::Accepted(other)) = (own, other) else {
        return match other {
            Observation::Accepted(_) => LOADS.into(),
            Observation::Rejected(e) => format!("raises {}: {}", e.class, without_line(&e.message)),
            Observation::Undefined(cause) => format!("undefined in that Python: {}", explained(cause)),
            other => other.to_string(),
        };
    };
    if own.canon != other.canon {
        return "another value".into();
    }
    let mut versions_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((version, own), (_, other)) in own.dumps.iter().zip(&other.dumps).filter(|(own, other)| own != other) {
        let both_bytes = matches!((own, other), (Dump::Bytes { .. }, Dump::Bytes { .. }));
        let outcome = describe(*version, other.clone(), &[]).outcome;
        let said = format!("{}{outcome}", if both_bytes { "other " } else { "" });
        versions_of.entry(said).or_default().push(version.to_string());
    }
    let said = versions_of.iter().map(|(said, versions)| format!("dumps {}: {said}", versions.join(", ")));
    said.collect::<Vec<_>>().join("; ")
}

fn panicked(message: &str) -> String {
    format!("pyc-core panicked: {message}")
}

/// What other releases do, if it is no refusal.
const LOADS: &str = "it loads";

/// What to do about a file whose header is none.
fn advice(error: &PycError, view: &View) -> String {
    let best = view.candidates.first();
    if view.restored {
        return RESTORE.into();
    }
    if let (Some(best), Some(looks)) = (best, view.looks(usize::MAX)) {
        return format!("{looks}: run the command again with --as {}", best.python);
    }
    match error {
        PycError::Empty | PycError::Truncated { .. } => {
            "the file ends too early: get a whole copy, or delete the file so that Python writes it again"
        }
        _ if view.kind == "zeros" => "delete it: Python writes it again when it imports the source",
        _ if view.kind == "mangled" => "get another copy, in binary mode: this one cannot be mended",
        _ if view.kind == "foreign" => {
            "get the file itself, if this stands for one. If it is a marshal stream, run the command again with --as X.Y"
        }
        PycError::Headerless { .. } => "say which Python wrote the stream: --as X.Y, for example --as 3.12",
        PycError::UnknownFormat { magic, whose: Some(_) } if !Magic::of(*magic).is_to_come() => {
            "no Provost reads such files; --as X.Y reads the stream as that of a Python that this one knows"
        }
        PycError::UnknownFormat { .. } => "use a newer Provost; or --as X.Y reads the stream as that of a Python that this one knows",
        PycError::NotPyc { .. } => "this is no .pyc file. If it is a marshal stream, run the command again with --as X.Y",
    }
    .into()
}

/// The header of a file, field by field.
#[must_use]
pub fn header(pyc: &Pyc) -> HeaderReport {
    let magic = pyc.magic();
    let mut report = HeaderReport {
        magic: magic.number(),
        whose: magic.name(),
        length: pyc.payload_offset(),
        flags: None,
        mtime: None,
        size: None,
        hash: None,
        checks_source: None,
        fields: String::new(),
        warning: None,
    };
    let has_flags = pyc.profile().header == pyc_core::HeaderLayout::Flags;
    match pyc.header {
        Header::Mtime { mtime } => {
            report.mtime = Some(mtime);
            report.fields = format!("source changed at {}", moment(mtime));
        }
        Header::MtimeSize { flags, mtime, size } => {
            (report.flags, report.mtime, report.size) = (has_flags.then_some(flags), Some(mtime), Some(size));
            report.fields = format!("source changed at {}, {size} bytes", moment(mtime));
        }
        header @ Header::Hash { flags, hash } => {
            (report.flags, report.hash) = (Some(flags), Some(hex(&hash)));
            report.checks_source = Some(header.checks_source());
            let checked = if header.checks_source() { "checked" } else { "unchecked" };
            report.fields = format!("hash of the source {} ({checked})", hex(&hash));
        }
    }
    let warning = |flags| format!("flags {flags:#x}: Python refuses to import it (invalid flags)");
    report.warning = pyc.invalid_flags().map(warning);
    report
}

fn moment(mtime: u32) -> String {
    let since = std::time::Duration::from_secs(u64::from(mtime));
    crate::record::rfc3339(std::time::UNIX_EPOCH + since)
}

fn describe(version: u8, dump: Dump, stream: &[u8]) -> DumpReport {
    let (outcome, bytes) = match dump {
        Dump::Bytes { bytes, unpredictable: None, .. } => (format!("{} bytes", bytes.len()), Some(bytes)),
        Dump::Bytes { bytes, unpredictable: Some(aspect), .. } => {
            (format!("{} bytes, one of several possible forms: {}", bytes.len(), explained(&aspect)), Some(bytes))
        }
        Dump::Raises(e) if e.message.is_empty() => (e.class, None),
        Dump::Raises(e) => (format!("{}: {}", e.class, e.message), None),
        Dump::Undefined(cause) => (format!("undefined in that Python: {}; not compared", explained(&cause)), None),
        Dump::Slow { reason, bytes } => {
            let what = bytes.as_ref().map_or(String::new(), |bytes| format!(": {} bytes", bytes.len()));
            (format!("slow in that Python: {}; not compared{what}", explained(&reason)), bytes)
        }
    };
    DumpReport { version, outcome, same: bytes.as_deref() == Some(stream), hex: bytes.map(|bytes| hex(&bytes)) }
}

impl Problem {
    fn new(kind: &'static str, bytes: &[u8], offset: usize, what: String, advice: &str) -> Problem {
        let context = context(bytes, offset);
        Problem { kind, offset, what, exception: None, advice: advice.to_owned(), context }
    }
}

impl Answer for Report {
    fn verdict(&self) -> (&'static str, bool) {
        if self.ok { ("good", true) } else { ("bad", false) }
    }
}

/// Three lines of sixteen bytes with a mark under the one at fault.
fn context(bytes: &[u8], offset: usize) -> String {
    let first = (offset / 16).saturating_sub(1) * 16;
    let mut text = String::new();
    for start in (first..first + 48).step_by(16) {
        let line = &bytes[start.min(bytes.len())..bytes.len().min(start + 16)];
        let at_fault = (start..start + 16).contains(&offset);
        if line.is_empty() && !at_fault {
            continue;
        }
        write_line(&mut text, start, line);
        if at_fault {
            let column = 10 + 3 * (offset - start);
            let what = if offset < bytes.len() { "here" } else { "the file ends here" };
            writeln!(text, "{:column$}^^ {what}", "").expect("writing to a string cannot fail");
        }
    }
    text
}

fn write_line(text: &mut String, start: usize, line: &[u8]) {
    let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
    let shown: String = line.iter().map(|&b| if (32..127).contains(&b) { char::from(b) } else { '.' }).collect();
    writeln!(text, "{start:08x}  {:<47}  {shown}", digits.join(" ")).expect("writing to a string cannot fail");
}

/// All bytes, sixteen in a line.
#[must_use]
pub fn hex_dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, line) in bytes.chunks(16).enumerate() {
        write_line(&mut text, index * 16, line);
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} bytes", if self.ok { "good" } else { "BAD" }, self.length)?;
        if let Some(header) = &self.header {
            let whose = header.whose.map_or(String::new(), |whose| format!(" of {whose}"));
            writeln!(f, "  header    magic {}{whose}, {} bytes, {}", header.magic, header.length, header.fields)?;
            if let Some(warning) = &header.warning {
                writeln!(f, "  warning   {warning}")?;
            }
        }
        if let Some(python) = &self.python {
            let place = if self.header.as_ref().is_some_and(|header| header.length == self.offset) || self.offset == 0 {
                String::new()
            } else {
                format!(", the stream begins at byte {:#x}", self.offset)
            };
            writeln!(f, "  read as   {python}{place}")?;
        }
        if let Some(caution) = &self.caution {
            writeln!(f, "  caution   {caution}")?;
        }
        for Other { from, r#as, before, what } in &self.others {
            let before = before.as_ref().map_or(String::new(), |before| format!(", before {before}"));
            writeln!(f, "  differs   {from} and later{before}: {what}; --as {} shows it", r#as)?;
        }
        if let Some(value) = &self.value {
            value.show(f, self.shown, self.ok)?;
        }
        if let Some(safety) = &self.safety {
            writeln!(f, "  safety    {safety}")?;
            safety.violations.iter().try_for_each(|it| writeln!(f, "    {it}"))?;
        }
        if let Some(problem) = &self.problem {
            writeln!(f, "  error     {} (at byte {:#x} of the file)", problem.what, problem.offset)?;
            if let Some(Raised { class, message }) = &problem.exception {
                let colon = if message.is_empty() { "" } else { ": " };
                writeln!(f, "  Python    raises {class}{colon}{message}")?;
            }
            problem.context.lines().try_for_each(|line| writeln!(f, "    {line}"))?;
            writeln!(f, "  do        {}", problem.advice)?;
        }
        Ok(())
    }
}

impl Value {
    /// What the stream says, without what an interpreter makes of it.
    fn as_read(graph: &Graph<'_>, profile: &Profile, length: usize, shown: Shown) -> Value {
        let tree = Tree::new(graph, profile);
        Value {
            consumed: graph.consumed() as u64,
            trailing: length.saturating_sub(graph.consumed()) as u64,
            canon: None,
            tree: (shown == Shown::Json).then(|| tree.json()),
            lines: tree.lines(shown.lines()),
            preserved: true,
            dumps: Vec::new(),
            plain: None,
            open: 0,
        }
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, shown: Shown, is_good: bool) -> fmt::Result {
        let trailing = match self.trailing {
            0 => String::new(),
            n => format!(", {n} more behind it, which Python ignores"),
        };
        writeln!(f, "  loads     {} bytes{trailing}", self.consumed)?;
        let preserved = if self.preserved { "the same bytes" } else { "OTHER BYTES" };
        writeln!(f, "  rewritten by pyc-core: {preserved}")?;
        let same = |dump: &DumpReport| if dump.same { ", the same as in the file" } else { "" };
        if let Some(plain) = &self.plain {
            let open = match self.open {
                0 => String::new(),
                1 => "; 1 string gets another type or flag if the process has interned it before".into(),
                n => format!("; {n} strings get another type or flag if the process has interned them before"),
            };
            writeln!(
                f,
                "  marshal.dumps(marshal.loads(stream)), in a new process: {}{}{open}",
                plain.outcome,
                same(plain)
            )?;
        }
        if !self.dumps.is_empty() {
            writeln!(f, "  marshal.dumps(value, N), while other objects refer to the value's strings:")?;
        }
        for dump in &self.dumps {
            writeln!(f, "  dumps {}   {}{}", dump.version, dump.outcome, same(dump))?;
        }
        let mark = if is_good { "" } else { ", as read from the stream" };
        match (shown, &self.canon) {
            (Shown::Canon, Some(canon)) => {
                writeln!(f, "  canon     {} lines{mark}", canon.lines().count())?;
                canon.lines().try_for_each(|line| writeln!(f, "    {}", crate::repro::excerpt(line)))
            }
            _ => {
                let (lines, all) = &self.lines;
                writeln!(f, "  value     {all} lines{mark}")?;
                lines.iter().try_for_each(|line| writeln!(f, "    {line}"))?;
                match all - lines.len() {
                    0 => Ok(()),
                    more => writeln!(f, "    ... ({more} more; --all and --json have all of them)"),
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
