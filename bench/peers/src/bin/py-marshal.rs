//! Times the crate py-marshal.

use py_marshal::read::{MarshalLoadExOptions, marshal_load_ex};

fn main() {
    peers::serve(peers::as_it_is, |mut stream, version| {
        let options = MarshalLoadExOptions { has_posonlyargcount: version >= (3, 8) };
        marshal_load_ex(&mut stream, options).is_ok() && stream.is_empty()
    });
}
