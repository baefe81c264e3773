//! Real Python interpreters as oracles: finding them, and talking to them although they die.
//!
//! Reality is only worth comparing with when it is really asked, so nothing about an interpreter is guessed from a file
//! name: [`discover`] runs every candidate, folds the ones that are the same program, starts a worker in each and keeps
//! what that worker says of itself. Hostile streams kill interpreters, so each worker is a process of its own under
//! limits, and a [`Supervisor`] turns its death into an ordinary [`Outcome`] of exactly the case that caused it.
//!
//! Everything here works without any interpreter: then [`Found`] is empty and says why.

mod adapters;
mod candidates;
mod discover;
pub mod exec;
mod fault;
mod interpreter;
mod launch;
mod patience;
mod probe;
mod process;
mod pyodide;
mod supervisor;

pub use adapters::adapters;
pub use discover::{discover, discover_with};
pub use fault::{Fault, TimeLimit};
pub use interpreter::{Confinement, Driver, Found, Interpreter, Limits, Options, Unusable, Workspace, selects};
pub use supervisor::{Broken, Outcome, Supervisor};
