//! Ways through a graph: parts, code objects, and where a node is in the value. None recurses.

use super::{Graph, NodeId, Value, bit, pairs};
use crate::code::{Code, Field};
use crate::prelude::*;
use alloc::collections::{BTreeMap, BTreeSet};

impl<'a> Graph<'a> {
    /// The nodes below a node: items; keys and values in turn; the objects of a code object. Without the NULL that ends a dict.
    #[must_use]
    pub fn children(&self, id: NodeId) -> &[NodeId] {
        let node = self.node(id);
        match node.code {
            b'{' | b'}' => pairs(self.edges_of(node)),
            _ if node.has_edges() => self.edges_of(node),
            _ => &[],
        }
    }

    /// All nodes of the value in the order of their type bytes, each with the node that it is below and its place there (the
    /// root with itself). References are nodes, and not followed.
    #[must_use]
    pub fn walk(&self) -> Vec<(NodeId, NodeId, usize)> {
        let mut found = Vec::with_capacity(self.nodes.len());
        let mut seen = vec![false; self.nodes.len()];
        let mut open = vec![(self.root, self.root, 0)];
        while let Some((id, parent, place)) = open.pop() {
            // A graph that was built may hold a node twice, or in itself.
            match seen.get_mut(id.at()) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            found.push((id, parent, place));
            open.extend(self.children(id).iter().enumerate().rev().map(|(place, child)| (*child, id, place)));
        }
        found
    }

    /// The code objects of the value, outer ones before those in them, in the order of the stream.
    #[must_use]
    pub fn code_objects(&self) -> Vec<NodeId> {
        let mut codes: Vec<NodeId> = self.walk().into_iter().map(|(id, ..)| id).collect();
        codes.retain(|id| self.node(*id).code == b'c');
        codes
    }

    /// The node as a code object.
    #[must_use]
    pub fn code_of(&self, id: NodeId) -> Option<Code<'_>> {
        match self.value(self.resolve(id)) {
            Value::Code(code) => Some(code),
            _ => None,
        }
    }

    /// Where a node is in the value, for people: `f.g: co_consts[2][0]`, the names of the code objects around it and the way from
    /// the innermost one. Empty if it is not in the value.
    #[must_use]
    pub fn path(&self, id: NodeId) -> String {
        self.paths(&BTreeSet::from([id])).remove(&id).unwrap_or_default()
    }

    /// The [paths](Graph::path) of several nodes, for the work of one.
    #[must_use]
    pub fn paths(&self, ids: &BTreeSet<NodeId>) -> BTreeMap<NodeId, String> {
        let mut above = vec![None; self.nodes.len()];
        for (node, parent, place) in self.walk() {
            above[node.at()] = Some((parent, place));
        }
        ids.iter().map(|id| (*id, self.path_up(*id, &above))).collect()
    }

    fn path_up(&self, id: NodeId, above: &[Option<(NodeId, usize)>]) -> String {
        let (mut names, mut steps) = (Vec::new(), Vec::new());
        let mut at = id;
        while let Some(&Some((parent, place))) = above.get(at.at()) {
            if let Some(code) = self.code_of(at).filter(|_| self.node(at).code == b'c') {
                names.push(code.object(Field::Name).map(|name| self.text(name)).unwrap_or_default());
            }
            if parent == at {
                break;
            }
            if names.is_empty() {
                steps.push(self.step(parent, place));
            }
            at = parent;
        }
        names.reverse();
        steps.reverse();
        if names.len() > 1 && names[0] == "<module>" {
            names.remove(0);
        }
        let names = names.join(".");
        match (names.is_empty(), steps.is_empty()) {
            (_, true) => names,
            (true, _) => steps.concat(),
            _ => format!("{names}: {}", steps.concat()),
        }
    }

    fn step(&self, parent: NodeId, place: usize) -> String {
        match self.value(parent) {
            Value::Code(code) => match code.objects().nth(place) {
                Some((field, _)) => format!("co_{}", field.name()),
                None => String::new(),
            },
            Value::Dict(_) | Value::FrozenDict(_) => {
                format!("{{{} {}}}", if place.is_multiple_of(2) { "key" } else { "value" }, place / 2)
            }
            Value::Set(_) | Value::FrozenSet(_) => format!("{{{place}}}"),
            _ => format!("[{place}]"),
        }
    }

    /// Sets or clears `FLAG_REF` of a node; `false`, and nothing, where it would mean nothing: references, and nodes of another
    /// graph. Whoever clears a flag that references need gets an error when the graph is written.
    pub fn set_flagged(&mut self, id: NodeId, flagged: bool) -> bool {
        let Some(node) = self.nodes.get_mut(id.at()).filter(|node| !matches!(node.code, b'r' | b'R')) else {
            return false;
        };
        if flagged != node.is(bit::FLAG) {
            node.bits ^= bit::FLAG;
            self.pristine = false;
        }
        true
    }

    /// Puts every object where it is met first, and references everywhere else, so that a graph whose edges were changed can be
    /// written: edges that lead to the same object lead to the same object afterwards. Sets the flags that are needed. Python 2
    /// refers to interned strings only; there other objects that were in two places become equal ones. `false` if an object
    /// would hold itself there.
    pub fn settle(&mut self) -> bool {
        let mut seen = vec![false; self.nodes.len()];
        let root = self.resolve(self.root);
        self.root = root;
        self.pristine = false;
        if let Some(seen) = seen.get_mut(root.at()) {
            *seen = true;
        }
        let mut path = vec![(root, 0)];
        while let Some((id, place)) = path.last_mut() {
            let (id, place) = (*id, core::mem::replace(place, *place + 1));
            let node = self.node(id);
            if !node.has_edges() || place >= node.len as usize {
                path.pop();
                continue;
            }
            let edge = self.edges[node.start as usize + place];
            let target = self.resolve(edge);
            let is_first = !seen.get(target.at()).copied().unwrap_or(true);
            if is_first {
                seen[target.at()] = true;
                self.edges[node.start as usize + place] = target;
                path.push((target, 0));
            } else if edge == target && self.node(target).has_identity() {
                let again = if self.python2 && self.node(target).code != b't' {
                    if self.node(target).has_edges() && path.iter().any(|(open, _)| *open == target) {
                        return false;
                    }
                    self.duplicate(target)
                } else {
                    self.reference(target)
                };
                self.edges[node.start as usize + place] = again;
                if again != target && self.node(again).has_edges() {
                    seen.resize(self.nodes.len(), true);
                    path.push((again, 0));
                }
            }
            seen.resize(self.nodes.len(), true);
        }
        true
    }

    /// Makes nodes that are no values, because reading them did not come to its end, `None`.
    pub(crate) fn forget_unfinished(&mut self, open: &[NodeId]) {
        let (edges, ints) = (self.edges.len(), self.ints.len());
        let input = self.input.len();
        let nothing = super::Node { code: b'N', ..super::Node::NONE };
        for node in &mut self.nodes {
            let is_whole = match node.code {
                b'r' | b'R' => true,
                b'c' if node.extra as usize >= ints => false,
                _ if node.has_edges() => node.range().end <= edges,
                _ => node.range().end <= input || matches!(node.code, b'i'),
            };
            if node.is(bit::UNFINISHED) && node.code != b'0' || !is_whole {
                *node = nothing;
            }
        }
        for id in open {
            if let Some(node) = self.nodes.get_mut(id.at()) {
                *node = nothing;
            }
        }
    }

    /// Another node that says the same, with the same edges.
    fn duplicate(&mut self, id: NodeId) -> NodeId {
        let mut node = self.node(id);
        if node.has_edges() {
            let start = self.edges.len();
            self.edges.extend_from_within(node.range());
            node.start = super::index(start);
        }
        node.bits &= !bit::FLAG;
        let copy = NodeId(super::index(self.nodes.len()));
        self.nodes.push(node);
        copy
    }
}
