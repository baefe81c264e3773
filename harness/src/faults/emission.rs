//! Writers with other flags, or another order.
//!
//! Flags and references follow from each other: a writer that flags one object less numbers all later ones differently,
//! and one that writes a dict's items in another order may write a reference where another writes the object. So a dump is
//! taken apart into its objects and emitted anew.

use crate::generators::Target;
use crate::generators::skim::{FLAG_REF, Item, Skim, long, skim_for};
use std::ops::Range;

/// What is different about the dumps.
#[derive(Debug)]
pub(super) struct Policy {
    /// Whether an object has a flag, by what is right.
    pub(super) flags: fn(&Dumped, usize) -> bool,
    /// Puts the items of a container into another order.
    pub(super) order: fn(&Dumped, usize, &mut [usize]),
}

impl Policy {
    /// The flags of the dump as it is.
    pub(super) fn flags(dumped: &Dumped, item: usize) -> bool {
        dumped.is_flagged(item)
    }

    /// The order of the dump as it is.
    pub(super) fn order(_: &Dumped, _: usize, _: &mut [usize]) {}
}

/// A dump in its parts.
#[derive(Debug)]
pub(super) struct Dumped<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) items: Vec<Item>,
    /// The object of each slot.
    slots: Vec<usize>,
    /// How often each object is referred to.
    pub(super) references: Vec<u32>,
    children: Vec<Vec<usize>>,
}

impl<'a> Dumped<'a> {
    fn new(bytes: &'a [u8], target: Target) -> Option<Dumped<'a>> {
        let Skim { items, complete: true, .. } = skim_for(target, bytes) else { return None };
        let (references, children) = (vec![0; items.len()], vec![Vec::new(); items.len()]);
        let mut dumped = Dumped { bytes, items, slots: Vec::new(), references, children };
        for index in 0..dumped.items.len() {
            let Item { at, code, parent, .. } = dumped.items[index];
            if let Some(parent) = parent {
                dumped.children[parent].push(index);
            }
            if code == b'r' {
                let slot = usize::try_from(long(bytes, at + 1)?).ok()?;
                let object = *dumped.slots.get(slot)?;
                dumped.references[object] += 1;
            } else if dumped.is_flagged(index) {
                dumped.slots.push(index);
            }
        }
        Some(dumped)
    }

    pub(super) fn is_flagged(&self, item: usize) -> bool {
        self.bytes[self.items[item].at] & FLAG_REF != 0
    }

    /// The object that an item is, or refers to.
    fn object(&self, item: usize) -> usize {
        let slot = || usize::try_from(long(self.bytes, self.items[item].at + 1)?).ok();
        if self.items[item].code != b'r' {
            return item;
        }
        slot().and_then(|slot| self.slots.get(slot).copied()).unwrap_or(item)
    }
}

enum Work {
    Item(usize),
    Bytes(Range<usize>),
}

/// A dump as the policy has it; `None` if it is the same, or is no dump of this version's writer.
pub(super) fn emit(dump: &[u8], target: Target, policy: &Policy) -> Option<Vec<u8>> {
    let dumped = Dumped::new(dump, target)?;
    let mut out = Vec::with_capacity(dump.len());
    let mut numbers: Vec<Option<u32>> = vec![None; dumped.items.len()];
    let mut next = 0_u32;
    let mut works = vec![Work::Item(0)];
    while let Some(work) = works.pop() {
        let item = match work {
            Work::Bytes(range) => {
                out.extend(&dump[range]);
                continue;
            }
            Work::Item(item) => dumped.object(item),
        };
        if let Some(number) = numbers[item] {
            out.push(b'r');
            out.extend(number.to_le_bytes());
            continue;
        }
        let Item { at, end, code, .. } = dumped.items[item];
        let is_flagged = (policy.flags)(&dumped, item);
        if is_flagged {
            numbers[item] = Some(next);
            next += 1;
        }
        out.push(code | if is_flagged { FLAG_REF } else { 0 });
        let children = &dumped.children[item];
        let mut order = children.clone();
        (policy.order)(&dumped, item, &mut order);
        // What stands before each child: the header, then nothing or a line number.
        let mut gaps = Vec::with_capacity(children.len());
        let mut from = at + 1;
        for &child in children {
            gaps.push(from..dumped.items[child].at);
            from = dumped.items[child].end;
        }
        works.push(Work::Bytes(from..end));
        for (gap, child) in gaps.into_iter().zip(order).rev() {
            works.push(Work::Item(child));
            works.push(Work::Bytes(gap));
        }
        // A flag that is taken from an object that holds itself would have no end.
        if out.len() > 16 * dump.len() + 64 {
            return None;
        }
    }
    (out != dump).then_some(out)
}
