//! `verify`: is the file valid, for which Python, is it stale, and would that Python import it?
//!
//! What importlib does (`importlib/_bootstrap_external.py`): a cached file whose header it refuses is compiled anew, silently; one
//! whose stream it refuses raises an exception. A file outside of `__pycache__` is imported only where no source is beside it; but
//! 2.7 has its files beside their sources.

use super::answer::Answer;
use super::source::{is_cached, module, source};
use super::{Entry, Trouble};
use crate::observation::explained;
use crate::subjects::core::guard;
use pyc_core::magic::Magic;
use pyc_core::model::Loaded;
use pyc_core::pyc::{Refusal, SourceFile, import};
use pyc_core::{Profile, Pyc, Value, read};
use serde::Serialize;
use std::fmt;

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
    /// Nobody looks at it: it is cached, and its source is gone.
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
    /// The Python that the magic number is of.
    pub python: Option<String>,
    /// Whether its source has changed; none where that is not known or not asked.
    pub stale: Option<bool>,
    /// What staleness is told by: `mtime`, `hash`, or `nothing`.
    pub compared: &'static str,
    /// The source, if there is one.
    pub source: Option<String>,
    /// What an import does.
    pub outcome: Outcome,
    /// importlib's own words, or those of `marshal.loads`.
    pub exception: Option<String>,
    /// What else to say.
    pub note: Option<String>,
}

impl View {
    /// Looks at a file and its source.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn of(entry: &Entry, bytes: &[u8]) -> Result<View, Trouble> {
        let path = entry.path();
        let source = path.map(source).transpose().map_err(|e| Trouble::io(&e).about("the source"))?.flatten();
        let is_cached = path.is_some_and(is_cached);
        let name = path.map_or_else(|| "module".into(), module);
        let mut view = View {
            ok: false,
            valid: false,
            python: None,
            stale: None,
            compared: "nothing",
            source: source.as_ref().map(|source| source.path.display().to_string()),
            outcome: Outcome::Unknown,
            exception: None,
            note: None,
        };
        let Some(profile) = Magic::at_start(bytes).and_then(Magic::profile) else {
            view.note = Some(match Pyc::parse(bytes) {
                Err(e) => format!("{e}; `provost identify` tells more"),
                Ok(_) => "no Python that is modelled reads it".into(),
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
        view.look_at_stream(bytes, profile, &name);
        view.valid &= header.is_ok();
        let refusal = checked.err();
        view.decide(refusal, is_cached, source.is_some(), profile);
        view.ok = view.valid && matches!(view.outcome, Outcome::Imported);
        Ok(view)
    }

    /// Whether the stream is good; the exception if not.
    fn look_at_stream(&mut self, bytes: &[u8], profile: &Profile, name: &str) {
        let stream = bytes.get(profile.header.length()..).unwrap_or_default();
        let looked = guard(|| match read(stream, profile) {
            Ok(graph) => {
                if let Some(cause) = Loaded::new(&graph, profile).hazard() {
                    return Some((None, explained(cause.name())));
                }
                if matches!(graph.value(graph.root()), Value::Code(_)) {
                    return None;
                }
                let text = match profile.is_python2() {
                    true => format!("ImportError: Non-code object in {name}.pyc"),
                    false => format!("ImportError: Non-code object in {:?}", format!("{name}.pyc")),
                };
                Some((Some(text), "the stream is no code object".into()))
            }
            Err(error) => match error.cause() {
                Some(cause) => Some((None, explained(cause.name()))),
                None => {
                    let raised = error.exception(profile);
                    let offset = profile.header.length() + error.offset;
                    let text = format!("{}: {}", raised.class, raised.message.replacen(".c:0: ", ".c: ", 1));
                    Some((Some(text), format!("{} (at byte {offset:#x})", error.kind)))
                }
            },
        });
        match looked {
            Ok(None) => self.valid = true,
            Ok(Some((exception, note))) => (self.exception, self.note) = (exception, Some(note)),
            Err(panic) => {
                self.note = Some(format!("pyc-core panicked: {panic}; report it with the file: this is a bug"))
            }
        }
    }

    fn decide(&mut self, refusal: Option<Refusal>, is_cached: bool, has_source: bool, profile: &Profile) {
        let is_stale = self.stale == Some(true);
        let said = refusal.map(|Refusal { class, message }| format!("{class}: {message}"));
        self.outcome = match (is_cached, has_source) {
            (true, false) => Outcome::Ignored,
            _ if said.is_some() || is_stale => {
                if has_source {
                    Outcome::Recompiled
                } else {
                    Outcome::Fails
                }
            }
            // Where a source is beside it, only 2.7 looks at it.
            (false, true) if !profile.is_python2() => Outcome::Ignored,
            _ if self.valid => Outcome::Imported,
            _ => Outcome::Fails,
        };
        if self.outcome == Outcome::Ignored {
            let note = if is_cached {
                "it is cached and its source is gone: Python does not look at it"
            } else {
                "its source is beside it: Python 3 looks into __pycache__ only"
            };
            self.note = self.note.take().or_else(|| Some(note.into()));
        }
        self.exception = said.or(self.exception.take());
    }
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
            (_, Some(true), _) => "stale",
            (_, _, Outcome::Imported) => "good",
            (_, _, Outcome::Ignored) => "ignored",
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
