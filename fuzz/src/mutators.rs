//! The campaign's mutators, as libFuzzer calls them, and the entry points of a target.

use super::CORES;
use arbitrary::Unstructured;
use harness::generators::{Target, crossover, mutate, tape};
use harness::roundtrip::chosen;
use pyc_core::Pyc;

/// `data[..size]` is the input, and the result takes at most `limit` bytes of `data`. Gives the new size.
pub type Mutate = fn(data: &mut [u8], size: usize, limit: usize, seed: u32) -> usize;

/// Makes one of two inputs, in `out`. Gives its size.
pub type Cross = fn(one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize;

/// The Python that an input chooses.
fn target(data: &[u8]) -> Target {
    chosen(&CORES, data).target()
}

/// Mutates a stream: objects, joints, bytes.
pub fn mutate_stream(data: &mut [u8], size: usize, limit: usize, seed: u32) -> usize {
    let target = target(&data[..size]);
    mutate_behind(0, target, data, size, limit, seed)
}

/// The same for .pyc files: the header stays, the stream behind it changes.
pub fn mutate_pyc(data: &mut [u8], size: usize, limit: usize, seed: u32) -> usize {
    let (header, target) = behind(&data[..size]);
    mutate_behind(header, target, data, size, limit, seed)
}

fn mutate_behind(header: usize, target: Target, data: &mut [u8], size: usize, limit: usize, seed: u32) -> usize {
    let Some(limit) = limit.min(data.len()).checked_sub(header) else { return size.min(limit) };
    let tape = tape(u64::from(seed), "mutate", 0);
    let stream = &data[header..size];
    let mutant = mutate(&mut Unstructured::new(&tape), Some(target), stream, stream, limit);
    put(data, header, &mutant)
}

/// A stream with objects of another one.
pub fn cross_streams(one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    cross_behind(0, target(one), one, other, out, seed)
}

/// A .pyc file with objects of another one.
pub fn cross_pycs(one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    let (header, target) = behind(one);
    cross_behind(header, target, one, &other[behind(other).0..], out, seed)
}

fn cross_behind(header: usize, target: Target, one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    let Some(limit) = out.len().checked_sub(header) else { return 0 };
    let tape = tape(u64::from(seed), "cross", 0);
    let child = crossover(&mut Unstructured::new(&tape), Some(target), &one[header..], other, limit);
    out[..header].copy_from_slice(&one[..header]);
    put(out, header, &child)
}

/// Where the stream of a .pyc file begins, and for whom it is; what is no such file is taken for a stream.
fn behind(file: &[u8]) -> (usize, Target) {
    Pyc::parse(file).map_or_else(|_| (0, target(file)), |pyc| (pyc.payload_offset(), Target::from(pyc.profile())))
}

fn put(data: &mut [u8], header: usize, stream: &[u8]) -> usize {
    let end = header + stream.len();
    data[header..end].copy_from_slice(stream);
    end
}

/// The entry points of a target: libFuzzer's under `cargo fuzz`, a hint otherwise. Every other mutation is libFuzzer's own,
/// which knows what it has seen and has the dictionary.
#[macro_export]
macro_rules! target {
    ($body:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $body(data));

        #[cfg(not(fuzzing))]
        fn main() {
            eprintln!("This is a fuzz target. Run it with: {}", $crate::command(env!("CARGO_BIN_NAME")));
            std::process::exit(2);
        }
    };
    ($body:path, mutate: $mutate:path, cross: $cross:path) => {
        $crate::target!($body);

        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            match seed % 2 {
                0 => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
                _ => $mutate(data, size, max_size, seed),
            }
        });

        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_crossover!(|data1: &[u8], data2: &[u8], out: &mut [u8], seed: u32| {
            $cross(data1, data2, out, seed)
        });
    };
}

/// The command line that runs a target.
#[must_use]
pub fn command(target: &str) -> String {
    format!("cargo provost fuzz {target}")
}
