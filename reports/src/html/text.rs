//! Numbers, times and bytes as people read them, and hostile text as they can see it.

use maud::{Markup, html};
use std::fmt::Write;

/// A narrow space that does not break.
const THIN: char = '\u{202f}';

/// `1234567` as `1 234 567`, with narrow spaces.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(THIN);
        }
        out.push(digit);
    }
    out
}

/// A share in percent, rounded away from the two ends: `100 %` means all and `0 %` means none.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "\u{2013}".into();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    match hundredths {
        0 if part > 0 => format!("<{THIN}0.01{THIN}%"),
        _ if hundredths % 10_000 == 0 => format!("{}{THIN}%", hundredths / 100),
        _ => format!("{}.{:02}{THIN}%", hundredths / 100, hundredths % 100),
    }
}

/// `part` of `whole` as a share for CSS: 0 to 100, finite.
pub(crate) fn share(part: u64, whole: u64) -> u128 {
    (u128::from(part) * 100).checked_div(u128::from(whole)).unwrap_or(0).min(100)
}

/// `3 min 20 s`. Fractions of a second only below ten of them.
pub(crate) fn duration(seconds: f64) -> String {
    if !(0.0..1e15).contains(&seconds) {
        return "\u{2013}".into();
    }
    if seconds < 10.0 {
        return format!("{seconds:.1}{THIN}s");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked above
    let whole = seconds.round() as u64;
    let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60);
    // Who waits for hours does not count seconds.
    let s = if h > 0 { 0 } else { s };
    let parts = [(h, "h"), (m, "min"), (s, "s")];
    let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{}{THIN}{unit}", grouped(*n)));
    parts.collect::<Vec<_>>().join(" ")
}

/// `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut unit = 0;
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    let mut n = bytes as f64;
    while n >= 1024.0 && unit < 4 {
        n /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{}{THIN}B", grouped(bytes)),
        _ => format!("{n:.1}{THIN}{}", ["B", "KiB", "MiB", "GiB", "TiB"][unit]),
    }
}

/// `2026-01-02T03:04:05.6Z` as `2026-01-02 03:04 UTC`; anything else as it is.
pub(crate) fn moment(rfc3339: &str) -> String {
    match (rfc3339.split_once('T'), rfc3339.ends_with('Z')) {
        (Some((date, time)), true) if time.is_ascii() && time.len() >= 6 => format!("{date} {} UTC", &time[..5]),
        _ => rfc3339.to_owned(),
    }
}

/// Text to be copied and pasted. (The script adds a button.)
pub(crate) fn snippet(text: &str) -> Markup {
    html! { div.snippet { pre tabindex="0" { code { (text) } } } }
}

/// A hex dump, 16 bytes a line, or the text itself if it is not hexadecimal.
pub(crate) fn hex_dump(hex: &str) -> String {
    let Some(bytes) = unhex(hex) else { return hex.to_owned() };
    let mut out = String::new();
    for (row, chunk) in bytes.chunks(16).enumerate() {
        let _ = write!(out, "{:04x} ", row * 16);
        for i in 0..16 {
            if i == 8 {
                out.push(' ');
            }
            match chunk.get(i) {
                Some(byte) => _ = write!(out, " {byte:02x}"),
                None => out.push_str("   "),
            }
        }
        out.push_str("  ");
        out.extend(chunk.iter().map(|&b| if (0x20..0x7f).contains(&b) { char::from(b) } else { '\u{b7}' }));
        out.push('\n');
    }
    out
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).ok()).collect()
}

/// The page with every character replaced that would be invisible, or would make other text look like what it is not:
/// control characters, and those that turn the direction of writing.
pub(crate) fn visible(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    for c in page.chars() {
        let hidden = match c {
            '\n' | '\t' => false,
            '\u{ad}' | '\u{61c}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
            c => c.is_control(),
        };
        if hidden {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// A text cut at the place where it first differs from another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Marked<'a> {
    /// The equal lines above, each with its line end.
    pub(crate) above: Vec<&'a str>,
    /// The equal beginning of the line.
    pub(crate) before: &'a str,
    /// What differs.
    pub(crate) changed: &'a str,
    /// The equal end of the line and all lines below, which are not compared.
    pub(crate) rest: &'a str,
}

/// `text` cut at the first place where it differs from `other`; none if they are equal.
pub(crate) fn mark<'a>(text: &'a str, other: &str) -> Option<Marked<'a>> {
    if text == other {
        return None;
    }
    let mut above = Vec::new();
    let mut others = other.split_inclusive('\n');
    let mut lines = text.split_inclusive('\n');
    let (mut line, mut wanted);
    let mut start = 0;
    loop {
        (line, wanted) = (lines.next().unwrap_or(""), others.next().unwrap_or(""));
        if line != wanted {
            break;
        }
        above.push(line);
        start += line.len();
    }
    let (body, wanted) = (line.trim_end_matches('\n'), wanted.trim_end_matches('\n'));
    let same = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| -> usize {
        a.zip(b).take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum()
    };
    let head = same(&mut body.chars(), &mut wanted.chars());
    let tail = same(&mut body[head..].chars().rev(), &mut wanted[head..].chars().rev());
    let (from, to) = (start + head, start + body.len() - tail);
    Some(Marked { above, before: &text[start..from], changed: &text[from..to], rest: &text[to..] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        #[track_caller]
        fn check(got: &str, want: &str) {
            assert_eq!(got.replace(THIN, " "), want);
        }
        check(&grouped(0), "0");
        check(&grouped(999), "999");
        check(&grouped(1000), "1 000");
        check(&grouped(u64::MAX), "18 446 744 073 709 551 615");
        check(&percent(0, 0), "\u{2013}");
        check(&percent(0, 7), "0 %");
        check(&percent(7, 7), "100 %");
        check(&percent(u64::MAX - 1, u64::MAX), "99.99 %");
        check(&percent(1, u64::MAX), "< 0.01 %");
        check(&percent(1, 8), "12.50 %");
        check(&duration(0.25), "0.2 s");
        check(&duration(3600.0), "1 h");
        check(&duration(3725.4), "1 h 2 min");
        check(&duration(125.4), "2 min 5 s");
        check(&duration(f64::NAN), "\u{2013}");
        check(&duration(f64::MAX), "\u{2013}");
        check(&size(1023), "1 023 B");
        check(&size(1536), "1.5 KiB");
        check(&moment("2026-01-02T03:04:05Z"), "2026-01-02 03:04 UTC");
        check(&moment("T\u{e9}Z"), "T\u{e9}Z");
    }

    #[test]
    fn hex() {
        #[track_caller]
        fn check(hex: &str, want: &str) {
            assert_eq!(hex_dump(hex), want);
        }
        check("", "");
        check("xyz", "xyz");
        check("0g", "0g");
        check("4e", "0000  4e                                                N\n");
        check(
            "00112233445566778899aabbccddeeff41",
            "0000  00 11 22 33 44 55 66 77  88 99 aa bb cc dd ee ff  \u{b7}\u{b7}\"3DUfw\u{b7}\u{b7}\u{b7}\u{b7}\u{b7}\u{b7}\u{b7}\u{b7}\n\
             0010  41                                                A\n",
        );
    }

    #[test]
    fn marks_lose_nothing_and_point_at_the_first_difference() {
        #[track_caller]
        fn check(text: &str, other: &str, changed: Option<&str>) {
            let marked = mark(text, other);
            assert_eq!(marked.as_ref().map(|m| m.changed), changed);
            if let Some(m) = marked {
                assert_eq!(m.above.concat() + m.before + m.changed + m.rest, text);
            }
        }
        check("", "", None);
        check("a\nb\n", "a\nb\n", None);
        check("a\nb\n", "a\nc\n", Some("b"));
        check("a\nint 80\nz", "a\nint -80\nz", Some(""));
        check("a\nint -80\nz", "a\nint 80\nz", Some("-"));
        check("a\n", "a", Some(""));
        check("a\nb", "a\n", Some("b"));
        check("", "x", Some(""));
        check("\u{e9}\u{e8}x", "\u{e9}\u{e9}x", Some("\u{e8}"));
        check("aa", "aaa", Some(""));
    }
}
