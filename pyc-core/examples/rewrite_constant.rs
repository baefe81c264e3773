//! Replaces a string constant in a .pyc file and leaves every other byte as it is:
//! `cargo run -p pyc-core --example rewrite_constant IN.pyc OLD NEW OUT.pyc`.

use pyc_core::{NodeId, Pyc, Value, code::Field, read};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, old, new, output] = arguments.as_slice() else {
        return Err("usage: rewrite_constant IN.pyc OLD NEW OUT.pyc".into());
    };
    let bytes = std::fs::read(input)?;
    let pyc = Pyc::parse(&bytes)?;
    let mut graph = read(pyc.payload, pyc.profile())?;

    // The places that hold the string: a tuple of constants and the index in it.
    let mut places: Vec<(NodeId, usize)> = Vec::new();
    for id in graph.ids() {
        if let Value::Code(code) = graph.value(id)
            && let Some(consts) = code.object(Field::Consts).map(|consts| graph.resolve(consts))
            && let Value::Tuple(items) = graph.value(consts)
        {
            let is_old = |item: &NodeId| match graph.value(graph.resolve(*item)) {
                Value::Str(text) => text.to_string_lossy() == *old,
                Value::Bytes(bytes) | Value::InternedBytes(bytes) => bytes == old.as_bytes(),
                _ => false,
            };
            places.extend(items.iter().enumerate().filter(|(_, item)| is_old(item)).map(|(place, _)| (consts, place)));
        }
    }
    for (tuple, place) in &places {
        let constant = graph.str(new);
        graph.set_child(*tuple, *place, constant);
    }
    // An object that is used again elsewhere by a reference must stay: the writer says so instead of writing nonsense.
    let payload = graph.write()?;
    let rewritten = Pyc::new(pyc.profile(), pyc.header, &payload);
    std::fs::write(output, rewritten.to_bytes())?;
    println!("{} replaced, {} bytes before, {} after", places.len(), bytes.len(), rewritten.to_bytes().len());
    Ok(())
}
