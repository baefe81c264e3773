//! Lists the functions in a .pyc file: `cargo run -p pyc-core --example list_functions FILE.pyc`.

use pyc_core::{Graph, NodeId, Pyc, Value, code::Field, read};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: list_functions FILE.pyc")?;
    let bytes = std::fs::read(&path)?;
    let pyc = Pyc::parse(&bytes).map_err(|e| format!("{path}: {e}"))?;
    let graph = read(pyc.payload, pyc.profile()).map_err(|e| format!("{path}: {e}"))?;
    println!("{path}: Python {}", pyc.profile().version);
    for id in graph.ids() {
        if let Value::Code(code) = graph.value(id) {
            // Cell variables may be arguments, so argument names are the first locals only as long as the compiler says so.
            let arguments: Vec<String> = code
                .locals(&graph)
                .into_iter()
                .take(usize::try_from(code.ints().argcount).unwrap_or(0))
                .map(|name| text(&graph, name))
                .collect();
            let name =
                code.object(Field::Qualname).or(code.object(Field::Name)).map_or(String::new(), |n| text(&graph, n));
            println!("line {:4}  {name}({})", code.ints().firstlineno, arguments.join(", "));
        }
    }
    Ok(())
}

fn text(graph: &Graph, id: NodeId) -> String {
    match graph.value(graph.resolve(id)) {
        Value::Str(text) => text.to_string_lossy(),
        Value::Bytes(bytes) | Value::InternedBytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}
