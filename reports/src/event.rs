//! What can happen in a run, as one JSON object per line.
//!
//! A campaign can be killed at any moment, and what it has found until then must be readable. So a run is not one
//! document that is written at the end but a stream of events, each complete in itself: numbers come as cumulative
//! snapshots of which the last one counts, and a finding that changes is simply written again.
//!
//! The types are the specification; `schema/event.schema.json` is generated from them for readers in other languages.

use protocol::Facts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the log's format, written in [`Run::format`]. Readers refuse logs of another version.
pub const FORMAT: u32 = 3;

/// How many faults of one kind and cause are told of each subject; the others are counted.
pub const TOLD_FAULTS: u32 = 4;

/// The group of the rules that are counted when an interpreter was asked what may end it: once for each cause in a run.
pub const KILLERS: &str = "killers";

/// One line of a run's log.
///
/// The first event of a log is a [`Run`], the last one is an [`End`]; a log without `End` is that of a run that was
/// killed or is still going on. Between them anything may come in any order; a [`Checkpoint`] ends what belongs together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)] // an event lives for one write
pub enum Event {
    /// The header.
    Run(Run),
    /// A subject was found, or found unusable.
    Subject(Subject),
    /// How far one subject has got with one generator.
    Counts(Counts),
    /// What one generator made for one subject.
    Statistics(Statistics),
    /// The rows of the matrix of rules.
    Rules(Rules),
    /// One subject's column of the matrix.
    Reached(Reached),
    /// Two subjects do not do what they owe each other.
    Finding(Finding),
    /// What one subject has had of one signature.
    Sighting(Sighting),
    /// A subject did not answer a case.
    Fault(FaultEvent),
    /// Something that a person should read.
    Note(Note),
    /// A run that is continued goes on from here.
    Checkpoint(Checkpoint),
    /// The run ended in an orderly way.
    End(End),
}

/// The header: what was run, where, and how to run it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The version of the log's format.
    #[cfg_attr(test, schemars(extend("const" = FORMAT)))]
    pub format: u32,
    /// The version of Provost, as in `provost --version`.
    pub provost_version: String,
    /// The version of the generators. A seed repeats a run only under the same number.
    pub generator_version: u32,
    /// When the run started: RFC 3339, UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub started: String,
    /// The shell command that repeats this run, with everything spelled out that decides what it does.
    pub command: String,
    /// The arguments of that command: a run that is continued has them again.
    pub arguments: Vec<String>,
    /// The SHA-256 of the corpus that cases are made of, and of the divergences that are expected, in hexadecimal.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub corpus: String,
    /// The seed of all generators.
    pub seed: u64,
    /// The time limit in minutes, if there is one.
    pub minutes: Option<f64>,
    /// The limit of cases, if there is one.
    pub cases: Option<u64>,
    /// The generators that take part.
    pub generators: Vec<String>,
    /// The part of the run that was done, as `0/4`, if it was shared; none if all of it was.
    #[serde(default)]
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9]+/[1-9][0-9]*$")))]
    pub shard: Option<String>,
    /// The runs that this one was merged from; empty for a run that was made.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// The machine.
    pub host: Host,
}

/// A run that was merged into another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The file in the run's directory that has its log, cut down to the last state of everything.
    pub path: String,
    /// The command that repeats it.
    pub command: String,
    /// When it started: RFC 3339, UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub started: String,
}

/// The machine on which a run takes place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The operating system: `linux`.
    pub os: String,
    /// The architecture: `x86_64`.
    pub arch: String,
    /// The number of logical processors that the run may use.
    pub cpus: u32,
}

/// A subject: what it is and whether it can take part. A later event with the same id replaces this one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// `core`, `cpython:X.Y`, `exec:<adapter>`. Oracles that need no interpreter speak as `core`.
    pub id: String,
    /// Whether it takes part in the run.
    pub usable: bool,
    /// Why it is not usable, or why it was left out.
    pub reason: Option<String>,
    /// What the user can do about that.
    pub advice: Option<String>,
    /// What the interpreter says of itself; none for subjects that are not interpreters or never started.
    #[cfg_attr(test, schemars(with = "Option<crate::schema::Facts>"))]
    pub facts: Option<Box<Facts>>,
    /// How it is driven: `embedded`, `script`, `pyodide`, `native`.
    pub driver: Option<String>,
    /// Why it is driven in that way.
    pub driver_reason: Option<String>,
    /// Where it was found: `PATH`, `pyenv`, `PROVOST_PYTHONS`.
    pub found_by: Option<String>,
    /// From the start of the process to its first answer, in milliseconds.
    pub start_up_ms: Option<u64>,
    /// What to keep in mind about its results: that the model was never compared with a release as new as this one.
    pub caution: Option<String>,
}

/// How far one subject has got with one generator since the run started. Cumulative: the last snapshot counts.
///
/// Each case ends in one of four ways: `cases` = `compared` + all of `inconclusive` + all of `skipped` + `faulted`;
/// and `compared` = `agreed` + `expected` + `diverged`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// The subject's id.
    pub subject: String,
    /// The generator's name; oracles that need no generator give their own (`preserve`).
    pub generator: String,
    /// Cases given to the subject.
    pub cases: u64,
    /// Their total length in bytes.
    pub bytes: u64,
    /// Cases on which an oracle came to agree or diverge.
    pub compared: u64,
    /// Compared cases without any divergence.
    pub agreed: u64,
    /// Cases on which no oracle could decide, by reason.
    pub inconclusive: BTreeMap<String, u64>,
    /// Cases that the subject is declared incapable of, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Those of the skipped that are sources which the subject refuses to compile.
    #[serde(default)]
    pub not_compiled: u64,
    /// Cases that were not answered: crash, timeout, out of memory, protocol fault.
    pub faulted: u64,
    /// Compared cases with a divergence that is not listed in corpus/expected.
    pub diverged: u64,
    /// Compared cases whose every divergence is listed in corpus/expected.
    pub expected: u64,
    /// Cases that the subject accepted, whatever the oracles said.
    pub accepted: u64,
    /// Cases that the subject rejected, whatever the oracles said.
    pub rejected: u64,
    /// Cases of which also the instructions were compared.
    #[serde(default)]
    pub instructions: u64,
    /// How often its process had to be started again.
    pub restarts: u64,
    /// Wall-clock time that the subject took for these cases, in milliseconds.
    pub ms: u64,
}

/// What one generator made for one subject since the run started, and what of it was accepted. Cumulative: the last snapshot
/// counts. What is said of the cases' insides is of a sample.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// The subject's id.
    pub subject: String,
    /// The generator's name.
    pub generator: String,
    /// Cases that were made.
    pub cases: u64,
    /// Those of them that are marshal streams.
    pub streams: u64,
    /// Cases that were made to be accepted, and answered.
    pub valid: u64,
    /// Those of them that were accepted.
    pub valid_accepted: u64,
    /// Cases that were looked at: those that everything below is about.
    pub sampled: u64,
    /// Their bytes.
    pub size: Spread,
    /// Their objects.
    pub nodes: Spread,
    /// Their levels of nesting.
    pub depth: Spread,
    /// Objects with a flag, in all of them.
    pub flagged: u64,
    /// References, in all of them.
    pub references: u64,
    /// References to objects that were still being read, in all of them.
    pub cycles: u64,
    /// How many of them have which feature.
    pub features: Vec<FeatureCount>,
    /// Whether there should be cases at all.
    #[serde(default)]
    pub wanted: bool,
    /// Whether the subject owes it to accept what was made to be accepted.
    #[serde(default)]
    pub owes: bool,
    /// In what way the generator does not keep its promises.
    pub starved: Vec<String>,
}

/// Some numbers, one for each case that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// All of them together.
    pub sum: u64,
    /// The largest.
    pub max: u64,
}

/// How many cases have a feature.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FeatureCount {
    /// What it is.
    pub name: String,
    /// How many of the cases that were looked at have it.
    pub cases: u64,
    /// Whether the generator promises to make it for this subject.
    pub promised: bool,
}

/// The rules of the format: the rows of the matrix that [`Reached`] fills. At most one in a log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// In the order in which [`Reached::cases`] counts.
    pub rules: Vec<Rule>,
}

/// A rule of the format that a case can reach: a type byte, a way to be refused, a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Rules of one group stand together.
    pub group: String,
    /// What it says.
    pub name: String,
}

/// How often one subject's cases reached each rule since the run started. Cumulative: the last snapshot counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// The subject's id.
    pub subject: String,
    /// Cases that were compared with the model's prediction.
    pub compared: u64,
    /// Dumps that were predicted of them.
    pub dumps: u64,
    /// For each rule, the compared cases that reached it; none where this interpreter cannot reach it.
    pub cases: Vec<Option<u64>>,
    /// What was left out of the comparisons because it cannot be predicted, and how often.
    pub masked: BTreeMap<String, u64>,
}

/// How much a case matters to those who only ever read what CPython wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// CPython itself wrote these bytes.
    Written,
    /// CPython accepts them.
    #[default]
    Accepted,
    /// CPython refuses them.
    Refused,
}

/// One signature with its smallest case so far. A later event with the same signature replaces this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What makes two divergences the same finding.
    pub signature: String,
    /// What the two sides owe each other.
    pub relation: String,
    /// The subject whose case this is.
    pub subject: String,
    /// Every subject in which this signature has been seen, `subject` included.
    pub seen_in: Vec<String>,
    /// The generator that made the case.
    pub generator: String,
    /// The case.
    pub case: Case,
    /// What should have come.
    pub expected: Side,
    /// What came.
    pub observed: Side,
    /// Where the two first differ, in words or as a path in the canon.
    pub first_difference: Option<String>,
    /// One line of Python that shows the observed side.
    pub repro_python: Option<String>,
    /// One line of Rust, or one shell command, that shows the expected side.
    pub repro_rust: Option<String>,
    /// How many cases had this signature so far.
    pub occurrences: u64,
    /// The subject's turn in which the case was found.
    #[serde(default)]
    pub turn: u64,
    /// How much the case matters.
    #[serde(default)]
    pub standing: Standing,
    /// Where the case came from, in words.
    #[serde(default)]
    pub origin: String,
    /// The seed and the index with which the generator makes the case again, as it was before it was minimized.
    #[serde(default)]
    pub made: Option<(u64, u64)>,
    /// Length of the case as it was found, in bytes, if it was cut down since.
    #[serde(default)]
    pub original_length: Option<u64>,
    /// Whether the minimizer is done, so that the case will not become smaller.
    pub smallest: bool,
    /// The text of the simplest program whose compiled stream shows it, if it was found with a program.
    #[serde(default)]
    pub program: Option<String>,
    /// The other findings that have the same cause, as their minimized cases show: their signatures.
    #[serde(default)]
    pub also: Vec<String>,
    /// The finding that stands for this one, if they have the same cause: its signature.
    #[serde(default)]
    pub merged_into: Option<String>,
    /// The file in corpus/regressions that it was promoted to.
    #[serde(default)]
    pub fixture: Option<String>,
    /// The reason given in corpus/expected, if the signature is listed there.
    pub expected_entry: Option<String>,
    /// What to keep in mind about the subjects in which it has been seen, if there is something.
    pub caution: Option<String>,
}

impl Finding {
    /// Whether it is neither listed in corpus/expected nor told with another one that has the same cause.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.expected_entry.is_none() && self.merged_into.is_none()
    }

    /// The order in which findings are told: what CPython wrote, then what it accepts, then what it refuses; of equals the
    /// one of fewer bytes, then the one that is met more often.
    #[must_use]
    pub fn rank(&self) -> (Standing, u64, std::cmp::Reverse<u64>, &str) {
        (self.standing, self.case.length, std::cmp::Reverse(self.occurrences), &self.signature)
    }
}

/// What one subject has had of one signature since the run started. Cumulative: the last snapshot counts. The sum over all
/// subjects is how often the finding of that signature occurred.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    /// The subject's id.
    pub subject: String,
    /// The signature.
    pub signature: String,
    /// How many of its cases had it.
    pub occurrences: u64,
    /// The length of the smallest of them in bytes; none if there was none that stood a second look.
    pub smallest: Option<u64>,
    /// How many cases had it and did not have it when they were asked again.
    pub flaky: u32,
    /// The entry of corpus/expected that lists it for this subject.
    pub entry: Option<String>,
}

/// Everything before this event belongs to the run, and what comes between the last one and the end of a log that was cut off
/// is done again when the run is continued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// How long the run has taken so far, in seconds.
    pub seconds: f64,
    /// The subject whose turns were written down, and where it is now.
    pub place: Option<Place>,
}

/// Where one subject is in its sequence of cases, and what the next ones depend on that no other event tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The subject's id.
    pub subject: String,
    /// The number of its next turn. The turn decides the generator and the indexes.
    pub turn: u64,
    /// The reasons not to ask that it was asked about all the same.
    pub causes: Vec<String>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The file that holds it, relative to the run's directory, if it was kept.
    pub path: Option<String>,
    /// SHA-256 of the bytes, in hexadecimal.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{64}$")))]
    pub sha256: String,
    /// Its length in bytes.
    pub length: u64,
    /// The first bytes, at most 512 of them, in hexadecimal.
    #[cfg_attr(test, schemars(regex(pattern = "^([0-9a-f]{2})*$"), length(max = 1024)))]
    pub hex: String,
    /// Whether `hex` is less than the whole case.
    pub truncated: bool,
}

impl Case {
    /// How many bytes of a case an event carries at most.
    pub const EXCERPT: usize = 512;
}

/// What one side of a finding says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// The subject that says it.
    pub subject: String,
    /// What became of the case.
    pub outcome: Outcome,
    /// The exception, or an excerpt of the canon, or of the dumped bytes in hexadecimal. The report marks the first
    /// place at which the two sides' details differ.
    pub detail: String,
}

/// What a subject can do with a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A value came out.
    Accepted,
    /// An exception came out.
    Rejected,
    /// Declared incapable.
    Skipped,
    /// No answer.
    Faulted,
    /// The model says that nobody can know.
    Undefined,
}

/// A case that a subject did not answer, or that it was asked although the model calls it undefined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FaultEvent {
    /// The subject's id.
    pub subject: String,
    /// The subject's turn.
    #[serde(default)]
    pub turn: u64,
    /// `SIGSEGV`, `timeout`, `out of memory`, `protocol`; `accepted` or `rejected` of what the model calls undefined.
    pub kind: String,
    /// What is known of it: the last words on stderr, the limit that struck.
    pub detail: String,
    /// The case that did it, if it could be told.
    pub case: Option<Case>,
    /// Why the model predicted it; none if it did not, which makes the fault news.
    pub expected_by_model: Option<String>,
}

/// Something that a person should read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub text: String,
    /// Whether it sums up the run: whoever merges runs sums up anew.
    #[serde(default)]
    pub sums_up: bool,
}

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is not as it should be; the results stand.
    Warning,
    /// Something is broken; results may be missing.
    Error,
}

/// The run ended in an orderly way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct End {
    /// What came out.
    pub verdict: Verdict,
    /// The exit code of the command.
    pub exit_code: i32,
    /// Whether the user stopped it before its limits were reached.
    pub interrupted: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What came out of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was compared agrees, or diverges as listed.
    Agree,
    /// At least one divergence is not listed.
    Diverged,
    /// The harness failed; neither of the above can be said.
    Broken,
    /// No case was compared with an interpreter.
    NothingCompared,
}
