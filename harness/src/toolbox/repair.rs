//! .pyc files that something has damaged: what can be had back, what was done for it, and how sure that is.

use super::Trouble;
use crate::observation::explained;
use pyc_core::bytecode::document::{Document, OpError, Symbol};
use pyc_core::code::Field;
use pyc_core::identify::{Identified, Kind, Mangling, identify, payload_offset};
use pyc_core::magic::Magic;
use pyc_core::model::Loaded;
use pyc_core::pyc::Header;
use pyc_core::{Graph, HeaderLayout, NodeId, Profile, Pyc, Salvaged, read, salvage};
use serde::Serialize;

/// No header is longer, wrong ones included.
const LONGEST_HEADER: usize = 20;

/// Hardly any source has so many bytes.
const LARGE_SOURCE: u32 = 1 << 24;

/// How sure it has to be, in percent, that a magic number is wrong.
const SURE: u8 = 90;

/// What is known of a file, and what may be lost.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The Python that wrote it.
    pub python: Option<Profile>,
    /// Whether complete code objects of a damaged stream are kept, without what was around them.
    pub salvage: bool,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Repaired {
    /// The Python that is to load it.
    pub python: String,
    /// How sure it is that this Python wrote it, in percent.
    pub confidence: u8,
    /// Others that may have, as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub or: Vec<String>,
    /// What was done, in sentences; nothing if the file is good.
    pub steps: Vec<String>,
    /// Whether something was lost.
    pub is_part: bool,
    /// The file.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// Repairs a file as far as that goes.
///
/// # Errors
/// When nothing can be had back, or only with --salvage.
pub fn repair(bytes: &[u8], options: &Options) -> Result<Repaired, Trouble> {
    if let Some(good) = good(bytes, options) {
        return Ok(good);
    }
    let found = identify(bytes);
    match found.kind {
        Kind::Empty => return Err(lost("the file is empty")),
        Kind::Zeros => return Err(lost("the file is all zeros, as a crash leaves it")),
        Kind::Foreign(what) => {
            let (what, advice) = match written_as_text(bytes) {
                Some(how) => (format!("{what} that seems to hold a .pyc file in {how}"), "decode it first"),
                None => (what.to_owned(), "name a .pyc file"),
            };
            return Err(Trouble::new("foreign", format!("it is {what}"), advice));
        }
        _ => {}
    }
    if let Kind::Mangled(how @ Mangling::CarriageReturns) = found.kind {
        return with_carriage_return(bytes, how, options);
    }
    let mut steps = Vec::new();
    if let (Kind::Mangled(how), Some(_)) = (found.kind, &found.restored) {
        steps.push(how.said().to_owned());
    }
    let looked_at = found.restored.as_deref().unwrap_or(bytes);
    let version = options.python.as_ref().map(|profile| profile.version);
    let is_asked = |profile: &Profile| version.is_none_or(|version| profile.version == version);
    // What is inside of a .pyc file that is cut is a part of it.
    let is_behind_header = |offset: usize| offset <= LONGEST_HEADER;
    let may_be_inside = Magic::at_start(looked_at).is_none() && version.is_none();
    // A version that was named needs no evidence; one that was not has to have a code object.
    let candidate = found.candidates.iter().find(|it| {
        is_asked(it.profile) && (it.codes() > 0 || version.is_some()) && (is_behind_header(it.offset) || may_be_inside)
    });
    let Some(candidate) = candidate else {
        // A header of ASCII characters does not show that what follows was taken for text.
        return match as_latin1(looked_at).and_then(|bytes| repair(&bytes, options).ok()) {
            Some(repaired) if !repaired.is_part => {
                let mut steps = vec![Mangling::Utf8.said().to_owned()];
                steps.extend(repaired.steps);
                Ok(Repaired { steps, ..repaired })
            }
            _ => salvaged(looked_at, &found, options, steps),
        };
    };
    let profile = candidate.profile;
    let end = candidate.offset + candidate.length;
    let stream = looked_at.get(candidate.offset..end).unwrap_or_default();
    if version.is_none() {
        keeps_its_number(looked_at, &found)?;
    }
    if let Some(what) = deadly(stream, profile) {
        return Err(lost(&format!("Python {} cannot load it: {what}", profile.version)));
    }
    let header = header(looked_at, candidate.offset, profile, &mut steps);
    if candidate.behind > 0 {
        steps.push(format!("{} bytes behind the stream are left out", candidate.behind));
    }
    let others = found.best().filter(|it| it.profile.version != profile.version && version.is_none());
    Ok(Repaired {
        python: profile.version.to_string(),
        confidence: if version.is_some() { 100 } else { candidate.confidence },
        or: others.map(|it| it.profile.version.to_string()).collect(),
        steps,
        is_part: false,
        bytes: Pyc::new(profile, header, stream).to_bytes(),
    })
}

/// A magic number that is known is wrong only if its version refuses the stream and another one wrote it for sure. PyPy's files are
/// good for PyPy.
fn keeps_its_number(bytes: &[u8], found: &Identified) -> Result<(), Trouble> {
    let magic = Magic::at_start(bytes);
    let named = magic.and_then(|magic| magic.pypy().or(magic.family()));
    let (Some(named), Some(best)) = (named, found.candidates.first()) else { return Ok(()) };
    if named == best.profile && magic.and_then(Magic::pypy).is_none() {
        return Ok(());
    }
    let is_read = found.candidates.iter().any(|it| it.profile == named && it.codes() > 0);
    if !is_read && best.confidence >= SURE {
        return Ok(());
    }
    let reads = if is_read { "that reads the stream" } else { "that refuses the stream" };
    let name = magic.and_then(Magic::name).unwrap_or_default();
    let what = format!("the magic number is that of {name}, and {reads}");
    let (other, sure) = (best.profile.version, best.confidence);
    let advice = format!("--as {other} writes that of CPython {other}, whose it may be ({sure} %)");
    Err(Trouble::new("unsure", what, advice))
}

/// What this Python does instead of loading the stream, if that ends it.
fn deadly(stream: &[u8], profile: &Profile) -> Option<String> {
    let cause = match read(stream, profile) {
        Ok(graph) => Loaded::new(&graph, profile).hazard(),
        Err(error) => error.cause(),
    };
    cause.map(|cause| explained(cause.name()))
}

/// The file with the carriage return of its magic number. If no other one was taken away, that is the file.
fn with_carriage_return(bytes: &[u8], how: Mangling, options: &Options) -> Result<Repaired, Trouble> {
    let (number, rest) = bytes.split_at_checked(2).unwrap_or((bytes, &[]));
    match repair(&[number, b"\r", rest].concat(), options) {
        Ok(repaired) => {
            let mut steps = vec![how.said().to_owned(), "that of the magic number is written again".to_owned()];
            steps.extend(repaired.steps);
            Ok(Repaired { steps, ..repaired })
        }
        Err(trouble) => Err(Trouble { what: format!("{}; {}", how.said(), trouble.what), ..trouble }),
    }
}

/// How a text writes the magic number that it begins with, if it does.
fn written_as_text(bytes: &[u8]) -> Option<&'static str> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = std::str::from_utf8(bytes).ok()?;
    // A dump has offsets.
    let digits = text.strip_prefix("0000000").map_or(text, |rest| rest.trim_start_matches(['0', ':', ' ']));
    let digits = digits.chars().filter(|c| !c.is_whitespace()).map_while(|c| c.to_digit(16)).take(8);
    let in_hex = digits.fold(0, |word, digit| word << 4 | digit);
    let sixths = text.bytes().map_while(|byte| ALPHABET.iter().position(|it| *it == byte)).take(6);
    let in_base64 = sixths.fold(0_u64, |word, sixth| word << 6 | sixth as u64) >> 4;
    let is_magic = |word: u32| Magic::at_start(&word.to_be_bytes()).is_some();
    match () {
        () if is_magic(in_hex) => Some("hexadecimal digits"),
        () if u32::try_from(in_base64).is_ok_and(is_magic) => Some("base64"),
        () => None,
    }
}

/// The bytes that text in UTF-8 was made of, if they were taken for Latin-1.
fn as_latin1(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_ascii())?;
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// The file itself, if an import would take it.
fn good(bytes: &[u8], options: &Options) -> Option<Repaired> {
    let pyc = Pyc::parse(bytes).ok()?;
    let profile = pyc.profile();
    let is_asked = options.python.as_ref().is_none_or(|asked| asked.version == profile.version);
    let graph = read(pyc.payload, profile).ok().filter(|_| is_asked && pyc.invalid_flags().is_none())?;
    graph.code_of(graph.root())?;
    if Loaded::new(&graph, profile).hazard().is_some() {
        return None;
    }
    let (python, steps) = (profile.version.to_string(), Vec::new());
    // Another version may read it too; if the code is not that of this one, the magic number is wrong.
    let found = identify(bytes);
    let first = found.best().any(|it| it.is_named) || found.candidates.is_empty() || options.python.is_some();
    let confidence = found.candidates.iter().find(|it| it.is_named).map_or(100, |it| it.confidence);
    first.then(|| Repaired { python, confidence, or: Vec::new(), steps, is_part: false, bytes: bytes.to_vec() })
}

fn lost(what: &str) -> Trouble {
    Trouble::new("lost", what, "compile the source again, or take a copy")
}

/// The header that a stream at this offset gets: with what the old one says of the source, if it is one.
fn header(bytes: &[u8], offset: usize, profile: &Profile, steps: &mut Vec<String>) -> Header {
    let word =
        |at: usize| bytes.get(at..at + 4).and_then(|word| word.first_chunk()).map(|word| u32::from_le_bytes(*word));
    let magic = Magic::at_start(bytes).filter(|_| offset >= 4);
    // Fields follow a number that nobody is known to write, too.
    let nobodys = [bytes.first(), bytes.get(1)].map(|byte| byte.copied().unwrap_or(0));
    let has_number = magic.is_some() || offset >= 4 && bytes.get(2..4) == Some(b"\r\n");
    let own = Magic::of(profile.magic);
    let need = profile.header.length();
    // A whole header that something was put before.
    let start = offset.checked_sub(need).filter(|_| magic.is_none());
    if let Some(start) = start.filter(|start| bytes.get(*start..).and_then(Magic::at_start) == Some(own)) {
        steps.push(format!("{start} bytes before the magic number are left out"));
        return self::header(&bytes[start..], need, profile, steps);
    }
    match magic {
        None if offset > LONGEST_HEADER => {
            steps.push(format!("the stream begins at byte {offset:#x}: what is before it is left out"));
        }
        None if offset == 0 => steps.push(format!("there was no header: one of {need} bytes is written")),
        None if has_number => {
            let number = u16::from_le_bytes(nobodys);
            steps.push(format!("the magic number {number} is that of nobody known: {} is written", own.number()));
        }
        None => steps.push(format!("there was no magic number: {} is written", own.number())),
        Some(magic) if magic != own => {
            let whose = magic.name().unwrap_or("nobody known");
            steps.push(format!("the magic number was that of {whose}: that of {} is written", profile.version));
        }
        Some(_) => {}
    }
    if has_number && offset != need && offset <= LONGEST_HEADER {
        steps.push(format!("the header had {offset} bytes: one of {need} bytes is written"));
    }
    // What is longer begins as the header that is needed.
    let fields = if offset > 16 && offset <= LONGEST_HEADER { need } else { offset };
    match (has_number, fields) {
        (true, 8) => {
            if let Some(mtime) = word(4) {
                if need > 8 {
                    steps.push("the size of the source is not known: 0 is written".into());
                }
                return Header::MtimeSize { flags: 0, mtime, size: 0 };
            }
        }
        (true, 12) => {
            if let (Some(mtime), Some(size)) = (word(4), word(8)) {
                return Header::MtimeSize { flags: 0, mtime, size };
            }
        }
        (true, 16) => {
            if let (Some(flags), Some(low), Some(high)) = (word(4), word(8), word(12)) {
                let has_flags = profile.header == HeaderLayout::Flags;
                let is_known = flags & !3 == 0;
                if !is_known && !has_flags {
                    return Header::MtimeSize { flags: 0, mtime: flags, size: low };
                }
                // Of eight bytes of a hash, one file in 256 has so small a size.
                let known = if is_known || high >= LARGE_SOURCE { flags & 3 } else { 0 };
                if !is_known {
                    let what = if known & 1 == 0 { "time and size" } else { "a hash" };
                    let follows = format!("as it seems that {what} of the source follow");
                    steps.push(format!("no Python knows the flags {flags:#x}: {known:#x} is written, {follows}"));
                }
                if known & 1 == 0 {
                    return Header::MtimeSize { flags: known, mtime: low, size: high };
                }
                // A hash depends on the magic number that it was made with.
                if has_flags && magic.is_none_or(|magic| magic == own) {
                    let hash = (u64::from(high) << 32 | u64::from(low)).to_le_bytes();
                    return Header::Hash { flags: known, hash };
                }
                steps.push("the hash of the source was made with another magic number, and is left out".into());
            }
        }
        _ => {}
    }
    steps.push("time and size of the source are not known: zeros are written".into());
    Header::MtimeSize { flags: 0, mtime: 0, size: 0 }
}

/// What is complete of a stream that no version reads to its end.
fn salvaged(bytes: &[u8], found: &Identified, options: &Options, mut steps: Vec<String>) -> Result<Repaired, Trouble> {
    let magic = Magic::at_start(bytes);
    let profile = options.python.as_ref().or(magic.and_then(Magic::family));
    let Some(profile) = profile.and_then(|profile| Profile::of(profile.version)) else {
        let what = match found.kind {
            Kind::Mangled(how) => how.said(),
            _ => "no Python that is known reads a code object in it",
        };
        return Err(Trouble::new("unknown", what, "--as X.Y names the Python that wrote it"));
    };
    let offset = payload_offset(bytes, profile);
    let payload = bytes.get(offset..).unwrap_or_default();
    if let Kind::Mangled(how) = found.kind {
        steps.push(how.said().to_owned());
    }
    let Some(Salvaged { graph, codes, error }) = salvage(payload, profile) else {
        return Err(Trouble::new(
            "lost",
            "no code object in it is complete",
            "compile the source again, or take a copy",
        ));
    };
    let names: Vec<String> = codes.iter().map(|id| text(&graph, *id, Field::Name)).collect();
    let (count, all) = (graph.code_objects().len(), names.join(", "));
    if !options.salvage {
        let what = format!("{} {}; {count} code objects are complete: {all}", "the stream is damaged:", error.kind);
        return Err(Trouble::new("damaged", what, "--salvage keeps them").at(offset + error.offset));
    }
    let header = header(bytes, offset, profile, &mut steps);
    let end = offset + error.offset;
    steps.push(format!("the stream ends at byte {end:#x} ({}): {count} code objects are kept: {all}", error.kind));
    steps.push("the module that loads them is made anew, and does nothing".into());
    let stream = module(graph, &codes, profile)
        .map_err(|e| Trouble::new("lost", format!("they cannot be put together: {e}"), "report it, with the file"))?;
    if let Some(what) = deadly(&stream, profile) {
        return Err(lost(&format!("Python {} cannot load what is complete: {what}", profile.version)));
    }
    Ok(Repaired {
        python: profile.version.to_string(),
        confidence: if options.python.is_some() { 100 } else { 90 },
        or: Vec::new(),
        steps,
        is_part: true,
        bytes: Pyc::new(profile, header, &stream).to_bytes(),
    })
}

fn text(graph: &Graph<'_>, code: NodeId, field: Field) -> String {
    let object = graph.code_of(code).and_then(|code| code.object(field));
    object.map(|id| graph.text(id)).unwrap_or_default()
}

/// A module with these code objects as constants, each of which it loads.
fn module(mut graph: Graph<'_>, codes: &[NodeId], profile: &Profile) -> Result<Vec<u8>, String> {
    let filename = text(&graph, codes[0], Field::Filename);
    let all = graph.tuple(codes);
    graph.set_root(all);
    graph.settle();
    let mut document = Document::of(&[], &graph, &[], profile);
    // Who refers to what is another one now.
    document.clear_marks();
    let kept = document.root.take().map(|all| document.values.parts(all).to_vec()).unwrap_or_default();
    let (filename, none) = (document.values.str(&filename), document.values.none());
    let mut module = document.build("<module>", 1);
    module.block.filename = Some(filename);
    match module.op("RESUME", Symbol::Number(0)) {
        // Versions before 3.11 have none.
        Ok(()) | Err(OpError::NoSuchOpcode(_)) => {}
        Err(e) => return Err(e.to_string()),
    }
    let codes = kept.into_iter().flat_map(|code| [("LOAD_CONST", Symbol::Const(code)), ("POP_TOP", Symbol::None)]);
    for (name, operand) in codes.chain([("LOAD_CONST", Symbol::Const(none)), ("RETURN_VALUE", Symbol::None)]) {
        module.op(name, operand).map_err(|e| e.to_string())?;
    }
    let module = module.finish();
    document.root = Some(document.code(module));
    document.write().map_err(|e| e.to_string())
}
