//! References that name another object.

use super::*;
use crate::faults::numbering::When;

pub(super) const FAULTS: [Fault; 17] = [
    Fault {
        name: "reference-off-by-one",
        what: "`r` names the object after the one that is meant",
        cause: "a table that counts from 1",
        versions: PYTHON3,
        way: Way::Reads(b"r", |walk, object| index(walk, object, |index| Some(index.wrapping_add(1)))),
        example: Example::Stream(b"\xfbr\0\0\0\0"),
    },
    Fault {
        name: "reference-zero",
        what: "reference 0 is None",
        cause: "0 as the mark of an absent entry",
        versions: PYTHON3,
        way: Way::Reads(b"r", |walk, object| {
            walk.long(object).filter(|index| *index == 0)?;
            Edit::of(5, b"N".to_vec())
        }),
        example: Example::Stream(b"r\0\0\0\0"),
    },
    Fault {
        name: "reference-one-byte",
        what: "references are taken modulo 256",
        cause: "an index kept in a byte",
        versions: PYTHON3,
        way: Way::Reads(b"r", |walk, object| index(walk, object, |index| Some(index & 0xff))),
        example: Example::Stream(b"\xfbr\0\0\0\x01"),
    },
    Fault {
        name: "reference-from-the-end",
        what: "a negative reference counts from the end",
        cause: "a table in a language with negative indexes",
        versions: PYTHON3,
        way: Way::Reads(b"r", |walk, object| {
            let slots = i32::try_from(walk.slots).ok()?;
            index(walk, object, |index| (-slots..0).contains(&index).then(|| slots + index))
        }),
        example: Example::Stream(b"\xfbr\xff\xff\xff\xff"),
    },
    Fault {
        name: "reference-unfinished-is-none",
        what: "a reference to a frozenset, slice or code object that is not finished is None",
        cause: "the placeholder in the table, handed out without a look",
        versions: PYTHON3,
        way: Way::Reads(b"r", |walk, object| {
            let slot = u32::try_from(walk.long(object)?).ok()?;
            walk.is_open(slot).filter(|code| b">:c}".contains(code))?;
            Edit::of(5, b"N".to_vec())
        }),
        example: Example::Stream(b"\xfdr\0\0\0\0"),
    },
    Fault {
        name: "reference-copies-list",
        what: "a reference to a list makes another list",
        cause: "objects kept by value and cloned",
        versions: PYTHON3,
        way: Way::Reads(b"r", |walk, object| {
            let index = u32::try_from(walk.long(object)?).ok().filter(|slot| walk.is_open(*slot).is_none())?;
            let mut again = Walk::new(&walk.bytes, walk.target);
            let list = std::iter::from_fn(|| again.advance().map(|object| (object, again.slots)))
                .find(|(object, slots)| object.flagged && *slots == index && !b"NTF.S0r".contains(&object.code))?
                .0;
            // Copies that hold copies grow as fast as one likes.
            let whole = walk.whole(list.at).filter(|_| list.code == b'[' && walk.bytes.len() < LONGEST)?;
            // Flags inside would take slots of their own.
            let mut copy = Walk::new(whole, walk.target);
            while let Some(inner) = copy.advance() {
                if inner.flagged {
                    copy.edit(Edit { length: 1, by: vec![inner.code] });
                }
            }
            Edit::of(5, copy.bytes)
        }),
        example: Example::Stream(b"{r\0\0\0\0\xdb\0\0\0\0"),
    },
    Fault {
        name: "singletons-take-slots",
        what: "a flagged None, True, False, Ellipsis or StopIteration takes a slot",
        cause: "flags looked at before types",
        versions: PYTHON3,
        way: Way::Numbers(|_, object| (object.flagged && b"NTF.S".contains(&object.code)).then_some(When::Wrongly)),
        example: Example::Stream(b"{\xcer\0\0\0\0"),
    },
    Fault {
        name: "references-take-slots",
        what: "a flagged reference takes a slot",
        cause: "flags looked at before types",
        versions: PYTHON3,
        way: Way::Numbers(|_, object| (object.flagged && object.code == b'r').then_some(When::Wrongly)),
        example: Example::Stream(b"\xfb\xf2\0\0\0\0r\x01\0\0\0"),
    },
    Fault {
        name: "tuple-slot-after",
        what: "a tuple takes its slot after its items",
        cause: "a tuple cannot be made before its items, in most languages",
        versions: PYTHON3,
        way: Way::Numbers(|_, object| b"()".contains(&object.code).then_some(When::After)),
        example: Example::Stream(b"\xa9\x01r\0\0\0\0"),
    },
    Fault {
        name: "list-slot-after",
        what: "a list takes its slot after its items",
        cause: "items collected before the list is made",
        versions: PYTHON3,
        way: Way::Numbers(|_, object| (object.code == b'[').then_some(When::After)),
        example: Example::Stream(b"\xdb\0\0\0\x01r\0\0\0\0"),
    },
    Fault {
        name: "dict-slot-after",
        what: "a dict takes its slot after its items",
        cause: "items collected before the dict is made",
        versions: PYTHON3,
        way: Way::Numbers(|_, object| (object.code == b'{').then_some(When::After)),
        example: Example::Stream(b"\xfbr\0\0\0\0"),
    },
    Fault {
        name: "frozenset-slot-after",
        what: "a frozenset takes its slot after its members",
        cause: "the reservation that came with Python 3.4 overlooked",
        versions: PYTHON3,
        way: Way::Numbers(|_, object| (object.code == b'>').then_some(When::After)),
        example: Example::Stream(b"\xbe\0\0\0\x01\xfbr\0\0\0\0"),
    },
    Fault {
        name: "code-slot-after",
        what: "a code object takes its slot after its fields",
        cause: "the reservation that came with Python 3.4 overlooked",
        versions: PYTHON3,
        way: Way::Numbers(|_, object| (object.code == b'c').then_some(When::After)),
        example: Example::Stream(b"\xe3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xfbr\0\0\0\0"),
    },
    Fault {
        name: "slice-slot-after",
        what: "a slice takes its slot after its parts",
        cause: "a slice cannot be made before its parts",
        versions: SLICES,
        way: Way::Numbers(|_, object| (object.code == b':').then_some(When::After)),
        example: Example::Stream(b"\xba\xfbr\0\0\0\0"),
    },
    Fault {
        name: "large-tuple-slot-lost",
        what: "a tuple of more than 255 items takes no slot",
        cause: "a second branch for `(`, copied without the line about references",
        versions: PYTHON3,
        way: Way::Numbers(|walk, object| {
            let is_large = object.code == b'(' && walk.long(object)? > 255;
            is_large.then_some(When::Never)
        }),
        example: Example::Stream(b"\xa8\0\0\0\x01r\0\0\0\0"),
    },
    Fault {
        name: "empty-tuple-slot-lost",
        what: "an empty tuple takes no slot",
        cause: "a short cut for the object that exists anyway",
        versions: PYTHON3,
        way: Way::Numbers(|walk, object| {
            let size = match object.code {
                b')' => i32::from(*walk.bytes.get(object.at + 1)?),
                b'(' => walk.long(object)?,
                _ => return None,
            };
            (size == 0).then_some(When::Never)
        }),
        example: Example::Stream(b"{\xa9\0r\0\0\0\0"),
    },
    Fault {
        name: "int-slot-lost",
        what: "ints take no slot",
        cause: "ints are values in most languages, and need no identity",
        versions: PYTHON3,
        way: Way::Numbers(|_, object| (object.code == b'i').then_some(When::Never)),
        example: Example::Stream(b"{\xe9\0\0\0\0r\0\0\0\0"),
    },
];

/// No more lists are copied in a stream of so many bytes.
const LONGEST: usize = 1 << 14;

/// The reference with another index.
fn index(walk: &Walk, object: Object, wrong: impl Fn(i32) -> Option<i32>) -> Option<Edit> {
    let right = walk.long(object)?;
    let index = wrong(right).filter(|index| *index != right)?;
    Edit::of(5, object.spelled(b'r', &index.to_le_bytes()))
}
