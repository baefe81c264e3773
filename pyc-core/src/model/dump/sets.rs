//! The order in which the members of sets are written: since 3.11 that of their own dumps, whose flags depend on who holds
//! the members meanwhile.

use super::{Aspect, Failure, Indexes, Rule, Stop, Writer, equality};
use crate::model::Object;
use crate::prelude::*;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::rc::Rc;
use core::fmt;

/// Why a dump takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slow {
    /// Members of sets are dumped once more to be sorted, those of sets in sets again at each level (3.11 and later).
    SortingSets,
}

impl Slow {
    /// A short name for counters and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Slow::SortingSets => "sorting-sets",
        }
    }
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Slow::SortingSets => {
                "members of sets are dumped once more to be sorted, those of sets in sets again at each level"
            }
        })
    }
}

/// A dump that costs more than this ([`Loaded::cost`](crate::model::Loaded::cost)) is slow. None that costs less was seen to take more than 0.12 s of CPU
/// in a release of CPython (12 ns for each), or 0.5 s in a debug build.
pub const SLOW_COST: u64 = 1 << 23;

/// Sets nested deeper than this take the interpreter hours to sort, 2^32 keys. Here they would take as many levels of the stack.
const MAX_SET_NESTING: u32 = 32;

/// What a key costs beside the objects in it: its bytes object, its pair with the member, a table of references.
const KEY_COST: u64 = 24;

/// What a comparison of two keys costs, beside their bytes.
const COMPARISON_COST: u64 = 2;

/// So many bytes are written or compared in the time of a visit.
const BYTES_IN_A_VISIT: u64 = 32;

/// What a set's member is sorted by.
#[derive(Clone)]
struct Key {
    /// Its dump; `None` if that fails.
    bytes: Option<Rc<[u8]>>,
    /// The objects in it that had a single owner.
    single: Vec<Object>,
    /// Whether an object in it was shared only with a writer that had not finished.
    lent: bool,
    /// What the interpreter does to make it, those of the members of sets in it included.
    cost: u64,
}

/// What a writer shares with the writers of sort keys below it.
#[derive(Default)]
pub(super) struct Context {
    keys: BTreeMap<Object, Key>,
    /// What was done here to make keys.
    work: u64,
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
        if self.rule != Rule::Interpreter {
            self.ordered.extend_from_slice(members);
            return Ok(());
        }
        // The key of a leaf can always be made, and one alone has its place.
        let is_leaf = |member: &Object| !self.loaded.node(*member).has_edges();
        let is_known = members.len() < 2
            && members.iter().all(is_leaf)
            && !self.is_key
            && context.held.is_empty()
            && self.failure.is_none();
        if is_known {
            self.ordered.extend_from_slice(members);
            if profile.sorts_sets() {
                let cost = |&member: &Object| key_cost(0, self.loaded.node(member).len as usize);
                self.cost += members.iter().map(cost).sum::<u64>();
            }
        } else if profile.sorts_sets() {
            if self.nesting >= MAX_SET_NESTING {
                self.stopped = Some(Stop::Slow(Slow::SortingSets));
                return Ok(());
            }
            let mut keyed = Vec::with_capacity(members.len());
            let mut length = 0;
            for &member in members {
                let key = self.sort_key(member, context).ok_or(Failure::Unmarshallable)?;
                if self.stopped.is_some() {
                    return Ok(());
                }
                length += key.len();
                keyed.push((key, member));
            }
            self.cost = self.cost.saturating_add(sort_cost(keyed.len(), length));
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
        self.cost = self.cost.saturating_add(key.cost);
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
        if writer.stopped.is_some() {
            self.stopped = writer.stopped;
        }
        if writer.unpredictable.is_some() {
            self.unpredictable = writer.unpredictable;
        }
        let own = key_cost(writer.steps, writer.out.len());
        context.work = context.work.saturating_add(own);
        if context.work > SLOW_COST {
            // The interpreter does all of this, and more.
            self.stopped = Some(Stop::Slow(Slow::SortingSets));
        }
        let cost = writer.cost.saturating_add(own);
        let bytes = writer.failure.is_none().then(|| Rc::from(writer.out));
        // Otherwise each level of nested sets would double them.
        let mut single = writer.single;
        single.sort_unstable();
        single.dedup();
        let key = Key { bytes, single, lent: writer.lent, cost };
        // One that depends on what was written before is made anew each time.
        if !key.lent && self.loaded.node(member).has_edges() {
            // Others are made again as fast as they are found.
            context.keys.insert(member, key.clone());
        }
        key
    }
}

/// What the interpreter does to make a key with so many objects below the member.
fn key_cost(objects: usize, bytes: usize) -> u64 {
    KEY_COST + 1 + objects as u64 + bytes as u64 / BYTES_IN_A_VISIT
}

/// What the interpreter does to sort so many keys with so many bytes in all.
fn sort_cost(keys: usize, bytes: usize) -> u64 {
    let rounds = u64::from(usize::BITS - keys.saturating_sub(1).leading_zeros());
    rounds * (COMPARISON_COST * keys as u64 + bytes as u64 / BYTES_IN_A_VISIT)
}
