//! A reader in this process: no protocol, panics are caught. What hangs, aborts or fills the memory does it here; behind
//! `reader::serve` it does it in a process of its own.

use super::{Broken, Compiled, Subject};
use crate::observation::{Accepted, Canon, Dump, Observation, flags};
use interpreters::exec::{Declaration, PANIC, UNSUPPORTED};
use protocol::{CanonMode, Compile, Exception, Import, Load};
use reader::{Read, Reader, Refusal, caught};

/// A reader as a subject.
#[derive(Debug, Clone)]
pub struct InProcess<R> {
    reader: R,
    python: (u8, u8),
}

impl<R: Reader> InProcess<R> {
    /// The reader as one of this Python, and what it declares.
    ///
    /// # Errors
    /// When the declaration is not as interpreters/EXEC.md says.
    pub fn new(reader: R, python: &str) -> Result<(InProcess<R>, Declaration), String> {
        let version = python.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        let python = version.ok_or_else(|| format!("{python:?} is no version such as 3.12"))?;
        let declaration = Declaration::read(reader.declaration().as_bytes())?;
        Ok((InProcess { reader, python }, declaration))
    }

    fn observe(&mut self, stream: &[u8], load: &Load) -> Observation {
        let rewrite = !load.versions.is_empty();
        match caught(|| self.reader.load(stream, self.python, rewrite)) {
            Err(refusal) => Observation::Rejected(exception(refusal)),
            Ok(Read { value, consumed, rewritten }) => {
                let canon = if load.canon == CanonMode::None { Canon::Unasked } else { Canon::Text(value.json()) };
                let dump = |written| match written {
                    Ok(bytes) => Dump::Bytes { bytes, unpredictable: None, loss: None },
                    Err(message) => Dump::Raises(exception(Refusal::Error(message))),
                };
                let dumps = load.versions.iter().copied().zip(rewritten.map(dump)).collect();
                Observation::Accepted(Accepted { consumed: consumed.map(|n| n as u64), canon, dumps })
            }
        }
    }
}

fn exception(refusal: Refusal) -> Exception {
    let (class, message) = match refusal {
        Refusal::Error(message) => ("error", message),
        Refusal::Unsupported(message) => (UNSUPPORTED, message),
        Refusal::Panic(message) => (PANIC, message),
    };
    Exception { class: class.into(), message }
}

impl<R: Reader + Clone + Send + 'static> Subject for InProcess<R> {
    fn load(&mut self, load: &Load) -> Result<Vec<Observation>, Broken> {
        Ok(load.cases.iter().map(|case| self.observe(case, load)).collect())
    }

    fn compile(&mut self, _compile: &Compile) -> Result<Compiled, Broken> {
        Ok(Compiled::Faulted("a reader does not compile".into()))
    }

    fn import(&mut self, files: &[Import]) -> Result<Vec<Observation>, Broken> {
        let mut ask = |file: &Import| match caught(|| self.reader.header(&file.file, self.python)) {
            Ok(n) => flags(n),
            Err(refusal) => Observation::Rejected(exception(refusal)),
        };
        Ok(files.iter().map(&mut ask).collect())
    }

    fn restarts(&self) -> u32 {
        0
    }

    fn fresh(&self) -> Box<dyn Subject> {
        Box::new(self.clone())
    }
}
