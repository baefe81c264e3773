//! Writes down a campaign: the run's folder, its cases, its log.
//!
//! ```text
//! reports/out/<run>/run.jsonl                 events, see the crate `reports`
//! reports/out/<run>/cases/<sha256>.marshal    the case of each finding and fault, on disk before its event
//! reports/out/<run>/cases/<sha256>.pyc        the same where its header is the case, with its source beside it (.py)
//! reports/out/<run>/report.html               made from run.jsonl alone
//! ```

use crate::campaign::{Before, Found, Message, Shard, Silence, Small, Turns};
use crate::case::{Form, Origin, hex, sha256_hex};
use crate::expected::Expected;
use crate::generators::pyc::Source;
use crate::observation::Observation;
use crate::repro::{self, Kept, Shown};
use crate::statistics::Statistics;
use anyhow::{Context, Result};
use reports::{
    Case, Checkpoint, Counts, Event, FaultEvent, Finding, Level, Log, Note, Outcome, Place, Reached, RunLog, Side,
    Sighting, Subject,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A run that is being recorded.
pub struct Recorder {
    log: Log,
    folder: PathBuf,
    expected: Expected,
    /// By signature.
    findings: BTreeMap<String, Record>,
    counts: BTreeMap<(String, String), Counts>,
    /// By subject.
    reached: BTreeMap<String, Reached>,
    /// What generators made, by subject and generator.
    made: BTreeMap<(String, String), reports::Statistics>,
    /// By signature and subject.
    sightings: BTreeMap<(String, String), Sighting>,
    met: BTreeSet<usize>,
    /// What to keep in mind about subjects, by their ids.
    cautions: BTreeMap<String, String>,
    broken: Vec<(String, String)>,
    begin: Instant,
    /// How long the run took before it was continued.
    before: Duration,
    /// Where the folder belongs when the run is whole, if it is made in another place.
    home: Option<PathBuf>,
}

/// A finding, and whether its last state is in the log.
struct Record {
    finding: Finding,
    changed: bool,
}

impl Record {
    /// What a better case has less of: one that shows something new is worth more than a smaller one that shows what is known,
    /// and of equal ones it must not matter which came first.
    fn rank(&self) -> (bool, u64, &str) {
        (self.finding.expected_entry.is_some(), self.finding.case.length, &self.finding.subject)
    }
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

/// A new folder for a run; two runs that begin in the same second with the same seed get two. The shards of a run begin at once on
/// machines that cannot see each other, so each names itself.
fn new_folder(out: &Path, seed: u64, shard: Shard) -> Result<PathBuf> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let time = rfc3339(SystemTime::now()).replace([':', '-'], "").replace('T', "-").replace('Z', "");
    let part = if shard == Shard::WHOLE { String::new() } else { format!("-shard-{}-of-{}", shard.index, shard.of) };
    for attempt in 1.. {
        let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
        let folder = out.join(format!("{time}-{seed:x}{part}{suffix}"));
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
    pub fn create(out: &Path, seed: u64, shard: Shard, expected: &Expected) -> Result<Recorder> {
        let folder = new_folder(out, seed, shard)?;
        let log = Log::create(&folder).with_context(|| format!("cannot begin a run in {}", folder.display()))?;
        Ok(Recorder::new(log, folder, expected))
    }

    fn new(log: Log, folder: PathBuf, expected: &Expected) -> Recorder {
        Recorder {
            log,
            folder,
            expected: expected.clone(),
            findings: BTreeMap::new(),
            counts: BTreeMap::new(),
            reached: BTreeMap::new(),
            made: BTreeMap::new(),
            sightings: BTreeMap::new(),
            met: BTreeSet::new(),
            cautions: BTreeMap::new(),
            broken: Vec::new(),
            begin: Instant::now(),
            before: Duration::ZERO,
            home: None,
        }
    }

    /// Begins the folder of a run that is already over: what others have come to. It is made in `folder` and put in the place of
    /// `home` by [`Recorder::publish`], so that whoever is killed leaves no half of it there.
    ///
    /// # Errors
    /// When there is a run in it already, or it cannot be written.
    pub fn of(folder: &Path, home: &Path, run: &RunLog, expected: &Expected) -> Result<Recorder> {
        let mut log = Log::create(folder).with_context(|| format!("cannot begin a run in {}", folder.display()))?;
        log.append(&run.clone().into_events()).map_err(|e| cannot_write(log.path(), folder, &e))?;
        let recorder = Recorder::resume(folder, log, run, expected)?;
        Ok(Recorder { home: Some(home.to_owned()), ..recorder })
    }

    /// Puts the folder where it belongs; nothing to do for a run that was made in its place.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn publish(&mut self) -> Result<()> {
        let Some(home) = self.home.take() else { return Ok(()) };
        let what = || format!("cannot put {} in the place of {}", self.folder.display(), home.display());
        std::fs::rename(&self.folder, &home).with_context(what)?;
        self.log.moved(&home);
        self.folder = home;
        Ok(())
    }

    /// A subject could not be asked to the end.
    pub fn broke(&mut self, subject: String, reason: String) {
        self.broken.push((subject, reason));
    }

    /// Goes on with the run whose log this is, and which tells this.
    ///
    /// # Errors
    /// As for [`Recorder::write`].
    pub fn resume(folder: &Path, mut log: Log, run: &RunLog, expected: &Expected) -> Result<Recorder> {
        log.cut().map_err(|e| cannot_write(log.path(), folder, &e))?;
        let mut recorder = Recorder::new(log, folder.to_owned(), expected);
        recorder.before = Duration::try_from_secs_f64(run.seconds).unwrap_or_default();
        for subject in &run.subjects {
            recorder.cautions.extend(subject.caution.iter().map(|caution| (subject.id.clone(), caution.clone())));
        }
        recorder.numbers(run.counts.clone(), run.statistics.clone(), run.reached.clone());
        for sighting in &run.sightings {
            let entry = |entry: &String| expected.entries.iter().position(|known| known.to_string() == *entry);
            recorder.met.extend(sighting.entry.as_ref().and_then(entry));
            let key = (sighting.signature.clone(), sighting.subject.clone());
            recorder.sightings.insert(key, sighting.clone());
        }
        for finding in &run.findings {
            let record = Record { finding: finding.clone(), changed: finding.fixture.is_some() };
            recorder.findings.insert(finding.signature.clone(), record);
        }
        // A case that was not written to its end.
        for entry in std::fs::read_dir(folder.join("cases")).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == UNFINISHED) {
                std::fs::remove_file(entry.path()).map_err(|e| cannot_write(&entry.path(), folder, &e))?;
            }
        }
        Ok(recorder)
    }

    /// What the log tells about each subject of a run that is continued.
    ///
    /// # Errors
    /// When the case of a finding cannot be read.
    pub fn before(&self, run: &RunLog, id: &str) -> Result<Before> {
        let mut findings = Vec::new();
        for finding in self.findings().filter(|finding| finding.subject == id && finding.expected_entry.is_none()) {
            let Finding { origin, generator, made, .. } = finding;
            let Some(path) = &finding.case.path else { continue };
            let path = self.folder.join(path);
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let case = crate::case::Case::stream(bytes, Origin::told(origin, generator, *made));
            let is_file = path.extension().is_some_and(|extension| extension == "pyc");
            let form = if is_file { Form::Pyc(source_beside(&path)?) } else { Form::Stream };
            findings.push((finding.clone(), crate::case::Case { form, ..case }));
        }
        let faults = run.faults.iter().filter(|fault| fault.subject == id);
        Ok(Before {
            place: run
                .places
                .iter()
                .find(|place| place.subject == id)
                .cloned()
                .unwrap_or_else(|| reports::Place { subject: id.into(), ..reports::Place::default() }),
            counts: run.counts.iter().filter(|counts| counts.subject == id).cloned().collect(),
            statistics: run.statistics.iter().filter(|statistics| statistics.subject == id).cloned().collect(),
            reached: run.reached.iter().find(|column| column.subject == id).cloned(),
            sightings: run.sightings.iter().filter(|sighting| sighting.subject == id).cloned().collect(),
            faults: faults.map(|fault| (fault.kind.clone(), fault.expected_by_model.clone())).collect(),
            findings,
        })
    }

    /// The run's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How long the run has taken, with what came before it was continued.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        (self.before + self.begin.elapsed()).as_secs_f64()
    }

    /// Writes an event.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn write(&mut self, event: &Event) -> Result<()> {
        self.append(std::slice::from_ref(event))
    }

    fn append(&mut self, events: &[Event]) -> Result<()> {
        self.log.append(events).map_err(|e| cannot_write(self.log.path(), &self.folder, &e))
    }

    /// Writes what belongs together, and that it is whole.
    fn commit(&mut self, mut events: Vec<Event>, place: Option<Place>) -> Result<()> {
        events.push(Event::Checkpoint(Checkpoint { seconds: self.seconds(), place }));
        self.append(&events)
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
        self.write(&Event::Note(Note { level, text: text.into(), sums_up: false }))
    }

    /// Writes a note that sums up the run.
    ///
    /// # Errors
    /// As for [`Recorder::write`].
    pub fn sum_up(&mut self, level: Level, text: impl Into<String>) -> Result<()> {
        self.write(&Event::Note(Note { level, text: text.into(), sums_up: true }))
    }

    /// Takes a message of the campaign.
    ///
    /// # Errors
    /// As for [`Recorder::write`].
    pub fn hear(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Counted(counts) => {
                self.numbers(counts, Vec::new(), Vec::new());
                Ok(())
            }
            Message::Save(turns, saved) => {
                self.save(*turns)?;
                // A thread that waits no more needs no answer.
                let _ = saved.send(());
                Ok(())
            }
            Message::Minimized(small) => self.minimized(&small),
            Message::Merged(groups) => {
                self.merged(&groups);
                self.flush()
            }
            Message::Noted(level, text) => self.note(level, text),
            Message::Broke(subject, reason) => {
                self.note(Level::Error, &reason)?;
                self.broke(subject, reason);
                Ok(())
            }
        }
    }

    /// Writes what one subject came to.
    fn save(&mut self, turns: Turns) -> Result<()> {
        let Turns { place, counts, statistics, reached, sightings, found, silences, notes } = turns;
        let statistics: Vec<_> = statistics.iter().map(Statistics::event).collect();
        for found in &found {
            self.found(found)?;
        }
        for (sighting, entry) in &sightings {
            self.sighted(sighting, *entry);
        }
        let mut events = self.changed();
        for silence in silences {
            events.push(Event::Fault(self.silent(silence)?));
        }
        events.extend(notes.into_iter().map(|(level, text)| Event::Note(Note { level, text, sums_up: false })));
        events.extend(sightings.into_iter().map(|(sighting, _)| Event::Sighting(sighting)));
        events.extend(counts.iter().cloned().map(Event::Counts));
        events.extend(statistics.iter().cloned().map(Event::Statistics));
        events.extend(reached.iter().cloned().map(Event::Reached));
        self.numbers(counts, statistics, reached.into_iter().collect());
        self.commit(events, Some(place))
    }

    /// Takes new numbers in the place of the old ones.
    fn numbers(&mut self, counts: Vec<Counts>, made: Vec<reports::Statistics>, reached: Vec<Reached>) {
        self.counts.extend(counts.into_iter().map(|c| ((c.subject.clone(), c.generator.clone()), c)));
        self.made.extend(made.into_iter().map(|s| ((s.subject.clone(), s.generator.clone()), s)));
        self.reached.extend(reached.into_iter().map(|column| (column.subject.clone(), column)));
    }

    /// Writes the findings that have changed since they were last written.
    ///
    /// # Errors
    /// As for [`Recorder::write`].
    pub fn flush(&mut self) -> Result<()> {
        let events = self.changed();
        if events.is_empty() { Ok(()) } else { self.commit(events, None) }
    }

    fn changed(&mut self) -> Vec<Event> {
        let changed =
            |record: &mut Record| std::mem::take(&mut record.changed).then(|| Event::Finding(record.finding.clone()));
        self.findings.values_mut().filter_map(changed).collect()
    }

    /// The numbers so far, by subject and generator.
    pub fn counts(&self) -> impl Iterator<Item = &Counts> {
        self.counts.values()
    }

    /// What the generators made so far, by subject and generator.
    pub fn made(&self) -> impl Iterator<Item = reports::Statistics> {
        self.made.values().cloned()
    }

    /// The columns of the matrix so far, by subject.
    pub fn reached(&self) -> impl Iterator<Item = &Reached> {
        self.reached.values()
    }

    /// The findings so far.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.values().map(|record| &record.finding)
    }

    /// How many findings are not listed in corpus/expected; those with one cause are one.
    #[must_use]
    pub fn unexpected(&self) -> usize {
        self.findings().filter(|finding| finding.is_new()).count()
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
        create(&path, reports::render(&run).as_bytes()).map_err(|e| cannot_write(&path, &self.folder, &e))?;
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
            let write = || -> std::io::Result<()> {
                match std::fs::create_dir(self.folder.join("cases")) {
                    Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
                    _ => {}
                }
                if let Form::Pyc(Some(source)) = form {
                    create(&file.with_extension("py"), &source.bytes)?
                        .set_modified(UNIX_EPOCH + Duration::from_secs(source.mtime.into()))?;
                }
                create(&file, bytes).map(drop)
            };
            write().map_err(|e| cannot_write(&file, &self.folder, &e))?;
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
        let signature = found.divergence.signature.to_string();
        let rank = (found.expected.is_some(), found.case.bytes.len() as u64, found.subject.as_str());
        if self.findings.get(&signature).is_some_and(|record| record.rank() <= rank) {
            return Ok(());
        }
        self.put(&signature, found, None)
    }

    /// The finding has its simplest case now, unless a hunt found a smaller one meanwhile.
    fn minimized(&mut self, small: &Small) -> Result<()> {
        let length = small.found.case.bytes.len() as u64;
        if self.findings.get(&small.signature).is_none_or(|record| length <= record.finding.case.length) {
            self.put(&small.signature, &small.found, Some(small))?;
        }
        self.flush()
    }

    /// Gives a finding its present case.
    fn put(&mut self, name: &str, found: &Found, small: Option<&Small>) -> Result<()> {
        let Found { subject, divergence, case, predicted, observed, expected, .. } = found;
        let signature = &divergence.signature;
        let kept = self.keep(case)?;
        let file = self.folder.join(kept.path.as_deref().unwrap_or_default()).display().to_string();
        let [repro_python, repro_rust] = commands(found, &file).map(Some);
        let side = |subject: &str, observation: &Observation, detail: &str| Side {
            subject: subject.into(),
            outcome: outcome(observation),
            detail: repro::excerpt(detail),
        };
        let before = self.findings.get(name).map(|record| &record.finding);
        let mut seen_in: BTreeSet<String> =
            before.map(|finding| finding.seen_in.iter().cloned().collect()).unwrap_or_default();
        seen_in.insert(subject.clone());
        let observed_subject = if signature.family == "core" { "core" } else { subject };
        let seen_in: Vec<String> = seen_in.into_iter().collect();
        let caution = reports::caution(|id| self.cautions.get(id), observed_subject, &seen_in);
        let finding = Finding {
            signature: name.into(),
            relation: signature.relation.to_string(),
            subject: subject.clone(),
            seen_in,
            generator: case.origin.generator().into(),
            case: kept,
            expected: side("core", predicted, &divergence.core),
            observed: side(observed_subject, observed, &divergence.subject),
            first_difference: Some(divergence.at.clone()),
            repro_python,
            repro_rust,
            occurrences: before.map_or(0, |finding| finding.occurrences),
            turn: found.turn,
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
        let record = Record { finding, changed: true };
        self.findings.insert(name.into(), record);
        Ok(())
    }

    /// Findings with one cause: the first of each group stands for the others.
    fn merged(&mut self, groups: &[Vec<String>]) {
        for group in groups {
            let Some((first, others)) = group.split_first() else { continue };
            let mut seen_in = BTreeSet::new();
            for other in others {
                let Some(record) = self.findings.get_mut(other) else { continue };
                record.finding.merged_into = Some(first.clone());
                record.changed = true;
                seen_in.extend(record.finding.seen_in.iter().cloned());
            }
            let Some(record) = self.findings.get_mut(first) else { continue };
            record.finding.also = others.to_vec();
            seen_in.extend(record.finding.seen_in.iter().cloned());
            record.finding.seen_in = seen_in.into_iter().collect();
            record.changed = true;
        }
    }

    /// Takes what a subject has had of a signature.
    fn sighted(&mut self, sighting: &Sighting, entry: Option<usize>) {
        self.met.extend(entry.filter(|_| sighting.occurrences > 0));
        let Sighting { signature, subject, .. } = sighting;
        let before = self.sightings.insert((signature.clone(), subject.clone()), sighting.clone());
        let Some(record) = self.findings.get_mut(signature) else { return };
        record.finding.occurrences += sighting.occurrences - before.map_or(0, |before| before.occurrences);
        if !record.finding.seen_in.contains(subject) {
            record.finding.seen_in.push(subject.clone());
            record.finding.seen_in.sort();
            record.finding.caution =
                reports::caution(|id| self.cautions.get(id), &record.finding.observed.subject, &record.finding.seen_in);
            record.changed = true;
        }
    }

    fn silent(&mut self, silence: Silence) -> Result<FaultEvent> {
        let Silence { subject, turn, kind, detail, case, predicted } = silence;
        let case = Some(self.keep(&case)?);
        Ok(FaultEvent { subject, turn, kind, detail, case, expected_by_model: predicted })
    }
}

/// What a person types to see both sides of a finding, whose case is this file.
fn commands(found: &Found, file: &str) -> [String; 2] {
    let Found { subject, version, divergence, case, .. } = found;
    let program = repro::program(subject, version);
    match &case.form {
        Form::Stream => [
            repro::python(&program, version, &case.bytes, Shown::of(divergence), Kept::whole(file)),
            repro::rust(version, &case.bytes, Shown::of(divergence), Kept::whole(file)),
        ],
        Form::Pyc(source) => repro::import(&program, version, &case.bytes, source.as_ref(), file, "case"),
    }
}

/// What a file is called while it is written.
const UNFINISHED: &str = "part";

/// A file that is on disk, and whole, when this returns; there is none if it fails.
fn create(path: &Path, bytes: &[u8]) -> std::io::Result<File> {
    let part = path.with_extension(UNFINISHED);
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        std::fs::rename(&part, path)?;
        Ok(file)
    };
    write().inspect_err(|_| drop(std::fs::remove_file(&part)))
}

/// What a person can do when a run cannot be written down.
fn cannot_write(path: &Path, folder: &Path, error: &std::io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::NotFound => "the run cannot go on without its folder: begin a new one".to_owned(),
        _ => format!("mend that, and the run goes on with: cargo provost hunt --resume {}", folder.display()),
    };
    anyhow::anyhow!("cannot write {}: {error}; {advice}", path.display())
}

/// The source that a .pyc file was kept with.
fn source_beside(path: &Path) -> Result<Option<Source>> {
    let path = path.with_extension("py");
    if !path.exists() {
        return Ok(None);
    }
    let read = || -> std::io::Result<Source> {
        let changed = path.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mtime = u32::try_from(changed.as_secs()).unwrap_or(u32::MAX);
        Ok(Source { bytes: std::fs::read(&path)?, mtime })
    };
    Ok(Some(read().with_context(|| format!("cannot read {}", path.display()))?))
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
        let recorder = Recorder::create(out.path(), 7, Shard::WHOLE, &Expected::default()).unwrap();
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
        let folders: BTreeSet<PathBuf> = (0..5).map(|_| new_folder(out.path(), 7, Shard::WHOLE).unwrap()).collect();
        assert_eq!(folders.len(), 5);
    }

    /// As on machines of their own, that begin in one second.
    #[test]
    fn shards_at_once_have_names_of_their_own() {
        let name = |index| {
            let out = tempfile::tempdir().unwrap();
            let folder = new_folder(out.path(), 7, Shard { index, of: 4 }).unwrap();
            folder.file_name().unwrap().to_str().unwrap().to_owned()
        };
        for index in 0..4 {
            assert!(name(index).ends_with(&format!("-7-shard-{index}-of-4")), "{}", name(index));
        }
    }
}
