//! Builds a .pyc file that prints a greeting, from nothing, for any version:
//! `cargo run -p pyc-core --example build_pyc 3.12 hello.pyc && python3.12 hello.pyc`.

use pyc_core::bytecode::document::{Document, Symbol};
use pyc_core::{Profile, Release};

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
    let file = module(&profile, print, &greeting)?;
    std::fs::write(output, &file)?;
    println!("{output}: {} bytes for Python {}", file.len(), profile.version);
    Ok(())
}

/// The file of a module. It jumps over 300 instructions that do nothing, to show that the jump gets the prefix that it needs.
fn module(profile: &Profile, print: &str, greeting: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut document = Document::new(profile);
    let (greeting, none) = (document.values.str(greeting), document.values.none());
    let mut module = document.build("module", 1);
    for instruction in print.split(", ") {
        let (name, operand) = match instruction.split_once(' ') {
            None => (instruction, Symbol::None),
            Some((name, "NAME")) => (name, Symbol::Name("print".into(), 0)),
            Some((name, "GREETING")) => (name, Symbol::Const(greeting)),
            Some((name, number)) => (name, Symbol::Number(number.parse()?)),
        };
        module.op(name, operand)?;
    }
    let end = module.label();
    module.op("JUMP_FORWARD", Symbol::Jump(end))?;
    for _ in 0..300 {
        module.op("NOP", Symbol::None)?;
    }
    module.line(2);
    module.here(end);
    module.op("LOAD_CONST", Symbol::Const(none))?;
    module.op("RETURN_VALUE", Symbol::None)?;
    module.finish();
    Ok(document.write()?)
}
