//! What a campaign is to do, and who takes part.

use crate::comparison::Pair;
use crate::expected::Expected;
use crate::generators::Generator;
use crate::subjects::Subject;
use crate::subjects::core::Core;
use protocol::Facts;
use std::path::PathBuf;
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
    /// Which cases, taken in turn.
    pub generators: Vec<Generator>,
    /// Take every file of each standard library at every level, and stop when all are done.
    pub full: bool,
    /// How many subjects work at the same time.
    pub jobs: usize,
    /// How long each finding that is not expected may be minimized; zero: not at all.
    pub minimize_for: Duration,
    /// The folder with `seeds`, `golden` and `regressions`.
    pub corpus: PathBuf,
    /// The folder of compiled standard libraries.
    pub cache: PathBuf,
    /// The divergences that are known.
    pub expected: Expected,
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
    /// How many cases that the model calls undefined it is asked: each may cost a process.
    pub killers: u32,
}

/// [`Member::killers`] of an interpreter that starts in no time.
pub const KILLERS: u32 = 12;

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
            killers: KILLERS,
        }
    }

    /// The core alone, with the oracles that need no interpreter.
    #[must_use]
    pub fn alone(core: Core) -> Member {
        let version = core.profile().version.to_string();
        let (id, release) = (format!("core:{version}"), version.clone());
        Member { id, version, release, pair: Pair::alone(core), facts: None, killers: 0 }
    }
}
