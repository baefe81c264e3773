//! A real interpreter as a subject.

use super::{Broken, Compiled, Subject};
use crate::bytecode::{answered, said};
use crate::execution::observed;
use crate::observation::{Accepted, Canon, Dump, Fault, Observation, flags};
use interpreters::exec::Operation;
use interpreters::{Interpreter, Limits, Outcome, Supervisor};
use protocol::{Answer, CanonMode, Compile, Import, Load, Loaded};

/// An interpreter behind its supervisor.
#[derive(Debug)]
pub struct Reality {
    interpreter: Interpreter,
    limits: Limits,
    supervisor: Supervisor,
}

impl Reality {
    /// The interpreter under these limits; its worker starts with the first request.
    #[must_use]
    pub fn new(interpreter: &Interpreter, limits: Limits) -> Reality {
        let supervisor = Supervisor::new(interpreter, limits.clone());
        Reality { interpreter: interpreter.clone(), limits, supervisor }
    }
}

impl Subject for Reality {
    fn load(&mut self, load: &Load) -> Result<Vec<Observation>, Broken> {
        let outcomes = self.supervisor.load(load)?;
        // A reader behind an adapter always tells the value.
        let is_text = self.interpreter.declaration().is_some() && load.canon == CanonMode::Hash;
        let mode = if is_text { CanonMode::Text } else { load.canon };
        Ok(outcomes.into_iter().map(|outcome| observe(outcome, load, mode)).collect())
    }

    fn compile(&mut self, compile: &Compile) -> Result<Compiled, Broken> {
        Ok(match self.supervisor.compile(compile)? {
            Outcome::Answer(Answer::Compiled(pyc)) => Compiled::Pyc(pyc),
            Outcome::Answer(Answer::NotCompiled(exception)) => Compiled::Refused(exception),
            Outcome::Answer(other) => Compiled::Faulted(format!("it answered something else: {other:?}")),
            Outcome::Fault(fault) => Compiled::Faulted(fault.to_string()),
        })
    }

    fn import(&mut self, files: &[Import]) -> Result<Vec<Observation>, Broken> {
        if self.interpreter.declaration().is_some_and(|reader| !reader.can(Operation::Header)) {
            return Ok(files
                .iter()
                .map(|_| Observation::Skipped("it does not claim to read headers".into()))
                .collect());
        }
        let outcomes = self.supervisor.import(files)?;
        let seen = |outcome| match outcome {
            Outcome::Answer(Answer::Imported(n)) => flags(n),
            Outcome::Answer(Answer::Rejected(exception)) => Observation::Rejected(exception),
            Outcome::Answer(other) => nonsense(format!("an answer to another request: {other:?}")),
            Outcome::Fault(fault) => Observation::Faulted(Fault::Worker(fault)),
        };
        Ok(outcomes.into_iter().map(seen).collect())
    }

    fn disassemble(&mut self, streams: &[Vec<u8>]) -> Result<Vec<Observation>, Broken> {
        if self.interpreter.declaration().is_some() {
            return Ok(streams.iter().map(|_| Observation::Skipped("a reader disassembles nothing".into())).collect());
        }
        let seen = |outcome| answered(outcome).map_or_else(|other| other, said);
        Ok(self.supervisor.disassemble(streams)?.into_iter().map(seen).collect())
    }

    fn execute(&mut self, streams: &[Vec<u8>]) -> Result<Vec<Observation>, Broken> {
        let seen = |outcome| match outcome {
            Outcome::Answer(Answer::Executed(ending)) => observed(ending),
            Outcome::Answer(other) => nonsense(format!("an answer to another request: {other:?}")),
            Outcome::Fault(fault) => Observation::Faulted(Fault::Worker(fault)),
        };
        Ok(self.supervisor.execute(streams)?.into_iter().map(seen).collect())
    }

    fn restarts(&self) -> u32 {
        self.supervisor.restarts()
    }

    fn most_memory(&self) -> u64 {
        self.supervisor.most_memory()
    }

    fn fresh(&self) -> Box<dyn Subject> {
        Box::new(Reality::new(&self.interpreter, self.limits.clone()))
    }
}

/// What an answer that is none comes to.
fn nonsense(reason: String) -> Observation {
    Observation::Faulted(Fault::Worker(interpreters::Fault::Protocol { reason }))
}

/// The observation that an outcome of this request is, if the canon was told in this mode.
fn observe(outcome: Outcome, load: &Load, mode: CanonMode) -> Observation {
    match outcome {
        Outcome::Fault(fault) => Observation::Faulted(Fault::Worker(fault)),
        Outcome::Answer(Answer::Rejected(exception)) => Observation::Rejected(exception),
        Outcome::Answer(Answer::Accepted(Loaded { consumed, canon, dumps })) => {
            let canon = match (mode, canon) {
                (_, Err(reason)) => Canon::Failed(reason),
                (CanonMode::None, Ok(_)) => Canon::Unasked,
                (CanonMode::Hash, Ok(hash)) => match hash.try_into() {
                    Ok(hash) => Canon::Hash(hash),
                    Err(wrong) => return nonsense(format!("a hash of {} bytes", wrong.len())),
                },
                (CanonMode::Text, Ok(text)) => match String::from_utf8(text) {
                    Ok(text) => Canon::Text(text),
                    Err(_) => return nonsense("a canon that is not ASCII".into()),
                },
            };
            let dumps = dumps.into_iter().map(|dump| match dump {
                Ok(bytes) => Dump::Bytes { bytes, unpredictable: None, loss: None },
                Err(exception) => Dump::Raises(exception),
            });
            let dumps = load.versions.iter().copied().zip(dumps).collect();
            Observation::Accepted(Accepted { consumed: consumed.map(u64::from), canon, dumps })
        }
        Outcome::Answer(other) => nonsense(format!("an answer to another request: {other:?}")),
    }
}
