//! Writing a run's log so that no death of the harness can spoil it, and reading it back whatever happened.

use crate::{
    Checkpoint, Counts, End, Event, FORMAT, FaultEvent, Finding, Note, Place, Reached, Rules, Run, Sighting,
    Statistics, Subject, Verdict,
};
use rustix::fs::FlockOperation;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The name of the log in a run's directory.
pub const FILE_NAME: &str = "run.jsonl";

/// The log of a run in progress. Only one process has it: whoever opens it holds a lock on the file.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    /// The length of the file up to the end of what was written as a whole.
    complete: u64,
}

impl Log {
    /// Creates the directory if need be and an empty [`FILE_NAME`] in it.
    ///
    /// # Errors
    /// When that is not possible, or when there is a log already: logs are evidence and are never overwritten.
    pub fn create(dir: &Path) -> io::Result<Log> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join(FILE_NAME);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(|e| io::Error::new(e.kind(), format!("cannot create the log {}: {e}", path.display())))?;
        lock(&file)?;
        Ok(Log { file, path, complete: 0 })
    }

    /// Opens the log of a run that has ended, to add what became of it since.
    ///
    /// # Errors
    /// When there is none, when its last line is not complete, or when another process has it.
    pub fn open(dir: &Path) -> io::Result<Log> {
        let path = dir.join(FILE_NAME);
        let file = OpenOptions::new().append(true).open(&path)?;
        lock(&file)?;
        let text = std::fs::read(&path)?;
        if text.last() != Some(&b'\n') {
            let reason = format!("the last line of {} is not complete", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(Log { file, path, complete: text.len() as u64 })
    }

    /// Opens the log of a run that is to be continued: with what it tells up to its last [`Checkpoint`](crate::Checkpoint), and
    /// how the run ended, if it did. Nothing is changed before [`Log::cut`].
    ///
    /// # Errors
    /// When there is none, when it is not a log, or when another process has it.
    pub fn resume(dir: &Path) -> Result<(Log, RunLog), ReadError> {
        let path = dir.join(FILE_NAME);
        let failed = |error| ReadError::Io { path: path.clone(), error };
        let file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        lock(&file).map_err(failed)?;
        let bytes = std::fs::read(&path).map_err(failed)?;
        let whole = fold(&bytes)?;
        let complete = last_checkpoint(&bytes);
        let mut log = fold(&bytes[..complete])?;
        log.end = whole.end;
        for finding in &mut log.findings {
            // What was promoted is told behind the end.
            let later = whole.findings.iter().find(|later| later.signature == finding.signature);
            finding.fixture = later.and_then(|later| later.fixture.clone());
        }
        Ok((Log { file, path, complete: complete as u64 }, log))
    }

    /// Cuts off what is behind the last checkpoint of a log that was opened to continue its run.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.complete)
    }

    /// Where the log is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory has another name now.
    pub fn moved(&mut self, dir: &Path) {
        self.path = dir.join(FILE_NAME);
    }

    /// Appends one event: [`Log::append`].
    ///
    /// # Errors
    /// As for [`Log::append`].
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        self.append(std::slice::from_ref(event))
    }

    /// Appends events, a line each, which have left this process when the call returns. If a finding is among them, they have
    /// also reached the disk, so that not even a power failure loses it.
    ///
    /// # Errors
    /// When the disk is full or gone, or the file is. The log then still ends where it ended before, as far as the disk allows.
    pub fn append(&mut self, events: &[Event]) -> io::Result<()> {
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, event)?;
            lines.push(b'\n');
        }
        if let Err(error) = self.file.write_all(&lines) {
            // Half a line in the middle would make everything behind it unreadable.
            let _ = self.file.set_len(self.complete);
            return Err(error);
        }
        self.complete += lines.len() as u64;
        if self.file.metadata()?.nlink() == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it was deleted while it was written"));
        }
        if events.iter().any(|event| matches!(event, Event::Finding(_))) { self.file.sync_data() } else { Ok(()) }
    }
}

/// Takes the file for this process; the lock ends with it, however it ends.
fn lock(file: &File) -> io::Result<()> {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|e| match io::Error::from(e) {
        e if e.kind() == io::ErrorKind::WouldBlock => {
            io::Error::new(e.kind(), "another process is writing to it; wait until that has ended")
        }
        e => e,
    })
}

/// Where the last checkpoint ends; behind the header if there is none.
fn last_checkpoint(bytes: &[u8]) -> usize {
    let (mut end, mut complete) = (0, 0);
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        end += line.len();
        let is_checkpoint = || {
            let event = serde_json::from_slice::<serde_json::Value>(line).unwrap_or_default();
            event["event"] == "checkpoint"
        };
        if line.ends_with(b"\n") && (complete == 0 || is_checkpoint()) {
            complete = end;
        }
    }
    complete
}

/// A run as its log tells it, with later events in place of the earlier ones that they replace.
#[derive(Debug, Clone, PartialEq)]
pub struct RunLog {
    /// The header.
    pub run: Run,
    /// The subjects, in the order in which they first appear.
    pub subjects: Vec<Subject>,
    /// The last snapshot for each pair of subject and generator, in the order in which the pairs first appear.
    pub counts: Vec<Counts>,
    /// What each generator made for each subject, in the order in which the pairs first appear.
    pub statistics: Vec<Statistics>,
    /// The rows of the matrix, if there is one.
    pub rules: Rules,
    /// The last snapshot of each column of the matrix, in the order in which the subjects first appear there.
    pub reached: Vec<Reached>,
    /// The last state of each finding, in the order in which the signatures first appear; with the occurrences that the
    /// sightings tell.
    pub findings: Vec<Finding>,
    /// The last snapshot for each pair of subject and signature, in the order in which the pairs first appear.
    pub sightings: Vec<Sighting>,
    /// All faults.
    pub faults: Vec<FaultEvent>,
    /// All notes.
    pub notes: Vec<Note>,
    /// Where each subject was at its last checkpoint.
    pub places: Vec<Place>,
    /// How long the run had taken at the last checkpoint, in seconds.
    pub seconds: f64,
    /// How the run ended, if it did.
    pub end: Option<End>,
    /// What is missing, if the log does not tell the whole run.
    pub partial: Option<Gap>,
    /// How many events were read.
    pub events: u64,
}

/// Why a log does not tell the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// There is no `end` event: the run was killed or is still going on.
    NoEnd,
    /// The last line is torn: the run was killed in the middle of writing it.
    TornLine,
}

/// Why a file is not the log of a run. Lines count from 1. Each says all that is known, so none has a source.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A complete line is not JSON.
    #[error("line {line}: not JSON: {error}")]
    BadJson {
        /// The line.
        line: usize,
        /// What the parser says.
        error: serde_json::Error,
    },
    /// A line has no `event`, or one that this version does not know.
    #[error("line {line}: unknown event {name}; was the log written by another version of Provost?")]
    UnknownEvent {
        /// The line.
        line: usize,
        /// The event's name, as JSON.
        name: String,
    },
    /// The fields of an event are not those that it has.
    #[error("line {line}: bad `{event}` event: {error}")]
    BadEvent {
        /// The line.
        line: usize,
        /// The event's name.
        event: String,
        /// What is wrong with its fields.
        error: serde_json::Error,
    },
    /// The log is of another version.
    #[error("line {line}: the log has format {found}, this version of Provost reads format {FORMAT}")]
    Format {
        /// The line.
        line: usize,
        /// The version that it says it has.
        found: String,
    },
    /// The first event is not `run`, or there is none.
    #[error("line {line}: the first event of a log must be `run`; is this the log of a Provost run?")]
    NoRun {
        /// The line.
        line: usize,
    },
    /// There are two headers, as when two logs were joined.
    #[error("line {line}: a second `run` event; a log tells of one run")]
    SecondRun {
        /// The line.
        line: usize,
    },
    /// Something else than a promoted finding comes after `end`.
    #[error("line {line}: an event after `end`; a log tells of one run")]
    AfterEnd {
        /// The line.
        line: usize,
    },
}

/// Reads the log at `path`. A log without an `end` event or with a torn last line is that of a killed run, which is no
/// error: [`RunLog::partial`] says so.
///
/// # Errors
/// See [`ReadError`].
pub fn read(path: &Path) -> Result<RunLog, ReadError> {
    fold(&std::fs::read(path).map_err(|error| ReadError::Io { path: path.to_owned(), error })?)
}

/// What a log tells.
fn fold(bytes: &[u8]) -> Result<RunLog, ReadError> {
    let mut log: Option<RunLog> = None;
    let mut torn = false;
    let mut line = 0;
    for text in bytes.split_inclusive(|&b| b == b'\n') {
        line += 1;
        // An object that was cut off never parses, so a last line that parses is whole even without its line end.
        let value = match serde_json::from_slice::<serde_json::Value>(text) {
            Ok(value) => value,
            Err(_) if !text.ends_with(b"\n") => {
                torn = true;
                break;
            }
            Err(error) => return Err(ReadError::BadJson { line, error }),
        };
        let event = parse(value, line)?;
        match (&mut log, event) {
            // That a finding was promoted is told when the run is long over.
            (Some(log), Event::Finding(finding)) if finding.fixture.is_some() => log.fold(Event::Finding(finding)),
            (Some(log), _) if log.end.is_some() => return Err(ReadError::AfterEnd { line }),
            (Some(_), Event::Run(_)) => return Err(ReadError::SecondRun { line }),
            (Some(log), event) => log.fold(event),
            (log @ None, Event::Run(run)) => *log = Some(RunLog::new(run)),
            (None, _) => return Err(ReadError::NoRun { line }),
        }
    }
    let mut log = log.ok_or(ReadError::NoRun { line: line.max(1) })?;
    log.partial = match (torn, &log.end) {
        (true, _) => Some(Gap::TornLine),
        (false, None) => Some(Gap::NoEnd),
        (false, Some(_)) => None,
    };
    log.count_occurrences();
    Ok(log)
}

const EVENTS: [&str; 12] = [
    "run",
    "subject",
    "counts",
    "statistics",
    "rules",
    "reached",
    "finding",
    "sighting",
    "fault",
    "note",
    "checkpoint",
    "end",
];

/// The event in one line, with errors that say more than serde's.
fn parse(value: serde_json::Value, line: usize) -> Result<Event, ReadError> {
    let event = match value.get("event").and_then(|v| v.as_str()) {
        Some(name) if EVENTS.contains(&name) => name.to_owned(),
        _ => {
            let name = value.get("event").map_or("(no `event` field)".to_owned(), ToString::to_string);
            return Err(ReadError::UnknownEvent { line, name });
        }
    };
    if event == "run" && value.get("format") != Some(&FORMAT.into()) {
        let found = value.get("format").map_or("(none)".to_owned(), ToString::to_string);
        return Err(ReadError::Format { line, found });
    }
    serde_json::from_value(value).map_err(|error| ReadError::BadEvent { line, event, error })
}

impl RunLog {
    /// A run of which nothing is known but its header.
    pub(crate) fn new(run: Run) -> RunLog {
        RunLog {
            run,
            subjects: Vec::new(),
            counts: Vec::new(),
            statistics: Vec::new(),
            rules: Rules::default(),
            reached: Vec::new(),
            findings: Vec::new(),
            sightings: Vec::new(),
            faults: Vec::new(),
            notes: Vec::new(),
            places: Vec::new(),
            seconds: 0.0,
            end: None,
            partial: None,
            events: 1,
        }
    }

    /// Whether it tells of a run that did all it was to do, and nothing broke.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_whole = |end: &End| !end.interrupted && end.verdict != Verdict::Broken;
        self.partial.is_none() && self.end.as_ref().is_some_and(is_whole)
    }

    /// Whether a subject took part and something was compared.
    #[must_use]
    pub fn has_compared(&self, subject: &str) -> bool {
        self.counts.iter().any(|counts| counts.subject == subject && counts.compared > 0)
    }

    fn fold(&mut self, event: Event) {
        self.events += 1;
        match event {
            Event::Run(run) => self.run = run,
            Event::Subject(new) => replace(&mut self.subjects, new, |a, b| a.id == b.id),
            Event::Counts(new) => {
                replace(&mut self.counts, new, |a, b| (&a.subject, &a.generator) == (&b.subject, &b.generator));
            }
            Event::Statistics(new) => {
                replace(&mut self.statistics, new, |a, b| (&a.subject, &a.generator) == (&b.subject, &b.generator));
            }
            Event::Rules(rules) => self.rules = rules,
            Event::Reached(new) => replace(&mut self.reached, new, |a, b| a.subject == b.subject),
            Event::Finding(new) => replace(&mut self.findings, new, |a, b| a.signature == b.signature),
            Event::Sighting(new) => {
                replace(&mut self.sightings, new, |a, b| (&a.subject, &a.signature) == (&b.subject, &b.signature));
            }
            Event::Fault(fault) => self.faults.push(fault),
            Event::Note(note) => self.notes.push(note),
            Event::Checkpoint(Checkpoint { seconds, place }) => {
                self.seconds = seconds;
                if let Some(new) = place {
                    replace(&mut self.places, new, |a, b| a.subject == b.subject);
                }
            }
            Event::End(end) => self.end = Some(end),
        }
    }

    /// A finding is not written again each time that it occurs.
    pub(crate) fn count_occurrences(&mut self) {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for sighting in &self.sightings {
            *sums.entry(&sighting.signature).or_default() += sighting.occurrences;
        }
        for finding in &mut self.findings {
            finding.occurrences = sums.get(finding.signature.as_str()).copied().unwrap_or(finding.occurrences);
        }
    }
}

/// Puts `new` in the place of what it replaces, or at the end. Linear, as all of these lists are short.
fn replace<T>(all: &mut Vec<T>, new: T, same: impl Fn(&T, &T) -> bool) {
    match all.iter_mut().find(|old| same(old, &new)) {
        Some(old) => *old = new,
        None => all.push(new),
    }
}
