//! Times the crate python_marshal.

use python_marshal::magic::PyVersion;

fn main() {
    peers::serve(peers::as_it_is, |stream, (major, minor)| {
        python_marshal::load_bytes(stream, PyVersion::new(major, minor)).is_ok()
    });
}
