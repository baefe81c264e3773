//! A copy of pyc-core that has all its mutants, each behind a switch: so that thousands of them can be compared with pyc-core
//! in one program, which is compiled once.
//!
//! [`list`] asks cargo-mutants for their names and places, [`schemata`] puts all of them into the sources with edits ([`edit`]),
//! [`copy`] writes the copy with all that it needs, and leaves out what the compiler does not take.

mod constants;
pub mod copy;
pub mod edit;
pub mod list;
pub mod schemata;

#[cfg(test)]
#[allow(dead_code, clippy::cast_possible_truncation, missing_docs, unreachable_pub)]
mod switch;

#[cfg(test)]
mod tests;
