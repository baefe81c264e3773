//! The checks that CPython makes when it has read enough to build an object: hashing set members and dict keys, and the
//! code object's constructor (`Objects/codeobject.c`, `PyCode_NewWithPosOnlyArgs`, `_PyCode_Validate`, `intern_constants`).
//!
//! They are here, apart from the reader, because they look at finished values, and because this is where streams exist
//! that CPython does not survive.

use crate::code::{CodeInts, Field, fields, flag, kind};
use crate::error::{Cause, Error, ErrorKind};
use crate::graph::{NodeId, bit};
use crate::opcode;
use crate::profile::CodeLayout;
use crate::read::Reader;

/// On the path from the object that is being hashed or walked to the one looked at.
const ON_PATH: u8 = 128;

fn type_name(code: u8) -> &'static str {
    match code {
        b'(' | b')' => "tuple",
        b'[' => "list",
        b'{' => "dict",
        b'<' => "set",
        b'>' => "frozenset",
        b'}' => "frozendict",
        b':' => "slice",
        b'c' => "code",
        _ => "object",
    }
}

/// Hashes a set member or dict key, as far as that can fail.
pub(crate) fn hashable(reader: &mut Reader, id: NodeId, key: bool, offset: usize) -> Result<(), Error> {
    let id = reader.graph.resolve(id);
    let node = reader.graph.node(id);
    if !node.has_edges() || node.code == b'>' || node.is(bit::HASHABLE) {
        return Ok(());
    }
    let whole = type_name(node.code);
    let enter = |code: u8| match code {
        b'[' | b'{' | b'<' => Err(ErrorKind::Unhashable { part: type_name(code), whole, key }),
        b'(' | b')' | b'}' | b':' | b'c' => Ok(true),
        _ => Ok(false),
    };
    let hashed = |reader: &Reader, id: NodeId, place: usize| -> Option<NodeId> {
        let (children, _) = reader.children(id);
        match reader.graph.node(id).code {
            // Of a code object's fields only the constants can be unhashable; of a dict's parts, only the values.
            b'c' => children.get(1).copied().filter(|_| place == 0),
            b'}' => children.get(2 * place + 1).copied().filter(|_| 2 * place + 2 < children.len()),
            _ => children.get(place).copied(),
        }
    };
    walk(reader, id, offset, Cause::HashOfUnfinishedTuple, bit::HASHABLE, enter, hashed)
}

/// Walks the constants of a code object like the pass that interns strings in them.
fn finite(reader: &mut Reader, consts: NodeId, offset: usize) -> Result<(), Error> {
    let enter = |code: u8| Ok(matches!(code, b'(' | b')' | b'>'));
    let last_first = |reader: &Reader, id: NodeId, place: usize| -> Option<NodeId> {
        let (children, size) = reader.children(id);
        size.checked_sub(place + 1).and_then(|i| children.get(i)).copied()
    };
    walk(reader, consts, offset, Cause::ConstantsContainThemselves, bit::FINITE, enter, last_first)
}

/// A depth-first walk that fails with `cause` where it meets itself or a missing item of an unfinished tuple.
fn walk(
    reader: &mut Reader,
    id: NodeId,
    offset: usize,
    cause: Cause,
    known: u8,
    enter: impl Fn(u8) -> Result<bool, ErrorKind>,
    child: impl Fn(&Reader, NodeId, usize) -> Option<NodeId>,
) -> Result<(), Error> {
    let mut path: Vec<(NodeId, usize)> = Vec::new();
    let mut next = Some(id);
    loop {
        if let Some(id) = next {
            let id = reader.graph.resolve(id);
            let node = reader.graph.node(id);
            if enter(node.code).map_err(|kind| Error::new(kind, offset))? && !node.is(known) {
                if node.is(ON_PATH) {
                    return reader.undefined(cause, offset);
                }
                reader.graph.nodes[id.at()].bits |= ON_PATH;
                path.push((id, 0));
            }
        }
        let Some((id, place)) = path.last_mut() else { return Ok(()) };
        next = child(reader, *id, *place);
        *place += 1;
        if next.is_none() {
            let node = &mut reader.graph.nodes[id.at()];
            if node.is(bit::UNFINISHED) {
                return reader.undefined(cause, offset);
            }
            node.bits = node.bits & !ON_PATH | known;
            path.pop();
        }
    }
}

/// Checks the fields of a code object, which are the reader's pending children from `base`.
pub(crate) fn code(reader: &mut Reader, base: usize, offset: usize) -> Result<(), Error> {
    let layout = reader.layout();
    let objects: Vec<NodeId> = reader.pending[base..].iter().map(|&id| reader.graph.resolve(id)).collect();
    let object = |field: Field| fields(layout).iter().position(|f| *f == field).map(|i| objects[i]);
    let ints = reader
        .frames
        .last()
        .map_or(CodeInts::default(), |f| reader.graph.ints[reader.graph.node(f.node).extra as usize]);

    check_types(reader, &objects, ints).map_err(|field| Error::new(ErrorKind::CodeField(field), offset))?;

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

    if layout == CodeLayout::Python311 {
        let bytes = |field| object(field).map_or(&[][..], |id| reader.graph.payload(reader.graph.node(id)));
        let code_bytes = bytes(Field::Code);
        if code_bytes.len() % 2 != 0 {
            return Err(Error::new(ErrorKind::CodeOdd, offset));
        }
        if !fits(bytes(Field::Localspluskinds).iter().filter(|k| *k & kind::LOCAL != 0).count()) {
            return Err(Error::new(ErrorKind::CodeVarnames, offset));
        }
        let kills = opcode::kills_on_load(code_bytes, reader.profile);
        check_names(reader, object(Field::Names), offset)?;
        finite(reader, objects[1], offset)?;
        check_names(reader, object(Field::Localsplusnames), offset)?;
        return if kills { reader.undefined(Cause::InstrumentedOpcode, offset) } else { Ok(()) };
    }
    for field in [Field::Names, Field::Varnames, Field::Freevars, Field::Cellvars] {
        check_names(reader, object(field), offset)?;
    }
    finite(reader, objects[1], offset)?;
    let varnames = object(Field::Varnames).map_or(0, |id| reader.children(id).1);
    if reader.profile.checks_varnames() && !fits(varnames) {
        return Err(Error::new(ErrorKind::CodeVarnames, offset));
    }
    Ok(())
}

/// The checks that end in `bad argument to internal function`; `Err` names the first field at fault.
fn check_types(reader: &Reader, objects: &[NodeId], ints: CodeInts) -> Result<(), &'static str> {
    let profile = reader.profile;
    let python2 = profile.is_python2();
    if ints.argcount < 0 {
        return Err("argcount");
    }
    if ints.kwonlyargcount < 0 {
        return Err("kwonlyargcount");
    }
    if ints.nlocals < 0 {
        return Err("nlocals");
    }
    if profile.checks_code_signs() {
        if ints.posonlyargcount < 0 || ints.posonlyargcount > ints.argcount {
            return Err("posonlyargcount");
        }
        if ints.stacksize < 0 {
            return Err("stacksize");
        }
        if ints.flags < 0 {
            return Err("flags");
        }
    }
    let mut sizes = [0; 2];
    for (&field, &id) in fields(reader.layout()).iter().zip(objects) {
        let node = reader.graph.node(id);
        let bytes = node.code == b's' || python2 && node.code == b't';
        let text = matches!(node.code, b'u' | b't' | b'a' | b'A' | b'z' | b'Z');
        let tuple = matches!(node.code, b'(' | b')');
        let good = match field {
            // A unicode object of 2.7 can be read as a buffer.
            Field::Code => bytes || python2 && node.code == b'u',
            Field::Localspluskinds | Field::Lnotab | Field::Linetable | Field::Exceptiontable => bytes,
            Field::Filename | Field::Name | Field::Qualname => {
                if python2 {
                    bytes
                } else {
                    text
                }
            }
            _ => tuple,
        };
        if !good {
            return Err(field.name());
        }
        match field {
            Field::Localsplusnames => sizes[0] = reader.children(id).1,
            Field::Localspluskinds => sizes[1] = node.len as usize,
            _ => {}
        }
    }
    if sizes[0] != sizes[1] { Err("localspluskinds") } else { Ok(()) }
}

/// All items of a tuple of names are strings.
fn check_names(reader: &Reader, names: Option<NodeId>, offset: usize) -> Result<(), Error> {
    let Some(names) = names else { return Ok(()) };
    let python2 = reader.profile.is_python2();
    let (items, size) = reader.children(names);
    let is_string = |id: &NodeId| match reader.graph.node(reader.graph.resolve(*id)).code {
        b's' => python2,
        b't' => true,
        b'u' | b'a' | b'A' | b'z' | b'Z' => !python2,
        _ => false,
    };
    if items.len() == size && items.iter().all(is_string) {
        Ok(())
    } else if reader.profile.non_string_name_aborts() {
        reader.undefined(Cause::NonStringNameAborts, offset)
    } else {
        Err(Error::new(ErrorKind::CodeName, offset))
    }
}
