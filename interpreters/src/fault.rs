//! How a worker failed to answer, told from how its process ended.

use rustix::process::Signal;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// The exit status of the Pyodide worker after a WebAssembly trap, which is what a crash looks like there.
const WASM_TRAP: i32 = 70;

/// Signals with which a process ends itself. Nobody sends them from outside, so the case is the cause.
const CRASHES: [Signal; 5] = [Signal::SEGV, Signal::ABORT, Signal::BUS, Signal::ILL, Signal::FPE];

const NAMES: [(Signal, &str); 15] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::INT, "SIGINT"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::ILL, "SIGILL"),
    (Signal::TRAP, "SIGTRAP"),
    (Signal::ABORT, "SIGABRT"),
    (Signal::BUS, "SIGBUS"),
    (Signal::FPE, "SIGFPE"),
    (Signal::KILL, "SIGKILL"),
    (Signal::SEGV, "SIGSEGV"),
    (Signal::PIPE, "SIGPIPE"),
    (Signal::ALARM, "SIGALRM"),
    (Signal::TERM, "SIGTERM"),
    (Signal::XCPU, "SIGXCPU"),
    (Signal::SYS, "SIGSYS"),
];

/// What dying allocators say: Rust's, glibc's and musl's, V8's, CPython's.
const OUT_OF_MEMORY: [&str; 5] =
    ["memory allocation of", "annot allocate memory", "ut of memory", "MemoryError", "memory exhausted"];

/// What a limit of time is a limit of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// Of CPU time: the worker was at work.
    Cpu,
    /// By the clock: the worker used no CPU time all the while, or nobody can tell how much.
    Silence,
}

/// A case that was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The interpreter died of the case.
    Crash {
        /// `SIGSEGV`; `wasm trap` for Pyodide.
        signal: String,
        /// The last 4 KiB that it said.
        stderr: String,
    },
    /// The process ended by itself.
    Exit {
        /// Its exit status.
        status: i32,
        /// The last 4 KiB that it said.
        stderr: String,
    },
    /// No answer in time.
    Timeout {
        /// The limit.
        after: Duration,
        /// What it is a limit of.
        limit: TimeLimit,
    },
    /// The process died and said that it could not allocate memory. (A `MemoryError` that is raised is a rejection.)
    OutOfMemory {
        /// The last 4 KiB that it said.
        stderr: String,
    },
    /// It answered, and took much more memory for it than the case is long.
    Memory {
        /// In bytes, above what it has when it is idle.
        taken: u64,
        /// What it may take.
        allowed: u64,
    },
    /// What came back does not follow the protocol.
    Protocol {
        /// What is wrong.
        reason: String,
    },
}

impl Fault {
    /// The fault of a process that ended with this status, and whether the case is certainly the cause.
    pub(crate) fn of_exit(status: ExitStatus, stderr: String, cpu_seconds: u64) -> (Fault, bool) {
        let starved = OUT_OF_MEMORY.iter().any(|text| stderr.contains(text));
        // A shell that started the worker and waits for it passes its signal on like this.
        let of_shell =
            status.code().map(|code| code - 128).filter(|signal| NAMES.iter().any(|n| n.0.as_raw() == *signal));
        match (status.signal().or(of_shell), status.code()) {
            (Some(signal), _) if signal == Signal::ABORT.as_raw() && starved => (Fault::OutOfMemory { stderr }, true),
            (Some(signal), _) if signal == Signal::XCPU.as_raw() => {
                (Fault::Timeout { after: Duration::from_secs(cpu_seconds), limit: TimeLimit::Cpu }, false)
            }
            (Some(signal), _) => {
                let certain = CRASHES.iter().any(|crash| crash.as_raw() == signal);
                (Fault::Crash { signal: signal_name(signal), stderr }, certain)
            }
            (None, Some(WASM_TRAP)) => (Fault::Crash { signal: "wasm trap".into(), stderr }, true),
            (None, Some(status)) if status != 0 && starved => (Fault::OutOfMemory { stderr }, false),
            (None, status) => (Fault::Exit { status: status.unwrap_or(0), stderr }, false),
        }
    }
}

fn signal_name(signal: i32) -> String {
    let known = NAMES.iter().find(|(known, _)| known.as_raw() == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stderr = match self {
            Fault::Crash { signal, stderr } => write!(f, "it crashed with {signal}").map(|()| stderr.as_str()),
            Fault::Exit { status, stderr } => write!(f, "it exited with status {status}").map(|()| stderr.as_str()),
            Fault::Timeout { after, limit: TimeLimit::Cpu } => {
                write!(f, "it did not answer within {after:?} of CPU time").map(|()| "")
            }
            Fault::Timeout { after, limit: TimeLimit::Silence } => {
                write!(f, "it gave no sign of life for {after:?}").map(|()| "")
            }
            Fault::OutOfMemory { stderr } => write!(f, "it ran out of memory").map(|()| stderr.as_str()),
            Fault::Memory { taken, allowed } => {
                write!(f, "it took {} MiB of memory and may take {}", taken >> 20, allowed >> 20).map(|()| "")
            }
            Fault::Protocol { reason } => write!(f, "it broke the worker protocol: {reason}").map(|()| ""),
        }?;
        // Rust says last how to learn more.
        match stderr.lines().rfind(|line| !line.trim().is_empty() && !line.starts_with("note: ")) {
            Some(line) => write!(f, " ({})", line.trim()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_a_process_ends_decides_the_fault() {
        #[track_caller]
        fn check(wait_status: i32, stderr: &str, expected: &str, certain: bool) {
            let (fault, sure) = Fault::of_exit(ExitStatus::from_raw(wait_status), stderr.into(), 7);
            assert_eq!((fault.to_string().as_str(), sure), (expected, certain));
        }
        let exit = |status: i32| status << 8;
        check(11, "", "it crashed with SIGSEGV", true);
        check(6, "Fatal Python error: x\n\n", "it crashed with SIGABRT (Fatal Python error: x)", true);
        check(
            6,
            "memory allocation of 9 bytes failed",
            "it ran out of memory (memory allocation of 9 bytes failed)",
            true,
        );
        check(exit(70), "", "it crashed with wasm trap", true);
        check(exit(128 + 11), "Segmentation fault", "it crashed with SIGSEGV (Segmentation fault)", true);
        check(exit(128 + 9), "Killed", "it crashed with SIGKILL (Killed)", false);
        check(exit(255), "", "it exited with status 255", false);
        check(9, "", "it crashed with SIGKILL", false);
        check(15, "", "it crashed with SIGTERM", false);
        check(34, "", "it crashed with signal 34", false);
        check(Signal::XCPU.as_raw(), "", "it did not answer within 7s of CPU time", false);
        check(exit(0), "", "it exited with status 0", false);
        check(exit(1), "a\nMemoryError\n", "it ran out of memory (MemoryError)", false);
        check(exit(0), "MemoryError", "it exited with status 0 (MemoryError)", false);
    }
}
