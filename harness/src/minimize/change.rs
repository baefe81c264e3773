//! Takes the steps of [`structure`](super::structure): each is a change of a draft.

use super::structure::{Atom, COUNTS, Step, Wide, meaning, parts, plain, tuple};
use crate::generators::draft::{Draft, Node, is_dict};
use crate::generators::spell::spellings;
use std::borrow::Cow;
use std::ops::Range;

/// The stream after this step, whether it is simpler or not. `draft` was read from it.
///
/// `raw`: references keep their numbers, whatever these mean then.
pub(super) fn apply(step: &Step, stream: &[u8], draft: Option<&Draft>, raw: bool) -> Option<Vec<u8>> {
    if let Step::Edit(range, by) = step {
        return (!raw).then(|| [&stream[..range.start], by, &stream[range.end..]].concat());
    }
    let mut draft = draft?.clone();
    if raw {
        draft.nodes.iter_mut().for_each(|node| node.target = None);
    }
    change(step, &mut draft)?;
    draft.write(stream.len())
}

/// Whether a stream has references to what is in it.
pub(super) fn has_references(draft: Option<&Draft>) -> bool {
    draft.is_some_and(|draft| draft.nodes.iter().any(|node| node.target.is_some()))
}

fn change(step: &Step, draft: &mut Draft) -> Option<()> {
    match step.clone() {
        Step::Edit(..) => return None,
        Step::Rest => draft.rest = Cow::default(),
        Step::Root(id) => draft.root = id,
        Step::Every(wide, range) => every(draft, wide, range),
        Step::Atom(id, atom) => become_atom(draft, id, atom),
        Step::Twice((code, payload)) => {
            let trailer: &[u8] = if is_dict(code) { b"0" } else { b"" };
            let once = draft.add(Node { flag: true, trailer, ..Node::leaf(code, payload) });
            let twice = draft.add(Node::reference(if code == b't' { b'R' } else { b'r' }, once));
            draft.nodes[once].flag = !draft.python2;
            draft.root = draft.add(Node::container(tuple(draft.python2).0, vec![once, twice]));
        }
        Step::Couple(outer, id) => draft.root = draft.add(Node::container(tuple(draft.python2).0, vec![outer, id])),
        Step::Unwrap(id) => {
            let (outer, _) = draft.nodes[id].owner?;
            draft.put(outer, id);
        }
        Step::Drop(id, range) => drop_part(&mut draft.nodes[id], range)?,
        Step::Zero(id, range) => draft.nodes[id].payload.to_mut().get_mut(range)?.fill(0),
        Step::Line(id) => draft.nodes[id].trailer = b"\0\0\0\0",
        Step::Respell(id) => respell(draft, id),
        Step::Shorten(id) => shorten(draft, id)?,
        Step::Dict(id) => {
            let keys = std::mem::take(&mut draft.nodes[id].items);
            let pairs = keys.into_iter().flat_map(|key| [key, draft.add(Node::leaf(b'N', Vec::new()))]).collect();
            (draft.nodes[id].code, draft.nodes[id].items, draft.nodes[id].trailer) = (b'{', pairs, b"0");
        }
        Step::Unflag(id) => draft.nodes[id].flag = draft.meant()[id],
        Step::Unshare(id) => {
            let copy = draft.copy(draft.nodes[id].target?);
            draft.nodes[copy].flag = false;
            draft.put(id, copy);
        }
        Step::Plain(id) => make_plain(draft, id),
        Step::Field(id, place) => {
            let field = *draft.nodes[id].items.get(place)?;
            become_atom(draft, field, plain(draft.python2, draft.nodes[id].items.len(), place));
        }
        Step::Variables(id, range, mask) => drop_variables(draft, id, &range, mask)?,
        Step::Swap(id, place, 0) => {
            let items = &mut draft.nodes[id].items;
            items.swap(place - 2, place);
            if place + 1 < items.len() {
                items.swap(place - 1, place + 1);
            }
        }
        Step::Swap(id, place, by) => draft.nodes[id].items.swap(place, place + by),
    }
    Some(())
}

/// The object becomes a simple value in its place, with its slot if references mean it.
fn become_atom(draft: &mut Draft, id: usize, (code, payload): Atom) {
    let node = &draft.nodes[id];
    let trailer: &[u8] = if is_dict(code) { b"0" } else { b"" };
    let new = Node { flag: node.flag, owner: node.owner, trailer, ..Node::leaf(code, payload) };
    let is_slotless = !new.can_have_slot();
    if is_slotless {
        let new = draft.add(Node { flag: false, ..new });
        draft.put(id, new);
    } else {
        draft.nodes[id] = new;
    }
}

fn every(draft: &mut Draft, wide: Wide, range: Range<usize>) {
    let meant = draft.meant();
    let depths = if matches!(wide, Wide::Alone | Wide::Chain) { depths(draft) } else { Vec::new() };
    for id in range {
        match wide {
            Wide::Alone if draft.nodes[id].is_sized() => keep_deepest(draft, id, &depths),
            Wide::Chain if depths[id] > 1 => {
                let node = &mut draft.nodes[id];
                (node.code, node.trailer, node.payload) = (tuple(draft.python2).0, b"", Cow::default());
                keep_deepest(draft, id, &depths);
            }
            Wide::Unflag => draft.nodes[id].flag &= meant[id],
            Wide::Respell => respell(draft, id),
            Wide::Zero if b"iIgy".contains(&draft.nodes[id].code) => draft.nodes[id].payload.to_mut().fill(0),
            Wide::Plain if draft.nodes[id].code == b'c' => make_plain(draft, id),
            Wide::Nothing if !draft.nodes[id].is_container() && !meant[id] => {
                become_atom(draft, id, (b'N', Vec::new()))
            }
            // What cannot be shortened stays.
            Wide::Shorten if draft.nodes[id].code != b'c' => shorten(draft, id).unwrap_or_default(),
            _ => {}
        }
    }
}

/// How many objects are nested in each, and it.
fn depths(draft: &Draft) -> Vec<usize> {
    let mut depths = vec![1; draft.nodes.len()];
    // What is in an object comes after it.
    for id in (0..draft.nodes.len()).rev() {
        depths[id] += draft.nodes[id].items.iter().map(|item| depths[*item]).max().unwrap_or(0);
    }
    depths
}

/// Of the items of a container the deepest stays; of a dict, the pair that it is in.
fn keep_deepest(draft: &mut Draft, id: usize, depths: &[usize]) {
    let node = &mut draft.nodes[id];
    let Some(deepest) = (0..node.items.len()).rev().max_by_key(|place| depths[node.items[*place]]) else { return };
    let kept = if is_dict(node.code) { deepest & !1..(deepest | 1) + 1 } else { deepest..deepest + 1 };
    node.items = node.items.get(kept).unwrap_or(&node.items).to_vec();
}

fn respell(draft: &mut Draft, id: usize) {
    let node = &mut draft.nodes[id];
    if let Some(shortest) = spellings(draft.python2, node).into_iter().min_by_key(|(_, payload)| payload.len()) {
        (node.code, node.payload) = shortest;
    }
}

/// Another type, with a size of one byte; or of fewer bytes otherwise.
fn shorten(draft: &mut Draft, id: usize) -> Option<()> {
    let python2 = draft.python2;
    let node = &mut draft.nodes[id];
    if node.code == b':' {
        let items = node.items.clone();
        draft.nodes[id].items = items.into_iter().filter(|item| draft.nodes[*item].code != b'N').collect();
    }
    let node = &mut draft.nodes[id];
    if node.is_container() {
        (node.code, node.trailer, node.payload) = (tuple(python2).0, b"", Cow::default());
    } else if node.is_string() && !python2 && node.payload.len() < 256 {
        node.code = b'z';
    } else if node.code == b'l' {
        // The same digits, and no sign.
        let (count, _) = node.payload.to_mut().split_first_chunk_mut()?;
        *count = i32::from_le_bytes(*count).checked_abs()?.to_le_bytes();
    } else {
        return None;
    }
    Some(())
}

fn make_plain(draft: &mut Draft, id: usize) {
    let fields = draft.nodes[id].items.clone();
    draft.nodes[id].payload.to_mut().fill(0);
    draft.nodes[id].trailer = b"\0\0\0\0";
    for (place, field) in fields.iter().enumerate() {
        become_atom(draft, *field, plain(draft.python2, fields.len(), place));
    }
}

fn drop_part(node: &mut Node, range: Range<usize>) -> Option<()> {
    if node.is_container() {
        node.items.drain(range);
        return Some(());
    }
    // A number says how long it is, in its payload.
    let part = parts(node).into_iter().find(|part| part.contains(&range.start));
    let payload = node.payload.to_mut();
    payload.drain(range.clone());
    if node.code == b'l' {
        let (count, digits) = payload.split_first_chunk_mut()?;
        let n = i32::try_from(digits.len() / 2).ok()?;
        *count = (n * i32::from_le_bytes(*count).signum()).to_le_bytes();
    } else if let Some(part) = part {
        payload[part.start - 1] -= u8::try_from(range.len()).ok()?;
    }
    Some(())
}

fn drop_variables(draft: &mut Draft, id: usize, range: &Range<usize>, mask: usize) -> Option<()> {
    let fields = draft.nodes[id].items.clone();
    let mut names = meaning(draft, *fields.get(3)?).clone();
    names.items.get(range.clone())?;
    names.items.drain(range.clone());
    names.flag = false;
    let names = draft.add(names);
    draft.nodes[id].items[3] = names;
    // 3.11 has a kind for each.
    if fields.len() == 10 {
        let mut kinds = meaning(draft, fields[4]).clone();
        kinds.payload.get(range.clone())?;
        kinds.payload.to_mut().drain(range.clone());
        kinds.flag = false;
        let kinds = draft.add(kinds);
        draft.nodes[id].items[4] = kinds;
    }
    let fewer = i32::try_from(range.len()).ok()?;
    let integers = draft.nodes[id].payload.to_mut().as_chunks_mut::<4>().0;
    for (_, count) in integers.iter_mut().enumerate().take(COUNTS).filter(|(place, _)| mask >> place & 1 == 1) {
        *count = i32::from_le_bytes(*count).checked_sub(fewer).filter(|less| *less >= 0)?.to_le_bytes();
    }
    if mask >> COUNTS == 1 {
        *integers.last_mut()? = [0; 4];
    }
    Some(())
}
