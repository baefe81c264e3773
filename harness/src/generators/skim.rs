//! Where the objects of a stream are: just enough of a parser to cut a stream at its joints.
//!
//! Mutations need boundaries, not values, and they need them of broken streams as well. So skimming never fails: it tells
//! what it understood up to the place where it did not. It is not pyc-core's reader on purpose; see [`super`].
//!
//! Reviewed for Python 3.15.

use super::Target;

/// The bit of a type byte with which an object asks for a reference slot ...
pub(crate) const FLAG_REF: u8 = 0x80;

/// ... and the types that get none.
pub(crate) const SLOTLESS: &[u8] = b"0NTF.Sr";

/// One object of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    /// Offset of the type byte.
    pub(crate) at: usize,
    /// Offset just after the object (the end of what was understood, if the stream is broken inside it).
    pub(crate) end: usize,
    /// Type byte without flag.
    pub(crate) code: u8,
    /// Index of the object around this one.
    pub(crate) parent: Option<usize>,
    /// 0, 1, ... among its parent's items (dict: keys are even).
    pub(crate) position: usize,
    /// Slots that exist when this object starts.
    pub(crate) slots: u32,
    /// How many items it has, as far as they were understood.
    pub(crate) children: usize,
}

/// What was understood of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Skim {
    /// In the order of their type bytes.
    pub(crate) items: Vec<Item>,
    /// Offset just after the last thing that was understood.
    pub(crate) end: usize,
    /// Whether the first object is there as a whole.
    pub(crate) complete: bool,
    /// The object whose header or payload the stream's end cuts off, or that is not understood; not among the items unless
    /// its header is there.
    pub(crate) cut: Option<Item>,
    /// No field of a code object has a type that only a wrong layout explains.
    fits: bool,
}

/// How many integers a code object starts with, and how many objects follow its line number (eight come before it).
pub(crate) type Layout = (usize, usize);

const LAYOUTS: [Layout; 4] = [(5, 2), (6, 1), (5, 1), (4, 1)];

/// Objects of a code object before its line number.
pub(crate) const BEFORE_LINE: usize = 8;

/// Skims with the target's layout of code objects.
pub(crate) fn skim_for(target: Target, bytes: &[u8]) -> Skim {
    skim_as(bytes, layout(target))
}

/// The target's layout of code objects.
pub(crate) fn layout(target: Target) -> Layout {
    match target.version {
        (3, 11..) => (5, 2),
        (3, 8..) => (6, 1),
        (3, _) => (5, 1),
        _ => (4, 1),
    }
}

/// Skims with the layout of code objects that understands most of the stream: a good guess, not more.
pub(crate) fn skim(bytes: &[u8]) -> Skim {
    let mut best = Skim::default();
    for layout in LAYOUTS {
        let skim = skim_as(bytes, layout);
        let rank = |s: &Skim| (s.fits, s.complete, s.end);
        if best.items.is_empty() || rank(&skim) > rank(&best) {
            best = skim;
        }
        let perfect = best.fits && best.complete && best.end == bytes.len();
        if perfect || !best.items.iter().any(|i| i.code == b'c') {
            break;
        }
    }
    best
}

/// Whether a code object can have an object of this type at this place.
fn is_field(code: u8, position: usize) -> bool {
    match position {
        0 => b"strR".contains(&code),
        1..=4 => b"()rs".contains(&code),
        _ => true,
    }
}

/// An object whose items are being read.
struct Frame {
    item: usize,
    /// Items so far.
    read: usize,
    /// Items in all; for a dict, as many as come before its `0`.
    of: usize,
    /// The item before which a code object's line number stands.
    line_before: usize,
}

fn skim_as(bytes: &[u8], (integers, after): Layout) -> Skim {
    // Few objects are shorter than that, and a container has one frame.
    let items = Vec::with_capacity((bytes.len() / 4).clamp(4, 256));
    let mut skim = Skim { items, fits: true, ..Skim::default() };
    let mut frames: Vec<Frame> = Vec::new();
    let mut slots = 0;
    let mut at = 0;
    loop {
        if let Some(frame) = frames.last() {
            if frame.read == frame.of {
                skim.items[frame.item].end = at;
                frames.pop();
                if frames.is_empty() {
                    skim.complete = true;
                    break;
                }
                continue;
            }
            if frame.read == frame.line_before {
                at += 4;
                if at > bytes.len() {
                    skim.cut = Some(skim.items[frame.item]);
                    break;
                }
            }
        }
        let Some(&byte) = bytes.get(at) else { break };
        let code = byte & 0x7f;
        let parent = frames.last().map(|f| f.item);
        let position = frames.last().map_or(0, |f| f.read);
        if let Some(frame) = frames.last_mut() {
            frame.read += 1;
            if code == b'0' && frame.of == usize::MAX {
                frame.of = frame.read;
                at += 1;
                continue;
            }
        }
        let object = Item { at, end: bytes.len(), code, parent, position, slots, children: 0 };
        let Some((length, children)) = shape(bytes, at, code, integers, BEFORE_LINE + after) else {
            skim.cut = Some(object);
            break;
        };
        if parent.is_some_and(|p| skim.items[p].code == b'c') {
            skim.fits &= is_field(code, position);
        }
        let item = skim.items.len();
        skim.items.push(object);
        if let Some(parent) = parent {
            skim.items[parent].children += 1;
        }
        slots += u32::from(byte & FLAG_REF != 0 && !SLOTLESS.contains(&code));
        at += length;
        if at > bytes.len() {
            skim.cut = Some(object);
            break;
        }
        match children {
            Some(of) => {
                let line_before = if code == b'c' { BEFORE_LINE } else { usize::MAX - 1 };
                frames.push(Frame { item, read: 0, of, line_before });
            }
            None => {
                skim.items[item].end = at;
                if frames.is_empty() {
                    skim.complete = true;
                    break;
                }
            }
        }
    }
    skim.end = at.min(bytes.len());
    skim
}

/// Bytes of the object before its items, and how many items it has (`usize::MAX`: up to a `0`).
pub(crate) fn shape(
    bytes: &[u8],
    at: usize,
    code: u8,
    integers: usize,
    fields: usize,
) -> Option<(usize, Option<usize>)> {
    let byte = |offset: usize| bytes.get(at + offset).map(|b| usize::from(*b));
    let size = || usize::try_from(long(bytes, at + 1)?).ok();
    Some(match code {
        b'0' | b'N' | b'T' | b'F' | b'.' | b'S' => (1, None),
        b'i' | b'r' | b'R' => (5, None),
        b'I' | b'g' => (9, None),
        b'y' => (17, None),
        b'f' => (2 + byte(1)?, None),
        b'x' => (3 + byte(1)? + byte(2 + byte(1)?)?, None),
        b'l' => (5 + 2 * long(bytes, at + 1)?.unsigned_abs() as usize, None),
        b's' | b't' | b'u' | b'a' | b'A' => (5 + size()?, None),
        b'z' | b'Z' => (2 + byte(1)?, None),
        b')' => (2, Some(byte(1)?)),
        b'(' | b'[' | b'<' | b'>' => (5, Some(size()?)),
        b'{' | b'}' => (1, Some(usize::MAX)),
        b':' => (1, Some(3)),
        b'c' => (1 + 4 * integers, Some(fields)),
        _ => return None,
    })
}

/// The signed 32-bit number at an offset.
pub(crate) fn long(bytes: &[u8], at: usize) -> Option<i32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(i32::from_le_bytes(*bytes))
}
