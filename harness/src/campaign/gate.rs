//! Who may work now, and whether it is time to end.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Whether it is time to end.
pub(super) struct Over<'a> {
    pub(super) stop: &'a AtomicBool,
    /// Ends the threads when the listener fails, without touching the caller's flag.
    pub(super) failed: &'a AtomicBool,
    pub(super) deadline: Option<Instant>,
}

impl Over<'_> {
    /// Somebody wants it to end now.
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed)
    }

    /// The time is up.
    pub(super) fn late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Lets a limited number of threads work at the same time, first come first served: a thread that leaves and comes back
/// at once must not overtake those who wait.
pub(super) struct Gate {
    state: Mutex<Places>,
    changed: Condvar,
}

pub(super) struct Places {
    pub(super) free: usize,
    /// The number that the next thread takes.
    next: u64,
    /// The numbers of those who wait.
    waiting: VecDeque<u64>,
}

impl Gate {
    pub(super) fn new(free: usize) -> Gate {
        Gate { state: Mutex::new(Places { free, next: 0, waiting: VecDeque::new() }), changed: Condvar::new() }
    }

    /// Waits for a place and works there.
    pub(super) fn pass<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Place<'a>(&'a Gate);
        impl Drop for Place<'_> {
            fn drop(&mut self) {
                self.0.places().free += 1;
                self.0.changed.notify_all();
            }
        }
        let mut places = self.places();
        let number = places.next;
        places.next += 1;
        places.waiting.push_back(number);
        let not_yet = |places: &mut Places| places.free == 0 || places.waiting.front() != Some(&number);
        let mut places = self.changed.wait_while(places, not_yet).unwrap_or_else(PoisonError::into_inner);
        places.free -= 1;
        places.waiting.pop_front();
        drop(places);
        // Another place may be free for the one who is first now.
        self.changed.notify_all();
        let _place = Place(self);
        work()
    }

    /// Nothing panics while it is locked.
    pub(super) fn places(&self) -> MutexGuard<'_, Places> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
