//! The .pyc container: magic number, header, marshal stream.
//!
//! Three header layouts exist, and the commonest accident is a wrong one: a file cut short, the stream without its header,
//! a file of a Python that is newer than the tool. [`Pyc::parse`] keeps every byte (so [`Pyc::to_bytes`] is its inverse)
//! and tells these accidents apart.
//!
//! ```
//! use pyc_core::{Profile, Pyc, Version, pyc::{Header, source_hash}};
//! let profile = Profile::of(Version::new(3, 12)).unwrap();
//! let hash = source_hash(profile, b"x=1\n");
//! assert_eq!(hash, [0x2c, 0xf2, 0x6e, 0xbe, 0x71, 0x32, 0x86, 0x71]);
//! let pyc = Pyc::new(profile, Header::Hash { flags: 3, hash }, b"N");
//! let bytes = pyc.to_bytes();
//! assert_eq!(Pyc::parse(&bytes).unwrap(), pyc);
//! ```

mod import;

pub use import::{Refusal, SourceFile, import};

use crate::magic::Magic;
use crate::prelude::*;
use crate::profile::{HeaderLayout, Profile};
use core::fmt;

/// A .pyc file, taken apart; borrows its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pyc<'a> {
    profile: &'static Profile,
    /// The fields behind the magic number.
    pub header: Header,
    /// The marshal stream, with whatever follows it.
    pub payload: &'a [u8],
}

/// What the header says of the source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// Up to 3.2.
    Mtime {
        /// Time of last change, seconds since 1970, modulo 2^32.
        mtime: u32,
    },
    /// 3.3 to 3.6; from 3.7 on with flags bit 0 clear.
    MtimeSize {
        /// The flags word as it is (0; before 3.7 there is none and this is 0).
        flags: u32,
        /// Time of last change, seconds since 1970, modulo 2^32.
        mtime: u32,
        /// Size of the source file in bytes, modulo 2^32.
        size: u32,
    },
    /// PEP 552, 3.7 and later, flags bit 0 set.
    Hash {
        /// The flags word as it is (1 or 3 in valid files); see [`Header::checks_source`].
        flags: u32,
        /// [`source_hash`] of the source file.
        hash: [u8; 8],
    },
}

impl Header {
    /// Whether the interpreter compares the hash with the source's: flags bit 1 of a hash-based file.
    #[must_use]
    pub fn checks_source(&self) -> bool {
        matches!(self, Header::Hash { flags, .. } if flags & 2 != 0)
    }
}

/// Why bytes are not a .pyc file that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PycError {
    /// No bytes at all.
    Empty,
    /// Fewer bytes than the header takes.
    Truncated {
        /// Bytes there are.
        have: usize,
        /// Bytes the header takes; 4 when not even the magic number is there.
        need: usize,
        /// Whose header it is, when that is known.
        whose: Option<&'static str>,
    },
    /// Looks like a marshal stream without a header.
    Headerless {
        /// The first byte.
        first: u8,
    },
    /// Somebody's magic number, but not one whose format is modelled.
    UnknownFormat {
        /// The number.
        magic: u16,
        /// Who writes it, if known.
        whose: Option<&'static str>,
    },
    /// Not a .pyc file: no magic number.
    NotPyc {
        /// The first four bytes.
        start: [u8; 4],
    },
}

impl PycError {
    /// Byte offset of the first byte at fault.
    #[must_use]
    pub fn offset(&self) -> usize {
        match self {
            PycError::Truncated { have, .. } => *have,
            _ => 0,
        }
    }
}

impl fmt::Display for PycError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PycError::Empty => f.write_str("the file is empty"),
            PycError::Truncated { have, need, whose: None } => {
                write!(f, "the file ends after {have} bytes; a magic number takes {need}")
            }
            PycError::Truncated { have, need, whose: Some(whose) } => {
                write!(f, "the file ends after {have} bytes; the header of {whose} takes {need}")
            }
            PycError::Headerless { first } => write!(
                f,
                "no magic number; the first byte {first:#04x} starts a marshal stream, so this looks like one without its \
                 .pyc header: say which Python wrote it"
            ),
            PycError::UnknownFormat { magic, whose: Some(whose) } => {
                write!(f, "magic number {magic} is that of {whose}, whose format is not supported")
            }
            PycError::UnknownFormat { magic, whose: None } => {
                write!(
                    f,
                    "magic number {magic} belongs to no known Python; perhaps one that is newer than this library"
                )
            }
            PycError::NotPyc { start } => {
                write!(f, "not a .pyc file: bytes 2 and 3 should be 0d 0a, the file starts with {start:02x?}")
            }
        }
    }
}

impl core::error::Error for PycError {}

impl<'a> Pyc<'a> {
    /// A file for the profile's version. The header is written in its layout: fields that it lacks are left out.
    ///
    /// # Panics
    /// Never: every profile's version is one of [`Profile::all`].
    #[must_use]
    pub fn new(profile: &Profile, header: Header, payload: &'a [u8]) -> Pyc<'a> {
        let profile = Profile::of(profile.version).expect("profiles are made from the table");
        Pyc { profile, header, payload }
    }

    /// Takes a file apart.
    ///
    /// # Errors
    /// When it is not a .pyc file of a modelled version, or ends inside its header. The marshal stream is not looked at.
    pub fn parse(bytes: &'a [u8]) -> Result<Pyc<'a>, PycError> {
        if bytes.is_empty() {
            return Err(PycError::Empty);
        }
        let Some((start, _)) = bytes.split_first_chunk::<4>() else {
            return Err(match bytes[0] {
                b'N' | b'T' | b'F' | b'.' | b'S' => PycError::Headerless { first: bytes[0] },
                _ => PycError::Truncated { have: bytes.len(), need: 4, whose: None },
            });
        };
        let number = u16::from_le_bytes([start[0], start[1]]);
        let magic = Magic::of(number);
        if let Some(old) = Magic::at_start(bytes).filter(|magic| magic.profile().is_none()) {
            return Err(PycError::UnknownFormat { magic: number, whose: old.name() });
        }
        if start[2..] != *b"\r\n" {
            return Err(match start[0] & 0x7F {
                b'c' | b'(' | b')' | b'[' | b'{' | b'<' | b'>' | b'i' | b'l' | b's' | b't' | b'u' | b'z' | b'Z'
                | b'a' | b'A' | b'g' | b'y' | b'N' | b'T' | b'F' => PycError::Headerless { first: start[0] },
                _ => PycError::NotPyc { start: *start },
            });
        }
        let Some(profile) = magic.profile() else {
            return Err(PycError::UnknownFormat { magic: number, whose: magic.name() });
        };
        let need = profile.header.length();
        let word = |at: usize| -> Result<u32, PycError> {
            let field = bytes.get(at..at + 4).and_then(|b| b.first_chunk::<4>());
            field.map(|b| u32::from_le_bytes(*b)).ok_or(PycError::Truncated {
                have: bytes.len(),
                need,
                whose: magic.name(),
            })
        };
        let header = match profile.header {
            HeaderLayout::Mtime => Header::Mtime { mtime: word(4)? },
            HeaderLayout::MtimeSize => {
                let size = word(8)?;
                Header::MtimeSize { flags: 0, mtime: word(4)?, size }
            }
            HeaderLayout::Flags => {
                let (flags, low, high) = (word(4)?, word(8)?, word(12)?);
                if flags & 1 == 0 {
                    Header::MtimeSize { flags, mtime: low, size: high }
                } else {
                    let hash = (u64::from(high) << 32 | u64::from(low)).to_le_bytes();
                    Header::Hash { flags, hash }
                }
            }
        };
        Ok(Pyc { profile, header, payload: &bytes[need..] })
    }

    /// The profile of the version that the magic number stands for.
    #[must_use]
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// The magic number.
    #[must_use]
    pub fn magic(&self) -> Magic {
        Magic::of(self.profile.magic)
    }

    /// Where the payload starts in the file.
    #[must_use]
    pub fn payload_offset(&self) -> usize {
        self.profile.header.length()
    }

    /// Flags that no Python knows (bits other than 0 and 1): importing such a file fails with `invalid flags`.
    #[must_use]
    pub fn invalid_flags(&self) -> Option<u32> {
        match self.header {
            Header::MtimeSize { flags, .. } | Header::Hash { flags, .. } if flags & !3 != 0 => Some(flags),
            _ => None,
        }
    }

    /// The whole file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.header_bytes();
        out.extend_from_slice(self.payload);
        out
    }

    /// What is in front of the stream.
    #[must_use]
    pub fn header_bytes(&self) -> Vec<u8> {
        let (flags, fields) = match self.header {
            Header::Mtime { mtime } => (0, [mtime, 0].map(u32::to_le_bytes).concat()),
            Header::MtimeSize { flags, mtime, size } => (flags, [mtime, size].map(u32::to_le_bytes).concat()),
            Header::Hash { flags, hash } => (flags, hash.to_vec()),
        };
        let mut out = self.magic().bytes().to_vec();
        match self.profile.header {
            HeaderLayout::Mtime => out.extend_from_slice(&fields[..4]),
            HeaderLayout::MtimeSize => out.extend_from_slice(&fields),
            HeaderLayout::Flags => {
                out.extend_from_slice(&flags.to_le_bytes());
                out.extend_from_slice(&fields);
            }
        }
        out
    }
}

/// PEP 552's hash of a source file's bytes: SipHash keyed with the magic number.
#[must_use]
pub fn source_hash(profile: &Profile, source: &[u8]) -> [u8; 8] {
    let key = u64::from(u32::from_le_bytes(Magic::of(profile.magic).bytes()));
    let (compression, finalization) = profile.source_hash_rounds();
    siphash(key, 0, source, compression, finalization).to_le_bytes()
}

/// SipHash-c-d of a byte string (`Python/pyhash.c`, `siphash13` and `siphash24`).
fn siphash(k0: u64, k1: u64, bytes: &[u8], compression: u32, finalization: u32) -> u64 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let round = |v: &mut [u64; 4]| {
        v[0] = v[0].wrapping_add(v[1]);
        v[2] = v[2].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[1]);
        v[0] = v[0].wrapping_add(v[3]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].rotate_left(32);
    };
    let chunks = bytes.chunks_exact(8);
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    last[7] = bytes.len().to_le_bytes()[0];
    for word in chunks.map(|c| c.try_into().unwrap_or([0; 8])).chain([last]) {
        let word = u64::from_le_bytes(word);
        v[3] ^= word;
        (0..compression).for_each(|_| round(&mut v));
        v[0] ^= word;
    }
    v[2] ^= 0xFF;
    (0..finalization).for_each(|_| round(&mut v));
    v.iter().fold(0, |a, b| a ^ b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Version;

    #[test]
    fn source_hashes_are_importlibs() {
        for (minor, hash) in [
            (7, "5e9bd3d48344ffeb"),
            (8, "435849b49c105023"),
            (9, "aebb0098f8efd1f2"),
            (10, "a5895a49575becf9"),
            (11, "f71da1d5f9e80d87"),
            (12, "2cf26ebe71328671"),
            (13, "9f719b8a1d6be2fb"),
            (14, "50ffcae5cfe8cfcc"),
            (15, "a6970e2bfa3b160d"),
        ] {
            let profile = Profile::of(Version::new(3, minor)).unwrap();
            let got: String = source_hash(profile, b"x=1\n").iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(got, hash, "3.{minor}");
        }
    }

    #[test]
    fn every_header_round_trips() {
        for profile in Profile::all() {
            for flags in [0_u32, 1, 2, 3, 4, 0xFFFF_FFFF] {
                let mut file = Magic::of(profile.magic).bytes().to_vec();
                file.extend_from_slice(&flags.to_le_bytes());
                file.extend_from_slice(b"abcdefghN trailing");
                let pyc = Pyc::parse(&file).unwrap();
                assert_eq!(pyc.to_bytes(), file);
                let checked = profile.header == HeaderLayout::Flags && flags & 3 == 3;
                assert_eq!(pyc.header.checks_source(), checked);
                assert_eq!(pyc.payload, &file[pyc.payload_offset()..]);
                for cut in 4..profile.header.length() {
                    let need = profile.header.length();
                    assert!(
                        matches!(Pyc::parse(&file[..cut]), Err(PycError::Truncated { have, need: n, .. }) if have == cut && n == need)
                    );
                }
            }
        }
    }

    #[test]
    fn accidents_are_told_apart() {
        let check = |bytes: &[u8], expected: &str| {
            let error = Pyc::parse(bytes).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.offset() <= bytes.len());
        };
        check(b"", "is empty");
        check(b"\xcb", "ends after 1 bytes; a magic number takes 4");
        check(b"\xcb\x0d\r\n123", "the header of CPython 3.12 takes 16");
        check(b"\xe3\0\0\0\0\0\0\0\0\0\0\0", "without its .pyc header");
        check(b"PK\x03\x04", "not a .pyc file");
        check(&[0x74, 0x0e, 13, 10], "CPython 3.16");
        check(&[0xff, 0xfe, 13, 10], "no known Python");
        check(&[0x9e, 0x0d, 13, 10], "CPython 3.11, before its final release, whose format is not supported");
    }
}
