//! Steps that cut a program at its joints.
//!
//! The text comes from a generator whose statements end with their lines, whose suites are indented, and whose compound
//! expressions stand in brackets (`generators::programs`). So no parser is needed: lines are joined where brackets, a
//! triple-quoted text or a backslash go on, and indentation says what belongs to a header. Whether a candidate is
//! still a program is decided by the interpreter that is asked to compile it.

use super::bytes::halves;
use std::ops::Range;

/// Other text in place of these bytes.
pub(super) type Edit = (Range<usize>, Vec<u8>);

/// What may stand in place of an expression.
const SIMPLE: [&[u8]; 3] = [b"0", b"x", b"()"];

/// A statement's own lines.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    range: Range<usize>,
    /// `None` where there is nothing but a comment.
    indent: Option<usize>,
}

/// All edits, the largest first.
pub(super) fn edits(text: &[u8]) -> Vec<Edit> {
    let scanned = scan(text);
    let mut edits: Vec<Edit> = Vec::new();
    let blocks = blocks(&scanned.lines);
    // Statements of the module, many at a time; then each with its suite, then the suite alone or without its header.
    let heads: Vec<usize> = (0..blocks.len()).filter(|line| scanned.lines[*line].indent == Some(0)).collect();
    for part in halves(heads.len(), 1) {
        let (from, to) = (heads[part.start], blocks[heads[part.end - 1]].end);
        edits.push((scanned.lines[from].range.start..scanned.lines[to - 1].range.end, Vec::new()));
    }
    for (head, block) in blocks.iter().enumerate() {
        let bytes =
            |lines: Range<usize>| scanned.lines[lines.start].range.start..scanned.lines[lines.end - 1].range.end;
        let own = scanned.lines[head].indent.unwrap_or(0);
        edits.push((bytes(block.clone()), Vec::new()));
        edits.push((bytes(block.clone()), [&vec![b' '; own][..], b"pass\n"].concat()));
        if block.len() > 1 {
            let suite = head + 1..block.end;
            let inner = scanned.lines[suite.clone()].iter().find_map(|line| line.indent).unwrap_or(own);
            let dedented = scanned.lines[suite.clone()].iter().flat_map(|line| {
                let spaces = text[line.range.clone()].iter().take_while(|byte| **byte == b' ').count();
                text[line.range.start + spaces.min(inner - own)..line.range.end].to_vec()
            });
            edits.push((bytes(block.clone()), dedented.collect()));
            edits.push((bytes(suite), [&vec![b' '; inner][..], b"pass\n"].concat()));
        }
    }
    scanned.brackets.iter().for_each(|bracket| of_bracket(text, bracket, &mut edits));
    for quoted in &scanned.quotes {
        edits.push((quoted.clone(), b"''".to_vec()));
        edits.extend(SIMPLE.map(|simple| (quoted.clone(), simple.to_vec())));
    }
    for line in &scanned.lines {
        of_line(text, line.range.clone(), &mut edits);
    }
    words(text).for_each(|word| edits.extend([(word.clone(), b"x".to_vec()), (word, b"0".to_vec())]));
    edits.retain(|(range, by)| by.len() < range.len() || by.len() == range.len() && by[..] < text[range.clone()]);
    edits
}

/// A pair of brackets, and the commas directly in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bracket {
    range: Range<usize>,
    commas: Vec<usize>,
}

#[derive(Debug, Default)]
struct Scanned {
    lines: Vec<Line>,
    brackets: Vec<Bracket>,
    quotes: Vec<Range<usize>>,
}

fn of_bracket(text: &[u8], bracket: &Bracket, edits: &mut Vec<Edit>) {
    let Range { start, end } = bracket.range;
    edits.extend(SIMPLE.map(|simple| (start..end, simple.to_vec())));
    edits.push((start..end, text[start + 1..end - 1].to_vec()));
    edits.push((start..end, Vec::new()));
    let borders: Vec<usize> = [start + 1].into_iter().chain(bracket.commas.iter().map(|at| at + 1)).collect();
    for part in halves(borders.len(), 1) {
        let to = borders.get(part.end).copied().unwrap_or(end - 1);
        edits.push((borders[part.start]..to, Vec::new()));
        edits.push((start..end, text[borders[part.start]..to].strip_suffix(b",").unwrap_or_default().to_vec()));
        edits.extend(SIMPLE.map(|simple| (borders[part.start]..to, [simple, b","].concat())));
    }
}

/// What stands behind each `=`, `:`, `;` and word of a line goes away, or becomes something simple.
fn of_line(text: &[u8], line: Range<usize>, edits: &mut Vec<Edit>) {
    let end = line.end - usize::from(text[..line.end].ends_with(b"\n"));
    let start = line.start + text[line.start..end].iter().take_while(|byte| **byte == b' ').count();
    let borders = (start..).zip(&text[start..end]).filter(|(_, byte)| b"=:; ".contains(byte));
    for (at, _) in borders {
        edits.push((at + 1..end, b" 0".to_vec()));
        edits.push((at..end, Vec::new()));
        edits.push((start..at + 1, Vec::new()));
    }
}

/// Names and numbers.
fn words(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].iter().position(|byte| is_word(*byte))?;
        at = text[start..].iter().position(|byte| !is_word(*byte)).map_or(text.len(), |length| start + length);
        Some(start..at)
    })
}

/// For each line the lines that go with it: its suite, to the last line that is indented further.
fn blocks(lines: &[Line]) -> Vec<Range<usize>> {
    let block = |head: usize| {
        let Some(indent) = lines[head].indent else { return head..head + 1 };
        let ends = |line: &Line| line.indent.is_some_and(|other| other <= indent);
        let end = lines[head + 1..].iter().position(ends).map_or(lines.len(), |length| head + 1 + length);
        head..end
    };
    (0..lines.len()).map(block).collect()
}

fn scan(text: &[u8]) -> Scanned {
    let mut scanned = Scanned::default();
    let mut open: Vec<Bracket> = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        match text[at] {
            b'#' => {
                at += text[at..].iter().position(|byte| *byte == b'\n').unwrap_or(text.len() - at);
                continue;
            }
            b'\'' | b'"' => {
                let end = quote_end(text, at);
                scanned.quotes.push(at..end);
                at = end;
                continue;
            }
            b'\\' => at += 1,
            b'(' | b'[' | b'{' => open.push(Bracket { range: at..at, commas: Vec::new() }),
            b')' | b']' | b'}' => {
                if let Some(bracket) = open.pop() {
                    scanned.brackets.push(Bracket { range: bracket.range.start..at + 1, ..bracket });
                }
            }
            b',' => {
                if let Some(bracket) = open.last_mut() {
                    bracket.commas.push(at);
                }
            }
            b'\n' if open.is_empty() => {
                scanned.lines.push(line(text, start..at + 1));
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if start < text.len() {
        scanned.lines.push(line(text, start..text.len()));
    }
    scanned.brackets.sort_by_key(|bracket| std::cmp::Reverse(bracket.range.len()));
    scanned
}

fn line(text: &[u8], range: Range<usize>) -> Line {
    let spaces = text[range.clone()].iter().take_while(|byte| **byte == b' ').count();
    let is_code = text.get(range.start + spaces).is_some_and(|byte| !b"#\r\n".contains(byte));
    Line { range, indent: is_code.then_some(spaces) }
}

/// Where the string literal ends that starts here.
fn quote_end(text: &[u8], start: usize) -> usize {
    let quote = text[start];
    let triple = text[start..].starts_with(&[quote; 3]);
    let closing = vec![quote; if triple { 3 } else { 1 }];
    let mut at = start + closing.len();
    while at < text.len() {
        match text[at] {
            b'\\' => at += 1,
            b'\n' if !triple => return at,
            _ if text[at..].starts_with(&closing) => return at + closing.len(),
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::super::{Form, minimize};
    use super::*;

    #[test]
    fn lines_go_on_in_brackets_texts_and_after_a_backslash() {
        let text = b"if x:\n  y = (1,\n2)\n  z = '''a\nb'''\n\n  # c\n  w = \\\n3\nv\n";
        let lines = scan(text).lines;
        let indents: Vec<Option<usize>> = lines.iter().map(|line| line.indent).collect();
        assert_eq!(indents, [Some(0), Some(2), Some(2), None, None, Some(2), Some(0)]);
        assert_eq!(blocks(&lines)[0], 0..6);
        assert!(lines.windows(2).all(|pair| pair[0].range.end == pair[1].range.start));
    }

    #[test]
    fn programs_become_small() {
        let text = b"import os\ndef f(a, b=(1, 2)):\n  '''doc'''\n  for x in (yield a):\n    g = [lambda: (b + 7), {1: 'q'}]\n  \
                     return f(g, (a if b else 9))\nclass C: pass\n";
        let check = |wanted: &[&str], smallest: &str| {
            let interesting = |text: &[u8]| {
                let text = String::from_utf8_lossy(text);
                wanted.iter().all(|wanted| text.contains(wanted))
            };
            let found = minimize(Form::Source, text, interesting, |_| true).minimized().unwrap();
            assert_eq!(String::from_utf8_lossy(&found.bytes), smallest, "{found:?}");
        };
        check(&["lambda"], "lambda");
        check(&["7"], "7");
        check(&["class"], "class");
        check(&["yield", "lambda"], "yieldlambda");
    }
}
