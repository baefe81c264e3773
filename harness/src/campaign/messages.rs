//! What a campaign tells while it goes on.

use crate::case::Case;
use crate::generators::Generator;
use crate::observation::Observation;
use crate::oracle::{Divergence, Signature};
use crate::statistics::Statistics;
use reports::{Counts, Level, Reached, Standing};
use std::collections::BTreeMap;
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
    /// Which finding.
    pub signature: Signature,
    /// It, with the simplest case and what both sides say of that.
    pub found: Found,
    /// How many bytes the case had that was found.
    pub original: usize,
    /// Whether no single step makes it simpler; otherwise the time was up.
    pub complete: bool,
    /// The text of the simplest program that shows it, if it was found with one.
    pub program: Option<String>,
}

/// A case that was not answered.
#[derive(Debug, Clone)]
pub struct Silence {
    /// Whose.
    pub subject: String,
    /// `SIGSEGV`, `timeout` ...
    pub kind: String,
    /// What is known of it.
    pub detail: String,
    /// The case.
    pub case: Case,
    /// The cause that the model gives, if it predicted that something would happen.
    pub predicted: Option<String>,
}

/// What a campaign tells while it goes on.
pub enum Message {
    /// A divergence that is new, or has a smaller case.
    Found(Box<Found>),
    /// A finding was cut down.
    Minimized(Box<Small>),
    /// Findings that have one cause: the one that stands for them comes first.
    Merged(Vec<Vec<Signature>>),
    /// How often signatures occurred in one batch, in which subject, and the entry that lists them.
    Occurred(String, BTreeMap<Signature, (u64, Option<usize>)>),
    /// A case was not answered.
    Silent(Box<Silence>),
    /// New snapshots for one subject, one for each generator.
    Counted(Vec<Counts>),
    /// What the generators made for one subject.
    Made(Vec<Statistics>),
    /// A new snapshot of one subject's column of the matrix.
    Reached(Reached),
    /// Something that a person should read.
    Noted(Level, String),
    /// Everything told before must be on disk before this is answered.
    Save(Sender<()>),
    /// A subject can no longer be asked: its id, and why.
    Broke(String, String),
}
