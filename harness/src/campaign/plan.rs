//! What a campaign is to do, and who takes part.

use crate::case::Case;
use crate::comparison::Pair;
use crate::expected::Expected;
use crate::generators::Generator;
use crate::subjects::Subject;
use crate::subjects::core::Core;
use protocol::Facts;
use reports::{Counts, Finding, Place, Reached, Sighting, Statistics};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What to do, and when to stop.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides all cases.
    pub seed: u64,
    /// Stop after this time.
    pub time: Option<Duration>,
    /// Stop after this many cases in total, of which each subject gets the same share.
    pub cases: Option<u64>,
    /// The part of the run that is done here.
    pub shard: Shard,
    /// Which cases, taken in turn.
    pub generators: Vec<Generator>,
    /// Take every file of each standard library at every level, and stop when all are done.
    pub full: bool,
    /// How many subjects work at the same time.
    pub jobs: usize,
    /// How many cases a subject is asked at once at most. What comes of them does not depend on it.
    pub batch: u64,
    /// How often the numbers of a subject are written down when it finds nothing: so much is done again at most when a run that
    /// was killed is continued.
    pub save_every: Duration,
    /// How long each finding that is not expected may be minimized; zero: not at all.
    pub minimize_for: Duration,
    /// The folder with `seeds`, `golden` and `regressions`.
    pub corpus: PathBuf,
    /// A folder whose files are all the cases there are, in the place of generators.
    pub inputs: Option<PathBuf>,
    /// The folder of compiled standard libraries.
    pub cache: PathBuf,
    /// The divergences that are known.
    pub expected: Expected,
}

#[cfg(test)]
impl Plan {
    /// No cases, and nowhere to take them from.
    pub(super) fn of_nothing() -> Plan {
        Plan {
            seed: 0,
            time: None,
            cases: Some(0),
            shard: Shard::WHOLE,
            generators: Vec::new(),
            full: false,
            jobs: 2,
            batch: BATCH,
            save_every: Duration::ZERO,
            minimize_for: Duration::ZERO,
            corpus: PathBuf::from("there is no corpus"),
            inputs: None,
            cache: PathBuf::from("there is no cache"),
            expected: Expected::default(),
        }
    }
}

/// A part of a run: the rounds whose number leaves `index` when it is divided by `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: u64,
    /// How many there are, at least 1.
    pub of: u64,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Shard = Shard { index: 0, of: 1 };
}

/// `0/4`, the first of four.
impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = || {
            let (index, of) = text.split_once('/')?;
            let (index, of): (u64, u64) = (index.parse().ok()?, of.parse().ok()?);
            (index < of).then_some(Shard { index, of })
        };
        numbers().ok_or_else(|| format!("{text:?} is no shard; the four shards of a run are 0/4, 1/4, 2/4 and 3/4"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// A subject that takes part.
pub struct Member {
    /// `cpython:3.12`, or `core:3.12` for the core alone.
    pub id: String,
    /// `3.12.1`: the version of the language.
    pub version: String,
    /// The implementation's own release, which is the same for CPython.
    pub release: String,
    /// The core under this subject's profile, and the subject.
    pub pair: Pair,
    /// What its interpreter says of itself.
    pub facts: Option<Facts>,
    /// What it came to before, if the run is continued.
    pub before: Option<Before>,
}

/// What a log tells about one subject of a run that is continued.
#[derive(Debug, Clone, Default)]
pub struct Before {
    /// Where it is.
    pub place: Place,
    /// Its numbers, one for each generator.
    pub counts: Vec<Counts>,
    /// What the generators made for it.
    pub statistics: Vec<Statistics>,
    /// Its column of the matrix.
    pub reached: Option<Reached>,
    /// The signatures that it had.
    pub sightings: Vec<Sighting>,
    /// For each fault that was told its kind, and the cause that the model gives.
    pub faults: Vec<(String, Option<String>)>,
    /// The findings that are told with cases of this subject and are not expected, with their cases: those that have not been
    /// minimized are minimized now.
    pub findings: Vec<(Finding, Case)>,
}

/// [`Plan::batch`] unless a test wants another one.
pub const BATCH: u64 = 64;

impl Member {
    /// An interpreter that is compared with the core.
    #[must_use]
    pub fn interpreter(id: &str, facts: &Facts, core: Core, subject: Box<dyn Subject>) -> Member {
        Member {
            id: id.into(),
            version: facts.version.clone(),
            release: facts.implementation_version.clone(),
            pair: Pair::new(&facts.implementation, core, subject),
            facts: Some(facts.clone()),
            before: None,
        }
    }

    /// The core alone, with the oracles that need no interpreter.
    #[must_use]
    pub fn alone(core: Core) -> Member {
        let version = core.profile().version.to_string();
        let (id, release) = (format!("core:{version}"), version.clone());
        Member { id, version, release, pair: Pair::alone(core), facts: None, before: None }
    }
}
