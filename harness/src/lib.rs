//! Provost's harness: it makes cases, gives them to subjects, lets oracles judge what comes back, and records it.
//!
//! ```text
//! generators -> case -> subjects -> observation -> oracle -> comparison -> (expected) -> campaign -> record -> reports
//!  stdlib ------^
//! ```
//!
//! The data flows in that order, and each step knows only the ones before it. The command line (`provost`) is a thin layer
//! over this library, and the fuzz targets are another.

pub mod adapters;
pub mod bench;
pub mod bytecode;
pub mod campaign;
pub mod canon;
pub mod case;
pub mod check;
pub mod cli;
pub mod comparison;
pub mod corpus;
pub mod dis;
pub mod execution;
pub mod expected;
pub mod export;
pub mod faults;
pub mod generators;
pub mod golden;
pub mod input;
pub mod matrix;
pub mod minimize;
pub mod observation;
pub mod oracle;
pub mod progress;
pub mod properties;
pub mod readers;
pub mod record;
pub mod repro;
pub mod roundtrip;
pub mod statistics;
pub mod stdlib;
pub mod subjects;
pub mod toolbox;
