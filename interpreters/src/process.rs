//! One worker process: bytes in, frames or lines out, and how it ended.
//!
//! A worker that waits for room in its answer pipe while its parent waits for room in the request pipe would wait for
//! ever. So nothing here blocks on one pipe: a single `poll` loop writes requests, reads answers and drains stderr,
//! whichever is ready. That needs no threads, and a silent worker is simply a poll that times out; what it did meanwhile is
//! then looked at (see `patience`).

use crate::exec::{self, Declaration};
use crate::fault::{Fault, TimeLimit};
use crate::interpreter::Limits;
use crate::launch::Launch;
use crate::patience::Patience;
use protocol::{Answer, Facts, MAX_FRAME, Request, VERSION};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// How much of stderr is kept.
const LAST_WORDS: usize = 4096;

/// How long a worker whose answers ended may take to end as well, before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// A running worker. Dropping it kills its process group and reaps it.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    ended: Option<ExitStatus>,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
    outgoing: Vec<u8>,
    written: usize,
    incoming: Vec<u8>,
    taken: usize,
    /// Whether it speaks in lines (EXEC.md) and not in frames; up to where no line ends.
    lines: Option<usize>,
    last_words: Vec<u8>,
    /// For reading; a field, because clearing it anew for each answer would cost more than the answer.
    buffer: Box<[u8]>,
    /// Its address space when it had started, in bytes, where that can be told.
    idle: Option<u64>,
}

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The answer pipe ended, so the process has ended or is about to.
    Closed,
    /// It took too long.
    Silent { after: Duration, limit: TimeLimit },
    /// Something that is not an answer.
    Nonsense(String),
}

/// What one round of `poll` brought.
enum Progress {
    Wrote,
    Other,
    Closed,
}

impl Worker {
    /// Starts a worker and asks for its facts.
    ///
    /// # Errors
    /// Why it did not start or did not introduce itself, in words that follow "it" or stand alone.
    pub(crate) fn start(launch: &Launch, optimize: u8, limits: &Limits) -> Result<(Worker, Facts), String> {
        if let Launch::Adapter { python, .. } = launch {
            let (worker, declaration) = Worker::start_adapter(launch, limits)?;
            return Ok((worker, declaration.facts(python)));
        }
        let mut worker = Worker::spawn(launch, optimize, limits)?;
        worker.send(&Request::Hello.encode())?;
        let payload = match worker.receive(limits.start, limits.start) {
            Ok(payload) => payload,
            Err(stop) => return Err(worker.bury(stop, limits).0.to_string()),
        };
        match Answer::decode(&payload, 0) {
            Ok(Answer::Facts(facts)) if facts.protocol == VERSION => {
                worker.idle = address_space(worker.id());
                Ok((worker, *facts))
            }
            Ok(Answer::Facts(facts)) => {
                Err(format!("it speaks worker protocol {}, this program speaks {VERSION}", facts.protocol))
            }
            Ok(Answer::Failed(reason)) => Err(format!("it could not introduce itself: {reason}")),
            Ok(_) => Err("it broke the worker protocol: its answer to hello is not its facts".into()),
            Err(e) => Err(format!("it broke the worker protocol: {e}")),
        }
    }

    /// Starts an adapter and asks what it declares.
    ///
    /// # Errors
    /// As for [`Worker::start`].
    pub(crate) fn start_adapter(launch: &Launch, limits: &Limits) -> Result<(Worker, Declaration), String> {
        let mut worker = Worker::spawn(launch, 0, limits)?;
        worker.send(&exec::hello())?;
        match worker.receive(limits.start, limits.start) {
            Ok(line) => Ok((worker, Declaration::read(&line)?)),
            Err(stop) => Err(worker.bury(stop, limits).0.to_string()),
        }
    }

    fn spawn(launch: &Launch, optimize: u8, limits: &Limits) -> Result<Worker, String> {
        let mut command = launch.command(optimize, limits);
        let program = command.get_program().to_owned();
        let explain = |e: std::io::Error| format!("{} could not be started: {e}", program.display());
        let mut child = command.spawn().map_err(explain)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let worker = Worker {
            child,
            ended: None,
            stdin,
            stdout: stdout.expect("stdout is a pipe"),
            stderr,
            outgoing: Vec::new(),
            written: 0,
            incoming: Vec::new(),
            taken: 0,
            lines: matches!(launch, Launch::Adapter { .. }).then_some(0),
            last_words: Vec::new(),
            buffer: vec![0; 1 << 16].into_boxed_slice(),
            idle: None,
        };
        if let Some(stdin) = &worker.stdin {
            rustix::io::ioctl_fionbio(stdin, true).map_err(|e| explain(e.into()))?;
        }
        Ok(worker)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How much address space it has taken since it started, in bytes; 0 where nobody can tell.
    pub(crate) fn grown(&self) -> u64 {
        self.idle.zip(address_space(self.id())).map_or(0, |(idle, now)| now.saturating_sub(idle))
    }

    /// Queues a request; it is written while its answers are waited for.
    ///
    /// # Errors
    /// When it is longer than a frame may be.
    pub(crate) fn send(&mut self, payload: &[u8]) -> Result<(), String> {
        if self.lines.is_some() {
            self.outgoing.extend_from_slice(payload);
            self.outgoing.push(b'\n');
            return Ok(());
        }
        protocol::write_frame(&mut self.outgoing, payload).map_err(|e| e.to_string())
    }

    /// Whether there are bytes that no request asked for.
    pub(crate) fn has_more(&self) -> bool {
        self.taken < self.incoming.len()
    }

    /// The next answer, for which the worker may use this much CPU time and be silent for this long.
    pub(crate) fn receive(&mut self, cpu: Duration, silence: Duration) -> Result<Vec<u8>, Stop> {
        if let Some(message) = self.take_message()? {
            return Ok(message);
        }
        let mut patience = Patience::new(self.id(), cpu, silence);
        loop {
            let left = patience.left();
            if left.is_zero() {
                patience.look()?;
                continue;
            }
            match self.pump(left)? {
                Progress::Wrote => patience.restart(),
                Progress::Other => {}
                Progress::Closed => return Err(Stop::Closed),
            }
            if let Some(message) = self.take_message()? {
                return Ok(message);
            }
        }
    }

    fn take_message(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        match self.lines {
            None => self.take_frame(),
            Some(seen) => self.take_line(seen),
        }
    }

    /// A line without its end. There is no end before `seen`.
    fn take_line(&mut self, seen: usize) -> Result<Option<Vec<u8>>, Stop> {
        let Some(length) = self.incoming[seen..].iter().position(|&byte| byte == b'\n') else {
            self.lines = Some(self.incoming.len());
            if self.incoming.len() > exec::LONGEST {
                return Err(Stop::Nonsense(format!("a line of more than {} MiB", exec::LONGEST >> 20)));
            }
            return Ok(None);
        };
        let mut line: Vec<u8> = self.incoming.drain(..=seen + length).collect();
        line.pop();
        self.lines = Some(0);
        Ok(Some(line))
    }

    fn take_frame(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        let ready = &self.incoming[self.taken..];
        let Some(head) = ready.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*head) as usize;
        if length > MAX_FRAME {
            return Err(Stop::Nonsense(protocol::FrameError::TooLong(length).to_string()));
        }
        let Some(payload) = ready.get(4..4 + length) else { return Ok(None) };
        let payload = payload.to_vec();
        self.taken += 4 + length;
        if self.taken == self.incoming.len() {
            self.incoming.clear();
            self.taken = 0;
        }
        Ok(Some(payload))
    }

    /// Waits until something can be read or written, and does it.
    fn pump(&mut self, timeout: Duration) -> Result<Progress, Stop> {
        let failed = |e: std::io::Error| Stop::Nonsense(format!("the pipe to the worker failed: {e}"));
        let mut fds = vec![PollFd::new(&self.stdout, PollFlags::IN)];
        if let Some(stderr) = &self.stderr {
            fds.push(PollFd::new(stderr, PollFlags::IN));
        }
        let errors = fds.len();
        if let Some(stdin) = self.stdin.as_ref().filter(|_| self.written < self.outgoing.len()) {
            fds.push(PollFd::new(stdin, PollFlags::OUT));
        }
        match poll(&mut fds, Timespec::try_from(timeout).ok().as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Progress::Other),
            Err(e) => return Err(failed(e.into())),
        }
        let ready = |index: usize| fds.get(index).is_some_and(|fd| !fd.revents().is_empty());
        let (answers, words, room) = (ready(0), errors > 1 && ready(1), ready(errors));

        if words {
            self.listen();
        }
        let mut progress = if room { self.write() } else { Progress::Other };
        if answers {
            match self.stdout.read(&mut self.buffer) {
                Ok(0) => progress = Progress::Closed,
                Ok(n) => {
                    self.incoming.drain(..self.taken);
                    self.taken = 0;
                    self.incoming.extend_from_slice(&self.buffer[..n]);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(failed(e)),
            }
        }
        Ok(progress)
    }

    fn write(&mut self) -> Progress {
        let Some(stdin) = &mut self.stdin else { return Progress::Other };
        match stdin.write(&self.outgoing[self.written..]) {
            Ok(n) => {
                self.written += n;
                if self.written == self.outgoing.len() {
                    self.outgoing.clear();
                    self.written = 0;
                }
                Progress::Wrote
            }
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => Progress::Other,
            Err(_) => {
                // It reads no more. Whether it has already answered is for the other pipe to say.
                self.stdin = None;
                Progress::Other
            }
        }
    }

    /// Reads what stderr has ready and keeps the end of it.
    fn listen(&mut self) {
        let Some(stderr) = &mut self.stderr else { return };
        match stderr.read(&mut self.buffer) {
            Ok(n) if n > 0 => {
                self.last_words.extend_from_slice(&self.buffer[..n]);
                let surplus = self.last_words.len().saturating_sub(LAST_WORDS);
                self.last_words.drain(..surplus);
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => self.stderr = None,
        }
    }

    /// Listens to the last words until stderr ends or the time is over.
    fn listen_until_closed(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while let Some(stderr) = &self.stderr {
            let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
            let mut fds = [PollFd::new(stderr, PollFlags::IN)];
            match poll(&mut fds, left.as_ref()) {
                Ok(0) => return,
                Ok(_) => self.listen(),
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    /// Whether the process has ended. It is not reaped yet, so its group id cannot belong to anybody else.
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.ended.is_some() || !matches!(waitid(WaitId::Pid(Pid::from_child(&self.child)), options), Ok(None))
    }

    /// Waits for an end that is near: a process closes its pipes a moment before it can be waited for.
    fn ends_within(&self, limit: Duration) -> bool {
        let id = Pid::from_child(&self.child);
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            while matches!(waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT), Err(Errno::INTR)) {}
            sender.send(())
        });
        receiver.recv_timeout(limit).is_ok()
    }

    /// Kills the group and reaps the worker; the status is the worker's own if it had already ended.
    fn end(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            // Fails only if nobody is left to kill.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            self.ended = self.child.wait().ok();
        }
        self.ended
    }

    /// Ends a worker that did not answer; the fault, and whether the case it worked on is certainly the cause.
    pub(crate) fn bury(mut self, stop: Stop, limits: &Limits) -> (Fault, bool) {
        match stop {
            // Nobody takes a time-out for a verdict, and asking again would take as long again.
            Stop::Silent { after, limit } => (Fault::Timeout { after, limit }, true),
            Stop::Nonsense(reason) => (Fault::Protocol { reason }, false),
            Stop::Closed => {
                self.listen_until_closed(GRACE);
                let by_itself = self.has_ended() || (self.stderr.is_none() && self.ends_within(GRACE));
                let Some(status) = self.end() else {
                    return (Fault::Protocol { reason: "how it ended is not known".into() }, false);
                };
                if !by_itself && status.signal() == Some(Signal::KILL.as_raw()) {
                    (Fault::Protocol { reason: "it closed its answers and went on running".into() }, false)
                } else if status.success() && self.has_more() {
                    let what = if self.lines.is_some() { "line" } else { "frame" };
                    (Fault::Protocol { reason: format!("its answers end in the middle of a {what}") }, false)
                } else {
                    let stderr = String::from_utf8_lossy(&self.last_words).into_owned();
                    Fault::of_exit(status, stderr, limits.cpu_seconds)
                }
            }
        }
    }
}

/// What memory of a process is resident, and the most that was since the last [`forget_peak`], in bytes; where there is a /proc.
pub(crate) fn resident(process: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some((kib("VmRSS:")? << 10, kib("VmHWM:")? << 10))
}

/// Begins anew with the most memory that is resident. A kernel that cannot leaves it as it is.
pub(crate) fn forget_peak(process: u32) {
    let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
}

/// The address space of a process in bytes, where there is a /proc.
fn address_space(process: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().next()?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}
