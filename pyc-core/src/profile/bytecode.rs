//! In what the versions' bytecode differs, and the modules that show it.

use super::{Profile, Release};
use crate::prelude::*;

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

const UNORDERED: u32 = 1;
const LESS: u32 = 2;
const GREATER: u32 = 4;
const EQUAL: u32 = 8;

/// For each comparison, which results of comparing two numbers make it true.
pub(crate) const COMPARISON_MASKS: [u32; 6] =
    [LESS, LESS | EQUAL, EQUAL, LESS | GREATER | UNORDERED, GREATER, GREATER | EQUAL];

/// The lowest bits of `co_flags`.
static FLAGS: [&str; 10] = [
    "OPTIMIZED",
    "NEWLOCALS",
    "VARARGS",
    "VARKEYWORDS",
    "NESTED",
    "GENERATOR",
    "NOFREE",
    "COROUTINE",
    "ITERABLE_COROUTINE",
    "ASYNC_GENERATOR",
];

/// What a module asks `__future__` for, lowest bit first.
static FEATURES: [&str; 8] = [
    "FUTURE_DIVISION",
    "FUTURE_ABSOLUTE_IMPORT",
    "FUTURE_WITH_STATEMENT",
    "FUTURE_PRINT_FUNCTION",
    "FUTURE_UNICODE_LITERALS",
    "FUTURE_BARRY_AS_BDFL",
    "FUTURE_GENERATOR_STOP",
    "FUTURE_ANNOTATIONS",
];

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

    /// A flag says whether a function's first constant is its docstring.
    pub(crate) fn flags_docstrings(&self) -> bool {
        self.since(3, 14)
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

    /// The compiler makes LOAD_METHOD of an attribute that is called (3.7 to 3.10; later, what it becomes has other opcodes).
    pub(crate) fn loads_methods(&self) -> bool {
        self.since(3, 7)
    }

    /// The compiler computes what is constant before it numbers constants.
    pub(crate) fn folds_early(&self) -> bool {
        self.since(3, 7)
    }

    /// The compiler gives all code objects one empty line table.
    pub(crate) fn caches_empty_tables(&self) -> bool {
        self.since(3, 7)
    }

    /// The compiler has an instruction for what a failed assertion raises.
    pub(crate) fn raises_assertions(&self) -> bool {
        self.since(3, 9)
    }

    /// The compiler writes that a line goes on where it comes back to one from a part of an expression.
    pub(crate) fn repeats_lines(&self) -> bool {
        self.since(3, 8) && !self.since(3, 9)
    }

    /// The compiler holds a reference to the names of the fields of syntax trees.
    pub(crate) fn holds_field_names(&self) -> bool {
        self.since(3, 9)
    }

    /// The compiler does not write that a line goes on (3.9, the last one with `co_lnotab`).
    pub(crate) fn merges_lines(&self) -> bool {
        self.since(3, 9)
    }

    /// The compiler makes a list of three constants or more from a tuple.
    pub(crate) fn extends_lists(&self) -> bool {
        self.since(3, 9)
    }

    /// The compiler returns constants by one instruction.
    pub(crate) fn returns_constants(&self) -> bool {
        self.since(3, 12) && !self.since(3, 14)
    }

    /// Values on the stack may be borrowed from variables, and some are no objects.
    pub(crate) fn borrows_references(&self) -> bool {
        self.since(3, 14)
    }

    /// What makes an alias of a type takes what gives its value for a function: 3.15 reads its module, debug builds assert it
    /// (`_Py_make_typealias` of typevarobject.c).
    pub(crate) fn trusts_values_of_aliases(&self) -> bool {
        self.since(3, 15) || self.debug
    }

    /// RETURN_GENERATOR is the first instruction but for those that make cells. It moves the frame, and takes it for granted that
    /// its stack is empty and that no frame object refers to it (an assertion of bytecodes.c).
    pub(crate) fn makes_generators_first(&self) -> bool {
        self.makes_generators() && !self.since(3, 15)
    }

    /// GET_ITER pushes the state of the iteration, too.
    pub(crate) fn counts_iterations(&self) -> bool {
        self.since(3, 15)
    }

    /// What calls a method has NULL, or itself, above what is called.
    pub(crate) fn calls_below_self(&self) -> bool {
        self.since(3, 13)
    }

    /// FOR_ITER leaves the iterator where it is when it is exhausted.
    pub(crate) fn keeps_exhausted_iterator(&self) -> bool {
        self.since(3, 14)
    }

    /// FOR_ITER goes on behind the POP_TOP that follows END_FOR, which would pop the iterator.
    pub(crate) fn skips_pop_top(&self) -> bool {
        self.since(3, 13) && !self.since(3, 14)
    }

    /// A debug build ends where a frame is left with values on its stack.
    pub(crate) fn asserts_empty_stack(&self) -> bool {
        self.since(3, 9)
    }

    /// A debug build ends where the defaults of keyword arguments are no dict (`MAKE_FUNCTION` of ceval.c and bytecodes.c, 3.13's
    /// `SET_FUNCTION_ATTRIBUTE`).
    pub(crate) fn asserts_keyword_defaults(&self) -> bool {
        self.debug && !self.is_python2() && !self.since(3, 14)
    }

    /// A debug build ends where a generator that waits for another one does not go on with a RESUME that says so (`_PyGen_yf` of
    /// genobject.c 3.13).
    pub(crate) fn asserts_what_is_awaited(&self) -> bool {
        self.debug && self.since(3, 13) && !self.since(3, 14)
    }

    /// How far below the top a generator that waits for another one has it; since 3.15 an index is above it (`_PyGen_yf` of
    /// genobject.c).
    pub(crate) fn depth_of_what_is_awaited(&self) -> usize {
        if self.since(3, 15) { 2 } else { 1 }
    }

    /// The interpreter is behind the inline caches of an instruction as soon as it begins with it.
    pub(crate) fn passes_caches_first(&self) -> bool {
        self.since(3, 13)
    }

    /// FOR_ITER goes on behind the END_FOR that it jumps to.
    pub(crate) fn skips_end_for(&self) -> bool {
        self.since(3, 12)
    }

    /// A generator is a frame that an instruction makes, not a flag.
    pub(crate) fn makes_generators(&self) -> bool {
        self.since(3, 11)
    }

    /// Leaving a block by `return`, `break` or `continue` is the interpreter's work, and `finally` hears of it by a number.
    pub(crate) fn unwinds_by_reasons(&self) -> bool {
        !self.since(3, 8)
    }

    /// An exception handler saves what was handled before on the stack.
    pub(crate) fn saves_handled(&self) -> bool {
        !self.is_python2()
    }

    pub(crate) fn line_table(&self) -> TableFormat {
        match () {
            () if self.since(3, 11) => TableFormat::LocationTable,
            () if self.since(3, 10) => TableFormat::LineTable,
            () if self.since(3, 6) => TableFormat::Lnotab,
            () => TableFormat::UnsignedLnotab,
        }
    }

    /// Code objects have one list of variables with kinds (3.11 and later).
    pub(crate) fn has_localsplus(&self) -> bool {
        self.since(3, 11)
    }

    /// The kinds of variables say how arguments are given.
    pub(crate) fn marks_arguments(&self) -> bool {
        self.since(3, 14)
    }

    /// The compiler flags code objects without cells and free variables.
    pub(crate) fn has_nofree(&self) -> bool {
        !self.since(3, 11)
    }

    /// The first constant of a function is its docstring, or None.
    pub(crate) fn reserves_docstring(&self) -> bool {
        !self.since(3, 14)
    }

    /// Equal constants of a whole module are one object.
    pub(crate) fn merges_constants(&self) -> bool {
        self.since(3, 8)
    }

    /// Equal line tables are one object.
    pub(crate) fn merges_tables(&self) -> bool {
        self.since(3, 10)
    }

    /// `co_code` is made each time that it is asked for.
    pub(crate) fn copies_code(&self) -> bool {
        self.since(3, 11)
    }

    /// The compiler still holds the code object of a module when it is written.
    pub(crate) fn flags_root(&self) -> bool {
        !self.is_python2() && !self.since(3, 14)
    }

    /// Strings of one character, and those that are paths or names of scopes, are interned.
    pub(crate) fn interns_paths(&self) -> bool {
        self.since(3, 13)
    }

    /// The name of a code object is interned though it could be none of a variable.
    pub(crate) fn interns_odd_name(&self, name: &str) -> bool {
        self.since(3, 13) || !self.since(3, 11) && (self.since(3, 8) || ["<module>", "<lambda>"].contains(&name))
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

    /// Whether the lowest bits of the argument of a comparison are those of its index ([`COMPARISON_MASKS`]).
    pub(crate) fn is_comparison(&self, argument: u32) -> bool {
        let shift = self.comparison_shift();
        shift == 0 || COMPARISON_MASKS.get((argument >> shift) as usize).is_none_or(|mask| argument & 15 == *mask)
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

    /// The exception that says so has the word `digits` behind their number. Asked of 3.7.16, 3.8.18, 3.9.18 and 3.10.13, which have it
    /// not, and of 3.11.2 and later, which have it.
    pub(crate) fn names_digits(&self) -> bool {
        self.since(3, 11)
    }

    /// The bits of `co_flags` that are set, as `inspect` and `__future__` name them; what has no name is one number at the end.
    #[must_use]
    pub fn flag_names(&self, flags: i32) -> Vec<String> {
        // Of features, all moved by four bits in 3.9 (Include/cpython/code.h).
        let future = if self.since(3, 9) { 17 } else { 13 };
        let mut left = flags.cast_unsigned();
        let mut names = Vec::new();
        let plain = FLAGS.iter().enumerate().map(|(bit, name)| (bit, *name));
        let features = FEATURES.iter().enumerate().map(|(bit, name)| (future + bit, *name));
        let since_313 = [(26, "HAS_DOCSTRING"), (27, "METHOD")].into_iter().filter(|_| self.since(3, 13));
        for (bit, name) in plain.chain(features).chain(since_313) {
            if left >> bit & 1 != 0 {
                left &= !(1 << bit);
                names.push(name.to_string());
            }
        }
        if left != 0 {
            names.push(format!("{left:#x}"));
        }
        names
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

    /// Whether the instruction behind EXTENDED_ARG is looked up in the table that leads from specialized opcodes to general ones
    /// (`Python/ceval.c` of 3.11).
    pub(crate) fn deoptimizes_behind_prefixes(&self) -> bool {
        self.since(3, 11) && !self.since(3, 12)
    }
}
