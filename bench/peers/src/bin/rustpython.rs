//! Times the crate rustpython-compiler-core, with the values that its compiler has.

use rustpython_compiler_core::bytecode::BasicBag;
use rustpython_compiler_core::marshal::deserialize_value;

fn main() {
    peers::serve(peers::as_it_is, |mut stream, _| {
        deserialize_value(&mut stream, BasicBag).is_ok() && stream.is_empty()
    });
}
