//! pyc: reads the code objects of .pyc files with a header of 12 bytes, as Python 3.6 writes them. It keeps half of their fields, and
//! says `not implemented` of what it does not know.

use pyc::{Bytes, decode};
use python_object::{CodeObject, Object};
use reader::{Read, Reader, Refusal, Value};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What is before the code object; it looks at nothing in it.
const HEADER: [u8; 12] = [0x33, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0];

struct Pyc;

fn value(object: &Object) -> Result<Value, Refusal> {
    Ok(match object {
        Object::None => Value::None,
        Object::True => Value::Bool(true),
        Object::False => Value::Bool(false),
        Object::Int(number) => Value::Int(number.to_string()),
        Object::Ascii(text) => Value::text(text),
        Object::Chars(bytes) => Value::Bytes(bytes.clone()),
        Object::Tuple(tuple) => all(&tuple.data)?,
        Object::Code(code) => fields(code)?,
        // Its accessors say so of one that is left.
        Object::Ref(_) => return Err(Refusal::error("ref should have been removed during decoding")),
    })
}

fn all(objects: &[Object]) -> Result<Value, Refusal> {
    Ok(Value::Items("tuple", objects.iter().map(value).collect::<Result<_, _>>()?))
}

fn fields(code: &CodeObject) -> Result<Value, Refusal> {
    let number = |number: u32| Value::Int((number as i32).to_string());
    Ok(Value::Code(vec![
        ("argcount", number(code.argcount)),
        ("kwonlyargcount", number(code.kwonlyargcount)),
        ("nlocals", number(code.nlocals)),
        ("stacksize", number(code.stacksize)),
        ("flags", number(code.flags)),
        ("code", Value::Bytes(code.code.iter().flat_map(|step| [step.op, step.arg]).collect())),
        ("consts", all(&code.consts.borrow().data)?),
        ("names", value(&code.names.borrow())?),
        ("varnames", value(&code.varnames)?),
        ("name", value(&code.name.borrow())?),
    ]))
}

impl Reader for Pyc {
    fn declaration(&self) -> String {
        r#"{"exec":1,"name":"pyc","version":"0.1.0","pythons":["3.6"],"owes":["accept","refuse","value"]}"#.into()
    }

    fn load(&mut self, stream: &[u8], _: (u8, u8), _: bool) -> Result<Read, Refusal> {
        if stream.first().is_none_or(|first| first & 0x7f != b'c') {
            return Err(Refusal::Unsupported("what is no code object".into()));
        }
        let mut file = Bytes::new([&HEADER, stream].concat());
        let decoded = catch_unwind(AssertUnwindSafe(|| decode(&mut file))).or_else(|panic| {
            let text =
                panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            match text {
                Some(text) if text.starts_with("not implemented") => Err(Refusal::Unsupported(text.into())),
                _ => resume_unwind(panic),
            }
        })?;
        // It reads all that is in the file; what is not the first is behind the end.
        let program = decoded.map_err(Refusal::error)?;
        Ok(fields(&program.funcs[0])?.into())
    }
}

fn main() {
    reader::serve(Pyc);
}
