//! A stream taken apart, to be changed and put together again.
//!
//! Whoever changes a stream in place has to repair every count around the place and every reference behind it. A draft has
//! neither: its containers list their items and its references name objects, so any change leaves a stream that is whole.
//! Counts and the numbers of references come back when it is written.
//!
//! Nothing is understood here but joints: the same type byte is read the same for every Python, and what a payload means is
//! the business of [`super::spell`].

use super::Target;
use super::skim::{BEFORE_LINE, FLAG_REF, Item, SLOTLESS, Skim, long, skim, skim_for};
use std::borrow::Cow;
use std::cell::OnceCell;

/// The objects of a stream. What is not reachable from the root is not written.
#[derive(Debug, Clone)]
pub(crate) struct Draft<'b> {
    /// As read: in the order of their type bytes, so that what is below an object comes after it.
    pub(crate) nodes: Vec<Node<'b>>,
    pub(crate) root: usize,
    /// What follows the root.
    pub(crate) rest: Cow<'b, [u8]>,
    /// Whether it is a stream of 2.7.
    pub(crate) python2: bool,
}

/// One object, or a reference to one.
#[derive(Debug, Clone)]
pub(crate) struct Node<'b> {
    /// Type byte without flag.
    pub(crate) code: u8,
    pub(crate) flag: bool,
    /// The bytes of a string, the integers before the fields of a code object, all that follows the type byte of another
    /// scalar; without the size that containers and strings begin with.
    pub(crate) payload: Cow<'b, [u8]>,
    pub(crate) items: Vec<usize>,
    /// What ends a dict; the line number of a code object.
    pub(crate) trailer: &'b [u8],
    /// What a reference means. A reference to nothing keeps its number as a payload.
    pub(crate) target: Option<usize>,
    /// The container that it was read in, and its place there.
    pub(crate) owner: Option<(usize, usize)>,
}

impl<'b> Node<'b> {
    /// One of the objects of a stream. Its items, its owner and what it means are left to the caller.
    fn of(bytes: &'b [u8], items: &[Item], id: usize) -> Node<'b> {
        let item = &items[id];
        let start = item.at + 1 + size_bytes(item.code);
        let (payload, trailer) = match item.code {
            b'c' => (start..items.get(id + 1).map_or(start, |first| first.at), 0..0),
            b'{' | b'}' => (0..0, item.end - 1..item.end),
            code if is_container(code) => (0..0, 0..0),
            _ => (start..item.end, 0..0),
        };
        let items = Vec::with_capacity(item.children);
        let flag = bytes[item.at] & FLAG_REF != 0;
        Node { flag, items, trailer: &bytes[trailer], ..Node::leaf(item.code, &bytes[payload]) }
    }

    /// Takes the next of its objects.
    fn take(&mut self, id: usize, bytes: &'b [u8], item: &Item) {
        self.items.push(id);
        if self.code == b'c' && item.position == BEFORE_LINE {
            self.trailer = &bytes[item.at - 4..item.at];
        }
    }

    pub(crate) fn leaf(code: u8, payload: impl Into<Cow<'b, [u8]>>) -> Node<'b> {
        let payload = payload.into();
        Node { code, flag: false, payload, items: Vec::new(), trailer: b"", target: None, owner: None }
    }

    pub(crate) fn container(code: u8, items: Vec<usize>) -> Node<'b> {
        let trailer: &[u8] = if is_dict(code) { b"0" } else { b"" };
        Node { items, trailer, ..Node::leaf(code, b"".as_slice()) }
    }

    /// A reference that the same Python has as the object that it means.
    pub(crate) fn reference(code: u8, target: usize) -> Node<'b> {
        Node { target: Some(target), ..Node::leaf(code, b"\0\0\0\0".as_slice()) }
    }

    pub(crate) fn is_container(&self) -> bool {
        is_container(self.code)
    }

    /// Whether the number of items is free.
    pub(crate) fn is_sized(&self) -> bool {
        b"([)<>{}".contains(&self.code)
    }

    pub(crate) fn is_string(&self) -> bool {
        b"stuaAzZ".contains(&self.code)
    }

    /// Whether a flag makes it something that `r` can refer to.
    pub(crate) fn can_have_slot(&self) -> bool {
        can_have_slot(self.code)
    }
}

fn can_have_slot(code: u8) -> bool {
    code != b'R' && !SLOTLESS.contains(&code)
}

pub(crate) fn is_dict(code: u8) -> bool {
    matches!(code, b'{' | b'}')
}

fn is_container(code: u8) -> bool {
    matches!(code, b'(' | b'[' | b')' | b'<' | b'>' | b'{' | b'}' | b':' | b'c')
}

/// What references can name in the part of a stream that was seen.
#[derive(Debug, Default)]
struct Named {
    /// By `r`.
    flagged: Vec<usize>,
    /// By 2.7's `R`.
    strings: Vec<usize>,
}

impl Named {
    fn add(&mut self, bytes: &[u8], item: &Item, id: usize) {
        if bytes[item.at] & FLAG_REF != 0 && can_have_slot(item.code) {
            self.flagged.push(id);
        }
        if item.code == b't' {
            self.strings.push(id);
        }
    }

    /// What a reference here means.
    fn target(&self, bytes: &[u8], item: &Item) -> Option<usize> {
        let slots = match item.code {
            b'r' => &self.flagged,
            b'R' => &self.strings,
            _ => return None,
        };
        slots.get(usize::try_from(long(bytes, item.at + 1)?).ok()?).copied()
    }
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
    pub(crate) fn read(bytes: &'b [u8], target: Option<Target>) -> Option<Draft<'b>> {
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
        let mut named = Named::default();
        for (id, item) in skimmed.items.iter().enumerate() {
            let mut node = Node::of(bytes, &skimmed.items, id);
            node.target = named.target(bytes, item);
            node.owner = item.parent.map(|parent| (parent, item.position));
            nodes.push(node);
            named.add(bytes, item, id);
            if let Some(parent) = item.parent {
                nodes[parent].take(id, bytes, item);
            }
        }
        Some(Draft { nodes, root: 0, rest: Cow::Borrowed(&bytes[skimmed.end..]), python2: false })
    }

    pub(crate) fn add(&mut self, node: Node<'b>) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Puts `new` where `old` was read. References to `old` still mean it: the first of them becomes its place.
    pub(crate) fn put(&mut self, old: usize, new: usize) {
        match self.nodes[old].owner {
            Some((parent, place)) => self.nodes[parent].items[place] = new,
            None => self.root = new,
        }
    }

    /// Whether `outer` is `inner` or was read around it.
    pub(crate) fn holds(&self, outer: usize, inner: usize) -> bool {
        let owner = |id: &usize| self.nodes[*id].owner.map(|(parent, _)| parent);
        std::iter::successors(Some(inner), owner).any(|id| id == outer)
    }

    /// For each object, whether it was read around this one or in it, or is it.
    pub(crate) fn related(&self, id: usize) -> Vec<bool> {
        let owner = |id: usize| self.nodes[id].owner.map(|(parent, _)| parent);
        let mut related = vec![false; self.nodes.len()];
        related[id] = true;
        // What an object was read in comes before it.
        for inner in id + 1..self.nodes.len() {
            related[inner] = owner(inner).is_some_and(|outer| related[outer]);
        }
        std::iter::successors(owner(id), |outer| owner(*outer)).for_each(|outer| related[outer] = true);
        related
    }

    /// For each object, whether a reference means it.
    pub(crate) fn meant(&self) -> Vec<bool> {
        let mut meant = vec![false; self.nodes.len()];
        for target in self.nodes.iter().filter_map(|node| node.target) {
            meant[target] = true;
        }
        meant
    }

    /// A copy of an object and all below it. References to what is not copied mean the same as before.
    pub(crate) fn copy(&mut self, id: usize) -> usize {
        let mut copies = vec![None; self.nodes.len()];
        let first = self.nodes.len();
        let mut found = vec![id];
        copies[id] = Some(first);
        let mut copied = 0;
        while let Some(&id) = found.get(copied) {
            copied += 1;
            let node = self.nodes[id].clone();
            for &next in &node.items {
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

    /// A copy of an object of another stream, and of all that it and its references hold.
    pub(crate) fn splice(&mut self, donor: &Donor<'b>, gift: usize) -> usize {
        let ids = donor.held(gift);
        let first = self.nodes.len();
        let copy_of = |id: &usize| ids.binary_search(id).ok().map(|place| first + place);
        for &id in &ids {
            let item = &donor.items[id];
            let mut node = Node::of(donor.bytes, &donor.items, id);
            node.target = donor.target(id).as_ref().and_then(copy_of);
            let copy = self.add(node);
            if let Some(parent) = item.parent.as_ref().and_then(copy_of) {
                self.nodes[parent].take(copy, donor.bytes, item);
            }
        }
        copy_of(&gift).unwrap_or(first)
    }

    /// The stream; `None` when it takes more than `limit` bytes.
    ///
    /// Each container is written once. Where it is reached again, or a reference is reached before what it means, they
    /// change places: the object comes first.
    pub(crate) fn write(&self, limit: usize) -> Option<Vec<u8>> {
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

/// A whole stream that can give its objects to a draft. Few of them are given, so it is not taken apart.
pub(crate) struct Donor<'b> {
    pub(crate) bytes: &'b [u8],
    items: Vec<Item>,
    /// Made when a reference is given away.
    named: OnceCell<Named>,
}

impl<'b> Donor<'b> {
    /// `None` when the stream breaks off.
    pub(crate) fn read(bytes: &'b [u8]) -> Option<Donor<'b>> {
        let skimmed = skim(bytes);
        skimmed.complete.then_some(Donor { bytes, items: skimmed.items, named: OnceCell::new() })
    }

    /// The number of its objects; the first, 0, is the whole stream. At least 1.
    pub(crate) fn size(&self) -> usize {
        self.items.len()
    }

    /// The object, all below it, and what the references among them mean, in the order of the stream.
    fn held(&self, gift: usize) -> Vec<usize> {
        let below = |id: usize| id..self.items.partition_point(|item| item.at < self.items[id].end);
        if !below(gift).any(|id| self.target(id).is_some()) {
            return below(gift).collect();
        }
        let mut held = vec![false; self.items.len()];
        let mut open = vec![gift];
        while let Some(outer) = open.pop() {
            for id in below(outer) {
                held[id] = true;
                open.extend(self.target(id).filter(|target| !std::mem::replace(&mut held[*target], true)));
            }
        }
        (0..held.len()).filter(|id| held[*id]).collect()
    }

    /// What a reference means; it is an earlier object.
    fn target(&self, id: usize) -> Option<usize> {
        let item = &self.items[id];
        if !matches!(item.code, b'r' | b'R') {
            return None;
        }
        let named = self.named.get_or_init(|| {
            let mut named = Named::default();
            self.items.iter().enumerate().for_each(|(id, item)| named.add(self.bytes, item, id));
            named
        });
        named.target(self.bytes, item).filter(|target| *target < id)
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
        match size_bytes(code) {
            0 => {}
            1 => self.out.push(size[0]),
            _ => self.out.extend(size),
        }
        self.out.extend_from_slice(&node.payload);
        if node.is_container() {
            self.open.push((id, 0));
        }
    }

    fn reference(&mut self, code: u8, flag: bool, slot: u32) {
        self.out.push(if flag { code | FLAG_REF } else { code });
        self.out.extend(slot.to_le_bytes());
    }
}
