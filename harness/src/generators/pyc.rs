//! `.pyc` files: a header of every version's layout, right or wrong, before a stream that is a code object or is not.
//!
//! Tools that read `.pyc` files trust their headers; importlib does not. Each file comes with the source file that it is
//! said to be of, so that the interpreter can be asked what its import would say: a header that fits, a stale one, one that
//! is refused. These are whole files, which no campaign takes for streams.
//!
//! Reviewed for Python 3.15.

use super::luck::Luck;
use super::mutate::curb;
use super::{Target, codes, values};
use arbitrary::Unstructured;
use pyc_core::Profile;

/// A `.pyc` file and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// The source file; `None` where there is only the `.pyc` file.
    pub source: Option<Source>,
    /// What is wrong with the header; `None` if an import goes on to the stream.
    pub wrong: Option<&'static str>,
    /// Whether an import goes on to the stream and that was made to be a code object.
    pub valid: bool,
}

/// What an import knows of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its contents.
    pub bytes: Vec<u8>,
    /// When it was changed, in seconds since 1970, modulo 2^32.
    pub mtime: u32,
}

/// Flags of PEP 552.
const HASH_BASED: u32 = 1;
const CHECK_SOURCE: u32 = 2;

/// The parts of a header before they are put together.
struct Header {
    magic: [u8; 4],
    /// 3.7+.
    flags: Option<u32>,
    /// Time, or the first half of the hash.
    first: u32,
    /// Size of the source (3.3+), or the other half of the hash.
    second: Option<u32>,
}

impl Header {
    fn bytes(&self) -> Vec<u8> {
        let words = [self.flags, Some(self.first), self.second];
        let words = words.into_iter().flatten().flat_map(u32::to_le_bytes);
        self.magic.into_iter().chain(words).collect()
    }

    fn put_hash(&mut self, hash: u64) {
        let [low, high] = [hash, hash >> 32].map(|half| u32::try_from(half & 0xffff_ffff).unwrap_or(0));
        (self.first, self.second) = (low, Some(high));
    }
}

/// A way to be wrong, and the first version that has it. It changes the header, or else the finished file.
type Wrong = (&'static str, (u8, u8), fn(&mut Unstructured<'_>, &mut Header, &Source, Target) -> Damage);

/// What is done to the finished file.
enum Damage {
    None,
    /// Nothing follows these bytes.
    Cut(usize),
    /// These bytes are not there.
    Without(std::ops::Range<usize>),
}

const WRONGS: [Wrong; 12] = [
    ("no bytes", (2, 7), |_, _, _, _| Damage::Cut(0)),
    ("cut in the magic number", (2, 7), |u, _, _, _| Damage::Cut(1 + u.index(3))),
    ("cut in the header", (3, 3), |u, header, _, _| Damage::Cut(4 + u.index(header.bytes().len() - 4))),
    ("magic number of another version", (2, 7), |u, header, _, target| {
        let others: Vec<u16> =
            Profile::all().map(|p| p.magic).filter(|magic| magic.to_le_bytes() != magic_of(target)[..2]).collect();
        header.magic[..2].copy_from_slice(&u.pick(&others).to_le_bytes());
        Damage::None
    }),
    ("magic number of no version", (2, 7), |u, header, _, _| {
        header.magic[u.index(2)] ^= 1 << u.below(8);
        Damage::None
    }),
    ("line ends changed", (2, 7), |u, header, _, _| {
        header.magic[2..].copy_from_slice(&u.pick(&[*b"\n\n", *b"\r\r", *b"\n\0"]));
        Damage::None
    }),
    ("a line end of one byte", (2, 7), |_, _, _, _| Damage::Without(2..3)),
    ("no header", (2, 7), |_, header, _, _| Damage::Without(0..header.bytes().len())),
    ("reserved flags", (3, 7), |u, header, _, _| {
        header.flags = Some(header.flags.unwrap_or(0) | 4 << u.below(30));
        Damage::None
    }),
    ("another time", (3, 3), |u, header, source, _| {
        header.flags = header.flags.map(|flags| flags & !HASH_BASED);
        header.first = source.mtime ^ 1 << u.below(32);
        Damage::None
    }),
    ("another size", (3, 3), |u, header, source, _| {
        header.flags = header.flags.map(|flags| flags & !HASH_BASED);
        (header.first, header.second) = (source.mtime, Some(size_of(source) ^ 1 << u.below(32)));
        Damage::None
    }),
    ("another hash", (3, 7), |u, header, source, target| {
        header.flags = Some(HASH_BASED | CHECK_SOURCE);
        let right = source_hash(target, &source.bytes);
        // Of another text, under another key, by the other function, or of none.
        header.put_hash(match u.below(4) {
            0 => right ^ 1 << u.below(64),
            1 => source_hash(target, &[&source.bytes[..], b"#"].concat()),
            2 => siphash(0, &source.bytes, rounds(target)),
            _ => siphash(key(target), &source.bytes, if rounds(target) == (1, 3) { (2, 4) } else { (1, 3) }),
        });
        Damage::None
    }),
];

/// A file for the target's import.
#[must_use]
pub fn generate(u: &mut Unstructured<'_>, target: Target, bases: &[Vec<u8>]) -> Generated {
    let wrong = if u.below(2) == 0 { None } else { Some(u.index(WRONGS.len())) };
    let wrong = wrong.map(|i| WRONGS[i]).filter(|(_, since, _)| target.version >= *since);
    let n = u.below(20) as usize;
    let source = Source { bytes: [b"x = 1 #", &u.octets(n)[..]].concat(), mtime: u.arbitrary().unwrap_or(0) };
    let mut header = right(u, target, &source);
    let damage = wrong.map_or(Damage::None, |(_, _, make)| make(u, &mut header, &source, target));
    let stale = wrong.is_some_and(|(name, ..)| name.starts_with("another "));
    let with_source = stale || u.below(2) == 0;
    let (payload, is_code) = payload(u, target, bases);
    let mut bytes = [header.bytes(), payload].concat();
    match damage {
        Damage::None => {}
        Damage::Cut(at) => bytes.truncate(at),
        Damage::Without(span) => drop(bytes.drain(span)),
    }
    // Behind a header of another length a stream begins anywhere.
    let length = header_length(target).min(bytes.len());
    curb(u, target, &mut bytes[length..]);
    let valid = is_code && wrong.is_none();
    Generated { bytes, source: with_source.then_some(source), wrong: wrong.map(|(name, ..)| name), valid }
}

fn header_length(target: Target) -> usize {
    target.profile().map_or(0, |profile| profile.header.length())
}

/// A header that the source agrees with, or that nobody compares with it.
fn right(u: &mut Unstructured<'_>, target: Target, source: &Source) -> Header {
    let mut header = Header { magic: magic_of(target), flags: None, first: source.mtime, second: None };
    if target.version >= (3, 3) {
        header.second = Some(size_of(source));
    }
    if target.version >= (3, 7) {
        // A file that checks its source and has no hash has a time.
        let flags = u.pick(&[0, HASH_BASED, HASH_BASED | CHECK_SOURCE, CHECK_SOURCE]);
        header.flags = Some(flags);
        if flags & HASH_BASED != 0 {
            let unchecked = flags & CHECK_SOURCE == 0 && u.below(2) == 1;
            header.put_hash(if unchecked { 7 } else { source_hash(target, &source.bytes) });
        }
    }
    header
}

/// What follows the header, and whether it is a code object.
fn payload(u: &mut Unstructured<'_>, target: Target, bases: &[Vec<u8>]) -> (Vec<u8>, bool) {
    match u.below(8) {
        0..=4 => {
            let made = codes::generate(u, target, bases);
            (made.bytes, made.valid)
        }
        5 => {
            let made = codes::generate(u, target, bases);
            let n = 1 + u.index(8);
            ([made.bytes, u.octets(n)].concat(), made.valid)
        }
        6 => {
            let mut bytes = codes::generate(u, target, bases).bytes;
            bytes.truncate(u.index(bytes.len()));
            (bytes, false)
        }
        _ => (values::generate(u, target), false),
    }
}

fn size_of(source: &Source) -> u32 {
    u32::try_from(source.bytes.len()).unwrap_or(u32::MAX)
}

fn magic_of(target: Target) -> [u8; 4] {
    let [low, high] = target.profile().map_or(0, |profile| profile.magic).to_le_bytes();
    [low, high, b'\r', b'\n']
}

/// The key of the target's hash of sources: its magic number.
fn key(target: Target) -> u64 {
    u32::from_le_bytes(magic_of(target)).into()
}

/// How often the hash stirs for each word and at the end.
fn rounds(target: Target) -> (u32, u32) {
    if target.version >= (3, 11) { (1, 3) } else { (2, 4) }
}

fn source_hash(target: Target, source: &[u8]) -> u64 {
    siphash(key(target), source, rounds(target))
}

/// SipHash under a key whose upper half is 0.
fn siphash(key: u64, bytes: &[u8], (each, last): (u32, u32)) -> u64 {
    let [mut a, mut b, mut c, mut d] =
        [key ^ 0x736f_6d65_7073_6575, 0x646f_7261_6e64_6f6d, key ^ 0x6c79_6765_6e65_7261, 0x7465_6462_7974_6573];
    let stir = |a: &mut u64, b: &mut u64, c: &mut u64, d: &mut u64, times: u32| {
        for _ in 0..times {
            *a = a.wrapping_add(*b);
            *c = c.wrapping_add(*d);
            *b = b.rotate_left(13) ^ *a;
            *d = d.rotate_left(16) ^ *c;
            *a = a.rotate_left(32);
            *c = c.wrapping_add(*b);
            *a = a.wrapping_add(*d);
            *b = b.rotate_left(17) ^ *c;
            *d = d.rotate_left(21) ^ *a;
            *c = c.rotate_left(32);
        }
    };
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len() / 8 * 8 + 7, 0);
    padded.push(bytes.len().to_le_bytes()[0]);
    for word in padded.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        d ^= word;
        stir(&mut a, &mut b, &mut c, &mut d, each);
        a ^= word;
    }
    c ^= 0xff;
    stir(&mut a, &mut b, &mut c, &mut d, last);
    a ^ b ^ c ^ d
}

#[cfg(test)]
mod tests;
