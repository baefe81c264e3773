//! How much memory a stream can make pyc-core take.
//!
//! Whoever looks at hostile files must know that a small one cannot fill the memory, whatever sizes it claims and however
//! deep it nests. Bytes and calls of the allocator are counted, which no other load of the machine changes; times are not.

use pyc_core::model::Loaded;
use pyc_core::{Profile, read};
use std::hint::black_box;

/// About as long as the streams are.
const LENGTH: usize = 1 << 16;

/// What an empty stream takes may come on top of what each byte takes.
const CONSTANT: u64 = 16 << 10;

/// Reading takes at most so many bytes of memory for each byte of the stream ...
const READING: u64 = 64;
/// ... the model of the value, with the graph that it is made of, so many ...
const LOADING: u64 = 128;
/// ... in so few calls of the allocator: buffers grow by doubling.
const CALLS: u64 = 160;

fn check(name: &str, stream: &[u8]) {
    for profile in Profile::all() {
        let length = stream.len() as u64;
        let reading = allocation_counter::measure(|| drop(black_box(read(black_box(stream), profile))));
        let most = CONSTANT + READING * length;
        assert!(reading.bytes_max <= most, "{name}, {}: {} bytes to read", profile.version, reading.bytes_max);
        // 2.7 reads on after an error in a dict, and each has its text. 3.15 hashes those values of a frozendict that no
        // later key has replaced, and to see which keys are equal takes a text for each.
        let calls = CALLS + if profile.is_python2() || stream.starts_with(b"<\x01\0\0\0}") { length } else { 0 };
        assert!(reading.count_total <= calls, "{name}, {}: {} calls to read", profile.version, reading.count_total);
        let loading = allocation_counter::measure(|| {
            if let Ok(graph) = read(stream, profile) {
                drop(black_box(Loaded::new(&graph, profile)));
            }
        });
        let most = CONSTANT + LOADING * length;
        assert!(loading.bytes_max <= most, "{name}, {}: {} bytes to load", profile.version, loading.bytes_max);
    }
}

/// A container of as many of these items as [`LENGTH`] bytes hold.
fn sequence(code: u8, item: &[u8]) -> Vec<u8> {
    let count = LENGTH / item.len();
    let size = u32::try_from(count).unwrap().to_le_bytes();
    [&[code][..], &size, &item.repeat(count)].concat()
}

/// Containers in each other: so often the beginning of one, then the inmost object, then the ends.
fn nested(depth: usize, begin: &[u8], inmost: &[u8], end: &[u8]) -> Vec<u8> {
    [&begin.repeat(depth)[..], inmost, &end.repeat(depth)].concat()
}

#[test]
fn many_small_objects() {
    for (name, code) in [("list", b'['), ("tuple", b'('), ("set", b'<'), ("frozenset", b'>')] {
        for item in
            [&b"N"[..], b"T", b")\0", b"\xa9\0", b"z\0", b"\xfa\x01a", b"{0", b"[\0\0\0\0", b"i\x01\0\0\0", b"c"]
        {
            check(&format!("{name} of {item:x?}"), &sequence(code, item));
        }
    }
    check("dict", &[b"{", "N".repeat(LENGTH).as_bytes(), b"0"].concat());
    check("flags and references", &[b"[\0\0\x01\0\xa9\0".as_slice(), &b"r\0\0\0\0".repeat(LENGTH / 5)].concat());
    check("flagged without a slot", &sequence(b'[', b"\xce"));
}

#[test]
fn many_levels() {
    for depth in [1_000, 1_990, 10_000, LENGTH / 5] {
        check("lists", &nested(depth, b"[\x01\0\0\0", b"N", b""));
        check("tuples", &nested(depth, b")\x01", b"N", b""));
        check("tuples of two", &nested(depth, b")\x02N", b"N", b""));
        check("dicts", &nested(depth, b"{N", b"N", b"0"));
        check("dicts as keys", &nested(depth, b"{", b"N", b"N0"));
        check("frozensets", &nested(depth, b">\x01\0\0\0", b"N", b""));
    }
}

#[test]
fn sizes_that_only_claim() {
    const MOST: &[u8] = b"\xff\xff\xff\x7f";
    for code in b"([<>stuaAl" {
        let claim = [&[*code][..], MOST].concat();
        check("a size alone", &claim);
        check("a size and some items", &[&claim[..], &b"N".repeat(LENGTH)].concat());
        check("sizes in sizes", &claim.repeat(1_990));
        check("sizes in each value of a dict", &[&b"{"[..], &[&b"N"[..], &claim].concat().repeat(LENGTH / 6)].concat());
    }
    check("255 in 255", &b")\xff".repeat(1_990));
}

#[test]
fn long_payloads() {
    let size = u32::try_from(LENGTH).unwrap().to_le_bytes();
    for code in b"stua" {
        check("one string", &[&[*code][..], &size, &[b'x'; LENGTH]].concat());
    }
    let digits = u32::try_from(LENGTH / 2).unwrap().to_le_bytes();
    check("one int", &[&b"l"[..], &digits, &b"\x01\0".repeat(LENGTH / 2)].concat());
}

/// Many equal and many different keys; that they collide cannot be arranged without knowing the table's seed.
#[test]
fn keys() {
    let numbers = (0..u32::try_from(LENGTH / 6).unwrap()).flat_map(|n| [&b"i"[..], &n.to_le_bytes(), b"N"].concat());
    check("ints as keys", &[&b"{"[..], &numbers.collect::<Vec<u8>>(), b"0"].concat());
    let names =
        (0..LENGTH / 7).flat_map(|n| [&b"\xda\x04"[..], format!("{:04x}", n & 0xFFFF).as_bytes(), b"N"].concat());
    check("names as keys", &[&b"{"[..], &names.collect::<Vec<u8>>(), b"0"].concat());
    for (name, key) in
        [("ints", &b"i"[..]), ("tuples", b")\x01i"), ("frozensets", b">\x02\0\0\0Ni"), ("slices", b":NNi")]
    {
        let pairs = (0..u32::try_from(LENGTH / (9 + key.len())).unwrap())
            .flat_map(|n| [key, &(n / 2).to_le_bytes()[..], b"[\0\0\0\0"].concat());
        let dict = [&b"}"[..], &pairs.collect::<Vec<u8>>(), b"0"].concat();
        check(&format!("{name} as keys of lists"), &dict);
        check(&format!("{name} as keys of lists, hashed"), &[b"<\x01\0\0\0", &dict[..]].concat());
    }
    // Each tuple holds the one before it twice, and the last two are equal.
    let doubled = (0..1_900_u32).flat_map(|n| [&b"\xa9\x02r"[..], &n.to_le_bytes(), b"r", &n.to_le_bytes()].concat());
    let last = b"\xa9\x02r\x6b\x07\0\0r\x6b\x07\0\0";
    let tuples = [&b"N\xa9\0"[..], &doubled.collect::<Vec<u8>>(), last].concat();
    let dict = [&b"<\x01\0\0\0}z\x01a(\x6f\x07\0\0"[..], &tuples, b"r\x6c\x07\0\0[\0\0\0\0r\x6d\x07\0\0N0"].concat();
    check("doubled tuples as keys of lists, hashed", &dict);
    check("equal keys", &[&b"{"[..], &b"i\x07\0\0\0N".repeat(LENGTH / 6), b"0"].concat());
    check("equal tuples as members", &sequence(b'<', b")\x02NT"));
}
