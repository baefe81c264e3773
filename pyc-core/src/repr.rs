//! `repr` of values, as the profile's interpreter writes it.

mod printable;

pub(crate) use printable::PRINTABLE;

use crate::code::{Code, Field};
use crate::graph::{Graph, Long, NodeId, Text, Value};
use crate::prelude::*;
use crate::profile::Profile;
use crate::text::parse_float;
use alloc::collections::BTreeSet;
use core::fmt::Write;

/// A value, or a text between values.
enum Job {
    Value(NodeId),
    Text(&'static str),
    /// The container has been written.
    Leave(NodeId),
}

/// A text in the making.
struct Writing<'p> {
    profile: &'p Profile,
    out: String,
    jobs: Vec<Job>,
    /// The containers that are open.
    path: BTreeSet<NodeId>,
    /// An int has more digits than the interpreter writes.
    too_long: bool,
}

/// What is written between the parts of a container.
struct Brackets {
    open: &'static str,
    close: &'static str,
    /// Written for one that is inside of itself.
    inside: &'static str,
    /// Pairs of a key and a value.
    pairs: bool,
}

impl Graph<'_> {
    /// `repr` of a value in the profile's interpreter: what `dis` and tracebacks show of a constant.
    ///
    /// Members of sets are in the order of the stream (an interpreter's depends on its hash table), and the address of a code
    /// object is 0. A text longer than `limit` bytes is cut there, and ends with `...`: parts that are shared would make a
    /// text that is exponentially longer than the stream. An int with more digits than the interpreter writes is
    /// `<int of N bits>`.
    #[must_use]
    pub fn repr(&self, id: NodeId, profile: &Profile, limit: usize) -> String {
        self.repr_or_refusal(id, profile, limit).0
    }

    /// The same, which people want to see, and whether the interpreter raises ValueError in place of it.
    pub(crate) fn repr_or_refusal(&self, id: NodeId, profile: &Profile, limit: usize) -> (String, bool) {
        let (jobs, path) = (vec![Job::Value(id)], BTreeSet::new());
        let mut writing = Writing { profile, out: String::new(), jobs, path, too_long: false };
        while let Some(job) = writing.jobs.pop() {
            match job {
                Job::Text(text) => writing.out.push_str(text),
                Job::Leave(id) => {
                    writing.path.remove(&id);
                }
                Job::Value(id) => self.repr_one(self.resolve(id), &mut writing),
            }
            let out = &mut writing.out;
            if out.len() > limit {
                let end = (0..=limit).rev().find(|end| out.is_char_boundary(*end)).unwrap_or(0);
                out.truncate(end);
                out.push_str("...");
                break;
            }
        }
        (writing.out, writing.too_long)
    }

    /// The text of a `str`, or of `bytes` taken for UTF-8, with U+FFFD in place of what is no text; of anything else none. Names
    /// and files are either, as 2.7 has bytes there.
    #[must_use]
    pub fn text(&self, id: NodeId) -> String {
        match self.value(self.resolve(id)) {
            Value::Str(text) => text.to_string_lossy(),
            Value::Bytes(bytes) | Value::InternedBytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        }
    }

    fn repr_one(&self, id: NodeId, writing: &mut Writing<'_>) {
        let profile = writing.profile;
        let python2 = profile.is_python2();
        let out = &mut writing.out;
        match self.value(id) {
            Value::Null => out.push_str("<NULL>"),
            Value::None => out.push_str("None"),
            Value::True => out.push_str("True"),
            Value::False => out.push_str("False"),
            Value::Ellipsis => out.push_str("Ellipsis"),
            Value::StopIteration if python2 => out.push_str("<type 'exceptions.StopIteration'>"),
            Value::StopIteration => out.push_str("<class 'StopIteration'>"),
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Int64(value) => out.push_str(&value.to_string()),
            Value::Long(value) => {
                writing.too_long |= !long(value, profile, out);
                out.push_str(if python2 { "L" } else { "" });
            }
            Value::Float(bits) => float(bits, ".0", out),
            Value::FloatText(text) => float(parse_float(text, python2).unwrap_or(0), ".0", out),
            Value::Complex(real, imaginary) => complex(real, imaginary, out),
            Value::ComplexText(real, imaginary) => {
                let [real, imaginary] = [real, imaginary].map(|text| parse_float(text, python2).unwrap_or(0));
                complex(real, imaginary, out);
            }
            Value::Bytes(value) | Value::InternedBytes(value) => bytes(value, python2, out),
            Value::Str(text) => string(text, profile, out),
            Value::Code(code) => self.repr_code(&code, python2, out),
            Value::Ref(_) => {}
            Value::Tuple(parts)
            | Value::List(parts)
            | Value::Set(parts)
            | Value::FrozenSet(parts)
            | Value::Dict(parts)
            | Value::FrozenDict(parts)
            | Value::Slice(parts) => self.repr_container(id, parts, writing),
        }
    }

    fn repr_container(&self, id: NodeId, parts: &[NodeId], writing: &mut Writing<'_>) {
        let python2 = writing.profile.is_python2();
        let Writing { out, jobs, path, .. } = writing;
        let brackets = |open, close, inside, pairs| Brackets { open, close, inside, pairs };
        let Brackets { open, close, inside, pairs } = match self.value(id) {
            Value::Tuple([_]) => brackets("(", ",)", "(...)", false),
            Value::List(_) => brackets("[", "]", "[...]", false),
            Value::Set([]) => {
                brackets(if python2 { "set([" } else { "set(" }, if python2 { "])" } else { ")" }, "", false)
            }
            Value::Set(_) if python2 => brackets("set([", "])", "set(...)", false),
            Value::Set(_) => brackets("{", "}", "set(...)", false),
            Value::FrozenSet([]) if !python2 => brackets("frozenset(", ")", "", false),
            Value::FrozenSet(_) if python2 => brackets("frozenset([", "])", "frozenset(...)", false),
            Value::FrozenSet(_) => brackets("frozenset({", "})", "frozenset(...)", false),
            Value::Dict(_) => brackets("{", "}", "{...}", true),
            Value::FrozenDict([]) => brackets("frozendict(", ")", "", true),
            Value::FrozenDict(_) => brackets("frozendict({", "})", "frozendict({...})", true),
            Value::Slice(_) => brackets("slice(", ")", "slice(...)", false),
            _ => brackets("(", ")", "(...)", false),
        };
        if !path.insert(id) {
            return out.push_str(inside);
        }
        out.push_str(open);
        jobs.push(Job::Leave(id));
        jobs.push(Job::Text(close));
        for (place, part) in parts.iter().enumerate().rev() {
            jobs.push(Job::Value(*part));
            if place > 0 {
                jobs.push(Job::Text(if pairs && place % 2 == 1 { ": " } else { ", " }));
            }
        }
    }

    fn repr_code(&self, code: &Code<'_>, python2: bool, out: &mut String) {
        // 2.7 takes both for texts of C, which a NUL ends, and has room for so many bytes of each.
        let text = |field, room: usize| match code.object(field).map(|id| self.value(self.resolve(id))) {
            Some(Value::Str(text)) => text.to_string_lossy(),
            Some(Value::Bytes(bytes) | Value::InternedBytes(bytes)) if python2 => {
                let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()).min(room);
                String::from_utf8_lossy(&bytes[..end]).into_owned()
            }
            _ => String::new(),
        };
        let (name, file) = (text(Field::Name, 100), text(Field::Filename, 300));
        let line = code.ints().firstlineno;
        // An interpreter that has no line number says so (`Objects/codeobject.c`, `code_repr`).
        let line = if line == 0 { -1 } else { line };
        let _ = write!(out, "<code object {name} at 0x0, file \"{file}\", line {line}>");
    }
}

/// In decimal: digits of base 10^14 are made from those of base 2^15. False if the profile's interpreter does not write so many
/// (`Objects/longobject.c`, `long_to_decimal_string_internal`): then it is said how many bits there are.
fn long(value: Long<'_>, profile: &Profile, out: &mut String) -> bool {
    const BASE: u64 = 100_000_000_000_000;
    const DIGITS: usize = 14;
    let bits = value.digits().len() * 15;
    let refuse = |out: &mut String| {
        let _ = write!(out, "<int of {bits} bits>");
        false
    };
    // Four bits are more than a digit.
    if profile.max_digits().is_some_and(|max| bits.saturating_sub(15) / 4 > max) {
        return refuse(out);
    }
    let mut chunks: Vec<u64> = Vec::new();
    for digit in value.digits().rev() {
        let mut carry = u64::from(digit);
        for chunk in &mut chunks {
            carry += *chunk << 15;
            *chunk = carry % BASE;
            carry /= BASE;
        }
        if carry > 0 {
            chunks.push(carry);
        }
    }
    let first = chunks.last().unwrap_or(&0).to_string();
    let digits = first.len() + chunks.len().saturating_sub(1) * DIGITS;
    if profile.max_digits().is_some_and(|max| digits > max) {
        return refuse(out);
    }
    if value.negative {
        out.push('-');
    }
    out.push_str(&first);
    for chunk in chunks.iter().rev().skip(1) {
        let _ = write!(out, "{chunk:0DIGITS$}");
    }
    true
}

/// The shortest text that reads back to the float (`Python/pystrtod.c`, `format_float_short` with `r`).
fn float(bits: u64, whole: &str, out: &mut String) {
    let value = f64::from_bits(bits);
    if value.is_nan() {
        return out.push_str("nan");
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    if value.is_infinite() {
        return out.push_str("inf");
    }
    let value = f64::from_bits(bits & !(1 << 63));
    let mut text = format!("{value:e}");
    // Of two shortest texts that are equally near, Python takes the even one, as exact rounding does.
    let places = text.find('e').map_or(0, |length| length.saturating_sub(2));
    let even = format!("{value:.places$e}");
    if even.parse() == Ok(value) {
        text = even;
    }
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
        return;
    }
    let digits: String = mantissa.chars().filter(|digit| *digit != '.').collect();
    let point = 1 + exponent;
    let places = point.unsigned_abs() as usize;
    if point <= 0 {
        let _ = write!(out, "0.{}{digits}", "0".repeat(places));
    } else if digits.len() <= places {
        let _ = write!(out, "{digits}{}{whole}", "0".repeat(places - digits.len()));
    } else {
        let _ = write!(out, "{}.{}", &digits[..places], &digits[places..]);
    }
}

/// `Objects/complexobject.c`, `complex_repr`.
fn complex(real: u64, imaginary: u64, out: &mut String) {
    if real == 0 {
        float(imaginary, "", out);
        return out.push('j');
    }
    out.push('(');
    float(real, "", out);
    let value = f64::from_bits(imaginary);
    if value.is_nan() || value.is_sign_positive() {
        out.push('+');
    }
    float(imaginary, "", out);
    out.push_str("j)");
}

/// The quotes of a text with these characters.
fn quote(has_single: bool, has_double: bool) -> char {
    if has_single && !has_double { '"' } else { '\'' }
}

fn bytes(value: &[u8], python2: bool, out: &mut String) {
    let quote = quote(value.contains(&b'\''), value.contains(&b'"'));
    out.push_str(if python2 { "" } else { "b" });
    out.push(quote);
    for &byte in value {
        escape(u32::from(byte), quote, out, |_| false);
    }
    out.push(quote);
}

fn string(text: Text<'_>, profile: &Profile, out: &mut String) {
    let quote = quote(text.bytes.contains(&b'\''), text.bytes.contains(&b'"'));
    let python2 = profile.is_python2();
    out.push_str(if python2 { "u" } else { "" });
    out.push(quote);
    for point in text.code_points() {
        escape(point, quote, out, |character| profile.is_printable(character));
    }
    out.push(quote);
}

/// One character of a text in quotes.
fn escape(point: u32, quote: char, out: &mut String, is_printable: impl Fn(char) -> bool) {
    let character = char::from_u32(point);
    let _ = match character {
        Some('\t') => out.write_str("\\t"),
        Some('\n') => out.write_str("\\n"),
        Some('\r') => out.write_str("\\r"),
        Some(character) if character == quote || character == '\\' => write!(out, "\\{character}"),
        Some(character @ ' '..='~') => out.write_char(character),
        Some(character) if !character.is_ascii() && is_printable(character) => out.write_char(character),
        _ if point < 0x100 => write!(out, "\\x{point:02x}"),
        _ if point < 0x1_0000 => write!(out, "\\u{point:04x}"),
        _ => write!(out, "\\U{point:08x}"),
    };
}
