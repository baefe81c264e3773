//! python_marshal, which pyc_editor reads with as well.

use python_marshal::magic::PyVersion;
use python_marshal::{Code, Object, ObjectHashable, dump_bytes, load_bytes};
use reader::{Read, Reader, Refusal, Value};
use std::collections::BTreeSet;

struct PythonMarshal;

/// What turns its objects into values.
struct Converter<'a> {
    references: &'a [Object],
    told: BTreeSet<usize>,
}

impl<'a> Converter<'a> {
    fn reference(&mut self, index: usize) -> Value {
        let references: &'a [Object] = self.references;
        let Some(object) = references.get(index) else { return Value::Reference(index) };
        let is_container = matches!(
            object,
            Object::Tuple(_) | Object::List(_) | Object::Dict(_) | Object::Set(_) | Object::FrozenSet(_) | Object::Code(_)
        );
        match is_container && !self.told.insert(index) {
            true => Value::Reference(index),
            false => Value::Shared(index, Box::new(self.value(object))),
        }
    }

    fn all(&mut self, objects: &[Object]) -> Vec<Value> {
        objects.iter().map(|object| self.value(object)).collect()
    }

    fn value(&mut self, object: &Object) -> Value {
        match object {
            Object::None => Value::None,
            Object::StopIteration => Value::Singleton("StopIteration"),
            Object::Ellipsis => Value::Singleton("Ellipsis"),
            Object::Bool(value) => Value::Bool(*value),
            Object::Long(value) => Value::Int(value.to_string()),
            Object::Float(value) => Value::Float(value.0),
            Object::Complex(value) => Value::Complex(value.re.0, value.im.0),
            Object::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Object::String(text) => string(&text.value),
            Object::Tuple(items) => Value::Items("tuple", self.all(items)),
            Object::List(items) => Value::Items("list", self.all(items)),
            Object::Dict(pairs) => {
                let pair = |(key, value): (&ObjectHashable, &Object)| (self.value(&key.clone().into()), self.value(value));
                Value::Pairs("dict", pairs.iter().map(pair).collect())
            }
            Object::Set(items) => Value::Items("set", items.iter().map(|item| self.value(&item.clone().into())).collect()),
            Object::FrozenSet(items) => {
                Value::Items("frozenset", items.iter().map(|item| self.value(&item.clone().into())).collect())
            }
            Object::Code(code) => self.code(code),
            Object::LoadRef(index) | Object::StoreRef(index) => self.reference(*index),
        }
    }

    fn code(&mut self, code: &Code) -> Value {
        macro_rules! fields {
            ($code:expr, [$($number:ident)*], [$($object:ident)*]) => {{
                // As CPython shows them: numbers with a sign.
                let mut fields = vec![$((stringify!($number), Value::Int(($code.$number as i32).to_string()))),*];
                fields.push(("flags", Value::Int(($code.flags.bits() as i32).to_string())));
                $(fields.push((stringify!($object), self.value(&$code.$object)));)*
                Value::Code(fields)
            }};
        }
        macro_rules! newer {
            ($code:expr) => {
                fields!($code, [argcount posonlyargcount kwonlyargcount stacksize firstlineno],
                    [code consts names filename name qualname linetable exceptiontable])
            };
        }
        match code {
            Code::V310(code) => fields!(code, [argcount posonlyargcount kwonlyargcount nlocals stacksize firstlineno],
                [code consts names varnames freevars cellvars filename name linetable]),
            Code::V311(code) => newer!(code),
            Code::V312(code) => newer!(code),
            Code::V313(code) => newer!(code),
        }
    }
}

/// Its strings are the bytes as they are, whatever they should be.
fn string(bytes: &[u8]) -> Value {
    Value::utf8(bytes).unwrap_or_else(|| Value::Bytes(bytes.to_vec()))
}

impl Reader for PythonMarshal {
    fn declaration(&self) -> String {
        r#"{"exec":1,"name":"python_marshal","version":"0.4.9","pythons":["3.10","3.11","3.12","3.13"],"operations":["load","rewrite"],"owes":["accept","refuse","value","order","rewrite"]}"#.into()
    }

    fn load(&mut self, stream: &[u8], python: (u8, u8), rewrite: bool) -> Result<Read, Refusal> {
        let version = PyVersion::new(python.0, python.1);
        let (object, references) = load_bytes(stream, version).map_err(Refusal::error)?;
        let mut converter = Converter { references: &references, told: BTreeSet::new() };
        let value = converter.value(&object);
        let write = || dump_bytes(object.clone(), Some(references.clone()), version, 4).map_err(|e| e.to_string());
        Ok(Read { value, consumed: None, rewritten: rewrite.then(write) })
    }
}

fn main() {
    reader::serve(PythonMarshal);
}
