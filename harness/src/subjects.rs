//! Subjects: whatever does something with a case.
//!
//! The core is asked in process, interpreters through their workers. The campaign sees an interpreter only through
//! [`Subject`], so that its own behaviour can be tested with subjects that crash, lie or hang on demand.

pub mod core;
mod in_process;
mod interpreter;

pub use in_process::InProcess;
pub use interpreter::Reality;
pub use interpreters::Broken;

use crate::observation::Observation;
use protocol::{Compile, Exception, Import, Load};

/// An interpreter, or something that takes its place in a test.
pub trait Subject: Send {
    /// Loads a batch: exactly one observation per case, in order.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    fn load(&mut self, load: &Load) -> Result<Vec<Observation>, Broken>;

    /// Compiles a source text.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    fn compile(&mut self, compile: &Compile) -> Result<Compiled, Broken>;

    /// Asks what an import says of the headers of .pyc files: exactly one observation per file, in order.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    fn import(&mut self, files: &[Import]) -> Result<Vec<Observation>, Broken> {
        Ok(files.iter().map(|_| Observation::Skipped("the subject imports nothing".into())).collect())
    }

    /// Asks for the instructions of the code objects in streams: exactly one observation for each, in order, with the text in the
    /// place of the canon.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    fn disassemble(&mut self, streams: &[Vec<u8>]) -> Result<Vec<Observation>, Broken> {
        Ok(streams.iter().map(|_| Observation::Skipped("the subject disassembles nothing".into())).collect())
    }

    /// Executes the code objects in streams, if it was started for that: exactly one observation for each, in order.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    fn execute(&mut self, streams: &[Vec<u8>]) -> Result<Vec<Observation>, Broken> {
        Ok(streams.iter().map(|_| Observation::Skipped("the subject executes nothing".into())).collect())
    }

    /// How many processes had to be started in place of one that died.
    fn restarts(&self) -> u32;

    /// The most memory that it took for a case, in bytes, if that is known.
    fn most_memory(&self) -> u64 {
        0
    }

    /// The same subject in a process of its own that has seen nothing yet.
    fn fresh(&self) -> Box<dyn Subject>;
}

/// What came of compiling a source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiled {
    /// A whole .pyc file.
    Pyc(Vec<u8>),
    /// It does not compile: the exception.
    Refused(Exception),
    /// The interpreter did not answer; what happened.
    Faulted(String),
}
