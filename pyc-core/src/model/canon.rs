//! The canon of a loaded value; specified in `corpus/CANON.md`.

use super::{Aspect, Loaded, Object};
use crate::code::{Field, kind};
use crate::graph::Value;
use crate::prelude::*;
use crate::profile::CodeLayout;
use crate::text;
use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt::Write;

/// The order in which the members of sets (2.7: the keys of dicts) are printed: pairs or members, flattened.
type Orders = BTreeMap<Object, Vec<Object>>;

enum Job {
    Node(Object),
    /// A field of a code object.
    Field(Object, &'static str),
}

impl Loaded<'_, '_> {
    /// The canon: one text for one value, compared between readers.
    #[must_use]
    pub fn canon(&self) -> String {
        self.canon_and_aspect().0
    }

    /// [`Loaded::canon`] and [`Loaded::canon_aspect`], for the work of one.
    #[must_use]
    pub fn canon_and_aspect(&self) -> (String, Option<Aspect>) {
        if self.is_unsound() {
            return (String::new(), None);
        }
        let (orders, arbitrary) = self.orders();
        (self.print(self.root(), &orders), arbitrary.then_some(Aspect::EqualMembers).or(self.varies))
    }

    /// Why another reader of the same value may print another canon, if it may: a set has members that print alike and are
    /// told apart by references from elsewhere only, so that the order of its hash table shows; or that order decides whether
    /// a free-threaded build keeps two frozensets.
    #[must_use]
    pub fn canon_aspect(&self) -> Option<Aspect> {
        self.canon_and_aspect().1
    }

    /// The orders of all sets, and whether one of them is arbitrary.
    fn orders(&self) -> (Orders, bool) {
        let mut orders = Orders::new();
        let mut arbitrary = false;
        for set in self.inner_first() {
            let parts = self.parts(set);
            let width = if self.node(set).code == b'{' { 2 } else { 1 };
            if parts.len() > width {
                let mut keyed: Vec<(String, &[Object])> =
                    parts.chunks(width).map(|part| (self.print(part[0], &orders), part)).collect();
                // A dict's values decide where keys print alike, as NaNs do.
                let value = |part: &[Object]| part.get(1).map(|value| self.print(*value, &orders));
                keyed.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| value(a.1).cmp(&value(b.1))));
                arbitrary |= keyed.windows(2).any(|two| {
                    let [(a, first), (b, second)] = two else { return false };
                    let mut parts = first.iter().chain(*second);
                    a == b && value(first) == value(second) && parts.any(|part| self.has_other_owners(*part))
                });
                let order = keyed.into_iter().flat_map(|(_, part)| part).copied().collect();
                orders.insert(set, order);
            }
        }
        (orders, arbitrary)
    }

    /// The sets, inner ones first, so that no key needs an order that is not known yet.
    fn inner_first(&self) -> Vec<Object> {
        if self.copies.is_empty() {
            return self.unordered.clone();
        }
        // A code object may have put a new set into a tuple that an older set holds.
        let unordered: BTreeSet<Object> = self.unordered.iter().copied().collect();
        let mut sets = Vec::new();
        let mut seen = BTreeSet::from([self.root()]);
        let mut path = vec![(self.root(), 0)];
        while let Some((object, place)) = path.last_mut() {
            match self.parts(*object).get(*place) {
                Some(&part) => {
                    *place += 1;
                    if seen.insert(part) {
                        path.push((part, 0));
                    }
                }
                None => {
                    sets.extend(unordered.get(object));
                    path.pop();
                }
            }
        }
        sets
    }

    /// Whether a numbered object in this one is held by something else too.
    fn has_other_owners(&self, object: Object) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![object];
        while let Some(object) = open.pop() {
            let compound = self.node(object).has_edges() && !self.parts(object).is_empty();
            if compound && seen.insert(object) {
                if self.owners[object as usize] > 1 {
                    return true;
                }
                open.extend(self.parts(object));
            }
        }
        false
    }

    fn print(&self, root: Object, orders: &Orders) -> String {
        let mut out = String::new();
        let mut numbers: BTreeMap<Object, usize> = BTreeMap::new();
        let mut jobs = vec![Job::Node(root)];
        while let Some(job) = jobs.pop() {
            let object = match job {
                Job::Node(object) => object,
                Job::Field(code, name) => match self.code_field(&mut out, code, name) {
                    Some(object) => object,
                    None => continue,
                },
            };
            let parts = self.parts(object);
            let node = self.node(object);
            let is_compound = node.has_edges() && !(parts.is_empty() && matches!(node.code, b'(' | b')' | b'>'));
            if is_compound {
                let next = numbers.len();
                let number = *numbers.entry(object).or_insert(next);
                if number != next {
                    line(&mut out, format_args!("ref {number}"));
                    continue;
                }
            }
            if self.scalar_line(&mut out, object) {
                continue;
            }
            let name = match node.code {
                b'(' | b')' => "tuple",
                b'[' => "list",
                b'<' => "set",
                b'>' => "frozenset",
                b'{' => "dict",
                b'}' => "frozendict",
                b':' => "slice",
                _ => {
                    let fields = || self.canon_fields().split(' ');
                    line(&mut out, format_args!("code {}", fields().count()));
                    jobs.extend(fields().rev().map(|name| Job::Field(object, name)));
                    continue;
                }
            };
            match name {
                "slice" => line(&mut out, format_args!("slice")),
                "dict" | "frozendict" => line(&mut out, format_args!("{name} {}", parts.len() / 2)),
                _ => line(&mut out, format_args!("{name} {}", parts.len())),
            }
            let ordered = orders.get(&object).map_or(parts, |order| order);
            jobs.extend(ordered.iter().rev().map(|&part| Job::Node(part)));
        }
        out
    }

    /// Prints an object that is one line; false for containers.
    fn scalar_line(&self, out: &mut String, object: Object) -> bool {
        let python2 = self.profile.is_python2();
        let float = |text: &[u8]| text::parse_float(text, python2).unwrap_or(0);
        match self.value(object) {
            Value::None => out.push_str("none\n"),
            Value::True => out.push_str("true\n"),
            Value::False => out.push_str("false\n"),
            Value::Ellipsis => out.push_str("ellipsis\n"),
            Value::StopIteration => out.push_str("stopiteration\n"),
            Value::Int(value) => int_line(out, i64::from(value)),
            Value::Int64(value) if python2 && self.profile.pointer_bits == 32 => {
                line(out, format_args!("long {}{:x}", if value < 0 { "-" } else { "" }, value.unsigned_abs()));
            }
            Value::Int64(value) => int_line(out, value),
            Value::Long(long) => {
                out.push_str(if python2 { "long " } else { "int " });
                if long.negative {
                    out.push('-');
                }
                // Digits of 15 bits, regrouped into nibbles from the top; leading zeros left out.
                let bits = 15 * long.digits().len();
                let digits: Vec<u16> = long.digits().collect();
                let bit = |i: usize| u32::from(digits[i / 15] >> (i % 15) & 1);
                let mut started = false;
                for nibble in (0..bits.div_ceil(4)).rev() {
                    let value = (0..4).filter(|b| 4 * nibble + b < bits).map(|b| bit(4 * nibble + b) << b).sum();
                    started |= value != 0;
                    if started {
                        out.push(char::from_digit(value, 16).unwrap_or('?'));
                    }
                }
                if !started {
                    out.push('0');
                }
                out.push('\n');
            }
            Value::Float(bits) => line(out, format_args!("float {:016x}", self.profile.loads_float(bits))),
            Value::FloatText(text) => line(out, format_args!("float {:016x}", float(text))),
            Value::Complex(real, imaginary) => {
                let [real, imaginary] = [real, imaginary].map(|bits| self.profile.loads_float(bits));
                line(out, format_args!("complex {real:016x} {imaginary:016x}"));
            }
            Value::ComplexText(real, imaginary) => {
                line(out, format_args!("complex {:016x} {:016x}", float(real), float(imaginary)));
            }
            Value::Bytes(bytes) | Value::InternedBytes(bytes) => bytes_line(out, bytes),
            Value::Str(text) => {
                out.push_str("str \"");
                let plain = |c: u32| (0x20..0x7F).contains(&c) && c != 0x22 && c != 0x5C;
                let all = core::str::from_utf8(text.bytes).ok();
                match all.filter(|all| all.bytes().all(|byte| plain(byte.into()))) {
                    Some(all) => out.push_str(all),
                    None => {
                        for c in text.code_points() {
                            match char::from_u32(c).filter(|_| plain(c)) {
                                Some(c) => out.push(c),
                                None => write!(out, "\\{{{c:x}}}").expect("a String takes everything"),
                            }
                        }
                    }
                }
                out.push_str("\"\n");
            }
            _ => return false,
        }
        true
    }

    /// The attributes that are printed, in CANON.md's order.
    fn canon_fields(&self) -> &'static str {
        match self.profile.code_layout {
            CodeLayout::Python27 => {
                "argcount nlocals stacksize flags code consts names varnames freevars cellvars filename name firstlineno \
                 lnotab"
            }
            CodeLayout::Python30 => {
                "argcount kwonlyargcount nlocals stacksize flags code consts names varnames freevars cellvars filename \
                 name firstlineno lnotab"
            }
            CodeLayout::Python38 if self.profile.has_linetable() => {
                "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames freevars \
                 cellvars filename name firstlineno linetable"
            }
            CodeLayout::Python38 => {
                "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames freevars \
                 cellvars filename name firstlineno lnotab"
            }
            CodeLayout::Python311 => {
                "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names localsplusnames \
                 varnames cellvars filename name qualname firstlineno linetable exceptiontable"
            }
        }
    }

    /// Prints a field's name and, if it is not an object of its own, its value; else returns the object to print.
    fn code_field(&self, out: &mut String, code: Object, name: &str) -> Option<Object> {
        out.push_str(name);
        out.push('=');
        let ints = self.ints(code);
        let derived = self.profile.rebuilds_code();
        let int = match name {
            "argcount" => ints.argcount,
            "posonlyargcount" => ints.posonlyargcount,
            "kwonlyargcount" => ints.kwonlyargcount,
            "nlocals" if derived => i32::try_from(self.variables(code, kind::LOCAL).len()).unwrap_or(i32::MAX),
            "nlocals" => ints.nlocals,
            "stacksize" => ints.stacksize,
            "flags" => ints.flags,
            "firstlineno" => ints.firstlineno,
            "code" if derived => {
                // A value with a hazard is never compared; an empty text says what there is to say.
                bytes_line(out, &self.shown_code(code).unwrap_or_default());
                return None;
            }
            "localsplusnames" => return self.names(out, &self.variables(code, 0)),
            "varnames" if derived => return self.names(out, &self.variables(code, kind::LOCAL)),
            "cellvars" if derived => return self.names(out, &self.variables(code, kind::CELL)),
            "code" => return self.field(code, Field::Code),
            "consts" => return self.field(code, Field::Consts),
            "names" => return self.field(code, Field::Names),
            "varnames" => return self.field(code, Field::Varnames),
            "freevars" => return self.field(code, Field::Freevars),
            "cellvars" => return self.field(code, Field::Cellvars),
            "filename" => return self.field(code, Field::Filename),
            "name" => return self.field(code, Field::Name),
            "qualname" => return self.field(code, Field::Qualname),
            "exceptiontable" => return self.field(code, Field::Exceptiontable),
            _ if derived => return self.field(code, Field::Linetable),
            _ => return self.field(code, Field::Lnotab),
        };
        int_line(out, i64::from(int));
        None
    }

    /// The names whose kind has one of these bits; 0: all names.
    fn variables(&self, code: Object, kinds: u8) -> Vec<Object> {
        let names = self.field(code, Field::Localsplusnames).map_or(&[][..], |t| self.parts(t));
        let of = self.field(code, Field::Localspluskinds).map_or(&[][..], |b| self.payload(b));
        names.iter().zip(of).filter(|(_, kind)| kinds == 0 || *kind & kinds != 0).map(|(name, _)| *name).collect()
    }

    fn names(&self, out: &mut String, names: &[Object]) -> Option<Object> {
        line(out, format_args!("names {}", names.len()));
        for &name in names {
            self.scalar_line(out, name);
        }
        None
    }
}

fn line(out: &mut String, text: core::fmt::Arguments) {
    writeln!(out, "{text}").expect("a String takes everything");
}

fn int_line(out: &mut String, value: i64) {
    line(out, format_args!("int {}{:x}", if value < 0 { "-" } else { "" }, value.unsigned_abs()));
}

fn bytes_line(out: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push_str("bytes \"");
    out.reserve(2 * bytes.len() + 2);
    for chunk in bytes.chunks(32) {
        let mut digits = [0; 64];
        for (two, byte) in digits.chunks_exact_mut(2).zip(chunk) {
            two.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        out.push_str(core::str::from_utf8(&digits[..2 * chunk.len()]).unwrap_or_default());
    }
    out.push_str("\"\n");
}
