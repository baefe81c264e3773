//! Builds a .pyc file that prints a greeting, from nothing, for any version:
//! `cargo run -p pyc-core --example build_pyc 3.12 hello.pyc && python3.12 hello.pyc`.

use pyc_core::bytecode::{Builder, Given};
use pyc_core::pyc::Header;
use pyc_core::{Graph, Profile, Pyc, Release};

/// `print(greeting)` in the instructions of each version, from the version on that is named; NAME and GREETING are the
/// arguments of two of them. What returns None follows.
const PRINT: [(&str, &str); 5] = [
    ("2.7", "LOAD_CONST GREETING, PRINT_ITEM, PRINT_NEWLINE"),
    ("3.6", "LOAD_NAME NAME, LOAD_CONST GREETING, CALL_FUNCTION 1, POP_TOP"),
    ("3.11", "RESUME 0, PUSH_NULL, LOAD_NAME NAME, LOAD_CONST GREETING, PRECALL 1, CALL 1, POP_TOP"),
    ("3.12", "RESUME 0, PUSH_NULL, LOAD_NAME NAME, LOAD_CONST GREETING, CALL 1, POP_TOP"),
    ("3.13", "RESUME 0, LOAD_NAME NAME, PUSH_NULL, LOAD_CONST GREETING, CALL 1, POP_TOP"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [version, output] = arguments.as_slice() else {
        return Err("usage: build_pyc X.Y OUT.pyc".into());
    };
    let release = Release::parse(version).ok_or("not a Python version")?;
    let profile = Profile::for_release(&release).ok_or("this version is not supported")?;
    let known = |since: &str| Release::parse(since).is_some_and(|since| since.version <= release.version);
    let (_, print) = PRINT.iter().rfind(|(since, _)| known(since)).ok_or("no instructions for this version")?;
    let greeting = format!("hello from a .pyc that no Python made, for {}", profile.version);
    let payload = module(&profile, print, &greeting)?;
    let header = Header::MtimeSize { flags: 0, mtime: 0, size: 0 };
    std::fs::write(output, Pyc::new(&profile, header, &payload).to_bytes())?;
    println!("{output}: {} bytes for Python {}", payload.len() + profile.header.length(), profile.version);
    Ok(())
}

/// The marshal stream of a module's code object. It jumps over 300 instructions that do nothing, to show that the jump gets the
/// prefix that it needs.
fn module(profile: &Profile, print: &str, greeting: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut graph = Graph::new(profile);
    let (greeting, none) = (graph.str(greeting), graph.none());
    let mut builder = Builder::new(profile, 1);
    for instruction in print.split(", ") {
        let (name, given) = match instruction.split_once(' ') {
            None => (instruction, Given::None),
            Some((name, "NAME")) => (name, Given::Name("print")),
            Some((name, "GREETING")) => (name, Given::Const(greeting)),
            Some((name, number)) => (name, Given::Number(number.parse()?)),
        };
        builder.op(name, given)?;
    }
    let end = builder.label();
    builder.op("JUMP_FORWARD", Given::Jump(end))?;
    for _ in 0..300 {
        builder.op("NOP", Given::None)?;
    }
    builder.line(2);
    builder.here(end);
    builder.op("LOAD_CONST", Given::Const(none))?;
    builder.op("RETURN_VALUE", Given::None)?;
    let root = builder.finish(&mut graph, "<module>", "nothing.py", 0x40)?;
    graph.set_root(root);
    Ok(graph.write()?)
}
