//! rustpython-compiler-core, with the values of its compiler's constants: no list, set, dict or StopIteration.

use reader::{Read, Reader, Refusal, Value};
use rustpython_compiler_core::bytecode::{BasicBag, ConstantData};
use rustpython_compiler_core::marshal::deserialize_value;

struct RustPython;

fn value(constant: &ConstantData) -> Result<Value, Refusal> {
    let all = |elements: &[ConstantData]| elements.iter().map(value).collect::<Result<Vec<_>, _>>();
    Ok(match constant {
        ConstantData::Tuple { elements } => Value::Items("tuple", all(elements)?),
        ConstantData::Frozenset { elements } => Value::Items("frozenset", all(elements)?),
        ConstantData::Slice { elements } => Value::Items("slice", all(&elements[..])?),
        ConstantData::Integer { value } => Value::Int(value.to_string()),
        ConstantData::Float { value } => Value::Float(*value),
        ConstantData::Complex { value } => Value::Complex(value.re, value.im),
        ConstantData::Boolean { value } => Value::Bool(*value),
        ConstantData::Str { value } => Value::Str(value.code_points().map(|point| point.to_u32()).collect()),
        ConstantData::Bytes { value } => Value::Bytes(value.clone()),
        ConstantData::None => Value::None,
        ConstantData::Ellipsis => Value::Singleton("Ellipsis"),
        ConstantData::Code { .. } => return Err(Refusal::Unsupported("code objects, which are its own".into())),
    })
}

impl Reader for RustPython {
    fn declaration(&self) -> String {
        r#"{"exec":1,"name":"rustpython","version":"0.5.0","pythons":["3.14"],"unknown":["c","[","{","<","S"],"owes":["accept","refuse","consumed","value"]}"#.into()
    }

    fn load(&mut self, stream: &[u8], _: (u8, u8), _: bool) -> Result<Read, Refusal> {
        let mut rest = stream;
        let constant = deserialize_value(&mut rest, BasicBag).map_err(Refusal::error)?;
        Ok(Read { value: value(&constant)?, consumed: Some(stream.len() - rest.len()), rewritten: None })
    }
}

fn main() {
    reader::serve(RustPython);
}
