//! Containers of other items, or of another type.

use super::*;

pub(super) const FAULTS: [Fault; 17] = [
    Fault {
        name: "none-key-ends-dict",
        what: "the key None ends a dict",
        cause: "NULL and None are one in the reader's language",
        versions: EVERY,
        way: Way::Reads(b"N", |_, object| is_key(object).then(|| Edit { length: 1, by: b"0".to_vec() })),
        example: Example::Stream(b"{N"),
    },
    Fault {
        name: "none-value-ends-dict",
        what: "the value None ends a dict",
        cause: "NULL and None are one in the reader's language",
        versions: PYTHON3,
        way: Way::Reads(b"N", |_, object| {
            let is_value = b"{}".contains(&object.parent) && !is_key(object);
            is_value.then(|| Edit { length: 1, by: b"0".to_vec() })
        }),
        example: Example::Stream(b"{NN"),
    },
    Fault {
        name: "null-value-skipped",
        what: "a NULL in place of a value drops the pair; it ends the dict",
        cause: "what 2.7 does",
        versions: PYTHON3,
        way: Way::Reads(ANY, |walk, object| {
            (is_key(object) && object.code != b'0').then_some(())?;
            let key = walk.whole(object.at)?;
            let value = walk.bytes.get(object.at + key.len())?;
            (value & 0x7f == b'0').then(|| Edit { length: key.len() + 1, by: Vec::new() })
        }),
        example: Example::Stream(b"{N0"),
    },
    Fault {
        name: "null-value-ends-dict",
        what: "a NULL in place of a value ends the dict; it drops the pair",
        cause: "what 3 does",
        versions: PYTHON2,
        way: Way::Reads(ANY, |walk, object| {
            (is_key(object) && object.code != b'0').then_some(())?;
            let key = walk.whole(object.at)?;
            let value = walk.bytes.get(object.at + key.len())?;
            (*value == b'0').then(|| Edit { length: key.len() + 1, by: b"0".to_vec() })
        }),
        example: Example::Stream(b"{N0"),
    },
    Fault {
        name: "null-item-is-none",
        what: "a NULL among the items of a tuple or list is None",
        cause: "NULL and None are one in the reader's language",
        versions: EVERY,
        way: Way::Reads(b"0", |_, object| {
            b"()[".contains(&object.parent).then(|| Edit { length: 1, by: b"N".to_vec() })
        }),
        example: Example::Stream(b")\x010"),
    },
    Fault {
        name: "first-value-wins",
        what: "of two values for one key the first is kept",
        cause: "`setdefault`, or `entry(key).or_insert(value)`",
        versions: PYTHON3,
        way: Way::Reads(ANY, |walk, object| {
            let key = plain_key(walk, object)?;
            let before = earlier_keys(walk, object)?;
            before.contains(&key).then_some(())?;
            let value = walk.whole(object.at + key.len())?;
            has_no_flags(value).then(|| Edit { length: key.len() + value.len(), by: Vec::new() })
        }),
        example: Example::Stream(b"{NNN0"),
    },
    Fault {
        name: "later-key-moves",
        what: "a key that comes again moves to the end of the dict",
        cause: "removed and inserted anew",
        versions: PYTHON3,
        way: Way::Reads(ANY, |walk, object| {
            let key = plain_key(walk, object)?;
            let pair = key.len() + walk.whole(object.at + key.len()).filter(|value| has_no_flags(value))?.len();
            let mut at = object.at + pair;
            while let Some(other) = walk.whole(at).filter(|other| other[0] & 0x7f != b'0') {
                if other == key {
                    return Edit::of(pair, Vec::new());
                }
                at += other.len();
                at += walk.whole(at)?.len();
            }
            None
        }),
        example: Example::Stream(b"\xfdN0N"),
    },
    Fault {
        name: "set-as-frozenset",
        what: "`<` is read as a frozenset",
        cause: "one function for both, whose argument is forgotten",
        versions: EVERY,
        way: Way::Reads(b"<", |_, object| Edit::of(1, object.spelled(b'>', &[]))),
        example: Example::Stream(b"<\0\0\0\0"),
    },
    Fault {
        name: "frozenset-as-set",
        what: "`>` is read as a set",
        cause: "one function for both, whose argument is forgotten",
        versions: EVERY,
        way: Way::Reads(b">", |_, object| Edit::of(1, object.spelled(b'<', &[]))),
        example: Example::Stream(b">\0\0\0\0"),
    },
    Fault {
        name: "list-as-tuple",
        what: "a list without items is read as a tuple",
        cause: "one empty sequence for both",
        versions: EVERY,
        way: Way::Reads(b"[", |walk, object| {
            walk.long(object).filter(|size| *size == 0).and_then(|_| Edit::of(1, object.spelled(b'(', &[])))
        }),
        example: Example::Stream(b"[\0\0\0\0"),
    },
    Fault {
        name: "tuple-size-one-byte",
        what: "the size of `(` is taken modulo 256",
        cause: "one function for `(` and `)`",
        versions: EVERY,
        way: Way::Reads(b"(", |walk, object| {
            let size = walk.long(object).filter(|size| *size > 255)?;
            Edit::of(5, object.spelled(b'(', &(size & 0xff).to_le_bytes()))
        }),
        example: Example::Stream(b"(\0\0\0\x01"),
    },
    Fault {
        name: "small-tuple-size-signed",
        what: "the size of `)` is a signed byte",
        cause: "`char` where it is signed",
        versions: PYTHON3,
        way: Way::Reads(b")", |walk, object| {
            let size = walk.bytes.get(object.at + 1)?.cast_signed();
            (size < 0).then(|| Edit { length: 2, by: object.spelled(b'(', &i32::from(size).to_le_bytes()) })
        }),
        example: Example::Stream(b")\x80"),
    },
    Fault {
        name: "frozendict-as-dict",
        what: "`}` is read as a dict",
        cause: "the newest type, taken for its older sister",
        versions: FROZENDICTS,
        way: Way::Reads(b"}", |_, object| Edit::of(1, object.spelled(b'{', &[]))),
        example: Example::Stream(b"}0"),
    },
    Fault {
        name: "frozendict-slot-lost",
        what: "a frozendict takes no slot",
        cause: "a reader that treats the bug of 3.15.0 as if the flag were ignored",
        versions: FROZENDICTS,
        way: Way::Reads(b"}", |_, object| object.flagged.then(|| Edit { length: 1, by: b"}".to_vec() })),
        example: Example::Stream(b"\xfd\xfbr\0\0\0\0"),
    },
    Fault {
        name: "slice-step-lost",
        what: "the step of a slice is None if it is 1",
        cause: "a normal form of slices",
        versions: SLICES,
        way: Way::Reads(b"i", |walk, object| {
            let is_step = (object.parent, object.position, object.flagged) == (b':', 2, false);
            walk.long(object).filter(|step| is_step && *step == 1).and_then(|_| Edit::of(5, b"N".to_vec()))
        }),
        example: Example::Stream(b":NNi\x01\0\0\0"),
    },
    Fault {
        name: "slice-start-filled",
        what: "a slice without a start starts at 0",
        cause: "a normal form of slices",
        versions: SLICES,
        way: Way::Reads(b"N", |_, object| {
            ((object.parent, object.position) == (b':', 0)).then(|| Edit { length: 1, by: b"i\0\0\0\0".to_vec() })
        }),
        example: Example::Stream(b":NNN"),
    },
    Fault {
        name: "ellipsis-as-none",
        what: "`.` and `S` are read as None",
        cause: "objects that the reader's language has not",
        versions: EVERY,
        way: Way::Reads(b".S", |_, object| Edit::of(1, object.spelled(b'N', &[]))),
        example: Example::Stream(b"."),
    },
];

/// Every type that a reader knows.
const ANY: &[u8] = b"NTF.SiIlfgxystuaAzZ()[<>{}:crR";

fn is_key(object: Object) -> bool {
    b"{}".contains(&object.parent) && object.position.is_multiple_of(2)
}

/// No object of them has a flag, as far as can be told without a look at what is payload.
fn has_no_flags(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte & 0x80 == 0)
}

/// The bytes of a key that is no container, reference or flagged: equal bytes are equal keys.
fn plain_key(walk: &Walk, object: Object) -> Option<&[u8]> {
    let is_plain = is_key(object) && !object.flagged && b"NTF.SiIlstuaAzZ".contains(&object.code);
    is_plain.then(|| walk.whole(object.at))?
}

/// The bytes of the keys before a key of the same dict.
fn earlier_keys(walk: &Walk, object: Object) -> Option<Vec<&[u8]>> {
    let mut keys = Vec::new();
    let mut at = object.parent_at + 1;
    while at < object.at {
        let key = walk.whole(at)?;
        at += key.len();
        at += walk.whole(at)?.len();
        keys.push(key);
    }
    Some(keys)
}
