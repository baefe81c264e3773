//! The words of the text form.

use super::TextError;
use crate::prelude::*;

/// One word. What it stands for depends on where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// The end of a line.
    Line,
    /// The end of the text.
    End,
    /// `.name`
    Directive(&'t str),
    /// Letters, digits, `_`, and inside `.` and `~`.
    Word(&'t str),
    /// A number as it is written, with its sign.
    Number(&'t str),
    /// `#7`
    Raw(&'t str),
    /// `@` and what follows up to a space.
    At(&'t str),
    /// A text with the letter before it, if any; escapes are still in it.
    Text(Option<char>, &'t str),
    /// Anything else.
    Sign(char),
}

/// Takes a text apart, word by word.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'t> {
    rest: &'t str,
    /// What is left of it at the beginning of the line.
    line_start: usize,
    line: usize,
    /// Where the last word began.
    pub(super) at: (usize, usize),
    next: Option<(Token<'t>, (usize, usize))>,
}

pub(super) fn begins_word(character: char) -> bool {
    character.is_alphabetic() || character == '_'
}

pub(super) fn is_in_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '~')
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Lexer { rest: text, line_start: text.len(), line: 1, at: (1, 1), next: None }
    }

    /// The error at the last word.
    pub(super) fn error(&self, message: impl Into<String>) -> TextError {
        let (line, column) = self.at;
        TextError { line, column, message: message.into() }
    }

    pub(super) fn peek(&mut self) -> Result<Token<'t>, TextError> {
        if self.next.is_none() {
            let at = self.at;
            let token = self.token()?;
            self.next = Some((token, self.at));
            self.at = at;
        }
        Ok(self.next.map_or(Token::End, |(token, _)| token))
    }

    pub(super) fn next(&mut self) -> Result<Token<'t>, TextError> {
        match self.next.take() {
            Some((token, at)) => {
                self.at = at;
                Ok(token)
            }
            None => self.token(),
        }
    }

    /// Takes the next word if it is this one.
    pub(super) fn take(&mut self, wanted: Token<'_>) -> Result<bool, TextError> {
        let is_wanted = self.peek()? == wanted;
        if is_wanted {
            self.next()?;
        }
        Ok(is_wanted)
    }

    fn token(&mut self) -> Result<Token<'t>, TextError> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
        if self.rest.starts_with(';') {
            self.rest = &self.rest[self.rest.find('\n').unwrap_or(self.rest.len())..];
        }
        let column = self.line_start - self.rest.len() + 1;
        self.at = (self.line, column);
        let mut characters = self.rest.chars();
        let Some(first) = characters.next() else { return Ok(Token::End) };
        let second = characters.next();
        match first {
            '\n' => {
                self.rest = &self.rest[1..];
                self.line += 1;
                self.line_start = self.rest.len();
                Ok(Token::Line)
            }
            '"' => self.text(None),
            'b' | 'u' if second == Some('"') => {
                self.rest = &self.rest[1..];
                self.text(Some(first))
            }
            '.' if second.is_some_and(begins_word) => {
                self.rest = &self.rest[1..];
                Ok(Token::Directive(self.run(|c| is_in_word(c) || c == '-')))
            }
            '#' if second.is_some_and(|c| c.is_ascii_digit()) => {
                self.rest = &self.rest[1..];
                Ok(Token::Raw(self.run(|c| c.is_ascii_digit())))
            }
            '@' => {
                self.rest = &self.rest[1..];
                Ok(Token::At(self.run(|c| !c.is_whitespace())))
            }
            first if begins_word(first) => Ok(Token::Word(self.run(is_in_word))),
            '0'..='9' => Ok(self.number(0)),
            '-' if second.is_some_and(|c| c.is_ascii_digit()) => Ok(self.number(1)),
            other => {
                self.rest = &self.rest[other.len_utf8()..];
                Ok(Token::Sign(other))
            }
        }
    }

    fn run(&mut self, is_in: impl Fn(char) -> bool) -> &'t str {
        let length = self.rest.find(|c| !is_in(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word
    }

    fn number(&mut self, sign: usize) -> Token<'t> {
        let is_hexadecimal = self.rest[sign..].starts_with("0x");
        let mut before = ' ';
        let mut length = sign;
        for character in self.rest[sign..].chars() {
            let is_exponent = matches!(character, '+' | '-') && matches!(before, 'e' | 'E') && !is_hexadecimal;
            if !character.is_ascii_alphanumeric() && character != '.' && !is_exponent {
                break;
            }
            before = character;
            length += 1;
        }
        let (number, rest) = self.rest.split_at(length);
        self.rest = rest;
        Token::Number(number)
    }

    fn text(&mut self, letter: Option<char>) -> Result<Token<'t>, TextError> {
        let inside = &self.rest[1..];
        let mut is_escaped = false;
        for (place, character) in inside.char_indices() {
            match character {
                '\n' => break,
                '"' if !is_escaped => {
                    self.rest = &inside[place + 1..];
                    return Ok(Token::Text(letter, &inside[..place]));
                }
                _ => is_escaped = character == '\\' && !is_escaped,
            }
        }
        Err(self.error("the text has no end on this line: \" expected"))
    }

    /// The characters of a text.
    pub(super) fn points(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let mut out = Vec::with_capacity(text.len());
        self.unescape(text, |point, _| out.push(point))?;
        Ok(out)
    }

    /// The bytes of a text: `\xNN` is one, a character those of UTF-8.
    pub(super) fn bytes(&self, text: &str) -> Result<Vec<u8>, TextError> {
        let mut out = Vec::with_capacity(text.len());
        self.unescape(text, |point, is_byte| match u8::try_from(point) {
            Ok(byte) if is_byte => out.push(byte),
            _ => out.extend(super::super::document::encode(&[point])),
        })?;
        Ok(out)
    }

    /// Calls with each character, and whether it was written as `\xNN`.
    fn unescape(&self, text: &str, mut each: impl FnMut(u32, bool)) -> Result<(), TextError> {
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if character != '\\' {
                each(character.into(), false);
                continue;
            }
            let digits = match characters.next() {
                Some('n') => {
                    each(10, false);
                    continue;
                }
                Some('r') => {
                    each(13, false);
                    continue;
                }
                Some('t') => {
                    each(9, false);
                    continue;
                }
                Some(same @ ('\\' | '"')) => {
                    each(same.into(), false);
                    continue;
                }
                Some('x') => 2,
                Some('u') => 4,
                Some('U') => 8,
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(self.error(format!(
                        "the text has the escape \\{other}; \\n, \\r, \\t, \\\\, \\\", \\xNN, \\uNNNN or \\UNNNNNNNN expected"
                    )));
                }
            };
            let mut point = 0;
            for _ in 0..digits {
                let digit = characters.next().and_then(|c| c.to_digit(16));
                let digit =
                    digit.ok_or_else(|| self.error(format!("{digits} hexadecimal digits expected in the escape")))?;
                point = point << 4 | digit;
            }
            if point > 0x10_FFFF {
                return Err(self.error("the escape is no character: at most \\U0010ffff expected"));
            }
            each(point, digits == 2);
        }
        Ok(())
    }
}

/// A text as it is written: what is no letter, and no sign of ASCII, is escaped.
pub(super) fn quote(points: impl Iterator<Item = u32>, out: &mut String) {
    use core::fmt::Write;
    out.push('"');
    for point in points {
        let plain = char::from_u32(point).filter(|c| c.is_alphanumeric() || matches!(c, ' '..='~'));
        let _ = match (point, plain) {
            (10, _) => write!(out, "\\n"),
            (13, _) => write!(out, "\\r"),
            (9, _) => write!(out, "\\t"),
            (_, Some(sign @ ('\\' | '"'))) => write!(out, "\\{sign}"),
            (_, Some(plain)) => write!(out, "{plain}"),
            (0..0x100, _) => write!(out, "\\x{point:02x}"),
            (0..0x1_0000, _) => write!(out, "\\u{point:04x}"),
            _ => write!(out, "\\U{point:08x}"),
        };
    }
    out.push('"');
}

/// Bytes as they are written.
pub(super) fn quote_bytes(bytes: &[u8], out: &mut String) {
    use core::fmt::Write;
    out.push('"');
    for &byte in bytes {
        let _ = match byte {
            b'\n' => write!(out, "\\n"),
            b'\r' => write!(out, "\\r"),
            b'\t' => write!(out, "\\t"),
            b'\\' | b'"' => write!(out, "\\{}", char::from(byte)),
            b' '..=b'~' => write!(out, "{}", char::from(byte)),
            _ => write!(out, "\\x{byte:02x}"),
        };
    }
    out.push('"');
}

/// A name, in quotes if it is no word.
pub(super) fn quote_name(name: &str, out: &mut String) {
    let is_word = name.starts_with(begins_word) && name.chars().all(|c| is_in_word(c) && c != '~');
    if is_word {
        out.push_str(name);
    } else {
        quote(name.chars().map(u32::from), out);
    }
}
