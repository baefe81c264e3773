//! Streams of a loaded value that no interpreter writes: no flag without a reference, equal constants as one object, sets in
//! an order of their own. They load as the same value but for the sharing of immutable objects.

use super::dump::{Rule, Writer};
use super::table::{Contents, Table};
use super::{Around, Dump, INTERNED, Loaded, NONE, Object};
use crate::error::{Cause, Exception};
use crate::graph::{Graph, NodeId, Value, index};
use crate::prelude::*;
use crate::profile::Profile;
use crate::read::Scratch;
use crate::text;
use alloc::collections::BTreeMap;
use core::ops::Range;

/// What is written as one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// What is one.
    Loaded,
    /// Equal immutable objects.
    Merged,
    /// Nothing.
    None,
}

/// What a stream of a loaded value is to look like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) sharing: Sharing,
    /// Whether the types of strings ask for interning where they did; else where a code object interns that text anyway.
    pub(crate) types_intern: bool,
    /// Whether sets are in the order of their members' plain streams.
    pub(crate) sorts_sets: bool,
    pub(crate) version: u8,
}

/// Why there is no such stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FormError {
    /// This object holds itself.
    Recursive(NodeId),
    /// It matters that this object is one, and it is in two places.
    Shared(NodeId),
    /// The format has no type for it, or it is nested too deeply.
    Raises(Exception),
    /// The value has no stream, or one that is out of all proportion.
    Undefined(Cause),
}

/// What takes no more bytes than a reference is written again.
const REFERENCE: u32 = 5;

/// An object that is being visited, and which of its parts are.
struct Visit {
    object: Object,
    next: usize,
}

/// The stream of a graph's value in this form.
pub(crate) fn stream(graph: &Graph<'_>, profile: &Profile, form: Form) -> Result<Vec<u8>, FormError> {
    let around = if form.types_intern { Around::Caller } else { Around::CallerOfUntyped };
    let mut loaded = Loaded::made(graph, profile, &mut Scratch::default(), around);
    if let Some(cause) = loaded.hazard {
        return Err(FormError::Undefined(cause));
    }
    loaded.count_places();
    if !form.types_intern {
        loaded.intern_equal_texts();
    }
    if form.sorts_sets || form.sharing != Sharing::Loaded {
        let order = loaded.inner_objects_first()?;
        Merging::new(&loaded, form).run(&mut loaded, &order)?;
    }
    if form.sharing == Sharing::None
        && let Some(shared) = loaded.shared_identity()
    {
        return Err(FormError::Shared(loaded.origin(shared)));
    }
    let rule = if form.sharing == Sharing::None { Rule::Never } else { Rule::Places };
    match loaded.written(rule, form.version).0 {
        Dump::Bytes { bytes, .. } => Ok(bytes),
        Dump::Raises(exception) => Err(FormError::Raises(exception)),
        Dump::Undefined(cause) => Err(FormError::Undefined(cause)),
        Dump::Slow(_) => Err(FormError::Undefined(Cause::Expansion)),
    }
}

impl Loaded<'_, '_> {
    /// Where the parts are that a writer writes as objects: since 3.11 `co_code` is made anew.
    fn places(&self, object: Object) -> Range<usize> {
        let all = self.span(object);
        let own = self.profile.rebuilds_code() && self.node(object).code == b'c' && !all.is_empty();
        all.start + usize::from(own)..all.end
    }

    /// All objects of the value, parts before what they are in.
    fn inner_objects_first(&self) -> Result<Vec<Object>, FormError> {
        const OPEN: u8 = 1;
        const DONE: u8 = 2;
        let mut state = vec![0_u8; self.bits.len()];
        let mut order = Vec::with_capacity(self.bits.len());
        let mut path = vec![Visit { object: self.root(), next: self.places(self.root()).start }];
        state[self.root() as usize] = OPEN;
        while let Some(visit) = path.last_mut() {
            if visit.next < self.places(visit.object).end {
                let part = self.parts[visit.next];
                visit.next += 1;
                match state[part as usize] {
                    0 => {
                        state[part as usize] = OPEN;
                        path.push(Visit { object: part, next: self.places(part).start });
                    }
                    OPEN => return Err(FormError::Recursive(self.origin(part))),
                    _ => {}
                }
            } else {
                state[visit.object as usize] = DONE;
                order.push(visit.object);
                path.pop();
            }
        }
        Ok(order)
    }

    /// Makes `owners` the number of places that each object is in.
    fn count_places(&mut self) {
        self.owners.fill(0);
        let root = self.root();
        self.owners[root as usize] = 1;
        let mut open = vec![root];
        while let Some(object) = open.pop() {
            for at in self.places(object) {
                let part = self.parts[at];
                let owners = &mut self.owners[part as usize];
                *owners += 1;
                if *owners == 1 {
                    open.push(part);
                }
            }
        }
    }

    /// Interns every string whose text a code object interns somewhere, whichever strings were one object.
    fn intern_equal_texts(&mut self) {
        let python2 = self.profile.is_python2();
        let is_text = |code: u8| match code {
            b's' | b't' if python2 => true,
            b'u' => !python2,
            _ => matches!(code, b't' | b'a' | b'A' | b'z' | b'Z'),
        };
        let texts = (0..self.bits.len()).filter(|at| self.owners[*at] > 0).map(index);
        let texts: Vec<Object> = texts.filter(|object| is_text(self.node(*object).code)).collect();
        let mut table = Table::default();
        table.begin(texts.len() / 2);
        let (interned, others): (Vec<Object>, Vec<Object>) =
            texts.into_iter().partition(|object| self.has(*object, INTERNED));
        for object in interned {
            let text = self.text(object);
            let hash = table.hash(&text);
            table.find_or_add(hash, object, |other| self.text(other) == text);
        }
        let mut replaced = BTreeMap::new();
        for object in others {
            let text = self.text(object);
            let hash = table.hash(&text);
            if let Ok(interned) = table.find(hash, |other| self.text(other) == text) {
                replaced.insert(object, interned);
            }
        }
        for object in (0..self.bits.len()).filter(|at| self.owners[*at] > 0).map(index) {
            for at in self.places(object) {
                if let Some(interned) = replaced.get(&self.parts[at]) {
                    self.parts[at] = *interned;
                }
            }
        }
        self.count_places();
    }

    /// An object in two places of which it matters that it is one.
    fn shared_identity(&self) -> Option<Object> {
        let is_shared = |(object, owners): (usize, &u32)| (*owners > 1).then(|| index(object));
        let mut shared = self.owners.iter().enumerate().filter_map(is_shared);
        shared.find(|object| matches!(self.node(*object).code, b'[' | b'<' | b'{' | b'}' | b'c'))
    }

    /// Whether equal objects of this kind may be one: it is immutable, and equal to itself.
    fn may_merge(&self, object: Object) -> bool {
        let is_nan = |bits: u64| f64::from_bits(bits).is_nan();
        let python2 = self.profile.is_python2();
        let text_is_nan = |text: &[u8]| text::parse_float(text, python2).is_none_or(is_nan);
        match self.value(object) {
            Value::Float(bits) => !is_nan(bits),
            Value::FloatText(text) => !text_is_nan(text),
            Value::Complex(real, imaginary) => !is_nan(real) && !is_nan(imaginary),
            Value::ComplexText(real, imaginary) => !text_is_nan(real) && !text_is_nan(imaginary),
            Value::List(_) | Value::Set(_) | Value::Dict(_) | Value::FrozenDict(_) | Value::Code(_) => false,
            _ => true,
        }
    }
}

/// Equal objects, by their content.
struct Merging {
    form: Form,
    /// Contents of all objects so far: plain streams of leaves, and the parts of containers.
    contents: Contents,
    /// For each of them: the first object that has it.
    first: Vec<Object>,
    /// For each object: the one that is written in its place.
    stands_for: Vec<Object>,
    /// For each object: how many bytes it takes without references, as far as that matters.
    length: Vec<u32>,
    /// How much sorting may still write.
    budget: usize,
}

impl Merging {
    fn new(loaded: &Loaded<'_, '_>, form: Form) -> Merging {
        let objects = loaded.bits.len();
        Merging {
            form,
            contents: Contents::with_room(objects / 4),
            first: Vec::new(),
            stands_for: vec![NONE; objects],
            length: vec![0; objects],
            budget: (1 << 20) + 64 * loaded.graph.consumed.max(loaded.graph.owned.len()),
        }
    }

    fn run(mut self, loaded: &mut Loaded<'_, '_>, order: &[Object]) -> Result<(), FormError> {
        for &object in order {
            self.visit(loaded, object)?;
        }
        loaded.count_places();
        if self.form.sharing == Sharing::Merged {
            for &object in order {
                if self.length[object as usize] <= REFERENCE && loaded.may_merge(object) {
                    loaded.owners[object as usize] = loaded.owners[object as usize].min(1);
                }
            }
        }
        Ok(())
    }

    /// Finds what is written in the place of an object whose parts have been visited.
    fn visit(&mut self, loaded: &mut Loaded<'_, '_>, object: Object) -> Result<(), FormError> {
        let places = loaded.places(object);
        for at in places.clone() {
            loaded.parts[at] = self.stands_for[loaded.parts[at] as usize];
        }
        let code = loaded.node(object).code;
        if self.form.sorts_sets && matches!(code, b'<' | b'>') && places.len() > 1 {
            self.sort(loaded, places.clone())?;
        }
        let at = object as usize;
        self.stands_for[at] = object;
        if self.form.sharing != Sharing::Merged || !loaded.may_merge(object) {
            self.length[at] = REFERENCE + 1;
            return Ok(());
        }
        let start = self.contents.bytes.len();
        if loaded.node(object).has_edges() {
            // The two types of tuples are one.
            let code = if code == b')' { b'(' } else { code };
            self.contents.bytes.push(code);
            self.contents.bytes.extend(loaded.parts[places.clone()].iter().flat_map(|part| part.to_le_bytes()));
            let parts = loaded.parts[places.clone()].iter().map(|part| self.length[*part as usize]);
            let own = if code == b'(' && places.len() < 256 && !loaded.profile.is_python2() { 2 } else { 5 };
            self.length[at] = parts.fold(own, u32::saturating_add);
        } else {
            let mut writer = Writer::plain(loaded);
            core::mem::swap(&mut writer.out, &mut self.contents.bytes);
            writer.add(object);
            core::mem::swap(&mut writer.out, &mut self.contents.bytes);
            self.length[at] = u32::try_from(self.contents.bytes.len() - start).unwrap_or(u32::MAX);
        }
        let number = self.contents.number(start) as usize;
        if number == self.first.len() {
            self.first.push(object);
        }
        let first = self.first[number];
        self.stands_for[at] = first;
        let interned = loaded.bits[at] & INTERNED;
        loaded.bits[first as usize] |= interned;
        Ok(())
    }

    /// Puts members into the order of their plain streams.
    fn sort(&mut self, loaded: &mut Loaded<'_, '_>, places: Range<usize>) -> Result<(), FormError> {
        let mut members: Vec<(Vec<u8>, Object)> = Vec::with_capacity(places.len());
        for at in places.clone() {
            let member = loaded.parts[at];
            let mut writer = Writer::plain(loaded);
            let is_whole = writer.add(member);
            let key = core::mem::take(&mut writer.out);
            self.budget = self.budget.checked_sub(key.len()).ok_or(FormError::Undefined(Cause::Expansion))?;
            if !is_whole {
                return Err(FormError::Undefined(Cause::Expansion));
            }
            members.push((key, member));
        }
        members.sort_by(|a, b| a.0.cmp(&b.0));
        for (at, (_, member)) in places.zip(members) {
            loaded.parts[at] = member;
        }
        Ok(())
    }
}
