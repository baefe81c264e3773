//! Times the crate python-assembler, which reads whole .pyc files.

use python_assembler::formats::pyc::PycReadConfig;
use python_assembler::program::PythonVersion;
use std::io::Cursor;

/// A header of 16 bytes, which it does not look into when it is told the version.
fn pyc(stream: &[u8], _: peers::Version) -> Vec<u8> {
    [b"\x01".repeat(16).as_slice(), stream].concat()
}

fn main() {
    peers::serve(pyc, |file, _| {
        let config = PycReadConfig { version: PythonVersion::Python3_12 };
        let reader = config.as_reader(Cursor::new(file));
        // An error becomes an empty program, which has an empty header.
        reader.get_program().is_ok_and(|program| program.header.magic != [0; 4])
    });
}
