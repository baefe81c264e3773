//! Writes down a campaign: the run's folder, its cases, its log.
//!
//! ```text
//! reports/out/<run>/run.jsonl                 events, see the crate `reports`
//! reports/out/<run>/cases/<sha256>.marshal    the case of each finding and fault, on disk before its event
//! reports/out/<run>/cases/<sha256>.pyc        the same where its header is the case, with its source beside it (.py)
//! reports/out/<run>/report.html               made from run.jsonl alone
//! ```

use crate::campaign::{Found, Message, Silence, Small};
use crate::case::{Form, hex, sha256_hex};
use crate::expected::Expected;
use crate::generators::Generator;
use crate::observation::Observation;
use crate::oracle::Signature;
use crate::repro::{self, Kept};
use crate::statistics::Statistics;
use anyhow::{Context, Result};
use reports::{Case, Counts, Event, FaultEvent, Finding, Level, Log, Note, Outcome, Reached, Side, Subject};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the numbers of a run in progress are written.
const SNAPSHOT: Duration = Duration::from_secs(5);

/// The same for statistics, of which a snapshot takes some hundred kilobytes.
const STATISTICS: Duration = Duration::from_secs(60);

/// A run that is being recorded.
pub struct Recorder {
    log: Log,
    folder: PathBuf,
    expected: Expected,
    findings: BTreeMap<Signature, Record>,
    counts: BTreeMap<(String, String), Counts>,
    changed: BTreeSet<(String, String)>,
    /// By subject, with whether its last state is in the log.
    reached: BTreeMap<String, (Reached, bool)>,
    /// What generators made, by subject and generator.
    made: BTreeMap<(String, Generator), Statistics>,
    met: BTreeSet<usize>,
    /// What to keep in mind about subjects, by their ids.
    cautions: BTreeMap<String, String>,
    broken: Vec<(String, String)>,
    snapshot: Instant,
    statistics: Instant,
}

/// A finding, and whether its last state is in the log.
struct Record {
    finding: Finding,
    unexpected: bool,
    changed: bool,
}

/// The moment as `2026-01-31T23:59:58Z`.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years (http://howardhinnant.github.io/date_algorithms.html, civil_from_days).
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year + month / 10, if month < 10 { month + 3 } else { month - 9 });
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// A new folder for a run; two runs that begin in the same second with the same seed get two.
fn new_folder(out: &Path, seed: u64) -> Result<PathBuf> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let time = rfc3339(SystemTime::now()).replace([':', '-'], "").replace('T', "-").replace('Z', "");
    for attempt in 1.. {
        let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
        let folder = out.join(format!("{time}-{seed:x}{suffix}"));
        match std::fs::create_dir(&folder) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            result => {
                return result.map(|()| folder.clone()).with_context(|| format!("cannot create {}", folder.display()));
            }
        }
    }
    unreachable!("there are more numbers than folders")
}

impl Recorder {
    /// Begins a new folder below `out`.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(out: &Path, seed: u64, expected: &Expected) -> Result<Recorder> {
        let folder = new_folder(out, seed)?;
        let log = Log::create(&folder)?;
        Ok(Recorder {
            log,
            folder,
            expected: expected.clone(),
            findings: BTreeMap::new(),
            counts: BTreeMap::new(),
            changed: BTreeSet::new(),
            reached: BTreeMap::new(),
            made: BTreeMap::new(),
            met: BTreeSet::new(),
            cautions: BTreeMap::new(),
            broken: Vec::new(),
            snapshot: Instant::now(),
            statistics: Instant::now(),
        })
    }

    /// The run's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes an event.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn write(&mut self, event: &Event) -> Result<()> {
        self.log.write(event).with_context(|| format!("cannot write to {}", self.log.path().display()))
    }

    /// Writes who a subject is, and what to keep in mind about it.
    ///
    /// # Errors
    /// As for [`Recorder::write`].
    pub fn introduce(&mut self, subject: Subject) -> Result<()> {
        if let Some(caution) = &subject.caution {
            self.note(Level::Warning, format!("{}: {caution}", subject.id))?;
            self.cautions.insert(subject.id.clone(), caution.clone());
        }
        self.write(&Event::Subject(subject))
    }

    /// Writes a note.
    ///
    /// # Errors
    /// As for [`Recorder::write`].
    pub fn note(&mut self, level: Level, text: impl Into<String>) -> Result<()> {
        self.write(&Event::Note(Note { level, text: text.into() }))
    }

    /// Takes a message of the campaign.
    ///
    /// # Errors
    /// As for [`Recorder::write`].
    pub fn hear(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Found(found) => self.found(&found),
            Message::Occurred(subject, signatures) => {
                self.occurred(&subject, signatures);
                Ok(())
            }
            Message::Minimized(small) => self.minimized(&small),
            Message::Merged(groups) => {
                self.merged(&groups);
                Ok(())
            }
            Message::Silent(silence) => self.silent(*silence),
            Message::Counted(counts) => {
                for counts in counts {
                    let key = (counts.subject.clone(), counts.generator.clone());
                    self.changed.insert(key.clone());
                    self.counts.insert(key, counts);
                }
                if self.statistics.elapsed() >= STATISTICS {
                    self.flush()
                } else if self.snapshot.elapsed() >= SNAPSHOT {
                    self.flush_often()
                } else {
                    Ok(())
                }
            }
            Message::Made(all) => {
                self.made.extend(all.into_iter().map(|statistics| (statistics.key(), statistics)));
                Ok(())
            }
            Message::Reached(column) => {
                self.reached.insert(column.subject.clone(), (column, false));
                Ok(())
            }
            Message::Noted(level, text) => self.note(level, text),
            Message::Save(saved) => {
                // Each event has left this process when it was written; a thread that waits no more needs no answer.
                let _ = saved.send(());
                Ok(())
            }
            Message::Broke(subject, reason) => {
                self.note(Level::Error, &reason)?;
                self.broken.push((subject, reason));
                Ok(())
            }
        }
    }

    /// Writes all numbers, and the findings that have changed since they were last written.
    ///
    /// # Errors
    /// As for [`Recorder::write`].
    pub fn flush(&mut self) -> Result<()> {
        self.statistics = Instant::now();
        for statistics in self.made().collect::<Vec<_>>() {
            self.write(&Event::Statistics(statistics))?;
        }
        self.flush_often()
    }

    /// The same without statistics, which are long.
    fn flush_often(&mut self) -> Result<()> {
        self.snapshot = Instant::now();
        for key in std::mem::take(&mut self.changed) {
            let counts = self.counts[&key].clone();
            self.write(&Event::Counts(counts))?;
        }
        let columns: Vec<Reached> = self
            .reached
            .values_mut()
            .filter_map(|(column, written)| (!std::mem::replace(written, true)).then(|| column.clone()))
            .collect();
        columns.into_iter().try_for_each(|column| self.write(&Event::Reached(column)))?;
        let changed: Vec<Finding> = self
            .findings
            .values_mut()
            .filter_map(|record| std::mem::take(&mut record.changed).then(|| record.finding.clone()))
            .collect();
        changed.into_iter().try_for_each(|finding| self.write(&Event::Finding(finding)))
    }

    /// The numbers so far, by subject and generator.
    pub fn counts(&self) -> impl Iterator<Item = &Counts> {
        self.counts.values()
    }

    /// What the generators made so far, by subject and generator.
    pub fn made(&self) -> impl Iterator<Item = reports::Statistics> {
        self.made.values().map(Statistics::event)
    }

    /// The columns of the matrix so far, by subject.
    pub fn reached(&self) -> impl Iterator<Item = &Reached> {
        self.reached.values().map(|(column, _)| column)
    }

    /// The findings so far.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.values().map(|record| &record.finding)
    }

    /// How many findings are not listed in corpus/expected; those with one cause are one.
    #[must_use]
    pub fn unexpected(&self) -> usize {
        self.findings.values().filter(|record| record.unexpected && record.finding.merged_into.is_none()).count()
    }

    /// The subjects that could not be asked to the end, and why.
    #[must_use]
    pub fn broken(&self) -> &[(String, String)] {
        &self.broken
    }

    /// What to keep in mind about subjects, by their ids.
    #[must_use]
    pub fn cautions(&self) -> &BTreeMap<String, String> {
        &self.cautions
    }

    /// The entries of corpus/expected that this run could have met, as an interpreter of their family took part, and did
    /// not.
    pub fn unmet(&self) -> impl Iterator<Item = &crate::expected::Entry> {
        let family = |subject: &str| subject.split(':').next().map(str::to_owned);
        let families: BTreeSet<_> = self.counts.keys().filter_map(|(subject, _)| family(subject)).collect();
        let entries = self.expected.entries.iter().enumerate();
        let unmet = entries.filter(|(index, _)| !self.met.contains(index)).map(|(_, entry)| entry);
        unmet.filter(move |entry| families.contains(&entry.family))
    }

    /// Writes the report from the log and gives its path.
    ///
    /// # Errors
    /// When the log cannot be read back, or the report not be written.
    pub fn render(&self) -> Result<PathBuf> {
        let run = reports::read(self.log.path())?;
        let path = self.folder.join("report.html");
        std::fs::write(&path, reports::render(&run)).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// The path of the log.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// Puts a case on disk and describes it.
    fn keep(&self, crate::case::Case { bytes, form, .. }: &crate::case::Case) -> Result<Case> {
        let sha256 = sha256_hex(bytes);
        let extension = if *form == Form::Stream { "marshal" } else { "pyc" };
        let path = format!("cases/{sha256}.{extension}");
        let file = self.folder.join(&path);
        if !file.exists() {
            std::fs::create_dir_all(self.folder.join("cases"))?;
            if let Form::Pyc(Some(source)) = form {
                create(&file.with_extension("py"), &source.bytes)?
                    .set_modified(UNIX_EPOCH + Duration::from_secs(source.mtime.into()))?;
            }
            create(&file, bytes)?;
        }
        let excerpt = &bytes[..bytes.len().min(Case::EXCERPT)];
        Ok(Case {
            path: Some(path),
            sha256,
            length: bytes.len() as u64,
            hex: hex(excerpt),
            truncated: excerpt.len() < bytes.len(),
        })
    }

    fn found(&mut self, found: &Found) -> Result<()> {
        let Found { divergence, case, expected, .. } = found;
        let signature = &divergence.signature;
        let unexpected = expected.is_none();
        if let Some(record) = self.findings.get(signature) {
            let smaller = (case.bytes.len() as u64) < record.finding.case.length;
            // A case that shows something new is worth more than a smaller one that shows what is known.
            if (unexpected, smaller) < (record.unexpected, true) {
                return Ok(());
            }
        }
        self.put(signature, found, None)
    }

    /// The finding has its simplest case now.
    fn minimized(&mut self, small: &Small) -> Result<()> {
        self.put(&small.signature, &small.found, Some(small))
    }

    /// Writes a finding with its present case.
    fn put(&mut self, signature: &Signature, found: &Found, small: Option<&Small>) -> Result<()> {
        let Found { subject, divergence, case, predicted, observed, expected, .. } = found;
        let kept = self.keep(case)?;
        let file = self.folder.join(kept.path.as_deref().unwrap_or_default()).display().to_string();
        let [repro_python, repro_rust] = commands(found, &file).map(Some);
        let side = |subject: &str, observation: &Observation, detail: &str| Side {
            subject: subject.into(),
            outcome: outcome(observation),
            detail: repro::excerpt(detail),
        };
        let old = self.findings.remove(signature);
        let before = old.as_ref().map(|record| &record.finding);
        let mut seen_in: BTreeSet<String> =
            before.map(|finding| finding.seen_in.iter().cloned().collect()).unwrap_or_default();
        seen_in.insert(subject.clone());
        let unexpected = expected.is_none() || old.as_ref().is_some_and(|record| record.unexpected);
        let caution = caution(&self.cautions, signature, seen_in.iter());
        let finding = Finding {
            signature: signature.to_string(),
            relation: signature.relation.to_string(),
            subject: subject.clone(),
            seen_in: seen_in.into_iter().collect(),
            generator: case.origin.generator().into(),
            case: kept,
            expected: side("core", predicted, &divergence.core),
            observed: side(if signature.family == "core" { "core" } else { subject }, observed, &divergence.subject),
            first_difference: Some(divergence.at.clone()),
            repro_python,
            repro_rust,
            occurrences: before.map_or(1, |finding| finding.occurrences),
            origin: case.origin.to_string(),
            made: case.origin.made(),
            original_length: small.map(|small| small.original as u64),
            smallest: small.is_some_and(|small| small.complete),
            program: small.and_then(|small| small.program.clone()),
            also: Vec::new(),
            standing: found.standing(),
            merged_into: None,
            fixture: None,
            expected_entry: expected.map(|index| self.expected.entries[index].reason.clone()),
            caution,
        };
        self.write(&Event::Finding(finding.clone()))?;
        // The batch's message about how often it occurred counts this one too.
        let occurrences = before.map_or(0, |finding| finding.occurrences);
        let record = Record { finding: Finding { occurrences, ..finding }, unexpected, changed: true };
        self.findings.insert(signature.clone(), record);
        Ok(())
    }

    /// Findings with one cause: the first of each group stands for the others.
    fn merged(&mut self, groups: &[Vec<Signature>]) {
        for group in groups {
            let Some((first, others)) = group.split_first() else { continue };
            let mut seen_in = BTreeSet::new();
            for other in others {
                let Some(record) = self.findings.get_mut(other) else { continue };
                record.finding.merged_into = Some(first.to_string());
                record.changed = true;
                seen_in.extend(record.finding.seen_in.iter().cloned());
            }
            let Some(record) = self.findings.get_mut(first) else { continue };
            record.finding.also = others.iter().map(ToString::to_string).collect();
            seen_in.extend(record.finding.seen_in.iter().cloned());
            record.finding.seen_in = seen_in.into_iter().collect();
            record.changed = true;
        }
    }

    fn occurred(&mut self, subject: &str, signatures: BTreeMap<Signature, (u64, Option<usize>)>) {
        for (signature, (count, expected)) in signatures {
            self.met.extend(expected);
            let Some(record) = self.findings.get_mut(&signature) else { continue };
            record.finding.occurrences += count;
            record.changed = true;
            record.unexpected |= expected.is_none();
            if expected.is_none() {
                record.finding.expected_entry = None;
            }
            if !record.finding.seen_in.iter().any(|id| id == subject) {
                record.finding.seen_in.push(subject.into());
                record.finding.caution = caution(&self.cautions, &signature, record.finding.seen_in.iter());
            }
        }
    }

    fn silent(&mut self, silence: Silence) -> Result<()> {
        let Silence { subject, kind, detail, case, predicted } = silence;
        let case = Some(self.keep(&case)?);
        self.write(&Event::Fault(FaultEvent { subject, kind, detail, case, expected_by_model: predicted }))
    }
}

/// What a person types to see both sides of a finding, whose case is this file.
fn commands(found: &Found, file: &str) -> [String; 2] {
    let Found { subject, version, divergence, case, .. } = found;
    match &case.form {
        Form::Stream => [
            repro::python(subject, version, &case.bytes, divergence.dump, Kept::whole(file)),
            repro::rust(version, &case.bytes, divergence.dump, Kept::whole(file)),
        ],
        Form::Pyc(source) => repro::import(version, &case.bytes, source.as_ref(), file),
    }
}

/// What to keep in mind about the subjects that a finding has been seen in; those of the core alone are about none of them.
fn caution<'a>(
    cautions: &BTreeMap<String, String>,
    signature: &Signature,
    seen_in: impl Iterator<Item = &'a String>,
) -> Option<String> {
    let told = seen_in.filter_map(|id| cautions.get(id).map(|caution| format!("{id}: {caution}")));
    let told: Vec<String> = told.filter(|_| signature.family != "core").collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// A file that is on disk when this returns.
fn create(path: &Path, bytes: &[u8]) -> Result<File> {
    let mut file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    file.write_all(bytes)?;
    file.sync_data()?;
    Ok(file)
}

fn outcome(observation: &Observation) -> Outcome {
    match observation {
        Observation::Accepted(_) => Outcome::Accepted,
        Observation::Rejected(_) => Outcome::Rejected,
        Observation::Skipped(_) => Outcome::Skipped,
        Observation::Faulted(_) => Outcome::Faulted,
        Observation::Undefined(_) => Outcome::Undefined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Origin;
    use crate::generators::pyc::Source;

    #[test]
    fn moments_are_written_as_rfc_3339_says() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn cases_are_kept_as_the_files_that_replay_takes() {
        let out = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(out.path(), 7, &Expected::default()).unwrap();
        let keep = |form| {
            let case = crate::case::Case { form, ..crate::case::Case::stream(b"N".to_vec(), Origin::File("n".into())) };
            recorder.folder().join(recorder.keep(&case).unwrap().path.unwrap())
        };
        let source = Source { bytes: b"x=1".to_vec(), mtime: u32::MAX };
        let [stream, file] = [Form::Stream, Form::Pyc(Some(source))].map(keep);
        assert_eq!([&stream, &file].map(|path| path.extension().unwrap().to_str()), [Some("marshal"), Some("pyc")]);
        assert_eq!([&stream, &file].map(|path| std::fs::read(path).unwrap()), [b"N", b"N"]);
        let beside = file.with_extension("py");
        assert_eq!(std::fs::read(&beside).unwrap(), b"x=1");
        let changed = beside.metadata().unwrap().modified().unwrap();
        assert_eq!(changed, UNIX_EPOCH + Duration::from_secs(u32::MAX.into()));
    }

    #[test]
    fn two_runs_at_once_have_two_folders() {
        let out = tempfile::tempdir().unwrap();
        let folders: BTreeSet<PathBuf> = (0..5).map(|_| new_folder(out.path(), 7).unwrap()).collect();
        assert_eq!(folders.len(), 5);
    }
}
