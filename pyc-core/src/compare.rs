//! In what two streams differ, by cause.
//!
//! Most files that differ are the same program: what the process had interned before, how many references there were to an
//! object, or the seed of the hashes decides about bytes that no import looks at. Two graphs are walked side by side; what is
//! said of an object is not said again of what follows from it.
//!
//! ```
//! use pyc_core::compare::{Kind, compare};
//! use pyc_core::{Profile, Version, read};
//! let profile = Profile::of(Version::new(3, 13)).unwrap();
//! let left = read(b")\x02\xda\x01xi\x05\0\0\0", profile).unwrap();
//! let right = read(b")\x02\xfa\x01xi\x06\0\0\0", profile).unwrap();
//! let found = compare(&left, &right, profile);
//! assert_eq!(found.differences.iter().map(|it| it.kind).collect::<Vec<_>>(), [Kind::Interning, Kind::Value]);
//! assert!(!found.is_same_value());
//! ```

mod classes;
mod code;

use crate::graph::{Graph, NodeId, Value, bit};
use crate::prelude::*;
use crate::profile::Profile;
use alloc::collections::BTreeSet;
use classes::Classes;

/// A cause of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One has a flag for a reference that the other has not.
    Flags,
    /// A string's type asks for interning in one.
    Interning,
    /// The same value has another type byte: a short or a long form.
    Encoding,
    /// Two equal immutable objects are one in one of them.
    Sharing,
    /// The members of a set are in another order.
    SetOrder,
    /// Constants or names are in another order, and the instructions mean the same.
    ConstantOrder,
    /// `co_filename`
    Filename,
    /// Line tables and first lines.
    Lines,
    /// A docstring is another one, or is left out.
    Docstring,
    /// A constant is another one.
    Constant,
    /// The instructions mean something else, or a code object has other arguments, names or flags.
    Code,
    /// Another value, outside of code objects.
    Value,
}

impl Kind {
    /// All of them, the harmless ones first.
    pub const ALL: [Kind; 12] = [
        Kind::Flags,
        Kind::Interning,
        Kind::Encoding,
        Kind::Sharing,
        Kind::SetOrder,
        Kind::ConstantOrder,
        Kind::Filename,
        Kind::Lines,
        Kind::Docstring,
        Kind::Constant,
        Kind::Code,
        Kind::Value,
    ];

    /// A short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Flags => "flags",
            Kind::Interning => "interning",
            Kind::Encoding => "encoding",
            Kind::Sharing => "sharing",
            Kind::SetOrder => "set-order",
            Kind::ConstantOrder => "constant-order",
            Kind::Filename => "filename",
            Kind::Lines => "lines",
            Kind::Docstring => "docstring",
            Kind::Constant => "constant",
            Kind::Code => "code",
            Kind::Value => "value",
        }
    }

    /// Whether both load as the same value but for the sharing of immutable objects.
    #[must_use]
    pub fn keeps_value(self) -> bool {
        self <= Kind::SetOrder
    }

    /// Whether both do the same when they run, apart from tracebacks, docstrings and what looks at code objects.
    #[must_use]
    pub fn keeps_program(self) -> bool {
        self <= Kind::Docstring
    }
}

/// One difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Why.
    pub kind: Kind,
    /// Where in the first graph.
    pub left: NodeId,
    /// Where in the second one.
    pub right: NodeId,
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// The differences, in the order of the first stream.
    pub differences: Vec<Difference>,
    /// Whether there may be more: streams that were made to take long are not compared to the end.
    pub is_cut: bool,
}

impl Comparison {
    /// Whether both load as the same value, but for the sharing of immutable objects.
    #[must_use]
    pub fn is_same_value(&self) -> bool {
        self.is_same_but_for(Kind::keeps_value)
    }

    /// Whether there are differences of these kinds only.
    #[must_use]
    pub fn is_same_but_for(&self, ignored: impl Fn(Kind) -> bool) -> bool {
        !self.is_cut && self.differences.iter().all(|it| ignored(it.kind))
    }
}

/// So many pairs of objects are compared for each object that there is.
const PAIRS: usize = 16;

/// Compares what two streams say, both read under this profile.
#[must_use]
pub fn compare(left: &Graph<'_>, right: &Graph<'_>, profile: &Profile) -> Comparison {
    let mut classes = Classes::default();
    let of_left = classes.of(left);
    let of_right = classes.of(right);
    let mut walk = Walk {
        left,
        right,
        profile,
        of_left,
        of_right,
        open: vec![(left.root, right.root, Kind::Value)],
        done: Pairs::of(left),
        mild: BTreeSet::new(),
        partner: vec![None; left.len()],
        found: Comparison::default(),
        budget: (1 << 12) + PAIRS * (left.len() + right.len()),
    };
    walk.run();
    walk.found
}

struct Walk<'w, 'l, 'r> {
    left: &'w Graph<'l>,
    right: &'w Graph<'r>,
    profile: &'w Profile,
    /// For each node of the first graph: what it is worth, whatever it is shared with.
    of_left: Vec<u32>,
    of_right: Vec<u32>,
    /// Pairs to compare, and what a difference of values there is.
    open: Vec<(NodeId, NodeId, Kind)>,
    done: Pairs,
    /// Those of them that differ as a docstring, a line or a file name only: the program may use the same object elsewhere.
    mild: BTreeSet<(NodeId, NodeId)>,
    /// For each object of the first graph that has an identity: the one of the second that it was met with first.
    partner: Vec<Option<NodeId>>,
    found: Comparison,
    budget: usize,
}

/// Pairs of objects. Nearly always an object is in one pair, so that has a place of its own.
struct Pairs {
    /// For each object of the first graph: the one of the second that it was met with first.
    first: Vec<Option<NodeId>>,
    others: BTreeSet<(NodeId, NodeId)>,
}

impl Pairs {
    fn of(left: &Graph<'_>) -> Pairs {
        Pairs { first: vec![None; left.len()], others: BTreeSet::new() }
    }

    /// Adds a pair; whether it is a new one.
    fn insert(&mut self, left: NodeId, right: NodeId) -> bool {
        match self.first.get_mut(left.at()) {
            Some(first @ None) => {
                *first = Some(right);
                true
            }
            Some(Some(first)) if *first == right => false,
            _ => self.others.insert((left, right)),
        }
    }
}

impl Walk<'_, '_, '_> {
    fn run(&mut self) {
        while let Some((left, right, context)) = self.open.pop() {
            if self.budget == 0 {
                self.found.is_cut = true;
                return;
            }
            self.budget -= 1;
            self.pair(left, right, context);
        }
    }

    fn tell(&mut self, kind: Kind, left: NodeId, right: NodeId) {
        self.found.differences.push(Difference { kind, left, right });
    }

    /// What a node of the first graph is worth, and one of the second.
    fn worth(&self, left: NodeId, right: NodeId) -> (u32, u32) {
        let at = |of: &[u32], id: NodeId| of.get(id.at()).copied().unwrap_or(0);
        (at(&self.of_left, self.left.resolve(left)), at(&self.of_right, self.right.resolve(right)))
    }

    fn are_equal(&self, left: NodeId, right: NodeId) -> bool {
        let (left, right) = self.worth(left, right);
        left == right
    }

    fn pair(&mut self, left: NodeId, right: NodeId, context: Kind) {
        let (a, b) = (self.left.node(left), self.right.node(right));
        let (l, r) = (self.left.resolve(left), self.right.resolve(right));
        let are_references = ((a.code == b'r' || a.code == b'R'), (b.code == b'r' || b.code == b'R'));
        let is_equal = self.are_equal(l, r);
        // Of what can change it matters which one it is.
        let is_mutable = matches!(self.left.node(l).code, b'[' | b'<' | b'{' | b'}' | b'c');
        let sharing = if is_mutable { context } else { Kind::Sharing };
        match are_references {
            _ if !self.left.node(l).has_identity() || !is_equal => {}
            (true, false) | (false, true) => self.tell(sharing, left, right),
            _ if self.partner.get_mut(l.at()).is_some_and(|first| *first.get_or_insert(r) != r) => {
                self.tell(sharing, left, right)
            }
            (false, false) if a.is(bit::FLAG) != b.is(bit::FLAG) => self.tell(Kind::Flags, left, right),
            _ => {}
        }
        if !self.done.insert(l, r) {
            if !context.keeps_program() && self.mild.remove(&(l, r)) {
                self.tell(context, left, right);
            }
            return;
        }
        if !is_equal && context.keeps_program() {
            self.mild.insert((l, r));
        }
        let (a, b) = (self.left.node(l), self.right.node(r));
        if is_equal && a.code != b.code {
            let interned = |code: u8| matches!(code, b't' | b'A' | b'Z');
            self.tell(if interned(a.code) != interned(b.code) { Kind::Interning } else { Kind::Encoding }, l, r);
        }
        match (self.left.value(l), self.right.value(r)) {
            // Of equal ones it is not asked what their instructions mean.
            (Value::Code(_), Value::Code(_)) if !is_equal => self.codes(l, r),
            (Value::Set(x), Value::Set(y)) | (Value::FrozenSet(x), Value::FrozenSet(y)) => {
                self.sets(l, r, x, y, context)
            }
            _ if a.has_edges() && b.has_edges() && is_equal => self.children(l, r, context),
            (Value::Tuple(x), Value::Tuple(y))
            | (Value::List(x), Value::List(y))
            | (Value::Dict(x), Value::Dict(y))
            | (Value::FrozenDict(x), Value::FrozenDict(y))
            | (Value::Slice(x), Value::Slice(y))
                if x.len() == y.len() =>
            {
                self.children(l, r, context);
            }
            _ if !is_equal => self.tell(context, l, r),
            _ => {}
        }
    }

    fn children(&mut self, left: NodeId, right: NodeId, context: Kind) {
        let pairs = self.left.children(left).iter().zip(self.right.children(right)).rev();
        self.open.extend(pairs.map(|(left, right)| (*left, *right, context)));
    }

    /// Members that are equal are met with each other.
    fn sets(&mut self, left: NodeId, right: NodeId, x: &[NodeId], y: &[NodeId], context: Kind) {
        let mut members: Vec<(u32, NodeId)> = y.iter().map(|id| (self.worth(left, *id).1, *id)).collect();
        members.sort_unstable();
        let mut rest = members;
        let mut pairs = Vec::with_capacity(x.len());
        for member in x {
            let worth = self.worth(*member, right).0;
            let found = rest.binary_search_by_key(&worth, |(worth, _)| *worth);
            let Ok(place) = found else {
                self.tell(context, left, right);
                return;
            };
            pairs.push((*member, rest.remove(place).1, context));
        }
        if x.len() != y.len() {
            self.tell(context, left, right);
            return;
        }
        if pairs.iter().map(|pair| pair.1).ne(y.iter().copied()) {
            self.tell(Kind::SetOrder, left, right);
        }
        self.open.extend(pairs.into_iter().rev());
    }
}
