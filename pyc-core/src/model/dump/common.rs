//! What most values consist of, written without a frame or a closer look at each object.

use super::{Context, Frame, Writer};
use crate::graph::{FLAG_REF, bit};
use crate::model::{ASCII, CACHED, INTERNED, Loaded, NONE, Object};
use crate::prelude::*;
use core::ops::Range;

/// What is no longer is copied without asking how long it is.
const SHORT: usize = 32;

impl Writer<'_, '_, '_> {
    /// Writes what most values consist of, references, tuples of leaves, and what is written as it was read but for its
    /// flag, and stops before anything else: at the end of the parts, or in a tuple, for which there is a frame then.
    /// Returns how many of these parts are begun.
    #[inline]
    pub(super) fn common(&mut self, parts: &[Object], context: &Context) -> usize {
        // Of sort keys and of sets there is more to know than the flag.
        if self.version < 4 || self.is_key || !context.held.is_empty() {
            return 0;
        }
        let loaded = self.loaded;
        let Loaded { graph, bits, owners, .. } = loaded;
        let nodes = &graph.nodes[..];
        let (bits, owners, indexes) =
            (&bits[..nodes.len()], &owners[..nodes.len()], &mut self.indexes.all[..nodes.len()]);
        let mut out = core::mem::take(&mut self.out);
        let mut next_index = self.next_index;
        let most = self.max_length;
        let may_nest = self.frames.len() + 1 < loaded.profile.max_depth as usize;
        let mut rest = parts;
        // A tuple that is being written, how many parts it has, and what follows it.
        let mut tuple: Option<(Object, &[Object])> = None;
        loop {
            let Some((&object, others)) = rest.split_first() else {
                let Some((_, after)) = tuple.take() else { break };
                rest = after;
                continue;
            };
            let at = object as usize;
            // Copies are not common.
            let Some(node) = nodes.get(at) else { break };
            if indexes[at] != NONE {
                let [a, b, c, d] = indexes[at].to_le_bytes();
                out.extend_from_slice(&[b'r', a, b, c, d]);
                rest = others;
                continue;
            }
            let (code, prefix) = match node.code {
                b'N' | b'S' | b'.' | b'F' | b'T' => {
                    out.push(node.code);
                    rest = others;
                    continue;
                }
                b'z' | b'Z' if bits[at] & ASCII != 0 => (if bits[at] & INTERNED != 0 { b'Z' } else { b'z' }, 2),
                b'u' | b't' if bits[at] & ASCII == 0 => (if bits[at] & INTERNED != 0 { b't' } else { b'u' }, 5),
                b'g' | b'y' => (node.code, 1),
                b's' | b'i' => (node.code, 5),
                // Four digits do not fit into 32 bits.
                b'l' if node.len >= 8 => (b'l', 5),
                b'(' | b')' if may_nest && tuple.is_none() && node.len < 256 => (b')', 0),
                _ => break,
            };
            if node.is(bit::OWNED) || out.len() > most {
                break;
            }
            let is_shared = (owners[at] != 1) | (bits[at] & (CACHED | INTERNED) != 0);
            let flag = if is_shared { FLAG_REF } else { 0 };
            indexes[at] = if is_shared { next_index } else { NONE };
            next_index += u32::from(is_shared);
            rest = others;
            match code {
                b'i' => {
                    let [a, b, c, d] = node.extra.to_le_bytes();
                    out.extend_from_slice(&[b'i' | flag, a, b, c, d]);
                }
                b')' => {
                    out.extend_from_slice(&[b')' | flag, node.len.to_le_bytes()[0]]);
                    tuple = Some((object, others));
                    rest = loaded.parts(object);
                    self.steps += rest.len();
                }
                _ => {
                    let Range { start, end } = node.range();
                    let first = out.len();
                    copy(&mut out, graph.input, start - prefix, end);
                    out[first] = code | flag;
                }
            }
        }
        self.out = out;
        self.next_index = next_index;
        let Some((object, after)) = tuple else { return parts.len() - rest.len() };
        let end = loaded.span(object).end;
        self.steps -= rest.len();
        self.frames.push(Frame { object, code: b')', next: end - rest.len(), end });
        parts.len() - after.len()
    }
}

/// Appends a part of the input. Most are short, and copied faster with what follows them.
#[inline]
fn copy(out: &mut Vec<u8>, input: &[u8], start: usize, end: usize) {
    let rest = &input[start..];
    match rest.first_chunk::<SHORT>() {
        Some(short) if end - start <= SHORT => {
            let length = out.len() + (end - start);
            out.extend_from_slice(short);
            out.truncate(length);
        }
        _ => out.extend_from_slice(&rest[..end - start]),
    }
}
