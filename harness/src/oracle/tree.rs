//! Two values as plain JSON, compared as far as a reader owes it.
//!
//! The members of sets may be in any order, and numbers of shared objects may be any numbers: a reader in another language
//! need not sort or count as the export does.

use crate::export::plain::plain;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Brackets in brackets: what has more has no plain JSON.
const DEEPEST: usize = 420;

/// How long the text may be that the members of a set are sorted by.
const KEY: usize = 4096;

/// What is compared.
pub(super) struct Terms<'a> {
    /// Whether the same objects have to be shared.
    pub(super) sharing: bool,
    /// Whether the keys of dicts have to come in the same order.
    pub(super) order: bool,
    /// Kinds of values that the reader does not tell from others.
    pub(super) merges: &'a BTreeMap<String, String>,
}

impl Terms<'_> {
    /// What a kind is compared as.
    fn kind<'k>(&'k self, kind: &'k str) -> &'k str {
        self.merges.get(kind).map_or(kind, String::as_str)
    }
}

/// The first difference.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Where it is: `[2].consts[0]`.
    pub(super) at: String,
    /// What differs, without indexes: `int/str`, `code.flags:int`.
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) observed: String,
}

/// The tree of a value that is told as plain JSON, or as a canon.
///
/// # Errors
/// Why there is none.
pub(super) fn tree(text: &str, python2: bool) -> Result<Value, String> {
    if text.ends_with('\n') {
        let json = plain(text, python2).ok_or("a canon that is none, or is nested too deep")?;
        return tree(&json, python2);
    }
    if depth(text) > DEEPEST {
        return Err("it is nested too deep".into());
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    Value::deserialize(&mut reader).map_err(|e| e.to_string())
}

fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The first difference of two values.
///
/// # Errors
/// What the observed one has that plain JSON has not.
pub(super) fn difference(expected: &Value, observed: &Value, terms: &Terms) -> Result<Option<Difference>, String> {
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    collect(expected, &mut left);
    collect(observed, &mut right);
    let (left, right) = (Rc::new(left), Rc::new(right));
    let mut walk = Walk { terms, left, right, names: BTreeMap::new(), seen: BTreeSet::new() };
    walk.pair(expected, observed, "", "")
}

/// The objects with a number.
fn collect<'a>(value: &'a Value, table: &mut BTreeMap<u64, &'a Value>) {
    match value {
        Value::Object(object) => {
            if let Some(id) = object.get("$id").and_then(Value::as_u64) {
                table.insert(id, value);
            }
            object.values().for_each(|value| collect(value, table));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, table)),
        _ => {}
    }
}

/// A value without its number: its kind, and what it holds.
struct View<'a> {
    kind: &'a str,
    holds: &'a Value,
    id: Option<u64>,
}

struct Walk<'a, 'b> {
    terms: &'b Terms<'b>,
    left: Rc<BTreeMap<u64, &'a Value>>,
    right: Rc<BTreeMap<u64, &'a Value>>,
    /// The number that an object on the left has on the right.
    names: BTreeMap<u64, Option<u64>>,
    /// Pairs that are being compared, or were.
    seen: BTreeSet<(*const Value, *const Value)>,
}

type Found = Result<Option<Difference>, String>;

impl<'a> Walk<'a, '_> {
    fn pair(&mut self, left: &'a Value, right: &'a Value, at: &str, inside: &str) -> Found {
        let (left_table, right_table) = (Rc::clone(&self.left), Rc::clone(&self.right));
        let differs = |what: &str| {
            // What holds it is seldom the cause.
            let what = if inside.is_empty() { what.to_owned() } else { format!("{inside}:{what}") };
            let shown = |value, table| resolve(value, table).map_or_else(|_| short(value), short);
            let (expected, observed) = (shown(left, &left_table), shown(right, &right_table));
            Ok(Some(Difference { at: at.into(), what, expected, observed }))
        };
        let (left, right) = match (reference(left), reference(right)) {
            (Some(l), Some(r)) if self.terms.sharing => {
                return if self.names.get(&l) == Some(&Some(r)) { Ok(None) } else { differs("another reference") };
            }
            (Some(_), None) if self.terms.sharing => return differs("not shared"),
            (None, Some(_)) if self.terms.sharing => return differs("shared"),
            _ => (resolve(left, &self.left)?, resolve(right, &self.right)?),
        };
        let (l, r) = (view(left)?, view(right)?);
        let terms = self.terms;
        let (kind, other) = (terms.kind(l.kind), terms.kind(r.kind));
        if kind != other {
            return differs(&format!("{kind}/{other}"));
        }
        if self.terms.sharing
            && let Some(id) = l.id
        {
            self.names.insert(id, r.id);
        }
        // What is a cycle in both is the same as long as nothing else differs.
        if matches!(l.holds, Value::Array(_) | Value::Object(_)) && !self.seen.insert((left, right)) {
            return Ok(None);
        }
        // Who does not tell texts from bytes has the bytes of the text.
        if l.kind == "str" && r.kind == "bytes" {
            return if utf8(l.holds).as_deref() == r.holds.as_str() { Ok(None) } else { differs("bytes of a str") };
        }
        // The code points of a text are no values.
        if l.kind == "str" && r.kind == "str" {
            return if utf8(l.holds) == utf8(r.holds) { Ok(None) } else { differs("str") };
        }
        match (l.holds, r.holds) {
            (Value::Array(left), Value::Array(right)) if left.len() != right.len() => {
                differs(&format!("length of {kind}"))
            }
            (Value::Array(left), Value::Array(right)) if kind != "complex" => self.items(kind, left, right, at),
            (Value::Object(left), Value::Object(right)) => self.fields(left, right, at),
            (l, r) if l == r => Ok(None),
            _ => differs(kind),
        }
    }

    fn items(&mut self, kind: &str, left: &'a [Value], right: &'a [Value], at: &str) -> Found {
        let (mut left, mut right): (Vec<&Value>, Vec<&Value>) = (left.iter().collect(), right.iter().collect());
        let is_set = matches!(kind, "set" | "frozenset");
        if is_set || matches!(kind, "dict" | "frozendict") && !self.terms.order {
            let sorted_by = |value: &'a Value| if is_set { value } else { value.get(0).unwrap_or(value) };
            left.sort_by_cached_key(|value| self.key(sorted_by(value), &self.left));
            right.sort_by_cached_key(|value| self.key(sorted_by(value), &self.right));
        }
        for (index, (left, right)) in left.into_iter().zip(right).enumerate() {
            let found = match (left, right) {
                (Value::Array(left), Value::Array(right)) if left.len() == 2 && right.len() == 2 => {
                    let key = self.pair(&left[0], &right[0], &format!("{at}[{index}].key"), "")?;
                    match key {
                        Some(key) => Some(key),
                        None => self.pair(&left[1], &right[1], &format!("{at}[{index}]"), "")?,
                    }
                }
                _ => self.pair(left, right, &format!("{at}[{index}]"), "")?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The fields that the reader tells.
    fn fields(
        &mut self,
        left: &'a serde_json::Map<String, Value>,
        right: &'a serde_json::Map<String, Value>,
        at: &str,
    ) -> Found {
        for (field, right) in right {
            let Some(left) = left.get(field) else { return Err(format!("a code object has no field {field}")) };
            if is_as_written(field, left, right) {
                continue;
            }
            let found = self.pair(left, right, &format!("{at}.{field}"), &format!("code.{field}"))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// A text that equal members of sets have in common, whatever is shared in them.
    fn key(&self, value: &Value, table: &BTreeMap<u64, &Value>) -> String {
        let mut key = String::new();
        self.put_key(value, table, 0, &mut key);
        key
    }

    fn put_key(&self, value: &Value, table: &BTreeMap<u64, &Value>, depth: usize, key: &mut String) {
        if depth > 40 || key.len() > KEY {
            return;
        }
        let Ok(View { kind: own, holds, .. }) = resolve(value, table).and_then(view) else { return };
        let kind = self.terms.kind(own);
        key.push_str(kind);
        match holds {
            text if own == "str" => key.push_str(&utf8(text).unwrap_or_default()),
            Value::String(digits) if own == "bytes" => key.push_str(digits),
            Value::Array(items) if kind != "complex" => {
                let mut keys: Vec<String> = Vec::new();
                for item in items {
                    let mut one = String::new();
                    self.put_key(item, table, depth + 1, &mut one);
                    keys.push(one);
                }
                if matches!(kind, "set" | "frozenset") {
                    keys.sort();
                }
                key.push('(');
                key.push_str(&keys.join(","));
                key.push(')');
            }
            other => key.push_str(&other.to_string()),
        }
    }
}

fn reference(value: &Value) -> Option<u64> {
    value.as_object()?.get("$ref")?.as_u64()
}

fn resolve<'a>(value: &'a Value, table: &BTreeMap<u64, &'a Value>) -> Result<&'a Value, String> {
    match reference(value) {
        None => Ok(value),
        Some(id) => table.get(&id).copied().ok_or_else(|| format!("nothing has the number {id}")),
    }
}

fn view(value: &Value) -> Result<View<'_>, String> {
    let plain = |kind| View { kind, holds: value, id: None };
    match value {
        Value::Null => Ok(plain("none")),
        Value::Bool(_) => Ok(plain("bool")),
        Value::String(_) => Ok(plain("str")),
        Value::Object(object) => {
            let id = object.get("$id").and_then(Value::as_u64);
            let mut rest = object.iter().filter(|(key, _)| *key != "$id");
            match (rest.next(), rest.next()) {
                (Some((kind, holds)), None) => {
                    let kind = if kind == "code_points" { "str" } else { kind };
                    Ok(View { kind, holds, id })
                }
                _ => Err(format!("{} is no value of plain JSON", short(value))),
            }
        }
        Value::Number(_) | Value::Array(_) => Err(format!("{} is no value of plain JSON", short(value))),
    }
}

/// Whether a field is what the stream says where CPython shows what it has made of that: it sets a flag of its own (before 3.11),
/// has room for one object at least (3.13), and undoes what looks like specialized instructions (3.11).
fn is_as_written(field: &str, built: &Value, written: &Value) -> bool {
    let int = |value: &Value| value.get("int").and_then(Value::as_str).and_then(|digits| digits.parse::<i64>().ok());
    const NOFREE: i64 = 0x40;
    match (field, int(built), int(written)) {
        ("flags", Some(built), Some(written)) => built & !NOFREE == written & !NOFREE,
        ("stacksize", Some(built), Some(written)) => built == written.max(1),
        ("code", ..) => {
            let length = |value: &Value| value.get("bytes").and_then(Value::as_str).map(str::len);
            length(built).is_some() && length(built) == length(written)
        }
        _ => false,
    }
}

/// The UTF-8 of a text, with surrogates like any other code point, in hexadecimal digits.
fn utf8(text: &Value) -> Option<String> {
    let points: Vec<u32> = match text {
        Value::String(text) => text.chars().map(u32::from).collect(),
        other => other.as_array()?.iter().map(|point| point.as_u64()?.try_into().ok()).collect::<Option<_>>()?,
    };
    let mut bytes = Vec::new();
    for point in points {
        let mut room = [0; 4];
        match char::from_u32(point) {
            Some(c) => bytes.extend_from_slice(c.encode_utf8(&mut room).as_bytes()),
            // A surrogate: U+D800 to U+DFFF.
            None => {
                let [_, _, high, low] = point.to_be_bytes();
                bytes.extend([0xED, 0x80 | (high & 0x0F) << 2 | low >> 6, 0x80 | low & 0x3F]);
            }
        }
    }
    Some(crate::case::hex(&bytes))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    let cut: String = text.chars().take(120).collect();
    if cut.len() < text.len() { format!("{cut}...") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: &str, observed: &str, sharing: bool, what: Option<&str>) {
        let order = sharing;
        let merges = BTreeMap::from([("long".to_owned(), "int".to_owned())]);
        let (left, right) = (tree(expected, false).unwrap(), tree(observed, false).unwrap());
        let found = difference(&left, &right, &Terms { sharing, order, merges: &merges }).unwrap();
        assert_eq!(found.as_ref().map(|found| found.what.as_str()), what, "{expected} and {observed}");
    }

    #[test]
    fn values_differ_where_they_differ() {
        let same = |text: &str| check(text, text, true, None);
        same("null");
        same(r#"{"$id":1,"list":[{"$ref":1}]}"#);
        same(r#"{"complex":["3ff0000000000000","0000000000000000"]}"#);
        check("true", "false", false, Some("bool"));
        check(r#"{"int":"1"}"#, r#"{"int":"2"}"#, false, Some("int"));
        check(r#"{"long":"1"}"#, r#"{"int":"1"}"#, false, None);
        check(r#"{"tuple":[null,"a"]}"#, r#"{"tuple":[null,{"bytes":"61"}]}"#, false, Some("str/bytes"));
        check(r#"{"list":[null]}"#, r#"{"list":[]}"#, false, Some("length of list"));
        check(r#"{"dict":[["a",null]]}"#, r#"{"dict":[["b",null]]}"#, false, Some("str"));
        check(r#"{"dict":[["a",null]]}"#, r#"{"dict":[["a",true]]}"#, false, Some("none/bool"));
        check("tuple 1\nint 5\n", r#"{"tuple":[{"int":"5"}]}"#, true, None);
        check(r#"{"code":{"flags":{"int":"1"},"name":"f"}}"#, r#"{"code":{"name":"f"}}"#, false, None);
        check(r#"{"code":{"flags":{"int":"1"}}}"#, r#"{"code":{"flags":{"int":"2"}}}"#, false, Some("code.flags:int"));
        check(r#"{"code":{"flags":{"int":"65"}}}"#, r#"{"code":{"flags":{"int":"1"}}}"#, false, None);
        check(r#"{"code":{"code":{"bytes":"7a00"}}}"#, r#"{"code":{"code":{"bytes":"0300"}}}"#, false, None);
        check(
            r#"{"code":{"code":{"bytes":"7a00"}}}"#,
            r#"{"code":{"code":{"bytes":""}}}"#,
            false,
            Some("code.code:bytes"),
        );
    }

    #[test]
    fn sharing_counts_only_where_it_is_owed() {
        let shared = r#"{"tuple":[{"$id":1,"list":[]},{"$ref":1}]}"#;
        let twice = r#"{"tuple":[{"list":[]},{"list":[]}]}"#;
        check(shared, twice, false, None);
        check(shared, twice, true, Some("not shared"));
        check(twice, shared, true, Some("shared"));
        check(shared, &shared.replace('1', "7"), true, None);
        let endless = r#"{"$id":1,"list":[{"list":[{"$ref":1}]}]}"#;
        check(r#"{"$id":1,"list":[{"$ref":1}]}"#, endless, false, None);
        let two = r#"{"list":[{"$id":1,"list":[]},{"$id":2,"list":[]},{"$ref":1}]}"#;
        check(two, &two.replace(r#"{"$ref":1}"#, r#"{"$ref":2}"#), true, Some("another reference"));
    }

    #[test]
    fn sets_have_no_order() {
        check(r#"{"set":[{"int":"1"},"a"]}"#, r#"{"set":["a",{"int":"1"}]}"#, true, None);
        check(r#"{"set":[{"int":"1"},"a"]}"#, r#"{"set":["b",{"int":"1"}]}"#, true, Some("str"));
        let dict = r#"{"dict":[["a",null],["b",true]]}"#;
        check(dict, r#"{"dict":[["b",true],["a",null]]}"#, false, None);
        check(dict, r#"{"dict":[["b",true],["a",null]]}"#, true, Some("str"));
        let nested = r#"{"set":[{"frozenset":[{"int":"1"},{"int":"2"}]},{"frozenset":[]}]}"#;
        check(nested, r#"{"set":[{"frozenset":[]},{"frozenset":[{"int":"2"},{"int":"1"}]}]}"#, false, None);
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let terms = Terms { sharing: false, order: false, merges: &BTreeMap::new() };
        let left = tree(r#"{"list":[null]}"#, false).unwrap();
        for text in [r#"{"list":[5]}"#, r#"{"list":[{"$ref":9}]}"#, r#"{"list":[{"a":1,"b":2}]}"#] {
            assert!(difference(&left, &tree(text, false).unwrap(), &terms).is_err(), "{text}");
        }
        assert!(tree(&"[".repeat(1000), false).is_err() && tree("{", false).is_err());
    }
}
