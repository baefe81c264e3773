//! Mutations of whole objects: counts fit, and references mean what they meant, unless that is what is changed.

use super::STOCK;
use crate::generators::draft::{Donor, Draft, Node, is_dict};
use crate::generators::luck::Luck;
use crate::generators::spell::spellings;
use arbitrary::Unstructured;

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Move {
    /// A small object takes its place.
    Replace,
    /// An object of the other stream takes its place, or stands beside it.
    Splice,
    /// A copy of another object takes its place.
    Copy,
    /// It and another one change places.
    Swap,
    /// A copy of it stands beside it (in a dict: of its pair).
    Duplicate,
    /// It is gone (in a dict: its pair).
    Remove,
    /// There is a container around it.
    Wrap,
    /// One of its items takes its place.
    Unwrap,
    /// It has as many items or bytes as make a difference somewhere.
    Resize,
    /// It holds a number at which something changes.
    Number,
    /// It is a reference, and means another object.
    Retarget,
    /// A reference to an earlier object, perhaps to one around it, takes its place.
    Refer,
    /// It is a reference, and a copy of what it means takes its place.
    Unshare,
    /// Its flag is toggled.
    Flag,
    /// It is written in another encoding.
    Respell,
}

impl Move {
    /// The cheapest first: it is what a tape that has run out asks for.
    pub(super) const ALL: [Move; 15] = [
        Move::Replace,
        Move::Splice,
        Move::Copy,
        Move::Swap,
        Move::Duplicate,
        Move::Remove,
        Move::Wrap,
        Move::Unwrap,
        Move::Resize,
        Move::Number,
        Move::Retarget,
        Move::Refer,
        Move::Unshare,
        Move::Flag,
        Move::Respell,
    ];
}

/// Numbers at which something changes.
const NUMBERS: [i32; 13] = [0, 1, -1, 2, -5, -6, 255, 256, 257, 0x7fff, 0x8000, i32::MAX, i32::MIN];

/// Containers of one item, and how many `None` come before and after it.
const WRAPPERS: [(u8, usize, usize); 8] =
    [(b'[', 0, 0), (b'(', 0, 0), (b')', 0, 0), (b'{', 1, 0), (b'{', 0, 1), (b'<', 0, 0), (b'>', 0, 0), (b':', 0, 2)];

/// `None` when the stream has no object for it.
pub(super) fn apply<'b>(of: Move, u: &mut Unstructured<'_>, draft: &mut Draft<'b>, other: &'b [u8]) -> Option<()> {
    match of {
        Move::Replace => {
            let old = find(u, draft, |_, _| true)?;
            let new = draft.splice(&Donor::read(u.pick(&STOCK))?, 0);
            draft.put(old, new);
        }
        Move::Splice => splice(u, draft, &Donor::read(other)?)?,
        Move::Copy => {
            let (old, original) = (find(u, draft, |_, _| true)?, find(u, draft, |_, _| true)?);
            let new = draft.copy(original);
            draft.put(old, new);
        }
        Move::Swap => {
            let one = find(u, draft, |_, _| true)?;
            let related = draft.related(one);
            let another = find(u, draft, |id, _| !related[id])?;
            draft.put(one, another);
            draft.put(another, one);
        }
        Move::Duplicate => {
            let (owner, range) = pair(draft, find(u, draft, |id, _| pair(draft, id).is_some())?)?;
            let items = draft.nodes[owner].items[range.clone()].to_vec();
            let copies: Vec<usize> = items.into_iter().map(|item| draft.copy(item)).collect();
            draft.nodes[owner].items.splice(range.end..range.end, copies);
        }
        Move::Remove => {
            let (owner, range) = pair(draft, find(u, draft, |id, _| pair(draft, id).is_some())?)?;
            draft.nodes[owner].items.drain(range);
        }
        Move::Wrap => {
            let inner = find(u, draft, |_, _| true)?;
            let (code, before, after) = u.pick(&WRAPPERS);
            let mut items: Vec<usize> =
                (0..before + after).map(|_| draft.add(Node::leaf(b'N', b"".as_slice()))).collect();
            items.insert(before, inner);
            let flag = draft.nodes[inner].flag;
            let outer = draft.add(Node { flag, ..Node::container(code, items) });
            draft.put(inner, outer);
        }
        Move::Unwrap => {
            let outer = find(u, draft, |_, node| !node.items.is_empty())?;
            let inner = u.pick(&draft.nodes[outer].items);
            draft.put(outer, inner);
        }
        Move::Resize => {
            let id = find(u, draft, |_, node| node.is_string() || node.is_sized())?;
            resize(u, draft, id);
        }
        Move::Number => {
            let id = find(u, draft, |_, node| b"ic".contains(&node.code) && node.payload.len() >= 4)?;
            let payload = draft.nodes[id].payload.to_mut();
            let at = 4 * u.index(payload.len() / 4);
            payload[at..at + 4].copy_from_slice(&u.pick(&NUMBERS).to_le_bytes());
        }
        Move::Retarget => {
            let id = find(u, draft, |_, node| node.target.is_some())?;
            let (code, old) = (draft.nodes[id].code, draft.nodes[id].target);
            let new = find(u, draft, |new, node| new < id && Some(new) != old && can_be_meant(code, node))?;
            draft.nodes[new].flag |= code == b'r';
            draft.nodes[id].target = Some(new);
        }
        Move::Refer => {
            let code = if draft.python2 { b'R' } else { b'r' };
            let old = find(u, draft, |id, node| id > 0 && node.target.is_none())?;
            let meant = find(u, draft, |id, node| id < old && can_be_meant(code, node))?;
            draft.nodes[meant].flag |= code == b'r';
            let new = draft.add(Node::reference(code, meant));
            draft.put(old, new);
        }
        Move::Unshare => {
            let old = find(u, draft, |id, node| node.target.is_some_and(|target| !draft.holds(target, id)))?;
            let new = draft.copy(draft.nodes[old].target?);
            draft.put(old, new);
        }
        Move::Flag if draft.python2 => return None,
        Move::Flag => {
            let meant = draft.meant();
            let id = find(u, draft, |id, node| !meant[id] && !b"0R".contains(&node.code))?;
            draft.nodes[id].flag ^= true;
        }
        Move::Respell => respell(u, draft)?,
    }
    Some(())
}

/// Puts an object of the donor in the place of one of the draft, or beside it. Can be done again and again.
pub(super) fn splice<'b>(u: &mut Unstructured<'_>, draft: &mut Draft<'b>, donor: &Donor<'b>) -> Option<()> {
    let gift = u.index(donor.size());
    let place = find(u, draft, |_, _| true)?;
    let new = draft.splice(donor, gift);
    match pair(draft, place).filter(|_| u.below(2) == 0) {
        Some((owner, range)) if !is_dict(draft.nodes[owner].code) => {
            draft.nodes[owner].items.insert(range.end, new);
        }
        _ => draft.put(place, new),
    }
    Some(())
}

/// Writes one object in another encoding of the same value.
fn respell(u: &mut Unstructured<'_>, draft: &mut Draft<'_>) -> Option<()> {
    /// What is interned is the same value, except that constants of code objects that are equal then become one object.
    const PAIRS: [(u8, u8); 3] = [(b'z', b'Z'), (b'a', b'A'), (b'u', b't')];
    let python2 = draft.python2;
    let meant = draft.meant();
    let codes = draft.nodes.iter().any(|node| node.code == b'c');
    let others = |node: &Node| spellings(python2, node).len() > 1;
    let id = find(u, draft, |id, node| others(node) || python2 && !codes && b"st".contains(&node.code) && !meant[id])?;
    let node = &mut draft.nodes[id];
    if python2 && b"st".contains(&node.code) {
        node.code ^= b's' ^ b't';
        return Some(());
    }
    let (old, mut spellings) = (node.code, spellings(python2, node));
    if spellings.len() > 1 {
        spellings.retain(|(code, _)| *code != old);
    }
    (node.code, node.payload) = spellings.swap_remove(u.index(spellings.len()));
    if !python2 && !codes && u.one_in(4) {
        let twin = |(a, b)| if a == node.code { Some(b) } else { (b == node.code).then_some(a) };
        node.code = PAIRS.into_iter().find_map(twin).unwrap_or(node.code);
    }
    Some(())
}

/// Sizes where an encoding changes: of a string, or of a container, whose items are repeated.
fn resize<'b>(u: &mut Unstructured<'_>, draft: &mut Draft<'b>, id: usize) {
    let size = u.pick(&[0, 1, 255, 256]);
    let node = &draft.nodes[id];
    if node.is_string() {
        let size = if u.one_in(8) { 65535 } else { size };
        let unit: &[u8] = if node.payload.is_empty() || !node.payload.is_ascii() { b"a" } else { &node.payload };
        let resized: Vec<u8> = unit.iter().copied().cycle().take(size).collect();
        draft.nodes[id].payload = resized.into();
        return;
    }
    let size = if is_dict(node.code) { 2 * size } else { size };
    let mut items = node.items.clone();
    items.truncate(size);
    let old = items.len();
    for place in old..size {
        let again = if is_dict(draft.nodes[id].code) && place % 2 == 0 {
            let number = u32::try_from(place).unwrap_or(0).to_le_bytes();
            Node::leaf(b'i', number.to_vec())
        } else {
            again(draft, (old > 0).then(|| items[place % old]))
        };
        items.push(draft.add(again));
    }
    draft.nodes[id].items = items;
}

/// The same once more: another scalar, a reference to a container that can be referred to, else `None`.
fn again<'b>(draft: &Draft<'b>, id: Option<usize>) -> Node<'b> {
    match id.map(|id| (id, &draft.nodes[id])) {
        Some((id, node)) if node.is_container() && node.flag => Node::reference(b'r', id),
        Some((_, node)) if !node.is_container() => node.clone(),
        _ => Node::leaf(b'N', b"".as_slice()),
    }
}

/// Whether a reference of this type can mean the object.
fn can_be_meant(code: u8, node: &Node<'_>) -> bool {
    if code == b'R' { node.code == b't' } else { node.can_have_slot() }
}

/// The container that an object was read in, and the places that belong together there, if it can have more or fewer.
fn pair(draft: &Draft<'_>, id: usize) -> Option<(usize, std::ops::Range<usize>)> {
    let (owner, place) = draft.nodes[id].owner?;
    let node = &draft.nodes[owner];
    let range = if is_dict(node.code) { place & !1..((place | 1) + 1).min(node.items.len()) } else { place..place + 1 };
    node.is_sized().then_some((owner, range))
}

/// An object that `wanted` likes; each has the same chance when all are liked.
fn find(u: &mut Unstructured<'_>, draft: &Draft<'_>, wanted: impl Fn(usize, &Node<'_>) -> bool) -> Option<usize> {
    if draft.nodes.is_empty() {
        return None;
    }
    let start = u.index(draft.nodes.len());
    (start..draft.nodes.len()).chain(0..start).find(|id| wanted(*id, &draft.nodes[*id]))
}
