//! What objects are worth: equal values have equal numbers, in both graphs, whatever is shared, flagged or interned.

use crate::graph::{Graph, NodeId, Value, index};
use crate::model::Contents;
use crate::model::equality::constant_content;
use crate::prelude::*;

/// Numbers by content.
#[derive(Default)]
pub(super) struct Classes(Contents);

impl Classes {
    /// For each node of a graph its number; of a reference that of its object.
    pub(super) fn of(&mut self, graph: &Graph<'_>) -> Vec<u32> {
        const OPEN: u32 = u32::MAX;
        let mut of = vec![OPEN; graph.len()];
        let mut seen = vec![false; graph.len()];
        let mut path = vec![(graph.root(), 0)];
        while let Some((id, place)) = path.last_mut() {
            let id = *id;
            let Some(&child) = graph.children(id).get(*place) else {
                path.pop();
                let start = self.0.bytes.len();
                if graph.node(id).has_edges() {
                    self.add_whole(graph, id, &of);
                } else {
                    self.add_leaf(graph, id);
                }
                let number = self.0.number(start);
                // An empty graph has no root.
                if let Some(of) = of.get_mut(id.at()) {
                    *of = number;
                }
                continue;
            };
            *place += 1;
            let object = graph.resolve(child);
            // A node of another graph is worth nothing.
            let (Some(done), Some(seen)) = (of.get(object.at()).copied(), seen.get_mut(object.at())) else { continue };
            if done == OPEN && !*seen && object == child {
                *seen = true;
                path.push((child, 0));
                continue;
            }
            // What is in the object that it refers to is like nothing else.
            let number = if done == OPEN { self.0.fresh() } else { done };
            if let Some(of) = of.get_mut(child.at()).filter(|of| **of == OPEN && object != child) {
                *of = number;
            }
        }
        of
    }

    fn add_leaf(&mut self, graph: &Graph<'_>, id: NodeId) {
        let out = &mut self.0.bytes;
        let tag = match graph.value(id) {
            Value::Str(text) => {
                if text.latin1 && !text.is_ascii() {
                    out.extend_from_slice(text.to_string_lossy().as_bytes());
                } else {
                    out.extend_from_slice(text.bytes);
                }
                b'u'
            }
            // NaNs are the same if their bits are.
            Value::Float(bits) => {
                out.extend_from_slice(&bits.to_le_bytes());
                b'g'
            }
            Value::Complex(real, imaginary) => {
                out.extend([real, imaginary].into_iter().flat_map(u64::to_le_bytes));
                b'y'
            }
            value => match constant_content(value, graph.python2) {
                Some(content) if matches!(content.first(), Some(b'f' | b'y')) => {
                    out.extend_from_slice(&content[1..]);
                    if content[0] == b'f' { b'g' } else { b'y' }
                }
                Some(content) => {
                    out.extend_from_slice(&content);
                    b'c'
                }
                None => {
                    out.extend_from_slice(graph.payload(graph.node(id)));
                    graph.type_byte(id)
                }
            },
        };
        out.push(tag);
    }

    fn add_whole(&mut self, graph: &Graph<'_>, id: NodeId, of: &[u32]) {
        let out = &mut self.0.bytes;
        let code = graph.type_byte(id);
        if let Value::Code(code) = graph.value(id) {
            let i = code.ints();
            let ints =
                [i.argcount, i.posonlyargcount, i.kwonlyargcount, i.nlocals, i.stacksize, i.flags, i.firstlineno];
            out.extend(ints.iter().flat_map(|int| int.to_le_bytes()));
        }
        let children = graph.children(id);
        out.extend(index(children.len()).to_le_bytes());
        let parts = children.iter().map(|child| of.get(child.at()).copied().unwrap_or(0));
        if matches!(code, b'<' | b'>') {
            let mut parts: Vec<u32> = parts.collect();
            parts.sort_unstable();
            out.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
        } else {
            out.extend(parts.flat_map(u32::to_le_bytes));
        }
        out.push(if code == b')' { b'(' } else { code });
        out.push(b'*');
    }
}
