//! The bytes of `marshal.dumps`, as the profile's interpreter writes them (`Python/marshal.c`, `w_object`).

use super::{CACHED, INTERNED, Loaded, Object};
use crate::code::{OBJECTS_BEFORE_LINE, leading_ints};
use crate::error::{Cause, Exception};
use crate::graph::{FLAG_REF, Value, index};
use crate::text;
use std::collections::HashMap;
use std::rc::Rc;

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

/// What the bytes of a dump depend on besides the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// The order of a set (before 3.11) or dict (2.7) depends on hashes, addresses and history.
    HashOrder,
    /// Members of a set have the same sort key, so their order is the hash table's.
    EqualSortKeys,
}

impl Aspect {
    /// A short name for counters and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Aspect::HashOrder => "hash-order",
            Aspect::EqualSortKeys => "equal-sort-keys",
        }
    }
}

/// Sets nested deeper than this take the interpreter more than 2^20 steps to sort.
const MAX_SET_NESTING: u32 = 20;

/// A value whose dump takes more steps than this, and more than 16 for each object, is written again and again.
const FREE_STEPS: usize = 1 << 12;

/// So is one whose dump is longer than this, and more than 16 times as long as the stream.
const FREE_LENGTH: usize = 1 << 16;

#[derive(Clone, Copy)]
enum Failure {
    TooDeep,
    Unmarshallable,
}

/// A container that is being written.
struct Frame {
    object: Object,
    /// The parts in the order of writing; `None`: as stored.
    order: Option<Vec<Object>>,
    done: usize,
}

type Keys = HashMap<Object, Option<Rc<[u8]>>>;

struct Writer<'l, 'g, 'a> {
    loaded: &'l Loaded<'g, 'a>,
    version: u8,
    out: Vec<u8>,
    /// The reference table: an object's index (2.7: an interned string's).
    indexes: HashMap<Object, u32>,
    next_index: u32,
    /// References that sets which are being written hold on their members.
    borrowed: HashMap<Object, u32>,
    frames: Vec<Frame>,
    steps: usize,
    /// How many sets the object that is being written is in.
    nesting: u32,
    failure: Option<Failure>,
    undefined: Option<Cause>,
    unpredictable: Option<Aspect>,
}

impl Loaded<'_, '_> {
    /// `marshal.dumps(value, version)`; versions above the profile's own behave like it.
    #[must_use]
    pub fn dump(&self, version: u8) -> Dump {
        if let Some(cause) = self.hazard {
            return Dump::Undefined(cause);
        }
        let mut keys = HashMap::new();
        let mut writer = Writer::new(self, version.min(self.profile.marshal_version), 0);
        writer.run(self.root(), &mut keys);
        if let Some(cause) = writer.undefined {
            return Dump::Undefined(cause);
        }
        match writer.failure {
            None => Dump::Bytes { bytes: writer.out, unpredictable: writer.unpredictable },
            Some(Failure::TooDeep) => Dump::Raises(Exception::new("ValueError", "object too deeply nested to marshal")),
            Some(Failure::Unmarshallable) => Dump::Raises(Exception::new("ValueError", "unmarshallable object")),
        }
    }
}

impl<'l, 'g, 'a> Writer<'l, 'g, 'a> {
    fn new(loaded: &'l Loaded<'g, 'a>, version: u8, nesting: u32) -> Self {
        Writer {
            loaded,
            version,
            out: Vec::new(),
            indexes: HashMap::new(),
            next_index: 0,
            borrowed: HashMap::new(),
            frames: Vec::new(),
            steps: 0,
            nesting,
            failure: None,
            undefined: None,
            unpredictable: None,
        }
    }

    fn run(&mut self, root: Object, keys: &mut Keys) {
        self.object(root, keys);
        while let Some(frame) = self.frames.last_mut() {
            let loaded = self.loaded;
            let parts = frame.order.as_deref().unwrap_or(loaded.parts(frame.object));
            let place = frame.done;
            frame.done += 1;
            let object = frame.object;
            let part = parts.get(place).copied();
            let code = loaded.node(object).code;
            if code == b'c' && place == OBJECTS_BEFORE_LINE {
                self.out.extend_from_slice(&loaded.ints(object).firstlineno.to_le_bytes());
            }
            match part {
                Some(_) if code == b'c' && place == 0 && loaded.profile.rebuilds_code() => {
                    self.shown_code(object, keys)
                }
                Some(part) => self.object(part, keys),
                None => {
                    if matches!(code, b'{' | b'}') {
                        self.terminator();
                    }
                    if let Some(frame) = self.frames.pop()
                        && let Some(members) = frame.order
                    {
                        self.nesting -= 1;
                        self.release(&members);
                    }
                }
            }
            let stop = self.failure.is_some() && loaded.profile.writer_stops_at_first_error();
            if stop || self.undefined.is_some() {
                return;
            }
        }
    }

    fn too_deep(&mut self) -> bool {
        let too_deep = self.frames.len() >= self.loaded.profile.max_depth as usize;
        if too_deep {
            self.failure = Some(Failure::TooDeep);
        }
        too_deep
    }

    /// The NULL that ends a dict is an object for the depth limit.
    fn terminator(&mut self) {
        if !self.too_deep() {
            self.out.push(b'0');
        }
    }

    /// 3.11 and later: dumps make a new bytes object for co_code, which the code object keeps too.
    fn shown_code(&mut self, code: Object, keys: &mut Keys) {
        let Ok(shown) = self.loaded.shown_code(code) else { return };
        if shown.is_empty() {
            // The empty bytes object is the cached one.
            if let Some(&empty) = self.loaded.parts(code).first() {
                self.object(empty, keys);
            }
            return;
        }
        if self.too_deep() {
            return;
        }
        let mut flag = 0;
        if self.version >= 3 {
            flag = FLAG_REF;
            self.next_index += 1;
        }
        self.sized(b's' | flag, &shown);
    }

    fn sized(&mut self, code: u8, bytes: &[u8]) {
        self.out.push(code);
        self.size(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    fn size(&mut self, size: usize) {
        self.out.extend_from_slice(&index(size).to_le_bytes());
    }

    fn object(&mut self, object: Object, keys: &mut Keys) {
        self.steps += 1;
        let steps = FREE_STEPS + 16 * self.loaded.bits.len();
        let length = FREE_LENGTH + 16 * (self.loaded.graph.consumed + self.loaded.graph.owned.len());
        if self.steps > steps || self.out.len() > length {
            self.undefined = Some(Cause::Expansion);
            return;
        }
        if self.too_deep() {
            return;
        }
        let loaded = self.loaded;
        let python2 = loaded.profile.is_python2();
        let value = loaded.value(object);
        let singleton = match value {
            Value::None => b'N',
            Value::StopIteration => b'S',
            Value::Ellipsis => b'.',
            Value::False => b'F',
            Value::True => b'T',
            _ => 0,
        };
        if singleton != 0 {
            self.out.push(singleton);
            return;
        }
        let flag = match self.reference(object) {
            Some(flag) => flag,
            None => return,
        };
        match value {
            Value::Int(value) => self.int(i64::from(value), flag),
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
            Value::Bytes(_) | Value::InternedBytes(_) => self.bytes(object, flag),
            Value::Str(_) => self.str(object, flag),
            _ => self.container(object, flag, keys),
        }
    }

    /// Writes a reference if the object was written before, and then returns `None`; else the flag that its type byte gets.
    fn reference(&mut self, object: Object) -> Option<u8> {
        let loaded = self.loaded;
        if self.version < 3 {
            return Some(0);
        }
        let owners = loaded.owners[object as usize] + self.borrowed.get(&object).copied().unwrap_or(0);
        let shared = owners != 1 || loaded.has(object, CACHED) || loaded.has(object, INTERNED);
        if !shared {
            return Some(0);
        }
        if let Some(index) = self.indexes.get(&object) {
            self.out.push(b'r');
            self.out.extend_from_slice(&index.to_le_bytes());
            return None;
        }
        self.indexes.insert(object, self.next_index);
        self.next_index += 1;
        Some(FLAG_REF)
    }

    fn int(&mut self, value: i64, flag: u8) {
        if let Ok(value) = i32::try_from(value) {
            self.out.push(b'i' | flag);
            self.out.extend_from_slice(&value.to_le_bytes());
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

    fn bytes(&mut self, object: Object, flag: u8) {
        let loaded = self.loaded;
        if loaded.profile.is_python2() && self.version >= 1 && loaded.has(object, INTERNED) {
            if let Some(index) = self.indexes.get(&object) {
                self.out.push(b'R');
                self.out.extend_from_slice(&index.to_le_bytes());
            } else {
                self.indexes.insert(object, self.next_index);
                self.next_index += 1;
                self.sized(b't', loaded.payload(object));
            }
            return;
        }
        self.sized(b's' | flag, loaded.payload(object));
    }

    fn str(&mut self, object: Object, flag: u8) {
        let loaded = self.loaded;
        let Value::Str(string) = loaded.value(object) else { return };
        let interned = loaded.has(object, INTERNED);
        if loaded.profile.is_python2() {
            self.sized(b'u', &text::combine_surrogates(string.bytes));
        } else if self.version >= 4 && string.is_ascii() {
            let code = if interned { b'A' } else { b'a' };
            if let Ok(length) = u8::try_from(string.bytes.len()) {
                self.out.push(if interned { b'Z' } else { b'z' } | flag);
                self.out.push(length);
                self.out.extend_from_slice(string.bytes);
            } else {
                self.sized(code | flag, string.bytes);
            }
        } else {
            let code = if interned && self.version >= 3 { b't' } else { b'u' };
            self.sized(code | flag, &loaded.text(object));
        }
    }

    fn container(&mut self, object: Object, flag: u8, keys: &mut Keys) {
        let loaded = self.loaded;
        let code = loaded.node(object).code;
        let parts = loaded.parts(object);
        let mut order = None;
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
                match self.member_order(parts, keys) {
                    Some(members) => order = Some(members),
                    None => return self.failure = Some(Failure::Unmarshallable),
                }
            }
            b'c' => {
                self.out.push(code | flag);
                let mut ints = loaded.ints(object);
                let (fields, n) = leading_ints(loaded.graph.layout, &mut ints);
                for int in fields.into_iter().take(n) {
                    self.out.extend_from_slice(&int.to_le_bytes());
                }
            }
            _ => self.out.push(code | flag),
        }
        self.nesting += u32::from(order.is_some());
        self.frames.push(Frame { object, order, done: 0 });
    }

    /// Types that an older format version does not have: `?` and an error.
    fn unmarshallable(&mut self) {
        self.out.push(b'?');
        self.failure = Some(Failure::Unmarshallable);
    }

    /// A set's members as they are written, with the references that writing holds on them; `None` when a key fails.
    fn member_order(&mut self, members: &[Object], keys: &mut Keys) -> Option<Vec<Object>> {
        let profile = self.loaded.profile;
        let mut members = members.to_vec();
        if profile.sorts_sets() {
            if self.nesting >= MAX_SET_NESTING {
                self.undefined = Some(Cause::NestedSets);
                return Some(members);
            }
            let mut keyed = Vec::with_capacity(members.len());
            for &member in &members {
                keyed.push((self.sort_key(member, keys)?, member));
            }
            keyed.sort_by(|a, b| a.0.cmp(&b.0));
            if keyed.windows(2).any(|w| w[0].0 == w[1].0) {
                self.unpredictable = Some(Aspect::EqualSortKeys);
            }
            members = keyed.into_iter().map(|(_, member)| member).collect();
        } else if members.len() > 1 {
            self.unpredictable = Some(Aspect::HashOrder);
        }
        if profile.set_members_gain_reference() {
            for &member in &members {
                *self.borrowed.entry(member).or_insert(0) += 1;
            }
        }
        Some(members)
    }

    fn release(&mut self, members: &[Object]) {
        for member in members {
            if let Some(n) = self.borrowed.get_mut(member) {
                *n = n.saturating_sub(1);
            }
        }
    }

    /// What a member is sorted by: its own dump, with a reference table of its own.
    fn sort_key(&mut self, member: Object, keys: &mut Keys) -> Option<Rc<[u8]>> {
        if let Some(key) = keys.get(&member) {
            return key.clone();
        }
        let mut writer = Writer::new(self.loaded, self.version, self.nesting + 1);
        if self.loaded.profile.sort_key_is_shared() {
            writer.borrowed.insert(member, 1);
        }
        writer.run(member, keys);
        if writer.undefined.is_some() {
            self.undefined = writer.undefined;
        }
        if writer.unpredictable.is_some() {
            self.unpredictable = writer.unpredictable;
        }
        let key = writer.failure.is_none().then(|| Rc::from(writer.out));
        keys.insert(member, key.clone());
        key
    }
}

/// A text float of the stream; the reader has refused the ones that are none.
fn parsed(text: &[u8], python2: bool) -> u64 {
    text::parse_float(text, python2).unwrap_or(0)
}
