//! Why two .pyc files differ: by cause first, then where.

use super::Trouble;
use crate::dis::{CodeView, Error, File, visible};
use pyc_core::compare::{Difference, Kind, compare};
use pyc_core::magic::Magic;
use pyc_core::pyc::{Header, Pyc};
use pyc_core::{Graph, NodeId, Profile, Value};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;

/// What the headers differ in, and what follows the streams; the other causes are [`Kind`]s.
const OUTSIDE: [&str; 5] = ["mtime", "size", "hash", "header", "trailing"];

/// For each cause, the least harmful first: what there is one of, what there are many of, and when that is so.
static CAUSES: [(&str, &str, &str, &str); 17] = [
    ("mtime", "the time of the source file differs", "", "as it does when the source was copied, unpacked or touched"),
    ("size", "the size of the source file differs", "", "as it does when another source was compiled"),
    ("hash", "the hash of the source file differs", "", "as it does when another source was compiled"),
    ("header", "the kind of the header differs", "", "as it does with another --invalidation-mode"),
    ("trailing", "the bytes behind the stream differ", "", "which no Python reads"),
    (
        "flags",
        "reference flag differs",
        "reference flags differ",
        "as they do when somebody else owned the objects while they were written",
    ),
    (
        "interning",
        "string is interned in one of them",
        "strings are interned in one of them",
        "as they are when another module had interned the text before",
    ),
    ("encoding", "value has another type byte", "values have other type bytes", "as another writer chooses them"),
    (
        "sharing",
        "object is shared in one of them",
        "objects are shared in one of them",
        "as the compiler or another writer shares equal objects or does not",
    ),
    (
        "set-order",
        "set has its members in another order",
        "sets have their members in another order",
        "as they have under another hash seed, up to 3.10",
    ),
    (
        "constant-order",
        "code object numbers its constants or names in another order",
        "code objects number their constants or names in another order",
        "as another compiler or tool does",
    ),
    ("filename", "file name differs", "file names differ", "as they do when the source was compiled in another place"),
    (
        "lines",
        "line table or first line differs",
        "line tables or first lines differ",
        "as they do when lines were added or moved, or columns left out",
    ),
    ("docstring", "docstring differs", "docstrings differ", "as they do with -OO, or when they were edited"),
    ("constant", "constant differs", "constants differ", "the instructions being the same"),
    ("code", "code object does something else", "code objects do something else", "as the listing shows"),
    ("value", "value differs", "values differ", "outside of code objects"),
];

/// The names of all causes.
pub fn causes() -> impl Iterator<Item = &'static str> {
    CAUSES.iter().map(|cause| cause.0)
}

/// So many differences of one cause are listed.
const LISTED: usize = 20;

/// The longest text of an object.
const LONGEST: usize = 80;

/// So many pairs of lines are compared for a listing.
const PAIRS: usize = 4_000_000;

/// In what two files differ.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// Whether they differ in nothing that was not ignored.
    pub same: bool,
    /// One line for people, by cause.
    pub verdict: String,
    /// How often there is each cause, the most harmful first.
    pub causes: Vec<Count>,
    /// Where.
    pub differences: Vec<Place>,
    /// Whether there may be more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
    /// For each code object that does something else: the lines that differ, with `-` and `+`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listings: Vec<Listing>,
}

/// A cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Its name.
    pub kind: &'static str,
    /// How many differences it has.
    pub count: usize,
}

/// A difference.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Its cause.
    pub kind: &'static str,
    /// Where it is in the value.
    pub path: String,
    /// The byte of the first file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_offset: Option<usize>,
    /// The byte of the second file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right_offset: Option<usize>,
    /// What the first file has.
    pub left: String,
    /// What the second one has.
    pub right: String,
}

/// The instructions that differ.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// The code object.
    pub path: String,
    /// Lines with ` `, `-` or `+` before.
    pub lines: Vec<String>,
}

/// A file that is compared.
struct Side<'a> {
    file: File<'a>,
    magic: Option<Magic>,
    header: Option<Header>,
    start: usize,
    trailing: &'a [u8],
    ranges: Vec<Range<usize>>,
    paths: BTreeMap<NodeId, String>,
}

impl<'a> Side<'a> {
    fn new(bytes: &'a [u8], asked: Option<&Profile>) -> Result<Side<'a>, Trouble> {
        let file = File::read(bytes, asked).map_err(|e| match e {
            Error::Header(e) => Trouble::new("header", e.to_string(), "`provost check` tells more").at(e.offset()),
            Error::Stream { kind, offset } => Trouble::new("stream", kind, "`provost check` tells more").at(offset),
            other => Trouble::new("stream", other.to_string(), "`provost check` tells more"),
        })?;
        let header = Pyc::parse(bytes).ok().map(|pyc| pyc.header);
        let start = file.start();
        let trailing = bytes.get(start + file.graph().consumed()..).unwrap_or_default();
        let magic = Magic::at_start(bytes).filter(|_| start > 0);
        Ok(Side { file, magic, header, start, trailing, ranges: Vec::new(), paths: BTreeMap::new() })
    }

    fn graph(&self) -> &Graph<'a> {
        self.file.graph()
    }

    /// Finds out where nodes are, once there is something to tell of them.
    fn look(&mut self, nodes: &BTreeSet<NodeId>) {
        self.ranges = self.graph().byte_ranges().unwrap_or_default();
        self.paths = self.graph().paths(nodes);
    }

    fn offset(&self, id: NodeId) -> Option<usize> {
        self.ranges.get(id.index()).map(|range| self.start + range.start)
    }

    fn text(&self, kind: Kind, id: NodeId) -> String {
        let graph = self.graph();
        let object = graph.resolve(id);
        match (kind, graph.value(object)) {
            (Kind::Flags, _) => if graph.is_flagged(id) { "flagged" } else { "not flagged" }.into(),
            (Kind::Sharing, _) => if object == id { "written in full" } else { "a reference" }.into(),
            (Kind::Interning | Kind::Encoding, _) => format!("type {:?}", char::from(graph.type_byte(object))),
            (Kind::Lines, Value::Code(code)) => format!("line {}", code.ints().firstlineno),
            (Kind::Lines, _) => "another table".into(),
            (Kind::ConstantOrder | Kind::Code, Value::Code(_)) => String::new(),
            (Kind::Docstring, Value::Code(_)) => {
                let found = graph.docstring(object, self.file.profile());
                found.map_or("no docstring".into(), |id| graph.repr(id, self.file.profile(), LONGEST))
            }
            _ => graph.repr(object, self.file.profile(), LONGEST),
        }
    }
}

/// Compares two files; `asked` is the Python of streams without a header.
///
/// # Errors
/// When one of them cannot be read; `true` if that is the second one.
pub fn diff(
    left: &[u8],
    right: &[u8],
    asked: Option<&Profile>,
    ignored: &BTreeSet<String>,
) -> Result<Diff, (bool, Trouble)> {
    if left == right {
        return Ok(Diff::of("the same bytes".into()));
    }
    let mut x = Side::new(left, asked).map_err(|trouble| (false, trouble))?;
    let mut y = Side::new(right, asked).map_err(|trouble| (true, trouble))?;
    let (a, b) = (x.file.profile().version, y.file.profile().version);
    if a != b {
        let verdict = format!("files of two Pythons: {a} and {b}; their streams have little in common");
        return Ok(Diff { same: false, ..Diff::of(verdict) });
    }
    let mut places = outside(&x, &y);
    let found = compare(x.graph(), y.graph(), x.file.profile());
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let kinds = places.iter().map(|place| place.kind).chain(found.differences.iter().map(|it| it.kind.name()));
    for kind in kinds.filter(|kind| !ignored.contains(*kind)) {
        *counts.entry(kind).or_default() += 1;
    }
    places.retain(|place| !ignored.contains(place.kind));
    let mut listed: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut shown: Vec<Difference> = found.differences;
    shown.retain(|it| {
        let count = listed.entry(it.kind).or_default();
        *count += 1;
        *count <= LISTED && !ignored.contains(it.kind.name())
    });
    let listings = located(&mut x, &mut y, shown, &mut places);
    let causes: Vec<Count> = CAUSES
        .iter()
        .rev()
        .filter_map(|(kind, ..)| counts.get(kind).map(|count| Count { kind, count: *count }))
        .collect();
    let verdict = match causes.first() {
        None if found.is_cut => "not compared to the end: objects are in each other too often".into(),
        None if ignored.is_empty() => "the same value, in other bytes".into(),
        None => "the same, but for what is ignored".into(),
        Some(_) => verdict(&causes, &places),
    };
    let same = causes.is_empty() && !found.is_cut;
    Ok(Diff { same, verdict, causes, differences: places, is_cut: found.is_cut, listings })
}

impl Diff {
    fn of(verdict: String) -> Diff {
        let (causes, differences, listings) = (Vec::new(), Vec::new(), Vec::new());
        Diff { same: true, verdict, causes, differences, is_cut: false, listings }
    }

    /// The cause that decides, if there is any; for files of two Pythons that is `python`.
    #[must_use]
    pub fn cause(&self) -> Option<&'static str> {
        match self.causes.first() {
            Some(count) => Some(count.kind),
            None => (!self.same).then_some(if self.is_cut { "cut" } else { "python" }),
        }
    }

    /// The differences, for people.
    #[must_use]
    pub fn detail(&self) -> String {
        let mut text = String::new();
        for Count { kind, count } in &self.causes {
            let places = self.differences.iter().filter(|place| place.kind == *kind);
            let mut told = 0;
            for place in places {
                told += 1;
                let at = match (place.left_offset, place.right_offset) {
                    (Some(left), Some(right)) => format!(" at {left:#x} / {right:#x}"),
                    _ => String::new(),
                };
                let path = if place.path.is_empty() { String::new() } else { format!(" {}", place.path) };
                let what = match (&*place.left, &*place.right) {
                    ("", "") => String::new(),
                    (left, right) => format!(": {left} / {right}"),
                };
                writeln!(text, "  {kind}{at}{path}{what}").expect("a String takes everything");
            }
            if told < *count {
                writeln!(text, "  {kind}: {} more", count - told).expect("a String takes everything");
            }
        }
        for Listing { path, lines } in &self.listings {
            writeln!(text, "  instructions of {path}:").expect("a String takes everything");
            for line in lines {
                writeln!(text, "    {line}").expect("a String takes everything");
            }
        }
        visible(&text)
    }
}

/// Where differences are; and the instructions of code objects that do something else.
fn located(x: &mut Side<'_>, y: &mut Side<'_>, shown: Vec<Difference>, places: &mut Vec<Place>) -> Vec<Listing> {
    if !shown.is_empty() {
        x.look(&shown.iter().map(|it| it.left).collect());
        y.look(&shown.iter().map(|it| it.right).collect());
    }
    let mut listings = Vec::new();
    for Difference { kind, left, right } in shown {
        let path = x.paths.get(&left).or(y.paths.get(&right)).cloned().unwrap_or_default();
        if kind == Kind::Code {
            listings.extend(listing(x, y, left, right, &path));
        }
        places.push(Place {
            kind: kind.name(),
            path,
            left_offset: x.offset(left),
            right_offset: y.offset(right),
            left: x.text(kind, left),
            right: y.text(kind, right),
        });
    }
    listings
}

/// The header, and what follows the stream.
fn outside(x: &Side<'_>, y: &Side<'_>) -> Vec<Place> {
    let mut places = Vec::new();
    let mut tell = |kind: usize, left: String, right: String| {
        if left != right {
            let (left_offset, right_offset, path) = (None, None, String::new());
            places.push(Place { kind: OUTSIDE[kind], path, left_offset, right_offset, left, right });
        }
    };
    let magic = |magic: Option<Magic>| magic.map_or("none".to_owned(), |magic| magic.number().to_string());
    if x.magic != y.magic {
        tell(3, format!("magic number {}", magic(x.magic)), format!("magic number {}", magic(y.magic)));
    }
    match (x.header, y.header) {
        (Some(Header::Mtime { mtime: a }), Some(Header::Mtime { mtime: b })) => tell(0, a.to_string(), b.to_string()),
        (
            Some(Header::MtimeSize { flags: f, mtime: a, size: c }),
            Some(Header::MtimeSize { flags: g, mtime: b, size: d }),
        ) => {
            tell(0, a.to_string(), b.to_string());
            tell(1, c.to_string(), d.to_string());
            tell(3, format!("flags {f}"), format!("flags {g}"));
        }
        (Some(Header::Hash { flags: f, hash: a }), Some(Header::Hash { flags: g, hash: b })) => {
            tell(2, crate::case::hex(&a), crate::case::hex(&b));
            tell(3, format!("flags {f}"), format!("flags {g}"));
        }
        (a, b) => {
            let what = |header: Option<Header>| match header {
                None => "no header",
                Some(Header::Hash { .. }) => "a hash of the source",
                Some(_) => "time and size of the source",
            };
            tell(3, what(a).into(), what(b).into());
        }
    }
    if x.trailing != y.trailing {
        tell(4, format!("{} bytes", x.trailing.len()), format!("{} other bytes", y.trailing.len()));
    }
    places
}

/// One line: what decides, when that is so, and what else there is.
fn verdict(causes: &[Count], places: &[Place]) -> String {
    let row = |kind: &str| CAUSES.iter().find(|row| row.0 == kind).copied().unwrap_or(CAUSES[0]);
    let worst = causes[0].kind;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == worst);
    let head = match kind {
        None => "the same program",
        Some(kind) if kind.keeps_program() => "the same program",
        Some(Kind::Constant) => "the same instructions with other constants",
        Some(Kind::Value) => "other values",
        Some(_) => "another program",
    };
    let count = |Count { kind, count }: &Count| {
        let (_, one, many, _) = row(kind);
        match (*count, many) {
            (_, "") => one.to_owned(),
            (1, _) => format!("1 {one}"),
            (count, _) => format!("{count} {many}"),
        }
    };
    let (_, _, _, when) = row(worst);
    let example = match kind {
        Some(Kind::Filename | Kind::Constant) if causes[0].count == 1 => {
            let place = places.iter().find(|place| place.kind == worst);
            place.map_or(String::new(), |place| format!(" ({} / {})", place.left, place.right))
        }
        _ => String::new(),
    };
    let also: Vec<String> = causes[1..].iter().map(count).collect();
    let also = if also.is_empty() { String::new() } else { format!("; also: {}", also.join(", ")) };
    visible(&format!("{head}: {}{example}, {when}{also}", count(&causes[0])))
}

/// The instructions of two code objects, side by side.
fn listing(x: &Side<'_>, y: &Side<'_>, left: NodeId, right: NodeId, path: &str) -> Option<Listing> {
    let (a, b) = (x.file.view(path.into(), left)?, y.file.view(path.into(), right)?);
    let lines = |view: &CodeView| -> Vec<(String, String)> {
        let line = |it: &crate::dis::InstructionView| {
            let argument = it.argument.clone().or(it.operand.map(|operand| operand.to_string())).unwrap_or_default();
            // How far a jump goes follows from the rest.
            let meant = if it.target.is_some() { String::new() } else { argument.clone() };
            let text = format!("{:>5}  {:<22} {argument}", it.offset, it.name);
            (format!("{} {meant}", it.name), text.trim_end().to_owned())
        };
        view.instructions.iter().map(line).collect()
    };
    let (mut left, mut right) = (lines(&a), lines(&b));
    // The table differs with the instructions, so it only tells something where these are the same.
    if left.iter().map(|line| &line.0).eq(right.iter().map(|line| &line.0)) {
        let handlers =
            |view: &CodeView| view.handlers.iter().map(|it| (it.to_string(), it.to_string())).collect::<Vec<_>>();
        left.extend(handlers(&a));
        right.extend(handlers(&b));
    }
    let lines = changes(&left, &right);
    Some(Listing { path: path.into(), lines })
}

/// The longest common lines stay, two of them around each change.
fn changes(x: &[(String, String)], y: &[(String, String)]) -> Vec<String> {
    const AROUND: usize = 2;
    let begin = x.iter().zip(y).take_while(|(a, b)| a.0 == b.0).count();
    let end = x[begin..].iter().rev().zip(y[begin..].iter().rev()).take_while(|(a, b)| a.0 == b.0).count();
    let (inner_x, inner_y) = (&x[begin..x.len() - end], &y[begin..y.len() - end]);
    if inner_x.len().saturating_mul(inner_y.len()) > PAIRS {
        return vec![format!("{} and {} instructions: too many to be shown side by side", x.len(), y.len())];
    }
    // How many lines the rests have in common.
    let width = inner_y.len() + 1;
    let mut common = vec![0_u32; (inner_x.len() + 1) * width];
    for i in (0..inner_x.len()).rev() {
        for j in (0..inner_y.len()).rev() {
            common[i * width + j] = if inner_x[i].0 == inner_y[j].0 {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let mut all: Vec<(char, &str)> = x[..begin].iter().map(|line| (' ', line.1.as_str())).collect();
    let (mut i, mut j) = (0, 0);
    while i < inner_x.len() || j < inner_y.len() {
        if i < inner_x.len() && j < inner_y.len() && inner_x[i].0 == inner_y[j].0 {
            all.push((' ', &inner_x[i].1));
            (i, j) = (i + 1, j + 1);
        } else if j >= inner_y.len() || i < inner_x.len() && common[(i + 1) * width + j] >= common[i * width + j + 1] {
            all.push(('-', &inner_x[i].1));
            i += 1;
        } else {
            all.push(('+', &inner_y[j].1));
            j += 1;
        }
    }
    all.extend(x[x.len() - end..].iter().map(|line| (' ', line.1.as_str())));
    let is_near = |at: usize| {
        let around = at.saturating_sub(AROUND)..(at + AROUND + 1).min(all.len());
        all[around].iter().any(|line| line.0 != ' ')
    };
    let shown = (0..all.len()).filter(|at| is_near(*at));
    shown.map(|at| format!("{} {}", all[at].0, all[at].1)).collect()
}

/// Kinds and causes have the same names.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_sentence() {
        let kinds = OUTSIDE.into_iter().chain(Kind::ALL.map(Kind::name));
        assert!(causes().eq(kinds));
    }

    #[test]
    fn changes_are_shown_with_what_is_around_them() {
        let lines = |text: &str| -> Vec<(String, String)> {
            text.split(' ').map(|line| (line.to_owned(), line.to_owned())).collect()
        };
        let check = |x: &str, y: &str, expected: &[&str]| assert_eq!(changes(&lines(x), &lines(y)), expected);
        check("a b c", "a b c", &[]);
        check("a b c d e f g", "a b c d x f g", &["  c", "  d", "- e", "+ x", "  f", "  g"]);
        check("a b", "b a b", &["+ b", "  a", "  b"]);
        check("a b c", "c", &["- a", "- b", "  c"]);
        let long = "x ".repeat(3000);
        check(
            &format!("{long}1"),
            &format!("{}2", "y ".repeat(3000)),
            &["3001 and 3001 instructions: too many to be shown side by side"],
        );
    }
}
