//! Asking an executable what it is, before any worker is started in it.
//!
//! What is on PATH may be a shim that fails, a program for another machine, or something that never ends; so a probe runs
//! in a process group of its own, with a time limit, in a folder where no version file changes what a shim does.

use crate::interpreter::Unusable;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use std::ffi::OsString;
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
    /// The LD_LIBRARY_PATH without which it does not start.
    #[serde(skip)]
    pub(crate) library_path: Option<OsString>,
}

/// Runs an executable and asks.
///
/// # Errors
/// When it cannot be run, does not end in time, or is no Python.
pub(crate) fn probe(path: &Path, limit: Duration) -> Result<Probe, Unusable> {
    let mut attempts = vec![None];
    // A Python with a shared library outside the linker's folders needs to be told; usually the library is next to it.
    let inherited = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let beside = path.parent().and_then(Path::parent).map(|prefix| prefix.join("lib"));
    let folders = beside.into_iter().chain(std::env::split_paths(&inherited));
    attempts.push(std::env::join_paths(folders.filter(|folder| folder.is_dir())).ok());
    let mut first_failure = None;
    for library_path in attempts {
        match attempt(path, library_path.as_ref(), limit) {
            Ok(probe) => return Ok(Probe { library_path, ..probe }),
            Err(failure) => {
                let missing_library = failure.reason.contains("shared librar");
                let failure = first_failure.get_or_insert(failure);
                if !missing_library {
                    return Err(failure.clone());
                }
            }
        }
    }
    Err(first_failure.expect("every attempt failed"))
}

fn attempt(path: &Path, library_path: Option<&OsString>, limit: Duration) -> Result<Probe, Unusable> {
    let unusable = |reason: String, advice: &str| {
        Err(Unusable { what: path.display().to_string(), reason, advice: advice.into() })
    };
    let mut command = Command::new(path);
    command.args(["-s", "-B", "-c", include_str!("probe.py")]).current_dir("/");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PYTHON")) {
        command.env_remove(name);
    }
    match library_path {
        Some(value) => command.env("LD_LIBRARY_PATH", value),
        None => command.env_remove("LD_LIBRARY_PATH"),
    };
    let output = match run(command, limit) {
        Ok(output) => output,
        Err(reason) => return unusable(reason, "remove it from the search path, or give one that runs here"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(line) = text.lines().rev().find_map(|line| line.strip_prefix("PROBED ")) else {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.lines().rfind(|line| line.contains("rror")).or_else(|| words.lines().next());
        // A program that is no Python may quote the whole question.
        let words: String = words.unwrap_or("no message").chars().take(200).collect();
        let reason = format!("asked what it is, it ended with {}: {words}", output.status);
        return unusable(
            reason,
            "run it by hand; a shim needs a version to be selected, so name the interpreter behind it instead",
        );
    };
    match serde_json::from_str(line) {
        Ok(probe) => Ok(probe),
        Err(e) => unusable(format!("its answer {line:?} is not understood: {e}"), "report this"),
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
