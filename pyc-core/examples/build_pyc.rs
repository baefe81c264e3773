//! Builds a .pyc file that prints a greeting, from nothing, for any version:
//! `cargo run -p pyc-core --example build_pyc 3.12 hello.pyc && python3.12 hello.pyc`.

use pyc_core::code::{CodeInts, Field, fields};
use pyc_core::pyc::Header;
use pyc_core::{Graph, NodeId, Profile, Pyc, Release};

/// `print(consts[0]); return consts[1]` in each version's bytecode.
const BYTECODE: &[(&str, &[u8])] = &[
    // LOAD_CONST 0, PRINT_ITEM, PRINT_NEWLINE, LOAD_CONST 1, RETURN_VALUE
    ("2.7", b"\x64\0\0\x47\x48\x64\x01\0\x53"),
    // LOAD_NAME print, LOAD_CONST 0, CALL_FUNCTION 1, POP_TOP, LOAD_CONST 1, RETURN_VALUE
    ("3.6", b"\x65\0\x64\0\x83\x01\x01\0\x64\x01\x53\0"),
    // RESUME, PUSH_NULL, LOAD_NAME, LOAD_CONST, PRECALL 1 + cache, CALL 1 + 4 caches, POP_TOP, LOAD_CONST, RETURN_VALUE
    ("3.11", b"\x97\0\x02\0\x65\0\x64\0\xa6\x01\0\0\xab\x01\0\0\0\0\0\0\0\0\x01\0\x64\x01\x53\0"),
    // RESUME, PUSH_NULL, LOAD_NAME, LOAD_CONST, CALL 1 + 3 caches, POP_TOP, RETURN_CONST 1
    ("3.12", b"\x97\0\x02\0\x65\0\x64\0\xab\x01\0\0\0\0\0\0\x01\0\x79\x01"),
    // RESUME, LOAD_NAME, PUSH_NULL, LOAD_CONST, CALL 1 + 3 caches, POP_TOP, RETURN_CONST 1
    ("3.13", b"\x95\0\x5c\0\x22\0\x53\0\x35\x01\0\0\0\0\0\0\x20\0\x67\x01"),
    // RESUME, LOAD_NAME, PUSH_NULL, LOAD_CONST, CALL 1 + 3 caches, POP_TOP, LOAD_CONST 1, RETURN_VALUE
    ("3.14", b"\x80\0\x5d\0\x21\0\x52\0\x34\x01\0\0\0\0\0\0\x1f\0\x52\x01\x23\0"),
    // RESUME + cache, then as 3.14
    ("3.15", b"\x80\0\0\0\x5c\0\x1f\0\x51\0\x32\x01\0\0\0\0\0\0\x1d\0\x51\x01\x21\0"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [version, output] = arguments.as_slice() else {
        return Err("usage: build_pyc X.Y OUT.pyc".into());
    };
    let release = Release::parse(version).ok_or("not a Python version")?;
    let profile = Profile::for_release(&release).ok_or("this version is not supported")?;
    let bytecode =
        BYTECODE.iter().rfind(|(since, _)| Release::parse(since).is_some_and(|s| s.version <= release.version));
    let (_, bytecode) = bytecode.ok_or("no bytecode for this version")?;
    let payload =
        module(&profile, bytecode, &format!("hello from a .pyc that no Python made, for {}", profile.version))?;
    let header = Header::MtimeSize { flags: 0, mtime: 0, size: 0 };
    std::fs::write(output, Pyc::new(&profile, header, &payload).to_bytes())?;
    println!("{output}: {} bytes for Python {}", payload.len() + profile.header.length(), profile.version);
    Ok(())
}

/// The marshal stream of a module's code object.
fn module(profile: &Profile, bytecode: &[u8], greeting: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut graph = Graph::new(profile);
    let objects: Vec<NodeId> = fields(profile.code_layout)
        .iter()
        .map(|field| match field {
            Field::Code => graph.bytes(bytecode),
            Field::Consts => {
                let items = [graph.str(greeting), graph.none()];
                graph.tuple(&items)
            }
            Field::Names => {
                let print = graph.str("print");
                graph.tuple(&[print])
            }
            Field::Varnames | Field::Freevars | Field::Cellvars | Field::Localsplusnames => graph.tuple(&[]),
            Field::Filename => graph.str("nothing.py"),
            Field::Name | Field::Qualname => graph.str("<module>"),
            Field::Localspluskinds | Field::Lnotab | Field::Linetable | Field::Exceptiontable => graph.bytes(b""),
        })
        .collect();
    let ints = CodeInts { stacksize: 3, flags: 0x40, firstlineno: 1, ..CodeInts::default() };
    let root = graph.code(ints, &objects).ok_or("wrong number of objects")?;
    graph.set_root(root);
    Ok(graph.write()?)
}
