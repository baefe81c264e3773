//! Magic numbers: which Python wrote a .pyc file.
//!
//! The magic number is the only identity of a .pyc file (version and cache tag are shared by formats that differ), and
//! alphas change the format inside a version. So [`Magic::name`] knows every number that was ever used, and only those of
//! final releases have a [`Profile`]. Source: `Lib/importlib/_bootstrap_external.py` and
//! `Include/internal/pycore_magic_number.h`; other implementations from their own tables.
//!
//! ```
//! use pyc_core::magic::Magic;
//! assert_eq!(Magic::of(3531).name(), Some("CPython 3.12"));
//! assert!(Magic::of(3531).profile().is_some());
//! assert_eq!(Magic::of(3452).name(), Some("CPython 3.11, before its final release"));
//! assert_eq!(Magic::of(3700).name(), Some("CPython 3.16 or a pre-release of it"));
//! ```

use crate::prelude::*;
use crate::profile::Profile;

/// The 16-bit number at the start of a .pyc file; `\r\n` follows it, or in 1.0 to 1.2 the other half of a 32-bit number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Magic(u16);

/// First number, last number, whose.
static KNOWN: &[(u16, u16, &str)] = &[
    (39170, 39170, "CPython 1.0"),
    (39171, 39171, "CPython 1.1 or 1.2"),
    (11913, 11913, "CPython 1.3"),
    (5892, 5892, "CPython 1.4"),
    (20121, 20121, "CPython 1.5"),
    (50428, 50428, "CPython 1.6"),
    (50823, 50824, "CPython 2.0"),
    (60202, 60203, "CPython 2.1"),
    (60717, 60718, "CPython 2.2"),
    (62011, 62022, "CPython 2.3"),
    (62041, 62062, "CPython 2.4"),
    (62071, 62132, "CPython 2.5"),
    (62135, 62135, "Dropbox's Python 2.5"),
    (62151, 62162, "CPython 2.6"),
    (62211, 62212, "CPython 2.7"),
    (62171, 62202, "CPython 2.7, before its final release"),
    (62218, 62218, "PyPy 2.7"),
    (3000, 3131, "CPython 3.0"),
    (3141, 3151, "CPython 3.1"),
    (3160, 3180, "CPython 3.2"),
    (3187, 3187, "PyPy 3.2"),
    (3190, 3230, "CPython 3.3"),
    (3250, 3310, "CPython 3.4"),
    (3320, 3349, "CPython 3.5, before its final release"),
    (3350, 3350, "CPython 3.5.0 to 3.5.2"),
    (3351, 3351, "CPython 3.5.3 or later"),
    (3379, 3379, "CPython 3.6"),
    (3360, 3378, "CPython 3.6, before its final release"),
    (3394, 3394, "CPython 3.7"),
    (3390, 3393, "CPython 3.7, before its final release"),
    (3413, 3413, "CPython 3.8"),
    (3400, 3412, "CPython 3.8, before its final release"),
    (3425, 3425, "CPython 3.9"),
    (3420, 3424, "CPython 3.9, before its final release"),
    (3439, 3439, "CPython 3.10"),
    (3430, 3438, "CPython 3.10, before its final release"),
    (3495, 3495, "CPython 3.11"),
    (3450, 3494, "CPython 3.11, before its final release"),
    (3531, 3531, "CPython 3.12"),
    (3500, 3530, "CPython 3.12, before its final release"),
    (3571, 3571, "CPython 3.13"),
    (3550, 3570, "CPython 3.13, before its final release"),
    (3627, 3627, "CPython 3.14"),
    (3600, 3626, "CPython 3.14, before its final release"),
    (3666, 3666, "CPython 3.15"),
    (3650, 3665, "CPython 3.15, before its final release"),
    (3700, 3749, "CPython 3.16 or a pre-release of it"),
    (48, 48, "PyPy 3.2"),
    (64, 64, "PyPy 3.3"),
    (112, 112, "PyPy 3.5"),
    (160, 160, "PyPy 3.6"),
    (192, 192, "PyPy 3.6"),
    (224, 224, "PyPy 3.7"),
    (240, 240, "PyPy 3.7"),
    (256, 256, "PyPy 3.8"),
    (320, 320, "PyPy 3.9"),
    (336, 336, "PyPy 3.9"),
    (384, 384, "PyPy 3.10"),
    (416, 432, "PyPy 3.11"),
    (21150, 21150, "GraalPy"),
    (21260, 21260, "GraalPy"),
    (21280, 21280, "GraalPy (Python 3.10)"),
    (21290, 21290, "GraalPy (Python 3.11 or 3.12)"),
    (1011, 1011, "Jython"),
    (65226, 65226, "Jython"),
    (2657, 2657, "Pyston"),
    (22138, 22138, "Pyston"),
    (12641, 12641, "RustPython"),
    (12897, 12897, "RustPython"),
    (24881, 24881, "RustPython"),
    (134, 134, "RustPython"),
    (35310, 35310, "RustPython"),
    (2990, 2999, "RustPython"),
];

impl Magic {
    /// The magic number `number`.
    #[must_use]
    pub const fn of(number: u16) -> Magic {
        Magic(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The first four bytes of the file.
    #[must_use]
    pub const fn bytes(self) -> [u8; 4] {
        let [low, high] = self.0.to_le_bytes();
        match self.0 {
            39170..=39171 => [low, high, 0x99, 0],
            _ => [low, high, b'\r', b'\n'],
        }
    }

    /// The magic number that a file starts with, if it is a known one.
    ///
    /// ```
    /// use pyc_core::magic::Magic;
    /// assert_eq!(Magic::at_start(b"\xcb\r\r\n\0\0").and_then(Magic::name), Some("CPython 3.12"));
    /// assert_eq!(Magic::at_start(b"\x03\x99\x99\0").and_then(Magic::name), Some("CPython 1.1 or 1.2"));
    /// assert_eq!(Magic::at_start(b"\xcb\r\n"), None);
    /// ```
    #[must_use]
    pub fn at_start(file: &[u8]) -> Option<Magic> {
        let start = file.first_chunk::<4>()?;
        let magic = Magic(u16::from_le_bytes([start[0], start[1]]));
        (magic.bytes() == *start && magic.name().is_some()).then_some(magic)
    }

    /// Who writes this number, if anybody is known to.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        KNOWN.iter().find(|(first, last, _)| (*first..=*last).contains(&self.0)).map(|(_, _, name)| *name)
    }

    /// The profile of the version of CPython that this number is of, also of a pre-release.
    #[must_use]
    pub fn family(self) -> Option<&'static Profile> {
        self.version_of("CPython ")
    }

    /// The profile of the version of Python that this number of PyPy is of.
    #[must_use]
    pub fn pypy(self) -> Option<&'static Profile> {
        self.version_of("PyPy ")
    }

    fn version_of(self, implementation: &str) -> Option<&'static Profile> {
        let version = self.name()?.strip_prefix(implementation)?.split(',').next()?;
        Profile::all().find(|profile| profile.version.to_string() == version)
    }

    /// Whether it is one of CPython that is greater than those of all final releases that are modelled.
    ///
    /// ```
    /// use pyc_core::magic::Magic;
    /// assert_eq!([3700, 3531, 3349, 39170].map(|number| Magic::of(number).is_to_come()), [true, false, false, false]);
    /// ```
    #[must_use]
    pub fn is_to_come(self) -> bool {
        let is_3 = self.name().is_some_and(|name| name.starts_with("CPython 3"));
        is_3 && Profile::all().last().is_some_and(|newest| self.0 > newest.magic)
    }

    /// The profile of the interpreter whose final releases write this number.
    #[must_use]
    pub fn profile(self) -> Option<&'static Profile> {
        Profile::for_magic(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_numbers_of_all_profiles_are_named_as_final() {
        for profile in Profile::all() {
            assert_eq!(Magic::of(profile.magic).name(), Some(format!("CPython {}", profile.version).as_str()));
        }
    }
}
