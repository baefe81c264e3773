//! The checks that CPython makes when it has read enough to build an object: hashing set members and dict keys, and the
//! code object's constructor (`Objects/codeobject.c`, `PyCode_NewWithPosOnlyArgs`, `_PyCode_Validate`, `intern_constants`).
//!
//! They are here, apart from the reader, because they look at finished values, and because this is where streams exist
//! that CPython does not survive.

use crate::code::{self, CodeInts, Field, fields, flag};
use crate::error::{Cause, Error, ErrorKind};
use crate::graph::{Graph, Node, NodeId, Value, bit, kind, pairs};
use crate::model::equality::{As, compared_as, constant_content, scalar_content};
use crate::opcode;
use crate::prelude::*;
use crate::profile::{CodeLayout, Profile};
use crate::read::{Fault, Reader};
use alloc::collections::{BTreeMap, BTreeSet};

/// On the path from the object that is being hashed or walked to the one looked at.
const ON_PATH: u8 = 128;

/// Of a container, but for frozensets, whose members are hashed already.
fn type_name(code: u8) -> &'static str {
    match code {
        b'(' | b')' => "tuple",
        b'[' => "list",
        b'{' => "dict",
        b'<' => "set",
        b'}' => "frozendict",
        b':' => "slice",
        _ => "code",
    }
}

/// Hashes a set member or dict key, as far as that can fail.
#[inline]
pub(crate) fn hashable(reader: &mut Reader, id: NodeId, key: bool, offset: usize) -> Result<(), Fault> {
    let id = reader.graph.resolve(id);
    if reader.graph.node(id).kind & kind::HASHABLE != 0 {
        return Ok(());
    }
    container_hashable(reader, id, key, offset)
}

fn container_hashable(reader: &mut Reader, id: NodeId, key: bool, offset: usize) -> Result<(), Fault> {
    let node = reader.graph.node(id);
    let whole = type_name(node.code);
    let enter = |code: u8| match code {
        b'[' | b'{' | b'<' => Err(ErrorKind::Unhashable { part: type_name(code), whole, key }),
        b'(' | b')' | b'}' | b':' | b'c' => Ok(true),
        _ => Ok(false),
    };
    // Of the frozendicts on the way.
    let mut all_replaced = BTreeMap::new();
    let hashed = |reader: &Reader, id: NodeId, place: usize| {
        let (children, _) = reader.children(id);
        Ok(match reader.graph.node(id).code {
            // Of a code object's fields only the constants can be unhashable; of a dict's parts, only the values.
            b'c' if place == 0 => children.get(1).copied(),
            b'c' => {
                instructions_hashable(reader, children)?;
                None
            }
            b'}' => {
                let replaced = all_replaced.entry(id).or_insert_with(|| replaced(&reader.graph, reader.profile, id));
                let part = replaced.get(&place).copied().unwrap_or(2 * place + 1);
                children.get(part).copied().filter(|_| 2 * place + 2 < children.len())
            }
            _ => children.get(place).copied(),
        })
    };
    let endless = match reader.profile.limits_hashes() {
        true => ErrorKind::EndlessHash,
        false => ErrorKind::Undefined(Cause::HashOfUnfinishedTuple),
    };
    walk(
        reader,
        id,
        offset,
        [endless, ErrorKind::Undefined(Cause::HashOfUnfinishedTuple)],
        bit::HASHABLE,
        enter,
        hashed,
    )
}

/// What hashing the instructions of a code object with these parts comes to, after its constants.
fn instructions_hashable(reader: &Reader, parts: &[NodeId]) -> Result<(), ErrorKind> {
    let Some(code) = parts.first().map(|code| reader.graph.node(reader.graph.resolve(*code))) else { return Ok(()) };
    let undefined = opcode::undefined_on_hash(reader.graph.payload(code), reader.profile);
    undefined.map_or(Ok(()), |cause| Err(ErrorKind::Undefined(cause)))
}

/// The pairs of a frozendict whose values later equal keys replace, and which of its parts is hashed there: the first of equal
/// keys has the value of the last one, and for the other values, which are not there any more, their keys stand in.
fn replaced(graph: &Graph, profile: &Profile, id: NodeId) -> BTreeMap<usize, usize> {
    let pairs = pairs(graph.edges_of(graph.node(id)));
    // Only containers can be without a hash.
    if pairs.chunks_exact(2).all(|pair| !graph.node(graph.resolve(pair[1])).has_edges()) {
        return BTreeMap::new();
    }
    let (mut classes, mut first, mut hashed) = (Classes::new(graph, profile), BTreeMap::new(), BTreeMap::new());
    for (place, pair) in pairs.chunks_exact(2).enumerate() {
        let first = *first.entry(classes.of(pair[0])).or_insert(place);
        if first != place {
            hashed.insert(first, 2 * place + 1);
            hashed.insert(place, 2 * place);
        }
    }
    hashed
}

/// Numbers that equal keys share. (The classes of [`crate::model::equality`] are those of objects, of which there are none before
/// all is read.)
struct Classes<'g> {
    graph: &'g Graph<'g>,
    profile: &'g Profile,
    known: BTreeMap<(NodeId, As), u32>,
    by_content: BTreeMap<Vec<u8>, u32>,
}

impl<'g> Classes<'g> {
    fn new(graph: &'g Graph<'g>, profile: &'g Profile) -> Self {
        Classes { graph, profile, known: BTreeMap::new(), by_content: BTreeMap::new() }
    }

    /// The number of a finished, hashable object. Its parts get theirs first, each once, however often it is shared.
    fn of(&mut self, key: NodeId) -> u32 {
        let key = (self.graph.resolve(key), As::Value);
        let mut open = vec![(key, false)];
        while let Some((one, has_parts)) = open.pop() {
            if self.known.contains_key(&one) {
                continue;
            }
            let parts = self.parts(one);
            if has_parts || parts.is_empty() {
                let content = self.content(one, &parts);
                let new = u32::try_from(self.by_content.len()).unwrap_or(u32::MAX);
                let class = *self.by_content.entry(content).or_insert(new);
                self.known.insert(one, class);
            } else {
                open.push((one, true));
                open.extend(parts.into_iter().map(|part| (part, false)));
            }
        }
        self.known.get(&key).copied().unwrap_or(u32::MAX)
    }

    /// What decides about equality, and what it is compared as.
    fn parts(&self, (id, r#as): (NodeId, As)) -> Vec<(NodeId, As)> {
        let part = |id: NodeId, r#as| (self.graph.resolve(id), r#as);
        match self.graph.value(id) {
            Value::Tuple(items) | Value::FrozenSet(items) | Value::Slice(items) => {
                items.iter().map(|id| part(*id, r#as)).collect()
            }
            // As a constant it is equal to itself only.
            Value::FrozenDict(items) if r#as == As::Value => items.iter().map(|id| part(*id, r#as)).collect(),
            Value::Code(code) => {
                let parts = code.objects().filter_map(|(field, id)| Some(part(id, compared_as(field)?)));
                parts.collect()
            }
            _ => Vec::new(),
        }
    }

    /// What equal objects share.
    fn content(&self, (id, r#as): (NodeId, As), parts: &[(NodeId, As)]) -> Vec<u8> {
        let classes = parts.iter().map(|part| self.known.get(part).copied().unwrap_or(u32::MAX));
        let tagged = |tag: u8, numbers: &mut dyn Iterator<Item = u32>| {
            [r#as as u8, tag].into_iter().chain(numbers.flat_map(u32::to_be_bytes)).collect()
        };
        let scalar = |value| match r#as {
            As::Value => scalar_content(value, false),
            As::Constant => constant_content(value, false),
        };
        match self.graph.value(id) {
            Value::Str(text) => tagged(b'"', &mut text.code_points()),
            Value::Tuple(_) => tagged(b'(', &mut { classes }),
            Value::Slice(_) => tagged(b':', &mut { classes }),
            Value::FrozenSet(_) => tagged(b'>', &mut classes.collect::<BTreeSet<u32>>().into_iter()),
            Value::FrozenDict(_) if r#as == As::Value => {
                let classes: Vec<u32> = classes.collect();
                let last: BTreeMap<u32, u32> = classes.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
                tagged(b'}', &mut last.into_iter().flat_map(|(key, value)| [key, value]))
            }
            Value::Code(code) => {
                let ints = code.ints();
                let counts = [ints.argcount, ints.posonlyargcount, ints.kwonlyargcount, ints.flags, ints.firstlineno];
                let mut content = tagged(b'c', &mut classes.chain(counts.map(i32::cast_unsigned)));
                let bytes = code.object(Field::Code).and_then(|id| self.graph.bytes_at(self.graph.resolve(id)));
                content.extend(opcode::shown(bytes.unwrap_or_default(), ints.flags, self.profile).unwrap_or_default());
                content
            }
            value => match scalar(value) {
                Some(content) => [&[r#as as u8][..], &content].concat(),
                None => tagged(b'@', &mut core::iter::once(id.0)),
            },
        }
    }
}

/// Walks the constants of a code object like the pass that interns strings in them.
fn finite(reader: &mut Reader, consts: NodeId, offset: usize) -> Result<(), Fault> {
    let node = reader.graph.node(consts);
    if !node.is(bit::UNFINISHED) && node.parts & kind::TUPLE == 0 {
        return Ok(());
    }
    // What a frozenset holds was hashed, so it is finished.
    let enter = |code: u8| Ok(matches!(code, b'(' | b')'));
    let last_first = |reader: &Reader, id: NodeId, place: usize| {
        let (children, size) = reader.children(id);
        Ok(size.checked_sub(place + 1).and_then(|i| children.get(i)).copied())
    };
    let endless = || ErrorKind::Undefined(Cause::ConstantsContainThemselves);
    walk(reader, consts, offset, [endless(), endless()], bit::FINITE, enter, last_first)
}

/// A depth-first walk that fails in one way where it meets itself, in the other at a missing item of an unfinished tuple, and
/// as `enter` and `child` say.
fn walk(
    reader: &mut Reader,
    id: NodeId,
    offset: usize,
    [endless, unfinished]: [ErrorKind; 2],
    known: u8,
    enter: impl Fn(u8) -> Result<bool, ErrorKind>,
    mut child: impl FnMut(&Reader, NodeId, usize) -> Result<Option<NodeId>, ErrorKind>,
) -> Result<(), Fault> {
    let mut path = core::mem::take(reader.path);
    path.clear();
    let mut next = Some(id);
    loop {
        if let Some(id) = next {
            let id = reader.graph.resolve(id);
            let node = reader.graph.node(id);
            if enter(node.code).map_err(|kind| Error::new(kind, offset))? && !node.is(known) {
                if node.is(ON_PATH) {
                    return reader.fail(endless, offset);
                }
                reader.graph.nodes[id.at()].bits |= ON_PATH;
                path.push((id, 0));
            }
        }
        let Some((id, place)) = path.last_mut() else { break };
        next = child(reader, *id, *place as usize).map_err(|kind| Error::new(kind, offset))?;
        *place += 1;
        if next.is_none() {
            let node = &mut reader.graph.nodes[id.at()];
            if node.is(bit::UNFINISHED) {
                return reader.fail(unfinished, offset);
            }
            node.bits = node.bits & !ON_PATH | known;
            path.pop();
        }
    }
    *reader.path = path;
    Ok(())
}

/// The objects of a code object, resolved; what the layout has no place for is not used.
type Objects = [NodeId; 10];

/// Where in the input a string begins; none for what is something else.
fn text_offset(node: Node) -> Option<usize> {
    let before = match node.code {
        b's' | b't' | b'u' | b'a' | b'A' => 5,
        b'z' | b'Z' => 2,
        _ => return None,
    };
    (node.start as usize).checked_sub(before)
}

/// Checks the fields of a code object: its integers, and its objects, which are the reader's pending children from `base`.
pub(crate) fn code(reader: &mut Reader, ints: CodeInts, base: usize, offset: usize) -> Result<(), Fault> {
    let layout = reader.layout();
    let expected: &[u8] = match layout {
        CodeLayout::Python27 => &OBJECTS_OF_PYTHON2,
        CodeLayout::Python30 | CodeLayout::Python38 => &OBJECTS_BEFORE_311,
        CodeLayout::Python311 => &OBJECTS,
    };
    let mut objects: Objects = [NodeId(0); 10];
    let mut all_as_expected = true;
    let nodes = &reader.graph.nodes[..];
    for ((object, &id), &expected) in objects.iter_mut().zip(&reader.pending[base..]).zip(expected) {
        let node = nodes[id.at()];
        // What has a kind is no reference.
        let (id, kind) = if node.kind == 0 { (node.start, nodes[node.start as usize].kind) } else { (id.0, node.kind) };
        *object = NodeId(id);
        all_as_expected &= kind & expected != 0;
    }
    let mut wrong_field = wrong_int(reader.profile, ints);
    if wrong_field.is_none() && !all_as_expected {
        let is_wrong = |(id, expected): (&NodeId, &u8)| reader.graph.node(*id).kind & expected == 0;
        let place = objects.iter().zip(expected).position(is_wrong);
        wrong_field = place.map(|place| fields(layout)[place].name());
    }
    if wrong_field.is_none() && layout == CodeLayout::Python311 {
        // The tables must agree, but only once all are known to be what they should be.
        let [_, _, _, names, kinds, ..] = objects;
        let differ = reader.graph.node(names).len != reader.graph.node(kinds).len;
        wrong_field = differ.then_some("localspluskinds");
    }
    if let Some(field) = wrong_field {
        let place = fields(layout).iter().position(|it| it.name() == field);
        let offset = place.and_then(|place| text_offset(reader.graph.node(objects[place]))).unwrap_or(offset);
        return Err(Box::new(Error::new(ErrorKind::CodeField(field), offset)));
    }

    let variadic = |bit| i32::from(ints.flags & bit != 0);
    let arguments = [ints.argcount, ints.kwonlyargcount, variadic(flag::VARARGS), variadic(flag::VARKEYWORDS)];
    let fits = |locals: usize| {
        let locals = i32::try_from(locals).unwrap_or(i32::MAX);
        if reader.profile.subtracts_arguments() {
            arguments.into_iter().fold(locals, i32::wrapping_sub) >= 0
        } else {
            arguments.into_iter().map(i64::from).sum::<i64>() <= i64::from(locals)
        }
    };
    let wrong = |kind| Err(Box::new(Error::new(kind, offset)));

    if layout == CodeLayout::Python311 {
        let [code, consts, names, localsplusnames, localspluskinds, ..] = objects;
        let bytes = |id| reader.graph.payload(reader.graph.node(id));
        let code_bytes = bytes(code);
        if code_bytes.len() % 2 != 0 {
            return wrong(ErrorKind::CodeOdd);
        }
        let is_local = |kind: &&u8| **kind & code::kind::LOCAL != 0;
        let kinds = bytes(localspluskinds);
        // Arguments are the first variables that a compiler writes; then the others need not be counted.
        let first = arguments.iter().map(|n| usize::try_from(*n).unwrap_or(usize::MAX)).fold(0, usize::saturating_add);
        let has_all = kinds.get(..first).is_some_and(|kinds| kinds.iter().all(|kind| is_local(&kind)));
        if !has_all && !fits(kinds.iter().filter(is_local).count()) {
            return wrong(ErrorKind::CodeVarnames);
        }
        let undefined = opcode::undefined_on_load(code_bytes, reader.profile).filter(|_| !reader.for_looks);
        check_names(reader, names, offset)?;
        finite(reader, consts, offset)?;
        check_names(reader, localsplusnames, offset)?;
        return undefined.map_or(Ok(()), |cause| reader.undefined(cause, offset));
    }
    let [_, consts, names, varnames, freevars, cellvars, ..] = objects;
    for names in [names, varnames, freevars, cellvars] {
        check_names(reader, names, offset)?;
    }
    finite(reader, consts, offset)?;
    if reader.profile.checks_varnames() && !fits(reader.graph.node(varnames).len as usize) {
        return wrong(ErrorKind::CodeVarnames);
    }
    Ok(())
}

const NAMES: u8 = kind::TUPLE | kind::FLAT_TUPLE;

/// The kinds that the objects of a code object may have, in stream order.
const OBJECTS: [u8; 10] = {
    use kind::{BYTES, TEXT};
    [BYTES, NAMES, NAMES, NAMES, BYTES, TEXT, TEXT, TEXT, BYTES, BYTES]
};
const OBJECTS_BEFORE_311: [u8; 9] = {
    use kind::{BYTES, TEXT};
    [BYTES, NAMES, NAMES, NAMES, NAMES, NAMES, TEXT, TEXT, BYTES]
};
/// A unicode object of 2.7 can be read as a buffer, so it may be co_code.
const OBJECTS_OF_PYTHON2: [u8; 9] = {
    use kind::{BYTES, TEXT};
    [BYTES | TEXT, NAMES, NAMES, NAMES, NAMES, NAMES, BYTES, BYTES, BYTES]
};

/// The first integer that ends in `bad argument to internal function`, as do objects of another kind and tables that do not
/// agree.
fn wrong_int(profile: &Profile, ints: CodeInts) -> Option<&'static str> {
    if ints.argcount < 0 {
        return Some("argcount");
    }
    if ints.kwonlyargcount < 0 {
        return Some("kwonlyargcount");
    }
    if ints.nlocals < 0 {
        return Some("nlocals");
    }
    if profile.checks_code_signs() {
        if ints.posonlyargcount < 0 || ints.posonlyargcount > ints.argcount {
            return Some("posonlyargcount");
        }
        if ints.stacksize < 0 {
            return Some("stacksize");
        }
        if ints.flags < 0 {
            return Some("flags");
        }
    }
    None
}

/// All items of a tuple of names are strings.
fn check_names(reader: &Reader, names: NodeId, offset: usize) -> Result<(), Fault> {
    let names = reader.graph.node(names);
    let is_string = if reader.profile.is_python2() { kind::BYTES } else { kind::TEXT };
    if !names.is(bit::UNFINISHED) && names.parts & !is_string == 0 {
        Ok(())
    } else if reader.profile.non_string_name_aborts() {
        reader.undefined(Cause::NonStringNameAborts, offset)
    } else {
        Err(Box::new(Error::new(ErrorKind::CodeName, offset)))
    }
}
