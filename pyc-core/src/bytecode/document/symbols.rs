//! The lists that arguments count: what is in them first is said, what follows is in the order of its first use.

use super::{Block, Item, Signature, Values};
use crate::bytecode::Operand;
use crate::code::{Field, flag, kind};
use crate::prelude::*;
use crate::profile::Profile;
use alloc::collections::BTreeMap;

use super::ValueId;

/// A list, and the first place of each thing in it.
#[derive(Debug, Clone)]
pub(super) struct Index<T> {
    pub(super) items: Vec<Option<T>>,
    places: BTreeMap<T, usize>,
    /// Whether it takes more.
    pub(super) is_open: bool,
}

impl<T: Ord + Clone> Index<T> {
    pub(super) fn new(items: Vec<Option<T>>, is_open: bool) -> Self {
        let mut places = BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            if let Some(item) = item {
                places.entry(item.clone()).or_insert(place);
            }
        }
        Index { items, places, is_open }
    }

    /// Its first place.
    pub(super) fn place(&self, item: &T) -> Option<usize> {
        self.places.get(item).copied()
    }

    /// Its first place, at the end if it is new.
    pub(super) fn place_or_push(&mut self, item: &T) -> Option<usize> {
        if let Some(place) = self.place(item) {
            return Some(place);
        }
        if !self.is_open {
            return None;
        }
        self.places.insert(item.clone(), self.items.len());
        self.items.push(Some(item.clone()));
        Some(self.items.len() - 1)
    }

    /// What is at a place, if that is its first one.
    pub(super) fn first_at(&self, place: usize) -> Option<&T> {
        let item = self.items.get(place)?.as_ref()?;
        (self.place(item) == Some(place)).then_some(item)
    }

    /// How many have to be said to come first, if these are the places that are used by name, in order.
    pub(super) fn said(&self, uses: &[usize]) -> usize {
        let mut order = vec![None; self.items.len()];
        for (number, place) in uses.iter().enumerate() {
            order[*place].get_or_insert(number);
        }
        let mut said = self.items.len();
        let mut next = usize::MAX;
        while let Some(number) = said.checked_sub(1).and_then(|last| order[last]) {
            if number >= next || self.first_at(said - 1).is_none() {
                break;
            }
            (said, next) = (said - 1, number);
        }
        said
    }

    pub(super) fn known(&self) -> Vec<T> {
        self.items.iter().flatten().cloned().collect()
    }
}

/// How many bits of an argument are below the index of a name; `None` if there is no name in it.
pub(crate) fn name_bits(operand: Operand) -> Option<u32> {
    match operand {
        Operand::Name => Some(0),
        Operand::NameAndNull | Operand::NameAndSelf => Some(1),
        Operand::SuperName | Operand::ImportName => Some(2),
        _ => None,
    }
}

/// The name that a label stands for.
pub(crate) fn default_name(label: &str) -> String {
    let last = label.rsplit('.').next().unwrap_or_default();
    let last = last.split('~').next().unwrap_or_default();
    match last {
        "module" | "lambda" | "listcomp" | "dictcomp" | "setcomp" | "genexpr" => format!("<{last}>"),
        _ => last.to_string(),
    }
}

impl Block {
    /// `co_name` as text; empty if it is none.
    pub(crate) fn name_text(&self, values: &Values) -> String {
        match self.name {
            Some(name) => values.text(name).unwrap_or_default(),
            None => default_name(&self.label),
        }
    }

    /// `co_flags` as they follow.
    pub(crate) fn default_flags(&self, values: &Values) -> i32 {
        let mut flags = match self.name_text(values).as_str() {
            "<module>" => 0,
            _ => flag::OPTIMIZED | flag::NEWLOCALS,
        };
        let Signature { rest, keywords, .. } = &self.signature;
        if rest.is_some() {
            flags |= flag::VARARGS;
        }
        if keywords.is_some() {
            flags |= flag::VARKEYWORDS;
        }
        if values.profile.has_nofree() && self.cells.is_empty() && self.free.is_empty() {
            flags |= flag::NOFREE;
        }
        if values.profile.flags_docstrings() && self.doc.is_some() {
            flags |= flag::HAS_DOCSTRING;
        }
        flags
    }

    /// The constants that come first where nothing is said of them.
    pub(super) fn default_consts(&self, values: &mut Values) -> Vec<ValueId> {
        if let Some(doc) = self.doc {
            return vec![doc];
        }
        let flags = self.flags.unwrap_or_else(|| self.default_flags(values));
        let name = self.name_text(values);
        let is_comprehension = ["<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"].contains(&name.as_str());
        let has = values.profile.reserves_docstring() && flags & flag::OPTIMIZED != 0 && !is_comprehension;
        if has { vec![values.none()] } else { Vec::new() }
    }

    /// The constants before any is used.
    pub(super) fn first_consts(&self, values: &mut Values) -> Index<ValueId> {
        if let Some(field) = self.field(Field::Consts) {
            return Index::new(parts(values, field).into_iter().map(Some).collect(), false);
        }
        let first = match &self.consts {
            Some(consts) => consts.clone(),
            None => self.default_consts(values),
        };
        Index::new(first.into_iter().map(Some).collect(), true)
    }

    /// The names before any is used.
    pub(super) fn first_names(&self, values: &Values) -> Index<String> {
        match self.field(Field::Names) {
            Some(field) => texts(values, field),
            None => Index::new(self.names.iter().cloned().map(Some).collect(), true),
        }
    }

    /// The local variables before any is used; since 3.11 without those that are only cells or free.
    pub(super) fn first_locals(&self, values: &Values) -> Index<String> {
        let field = if values.profile.has_localsplus() { Field::Localsplusnames } else { Field::Varnames };
        match self.field(field) {
            Some(field) => texts(values, field),
            None => Index::new(self.signature.names().chain(&self.locals).cloned().map(Some).collect(), true),
        }
    }

    /// Up to 3.10: cells and free variables.
    pub(super) fn cells_and_free(&self, values: &Values) -> Index<String> {
        let list = |field, own: &[String]| match self.field(field) {
            Some(field) => texts(values, field).items,
            None => own.iter().cloned().map(Some).collect(),
        };
        Index::new([list(Field::Cellvars, &self.cells), list(Field::Freevars, &self.free)].concat(), false)
    }

    /// Since 3.11: the local variables, then what else is a cell, then what is free.
    pub(super) fn all_variables(&self, locals: &Index<String>) -> Index<String> {
        let cells = self.cells.iter().filter(|cell| locals.place(cell).is_none());
        let others = cells.chain(&self.free).cloned().map(Some);
        Index::new(locals.items.iter().cloned().chain(others).collect(), false)
    }

    /// Since 3.11: what each variable is.
    pub(super) fn kinds(&self, locals: usize, all: &[Option<String>], profile: &Profile) -> Vec<u8> {
        let kind = |(place, name): (usize, &Option<String>)| {
            let Some(name) = name else { return 0 };
            if place >= locals {
                return if place >= all.len() - self.free.len() { kind::FREE } else { kind::CELL };
            }
            let mut bits = kind::LOCAL;
            if self.cells.contains(name) {
                bits |= kind::CELL;
            }
            if self.hidden.contains(name) {
                bits |= kind::HIDDEN;
            }
            bits | if profile.marks_arguments() { self.signature.kind(place) } else { 0 }
        };
        all.iter().enumerate().map(kind).collect()
    }
}

impl Signature {
    /// How an argument is given, as bits of `co_localspluskinds`.
    fn kind(&self, place: usize) -> u8 {
        let (positional, named) = (self.positional.len(), self.positional.len() + self.keyword_only.len());
        let rest = usize::from(self.rest.is_some());
        match place {
            _ if place < self.positional_only => kind::POSITIONAL,
            _ if place < positional => kind::POSITIONAL | kind::KEYWORD,
            _ if place < named => kind::KEYWORD,
            _ if place < named + rest => kind::POSITIONAL | kind::VARIABLE,
            _ if place == named + rest && self.keywords.is_some() => kind::KEYWORD | kind::VARIABLE,
            _ => 0,
        }
    }
}

/// The parts of a tuple; none if it is none.
pub(super) fn parts(values: &Values, id: ValueId) -> Vec<ValueId> {
    match values.itself(id) {
        Item::List(_, parts) => parts.clone(),
        _ => Vec::new(),
    }
}

fn texts(values: &Values, id: ValueId) -> Index<String> {
    Index::new(parts(values, id).into_iter().map(|part| values.text(part)).collect(), false)
}
