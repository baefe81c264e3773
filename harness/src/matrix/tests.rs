use super::*;
use crate::generators::{Generator, generate, seeds};
use crate::subjects::core::Core;
use pyc_core::{Profile, Version};
use std::collections::BTreeSet;
use std::path::Path;

/// How many streams must do.
const STREAMS: u64 = 12_000;

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds");
    let streams = seeds(&folder).unwrap().into_iter();
    streams.filter(|(name, _)| name.ends_with(".marshal")).map(|(_, stream)| stream).collect()
}

/// The groups of [`parts`], of which every accepted stream reaches some rows.
const FINE: [&str; 4] = ["encodings", "references", "tables", "places"];

/// The names of the rules that a column reaches, and of those that it could reach and does not.
fn names(column: &reports::Reached) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let (mut reached, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for (row, cases) in TABLE.iter().zip(&column.cases) {
        match cases {
            Some(0) => missing.insert(row.name.as_str()),
            Some(_) => reached.insert(row.name.as_str()),
            None => false,
        };
    }
    (reached, missing)
}

/// What the generators are for: every rule that a version can reach is reached, and no other. (That the interpreters agree
/// there is measured by every hunt.)
#[test]
fn generators_reach_every_rule_that_can_be_reached() {
    let bases = corpus();
    std::thread::scope(|scope| {
        let debug = Core::all().map(|core| core.profile().clone().with_assertions(true));
        let free_threaded = Core::all().map(|core| core.profile().clone().with_free_threading(true));
        let builds = debug.filter(|profile| profile.version >= Version::new(3, 14));
        let builds = builds.chain(free_threaded.filter(|profile| profile.free_threaded));
        for core in Core::all().chain(builds.map(Core::with)) {
            let bases = &bases;
            scope.spawn(move || {
                let Profile { version, debug, free_threaded, .. } = core.profile();
                let version = format!("{version} debug {debug} free-threaded {free_threaded}");
                let mut tally = Tally::new("core", core.profile());
                let made = |i| {
                    let generator = if i % 2 == 0 { Generator::Streams } else { Generator::Values };
                    generate(generator, core.target(), 0, i / 2, bases).bytes
                };
                let generated = (0..STREAMS).map(made);
                for (index, case) in bases.iter().cloned().chain(generated).enumerate() {
                    tally.asked(core.predict(&case).reached);
                    let impossible = tally.impossible();
                    assert!(impossible.is_empty(), "{version}: {impossible:?} in {case:02x?}");
                    if index.is_multiple_of(64) && names(&tally.column()).1.is_empty() {
                        return;
                    }
                }
                let missing = names(&tally.column()).1;
                assert!(missing.is_empty(), "{version}: {missing:?}");
            });
        }
    });
}

/// Checks which of the finer rules a case reaches, or which of the others.
#[track_caller]
fn check_reached(version: &str, case: &[u8], expected: &[&str], finer: bool) {
    let core = Core::named(version).unwrap();
    let mut tally = Tally::new("core", core.profile());
    tally.asked(core.predict(case).reached);
    let fine: BTreeSet<&str> = TABLE.iter().filter(|row| FINE.contains(&row.group)).map(|row| &*row.name).collect();
    let reached: BTreeSet<&str> =
        names(&tally.column()).0.into_iter().filter(|name| fine.contains(name) == finer).collect();
    assert_eq!(reached, expected.iter().copied().collect(), "{version} {case:02x?}");
    assert!(tally.impossible().is_empty(), "{version} {case:02x?}");
}

#[test]
fn streams_reach_the_rules_they_were_written_for() {
    let check = |version, case: &[u8], expected: &[&str]| check_reached(version, case, expected, false);
    check("3.12", b"[\x01\0\0\0\xe9\x05\0\0\0", &["[", "i flagged"]);
    check("3.12", b"Nx", &["N", "bytes after the end"]);
    check("2.7", b"i\x01", &["i", "i without all its bytes"]);
    check("3.12", b"i\x01", &["end inside a number of i"]);
    check("3.12", b"", &["end where an object should start"]);
    for version in ["3.10", "3.11", "3.12"] {
        check(version, b"(\x01\0\0\0)", &["end where the length of ) should be"]);
        check(version, b"(\x01\0\0\0)\x29", &["end where an object should start"]);
    }
    check("3.12", b"s\x02\0", &["end inside a number of s"]);
    check("3.12", b"s\x02\0\0\0a", &["end inside the payload of s"]);
    check("3.12", b"x\x010", &["end where the length of x should be"]);
    check("3.12", b"x\x010\x021", &["end inside the payload of x"]);
    check("3.12", b":NNN", &["type byte of other versions"]);
    check("3.12", b"?", &["type byte of no version"]);
    check("3.12", b"0", &["NULL at the top"]);
    check("3.12", b")\x02N0", &["NULL in )"]);
    check("3.14", b")\x01:0NN", &["NULL in : makes : NULL"]);
    check("3.12", b"{N0", &["{", "N", "0", "NULL as a dict value"]);
    check(
        "2.7",
        b"{[\0\0\0\x0000",
        &["{", "[", "0", "NULL as a dict value", "NULL as the value of a key without a hash"],
    );
    check("3.12", b"a\xff\xff\xff\xff", &["size of a out of range"]);
    check("2.7", b"(\x01", &["size without all its bytes is negative"]);
    check("3.12", b"\xa9\x01r\0\0\0\0", &[") flagged", "r", "reference to ( while it is read"]);
    check("3.12", b"\xbe\x01\0\0\0r\0\0\0\0", &["reference to > while it is read"]);
    check("3.15.0", b")\x02\xfdNN0r\0\0\0\0", &["reference to a finished }"]);
    check("3.15.1", b")\x02\xfdNN0r\0\0\0\0", &[")", "0", "N", "} flagged", "r"]);
    check("3.12", b"r\0\0\0\0", &["reference past the end of the table"]);
    check(
        "3.12",
        b"<\x01\0\0\0(\x01\0\0\0[\0\0\0\0",
        &["list as, or in, a set member", "( as key or member, with a part that has no hash"],
    );
    check("2.7", b"{N(\xff\xff\xff\xff0", &["size of ( out of range", "a dict reads on after a value that fails"]);
    check("2.7", &b"[\x01\0\0\0".repeat(2000), &["too deep, and no type byte there"]);
    check("3.12", &b"[\x01\0\0\0".repeat(2000), &["end where an object should start"]);
    check("3.12", b"f\x041.5\0", &["f", "text of a float cut at NUL"]);
    check("3.12", b"Z\x01\xe9", &["Z", "Latin-1 in the \"ASCII\" of Z"]);
    check("3.12", b"\xa9\x01<\x01\0\0\0r\0\0\0\0", &["hash-of-unfinished-tuple"]);
    check("3.14.9", b"<\x01\0\0\0\xa9\x01r\0\0\0\0", &["hash-of-unfinished-tuple"]);
    let endless = "tuple that contains itself as, or in, a key or member";
    check("3.14.10", b"<\x01\0\0\0\xa9\x01r\0\0\0\0", &[endless]);
}

#[test]
fn accepted_streams_reach_the_finer_rules() {
    let check = |version, case: &[u8], expected: &[&str]| check_reached(version, case, expected, true);
    check("3.12", b"[\x01\0\0\0\xe9\x05\0\0\0", &["[ as top", "i as list item"]);
    check("3.12", b"{NI\x05\0\0\0\0\0\0\x000", &["{ as top", "N as dict key", "I as dict value", "I for 32 bits"]);
    check("3.12", b"l\x05\0\0\0\0\0\0\0\0\0\0\0\x0f\0", &["l as top", "l for more"]);
    check("3.12", b"u\x02\0\0\0\xc3\xa9", &["u as top", "Latin-1 in u"]);
    check("3.12", b"t\x02\0\0\0\xc4\xa9", &["t as top", "BMP in t"]);
    check("2.7", b"(\0\0\0\0", &["( as top", "( of less than 256", "empty ("]);
    check(
        "3.12",
        b")\x02\xe7\0\0\0\0\0\0\0\0r\0\0\0\0",
        &[") as top", "g as tuple item", "r as tuple item", "reference to g"],
    );
    check("3.15", b"}N>\0\0\0\x000", &["} as top", "N as frozendict key", "> as frozendict value", "empty >"]);
    check("3.14", b":NTF", &[": as top", "N as slice part", "T as slice part", "F as slice part"]);
}

/// Sets of rules are bits of rows, the types first; so the table may have so many rows, and each rule one.
#[test]
fn the_table_fits_into_the_set() {
    assert!(
        TABLE.len() <= 64 * Reached::default().rows.len() && ROWS.len() == TABLE.len(),
        "{} rows, {} rules",
        TABLE.len(),
        ROWS.len()
    );
    for (pair, code) in TYPES.into_iter().enumerate() {
        assert_eq!((ROWS[&Rule::Plain(code)], ROWS[&Rule::Flagged(code)]), (2 * pair, 2 * pair + 1));
    }
    let labels: BTreeSet<_> = TABLE.iter().map(|row| (row.group, &row.name)).collect();
    assert_eq!(labels.len(), TABLE.len());
    let mut all = Reached::default();
    TABLE.iter().for_each(|row| all.insert(row.rule));
    assert!(all.rows().eq(0..TABLE.len()));
}

#[test]
fn the_summary_names_what_is_missing() {
    let column = |cases: &[Option<u64>]| reports::Reached {
        subject: "cpython:9.9".into(),
        compared: 3,
        dumps: 9,
        cases: cases.to_vec(),
        masked: BTreeMap::from([("bytes of a dump: hash-order".into(), 2)]),
    };
    let check = |cases: &[Option<u64>], expected: &str| assert_eq!(summary([column(cases)].iter()), expected);
    check(&[Some(1), None, Some(2)], "rules: 2 of 2 that can be reached were; 2 aspects masked");
    check(
        &[Some(1), Some(0), None],
        "rules: 1 of 2 that can be reached were; not reached: 0 flagged (cpython:9.9); 2 aspects masked",
    );
    let many = "not reached: 0 (cpython:9.9), 0 flagged (cpython:9.9), N (cpython:9.9), N flagged (cpython:9.9), \
                T (cpython:9.9), T flagged (cpython:9.9) and 1 more";
    check(&[Some(0); 7], &format!("rules: 0 of 7 that can be reached were; {many}; 2 aspects masked"));
}

/// NULL cuts a code object short, and 2.7 reads on behind a type that it does not know; the skim notices neither.
#[test]
fn where_the_skim_is_lost_nothing_is_reached_that_cannot_be() {
    let cut = [&b"{Nc"[..], &[0; 20], b"t\x01\0\0\0a0"].concat();
    let cut = |version| match version {
        "3.8" => [&cut[..3], &[0; 4], &cut[3..]].concat(),
        _ => cut.clone(),
    };
    let check = |version, case: &[u8]| {
        let core = Core::named(version).unwrap();
        let mut tally = Tally::new("core", core.profile());
        tally.asked(core.predict(case).reached);
        assert!(tally.impossible().is_empty(), "{version} {case:02x?}: {:?}", names(&tally.column()).0);
    };
    for version in ["3.7", "3.8"] {
        check(version, &cut(version));
        check(version, &[b"(\x02\0\0\0", &cut(version)[..], b"0"].concat());
    }
    check("2.7", b"{Nzs\x05\0\0\0ab");
}
