//! Whether pyc-core's own tests notice the mutants that no case shows.

use super::report::Row;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// The copy's switch reads it.
const VARIABLE: &str = "PROVOST_MUTANT";

/// A program that takes longer does not end.
const LIMIT: Duration = Duration::from_secs(120);

/// How often it is looked whether a program has ended.
const TICK: Duration = Duration::from_millis(20);

/// The programs with pyc-core's tests, built from the copy with all mutants.
#[derive(Debug)]
pub struct Tests {
    /// In the order in which they are run.
    pub programs: Vec<PathBuf>,
    /// Where they are run.
    pub folder: PathBuf,
}

impl Tests {
    /// Runs them with each mutant that no case shows, until one fails.
    ///
    /// # Errors
    /// When a program cannot be started, or fails with all mutants off.
    pub fn run(&self, rows: &mut [Row], threads: usize) -> Result<()> {
        if let Some(program) = self.failing(0)? {
            bail!("{} fails with all mutants off", program.display());
        }
        let pending: Vec<&mut Row> = rows.iter_mut().filter(|row| !row.is_shown()).collect();
        let (all, done) = (pending.len(), AtomicUsize::new(0));
        let pending = Mutex::new(pending.into_iter());
        scope(|scope| {
            let work = || -> Result<()> {
                loop {
                    let Some(row) = pending.lock().ok().and_then(|mut pending| pending.next()) else { return Ok(()) };
                    row.is_tested = Some(self.failing(row.mutant.id)?.is_some());
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(all.div_ceil(20)) {
                        eprintln!("{done} of {all} that no case shows were given to the tests");
                    }
                }
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().ok().context("a thread panicked")?)
        })
    }

    /// The first program that fails with this mutant, or does not end.
    fn failing(&self, mutant: u32) -> Result<Option<&Path>> {
        for program in &self.programs {
            // A mutant may ask for memory without end.
            let mut command = Command::new("sh");
            command.args(["-c", "ulimit -v 8000000; exec \"$0\" --quiet"]).arg(program).current_dir(&self.folder);
            // As many programs run at a time as there are processors.
            command.env(VARIABLE, mutant.to_string()).env("RUST_TEST_THREADS", "1");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let child = command.spawn().with_context(|| program.display().to_string())?;
            if !succeeds(child)? {
                return Ok(Some(program));
            }
        }
        Ok(None)
    }
}

/// Whether a program ends within [`LIMIT`], and well.
fn succeeds(mut child: Child) -> Result<bool> {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        sleep(TICK);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::report::{Mutant, State};
    use super::*;

    /// Programs that fail with one mutant each.
    #[test]
    fn a_mutant_is_tested_if_a_program_fails() {
        let folder = tempfile::tempdir().unwrap();
        let program = |name: &str, fails_with: u32| {
            let path = folder.path().join(name);
            // Written by another process: whoever writes a program here while another thread starts one finds it busy.
            let script =
                format!("printf '#!/bin/sh\\n[ \"${VARIABLE}\" != {fails_with} ]\\n' >\"$0\"; chmod +x \"$0\"");
            assert!(Command::new("sh").arg("-c").arg(script).arg(&path).status().unwrap().success());
            path
        };
        let check = |programs: Vec<PathBuf>, expected: Result<[Option<bool>; 4], &str>| {
            let name = "pyc-core/src/a.rs:1:2: x".to_owned();
            let mutants = [1, 2, 3, 4].map(|id| Mutant { id, name: name.clone(), function: None, state: State::Built });
            let found = |id: u32| vec![(id == 4).then_some(7)];
            let mut rows: Vec<Row> =
                mutants.iter().map(|mutant| Row { mutant, found: found(mutant.id), is_tested: None }).collect();
            let tests = Tests { programs, folder: folder.path().into() };
            match (tests.run(&mut rows, 2), expected) {
                (Ok(()), Ok(expected)) => {
                    assert_eq!(rows.iter().map(|row| row.is_tested).collect::<Vec<_>>(), expected)
                }
                (Err(e), Err(expected)) => assert!(e.to_string().contains(expected), "{e}"),
                (came, expected) => panic!("{came:?} {expected:?}"),
            }
        };
        check(vec![program("one", 1), program("two", 2)], Ok([Some(true), Some(true), Some(false), None]));
        check(vec![program("none", 9)], Ok([Some(false), Some(false), Some(false), None]));
        check(vec![program("always", 0)], Err("always fails with all mutants off"));
    }
}
