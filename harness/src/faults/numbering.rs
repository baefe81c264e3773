//! Readers that number references in another way.
//!
//! Which object a reference names follows from which objects took slots before, and when. Nothing in the stream tells, so
//! a reader that is wrong about it is right about every stream without references.

use super::walk::{Edit, Object, Walk};
use std::collections::BTreeSet;

/// When an object takes its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// When it is finished; what is right is before its items.
    After,
    /// Not at all, though it should.
    Never,
    /// At once, though it should not.
    Wrongly,
}

/// What no slot has as its number.
const NOWHERE: [u8; 4] = (-1_i32).to_le_bytes();

/// Rewrites each reference so that it names what it names to a reader whose objects take slots as `when` says; `None`
/// there is what is right. `false` if nothing changes.
pub(super) fn renumber(walk: &mut Walk, when: fn(&Walk, Object) -> Option<When>) -> bool {
    // What the wrong reader has in its table, as it stands in the stream.
    let mut table: Vec<Vec<u8>> = Vec::new();
    let mut after = BTreeSet::new();
    let mut is_wrong = false;
    while let Some(object) = walk.advance() {
        let closed = std::mem::take(&mut walk.closed);
        table.extend(closed.into_iter().filter(|slot| after.remove(slot)).map(reference));
        let mut spelled = vec![object.code];
        if b"rR".contains(&object.code)
            && let Some(index) = walk.long(object)
        {
            let meant = usize::try_from(index).ok().and_then(|index| table.get(index));
            spelled = meant.cloned().unwrap_or_else(|| [&b"r"[..], &NOWHERE].concat());
            if spelled[0] == b'r' {
                spelled[0] = object.code;
            }
            if walk.bytes[object.at + 1..object.at + 5] != spelled[1..] && (index >= 0 || spelled[1..] != NOWHERE) {
                is_wrong = true;
                let by = object.spelled(spelled[0], &spelled[1..]);
                walk.edit(Edit { length: 5, by });
            }
        }
        let slot = walk.takes_slot(object).then_some(walk.slots);
        match (when(walk, object), slot) {
            (Some(When::After), Some(slot)) => drop(after.insert(slot)),
            (Some(When::Never), _) => {}
            (_, Some(slot)) => table.push(reference(slot)),
            (Some(When::Wrongly), None) => table.push(spelled),
            _ => {}
        }
    }
    is_wrong
}

fn reference(slot: u32) -> Vec<u8> {
    [&b"r"[..], &slot.to_le_bytes()].concat()
}
