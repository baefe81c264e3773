//! A walk along a stream that changes it on the way.
//!
//! A reader that is wrong about one object goes on from there: it takes the next bytes for something else, and numbers its
//! references differently. So a stream is rewritten while it is walked: each object is shown before it is passed, may be
//! replaced by others, and the walk goes on with what is there then. What a correct reader makes of the rewritten stream is
//! what the wrong one makes of the original.

use crate::generators::Target;
use crate::generators::skim::{BEFORE_LINE, FLAG_REF, SLOTLESS, layout, long, shape, skim_for};
use pyc_core::code::{Field, fields};
use pyc_core::{CodeLayout, Profile, Version};

/// An object that is about to be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object {
    /// Offset of the type byte.
    pub(super) at: usize,
    /// Type byte without its flag.
    pub(super) code: u8,
    /// Whether the flag is set.
    pub(super) flagged: bool,
    /// Type byte of the object around it; 0 for the outermost.
    pub(super) parent: u8,
    /// Offset of the object around it.
    pub(super) parent_at: usize,
    /// 0, 1 ... among its parent's items (dict: keys are even).
    pub(super) position: usize,
}

/// What a wrong reader takes for what: so many bytes from the object's first, and what it might as well have read there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) length: usize,
    pub(super) by: Vec<u8>,
}

/// An object whose items are being passed.
#[derive(Debug)]
struct Frame {
    code: u8,
    at: usize,
    slot: Option<u32>,
    passed: usize,
    of: usize,
    line_passed: bool,
}

/// A stream and how far it was passed.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) bytes: Vec<u8>,
    pub(super) target: Target,
    /// Slots taken so far; 2.7: strings in its table.
    pub(super) slots: u32,
    at: usize,
    frames: Vec<Frame>,
    next: Option<Object>,
    begun: bool,
    /// Slots of the containers that ended since somebody looked.
    pub(super) closed: Vec<u32>,
    /// Where edits end, and how much longer the stream is up to there.
    longer: Vec<(usize, i64)>,
}

impl Walk {
    pub(super) fn new(bytes: &[u8], target: Target) -> Walk {
        let (at, slots) = (0, 0);
        let (frames, next, begun, closed, longer) = (Vec::new(), None, false, Vec::new(), Vec::new());
        Walk { bytes: bytes.to_vec(), target, slots, at, frames, next, begun, closed, longer }
    }

    /// Passes the object that was shown, and shows the one after it; `None` at the end of what can be understood.
    pub(super) fn advance(&mut self) -> Option<Object> {
        if self.next.take().is_some() {
            self.pass()?;
        }
        while let Some(frame) = self.frames.last()
            && frame.passed == frame.of
        {
            self.closed.extend(frame.slot);
            self.frames.pop();
        }
        if self.frames.is_empty() && self.begun {
            return None;
        }
        self.begun = true;
        if let Some(frame) = self.frames.last_mut()
            && (frame.code, frame.passed, frame.line_passed) == (b'c', BEFORE_LINE, false)
        {
            frame.line_passed = true;
            self.at += 4;
        }
        let (code, flagged) = self.type_here()?;
        let (parent, parent_at, position) = self.frames.last().map_or((0, 0, 0), |f| (f.code, f.at, f.passed));
        self.next = Some(Object { at: self.at, code, flagged, parent, parent_at, position });
        self.next
    }

    /// The type that the walk has come to, and whether it is flagged; 2.7 knows no flags.
    fn type_here(&self) -> Option<(u8, bool)> {
        let byte = *self.bytes.get(self.at)?;
        Some(if self.target.version.0 > 2 { (byte & !FLAG_REF, byte & FLAG_REF != 0) } else { (byte, false) })
    }

    fn pass(&mut self) -> Option<()> {
        let (code, flagged) = self.type_here()?;
        if let Some(frame) = self.frames.last_mut() {
            frame.passed += 1;
            if code == b'0' && b"{}".contains(&frame.code) {
                // 2.7 drops a pair without a value, later versions end the dict.
                if self.target.version.0 > 2 || frame.passed % 2 == 1 {
                    frame.of = frame.passed;
                }
                self.at += 1;
                return Some(());
            }
        }
        let (integers, after) = layout(self.target);
        let (length, items) = shape(&self.bytes, self.at, code, integers, BEFORE_LINE + after)?;
        let slot = self.takes(code, flagged).then_some(self.slots);
        self.slots += u32::from(slot.is_some());
        match items {
            Some(of) => {
                self.frames.push(Frame { code, at: self.at, slot, passed: 0, of, line_passed: false });
            }
            None => self.closed.extend(slot),
        }
        self.at += length;
        (self.at <= self.bytes.len()).then_some(())
    }

    /// Replaces the object that is shown, or a part of it, or more than it. What is there now is passed as it is; after a
    /// replacement by nothing, what follows is shown.
    pub(super) fn edit(&mut self, Edit { length, by }: Edit) {
        let end = self.bytes.len().min(self.at + length);
        let before = self.longer.last().map_or(0, |(_, longer)| *longer);
        let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.longer.push((self.at + by.len(), before + signed(by.len()) - signed(end - self.at)));
        if by.is_empty() {
            self.next = None;
        }
        self.bytes.splice(self.at..end, by);
    }

    /// The offset in the original of an offset in the rewritten stream.
    pub(super) fn original(&self, offset: u64) -> u64 {
        let edits = self.longer.iter().rev();
        let longer = edits.into_iter().find(|(end, _)| *end as u64 <= offset).map_or(0, |(_, longer)| *longer);
        offset.saturating_add_signed(-longer)
    }

    fn takes(&self, code: u8, flagged: bool) -> bool {
        if self.target.version.0 > 2 { flagged && !SLOTLESS.contains(&code) } else { code == b't' }
    }

    /// Whether an object takes a slot.
    pub(super) fn takes_slot(&self, object: Object) -> bool {
        self.takes(object.code, object.flagged)
    }

    /// The offset up to which the stream was passed.
    #[cfg(test)]
    pub(super) fn passed(&self) -> usize {
        self.at
    }

    /// Whether a slot belongs to an object that is not finished.
    pub(super) fn is_open(&self, slot: u32) -> Option<u8> {
        self.frames.iter().find(|frame| frame.slot == Some(slot)).map(|frame| frame.code)
    }

    pub(super) fn version(&self) -> (u8, u8) {
        self.target.version
    }

    /// The number after the type byte.
    pub(super) fn long(&self, object: Object) -> Option<i32> {
        long(&self.bytes, object.at + 1)
    }

    /// The bytes of a string, text, or digits, which are there as a whole, and where they start.
    pub(super) fn payload(&self, object: Object) -> Option<&[u8]> {
        let (start, length) = match object.code {
            b's' | b't' | b'u' | b'a' | b'A' => (5, usize::try_from(self.long(object)?).ok()?),
            b'l' => (5, 2 * self.long(object)?.unsigned_abs() as usize),
            b'z' | b'Z' | b'f' => (2, usize::from(*self.bytes.get(object.at + 1)?)),
            b'i' | b'r' | b'R' => (1, 4),
            b'I' | b'g' => (1, 8),
            b'y' => (1, 16),
            _ => return None,
        };
        self.bytes.get(object.at + start..)?.get(..length)
    }

    /// The whole of what starts at an offset, if it is there as a whole.
    pub(super) fn whole(&self, at: usize) -> Option<&[u8]> {
        let rest = self.bytes.get(at..)?;
        let skimmed = skim_for(self.target, rest);
        if skimmed.complete { rest.get(..skimmed.items.first()?.end) } else { None }
    }

    /// The fields of code objects that are objects, in the order of the stream.
    pub(super) fn fields(&self) -> &'static [Field] {
        fields(code_layout(self.target))
    }

    /// Which field of a code object this is.
    pub(super) fn field(&self, object: Object) -> Option<Field> {
        self.fields().get(object.position).filter(|_| object.parent == b'c').copied()
    }
}

fn code_layout(target: Target) -> CodeLayout {
    let (major, minor) = target.version;
    Profile::of(Version::new(major, minor)).map_or(CodeLayout::Python311, |profile| profile.code_layout)
}

/// The integers with which a code object begins.
pub(super) fn integers(target: Target) -> &'static [&'static str] {
    match code_layout(target) {
        CodeLayout::Python27 => &["argcount", "nlocals", "stacksize", "flags"],
        CodeLayout::Python30 => &["argcount", "kwonlyargcount", "nlocals", "stacksize", "flags"],
        CodeLayout::Python38 => &["argcount", "posonlyargcount", "kwonlyargcount", "nlocals", "stacksize", "flags"],
        CodeLayout::Python311 => &["argcount", "posonlyargcount", "kwonlyargcount", "stacksize", "flags"],
    }
}

impl Object {
    /// The object under another type byte, with its own flag.
    pub(super) fn spelled(self, code: u8, rest: &[u8]) -> Vec<u8> {
        [&[code | if self.flagged { FLAG_REF } else { 0 }][..], rest].concat()
    }

    /// The object with a size of four bytes and a payload.
    pub(super) fn sized(self, code: u8, payload: &[u8]) -> Vec<u8> {
        let size = i32::try_from(payload.len()).unwrap_or(i32::MAX).to_le_bytes();
        self.spelled(code, &[&size, payload].concat())
    }
}

impl Edit {
    pub(super) fn of(length: usize, by: Vec<u8>) -> Option<Edit> {
        Some(Edit { length, by })
    }
}
