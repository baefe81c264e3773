//! The bytes of `marshal.dumps`, as the profile's interpreter writes them (`Python/marshal.c`, `w_object`).

mod common;
mod sets;

use super::{ASCII, INTERNED, Loaded, NONE, Object, PLAIN, equality};
use crate::code::{OBJECTS_BEFORE_LINE, leading_ints};
use crate::error::{Cause, Exception};
use crate::graph::{FLAG_REF, Value, index};
use crate::prelude::*;
use crate::text;
use alloc::collections::BTreeMap;
use core::ops::Range;
use sets::Context;

pub use sets::{SLOW_COST, Slow};

/// What `marshal.dumps` does with a loaded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dump {
    /// It returns bytes.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// Why the interpreter may write other bytes for the same value, if it may: then only what they load as can be
        /// compared.
        unpredictable: Option<Aspect>,
    },
    /// It raises an exception.
    Raises(Exception),
    /// It crashes, hangs or repeats itself without end.
    Undefined(Cause),
    /// It does one of these in the end, but nobody waits for that, this library included.
    Slow(Slow),
}

/// What the bytes of a dump, or a canon, depend on besides the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// The order of a set (before 3.11) or dict (2.7) depends on hashes, addresses and history.
    HashOrder,
    /// Members of a set have the same sort key, so their order is the hash table's.
    EqualSortKeys,
    /// Members of a set print alike, so which of them comes first in the canon is the hash table's order.
    EqualMembers,
    /// Whether a free-threaded build keeps two frozensets or one depends on whether their hash tables have the same order.
    KeptFrozensets,
}

impl Aspect {
    /// All of them; corpus/aspects.toml tells the same to other programs.
    pub const ALL: [Aspect; 4] =
        [Aspect::HashOrder, Aspect::EqualSortKeys, Aspect::EqualMembers, Aspect::KeptFrozensets];

    /// A short name for counters and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Aspect::HashOrder => "hash-order",
            Aspect::EqualSortKeys => "equal-sort-keys",
            Aspect::EqualMembers => "equal-members",
            Aspect::KeptFrozensets => "kept-frozensets",
        }
    }
}

/// A value whose dump takes more steps than this, and more than 16 for each object, is written again and again.
const FREE_STEPS: usize = 1 << 12;

/// So is one whose dump is longer than this, and more than 16 times as long as the stream.
const FREE_LENGTH: usize = 1 << 16;

#[derive(Clone, Copy)]
enum Failure {
    TooDeep,
    Unmarshallable,
    /// `<` raises an exception between members of a set that have the same key.
    NoOrder,
}

/// Why the model does not write to the end.
#[derive(Clone, Copy)]
enum Stop {
    Undefined(Cause),
    Slow(Slow),
}

/// Who decides which objects are written once and referred to afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The interpreter: by reference counts.
    Interpreter,
    /// [`Loaded::owners`], which then say how often an object is written.
    Places,
    /// Nobody: there are no references.
    Never,
    /// As `Never`, and it does not show which strings are interned.
    Plain,
}

/// A container that is being written.
#[derive(Clone, Copy)]
struct Frame {
    object: Object,
    code: u8,
    /// Which of the loaded parts are still to be written; for a set: which of `ordered`.
    next: usize,
    end: usize,
}

/// The reference table: an object's index (2.7: an interned string's).
#[derive(Default)]
struct Indexes {
    /// Of a whole dump, which will meet most objects: for each of them, or `NONE`.
    all: Vec<u32>,
    /// Of a sort key's dump, which meets a few.
    few: BTreeMap<Object, u32>,
}

impl Indexes {
    #[inline]
    fn get(&self, object: Object) -> Option<u32> {
        match self.all.get(object as usize) {
            Some(index) => Some(*index).filter(|index| *index != NONE),
            None => self.few.get(&object).copied(),
        }
    }

    #[inline]
    fn set(&mut self, object: Object, index: u32) {
        match self.all.get_mut(object as usize) {
            Some(place) => *place = index,
            None => {
                self.few.insert(object, index);
            }
        }
    }
}

pub(super) struct Writer<'l, 'g, 'a> {
    loaded: &'l Loaded<'g, 'a>,
    version: u8,
    rule: Rule,
    pub(super) out: Vec<u8>,
    indexes: Indexes,
    next_index: u32,
    /// The members of the sets that are being written, in the order of writing; innermost last.
    ordered: Vec<Object>,
    /// References that these sets hold on their members.
    borrowed: BTreeMap<Object, u32>,
    frames: Vec<Frame>,
    max_steps: usize,
    max_length: usize,
    steps: usize,
    /// How many sets the object that is being written is in.
    nesting: u32,
    failure: Option<Failure>,
    stopped: Option<Stop>,
    /// See [`Loaded::cost`].
    cost: u64,
    unpredictable: Option<Aspect>,
    /// See [`Key`].
    is_key: bool,
    single: Vec<Object>,
    lent: bool,
}

impl Loaded<'_, '_> {
    /// `marshal.dumps(value, version)`; versions above the profile's own behave like it.
    #[must_use]
    pub fn dump(&self, version: u8) -> Dump {
        self.dump_and_cost(version).0
    }

    /// How much work that is for the interpreter, besides what follows from the length of the dump: since 3.11 a set's members
    /// are sorted by dumps of their own, which are thrown away, so that each level of nested sets doubles the work. The unit
    /// is the visit of an object in such a dump. No time passes here that the interpreter would need: a dump of a member is
    /// made once, and counted as often as the interpreter makes it.
    #[must_use]
    pub fn cost(&self, version: u8) -> u64 {
        self.dump_and_cost(version).1
    }

    /// The [dump](Loaded::dump) and its [cost](Loaded::cost).
    #[must_use]
    pub fn dump_and_cost(&self, version: u8) -> (Dump, u64) {
        if let Some(cause) = self.hazard {
            return (Dump::Undefined(cause), 0);
        }
        self.written(Rule::Interpreter, version)
    }

    /// The stream of the whole value under a rule.
    pub(super) fn written(&self, rule: Rule, version: u8) -> (Dump, u64) {
        let mut context = Context::default();
        let indexes = Indexes { all: vec![NONE; self.bits.len()], ..Indexes::default() };
        let mut writer = Writer::new(self, version.min(self.profile.marshal_version), 0, indexes);
        writer.rule = rule;
        writer.out.reserve(self.graph.consumed + 16);
        writer.run(self.root(), &mut context);
        let dump = match (writer.stopped, writer.failure) {
            (Some(Stop::Undefined(cause)), _) => Dump::Undefined(cause),
            (Some(Stop::Slow(slow)), _) => return (Dump::Slow(slow), u64::MAX),
            (None, None) => {
                // Without references it does not show what is one object.
                let varies = writer.unpredictable.or(self.varies.filter(|_| version >= 3));
                let unpredictable = varies.filter(|_| rule == Rule::Interpreter);
                Dump::Bytes { bytes: writer.out, unpredictable }
            }
            (None, Some(Failure::TooDeep)) => {
                Dump::Raises(Exception::new("ValueError", "object too deeply nested to marshal"))
            }
            (None, Some(Failure::NoOrder)) => Dump::Raises(Exception::new("MemoryError", "")),
            (None, Some(Failure::Unmarshallable)) => {
                Dump::Raises(Exception::new("ValueError", "unmarshallable object"))
            }
        };
        (dump, writer.cost)
    }
}

impl<'l, 'g, 'a> Writer<'l, 'g, 'a> {
    fn new(loaded: &'l Loaded<'g, 'a>, version: u8, nesting: u32, indexes: Indexes) -> Self {
        Writer {
            loaded,
            version,
            rule: Rule::Interpreter,
            out: Vec::new(),
            indexes,
            next_index: 0,
            ordered: Vec::new(),
            borrowed: BTreeMap::new(),
            frames: Vec::new(),
            max_steps: FREE_STEPS + 16 * loaded.bits.len().max(loaded.parts.len()),
            max_length: FREE_LENGTH + 16 * (loaded.graph.consumed + loaded.graph.owned.len()),
            steps: 0,
            nesting,
            failure: None,
            stopped: None,
            cost: 0,
            unpredictable: None,
            is_key: false,
            single: Vec::new(),
            lent: false,
        }
    }

    /// A writer of single objects, for who compares them.
    pub(super) fn plain(loaded: &'l Loaded<'g, 'a>) -> Self {
        let version = loaded.profile.marshal_version;
        Writer { rule: Rule::Plain, ..Writer::new(loaded, version, 0, Indexes::default()) }
    }

    /// Writes one more object with all that is in it. Whether there was an end to it.
    pub(super) fn add(&mut self, object: Object) -> bool {
        self.steps = 0;
        self.run(object, &mut Context::default());
        self.stopped.is_none() && self.failure.is_none()
    }

    fn run(&mut self, root: Object, context: &mut Context) {
        let loaded = self.loaded;
        let stops_at_failure = loaded.profile.writer_stops_at_first_error();
        if !self.leaf(root, context) {
            self.container(root, context);
        }
        while let Some(&Frame { object, code, next: first, end }) = self.frames.last() {
            if self.stopped.is_some() || self.failure.is_some() && stops_at_failure {
                return;
            }
            let ordered = matches!(code, b'<' | b'>');
            // Nothing is added to `ordered` before the members are written up to the next container.
            let members = if ordered { core::mem::take(&mut self.ordered) } else { Vec::new() };
            let all = if ordered { &members } else { &loaded.parts };
            let mut next = first;
            let mut container = None;
            let depth = self.frames.len();
            if first < end && !self.too_deep() {
                while next < end && container.is_none() {
                    let begun = self.common(&all[next..end], context);
                    next += begun;
                    self.steps += begun;
                    if self.frames.len() > depth {
                        break;
                    }
                    if let Some(&part) = all[..end].get(next) {
                        next += 1;
                        self.steps += 1;
                        container = (!self.leaf(part, context)).then_some(part);
                    }
                }
                if let Some(frame) = self.frames.get_mut(depth - 1) {
                    frame.next = next;
                }
            }
            if ordered {
                self.ordered = members;
            }
            if let Some(container) = container {
                self.container(container, context);
                continue;
            }
            if self.frames.len() > depth {
                continue;
            }
            let parts = loaded.span(object);
            let all = parts.end;
            if code == b'c' && end < all {
                // The first objects of a code object are written.
                self.out.extend_from_slice(&loaded.ints(object).firstlineno.to_le_bytes());
                self.frames.pop();
                self.frames.push(Frame { object, code, next: end, end: all });
                continue;
            }
            if matches!(code, b'{' | b'}') && !self.too_deep() {
                // The NULL that ends a dict is an object for the depth limit.
                self.out.push(b'0');
            }
            self.frames.pop();
            if ordered {
                self.nesting -= 1;
                self.release(parts.len(), context);
            }
        }
    }

    #[inline]
    fn too_deep(&mut self) -> bool {
        let too_deep = self.frames.len() >= self.loaded.profile.max_depth as usize;
        if too_deep {
            self.failure = Some(Failure::TooDeep);
        }
        too_deep
    }

    /// 3.11 and later: dumps make a new bytes object for co_code, which the code object keeps too.
    fn shown_code(&mut self, code: Object, context: &mut Context) {
        let loaded = self.loaded;
        let Some(&read) = loaded.parts(code).first() else { return };
        if self.too_deep() {
            return;
        }
        if loaded.payload(read).is_empty() {
            // The empty bytes object is the cached one.
            self.leaf(read, context);
            return;
        }
        let mut flag = 0;
        if self.version >= 3 && self.rule == Rule::Interpreter {
            flag = FLAG_REF;
            self.next_index += 1;
        }
        if loaded.has(code, PLAIN) {
            self.sized(b's' | flag, loaded.payload(read));
        } else if let Ok(shown) = loaded.shown_code(code) {
            self.sized(b's' | flag, &shown);
        }
    }

    #[inline]
    fn sized(&mut self, code: u8, bytes: &[u8]) {
        if self.out.len() > self.max_length {
            self.stopped = Some(Stop::Undefined(Cause::Expansion));
            return;
        }
        let [a, b, c, d] = index(bytes.len()).to_le_bytes();
        self.out.extend_from_slice(&[code, a, b, c, d]);
        self.out.extend_from_slice(bytes);
    }

    fn size(&mut self, size: usize) {
        self.out.extend_from_slice(&index(size).to_le_bytes());
    }

    /// Writes an object, or a reference to it, unless it is a container that has to be written in full.
    #[inline]
    fn leaf(&mut self, object: Object, context: &mut Context) -> bool {
        let loaded = self.loaded;
        if self.version >= 3
            && let Some(index) = self.indexes.get(object)
        {
            // It was shared when it was written, so it still is.
            let [a, b, c, d] = index.to_le_bytes();
            self.out.extend_from_slice(&[b'r', a, b, c, d]);
            return true;
        }
        let code = loaded.node(object).code;
        match code {
            b'N' | b'S' | b'.' | b'F' | b'T' => self.out.push(code),
            b'u' | b't' | b'a' | b'A' | b'z' | b'Z' if self.version >= 3 => self.str(object, context),
            b's' if self.version >= 3 => {
                let flag = self.flag(object, context);
                self.sized(b's' | flag, loaded.payload(object));
            }
            b'i' => {
                let flag = self.flag(object, context);
                self.int(i64::from(loaded.node(object).extra.cast_signed()), flag);
            }
            b'(' | b')' | b'[' | b'<' | b'>' | b'{' | b'}' | b':' | b'c' => return false,
            _ => self.rare(object, context),
        }
        true
    }

    /// Numbers but small ints, and strings as they were before version 3.
    fn rare(&mut self, object: Object, context: &mut Context) {
        let loaded = self.loaded;
        let flag = self.flag(object, context);
        let python2 = loaded.profile.is_python2();
        match loaded.value(object) {
            Value::Int64(value) if python2 && loaded.profile.pointer_bits == 32 => self.long_of(value, flag),
            Value::Int64(value) => self.int(value, flag),
            Value::Long(long) => match long.to_i64().map(i32::try_from) {
                Some(Ok(value)) if !python2 => self.int(i64::from(value), flag),
                _ => self.long(long.negative, loaded.payload(object), flag),
            },
            Value::Float(bits) => self.float(&[loaded.profile.loads_float(bits)], flag),
            Value::FloatText(text) => self.float(&[parsed(text, python2)], flag),
            Value::Complex(real, imaginary) => {
                self.float(&[real, imaginary].map(|bits| loaded.profile.loads_float(bits)), flag);
            }
            Value::ComplexText(real, imaginary) => {
                self.float(&[parsed(real, python2), parsed(imaginary, python2)], flag)
            }
            Value::Str(text) if python2 => self.sized(b'u', &text::combine_surrogates(text.bytes)),
            Value::Str(_) => self.sized(b'u', &loaded.text(object)),
            _ => self.bytes(object),
        }
    }

    /// The flag of an object that is written for the first time; gives it its index.
    #[inline]
    fn flag(&mut self, object: Object, context: &mut Context) -> u8 {
        match self.rule {
            _ if self.version < 3 => return 0,
            Rule::Interpreter => {}
            Rule::Places if self.loaded.owners[object as usize] > 1 => return self.indexed(object),
            _ => return 0,
        }
        if !self.loaded.is_shared(object) {
            if self.borrowed.get(&object).is_none_or(|sets| *sets == 0) {
                if !context.holds(object) {
                    if self.is_key {
                        self.single.push(object);
                    }
                    return 0;
                }
                self.lent = true;
            }
            // What is in the table has an owner more: the table.
            context.hold(object);
        }
        self.indexed(object)
    }

    #[inline]
    fn indexed(&mut self, object: Object) -> u8 {
        self.indexes.set(object, self.next_index);
        self.next_index += 1;
        FLAG_REF
    }

    #[inline]
    fn int(&mut self, value: i64, flag: u8) {
        if let Ok(value) = i32::try_from(value) {
            let [a, b, c, d] = value.to_le_bytes();
            self.out.extend_from_slice(&[b'i' | flag, a, b, c, d]);
        } else if self.loaded.profile.is_python2() {
            self.out.push(b'I');
            self.out.extend_from_slice(&value.to_le_bytes());
        } else {
            self.long_of(value, flag);
        }
    }

    fn long_of(&mut self, value: i64, flag: u8) {
        let mut rest = value.unsigned_abs();
        let mut digits = Vec::new();
        while rest != 0 {
            digits.extend_from_slice(&(rest & 0x7FFF).to_le_bytes()[..2]);
            rest >>= 15;
        }
        self.long(value < 0, &digits, flag);
    }

    fn long(&mut self, negative: bool, digits: &[u8], flag: u8) {
        self.out.push(b'l' | flag);
        let count = index(digits.len() / 2).cast_signed();
        self.out.extend_from_slice(&(if negative { -count } else { count }).to_le_bytes());
        self.out.extend_from_slice(digits);
    }

    fn float(&mut self, parts: &[u64], flag: u8) {
        let binary = self.version >= 2;
        self.out.push(
            flag | match (parts.len(), binary) {
                (1, true) => b'g',
                (1, false) => b'f',
                (_, true) => b'y',
                (_, false) => b'x',
            },
        );
        for &bits in parts {
            if binary {
                self.out.extend_from_slice(&bits.to_le_bytes());
            } else {
                let text = text::format_float(bits);
                self.out.push(index(text.len()).to_le_bytes()[0]);
                self.out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Bytes as they were before version 3.
    fn bytes(&mut self, object: Object) {
        let loaded = self.loaded;
        let shows = self.version >= 1 && loaded.profile.is_python2() && self.rule != Rule::Plain;
        if !shows || !loaded.has(object, INTERNED) {
            self.sized(b's', loaded.payload(object));
        } else if let Some(index) = self.indexes.get(object).filter(|_| self.rule != Rule::Never) {
            self.out.push(b'R');
            self.out.extend_from_slice(&index.to_le_bytes());
        } else {
            self.indexes.set(object, self.next_index);
            self.next_index += 1;
            self.sized(b't', loaded.payload(object));
        }
    }

    /// A `str` of Python 3, since version 3.
    #[inline]
    fn str(&mut self, object: Object, context: &mut Context) {
        let loaded = self.loaded;
        let flag = self.flag(object, context);
        let interned = loaded.has(object, INTERNED) && self.rule != Rule::Plain;
        if self.version < 4 || !loaded.has(object, ASCII) {
            let code = if interned { b't' } else { b'u' };
            return self.sized(code | flag, &loaded.text(object));
        }
        let bytes = loaded.payload(object);
        match u8::try_from(bytes.len()) {
            Ok(length) => {
                self.out.extend_from_slice(&[if interned { b'Z' } else { b'z' } | flag, length]);
                self.out.extend_from_slice(bytes);
            }
            Err(_) => self.sized(if interned { b'A' } else { b'a' } | flag, bytes),
        }
    }

    /// Begins a container that was not written before.
    fn container(&mut self, object: Object, context: &mut Context) {
        let loaded = self.loaded;
        let code = loaded.node(object).code;
        let flag = self.flag(object, context);
        let flagged = code | flag;
        let Range { start: mut next, mut end } = loaded.span(object);
        let parts = &loaded.parts[next..end];
        if self.steps > self.max_steps || self.out.len() > self.max_length {
            self.stopped = Some(Stop::Undefined(Cause::Expansion));
            return;
        }
        match code {
            b'(' | b')' => match u8::try_from(parts.len()) {
                Ok(n) if self.version >= 4 => self.out.extend_from_slice(&[b')' | flag, n]),
                _ => {
                    self.out.push(b'(' | flag);
                    self.size(parts.len());
                }
            },
            b'[' => {
                self.out.push(flagged);
                self.size(parts.len());
            }
            b':' if self.version < 5 => return self.unmarshallable(),
            b'}' if self.version < 6 => return self.unmarshallable(),
            b'{' => {
                self.out.push(flagged);
                if loaded.profile.is_python2() && parts.len() > 2 {
                    self.unpredictable = Some(Aspect::HashOrder);
                }
            }
            b'<' | b'>' => {
                self.out.push(flagged);
                self.size(parts.len());
                next = self.ordered.len();
                if let Err(failure) = self.order_members(parts, context) {
                    self.failure = Some(failure);
                    return;
                }
                end = self.ordered.len();
                self.nesting += 1;
            }
            b'c' => {
                self.out.push(flagged);
                let mut ints = loaded.ints(object);
                let (fields, n) = leading_ints(loaded.graph.layout, &mut ints);
                for int in fields.into_iter().take(n) {
                    self.out.extend_from_slice(&int.to_le_bytes());
                }
                end = end.min(next + OBJECTS_BEFORE_LINE);
                self.frames.push(Frame { object, code, next, end });
                if loaded.profile.rebuilds_code() && next < end {
                    self.shown_code(object, context);
                    if let Some(frame) = self.frames.last_mut() {
                        frame.next += 1;
                    }
                }
                return;
            }
            _ => self.out.push(flagged),
        }
        self.frames.push(Frame { object, code, next, end });
    }

    /// Types that an older format version does not have: `?` and an error.
    fn unmarshallable(&mut self) {
        self.out.push(b'?');
        self.failure = Some(Failure::Unmarshallable);
    }
}

/// A text float of the stream; the reader has refused the ones that are none.
fn parsed(text: &[u8], python2: bool) -> u64 {
    text::parse_float(text, python2).unwrap_or(0)
}
