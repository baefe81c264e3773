//! Changes a text in one function of a .pyc file; what follows from it is worked out anew:
//! `cargo run -p pyc-core --example edit_function IN.pyc Door.__exit__ OLD NEW OUT.pyc`.

use pyc_core::bytecode::document::Symbol;
use pyc_core::bytecode::text;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, function, old, new, output] = arguments.as_slice() else {
        return Err("usage: edit_function IN.pyc FUNCTION OLD NEW OUT.pyc".into());
    };
    let bytes = std::fs::read(input)?;
    let mut document = text::disassemble(&bytes, None).map_err(|error| format!("{input}: {error:?}"))?;
    let (old, new) = (document.values.str(old), document.values.str(new));
    let block = document.blocks.iter_mut().find(|block| block.label == *function);
    let block = block.ok_or_else(|| format!("{input} has no function {function}"))?;
    let mut count = 0;
    for op in block.ops.iter_mut().filter(|op| op.operand == Symbol::Const(old)) {
        op.operand = Symbol::Const(new);
        count += 1;
    }
    block.changed();
    std::fs::write(output, document.write()?)?;
    println!("{count} replaced in {function}");
    Ok(())
}
