//! The worker protocol, specified in `interpreters/PROTOCOL.md`: frames, requests and answers.
//!
//! A Python interpreter that is fed hostile bytes dies often, so it lives in a process of its own and is talked to through
//! a pipe. This crate is the only thing that the two ends share: it moves bytes and knows nothing of marshal. Both
//! directions are here, so that each end is tested against the other's encoder.
//!
//! ```
//! use protocol::{CanonMode, Load, Request};
//! let request = Request::Load(Load { canon: CanonMode::Hash, consumed: false, versions: vec![4], cases: vec![b"N".to_vec()] });
//! let mut wire = Vec::new();
//! protocol::write_frame(&mut wire, &request.encode()).unwrap();
//! let frame = protocol::read_frame(&mut wire.as_slice()).unwrap().unwrap();
//! assert_eq!(Request::decode(&frame).unwrap(), request);
//! ```

mod message;
mod wire;

pub use message::{Answer, CanonMode, Compile, Ending, Exception, Facts, Import, Load, Loaded, Request};
pub use wire::{FrameError, MAX_FRAME, MessageError, read_frame, write_frame};

/// The version of the protocol that this crate speaks; a worker tells its own in [`Facts::protocol`].
pub const VERSION: u32 = 5;
