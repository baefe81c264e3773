//! Conversations with an interpreter that may die at any time.
//!
//! A worker writes each answer before it touches the next case, so the first case without an answer is the one it died
//! of. A signal that a process raises against itself settles that at once: the case is faulted, and the rest of the batch
//! goes on in a fresh worker. Anything that could as well have come from outside (a kill, a full machine, a stray byte)
//! does not: the case is tried once more, alone, in a fresh worker, and only what happens there becomes the verdict.

use crate::exec::{self, Declaration};
use crate::fault::Fault;
use crate::interpreter::{Interpreter, Limits};
use crate::launch::Launch;
use crate::process::{Stop, Worker, forget_peak, resident};
use protocol::{Answer, Compile, Facts, Import, Load, Request};
use std::ops::Range;

/// How often a worker is started in a row before the interpreter counts as broken.
const STARTS: u32 = 3;

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The worker's answer; never [`Answer::Facts`] or [`Answer::Failed`].
    Answer(Answer),
    /// No answer, and why.
    Fault(Fault),
}

/// The interpreter can no longer be asked anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{interpreter} can no longer be asked: {reason}; {advice}")]
pub struct Broken {
    /// [`Interpreter::id`]
    pub interpreter: String,
    /// What happened.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
}

/// Owns the worker of one interpreter and starts it again when it dies.
///
/// The worker is in a process group of its own, so a Ctrl-C at the terminal does not reach it: dropping the supervisor
/// kills the group and reaps it. Should this program itself be killed, the worker sees the end of its requests and exits.
#[derive(Debug)]
pub struct Supervisor {
    id: String,
    facts: Facts,
    launch: Launch,
    limits: Limits,
    /// By the optimization level that the process was started with; all but the first only for Python 2.7.
    slots: [Slot; 3],
    /// How many requests an adapter got.
    asked: u64,
    most_memory: u64,
}

#[derive(Debug, Default)]
struct Slot {
    worker: Option<Worker>,
    starts: u32,
    /// Workers that were replaced although nothing happened to them.
    renewed: u32,
}

/// Why a conversation did not come to its end.
enum Interruption {
    Died {
        fault: Fault,
        certain: bool,
    },
    /// The worker says that it failed itself. What earlier requests left behind can be the reason.
    Failed(String),
    Broken(Broken),
}

impl Supervisor {
    /// A supervisor for this interpreter; the worker is started by the first request.
    #[must_use]
    pub fn new(interpreter: &Interpreter, limits: Limits) -> Self {
        let Interpreter { id, facts, launch, .. } = interpreter.clone();
        Supervisor { id, facts, launch, limits, slots: Default::default(), asked: 0, most_memory: 0 }
    }

    /// Loads a batch: exactly one outcome per case, in order.
    ///
    /// # Errors
    /// When no worker can be started any more, or a fresh worker says that it failed itself. Answers got so far are lost.
    pub fn load(&mut self, load: &Load) -> Result<Vec<Outcome>, Broken> {
        let request = |range: Range<usize>| {
            Request::Load(Load {
                canon: load.canon,
                consumed: load.consumed,
                versions: load.versions.clone(),
                cases: load.cases[range].to_vec(),
            })
        };
        let answers = |answer: &Answer| matches!(answer, Answer::Accepted(_) | Answer::Rejected(_));
        self.converse(0, load.cases.len(), load.versions.len(), &request, &answers)
    }

    /// Compiles a source text.
    ///
    /// # Errors
    /// As for [`Supervisor::load`].
    pub fn compile(&mut self, compile: &Compile) -> Result<Outcome, Broken> {
        let level = compile.optimize;
        let own_process = matches!(self.launch, Launch::Script { .. }) && !self.facts.optimize.contains(&level);
        let slot = if own_process && usize::from(level) < self.slots.len() { level } else { 0 };
        let request = |_| Request::Compile(compile.clone());
        let answers = |answer: &Answer| matches!(answer, Answer::Compiled(_) | Answer::NotCompiled(_));
        let mut outcomes = self.converse(slot, 1, 0, &request, &answers)?;
        Ok(outcomes.remove(0))
    }

    /// Asks what an import says of the headers of .pyc files: exactly one outcome for each, in order.
    ///
    /// # Errors
    /// As for [`Supervisor::load`].
    pub fn import(&mut self, cases: &[Import]) -> Result<Vec<Outcome>, Broken> {
        let request = |range: Range<usize>| Request::Import(cases[range].to_vec());
        let answers = |answer: &Answer| matches!(answer, Answer::Imported(_) | Answer::Rejected(_));
        self.converse(0, cases.len(), 0, &request, &answers)
    }

    /// Asks what `dis` prints of the code objects in marshal streams: exactly one outcome for each, in order.
    ///
    /// # Errors
    /// As for [`Supervisor::load`].
    pub fn disassemble(&mut self, cases: &[Vec<u8>]) -> Result<Vec<Outcome>, Broken> {
        let request = |range: Range<usize>| Request::Disassemble(cases[range].to_vec());
        let answers = |answer: &Answer| matches!(answer, Answer::Disassembled(_) | Answer::Rejected(_));
        self.converse(0, cases.len(), 0, &request, &answers)
    }

    /// Executes the code objects in marshal streams, which [`Interpreter::executing`] alone does: exactly one outcome for each,
    /// in order.
    ///
    /// # Errors
    /// As for [`Supervisor::load`].
    pub fn execute(&mut self, cases: &[Vec<u8>]) -> Result<Vec<Outcome>, Broken> {
        let request = |range: Range<usize>| Request::Execute(cases[range].to_vec());
        let answers = |answer: &Answer| matches!(answer, Answer::Executed(_));
        self.converse(0, cases.len(), 0, &request, &answers)
    }

    /// How many workers had to be started in place of one that died.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.slots.iter().map(|slot| slot.starts.saturating_sub(1 + slot.renewed)).sum()
    }

    /// The most memory that an adapter took for a case beyond what it had before, in bytes; of other workers nothing is known.
    #[must_use]
    pub fn most_memory(&self) -> u64 {
        self.most_memory
    }

    /// The process id, and process group id, of the worker that loads, if it has been started and not been seen dead.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.slots[0].worker.as_ref().map(Worker::id)
    }

    /// One outcome for each of `count` cases; `request` makes the request for a range of them.
    fn converse(
        &mut self,
        level: u8,
        count: usize,
        versions: usize,
        request: &dyn Fn(Range<usize>) -> Request,
        answers: &dyn Fn(&Answer) -> bool,
    ) -> Result<Vec<Outcome>, Broken> {
        let mut outcomes = Vec::with_capacity(count);
        let mut once_more = false;
        while outcomes.len() < count {
            let first = outcomes.len();
            // An adapter gets one line and answers with one.
            let alone = once_more || matches!(self.launch, Launch::Adapter { .. });
            let range = first..if alone { first + 1 } else { count };
            match self.ask(level, request(range.clone()), range.len(), versions, answers, &mut outcomes) {
                Ok(()) => once_more = false,
                Err(Interruption::Broken(broken)) => return Err(broken),
                Err(Interruption::Died { certain: false, .. } | Interruption::Failed(_)) if !once_more => {
                    once_more = true;
                }
                Err(Interruption::Failed(reason)) => return Err(self.misbehaved(&reason)),
                Err(Interruption::Died { fault, .. }) => {
                    outcomes.push(Outcome::Fault(fault));
                    once_more = false;
                }
            }
        }
        Ok(outcomes)
    }

    /// Sends one request and appends its answers, as far as they come.
    fn ask(
        &mut self,
        level: u8,
        request: Request,
        count: usize,
        versions: usize,
        answers: &dyn Fn(&Answer) -> bool,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Interruption> {
        let mut worker = self.worker(level).map_err(Interruption::Broken)?;
        if let Launch::Adapter { declaration: Some(declaration), python, .. } = &self.launch {
            let (declaration, python) = (declaration.clone(), python.clone());
            return self.ask_adapter(worker, &request, &python, &declaration, versions, outcomes);
        }
        if let Err(reason) = worker.send(&request.encode()) {
            let advice = "send smaller batches";
            return Err(Interruption::Broken(self.broken(reason, advice)));
        }
        let mut stop = None;
        for _ in 0..count {
            let answer = worker
                .receive(self.limits.case_cpu, self.limits.silence)
                .and_then(|payload| Answer::decode(&payload, versions).map_err(|e| Stop::Nonsense(e.to_string())));
            match answer {
                Ok(answer) if answers(&answer) => outcomes.push(Outcome::Answer(answer)),
                Ok(Answer::Failed(reason)) => return Err(Interruption::Failed(reason)),
                Ok(_) => stop = Some(Stop::Nonsense("the answer is to another kind of request".into())),
                Err(e) => stop = Some(e),
            }
            if let Some(stop) = stop {
                let (fault, certain) = worker.bury(stop, &self.limits);
                return Err(Interruption::Died { fault, certain });
            }
        }
        if worker.has_more() {
            return Err(Interruption::Broken(self.misbehaved("it answered more than it was asked")));
        }
        let slot = &mut self.slots[usize::from(level)];
        // CPython keeps interned strings for ever from 3.12 on. No case may run out of memory because of those before it.
        let is_limited = !matches!(self.launch, Launch::Pyodide { .. });
        if is_limited && worker.grown() > (self.limits.memory_mib << 20) / 2 {
            slot.renewed += 1;
        } else {
            slot.worker = Some(worker);
        }
        Ok(())
    }

    /// The same with an adapter, which gets one case.
    fn ask_adapter(
        &mut self,
        mut worker: Worker,
        request: &Request,
        python: &str,
        declaration: &Declaration,
        versions: usize,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Interruption> {
        self.asked += 1;
        forget_peak(worker.id());
        let before = resident(worker.id());
        let line = exec::encode(request, python, self.asked);
        let answer = worker
            .send(&line)
            .map_err(Stop::Nonsense)
            .and_then(|()| worker.receive(self.limits.case_cpu, self.limits.silence))
            .and_then(|line| exec::decode(&line, self.asked, versions).map_err(Stop::Nonsense));
        let answer = match answer {
            Ok(answer) => answer,
            Err(stop) => {
                let (fault, certain) = worker.bury(stop, &self.limits);
                return Err(Interruption::Died { fault, certain });
            }
        };
        if worker.has_more() {
            return Err(Interruption::Broken(self.misbehaved("it answered more than it was asked")));
        }
        let taken = before.zip(resident(worker.id())).map_or(0, |((now, peak), (_, most))| {
            // A peak that is as old as the process says nothing.
            if most > peak { most.saturating_sub(now) } else { 0 }
        });
        self.most_memory = self.most_memory.max(taken);
        let allowed = declaration.memory_for(request.length());
        outcomes.push(match taken > allowed {
            true => Outcome::Fault(Fault::Memory { taken, allowed }),
            false => Outcome::Answer(answer),
        });
        self.slots[0].worker = Some(worker);
        Ok(())
    }

    /// The running worker, taken out of its slot, or a new one.
    fn worker(&mut self, level: u8) -> Result<Worker, Broken> {
        let slot = &mut self.slots[usize::from(level)];
        if let Some(worker) = slot.worker.take().filter(|worker| !worker.has_ended()) {
            return Ok(worker);
        }
        let mut reason = String::new();
        for _ in 0..STARTS {
            match Worker::start(&self.launch, level, &self.limits) {
                Ok((worker, facts)) if facts.build == self.facts.build && facts.magic == self.facts.magic => {
                    slot.starts += 1;
                    return Ok(worker);
                }
                Ok((_, facts)) => {
                    let reason =
                        format!("it was {:?} when it was found and is {:?} now", self.facts.build, facts.build);
                    return Err(self.broken(reason, "start again, so that it is found as what it is now"));
                }
                Err(e) => reason = e,
            }
        }
        let reason = format!("its worker does not start any more, tried {STARTS} times: {reason}");
        Err(self.broken(reason, "see whether the interpreter still runs and the machine has memory left"))
    }

    fn misbehaved(&self, reason: &str) -> Broken {
        self.broken(format!("its worker failed: {reason}"), "this is a bug of the worker: report it with the case")
    }

    fn broken(&self, reason: String, advice: &str) -> Broken {
        Broken { interpreter: self.id.clone(), reason, advice: advice.into() }
    }
}
