//! The order in which the members of sets are written: since 3.11 that of their own dumps, whose flags depend on who holds
//! the members meanwhile.

use super::{Aspect, Failure, Indexes, Writer, equality};
use crate::error::Cause;
use crate::model::Object;
use crate::prelude::*;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::rc::Rc;

/// Sets nested deeper than this take the interpreter more than 2^20 steps to sort.
const MAX_SET_NESTING: u32 = 20;

/// Keys that depend on what was written before them are made anew each time, up to so often.
const MAX_KEYS_AGAIN: usize = 1 << 12;

/// What a set's member is sorted by.
#[derive(Clone)]
struct Key {
    /// Its dump; `None` if that fails.
    bytes: Option<Rc<[u8]>>,
    /// The objects in it that had a single owner.
    single: Vec<Object>,
    /// Whether an object in it was shared only with a writer that had not finished.
    lent: bool,
}

/// What a writer shares with the writers of sort keys below it.
#[derive(Default)]
pub(super) struct Context {
    keys: BTreeMap<Object, Key>,
    keys_again: usize,
    /// The references that writers hold on objects with a single owner: those in their tables, and the members of sets that
    /// are being written.
    pub(super) held: BTreeMap<Object, u32>,
}

impl Context {
    pub(super) fn hold(&mut self, object: Object) {
        *self.held.entry(object).or_insert(0) += 1;
    }

    fn release(&mut self, object: Object) {
        if let Entry::Occupied(mut entry) = self.held.entry(object) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    pub(super) fn holds(&self, object: Object) -> bool {
        self.held.contains_key(&object)
    }
}

impl Writer<'_, '_, '_> {
    /// Appends a set's members in the order of writing, and the references that writing holds on them.
    pub(super) fn order_members(&mut self, members: &[Object], context: &mut Context) -> Result<(), Failure> {
        let profile = self.loaded.profile;
        // The key of a leaf can always be made, and one alone has its place.
        let is_leaf = |member: &Object| !self.loaded.node(*member).has_edges();
        let is_known = members.len() < 2
            && members.iter().all(is_leaf)
            && !self.is_key
            && context.held.is_empty()
            && self.failure.is_none();
        if is_known {
            self.ordered.extend_from_slice(members);
        } else if profile.sorts_sets() {
            if self.nesting >= MAX_SET_NESTING {
                self.undefined = Some(Cause::NestedSets);
                return Ok(());
            }
            let mut keyed = Vec::with_capacity(members.len());
            for &member in members {
                keyed.push((self.sort_key(member, context).ok_or(Failure::Unmarshallable)?, member));
            }
            // An earlier error that the loop above could have made ends the set here, unsorted.
            if let Some(failure @ (Failure::Unmarshallable | Failure::NoOrder)) = self.failure {
                return Err(failure);
            }
            keyed.sort_by(|a, b| a.0.cmp(&b.0));
            let mut equal = keyed.windows(2).filter(|w| w[0].0 == w[1].0).peekable();
            if equal.peek().is_some() {
                self.unpredictable = Some(Aspect::EqualSortKeys);
            }
            if profile.compares_members() && equal.any(|w| !equality::have_order(self.loaded, w[0].1, w[1].1)) {
                return Err(Failure::NoOrder);
            }
            self.ordered.extend(keyed.into_iter().map(|(_, member)| member));
        } else {
            if members.len() > 1 {
                self.unpredictable = Some(Aspect::HashOrder);
            }
            self.ordered.extend_from_slice(members);
        }
        if profile.set_members_gain_reference() {
            for &member in members {
                *self.borrowed.entry(member).or_insert(0) += 1;
                context.hold(member);
            }
        }
        Ok(())
    }

    /// Drops the last so many members, and the references to them.
    pub(super) fn release(&mut self, members: usize, context: &mut Context) {
        for member in self.ordered.drain(self.ordered.len() - members..) {
            if let Some(n) = self.borrowed.get_mut(&member) {
                *n = n.saturating_sub(1);
                context.release(member);
            }
        }
    }

    /// What a member is sorted by: its own dump, with a reference table of its own.
    fn sort_key(&mut self, member: Object, context: &mut Context) -> Option<Rc<[u8]>> {
        let known = context.keys.get(&member).filter(|key| !key.single.iter().any(|o| context.holds(*o))).cloned();
        let key = known.unwrap_or_else(|| self.new_key(member, context));
        if self.is_key {
            self.single.extend(&key.single);
        }
        self.lent |= key.lent;
        key.bytes
    }

    fn new_key(&mut self, member: Object, context: &mut Context) -> Key {
        let mut writer = Writer::new(self.loaded, self.version, self.nesting + 1, Indexes::default());
        writer.is_key = true;
        if self.loaded.profile.sort_key_is_shared() {
            writer.borrowed.insert(member, 1);
            context.hold(member);
        }
        writer.run(member, context);
        // A writer that stops early leaves its sets open.
        let borrowed = writer.borrowed.iter().flat_map(|(object, n)| core::iter::repeat_n(*object, *n as usize));
        let in_table = writer.indexes.few.keys().copied().filter(|object| !self.loaded.is_shared(*object));
        borrowed.chain(in_table).for_each(|object| context.release(object));
        if writer.undefined.is_some() {
            self.undefined = writer.undefined;
        }
        if writer.unpredictable.is_some() {
            self.unpredictable = writer.unpredictable;
        }
        let bytes = writer.failure.is_none().then(|| Rc::from(writer.out));
        let key = Key { bytes, single: writer.single, lent: writer.lent };
        if key.lent {
            context.keys_again += 1;
            if context.keys_again > MAX_KEYS_AGAIN {
                self.undefined = Some(Cause::NestedSets);
            }
        } else if self.loaded.node(member).has_edges() {
            // Others are made again as fast as they are found.
            context.keys.insert(member, key.clone());
        }
        key
    }
}
