//! The command line and the environment of a worker process.
//!
//! A verdict must not depend on who runs the campaign, so a worker sees only the variables that are listed here, and no
//! site packages, .pth files or `PYTHONPATH` of the user. A wrapper sets what its Python needs itself; only one that does
//! not start like this gets the variables of the user, without Python's own.

use crate::exec::Declaration;
use crate::interpreter::{Driver, Limits};
use crate::pyodide;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How much data an adapter may have in all, in MiB: one that takes what a stream claims ends instead of filling the machine.
const ADAPTER_MIB: u64 = 2048;

/// What a Python needs of the environment besides what every worker gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The LD_LIBRARY_PATH without which it does not start.
    pub(crate) library_path: Option<OsString>,
    /// Every variable of this program but Python's: a wrapper that does not start without them.
    pub(crate) everything: bool,
}

/// Through which program a worker is started, so that it is confined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Through {
    pub(crate) host: PathBuf,
    /// Whether it has the system calls of this program; those of another architecture cannot be filtered.
    pub(crate) filter: bool,
}

/// Everything needed to start a worker, again and again. All paths are absolute. Without `through` it is not confined; who
/// embeds confines itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Launch {
    /// Without a prefix, libpython looks where it was built for.
    Embedded {
        host: PathBuf,
        libpython: PathBuf,
        prefix: Option<PathBuf>,
        worker: PathBuf,
        stdlib: Option<PathBuf>,
    },
    Script {
        through: Option<Through>,
        python: PathBuf,
        worker: PathBuf,
        needs: Needs,
        /// Whether it executes code objects when it is asked to.
        executes: bool,
    },
    Pyodide {
        through: Option<Through>,
        node: PathBuf,
        worker: PathBuf,
        modules: PathBuf,
        package: String,
    },
    /// A reader of somebody else, asked as a reader of this Python.
    Adapter {
        through: Option<Through>,
        program: PathBuf,
        arguments: Vec<OsString>,
        python: String,
        /// Unknown before it has said hello.
        declaration: Option<Box<Declaration>>,
    },
}

impl Launch {
    pub(crate) fn driver(&self) -> Driver {
        match self {
            Launch::Embedded { .. } => Driver::Embedded,
            Launch::Script { .. } => Driver::Script,
            Launch::Pyodide { .. } => Driver::Pyodide,
            Launch::Adapter { .. } => Driver::Adapter,
        }
    }

    /// The same, started like this.
    pub(crate) fn through(mut self, how: Option<Through>) -> Launch {
        match &mut self {
            Launch::Script { through, .. } | Launch::Pyodide { through, .. } | Launch::Adapter { through, .. } => {
                *through = how;
            }
            Launch::Embedded { .. } => {}
        }
        self
    }

    /// The worker as the leader of a process group of its own. `optimize` becomes `-O`s: only scripts have such flags.
    pub(crate) fn command(&self, optimize: u8, limits: &Limits) -> Command {
        let mut command = match self {
            Launch::Embedded { host, libpython, prefix, worker, stdlib } => {
                let mut command = Command::new(host);
                command.arg("embed").arg("--libpython").arg(libpython).arg("--worker").arg(worker);
                if let Some(prefix) = prefix {
                    command.arg("--prefix").arg(prefix);
                }
                if let Some(stdlib) = stdlib {
                    command.arg("--stdlib").arg(stdlib);
                }
                command
            }
            Launch::Script { through, python, worker, executes, .. } => {
                let mut command = program(through.as_ref(), python, None);
                command.args(["-S", "-s", "-B"]).args(std::iter::repeat_n("-O", usize::from(optimize))).arg(worker);
                command.args(executes.then_some("--execute"));
                command
            }
            Launch::Pyodide { through, node, worker, package, .. } => {
                let mut command = program(through.as_ref(), node, None);
                command.arg(worker).arg(package);
                command
            }
            Launch::Adapter { through, program: adapter, arguments, .. } => {
                let mut command = program(through.as_ref(), adapter, Some(ADAPTER_MIB.max(limits.memory_mib)));
                command.args(arguments);
                command
            }
        };
        match self {
            Launch::Script { needs, .. } => set_environment(&mut command, needs),
            _ => set_environment(&mut command, &Needs::default()),
        }
        if let Launch::Pyodide { modules, .. } = self {
            command.env(pyodide::MODULES, modules);
        }
        command
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

fn program(through: Option<&Through>, program: &Path, data_mib: Option<u64>) -> Command {
    let Some(Through { host, filter }) = through else { return Command::new(program) };
    let mut command = Command::new(host);
    command.arg("run").args((!filter).then_some("--no-filter"));
    command.args(data_mib.map(|mib| format!("--data-mib={mib}"))).arg("--").arg(program);
    command
}

/// The environment of workers, and of what is asked whether it can be one.
pub(crate) fn set_environment(command: &mut Command, needs: &Needs) {
    let of_python = |name: &OsString| name.as_encoded_bytes().starts_with(b"PYTHON");
    let kept = |name: &OsString| match needs.everything {
        true => !of_python(name),
        false => name == "PATH" || name == "HOME",
    };
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| kept(name)));
    if let Some(path) = &needs.library_path {
        command.env("LD_LIBRARY_PATH", path);
    }
    command
        .env("LANG", "C.UTF-8")
        .env("PYTHONHASHSEED", "0")
        // A stream may claim a large tuple. What the C library gives back to the system after each such case, the kernel
        // has to clear again for the next.
        .env("MALLOC_MMAP_THRESHOLD_", "33554432")
        .env("MALLOC_TRIM_THRESHOLD_", "67108864")
        .env("PYTHONDONTWRITEBYTECODE", "1");
}
