//! Profiles: everything in which one Python differs from another, from one table.
//!
//! marshal has no version in the stream and the interpreters disagree about the same bytes, so "is this stream valid" has
//! no answer without "for whom". A [`Profile`] is that "whom": reading, modelling and writing ask it, and no other module
//! compares Python versions.
//!
//! ```
//! use pyc_core::{Profile, Release};
//! let profile = Profile::for_release(&Release::parse("3.12.1").unwrap()).unwrap();
//! assert_eq!(profile.magic, 3531);
//! assert_eq!(profile.marshal_version, 4);
//! ```

mod bytecode;

pub(crate) use bytecode::{COMPARISON_MASKS, TableFormat};

use crate::prelude::*;
use core::fmt;

/// A Python feature version such as 3.12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 2 or 3.
    pub major: u8,
    /// The second number.
    pub minor: u8,
}

impl Version {
    /// The version `major.minor`.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Version { major, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// An exact release such as 3.14.2 or 3.15.0rc1; ordered as released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// 3.14
    pub version: Version,
    /// 2
    pub micro: u8,
    /// 0xA alpha, 0xB beta, 0xC candidate, 0xF final: the nibble of `sys.hexversion`.
    pub level: u8,
    /// The 1 of rc1; 0 for a final release.
    pub serial: u8,
}

impl Release {
    const fn new(major: u8, minor: u8, micro: u8) -> Self {
        Release { version: Version::new(major, minor), micro, level: 0xF, serial: 0 }
    }

    const fn candidate(mut self, serial: u8) -> Self {
        self.level = 0xC;
        self.serial = serial;
        self
    }

    /// Parses `3.14.2`, `3.15.0rc1`, `3.12` (then the release of [`Profile::of`], if there is one).
    #[must_use]
    pub fn parse(text: &str) -> Option<Release> {
        let mut parts = text.trim().split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let version = Version::new(major, minor);
        let Some(rest) = parts.next() else {
            return Some(Profile::of(version).map_or(Release::new(major, minor, 0), |p| p.release));
        };
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let micro = rest[..digits].parse().ok()?;
        let tail = rest[digits..].trim_end_matches('+');
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let level = match &tail[..letters] {
            "" => return tail.is_empty().then_some(Release::new(major, minor, micro)),
            "a" => 0xA,
            "b" => 0xB,
            "c" | "rc" => 0xC,
            _ => return None,
        };
        Some(Release { version, micro, level, serial: tail[letters..].parse().ok()? })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.version, self.micro)?;
        match self.level {
            0xF => Ok(()),
            level => write!(f, "{}{}", ["a", "b", "rc"][usize::from(level.clamp(0xA, 0xC) - 0xA)], self.serial),
        }
    }
}

/// The fields between a .pyc file's magic number and its marshal stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderLayout {
    /// 8 bytes: magic, mtime (up to 3.2).
    Mtime,
    /// 12 bytes: magic, mtime, source size (3.3 to 3.6).
    MtimeSize,
    /// 16 bytes: magic, flags, then mtime and size or a source hash (PEP 552, 3.7 and later).
    Flags,
}

impl HeaderLayout {
    /// Length of the header in bytes, the magic number included.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            HeaderLayout::Mtime => 8,
            HeaderLayout::MtimeSize => 12,
            HeaderLayout::Flags => 16,
        }
    }
}

/// Which fields a marshalled code object has; see [`crate::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodeLayout {
    /// 2.3 to 2.7: four integers, nine objects.
    Python27,
    /// 3.0 to 3.7: kwonlyargcount is new.
    Python30,
    /// 3.8 to 3.10: posonlyargcount is new.
    Python38,
    /// 3.11 and later: localsplusnames and localspluskinds, qualname, exceptiontable; no nlocals.
    Python311,
}

/// The wording of short reads and of some checks, which changed twice (reference: `Python/marshal.c`, `r_byte`, `r_string`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Wording {
    /// 2.7: no end-of-file check while integers are assembled.
    Python27,
    /// 3.4 to 3.11.4.
    Python34,
    /// 3.11.5 and later: every single byte is checked.
    Python3115,
}

/// What came with a release that was not the first of its version: interpreters of one version differ in it.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// `I` is read again (bpo-32011).
    Int64,
    /// `code: varnames is too small` (bpo-24618).
    VarnamesChecked,
    /// Every single byte is checked for the end of the stream (gh-101006).
    EveryByteChecked,
    /// An error stops the writer at once (gh-132715).
    WriterStops,
    /// One-byte bytes objects come from the cache (gh-128509).
    OneByteCached,
    /// Members of sets that have the same dump are not compared any more (gh-159184).
    MembersNotCompared,
    /// References to a finished frozendict are resolved (gh-155315).
    FrozendictReferred,
    /// A hash that does not end is a RecursionError (gh-154318).
    HashRecursionChecked,
}

/// The one table of changes between releases of a version: the first release of each version that has the change. Versions
/// after the last one have it from the start. The numbers are those of CPython's changelogs, which name each by its issue;
/// betas are not modelled, so what came with one counts as there from the start.
static CHANGES: [(Change, &[Release]); 8] = [
    (Change::Int64, &[Release::new(3, 6, 4)]),
    (Change::VarnamesChecked, &[Release::new(3, 6, 7), Release::new(3, 7, 1)]),
    (Change::EveryByteChecked, &[Release::new(3, 11, 5)]),
    (Change::WriterStops, &[Release::new(3, 13, 12), Release::new(3, 14, 3)]),
    (Change::OneByteCached, &[Release::new(3, 14, 8), Release::new(3, 15, 0).candidate(3)]),
    (Change::MembersNotCompared, &[Release::new(3, 14, 9), Release::new(3, 15, 1)]),
    (Change::FrozendictReferred, &[Release::new(3, 15, 1)]),
    (Change::HashRecursionChecked, &[Release::new(3, 14, 10), Release::new(3, 15, 2)]),
];

/// How one interpreter reads and writes marshal streams and .pyc files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Profile {
    /// 3.12
    pub version: Version,
    /// The exact release that is modelled; some answers depend on it (see [`Profile::turning_points`]).
    pub release: Release,
    /// The 16-bit magic number of final releases.
    pub magic: u16,
    /// The .pyc header.
    pub header: HeaderLayout,
    /// `marshal.version`, the highest format version that it writes.
    pub marshal_version: u8,
    /// The fields of code objects.
    pub code_layout: CodeLayout,
    /// The deepest nesting that the reader and the writer accept: 2000, and less on some platforms ([`Profile::on_platform`]).
    pub max_depth: u32,
    /// Size of a C pointer: 64 or 32.
    pub pointer_bits: u8,
    /// The characters below 256 whose interned string is not the one that the interpreter keeps for that character, one bit
    /// each. 3.11 and 3.12 intern the names of their frozen modules first, so it depends on the build; ask the interpreter
    /// whether `sys.intern(chr(c)) is chr(c)`.
    pub interned_elsewhere: [u64; 4],
    /// Whether NaNs become quiet when they are loaded: 32-bit x86 passes floats through the x87, which sets their quiet bit.
    pub quiets_nans: bool,
    /// Whether it is a debug build (`--with-pydebug`): what its assertions forbid ends the process.
    pub debug: bool,
    /// Whether it is a free-threaded build (`--disable-gil`), of 3.13 or later: it keeps one object of equal constants, and
    /// never counts the references to code objects. The model was compared with 3.13t; what it says of later ones is from
    /// their sources.
    pub free_threaded: bool,
}

/// The one table of versions: the newest release that the model was compared with, magic number, header, marshal version,
/// code layout.
const fn row(
    release: Release,
    magic: u16,
    header: HeaderLayout,
    marshal_version: u8,
    code_layout: CodeLayout,
) -> Profile {
    let version = release.version;
    Profile {
        version,
        release,
        magic,
        header,
        marshal_version,
        code_layout,
        max_depth: 2000,
        pointer_bits: 64,
        interned_elsewhere: [0; 4],
        quiets_nans: false,
        debug: false,
        free_threaded: false,
    }
}

static PROFILES: [Profile; 11] = {
    use CodeLayout::{Python27, Python30, Python38, Python311};
    use HeaderLayout::{Flags, Mtime, MtimeSize};
    [
        row(Release::new(2, 7, 18), 62211, Mtime, 2, Python27),
        row(Release::new(3, 6, 15), 3379, MtimeSize, 4, Python30),
        row(Release::new(3, 7, 16), 3394, Flags, 4, Python30),
        row(Release::new(3, 8, 18), 3413, Flags, 4, Python38),
        row(Release::new(3, 9, 18), 3425, Flags, 4, Python38),
        row(Release::new(3, 10, 13), 3439, Flags, 4, Python38),
        row(Release::new(3, 11, 7), 3495, Flags, 4, Python311),
        row(Release::new(3, 12, 1), 3531, Flags, 4, Python311),
        row(Release::new(3, 13, 18), 3571, Flags, 4, Python311),
        row(Release::new(3, 14, 10), 3627, Flags, 5, Python311),
        row(Release::new(3, 15, 2), 3666, Flags, 6, Python311),
    ]
};

impl Profile {
    /// Every modelled version, each at the newest release that the model was compared with, oldest first.
    pub fn all() -> impl Iterator<Item = &'static Profile> {
        PROFILES.iter()
    }

    /// The profile of a version, at the newest release of it that the model was compared with.
    #[must_use]
    pub fn of(version: Version) -> Option<&'static Profile> {
        PROFILES.iter().find(|p| p.version == version)
    }

    /// The profile of an exact release; `None` when its version is not modelled.
    #[must_use]
    pub fn for_release(release: &Release) -> Option<Profile> {
        Profile::of(release.version).map(|p| Profile { release: *release, ..p.clone() })
    }

    /// The profile whose final releases write this magic number.
    #[must_use]
    pub fn for_magic(magic: u16) -> Option<&'static Profile> {
        PROFILES.iter().find(|p| p.magic == magic)
    }

    /// The newest release of this version that the model was compared with. A newer one may have changes that no row of the
    /// tables tells.
    #[must_use]
    pub fn compared_up_to(&self) -> Release {
        Profile::of(self.version).map_or(self.release, |known| known.release)
    }

    /// A release for each way in which releases of this version answer, oldest first: the first one, and those that came with
    /// a change. Each answers for all up to the next.
    #[must_use]
    pub fn turning_points(&self) -> Vec<Release> {
        let changes = CHANGES.iter().flat_map(|(_, releases)| releases.iter()).filter(|r| r.version == self.version);
        let mut points: Vec<Release> = changes.copied().collect();
        let first = Release::new(self.version.major, self.version.minor, 0);
        // Candidates write final magic numbers.
        points.push(first);
        if points.iter().any(|point| *point < first) {
            points.push(first.candidate(1));
        }
        points.sort_unstable();
        points.dedup();
        points
    }

    /// The same interpreter built with pointers of this size.
    #[must_use]
    pub fn with_pointer_bits(self, pointer_bits: u8) -> Profile {
        Profile { pointer_bits, ..self }
    }

    /// The same interpreter on a platform with another nesting limit.
    #[must_use]
    pub fn with_max_depth(self, max_depth: u32) -> Profile {
        Profile { max_depth, ..self }
    }

    /// The same interpreter on another platform, as `sys.platform` has it (`MAX_MARSHAL_STACK_DEPTH` in `Python/marshal.c`; builds for
    /// Emscripten were asked: 3.11 and 3.12 go as deep as on Linux, 3.13 to 3.15 do not).
    #[must_use]
    pub fn on_platform(self, platform: &str) -> Profile {
        match platform {
            "emscripten" if !self.since(3, 13) => self,
            "emscripten" | "wasi" | "ios" => self.with_max_depth(1500),
            "win32" => self.with_max_depth(1000),
            _ => self,
        }
    }

    /// The same interpreter in a build that has interned other strings for these characters.
    #[must_use]
    pub fn with_interned_elsewhere(mut self, characters: &[u8]) -> Profile {
        for &c in characters {
            self.interned_elsewhere[usize::from(c >> 6)] |= 1 << (c & 63);
        }
        self
    }

    /// The same interpreter in a build that makes NaNs quiet, or does not.
    #[must_use]
    pub fn with_quiet_nans(self, quiets_nans: bool) -> Profile {
        Profile { quiets_nans, ..self }
    }

    /// The same interpreter as a debug build, or as none.
    #[must_use]
    pub fn with_assertions(self, debug: bool) -> Profile {
        Profile { debug, ..self }
    }

    /// The same interpreter as a free-threaded build, or as none. Before 3.13 there are no such builds.
    #[must_use]
    pub fn with_free_threading(self, free_threaded: bool) -> Profile {
        let free_threaded = free_threaded && self.since(3, 13);
        Profile { free_threaded, ..self }
    }

    /// The bits of a float that was read as these.
    pub(crate) fn loads_float(&self, bits: u64) -> u64 {
        const QUIET: u64 = 1 << 51;
        if self.quiets_nans && f64::from_bits(bits).is_nan() { bits | QUIET } else { bits }
    }

    /// Whether a string of one character below 256 is interned as another object than the cached one.
    pub(crate) fn interns_elsewhere(&self, character: u8) -> bool {
        self.interned_elsewhere[usize::from(character >> 6)] >> (character & 63) & 1 != 0
    }

    fn since(&self, major: u8, minor: u8) -> bool {
        self.version >= Version::new(major, minor)
    }

    fn has(&self, change: Change) -> bool {
        let (_, releases) = CHANGES[change as usize];
        let newest = releases.iter().rfind(|release| release.version <= self.version);
        newest.is_some_and(|release| self.release >= *release)
    }

    /// Python 2: `str` is bytes, `int` and `long` differ, streams have no flags and no references to objects.
    #[must_use]
    pub fn is_python2(&self) -> bool {
        self.version.major == 2
    }

    pub(crate) fn wording(&self) -> Wording {
        if self.is_python2() {
            Wording::Python27
        } else if self.has(Change::EveryByteChecked) {
            Wording::Python3115
        } else {
            Wording::Python34
        }
    }

    /// Whether the reader knows this type byte (without its flag).
    pub(crate) fn reads(&self, code: u8) -> bool {
        match code {
            b'0' | b'N' | b'T' | b'F' | b'.' | b'S' | b'i' | b'l' | b'f' | b'g' | b'x' | b'y' | b's' | b't' | b'u' => {
                true
            }
            b'(' | b'[' | b'{' | b'<' | b'>' | b'c' => true,
            b'I' => self.is_python2() || self.has(Change::Int64),
            b'R' => self.is_python2(),
            b'a' | b'A' | b'z' | b'Z' | b')' | b'r' => !self.is_python2(),
            b':' => self.since(3, 14),
            b'}' => self.since(3, 15),
            _ => false,
        }
    }

    /// 3.14 wraps `unhashable type: 'list'` into a longer sentence.
    pub(crate) fn wraps_unhashable(&self) -> bool {
        self.since(3, 14)
    }

    /// A non-string among a code object's names ends the process before 3.9, and is a SystemError since.
    pub(crate) fn non_string_name_aborts(&self) -> bool {
        !self.since(3, 9)
    }

    /// Since 3.8 posonlyargcount, stacksize and flags are checked, and `could not convert` quotes its text.
    pub(crate) fn checks_code_signs(&self) -> bool {
        self.since(3, 8)
    }

    /// `code: varnames is too small` exists since 3.6.7 and 3.7.1.
    pub(crate) fn checks_varnames(&self) -> bool {
        self.has(Change::VarnamesChecked)
    }

    /// 3.11 and later subtract the numbers of arguments from the number of variables, in 32 bits that may overflow.
    pub(crate) fn subtracts_arguments(&self) -> bool {
        self.since(3, 11)
    }

    /// Loading walks over the instructions, dies of instrumented ones, and writes behind the last. A free-threaded 3.13 does
    /// not specialize instructions, so it does not walk.
    pub(crate) fn looks_at_code_on_load(&self) -> bool {
        self.since(3, 12) && !self.since(3, 14) && !self.free_threaded
    }

    /// The hash of a code object is made from its `co_code`, not from the instructions that this is made from.
    pub(crate) fn hashes_shown_code(&self) -> bool {
        !self.since(3, 12)
    }

    /// All strings among a code object's constants are interned, not only those that look like names.
    pub(crate) fn interns_all_strings(&self) -> bool {
        self.free_threaded && self.since(3, 14)
    }

    /// 3.6 to 3.10 recompute CO_NOFREE.
    pub(crate) fn recomputes_nofree(&self) -> bool {
        self.since(3, 6) && !self.since(3, 11)
    }

    /// The last field of a code object before 3.11 is the line table of 3.10, not lnotab.
    pub(crate) fn has_linetable(&self) -> bool {
        self.since(3, 10)
    }

    /// PEP 552's source hash is SipHash-1-3 since 3.11, SipHash-2-4 before.
    pub(crate) fn source_hash_rounds(&self) -> (u32, u32) {
        if self.since(3, 11) { (1, 3) } else { (2, 4) }
    }

    /// PYTHONPYCACHEPREFIX says where .pyc files are.
    #[must_use]
    pub fn has_cache_prefix(&self) -> bool {
        self.since(3, 8)
    }

    /// Interned strings are written as if they had more than one owner; and up to 2.7 nothing asks for owners.
    pub(crate) fn flags_interned(&self) -> bool {
        self.since(3, 11) || self.is_python2()
    }

    /// Strings of one character below 256 are interned from the beginning.
    pub(crate) fn interns_characters(&self) -> bool {
        self.since(3, 13)
    }

    /// Whether code objects have an attribute `co_lnotab`, whatever their table is.
    #[must_use]
    pub fn shows_lnotab(&self) -> bool {
        !self.since(3, 15)
    }

    /// A call of `marshal.dumps` packs its arguments into a tuple while the caller holds them, too; later ones do not pack them.
    pub(crate) fn packs_arguments(&self) -> bool {
        self.since(3, 6) && !self.since(3, 7)
    }

    /// 3.13 turns a stacksize of 0 into 1.
    pub(crate) fn least_stacksize(&self) -> i32 {
        if self.since(3, 13) { 1 } else { i32::MIN }
    }

    /// 3.13 interns file name, name and qualified name.
    pub(crate) fn interns_code_names(&self) -> bool {
        self.since(3, 13)
    }

    /// 3.6 gives all code objects of one load the same file name object.
    pub(crate) fn shares_filename(&self) -> bool {
        self.version == Version::new(3, 6)
    }

    /// The largest int that the interpreter keeps one object of.
    pub(crate) fn largest_small_int(&self) -> i64 {
        if self.since(3, 15) { 1024 } else { 256 }
    }

    /// Whether `I` yields the cached small ints.
    pub(crate) fn caches_int64(&self) -> bool {
        self.since(3, 11)
    }

    /// Whether `l` yields the cached small ints.
    pub(crate) fn caches_long(&self) -> bool {
        self.since(3, 14)
    }

    /// Whether one-byte bytes objects are cached.
    pub(crate) fn caches_one_byte(&self) -> bool {
        self.has(Change::OneByteCached)
    }

    /// Whether `r` finds a frozendict that is finished; before, its slot stays empty.
    #[must_use]
    pub fn refers_to_frozendicts(&self) -> bool {
        self.has(Change::FrozendictReferred)
    }

    /// Whether hashing a tuple that contains itself raises an exception; before, it ends the process.
    pub(crate) fn limits_hashes(&self) -> bool {
        self.has(Change::HashRecursionChecked)
    }

    /// Whether the empty frozenset is one object.
    pub(crate) fn caches_empty_frozenset(&self) -> bool {
        !self.since(3, 10)
    }

    /// References to sets' members are held while they are written: by the iterator up to 3.8, by the sorted list since 3.11.
    pub(crate) fn set_members_gain_reference(&self) -> bool {
        !self.since(3, 9) || self.since(3, 11)
    }

    /// Comparing objects that are nested some thousand deep raises an exception; in 3.13 and later only beyond what marshal
    /// reads.
    pub(crate) fn limits_comparisons(&self) -> bool {
        !self.since(3, 13)
    }

    /// Sets are written in a sorted order.
    pub(crate) fn sorts_sets(&self) -> bool {
        self.since(3, 11)
    }

    /// The sort key of a set's member is dumped from an object with one more reference.
    pub(crate) fn sort_key_is_shared(&self) -> bool {
        self.since(3, 13)
    }

    /// Members of sets whose sort keys are equal are compared themselves.
    pub(crate) fn compares_members(&self) -> bool {
        !self.has(Change::MembersNotCompared)
    }

    /// An error stops the writer at once.
    pub(crate) fn writer_stops_at_first_error(&self) -> bool {
        self.has(Change::WriterStops)
    }

    /// Code objects make a new `co_code` when they are dumped.
    pub(crate) fn rebuilds_code(&self) -> bool {
        self.since(3, 11)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_parse_print_and_compare() {
        let ordered =
            ["2.7.18", "3.6.15", "3.14.0a1", "3.14.0b3", "3.14.0rc1", "3.14.0", "3.14.2", "3.15.0rc1", "3.15.0"];
        let releases: Vec<Release> = ordered.iter().map(|t| Release::parse(t).unwrap()).collect();
        assert!(releases.is_sorted());
        for (text, release) in ordered.iter().zip(&releases) {
            assert_eq!(&release.to_string(), text);
        }
        for bad in ["", "3", "3.x", "3.12.", "3.12.1z2", "3.12.1rc", "3.12.1rcx"] {
            assert_eq!(Release::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Release::parse("3.12"), Profile::of(Version::new(3, 12)).map(|p| p.release));
        assert_eq!(Release::parse("3.13.0+"), Release::parse("3.13.0"));
    }

    /// The releases before and from which each predicate that tells releases apart changes.
    #[test]
    fn changes_come_with_the_releases_of_the_table() {
        for (place, (change, releases)) in CHANGES.iter().enumerate() {
            assert_eq!(*change as usize, place, "{change:?}");
            assert!(releases.is_sorted(), "{change:?}");
        }
        let check = |predicate: fn(&Profile) -> bool, before: &[&str], after: &[&str]| {
            for (text, expected) in before.iter().map(|t| (t, false)).chain(after.iter().map(|t| (t, true))) {
                let profile = Profile::for_release(&Release::parse(text).unwrap()).unwrap();
                assert_eq!(predicate(&profile), expected, "{text}");
            }
        };
        check(|p| p.reads(b'I'), &["3.6.3"], &["2.7.18", "3.6.4", "3.7.0", "3.15.0"]);
        check(Profile::checks_varnames, &["2.7.18", "3.6.6", "3.7.0"], &["3.6.7", "3.7.1", "3.8.0"]);
        check(Profile::writer_stops_at_first_error, &["3.12.1", "3.13.11", "3.14.2"], &["3.13.12", "3.14.3", "3.15.0"]);
        check(Profile::caches_one_byte, &["3.13.18", "3.14.7", "3.15.0rc2"], &["3.14.8", "3.15.0rc3", "3.15.0"]);
        check(|p| !p.compares_members(), &["3.13.18", "3.14.8", "3.15.0"], &["3.14.9", "3.15.1"]);
        check(Profile::refers_to_frozendicts, &["3.14.10", "3.15.0"], &["3.15.1"]);
        check(Profile::limits_hashes, &["3.13.18", "3.14.9", "3.15.1"], &["3.14.10", "3.15.2"]);
    }

    #[test]
    fn platforms_limit_the_depth() {
        let check = |platform: &str, minor: u8, expected: u32| {
            let profile = Profile::of(Version::new(3, minor)).unwrap().clone().on_platform(platform);
            assert_eq!(profile.max_depth, expected, "{platform} 3.{minor}");
        };
        check("linux", 12, 2000);
        check("win32", 12, 1000);
        check("wasi", 12, 1500);
        check("emscripten", 12, 2000);
        check("emscripten", 13, 1500);
    }

    #[test]
    fn each_way_to_answer_has_a_release() {
        for (version, expected) in [
            (Version::new(2, 7), "2.7.0"),
            (Version::new(3, 6), "3.6.0 3.6.4 3.6.7"),
            (Version::new(3, 12), "3.12.0"),
            (Version::new(3, 14), "3.14.0 3.14.3 3.14.8 3.14.9 3.14.10"),
            (Version::new(3, 15), "3.15.0rc1 3.15.0rc3 3.15.0 3.15.1 3.15.2"),
        ] {
            let points = Profile::of(version).unwrap().turning_points();
            assert_eq!(points.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), expected);
        }
    }

    #[test]
    fn the_table_is_ordered_and_its_magics_are_known() {
        assert!(PROFILES.is_sorted_by(|a, b| a.version < b.version && a.marshal_version <= b.marshal_version));
        for p in Profile::all() {
            assert_eq!(Profile::for_magic(p.magic), Some(p));
        }
    }
}
