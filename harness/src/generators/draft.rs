//! A stream taken apart, to be changed and put together again.
//!
//! Whoever changes a stream in place has to repair every count around the place and every reference behind it. A draft has
//! neither: its containers list their items and its references name objects, so any change leaves a stream that is whole.
//! Counts and the numbers of references come back when it is written.
//!
//! Nothing is understood here but joints: the same type byte is read the same for every Python, and what a payload means is
//! the business of [`super::spell`].

use super::Target;
use super::skim::{BEFORE_LINE, FLAG_REF, SLOTLESS, Skim, long, skim, skim_for};
use std::borrow::Cow;

/// The objects of a stream. What is not reachable from the root is not written.
#[derive(Debug, Clone)]
pub(super) struct Draft<'b> {
    /// As read: in the order of their type bytes, so that what is below an object comes after it.
    pub(super) nodes: Vec<Node<'b>>,
    pub(super) root: usize,
    /// What follows the root.
    pub(super) rest: Cow<'b, [u8]>,
    /// Whether it is a stream of 2.7.
    pub(super) python2: bool,
}

/// One object, or a reference to one.
#[derive(Debug, Clone)]
pub(super) struct Node<'b> {
    /// Type byte without flag.
    pub(super) code: u8,
    pub(super) flag: bool,
    /// The bytes of a string, the integers before the fields of a code object, all that follows the type byte of another
    /// scalar; without the size that containers and strings begin with.
    pub(super) payload: Cow<'b, [u8]>,
    pub(super) items: Vec<usize>,
    /// What ends a dict; the line number of a code object.
    pub(super) trailer: &'b [u8],
    /// What a reference means. A reference to nothing keeps its number as a payload.
    pub(super) target: Option<usize>,
    /// The container that it was read in, and its place there.
    pub(super) owner: Option<(usize, usize)>,
}

impl<'b> Node<'b> {
    pub(super) fn leaf(code: u8, payload: impl Into<Cow<'b, [u8]>>) -> Node<'b> {
        let payload = payload.into();
        Node { code, flag: false, payload, items: Vec::new(), trailer: b"", target: None, owner: None }
    }

    pub(super) fn container(code: u8, items: Vec<usize>) -> Node<'b> {
        let trailer: &[u8] = if is_dict(code) { b"0" } else { b"" };
        Node { items, trailer, ..Node::leaf(code, b"".as_slice()) }
    }

    /// A reference that the same Python has as the object that it means.
    pub(super) fn reference(code: u8, target: usize) -> Node<'b> {
        Node { target: Some(target), ..Node::leaf(code, b"\0\0\0\0".as_slice()) }
    }

    pub(super) fn is_container(&self) -> bool {
        is_container(self.code)
    }

    /// Whether the number of items is free.
    pub(super) fn is_sized(&self) -> bool {
        b"([)<>{}".contains(&self.code)
    }

    pub(super) fn is_string(&self) -> bool {
        b"stuaAzZ".contains(&self.code)
    }

    /// Whether a flag makes it something that `r` can refer to.
    pub(super) fn can_have_slot(&self) -> bool {
        self.code != b'R' && !SLOTLESS.contains(&self.code)
    }
}

pub(super) fn is_dict(code: u8) -> bool {
    b"{}".contains(&code)
}

fn is_container(code: u8) -> bool {
    b"([)<>{}:c".contains(&code)
}

/// How many bytes the size takes that an object begins with.
fn size_bytes(code: u8) -> usize {
    match code {
        b's' | b't' | b'u' | b'a' | b'A' | b'(' | b'[' | b'<' | b'>' => 4,
        b'z' | b'Z' | b')' => 1,
        _ => 0,
    }
}

impl<'b> Draft<'b> {
    /// `None` when the stream breaks off. Where nobody says which Python is meant, the stream shows it, or it is Python 3.
    pub(super) fn read(bytes: &'b [u8], target: Option<Target>) -> Option<Draft<'b>> {
        let mut draft = Draft::of(bytes, &target.map_or_else(|| skim(bytes), |target| skim_for(target, bytes)))?;
        // Four integers, and no other layout of code objects has so few.
        let old = |node: &Node| node.code == b'R' || node.code == b'c' && node.payload.len() == 16;
        draft.python2 = match target {
            Some(target) => target.is_python2(),
            None => draft.nodes.iter().any(old) && !draft.nodes.iter().any(|node| node.flag),
        };
        Some(draft)
    }

    fn of(bytes: &'b [u8], skimmed: &Skim) -> Option<Draft<'b>> {
        if !skimmed.complete {
            return None;
        }
        let mut nodes: Vec<Node<'b>> = Vec::with_capacity(skimmed.items.len());
        let (mut flagged, mut strings) = (Vec::new(), Vec::new());
        for (id, item) in skimmed.items.iter().enumerate() {
            let start = item.at + 1 + size_bytes(item.code);
            let (payload, trailer) = match item.code {
                b'c' => (&bytes[start..skimmed.items.get(id + 1)?.at], &b""[..]),
                b'{' | b'}' => (&b""[..], &bytes[item.end - 1..item.end]),
                code if is_container(code) => (&b""[..], &b""[..]),
                _ => (&bytes[start..item.end], &b""[..]),
            };
            let slots = match item.code {
                b'r' => &flagged[..],
                b'R' => &strings[..],
                _ => &[],
            };
            let index = long(bytes, item.at + 1).and_then(|n| usize::try_from(n).ok());
            let target = index.and_then(|n| slots.get(n).copied());
            let owner = item.parent.map(|parent| (parent, item.position));
            let flag = bytes[item.at] & FLAG_REF != 0;
            let size = match item.code {
                b')' => usize::from(bytes[item.at + 1]),
                code if size_bytes(code) == 4 && is_container(code) => index.unwrap_or(0),
                _ => 0,
            };
            let items = Vec::with_capacity(size);
            let node = Node { target, trailer, owner, flag, items, ..Node::leaf(item.code, payload) };
            if flag && node.can_have_slot() {
                flagged.push(id);
            }
            if item.code == b't' {
                strings.push(id);
            }
            nodes.push(node);
            if let Some((parent, place)) = owner {
                nodes[parent].items.push(id);
                if nodes[parent].code == b'c' && place == BEFORE_LINE {
                    nodes[parent].trailer = &bytes[item.at - 4..item.at];
                }
            }
        }
        Some(Draft { nodes, root: 0, rest: Cow::Borrowed(&bytes[skimmed.end..]), python2: false })
    }

    pub(super) fn add(&mut self, node: Node<'b>) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Puts `new` where `old` was read. References to `old` still mean it: the first of them becomes its place.
    pub(super) fn put(&mut self, old: usize, new: usize) {
        match self.nodes[old].owner {
            Some((parent, place)) => self.nodes[parent].items[place] = new,
            None => self.root = new,
        }
    }

    /// Whether `outer` is `inner` or was read around it.
    pub(super) fn holds(&self, outer: usize, inner: usize) -> bool {
        let owner = |id: &usize| self.nodes[*id].owner.map(|(parent, _)| parent);
        std::iter::successors(Some(inner), owner).any(|id| id == outer)
    }

    /// For each object, whether a reference means it.
    pub(super) fn meant(&self) -> Vec<bool> {
        let mut meant = vec![false; self.nodes.len()];
        for target in self.nodes.iter().filter_map(|node| node.target) {
            meant[target] = true;
        }
        meant
    }

    /// A copy of an object and all below it. References to what is not copied mean the same as before.
    pub(super) fn copy(&mut self, id: usize) -> usize {
        self.graft(None, id)
    }

    /// A copy of an object of another stream, and of all that it and its references hold.
    pub(super) fn splice(&mut self, other: &Draft<'b>, id: usize) -> usize {
        self.graft(Some(other), id)
    }

    fn graft(&mut self, other: Option<&Draft<'b>>, id: usize) -> usize {
        let mut copies = vec![None; other.map_or(self.nodes.len(), |other| other.nodes.len())];
        let first = self.nodes.len();
        let mut found = vec![id];
        copies[id] = Some(first);
        let mut copied = 0;
        while let Some(&id) = found.get(copied) {
            copied += 1;
            let node = other.unwrap_or(self).nodes[id].clone();
            for &next in node.items.iter().chain(node.target.iter().filter(|_| other.is_some())) {
                copies[next].get_or_insert_with(|| {
                    found.push(next);
                    first + found.len() - 1
                });
            }
            self.nodes.push(node);
        }
        for node in &mut self.nodes[first..] {
            node.owner = None;
            for item in &mut node.items {
                *item = copies[*item].unwrap_or(*item);
            }
            node.target = node.target.map(|target| copies[target].unwrap_or(target));
        }
        first
    }

    /// The stream; `None` when it takes more than `limit` bytes.
    ///
    /// Each container is written once. Where it is reached again, or a reference is reached before what it means, they
    /// change places: the object comes first.
    pub(super) fn write(&self, limit: usize) -> Option<Vec<u8>> {
        let n = self.nodes.len();
        let slots = Slots { of: vec![None; n], taken: 0 };
        let out = Vec::with_capacity(limit.min(16 * n));
        let mut writer =
            Writer { draft: self, out, done: vec![false; n], flagged: slots.clone(), strings: slots, open: Vec::new() };
        writer.object(self.root);
        while let Some((id, next)) = writer.open.last_mut() {
            let (node, place) = (&self.nodes[*id], *next);
            *next += 1;
            if node.code == b'c' && place == BEFORE_LINE {
                writer.out.extend(node.trailer);
            }
            if let Some(&item) = node.items.get(place) {
                writer.object(item);
            } else {
                if is_dict(node.code) {
                    writer.out.extend(node.trailer);
                }
                writer.open.pop();
            }
            if writer.out.len() > limit {
                return None;
            }
        }
        writer.out.extend(&*self.rest);
        (writer.out.len() <= limit).then_some(writer.out)
    }
}

/// The numbers by which references name objects.
#[derive(Clone)]
struct Slots {
    of: Vec<Option<u32>>,
    taken: u32,
}

impl Slots {
    fn take(&mut self, id: usize) {
        self.of[id] = Some(self.taken);
        self.taken += 1;
    }
}

struct Writer<'d, 'b> {
    draft: &'d Draft<'b>,
    out: Vec<u8>,
    done: Vec<bool>,
    /// What `r` names.
    flagged: Slots,
    /// What 2.7's `R` names.
    strings: Slots,
    /// Containers that are being written, and their next places.
    open: Vec<(usize, usize)>,
}

impl Writer<'_, '_> {
    fn object(&mut self, mut id: usize) {
        let nodes = &self.draft.nodes;
        let mut wanted = false;
        if let Some(target) = nodes[id].target {
            let slots = if nodes[id].code == b'R' { &self.strings } else { &self.flagged };
            if let Some(slot) = slots.of[target] {
                return self.reference(nodes[id].code, nodes[id].flag, slot);
            }
            wanted = nodes[id].code == b'r';
            id = target;
        }
        let node = &nodes[id];
        if self.done[id] {
            match (self.flagged.of[id], self.strings.of[id]) {
                (Some(slot), _) => return self.reference(b'r', false, slot),
                (_, Some(slot)) => return self.reference(b'R', false, slot),
                _ if node.is_container() || node.target.is_some() => return self.out.push(b'N'),
                _ => {}
            }
        }
        self.done[id] = true;
        let flag = node.flag || wanted && node.can_have_slot();
        if flag && node.can_have_slot() {
            self.flagged.take(id);
        }
        if node.code == b't' {
            self.strings.take(id);
        }
        let size = if node.is_container() { node.items.len() } else { node.payload.len() };
        let code = match (node.code, u8::try_from(size)) {
            (b')', Err(_)) => b'(',
            (b'z', Err(_)) => b'a',
            (b'Z', Err(_)) => b'A',
            (code, _) => code,
        };
        self.out.push(if flag { code | FLAG_REF } else { code });
        // A size that has no number is not reached: the limit comes before it.
        let size = u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
        self.out.extend(&size[..size_bytes(code)]);
        self.out.extend(&*node.payload);
        if node.is_container() {
            self.open.push((id, 0));
        }
    }

    fn reference(&mut self, code: u8, flag: bool, slot: u32) {
        self.out.push(if flag { code | FLAG_REF } else { code });
        self.out.extend(slot.to_le_bytes());
    }
}
