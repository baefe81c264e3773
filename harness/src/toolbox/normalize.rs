//! .pyc files in their normal form (docs/NORMALFORM.md), and how that is verified.

use super::Trouble;
use super::verify::not_pyc;
use crate::export::plain::same_value;
use crate::observation::{Accepted, Canon, Dump, Observation};
use crate::subjects::core::dump;
use crate::subjects::{Reality, Subject};
use interpreters::{Interpreter, Limits};
use protocol::{CanonMode, Load};
use pyc_core::compare::compare;
use pyc_core::model::Loaded;
use pyc_core::pyc::Header;
use pyc_core::write::{HeaderKind, PycWriteConfig};
use pyc_core::{HeaderLayout, Profile, Pyc, Release, Version, read};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The only form so far.
pub const FORM: u32 = 1;

/// What is to be changed besides.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Prefixes of file names, and what is to be in their place; the first that fits is taken.
    pub remap: Vec<(String, String)>,
    /// The time of the source file that headers are to have. Those with a hash have none, and are refused.
    pub mtime: Option<u32>,
    /// Whether headers are to have a hash of the source, and whether imports check it.
    pub hash: Option<bool>,
}

/// A file in its normal form.
#[derive(Debug)]
pub struct Normal {
    /// The file.
    pub bytes: Vec<u8>,
    /// Whose it is.
    pub release: Release,
    /// How many code objects have another file name.
    pub filenames: usize,
    /// Who says that the value is the same, besides the model.
    pub verified: Option<String>,
}

/// The normal form of a .pyc file. `source` finds the source file, which only hashes need.
///
/// # Errors
/// When it is no such file, is refused by its Python, or has no normal form.
pub fn normalize(
    bytes: &[u8],
    options: &Options,
    source: impl FnOnce() -> Option<Vec<u8>>,
    verifier: &Verifier,
) -> Result<Normal, Trouble> {
    let pyc = Pyc::parse(bytes).map_err(|e| {
        let advice = "name .pyc files";
        Trouble {
            offset: Some(e.offset() as u64).filter(|at| *at > 0),
            ..Trouble::new("header", not_pyc(&e, bytes), advice)
        }
    })?;
    let profile = pyc.profile();
    let start = pyc.payload_offset();
    let mut graph = read(pyc.payload, profile).map_err(|e| {
        let what = format!("Python {} refuses it: {}", profile.version, e.kind);
        Trouble::new("stream", what, "`provost check` tells more").at(start + e.offset)
    })?;
    if options.hash.is_some() && profile.header != HeaderLayout::Flags {
        let what = format!("files of Python {} have no hashes", profile.version);
        return Err(Trouble::new("no-hashes", what, "leave --hash out"));
    }
    let mut editor = graph.edit(profile);
    let filenames = editor.filenames(|name| remapped(name, &options.remap));
    if filenames > 0 && !editor.finish() {
        return Err(Trouble::new("no-form", "an object holds itself", "leave it as it is"));
    }
    let source = options.hash.map(|checked| (checked, source()));
    let header = match (&source, pyc.header, options.mtime) {
        (Some((_, None)), ..) => {
            let advice = "put the .py file where an import would look for it, or leave --hash out";
            return Err(Trouble::new("no-source", "there is no source file for a hash", advice));
        }
        (Some((checked, Some(source))), ..) => HeaderKind::Hash { source, checked: *checked },
        (None, Header::MtimeSize { flags, size, .. }, Some(mtime)) => {
            HeaderKind::Given(Header::MtimeSize { flags, mtime, size })
        }
        (None, Header::Mtime { .. }, Some(mtime)) => HeaderKind::Given(Header::Mtime { mtime }),
        (None, Header::Hash { .. }, Some(_)) => {
            let what = "its header has a hash of the source file, and no time";
            return Err(Trouble::new("no-time", what, "leave --mtime out"));
        }
        (None, header, _) => HeaderKind::Given(header),
    };
    let form = PycWriteConfig { header, ..PycWriteConfig::normal(profile) }.bytes(&graph);
    let form = form.map_err(|e| Trouble::new("no-form", e.to_string(), "leave it as it is"))?;
    let before = graph.write().map_err(|e| Trouble::new("no-form", e.to_string(), "leave it as it is"))?;
    let verified = verifier.verify(profile, &before, &form[start..])?;
    Ok(Normal { bytes: form, release: profile.release, filenames, verified })
}

/// A file name with another prefix. A prefix ends where a part of the path does.
#[must_use]
pub fn remapped(name: &[u8], remap: &[(String, String)]) -> Option<Vec<u8>> {
    let is_separator = |byte: u8| matches!(byte, b'/' | b'\\');
    remap.iter().find_map(|(old, new)| {
        let rest = name.strip_prefix(old.as_bytes())?;
        let fits =
            rest.first().is_none_or(|byte| is_separator(*byte)) || old.bytes().next_back().is_some_and(is_separator);
        fits.then(|| [new.as_bytes(), rest].concat())
    })
}

/// Whoever says whether two streams load as the same value: the model, and the interpreters that there are.
#[derive(Default)]
pub struct Verifier {
    interpreters: BTreeMap<Version, (String, Mutex<Box<dyn Subject>>)>,
}

impl Verifier {
    /// Asks the newest ordinary CPython of each version, too.
    #[must_use]
    pub fn new(found: &[Interpreter]) -> Verifier {
        let mut interpreters = BTreeMap::new();
        for one in found.iter().filter(|one| one.facts.implementation == "cpython" && !one.facts.free_threaded) {
            if let Some(release) = Release::parse(&one.facts.version) {
                let subject: Box<dyn Subject> = Box::new(Reality::new(one, Limits::default()));
                interpreters.insert(release.version, (one.id.clone(), Mutex::new(subject)));
            }
        }
        Verifier { interpreters }
    }

    /// The interpreters that are asked.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.interpreters.values().map(|(name, _)| name.as_str())
    }

    /// The interpreter that confirms it, if there is one for this version.
    fn verify(&self, profile: &Profile, before: &[u8], after: &[u8]) -> Result<Option<String>, Trouble> {
        if before == after {
            return Ok(None);
        }
        let (Ok(old), Ok(new)) = (read(before, profile), read(after, profile)) else {
            return Err(differs("the model"));
        };
        let loaded = || [&old, &new].map(|graph| Loaded::new(graph, profile));
        // Most show it by themselves; canons also know what loading does to code, and to members that are equal.
        if !compare(&old, &new, profile).is_same_value() {
            let [old, new] = loaded().map(|value| value.canon());
            if !same_value(&old, &new) {
                return Err(differs("the model"));
            }
        }
        let Some((name, subject)) = self.interpreters.get(&profile.version) else { return Ok(None) };
        let ask = |canon, versions| {
            let load = Load { canon, consumed: false, versions, cases: vec![before.to_vec(), after.to_vec()] };
            let said = subject.lock().unwrap_or_else(PoisonError::into_inner).load(&load);
            said.map_err(|e| Trouble::new("not-verified", format!("{name} cannot be asked: {e}"), "try again"))
        };
        // Who dumps both as the model says has loaded what the model compared.
        let version = profile.marshal_version;
        let expected = loaded().map(|value| dump(&value, version));
        let is_certain = |dump: &Dump| matches!(dump, Dump::Bytes { unpredictable: None, .. });
        if expected.iter().all(is_certain) {
            let said = ask(CanonMode::None, vec![version])?;
            if said.len() == expected.len() && said.iter().zip(&expected).all(|(said, dump)| has_dumped(said, dump)) {
                return Ok(Some(name.clone()));
            }
        }
        let said = ask(CanonMode::Text, Vec::new())?;
        let canons: Vec<&str> = said.iter().filter_map(canon).collect();
        match canons[..] {
            [old, new] if same_value(old, new) => Ok(Some(name.clone())),
            _ => Err(differs(name)),
        }
    }
}

fn differs(who: &str) -> Trouble {
    let what = format!("the normal form would not load as the same value, says {who}");
    Trouble::new("not-verified", what, "report it, with the file")
}

/// Whether these bytes are what was dumped.
fn has_dumped(said: &Observation, expected: &Dump) -> bool {
    let Observation::Accepted(accepted) = said else { return false };
    match (&accepted.dumps[..], expected) {
        ([(_, Dump::Bytes { bytes, .. })], Dump::Bytes { bytes: expected, .. }) => bytes == expected,
        _ => false,
    }
}

fn canon(said: &Observation) -> Option<&str> {
    match said {
        Observation::Accepted(Accepted { canon: Canon::Text(text), .. }) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::Question;
    use crate::subjects::core::Core;
    use crate::subjects::{Broken, Compiled};
    use protocol::Compile;

    /// Answers as the model does, but for the dumps, or for the canon of each stream but the first.
    #[derive(Clone)]
    struct Fake {
        core: Core,
        dumps: bool,
        canon: bool,
    }

    impl Subject for Fake {
        fn load(&mut self, load: &Load) -> Result<Vec<Observation>, Broken> {
            let question = Question { canon: load.canon != CanonMode::None, versions: load.versions.clone() };
            let observe = |case: &Vec<u8>| {
                let mut said = self.core.observe_about(case, &question);
                let Observation::Accepted(accepted) = &mut said else { return said };
                if let (false, [(_, Dump::Bytes { bytes, .. })]) = (self.dumps, &mut accepted.dumps[..]) {
                    bytes.push(0);
                }
                if !self.canon && question.canon && case != &load.cases[0] {
                    accepted.canon = Canon::Text("none\n".into());
                }
                said
            };
            Ok(load.cases.iter().map(observe).collect())
        }

        fn compile(&mut self, _: &Compile) -> Result<Compiled, Broken> {
            Ok(Compiled::Faulted("nothing is compiled".into()))
        }

        fn restarts(&self) -> u32 {
            0
        }

        fn fresh(&self) -> Box<dyn Subject> {
            Box::new(self.clone())
        }
    }

    /// Dumps that are as predicted confirm it; else canons have to.
    #[test]
    fn an_interpreter_that_sees_another_value_is_heard() {
        let profile = Profile::of(Version::new(3, 12)).unwrap();
        let check = |dumps, canon, after: &[u8], expected: Result<Option<&str>, &str>| {
            let subject: Box<dyn Subject> = Box::new(Fake { core: Core::with(profile.clone()), dumps, canon });
            let interpreters = BTreeMap::from([(profile.version, ("a fake".to_owned(), Mutex::new(subject)))]);
            let said = Verifier { interpreters }.verify(profile, b"\xa9\x02i\x05\0\0\0\xda\x02ab", after);
            let said = said.map_err(|trouble| trouble.to_string());
            match (&said, expected) {
                (Ok(name), Ok(expected)) => assert_eq!(name.as_deref(), expected),
                (Err(text), Err(expected)) => assert!(text.contains(expected), "{text}"),
                _ => panic!("{said:?} in place of {expected:?}"),
            }
        };
        let same = b")\x02i\x05\0\0\0\xda\x02ab";
        check(true, true, same, Ok(Some("a fake")));
        check(false, true, same, Ok(Some("a fake")));
        check(true, false, same, Ok(Some("a fake")));
        check(false, false, same, Err("says a fake"));
        check(true, true, b")\x02i\x06\0\0\0\xda\x02ab", Err("says the model"));
        check(false, false, b"\xa9\x02i\x05\0\0\0\xda\x02ab", Ok(None));
    }
}
