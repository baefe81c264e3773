//! The embedded worker: one CPython inside this process answers the worker protocol.
//!
//! Calling `marshal` through the C API instead of through a script makes a case cost microseconds. The library is built
//! against the stable ABI of Python 3.9 with Python's symbols unresolved; the `host` program opens a libpython first and
//! this library second, so one build serves all versions. The protocol is in `interpreters/PROTOCOL.md`.
//!
//! Nothing here may use the library under test: a shared bug would be an unseen one.

// Objects are examined through the C API wherever the safe interface would allocate for each of them.
#![allow(unsafe_code)]
#![warn(clippy::undocumented_unsafe_blocks)]

mod canon;
mod compile;
mod disassemble;
mod facts;
mod import;
mod load;
mod raised;

use protocol::{Answer, FrameError, Request, read_frame, write_frame};
use pyo3::prelude::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::error::Error;
use std::ffi::{CStr, c_char, c_int};
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

/// Starts the interpreter and serves requests from fd 0 until the end of file. `answers` is the descriptor for the
/// answers; `stdlib` is the directory of the standard library, empty when the interpreter shall tell. Returns the exit
/// status of the process: 0, or 1 after a failure that stderr explains, or 101 after a panic.
///
/// # Safety
/// `answers` is open for writing and `stdlib` points to a NUL-terminated string, both for the whole call. The
/// environment is set up and no other thread reads or writes it. The function is called once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn provost_serve(answers: c_int, stdlib: *const c_char) -> c_int {
    // SAFETY: the caller keeps both valid; `ManuallyDrop` leaves the descriptor open, as it is the caller's.
    let (mut answers, stdlib) = unsafe { (ManuallyDrop::new(File::from_raw_fd(answers)), CStr::from_ptr(stdlib)) };
    let stdlib = stdlib.to_string_lossy();
    // A panic must not look like an abort of the interpreter.
    let served = std::panic::catch_unwind(move || {
        Python::initialize();
        Python::attach(|py| serve(py, &mut answers, &stdlib).map_err(|e| e.to_string()))
    });
    match served {
        Ok(Ok(())) => 0,
        Ok(Err(reason)) => {
            eprintln!("worker: {reason}");
            1
        }
        Err(_) => 101,
    }
}

fn serve(py: Python<'_>, answers: &mut File, stdlib: &str) -> Result<(), Box<dyn Error>> {
    let mut requests = io::stdin().lock();
    let mut loader = load::Loader::new(py)?;
    let cpu_seconds = cpu_seconds()?;
    while let Some(frame) = read_frame(&mut requests)? {
        if let Some(seconds) = cpu_seconds {
            limit_cpu(seconds)?;
        }
        match Request::decode(&frame) {
            Ok(Request::Hello) => send(answers, &facts::facts(py, stdlib).unwrap_or_else(failed))?,
            Ok(Request::Load(ask)) => {
                for case in &ask.cases {
                    send(answers, &loader.load(case, &ask).unwrap_or_else(failed))?;
                }
            }
            Ok(Request::Import(asks)) => {
                for ask in &asks {
                    send(answers, &import::import(py, ask).unwrap_or_else(failed))?;
                }
            }
            Ok(Request::Disassemble(cases)) => {
                for case in &cases {
                    send(answers, &disassemble::disassemble(py, case).unwrap_or_else(failed))?;
                }
            }
            // Nothing is executed where it could take the worker with it.
            Ok(Request::Execute(_)) => send(answers, &Answer::Failed("this worker executes nothing".into()))?,
            Ok(Request::Compile(ask)) => send(answers, &compile::compile(py, &ask).unwrap_or_else(failed))?,
            Err(e) => send(answers, &Answer::Failed(e.to_string()))?,
        }
    }
    Ok(())
}

/// The answer when the worker itself fails.
fn failed(e: PyErr) -> Answer {
    Answer::Failed(format!("the embedded worker failed: {e}"))
}

fn send(answers: &mut File, answer: &Answer) -> Result<(), FrameError> {
    match write_frame(answers, &answer.encode()) {
        Err(e @ FrameError::TooLong(_)) => write_frame(answers, &Answer::Failed(e.to_string()).encode()),
        sent => sent,
    }
}

fn cpu_seconds() -> Result<Option<u64>, String> {
    let Some(text) = std::env::var_os("PROVOST_CPU_SECONDS") else { return Ok(None) };
    let seconds = text.to_str().and_then(|t| t.parse().ok());
    seconds.map(Some).ok_or_else(|| format!("PROVOST_CPU_SECONDS is {text:?}, not a whole number"))
}

/// Allows this process `seconds` of CPU time from now on.
fn limit_cpu(seconds: u64) -> io::Result<()> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec;
    let maximum = getrlimit(Resource::Cpu).maximum;
    // The part of a second that is already used would otherwise be missing.
    let wanted = used.unsigned_abs().saturating_add(seconds).saturating_add(1);
    let current = Some(maximum.map_or(wanted, |m| m.min(wanted)));
    Ok(setrlimit(Resource::Cpu, Rlimit { current, maximum })?)
}
