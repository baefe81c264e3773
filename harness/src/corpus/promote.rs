//! From a finding of a run to a fixture.
//!
//! The bytes go into `corpus/regressions` and are run again from there; what does not fail there goes away again. Why it
//! failed nobody but a person can say, so a finding without a root cause is refused, and a draft of its `.toml` is written.

use super::{Answer, Fixture, Found, Kind, Sidecar, all, beside, slug, write};
use crate::case::Form;
use crate::comparison::Pair;
use crate::generators::VERSION;
use crate::input::Content;
use crate::oracle::{Relation, Verdict};
use crate::repro::summary;
use crate::subjects::core::Core;
use anyhow::{Context, Result, bail, ensure};
use reports::Finding;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What a draft says where a person has to write.
const TO_BE_WRITTEN: &str = "";

/// What a subject answered, and whether the relation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The subject: `cpython:3.12`.
    pub subject: String,
    /// What it answered, in one line.
    pub says: String,
    /// The relation that did not hold, if one did not.
    pub broken: Option<Relation>,
}

/// What a person adds to a finding.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// The name of the file, without its ending.
    pub name: Option<String>,
    /// What it is, in one line.
    pub what: Option<String>,
    /// Why it went wrong.
    pub root_cause: Option<String>,
}

/// A finding that was looked up: its file, and what the run's log says of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The file of the case.
    pub path: PathBuf,
    /// The folder of the run.
    pub run: PathBuf,
    /// The event.
    pub finding: Finding,
}

/// Looks up a finding: `what` is the file of its case in a run's folder, or the run's folder, and then `number` is that of
/// the report.
///
/// # Errors
/// When there is none; if there are several, the error lists them.
pub fn look_up(what: &Path, number: Option<usize>) -> Result<Case> {
    let is_case = what.is_file();
    let run = if is_case { what.parent().and_then(Path::parent).unwrap_or(Path::new(".")) } else { what };
    let mut log = reports::read(&run.join(reports::FILE_NAME))
        .with_context(|| format!("{} is neither the folder of a run nor a case in one", what.display()))?;
    // The numbers are those of the report.
    log.findings.sort_by(|a, b| (!a.is_new(), a.rank()).cmp(&(!b.is_new(), b.rank())));
    let path = |finding: &Finding| finding.case.path.as_ref().map(|path| run.join(path));
    let is_it = |finding: &&Finding| path(finding).is_some_and(|path| path.file_name() == what.file_name());
    let finding = match (is_case, number) {
        (true, _) => log.findings.iter().find(is_it).context("the log of this run has no finding with this case")?,
        (false, Some(number)) => log
            .findings
            .get(number.wrapping_sub(1))
            .with_context(|| format!("there is no finding {number}; there are:\n{}", list(&log.findings)))?,
        (false, None) => match log.findings.as_slice() {
            [only] => only,
            [] => bail!("this run has no findings"),
            many => bail!("say which finding, by its number:\n{}", list(many)),
        },
    };
    let path =
        if is_case { what.to_owned() } else { path(finding).context("the case of this finding was not kept")? };
    Ok(Case { path, run: run.to_owned(), finding: finding.clone() })
}

fn list(findings: &[Finding]) -> String {
    findings.iter().zip(1..).fold(String::new(), |mut text, (finding, number)| {
        let Finding { signature, case, subject, .. } = finding;
        writeln!(text, "  {number}  {signature} ({} bytes, {subject})", case.length)
            .expect("writing to a string cannot fail");
        text
    })
}

impl Case {
    /// Makes it a fixture; gives its name. `run` asks all subjects about the bytes of a file.
    ///
    /// # Errors
    /// When the corpus has it already, when it does not fail, or when nobody says why it does.
    pub fn promote(
        &self,
        corpus: &Path,
        words: &Words,
        run: &mut dyn FnMut(&Path) -> Result<Vec<Tried>>,
    ) -> Result<String> {
        let bytes = std::fs::read(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        if let Some(old) = all(corpus)?.into_iter().find(|old| old.bytes == bytes) {
            bail!("the corpus has these bytes already: {}", old.name);
        }
        let tried = run(&self.path)?;
        let mut about = self.about(words, &bytes, &tried)?;
        let said = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim() != TO_BE_WRITTEN);
        if about.what.trim() == TO_BE_WRITTEN || !said(&about.root_cause) {
            about.root_cause.get_or_insert_with(|| TO_BE_WRITTEN.into());
            let draft = beside(&self.path);
            std::fs::write(&draft, toml::to_string(&about)?)
                .with_context(|| format!("cannot write {}", draft.display()))?;
            bail!(
                "nobody says why it failed: write `what` (what it is, in one line) and `root_cause` (why it went wrong) in {}, \
                 and promote it again",
                draft.display()
            );
        }
        let name = self.name(words, &about, corpus)?;
        write(corpus, &Fixture { name: name.clone(), bytes, about: about.clone() })?;
        // Once more, from where it will be found from now on.
        let path = corpus.join(&name);
        let again = run(&path).and_then(|again| self.relation(&again));
        if let Err(error) = again {
            std::fs::remove_file(&path)?;
            std::fs::remove_file(beside(&path))?;
            return Err(error.context("it did not fail from disk, and was removed"));
        }
        Ok(name)
    }

    /// Tells the run that its finding is a fixture now: in its log, and in its report.
    ///
    /// # Errors
    /// When the log or the report cannot be written.
    pub fn tell(&self, name: &str) -> Result<()> {
        let finding = Finding { fixture: Some(name.into()), ..self.finding.clone() };
        let mut log = reports::Log::open(&self.run).with_context(|| format!("cannot open {}", self.run.display()))?;
        log.write(&reports::Event::Finding(finding))?;
        let report = self.run.join("report.html");
        std::fs::write(&report, reports::render(&reports::read(log.path())?))
            .with_context(|| format!("cannot write {}", report.display()))
    }

    /// The relation that is broken: that of the finding, if it is among them.
    fn relation(&self, tried: &[Tried]) -> Result<Relation> {
        let broken: Vec<Relation> = tried.iter().filter_map(|tried| tried.broken).collect();
        let same = broken.iter().copied().find(|relation| relation.to_string() == self.finding.relation);
        ensure!(!broken.is_empty(), "it does not fail: {} subjects were asked, and all agree", tried.len());
        same.with_context(|| format!("the relation {} holds; what fails is {}", self.finding.relation, broken[0]))
    }

    /// What is known, with the words of a person: those that were given, or those of a draft.
    fn about(&self, words: &Words, bytes: &[u8], tried: &[Tried]) -> Result<Sidecar> {
        let draft = beside(&self.path);
        let draft: Option<Sidecar> = match std::fs::read_to_string(&draft) {
            Ok(text) => Some(toml::from_str(&text).with_context(|| format!("{} is wrong", draft.display()))?),
            Err(_) => None,
        };
        let relation = self.relation(tried)?;
        let of_draft = |field: fn(&Sidecar) -> Option<String>| draft.as_ref().and_then(field);
        let mut answer: Vec<Answer> = Vec::new();
        for Tried { subject, says, .. } in tried {
            match answer.iter_mut().find(|answer| answer.says == *says) {
                // Two relations can be broken by one answer.
                Some(answer) if answer.by.contains(subject) => {}
                Some(answer) => answer.by.push(subject.clone()),
                None => answer.push(Answer { says: says.clone(), by: vec![subject.clone()] }),
            }
        }
        let made = self.finding.made;
        let original = draft.as_ref().and_then(|draft| draft.found.as_ref()?.original).or(self.finding.original_length);
        Ok(Sidecar {
            kind: Kind::Regression,
            what: words.what.clone().or_else(|| of_draft(|draft| Some(draft.what.clone()))).unwrap_or_default(),
            group: None,
            kills: None,
            relation: Some(relation),
            versions: versions(tried),
            root_cause: words.root_cause.clone().or_else(|| of_draft(|draft| draft.root_cause.clone())),
            found: Some(Found {
                by: self.finding.generator.clone(),
                generators: made.map(|_| VERSION),
                seed: made.map(|(seed, _)| seed),
                index: made.map(|(_, index)| index),
                subject: Some(self.finding.subject.clone()),
                original: Some(original.unwrap_or(self.finding.case.length)),
                minimized: Some(bytes.len() as u64),
            }),
            reaches: Default::default(),
            answer,
        })
    }

    /// `regressions/SLUG.VERSION.marshal`, without the version where all of them fail.
    fn name(&self, words: &Words, about: &Sidecar, corpus: &Path) -> Result<String> {
        let slug = slug(words.name.as_deref().unwrap_or(&about.what));
        ensure!(!slug.is_empty(), "the name has no letter and no digit");
        let version = match about.versions.last() {
            Some(version) => format!(".{version}"),
            None => String::new(),
        };
        let extension = self.path.extension().unwrap_or_default().to_string_lossy();
        let name = format!("{}/{slug}{version}.{extension}", Kind::Regression.folder());
        ensure!(!corpus.join(&name).exists(), "there is a {name} already: give it another --name");
        Ok(name)
    }
}

/// The versions under which the relation failed; none where it failed under all that were asked.
fn versions(tried: &[Tried]) -> Vec<String> {
    let version = |tried: &Tried| tried.subject.split_once(':').map(|(_, version)| version.to_owned());
    if tried.iter().all(|tried| tried.broken.is_some()) {
        return Vec::new();
    }
    let mut versions: Vec<String> = tried.iter().filter(|tried| tried.broken.is_some()).filter_map(version).collect();
    versions.dedup();
    versions
}

/// What every subject does with a file, and whether it is what it owes; then what pyc-core does otherwise than it owes to
/// itself.
///
/// # Errors
/// When the file cannot be read, or a subject can no longer be asked anything.
pub fn try_all(path: &Path, subjects: &mut [(String, Pair)]) -> Result<Vec<Tried>> {
    let cases = Content::read(path, None)?.cases(path);
    // Of a .pyc file, the header is the case.
    let case = cases.first().with_context(|| format!("{} holds no case", path.display()))?;
    let relation_of = |verdict: &Verdict| match verdict {
        Verdict::Diverge(divergence) => Some(divergence.signature.relation),
        _ => None,
    };
    let mut tried = Vec::new();
    for (id, pair) in subjects {
        // In a new process, as what was asked before can leave something behind.
        let mut pair = pair.fresh();
        let family = pair.family().to_owned();
        let owed = if case.form == Form::Stream { pair.core().owed() } else { Relation::Header };
        let mut compared = pair.compare_in(owed, &family, std::slice::from_ref(case))?;
        if owed != Relation::Header {
            // What the core dumped is read by the subject, too.
            let reread = pair.compare_in(Relation::Reread, &family, std::slice::from_ref(case))?;
            let instructions = pair.compare_in(Relation::Bytecode, &family, std::slice::from_ref(case))?;
            let others = reread.into_iter().chain(instructions);
            compared.extend(others.filter(|one| relation_of(&one.verdict).is_some()));
        }
        tried.extend(compared.iter().map(|one| Tried {
            subject: id.clone(),
            says: summary(&one.observation),
            broken: relation_of(&one.verdict),
        }));
    }
    for core in Core::all() {
        let subject = format!("core:{}", core.profile().version);
        for (divergence, _) in Pair::alone(core).divergences(case)? {
            let broken = Some(divergence.signature.relation);
            tried.push(Tried { subject: subject.clone(), says: divergence.to_string(), broken });
        }
    }
    Ok(tried)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Fault;
    use crate::observation::Observation;
    use crate::subjects::core::Core;
    use reports::{Outcome, Side};
    use tempfile::TempDir;

    const CASE: &[u8] = b"l\xfd\xff\xff\xff\0\0\0\0\x01\0";

    fn finding() -> Finding {
        let side = |subject: &str| Side { subject: subject.into(), outcome: Outcome::Accepted, detail: "int 1".into() };
        Finding {
            signature: "model at canon:int: core accepted, cpython accepted".into(),
            relation: "model".into(),
            subject: "cpython:3.12".into(),
            seen_in: vec!["cpython:3.12".into()],
            generator: "values".into(),
            case: reports::Case {
                path: Some("cases/case.marshal".into()),
                sha256: crate::case::sha256_hex(CASE),
                length: CASE.len() as u64,
                hex: crate::case::hex(CASE),
                truncated: false,
            },
            expected: side("core"),
            observed: side("cpython:3.12"),
            first_difference: Some("canon".into()),
            repro_python: None,
            repro_rust: None,
            occurrences: 1,
            turn: 0,
            origin: "values seed 7 index 12".into(),
            made: Some((7, 12)),
            original_length: None,
            smallest: false,
            program: None,
            also: Vec::new(),
            standing: reports::Standing::Accepted,
            merged_into: None,
            fixture: None,
            caution: None,
            expected_entry: None,
        }
    }

    /// A corpus, and a case that was found.
    fn found() -> (TempDir, Case) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("case.marshal");
        std::fs::write(&path, CASE).unwrap();
        let run = dir.path().to_owned();
        (dir, Case { path, run, finding: finding() })
    }

    /// A core with a planted fault beside the right one, in place of an interpreter.
    fn planted(name: &str) -> impl FnMut(&Path) -> Result<Vec<Tried>> {
        let fault = Fault::all().find(|fault| fault.name == name).unwrap();
        move |path| {
            let bytes = std::fs::read(path)?;
            let each = Core::all().map(|core| {
                let right: Observation = core.observe(&bytes);
                let broken = fault.concerns(core.profile()) && fault.shows(&core, &bytes, &right);
                let subject = format!("cpython:{}", core.profile().version);
                Tried { subject, says: right.to_string(), broken: broken.then_some(Relation::Model) }
            });
            Ok(each.collect())
        }
    }

    fn words() -> Words {
        let (what, root_cause) = (Some("A negative long".into()), Some("the sign was lost".into()));
        Words { name: None, what, root_cause }
    }

    fn fault() -> &'static str {
        let shows = |fault: &&Fault| {
            let core = Core::with(fault.last_profile().clone());
            fault.name.contains("long") && fault.shows(&core, CASE, &core.observe(CASE))
        };
        Fault::all().find(shows).unwrap().name
    }

    #[test]
    fn a_finding_becomes_a_fixture_once() {
        let (dir, case) = found();
        let name = case.promote(dir.path(), &words(), &mut planted(fault())).unwrap();
        let fixtures = all(dir.path()).unwrap();
        assert_eq!((fixtures.len(), &fixtures[0].name, &fixtures[0].bytes[..]), (1, &name, CASE));
        let about = &fixtures[0].about;
        assert_eq!((about.relation, about.root_cause.as_deref()), (Some(Relation::Model), Some("the sign was lost")));
        let found = about.found.as_ref().unwrap();
        assert_eq!((found.by.as_str(), found.seed, found.index), ("values", Some(7), Some(12)));
        assert!(about.answer.iter().map(|answer| answer.by.len()).sum::<usize>() == Core::all().count());
        let error = case.promote(dir.path(), &words(), &mut planted(fault())).unwrap_err();
        assert!(error.to_string().contains(&name), "{error}");
    }

    #[test]
    fn what_does_not_fail_is_no_fixture() {
        let (dir, case) = found();
        let mut never = |_: &Path| Ok(vec![Tried { subject: "cpython:3.12".into(), says: "int".into(), broken: None }]);
        let error = case.promote(dir.path(), &words(), &mut never).unwrap_err();
        assert!(error.to_string().contains("does not fail"), "{error}");
        let mut planted = planted(fault());
        let mut first = true;
        let mut once = |path: &Path| if std::mem::take(&mut first) { planted(path) } else { never(path) };
        let error = case.promote(dir.path(), &words(), &mut once).unwrap_err();
        assert!(error.to_string().contains("removed"), "{error}");
        assert!(all(dir.path()).unwrap().is_empty());
    }

    #[test]
    fn nothing_is_promoted_without_a_root_cause() {
        let (dir, case) = found();
        let mut planted = planted(fault());
        let error = case.promote(dir.path(), &Words::default(), &mut planted).unwrap_err();
        assert!(error.to_string().contains("root_cause"), "{error}");
        // The draft is filled in, and does.
        let draft = beside(&case.path);
        let text = std::fs::read_to_string(&draft).unwrap();
        let text =
            text.replace("what = \"\"", "what = \"a long\"").replace("root_cause = \"\"", "root_cause = \"sign\"");
        std::fs::write(&draft, text).unwrap();
        let name = case.promote(dir.path(), &Words::default(), &mut planted).unwrap();
        assert!(name.starts_with("regressions/a-long") && name.ends_with(".marshal"), "{name}");
    }

    #[test]
    fn findings_are_looked_up_by_file_or_number() {
        let dir = tempfile::tempdir().unwrap();
        let error = look_up(dir.path(), None).unwrap_err();
        assert!(error.to_string().contains("neither the folder of a run"), "{error}");
        let other = Finding { signature: "other".into(), ..finding() };
        let text = list(&[finding(), other]);
        assert!(text.contains("1  model at canon") && text.contains("2  other (11 bytes"), "{text}");
    }
}
