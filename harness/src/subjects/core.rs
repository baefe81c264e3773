//! pyc-core as a subject: what it predicts of one interpreter.
//!
//! The core runs in this process, so its worst failure would end the campaign. It is asked behind a boundary that turns a
//! panic into an observation, which the oracle always takes for a finding.

use crate::case::sha256_hex;
use crate::comparison::Question;
use crate::generators::{Target, fnv};
use crate::matrix::{self, Reached};
use crate::observation::{Accepted, Canon, Dump, Fault, Observation, flags};
use crate::oracle::Relation;
use interpreters::Interpreter;
use interpreters::exec::{Declaration, Operation};
use protocol::{Exception, Facts, Import};
use pyc_core::model::{Loaded, SLOW_COST, Slow};
use pyc_core::pyc::{Refusal, SourceFile, import};
use pyc_core::{Cause, Graph, Profile, Pyc, Release, model, read};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

/// What the workers call the module that they would import.
const MODULE: &str = "case";

/// Of a stream of at most so many bytes everything is asked.
const SMALL: usize = 64;

/// pyc-core under the profile of one interpreter.
#[derive(Debug, Clone)]
pub struct Core {
    profile: Profile,
    /// What the interpreter owes to the predictions: [`Relation::Model`]; [`Relation::Value`] if it is not CPython;
    /// [`Relation::Reader`] if it is a reader behind an adapter.
    owed: Relation,
    /// What it declares, if it is a reader behind an adapter.
    declaration: Option<Arc<Declaration>>,
}

/// What the core says of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// What the interpreter will do, with the canon as a text and a dump for each of its marshal versions.
    pub observation: Observation,
    /// Why the core refuses the stream, if it does.
    pub error: Option<pyc_core::Error>,
    /// The stream written again in preserve mode, if it was read.
    pub rewritten: Option<Result<Vec<u8>, String>>,
    /// The rules of the format that the case reaches.
    pub reached: Reached,
}

impl Prediction {
    /// What is said of a header, which reaches no rule of streams.
    pub(crate) fn of_header(observation: Observation) -> Prediction {
        Prediction { observation, error: None, rewritten: None, reached: Reached::default() }
    }
}

impl Core {
    /// The core for an interpreter, or for a reader of its streams.
    ///
    /// # Errors
    /// When pyc-core has no profile for it.
    pub fn for_interpreter(interpreter: &Interpreter) -> Result<Core, String> {
        let Some(declaration) = interpreter.declaration() else { return Core::of(&interpreter.facts) };
        Core::for_reader(declaration, &interpreter.facts.version)
    }

    /// The core for a reader of the streams of this Python.
    ///
    /// # Errors
    /// When pyc-core has no profile for it.
    pub fn for_reader(declaration: &Declaration, python: &str) -> Result<Core, String> {
        let core = Core::named(python)?;
        Ok(Core { owed: Relation::Reader, declaration: Some(Arc::new(declaration.clone())), ..core })
    }

    /// The core for an interpreter that says this of itself.
    ///
    /// # Errors
    /// When pyc-core has no profile for it.
    pub fn of(facts: &Facts) -> Result<Core, String> {
        let Core { profile, .. } = Core::named(&facts.version)?;
        let owed = match facts.implementation.as_str() {
            "cpython" => Relation::Model,
            // It reads and writes the marshal of the CPython whose version it has.
            "pypy" if !profile.is_python2() => Relation::Value,
            other => return Err(format!("nothing is known of what {other} {} owes", profile.version)),
        };
        let profile = profile
            .with_pointer_bits(facts.pointer_bits)
            .with_interned_elsewhere(&facts.interned_elsewhere)
            .with_quiet_nans(facts.quiets_nans)
            .with_assertions(facts.debug)
            .with_free_threading(facts.free_threaded)
            .on_platform(&facts.platform);
        Ok(Core { profile, owed, declaration: None })
    }

    /// The core for a version (then for the newest release that the model was compared with) or an exact release of CPython.
    ///
    /// # Errors
    /// When the text is no version, or pyc-core has no profile for it.
    pub fn named(version: &str) -> Result<Core, String> {
        let release =
            Release::parse(version).ok_or_else(|| format!("{version:?} is no version such as 3.12 or 3.14.2"))?;
        let known = || Profile::all().map(|p| p.version.to_string()).collect::<Vec<_>>().join(", ");
        let profile = Profile::for_release(&release)
            .ok_or_else(|| format!("pyc-core has no profile for CPython {version}; it has {}", known()))?;
        Ok(Core::with(profile))
    }

    /// The core for each modelled version, oldest first.
    pub fn all() -> impl Iterator<Item = Core> {
        Profile::all().cloned().map(Core::with)
    }

    /// The core for a CPython of this profile, whether there is one or not.
    #[must_use]
    pub fn with(profile: Profile) -> Core {
        Core { profile, owed: Relation::Model, declaration: None }
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What to keep in mind about the predictions: that nobody has compared them with a release as new as this one.
    #[must_use]
    pub fn caution(&self) -> Option<String> {
        let (release, newest) = (self.profile.release, self.profile.compared_up_to());
        (self.is_model() && release > newest).then(|| {
            format!(
                "the model may be behind: {release} is newer than {newest}, the newest release it was compared with"
            )
        })
    }

    /// Whether the interpreter is CPython, of which everything is predicted.
    #[must_use]
    pub fn is_model(&self) -> bool {
        self.owed == Relation::Model
    }

    /// What the interpreter owes to the predictions.
    #[must_use]
    pub fn owed(&self) -> Relation {
        self.owed
    }

    /// What the reader declares, if it is one behind an adapter.
    #[must_use]
    pub fn declaration(&self) -> Option<&Declaration> {
        self.declaration.as_deref()
    }

    /// What generators need to know of the interpreter.
    #[must_use]
    pub fn target(&self) -> Target {
        Target { codes: self.owed != Relation::Value, ..Target::from(&self.profile) }
    }

    /// What the interpreter will do with a case.
    #[must_use]
    pub fn predict(&self, case: &[u8]) -> Prediction {
        self.predict_about(case, &self.everything())
    }

    /// Everything that can be asked about a stream.
    fn everything(&self) -> Question {
        let highest = self.profile.marshal_version;
        let versions = match self.declaration() {
            None => (0..=highest).collect(),
            // It writes in its own way, once.
            Some(declaration) if declaration.can(Operation::Rewrite) => vec![highest],
            Some(_) => Vec::new(),
        };
        Question { canon: true, versions }
    }

    /// What is asked about one of many cases: everything if it is small. Of a larger one the canon and the dumps have nearly all
    /// in common, and a hunt has more from other cases; so it is one of them, and which follows from the bytes. Who owes no
    /// bytes owes the canon.
    #[must_use]
    pub fn sample(&self, case: &[u8]) -> Question {
        let Question { mut canon, mut versions } = self.everything();
        if case.len() > SMALL && self.owed != Relation::Reader {
            let chosen = fnv(case.iter().copied()) % (versions.len() as u64 + 1);
            canon = chosen == versions.len() as u64 || !self.is_model();
            versions.retain(|version| u64::from(*version) == chosen);
        }
        Question { canon, versions }
    }

    /// A [`Core::predict`] that has of a value only what is asked.
    #[must_use]
    pub fn predict_about(&self, case: &[u8], question: &Question) -> Prediction {
        let other = |observation, reached| Prediction { observation, error: None, rewritten: None, reached };
        guard(|| {
            let graph = match read(case, &self.profile) {
                Ok(graph) => graph,
                Err(e) => {
                    let prediction = other(self.refused(&e), matrix::refused(case, &e, &self.profile));
                    return Prediction { error: Some(e), ..prediction };
                }
            };
            let rewritten = Some(graph.write_anew().map_err(|e| e.to_string()));
            match self.answer(&graph, question) {
                Ok(observation) => {
                    let reached = matrix::accepted(case, &graph, &self.profile);
                    Prediction { observation, error: None, rewritten, reached }
                }
                Err(cause) => other(Observation::Undefined(cause.name().into()), matrix::killing(cause)),
            }
        })
        .unwrap_or_else(|message| other(Observation::Faulted(Fault::Panic(message)), Reached::default()))
    }

    /// What the interpreter will do with a case, and nothing else of a [`Prediction`]. A panic stays one.
    #[must_use]
    pub fn observe(&self, case: &[u8]) -> Observation {
        self.observe_about(case, &self.everything())
    }

    /// A [`Core::observe`] that has of a value only what is asked.
    #[must_use]
    pub fn observe_about(&self, case: &[u8], question: &Question) -> Observation {
        match read(case, &self.profile) {
            Ok(graph) => {
                self.answer(&graph, question).unwrap_or_else(|cause| Observation::Undefined(cause.name().into()))
            }
            Err(e) => self.refused(&e),
        }
    }

    /// The same, with what the stream is written again as in preserve mode, if the interpreter reads it.
    #[must_use]
    pub fn observe_and_rewrite(&self, case: &[u8]) -> (Observation, Option<Result<Vec<u8>, String>>) {
        match read(case, &self.profile) {
            Ok(graph) => match self.answer(&graph, &self.everything()) {
                Ok(observation) => (observation, Some(graph.write_anew().map_err(|e| e.to_string()))),
                Err(cause) => (Observation::Undefined(cause.name().into()), None),
            },
            Err(e) => (self.refused(&e), None),
        }
    }

    /// What the interpreter does with a stream that it reads. Where that is undefined it is not even asked to load it.
    fn answer(&self, graph: &Graph, question: &Question) -> Result<Observation, Cause> {
        let loaded = Loaded::new(graph, &self.profile);
        if let Some(cause) = loaded.hazard() {
            return Err(cause);
        }
        let dumps = question.versions.iter().map(|&version| (version, dump(&loaded, version))).collect();
        Ok(accepted(graph, &loaded, question.canon, dumps))
    }

    /// What the interpreter's import says of the header of a .pyc file.
    #[must_use]
    pub fn import(&self, ask: &Import) -> Observation {
        let source = ask.source.as_ref().map(|(bytes, mtime)| SourceFile { bytes, mtime: *mtime });
        guard(|| match import(&ask.file, &self.profile, source, MODULE) {
            Ok(n) => flags(n),
            Err(Refusal { class, message }) => Observation::Rejected(Exception { class: class.into(), message }),
        })
        .unwrap_or_else(|message| Observation::Faulted(Fault::Panic(message)))
    }

    /// What a stream holds: outcome and canon, without dumps.
    #[must_use]
    pub fn read(&self, stream: &[u8]) -> Observation {
        guard(|| match read(stream, &self.profile) {
            Ok(graph) => accepted(&graph, &Loaded::new(&graph, &self.profile), true, Vec::new()),
            Err(e) => self.refused(&e),
        })
        .unwrap_or_else(|message| Observation::Faulted(Fault::Panic(message)))
    }

    fn refused(&self, error: &pyc_core::Error) -> Observation {
        match error.cause() {
            Some(cause) => Observation::Undefined(cause.name().into()),
            None => Observation::Rejected(exception(error.exception(&self.profile))),
        }
    }
}

fn accepted(graph: &Graph, loaded: &Loaded, canon: bool, dumps: Vec<(u8, Dump)>) -> Observation {
    let canon = match loaded.hazard() {
        Some(cause) => Canon::Undefined(cause.name().into()),
        None if !canon => Canon::Unasked,
        None => match loaded.canon_and_aspect() {
            (text, Some(aspect)) => Canon::Varies(aspect.name().into(), text),
            (text, None) => Canon::Text(text),
        },
    };
    Observation::Accepted(Accepted { consumed: Some(graph.consumed() as u64), canon, dumps })
}

pub(crate) fn dump(loaded: &Loaded, version: u8) -> Dump {
    if let Some(cause) = loaded.hazard() {
        return Dump::Undefined(cause.name().into());
    }
    // Nothing else is slow.
    let slow = |bytes| Dump::Slow { reason: Slow::SortingSets.name().into(), bytes };
    let (dump, cost) = loaded.dump_and_cost(version);
    match dump {
        model::Dump::Bytes { bytes, .. } if cost > SLOW_COST => slow(Some(bytes)),
        model::Dump::Raises(_) if cost > SLOW_COST => slow(None),
        model::Dump::Bytes { bytes, unpredictable } => {
            let loss = loaded.loss(version).map(|loss| loss.name().to_owned());
            Dump::Bytes { bytes, unpredictable: unpredictable.map(|aspect| aspect.name().to_owned()), loss }
        }
        model::Dump::Raises(e) => Dump::Raises(exception(e)),
        model::Dump::Undefined(cause) => Dump::Undefined(cause.name().into()),
        model::Dump::Slow(_) => slow(None),
    }
}

fn exception(e: pyc_core::Exception) -> Exception {
    Exception { class: e.class.into(), message: e.message }
}

/// The marshal stream in a .pyc file, after a check that the file is written again as it is.
///
/// # Errors
/// When it is not a .pyc file of a known version, or would be written differently.
pub fn payload(pyc: &[u8]) -> Result<Vec<u8>, String> {
    guard(|| {
        let parsed = Pyc::parse(pyc).map_err(|e| e.to_string())?;
        let again = parsed.to_bytes();
        if again != pyc {
            return Err(format!("the file {} is written again as {}", sha256_hex(pyc), sha256_hex(&again)));
        }
        Ok(parsed.payload.to_vec())
    })?
}

thread_local! {
    /// `None`: a panic of this thread is nobody's but its own. `Some`: it happens inside [`guard`], which wants its text.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs something of pyc-core; a panic becomes an error with its message and place, and prints nothing.
///
/// # Errors
/// When it panics.
pub fn guard<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = CAUGHT.with_borrow_mut(|caught| caught.as_mut().map(|text| *text = info.to_string()).is_some());
            if !ours {
                previous(info);
            }
        }));
    });
    // One may be inside of another.
    let outer = CAUGHT.replace(Some(String::new()));
    // The work owns or only reads what it is given, so nothing half changed survives a panic.
    let result = catch_unwind(AssertUnwindSafe(work));
    let message = CAUGHT.replace(outer).unwrap_or_default();
    result.map_err(|_| message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_that_names_its_place() {
        let message = guard(|| panic!("index {} out of bounds", 7)).unwrap_err();
        assert!(message.contains("index 7 out of bounds") && message.contains("core.rs"), "{message}");
        assert_eq!(guard(|| 3), Ok(3));
        let message = guard(|| guard(|| 3).map(|_| panic!("outside"))).unwrap_err();
        assert!(message.contains("outside"), "{message}");
    }

    #[test]
    fn every_profile_predicts_a_stream_that_everybody_knows() {
        for core in Core::all() {
            let prediction = core.predict(b"[\x02\0\0\0NTx");
            assert_eq!(prediction.rewritten, Some(Ok(b"[\x02\0\0\0NT".to_vec())), "{}", core.profile().version);
            let Observation::Accepted(accepted) = prediction.observation else {
                panic!("{:?}", prediction.observation)
            };
            assert_eq!(accepted.consumed, Some(7));
            assert_eq!(accepted.canon, Canon::Text("list 2\nnone\ntrue\n".into()));
            assert_eq!(accepted.dumps.len(), usize::from(core.profile().marshal_version) + 1);
        }
    }

    #[test]
    fn versions_without_a_profile_are_refused_with_a_list() {
        for (version, expected) in [("3.12", "3.12"), ("3.14.2", "3.14")] {
            assert_eq!(Core::named(version).unwrap().profile().version.to_string(), expected);
        }
        for (version, newer) in [("3.14", false), ("3.14.2", false), ("3.14.200", true), ("3.15.0rc1", false)] {
            assert_eq!(Core::named(version).unwrap().caution().is_some_and(|text| text.contains(version)), newer);
        }
        assert!(Core::named("9.9").unwrap_err().contains("it has 2.7, 3.6"));
        assert!(Core::named("latest").unwrap_err().contains("no version"));
    }
}
