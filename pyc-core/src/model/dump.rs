//! The bytes of `marshal.dumps`, as the profile's interpreter writes them (`Python/marshal.c`, `w_object`).

use super::{ASCII, CACHED, INTERNED, Loaded, NONE, Object, PLAIN, equality};
use crate::code::{OBJECTS_BEFORE_LINE, leading_ints};
use crate::error::{Cause, Exception};
use crate::graph::{FLAG_REF, Value, bit, index};
use crate::prelude::*;
use crate::text;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::rc::Rc;
use core::ops::Range;

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
}

impl Aspect {
    /// All of them; corpus/aspects.toml tells the same to other programs.
    pub const ALL: [Aspect; 3] = [Aspect::HashOrder, Aspect::EqualSortKeys, Aspect::EqualMembers];

    /// A short name for counters and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Aspect::HashOrder => "hash-order",
            Aspect::EqualSortKeys => "equal-sort-keys",
            Aspect::EqualMembers => "equal-members",
        }
    }
}

/// Sets nested deeper than this take the interpreter more than 2^20 steps to sort.
const MAX_SET_NESTING: u32 = 20;

/// A value whose dump takes more steps than this, and more than 16 for each object, is written again and again.
const FREE_STEPS: usize = 1 << 12;

/// So is one whose dump is longer than this, and more than 16 times as long as the stream.
const FREE_LENGTH: usize = 1 << 16;

/// Keys that depend on what was written before them are made anew each time, up to so often.
const MAX_KEYS_AGAIN: usize = 1 << 12;

/// What is no longer is copied without asking how long it is.
const SHORT: usize = 32;

#[derive(Clone, Copy)]
enum Failure {
    TooDeep,
    Unmarshallable,
    /// `<` raises an exception between members of a set that have the same key.
    NoOrder,
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

/// What a set's member is sorted by.
#[derive(Clone)]
struct Key {
    /// Its dump; `None` if that fails.
    bytes: Option<Rc<[u8]>>,
    /// The objects in it that had a single owner.
    single: Vec<Object>,
    /// Whether an object in it was shared only with a writer that had not finished.
    lent: bool,
}

/// What a writer shares with the writers of sort keys below it.
#[derive(Default)]
struct Context {
    keys: BTreeMap<Object, Key>,
    keys_again: usize,
    /// The references that writers hold on objects with a single owner: those in their tables, and the members of sets that
    /// are being written.
    held: BTreeMap<Object, u32>,
}

impl Context {
    fn hold(&mut self, object: Object) {
        *self.held.entry(object).or_insert(0) += 1;
    }

    fn release(&mut self, object: Object) {
        if let Entry::Occupied(mut entry) = self.held.entry(object) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    fn holds(&self, object: Object) -> bool {
        self.held.contains_key(&object)
    }
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

struct Writer<'l, 'g, 'a> {
    loaded: &'l Loaded<'g, 'a>,
    version: u8,
    out: Vec<u8>,
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
    undefined: Option<Cause>,
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
        if let Some(cause) = self.hazard {
            return Dump::Undefined(cause);
        }
        let mut context = Context::default();
        let indexes = Indexes { all: vec![NONE; self.bits.len()], ..Indexes::default() };
        let mut writer = Writer::new(self, version.min(self.profile.marshal_version), 0, indexes);
        writer.out.reserve(self.graph.consumed + 16);
        writer.run(self.root(), &mut context);
        if let Some(cause) = writer.undefined {
            return Dump::Undefined(cause);
        }
        match writer.failure {
            None => Dump::Bytes { bytes: writer.out, unpredictable: writer.unpredictable },
            Some(Failure::TooDeep) => Dump::Raises(Exception::new("ValueError", "object too deeply nested to marshal")),
            Some(Failure::NoOrder) => Dump::Raises(Exception::new("MemoryError", "")),
            Some(Failure::Unmarshallable) => Dump::Raises(Exception::new("ValueError", "unmarshallable object")),
        }
    }
}

impl<'l, 'g, 'a> Writer<'l, 'g, 'a> {
    fn new(loaded: &'l Loaded<'g, 'a>, version: u8, nesting: u32, indexes: Indexes) -> Self {
        Writer {
            loaded,
            version,
            out: Vec::new(),
            indexes,
            next_index: 0,
            ordered: Vec::new(),
            borrowed: BTreeMap::new(),
            frames: Vec::new(),
            max_steps: FREE_STEPS + 16 * loaded.bits.len(),
            max_length: FREE_LENGTH + 16 * (loaded.graph.consumed + loaded.graph.owned.len()),
            steps: 0,
            nesting,
            failure: None,
            undefined: None,
            unpredictable: None,
            is_key: false,
            single: Vec::new(),
            lent: false,
        }
    }

    fn run(&mut self, root: Object, context: &mut Context) {
        let loaded = self.loaded;
        let stops_at_failure = loaded.profile.writer_stops_at_first_error();
        if !self.leaf(root, context) {
            self.container(root, context);
        }
        while let Some(&Frame { object, code, next: first, end }) = self.frames.last() {
            if self.undefined.is_some() || self.failure.is_some() && stops_at_failure {
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
        if self.version >= 3 {
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
            self.undefined = Some(Cause::Expansion);
            return;
        }
        let [a, b, c, d] = index(bytes.len()).to_le_bytes();
        self.out.extend_from_slice(&[code, a, b, c, d]);
        self.out.extend_from_slice(bytes);
    }

    fn size(&mut self, size: usize) {
        self.out.extend_from_slice(&index(size).to_le_bytes());
    }

    /// Writes what most values consist of, references, tuples of leaves, and what is written as it was read but for its
    /// flag, and stops before anything else: at the end of the parts, or in a tuple, for which there is a frame then.
    /// Returns how many of these parts are begun.
    #[inline]
    fn common(&mut self, parts: &[Object], context: &Context) -> usize {
        // Of sort keys and of sets there is more to know than the flag.
        if self.version < 4 || self.is_key || !context.held.is_empty() {
            return 0;
        }
        let loaded = self.loaded;
        let Loaded { graph, bits, owners, .. } = loaded;
        let nodes = &graph.nodes[..];
        let (bits, owners, indexes) =
            (&bits[..nodes.len()], &owners[..nodes.len()], &mut self.indexes.all[..nodes.len()]);
        let mut out = core::mem::take(&mut self.out);
        let mut next_index = self.next_index;
        let most = self.max_length;
        let may_nest = self.frames.len() + 1 < loaded.profile.max_depth as usize;
        let mut rest = parts;
        // A tuple that is being written, how many parts it has, and what follows it.
        let mut tuple: Option<(Object, &[Object])> = None;
        loop {
            let Some((&object, others)) = rest.split_first() else {
                let Some((_, after)) = tuple.take() else { break };
                rest = after;
                continue;
            };
            let at = object as usize;
            // Copies are not common.
            let Some(node) = nodes.get(at) else { break };
            if indexes[at] != NONE {
                let [a, b, c, d] = indexes[at].to_le_bytes();
                out.extend_from_slice(&[b'r', a, b, c, d]);
                rest = others;
                continue;
            }
            let (code, prefix) = match node.code {
                b'N' | b'S' | b'.' | b'F' | b'T' => {
                    out.push(node.code);
                    rest = others;
                    continue;
                }
                b'z' | b'Z' if bits[at] & ASCII != 0 => (if bits[at] & INTERNED != 0 { b'Z' } else { b'z' }, 2),
                b'g' => (b'g', 1),
                b's' | b'i' => (node.code, 5),
                b'(' | b')' if may_nest && tuple.is_none() && node.len < 256 => {
                    if self.steps + parts.len() - others.len() > self.max_steps {
                        break;
                    }
                    (b')', 0)
                }
                _ => break,
            };
            if node.is(bit::OWNED) || out.len() > most {
                break;
            }
            let mut flag = 0;
            if (owners[at] != 1) | (bits[at] & (CACHED | INTERNED) != 0) {
                flag = FLAG_REF;
                indexes[at] = next_index;
                next_index += 1;
            }
            rest = others;
            match code {
                b'i' => {
                    let [a, b, c, d] = node.extra.to_le_bytes();
                    out.extend_from_slice(&[b'i' | flag, a, b, c, d]);
                }
                b')' => {
                    out.extend_from_slice(&[b')' | flag, node.len.to_le_bytes()[0]]);
                    tuple = Some((object, others));
                    rest = loaded.parts(object);
                    self.steps += rest.len();
                }
                _ => {
                    let Range { start, end } = node.range();
                    let first = out.len();
                    copy(&mut out, graph.input, start - prefix, end);
                    out[first] = code | flag;
                }
            }
        }
        self.out = out;
        self.next_index = next_index;
        let Some((object, after)) = tuple else { return parts.len() - rest.len() };
        let end = loaded.span(object).end;
        self.steps -= rest.len();
        self.frames.push(Frame { object, code: b')', next: end - rest.len(), end });
        parts.len() - after.len()
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
            Value::Float(bits) => self.float(&[bits], flag),
            Value::FloatText(text) => self.float(&[parsed(text, python2)], flag),
            Value::Complex(real, imaginary) => self.float(&[real, imaginary], flag),
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
        if self.version < 3 {
            return 0;
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
        if !loaded.profile.is_python2() || self.version < 1 || !loaded.has(object, INTERNED) {
            self.sized(b's', loaded.payload(object));
        } else if let Some(index) = self.indexes.get(object) {
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
        let interned = loaded.has(object, INTERNED);
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
        let Range { start: mut next, mut end } = loaded.span(object);
        let parts = &loaded.parts[next..end];
        if self.steps > self.max_steps || self.out.len() > self.max_length {
            self.undefined = Some(Cause::Expansion);
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
                self.out.push(code | flag);
                self.size(parts.len());
            }
            b':' if self.version < 5 => return self.unmarshallable(),
            b'}' if self.version < 6 => return self.unmarshallable(),
            b'{' => {
                self.out.push(code | flag);
                if loaded.profile.is_python2() && parts.len() > 2 {
                    self.unpredictable = Some(Aspect::HashOrder);
                }
            }
            b'<' | b'>' => {
                self.out.push(code | flag);
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
                self.out.push(code | flag);
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
            _ => self.out.push(code | flag),
        }
        self.frames.push(Frame { object, code, next, end });
    }

    /// Types that an older format version does not have: `?` and an error.
    fn unmarshallable(&mut self) {
        self.out.push(b'?');
        self.failure = Some(Failure::Unmarshallable);
    }

    /// Appends a set's members in the order of writing, and the references that writing holds on them.
    fn order_members(&mut self, members: &[Object], context: &mut Context) -> Result<(), Failure> {
        let profile = self.loaded.profile;
        if profile.sorts_sets() {
            if self.nesting >= MAX_SET_NESTING {
                self.undefined = Some(Cause::NestedSets);
                return Ok(());
            }
            let mut keyed = Vec::with_capacity(members.len());
            for &member in members {
                keyed.push((self.sort_key(member, context).ok_or(Failure::Unmarshallable)?, member));
            }
            // An earlier error that the loop above could have made ends the set here, unsorted.
            if let Some(failure @ (Failure::Unmarshallable | Failure::NoOrder)) = self.failure {
                return Err(failure);
            }
            keyed.sort_by(|a, b| a.0.cmp(&b.0));
            let mut equal = keyed.windows(2).filter(|w| w[0].0 == w[1].0).peekable();
            if equal.peek().is_some() {
                self.unpredictable = Some(Aspect::EqualSortKeys);
            }
            if equal.any(|w| !equality::have_order(self.loaded, w[0].1, w[1].1)) {
                return Err(Failure::NoOrder);
            }
            self.ordered.extend(keyed.into_iter().map(|(_, member)| member));
        } else {
            if members.len() > 1 {
                self.unpredictable = Some(Aspect::HashOrder);
            }
            self.ordered.extend_from_slice(members);
        }
        if profile.set_members_gain_reference() {
            for &member in members {
                *self.borrowed.entry(member).or_insert(0) += 1;
                context.hold(member);
            }
        }
        Ok(())
    }

    /// Drops the last so many members, and the references to them.
    fn release(&mut self, members: usize, context: &mut Context) {
        for member in self.ordered.drain(self.ordered.len() - members..) {
            if let Some(n) = self.borrowed.get_mut(&member) {
                *n = n.saturating_sub(1);
                context.release(member);
            }
        }
    }

    /// What a member is sorted by: its own dump, with a reference table of its own.
    fn sort_key(&mut self, member: Object, context: &mut Context) -> Option<Rc<[u8]>> {
        let known = context.keys.get(&member).filter(|key| !key.single.iter().any(|o| context.holds(*o))).cloned();
        let key = known.unwrap_or_else(|| self.new_key(member, context));
        if self.is_key {
            self.single.extend(&key.single);
        }
        self.lent |= key.lent;
        key.bytes
    }

    fn new_key(&mut self, member: Object, context: &mut Context) -> Key {
        let mut writer = Writer::new(self.loaded, self.version, self.nesting + 1, Indexes::default());
        writer.is_key = true;
        if self.loaded.profile.sort_key_is_shared() {
            writer.borrowed.insert(member, 1);
            context.hold(member);
        }
        writer.run(member, context);
        // A writer that stops early leaves its sets open.
        let borrowed = writer.borrowed.iter().flat_map(|(object, n)| core::iter::repeat_n(*object, *n as usize));
        let in_table = writer.indexes.few.keys().copied().filter(|object| !self.loaded.is_shared(*object));
        borrowed.chain(in_table).for_each(|object| context.release(object));
        if writer.undefined.is_some() {
            self.undefined = writer.undefined;
        }
        if writer.unpredictable.is_some() {
            self.unpredictable = writer.unpredictable;
        }
        let bytes = writer.failure.is_none().then(|| Rc::from(writer.out));
        let key = Key { bytes, single: writer.single, lent: writer.lent };
        if key.lent {
            context.keys_again += 1;
            if context.keys_again > MAX_KEYS_AGAIN {
                self.undefined = Some(Cause::NestedSets);
            }
        } else {
            context.keys.insert(member, key.clone());
        }
        key
    }
}

/// Appends a part of the input. Most are short, and copied faster with what follows them.
#[inline]
fn copy(out: &mut Vec<u8>, input: &[u8], start: usize, end: usize) {
    let rest = &input[start..];
    match rest.first_chunk::<SHORT>() {
        Some(short) if end - start <= SHORT => {
            let length = out.len() + (end - start);
            out.extend_from_slice(short);
            out.truncate(length);
        }
        _ => out.extend_from_slice(&rest[..end - start]),
    }
}

/// A text float of the stream; the reader has refused the ones that are none.
fn parsed(text: &[u8], python2: bool) -> u64 {
    text::parse_float(text, python2).unwrap_or(0)
}
