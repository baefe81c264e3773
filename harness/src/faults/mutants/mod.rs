//! Mutants: faults that nobody wrote.
//!
//! The planted faults are those that somebody thought of. cargo-mutants changes pyc-core wherever it can, without thinking; the
//! crate `mutants` puts all these changes into one copy of it, each behind a [`Switch`]. Here the copy is compared with
//! itself, with one mutant switched on and with none: on the cases of the generators in turn, as in the column *combined* of
//! the planted faults. First a case is answered with all of them off, and it is noted which places of mutants it comes by; only
//! those are tried. What no case shows is given to pyc-core's own tests ([`Tests`]): they say whether there was something to find.

mod contest;
pub mod report;
mod said;
mod survivors;
mod tested;

pub use contest::{Found, Switch, fingerprint, run};
pub use tested::Tests;
