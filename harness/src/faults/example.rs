//! The smallest streams that show a fault.

use super::walk::{Walk, integers};
use crate::generators::Target;

/// A stream.
#[derive(Debug)]
pub(super) enum Example {
    Stream(&'static [u8]),
    /// So many bytes of one kind behind others.
    Many(&'static [u8], u8, usize),
    /// So many objects, each the first key of the dict around it; the stream breaks off.
    Deep(usize),
    /// A plain code object in which these fields are others.
    Code(&'static [(&'static str, &'static [u8])]),
}

impl Example {
    pub(super) fn bytes(&self, target: Target) -> Vec<u8> {
        match self {
            Example::Stream(bytes) => bytes.to_vec(),
            Example::Many(start, byte, times) => [*start, &[*byte].repeat(*times)].concat(),
            Example::Deep(depth) => [&b"{".repeat(depth - 1), &b"N"[..]].concat(),
            Example::Code(changes) => {
                let part = |(name, plain): (&str, Vec<u8>)| {
                    let changed = changes.iter().find(|(changed, _)| *changed == name);
                    changed.map_or(plain, |(_, bytes)| bytes.to_vec())
                };
                plain_code(target).into_iter().flat_map(part).collect()
            }
        }
    }
}

/// The parts of a plain code object, by name, in the order of the stream.
fn plain_code(target: Target) -> Vec<(&'static str, Vec<u8>)> {
    let mut parts = vec![("type", b"c".to_vec())];
    parts.extend(integers(target).iter().map(|name| (*name, vec![0; 4])));
    for field in Walk::new(b"", target).fields() {
        let python2 = target.version.0 == 2;
        let tuple = if python2 { &b"(\0\0\0\0"[..] } else { b")\0" }.to_vec();
        let text = if python2 { &b"s\0\0\0\0"[..] } else { b"z\0" }.to_vec();
        let name = field.name();
        if parts.len() == 1 + integers(target).len() + 8 {
            parts.push(("firstlineno", vec![0; 4]));
        }
        parts.push((
            name,
            match name {
                "filename" | "name" | "qualname" => text,
                "consts" | "names" | "varnames" | "freevars" | "cellvars" | "localsplusnames" => tuple,
                _ => b"s\0\0\0\0".to_vec(),
            },
        ));
    }
    parts
}
