//! How often reading allocates. What most streams consist of is read in runs, for which room is made once; that it is read
//! elsewhere just as well, only slower, is why nothing but this shows a run that ends too early.

use allocation_counter::AllocationInfo;
use pyc_core::model::{Dump, Loaded};
use pyc_core::{Profile, Release, Scratch, Version, read, read_with};
use std::hint::black_box;

const LEAVES: &[&[u8]] = &[
    b"N",
    b"T",
    b"i\x05\0\0\0",
    b"g12345678",
    b"y1234567812345678",
    b"s\x03\0\0\0abc",
    b"l\x01\0\0\0\x05\0",
    b"u\x03\0\0\0abc",
];
const LEAVES_OF_PYTHON3: &[&[u8]] = &[b"a\x03\0\0\0abc", b"A\x03\0\0\0abc", b"z\x03abc", b"Z\x03abc"];

/// What reading this allocates; bytes that are not read follow, so that there is room for all nodes from the beginning.
fn cost(minor: u8, stream: &[u8]) -> AllocationInfo {
    let profile = Profile::of(if minor == 7 { Version::new(2, 7) } else { Version::new(3, minor) }).unwrap();
    let stream = [stream, &[0; 16 * 300]].concat();
    allocation_counter::measure(|| drop(black_box(read(black_box(&stream), profile).unwrap())))
}

fn sequence(code: u8, items: &[&[u8]]) -> Vec<u8> {
    let count = u32::try_from(items.len()).unwrap();
    [&[code][..], &count.to_le_bytes(), &items.concat()].concat()
}

/// Nodes and edges have one allocation each; a container of leaves needs nothing else.
#[test]
fn leaves_are_read_in_runs() {
    for minor in [7, 6, 8, 13] {
        let python3 = if minor == 7 { &[] } else { LEAVES_OF_PYTHON3 };
        for leaf in LEAVES.iter().chain(python3) {
            for code in *b"[(<" {
                let count = cost(minor, &sequence(code, &[*leaf; 100])).count_total;
                assert_eq!(count, 2, "3.{minor} {leaf:x?} in {}", code as char);
            }
            if minor == 7 {
                continue;
            }
            // A flagged one takes a slot, and these are allocated as they come; but None and True take none.
            let flagged = [&[leaf[0] | 0x80], &leaf[1..]].concat();
            let slots = if matches!(leaf[0], b'N' | b'T') { 0 } else { 6 };
            let count = cost(minor, &sequence(b'[', &[&flagged[..]; 100])).count_total;
            assert_eq!(count, 2 + slots, "3.{minor} {flagged:x?}");
            if slots > 0 {
                let items = [&[&flagged[..]][..], &[&b"r\0\0\0\0"[..]; 100]].concat();
                assert_eq!(cost(minor, &sequence(b'[', &items)).count_total, 3, "3.{minor} references to {leaf:x?}");
            }
        }
    }
}

/// The items of a container of leaves are never pending; where another container is among them, they are.
#[test]
fn containers_of_leaves_are_read_at_once() {
    let leaves = b"N".repeat(255);
    let others = [&leaves[1..], b"(\0\0\0\0"].concat();
    for minor in [7, 6, 8, 13] {
        let of_python3 = if minor == 7 { &[][..] } else { &[&b")\xff"[..], b"\xa9\xff"] };
        let heads = [&b"(\xff\0\0\0"[..], b"[\xff\0\0\0", b"<\xff\0\0\0", b">\xff\0\0\0"];
        for head in heads.iter().chain(of_python3) {
            let cost = |items: &[u8]| cost(minor, &sequence(b'[', &[&[head, items].concat()])).bytes_total;
            assert!(cost(&leaves) + 900 < cost(&others), "3.{minor} {head:x?}");
        }
    }
}

/// Keys that are strings, bytes or small ints are told apart without a description of each.
#[test]
fn plain_keys_are_compared_where_they_are() {
    let profile = Profile::of(Version::new(3, 13)).unwrap();
    let ints = (0..1000_u32).map(|i| [&b"i"[..], &(i + 1000).to_le_bytes()].concat());
    let bytes = (0..1000_u32).map(|i| [&b"s\x04\0\0\0"[..], &i.to_le_bytes()].concat());
    let texts = (1000..2000_u32).map(|i| [&b"z\x04"[..], i.to_string().as_bytes()].concat());
    let keys: Vec<Vec<u8>> = ints.chain(bytes).chain(texts).collect();
    let members: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let pairs: Vec<Vec<u8>> = keys.iter().map(|key| [key, &b"N"[..]].concat()).collect();
    let dict = [&b"{"[..], &pairs.concat(), b"0"].concat();
    for stream in [sequence(b'<', &members), dict] {
        let graph = read(&stream, profile).unwrap();
        let count = allocation_counter::measure(|| drop(black_box(Loaded::new(&graph, profile)))).count_total;
        assert!(count < 100, "{count}");
    }
}

/// The table of interned strings has room for one in eight objects from the beginning, and no more.
#[test]
fn the_table_of_interned_strings_is_allocated_at_once() {
    let profile = Profile::of(Version::new(3, 13)).unwrap();
    let names: Vec<Vec<u8>> = (1000..2000).map(|i| [&b"Z\x04"[..], i.to_string().as_bytes()].concat()).collect();
    let load = |names: &[Vec<u8>]| {
        let nones = vec![&b"N"[..]; 8000 - names.len()];
        let stream = sequence(b'[', &[nones, names.iter().map(Vec::as_slice).collect()].concat());
        let graph = read(&stream, profile).unwrap();
        allocation_counter::measure(|| drop(black_box(Loaded::new(&graph, profile))))
    };
    let (none, one, all) = (load(&[]), load(&names[..1]), load(&names));
    assert_eq!([one.count_total, all.count_total], [none.count_total + 1; 2]);
    assert_eq!([one.bytes_total, all.bytes_total], [none.bytes_total + 2048 * 8; 2]);
}

/// Memory that was used once is enough for the same stream, and for a smaller one.
#[test]
fn recycled_memory_is_used_again() {
    let few = [&b"\xda\x02ab"[..], b"i\x05\0\0\0", b"z\x01a", b"s\x01\0\0\0a", b"(\x01\0\0\0N"];
    let inner = sequence(b'(', &few);
    let fields = [&b")\x02)\x01z\x01bN"[..], b")\0", b")\0", b")\0", b")\0", b"z\x01fz\x01g"].concat();
    let code = [&b"c"[..], &[0; 24], b"s\0\0\0\0", &fields, &[0; 4], b"s\0\0\0\0"].concat();
    for (release, other) in [("3.10.13", &code[..]), ("3.15.0", b"{NNTF0")] {
        let profile = Profile::for_release(&Release::parse(release).unwrap()).unwrap();
        let larger = sequence(b'[', &[inner.as_slice(), &sequence(b'<', &few), b"{NNTF0", other, b"r\0\0\0\0"]);
        let mut scratch = Scratch::default();
        let mut load = |stream: &[u8]| {
            let graph = read_with(black_box(stream), &profile, &mut scratch).unwrap();
            Loaded::new_with(&graph, &profile, &mut scratch).recycle(&mut scratch);
            graph.recycle(&mut scratch);
        };
        load(&larger);
        for stream in [&larger[..], &inner, b"N", &larger] {
            assert_eq!(allocation_counter::measure(|| load(stream)).count_total, 0, "{release} {stream:x?}");
        }
    }
}

/// A dump has room for as many bytes as were read, and its table of references is one allocation.
#[test]
fn dumps_are_allocated_at_once() {
    let profile = Profile::of(Version::new(3, 13)).unwrap();
    let items: Vec<Vec<u8>> = (0..200_u8).map(|i| [&b"i"[..], &[i, 0, 0, 0]].concat()).collect();
    let stream = sequence(b'[', &items.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let graph = read(&stream, profile).unwrap();
    let loaded = Loaded::new(&graph, profile);
    let mut dump = None;
    let cost = allocation_counter::measure(|| dump = Some(loaded.dump(4)));
    let Some(Dump::Bytes { bytes, .. }) = dump else { panic!("{dump:?}") };
    assert!(bytes.capacity() < 2 * stream.len());
    assert!(cost.count_total < 10, "{}", cost.count_total);
}

/// The last leaf of a stream is one of a run as well, and so are those in a nested container.
#[test]
fn runs_end_where_they_must() {
    let profile = Profile::of(Version::new(3, 13)).unwrap();
    let count = |stream: &[u8]| {
        allocation_counter::measure(|| drop(black_box(read(black_box(stream), profile).unwrap()))).count_total
    };
    assert_eq!(count(&sequence(b'[', &[&b"s\x14\0\0\0abcdefghijklmnopqrst"[..]; 100])), 2);
    let nested = (0..20).fold(sequence(b'[', &[&b"N"[..]; 100]), |inside, _| sequence(b'[', &[&inside]));
    // Frames, pending children, and edges once more.
    assert_eq!(cost(13, &nested).count_total, cost(13, &sequence(b'[', &[&b"N"[..]; 100])).count_total + 6);
}

/// There is room for a node for each 16 bytes and for 16 more, and then for twice as many, but for no more than bytes are left.
#[test]
fn there_is_room_for_the_nodes_that_a_stream_can_have() {
    const NODE: u64 = 16;
    const EDGE: u64 = 4;
    let profile = Profile::of(Version::new(3, 13)).unwrap();
    // How often a graph is allocated, and what it holds in the end.
    let graph = |stream: &[u8]| {
        let mut graph = None;
        let cost = allocation_counter::measure(|| graph = Some(read(black_box(stream), profile).unwrap()));
        (cost.count_total, cost.bytes_current)
    };
    assert_eq!(graph(b"N"), (1, NODE as i64));
    assert_eq!(graph(&[&b"s\0\x10\0\0"[..], &[0; 4096]].concat()), (1, 272 * NODE as i64));
    let (count, bytes) = graph(&sequence(b'[', &[&b"N"[..]; 1000]));
    assert_eq!((count, bytes), (12, (1001 * NODE + 1000 * EDGE) as i64));
    let (count, bytes) = graph(&sequence(b'[', &[&b"[\0\0\0\0"[..]; 1000]));
    assert_eq!((count, bytes), (14, (1312 * NODE + 1000 * EDGE) as i64));
}
