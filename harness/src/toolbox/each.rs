//! Goes through files in parallel and tells the answers in the order of the files.

use super::Trouble;
use super::input::{Archives, Beside, Entry, Listing, Paths, Reader};
use crate::dis::one_line;
use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// Nobody who waits for less wants to know how long.
const PATIENCE: Duration = Duration::from_secs(1);

/// A file that takes long holds back this many others for each thread, so that their answers do not pile up.
const AHEAD: usize = 64;

/// What going through files came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that were looked at, and those that could not be read.
    pub files: usize,
}

/// Which answer is told next, so that nobody runs too far ahead.
#[derive(Default)]
struct Turn {
    next: Mutex<usize>,
    moved: Condvar,
}

impl Turn {
    fn wait_for(&self, place: usize, ahead: usize) {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.moved.wait_while(next, |next| place > next.saturating_add(ahead)));
    }

    fn set(&self, place: usize) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = place;
        self.moved.notify_all();
    }
}

/// Lets nobody wait any more, whatever ends the telling.
struct Over<'t>(&'t Turn);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.set(usize::MAX);
    }
}

/// Asks `work` about every file and gives its answers to `tell`, in the order of the files. Work is done in parallel; telling is
/// not. Links that are not followed are told here.
///
/// # Errors
/// What `tell` returns; or that there is no file at all.
pub fn each<T: Send>(
    paths: &Paths,
    archives: Archives,
    work: impl Fn(&Entry, Result<Vec<u8>, Trouble>) -> T + Sync,
    tell: impl FnMut(&Entry, T) -> Result<()>,
) -> Result<Summary> {
    each_beside(paths, archives, |entry, bytes, _| work(entry, bytes), tell)
}

/// The same, for who looks at what is in the same archive, too.
pub(super) fn each_beside<T: Send>(
    paths: &Paths,
    archives: Archives,
    work: impl Fn(&Entry, Result<Vec<u8>, Trouble>, &mut Beside<'_>) -> T + Sync,
    mut tell: impl FnMut(&Entry, T) -> Result<()>,
) -> Result<Summary> {
    let listing = Listing::of(&paths.paths, archives);
    let entries = &listing.entries;
    let ask = |place: usize, reader: &mut Reader| {
        let entry = &entries[place];
        let bytes = listing.read(entry, reader).transpose()?;
        let mut beside = Beside { listing: &listing, entry, reader };
        Some((!entry.is_link()).then(|| work(entry, bytes, &mut beside)))
    };
    let mut links = 0;
    let all = in_order(entries.len(), paths.jobs, ask, |place, answer| match (&entries[place], answer) {
        (entry, Some(answer)) => tell(entry, answer),
        (entry, None) => {
            links += 1;
            eprintln!("{}: is a link, and is skipped; name it, or what it leads to", one_line(&entry.name));
            Ok(())
        }
    })?;
    let named: Vec<String> = paths.paths.iter().map(|path| path.display().to_string()).collect();
    ensure!(all > 0, "there is no .pyc file in {}", named.join(", "));
    Ok(Summary { files: all - links })
}

/// Asks `work` about every place in parallel, each thread with a state of its own, and gives the answers to `tell` in order. How
/// many there are.
///
/// # Errors
/// What `tell` returns.
pub fn in_order<S: Default, T: Send>(
    count: usize,
    jobs: Option<NonZeroUsize>,
    work: impl Fn(usize, &mut S) -> Option<T> + Sync,
    mut tell: impl FnMut(usize, T) -> Result<()>,
) -> Result<usize> {
    let jobs = jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, |jobs| jobs.get().min(count));
    let (turn, places) = (Turn::default(), Mutex::new(0..count));
    let mut answered = 0;
    std::thread::scope(|scope| -> Result<()> {
        let (sender, answers) = mpsc::channel();
        let mut threads = 0;
        for _ in 0..jobs {
            let (sender, work, turn, places) = (sender.clone(), &work, &turn, &places);
            let asked = std::thread::Builder::new().spawn_scoped(scope, move || {
                let mut state = S::default();
                loop {
                    let Some(place) = places.lock().unwrap_or_else(PoisonError::into_inner).next() else { break };
                    turn.wait_for(place, AHEAD * jobs);
                    // Nobody listens any more when telling has failed.
                    if sender.send((place, work(place, &mut state))).is_err() {
                        break;
                    }
                }
            });
            // Where no more threads can be had, those that there are do the work.
            match asked {
                Ok(_) => threads += 1,
                Err(_) if threads > 0 => break,
                Err(e) => return Err(e).context("no thread can be started"),
            }
        }
        drop(sender);
        let _over = Over(&turn);
        let mut progress = Progress::new(count);
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for (place, answer) in answers {
            waiting.insert(place, answer);
            while let Some(answer) = waiting.remove(&next) {
                if let Some(answer) = answer {
                    answered += 1;
                    progress.bar.suspend(|| tell(next, answer))?;
                }
                next += 1;
                progress.step();
            }
            turn.set(next);
        }
        Ok(())
    })?;
    Ok(answered)
}

/// A bar on a terminal, if it takes long.
struct Progress {
    begin: Instant,
    bar: ProgressBar,
}

impl Progress {
    fn new(count: usize) -> Progress {
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} files, {eta} left");
        let bar = ProgressBar::with_draw_target(Some(count as u64), ProgressDrawTarget::hidden());
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress { begin: Instant::now(), bar }
    }

    fn step(&mut self) {
        if self.bar.is_hidden() && self.begin.elapsed() > PATIENCE && std::io::stderr().is_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(4));
        }
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
