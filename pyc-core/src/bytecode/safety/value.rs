//! Abstract values: what is known of a value on the stack or in a variable.

use crate::profile::Profile;

/// What a value is. The order is that of [`NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Is {
    Null,
    /// NULL or an object.
    Maybe,
    Object,
    None,
    Bool,
    Str,
    /// Data: one more than the index of the constant, or [`BUILT`] and how long it is, if either is known.
    Tuple,
    /// A tuple of a string, a tuple or None, and another value; a function, where the interpreter trusts that.
    Alias,
    /// Data: how many cells.
    Cells,
    /// A part of a template string, between two strings.
    Interpolation,
    /// A tuple of those. Data: how many.
    Interpolations,
    Dict,
    /// Data: [`EXCEPTIONS`] if nothing but exceptions and None is in it, and nothing else refers to it.
    List,
    Set,
    /// Data (3.15): the instruction that made it.
    Iterator,
    /// A generator, a coroutine or an iterator.
    Awaitable,
    /// Data: the constant.
    Code,
    /// Data: that of [`cell`], in a variable whose value is trusted.
    Cell,
    /// Data: the constant that is its code.
    Function,
    /// One that lacks its closure.
    Open,
    /// One that trusts its argument to be an iterator.
    Comprehension,
    Exception,
    /// Or None.
    MaybeException,
    /// Data (up to 3.10): which third of it, of [`third`].
    Previous,
    Lasti,
    /// Data: the instruction that made its iterator.
    Index,
    Type,
    Value,
    Traceback,
    /// Why a `finally` is run (up to 3.7). Data: a [`Why`].
    Why,
    /// Where it goes on behind a `finally` (3.8). Data: the instruction.
    Place,
}

/// What values are, in sentences.
const NAMES: [&str; 31] = [
    "NULL",
    "something that may be NULL",
    "a value of any type",
    "None",
    "a bool",
    "a string",
    "a tuple",
    "a tuple",
    "a tuple of cells",
    "an interpolation",
    "a tuple of interpolations",
    "a dict",
    "a list",
    "a set",
    "an iterator",
    "an awaitable",
    "a code object",
    "a cell",
    "a function",
    "a function without its closure",
    "a function that trusts its argument to be an iterator",
    "an exception",
    "an exception or None",
    "what was handled before",
    "the place of an exception",
    "the state of an iteration",
    "an exception's type",
    "an exception's value",
    "an exception's traceback",
    "the reason of a finally",
    "the place behind a finally",
];

/// Data of [`Is::Why`].
pub(super) mod why {
    pub(in super::super) const RETURN: u32 = 0;
    pub(in super::super) const BREAK: u32 = 1;
    pub(in super::super) const SILENCED: u32 = 2;
    /// And more: goes on with this instruction.
    pub(in super::super) const CONTINUE: u32 = 3;
}

/// Data of [`Is::Cell`]; none of them if anything may have got at the cell.
pub(super) mod cell {
    /// It was made here.
    pub(in super::super) const MADE: u32 = 1;
    /// What is in it is of the type that is trusted.
    pub(in super::super) const HOLDS: u32 = 2;
    /// The cell is on the stack, or in what was built of it there.
    pub(in super::super) const OUT: u32 = 4;
}

/// Data of [`Is::Previous`], from below.
pub(super) mod third {
    pub(in super::super) const TRACEBACK: u32 = 0;
    pub(in super::super) const VALUE: u32 = 1;
    pub(in super::super) const TYPE: u32 = 2;
}

/// What is known of a value: what it is in the upper byte, and data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bytecode) struct Value(u32);

/// Data from here on are too large.
pub(super) const DATA: u32 = 1 << 23;
/// Of a tuple that is no constant.
pub(super) const BUILT: u32 = 1 << 22;
/// Of a list.
pub(super) const EXCEPTIONS: u32 = 1;
/// The value is borrowed from the variable that the data tell (of an object, cell or iterator only).
const BORROWED: u32 = 1 << 23;

impl Value {
    pub(super) const fn new(is: Is, data: u32) -> Value {
        Value((is as u32) << 24 | if data < DATA { data } else { DATA - 1 })
    }

    pub(super) const fn of(is: Is) -> Value {
        Value::new(is, 0)
    }

    pub(super) fn borrowed(self, variable: u32) -> Value {
        let is = match self.is() {
            it @ (Is::Cell | Is::Iterator | Is::Tuple) => it,
            _ => Is::Object,
        };
        Value((is as u32) << 24 | BORROWED | variable & (DATA - 1))
    }

    pub(super) fn lender(self) -> Option<u32> {
        (self.0 & BORROWED != 0).then_some(self.0 & (DATA - 1))
    }

    pub(super) fn is(self) -> Is {
        ALL[(self.0 >> 24) as usize]
    }

    pub(super) fn data(self) -> u32 {
        if self.0 & BORROWED != 0 { 0 } else { self.0 & (DATA - 1) }
    }

    pub(super) fn bit(self) -> u32 {
        1 << (self.0 >> 24)
    }

    pub(super) fn name(self) -> &'static str {
        NAMES[self.is() as usize]
    }

    pub(super) fn is_exception_or_none(self) -> bool {
        matches!(self.is(), Is::Exception | Is::MaybeException | Is::None)
    }

    /// What is known where two ways meet; `None` if they have to be told apart.
    pub(super) fn join(self, other: Value) -> Option<Value> {
        if self == other {
            return Some(self);
        }
        if (self.bit() | other.bit()) & APART != 0 || (self.0 | other.0) & BORROWED != 0 {
            return None;
        }
        let both = self.bit() | other.bit();
        if both == bit(Is::Cell) {
            let (one, two) = (self.data(), other.data());
            let held = if one & two & cell::MADE == 0 { 0 } else { one & two | (one | two) & cell::OUT };
            return Some(Value::new(Is::Cell, held));
        }
        Some(Value::of(if both == bit(Is::List) {
            Is::List
        } else if both & (bit(Is::Null) | bit(Is::Maybe)) != 0 {
            Is::Maybe
        } else if both & !TUPLES == 0 {
            Is::Tuple
        } else if both & !(bit(Is::Exception) | bit(Is::MaybeException) | bit(Is::None)) == 0 {
            Is::MaybeException
        } else if both & !(bit(Is::Iterator) | bit(Is::Awaitable)) == 0 {
            Is::Awaitable
        } else {
            Is::Object
        }))
    }
}

const fn bit(is: Is) -> u32 {
    1 << is as u32
}

const ALL: [Is; 31] = [
    Is::Null,
    Is::Maybe,
    Is::Object,
    Is::None,
    Is::Bool,
    Is::Str,
    Is::Tuple,
    Is::Alias,
    Is::Cells,
    Is::Interpolation,
    Is::Interpolations,
    Is::Dict,
    Is::List,
    Is::Set,
    Is::Iterator,
    Is::Awaitable,
    Is::Code,
    Is::Cell,
    Is::Function,
    Is::Open,
    Is::Comprehension,
    Is::Exception,
    Is::MaybeException,
    Is::Previous,
    Is::Lasti,
    Is::Index,
    Is::Type,
    Is::Value,
    Is::Traceback,
    Is::Why,
    Is::Place,
];

/// Tuples.
const TUPLES: u32 = bit(Is::Tuple) | bit(Is::Cells) | bit(Is::Alias) | bit(Is::Interpolations);

/// Those that a value of another kind cannot be joined with.
const APART: u32 = bit(Is::Open)
    | bit(Is::Comprehension)
    | bit(Is::Previous)
    | bit(Is::Lasti)
    | bit(Is::Index)
    | bit(Is::Type)
    | bit(Is::Value)
    | bit(Is::Traceback)
    | bit(Is::Why)
    | bit(Is::Place);

/// What an instruction can take: a set of what values are, and what that is called.
#[derive(Clone, Copy)]
pub(super) struct Need {
    pub(super) mask: u32,
    pub(super) name: &'static str,
}

/// The demands of a profile, by the letters of the rules.
pub(super) struct Needs {
    masks: [u32; 128],
    names: [&'static str; 128],
}

impl Needs {
    pub(super) fn of(profile: &Profile) -> Needs {
        let all = (1 << ALL.len()) - 1;
        let mut object =
            all & !(bit(Is::Null) | bit(Is::Maybe) | bit(Is::Open) | bit(Is::Comprehension) | bit(Is::Index));
        let mut some = all & !(bit(Is::Null) | bit(Is::Maybe));
        if profile.has_localsplus() {
            if profile.borrows_references() {
                object &= !bit(Is::Lasti);
            }
        } else {
            object &= !bit(Is::Previous);
            some &= !bit(Is::Previous);
        }
        let null = bit(Is::Null) | bit(Is::Maybe);
        let mut needs = Needs { masks: [0; 128], names: [""; 128] };
        let iterators = bit(Is::Iterator);
        for (letter, mask, name) in [
            (b'o', object, "an object"),
            (b'n', object | null, "an object or NULL"),
            (b'a', all, "anything"),
            (b'z', some, "an object"),
            (b'i', iterators, "an iterator"),
            (b'w', iterators | bit(Is::Awaitable), "an iterator, a generator or a coroutine"),
            (b'l', bit(Is::List), "a list"),
            (b's', bit(Is::Set), "a set"),
            (b'd', bit(Is::Dict), "a dict"),
            (b'D', bit(Is::Dict) | bit(Is::Null), "a dict or NULL"),
            (b't', TUPLES, "a tuple"),
            (b'A', TUPLES, "a tuple of pairs"),
            (b'T', bit(Is::Alias), "a tuple of a string, a tuple and an object"),
            (b'q', bit(Is::Cells), "a tuple of cells"),
            (b'u', bit(Is::Str), "a string"),
            (b'B', if profile.debug { bit(Is::Bool) } else { object }, "a bool"),
            (b'K', if profile.asserts_keyword_defaults() { bit(Is::Dict) } else { object }, "a dict"),
            (b'X', if profile.debug { bit(Is::Exception) } else { object }, "an exception"),
            (b'Z', if profile.debug { object & !bit(Is::Index) } else { all }, "an object"),
            (b'Y', if profile.debug { all & !bit(Is::Null) } else { all }, "an object"),
            (b'c', bit(Is::Code), "a code object of the constants"),
            (b'f', bit(Is::Function), "a function that was made here"),
            (b'x', bit(Is::Exception), "an exception"),
            (b'r', bit(Is::Exception) | bit(Is::MaybeException) | bit(Is::None), "an exception or None"),
            (b'p', bit(Is::Previous), "what was handled before"),
            (b'k', bit(Is::Lasti), "the place of an exception"),
            (b'e', bit(Is::Type), "an exception's type"),
            (b'v', bit(Is::Value), "an exception's value"),
            (b'y', bit(Is::Traceback), "an exception's traceback"),
        ] {
            (needs.masks[usize::from(letter & 127)], needs.names[usize::from(letter & 127)]) = (mask, name);
        }
        needs
    }

    pub(super) fn get(&self, letter: u8) -> Need {
        let place = usize::from(letter & 127);
        Need { mask: self.masks[place], name: self.names[place] }
    }

    pub(super) fn allow(&self, letter: u8, value: Value) -> bool {
        value.bit() & self.masks[usize::from(letter & 127)] != 0
    }
}

/// The value that a letter of the rules gives.
pub(super) const fn given(letter: u8) -> Value {
    Value::of(match letter {
        b'_' => Is::Null,
        b'n' => Is::Maybe,
        b'i' => Is::Iterator,
        b'w' => Is::Awaitable,
        b'l' => Is::List,
        b's' => Is::Set,
        b'd' => Is::Dict,
        b't' => Is::Tuple,
        b'm' => Is::Interpolation,
        b'u' => Is::Str,
        b'b' => Is::Bool,
        b'N' => Is::None,
        b'x' => Is::Exception,
        b'r' => Is::MaybeException,
        b'p' => Is::Previous,
        b'f' => Is::Function,
        _ => Is::Object,
    })
}
