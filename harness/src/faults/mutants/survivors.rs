//! Where mutants are that pyc-core's own tests notice, or some seeds, and not all of the seeds, and why. Whoever makes the
//! generators find one changes the count: an entry that is no longer true is an error as much as one that is missing.

/// A place whose mutants are not all found.
pub(super) struct Known {
    /// The file, and the function in it.
    pub(super) place: &'static str,
    /// How many of its mutants are not found.
    pub(super) count: usize,
    /// How many of these no case can show: they change how fast it is or how much memory it takes, or what programs call and
    /// cases do not.
    pub(super) silent: usize,
    /// Why no case shows the others, or all of them.
    pub(super) why: &'static str,
}

const SHORT_CUT: &str = "a short cut is not taken, and the long way says the same";
const HASH: &str = "other hashes of a table, in which everything is found all the same";
const MEMORY: &str = "another amount of memory is asked for";
const BUILT: &str = "for programs that build or change graphs, as no case does";
const USED: &str = "what a used scratch still holds, which depends on the value before";
const PENDING: &str = "2.7 after an exception in a dict: rare keys of one hash, compared at a rare depth";
const DEPTH: &str = "the exact depth or length at which a writer gives up, and what it counts until then";
const CUT: &str = "a container that was cut short by NULL, as the last thing of another one";
const FILENAME: &str = "3.6 with several code objects: in most streams that is undefined";

const fn silent(place: &'static str, count: usize, why: &'static str) -> Known {
    Known { place, count, silent: count, why }
}

const fn rare(place: &'static str, count: usize, why: &'static str) -> Known {
    Known { place, count, silent: 0, why }
}

/// In the order of the document.
pub(super) const KNOWN: &[Known] = &[
    rare("aftermath.rs: Aftermath::compare", 2, PENDING),
    rare("aftermath.rs: Aftermath::compare_sets", 2, PENDING),
    silent("aftermath.rs: Aftermath::knows", 1, "what a table holds is found out once more"),
    rare("aftermath.rs: digit_by_digit", 1, PENDING),
    rare("aftermath/hash.rs: Aftermath::hash_of", 3, PENDING),
    rare("aftermath/hash.rs: hash_float", 2, "minus infinity and an int of its hash as keys, after an exception"),
    rare("aftermath/hash.rs: split", 1, "a subnormal float and another key of its hash, after an exception"),
    silent("graph.rs: Graph<'a>::is_empty", 1, BUILT),
    silent("graph.rs: Graph<'a>::set_child", 2, BUILT),
    silent("graph.rs: Graph<'a>::value", 1, "for programs that ask for the value of a reference and do not follow it"),
    rare(
        "model/canon.rs: Loaded<'_, '_>::has_other_owners",
        1,
        "an empty container that a set shares with something else",
    ),
    silent("model/dump.rs: Loaded<'_, '_>::written", 1, MEMORY),
    rare("model/dump.rs: Writer<'l, 'g, 'a>::sized", 1, DEPTH),
    Known { place: "model/dump/common.rs: Writer<'_, '_, '_>::common", count: 22, silent: 13, why: DEPTH },
    rare(
        "model/dump/sets.rs: Context::holds",
        1,
        "a member whose sort key was made before and has objects that are owned once",
    ),
    silent("model/equality.rs: Plain<'_>::hash", 4, HASH),
    silent("model/equality.rs: Plain<'_>::of", 2, SHORT_CUT),
    silent("model/equality.rs: are_equal", 5, SHORT_CUT),
    rare(
        "model/equality.rs: constant_content",
        1,
        "2.7: code objects whose only difference is b'a' and u'a' as a constant",
    ),
    silent("model/equality.rs: drop_few_duplicates", 1, SHORT_CUT),
    silent("model/equality.rs: drop_plain_duplicates", 1, SHORT_CUT),
    silent("model/equality.rs: family", 2, SHORT_CUT),
    silent("model/equality.rs: first_equals", 1, SHORT_CUT),
    rare("model/equality.rs: parts", 1, "code objects whose only difference is a specialized instruction or a cache"),
    silent("model/load.rs: Caches::begin", 1, USED),
    rare("model/load.rs: Loaded<'_, '_>::begin", 1, CUT),
    rare("model/load.rs: Loaded<'_, '_>::finish", 2, FILENAME),
    rare("model/load.rs: Loaded<'_, '_>::finish_code", 1, FILENAME),
    silent("model/load.rs: Loaded<'_, '_>::load", 2, MEMORY),
    silent("model/load.rs: is_end", 1, "the NULL at the end of a dict becomes an object that nothing refers to"),
    rare(
        "model/loss.rs: Loaded<'_, '_>::loss_of",
        1,
        "3.15.0 alone: a frozendict that is there twice, and nothing else of note",
    ),
    silent("model/mod.rs: Loaded<'g, 'a>::is_unsound", 1, BUILT),
    silent("model/mod.rs: Loaded<'g, 'a>::made", 1, BUILT),
    silent("model/mod.rs: Loaded<'g, 'a>::recycle", 1, MEMORY),
    silent("model/mod.rs: Loaded<'g, 'a>::root", 1, BUILT),
    silent("model/table.rs: Table::add", 2, MEMORY),
    silent("model/table.rs: Table::begin", 2, USED),
    silent("model/table.rs: Table::hash", 5, HASH),
    silent("model/table.rs: folded", 5, HASH),
    silent("model/table.rs: mixed", 11, HASH),
    silent("model/table.rs: seed", 2, HASH),
    Known {
        place: "opcode/mod.rs: constants",
        count: 5,
        silent: 4,
        why: "a build with assertions is given an opcode that no version assigns, and nothing else of note",
    },
    Known {
        place: "opcode/mod.rs: is_plain",
        count: 6,
        silent: 4,
        why: "short code with caches that are not empty, or with nothing but specialized opcodes without caches",
    },
    silent("opcode/mod.rs: marks", 1, SHORT_CUT),
    Known { place: "opcode/mod.rs: may_kill", count: 4, silent: 3, why: "an even number of opcodes that kill" },
    silent("opcode/mod.rs: words", 1, SHORT_CUT),
    silent("read.rs: Graph<'_>::recycle", 1, MEMORY),
    rare("read.rs: Reader<'_, '_>::digits", 3, "where reading goes on behind a bad digit: 2.7, in a dict"),
    rare(
        "read.rs: Reader<'_, '_>::object",
        1,
        "a type that only other versions have, where the short cuts do not look",
    ),
    silent("read.rs: Reader<'_, '_>::push", 3, MEMORY),
    silent("read.rs: make_room", 2, MEMORY),
    silent("read/common.rs: Reader<'_, '_>::common", 1, SHORT_CUT),
    silent("read/common.rs: Reader<'_, '_>::container", 5, SHORT_CUT),
    Known {
        place: "read/common.rs: constants",
        count: 14,
        silent: 13,
        why: "a type that only other versions have, where the short cuts look",
    },
    silent("read/common.rs: digits", 2, SHORT_CUT),
    Known {
        place: "read/common.rs: run_of_leaves",
        count: 11,
        silent: 10,
        why: "2.7: a payload that is longer than any case",
    },
    rare("read/deliver.rs: Reader<'_, '_>::deliver_null", 1, CUT),
    rare("read/deliver.rs: Reader<'_, '_>::see_filename", 2, FILENAME),
    rare("text.rs: fault", 3, "a text whose first fault is an overlong sequence of three or four bytes"),
    silent("validate.rs: code", 2, SHORT_CUT),
    rare("write.rs: Writer<'g, 'a>::run", 1, CUT),
];
