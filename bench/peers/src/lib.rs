//! What the programs of this crate share: they time one peer each, as `cargo provost bench` asks.
//!
//! Every peer refuses some streams, and some peers panic, so that a speed means nothing without the streams that it was
//! had on: each program says first which of them its peer reads, and is then told which to time. It speaks as
//! bench/marshal_loads.py does:
//!
//! ```text
//! arguments       FILE X.Y               streams, each after its length (4 bytes, little-endian); the Python that is meant
//! answer          101...                 a digit for each stream: whether the peer reads it
//! use 100...      ok                     time these from now on
//! load            0.123                  seconds for reading all of them once
//! ```

use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Most peers recurse; a deeply nested stream must not end the program.
const STACK: usize = 1 << 30;

/// The version of Python that wrote the streams.
pub type Version = (u8, u8);

/// Answers until the input ends. `read` reads a stream, drops what came of it, and says whether the stream was accepted;
/// `prepare` makes what it wants from a stream, and is not timed.
pub fn serve(prepare: fn(&[u8], Version) -> Vec<u8>, read: fn(&[u8], Version) -> bool) {
    let work = move || run(prepare, read);
    std::thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread").join().expect("no panic");
}

/// For peers that read marshal streams as they are.
pub fn as_it_is(stream: &[u8], _: Version) -> Vec<u8> {
    stream.to_vec()
}

fn run(prepare: fn(&[u8], Version) -> Vec<u8>, read: fn(&[u8], Version) -> bool) {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(version)) = (arguments.next(), arguments.next().as_deref().and_then(version)) else {
        panic!("arguments: FILE X.Y");
    };
    let bytes = std::fs::read(file).expect("the file of streams");
    let streams: Vec<Vec<u8>> = split(&bytes).map(|stream| prepare(stream, version)).collect();
    // Panics are answers here.
    std::panic::set_hook(Box::new(|_| {}));
    let accepts = |stream: &Vec<u8>| catch_unwind(AssertUnwindSafe(|| read(stream, version))).unwrap_or(false);
    let digits: String = streams.iter().map(|stream| if accepts(stream) { '1' } else { '0' }).collect();
    say(&digits);
    let mut used: Vec<&[u8]> = Vec::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("use", digits) => {
                let chosen = streams.iter().zip(digits.bytes()).filter(|(_, digit)| *digit == b'1');
                used = chosen.map(|(stream, _)| stream.as_slice()).collect();
                say("ok");
            }
            ("load", _) => {
                let begin = Instant::now();
                for stream in &used {
                    std::hint::black_box(read(std::hint::black_box(stream), version));
                }
                say(&begin.elapsed().as_secs_f64().to_string());
            }
            _ => say("what?"),
        }
    }
}

fn version(text: &str) -> Option<Version> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (stream, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        bytes = rest;
        Some(stream)
    })
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever asked may be gone; the input then ends as well.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
