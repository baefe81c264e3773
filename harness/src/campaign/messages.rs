//! What a campaign tells while it goes on.

use crate::case::Case;
use crate::generators::Generator;
use crate::observation::Observation;
use crate::oracle::Divergence;
use crate::statistics::Statistics;
use reports::{Counts, Level, Place, Reached, Sighting, Standing};
use std::sync::mpsc::Sender;

/// A divergence with the smallest case that this subject has had of it.
#[derive(Debug, Clone)]
pub struct Found {
    /// Whose case it is.
    pub subject: String,
    /// That subject's version.
    pub version: String,
    /// What differs.
    pub divergence: Divergence,
    /// The case.
    pub case: Case,
    /// What the core says of it.
    pub predicted: Observation,
    /// What the subject says of it.
    pub observed: Observation,
    /// The entry of [`Plan::expected`](super::Plan::expected) that lists it.
    pub expected: Option<usize>,
    /// The turn in which it was found.
    pub turn: u64,
    /// Whether it is the first of its signature in this subject.
    pub is_first: bool,
}

impl Found {
    /// How much the case matters.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let is_of = |generator: &Generator| generator.name() == self.case.origin.generator();
        match &self.predicted {
            _ if [Generator::Stdlib, Generator::Programs].iter().any(is_of) => Standing::Written,
            Observation::Accepted(_) => Standing::Accepted,
            _ => Standing::Refused,
        }
    }
}

/// A finding with its simplest case.
#[derive(Debug, Clone)]
pub struct Small {
    /// Which finding: its signature. The smallest case can have another one.
    pub signature: String,
    /// It, with the simplest case and what both sides say of that.
    pub found: Found,
    /// How many bytes the case had that was found.
    pub original: usize,
    /// Whether no single step makes it simpler; otherwise the time was up.
    pub complete: bool,
    /// The text of the simplest program that shows it, if it was found with one.
    pub program: Option<String>,
}

/// A case that was not answered, or was asked although the model calls it undefined.
#[derive(Debug, Clone)]
pub struct Silence {
    /// Whose.
    pub subject: String,
    /// In which turn.
    pub turn: u64,
    /// `SIGSEGV`, `timeout` ...; `accepted` and `rejected` of what the model calls undefined.
    pub kind: String,
    /// What is known of it.
    pub detail: String,
    /// The case.
    pub case: Case,
    /// The cause that the model gives, if it predicted that something could happen.
    pub predicted: Option<String>,
}

/// What came of the turns of one subject since it was last saved. All numbers are of the whole run.
#[derive(Debug, Clone)]
pub struct Turns {
    /// Where the subject is now.
    pub place: Place,
    /// The generators that had a turn.
    pub counts: Vec<Counts>,
    /// What these generators made.
    pub statistics: Vec<Statistics>,
    /// The subject's column of the matrix, if it has one.
    pub reached: Option<Reached>,
    /// The signatures that occurred, with the entry that lists each.
    pub sightings: Vec<(Sighting, Option<usize>)>,
    /// Divergences that are new, or have a smaller case.
    pub found: Vec<Found>,
    /// Cases that were not answered.
    pub silences: Vec<Silence>,
    /// Things that a person should read.
    pub notes: Vec<(Level, String)>,
}

/// What a campaign tells while it goes on.
pub enum Message {
    /// How far one subject has got, one for each generator: for those who watch.
    Counted(Vec<Counts>),
    /// What one subject came to; it must be on disk before this is answered.
    Save(Box<Turns>, Sender<()>),
    /// A finding was cut down.
    Minimized(Box<Small>),
    /// Findings that have one cause: the one that stands for them comes first.
    Merged(Vec<Vec<String>>),
    /// Something that a person should read.
    Noted(Level, String),
    /// A subject can no longer be asked: its id, and why.
    Broke(String, String),
}
