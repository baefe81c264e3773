//! Asking an executable what it is, before any worker is started in it.
//!
//! What is on PATH may be a shim that fails, a program for another machine, or something that never ends; so a probe runs
//! in a process group of its own, with a time limit, in a folder where no version file changes what a shim does.

use crate::launch::{Needs, set_environment};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// What an executable says of itself. For a virtual environment: of the interpreter that it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Probe {
    /// Without links.
    pub(crate) executable: PathBuf,
    pub(crate) prefix: PathBuf,
    pub(crate) implementation: String,
    pub(crate) version: (u8, u8, u8),
    pub(crate) pointer_bits: u32,
    pub(crate) free_threaded: bool,
    /// The shared libpython, if there is one.
    pub(crate) library: Option<PathBuf>,
    pub(crate) stdlib: Option<PathBuf>,
    /// `sys.version`
    pub(crate) build: String,
    /// What it was started with.
    #[serde(skip)]
    pub(crate) needs: Needs,
}

/// Why an executable did not say what it is.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    pub(crate) advice: String,
    /// Whether it ran to its end.
    ended: bool,
}

/// Runs an executable and asks.
///
/// # Errors
/// When it cannot be run, does not end in time, or is no Python.
pub(crate) fn probe(path: &Path, limit: Duration) -> Result<Probe, Failure> {
    let failure = match attempt(path, Needs::default(), limit) {
        Err(failure) if failure.ended => failure,
        other => return other,
    };
    // A Python with a shared library outside the linker's folders needs to be told; usually the library is next to it.
    let inherited = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let beside = path.parent().and_then(Path::parent).map(|prefix| prefix.join("lib"));
    let folders = beside.into_iter().chain(std::env::split_paths(&inherited));
    let library_path = std::env::join_paths(folders.filter(|folder| folder.is_dir())).ok();
    if failure.reason.contains("shared librar")
        && let Ok(probe) = attempt(path, Needs { library_path, ..Needs::default() }, limit)
    {
        return Ok(probe);
    }
    // A wrapper may be made for the environment of its user.
    attempt(path, Needs { everything: true, ..Needs::default() }, limit).map_err(|_| failure)
}

fn attempt(path: &Path, needs: Needs, limit: Duration) -> Result<Probe, Failure> {
    let failure = |reason: String, advice: &str, ended| Err(Failure { reason, advice: advice.into(), ended });
    let mut command = Command::new(path);
    command.args(["-s", "-B", "-c", include_str!("probe.py")]).current_dir("/");
    set_environment(&mut command, &needs);
    let output = match run(command, limit) {
        Ok(output) => output,
        Err(reason) => return failure(reason, "remove it from the search path, or give one that runs here", false),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(line) = text.lines().rev().find_map(|line| line.strip_prefix("PROBED ")) else {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.lines().rfind(|line| line.contains("rror")).or_else(|| words.lines().next());
        // A program that is no Python may quote the whole question.
        let words: String = words.unwrap_or("no message").chars().take(200).collect();
        let reason = format!("asked what it is, it ended with {}: {words}", output.status);
        let advice = "run it by hand; a shim needs a version to be selected, so name the interpreter behind it instead";
        return failure(reason, advice, true);
    };
    match serde_json::from_str(line) {
        Ok(probe) => Ok(Probe { needs, ..probe }),
        Err(e) => failure(format!("its answer {line:?} is not understood: {e}"), "report this", true),
    }
}

/// Runs a program to its end, or kills its process group when the time is over.
///
/// # Errors
/// Why there is no output, in words that follow "it" or stand alone.
pub(crate) fn run(mut command: Command, limit: Duration) -> Result<Output, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().map_err(|e| format!("it could not be started: {e}"))?;
    let group = Pid::from_child(&child);
    let (sender, receiver) = channel();
    let waiter = std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(limit).map_err(|e| match e {
        RecvTimeoutError::Timeout => {
            // The waiter has not reaped it, so the group is still its own; once killed, the waiter ends too.
            let _ = kill_process_group(group, Signal::KILL);
            format!("it did not end within {limit:?}")
        }
        RecvTimeoutError::Disconnected => "waiting for it failed".into(),
    });
    let _ = waiter.join();
    output?.map_err(|e| format!("its output could not be read: {e}"))
}
