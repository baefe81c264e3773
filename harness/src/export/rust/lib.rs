//! Recorded answers of Python interpreters to marshal streams, for a reader written in Rust.
//!
//! Implement [`Reader`] for yours and give it to [`check`]; README.md says what is compared.

mod cases;

pub use cases::{CASES, INTERPRETERS};

/// An interpreter that was asked.
#[derive(Debug)]
pub struct Interpreter {
    /// `3.12.1`
    pub release: &'static str,
    /// `cpython`
    pub implementation: &'static str,
    /// `sys.platform`
    pub platform: &'static str,
    /// 64 or 32.
    pub pointer_bits: u8,
    /// The deepest nesting that it reads and writes, in objects.
    pub max_depth: u32,
}

/// One stream and all answers to it.
#[derive(Debug)]
pub struct Case {
    /// Its name in the corpus.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// The bytes.
    pub stream: &'static [u8],
    /// The answers, equal ones together.
    pub answers: &'static [Answer],
    /// The versions that gave no answer that can be compared with.
    pub unasked: &'static [&'static str],
}

/// An answer that some interpreters gave.
#[derive(Debug)]
pub struct Answer {
    /// Who, by numbers of [`INTERPRETERS`].
    pub by: &'static [usize],
    /// What.
    pub said: Said,
}

/// What an interpreter did.
#[derive(Debug)]
pub enum Said {
    /// It built a value.
    Accepted {
        /// How many bytes the value takes.
        consumed: usize,
        /// The value as a canon (CANON.md).
        canon: Option<&'static str>,
        /// The value as plain JSON (README.md); none where it is nested too deep.
        plain: Option<&'static str>,
        /// What `marshal.dumps` made of it, for each version of the format from 0.
        dumps: &'static [Dump],
    },
    /// It raised an exception of this class with this message.
    Rejected(&'static str, &'static str),
    /// It crashes, hangs or corrupts its memory, for this cause: there is nothing to agree with.
    Undefined(&'static str),
}

/// What an interpreter dumped.
#[derive(Debug)]
pub enum Dump {
    /// These bytes.
    Bytes(&'static [u8]),
    /// An exception of this class with this message.
    Raises(&'static str, &'static str),
    /// Something that depends on more than the value, or was not recorded.
    Unknown(&'static str),
}

/// A value, in the form that is easier to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Compact plain JSON.
    Plain(String),
    /// The canon.
    Canon(String),
    /// It is not compared.
    Untold,
}

/// What a reader loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The value.
    pub value: Value,
    /// How many bytes it takes, if the reader knows.
    pub consumed: Option<usize>,
}

/// A refusal; what is not told is not compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refused {
    /// The exception's class.
    pub class: Option<String>,
    /// The exception's message.
    pub message: Option<String>,
}

/// A reader.
pub trait Reader {
    /// Which of [`INTERPRETERS`] it is compared with, such as `3.12.1`.
    fn release(&self) -> &str;

    /// Reads the first object of a stream.
    ///
    /// # Errors
    /// When it refuses the stream.
    fn load(&self, stream: &[u8]) -> Result<Loaded, Refused>;

    /// Reads a stream and writes its value in this version of the format; `None` if it does not write.
    fn dump(&self, stream: &[u8], version: u8) -> Option<Result<Vec<u8>, Refused>>;
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub struct Report {
    /// How many cases agree.
    pub agreed: usize,
    /// How many have no answer to compare with.
    pub skipped: usize,
    /// Names of the cases that differ, and how.
    pub wrong: Vec<(&'static str, String)>,
}

/// Gives all cases to a reader. Those that are undefined in its interpreter are not given to it.
pub fn check(reader: &impl Reader) -> Report {
    let mut report = Report::default();
    let number = INTERPRETERS.iter().position(|one| one.release == reader.release());
    for case in CASES {
        let answer = number.and_then(|number| case.answers.iter().find(|answer| answer.by.contains(&number)));
        match answer.map(|answer| &answer.said) {
            None | Some(Said::Undefined(_)) => report.skipped += 1,
            Some(said) => match difference(reader, case.stream, said) {
                None => report.agreed += 1,
                Some(difference) => report.wrong.push((case.name, difference)),
            },
        }
    }
    report
}

fn difference(reader: &impl Reader, stream: &[u8], said: &Said) -> Option<String> {
    match (said, reader.load(stream)) {
        (Said::Accepted { .. }, Err(refused)) => Some(format!("{refused:?} instead of a value")),
        (Said::Rejected(class, message), Ok(_)) => Some(format!("a value instead of {class}: {message}")),
        (Said::Rejected(class, message), Err(refused)) => refusal(&refused, class, message),
        (Said::Accepted { consumed, canon, plain, dumps }, Ok(loaded)) => {
            if let Some(mine) = loaded.consumed.filter(|mine| mine != consumed) {
                return Some(format!("{mine} bytes consumed instead of {consumed}"));
            }
            let (mine, recorded) = match &loaded.value {
                Value::Plain(text) => (text, plain),
                Value::Canon(text) => (text, canon),
                Value::Untold => (&String::new(), &None),
            };
            if let Some(recorded) = recorded.filter(|recorded| recorded != mine) {
                return Some(format!("{mine} instead of {recorded}"));
            }
            let mut versions = (0..).zip(dumps.iter());
            versions.find_map(|(version, recorded)| written(reader, stream, version, recorded))
        }
        (Said::Undefined(_), _) => None,
    }
}

fn written(reader: &impl Reader, stream: &[u8], version: u8, recorded: &Dump) -> Option<String> {
    if matches!(recorded, Dump::Unknown(_)) {
        return None;
    }
    let at = |difference: String| format!("dump {version}: {difference}");
    match (recorded, reader.dump(stream, version)?) {
        (Dump::Bytes(bytes), Ok(mine)) if mine == *bytes => None,
        (Dump::Raises(class, message), Err(refused)) => refusal(&refused, class, message).map(at),
        (_, mine) => Some(at(format!("{mine:02x?} instead of {recorded:02x?}"))),
    }
}

fn refusal(refused: &Refused, class: &str, message: &str) -> Option<String> {
    // The message of a SystemError begins with a file and a line, which differ from build to build.
    let mine = refused.message.as_deref().map(|text| match text.split_once(".c:").filter(|_| class == "SystemError") {
        Some((_, rest)) => rest.split_once(": ").map_or(text, |(_, tail)| tail),
        None => text,
    });
    let same = refused.class.as_deref().is_none_or(|mine| mine == class) && mine.is_none_or(|mine| mine == message);
    (!same).then(|| format!("{refused:?} instead of {class}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that knows the answers, and one that forgets a byte.
    struct Recorded {
        forgets: bool,
    }

    impl Recorded {
        fn said(&self, stream: &[u8]) -> &'static Said {
            let number = INTERPRETERS.iter().position(|one| one.release == self.release()).unwrap();
            let case = CASES.iter().find(|case| case.stream == stream).unwrap();
            &case.answers.iter().find(|answer| answer.by.contains(&number)).unwrap().said
        }
    }

    fn refused(class: &str, message: &str) -> Refused {
        Refused { class: Some(class.into()), message: Some(message.into()) }
    }

    impl Reader for Recorded {
        fn release(&self) -> &str {
            INTERPRETERS.last().unwrap().release
        }

        fn load(&self, stream: &[u8]) -> Result<Loaded, Refused> {
            match self.said(stream) {
                Said::Accepted { consumed, plain, .. } => {
                    let value = plain.map_or(Value::Untold, |text| Value::Plain(text.into()));
                    Ok(Loaded { value, consumed: Some(consumed - usize::from(self.forgets)) })
                }
                Said::Rejected(class, message) => Err(refused(class, message)),
                Said::Undefined(_) => unreachable!("what is undefined is not asked"),
            }
        }

        fn dump(&self, stream: &[u8], version: u8) -> Option<Result<Vec<u8>, Refused>> {
            let Said::Accepted { dumps, .. } = self.said(stream) else { return None };
            match &dumps[usize::from(version)] {
                Dump::Bytes(bytes) => Some(Ok(bytes.to_vec())),
                Dump::Raises(class, message) => Some(Err(refused(class, message))),
                Dump::Unknown(_) => None,
            }
        }
    }

    #[test]
    fn the_recorded_answers_agree_with_themselves() {
        let report = check(&Recorded { forgets: false });
        assert!(report.wrong.is_empty() && report.agreed > 0, "{report:?}");
        let last = INTERPRETERS.len() - 1;
        let answers = CASES.iter().flat_map(|case| case.answers).filter(|answer| answer.by.contains(&last));
        let accepted = answers.filter(|answer| matches!(answer.said, Said::Accepted { .. })).count();
        let report = check(&Recorded { forgets: true });
        assert!(report.wrong.len() == accepted && accepted > 0, "{accepted}: {report:?}");
    }
}
