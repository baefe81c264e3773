//! Observations: what one subject did with a case.
//!
//! Two subjects that both fail have not agreed, and a subject that could not be asked has not agreed either. So the ways
//! to end are kept apart here, and only the [oracle](crate::oracle) says what they mean together.

use protocol::Exception;
use std::fmt;

/// What one subject did with a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// It built a value.
    Accepted(Accepted),
    /// It raised an exception.
    Rejected(Exception),
    /// It was not asked, with the reason.
    Skipped(String),
    /// It did not answer.
    Faulted(Fault),
    /// Only the model says this: the interpreter crashes, hangs or corrupts its memory here, so there is nothing to
    /// predict. The text names the cause.
    Undefined(String),
}

/// A value, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Length of the first object in the stream in bytes, if known.
    pub consumed: Option<u64>,
    /// The value.
    pub canon: Canon,
    /// The re-dumps that were asked for or predicted, by marshal version.
    pub dumps: Vec<(u8, Dump)>,
}

/// A value in its normal form, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canon {
    /// Nobody asked.
    Unasked,
    /// The SHA-256 of the text.
    Hash([u8; 32]),
    /// The text of corpus/CANON.md.
    Text(String),
    /// The subject's printer failed, and why: a fault of the harness, not of the subject.
    Failed(String),
    /// Only the model says this: another reader of the same value may print another text; why, and the model's text.
    Varies(String, String),
    /// Only the model says this: looking at the value is undefined in the interpreter. The text names the cause.
    Undefined(String),
}

/// `marshal.dumps(value, version)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dump {
    /// The bytes.
    Bytes {
        /// All of them.
        bytes: Vec<u8>,
        /// Only the model says this: what about the bytes cannot be known from outside, such as the order of a set. They
        /// are then *a* valid dump, not the one.
        unpredictable: Option<String>,
        /// Only the model says this: what these bytes lose, so that they need not read back to the same value.
        loss: Option<String>,
    },
    /// It raised an exception.
    Raises(Exception),
    /// Only the model says this: dumping is undefined in the interpreter. The text names the cause.
    Undefined(String),
    /// Only the model says this: dumping takes the interpreter a second or much longer.
    Slow {
        /// A name for why.
        reason: String,
        /// What comes of it, if the model knows and it is no exception.
        bytes: Option<Vec<u8>>,
    },
}

impl Dump {
    /// Whether an interpreter can be asked for what the model says.
    #[must_use]
    pub fn can_be_asked(&self) -> bool {
        !matches!(self, Dump::Undefined(_) | Dump::Slow { .. })
    }
}

/// How a subject failed to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The interpreter's worker died, was too slow, or talked nonsense.
    Worker(interpreters::Fault),
    /// pyc-core panicked, with the message: always a bug of pyc-core.
    Panic(String),
}

impl Fault {
    /// `SIGSEGV`, `timeout`, `panic` ...: the part that belongs in a signature.
    #[must_use]
    pub fn kind(&self) -> String {
        use interpreters::Fault as Worker;
        match self {
            Fault::Panic(_) => "panic".into(),
            Fault::Worker(Worker::Crash { signal, .. }) => signal.clone(),
            Fault::Worker(Worker::Exit { status, .. }) => format!("exit {status}"),
            Fault::Worker(Worker::Timeout { .. }) => "timeout".into(),
            Fault::Worker(Worker::OutOfMemory { .. }) => "out of memory".into(),
            Fault::Worker(Worker::Memory { .. }) => "memory".into(),
            Fault::Worker(Worker::Protocol { .. }) => "protocol".into(),
        }
    }

    /// Why this fault says nothing about the case, if so: the surroundings decide how much memory and time there is, and
    /// who kills a process.
    #[must_use]
    pub fn environment(&self) -> Option<String> {
        use interpreters::Fault as Worker;
        match self {
            Fault::Worker(
                Worker::Timeout { .. } | Worker::OutOfMemory { .. } | Worker::Memory { .. } | Worker::Protocol { .. },
            ) => Some(self.kind()),
            Fault::Worker(Worker::Crash { signal, .. }) => {
                let own = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS", "wasm trap"];
                (!own.contains(&signal.as_str())).then(|| format!("killed by {signal}"))
            }
            Fault::Worker(Worker::Exit { .. }) | Fault::Panic(_) => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Worker(fault) => fault.fmt(f),
            Fault::Panic(message) => write!(f, "it panicked: {message}"),
        }
    }
}

impl Observation {
    /// The outcome class that goes into signatures: `accepted`, `rejected:ValueError`, `faulted:SIGSEGV` ...
    #[must_use]
    pub fn class(&self) -> String {
        match self {
            Observation::Accepted(_) => "accepted".into(),
            Observation::Rejected(exception) => format!("rejected:{}", exception.class),
            Observation::Skipped(_) => "skipped".into(),
            Observation::Faulted(fault) => format!("faulted:{}", fault.kind()),
            Observation::Undefined(_) => "undefined".into(),
        }
    }

    /// The text of the canon, if this is an accepted value that carries it.
    #[must_use]
    pub fn canon_text(&self) -> Option<&str> {
        match self {
            Observation::Accepted(Accepted { canon: Canon::Text(text), .. }) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Observation::Accepted(Accepted { consumed: Some(n), .. }) => write!(f, "accepted, {n} bytes consumed"),
            Observation::Accepted(_) => f.write_str("accepted"),
            Observation::Rejected(e) => write!(f, "{}: {}", e.class, e.message),
            Observation::Skipped(reason) => write!(f, "skipped: {reason}"),
            Observation::Faulted(fault) => fault.fmt(f),
            Observation::Undefined(cause) => write!(f, "undefined in this interpreter: {}", explained(cause)),
        }
    }
}

/// The flags of a .pyc file whose header an import accepts, as a canon.
#[must_use]
pub fn flags(flags: u32) -> Observation {
    Observation::Accepted(Accepted { consumed: None, canon: Canon::Text(format!("int {flags:x}")), dumps: Vec::new() })
}

/// A sentence for the short name of a cause, an aspect or a reason: what people read in place of it.
#[must_use]
pub fn explained(name: &str) -> String {
    if let Some(cause) = pyc_core::Cause::ALL.into_iter().find(|cause| cause.name() == name) {
        return cause.to_string();
    }
    match name {
        "sorting-sets" => "it sorts the members of sets in sets again at every level",
        "hash-order" => "the order of sets depends on hashes and history",
        "equal-sort-keys" => "members of a set have the same sort key",
        "equal-members" => "members of a set print alike",
        "kept-frozensets" => "whether two frozensets are one depends on the order of their hash tables",
        other => other,
    }
    .to_owned()
}
