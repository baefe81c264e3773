//! Errors: why a stream is refused, where, and what the interpreter of the profile would say.
//!
//! A reader that only says "invalid" cannot be compared with another, so every error has a kind, a byte offset and, for
//! the kinds that CPython has too, the class and message of the exception that the profile's interpreter raises.

use crate::prelude::*;
use crate::profile::{Profile, Wording};
use core::fmt;

/// Why a stream was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Byte offset in the stream: of the first byte that could not be read, or of the object that is at fault.
    pub offset: usize,
}

/// What is wrong with a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// The stream ends where an object should start.
    EndAtObject,
    /// The stream ends where a one-byte length should be.
    EndAtLength,
    /// The stream ends inside a payload, an integer or a length.
    EndInside,
    /// A type byte that this interpreter does not know.
    UnknownType(u8),
    /// The NULL marker where an object of the named container should be (`object` at the top).
    Null(&'static str),
    /// A length is negative or too large; the text names what.
    Size(&'static str),
    /// A digit of a long integer is not below 2^15.
    Digit,
    /// The top digit of a long integer is zero.
    Unnormalized,
    /// `r` to a slot that does not exist or holds an unfinished object.
    Reference,
    /// `R` to a string that does not exist (2.7).
    StringReference,
    /// A set member or dict key has no hash.
    Unhashable {
        /// The type of the part that has no hash.
        part: &'static str,
        /// The type of the member or key.
        whole: &'static str,
        /// Whether it is a dict key (else a set member).
        key: bool,
    },
    /// The hash of a set member or dict key does not end: a tuple in it contains itself.
    EndlessHash,
    /// More nested than the interpreter allows.
    TooDeep,
    /// The text of a float is not one.
    FloatText(Box<[u8]>),
    /// A string is not UTF-8.
    Unicode(UnicodeError),
    /// A code object's field has the wrong type or sign.
    CodeField(&'static str),
    /// A name in a code object is not a string.
    CodeName,
    /// A code object has more arguments than variables.
    CodeVarnames,
    /// co_code has an odd length.
    CodeOdd,
    /// The interpreter crashes, hangs or corrupts its memory here; the model refuses.
    Undefined(Cause),
    /// The stream is longer than this library can index (4 GiB).
    InputTooLong,
}

/// What the interpreter does instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// Hashes a tuple that is unfinished or, before 3.14.10 and 3.15.2, contains itself: NULL dereference or unbounded
    /// recursion.
    HashOfUnfinishedTuple,
    /// Walks constants that contain an unfinished tuple or a tuple that contains itself.
    ConstantsContainThemselves,
    /// Fatal error `non-string found in code slot` (before 3.9).
    NonStringNameAborts,
    /// An instrumented or executor opcode in co_code.
    InstrumentedOpcode,
    /// The inline caches of the last instruction reach past the end of co_code.
    CachesPastEnd,
    /// The written form is exponentially larger than the value: shared parts are repeated, or cycles walked, before version 3.
    Expansion,
    /// A code object is loaded after the first one was dropped, and with it the file name that the reader still compares
    /// with (3.6 and before).
    FilenameFreed,
    /// No interpreter is asked: the graph was built, and cannot be written ([`crate::WriteError`] tells why) or would be
    /// refused.
    UnsoundGraph,
    /// Compares equal set members or dict keys that are nested so deep that it depends on the caller's stack whether it can
    /// (before 3.13).
    DeepComparison,
    /// 2.7 reads on after an exception in a dict, and a comparison makes it forget the exception: it accepts a value that
    /// lacks what failed. Also where that depends on the order of a hash table or on code objects that are equal.
    ForgottenException,
    /// 2.7 reads on behind a size in a dict if it has not the memory that the size claims, and behind the payload if it has.
    MemoryInDict,
    /// An assertion of a debug build fails: it hashes or shows an opcode in co_code that is none (3.14 and later).
    DebugAssertion,
    /// A free-threaded build that has not the memory for a list frees what the list never had. Whether it has it, nobody
    /// knows; so this is for sizes that are large and that the stream does not fill.
    MemoryForList,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 13] = [
        Cause::HashOfUnfinishedTuple,
        Cause::ConstantsContainThemselves,
        Cause::NonStringNameAborts,
        Cause::InstrumentedOpcode,
        Cause::CachesPastEnd,
        Cause::Expansion,
        Cause::FilenameFreed,
        Cause::UnsoundGraph,
        Cause::DeepComparison,
        Cause::ForgottenException,
        Cause::MemoryInDict,
        Cause::DebugAssertion,
        Cause::MemoryForList,
    ];

    /// A short name for counters and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Cause::HashOfUnfinishedTuple => "hash-of-unfinished-tuple",
            Cause::ConstantsContainThemselves => "constants-contain-themselves",
            Cause::NonStringNameAborts => "non-string-name-aborts",
            Cause::InstrumentedOpcode => "instrumented-opcode",
            Cause::CachesPastEnd => "caches-past-end",
            Cause::Expansion => "expansion",
            Cause::FilenameFreed => "filename-freed",
            Cause::UnsoundGraph => "unsound-graph",
            Cause::DeepComparison => "deep-comparison",
            Cause::ForgottenException => "forgotten-exception",
            Cause::MemoryInDict => "memory-in-dict",
            Cause::DebugAssertion => "debug-assertion",
            Cause::MemoryForList => "memory-for-list",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::HashOfUnfinishedTuple => {
                "the interpreter crashes: it hashes a tuple that is unfinished or contains itself"
            }
            Cause::ConstantsContainThemselves => {
                "the interpreter crashes: a code object's constants contain themselves"
            }
            Cause::NonStringNameAborts => "the interpreter aborts: a code object's name is not a string",
            Cause::InstrumentedOpcode => "the interpreter crashes when it shows or dumps co_code: an opcode that only the interpreter itself writes",
            Cause::CachesPastEnd => "the interpreter writes out of bounds: inline caches reach past the end of co_code",
            Cause::Expansion => "the interpreter repeats shared parts without end",
            Cause::FilenameFreed => "the interpreter uses the file name of a code object that it has freed",
            Cause::UnsoundGraph => "the graph was built so that it cannot be written, or would be refused",
            Cause::DeepComparison => "whether the interpreter can compare values so deep depends on its stack",
            Cause::ForgottenException => "the interpreter forgets an exception and accepts what is left",
            Cause::MemoryInDict => "how the interpreter reads on depends on the memory that it has",
            Cause::DebugAssertion => "the interpreter aborts: an assertion of its debug build fails",
            Cause::MemoryForList => "the interpreter corrupts its memory if it has too little for a list",
        })
    }
}

/// A string's bytes cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnicodeError {
    /// First byte at fault, counted from the start of the string's payload.
    pub start: usize,
    /// One past the last byte at fault.
    pub end: usize,
    /// The first byte at fault.
    pub byte: u8,
    /// CPython's reason.
    pub reason: &'static str,
}

/// The class and text of a Python exception, as predicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// `type(e).__name__`
    pub class: &'static str,
    /// `str(e)`
    pub message: String,
}

impl Exception {
    pub(crate) fn new(class: &'static str, message: impl Into<String>) -> Self {
        Exception { class, message: message.into() }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, offset: usize) -> Self {
        Error { kind, offset }
    }

    /// What the interpreter does instead of raising an exception, if this is such an error.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        match self.kind {
            ErrorKind::Undefined(cause) => Some(cause),
            _ => None,
        }
    }

    /// The exception that `marshal.loads` of the profile's interpreter raises. For [`ErrorKind::Undefined`] there is none;
    /// the answer then has the class `Undefined`.
    #[must_use]
    pub fn exception(&self, profile: &Profile) -> Exception {
        let wording = profile.wording();
        let bad = |what: &str| Exception::new("ValueError", format!("bad marshal data ({what})"));
        let python2 = profile.is_python2();
        match &self.kind {
            ErrorKind::EndAtObject => Exception::new("EOFError", "EOF read where object expected"),
            ErrorKind::EndAtLength => match wording {
                Wording::Python27 | Wording::Python34 => Exception::new("EOFError", "EOF read where object expected"),
                Wording::Python3115 => Exception::new("EOFError", "EOF read where not expected"),
            },
            ErrorKind::EndInside if python2 => Exception::new("EOFError", "EOF read where object expected"),
            ErrorKind::EndInside => Exception::new("EOFError", "marshal data too short"),
            ErrorKind::UnknownType(_) => bad("unknown type code"),
            ErrorKind::Null(what) => Exception::new("TypeError", format!("NULL object in marshal data for {what}")),
            ErrorKind::Size(what) => bad(&format!("{what} size out of range")),
            ErrorKind::Digit => bad("digit out of range in long"),
            ErrorKind::Unnormalized => bad("unnormalized long data"),
            ErrorKind::Reference => bad("invalid reference"),
            ErrorKind::StringReference => bad("string ref out of range"),
            ErrorKind::Unhashable { part, whole, key } => {
                let plain = format!("unhashable type: '{part}'");
                Exception::new(
                    "TypeError",
                    match (profile.wraps_unhashable(), key) {
                        (false, _) => plain,
                        (true, true) => format!("cannot use '{whole}' as a dict key ({plain})"),
                        (true, false) => format!("cannot use '{whole}' as a set element ({plain})"),
                    },
                )
            }
            ErrorKind::EndlessHash => {
                // The number depends on the stack, and so does what is being hashed when it is full.
                Exception::new("RecursionError", "Stack overflow (used 0 kB) while hashing a tuple")
            }
            ErrorKind::TooDeep => Exception::new("ValueError", "recursion limit exceeded"),
            ErrorKind::FloatText(text) => {
                // `%.200s` of a C string; quoted since 3.8.
                let text = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
                let quote = if profile.checks_code_signs() { "'" } else { "" };
                Exception::new("ValueError", format!("could not convert string to float: {quote}{text}{quote}"))
            }
            ErrorKind::Unicode(e) => {
                let codec = if python2 { "utf8" } else { "utf-8" };
                let what = if e.end == e.start + 1 {
                    format!("byte {:#04x} in position {}", e.byte, e.start)
                } else {
                    format!("bytes in position {}-{}", e.start, e.end - 1)
                };
                Exception::new("UnicodeDecodeError", format!("'{codec}' codec can't decode {what}: {}", e.reason))
            }
            ErrorKind::CodeField(_) => {
                // Prefix and line number depend on the build; the oracle compares the tail.
                Exception::new("SystemError", "Objects/codeobject.c:0: bad argument to internal function")
            }
            ErrorKind::CodeName => Exception::new("SystemError", "non-string found in code slot"),
            ErrorKind::CodeVarnames if profile.rebuilds_code() => {
                Exception::new("ValueError", "code: co_varnames is too small")
            }
            ErrorKind::CodeVarnames => Exception::new("ValueError", "code: varnames is too small"),
            ErrorKind::CodeOdd => Exception::new("ValueError", "code: co_code is malformed"),
            ErrorKind::Undefined(cause) => Exception::new("Undefined", cause.to_string()),
            ErrorKind::InputTooLong => Exception::new("OverflowError", "the stream is longer than 4 GiB"),
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::EndAtObject => f.write_str("the stream ends where an object should start"),
            ErrorKind::EndAtLength => f.write_str("the stream ends where a length should be"),
            ErrorKind::EndInside => f.write_str("the stream ends in the middle of an object"),
            ErrorKind::UnknownType(byte) => write!(f, "unknown type byte {byte:#04x}"),
            ErrorKind::Null(what) => write!(f, "NULL marker inside {what}"),
            ErrorKind::Size(what) => write!(f, "{what} size out of range"),
            ErrorKind::Digit => f.write_str("a digit of a long integer is out of range"),
            ErrorKind::Unnormalized => f.write_str("the top digit of a long integer is zero"),
            ErrorKind::Reference => f.write_str("reference to an object that does not exist or is not finished"),
            ErrorKind::StringReference => f.write_str("reference to a string that does not exist"),
            ErrorKind::Unhashable { part, key, .. } => {
                write!(f, "unhashable type '{part}' in a {}", if *key { "dict key" } else { "set member" })
            }
            ErrorKind::EndlessHash => f.write_str("hash of a tuple that contains itself"),
            ErrorKind::TooDeep => f.write_str("nested too deep"),
            ErrorKind::FloatText(text) => write!(f, "not the text of a float: {:?}", String::from_utf8_lossy(text)),
            ErrorKind::Unicode(e) => {
                write!(f, "not UTF-8: byte {:#04x} at {} of the string: {}", e.byte, e.start, e.reason)
            }
            ErrorKind::CodeField(field) => write!(f, "the code object's {field} has a wrong type, size or sign"),
            ErrorKind::CodeName => f.write_str("a name in the code object is not a string"),
            ErrorKind::CodeVarnames => f.write_str("the code object has more arguments than variables"),
            ErrorKind::CodeOdd => f.write_str("co_code has an odd length"),
            ErrorKind::Undefined(cause) => write!(f, "{cause}"),
            ErrorKind::InputTooLong => f.write_str("the stream is longer than 4 GiB"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at offset {:#x})", self.kind, self.offset)
    }
}

impl core::error::Error for Error {}
