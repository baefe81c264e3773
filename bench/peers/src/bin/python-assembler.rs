//! Times the crate python-assembler, which reads whole .pyc files.

use python_assembler::formats::pyc::PycReadConfig;
use python_assembler::program::{PythonCodeObject, PythonVersion};
use std::io::Cursor;

/// A header of 16 bytes, which it does not look into when it is told the version.
fn pyc(stream: &[u8], _: peers::Version) -> Vec<u8> {
    [b"\x01".repeat(16).as_slice(), stream].concat()
}

/// Whether the last two fields are what the file ends with. It takes what it does not know for `None`, a reference or a
/// code object among the constants for instance, and goes on in the middle of it: then it was soon done, and read nothing.
fn arrived(file: &[u8], code: &PythonCodeObject) -> bool {
    let mut rest = Some(file);
    for field in [&code.co_exceptiontable, &code.co_linetable] {
        rest = rest
            .and_then(|rest| rest.strip_suffix(field.as_slice()))
            .and_then(|rest| rest.strip_suffix(&(field.len() as u32).to_le_bytes()))
            .and_then(|rest| rest.split_last())
            .and_then(|(code, rest)| (code & 0x7F == b's').then_some(rest));
    }
    rest.is_some()
}

fn main() {
    peers::serve(pyc, |file, _| {
        let config = PycReadConfig { version: PythonVersion::Python3_12 };
        let reader = config.as_reader(Cursor::new(file));
        // An error becomes an empty program, which has an empty header.
        reader.get_program().is_ok_and(|program| program.header.magic != [0; 4] && arrived(file, &program.code_object))
    });
}
