//! Which rules of the format the inputs of a folder reach: `cargo run --release -p fuzz --example reach FOLDER...`. Each input
//! is read by the Python that its last byte chooses, as the targets read it. `ci/fuzz-speed` compares fuzzers by it.

use harness::roundtrip::chosen;
use harness::subjects::core::Core;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cores: Vec<Core> = Core::all().collect();
    for folder in std::env::args_os().skip(1) {
        let inputs = match read(Path::new(&folder)) {
            Ok(inputs) => inputs,
            Err(error) => {
                eprintln!("{}: {error}", folder.display());
                return ExitCode::FAILURE;
            }
        };
        let mut reached = BTreeSet::new();
        for input in &inputs {
            let core = chosen(&cores, input);
            let rules = core.predict(input).reached;
            reached.extend(rules.rows().map(|row| (core.profile().version, row)));
        }
        let rules: BTreeSet<usize> = reached.iter().map(|&(_, row)| row).collect();
        let (inputs, versions) = (inputs.len(), reached.len());
        println!("{}: {inputs} inputs, {} rules, {versions} with versions", folder.display(), rules.len());
    }
    ExitCode::SUCCESS
}

fn read(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    fs::read_dir(folder)?.map(|file| fs::read(file?.path())).collect()
}
