//! How often reading allocates. What most streams consist of is read in runs, for which room is made once; that it is read
//! elsewhere just as well, only slower, is why nothing but this shows a run that ends too early.

use allocation_counter::AllocationInfo;
use pyc_core::{Profile, Version, read};
use std::hint::black_box;

const LEAVES: &[&[u8]] = &[b"N", b"T", b"i\x05\0\0\0", b"g12345678", b"y1234567812345678", b"s\x03\0\0\0abc"];
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

/// Nodes, frames, pending children and edges have one allocation each.
#[test]
fn leaves_are_read_in_runs() {
    for minor in [7, 6, 8, 13] {
        let python3 = if minor == 7 { &[] } else { LEAVES_OF_PYTHON3 };
        for leaf in LEAVES.iter().chain(python3) {
            for code in *b"[(<" {
                let count = cost(minor, &sequence(code, &[*leaf; 100])).count_total;
                assert_eq!(count, 4, "3.{minor} {leaf:x?} in {}", code as char);
            }
            if minor == 7 {
                continue;
            }
            // A flagged one takes a slot, and these are allocated as they come; but None and True take none.
            let flagged = [&[leaf[0] | 0x80], &leaf[1..]].concat();
            let slots = if matches!(leaf[0], b'N' | b'T') { 0 } else { 6 };
            let count = cost(minor, &sequence(b'[', &[&flagged[..]; 100])).count_total;
            assert_eq!(count, 4 + slots, "3.{minor} {flagged:x?}");
            if slots > 0 {
                let items = [&[&flagged[..]][..], &[&b"r\0\0\0\0"[..]; 100]].concat();
                assert_eq!(cost(minor, &sequence(b'[', &items)).count_total, 5, "3.{minor} references to {leaf:x?}");
            }
        }
    }
}

/// The items of a tuple of leaves are never pending.
#[test]
fn small_tuples_of_leaves_are_read_at_once() {
    let tuple = |code: u8, last: &[u8]| [&[code, 255], &b"N".repeat(254)[..], last].concat();
    for minor in [6, 8, 13] {
        for code in [b')', b')' | 0x80] {
            let cost = |last: &[u8]| cost(minor, &sequence(b'[', &[&tuple(code, last)])).bytes_total;
            assert!(cost(b"N") + 900 < cost(b"[\0\0\0\0"), "3.{minor}");
        }
    }
}

/// Nodes are allocated for what a stream claims at most.
#[test]
fn there_is_room_for_no_more_nodes_than_bytes() {
    let profile = Profile::of(Version::new(3, 13)).unwrap();
    let peak = |stream: &[u8]| {
        allocation_counter::measure(|| drop(black_box(read(black_box(stream), profile).unwrap()))).bytes_max
    };
    for stream in [b"N".to_vec(), b"(\0\0\0\0".to_vec(), [&b"s\0\x10\0\0"[..], &[0; 4096]].concat()] {
        println!("{} {}", stream.len(), peak(&stream));
    }
    for n in [20_u32, 100, 1000, 10000] {
        println!("{n} {}", peak(&[&b"["[..], &n.to_le_bytes(), &b"N".repeat(n as usize)].concat()));
        println!("{n} {}", peak(&[&b"["[..], &n.to_le_bytes(), &b"[\0\0\0\0".repeat(n as usize)].concat()));
    }
}
