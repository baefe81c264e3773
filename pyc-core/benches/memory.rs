//! How many bytes pyc-core allocates for each byte of a stream.
//!
//! The library promises no more than a small multiple of its input, whatever the input is; a crafted file must not fill the
//! memory of whoever looks at it. So beside real streams this measures those that a reader has most to remember of: one
//! byte for a node, two bytes for a container.
//!
//! ```text
//! cargo bench -p pyc-core --bench memory [-- X.Y [FILE]]     FILE: streams, each after its length (4 bytes, little-endian)
//! ```
//!
//! prints, separated by tabs: what; streams; bytes; the peak of what `read` holds and of what `read` and `Loaded::new` hold
//! together, each as a sum over the streams and as the largest multiple of a stream's length.

use pyc_core::model::Loaded;
use pyc_core::{Profile, Release, read};
use std::hint::black_box;

/// The length of the crafted streams.
const LENGTH: usize = 1 << 20;

/// Peaks over some streams.
#[derive(Default)]
struct Peaks {
    sum: u64,
    worst: f64,
}

impl Peaks {
    fn add(&mut self, stream: &[u8], work: impl FnOnce()) {
        let peak = allocation_counter::measure(work).bytes_max;
        self.sum += peak;
        self.worst = self.worst.max(peak as f64 / stream.len() as f64);
    }
}

fn measure(name: &str, streams: &[Vec<u8>], profile: &Profile) {
    let mut bytes = 0;
    let (mut reading, mut loading) = (Peaks::default(), Peaks::default());
    for stream in streams.iter().filter(|stream| read(stream, profile).is_ok()) {
        bytes += stream.len();
        reading.add(stream, || drop(black_box(read(stream, profile))));
        loading.add(stream, || {
            let graph = read(stream, profile).expect("it was read before");
            black_box(Loaded::new(&graph, profile));
        });
    }
    let accepted = streams.iter().filter(|stream| read(stream, profile).is_ok()).count();
    let Peaks { sum, worst } = reading;
    println!("{name}\t{accepted}\t{bytes}\t{sum}\t{worst:.2}\t{}\t{:.2}", loading.sum, loading.worst);
}

/// A list of as many of these items as [`LENGTH`] bytes hold.
fn list(item: &[u8]) -> Vec<u8> {
    sequence(b'[', item)
}

fn sequence(code: u8, item: &[u8]) -> Vec<u8> {
    let count = LENGTH / item.len();
    let length = u32::try_from(count).expect("the count is small").to_le_bytes();
    [&[code][..], &length, &item.repeat(count)].concat()
}

/// What a reader has most to remember of.
fn crafted(profile: &Profile) -> Vec<(&'static str, Vec<u8>)> {
    let chain = |depth: usize, link: &[u8], end: &[u8]| [&link.repeat(depth), end].concat();
    let mut streams = vec![
        ("list of None", list(b"N")),
        ("set of None", sequence(b'<', b"N")),
        ("dict of None", [b"{", "N".repeat(LENGTH).as_bytes(), b"0"].concat()),
        ("empty lists", list(b"[\0\0\0\0")),
        ("empty dicts", list(b"{0")),
        ("nested dicts", list(&chain(1000, b"{N", &[b"N".as_slice(), &b"0".repeat(1000)].concat()))),
        ("ints", list(b"i\x01\0\0\0")),
        ("one bytes object", [b"s\0\0\x10\0".as_slice(), &[b'x'; 1 << 20]].concat()),
    ];
    if !profile.is_python2() {
        streams.extend([
            ("empty tuples", list(b")\0")),
            ("nested tuples", list(&chain(1000, b")\x01", b")\0"))),
            ("flagged tuples", list(b"\xa9\0")),
            ("flagged None", list(b"\xce")),
            ("empty strings", list(b"z\0")),
            ("flagged interned strings", list(b"\xda\x01x")),
        ]);
    }
    streams
}

fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut streams = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (stream, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        streams.push(stream.to_vec());
        bytes = rest;
    }
    streams
}

fn main() {
    // Cargo adds --bench.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let version = arguments.next().unwrap_or_else(|| "3.12".into());
    let release = Release::parse(&version).expect("a version such as 3.12");
    let profile = &Profile::for_release(&release).expect("a version that pyc-core knows");
    match arguments.next() {
        Some(file) => {
            let bytes = std::fs::read(&file).expect("a file of streams");
            measure("file", &split(&bytes), profile);
        }
        None => crafted(profile).into_iter().for_each(|(name, stream)| measure(name, &[stream], profile)),
    }
}
