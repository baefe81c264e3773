//! Makes a document of a graph.

use super::share::Walk;
use super::symbols::{Index, default_name, name_bits};
use super::together::{Context, Fields};
use super::{Block, Container, Document, Extra, Item, Op, Signature, Symbol, ValueId, Values};
use crate::bytecode::{Assembly, Body, InstructionSet, Operand, Step, StepArgument};
use crate::code::{self, CodeInts, Field, flag};
use crate::graph::{Graph, NodeId, Value, bit};
use crate::prelude::*;
use crate::profile::Profile;
use crate::pyc::Pyc;
use alloc::collections::{BTreeMap, BTreeSet};

/// A value is written out where it is referred to if it has no more bytes. (Others are anchors.)
const WRITTEN_OUT: usize = 4096;

/// A constant or a name with more bytes is written out for the first instruction that has it only.
const REPEATED: usize = 256;

/// No label is longer, but for the number behind it.
const LONGEST_LABEL: usize = 60;

impl Document {
    /// The document that says all of this: the bytes in front of a stream, what was read from it, and what follows it.
    #[must_use]
    pub fn of(header: &[u8], graph: &Graph<'_>, trailing: &[u8], profile: &Profile) -> Document {
        let mut document = Document::new(profile);
        document.container = match Pyc::parse(header) {
            _ if header.is_empty() => Container::Bare,
            Ok(pyc) if pyc.profile().version == profile.version && pyc.payload.is_empty() => Container::Pyc(pyc.header),
            _ => Container::Other(header.to_vec()),
        };
        document.trailing = trailing.to_vec();
        let Some((value_of, codes)) = values(graph, &mut document.values) else {
            document.stream = Some(graph.write().unwrap_or_default());
            return document;
        };
        let root = value_of[graph.root().at()];
        document.root = (*document.values.item(root) != Item::Code(0)).then_some(root);
        let taken = Taken { graph, value_of: &value_of, profile };
        let mut labels = BTreeSet::new();
        let paths = paths(graph, &codes, &taken, &document.values, &mut labels);
        document.blocks = paths.iter().map(|label| Block::new(label)).collect();
        let mut fields: Vec<Fields> = Vec::new();
        for (place, &id) in codes.iter().enumerate() {
            let Value::Code(code) = graph.value(id) else { continue };
            document.take(place, &code, &taken);
            let parts = code.objects().map(|(_, id)| value_of[id.at()]).collect();
            fields.push(Fields { ints: code.ints(), parts });
        }
        document.leave_out(&fields);
        let walk = Walk::new(&document.values, &fields, &document.marks, &document.blocks, Some(graph));
        // What a graph holds can be written.
        let Ok((_, marks)) = walk.run(root) else {
            document.stream = Some(graph.write().unwrap_or_default());
            return document;
        };
        let mut marks = marks.into_iter();
        document.marks = marks.next().unwrap_or_default();
        for (block, marks) in document.blocks.iter_mut().zip(marks) {
            block.marks = marks;
        }
        document
    }

    /// Fills a block with what the code object says; what follows from the rest is still there.
    fn take(&mut self, place: usize, code: &code::Code<'_>, taken: &Taken<'_, '_>) {
        let values = &mut self.values;
        let profile = taken.profile;
        let body = Body::new(taken.graph, code, profile);
        let assembly = Assembly::of(&body, profile);
        let value = |field| code.object(field).map(|id| taken.value_of[id.at()]);
        let block = &mut self.blocks[place];
        let ints = code.ints();
        block.line = ints.firstlineno;
        block.name = value(Field::Name);
        block.qualname = value(Field::Qualname);
        block.filename = value(Field::Filename);
        let variables = Variables::of(&body, code, taken, values);
        variables.describe(block, ints, profile);
        block.flags = Some(ints.flags);
        block.stacksize = Some(ints.stacksize);
        block.nlocals = Some(ints.nlocals);
        let consts = Index::new(taken.ids(body.consts).into_iter().map(Some).collect(), false);
        let names = Index::new(taken.texts(body.names, values), false);
        let mut symbols = Symbols {
            set: InstructionSet::of(profile),
            consts: &consts,
            names: &names,
            locals: &variables.locals,
            free: &variables.free,
            values,
            uses: Default::default(),
        };
        block.ops = assembly.steps.iter().map(|step| symbols.op(step)).collect();
        let [used_consts, used_names, used_locals] = symbols.uses;
        block.consts = Some(consts.known()[..consts.said(&used_consts)].to_vec());
        block.names = names.known();
        block.names.truncate(names.said(&used_names));
        let arguments = block.signature.names().count();
        let said = variables.said(&used_locals).max(arguments);
        block.locals = variables.locals.known().get(arguments..said).unwrap_or_default().to_vec();
        block.end = assembly.end;
        block.regions.clone_from(&assembly.regions);
        extras(block, &assembly);
        let residue = assembly.residue;
        block.tail = residue.tail;
        block.last_line_pairs = residue.last_line_pairs;
        // Fields that do not follow at all.
        let mut keep = |field, is_kept: bool| {
            if let (Some(value), true) = (value(field), is_kept) {
                block.fields.push((field, value));
            }
        };
        keep(Field::Code, residue.code.is_some());
        keep(Field::Lnotab, residue.line_table.is_some());
        keep(Field::Linetable, residue.line_table.is_some());
        keep(Field::Exceptiontable, residue.exception_table.is_some());
        if residue.code.is_some() {
            block.ops.clear();
            block.tail.clear();
            block.end = None;
            block.regions.clear();
            block.last_line_pairs.clear();
            block.consts = Some(consts.known());
            block.names = names.known();
            block.locals = variables.locals.known().get(arguments..variables.locals_end).unwrap_or_default().to_vec();
        }
        if residue.line_table.is_some() {
            block.ops.iter_mut().for_each(|op| op.place = Default::default());
        }
    }

    /// Leaves out of the blocks what follows from the rest, and says what does not.
    fn leave_out(&mut self, actual: &[Fields]) {
        for (place, fields) in actual.iter().enumerate() {
            self.leave_out_consts(place);
            let layout = code::fields(self.profile().code_layout);
            let find = |field| layout.iter().position(|known| *known == field);
            // Lists that are not made of texts and values alone.
            for field in [Field::Consts, Field::Names, Field::Varnames, Field::Cellvars, Field::Freevars] {
                let Some(at) = find(field) else { continue };
                let is_same = self.list(place, field) == Some(fields.parts[at]);
                if !is_same {
                    self.blocks[place].fields.push((field, fields.parts[at]));
                }
            }
            if let (Some(names), Some(kinds)) = (find(Field::Localsplusnames), find(Field::Localspluskinds)) {
                let is_same =
                    self.localsplus(place).is_some_and(|both| both == (fields.parts[names], fields.parts[kinds]));
                if !is_same {
                    let block = &mut self.blocks[place];
                    block.fields.push((Field::Localsplusnames, fields.parts[names]));
                    block.fields.push((Field::Localspluskinds, fields.parts[kinds]));
                    block.hidden.clear();
                }
            }
            let block = &mut self.blocks[place];
            let default = block.default_flags(&self.values);
            block.flags = block.flags.filter(|flags| *flags != default);
        }
        let mut context = Context::new(self);
        for (place, fields) in actual.iter().enumerate() {
            self.leave_out_names(place, &mut context);
            let wanted = [fields.ints.argcount, fields.ints.posonlyargcount, fields.ints.kwonlyargcount];
            let block = &mut self.blocks[place];
            block.counts = (block.signature.counts() != wanted).then_some(wanted);
            let (stacksize, nlocals) = (self.blocks[place].stacksize.take(), self.blocks[place].nlocals.take());
            if let Ok(made) = self.assemble_block(place, &mut context) {
                let block = &mut self.blocks[place];
                block.stacksize = stacksize.filter(|size| *size != made.ints.stacksize);
                block.nlocals = nlocals.filter(|count| *count != made.ints.nlocals);
            } else {
                let block = &mut self.blocks[place];
                (block.stacksize, block.nlocals) = (stacksize, nlocals);
            }
            // Bytes that are the right ones in another type.
            if let Ok(made) = self.assemble_block(place, &mut context) {
                let layout = code::fields(self.profile().code_layout);
                for ((field, made), actual) in layout.iter().zip(&made.parts).zip(&fields.parts) {
                    if made != actual {
                        let block = &mut self.blocks[place];
                        block.fields.retain(|(known, _)| known != field);
                        block.fields.push((*field, *actual));
                    }
                }
            }
        }
    }

    /// The docstring, or the constants that come first anyway.
    fn leave_out_consts(&mut self, place: usize) {
        let block = &mut self.blocks[place];
        let Some(consts) = block.consts.take() else { return };
        let flags = block.flags.unwrap_or_default();
        let profile = &self.values.profile;
        let has_doc = match consts.first() {
            Some(first) if profile.flags_docstrings() => {
                flags & flag::HAS_DOCSTRING != 0 && self.values.is_text(*first)
            }
            Some(first) => profile.reserves_docstring() && flags & flag::OPTIMIZED != 0 && self.values.is_text(*first),
            None => false,
        };
        let default = if has_doc { vec![consts[0]] } else { block.default_consts(&mut self.values) };
        let all = self.all_consts(place, &consts);
        if all == self.all_consts(place, &default) {
            let block = &mut self.blocks[place];
            block.doc = has_doc.then(|| consts[0]);
            return;
        }
        self.blocks[place].consts = Some(consts);
    }

    /// The constants, if these come first.
    fn all_consts(&self, place: usize, first: &[ValueId]) -> Vec<ValueId> {
        let mut index = Index::new(first.iter().copied().map(Some).collect(), true);
        for op in &self.blocks[place].ops {
            if let Symbol::Const(value) = &op.operand {
                index.place_or_push(value);
            }
        }
        index.known()
    }

    fn leave_out_names(&mut self, place: usize, context: &mut Context) {
        let (name, filename, qualname) = {
            let block = &mut self.blocks[place];
            (block.name.take(), block.filename.take(), block.qualname.take())
        };
        let default = context.name(self, place);
        if name != Some(default) {
            self.blocks[place].name = name;
        }
        if filename != Some(context.filename(self)) {
            self.blocks[place].filename = filename;
        }
        let default = context.qualname(self, place);
        if qualname != Some(default) {
            self.blocks[place].qualname = qualname;
        }
    }
}

/// The graph that blocks are made of.
struct Taken<'t, 'a> {
    graph: &'t Graph<'a>,
    value_of: &'t [ValueId],
    profile: &'t Profile,
}

impl Taken<'_, '_> {
    fn ids(&self, nodes: &[NodeId]) -> Vec<ValueId> {
        nodes.iter().map(|node| self.value_of[node.at()]).collect()
    }

    fn texts(&self, nodes: &[NodeId], values: &Values) -> Vec<Option<String>> {
        nodes.iter().map(|node| values.text(self.value_of[node.at()])).collect()
    }
}

/// The variables of a code object.
struct Variables {
    /// What [`Operand::Local`] counts.
    locals: Index<String>,
    /// What [`Operand::Free`] counts.
    free: Index<String>,
    cells: Vec<String>,
    frees: Vec<String>,
    hidden: Vec<String>,
    /// So many of the locals are not only cells or free.
    locals_end: usize,
}

impl Variables {
    fn of(body: &Body<'_>, code: &code::Code<'_>, taken: &Taken<'_, '_>, values: &Values) -> Variables {
        let locals = Index::new(taken.texts(body.variables, values), false);
        let free = Index::new(taken.texts(&body.free, values), false);
        let texts = |ids: Vec<NodeId>| taken.texts(&ids, values).into_iter().flatten().collect::<Vec<_>>();
        let kinds = match code.object(Field::Localspluskinds).map(|id| taken.graph.value(taken.graph.resolve(id))) {
            Some(Value::Bytes(kinds)) => kinds,
            _ => &[],
        };
        let is_local = |place: usize| kinds.get(place).is_none_or(|kind| kind & code::kind::LOCAL != 0);
        let locals_end = (0..locals.items.len()).find(|place| !is_local(*place)).unwrap_or(locals.items.len());
        let with = |bit: u8| {
            let names = locals.items.iter().zip(kinds).filter(|(_, kind)| *kind & bit != 0);
            names.filter_map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        let is_new = taken.profile.has_localsplus();
        Variables {
            cells: if is_new { with(code::kind::CELL) } else { texts(code.cells(taken.graph)) },
            frees: if is_new { with(code::kind::FREE) } else { texts(code.frees(taken.graph)) },
            hidden: if is_new { with(code::kind::HIDDEN) } else { Vec::new() },
            locals,
            free,
            locals_end,
        }
    }

    /// What has to be said to come first, arguments included.
    fn said(&self, uses: &[usize]) -> usize {
        let locals = Index::new(self.locals.items[..self.locals_end].to_vec(), false);
        let is_own = |place: &usize| {
            let name = self.locals.items.get(*place).and_then(Option::as_ref);
            *place < self.locals_end
                && name.is_some_and(|name| !self.cells.contains(name) && !self.frees.contains(name))
        };
        let uses: Vec<usize> = uses.iter().copied().filter(is_own).collect();
        locals.said(&uses)
    }

    fn describe(&self, block: &mut Block, ints: CodeInts, profile: &Profile) {
        block.cells.clone_from(&self.cells);
        block.free.clone_from(&self.frees);
        block.hidden.clone_from(&self.hidden);
        let CodeInts { argcount, posonlyargcount, kwonlyargcount, flags, .. } = ints;
        let count = |number: i32| usize::try_from(number).ok();
        let bit = |bit| usize::from(flags & bit != 0);
        let (rest, keywords) = (bit(flag::VARARGS), bit(flag::VARKEYWORDS));
        let names = &self.locals.items[..self.locals_end];
        let signature = || {
            let (positional, only, keyword_only) = (count(argcount)?, count(posonlyargcount)?, count(kwonlyargcount)?);
            let all = positional.checked_add(keyword_only)?.checked_add(rest + keywords)?;
            let names: Vec<String> = names.get(..all)?.iter().cloned().collect::<Option<_>>()?;
            let mut names = names.into_iter();
            let mut take = |count| names.by_ref().take(count).collect::<Vec<_>>();
            let (first, second) = (take(positional), take(keyword_only));
            let (rest, keywords) = (take(rest).pop(), take(keywords).pop());
            let is_whole = only <= positional;
            is_whole.then_some(Signature {
                positional: first,
                positional_only: only,
                rest,
                keyword_only: second,
                keywords,
            })
        };
        block.signature = signature().unwrap_or_default();
        let _ = profile;
    }
}

/// Makes symbols of arguments, and keeps in mind which places were named.
struct Symbols<'s> {
    set: &'static InstructionSet,
    consts: &'s Index<ValueId>,
    names: &'s Index<String>,
    locals: &'s Index<String>,
    free: &'s Index<String>,
    values: &'s Values,
    /// Of constants, names, local variables.
    uses: [Vec<usize>; 3],
}

impl Symbols<'_> {
    fn op(&mut self, step: &Step) -> Op {
        let operand = match step.argument {
            StepArgument::None => Symbol::None,
            StepArgument::Jump(label) => Symbol::Jump(label),
            StepArgument::Number(number) => self.symbol(self.set.opcode(step.opcode).operand, number),
        };
        Op { label: step.label, opcode: step.opcode, operand, place: step.place, extra: None }
    }

    fn symbol(&mut self, operand: Operand, number: u32) -> Symbol {
        let raw = Symbol::Number(number);
        let at = number as usize;
        match operand {
            Operand::Const => {
                let Some(value) = self.consts.first_at(at).copied() else { return raw };
                let is_short = self.values.size(value) <= REPEATED;
                if is_short || !self.uses[0].contains(&at) {
                    self.uses[0].push(at);
                    return Symbol::Const(value);
                }
                raw
            }
            Operand::Local => match self.locals.first_at(at) {
                Some(name) if name.len() <= REPEATED => {
                    self.uses[2].push(at);
                    Symbol::Variable(name.clone())
                }
                _ => raw,
            },
            Operand::Free => match self.free.first_at(at) {
                Some(name) if name.len() <= REPEATED => Symbol::Variable(name.clone()),
                _ => raw,
            },
            Operand::LocalPair => {
                let (first, second) = (at >> 4, at & 15);
                match (self.locals.first_at(first), self.locals.first_at(second)) {
                    (Some(one), Some(two)) if one.len().max(two.len()) <= REPEATED => {
                        self.uses[2].extend([first, second]);
                        Symbol::Variables(one.clone(), two.clone())
                    }
                    _ => raw,
                }
            }
            operand => {
                let Some(bits) = name_bits(operand) else { return raw };
                match self.names.first_at(at >> bits) {
                    Some(name) if name.len() <= REPEATED => {
                        self.uses[1].push(at >> bits);
                        Symbol::Name(name.clone(), number & ((1 << bits) - 1))
                    }
                    _ => raw,
                }
            }
        }
    }
}

/// Hands the residue out to the instructions that it is of.
fn extras(block: &mut Block, assembly: &Assembly<'_>) {
    let residue = &assembly.residue;
    let mut all: BTreeMap<usize, Extra> = BTreeMap::new();
    for (step, prefixes) in &residue.prefixes {
        all.entry(*step).or_default().prefixes = Some(*prefixes);
    }
    for (step, unused) in &residue.unused {
        all.entry(*step).or_default().unused = Some(*unused);
    }
    for (step, caches) in &residue.caches {
        all.entry(*step).or_default().caches = Some(caches.clone());
    }
    for (step, pairs) in &residue.line_pairs {
        all.entry(*step).or_default().line_pairs = Some(pairs.as_flattened().to_vec());
    }
    for (step, extra) in all {
        if let Some(op) = block.ops.get_mut(step) {
            op.extra = Some(Box::new(extra));
        }
    }
}

/// Labels for code objects: the names of those around them and their own, each once.
fn paths(
    graph: &Graph<'_>,
    codes: &[NodeId],
    taken: &Taken<'_, '_>,
    values: &Values,
    labels: &mut BTreeSet<String>,
) -> Vec<String> {
    let places: BTreeMap<NodeId, usize> = codes.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let mut paths: Vec<Option<String>> = vec![None; codes.len()];
    let mut out = Vec::with_capacity(codes.len());
    for (place, &id) in codes.iter().enumerate() {
        let Value::Code(code) = graph.value(id) else { continue };
        let name = code.object(Field::Name).and_then(|id| values.text(taken.value_of[id.at()])).unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut last: String = name.chars().filter(|c| plain(*c)).take(LONGEST_LABEL / 2).collect();
        if last.is_empty() || last.starts_with(|c: char| c.is_ascii_digit()) {
            last.insert(0, '_');
        }
        let outer = paths[place].take().filter(|outer| outer != "module");
        let path = match outer {
            Some(outer) if outer.len() + last.len() < LONGEST_LABEL => format!("{outer}.{last}"),
            _ => last,
        };
        let mut label = path.clone();
        let mut number = 1;
        while !labels.insert(label.clone()) {
            number += 1;
            label = format!("{path}~{number}");
        }
        for inner in Body::new(graph, &code, taken.profile).consts {
            let inner = places.get(&graph.resolve(*inner)).filter(|inner| **inner > place);
            if let Some(inner) = inner {
                paths[*inner].get_or_insert_with(|| label.clone());
            }
        }
        debug_assert!(!default_name(&label).is_empty());
        out.push(label);
    }
    out
}

/// The value of each node, and the code objects, outer ones first. `None` if a code object or a slice is cut short.
fn values(graph: &Graph<'_>, values: &mut Values) -> Option<(Vec<ValueId>, Vec<NodeId>)> {
    let anchors = anchors(graph);
    let mut names: BTreeMap<NodeId, u32> = BTreeMap::new();
    let placeholder = values.none();
    let mut value_of = vec![placeholder; graph.len()];
    let mut codes = Vec::new();
    let mut numbers: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut stack = vec![(graph.root(), 0_usize)];
    while let Some((id, done)) = stack.pop() {
        let node = graph.node(id);
        if done == 0 {
            // It is NULL itself, wherever it is.
            if node.is(bit::CUT) {
                return None;
            }
            if let (b'c', count) = (node.code, node.len as usize) {
                if count != code::fields(graph.layout).len() {
                    return None;
                }
                numbers.insert(id, codes.len());
                codes.push(id);
            }
            if anchors.contains(&id) {
                let next = crate::graph::index(names.len()) + 1;
                names.insert(id, next);
            }
        }
        let edges = if node.has_edges() { graph.edges_of(node) } else { &[] };
        if let Some(edge) = edges.get(done) {
            stack.push((id, done + 1));
            stack.push((*edge, 0));
            continue;
        }
        let value = match (graph.value(id), node.code) {
            (Value::Ref(target), _) => match names.get(&target) {
                Some(name) => values.add(Item::Again(*name)),
                None => value_of[target.at()],
            },
            (_, b'c') => values.add(Item::Code(numbers[&id])),
            (_, code) if node.has_edges() => {
                values.add(Item::List(code, edges.iter().map(|edge| value_of[edge.at()]).collect()))
            }
            (_, b'i') => values.add(Item::Leaf(b'i', node.extra.to_le_bytes()[..node.len as usize].to_vec())),
            (_, b'l') => {
                let sign = u8::from(node.extra != 0);
                values.add(Item::Leaf(b'l', [&[sign][..], graph.payload(node)].concat()))
            }
            (_, code) => values.add(Item::Leaf(code, graph.payload(node).to_vec())),
        };
        value_of[id.at()] = match names.get(&id) {
            Some(name) => values.add(Item::Anchor(*name, value)),
            None => value,
        };
    }
    Some((value_of, codes))
}

/// The nodes that have to be named, because they are in themselves or too large to be written out again.
fn anchors(graph: &Graph<'_>) -> BTreeSet<NodeId> {
    let mut anchors = BTreeSet::new();
    // None: not done yet.
    let mut sizes: Vec<Option<usize>> = vec![None; graph.len()];
    let mut stack = vec![(graph.root(), 0_usize, 1_usize)];
    while let Some((id, done, mut size)) = stack.pop() {
        let node = graph.node(id);
        let edges = if node.has_edges() { graph.edges_of(node) } else { &[] };
        if let Some(last) = done.checked_sub(1) {
            size = size.saturating_add(sizes[edges[last].at()].unwrap_or(1));
        }
        if let Some(edge) = edges.get(done) {
            stack.push((id, done + 1, size));
            stack.push((*edge, 0, 1));
            continue;
        }
        sizes[id.at()] = Some(match graph.value(id) {
            Value::Ref(target) => match sizes[target.at()] {
                Some(size) if size <= WRITTEN_OUT && !anchors.contains(&target) => size,
                _ => {
                    anchors.insert(target);
                    1
                }
            },
            Value::Code(_) => 1,
            _ if node.has_edges() => size,
            _ => graph.payload(node).len() + 1,
        });
    }
    anchors
}
