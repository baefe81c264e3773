//! What a run leaves behind: its events as JSONL, and the HTML report made from them.
//!
//! People trust a report only if they can see where each number comes from. So the log is the single source: the harness
//! writes [`Event`]s through [`Log`], [`read`] folds a log, even that of a killed run, into a [`RunLog`], and [`render`]
//! turns that into one HTML file without looking at anything else. Other tools read the same log; its schema is
//! `schema/event.schema.json`.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! use reports::{Event, Host, Log, Run};
//! let mut log = Log::create(dir.path())?;
//! log.write(&Event::Run(Run {
//!     format: reports::FORMAT,
//!     provost_version: "0.1.0".into(),
//!     generator_version: 1,
//!     started: "2026-01-01T00:00:00Z".into(),
//!     command: "provost run --seed 7 --cases 1000".into(),
//!     arguments: vec![],
//!     corpus: "0".repeat(64),
//!     seed: 7,
//!     minutes: None,
//!     cases: Some(1000),
//!     generators: vec!["values".into()],
//!     shard: None,
//!     parts: vec![],
//!     host: Host { os: "linux".into(), arch: "x86_64".into(), cpus: 2 },
//! }))?;
//! let page = reports::render(&reports::read(log.path())?);
//! assert!(page.contains("Nothing was compared"));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod ci;
mod event;
mod html;
mod log;
mod merge;
mod readers;
#[cfg(test)]
mod schema;
mod starvation;
mod summary;
mod trend;

pub use ci::{Issue, MARK, UNMET, annotations, fingerprint, issues, junit, marks, sarif, summary};
pub use event::{
    Case, Checkpoint, Counts, End, Event, FORMAT, FaultEvent, FeatureCount, Finding, Host, KILLERS, Level, Note,
    Outcome, Part, Place, Reached, Rule, Rules, Run, Side, Sighting, Spread, Standing, Statistics, Subject,
    TOLD_FAULTS, Verdict,
};
pub use html::render;
pub use log::{FILE_NAME, Gap, Log, ReadError, RunLog, read};
pub use merge::{Unmergeable, caution, merge};
pub use readers::{Cell, Reading, Smallest, readers};
pub use trend::{Night, Regression, regressions, trend};
