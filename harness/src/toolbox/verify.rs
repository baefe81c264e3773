//! `verify`: is the file valid, for which Python, is it stale, and would that Python import it?
//!
//! What importlib does (`importlib/_bootstrap_external.py`): a cached file whose header it refuses is compiled anew, silently; one
//! whose stream it refuses raises an exception. A file outside of `__pycache__` is imported only where no source is beside it; but
//! 2.7 has its files beside their sources. Which Python looks at a cached file tells the tag in its name; at a file with a name that
//! importlib does not make looks nobody, nor at a module beside a package of its name. What is in an archive is looked at as if it
//! were unpacked, but for times.

use super::answer::Answer;
use super::identify;
use super::places::{is_cached, is_looked_for, package_before, prefix, profile_of, source_below, tag_of};
use super::source::{Source, module, source};
use super::{Beside, Entry, Trouble};
use crate::observation::explained;
use crate::subjects::core::guard;
use pyc_core::bytecode::InstructionSet;
use pyc_core::code::Field;
use pyc_core::magic::Magic;
use pyc_core::model::Loaded;
use pyc_core::pyc::{Header, PycError, Refusal, SourceFile, import};
use pyc_core::{Graph, Profile, Pyc, Value, read};
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// What becomes of a file when its module is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is imported.
    Imported,
    /// The source is compiled in its place.
    Recompiled,
    /// The import fails.
    Fails,
    /// Nobody looks at it: by its name, because of what is beside it, or because its source is gone.
    Ignored,
    /// No Python that is modelled reads it.
    Unknown,
}

/// The answer about a file.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// Whether all is well: the stream is good, and it would be imported.
    pub ok: bool,
    /// Whether header and stream are good.
    pub valid: bool,
    /// The Python that looks at it: by the tag in its name, or else by its magic number.
    pub python: Option<String>,
    /// Whether its source has changed; none where that is not known or not asked.
    pub stale: Option<bool>,
    /// What staleness is told by: `mtime`, `hash`, `size`, or `nothing`.
    pub compared: &'static str,
    /// The source, if there is one.
    pub source: Option<String>,
    /// What an import does.
    pub outcome: Outcome,
    /// importlib's own words, or those of `marshal.loads`.
    pub exception: Option<String>,
    /// What else to say.
    pub note: Option<String>,
    /// Whether another Python seems to have written what it loads.
    #[serde(skip)]
    is_doubtful: bool,
}

impl View {
    /// Looks at a file and its source.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn of(entry: &Entry, bytes: &[u8], beside: &mut Beside<'_>) -> Result<View, Trouble> {
        let member = entry.member();
        let path = entry.path().or(member.map(|(name, _)| name));
        let source = match member {
            Some((name, _)) => source_in(name, bytes, beside).map_err(|trouble| trouble.about("the source"))?,
            None => path.map(source).transpose().map_err(|e| Trouble::io(&e).about("the source"))?.flatten(),
        };
        let prefix = prefix().filter(|_| member.is_none());
        let is_cached = path.is_some_and(|path| is_cached(path, prefix.as_deref()));
        let tag = path.and_then(|path| tag_of(path, prefix.as_deref()));
        let name = match (entry.path(), member) {
            (Some(path), _) => module(path),
            (None, Some((name, _))) => module_in(name),
            (None, None) => "module".into(),
        };
        let mut view = View {
            ok: false,
            valid: false,
            python: None,
            stale: None,
            compared: "nothing",
            source: source.as_ref().map(|source| match member {
                Some((_, archive)) => format!("{archive}!{}", source.path.display()),
                None => source.path.display().to_string(),
            }),
            outcome: Outcome::Unknown,
            exception: None,
            note: None,
            is_doubtful: false,
        };
        let magic = Magic::at_start(bytes);
        let profile = match tag {
            Some(tag) => profile_of(tag),
            None => magic.and_then(Magic::profile),
        };
        let Some(profile) = profile else {
            view.note = Some(match (Pyc::parse(bytes), tag) {
                (Err(e), _) => not_pyc(&e, bytes),
                (Ok(_), Some(tag)) => format!("the Python with the cache tag {tag} is not modelled"),
                (Ok(_), None) => "no Python that is modelled reads it".into(),
            });
            return Ok(view);
        };
        view.python = Some(profile.version.to_string());
        let file = source.as_ref().map(|source| SourceFile { bytes: &source.bytes, mtime: source.mtime });
        let header = import(bytes, profile, None, &name);
        let checked = import(bytes, profile, file, &name);
        let flags = header.as_ref().copied().unwrap_or_default();
        view.compared = match flags {
            _ if source.is_none() => "nothing",
            3 => "hash",
            1 => "nothing",
            // Times get lost on the way into an archive and out of it.
            _ if member.is_some() && profile.is_python2() => "nothing",
            _ if member.is_some() => "size",
            // It looks at the time in the header itself (Python/import.c).
            _ => "mtime",
        };
        let stale_in_2 = profile.is_python2().then(|| stale_in_2(bytes, file)).flatten();
        view.stale = match (&header, &checked) {
            _ if view.compared == "nothing" => None,
            (Ok(_), Ok(_)) => Some(stale_in_2.unwrap_or(false)),
            (Ok(_), Err(_)) => Some(true),
            (Err(_), _) => None,
        };
        if magic != Some(Magic::of(profile.magic)) {
            view.note = Some(match Pyc::parse(bytes) {
                Err(e) => not_pyc(&e, bytes),
                Ok(pyc) => format!("its magic number is that of {}", pyc.magic().name().unwrap_or("another Python")),
            });
        } else if bytes.len() >= profile.header.length() {
            let file = path.map_or_else(|| format!("{name}.pyc"), |path| path.display().to_string());
            view.look_at_stream(bytes, profile, &file);
        } else {
            view.note = Some("it ends in its header".into());
        }
        view.valid &= header.is_ok();
        let is_unseen = path.is_some_and(|path| !is_looked_for(path, profile, prefix.as_deref()));
        let exists = |file: &Path| if member.is_some() { beside.has(file) } else { file.is_file() };
        let package =
            path.and_then(|path| source_below(path, prefix.as_deref())).and_then(|it| package_before(&it, exists));
        // An import from a zip takes what is beside its source; wheels are unpacked first.
        let is_zip = member.is_some_and(|(_, archive)| !archive.to_ascii_lowercase().ends_with(".whl"));
        let ignored = match source.is_some() {
            _ if is_unseen => Some("Python looks for no file of this name".into()),
            false if is_cached => Some("it is cached and its source is gone: Python does not look at it".into()),
            // 2.7 has its files beside their sources.
            true if !is_cached && !is_zip && !profile.is_python2() => {
                Some("its source is beside it: Python 3 looks into __pycache__ only".into())
            }
            _ => package.map(|package| format!("{} is imported in the place of its module", package.display())),
        };
        view.decide(header.err(), checked.err(), ignored, source.is_some());
        view.ok = view.valid && !view.is_doubtful && matches!(view.outcome, Outcome::Imported);
        Ok(view)
    }

    /// Whether the stream is good; the exception if not.
    fn look_at_stream(&mut self, bytes: &[u8], profile: &Profile, file: &str) {
        let stream = bytes.get(profile.header.length()..).unwrap_or_default();
        let looked = guard(|| match read(stream, profile) {
            Ok(graph) => {
                if let Some(cause) = Loaded::new(&graph, profile).hazard() {
                    let doubt = looks_like(bytes, profile).map_or(String::new(), |doubt| format!("; {doubt}"));
                    return Some((None, format!("{}{doubt}", explained(cause.name())), false));
                }
                if matches!(graph.value(graph.root()), Value::Code(_)) {
                    return is_suspicious(&graph, profile)
                        .then(|| looks_like(bytes, profile))
                        .flatten()
                        .map(|doubt| (None, doubt, true));
                }
                let file = if profile.is_python2() { file.to_owned() } else { quoted(file) };
                let text = format!("ImportError: Non-code object in {file}");
                Some((Some(text), "the stream is no code object".into(), false))
            }
            Err(error) => match error.cause() {
                Some(cause) => Some((None, explained(cause.name()), false)),
                None => {
                    let raised = error.exception(profile);
                    let offset = (profile.header.length() + error.offset).min(bytes.len());
                    let text = format!("{}: {}", raised.class, raised.message.replacen(".c:0: ", ".c: ", 1));
                    let what = mangled(&identify::View::of(bytes)).unwrap_or_else(|| error.kind.to_string());
                    Some((Some(text), format!("{what} (at byte {offset:#x})"), false))
                }
            },
        });
        match looked {
            Ok(None) => self.valid = true,
            Ok(Some((exception, note, loads))) => {
                (self.exception, self.note) = (exception, Some(note));
                (self.valid, self.is_doubtful) = (loads, loads);
            }
            Err(panic) => {
                self.note = Some(format!("pyc-core panicked: {panic}; report it with the file: this is a bug"))
            }
        }
    }

    /// What becomes of it, with what an import says of the header, by itself and beside the source; and why nobody opens it.
    fn decide(&mut self, alone: Option<Refusal>, beside: Option<Refusal>, ignored: Option<String>, has_source: bool) {
        let refusal = if ignored.is_some() { alone } else { beside };
        let said = refusal.map(|Refusal { class, message }| format!("{class}: {message}"));
        self.outcome = match () {
            () if ignored.is_some() => Outcome::Ignored,
            () if said.is_some() || self.stale == Some(true) => match has_source {
                true => Outcome::Recompiled,
                false => Outcome::Fails,
            },
            () if self.valid => Outcome::Imported,
            () => Outcome::Fails,
        };
        self.note = self.note.take().or(ignored);
        self.exception = said.or(self.exception.take());
    }
}

/// The module that a file in an archive is, as all folders of one are packages.
fn module_in(name: &Path) -> String {
    let source = source_below(name, None).unwrap_or_else(|| name.to_owned()).with_extension("");
    let parts = source.iter().map(|part| part.to_string_lossy()).filter(|part| part != "__init__");
    parts.collect::<Vec<_>>().join(".")
}

/// The source of a file in an archive, with the time that the file has of it: archives have times of their own.
fn source_in(name: &Path, bytes: &[u8], beside: &mut Beside<'_>) -> Result<Option<Source>, Trouble> {
    let Some(path) = source_below(name, None) else { return Ok(None) };
    let mtime = match Pyc::parse(bytes).map(|pyc| pyc.header) {
        Ok(Header::Mtime { mtime } | Header::MtimeSize { mtime, .. }) => mtime,
        _ => 0,
    };
    Ok(beside.read(&path)?.map(|bytes| Source { path, bytes, mtime }))
}

/// What a file is that is no .pyc file of a Python that is modelled.
#[must_use]
pub fn not_pyc(error: &PycError, bytes: &[u8]) -> String {
    let view = identify::View::of(bytes);
    if let Some(what) = mangled(&view) {
        return what;
    }
    match view.kind {
        // A text may be a stream whose bytes are characters.
        "foreign" if view.what == "a text" && !view.candidates.is_empty() => {}
        "foreign" if view.what.contains(".pyc") => return view.what,
        "foreign" => return format!("not a .pyc file but {}", view.what),
        "zeros" => return view.what,
        _ => {}
    }
    format!("{error}; `provost identify` tells more")
}

/// What took the file for text, if something did.
fn mangled(view: &identify::View) -> Option<String> {
    let is_restored = if view.restored { ": `provost repair` has it back" } else { "" };
    (view.kind == "mangled").then(|| format!("{}{is_restored}", view.what))
}

/// Whether there are instructions that this version has not, or the module does not begin as all do. This is quick, and a reason to
/// look closer.
fn is_suspicious(graph: &Graph<'_>, profile: &Profile) -> bool {
    // In 2.7 instructions have no fixed length.
    if profile.is_python2() {
        return false;
    }
    let instructions = |id| {
        let bytes = graph.resolve(graph.code_of(id)?.object(Field::Code)?);
        match graph.value(bytes) {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    };
    let set = InstructionSet::of(profile);
    let is_unknown = |opcode: &u8| set.opcode(*opcode).name.is_empty();
    let begins = set
        .named("RESUME")
        .is_none_or(|resume| instructions(graph.root()).is_none_or(|code| code.first() == Some(&resume)));
    let has_unknown = |id: &_| instructions(*id).is_some_and(|code| code.iter().step_by(2).any(is_unknown));
    !begins || graph.code_objects().iter().any(has_unknown)
}

/// Whose stream it looks like, if that is not this version's.
fn looks_like(bytes: &[u8], profile: &Profile) -> Option<String> {
    let view = identify::View::of(bytes);
    let best = view.candidates.first()?;
    let own = profile.version.to_string();
    let is_own = view.candidates.iter().any(|it| it.python == own && it.confidence >= best.confidence);
    let has_code = !best.evidence.first()?.contains("without a code object");
    let whose = if best.implementation == "CPython" { "Python" } else { best.implementation };
    let said = format!("this looks like a stream of {whose} {} ({} % sure)", best.python, best.confidence);
    (!is_own && has_code).then_some(said)
}

/// A text as Python shows it.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\t' => out += "\\t",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            _ if c == quote || c == '\\' => out.extend(['\\', c]),
            _ if u32::from(c) < 256 && c.is_control() => out += &format!("\\x{:02x}", u32::from(c)),
            _ => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// What 2.7 compares silently: the time in the header.
fn stale_in_2(bytes: &[u8], source: Option<SourceFile<'_>>) -> Option<bool> {
    let mtime = u32::from_le_bytes(*bytes.get(4..8)?.first_chunk()?);
    Some(mtime != source?.mtime)
}

impl Answer for View {
    fn verdict(&self) -> (&'static str, bool) {
        let word = match (self.valid, self.stale, self.outcome) {
            (_, _, Outcome::Unknown) => "unknown",
            (false, ..) => "bad",
            (_, _, Outcome::Ignored) => "ignored",
            (_, Some(true), _) => "stale",
            (_, _, Outcome::Imported) if self.is_doubtful => "doubtful",
            (_, _, Outcome::Imported) => "good",
            _ => "refused",
        };
        (word, self.ok)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, _) = self.verdict();
        let python = self.python.as_deref().unwrap_or("?");
        let outcome = match self.outcome {
            Outcome::Imported => "imported",
            Outcome::Recompiled => "its source is compiled in its place",
            Outcome::Fails => "the import fails",
            Outcome::Ignored => "not looked at",
            Outcome::Unknown => "not imported",
        };
        write!(f, "{word}, Python {python}, {outcome}")?;
        for said in [&self.exception, &self.note].into_iter().flatten() {
            write!(f, "; {said}")?;
        }
        match (self.compared, self.outcome) {
            ("nothing", Outcome::Imported) => writeln!(f, "; not compared with a source"),
            _ => writeln!(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_as_python_shows_them() {
        for (path, expected) in [
            ("__pycache__/m.cpython-312.pyc", "'__pycache__/m.cpython-312.pyc'"),
            ("it's.pyc", "\"it's.pyc\""),
            ("it's \"x\".pyc", "'it\\'s \"x\".pyc'"),
            ("a\\b\n\x01é.pyc", "'a\\\\b\\n\\x01é.pyc'"),
        ] {
            assert_eq!(quoted(path), expected);
        }
    }
}
