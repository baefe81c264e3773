//! Host: puts one CPython and the embedded worker into one process, or starts another program as a worker; and confines both.
//!
//! The worker is a shared library that needs Python's symbols but is linked to no Python. Whoever loads it decides which
//! interpreter it gets: this program opens the wanted libpython with `RTLD_GLOBAL` first and the worker second, so one build
//! of the worker serves every CPython from 3.9 on. Everything that must be settled before an interpreter starts, namely
//! the answer pipe, the limits and the environment, is settled here; `interpreters/PROTOCOL.md` says what and why.

// Loading libraries and calling into them is the purpose of this program, and there is no safe way to do it.
#![allow(unsafe_code)]
#![warn(clippy::undocumented_unsafe_blocks)]

mod confine;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::{CStr, CString, OsString, c_char, c_int};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Starts workers that can read files and compute, and nothing else, as far as the kernel can see to it.
#[derive(Parser)]
enum Host {
    /// Serves the worker protocol on standard input and output with the given CPython (3.9 or later)
    Embed(Embed),
    /// Confines itself and becomes another program
    Run(Run),
    /// Confines itself and says in JSON what it cannot do any more
    Confinement,
}

#[derive(Args)]
struct Run {
    /// Leave system calls alone: a filter ends programs that are built for another architecture
    #[arg(long)]
    no_filter: bool,
    /// How much data the program may have, in MiB
    #[arg(long)]
    data_mib: Option<u64>,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

#[derive(Args)]
struct Embed {
    /// The interpreter's shared library, such as /usr/lib/libpython3.12.so.1.0
    #[arg(long)]
    libpython: PathBuf,
    /// The directory that holds the interpreter's lib/python3.X, if it is not the one that the library was built for
    #[arg(long)]
    prefix: Option<PathBuf>,
    /// The embedded worker, libworker.so
    #[arg(long)]
    worker: PathBuf,
    /// Where the standard library's .py files are, when the interpreter cannot tell
    #[arg(long)]
    stdlib: Option<PathBuf>,
}

fn main() -> ExitCode {
    let result = match Host::parse() {
        Host::Embed(args) => embed(&args),
        Host::Run(args) => run(&args),
        Host::Confinement => {
            println!("{}", confine::confine(true).json());
            Ok(ExitCode::SUCCESS)
        }
    };
    match result {
        Ok(status) => status,
        Err(e) => {
            eprintln!("host: {e:#}");
            ExitCode::from(2)
        }
    }
}

/// Returns only if the program cannot be started.
fn run(args: &Run) -> Result<ExitCode> {
    let (program, arguments) = args.command.split_first().context("there is no program to run")?;
    // A file in memory: the marshal of Python 2.7 reads from nothing else, and no other file can be made any more.
    let scratch = memfd_create("scratch", MemfdFlags::empty()).context("cannot create a file in memory")?;
    confine::confine(!args.no_filter);
    if let Some(mib) = args.data_mib {
        set_limit(Resource::Core, 0)?;
        set_limit(Resource::Data, mib.saturating_mul(1 << 20))?;
    }
    let scratch = scratch.into_raw_fd().to_string();
    let error = Command::new(program).args(arguments).env("PROVOST_SCRATCH_FD", scratch).exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}

fn embed(args: &Embed) -> Result<ExitCode> {
    confine::confine(true);
    die_of_signals_like_python();
    set_limit(Resource::Core, 0)?;
    let answers = take_stdout().context("cannot duplicate standard output")?;
    set_environment(args);
    let libpython = open_libpython(args)?;
    skip_site(&libpython);
    let stdlib = CString::new(args.stdlib.clone().unwrap_or_default().into_os_string().into_vec())?;
    // SAFETY: opening a library runs its initializers; those of a Rust cdylib touch nothing of ours.
    let worker = unsafe { Library::open(Some(&args.worker), RTLD_NOW | RTLD_LOCAL) }
        .with_context(|| format!("cannot open the worker {}", args.worker.display()))?;
    // SAFETY: the signature is the one that the worker exports the symbol with.
    let serve = unsafe { worker.get::<unsafe extern "C" fn(c_int, *const c_char) -> c_int>(b"provost_serve") }
        .with_context(|| format!("{} is not a Provost worker", args.worker.display()))?;
    limit_memory()?;
    // SAFETY: `answers` is open and `stdlib` ends in NUL; both outlive the call. It is the only call in this process.
    let status = unsafe { serve(answers.as_raw_fd(), stdlib.as_ptr()) };
    // An interpreter that has run must not be unmapped: its exit handlers are still to come.
    std::mem::forget((libpython, worker));
    Ok(u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Undoes what the Rust runtime does to SIGSEGV and SIGBUS: it would turn an overflow of the C stack, which CPython dies of
/// by SIGSEGV, into SIGABRT.
fn die_of_signals_like_python() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the default disposition runs no code, and no other thread exists yet.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Limits the address space to what is taken already and what the environment grants: libraries of sanitizers reserve
/// terabytes.
fn limit_memory() -> Result<()> {
    let Some(text) = std::env::var_os("PROVOST_MEMORY_MIB") else { return Ok(()) };
    let mib: Option<u64> = text.to_str().and_then(|t| t.parse().ok());
    let mib = mib.with_context(|| format!("PROVOST_MEMORY_MIB is {text:?}, not a number of MiB"))?;
    set_limit(Resource::As, address_space().saturating_add(mib.saturating_mul(1 << 20)))
}

/// How many bytes of address space this process takes; 0 where there is no /proc.
fn address_space() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages: Option<u64> = pages.and_then(|text| text.split(' ').next()?.parse().ok());
    pages.unwrap_or(0).saturating_mul(rustix::param::page_size() as u64)
}

/// Sets the soft limit, which is the one that acts, as near to `wanted` as the hard limit allows.
fn set_limit(resource: Resource, wanted: u64) -> Result<()> {
    let maximum = getrlimit(resource).maximum;
    let current = Some(maximum.map_or(wanted, |m| m.min(wanted)));
    setrlimit(resource, Rlimit { current, maximum }).with_context(|| format!("cannot limit {resource:?} to {wanted}"))
}

/// Moves the answer pipe from fd 1 to a private descriptor, and fd 1 to where fd 2 goes.
fn take_stdout() -> rustix::io::Result<OwnedFd> {
    let answers = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok(answers)
}

/// Leaves the interpreter no variable of the user's that changes what it does.
fn set_environment(args: &Embed) {
    // A Python on PATH would tell it where another one's standard library is.
    let misleads = |name: &OsString| name.as_bytes().starts_with(b"PYTHON") || name == "PATH";
    for name in std::env::vars_os().map(|(name, _)| name).filter(misleads).collect::<Vec<_>>() {
        // SAFETY: no other thread exists yet, so nobody reads the environment meanwhile.
        unsafe { std::env::remove_var(name) };
    }
    let home = args.prefix.as_ref().map(|prefix| ("PYTHONHOME", prefix.as_os_str()));
    for (name, value) in
        home.into_iter().chain([("PYTHONHASHSEED", "0".as_ref()), ("PYTHONDONTWRITEBYTECODE", "1".as_ref())])
    {
        // SAFETY: as above.
        unsafe { std::env::set_var(name, value) };
    }
}

fn open_libpython(args: &Embed) -> Result<Library> {
    let name = args.libpython.display();
    // SAFETY: opening libpython runs its initializers, which only set up its own data.
    let library = unsafe { Library::open(Some(&args.libpython), RTLD_NOW | RTLD_GLOBAL) }
        .with_context(|| format!("cannot open {name}"))?;
    // SAFETY: every CPython since 1.5 exports the function with this signature.
    let get_version = unsafe { library.get::<unsafe extern "C" fn() -> *const c_char>(b"Py_GetVersion") }
        .with_context(|| format!("{name} is not a Python library"))?;
    // SAFETY: the function may be called before initialization and returns a static string.
    let version = unsafe { CStr::from_ptr(get_version()) }.to_string_lossy();
    let mut numbers = version.split(['.', ' ']).map(|n| n.parse::<u32>().ok());
    let Some((Some(major), Some(minor))) = numbers.next().zip(numbers.next()) else {
        bail!("{name} has a version that cannot be read: {version}");
    };
    ensure!((major, minor) >= (3, 9), "{name} is Python {major}.{minor}; before 3.9 use the script worker");
    // Its objects have another layout than the stable ABI that the worker is built for.
    ensure!(!version.contains("free-threading"), "{name} is a free-threading build; use the script worker");
    Ok(library)
}

/// Without the `site` module start-up is faster, and no .pth file of the user's runs.
fn skip_site(libpython: &Library) {
    // SAFETY: where the variable exists it is an int.
    if let Ok(flag) = unsafe { libpython.get::<*mut c_int>(b"Py_NoSiteFlag") } {
        // SAFETY: `flag` is the address of that variable, and the interpreter reads it only later.
        unsafe { **flag = 1 };
    }
}
