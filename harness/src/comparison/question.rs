//! What an interpreter may be asked about a stream, given what the model says of it.

use crate::observation::{Accepted, Canon, Dump, Observation, explained};
use std::fmt;

/// How to ask for a stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// Whether to look at the value.
    pub canon: bool,
    /// The marshal versions to dump it with.
    pub versions: Vec<u8>,
}

/// Why a stream should not be asked about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unasked {
    /// Loading alone is undefined in this interpreter, and may end its process; the cause.
    Undefined(String),
    /// It has code objects of CPython, and the interpreter is another one.
    Foreign,
    /// The core panicked, so it does not know.
    Panicked,
}

impl fmt::Display for Unasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unasked::Undefined(cause) => write!(f, "undefined in this interpreter ({})", explained(cause)),
            Unasked::Foreign => f.write_str("its code objects are its own"),
            Unasked::Panicked => f.write_str("the core panicked"),
        }
    }
}

impl Question {
    /// Whether it loads, and how many bytes of it: nothing looks at the value.
    pub const BARE: Question = Question { canon: false, versions: Vec::new() };

    /// Whether it loads, and its value.
    pub const VALUE: Question = Question { canon: true, versions: Vec::new() };

    /// The most that may be asked about a stream of which this was predicted.
    pub(super) fn about(predicted: &Observation) -> Result<Question, Unasked> {
        match predicted {
            Observation::Accepted(Accepted { canon: Canon::Undefined(_), .. }) => Ok(Question::BARE),
            Observation::Accepted(accepted) => {
                let finite = |(version, dump): &(u8, Dump)| dump.can_be_asked().then_some(*version);
                let canon = accepted.canon != Canon::Unasked;
                Ok(Question { canon, versions: accepted.dumps.iter().filter_map(finite).collect() })
            }
            // Should it be accepted after all, nothing is known of what looking at the value would do.
            Observation::Rejected(_) | Observation::Skipped(_) => Ok(Question::BARE),
            Observation::Undefined(cause) => Err(Unasked::Undefined(cause.clone())),
            Observation::Faulted(_) => Err(Unasked::Panicked),
        }
    }
}
