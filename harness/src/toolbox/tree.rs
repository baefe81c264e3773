//! A value as a tree: for people an indented text with decimal numbers and names, for programs nested JSON.

use pyc_core::code::{Code, Field};
use pyc_core::{Graph, NodeId, Profile, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Deeper parts are only counted: the canon has them.
const DEEPEST: usize = 100;

/// The longest text of a value, in bytes.
const LONGEST: usize = 300;

/// A graph, and what in it is referred to more than once.
pub struct Tree<'g, 'a> {
    graph: &'g Graph<'a>,
    profile: &'g Profile,
    /// Numbers of compound objects that something refers to again.
    numbers: BTreeMap<NodeId, usize>,
}

impl<'g, 'a> Tree<'g, 'a> {
    /// Of a graph that was read under this profile.
    #[must_use]
    pub fn new(graph: &'g Graph<'a>, profile: &'g Profile) -> Tree<'g, 'a> {
        let mut numbers = BTreeMap::new();
        for id in graph.ids() {
            if let Value::Ref(to) = graph.value(id)
                && is_compound(&graph.value(to))
            {
                let next = numbers.len();
                numbers.entry(to).or_insert(next);
            }
        }
        Tree { graph, profile, numbers }
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Json {
        self.json_of(self.graph.root(), 0)
    }

    /// For people; not more than so many lines. Says how many there are in all.
    #[must_use]
    pub fn lines(&self, most: usize) -> (Vec<String>, usize) {
        let mut lines = Lines { shown: Vec::new(), most, all: 0 };
        self.text_of(self.graph.root(), "", 0, &mut lines);
        (lines.shown, lines.all)
    }

    /// What stands for a value without parts, or that was shown already.
    fn leaf(&self, id: NodeId) -> String {
        self.graph.repr(id, self.profile, LONGEST)
    }

    fn text_of(&self, id: NodeId, label: &str, depth: usize, lines: &mut Lines) {
        let (is_again, id) = (matches!(self.graph.value(id), Value::Ref(_)), self.graph.resolve(id));
        let value = self.graph.value(id);
        let pad = "  ".repeat(depth);
        if !is_compound(&value) {
            return lines.push(|| format!("{pad}{label}{}", self.leaf(id)));
        }
        let number = self.numbers.get(&id);
        if is_again {
            let what = kind(&value);
            return lines.push(|| format!("{pad}{label}{what} #{}, again", number.copied().unwrap_or_default()));
        }
        let mark = number.map_or(String::new(), |number| format!(" #{number}"));
        if depth >= DEEPEST {
            return lines.push(|| format!("{pad}{label}{}{mark}, deeper", kind(&value)));
        }
        match value {
            Value::Code(code) => {
                lines.push(|| format!("{pad}{label}code {}{mark}", self.headline(&code)));
                for (name, child) in self.fields(&code) {
                    match child {
                        Part::Text(text) => lines.push(|| format!("{pad}  {name:<15} {text}")),
                        Part::Node(child) => self.text_of(child, &format!("{name:<15} "), depth + 1, lines),
                    }
                }
            }
            Value::Dict(items) | Value::FrozenDict(items) => {
                lines.push(|| format!("{pad}{label}{} of {}{mark}", kind(&value), items.len() / 2));
                for pair in items.chunks_exact(2) {
                    self.text_of(pair[0], "key   ", depth + 1, lines);
                    self.text_of(pair[1], "value ", depth + 1, lines);
                }
            }
            _ => {
                let items = items(&value);
                // Most tuples are short and flat: names, constants.
                let is_flat = items.iter().all(|id| !is_compound(&self.graph.value(self.graph.resolve(*id))));
                let flat = is_flat.then(|| self.leaf(id)).filter(|text| text.len() < 100);
                if let Some(flat) = flat {
                    return lines.push(|| format!("{pad}{label}{flat}{mark}"));
                }
                lines.push(|| format!("{pad}{label}{} of {}{mark}", kind(&value), items.len()));
                for (place, item) in items.iter().enumerate() {
                    self.text_of(*item, &format!("{place}: "), depth + 1, lines);
                }
            }
        }
    }

    /// Name, file and first line.
    #[must_use]
    pub fn headline(&self, code: &Code<'_>) -> String {
        let text = |field| code.object(field).map(|id| self.graph.text(id)).unwrap_or_default();
        let name = if code.object(Field::Qualname).is_some() { Field::Qualname } else { Field::Name };
        let headline = format!("{} ({}, line {})", text(name), text(Field::Filename), code.ints().firstlineno);
        crate::dis::one_line(&headline)
    }

    /// All fields of a code object: names first, then what it refers to, then bytes.
    #[must_use]
    pub fn fields(&self, code: &Code<'_>) -> Vec<(&'static str, Part)> {
        let shown = code.named_ints().filter(|(name, number)| match *name {
            "firstlineno" => false,
            "posonlyargcount" | "kwonlyargcount" => *number != 0,
            _ => true,
        });
        let mut fields: Vec<(&'static str, Part)> = shown
            .map(|(name, number)| match name {
                "flags" => (name, Part::Text(format!("{number} ({})", self.profile.flag_names(number).join(", ")))),
                _ => (name, Part::Text(number.to_string())),
            })
            .collect();
        let is_bytes = |field: Field| {
            let tables = [Field::Lnotab, Field::Linetable, Field::Exceptiontable, Field::Localspluskinds];
            field == Field::Code || tables.contains(&field)
        };
        let said = [Field::Name, Field::Qualname, Field::Filename];
        let named = |wanted: bool| {
            let objects = code.objects().filter(move |(field, _)| is_bytes(*field) == wanted && !said.contains(field));
            objects.map(|(field, id)| (field.name(), Part::Node(id)))
        };
        fields.extend(named(false));
        fields.extend(named(true));
        fields
    }

    fn json_of(&self, id: NodeId, depth: usize) -> Json {
        let (is_again, id) = (matches!(self.graph.value(id), Value::Ref(_)), self.graph.resolve(id));
        let value = self.graph.value(id);
        let number = self.numbers.get(&id).copied();
        if is_again && is_compound(&value) {
            return json!({ "type": "ref", "to": number });
        }
        let mut object = Map::new();
        object.insert("type".into(), kind(&value).into());
        if let Some(number) = number {
            object.insert("id".into(), number.into());
        }
        let all = |items: &[NodeId]| -> Json { items.iter().map(|id| self.json_of(*id, depth + 1)).collect() };
        match value {
            Value::Bytes(bytes) | Value::InternedBytes(bytes) => {
                object.insert("hex".into(), crate::case::hex(bytes).into());
            }
            Value::Str(text) => {
                object.insert("value".into(), text.to_string_lossy().into());
            }
            Value::None | Value::True | Value::False | Value::Ellipsis | Value::StopIteration | Value::Null => {}
            _ if !is_compound(&value) => {
                object.insert("value".into(), self.graph.repr(id, self.profile, usize::MAX).into());
            }
            _ if depth >= DEEPEST => {
                object.insert("deeper".into(), true.into());
            }
            Value::Code(code) => {
                let mut fields: Map<String, Json> =
                    code.named_ints().map(|(name, number)| (name.to_owned(), number.into())).collect();
                for (field, id) in code.objects() {
                    fields.insert(field.name().into(), self.json_of(id, depth + 1));
                }
                object.insert("fields".into(), fields.into());
            }
            _ => {
                object.insert("items".into(), all(items(&value)));
            }
        }
        object.into()
    }
}

/// A field of a code object.
pub enum Part {
    /// As a text.
    Text(String),
    /// A value.
    Node(NodeId),
}

struct Lines {
    shown: Vec<String>,
    most: usize,
    all: usize,
}

impl Lines {
    fn push(&mut self, line: impl FnOnce() -> String) {
        self.all += 1;
        if self.shown.len() < self.most {
            self.shown.push(line());
        }
    }
}

fn items<'g>(value: &Value<'g>) -> &'g [NodeId] {
    match *value {
        Value::Tuple(items) | Value::List(items) | Value::Set(items) | Value::FrozenSet(items) => items,
        Value::Dict(items) | Value::FrozenDict(items) | Value::Slice(items) => items,
        _ => &[],
    }
}

fn is_compound(value: &Value<'_>) -> bool {
    matches!(value, Value::Code(_)) || !items(value).is_empty() || matches!(value, Value::List(_) | Value::Dict(_))
}

/// What a value is, in a word.
pub(super) fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::None => "none",
        Value::True => "true",
        Value::False => "false",
        Value::Ellipsis => "ellipsis",
        Value::StopIteration => "stopiteration",
        Value::Int(_) | Value::Int64(_) | Value::Long(_) => "int",
        Value::Float(_) | Value::FloatText(_) => "float",
        Value::Complex(..) | Value::ComplexText(..) => "complex",
        Value::Bytes(_) | Value::InternedBytes(_) => "bytes",
        Value::Str(_) => "str",
        Value::Tuple(_) => "tuple",
        Value::List(_) => "list",
        Value::Set(_) => "set",
        Value::FrozenSet(_) => "frozenset",
        Value::Dict(_) => "dict",
        Value::FrozenDict(_) => "frozendict",
        Value::Slice(_) => "slice",
        Value::Code(_) => "code",
        Value::Ref(_) => "ref",
    }
}
