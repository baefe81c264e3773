//! What dumps cost the interpreter: since 3.11 each level of nested sets doubles the work. Nothing here takes that long.

use pyc_core::model::{Dump, Loaded, SLOW_COST, Slow};
use pyc_core::{Profile, Release, read};

fn dump_and_cost(release: &str, stream: &[u8], version: u8) -> (Dump, u64) {
    let profile = Profile::for_release(&Release::parse(release).unwrap()).unwrap();
    let graph = read(stream, &profile).unwrap();
    let loaded = Loaded::new(&graph, &profile);
    loaded.dump_and_cost(version)
}

fn cost(release: &str, stream: &[u8]) -> u64 {
    dump_and_cost(release, stream, 4).1
}

/// So many frozensets, each in the next, around something.
fn nested(levels: usize, inside: &[u8]) -> Vec<u8> {
    [b">\x01\0\0\0".repeat(levels), inside.to_vec()].concat()
}

const SORTING: [&str; 5] = ["3.11.7", "3.12.1", "3.13.0", "3.14.8", "3.15.0"];

/// python/cpython#155901: 22 levels took 3.11.7 0.94 s and 3.12.1 1.33 s.
#[test]
fn a_slow_dump_is_known_in_no_time() {
    for release in SORTING {
        let (dump, cost) = dump_and_cost(release, &nested(22, b">\0\0\0\0"), 4);
        let bytes = [b">\x01\0\0\0", &b"\xbe\x01\0\0\0".repeat(21)[..], b"\xbe\0\0\0\0"].concat();
        assert_eq!(dump, Dump::Bytes { bytes, unpredictable: None }, "{release}");
        assert!(cost > SLOW_COST, "{release} {cost}");
    }
}

#[test]
fn only_sorting_costs() {
    let profile = Profile::for_release(&Release::parse("3.13.0").unwrap()).unwrap();
    let stream = nested(3, b"N");
    let graph = read(&stream, &profile).unwrap();
    let loaded = Loaded::new(&graph, &profile);
    assert_eq!(loaded.dump_and_cost(4), (loaded.dump(4), loaded.cost(4)));
    for release in ["2.7.18", "3.6.15", "3.10.13"] {
        assert_eq!(cost(release, &nested(22, b">\0\0\0\0")), 0, "{release}");
    }
    for release in SORTING {
        assert_eq!(cost(release, &[&b"(\x10\x27\0\0"[..], &b"i\0\x10\0\0".repeat(10_000)].concat()), 0, "{release}");
        assert_eq!(cost(release, b">\0\0\0\0"), 0, "{release}");
        assert!(cost(release, b">\x01\0\0\0N") > 0, "{release}");
    }
}

#[test]
fn each_level_doubles_the_cost() {
    for release in SORTING {
        for levels in [2, 10, 25] {
            let [one, two, three] = [0, 1, 2].map(|more| cost(release, &nested(levels + more, b"N")));
            assert!(two >= 2 * one && two < 3 * one, "{release} {levels}: {one} {two}");
            assert!(three - two >= 2 * (two - one), "{release} {levels}: {one} {two} {three}");
        }
    }
}

/// A key that is found again here was made again there; what is written as a reference was not.
#[test]
fn equal_sets_cost_twice_and_shared_ones_once() {
    for release in SORTING {
        let set = nested(12, b"N");
        let flagged = [&[set[0] | 0x80], &set[1..]].concat();
        let alone = cost(release, &set);
        assert_eq!(cost(release, &[b")\x02", &set[..], &set].concat()), 2 * alone, "{release}");
        assert_eq!(cost(release, &[b")\x02", &flagged[..], b"r\0\0\0\0"].concat()), alone, "{release}");
    }
}

/// Beyond 32 levels there are no bytes either. Costs have an end.
#[test]
fn what_nobody_waits_for_has_no_bytes() {
    // A set of a set and of a tuple with the same set, and so on: four times the work at each level.
    let wide = (0..40).fold(b"N".to_vec(), |inside, level| {
        let set = [&b"\xbe\x02\0\0\0i"[..], &[level, 0, 1, 0], &inside].concat();
        [b">\x02\0\0\0", &set[..], b")\x01r", &[39 - level, 0, 0, 0]].concat()
    });
    for release in SORTING {
        for stream in [&nested(40, b"N"), &nested(1000, b"N"), &wide] {
            for version in 0..=4 {
                let (dump, cost) = dump_and_cost(release, stream, version);
                assert_eq!((dump, cost), (Dump::Slow(Slow::SortingSets), u64::MAX), "{release} {version}");
            }
        }
    }
    assert_eq!((Slow::SortingSets.name(), Slow::SortingSets.to_string().is_empty()), ("sorting-sets", false));
}

/// What ends with an exception costs what was done until then.
#[test]
fn an_exception_costs_as_well() {
    let slice = |levels| cost("3.14.8", &nested(levels, b":NNN"));
    assert!(slice(20) > 0 && slice(20) < 2000, "{}", slice(20));
}

/// 5,000 members whose dumps begin with the same 64 KiB: neither side wants to hold and compare them.
#[test]
fn long_keys_cost_as_well() {
    let shared = [b"\xf3\0\0\x01\0", &[b'x'; 1 << 16][..]].concat();
    let members = |count: u32| {
        let rest = (1..count).flat_map(|i| [&b")\x02r\0\0\0\0i"[..], &i.to_le_bytes()].concat());
        [b"<", &count.to_le_bytes()[..], b")\x02", &shared, b"N"].concat().into_iter().chain(rest).collect::<Vec<u8>>()
    };
    let (dump, cost) = dump_and_cost("3.13.0", &members(100), 4);
    assert!(matches!(dump, Dump::Bytes { .. }) && cost > 100 * 2048 && cost < SLOW_COST, "{cost} {dump:?}");
    assert_eq!(dump_and_cost("3.13.0", &members(5000), 4).0, Dump::Slow(Slow::SortingSets));
}
