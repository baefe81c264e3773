//! Whole .pyc files: header and stream, in the form that was asked for.
//!
//! ```
//! use pyc_core::write::{HeaderKind, PycWriteConfig, PycWriter, References};
//! use pyc_core::{Pyc, Profile, Version, read};
//! let profile = Profile::of(Version::new(3, 12)).unwrap();
//! let graph = read(b"\xa9\x02\xfa\x06string\xfa\x06string", profile).unwrap();
//! let config = PycWriteConfig {
//!     header: HeaderKind::Hash { source: b"x=1\n", checked: false },
//!     references: References::Merged,
//!     ..PycWriteConfig::new(profile)
//! };
//! let mut file = Vec::new();
//! assert_eq!(PycWriter::new(&mut file, config).write(&graph).unwrap(), 16 + 15);
//! assert_eq!(Pyc::parse(&file).unwrap().payload, b")\x02\xfa\x06stringr\0\0\0\0");
//! ```

use super::WriteError;
use crate::error::{Cause, Error, Exception};
use crate::graph::{Graph, NodeId};
use crate::model::{Dump, Form, FormError, Loaded, Sharing, form_stream};
use crate::prelude::*;
use crate::profile::{HeaderLayout, Profile};
use crate::pyc::{Header, Pyc, source_hash};
use core::fmt;

/// The header that a file gets. Fields that the version's layout lacks are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderKind<'s> {
    /// No header: the stream alone.
    None,
    /// Time and size of the source file.
    Timestamp {
        /// Seconds since 1970, modulo 2^32.
        mtime: u32,
        /// In bytes, modulo 2^32.
        size: u32,
    },
    /// The hash of the source file (3.7 and later).
    Hash {
        /// Its bytes.
        source: &'s [u8],
        /// Whether importing compares the hash with the source file's.
        checked: bool,
    },
    /// The fields of another file of the same header layout.
    Given(Header),
}

/// Where a stream has references, and so which objects are flagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum References {
    /// Where the graph has them: every flag, encoding and order is the graph's.
    Preserve,
    /// Where `marshal.dumps(marshal.loads(stream), version)` of the target has them, if the caller keeps a first load of the same
    /// stream alive ([`Loaded::dump`]): by reference counts, so that objects that are referred to once may be flagged. This is
    /// not what a fresh compilation writes: there the compiler owns objects, too, and what was compiled before decides which
    /// strings are interned.
    AsCPython,
    /// Where an object is one in the loaded value, and nowhere else: only what is referred to is flagged.
    Minimal,
    /// As `Minimal`, and equal immutable objects are one: numbers but NaNs, strings, bytes, tuples, frozensets, slices; not code
    /// objects. What takes no more than the five bytes of a reference is written again.
    Merged,
    /// Nowhere. Refused where it matters that an object in two places is one: a list, set, dict or code object.
    None,
}

/// Which strings have a type that asks for interning. For `Minimal`, `Merged` and `None`; the others leave nothing to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interning {
    /// Those that are interned in the loaded value.
    Preserve,
    /// Those that would be without it: what code objects intern (names, and constants that look like names) and the strings of
    /// one Latin-1 character.
    ByCode,
}

/// The order of the members of sets and frozensets. For `Minimal`, `Merged` and `None`, as [`Interning`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetOrder {
    /// That of the stream.
    Preserve,
    /// That of the members' own streams, byte by byte, written without flags, references and interning.
    Sorted,
}

/// What is written.
#[derive(Debug, Clone)]
pub struct PycWriteConfig<'s> {
    /// Who is to load it.
    pub target: Profile,
    /// The header.
    pub header: HeaderKind<'s>,
    /// The version of the marshal format; `None` is the target's own. [`References::Preserve`] has the graph's.
    pub marshal_version: Option<u8>,
    /// References and flags.
    pub references: References,
    /// Interned types of strings.
    pub interning: Interning,
    /// The order of sets.
    pub set_order: SetOrder,
}

impl PycWriteConfig<'_> {
    /// The graph as it is, behind a header of time 0 and size 0.
    #[must_use]
    pub fn new(target: &Profile) -> PycWriteConfig<'static> {
        PycWriteConfig {
            target: target.clone(),
            header: HeaderKind::Timestamp { mtime: 0, size: 0 },
            marshal_version: None,
            references: References::Preserve,
            interning: Interning::Preserve,
            set_order: SetOrder::Preserve,
        }
    }

    /// The normal form of streams, version 1 (`docs/NORMALFORM.md`): what does not depend on what else a process compiled, on
    /// hash seeds or on reference counts.
    #[must_use]
    pub fn normal(target: &Profile) -> PycWriteConfig<'static> {
        PycWriteConfig {
            references: References::Merged,
            interning: Interning::ByCode,
            set_order: SetOrder::Sorted,
            ..PycWriteConfig::new(target)
        }
    }

    /// The file.
    ///
    /// # Errors
    /// When the target cannot have such a header, the graph has no such stream, or the target would refuse it.
    pub fn bytes(&self, graph: &Graph<'_>) -> Result<Vec<u8>, PycWriteError> {
        let [mut header, stream] = self.parts(graph)?;
        if header.is_empty() {
            return Ok(stream);
        }
        header.extend_from_slice(&stream);
        Ok(header)
    }

    /// Header and stream.
    fn parts(&self, graph: &Graph<'_>) -> Result<[Vec<u8>; 2], PycWriteError> {
        let header = self.header()?.map(|header| Pyc::new(&self.target, header, &[]).header_bytes());
        Ok([header.unwrap_or_default(), self.stream(graph)?])
    }

    fn header(&self) -> Result<Option<Header>, HeaderError> {
        let target = &self.target;
        let has_flags = target.header == HeaderLayout::Flags;
        match self.header {
            HeaderKind::None => Ok(None),
            HeaderKind::Timestamp { mtime, size } => Ok(Some(Header::MtimeSize { flags: 0, mtime, size })),
            HeaderKind::Hash { .. } | HeaderKind::Given(Header::Hash { .. }) if !has_flags => {
                Err(HeaderError::NoHashes)
            }
            HeaderKind::Hash { source, checked } => {
                let flags = if checked { 3 } else { 1 };
                Ok(Some(Header::Hash { flags, hash: source_hash(target, source) }))
            }
            HeaderKind::Given(header) => Ok(Some(header)),
        }
    }

    fn stream(&self, graph: &Graph<'_>) -> Result<Vec<u8>, PycWriteError> {
        let refuse = |node, why| PycWriteError::Stream { path: graph.path(node), node, why };
        let target = &self.target;
        let own = target.marshal_version;
        let decides = self.interning != Interning::Preserve || self.set_order != SetOrder::Preserve;
        let version = match (self.references, self.marshal_version) {
            (References::Preserve, Some(_)) => return Err(PycWriteError::Config("preserved streams have a version")),
            (References::Preserve | References::AsCPython, _) if decides => {
                return Err(PycWriteError::Config("interning and the order of sets are part of these references"));
            }
            (_, Some(version)) if version > own => return Err(PycWriteError::Config("the target has no such version")),
            (_, version) => version.unwrap_or(own),
        };
        if let Some(code) = graph.code_objects().first()
            && (graph.layout != target.code_layout || graph.python2 != target.is_python2())
        {
            return Err(refuse(*code, StreamError::Layout));
        }
        let sharing = match self.references {
            References::Preserve => None,
            References::AsCPython => None,
            References::Minimal => Some(Sharing::Loaded),
            References::Merged => Some(Sharing::Merged),
            References::None => Some(Sharing::None),
        };
        let stream = match sharing {
            Some(sharing) => {
                let types_intern = self.interning == Interning::Preserve;
                let sorts_sets = self.set_order == SetOrder::Sorted;
                form_stream(graph, target, Form { sharing, types_intern, sorts_sets, version }).map_err(
                    |e| match e {
                        FormError::Recursive(node) => refuse(node, StreamError::Recursive),
                        FormError::Shared(node) => refuse(node, StreamError::Shared),
                        FormError::Raises(exception) => refuse(graph.root, StreamError::Raises(exception)),
                        FormError::Undefined(cause) => refuse(graph.root, StreamError::Undefined(cause)),
                    },
                )?
            }
            None if self.references == References::AsCPython => match Loaded::new(graph, target).dump(version) {
                Dump::Bytes { bytes, .. } => bytes,
                Dump::Raises(exception) => return Err(refuse(graph.root, StreamError::Raises(exception))),
                Dump::Undefined(cause) => return Err(refuse(graph.root, StreamError::Undefined(cause))),
                Dump::Slow(_) => return Err(refuse(graph.root, StreamError::Undefined(Cause::Expansion))),
            },
            None => graph.write().map_err(|e| refuse(e.node().unwrap_or(graph.root), StreamError::Graph(e)))?,
        };
        match crate::read(&stream, target) {
            Ok(_) => Ok(stream),
            Err(error) => Err(refuse(self.refused(graph, &error), StreamError::Refused(error))),
        }
    }

    /// The object that the target refuses. Offsets of a stream in another form say nothing of the graph: what is wrong there is
    /// wrong in the graph's own stream, too.
    fn refused(&self, graph: &Graph<'_>, error: &crate::Error) -> NodeId {
        let place = match self.references {
            References::Preserve => Some(error.offset),
            _ => {
                let own = graph.write().ok();
                own.and_then(|own| crate::read(&own, &self.target).err()).map(|error| error.offset)
            }
        };
        place.and_then(|offset| graph.node_at(offset)).unwrap_or(graph.root)
    }
}

/// Writes .pyc files.
#[derive(Debug)]
pub struct PycWriter<'s, W> {
    out: W,
    config: PycWriteConfig<'s>,
}

impl<'s, W> PycWriter<'s, W> {
    /// A writer into `out`: any [`std::io::Write`], or without `std` a `Vec<u8>`.
    pub fn new(out: W, config: PycWriteConfig<'s>) -> Self {
        PycWriter { out, config }
    }

    /// What was written into.
    pub fn into_inner(self) -> W {
        self.out
    }
}

#[cfg(feature = "std")]
impl<W: std::io::Write> PycWriter<'_, W> {
    /// Writes a file and returns how many bytes it has; nothing is written if it is refused.
    ///
    /// # Errors
    /// As [`PycWriteConfig::bytes`], and when the bytes cannot be written.
    pub fn write(&mut self, graph: &Graph<'_>) -> Result<usize, PycWriteError> {
        let [header, stream] = self.config.parts(graph)?;
        self.out.write_all(&header).and_then(|()| self.out.write_all(&stream)).map_err(PycWriteError::Io)?;
        Ok(header.len() + stream.len())
    }
}

#[cfg(not(feature = "std"))]
impl PycWriter<'_, Vec<u8>> {
    /// Writes a file and returns how many bytes it has; nothing is written if it is refused.
    ///
    /// # Errors
    /// As [`PycWriteConfig::bytes`].
    pub fn write(&mut self, graph: &Graph<'_>) -> Result<usize, PycWriteError> {
        let parts = self.config.parts(graph)?;
        parts.iter().for_each(|part| self.out.extend_from_slice(part));
        Ok(parts.iter().map(Vec::len).sum())
    }
}

/// Why a file cannot be written.
#[derive(Debug)]
pub enum PycWriteError {
    /// What was asked for contradicts itself.
    Config(&'static str),
    /// The header.
    Header(HeaderError),
    /// The stream.
    Stream {
        /// Where in the value, as [`Graph::path`] says it.
        path: String,
        /// The node there.
        node: NodeId,
        /// Why.
        why: StreamError,
    },
    /// The bytes cannot be written.
    #[cfg(feature = "std")]
    Io(std::io::Error),
}

/// Why there is no such header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// Headers have hashes since 3.7.
    NoHashes,
}

/// Why there is no such stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamError {
    /// The graph cannot be written as it is.
    Graph(WriteError),
    /// Code objects of the target have other fields.
    Layout,
    /// The object holds itself, which only [`References::Preserve`], [`References::AsCPython`] and [`References::Minimal`] can
    /// say.
    Recursive,
    /// It matters that the object is one, and it is in two places.
    Shared,
    /// The target's writer raises this.
    Raises(Exception),
    /// The target's writer does not end well.
    Undefined(Cause),
    /// The target's reader refuses it.
    Refused(Error),
}

impl From<HeaderError> for PycWriteError {
    fn from(error: HeaderError) -> Self {
        PycWriteError::Header(error)
    }
}

impl fmt::Display for PycWriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PycWriteError::Config(what) => write!(f, "the options contradict each other: {what}"),
            PycWriteError::Header(HeaderError::NoHashes) => f.write_str("headers have hashes since 3.7"),
            PycWriteError::Stream { path, why, .. } if path.is_empty() => why.fmt(f),
            PycWriteError::Stream { path, why, .. } => write!(f, "{path}: {why}"),
            #[cfg(feature = "std")]
            PycWriteError::Io(error) => write!(f, "the file cannot be written: {error}"),
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamError::Graph(error) => error.fmt(f),
            StreamError::Layout => f.write_str("code objects of that version have other fields"),
            StreamError::Recursive => f.write_str("the object holds itself"),
            StreamError::Shared => f.write_str("the object is in two places, and it matters that it is one"),
            StreamError::Raises(exception) => write!(f, "marshal.dumps raises {exception}"),
            StreamError::Undefined(cause) => write!(f, "the interpreter does not survive it: {}", cause.name()),
            StreamError::Refused(error) => write!(f, "that Python refuses it: {}", error.kind),
        }
    }
}

impl core::error::Error for PycWriteError {}
