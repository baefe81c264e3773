//! What each instruction takes from the stack, what it trusts without a look, and what it puts there.
//! Reviewed for Python 3.15.
//!
//! The sources are `Python/ceval.c` (up to 3.11) and `Python/bytecodes.c`. A row is `names, from, to, effect, act`: the names of
//! opcodes, the first and the last minor version (0 is 2.7), and an effect that reads `keeps | takes > gives`, the top of the stack
//! to the right. Each letter is a value, and what is behind it tells how often: nothing (once), `*` (as often as the argument says),
//! `+` (twice that), `=` (if the argument is three), `0` to `4` (if that bit of it is set), `%` (the two bytes of an argument of
//! UNPACK_EX), `#` (those of a call in 2.7). A `.` at the end: no exception comes from it. A `^`: it may enter a frame of Python's
//! without a call of the interpreter (3.11 and later), so that exceptions come from another place.
//!
//! | letter | as a demand | as a result |
//! |---|---|---|
//! | `o` | an object | one of any type |
//! | `n` | an object or NULL | the same |
//! | `a` | anything | – |
//! | `z` | anything but NULL | – |
//! | `_` | – | NULL |
//! | `i` | an iterator | one |
//! | `w` | an iterator, a generator or a coroutine | one |
//! | `l` `s` `d` `t` `u` | a list, set, dict, tuple, string | one |
//! | `b` | – | a bool |
//! | `B` | a bool, where assertions are compiled in, else an object | – |
//! | `K` | a dict, where an assertion looks at it, else an object | – |
//! | `N` | – | None |
//! | `A` | a tuple of names and what they stand for, by turns | – |
//! | `m` | – | a part of a template string |
//! | `X` | an exception, where assertions are compiled in, else an object | – |
//! | `Z` | an object, where assertions are compiled in, else anything | – |
//! | `Y` | what is not NULL for sure, where assertions are compiled in, else anything | – |
//! | `c` | a code object of the constants | – |
//! | `q` | a tuple of cells | – |
//! | `D` | a dict or NULL | – |
//! | `T` | a tuple of a string, a tuple or None, and something else (where that is trusted: a function) | – |
//! | `f` | a function that was made here | the same |
//! | `x` | an exception | one |
//! | `r` | an exception or None | the same |
//! | `p` | what was handled before (3.11 and later: an exception or None; up to 3.10 a third of it, perhaps NULL) | the same |
//! | `k` | the place of the instruction that raised | – |
//! | `j` | how far an iteration got | – |
//! | `e` `v` `y` | an exception's type, value, traceback (up to 3.10) | the same |

use super::value::{Value, given};

/// What an instruction does besides its effect on the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bytecode) enum Act {
    /// Nothing: it goes on with the next one.
    Plain,
    /// There is no such opcode: the interpreter raises SystemError.
    Unassigned,
    /// Only the interpreter writes it.
    Internal,
    /// It goes on at its target.
    Jump,
    /// Or at its target, with the same stack.
    Branch,
    /// At its target what it takes is still there.
    BranchOrPop,
    /// A branch on whether the value is None: true if it goes to its target with None.
    BranchOnNone(bool),
    ForIter,
    Send,
    GetIter,
    Return,
    Raise,
    LoadConst,
    LoadCommon,
    ReturnConst,
    /// A name whose value may be trusted.
    Named,
    KwNames,
    LoadFast,
    LoadFastCheck,
    LoadFastAndClear,
    LoadBorrow,
    StoreFast,
    DeleteFast,
    LoadPair,
    BorrowPair,
    StoreLoad,
    StorePair,
    MakeCell,
    CopyFreeVars,
    LoadClosure,
    Deref,
    ClassDeref,
    Copy,
    Swap,
    /// Moves the top so far down; 0: as the argument says.
    Rotate(u8),
    /// Repeats so many; 0: as the argument says.
    Duplicate(u8),
    Compare,
    BuildTuple,
    BuildList,
    /// Of a tuple of strings, and one of what is between them.
    BuildTemplate,
    /// The tuple on top has to be as long as the argument says.
    KeyMap,
    /// Of two or three.
    BuildSlice,
    /// What it keeps is so deep as the argument says.
    Into,
    /// The same; and so far below is a function that an exception names.
    Merge(u8),
    CallFunction,
    /// With so many values on top that are more arguments, and whether a dict is among them.
    CallSpread(u8, bool),
    Call,
    CallKw,
    CallNames,
    /// Of more than a bit of its argument the stack pointer is moved.
    CallUnpacked,
    MakeFunction,
    SetAttribute,
    Intrinsic1,
    Intrinsic2,
    Yield,
    YieldFrom,
    ReturnGenerator,
    Resume,
    Reraise,
    ReraiseLasti,
    /// The list has to hold nothing but exceptions and None.
    PrepareReraise,
    EndAsyncFor,
    EndAsyncIteration,
    SetupLoop,
    SetupExcept,
    SetupFinally,
    SetupWith,
    SetupAsyncWith,
    PopBlock,
    /// Whether it unwinds the stack to the block.
    PopExcept(bool),
    BreakLoop,
    ContinueLoop,
    EndFinally,
    CallFinally,
    PopFinally,
    WithCleanup,
    WithCleanupStart,
    WithCleanupFinish,
}

/// How often a value is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bytecode) enum Count {
    Once,
    Argument,
    Twice,
    IfThree,
    Bit(u8),
    Unpack,
    Old,
}

impl Count {
    pub(super) fn of(self, argument: u32) -> usize {
        let argument = argument as usize;
        match self {
            Count::Once => 1,
            Count::Argument => argument,
            Count::Twice => argument.saturating_mul(2),
            Count::IfThree => usize::from(argument == 3),
            Count::Bit(bit) => argument >> bit & 1,
            Count::Unpack => (argument & 255) + 1 + (argument >> 8),
            Count::Old => (argument & 255) + 2 * (argument >> 8 & 255),
        }
    }
}

/// A value of an effect: its letter (0: there is none) and how often.
pub(in crate::bytecode) type Item = (u8, Count);

const NO_ITEM: Item = (0, Count::Once);

/// What is known of an opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bytecode) struct Rule {
    pub(super) act: Act,
    /// It raises no exception.
    pub(super) quiet: bool,
    /// It may go on in a frame of Python's, from which exceptions come back.
    pub(super) enters: bool,
    /// Every value is there once; how many it keeps, takes and gives.
    pub(super) is_fixed: bool,
    pub(super) sizes: [u8; 3],
    pub(super) keeps: [Item; 7],
    pub(super) takes: [Item; 6],
    pub(super) gives: [Item; 3],
    /// What is there once: the letters of what it takes and keeps, the top first ...
    pub(super) letters: [u8; 8],
    /// ... and what it gives.
    pub(super) results: [Value; 3],
}

impl Rule {
    pub(in crate::bytecode) const UNASSIGNED: Rule = Rule {
        act: Act::Unassigned,
        quiet: false,
        enters: false,
        is_fixed: true,
        sizes: [0; 3],
        keeps: [NO_ITEM; 7],
        takes: [NO_ITEM; 6],
        gives: [NO_ITEM; 3],
        letters: [0; 8],
        results: [given(0); 3],
    };

    /// Those that are there.
    pub(super) fn items(items: &[Item]) -> impl DoubleEndedIterator<Item = Item> + '_ {
        let length = items.iter().position(|item| item.0 == 0).unwrap_or(items.len());
        items.iter().take(length).copied()
    }
}

struct Row(&'static str, u8, u8, &'static str, Act);

const ALL: u8 = 99;

impl Rule {
    /// Of the opcode with this name in this minor version. One that no row has is specialized or instrumented.
    pub(in crate::bytecode) const fn named(name: &str, minor: u8) -> Rule {
        let name = name.as_bytes();
        let mut word = INDEX.heads[hash(name, 0, name.len())];
        while word > 0 {
            let (row, start, length) = INDEX.words[word - 1];
            let Row(names, from, to, effect, act) = &ROWS[row];
            if *from <= minor && minor <= *to && is_at(name, names.as_bytes(), start, length) {
                return Rule::parse(effect.as_bytes(), *act);
            }
            word = INDEX.next[word - 1];
        }
        Rule { act: Act::Internal, ..Rule::UNASSIGNED }
    }

    /// Of an opcode without a name. 3.11 has one for tracing, which it does not tell.
    pub(in crate::bytecode) const fn unnamed(opcode: u8, minor: u8) -> Rule {
        let act = if opcode == 255 && minor == 11 { Act::Internal } else { Act::Unassigned };
        Rule { act, ..Rule::UNASSIGNED }
    }

    /// Of all functions of these names.
    pub(in crate::bytecode) const fn all(names: &[&str], minor: u8) -> [Rule; 16] {
        let mut rules = [Rule::UNASSIGNED; 16];
        let mut place = 0;
        while place < names.len() {
            rules[place] = Rule::named(names[place], minor);
            place += 1;
        }
        rules
    }

    const fn parse(effect: &[u8], act: Act) -> Rule {
        let mut rule = Rule { act, ..Rule::UNASSIGNED };
        let has_keeps = holds(effect, b'|');
        // 0: what it keeps, 1: what it takes, 2: what it gives.
        let mut part = if has_keeps { 0 } else { 1 };
        let (mut at, mut place) = (0, 0);
        while at < effect.len() {
            match effect[at] {
                b'.' => rule.quiet = true,
                b'^' => rule.enters = true,
                b'|' => (part, place) = (1, 0),
                b'>' => (part, place) = (2, 0),
                letter => {
                    let count = if at + 1 < effect.len() { Count::parse(effect[at + 1]) } else { None };
                    if count.is_some() {
                        at += 1;
                        rule.is_fixed = false;
                    }
                    rule.sizes[part] += 1;
                    let item = (
                        letter,
                        match count {
                            Some(count) => count,
                            None => Count::Once,
                        },
                    );
                    match part {
                        0 => rule.keeps[place] = item,
                        1 => rule.takes[place] = item,
                        _ => rule.gives[place] = item,
                    }
                    place += 1;
                }
            }
            at += 1;
        }
        rule.with_order()
    }

    /// With the same in the order in which it is looked at.
    const fn with_order(mut self) -> Rule {
        let [keeps, takes, gives] = [self.sizes[0] as usize, self.sizes[1] as usize, self.sizes[2] as usize];
        let mut place = 0;
        while place < takes + keeps && place < self.letters.len() {
            let items =
                if place < takes { self.takes[takes - 1 - place] } else { self.keeps[takes + keeps - 1 - place] };
            self.letters[place] = items.0;
            place += 1;
        }
        place = 0;
        while place < gives {
            self.results[place] = given(self.gives[place].0);
            place += 1;
        }
        self
    }
}

impl Count {
    const fn parse(character: u8) -> Option<Count> {
        Some(match character {
            b'*' => Count::Argument,
            b'+' => Count::Twice,
            b'=' => Count::IfThree,
            b'%' => Count::Unpack,
            b'#' => Count::Old,
            b'0'..=b'4' => Count::Bit(character - b'0'),
            _ => return None,
        })
    }
}

const fn holds(text: &[u8], wanted: u8) -> bool {
    let mut at = 0;
    while at < text.len() {
        if text[at] == wanted {
            return true;
        }
        at += 1;
    }
    false
}

/// So many names are in all rows at most.
const WORDS: usize = 320;

/// The names of all rows, in chains of equal [`hash`]: the compiler looks up some thousand.
struct Index {
    /// One more than the place of the first word.
    heads: [usize; 256],
    next: [usize; WORDS],
    /// Its row, and where it is there.
    words: [(usize, usize, usize); WORDS],
}

static INDEX: Index = Index::new();

impl Index {
    const fn new() -> Index {
        let mut index = Index { heads: [0; 256], next: [0; WORDS], words: [(0, 0, 0); WORDS] };
        let (mut row, mut place) = (0, 0);
        while row < ROWS.len() {
            let names = ROWS[row].0.as_bytes();
            let mut start = 0;
            while start < names.len() {
                let mut end = start;
                while end < names.len() && names[end] != b' ' {
                    end += 1;
                }
                let chain = hash(names, start, end - start);
                index.words[place] = (row, start, end - start);
                index.next[place] = index.heads[chain];
                place += 1;
                index.heads[chain] = place;
                start = end + 1;
            }
            row += 1;
        }
        index
    }
}

const fn hash(text: &[u8], start: usize, length: usize) -> usize {
    let middle = text[start + length / 2] as usize;
    (text[start] as usize * 7 + middle * 5 + text[start + length - 1] as usize * 3 + length) % 256
}

const fn is_at(word: &[u8], text: &[u8], start: usize, length: usize) -> bool {
    let mut at = 0;
    while at < length && at < word.len() && text[start + at] == word[at] {
        at += 1;
    }
    at == length && at == word.len()
}

use Act::*;

#[rustfmt::skip]
static ROWS: &[Row] = &[
    Row("NOP EXTENDED_ARG NOT_TAKEN", 0, ALL, ".", Plain),
    Row("CACHE RESERVED INTERPRETER_EXIT ENTER_EXECUTOR TRACE_RECORD EXIT_INIT_CHECK", 0, ALL, "", Internal),
    Row("STOP_CODE", 0, ALL, "", Unassigned),
    // The order of the stack.
    Row("POP_TOP", 0, 13, "z>.", Plain),
    Row("POP_TOP", 14, 14, "Y>.", Plain),
    Row("POP_TOP", 15, ALL, "a>.", Plain),
    Row("ROT_TWO", 0, ALL, ".", Rotate(2)),
    Row("ROT_THREE", 0, ALL, ".", Rotate(3)),
    Row("ROT_FOUR", 0, ALL, ".", Rotate(4)),
    Row("ROT_N", 0, ALL, ".", Rotate(0)),
    Row("DUP_TOP", 0, ALL, ".", Duplicate(1)),
    Row("DUP_TOP_TWO", 0, ALL, ".", Duplicate(2)),
    Row("DUP_TOPX", 0, ALL, ".", Duplicate(0)),
    Row("COPY", 0, ALL, ".", Copy),
    Row("SWAP", 0, ALL, ".", Swap),
    Row("PUSH_NULL", 0, ALL, ">_.", Plain),
    // Operators.
    Row("UNARY_POSITIVE UNARY_NEGATIVE UNARY_INVERT", 0, ALL, "o>o", Plain),
    Row("UNARY_CONVERT", 0, ALL, "o>u", Plain),
    Row("UNARY_NOT", 0, 12, "o>b", Plain),
    Row("UNARY_NOT", 13, ALL, "B>b.", Plain),
    Row("TO_BOOL", 0, ALL, "o>b", Plain),
    Row("BINARY_ADD BINARY_AND BINARY_DIVIDE BINARY_FLOOR_DIVIDE BINARY_LSHIFT BINARY_MATRIX_MULTIPLY BINARY_MODULO BINARY_MULTIPLY BINARY_OR BINARY_POWER BINARY_RSHIFT BINARY_SUBSCR BINARY_SUBTRACT BINARY_TRUE_DIVIDE BINARY_XOR BINARY_OP", 0, ALL, "oo>o^", Plain),
    Row("INPLACE_ADD INPLACE_AND INPLACE_DIVIDE INPLACE_FLOOR_DIVIDE INPLACE_LSHIFT INPLACE_MATRIX_MULTIPLY INPLACE_MODULO INPLACE_MULTIPLY INPLACE_OR INPLACE_POWER INPLACE_RSHIFT INPLACE_SUBTRACT INPLACE_TRUE_DIVIDE INPLACE_XOR", 0, ALL, "oo>o", Plain),
    Row("COMPARE_OP", 0, ALL, "oo>", Compare),
    Row("IS_OP", 0, ALL, "oo>b.", Plain),
    Row("CONTAINS_OP", 0, ALL, "oo>b", Plain),
    Row("BINARY_SLICE", 0, ALL, "ooo>o", Plain),
    Row("STORE_SLICE", 0, ALL, "oooo>", Plain),
    Row("SLICE+0", 0, ALL, "o>o", Plain),
    Row("SLICE+1 SLICE+2", 0, ALL, "oo>o", Plain),
    Row("SLICE+3", 0, ALL, "ooo>o", Plain),
    Row("STORE_SLICE+0", 0, ALL, "oo>", Plain),
    Row("STORE_SLICE+1 STORE_SLICE+2", 0, ALL, "ooo>", Plain),
    Row("STORE_SLICE+3", 0, ALL, "oooo>", Plain),
    Row("DELETE_SLICE+0", 0, ALL, "o>", Plain),
    Row("DELETE_SLICE+1 DELETE_SLICE+2", 0, ALL, "oo>", Plain),
    Row("DELETE_SLICE+3", 0, ALL, "ooo>", Plain),
    Row("STORE_SUBSCR", 0, ALL, "ooo>", Plain),
    Row("DELETE_SUBSCR", 0, ALL, "oo>", Plain),
    // Names, attributes, constants.
    Row("LOAD_CONST", 0, ALL, ".", LoadConst),
    Row("RETURN_CONST", 0, ALL, ".", ReturnConst),
    Row("LOAD_SMALL_INT", 0, ALL, ">o.", Plain),
    Row("LOAD_COMMON_CONSTANT", 0, ALL, ">o.", LoadCommon),
    Row("LOAD_LOCALS LOAD_BUILD_CLASS LOAD_ASSERTION_ERROR", 0, ALL, ">o", Plain),
    Row("LOAD_NAME", 0, 14, ">o", Plain),
    Row("LOAD_NAME", 15, ALL, ">o", Named),
    Row("STORE_NAME STORE_GLOBAL", 0, 14, "o>", Plain),
    Row("STORE_NAME STORE_GLOBAL", 15, ALL, "o>", Named),
    Row("STORE_ANNOTATION", 0, ALL, "o>", Plain),
    Row("DELETE_NAME DELETE_GLOBAL SETUP_ANNOTATIONS", 0, ALL, "", Plain),
    Row("LOAD_GLOBAL", 0, 10, ">o", Plain),
    Row("LOAD_GLOBAL", 11, 12, ">_0o", Plain),
    Row("LOAD_GLOBAL", 13, ALL, ">o_0", Plain),
    Row("LOAD_ATTR", 0, 11, "o>o^", Plain),
    Row("LOAD_ATTR", 12, 12, "o>n0o^", Plain),
    Row("LOAD_ATTR", 13, ALL, "o>on0^", Plain),
    Row("LOAD_METHOD", 0, ALL, "o>no", Plain),
    Row("LOAD_SUPER_ATTR", 12, 12, "ooo>n0o", Plain),
    Row("LOAD_SUPER_ATTR", 13, ALL, "ooo>on0", Plain),
    Row("LOAD_SPECIAL", 0, ALL, "o>on", Plain),
    Row("STORE_ATTR", 0, ALL, "oo>", Plain),
    Row("DELETE_ATTR", 0, ALL, "o>", Plain),
    Row("LOAD_FROM_DICT_OR_GLOBALS", 0, ALL, "o>o", Plain),
    Row("IMPORT_NAME", 0, ALL, "oo>o", Plain),
    Row("IMPORT_FROM", 0, ALL, "o|>o", Plain),
    Row("IMPORT_STAR", 0, ALL, "o>", Plain),
    // Variables.
    Row("LOAD_FAST", 0, 11, "", LoadFastCheck),
    Row("LOAD_FAST", 12, ALL, ".", LoadFast),
    Row("LOAD_FAST_CHECK", 0, ALL, "", LoadFastCheck),
    Row("LOAD_FAST_AND_CLEAR", 0, ALL, ".", LoadFastAndClear),
    Row("LOAD_FAST_BORROW", 0, ALL, ".", LoadBorrow),
    Row("LOAD_FAST_LOAD_FAST", 0, ALL, ".", LoadPair),
    Row("LOAD_FAST_BORROW_LOAD_FAST_BORROW", 0, ALL, ".", BorrowPair),
    Row("STORE_FAST", 0, 11, "o>.", StoreFast),
    Row("STORE_FAST", 12, ALL, "n>.", StoreFast),
    Row("STORE_FAST_LOAD_FAST", 0, ALL, "n>.", StoreLoad),
    Row("STORE_FAST_STORE_FAST", 0, ALL, "nn>.", StorePair),
    Row("DELETE_FAST", 0, ALL, "", DeleteFast),
    Row("MAKE_CELL", 0, ALL, "", MakeCell),
    Row("COPY_FREE_VARS", 0, ALL, ".", CopyFreeVars),
    Row("LOAD_CLOSURE", 0, ALL, "", LoadClosure),
    Row("LOAD_DEREF", 0, ALL, ">o", Deref),
    Row("STORE_DEREF", 0, ALL, "o>.", Deref),
    Row("DELETE_DEREF", 0, ALL, "", Deref),
    Row("LOAD_CLASSDEREF", 0, ALL, ">o", ClassDeref),
    Row("LOAD_FROM_DICT_OR_DEREF", 0, ALL, "o>o", Deref),
    // Containers.
    Row("BUILD_TUPLE", 0, ALL, "", BuildTuple),
    Row("BUILD_LIST", 0, ALL, "o*>l", BuildList),
    Row("BUILD_LIST_UNPACK", 0, ALL, "o*>l", Plain),
    Row("BUILD_SET BUILD_SET_UNPACK", 0, ALL, "o*>s", Plain),
    Row("BUILD_MAP", 0, 0, ">d", Plain),
    Row("BUILD_MAP", 6, ALL, "o+>d", Plain),
    Row("BUILD_MAP_UNPACK", 0, ALL, "o*>d", Plain),
    Row("BUILD_TUPLE_UNPACK", 0, ALL, "o*>t", Plain),
    Row("BUILD_TUPLE_UNPACK_WITH_CALL", 0, ALL, "o|o*>t", Plain),
    Row("BUILD_MAP_UNPACK_WITH_CALL", 0, ALL, "oo|o*>d", Plain),
    Row("BUILD_CONST_KEY_MAP", 0, 12, "o*o>d", Plain),
    Row("BUILD_CONST_KEY_MAP", 13, ALL, "o*t>d", KeyMap),
    Row("BUILD_STRING", 0, ALL, "o*>u", Plain),
    Row("BUILD_SLICE", 0, 13, "ooo=>o", Plain),
    Row("BUILD_SLICE", 14, ALL, "o*>o", BuildSlice),
    Row("BUILD_INTERPOLATION", 0, ALL, "ouo0>m", Plain),
    Row("BUILD_TEMPLATE", 0, ALL, "tt>o", BuildTemplate),
    Row("FORMAT_VALUE", 0, ALL, "oo2>u", Plain),
    Row("FORMAT_SIMPLE", 0, ALL, "o>u", Plain),
    Row("FORMAT_WITH_SPEC", 0, ALL, "oo>u", Plain),
    Row("CONVERT_VALUE", 0, ALL, "o>u", Plain),
    Row("LIST_APPEND", 0, 10, "o|o>", Into),
    Row("LIST_APPEND", 11, ALL, "l|o>", Into),
    Row("SET_ADD", 0, 14, "o|o>", Into),
    Row("SET_ADD", 15, ALL, "s|o>", Into),
    Row("MAP_ADD", 0, 10, "o|oo>", Into),
    Row("MAP_ADD", 11, ALL, "d|oo>", Into),
    Row("STORE_MAP", 0, ALL, "o|oo>", Plain),
    Row("LIST_EXTEND", 0, ALL, "l|o>", Into),
    Row("SET_UPDATE DICT_UPDATE", 0, ALL, "o|o>", Into),
    Row("DICT_MERGE", 0, 12, "o|o>", Merge(2)),
    Row("DICT_MERGE", 13, ALL, "o|o>", Merge(3)),
    Row("LIST_TO_TUPLE", 0, ALL, "o>t", Plain),
    Row("UNPACK_SEQUENCE", 0, ALL, "o>o*", Plain),
    Row("UNPACK_EX", 0, ALL, "o>o%", Plain),
    Row("GET_LEN", 0, ALL, "o|>o", Plain),
    Row("MATCH_MAPPING MATCH_SEQUENCE", 0, ALL, "o|>b.", Plain),
    Row("MATCH_KEYS", 0, 10, "ot|>ob", Plain),
    Row("MATCH_KEYS", 11, ALL, "ot|>o", Plain),
    Row("MATCH_CLASS", 0, 10, "oot>ob", Plain),
    Row("MATCH_CLASS", 11, ALL, "oot>o", Plain),
    Row("COPY_DICT_WITHOUT_KEYS", 0, ALL, "o|t>d", Plain),
    // Iteration.
    Row("GET_ITER", 0, 14, "o>i", Plain),
    Row("GET_ITER", 15, ALL, "o>", GetIter),
    Row("GET_YIELD_FROM_ITER", 0, ALL, "o>w", Plain),
    Row("FOR_ITER", 0, ALL, "^", ForIter),
    Row("END_FOR", 12, 12, "zz>.", Plain),
    Row("END_FOR", 13, 13, "z>.", Plain),
    Row("END_FOR", 14, ALL, "Z>.", Plain),
    Row("POP_ITER", 14, 14, "Z>.", Plain),
    Row("POP_ITER", 15, ALL, "Za>.", Plain),
    Row("GET_AITER", 6, 6, "o>w", Plain),
    Row("GET_AITER", 7, ALL, "o>o", Plain),
    Row("GET_ANEXT", 0, ALL, "o|>w", Plain),
    Row("GET_AWAITABLE", 0, ALL, "o>w", Plain),
    // Generators.
    Row("YIELD_VALUE", 0, ALL, "o>o.", Yield),
    Row("YIELD_FROM", 0, 9, "wo>o.", YieldFrom),
    Row("YIELD_FROM", 10, ALL, "oo>o.", YieldFrom),
    Row("SEND", 0, ALL, "^", Send),
    Row("END_SEND", 12, 14, "oo>o.", Plain),
    Row("END_SEND", 15, ALL, "oao>o.", Plain),
    Row("ASYNC_GEN_WRAP", 0, ALL, "o>o", Plain),
    Row("RETURN_GENERATOR", 0, ALL, ">o.", ReturnGenerator),
    Row("GEN_START", 0, ALL, "o>", Plain),
    Row("RESUME", 0, ALL, ".", Resume),
    Row("CLEANUP_THROW", 0, 14, "oox>No", Plain),
    Row("CLEANUP_THROW", 15, ALL, "oaox>N_o", Plain),
    // Jumps.
    Row("JUMP_FORWARD JUMP_BACKWARD_NO_INTERRUPT", 0, ALL, ".", Jump),
    Row("JUMP_ABSOLUTE JUMP_BACKWARD", 0, ALL, "", Jump),
    Row("POP_JUMP_IF_FALSE POP_JUMP_IF_TRUE", 0, 12, "o>", Branch),
    Row("POP_JUMP_IF_FALSE POP_JUMP_IF_TRUE", 13, ALL, "B>.", Branch),
    Row("POP_JUMP_FORWARD_IF_FALSE POP_JUMP_FORWARD_IF_TRUE POP_JUMP_BACKWARD_IF_FALSE POP_JUMP_BACKWARD_IF_TRUE", 0, ALL, "o>", Branch),
    Row("POP_JUMP_IF_NONE POP_JUMP_FORWARD_IF_NONE POP_JUMP_BACKWARD_IF_NONE", 0, ALL, "o>.", BranchOnNone(true)),
    Row("POP_JUMP_IF_NOT_NONE POP_JUMP_FORWARD_IF_NOT_NONE POP_JUMP_BACKWARD_IF_NOT_NONE", 0, ALL, "o>.", BranchOnNone(false)),
    Row("JUMP_IF_FALSE_OR_POP JUMP_IF_TRUE_OR_POP", 0, ALL, "o>", BranchOrPop),
    Row("JUMP_IF_NOT_EXC_MATCH", 0, ALL, "oo>", Branch),
    Row("RETURN_VALUE", 0, ALL, "o>.", Return),
    Row("RAISE_VARARGS", 0, ALL, "", Raise),
    // Calls and functions.
    Row("CALL_FUNCTION_VAR", 0, 0, "oo#o>o", CallSpread(1, false)),
    Row("CALL_FUNCTION_KW", 0, 0, "oo#o>o", CallSpread(1, true)),
    Row("CALL_FUNCTION_VAR_KW", 0, 0, "oo#oo>o", CallSpread(2, true)),
    Row("CALL_FUNCTION", 0, ALL, "", CallFunction),
    Row("CALL_FUNCTION_KW", 6, ALL, "", CallKw),
    Row("CALL_METHOD CALL", 0, ALL, "^", Call),
    Row("CALL_KW", 0, ALL, "^", CallKw),
    Row("CALL_FUNCTION_EX", 0, 10, "ooo0>o", Plain),
    Row("CALL_FUNCTION_EX", 11, 11, "nooo0>o", Plain),
    Row("CALL_FUNCTION_EX", 12, 12, "nood0>o^", CallUnpacked),
    Row("CALL_FUNCTION_EX", 13, 13, "onod0>o^", CallUnpacked),
    Row("CALL_FUNCTION_EX", 14, ALL, "onoD>o^", Plain),
    Row("PRECALL", 0, ALL, "", CallNames),
    Row("KW_NAMES", 0, ALL, ".", KwNames),
    Row("MAKE_FUNCTION", 0, 0, "o*c>", MakeFunction),
    Row("MAKE_CLOSURE", 0, 0, "o*qc>", MakeFunction),
    Row("MAKE_FUNCTION", 6, 9, "t0K1o2q3cu>", MakeFunction),
    Row("MAKE_FUNCTION", 10, 10, "t0K1A2q3cu>", MakeFunction),
    Row("MAKE_FUNCTION", 11, 12, "t0K1A2q3c>", MakeFunction),
    Row("MAKE_FUNCTION", 13, ALL, "c>", MakeFunction),
    Row("SET_FUNCTION_ATTRIBUTE", 0, ALL, "", SetAttribute),
    Row("CALL_INTRINSIC_1", 0, ALL, "", Intrinsic1),
    Row("CALL_INTRINSIC_2", 0, ALL, "", Intrinsic2),
    Row("INTRINSIC_1_INVALID INTRINSIC_PRINT INTRINSIC_IMPORT_STAR INTRINSIC_ASYNC_GEN_WRAP INTRINSIC_UNARY_POSITIVE", 0, ALL, "o>o", Plain),
    Row("INTRINSIC_STOPITERATION_ERROR", 0, ALL, "x>x", Plain),
    Row("INTRINSIC_LIST_TO_TUPLE", 0, ALL, "l>t", Plain),
    Row("INTRINSIC_TYPEVAR INTRINSIC_PARAMSPEC INTRINSIC_TYPEVARTUPLE", 0, ALL, "u>o", Plain),
    Row("INTRINSIC_SUBSCRIPT_GENERIC", 0, ALL, "t>o", Plain),
    Row("INTRINSIC_TYPEALIAS", 0, ALL, "T>o", Plain),
    Row("INTRINSIC_2_INVALID INTRINSIC_SET_TYPEPARAM_DEFAULT", 0, ALL, "oo>o", Plain),
    Row("INTRINSIC_PREP_RERAISE_STAR PREP_RERAISE_STAR", 0, ALL, "xl>r", PrepareReraise),
    Row("INTRINSIC_TYPEVAR_WITH_BOUND INTRINSIC_TYPEVAR_WITH_CONSTRAINTS", 0, ALL, "uo>o", Plain),
    Row("INTRINSIC_SET_FUNCTION_TYPE_PARAMS", 0, ALL, "ft>f", Plain),
    // Statements of 2.7.
    Row("BUILD_CLASS", 0, ALL, "ooo>o", Plain),
    Row("EXEC_STMT", 0, ALL, "ooo>", Plain),
    Row("PRINT_EXPR PRINT_ITEM PRINT_NEWLINE_TO", 0, ALL, "o>", Plain),
    Row("PRINT_ITEM_TO", 0, ALL, "oo>", Plain),
    Row("PRINT_NEWLINE", 0, ALL, "", Plain),
    // Exceptions of 3.11 and later.
    Row("PUSH_EXC_INFO", 0, ALL, "x>px.", Plain),
    Row("POP_EXCEPT", 11, ALL, "p>.", Plain),
    Row("CHECK_EXC_MATCH", 0, ALL, "X|o>b", Plain),
    Row("CHECK_EG_MATCH", 0, ALL, "ro>rr", Plain),
    Row("RERAISE", 11, ALL, "x>", ReraiseLasti),
    Row("WITH_EXCEPT_START", 11, 13, "okpx|>o", Plain),
    Row("WITH_EXCEPT_START", 14, ALL, "onkpx|>o", Plain),
    Row("END_ASYNC_FOR", 11, ALL, "o|x>", EndAsyncIteration),
    Row("BEFORE_WITH BEFORE_ASYNC_WITH", 0, ALL, "o>oo", Plain),
    // Blocks and exceptions up to 3.10.
    Row("SETUP_LOOP", 0, ALL, ".", SetupLoop),
    Row("SETUP_EXCEPT", 0, ALL, ".", SetupExcept),
    Row("SETUP_FINALLY", 0, ALL, ".", SetupFinally),
    Row("SETUP_WITH", 0, ALL, "o>o", SetupWith),
    Row("SETUP_ASYNC_WITH", 0, ALL, "o>.", SetupAsyncWith),
    Row("POP_BLOCK", 0, ALL, ".", PopBlock),
    Row("POP_EXCEPT", 6, 7, ".", PopExcept(true)),
    Row("POP_EXCEPT", 8, 10, "ppp>.", PopExcept(false)),
    Row("BREAK_LOOP", 0, ALL, ".", BreakLoop),
    Row("CONTINUE_LOOP", 0, ALL, ".", ContinueLoop),
    Row("BEGIN_FINALLY", 0, ALL, ">_.", Plain),
    Row("CALL_FINALLY", 0, ALL, ".", CallFinally),
    Row("POP_FINALLY", 0, ALL, ".", PopFinally),
    Row("END_FINALLY", 0, ALL, ".", EndFinally),
    Row("WITH_CLEANUP", 0, ALL, "", WithCleanup),
    Row("WITH_CLEANUP_START", 0, ALL, "", WithCleanupStart),
    Row("WITH_CLEANUP_FINISH", 0, ALL, "", WithCleanupFinish),
    Row("RERAISE", 9, 10, "yve>", Reraise),
    Row("WITH_EXCEPT_START", 9, 10, "opppyve|>o", Plain),
    Row("END_ASYNC_FOR", 8, 10, "yve>", EndAsyncFor),
];
