//! Where two canons part.
//!
//! Two long texts that differ say little; the path of the first node that differs says a lot. Canons come in pre-order
//! with counts (corpus/CANON.md), so one walk along the common beginning knows the path of the first line that differs.

/// The first node in which two canons differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The node's path with its indexes: `[3].consts[0].flags`; empty for the root.
    pub path: String,
    /// The path as it goes into a signature: the innermost code object's field, if it is inside one, and the kind of node,
    /// or both where they differ: `.consts:float`, `:int/long`. Containers are left out: a float that is read wrongly is
    /// one finding, however it is wrapped.
    pub general: String,
    /// The line of the first text; empty when the text ends here.
    pub left: String,
    /// The line of the second text.
    pub right: String,
}

/// A container whose nodes are being read.
struct Frame {
    shape: Shape,
    seen: u64,
    left: u64,
    field: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Items,
    Members,
    Pairs,
    Slice,
    Fields,
}

/// The first difference of two canons, if there is one. Texts that are not canons are compared all the same, line by line.
#[must_use]
pub fn first_difference(left: &str, right: &str) -> Option<Difference> {
    if left == right {
        return None;
    }
    let mut frames: Vec<Frame> = Vec::new();
    let mut right_lines = right.lines();
    let mut left_lines = left.lines();
    loop {
        let (a, b) = (left_lines.next(), right_lines.next());
        while frames.last().is_some_and(|frame| frame.left == 0) {
            frames.pop();
        }
        if a.is_none() && b.is_none() {
            // The texts differ in nothing but their last line end.
            return Some(difference(&frames, "", ""));
        }
        let line = a.or(b).unwrap_or_default();
        let node = enter(&mut frames, line);
        if a != b {
            return Some(difference(&frames, a.unwrap_or_default(), b.unwrap_or_default()));
        }
        open(&mut frames, node);
    }
}

/// Counts the line in the innermost container, and takes the field's name off it.
fn enter<'a>(frames: &mut [Frame], line: &'a str) -> &'a str {
    let Some(frame) = frames.last_mut() else { return line };
    frame.left -= 1;
    frame.seen += 1;
    match line.split_once('=') {
        Some((field, node)) if frame.shape == Shape::Fields => {
            field.clone_into(&mut frame.field);
            node
        }
        _ => line,
    }
}

/// Opens a frame if nodes follow inside this one.
fn open(frames: &mut Vec<Frame>, node: &str) {
    let (kind, rest) = node.split_once(' ').unwrap_or((node, ""));
    let count = rest.parse::<u64>().unwrap_or(0);
    let (shape, left) = match kind {
        "tuple" | "list" | "names" => (Shape::Items, count),
        "set" | "frozenset" => (Shape::Members, count),
        "dict" | "frozendict" => (Shape::Pairs, count.saturating_mul(2)),
        "slice" => (Shape::Slice, 3),
        "code" => (Shape::Fields, count),
        _ => return,
    };
    if left > 0 {
        frames.push(Frame { shape, seen: 0, left, field: String::new() });
    }
}

impl Frame {
    /// The step to the node that was entered last.
    fn step(&self) -> String {
        let index = self.seen.saturating_sub(1);
        match self.shape {
            Shape::Items => format!("[{index}]"),
            Shape::Members => format!("<{index}>"),
            Shape::Pairs => format!("{{{} {}}}", index / 2, if index.is_multiple_of(2) { "key" } else { "value" }),
            Shape::Slice => [".start", ".stop", ".step"][usize::try_from(index.min(2)).unwrap_or(2)].into(),
            Shape::Fields => format!(".{}", self.field),
        }
    }
}

fn difference(frames: &[Frame], left: &str, right: &str) -> Difference {
    let path = frames.iter().map(Frame::step).collect();
    let field = frames.iter().rfind(|frame| frame.shape == Shape::Fields).map(Frame::step).unwrap_or_default();
    let kind = |line: &str| {
        let in_field = frames.last().is_some_and(|frame| frame.shape == Shape::Fields);
        let node = line.split_once('=').filter(|_| in_field).map_or(line, |(_, node)| node);
        node.split(' ').next().unwrap_or_default().to_owned()
    };
    let (a, b) = (kind(left), kind(right));
    let kinds = if a == b { a } else { format!("{a}/{b}") };
    Difference { path, general: format!("{field}:{kinds}"), left: left.into(), right: right.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(left: &str, right: &str, expected: Option<(&str, &str)>) {
        let found = first_difference(left, right);
        assert_eq!(found.as_ref().map(|d| (d.path.as_str(), d.general.as_str())), expected);
        // Which text comes first does not change where they part, as long as the kinds are equal.
        if expected.is_some_and(|(_, general)| !general.contains('/')) {
            assert_eq!(first_difference(right, left).map(|d| d.path), found.map(|d| d.path));
        }
    }

    #[test]
    fn the_first_difference_has_the_path_of_its_node() {
        check("none\n", "none\n", None);
        check("int 1\n", "int 2\n", Some(("", ":int")));
        check("int 1\n", "long 1\n", Some(("", ":int/long")));
        check("tuple 2\nint 1\nint 2\n", "tuple 2\nint 1\nint 3\n", Some(("[1]", ":int")));
        check("tuple 2\nlist 1\nnone\nint 2\n", "tuple 2\nlist 1\nnone\nint 3\n", Some(("[1]", ":int")));
        check("tuple 1\nlist 1\nset 1\nint 2\n", "tuple 1\nlist 1\nset 1\nint 3\n", Some(("[0][0]<0>", ":int")));
        check("dict 1\nint 1\nint 2\n", "dict 1\nint 1\nint 3\n", Some(("{0 value}", ":int")));
        check(
            "dict 2\nint 1\nint 2\nint 3\nnone\n",
            "dict 2\nint 1\nint 2\nref 4\nnone\n",
            Some(("{1 key}", ":int/ref")),
        );
        check("slice\nint 1\nnone\nnone\n", "slice\nint 1\nnone\nint 1\n", Some((".step", ":none/int")));
        check("tuple 0\n", "tuple 1\nnone\n", Some(("", ":tuple")));
        check("list 1\nnone\n", "list 1\n", Some(("[0]", ":none/")));
        let code = |flags: &str, name: &str| {
            format!(
                "tuple 1\ncode 4\nconsts=tuple 1\ncode 1\nflags=int {flags}\nlocalsplusnames=names 1\nstr \"{name}\"\nflags=int 0\nname=none\n"
            )
        };
        check(&code("1", "a"), &code("2", "a"), Some(("[0].consts[0].flags", ".flags:int")));
        check(&code("1", "a=b"), &code("1", "a=c"), Some(("[0].localsplusnames[0]", ".localsplusnames:str")));
    }
}
