//! marshal-parser, a tool for reproducible .pyc files. It says for itself that it has no `I`, `f` and `x`.

use marshal_parser::{CodeObject, MarshalFile, Object, StringType};
use rustix::fs::{MemfdFlags, memfd_create};
use std::io::Write;
use std::os::fd::AsRawFd;
use reader::{Read, Reader, Refusal, Value};

struct MarshalParser;

fn value(object: &Object) -> Result<Value, Refusal> {
    let all = |objects: &[Object]| objects.iter().map(value).collect::<Result<Vec<_>, _>>();
    Ok(match object {
        Object::None => Value::None,
        Object::False => Value::Bool(false),
        Object::True => Value::Bool(true),
        Object::StopIteration => Value::Singleton("StopIteration"),
        Object::Ellipsis => Value::Singleton("Ellipsis"),
        Object::Int(number) => Value::Int(number.to_string()),
        Object::Long(number) => Value::Int(number.to_string()),
        Object::BinaryFloat(number) => Value::Float(*number),
        Object::BinaryComplex((real, imaginary)) => Value::Complex(*real, *imaginary),
        Object::String { typ: StringType::String, bytes } => Value::Bytes(bytes.clone()),
        // It keeps the bytes.
        Object::String { typ: StringType::Ascii | StringType::AsciiInterned, bytes } => {
            Value::Str(bytes.iter().map(|&byte| byte.into()).collect())
        }
        Object::String { bytes, .. } => Value::utf8(bytes).unwrap_or_else(|| Value::Bytes(bytes.clone())),
        Object::Tuple(items) => Value::Items("tuple", all(items)?),
        Object::List(items) => Value::Items("list", all(items)?),
        Object::Set(items) => Value::Items("set", all(items)?),
        Object::FrozenSet(items) => Value::Items("frozenset", all(items)?),
        Object::Dict(pairs) => {
            let pair = |(key, item): &(Object, Object)| Ok((value(key)?, value(item)?));
            Value::Pairs("dict", pairs.iter().map(pair).collect::<Result<_, Refusal>>()?)
        }
        Object::Code(code) => fields(code)?,
        // References stay numbers in a table that nobody else sees.
        Object::Ref(_) => return Err(Refusal::Unsupported("references, which stay numbers".into())),
        Object::Null => return Err(Refusal::Unsupported("NULL, which is an object of its own".into())),
        other => return Err(Refusal::Unsupported(format!("{other:?}"))),
    })
}

fn fields(code: &CodeObject) -> Result<Value, Refusal> {
    let number = |number: u32| Value::Int((number as i32).to_string());
    Ok(Value::Code(vec![
        ("argcount", number(code.argcount)),
        ("kwonlyargcount", number(code.kwonlyargcount)),
        ("stacksize", number(code.stacksize)),
        ("flags", number(code.flags)),
        ("code", value(&code.code)?),
        ("consts", value(&code.consts)?),
        ("names", value(&code.names)?),
        ("filename", value(&code.filename)?),
        ("name", value(&code.name)?),
    ]))
}

impl Reader for MarshalParser {
    fn declaration(&self) -> String {
        r#"{"exec":1,"name":"marshal-parser","version":"0.1.1","pythons":["3.6","3.7","3.8","3.9","3.10","3.11","3.12","3.13"],"unknown":["I","f","x"],"owes":["accept","refuse","value","order"]}"#.into()
    }

    fn load(&mut self, stream: &[u8], (major, minor): (u8, u8), _: bool) -> Result<Read, Refusal> {
        // Values are told of files only; this one is in memory.
        let mut file = std::fs::File::from(memfd_create("case", MemfdFlags::empty()).map_err(Refusal::error)?);
        file.write_all(stream).map_err(Refusal::error)?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let parsed = MarshalFile::from_dump_path(path, (major.into(), minor.into())).map_err(Refusal::error)?;
        Ok(value(parsed.inner())?.into())
    }
}

fn main() {
    reader::serve(MarshalParser);
}
