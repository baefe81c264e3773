//! In what the versions' bytecode differs, and the modules that show it.

use super::{Profile, Release};

/// How a code object says where its instructions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableFormat {
    /// Pairs of unsigned bytes (2.7).
    UnsignedLnotab,
    /// The second byte has a sign (3.6 to 3.9).
    Lnotab,
    /// A pair for each range of instructions (3.10).
    LineTable,
    /// Entries with columns (3.11 and later).
    LocationTable,
}

impl Profile {
    /// Instructions are two bytes wide.
    pub(crate) fn has_wordcode(&self) -> bool {
        self.since(3, 6)
    }

    /// Jumps count units of two bytes, not bytes.
    pub(crate) fn jumps_in_units(&self) -> bool {
        self.since(3, 10)
    }

    /// Code objects have `co_lines()` (3.10 and later).
    #[must_use]
    pub fn has_lines(&self) -> bool {
        self.since(3, 10)
    }

    /// Code objects have `co_positions()` and exception tables (3.11 and later).
    #[must_use]
    pub fn has_positions(&self) -> bool {
        self.since(3, 11)
    }

    /// The compiler takes the number of an instruction for the first guess of how far a jump to it goes.
    pub(crate) fn guesses_jumps(&self) -> bool {
        self.since(3, 13)
    }

    /// The compiler reckons with a value on the stack where a generator begins (3.10 to 3.12).
    pub(crate) fn generators_begin_with_value(&self) -> bool {
        self.since(3, 10) && !self.since(3, 13)
    }

    /// The instruction with this name goes on at its target only, or nowhere; so the compiler reckons. Up to 3.7 it goes on
    /// behind what returns or raises.
    pub(crate) fn ends_block(&self, name: &str) -> bool {
        let jumps = ["JUMP_FORWARD", "JUMP_ABSOLUTE", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"];
        let ends = ["RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "INTERPRETER_EXIT"];
        jumps.contains(&name) || self.since(3, 8) && ends.contains(&name)
    }

    /// One entry of the location table is for all instructions in a row that come from the same place, and one range of
    /// `co_lines()` for all that come from the same line.
    pub(crate) fn merges_locations(&self) -> bool {
        self.since(3, 12)
    }

    pub(crate) fn line_table(&self) -> TableFormat {
        match () {
            () if self.since(3, 11) => TableFormat::LocationTable,
            () if self.since(3, 10) => TableFormat::LineTable,
            () if self.since(3, 6) => TableFormat::Lnotab,
            () => TableFormat::UnsignedLnotab,
        }
    }

    /// Whether `dis.dis` shows nested code objects, too. (It also widens its columns for large numbers then.)
    #[must_use]
    pub fn dis_goes_into_nested_code(&self) -> bool {
        self.since(3, 7)
    }

    /// `dis` leaves out lines that begin behind the code, and says what a function is given.
    pub(crate) fn dis_stops_at_end(&self) -> bool {
        self.since(3, 8)
    }

    /// `dis` says where an absolute jump goes.
    pub(crate) fn dis_shows_absolute_targets(&self) -> bool {
        self.since(3, 10)
    }

    /// `dis` forgets a prefix if the next opcode takes no argument.
    pub(crate) fn dis_forgets_prefix(&self) -> bool {
        self.since(3, 10)
    }

    /// `dis` has exception tables, and takes arguments for numbers of 32 bits with a sign.
    pub(crate) fn dis_shows_handlers(&self) -> bool {
        self.since(3, 11)
    }

    /// `dis` shows the constant of an instruction with this name: 3.11 has a second one, KW_NAMES, and does not.
    pub(crate) fn dis_shows_constant(&self, name: &str) -> bool {
        self.since(3, 12) || !self.dis_shows_handlers() || name == "LOAD_CONST"
    }

    /// How many bits of the argument of a comparison are below its index: flags for specialized instructions.
    pub(crate) fn comparison_shift(&self) -> u32 {
        match () {
            () if self.since(3, 13) => 5,
            () if self.since(3, 12) => 4,
            () => 0,
        }
    }

    /// `dis` names targets, marks instructions without a line, and writes `name + NULL`, not `NULL + name`.
    pub(crate) fn dis_has_labels(&self) -> bool {
        self.since(3, 13)
    }

    /// `dis` says of a jump back at the end of `async for` where it comes from.
    pub(crate) fn dis_shows_end_of_async_for(&self) -> bool {
        self.since(3, 14)
    }

    /// Ints with more digits are not written in decimal (CVE-2020-10735).
    pub(crate) fn max_digits(&self) -> Option<usize> {
        let first = [(3, 7, 14), (3, 8, 14), (3, 9, 14), (3, 10, 7)].map(|(a, b, c)| Release::new(a, b, c));
        let since = first.iter().find(|release| release.version == self.version);
        let limited = since.map_or(self.since(3, 11), |release| self.release >= *release);
        limited.then_some(4300)
    }

    /// Whether `repr` writes this character as it is. 2.7 does that with ASCII only.
    pub(crate) fn is_printable(&self, character: char) -> bool {
        let minor = self.version.minor;
        let code = u32::from(character);
        let table = crate::repr::PRINTABLE;
        let place = table.partition_point(|(first, _, _)| *first <= code);
        let inside = |(_, last, since): &(u32, u32, u8)| code <= *last && *since <= minor;
        !self.is_python2() && place.checked_sub(1).is_some_and(|place| inside(&table[place]))
    }
}
