//! How fast pyc-core reads, loads, dumps and writes, by itself.
//!
//! For whoever changes pyc-core: `cargo bench -p pyc-core --bench speed` says within a minute whether it became faster or
//! slower than before. It needs no interpreter; how it compares with them is what `cargo provost bench` tells.

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use pyc_core::model::Loaded;
use pyc_core::{Graph, NodeId, Profile, Pyc, Scratch, Version, read, read_with};
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

/// Streams, all for one Python.
struct Input {
    name: &'static str,
    profile: &'static Profile,
    streams: Vec<Vec<u8>>,
}

fn inputs() -> Vec<Input> {
    let [profile, python2] =
        [Version::new(3, 12), Version::new(2, 7)].map(|version| Profile::of(version).expect("it is modelled"));
    vec![
        Input { name: "code", profile, streams: code() },
        Input { name: "values", profile, streams: vec![values(profile)] },
        Input { name: "tiny", profile, streams: tiny(&[b"\xfa\x05hello", b"\xa9\x02\xe9\xe8\x03\0\0r\x01\0\0\0"]) },
        Input {
            name: "tiny of 2.7",
            profile: python2,
            streams: tiny(&[b"t\x05\0\0\0hello", b"{s\x01\0\0\0au\x01\0\0\0bi\x01\0\0\0T0"]),
        },
    ]
}

/// What a compiler writes: the module in the corpus, many times.
fn code() -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds/greet-3.12.pyc");
    let bytes = std::fs::read(path).expect("the corpus has it");
    let pyc = Pyc::parse(&bytes).expect("it is a good file");
    vec![pyc.payload.to_vec(); 100]
}

/// What programs keep: records with text and numbers of every kind.
fn values(profile: &Profile) -> Vec<u8> {
    let mut graph = Graph::new(profile);
    let records: Vec<NodeId> = (0..2000).map(|number| record(&mut graph, number)).collect();
    let root = graph.list(&records);
    graph.set_root(root);
    graph.write().expect("it can be written")
}

fn record(graph: &mut Graph, number: i64) -> NodeId {
    let id = (graph.str("id"), graph.int(number));
    let name = (graph.str("name"), graph.str(&format!("record number {number}")));
    let title = (graph.str("title"), graph.str(&format!("Überschrift {number} ☃")));
    let ratio = (graph.str("ratio"), graph.float(number as f64 / 7.0));
    let items: Vec<NodeId> = (0..8).map(|power| graph.int(number << (7 * power))).collect();
    let items = (graph.str("items"), graph.tuple(&items));
    graph.dict(&[id, name, title, ratio, items])
}

/// A few short streams, again and again: those that every version reads, and some of one.
fn tiny(own: &[&[u8]]) -> Vec<Vec<u8>> {
    let all: [&[u8]; 3] = [b"N", b"i\x01\0\0\0", b"[\x02\0\0\0i\x07\0\0\0(\x01\0\0\0N"];
    all.iter().chain(own).cycle().take(1000).map(|stream| stream.to_vec()).collect()
}

fn bench(criterion: &mut Criterion) {
    for Input { name, profile, streams } in inputs() {
        let mut group = criterion.benchmark_group(name);
        let bytes: usize = streams.iter().map(Vec::len).sum();
        group.throughput(Throughput::Bytes(bytes as u64)).warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_secs(2)).sample_size(20);
        one(&mut group, profile, &streams);
        group.finish();
    }
}

fn one(group: &mut BenchmarkGroup<WallTime>, profile: &Profile, streams: &[Vec<u8>]) {
    let read = |stream| read(black_box(stream), profile).expect("the stream is good");
    group.bench_function("read", |b| b.iter(|| streams.iter().for_each(|stream| drop(black_box(read(stream))))));
    let mut scratch = Scratch::default();
    let mut reread = |stream: &Vec<u8>| {
        black_box(read_with(black_box(stream), profile, &mut scratch))
            .expect("the stream is good")
            .recycle(&mut scratch);
    };
    group.bench_function("read_with", |b| b.iter(|| streams.iter().for_each(&mut reread)));
    let load = |stream| drop(black_box(Loaded::new(&read(stream), profile)));
    group.bench_function("load", |b| b.iter(|| streams.iter().for_each(|stream| load(stream))));
    let graphs: Vec<Graph> = streams.iter().map(|stream| read(stream)).collect();
    let write = |graph: &Graph| drop(black_box(graph.write()));
    group.bench_function("write", |b| b.iter(|| graphs.iter().for_each(write)));
    let loaded: Vec<Loaded> = graphs.iter().map(|graph| Loaded::new(graph, profile)).collect();
    let dump = |loaded: &Loaded| drop(black_box(loaded.dump(profile.marshal_version)));
    group.bench_function("dump", |b| b.iter(|| loaded.iter().for_each(dump)));
}

criterion_group!(benches, bench);
criterion_main!(benches);
