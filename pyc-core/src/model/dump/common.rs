//! What most values consist of, written without a frame or a closer look at each object.

use super::{Context, Frame, Rule, Writer};
use crate::graph::{FLAG_REF, bit};
use crate::model::{ASCII, INTERNED, Loaded, NONE, Object};
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
        if self.version < 4 || self.is_key || self.rule != Rule::Interpreter || !context.held.is_empty() {
            return 0;
        }
        let loaded = self.loaded;
        let Loaded { graph, bits, owners, held, .. } = loaded;
        let nodes = &graph.nodes[..];
        let (bits, owners, indexes) =
            (&bits[..nodes.len()], &owners[..nodes.len()], &mut self.indexes.all[..nodes.len()]);
        let mut out = core::mem::take(&mut self.out);
        let mut next_index = self.next_index;
        let most = self.max_length;
        let may_nest = self.frames.len() + 1 < loaded.profile.max_depth as usize;
        let copies_floats = !loaded.profile.quiets_nans;
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
                b'g' | b'y' if copies_floats => (node.code, 1),
                b's' | b'i' => (node.code, 5),
                // Four digits do not fit into 32 bits.
                b'l' if node.len >= 8 => (b'l', 5),
                b'(' | b')' if may_nest && tuple.is_none() && node.len < 256 => (b')', 0),
                _ => break,
            };
            if node.is(bit::OWNED) || out.len() > most {
                break;
            }
            let is_shared = (owners[at] != 1) | (bits[at] & *held != 0);
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

#[cfg(test)]
mod tests {
    use super::{Context, Frame, Loaded, Writer};
    use crate::model::dump::Indexes;
    use crate::prelude::*;
    use crate::{Profile, Version, read};

    /// How many of these parts of a list are begun by a writer that was changed so, how many steps it took for those of a
    /// tuple that is not finished, and what it wrote.
    fn begun(
        profile: &Profile,
        items: &[&[u8]],
        change: impl FnOnce(&mut Writer, &mut Context),
    ) -> (usize, usize, Vec<u8>) {
        let stream = [b"[", &u32::try_from(items.len()).unwrap().to_le_bytes()[..], &items.concat()].concat();
        let graph = read(&stream, profile).unwrap();
        let loaded = Loaded::new(&graph, profile);
        let indexes = Indexes { all: vec![super::NONE; loaded.bits.len()], ..Indexes::default() };
        let mut writer = Writer::new(&loaded, 4, 0, indexes);
        let mut context = Context::default();
        change(&mut writer, &mut context);
        let begun = writer.common(loaded.parts(loaded.root()), &context);
        (begun, writer.steps, writer.out)
    }

    fn profile() -> Profile {
        Profile::of(Version::new(3, 13)).unwrap().clone()
    }

    #[test]
    fn most_values_are_common() {
        let [most, more] = [255_u32, 256].map(|n| [&b"("[..], &n.to_le_bytes(), &vec![b'N'; n as usize]].concat());
        let common: &[&[u8]] = &[
            &most,
            b"N",
            b"S",
            b".",
            b"F",
            b"T",
            b"z\x02ab",
            b"\xfa\x02ab",
            b"\xda\x02ab",
            b"u\x02\0\0\0\xc3\xa9",
            b"u\x04\0\0\0\xc3\xa9\xc3\xa9",
            b"t\x04\0\0\0\xc3\xa9\xc3\xa9",
            b"s\x02\0\0\0ab",
            b"i\xe8\x07\0\0",
            b"l\x04\0\0\0\x01\0\x01\0\x01\0\x01\0",
            b"g\0\0\0\0\0\0\xe0\x3f",
            b"y\0\0\0\0\0\0\xe0\x3f\0\0\0\0\0\0\xe0\x3f",
            b")\x02NT",
            b"(\x02\0\0\0NT",
            b"\xdb\0\0\0\0",
        ];
        // Of these, another form is written, or there is more to see.
        let rare: &[&[u8]] = &[
            &more,
            b"[\0\0\0\0",
            b"l\x03\0\0\0\x01\0\x01\0\x01\0",
            b"a\x02\0\0\0ab",
            b"u\x02\0\0\0ab",
            b"z\x02\xe9\xe9",
            b"f\x032.5",
        ];
        for item in common.iter().chain(rare) {
            // What is referred to is common, too, once it is written; so the first one is.
            let expected = if rare.contains(item) || item[0] == 0xDB { 0 } else { 3 };
            let (begun, _, out) = begun(&profile(), &[*item; 3], |_, _| {});
            assert_eq!(begun, expected, "{item:x?}");
            assert_eq!(out.is_empty(), begun == 0);
        }
        let (begun, _, out) =
            begun(&profile(), &[b"\xe9\xe8\x07\0\0", b"r\0\0\0\0", b")\x01r\0\0\0\0", b"[\0\0\0\0"], |_, _| {});
        assert_eq!((begun, &out[..]), (3, &b"\xe9\xe8\x07\0\0r\0\0\0\0)\x01r\0\0\0\0"[..]));
    }

    #[test]
    fn nothing_is_common_in_keys_sets_and_older_formats() {
        let changes: [fn(&mut Writer, &mut Context); 4] =
            [|_, _| {}, |writer, _| writer.version = 3, |writer, _| writer.is_key = true, |_, context| context.hold(0)];
        assert_eq!(changes.map(|change| begun(&profile(), &[b"N"], change).0), [1, 0, 0, 0]);
    }

    /// A tuple whose items are not all common stays open, and its steps are counted as far as it was written.
    #[test]
    fn tuples_are_common_up_to_what_is_not() {
        let tuple = b")\x04NTF[\0\0\0\0";
        assert_eq!(begun(&profile(), &[b"N", tuple, b"N"], |_, _| {}), (2, 3, b"N)\x04NTF".to_vec()));
        assert_eq!(begun(&profile(), &[b")\x01N", b")\x02NN"], |_, _| {}), (2, 3, b")\x01N)\x02NN".to_vec()));
        // The items of one that is as deep as may be are too deep.
        let deep = |depth: usize| {
            let frame = Frame { object: 0, code: b'[', next: 0, end: 0 };
            begun(&profile().with_max_depth(4), &[b")\x01N"], |writer, _| writer.frames = vec![frame; depth]).0
        };
        assert_eq!([0, 2, 3].map(deep), [1, 1, 0]);
    }

    #[test]
    fn what_gets_too_long_is_not_begun() {
        let items = &[&b"s\x02\0\0\0ab"[..]; 3];
        assert_eq!(
            [0, 6, 7, 13, 14].map(|most| begun(&profile(), items, |writer, _| writer.max_length = most).0),
            [1, 1, 2, 2, 3]
        );
    }
}
