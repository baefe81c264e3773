//! Values as plain JSON, so that nobody has to learn the canon first. The exported READMEs specify it ([`SPECIFICATION`]).
//!
//! A canon is read into nodes, and these are printed as JSON: with sets in an order of their own and with numbers only for
//! what is referred to again, so that a program that knows nothing of canons can make the same text.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What the exported READMEs say of values.
pub const SPECIFICATION: &str = include_str!("plain.md");

/// Containers in containers, deeper than JSON readers go.
pub const DEEPEST: usize = 100;

/// A node of a canon: a scalar's JSON, or what holds others.
#[derive(Debug)]
enum Node {
    Scalar(String),
    /// The names of a code object in 3.11 and later: not an object.
    Names(Vec<usize>),
    Empty(&'static str),
    Items(&'static str, Vec<usize>),
    Members(&'static str, Vec<usize>),
    Pairs(&'static str, Vec<usize>),
    Code(Vec<String>, Vec<usize>),
}

impl Node {
    fn children(&self) -> &[usize] {
        match self {
            Node::Scalar(_) | Node::Empty(_) => &[],
            Node::Names(children)
            | Node::Items(_, children)
            | Node::Members(_, children)
            | Node::Pairs(_, children)
            | Node::Code(_, children) => children,
        }
    }
}

/// A container that is being read.
struct Open {
    node: usize,
    left: usize,
    named: bool,
}

/// The value of a canon (corpus/CANON.md) as compact JSON; `None` if the text is no canon, or is nested too deep for JSON.
#[must_use]
pub fn plain(canon: &str, python2: bool) -> Option<String> {
    let mut nodes = parse(canon)?;
    let mut printer = Printer { python2, settled: vec![false; nodes.len()] };
    printer.settle(&mut nodes, 0, 0)?;
    printer.print(&nodes, 0)
}

/// Whether two canons are of values that are equal but for the sharing of immutable objects: whatever is one object, all of it
/// is the same, and there are as many objects of which it matters. Values that hold themselves are the same if the canons are.
#[must_use]
pub fn same_value(left: &str, right: &str) -> bool {
    left == right || digest(left).zip(digest(right)).is_some_and(|(left, right)| left == right)
}

/// A hash of the value without its references, and how many objects there are that are not immutable.
fn digest(canon: &str) -> Option<([u8; 32], usize)> {
    let nodes = parse(canon)?;
    let is_own = |node: &&Node| match node {
        Node::Items(kind, _) | Node::Members(kind, _) | Node::Pairs(kind, _) | Node::Empty(kind) => {
            !matches!(*kind, "tuple" | "frozenset" | "slice")
        }
        Node::Code(..) => true,
        Node::Scalar(_) | Node::Names(_) => false,
    };
    let own = nodes.iter().filter(is_own).count();
    let mut done: Vec<Option<[u8; 32]>> = vec![None; nodes.len()];
    let mut path = vec![(0, 0)];
    let mut is_open = vec![false; nodes.len()];
    while let Some((id, place)) = path.last_mut() {
        let (id, child) = (*id, nodes[*id].children().get(*place));
        *place += 1;
        is_open[id] = true;
        match child {
            Some(&child) if done[child].is_some() => {}
            Some(&child) if is_open[child] => return None,
            Some(&child) => path.push((child, 0)),
            None => {
                let mut parts: Vec<[u8; 32]> = nodes[id].children().iter().filter_map(|child| done[*child]).collect();
                if matches!(nodes[id], Node::Members(..)) {
                    parts.sort_unstable();
                }
                let name = match &nodes[id] {
                    Node::Scalar(text) => format!("scalar {text}"),
                    Node::Names(_) => "names".into(),
                    Node::Empty(kind) => format!("empty {kind}"),
                    Node::Items(kind, _) | Node::Members(kind, _) | Node::Pairs(kind, _) => (*kind).into(),
                    Node::Code(fields, _) => fields.join(" "),
                };
                let hash = Sha256::new().chain_update(name).chain_update(parts.as_flattened()).finalize();
                done[id] = Some(hash.into());
                path.pop();
            }
        }
    }
    done.first().copied().flatten().map(|hash| (hash, own))
}

fn parse(canon: &str) -> Option<Vec<Node>> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut numbered: Vec<usize> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for line in canon.lines() {
        if !nodes.is_empty() && open.is_empty() {
            return None;
        }
        let named = open.last().is_some_and(|frame| frame.named);
        let (field, line) = if named { line.split_once('=').map(|(f, l)| (Some(f), l))? } else { (None, line) };
        let id = if let Some(number) = line.strip_prefix("ref ") {
            *numbered.get(number.parse::<usize>().ok()?)?
        } else {
            nodes.push(node(line)?);
            nodes.len() - 1
        };
        if let Some(frame) = open.last_mut() {
            frame.left -= 1;
            match &mut nodes[frame.node] {
                Node::Code(fields, children) => {
                    fields.push(field?.to_owned());
                    children.push(id);
                }
                Node::Names(children)
                | Node::Items(_, children)
                | Node::Members(_, children)
                | Node::Pairs(_, children) => {
                    children.push(id);
                }
                Node::Scalar(_) | Node::Empty(_) => return None,
            }
        }
        if !line.starts_with("ref ") {
            let left = count(line);
            if !matches!(nodes[id], Node::Scalar(_) | Node::Names(_) | Node::Empty("tuple" | "frozenset")) {
                numbered.push(id);
            }
            if left > 0 {
                open.push(Open { node: id, left, named: matches!(nodes[id], Node::Code(..)) });
            }
        }
        while open.last().is_some_and(|frame| frame.left == 0) {
            open.pop();
        }
    }
    (!nodes.is_empty() && open.is_empty()).then_some(nodes)
}

/// How many nodes follow inside this one.
fn count(line: &str) -> usize {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let count = rest.parse::<usize>().unwrap_or(0);
    match kind {
        "tuple" | "list" | "set" | "frozenset" | "code" | "names" => count,
        "dict" | "frozendict" => count.saturating_mul(2),
        "slice" => 3,
        _ => 0,
    }
}

fn node(line: &str) -> Option<Node> {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let is_empty = rest == "0";
    let quoted = || rest.strip_prefix('"')?.strip_suffix('"');
    Some(match kind {
        "none" => Node::Scalar("null".into()),
        "true" | "false" => Node::Scalar(kind.into()),
        "ellipsis" => Node::Scalar(r#"{"singleton":"Ellipsis"}"#.into()),
        "stopiteration" => Node::Scalar(r#"{"singleton":"StopIteration"}"#.into()),
        "int" | "long" => Node::Scalar(format!(r#"{{"{kind}":"{}"}}"#, decimal(rest)?)),
        "float" => Node::Scalar(format!(r#"{{"float":"{rest}"}}"#)),
        "complex" => {
            let (real, imaginary) = rest.split_once(' ')?;
            Node::Scalar(format!(r#"{{"complex":["{real}","{imaginary}"]}}"#))
        }
        "bytes" => Node::Scalar(format!(r#"{{"bytes":"{}"}}"#, quoted()?)),
        "str" => Node::Scalar(text(&code_points(quoted()?)?)),
        "tuple" if is_empty => Node::Empty("tuple"),
        "frozenset" if is_empty => Node::Empty("frozenset"),
        "list" if is_empty => Node::Empty("list"),
        "set" if is_empty => Node::Empty("set"),
        "dict" if is_empty => Node::Empty("dict"),
        "frozendict" if is_empty => Node::Empty("frozendict"),
        "names" => Node::Names(Vec::new()),
        "tuple" => Node::Items("tuple", Vec::new()),
        "list" => Node::Items("list", Vec::new()),
        "slice" => Node::Items("slice", Vec::new()),
        "set" => Node::Members("set", Vec::new()),
        "frozenset" => Node::Members("frozenset", Vec::new()),
        "dict" => Node::Pairs("dict", Vec::new()),
        "frozendict" => Node::Pairs("frozendict", Vec::new()),
        "code" => Node::Code(Vec::new(), Vec::new()),
        _ => return None,
    })
}

/// A number in decimal digits, of hexadecimal ones.
fn decimal(hexadecimal: &str) -> Option<String> {
    let (sign, digits) = hexadecimal.strip_prefix('-').map_or(("", hexadecimal), |digits| ("-", digits));
    // Base 10^9, least significant first.
    let mut groups: Vec<u64> = vec![0];
    for digit in digits.chars() {
        let mut carry = u64::from(digit.to_digit(16)?);
        for group in &mut groups {
            let value = *group * 16 + carry;
            (*group, carry) = (value % 1_000_000_000, value / 1_000_000_000);
        }
        groups.extend((carry > 0).then_some(carry));
    }
    let (highest, others) = groups.split_last()?;
    let mut text = format!("{sign}{highest}");
    others.iter().rev().for_each(|group| write!(text, "{group:09}").expect("writing to a string cannot fail"));
    Some(text)
}

/// The code points of a canon's text, in which `\{H}` is one by its number.
fn code_points(mut text: &str) -> Option<Vec<u32>> {
    let mut points = Vec::new();
    while let Some(c) = text.chars().next() {
        match text.strip_prefix("\\{") {
            Some(rest) => {
                let (number, after) = rest.split_once('}')?;
                points.push(u32::from_str_radix(number, 16).ok()?);
                text = after;
            }
            None => {
                points.push(c.into());
                text = &text[c.len_utf8()..];
            }
        }
    }
    Some(points)
}

/// A string as JSON in ASCII, with the escapes that Python's `json.dumps` writes.
pub(super) fn text(points: &[u32]) -> String {
    let Some(characters) = points.iter().map(|&point| char::from_u32(point)).collect::<Option<String>>() else {
        let points: Vec<String> = points.iter().map(u32::to_string).collect();
        return format!(r#"{{"code_points":[{}]}}"#, points.join(","));
    };
    let mut json = String::from('"');
    for c in characters.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            ' '..='~' => json.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    write!(json, "\\u{unit:04x}").expect("writing to a string cannot fail");
                }
            }
        }
    }
    json.push('"');
    json
}

struct Printer {
    python2: bool,
    /// Whether all sets from a node on are in order.
    settled: Vec<bool>,
}

impl Printer {
    /// Puts the members of sets, and the keys of 2.7's dicts, in the order of their texts, innermost first.
    fn settle(&mut self, nodes: &mut [Node], id: usize, depth: usize) -> Option<()> {
        if std::mem::replace(&mut self.settled[id], true) {
            return Some(());
        }
        if depth > DEEPEST {
            return None;
        }
        for child in nodes[id].children().to_vec() {
            self.settle(nodes, child, depth + 1)?;
        }
        let width = match &nodes[id] {
            Node::Members(_, members) if members.len() > 1 => 1,
            Node::Pairs("dict", pairs) if self.python2 && pairs.len() > 2 => 2,
            _ => return Some(()),
        };
        let children = nodes[id].children().to_vec();
        let keyed = children.chunks_exact(width).map(|chunk| Some((self.print(nodes, chunk[0])?, chunk.to_vec())));
        let mut keyed: Vec<(String, Vec<usize>)> = keyed.collect::<Option<_>>()?;
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
        let sorted = keyed.into_iter().flat_map(|(_, chunk)| chunk).collect();
        if let Node::Members(_, children) | Node::Pairs(_, children) = &mut nodes[id] {
            *children = sorted;
        }
        Some(())
    }

    /// The text of one node and what it holds, numbered on its own.
    fn print(&self, nodes: &[Node], root: usize) -> Option<String> {
        let mut visits = BTreeMap::new();
        visit(nodes, root, &mut visits);
        let mut shared: BTreeMap<usize, Option<usize>> =
            visits.into_iter().filter(|(_, visits)| *visits > 1).map(|(id, _)| (id, None)).collect();
        let mut text = String::new();
        let mut last = 0;
        print(nodes, root, 0, &mut shared, &mut last, &mut text)?;
        Some(text)
    }
}

/// Counts how often each object is come to.
fn visit(nodes: &[Node], root: usize, visits: &mut BTreeMap<usize, usize>) {
    let mut stack = vec![root];
    while let Some(id) = stack.pop() {
        let count = visits.entry(id).or_default();
        *count += 1;
        if *count == 1 {
            stack.extend(nodes[id].children());
        }
    }
}

/// Writes a node. `shared` are the objects that are come to more than once, each with its number once it was written.
fn print(
    nodes: &[Node],
    id: usize,
    depth: usize,
    shared: &mut BTreeMap<usize, Option<usize>>,
    last: &mut usize,
    text: &mut String,
) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match shared.get_mut(&id) {
        Some(Some(number)) => {
            write!(text, r#"{{"$ref":{number}}}"#).ok()?;
            return Some(());
        }
        Some(number) => {
            *last += 1;
            *number = Some(*last);
            write!(text, r#"{{"$id":{last},"#).ok()?;
        }
        None if matches!(nodes[id], Node::Scalar(_)) => {}
        None => text.push('{'),
    }
    let mut list = |open: &str, children: &[usize], close: &str, text: &mut String| {
        text.push_str(open);
        for (index, &child) in children.iter().enumerate() {
            text.push_str(if index > 0 { "," } else { "" });
            print(nodes, child, depth + 1, shared, last, text)?;
        }
        text.push_str(close);
        Some(())
    };
    match &nodes[id] {
        Node::Scalar(json) => text.push_str(json),
        Node::Empty(kind) => write!(text, r#""{kind}":[]}}"#).ok()?,
        Node::Names(children) => list(r#""names":["#, children, "]}", text)?,
        Node::Items(kind, children) | Node::Members(kind, children) => {
            list(&format!(r#""{kind}":["#), children, "]}", text)?;
        }
        Node::Pairs(kind, children) => {
            write!(text, r#""{kind}":["#).ok()?;
            for (index, pair) in children.chunks_exact(2).enumerate() {
                list(if index > 0 { ",[" } else { "[" }, pair, "]", text)?;
            }
            text.push_str("]}");
        }
        Node::Code(fields, children) => {
            text.push_str(r#""code":{"#);
            for (index, (field, child)) in fields.iter().zip(children).enumerate() {
                let comma = if index > 0 { "," } else { "" };
                list(&format!(r#"{comma}"{field}":"#), std::slice::from_ref(child), "", text)?;
            }
            text.push_str("}}");
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{Text, open};
    use std::collections::HashMap;

    #[track_caller]
    fn check(canon: &str, json: &str) {
        assert_eq!(plain(canon, false).as_deref(), Some(json), "{canon}");
        serde_json::from_str::<serde_json::Value>(json).unwrap();
    }

    #[test]
    fn canons_become_plain_json() {
        check("none\n", "null");
        check("true\n", "true");
        check("ellipsis\n", r#"{"singleton":"Ellipsis"}"#);
        check("int ff\n", r#"{"int":"255"}"#);
        check("int -80000000\n", r#"{"int":"-2147483648"}"#);
        check("int de0b6b3a7640000\n", r#"{"int":"1000000000000000000"}"#);
        check("long 0\n", r#"{"long":"0"}"#);
        check("float 3ff0000000000000\n", r#"{"float":"3ff0000000000000"}"#);
        check("complex 0000000000000000 7ff0000000000000\n", r#"{"complex":["0000000000000000","7ff0000000000000"]}"#);
        check("bytes \"00ff\"\n", r#"{"bytes":"00ff"}"#);
        check("str \"a=\\{22}\\{5c}\\{a}\\{e9}\\{1f600}\\{7f}\"\n", r#""a=\"\\\n\u00e9\ud83d\ude00\u007f""#);
        check("str \"\\{d800}a\"\n", r#"{"code_points":[55296,97]}"#);
        check("tuple 0\n", r#"{"tuple":[]}"#);
        check("slice\nint 1\nnone\nnone\n", r#"{"slice":[{"int":"1"},null,null]}"#);
        check("dict 1\nstr \"a\"\nlist 0\n", r#"{"dict":[["a",{"list":[]}]]}"#);
        check("tuple 2\nlist 1\nnone\nref 1\n", r#"{"tuple":[{"$id":1,"list":[null]},{"$ref":1}]}"#);
        check("list 1\nref 0\n", r#"{"$id":1,"list":[{"$ref":1}]}"#);
        // An empty tuple is no object; an empty list is.
        check("tuple 3\ntuple 0\nlist 0\nref 1\n", r#"{"tuple":[{"tuple":[]},{"$id":1,"list":[]},{"$ref":1}]}"#);
        check(
            "code 2\nargcount=int 0\nnames=names 1\nstr \"x=y\"\n",
            r#"{"code":{"argcount":{"int":"0"},"names":{"names":["x=y"]}}}"#,
        );
    }

    /// Members are in the order of their JSON, not of their canons: "int" and "str", 9 and 10 change places.
    #[test]
    fn sets_have_an_order_that_needs_no_canon() {
        check("set 2\nint 9\nint a\n", r#"{"set":[{"int":"10"},{"int":"9"}]}"#);
        check("frozenset 2\nint 1\nstr \"a\"\n", r#"{"frozenset":["a",{"int":"1"}]}"#);
        check(
            "tuple 2\nset 2\ntuple 1\nint 9\ntuple 1\nstr \"a\"\nref 2\n",
            r#"{"tuple":[{"set":[{"tuple":["a"]},{"$id":1,"tuple":[{"int":"9"}]}]},{"$ref":1}]}"#,
        );
        let dict = "dict 2\nint 9\nnone\nint a\nnone\n";
        assert_eq!(plain(dict, false).unwrap(), r#"{"dict":[[{"int":"9"},null],[{"int":"10"},null]]}"#);
        assert_eq!(plain(dict, true).unwrap(), r#"{"dict":[[{"int":"10"},null],[{"int":"9"},null]]}"#);
    }

    #[test]
    fn sharing_of_immutable_objects_makes_no_other_value() {
        let check = |left: &str, right: &str, expected: bool| {
            assert_eq!(same_value(left, right), expected, "{left}{right}");
            assert_eq!(same_value(right, left), expected, "{left}{right}");
        };
        let pair = "tuple 1\nint 1\n";
        check(&format!("tuple 2\n{pair}ref 1\n"), &format!("tuple 2\n{pair}{pair}"), true);
        check(&format!("tuple 2\n{pair}ref 1\n"), &format!("tuple 2\n{pair}tuple 1\nint 2\n"), false);
        check("tuple 2\nlist 0\nref 1\n", "tuple 2\nlist 0\nlist 0\n", false);
        check("frozenset 2\nint 1\nint 2\n", "frozenset 2\nint 2\nint 1\n", true);
        check("frozenset 1\nint 1\n", "tuple 1\nint 1\n", false);
        check("list 1\nref 0\n", "list 1\nref 0\n", true);
        check("list 1\nref 0\n", "list 1\nlist 1\nref 1\n", false);
        check("int 1\n", "float 3ff0000000000000\n", false);
    }

    #[test]
    fn what_is_no_canon_or_too_deep_has_no_json() {
        for canon in ["", "what\n", "tuple 2\nnone\n", "none\nnone\n", "ref 0\n", "int x\n", "str \"a\n"] {
            assert_eq!(plain(canon, false), None, "{canon}");
        }
        let nested = |n| "list 1\n".repeat(n) + "none\n";
        assert!(plain(&nested(DEEPEST), false).is_some() && plain(&nested(DEEPEST + 1), false).is_none());
        assert_eq!(plain(&nested(2000), false), None);
    }

    /// Of all values that interpreters answered with, no two have the same JSON: nothing is lost.
    #[test]
    fn different_values_have_different_json() {
        let mut seen: HashMap<String, String> = HashMap::new();
        for entry in std::fs::read_dir(crate::corpus::tests::root().join("golden")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            let (head, entries) = open(&path).unwrap();
            let python2 = head.version.starts_with('2');
            for entry in entries {
                let Some(Text::Text(canon)) = entry.canon else { continue };
                let json = plain(&canon, python2).unwrap_or_else(|| panic!("{canon}"));
                serde_json::from_str::<serde_json::Value>(&json).unwrap();
                let old = seen.insert(json, canon.clone()).unwrap_or(canon.clone());
                assert_eq!(old, canon);
            }
        }
        assert!(seen.len() > 500, "only {} values", seen.len());
    }
}
