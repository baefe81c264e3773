//! Instruction sets: one row for each opcode of each version.

use super::safety::Rule;
use super::tables;
use crate::profile::{Profile, Version};

/// What the argument of an instruction means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The opcode takes no argument.
    None,
    /// A number: a count, a depth, flags that have no names.
    Number,
    /// An index of `co_consts`.
    Const,
    /// The small int itself (3.14 and later).
    SmallInt,
    /// An index of `co_names`.
    Name,
    /// Twice an index of `co_names`; the lowest bit pushes a NULL (3.11 and later).
    NameAndNull,
    /// Twice an index of `co_names`; the lowest bit makes it a method (3.12 and later).
    NameAndSelf,
    /// Four times an index of `co_names`, for `super()` (3.12 and later).
    SuperName,
    /// Four times an index of `co_names`, with whether the import is lazy or eager (3.15).
    ImportName,
    /// An index of the local variables; since 3.11 of all variables.
    Local,
    /// Two indexes of variables, of four bits each (3.13 and later).
    LocalPair,
    /// An index of the cells and free variables; since 3.11 of all variables.
    Free,
    /// How far to jump ahead, from the next instruction.
    Forward,
    /// How far to jump back, from the next instruction (3.11 and later).
    Backward,
    /// Where to jump.
    Absolute,
    /// A comparison.
    Compare,
    /// A conversion, and whether there is a format (3.6 to 3.12).
    Format,
    /// A conversion (3.13 and later).
    Convert,
    /// What a function is given: defaults, annotations, a closure ...
    Function,
    /// An operator.
    Binary,
    /// A function of the interpreter with one argument.
    Intrinsic1,
    /// A function of the interpreter with two arguments.
    Intrinsic2,
    /// A special method, as `__enter__`.
    Special,
    /// A constant of the interpreter, as `AssertionError`.
    Common,
    /// `is` or `is not`.
    Is,
    /// `in` or `not in`.
    Contains,
}

impl Operand {
    /// Whether it is a place in the code.
    #[must_use]
    pub fn is_place(self) -> bool {
        matches!(self, Operand::Forward | Operand::Backward | Operand::Absolute)
    }
}

/// How an instruction changes the depth of the stack; `a` is its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nobody says.
    Unknown,
    /// Always this.
    Fixed(i8),
    /// The first, and the second for each of `a`.
    PerArgument(i8, i8),
    /// The first, and one of the others for each of the five lowest bits of `a`.
    PerBit(i8, [i8; 5]),
    /// The first, and the second for each of the lowest byte of `a`, the third for each of the others.
    PerByte(i8, i8, i8),
    /// The second if `a` is three, else the first.
    IfThree(i8, i8),
}

impl Effect {
    fn of(self, argument: u32) -> Option<i64> {
        let a = i64::from(argument);
        Some(match self {
            Effect::Unknown => return None,
            Effect::Fixed(base) => base.into(),
            Effect::PerArgument(base, each) => i64::from(base) + i64::from(each) * a,
            Effect::PerBit(base, weights) => {
                let set = weights.iter().enumerate().filter(|(bit, _)| argument >> bit & 1 != 0);
                i64::from(base) + set.map(|(_, weight)| i64::from(*weight)).sum::<i64>()
            }
            Effect::PerByte(base, low, high) => {
                i64::from(base) + i64::from(low) * (a & 255) + i64::from(high) * (a >> 8)
            }
            Effect::IfThree(base, three) => if argument == 3 { three } else { base }.into(),
        })
    }
}

/// One opcode of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opcode {
    /// Its name in the module `opcode`; of a specialized one, that of the interpreter's own table. Empty if there is no such
    /// opcode.
    pub name: &'static str,
    /// What its argument means.
    pub operand: Operand,
    effects: [Effect; 2],
}

/// What is needed of an opcode to find the next instruction: how many units of caches there are (four bits), and the flags.
#[derive(Clone, Copy)]
pub(super) struct Shape(u8);

impl Shape {
    const TAKES_ARGUMENT: u8 = 1 << 4;
    const IS_ASSIGNED: u8 = 1 << 5;
    const IS_PREFIX: u8 = 1 << 6;
    const IS_PLACE: u8 = 1 << 7;

    const fn of(opcode: &Opcode, caches: u8, is_prefix: bool) -> Shape {
        assert!(caches < 16);
        let takes = !matches!(opcode.operand, Operand::None);
        let is_place = matches!(opcode.operand, Operand::Forward | Operand::Backward | Operand::Absolute);
        let flags = [
            (takes, Self::TAKES_ARGUMENT),
            (!opcode.name.is_empty(), Self::IS_ASSIGNED),
            (is_prefix, Self::IS_PREFIX),
            (is_place, Self::IS_PLACE),
        ];
        let (mut shape, mut place) = (caches, 0);
        while place < flags.len() {
            if flags[place].0 {
                shape |= flags[place].1;
            }
            place += 1;
        }
        Shape(shape)
    }

    #[inline]
    pub(super) fn takes_argument(self) -> bool {
        self.0 & Self::TAKES_ARGUMENT != 0
    }

    #[inline]
    pub(super) fn is_assigned(self) -> bool {
        self.0 & Self::IS_ASSIGNED != 0
    }

    #[inline]
    pub(super) fn is_prefix(self) -> bool {
        self.0 & Self::IS_PREFIX != 0
    }

    /// Whether the argument is a place in the code.
    #[inline]
    pub(super) fn is_place(self) -> bool {
        self.0 & Self::IS_PLACE != 0
    }

    /// How many units of two bytes follow as inline caches.
    #[inline]
    pub(super) fn caches(self) -> u8 {
        self.0 & 15
    }
}

impl Opcode {
    /// Whether the instruction may go on at another place. END_ASYNC_FOR of 3.14 and later names one, but does not go there.
    #[must_use]
    pub fn jumps(&self) -> bool {
        self.operand.is_place() && !self.name.ends_with("END_ASYNC_FOR")
    }

    /// How many values more are on the stack after the instruction, when it goes on with the next one or, if `jump`, at its
    /// target: what `dis.stack_effect` says, and for 2.7 to 3.7, which do not tell it, what `Python/compile.c` reckons with.
    /// `None` if there is no such opcode, or the interpreter does not say.
    #[must_use]
    pub fn stack_effect(&self, argument: u32, jump: bool) -> Option<i64> {
        self.effects[usize::from(jump)].of(argument)
    }
}

/// A row of the generated tables.
pub(super) struct Row(pub(super) u8, pub(super) &'static str, pub(super) Operand, pub(super) Effect, pub(super) Effect);

/// A generated table.
pub(super) struct Data {
    pub(super) version: Version,
    /// From here on opcodes that are not assigned take an argument.
    pub(super) unassigned_with_argument: u16,
    pub(super) rows: &'static [Row],
    pub(super) compare: &'static [&'static str],
    pub(super) binary: &'static [&'static str],
    pub(super) intrinsics_1: &'static [&'static str],
    pub(super) intrinsics_2: &'static [&'static str],
    pub(super) special: &'static [&'static str],
    pub(super) common: &'static [&'static str],
}

/// The instructions of one version.
pub struct InstructionSet {
    pub(super) data: &'static Data,
    opcodes: [Opcode; 256],
    shapes: [Shape; 256],
    pub(super) has_caches: bool,
    pub(super) extended_arg: u8,
    pub(super) rules: [Rule; 256],
    /// What functions of the interpreter do with the stack, of one and of two arguments.
    pub(super) intrinsics: [[Rule; 16]; 2],
}

impl InstructionSet {
    /// `caches`: how many units follow each opcode as its caches.
    pub(super) const fn new(data: &'static Data, caches: &[u8; 256]) -> InstructionSet {
        let effects = [Effect::Unknown; 2];
        let mut opcodes = [Opcode { name: "", operand: Operand::None, effects }; 256];
        let mut op = data.unassigned_with_argument as usize;
        while op < 256 {
            opcodes[op].operand = Operand::Number;
            op += 1;
        }
        let mut rules = [Rule::UNASSIGNED; 256];
        let minor = if data.version.major == 2 { 0 } else { data.version.minor };
        rules[255] = Rule::unnamed(255, minor);
        let mut extended_arg = None;
        let mut place = 0;
        while place < data.rows.len() {
            let Row(op, name, operand, next, jump) = data.rows[place];
            opcodes[op as usize] = Opcode { name, operand, effects: [next, jump] };
            rules[op as usize] = Rule::named(name, minor);
            // EXTENDED_ARG is the only name that begins with EXT.
            if let [b'E', b'X', b'T', ..] = name.as_bytes() {
                extended_arg = Some(op);
            }
            place += 1;
        }
        let Some(extended_arg) = extended_arg else { panic!("a table without EXTENDED_ARG") };
        let mut shapes = [Shape(0); 256];
        let (mut op, mut has_caches) = (0, false);
        while op < 256 {
            has_caches |= caches[op] > 0;
            shapes[op] = Shape::of(&opcodes[op], caches[op], op == extended_arg as usize);
            op += 1;
        }
        let intrinsics = [Rule::all(data.intrinsics_1, minor), Rule::all(data.intrinsics_2, minor)];
        InstructionSet { data, opcodes, shapes, has_caches, extended_arg, rules, intrinsics }
    }

    /// The instructions of the profile's version.
    ///
    /// # Panics
    ///
    /// Never: a test looks up every profile.
    #[must_use]
    pub fn of(profile: &Profile) -> &'static InstructionSet {
        let set = tables::SETS.iter().find(|set| set.data.version == profile.version);
        set.expect("every profile has a table of opcodes")
    }

    /// The row of an opcode.
    #[inline]
    #[must_use]
    pub fn opcode(&self, opcode: u8) -> &Opcode {
        &self.opcodes[usize::from(opcode)]
    }

    #[inline]
    pub(super) fn shape(&self, opcode: u8) -> Shape {
        self.shapes[usize::from(opcode)]
    }

    /// The opcode with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<u8> {
        self.data.rows.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// How many units of two bytes follow an opcode as its inline caches.
    #[must_use]
    pub fn caches(&self, opcode: u8) -> u8 {
        self.shape(opcode).caches()
    }
}
