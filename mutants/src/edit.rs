//! Changes of a text, one inside the other.

use std::ops::Range;

/// What takes the place of a part of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The part; where it is empty something is put in.
    pub range: Range<usize>,
    /// What is there then.
    pub pieces: Vec<Piece>,
}

/// A part of what is there then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// This.
    Text(String),
    /// What was there, with the edits in it.
    Source(Range<usize>),
}

impl From<&str> for Piece {
    fn from(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Piece {
        Piece::Text(text)
    }
}

impl From<Range<usize>> for Piece {
    fn from(range: Range<usize>) -> Piece {
        Piece::Source(range)
    }
}

/// The text after all edits. Of two with one range, the one that comes first has the other one in it.
#[must_use]
pub fn apply(source: &str, mut edits: Vec<Edit>) -> String {
    // What is put in comes before what begins there, so that it is not inside it.
    edits.sort_by_key(|edit| (edit.range.start, !edit.range.is_empty(), usize::MAX - edit.range.end));
    let mut text = String::new();
    render(source, 0..source.len(), &edits, &mut text);
    text
}

fn render(source: &str, range: Range<usize>, mut edits: &[Edit], text: &mut String) {
    let mut from = range.start;
    while let Some((edit, others)) = edits.split_first() {
        let inside = others.iter().take_while(|other| other.range.start < edit.range.end).count();
        let (inside, others) = others.split_at(inside);
        text.push_str(&source[from..edit.range.start]);
        for piece in &edit.pieces {
            match piece {
                Piece::Text(new) => text.push_str(new),
                Piece::Source(part) => {
                    let is_in = |other: &&Edit| part.start <= other.range.start && other.range.end <= part.end;
                    let inside: Vec<Edit> = inside.iter().filter(is_in).cloned().collect();
                    render(source, part.clone(), &inside, text);
                }
            }
        }
        from = edit.range.end;
        edits = others;
    }
    text.push_str(&source[from..range.end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_inside_each_other_and_beside() {
        let edit = |range: Range<usize>, pieces: &[Piece]| Edit { range, pieces: pieces.to_vec() };
        let check = |edits: &[Edit], expected: &str| assert_eq!(apply("a + b * c", edits.to_vec()), expected);
        check(&[], "a + b * c");
        check(&[edit(0..1, &["x".into()]), edit(4..4, &["y".into()])], "x + yb * c");
        let sum = edit(0..9, &["f(".into(), (0..1).into(), ", ".into(), (4..9).into(), ")".into()]);
        let product = edit(4..9, &["g(".into(), (4..5).into(), ", ".into(), (4..5).into(), ")".into()]);
        check(&[product.clone(), sum.clone()], "f(a, g(b, b))");
        check(&[sum.clone(), edit(4..5, &["z".into()])], "f(a, z * c)");
        let whole = edit(0..9, &["[".into(), (0..9).into(), "]".into()]);
        check(&[whole.clone(), sum], "[f(a, b * c)]");
        check(&[whole, edit(0..0, &["<".into()])], "<[a + b * c]");
    }
}
