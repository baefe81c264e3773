//! What objects are worth: equal values have equal numbers, in both graphs, whatever is shared, flagged or interned.

use crate::graph::{Graph, NodeId, Value, index};
use crate::model::equality::constant_content;
use crate::prelude::*;
use alloc::collections::BTreeMap;

/// Numbers by content.
#[derive(Default)]
pub(super) struct Classes {
    by_content: BTreeMap<Vec<u8>, u32>,
    next: u32,
}

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
                let content = if graph.node(id).has_edges() { whole(graph, id, &of) } else { leaf(graph, id) };
                let number = self.number(content);
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
            let number = if done == OPEN { self.fresh() } else { done };
            if let Some(of) = of.get_mut(child.at()).filter(|of| **of == OPEN && object != child) {
                *of = number;
            }
        }
        of
    }

    fn number(&mut self, content: Vec<u8>) -> u32 {
        let next = self.next;
        let number = *self.by_content.entry(content).or_insert(next);
        self.next += u32::from(number == next);
        number
    }

    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }
}

fn leaf(graph: &Graph<'_>, id: NodeId) -> Vec<u8> {
    let value = graph.value(id);
    let (tag, bytes) = match value {
        Value::Str(text) if text.latin1 && !text.is_ascii() => (b'u', text.to_string_lossy().into_bytes()),
        Value::Str(text) => (b'u', text.bytes.to_vec()),
        // NaNs are the same if their bits are.
        Value::Float(bits) => (b'g', bits.to_le_bytes().to_vec()),
        Value::Complex(real, imaginary) => (b'y', [real.to_le_bytes(), imaginary.to_le_bytes()].concat()),
        _ => match constant_content(value, graph.python2) {
            Some(content) if matches!(content.first(), Some(b'f' | b'y')) => {
                (if content[0] == b'f' { b'g' } else { b'y' }, content[1..].to_vec())
            }
            Some(content) => (b'c', content),
            None => (graph.type_byte(id), graph.payload(graph.node(id)).to_vec()),
        },
    };
    let mut out = bytes;
    out.push(tag);
    out
}

fn whole(graph: &Graph<'_>, id: NodeId, of: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    let code = graph.type_byte(id);
    let children = graph.children(id);
    if let Value::Code(code) = graph.value(id) {
        let i = code.ints();
        let ints = [i.argcount, i.posonlyargcount, i.kwonlyargcount, i.nlocals, i.stacksize, i.flags, i.firstlineno];
        out.extend(ints.iter().flat_map(|int| int.to_le_bytes()));
    }
    let mut parts: Vec<u32> = children.iter().map(|child| of.get(child.at()).copied().unwrap_or(0)).collect();
    if matches!(code, b'<' | b'>') {
        parts.sort_unstable();
    }
    out.extend(index(parts.len()).to_le_bytes());
    out.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
    out.push(if code == b')' { b'(' } else { code });
    out.push(b'*');
    out
}
