//! An adapter for Provost. interpreters/EXEC.md says what comes in and what goes out.
//!
//! Put your reader in place of `read`, which knows None, bools, ints, strings, tuples and lists.

use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

const DECLARATION: &str = r#"{"exec":1,"name":"mine","version":"0.1","pythons":["3.11"],"owes":["accept","refuse","consumed","value"]}"#;

/// Why nothing was read.
enum Refusal {
    Error(&'static str),
    Unsupported(String),
}

/// Appends the value at this offset, as EXEC.md writes it, and tells where it ends.
fn read(data: &[u8], at: usize, out: &mut String) -> Result<usize, Refusal> {
    let code = *data.get(at).ok_or(Refusal::Error("there is no object"))?;
    let scalar = match code {
        b'N' => Some("null"),
        b'T' => Some("true"),
        b'F' => Some("false"),
        b'i' | b'u' | b'(' | b'[' => None,
        _ => return Err(Refusal::Unsupported(format!("the type byte {code:#04x}"))),
    };
    if let Some(json) = scalar {
        out.push_str(json);
        return Ok(at + 1);
    }
    let cut = Refusal::Error("the number is cut");
    let number = i32::from_le_bytes(*data.get(at + 1..).and_then(|rest| rest.first_chunk()).ok_or(cut)?);
    let mut at = at + 5;
    if code == b'i' {
        out.push_str(&format!(r#"{{"int":"{number}"}}"#));
        return Ok(at);
    }
    let size = usize::try_from(number).map_err(|_| Refusal::Error("the size is negative"))?;
    if code == b'u' {
        let text = data[at..].get(..size).ok_or(Refusal::Error("the string is cut"))?;
        let text = std::str::from_utf8(text).map_err(|_| Refusal::Error("the string is no UTF-8"))?;
        out.push_str(&quoted(text));
        return Ok(at + size);
    }
    out.push_str(if code == b'(' { r#"{"tuple":["# } else { r#"{"list":["# });
    for index in 0..size {
        out.push_str(if index > 0 { "," } else { "" });
        at = read(data, at, out)?;
    }
    out.push_str("]}");
    Ok(at)
}

fn answer(line: &str) -> String {
    let Some(data) = field(line, "data") else { return DECLARATION.into() };
    let id = field(line, "id").unwrap_or("0");
    let data: Vec<u8> =
        data.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(*pair.get(1).unwrap_or(&b'0'))).collect();
    let mut value = String::new();
    let body = match catch_unwind(AssertUnwindSafe(|| read(&data, 0, &mut value))) {
        Ok(Ok(consumed)) => format!(r#""value":{value},"consumed":{consumed}"#),
        Ok(Err(Refusal::Error(message))) => format!(r#""error":{}"#, quoted(message)),
        Ok(Err(Refusal::Unsupported(what))) => format!(r#""unsupported":{}"#, quoted(&what)),
        Err(panic) => {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            format!(r#""panic":{}"#, quoted(message.or(panic.downcast_ref::<&str>().copied()).unwrap_or("")))
        }
    };
    format!(r#"{{"id":{id},{body}}}"#)
}

/// A field of a request: requests have neither spaces nor escapes.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!(r#""{name}":"#))?;
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => rest.split([',', '}']).next(),
    }
}

fn digit(byte: u8) -> u8 {
    char::from(byte).to_digit(16).unwrap_or(0) as u8
}

/// A text as a string of JSON.
fn quoted(text: &str) -> String {
    let mut json = String::from('"');
    for unit in text.encode_utf16() {
        match u8::try_from(unit).map(char::from) {
            Ok(c @ ('"' | '\\')) => json.extend(['\\', c]),
            Ok(c @ ' '..='~') => json.push(c),
            _ => json.push_str(&format!("\\u{unit:04x}")),
        }
    }
    json + "\""
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        println!("{}", answer(&line));
        let _ = std::io::stdout().flush();
    }
}
