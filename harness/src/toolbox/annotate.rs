//! A file item by item: where each object of its stream is, its bytes, and what they mean; of a damaged stream as far as it goes.

use super::tree::kind;
use crate::check::Report;
use crate::generators::Target;
use crate::generators::skim::{FLAG_REF, Item, SLOTLESS, Skim, long, shape, skim_for};
use pyc_core::{Profile, code, read};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// The longest text of a value, in bytes.
const LONGEST: usize = 60;

/// Bytes that are shown of a part.
const SHOWN: usize = 8;

/// A part of a file that has a meaning of its own. The parts follow each other without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Byte offset in the file.
    pub offset: usize,
    /// Length in bytes, without the objects inside it.
    pub length: usize,
    /// How many objects are around it.
    pub depth: usize,
    /// The type byte of an object without its flag, as a character.
    pub r#type: Option<char>,
    /// The slot that the object takes, by which references name it.
    pub slot: Option<u32>,
    /// What it is to the object around it: the field of a code object, `key`, `value`, or a place.
    pub place: String,
    /// Its meaning.
    pub what: String,
    #[serde(skip)]
    bytes: Vec<u8>,
}

/// Deeper objects are not told by more space before them.
const DEEPEST: usize = 40;

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: Vec<String> = self.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let more = if self.length > self.bytes.len() { " .." } else { "" };
        let bytes = format!("{}{more}", digits.join(" "));
        let place = if self.place.is_empty() { String::new() } else { format!("{}: ", self.place) };
        let slot = self.slot.map_or(String::new(), |slot| format!("  #{slot}"));
        let pad = 2 * self.depth.min(DEEPEST);
        writeln!(f, "    {:08x}  {bytes:<26}  {:pad$}{place}{}{slot}", self.offset, "", self.what)
    }
}

/// The parts of a file; none if nothing says which Python the stream is of.
#[must_use]
pub fn annotate(report: &Report, bytes: &[u8], profile: &Profile) -> Vec<Part> {
    let (header, stream) = bytes.split_at(report.offset.min(bytes.len()));
    let mut parts: Vec<Part> = self::header(report).into_iter().map(|(range, what)| of(bytes, range, what)).collect();
    let skim = skim_for(Target::from(profile), stream);
    let notes = Notes { stream, start: header.len(), profile, skim: &skim, slots: slots(stream, &skim) };
    parts.extend(notes.parts());
    if skim.end < stream.len() {
        let what = if skim.complete { "behind the value: Python ignores it" } else { "not understood from here on" };
        parts.push(of(bytes, header.len() + skim.end..bytes.len(), what.into()));
    }
    parts.sort_by_key(|part| part.offset);
    parts
}

/// The fields before the stream.
fn header(report: &Report) -> Vec<(Range<usize>, String)> {
    let Some(header) = report.header.as_ref().filter(|header| header.length == report.offset) else {
        let before = 0..report.offset;
        return if before.is_empty() { Vec::new() } else { vec![(before, "before the stream".into())] };
    };
    let whose = header.whose.map_or(String::new(), |whose| format!(" of {whose}"));
    let mut fields = vec![(4, format!("magic {}{whose}", header.magic))];
    fields.extend(header.flags.map(|flags| (4, format!("flags {flags:#x}"))));
    fields.extend(header.mtime.map(|mtime| (4, format!("mtime {mtime}"))));
    fields.extend(header.size.map(|size| (4, format!("size of the source {size}"))));
    fields.extend(header.hash.as_ref().map(|hash| (8, format!("hash of the source {hash}"))));
    let mut end = 0;
    let placed = fields.into_iter().map(|(length, what)| {
        end += length;
        (end - length..end, what)
    });
    placed.collect()
}

fn of(bytes: &[u8], range: Range<usize>, what: String) -> Part {
    let shown = bytes[range.start..range.end.min(range.start + SHOWN)].to_vec();
    let (offset, length) = (range.start, range.len());
    Part { offset, length, depth: 0, r#type: None, slot: None, place: String::new(), what, bytes: shown }
}

/// Which object a reference names: by type byte of the reference and by number.
fn slots(stream: &[u8], skim: &Skim) -> BTreeMap<(u8, u32), usize> {
    let mut interned = 0;
    let mut slots = BTreeMap::new();
    for (index, item) in skim.items.iter().enumerate() {
        if is_flagged(stream, item) {
            slots.insert((b'r', item.slots), index);
        }
        // Interned strings of Python 2 have numbers of their own.
        if item.code == b't' {
            slots.insert((b'R', interned), index);
            interned += 1;
        }
    }
    slots
}

fn is_flagged(stream: &[u8], item: &Item) -> bool {
    stream[item.at] & FLAG_REF != 0 && !SLOTLESS.contains(&item.code)
}

struct Notes<'a> {
    stream: &'a [u8],
    /// Offset of the stream in the file.
    start: usize,
    profile: &'a Profile,
    skim: &'a Skim,
    slots: BTreeMap<(u8, u32), usize>,
}

impl Notes<'_> {
    fn parts(&self) -> Vec<Part> {
        let items = &self.skim.items;
        let mut depths: Vec<usize> = Vec::with_capacity(items.len());
        let mut ends: Vec<usize> = Vec::with_capacity(items.len());
        let mut parts = Vec::new();
        for item in items {
            let depth = item.parent.map_or(0, |parent| depths[parent] + 1);
            depths.push(depth);
            // What stands between this object and the one before it in the same container.
            if let Some(parent) = item.parent {
                self.between(&mut parts, parent, ends[parent]..item.at, depth);
                ends[parent] = item.end;
            }
            let head = self.head(item).min(item.end);
            ends.push(head);
            let what = self.meaning(item);
            let slot = is_flagged(self.stream, item).then_some(item.slots);
            let part = self.part(item.at..head, depth, what);
            parts.push(Part { r#type: Some(item.code.into()), slot, place: self.place(item), ..part });
        }
        for (index, item) in items.iter().enumerate() {
            self.between(&mut parts, index, ends[index]..item.end.min(self.skim.end), depths[index] + 1);
        }
        parts
    }

    fn part(&self, range: Range<usize>, depth: usize, what: String) -> Part {
        let part = of(self.stream, range, what);
        Part { offset: self.start + part.offset, depth, ..part }
    }

    /// Bytes of an object that are not at its start: the line of a code object, the end of a dict.
    fn between(&self, parts: &mut Vec<Part>, index: usize, range: Range<usize>, depth: usize) {
        if range.is_empty() {
            return;
        }
        let (place, what) = match self.skim.items[index].code {
            b'c' => ("firstlineno", number(self.stream, range.start)),
            _ => ("", "end".into()),
        };
        parts.push(Part { place: place.into(), ..self.part(range, depth, what) });
    }

    /// Where the first object inside it begins, or it ends.
    fn head(&self, item: &Item) -> usize {
        let (integers, fields) = (self.integers().len(), code::fields(self.profile.code_layout).len());
        shape(self.stream, item.at, item.code, integers, fields).map_or(item.end, |(length, _)| item.at + length)
    }

    fn integers(&self) -> &'static [&'static str] {
        code::integers(self.profile.code_layout)
    }

    fn place(&self, item: &Item) -> String {
        match item.parent.map(|parent| self.skim.items[parent].code) {
            None => String::new(),
            Some(b'c') => {
                let fields = code::fields(self.profile.code_layout);
                fields.get(item.position).map_or_else(|| item.position.to_string(), |field| field.name().into())
            }
            Some(b'{' | b'}') => (if item.position.is_multiple_of(2) { "key" } else { "value" }).into(),
            Some(b':') => ["start", "stop", "step"][item.position.min(2)].into(),
            Some(_) => item.position.to_string(),
        }
    }

    fn meaning(&self, item: &Item) -> String {
        let size = || match item.code {
            b')' => self.stream.get(item.at + 1).map_or_else(|| CUT.into(), u8::to_string),
            _ => number(self.stream, item.at + 1),
        };
        match item.code {
            b')' | b'(' => format!("tuple of {}", size()),
            b'[' => format!("list of {}", size()),
            b'<' => format!("set of {}", size()),
            b'>' => format!("frozenset of {}", size()),
            b'{' => "dict".into(),
            b'}' => "frozendict".into(),
            b':' => "slice".into(),
            b'c' => {
                let integer =
                    |(n, name): (usize, &&str)| format!("{name} {}", number(self.stream, item.at + 1 + 4 * n));
                let integers: Vec<String> = self.integers().iter().enumerate().map(integer).collect();
                format!("code, {}", integers.join(", "))
            }
            b'r' | b'R' => self.reference(item),
            _ => self.leaf(item),
        }
    }

    fn reference(&self, item: &Item) -> String {
        let index = long(self.stream, item.at + 1).and_then(|index| u32::try_from(index).ok());
        let Some(index) = index else { return format!("reference to {}", number(self.stream, item.at + 1)) };
        match self.slots.get(&(item.code, index)).map(|to| &self.skim.items[*to]) {
            Some(to) if to.at < item.at => {
                let what = if to.code == b'c' { "code".into() } else { self.meaning(to) };
                format!("reference to #{index} at {:08x}: {what}", self.start + to.at)
            }
            _ => format!("reference to #{index}, which does not exist here"),
        }
    }

    /// What has no objects inside it is a stream of its own.
    fn leaf(&self, item: &Item) -> String {
        match read(&self.stream[item.at..item.end], self.profile) {
            Ok(graph) => {
                let value = graph.value(graph.root());
                format!("{} {}", kind(&value), graph.repr(graph.root(), self.profile, LONGEST))
            }
            Err(error) => error.kind.to_string(),
        }
    }
}

const CUT: &str = "(cut short)";

fn number(stream: &[u8], at: usize) -> String {
    long(stream, at).map_or_else(|| CUT.into(), |n| n.to_string())
}
