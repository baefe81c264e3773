//! Reads and writes Python's marshal streams, code objects and .pyc files: every version from 2.7 to 3.15, byte for byte.
//!
//! Python's own formats have no specification but the interpreters, and these disagree. So nothing here is "the" format:
//! every operation takes a [`Profile`], the interpreter that is meant, and does what that interpreter does.
//!
//! * [`read`] turns a stream into a [`Graph`] or says why the interpreter refuses it, and where.
//! * [`Graph::write`] gives the stream back, byte for byte, also after changes; graphs are also built from nothing.
//! * [`model::Loaded`] is what the interpreter makes of a graph: its canon, and the bytes that `marshal.dumps` writes.
//! * [`Pyc`] is the file around it.
//! * [`identify`] says which Python wrote a stream, and where in a file it is.
//! * [`bytecode`] is what is inside of code objects: instructions, lines, handlers; and the text that `dis.dis` prints.
//!
//! The library does no I/O, has no `unsafe` code, does not recurse, and allocates no more than a small multiple of its
//! input. It never executes anything.
//!
//! ```
//! use pyc_core::{Profile, Version, read, model::Loaded};
//! let profile = Profile::of(Version::new(3, 13)).unwrap();
//! let graph = read(b"\xa9\x02\xe9\xe8\x03\0\0r\x01\0\0\0", profile).unwrap();
//! assert_eq!(Loaded::new(&graph, profile).canon(), "tuple 2\nint 3e8\nint 3e8\n");
//! assert_eq!(graph.write().unwrap(), b"\xa9\x02\xe9\xe8\x03\0\0r\x01\0\0\0");
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

/// What `std`'s prelude has and `core`'s has not.
mod prelude {
    pub(crate) use alloc::boxed::Box;
    pub(crate) use alloc::format;
    pub(crate) use alloc::string::{String, ToString};
    pub(crate) use alloc::vec;
    pub(crate) use alloc::vec::Vec;
}

mod aftermath;
mod build;
pub mod bytecode;
pub mod code;
pub mod compare;
mod edit;
mod error;
mod graph;
pub mod identify;
pub mod magic;
pub mod model;
pub mod opcode;
mod profile;
pub mod pyc;
mod read;
mod repr;
mod text;
mod validate;
pub mod write;

pub use edit::Editor;
pub use error::{Cause, Error, ErrorKind, Exception, UnicodeError};
pub use graph::{Graph, Long, NodeId, Text, Value};
pub use profile::{CodeLayout, HeaderLayout, Profile, Release, Version};
pub use pyc::Pyc;
pub use read::{Salvaged, Scratch, read, read_with, salvage};
pub use write::WriteError;
