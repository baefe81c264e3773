//! Times the crate marshal-parser.

fn main() {
    peers::serve(peers::as_it_is, |stream, (major, minor)| {
        marshal_parser::MarshalObject::parse_dump(stream, (major.into(), minor.into())).is_ok()
    });
}
