//! py27-marshal: a descendant of py-marshal for Python 2.7, which writes as well.

use py27_marshal::read::marshal_load;
use py27_marshal::write::marshal_dumps;
use py27_marshal::{Code, Obj, ObjHashable};
use reader::{Read, Reader, Refusal, Value};

struct Py27Marshal;

fn value(object: &Obj) -> Value {
    macro_rules! inside {
        ($lock:expr) => {
            $lock.read().expect("not poisoned")
        };
    }
    match object {
        Obj::None => Value::None,
        Obj::StopIteration => Value::Singleton("StopIteration"),
        Obj::Ellipsis => Value::Singleton("Ellipsis"),
        Obj::Bool(value) => Value::Bool(*value),
        Obj::Long(number) => Value::Int(inside!(number).to_string()),
        Obj::Float(number) => Value::Float(*number),
        Obj::Complex(number) => Value::Complex(number.re, number.im),
        Obj::Bytes(bytes) => Value::Bytes(inside!(bytes).clone()),
        Obj::String(text) => Value::Bytes(inside!(text).to_vec()),
        Obj::Tuple(items) => Value::Items("tuple", inside!(items).iter().map(value).collect()),
        Obj::List(items) => Value::Items("list", inside!(items).iter().map(value).collect()),
        Obj::Dict(pairs) => {
            let pairs = inside!(pairs);
            Value::Pairs("dict", pairs.iter().map(|(key, item)| (key_value(key), value(item))).collect())
        }
        Obj::Set(items) => Value::Items("set", inside!(items).iter().map(|item| key_value(item)).collect()),
        Obj::FrozenSet(items) => {
            Value::Items("frozenset", inside!(items).iter().map(|item| key_value(item)).collect())
        }
        Obj::Code(code) => fields(&inside!(code)),
    }
}

fn key_value(key: &ObjHashable) -> Value {
    value(&Obj::try_from(key).expect("what has a hash is an object"))
}

fn fields(code: &Code) -> Value {
    let number = |number: u32| Value::Int((number as i32).to_string());
    let names = |names: &[std::sync::Arc<py27_marshal::bstr::BString>]| {
        Value::Items("tuple", names.iter().map(|name| Value::Bytes(name.to_vec())).collect())
    };
    Value::Code(vec![
        ("argcount", number(code.argcount)),
        ("nlocals", number(code.nlocals)),
        ("stacksize", number(code.stacksize)),
        ("flags", number(code.flags.bits())),
        ("code", Value::Bytes(code.code.to_vec())),
        ("consts", Value::Items("tuple", code.consts.iter().map(value).collect())),
        ("names", names(&code.names)),
        ("varnames", names(&code.varnames)),
        ("freevars", names(&code.freevars)),
        ("cellvars", names(&code.cellvars)),
        ("filename", Value::Bytes(code.filename.to_vec())),
        ("name", Value::Bytes(code.name.to_vec())),
        ("firstlineno", number(code.firstlineno)),
        ("lnotab", Value::Bytes(code.lnotab.to_vec())),
    ])
}

impl Reader for Py27Marshal {
    fn declaration(&self) -> String {
        // It has one type for the texts of Python 2, and one for its numbers.
        r#"{"exec":1,"name":"py27-marshal","version":"0.6.0","pythons":["2.7"],"operations":["load","rewrite"],"unknown":["u"],"owes":["accept","refuse","consumed","value","reread"],"merges":{"long":"int"}}"#.into()
    }

    fn load(&mut self, stream: &[u8], _: (u8, u8), rewrite: bool) -> Result<Read, Refusal> {
        let mut rest = stream;
        let object = marshal_load(&mut rest).map_err(Refusal::error)?;
        let consumed = Some(stream.len() - rest.len());
        Ok(Read { value: value(&object), consumed, rewritten: rewrite.then(|| Ok(marshal_dumps(&object))) })
    }
}

fn main() {
    reader::serve(Py27Marshal);
}
