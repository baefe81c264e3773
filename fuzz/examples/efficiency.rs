//! How much of its time a target spends on its body, and not on making the inputs:
//! `cargo run --release -p fuzz --example efficiency [FOLDER]`, by default over corpus/seeds.
//!
//! Every input of the folder is mutated and crossed a few times, as libFuzzer would do it if it never used mutators of its
//! own, and the body runs on what comes out. The goal is 70 % for `marshal_roundtrip`.

use fuzz::{TARGETS, Target};
use harness::generators::tape;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const LIMIT: usize = 16384;
const ROUNDS: u64 = 8;

fn main() -> ExitCode {
    let seed_folder = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds");
    let folder = std::env::args_os().nth(1).map_or_else(seed_folder, PathBuf::from);
    let files = match fs::read_dir(&folder) {
        Ok(files) => files.filter_map(|file| Some(file.ok()?.path())),
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    };
    let mut inputs: Vec<Vec<u8>> = files.filter_map(|path| fs::read(path).ok()).collect();
    inputs.retain(|bytes| bytes.len() <= LIMIT);
    inputs.sort();
    println!("{:24} {:>8} {:>12} {:>12} {:>12}", "target", "inputs", "making, us", "body, us", "efficiency");
    // Waiting for another process is no work of the body's.
    for Target { name, body, mutators } in TARGETS.iter().filter(|target| target.name != "marshal_differential") {
        let Some((mutate, cross)) = mutators else { continue };
        let (mut making, mut running) = (Duration::ZERO, Duration::ZERO);
        let mut made = 0_u32;
        let mut data = vec![0; LIMIT];
        let mut run = |make: &mut dyn FnMut(&mut [u8]) -> usize| {
            let begin = Instant::now();
            let size = make(&mut data);
            making += begin.elapsed();
            let begin = Instant::now();
            body(&data[..size]);
            running += begin.elapsed();
            made += 1;
        };
        for round in 0..ROUNDS {
            for (number, input) in inputs.iter().enumerate() {
                let tape = tape(round, "efficiency", number as u64);
                let luck = u32::from_le_bytes([tape[0], tape[1], tape[2], tape[3]]);
                let other = &inputs[(number + 1) % inputs.len()];
                run(&mut |data| {
                    data[..input.len()].copy_from_slice(input);
                    mutate(data, input.len(), LIMIT, luck)
                });
                run(&mut |data| cross(input, other, data, luck));
            }
        }
        let each = |time: Duration| 1e6 * time.as_secs_f64() / f64::from(made.max(1));
        let efficiency = running.as_secs_f64() / (making + running).as_secs_f64();
        println!("{name:24} {made:8} {:12.2} {:12.2} {:11.1}%", each(making), each(running), 100.0 * efficiency);
    }
    ExitCode::SUCCESS
}
