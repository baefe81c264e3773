//! Values in the text form: as Python writes them, but for what Python has no words for.

use super::super::document::{Item, Slot, ValueId, Values, bytes_code, digits_of, encode, text_code, tuple_code};
use super::TextError;
use super::lex::{Lexer, Token, quote, quote_bytes};
use crate::graph::Text;
use crate::prelude::*;
use alloc::collections::BTreeMap;
use core::fmt::Write;

/// So many digits may a decimal number have; longer ones are written in hexadecimal.
const MAX_DIGITS: usize = 4300;

/// Writes a value, with the labels of code objects.
pub(super) fn print(values: &Values, id: ValueId, slot: Slot, labels: &[&str], out: &mut String) {
    // A value, or the text between two.
    enum Part<'s> {
        Value(ValueId),
        Text(&'s str),
    }
    let mut stack = vec![Part::Value(id)];
    while let Some(part) = stack.pop() {
        let id = match part {
            Part::Text(text) => {
                out.push_str(text);
                continue;
            }
            Part::Value(id) => id,
        };
        match values.item(id) {
            Item::Leaf(code, payload) => leaf(values, *code, payload, slot, out),
            Item::Code(block) => {
                let _ = write!(out, "code {}", labels.get(*block).unwrap_or(&"?"));
            }
            Item::Again(name) => {
                let _ = write!(out, "*{name}");
            }
            Item::Anchor(name, inner) => {
                let _ = write!(out, "&{name} ");
                stack.push(Part::Value(*inner));
            }
            Item::List(code, parts) => {
                let (open, close) = brackets(*code, parts.len(), values);
                out.push_str(open);
                let is_dict = matches!(code, b'{' | b'}');
                let parts = if is_dict { written(values, parts) } else { parts };
                let start = stack.len();
                for (place, part) in parts.iter().enumerate() {
                    match place {
                        0 => {}
                        _ if is_dict && place % 2 == 1 => stack.push(Part::Text(": ")),
                        _ => stack.push(Part::Text(", ")),
                    }
                    stack.push(Part::Value(*part));
                }
                if parts.len() == 1 && matches!(code, b'(' | b')') {
                    stack.push(Part::Text(","));
                }
                stack.push(Part::Text(close));
                stack[start..].reverse();
            }
        }
    }
}

/// The parts of a dict without the terminator, if that is where it should be.
fn written<'p>(values: &Values, parts: &'p [ValueId]) -> &'p [ValueId] {
    match parts.split_last() {
        Some((last, rest)) if rest.len() % 2 == 0 && is_null(values, *last) => rest,
        _ => parts,
    }
}

fn is_null(values: &Values, id: ValueId) -> bool {
    *values.item(id) == Item::Leaf(b'0', Vec::new())
}

fn brackets(code: u8, count: usize, values: &Values) -> (&'static str, &'static str) {
    match code {
        b'(' if tuple_code(count, &values.profile) == b'(' => ("(", ")"),
        b'(' => ("@( (", ")"),
        b')' if tuple_code(count, &values.profile) == b')' => ("(", ")"),
        b')' => ("@) (", ")"),
        b'[' => ("[", "]"),
        b'<' if count == 0 => ("set(", ")"),
        b'<' => ("{", "}"),
        b'>' => ("frozenset{", "}"),
        b'}' => ("frozendict{", "}"),
        b':' => ("slice(", ")"),
        _ => ("{", "}"),
    }
}

fn leaf(values: &Values, code: u8, payload: &[u8], slot: Slot, out: &mut String) {
    let word = match code {
        b'N' => "None",
        b'T' => "True",
        b'F' => "False",
        b'.' => "...",
        b'S' => "StopIteration",
        b'0' => "NULL",
        _ => "",
    };
    if !word.is_empty() {
        out.push_str(word);
        return;
    }
    let mark = |usual: u8, out: &mut String| {
        if usual != code {
            let _ = write!(out, "@{} ", char::from(code));
        }
    };
    let is_python2 = values.profile.is_python2();
    match (code, payload) {
        (b'i', [_, _, _, _]) | (b'I', [_, _, _, _, _, _, _, _]) => {
            let fill = if payload.last().is_some_and(|byte| *byte >= 128) { 0xFF } else { 0 };
            let mut eight = [fill; 8];
            eight[..payload.len()].copy_from_slice(payload);
            let number = i64::from_le_bytes(eight);
            mark(int_code(number, is_python2), out);
            let _ = write!(out, "{number}");
        }
        (b'l', [sign @ 0..=1, digits @ ..]) if is_normal(*sign, digits) => long(code, *sign, digits, is_python2, out),
        (b'g', _) if payload.len() == 8 => float(&payload[..8], out),
        (b'y', _) if payload.len() == 16 => {
            out.push_str("complex(");
            float(&payload[..8], out);
            out.push_str(", ");
            float(&payload[8..], out);
            out.push(')');
        }
        (b's' | b't', _) if is_python2 => {
            mark(bytes_code(payload, slot, &values.profile), out);
            quote_bytes(payload, out);
        }
        (b's', _) => {
            out.push('b');
            quote_bytes(payload, out);
        }
        (b't' | b'u' | b'a' | b'A' | b'z' | b'Z', _) if let Some(points) = points(code, payload) => {
            let usual = if is_python2 { b'u' } else { text_code(&points, slot, &values.profile) };
            mark(usual, out);
            if is_python2 {
                out.push('u');
            }
            quote(points.into_iter(), out);
        }
        _ => {
            let _ = write!(out, "@{} b", char::from(code));
            quote_bytes(payload, out);
        }
    }
}

/// The characters of a string, if they are written in just these bytes.
fn points(code: u8, bytes: &[u8]) -> Option<Vec<u32>> {
    let latin1 = matches!(code, b'a' | b'A' | b'z' | b'Z');
    let points: Vec<u32> = Text { bytes, latin1, interned: false, ascii: false }.code_points().collect();
    let again = if latin1 { latin1_bytes(&points)? } else { encode(&points) };
    (again == bytes && points.iter().all(|point| *point < 0x11_0000)).then_some(points)
}

fn latin1_bytes(points: &[u32]) -> Option<Vec<u8>> {
    points.iter().map(|point| u8::try_from(*point).ok()).collect()
}

fn int_code(number: i64, is_python2: bool) -> u8 {
    match i32::try_from(number) {
        Ok(_) => b'i',
        Err(_) if is_python2 => b'I',
        Err(_) => b'l',
    }
}

/// Digits without leading zeros, and zero has no sign.
fn is_normal(sign: u8, digits: &[u8]) -> bool {
    let digits = digits.as_chunks::<2>();
    let is_digit = |digit: &[u8; 2]| digit[1] < 128;
    let is_short = digits.0.last().is_none_or(|last| *last != [0, 0]);
    digits.1.is_empty() && digits.0.iter().all(is_digit) && is_short && (sign == 0 || !digits.0.is_empty())
}

fn long(code: u8, sign: u8, digits: &[u8], is_python2: bool, out: &mut String) {
    let digits: Vec<u16> = digits.as_chunks::<2>().0.iter().map(|digit| u16::from_le_bytes(*digit)).collect();
    let small = (digits.len() <= 4)
        .then(|| digits.iter().rev().fold(0_i64, |sum, digit| sum << 15 | i64::from(*digit)))
        .map(|magnitude| if sign == 0 { magnitude } else { -magnitude });
    if !is_python2 && small.is_some_and(|small| int_code(small, false) != code) {
        out.push_str("@l ");
    }
    match small {
        Some(small) => {
            let _ = write!(out, "{small}");
        }
        None => {
            out.push_str(if sign == 0 { "0x" } else { "-0x" });
            hexadecimal(&digits, out);
        }
    }
    if is_python2 {
        out.push('L');
    }
}

fn hexadecimal(digits: &[u16], out: &mut String) {
    let bit = |place: usize| digits.get(place / 15).is_some_and(|digit| digit >> (place % 15) & 1 != 0);
    let nibbles = (digits.len() * 15).div_ceil(4);
    let nibble = |place: usize| (0..4).filter(|low| bit(4 * place + low)).map(|low| 1_u32 << low).sum::<u32>();
    let all = (0..nibbles).rev().map(nibble).skip_while(|nibble| *nibble == 0);
    out.extend(all.filter_map(|nibble| char::from_digit(nibble, 16)));
}

fn float(bytes: &[u8], out: &mut String) {
    let bits = crate::graph::u64_at(bytes, 0);
    let value = f64::from_bits(bits);
    let _ = match bits {
        _ if value.is_finite() => write!(out, "{value:?}"),
        0x7FF0_0000_0000_0000 => write!(out, "inf"),
        0xFFF0_0000_0000_0000 => write!(out, "-inf"),
        0x7FF8_0000_0000_0000 => write!(out, "nan"),
        _ => write!(out, "float({bits:#x})"),
    };
}

/// A container whose end was not seen yet.
struct Open {
    code: u8,
    close: char,
    items: Vec<ValueId>,
    /// A colon follows the next item (dicts only).
    wants_colon: bool,
    is_dict: Option<bool>,
    before: Vec<Before>,
}

/// What stands before a value.
#[derive(Clone, Copy)]
enum Before {
    Tag(u8),
    Anchor(u32),
}

/// Reads a value. `labels`: the numbers of code objects.
pub(super) fn parse(
    lexer: &mut Lexer<'_>,
    values: &mut Values,
    slot: Slot,
    labels: &BTreeMap<&str, usize>,
) -> Result<ValueId, TextError> {
    let mut stack: Vec<Open> = Vec::new();
    loop {
        let mut before = Vec::new();
        while let Some(one) = prefix(lexer, !stack.is_empty())? {
            before.push(one);
        }
        let mut value = match opened(lexer)? {
            Some((code, close)) => {
                stack.push(Open { code, close, items: Vec::new(), wants_colon: false, is_dict: None, before });
                match closed(lexer, &mut stack, values)? {
                    Some(value) => value,
                    None => continue,
                }
            }
            None => {
                let tag = match before.last() {
                    Some(Before::Tag(tag)) => Some(*tag),
                    _ => None,
                };
                let value = scalar(lexer, values, slot, tag, labels)?;
                if tag.is_some() {
                    before.pop();
                }
                finish(lexer, values, value, &before)?
            }
        };
        loop {
            let Some(open) = stack.last_mut() else { return Ok(value) };
            open.items.push(value);
            skip_lines(lexer)?;
            if open.code == b'{' && open.is_dict.is_none() {
                open.is_dict = Some(lexer.peek()? == Token::Sign(':'));
            }
            let is_dict = open.code == b'}' || open.is_dict == Some(true);
            open.wants_colon = is_dict && !open.wants_colon;
            if open.wants_colon {
                if !lexer.take(Token::Sign(':'))? {
                    lexer.next()?;
                    return Err(lexer.error(": expected behind a key"));
                }
                break;
            }
            let has_comma = lexer.take(Token::Sign(','))?;
            skip_lines(lexer)?;
            match closed(lexer, &mut stack, values)? {
                Some(whole) => value = whole,
                None if has_comma => break,
                None => {
                    lexer.next()?;
                    let close = stack.last().map_or(')', |open| open.close);
                    return Err(lexer.error(format!(", or {close} expected")));
                }
            }
        }
    }
}

fn skip_lines(lexer: &mut Lexer<'_>) -> Result<(), TextError> {
    while lexer.take(Token::Line)? {}
    Ok(())
}

fn prefix(lexer: &mut Lexer<'_>, is_inside: bool) -> Result<Option<Before>, TextError> {
    if is_inside {
        skip_lines(lexer)?;
    }
    match lexer.peek()? {
        Token::At(tag) => {
            lexer.next()?;
            match tag.as_bytes() {
                [
                    code @ (b'i' | b'I' | b'l' | b'f' | b'g' | b'x' | b'y' | b's' | b't' | b'u' | b'a' | b'A' | b'z'
                    | b'Z' | b'(' | b')'),
                ] => Ok(Some(Before::Tag(*code))),
                _ => Err(lexer.error("a type of marshal expected behind @: one of i I l f g x y s t u a A z Z ( )")),
            }
        }
        Token::Sign('&') => {
            lexer.next()?;
            Ok(Some(Before::Anchor(anchor(lexer)?)))
        }
        _ => Ok(None),
    }
}

fn anchor(lexer: &mut Lexer<'_>) -> Result<u32, TextError> {
    match lexer.next()? {
        Token::Number(number) => number.parse().map_err(|_| lexer.error("the number of an anchor expected")),
        _ => Err(lexer.error("the number of an anchor expected")),
    }
}

/// The type of a container that begins here, and its closing bracket.
fn opened(lexer: &mut Lexer<'_>) -> Result<Option<(u8, char)>, TextError> {
    let found = match lexer.peek()? {
        Token::Sign('(') => (b'(', ')'),
        Token::Sign('[') => (b'[', ']'),
        Token::Sign('{') => (b'{', '}'),
        Token::Word(word @ ("set" | "slice" | "frozenset" | "frozendict")) => {
            lexer.next()?;
            let (code, open, close) = match word {
                "set" => (b'<', '(', ')'),
                "slice" => (b':', '(', ')'),
                "frozenset" => (b'>', '{', '}'),
                _ => (b'}', '{', '}'),
            };
            if !lexer.take(Token::Sign(open))? {
                lexer.next()?;
                return Err(lexer.error(format!("{open} expected behind {word}")));
            }
            return Ok(Some((code, close)));
        }
        _ => return Ok(None),
    };
    lexer.next()?;
    Ok(Some(found))
}

/// The container on top, if it ends here.
fn closed(lexer: &mut Lexer<'_>, stack: &mut Vec<Open>, values: &mut Values) -> Result<Option<ValueId>, TextError> {
    skip_lines(lexer)?;
    let Some(open) = stack.pop() else { return Ok(None) };
    if lexer.peek()? != Token::Sign(open.close) {
        stack.push(open);
        return Ok(None);
    }
    lexer.next()?;
    let Open { code, mut items, is_dict, mut before, .. } = open;
    let tag = match before.last() {
        Some(Before::Tag(tag)) => {
            let tag = *tag;
            before.pop();
            Some(tag)
        }
        _ => None,
    };
    let code = match (code, tag) {
        (b'(', None) => tuple_code(items.len(), &values.profile),
        (b'(', Some(b')')) if items.len() > 255 => return Err(lexer.error("a tuple of type ) has at most 255 items")),
        (b'(', Some(tag @ (b'(' | b')'))) => tag,
        (_, Some(_)) => return Err(lexer.error("the type before it is not one of such a value")),
        (b'{', _) if is_dict == Some(false) => b'<',
        (code, None) => code,
    };
    if matches!(code, b'{' | b'}') {
        // Since 3.0 a value that is NULL ends it as well.
        let ends = !values.profile.is_python2()
            && items.len() % 2 == 0
            && items.last().is_some_and(|last| is_null(values, *last));
        if !ends {
            let null = values.add(Item::Leaf(b'0', Vec::new()));
            items.push(null);
        }
    }
    let value = values.add(Item::List(code, items));
    finish(lexer, values, value, &before).map(Some)
}

fn finish(lexer: &Lexer<'_>, values: &mut Values, value: ValueId, before: &[Before]) -> Result<ValueId, TextError> {
    before.iter().rev().try_fold(value, |value, one| match one {
        Before::Anchor(name) => Ok(values.add(Item::Anchor(*name, value))),
        Before::Tag(_) => Err(lexer.error("the type before it is not one of such a value")),
    })
}

fn scalar(
    lexer: &mut Lexer<'_>,
    values: &mut Values,
    slot: Slot,
    tag: Option<u8>,
    labels: &BTreeMap<&str, usize>,
) -> Result<ValueId, TextError> {
    let token = lexer.next()?;
    let item = match token {
        Token::Text(letter, text) => return string(lexer, values, slot, tag, letter, text),
        Token::Number(text) if tag.is_some() || is_int(text) => return number(lexer, values, tag, text),
        _ if tag.is_some() => return Err(lexer.error("the type before it is not one of such a value")),
        Token::Number(_) | Token::Word("inf" | "nan" | "float") | Token::Sign('-') => {
            Item::Leaf(b'g', parse_float(lexer, token)?.to_le_bytes().to_vec())
        }
        Token::Word("complex") => {
            expect(lexer, '(')?;
            let token = lexer.next()?;
            let real = parse_float(lexer, token)?;
            expect(lexer, ',')?;
            let token = lexer.next()?;
            let imaginary = parse_float(lexer, token)?;
            expect(lexer, ')')?;
            Item::Leaf(b'y', [real.to_le_bytes(), imaginary.to_le_bytes()].concat())
        }
        Token::Word("code") => match lexer.next()? {
            Token::Word(label) => match labels.get(label) {
                Some(block) => Item::Code(*block),
                None => return Err(lexer.error(format!("the text has no .code {label}"))),
            },
            _ => return Err(lexer.error("the label of a code object expected")),
        },
        Token::Word("None") => Item::Leaf(b'N', Vec::new()),
        Token::Word("True") => Item::Leaf(b'T', Vec::new()),
        Token::Word("False") => Item::Leaf(b'F', Vec::new()),
        Token::Word("StopIteration") => Item::Leaf(b'S', Vec::new()),
        Token::Word("NULL") => Item::Leaf(b'0', Vec::new()),
        Token::Sign('.') => {
            expect(lexer, '.')?;
            expect(lexer, '.')?;
            Item::Leaf(b'.', Vec::new())
        }
        Token::Sign('*') => Item::Again(anchor(lexer)?),
        _ => return Err(lexer.error("a value expected")),
    };
    Ok(values.add(item))
}

fn expect(lexer: &mut Lexer<'_>, sign: char) -> Result<(), TextError> {
    match lexer.next()? {
        Token::Sign(found) if found == sign => Ok(()),
        _ => Err(lexer.error(format!("{sign} expected"))),
    }
}

fn is_int(text: &str) -> bool {
    let text = text.trim_start_matches('-');
    text.starts_with("0x") || text.strip_suffix('L').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_float(lexer: &mut Lexer<'_>, token: Token<'_>) -> Result<u64, TextError> {
    let value = match token {
        Token::Number(text) => text.parse::<f64>().ok(),
        Token::Word("inf") => Some(f64::INFINITY),
        Token::Word("nan") => Some(f64::from_bits(0x7FF8_0000_0000_0000)),
        Token::Sign('-') if lexer.take(Token::Word("inf"))? => Some(f64::NEG_INFINITY),
        Token::Word("float") => {
            expect(lexer, '(')?;
            let bits = match lexer.next()? {
                Token::Number(text) => text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok()),
                _ => None,
            };
            let bits = bits.ok_or_else(|| lexer.error("the bits of a float expected, such as 0x7ff8000000000001"))?;
            expect(lexer, ')')?;
            return Ok(bits);
        }
        _ => None,
    };
    value.map(f64::to_bits).ok_or_else(|| lexer.error("a float expected"))
}

fn number(lexer: &Lexer<'_>, values: &mut Values, tag: Option<u8>, text: &str) -> Result<ValueId, TextError> {
    let is_python2 = values.profile.is_python2();
    let (is_negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (rest, is_long) = match rest.strip_suffix('L') {
        Some(rest) if is_python2 => (rest, true),
        _ => (rest, false),
    };
    let digits = match rest.strip_prefix("0x") {
        Some(hexadecimal) => from_digits(hexadecimal, 16),
        None if rest.len() > MAX_DIGITS => {
            return Err(
                lexer.error("a decimal number has at most 4300 digits; a hexadecimal one (0x...) may have more")
            );
        }
        None => from_digits(rest, 10),
    };
    let Some(digits) = digits else { return Err(lexer.error("an int expected")) };
    let magnitude =
        digits.iter().rev().try_fold(0_u64, |sum, digit| sum.checked_mul(1 << 15).map(|sum| sum | u64::from(*digit)));
    let small = magnitude.and_then(|magnitude| 0_i64.checked_add_unsigned(magnitude));
    let small = match (magnitude, is_negative) {
        (Some(magnitude), true) => 0_i64.checked_sub_unsigned(magnitude),
        _ => small,
    };
    let usual = if is_long { b'l' } else { small.map_or(b'l', |small| int_code(small, is_python2)) };
    match (tag.unwrap_or(usual), small) {
        (b'i', Some(small)) if i32::try_from(small).is_ok() => {
            Ok(values.add(Item::Leaf(b'i', small.to_le_bytes()[..4].to_vec())))
        }
        (b'I', Some(small)) => Ok(values.add(Item::Leaf(b'I', small.to_le_bytes().to_vec()))),
        (b'l', _) => Ok(values.long(is_negative && !digits.is_empty(), &digits)),
        _ => Err(lexer.error("the number does not fit the type before it")),
    }
}

/// The digits of base 2^15 of a number in this base, without leading zeros.
fn from_digits(text: &str, base: u32) -> Option<Vec<u16>> {
    if text.is_empty() {
        return None;
    }
    if base == 10 && text.len() < 19 {
        return text.parse().ok().map(digits_of);
    }
    let mut digits: Vec<u16> = Vec::new();
    if base == 16 {
        let (mut low, mut bits) = (0_u32, 0);
        for character in text.bytes().rev() {
            low |= char::from(character).to_digit(16)? << bits;
            bits += 4;
            if bits >= 15 {
                digits.push(u16::try_from(low & 0x7FFF).ok()?);
                (low, bits) = (low >> 15, bits - 15);
            }
        }
        digits.push(u16::try_from(low).ok()?);
    } else {
        for character in text.chars() {
            let mut carry = character.to_digit(base)?;
            for digit in &mut digits {
                carry += u32::from(*digit) * base;
                *digit = u16::try_from(carry & 0x7FFF).ok()?;
                carry >>= 15;
            }
            if carry != 0 {
                digits.push(u16::try_from(carry).ok()?);
            }
        }
    }
    while digits.last() == Some(&0) {
        digits.pop();
    }
    Some(digits)
}

fn string(
    lexer: &Lexer<'_>,
    values: &mut Values,
    slot: Slot,
    tag: Option<u8>,
    letter: Option<char>,
    text: &str,
) -> Result<ValueId, TextError> {
    let is_python2 = values.profile.is_python2();
    let payload = match letter {
        Some('b') => lexer.bytes(text)?,
        None if is_python2 => lexer.bytes(text)?,
        _ => {
            let points = lexer.points(text)?;
            match tag {
                Some(b'a' | b'A' | b'z' | b'Z') => latin1_bytes(&points)
                    .ok_or_else(|| lexer.error("a string of such a type has no characters above \\xff"))?,
                _ => encode(&points),
            }
        }
    };
    let usual = match letter {
        Some('b') | None if is_python2 => bytes_code(&payload, slot, &values.profile),
        Some('b') => b's',
        _ if is_python2 => b'u',
        _ => text_code(&lexer.points(text)?, slot, &values.profile),
    };
    let code = tag.unwrap_or(usual);
    if matches!(code, b'z' | b'Z') && payload.len() > 255 {
        return Err(lexer.error("a string of type z or Z has at most 255 bytes"));
    }
    let is_string = matches!(code, b's' | b't' | b'u' | b'a' | b'A' | b'z' | b'Z');
    if !is_string && letter != Some('b') {
        return Err(lexer.error("the type before it is not one of such a value"));
    }
    Ok(values.add(Item::Leaf(code, payload)))
}
