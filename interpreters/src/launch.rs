//! The command line and the environment of a worker process.
//!
//! A verdict must not depend on who runs the campaign, so a worker sees only the variables that are listed here, and no
//! site packages, .pth files or `PYTHONPATH` of the user.

use crate::interpreter::{Driver, Limits};
use crate::pyodide;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Everything needed to start a worker, again and again. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Launch {
    Embedded { host: PathBuf, libpython: PathBuf, prefix: PathBuf, worker: PathBuf, stdlib: Option<PathBuf> },
    Script { python: PathBuf, worker: PathBuf, library_path: Option<OsString> },
    Pyodide { node: PathBuf, worker: PathBuf, modules: PathBuf, package: String },
}

impl Launch {
    pub(crate) fn driver(&self) -> Driver {
        match self {
            Launch::Embedded { .. } => Driver::Embedded,
            Launch::Script { .. } => Driver::Script,
            Launch::Pyodide { .. } => Driver::Pyodide,
        }
    }

    /// The worker as the leader of a process group of its own. `optimize` becomes `-O`s: only scripts have such flags.
    pub(crate) fn command(&self, optimize: u8, limits: &Limits) -> Command {
        let mut command = match self {
            Launch::Embedded { host, libpython, prefix, worker, stdlib } => {
                let mut command = Command::new(host);
                command.arg("--libpython").arg(libpython).arg("--prefix").arg(prefix).arg("--worker").arg(worker);
                if let Some(stdlib) = stdlib {
                    command.arg("--stdlib").arg(stdlib);
                }
                command
            }
            Launch::Script { python, worker, .. } => {
                let mut command = Command::new(python);
                command.args(["-S", "-s", "-B"]).args(std::iter::repeat_n("-O", usize::from(optimize))).arg(worker);
                command
            }
            Launch::Pyodide { node, worker, package, .. } => {
                let mut command = Command::new(node);
                command.arg(worker).arg(package);
                command
            }
        };
        command.env_clear();
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        match self {
            Launch::Script { library_path: Some(path), .. } => command.env("LD_LIBRARY_PATH", path),
            Launch::Pyodide { modules, .. } => command.env(pyodide::MODULES, modules),
            _ => &mut command,
        };
        command
            .env("LANG", "C.UTF-8")
            .env("PYTHONHASHSEED", "0")
            // A stream may claim a large tuple. What the C library gives back to the system after each such case, the kernel
            // has to clear again for the next.
            .env("MALLOC_MMAP_THRESHOLD_", "33554432")
            .env("MALLOC_TRIM_THRESHOLD_", "67108864")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PROVOST_MEMORY_MIB", limits.memory_mib.to_string())
            .env("PROVOST_CPU_SECONDS", limits.cpu_seconds.to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }
}
