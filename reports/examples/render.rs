//! The report of a log: `cargo run -p reports --example render -- run.jsonl > report.html`.

use std::error::Error;
use std::io::Write;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: render run.jsonl > report.html")?;
    let run = reports::read(Path::new(&path))?;
    std::io::stdout().write_all(reports::render(&run).as_bytes())?;
    Ok(())
}
