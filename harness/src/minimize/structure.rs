//! Steps that cut a stream at its joints; [`change`](super::change) takes them.
//!
//! An object becomes the whole stream, a simpler value, or one of its items; items, characters, digits, instructions with
//! their caches, entries of tables and variables go away; numbers become 0, encodings short, flags and what follows the end
//! disappear. Counts and references stay right (`generators::draft`), so a valid stream mostly stays valid. A stream that
//! breaks off loses objects as they stand.

use super::bytes::halves;
use super::order::TYPES;
use crate::generators::Target;
use crate::generators::codes::caches;
use crate::generators::draft::{Draft, Node, is_dict};
use crate::generators::skim::{BEFORE_LINE, FLAG_REF, Item, skim, skim_for};
use std::ops::Range;

/// In a stream of more objects than this, few things are tried with each.
const FEW: usize = 64;

/// In a stream of more objects than this, what takes away more than an object is tried with some of them.
const MANY: usize = 256;

/// In a stream of more objects than this, what can be done to many at once is all that is tried with most of them.
const DEEPEST: usize = 1024;

/// A stream of no more objects than this is also cut as one that breaks off.
const SHORT: usize = 16;

/// How far around what a reference means is looked.
const DEEP: usize = 8;

/// Integers of a code object that count arguments, at most.
pub(super) const COUNTS: usize = 3;

/// One way to make a stream simpler; the numbers are those of a draft that was read from it.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// What follows the object goes away.
    Rest,
    /// Other bytes in place of these: at the end, or in a stream that breaks off.
    Edit(Range<usize>, Vec<u8>),
    /// An object is all there is.
    Root(usize),
    /// The same for many objects.
    Every(Wide, Range<usize>),
    /// An object becomes a simple value.
    Atom(usize, Atom),
    /// All there is becomes a simple value and a reference to it.
    Twice(Atom),
    /// A pair of an object and a reference to what is in it.
    Couple(usize, usize),
    /// An object takes the place of the container around it.
    Unwrap(usize),
    /// Items, or bytes of a string, digits of a number or a table, go away.
    Drop(usize, Range<usize>),
    /// What an object says in a fixed number of bytes, or one of its integers, becomes 0.
    Zero(usize, Range<usize>),
    /// The line number of a code object becomes 0.
    Line(usize),
    /// The shortest encoding.
    Respell(usize),
    /// A short tuple in place of another container, or a short string in place of a long one.
    Shorten(usize),
    /// A dict of the items and None in place of another container.
    Dict(usize),
    /// A flag goes away.
    Unflag(usize),
    /// A reference becomes a copy of what it means.
    Unshare(usize),
    /// Every field of a code object has its plain value.
    Plain(usize),
    /// A field of a code object has its plain value.
    Field(usize, usize),
    /// Variables of a code object go away, with their kinds; and are counted no more in these of its first integers, or
    /// its flags disappear with them.
    Variables(usize, Range<usize>, usize),
    /// An item and one that comes so much later change places; 0: a pair of a dict, and the pair before it.
    Swap(usize, usize, usize),
}

impl Step {
    /// Whether it takes away what is there and puts nothing in. What is whole up to `end` does not break off.
    pub(super) fn is_cut(&self, end: usize) -> bool {
        match self {
            Step::Edit(range, by) => by.is_empty() && range.start >= end,
            Step::Every(wide, _) => matches!(wide, Wide::Alone | Wide::Unflag),
            Step::Rest | Step::Root(_) | Step::Unwrap(_) | Step::Drop(..) | Step::Variables(..) | Step::Unflag(_) => {
                true
            }
            _ => false,
        }
    }
}

/// What can be done to many objects at once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wide {
    /// Of its items only the one in which most objects are nested.
    Alone,
    /// The same, in a tuple in place of any other container.
    Chain,
    Plain,
    Nothing,
    Shorten,
    Respell,
    Unflag,
    Zero,
}

const WIDE: [Wide; 8] =
    [Wide::Alone, Wide::Chain, Wide::Plain, Wide::Nothing, Wide::Shorten, Wide::Respell, Wide::Unflag, Wide::Zero];

/// A type and what follows it; of strings and containers without their size.
pub(super) type Atom = (u8, Vec<u8>);

/// Simple values, the simplest first.
fn atoms(python2: bool) -> Vec<Atom> {
    const PLAIN: [(u8, &[u8]); 23] = [
        (b'N', b""),
        (b'T', b""),
        (b'F', b""),
        (b'.', b""),
        (b')', b""),
        (b'z', b""),
        (b'z', b"\0"),
        (b'z', b"\x80"),
        (b'z', b"\0\0"),
        (b'Z', b""),
        (b'Z', b"\0"),
        (b'Z', b"\0\0"),
        (b'(', b""),
        (b's', b""),
        (b't', b""),
        (b'[', b""),
        (b'{', b""),
        (b'i', b"\0\0\0\0"),
        (b'u', b"\xc2\x80"),
        (b'u', b"\xe0\xa0\x80"),
        (b'u', b"\xed\xa0\x80"),
        (b'u', b"\xf0\x90\x80\x80"),
        (b'g', b"\0\0\0\0\0\0\0\0"),
    ];
    // What starts with a size of one byte came with Python 3.
    let exists = |(code, _): &(u8, &[u8])| !(python2 && b")zZ".contains(code));
    PLAIN.into_iter().filter(exists).map(|(code, payload)| (code, payload.to_vec())).collect()
}

/// Floats that are unlike others: -0.0, the least, 1.0, infinity, a NaN, one with a sign, one that signals.
const FLOATS: [[u8; 8]; 7] = [
    [0, 0, 0, 0, 0, 0, 0, 0x80],
    [1, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
    [0, 0, 0, 0, 0, 0, 0xf0, 0x7f],
    [0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
    [0, 0, 0, 0, 0, 0, 0xf8, 0xff],
    [0, 0, 0, 0, 0, 1, 0xf0, 0x7f],
];

/// Texts of floats, which begin with their length.
const TEXTS: [&[u8]; 7] = [b"\x010", b"\x011", b"\x02-0", b"\x02.1", b"\x03inf", b"\x03nan", b"\x051e999"];

/// The simplest characters of each length, and a lone surrogate.
const CHARACTERS: [&[u8]; 5] = [b"\0", b"\xc2\x80", b"\xe0\xa0\x80", b"\xed\xa0\x80", b"\xf0\x90\x80\x80"];

/// Values of the same kind that say less.
fn kin(node: &Node) -> Vec<Atom> {
    let payload = &node.payload;
    match node.code {
        b'g' => {
            let texts = TEXTS.map(|text| (b'f', text.to_vec()));
            FLOATS.map(|float| (b'g', float.to_vec())).into_iter().chain(texts).collect()
        }
        b'f' => TEXTS.map(|text| (b'f', text.to_vec())).into(),
        b'y' if payload.len() == 16 => {
            let (real, imaginary) = payload.split_at(8);
            let floats = [[0; 8]].into_iter().chain(FLOATS);
            let parts = floats.flat_map(|f| [[&f[..], imaginary].concat(), [real, &f].concat()]);
            let halves = [real, imaginary].into_iter().map(|half| (b'g', half.to_vec()));
            halves.chain(parts.map(|both| (b'y', both))).collect()
        }
        b'I' => vec![(b'i', payload[..payload.len().min(4)].to_vec())],
        b'l' => {
            let counts = (1..=payload.len() / 2).take(8);
            let long = |n: usize| {
                let count = i32::try_from(n).unwrap_or(0).to_le_bytes();
                [&count[..], &vec![0; 2 * n - 1], &[1]].concat()
            };
            counts.map(|n| (b'l', long(n))).collect()
        }
        b'u' | b't' => {
            let starts: Vec<usize> = (0..payload.len()).filter(|at| payload[*at] & 0xc0 != 0x80).collect();
            let ends = starts.iter().copied().skip(1).chain([payload.len()]);
            let characters = starts.iter().copied().zip(ends).take(FEW);
            let others =
                characters.flat_map(|(from, to)| CHARACTERS.map(|c| [&payload[..from], c, &payload[to..]].concat()));
            others.map(|other| (node.code, other)).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn tuple(python2: bool) -> Atom {
    (if python2 { b'(' } else { b')' }, Vec::new())
}

/// The plain value of a field.
pub(super) fn plain(python2: bool, fields: usize, place: usize) -> Atom {
    let text = (if python2 { b's' } else { b'z' }, Vec::new());
    match (fields, place) {
        (_, 1..=3) | (9, 4 | 5) => tuple(python2),
        (9, 6 | 7) | (10, 5..=7) => text,
        _ => (b's', Vec::new()),
    }
}

/// All steps from this stream, the largest first.
pub(super) fn steps(stream: &[u8], target: Option<Target>) -> Vec<Step> {
    let Some(draft) = Draft::read(stream, target) else { return broken(stream, target) };
    let mut steps = vec![Step::Rest];
    let tails = std::iter::successors(Some(stream.len()), |length| (*length > 1).then_some(length / 2));
    steps.extend(tails.map(|length| Step::Edit(stream.len() - length..stream.len(), Vec::new())));
    // The smallest first: an object comes before those around it.
    steps.extend((1..draft.nodes.len()).rev().filter(|id| is_tried(&draft, *id)).map(Step::Root));
    let atoms = atoms(draft.python2);
    steps.extend(atoms.iter().cloned().map(Step::Twice));
    let parts = if draft.nodes.len() > MANY { SHORT } else { FEW };
    let many = halves(draft.nodes.len(), draft.nodes.len().div_ceil(parts));
    steps.extend(many.flat_map(|range| WIDE.map(|wide| Step::Every(wide, range.clone()))));
    steps.extend(couples(&draft));
    let atoms = if draft.nodes.len() <= FEW { &atoms[..] } else { &atoms[..1] };
    let ids = (0..draft.nodes.len()).filter(|id| draft.nodes.len() <= DEEPEST || is_tried(&draft, *id));
    ids.for_each(|id| of_node(&draft, id, target, atoms, &mut steps));
    if draft.nodes.len() <= SHORT {
        // But for what has nothing to do with what is there.
        steps.extend(broken(stream, target).into_iter().skip(TYPES.len()));
    } else if draft.nodes.len() > MANY {
        let skimmed = target.map_or_else(|| skim(stream), |target| skim_for(target, stream));
        steps.extend(heads(stream, &skimmed.items).map(|(range, by)| Step::Edit(range, by)));
    }
    steps
}

/// References, and the objects around what they mean that they are not in.
fn couples(draft: &Draft) -> impl Iterator<Item = Step> {
    let around = |id: usize| std::iter::successors(Some(id), |id| draft.nodes[*id].owner.map(|(owner, _)| owner));
    let references = (0..draft.nodes.len()).filter(|id| draft.nodes[*id].target.is_some()).take(FEW);
    references.flat_map(move |id| {
        let meant = draft.nodes[id].target.unwrap_or(id);
        let apart = around(meant).take_while(move |outer| around(id).all(|other| other != *outer)).take(DEEP);
        apart.map(move |outer| Step::Couple(outer, id)).collect::<Vec<_>>()
    })
}

/// Whether an object is one of those that are tried for all that is in them or around them.
fn is_tried(draft: &Draft, id: usize) -> bool {
    let tried = if draft.nodes.len() > DEEPEST { FEW } else { MANY };
    id == 1 || id.is_multiple_of(draft.nodes.len().div_ceil(tried))
}

/// Whether the object around this one is in one of the same kind, and each is all that is in the other: then it is the same
/// to take away the one or the other, and what is left out in the one can mostly be left out in the other.
fn repeats(draft: &Draft, id: usize) -> bool {
    let around = |id: usize| draft.nodes[id].owner.map(|(owner, _)| owner);
    let kind = |id: usize| (draft.nodes[id].code, draft.nodes[id].flag, draft.nodes[id].items.len());
    let owners = around(id).and_then(|inner| Some((inner, around(inner)?)));
    owners.is_some_and(|(inner, outer)| kind(inner) == kind(outer) && kind(inner).2 == 1)
}

/// Objects of a stream that breaks off, and what stands before them.
fn broken(stream: &[u8], target: Option<Target>) -> Vec<Step> {
    let skimmed = target.map_or_else(|| skim(stream), |target| skim_for(target, stream));
    let n = stream.len();
    let every = skimmed.items.len().div_ceil(MANY).max(1);
    let all = skimmed.items.iter().enumerate();
    let items: Vec<(usize, &Item)> = all.clone().step_by(every).collect();
    let starts = items.iter().map(|(_, item)| *item).chain(&skimmed.cut).rev().map(|item| (0..item.at, Vec::new()));
    let whole = items.iter().flat_map(|(_, item)| {
        let byte = stream[item.at];
        let few = [vec![], b"N".to_vec(), b"0".to_vec(), vec![0], vec![byte, 0], vec![byte, 0, 0, 0, 0]];
        let few = few.into_iter().take(if skimmed.items.len() <= FEW { 6 } else { 1 });
        few.map(|by| (item.at..item.end, by))
    });
    // What is still open when the stream ends; a few of what may be very many.
    let open: Vec<(usize, &Item)> =
        all.filter(|(_, item)| item.end == n && b"([)<>{}:c".contains(&item.code)).collect();
    let nested = halves(open.len(), open.len().div_ceil(FEW)).filter(|range| range.len() > 1);
    let nested = nested.map(|range| {
        let (first, last) = (open[range.start].1.at, open[range.end - 1].1.at);
        (first..last, vec![b'{'; range.len() - 1])
    });
    let nested: Vec<(Range<usize>, Vec<u8>)> = nested.collect();
    let open: Vec<(usize, &Item)> = open.iter().copied().step_by(open.len().div_ceil(SHORT).max(1)).collect();
    let heads_of_open = open.iter().filter(|(_, item)| item.children > 0).flat_map(|(id, item)| {
        let first = skimmed.items.get(id + 1).map_or(n, |first| first.at);
        let others = open_heads(item, stream[item.at] & FLAG_REF);
        others.into_iter().map(move |head| (item.at..first, head))
    });
    let cut = skimmed.cut.iter().chain(open.iter().map(|(_, item)| *item)).flat_map(|item| {
        let by: [&[u8]; 5] = [b")", b"{", b"{0", b")\x01", b"s\0\0\0\x01"];
        by.map(|by| (item.at..n, by.to_vec()))
    });
    let dicts = halves(skimmed.items.len(), skimmed.items.len().div_ceil(FEW));
    let dicts = dicts.filter_map(|range| heads(stream, &skimmed.items[range]));
    let bytes = items.iter().map(|(_, item)| (item.at..item.at + 1, Vec::new()));
    let python3 = target.is_none_or(|target| target.version.0 > 2);
    let many = halves(skimmed.items.len(), skimmed.items.len().div_ceil(FEW)).filter(|_| python3);
    let short = many.filter_map(|range| short_sizes(stream, &skimmed.items[range]));
    let edits = single(n)
        .chain(starts)
        .chain(nested)
        .chain(dicts)
        .chain(short)
        .chain(whole)
        .chain(heads_of_open)
        .chain(cut)
        .chain(bytes);
    let edits = edits.map(|(range, by)| Step::Edit(range, by));
    edits.chain(slots(stream, &skimmed.items)).collect()
}

/// What may stand in place of the beginning of a container that is still open when the stream ends: that of a tuple of more
/// items than are there, or of as many, and those of others.
fn open_heads(item: &Item, flag: u8) -> Vec<Vec<u8>> {
    let sizes = [1, 0].into_iter().filter_map(|more| u8::try_from(item.children + more).ok());
    let tuples = sizes.map(|size| vec![b')' | flag, size]);
    let short = b"{:}".iter().map(|code| vec![code | flag]);
    let long = b"<>[".iter().map(|code| vec![code | flag, 1, 0, 0, 0]);
    tuples.chain(short).chain(long).collect()
}

/// Objects with flags go away from a stream that breaks off, as a whole or but for what is in them, or only their flags do;
/// and later references count them no more.
fn slots(stream: &[u8], items: &[Item]) -> Vec<Step> {
    let flagged = |item: &Item| stream[item.at] & FLAG_REF != 0;
    let mut steps = Vec::new();
    for (id, item) in items.iter().enumerate().filter(|(_, item)| flagged(item)).take(FEW) {
        let inside = items[id..].iter().filter(|other| other.at < item.end && flagged(other)).count();
        let first = items.get(id + 1).map_or(item.end, |next| next.at.min(item.end));
        let cuts = [(item.at..item.end, Vec::new(), inside), (item.at..first, Vec::new(), 1)];
        let unflagged = (item.at..item.at + 1, vec![item.code], 1);
        let nothing = (item.at..item.end, b"N".to_vec(), inside);
        for (range, by, fewer) in cuts.into_iter().chain([unflagged, nothing]) {
            let mut rest = stream[range.end..].to_vec();
            for reference in items.iter().filter(|other| other.code == b'r' && other.at >= range.end) {
                let at = reference.at - range.end + 1;
                let Some(number) = rest.get_mut(at..at + 4).and_then(|bytes| bytes.first_chunk_mut::<4>()) else {
                    continue;
                };
                let meant = u32::from_le_bytes(*number);
                let is_later = meant > item.slots;
                *number =
                    (meant - if is_later { u32::try_from(fewer).unwrap_or(0).min(meant) } else { 0 }).to_le_bytes();
            }
            steps.push(Step::Edit(range.start..stream.len(), [by, rest].concat()));
        }
    }
    steps
}

/// One type and nothing else in place of a stream of so many bytes.
fn single(n: usize) -> impl Iterator<Item = (Range<usize>, Vec<u8>)> {
    TYPES.iter().map(move |code| (0..n, vec![*code]))
}

/// The part of a stream with these objects, in which each container is the start of a dict.
fn heads(stream: &[u8], items: &[Item]) -> Option<(Range<usize>, Vec<u8>)> {
    let (first, last) = (items.first()?.at, items.last()?.at);
    let mut at = first;
    let mut bytes = Vec::new();
    for item in items.iter().filter(|item| b"([<>)".contains(&item.code)) {
        let size = if item.code == b')' { 1 } else { 4 };
        bytes.extend(&stream[at..item.at]);
        bytes.push(b'{' | stream[item.at] & FLAG_REF);
        at = (item.at + 1 + size).min(last).max(item.at);
    }
    Some((first..at.max(last), [&bytes, stream.get(at..last).unwrap_or_default()].concat()))
}

/// The part of a stream with these objects, in which each container is a tuple with a size of one byte.
fn short_sizes(stream: &[u8], items: &[Item]) -> Option<(Range<usize>, Vec<u8>)> {
    let (first, last) = (items.first()?.at, items.last()?.at);
    let mut at = first;
    let mut bytes = Vec::new();
    for item in items.iter().filter(|item| b"([<>".contains(&item.code)) {
        let Some([size, 0, 0, 0]) = stream.get(item.at + 1..item.at + 5) else { continue };
        bytes.extend(&stream[at..item.at]);
        bytes.extend([b')' | stream[item.at] & FLAG_REF, *size]);
        at = item.at + 5;
    }
    Some((first..at.max(last), [&bytes, stream.get(at..last).unwrap_or_default()].concat()))
}

fn of_node(draft: &Draft, id: usize, target: Option<Target>, atoms: &[Atom], steps: &mut Vec<Step>) {
    let node = &draft.nodes[id];
    let is_few = draft.nodes.len() <= FEW;
    let atoms = if node.items.is_empty() || is_tried(draft, id) { atoms } else { &[] };
    steps.extend(atoms.iter().cloned().chain(kin(node)).map(|atom| Step::Atom(id, atom)));
    if node.flag {
        steps.push(Step::Atom(id, tuple(draft.python2)));
    }
    steps.extend((!repeats(draft, id)).then_some(Step::Unwrap(id)));
    if node.code == b'c' {
        of_code(draft, id, steps);
    }
    if !repeats(draft, id) || is_tried(draft, id) {
        drops(draft, id, target, steps);
    }
    if b"iIc".contains(&node.code) {
        steps.push(Step::Zero(id, 0..node.payload.len()));
        steps.extend((0..node.payload.len()).step_by(4).map(|from| Step::Zero(id, from..from + 4)));
    }
    if node.target.is_some() {
        steps.push(Step::Unshare(id));
    }
    let is_plain = |code: u8| b"NTF.S0r)[{<>:c".contains(&code);
    steps.extend((!is_plain(node.code)).then_some(Step::Respell(id)));
    steps.extend((!b"NTF.S0r)zig".contains(&node.code)).then_some(Step::Shorten(id)));
    if node.flag {
        steps.push(Step::Unflag(id));
    }
    // The fields of a code object have their places.
    if node.is_container() && node.code != b'c' && is_few {
        let n = node.items.len();
        steps.extend(node.is_sized().then_some(Step::Dict(id)));
        steps.extend([1, 2].into_iter().flat_map(|by| (by..n).map(move |to| Step::Swap(id, to - by, by))));
        let pairs = (2..n).step_by(2).filter(|_| is_dict(node.code));
        steps.extend(pairs.map(|to| Step::Swap(id, to, 0)));
    }
}

fn of_code(draft: &Draft, id: usize, steps: &mut Vec<Step>) {
    let node = &draft.nodes[id];
    steps.extend([Step::Plain(id), Step::Line(id)]);
    steps.extend((0..node.items.len()).map(|place| Step::Field(id, place)));
    let names = node.items.get(3).map_or(0, |names| meaning(draft, *names).items.len());
    for range in halves(names, 1) {
        let masks = if names <= 16 { 2 << COUNTS } else { 1 };
        steps.extend((0..masks).map(|mask| Step::Variables(id, range.clone(), mask)));
    }
}

/// An object, or what it refers to.
pub(super) fn meaning<'d, 'b>(draft: &'d Draft<'b>, id: usize) -> &'d Node<'b> {
    &draft.nodes[draft.nodes[id].target.unwrap_or(id)]
}

/// The parts of an object that can go away alone.
fn drops(draft: &Draft, id: usize, target: Option<Target>, steps: &mut Vec<Step>) {
    let node = &draft.nodes[id];
    if node.is_sized() {
        if is_dict(node.code) {
            steps.extend(halves(node.items.len(), 2).map(|range| Step::Drop(id, range)));
        }
        steps.extend(halves(node.items.len(), 1).map(|range| Step::Drop(id, range)));
    } else if node.is_string() {
        let field = node.owner.filter(|(owner, _)| draft.nodes[*owner].code == b'c').map(|(_, place)| place);
        match field {
            Some(0) => steps.extend(instructions(&node.payload, target).map(|range| Step::Drop(id, range))),
            Some(BEFORE_LINE..) => steps.extend(entries(&node.payload).map(|range| Step::Drop(id, range))),
            _ => {}
        }
        steps.extend(halves(node.payload.len(), 1).map(|range| Step::Drop(id, range)));
    } else {
        for digits in parts(node) {
            let least = if node.code == b'l' { 2 } else { 1 };
            let ranges = halves(digits.len(), least).map(|r| digits.start + r.start..digits.start + r.end);
            steps.extend(ranges.map(|range| Step::Drop(id, range)));
        }
    }
}

/// Instructions with their caches.
fn instructions(code: &[u8], target: Option<Target>) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    let each = std::iter::from_fn(move || {
        let from = at;
        let opcode = *code.get(from)?;
        at = code.len().min(from + 2 + 2 * target.map_or(0, |target| caches(target.version, opcode)));
        Some(from..at)
    });
    halves(code.len(), 2).chain(each)
}

/// Entries of a location table or an exception table, which begin with a byte whose highest bit is set; and pairs of
/// bytes, of which older tables are made.
fn entries(table: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let marks: Vec<usize> = (0..table.len()).filter(|at| table[*at] & 0x80 != 0).chain([table.len()]).collect();
    let each = (1..marks.len()).map(move |i| marks[i - 1]..marks[i]);
    each.chain(halves(table.len(), 2))
}

/// The texts or digits in the payload of a number.
pub(super) fn parts(node: &Node) -> Vec<Range<usize>> {
    let n = node.payload.len();
    match (node.code, node.payload.first()) {
        (b'l', _) => std::iter::once(n.min(4)..n).collect(),
        (b'f', _) => std::iter::once(n.min(1)..n).collect(),
        (b'x', Some(&real)) => {
            let end = n.min(1 + usize::from(real));
            vec![1..end, n.min(end + 1)..n]
        }
        _ => Vec::new(),
    }
}
