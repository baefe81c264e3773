//! py-marshal.

use py_marshal::read::{MarshalLoadExOptions, marshal_load_ex};
use py_marshal::{Code, Obj};
use reader::{Read, Reader, Refusal, Value};

struct PyMarshal;

fn value(object: &Obj) -> Value {
    let all = |objects: &[Obj]| objects.iter().map(value).collect();
    match object {
        Obj::None => Value::None,
        Obj::StopIteration => Value::Singleton("StopIteration"),
        Obj::Ellipsis => Value::Singleton("Ellipsis"),
        Obj::Bool(value) => Value::Bool(*value),
        Obj::Long(number) => Value::Int(number.to_string()),
        Obj::Float(number) => Value::Float(*number),
        Obj::Complex(number) => Value::Complex(number.re, number.im),
        Obj::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Obj::String(text) => Value::text(text),
        Obj::Tuple(items) => Value::Items("tuple", all(items)),
        Obj::List(items) => Value::Items("list", all(&items.read().expect("not poisoned"))),
        Obj::Dict(pairs) => {
            let pairs = pairs.read().expect("not poisoned");
            Value::Pairs("dict", pairs.iter().map(|(key, item)| (value(&Obj::from(key)), value(item))).collect())
        }
        Obj::Set(items) => {
            let items = items.read().expect("not poisoned");
            Value::Items("set", items.iter().map(|item| value(&Obj::from(item))).collect())
        }
        Obj::FrozenSet(items) => Value::Items("frozenset", items.iter().map(|item| value(&Obj::from(item))).collect()),
        Obj::Code(code) => fields(code),
    }
}

fn fields(code: &Code) -> Value {
    let number = |number: u32| Value::Int((number as i32).to_string());
    let names = |names: &[std::sync::Arc<String>]| Value::Items("tuple", names.iter().map(|name| Value::text(name)).collect());
    Value::Code(vec![
        ("argcount", number(code.argcount)),
        ("kwonlyargcount", number(code.kwonlyargcount)),
        ("nlocals", number(code.nlocals)),
        ("stacksize", number(code.stacksize)),
        ("flags", number(code.flags.bits())),
        ("code", Value::Bytes(code.code.to_vec())),
        ("consts", Value::Items("tuple", code.consts.iter().map(value).collect())),
        ("names", names(&code.names)),
        ("varnames", names(&code.varnames)),
        ("freevars", names(&code.freevars)),
        ("cellvars", names(&code.cellvars)),
        ("filename", Value::text(&code.filename)),
        ("name", Value::text(&code.name)),
        ("firstlineno", number(code.firstlineno)),
    ])
}

impl Reader for PyMarshal {
    fn declaration(&self) -> String {
        r#"{"exec":1,"name":"py-marshal","version":"0.4.2","pythons":["3.6","3.7","3.8","3.9"],"owes":["accept","refuse","consumed","value"]}"#.into()
    }

    fn load(&mut self, stream: &[u8], python: (u8, u8), _: bool) -> Result<Read, Refusal> {
        let mut rest = stream;
        let options = MarshalLoadExOptions { has_posonlyargcount: python >= (3, 8) };
        let object = marshal_load_ex(&mut rest, options).map_err(Refusal::error)?;
        Ok(Read { value: value(&object), consumed: Some(stream.len() - rest.len()), rewritten: None })
    }
}

fn main() {
    reader::serve(PyMarshal);
}
