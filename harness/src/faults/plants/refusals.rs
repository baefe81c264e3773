//! Streams that are refused for another reason, or not at all.

use super::*;
use crate::generators::skim::{Item, skim_for};
use crate::observation::{Accepted, Observation};
use protocol::Exception;
use pyc_core::{Profile, Release};

pub(super) const FAULTS: [Fault; 15] = [
    Fault {
        name: "end-of-data-class",
        what: "data that end too early are a ValueError",
        cause: "one exception for all that can be wrong",
        versions: EVERY,
        way: Way::Answers(|_, _, right| match right {
            Observation::Rejected(e) if e.class == "EOFError" => Some(refused("ValueError", &e.message)),
            _ => None,
        }),
        example: Example::Stream(b""),
    },
    Fault {
        name: "unhashable-wording",
        what: "what cannot be hashed is refused in the words of 3.13",
        cause: "messages that were copied from an older version",
        versions: SLICES,
        way: Way::Answers(|_, _, right| {
            let Observation::Rejected(e) = right else { return None };
            let (_, reason) = e.message.strip_suffix(')')?.split_once("(unhashable")?;
            Some(refused(&e.class, &format!("unhashable{reason}")))
        }),
        example: Example::Stream(b"{{0N"),
    },
    Fault {
        name: "trailing-bytes-refused",
        what: "bytes after the object are an error",
        cause: "a reader of files, which end",
        versions: EVERY,
        way: Way::Answers(|_, case, right| match right {
            Observation::Accepted(Accepted { consumed: Some(n), .. }) if *n < case.len() as u64 => {
                Some(refused("ValueError", "bad marshal data (trailing bytes)"))
            }
            _ => None,
        }),
        example: Example::Stream(b"N\0"),
    },
    Fault {
        name: "depth-one-less",
        what: "nesting is refused one level too early, when reading and when writing",
        cause: "`>=` for `>`",
        versions: EVERY,
        way: Way::Is(|profile, case| other_depth(profile, case, profile.max_depth - 1)),
        example: Example::Deep(2000),
    },
    Fault {
        name: "depth-one-more",
        what: "nesting is refused one level too late, when reading and when writing",
        cause: "`>` for `>=`",
        versions: EVERY,
        way: Way::Is(|profile, case| other_depth(profile, case, profile.max_depth + 1)),
        example: Example::Deep(2001),
    },
    Fault {
        name: "short-read-wording",
        what: "short reads are refused in the words of 3.11.4",
        cause: "an older patch level, taken for the version",
        versions: (LOCALSPLUS.0, LOCALSPLUS.0),
        way: Way::Is(|profile, _| release(profile, 4)),
        example: Example::Stream(b")"),
    },
    Fault {
        name: "int64-refused",
        what: "`I` is an unknown type",
        cause: "an older patch level, 3.6.3, taken for the version",
        versions: (PYTHON3.0, PYTHON3.0),
        way: Way::Is(|profile, _| release(profile, 3)),
        example: Example::Stream(b"I"),
    },
    Fault {
        name: "one-byte-strings-new",
        what: "bytes objects of one byte are not kept by the interpreter",
        cause: "an older patch level, 3.14.2, taken for the version",
        versions: (SLICES.0, SLICES.0),
        way: Way::Is(|profile, _| release(profile, 2)),
        example: Example::Stream(b"s\x01\0\0\0\0"),
    },
    Fault {
        name: "negative-size-is-zero",
        what: "a negative size is 0 where it is an error",
        cause: "a loop that ends before it begins",
        versions: EVERY,
        way: Way::Reads(b"stuaA([<>", |walk, object| {
            walk.long(object).filter(|size| *size < 0)?;
            Edit::of(5, object.spelled(object.code, &[0; 4]))
        }),
        example: Example::Stream(b"(\0\0\0\x80"),
    },
    Fault {
        name: "short-string-taken",
        what: "a string that the data cut off is what is there of it",
        cause: "read() that may return less",
        versions: EVERY,
        way: Way::Reads(b"stuaA", |walk, object| {
            let size = usize::try_from(walk.long(object)?).ok()?;
            let rest = walk.bytes.get(object.at + 5..).filter(|rest| rest.len() < size)?;
            Edit::of(5, object.spelled(object.code, &u32::try_from(rest.len()).ok()?.to_le_bytes()))
        }),
        example: Example::Stream(b"s\0\0\0\x01"),
    },
    Fault {
        name: "unknown-type-is-none",
        what: "an unknown type is None where it is an error",
        cause: "a default branch that nobody thought about",
        versions: EVERY,
        way: Way::Reads(&UNKNOWN, |_, object| Edit::of(1, object.spelled(b'N', &[]))),
        example: Example::Stream(b"\0"),
    },
    Fault {
        name: "null-is-none",
        what: "a NULL that stands alone is None where it is an error",
        cause: "NULL and None are one in the reader's language",
        versions: EVERY,
        way: Way::Reads(b"0", |_, object| {
            (object.parent == 0).then(|| Edit { length: 1, by: object.spelled(b'N', &[]) })
        }),
        example: Example::Stream(b"0"),
    },
    Fault {
        name: "unhashable-key-dropped",
        what: "a pair whose key is a list, dict or set is dropped where it is an error",
        cause: "nobody looks at what the insertion returned",
        versions: PYTHON3,
        way: Way::Reads(b"[{<", |walk, object| {
            (b"{}".contains(&object.parent) && object.position.is_multiple_of(2)).then_some(())?;
            let key = walk.whole(object.at)?;
            let value = walk.whole(object.at + key.len())?;
            Edit::of(key.len() + value.len(), Vec::new())
        }),
        example: Example::Stream(b"{{0N"),
    },
    Fault {
        name: "unhashable-member-dropped",
        what: "a member that is a list, dict or set is dropped where it is an error",
        cause: "nobody looks at what the insertion returned",
        versions: PYTHON3,
        way: Way::Reads(b"<>", |walk, object| {
            let set = walk.whole(object.at)?;
            let items = skim_for(walk.target, set).items;
            let members: Vec<Item> = items.into_iter().filter(|item| item.parent == Some(0)).collect();
            let kept: Vec<&[u8]> =
                members.iter().filter(|m| !b"[{<".contains(&m.code)).map(|m| &set[m.at..m.end]).collect();
            let size = u32::try_from(kept.len()).ok()?.to_le_bytes();
            let by = object.spelled(object.code, &[&size, &kept.concat()[..]].concat());
            (kept.len() < members.len()).then_some(Edit { length: set.len(), by })
        }),
        example: Example::Stream(b"<\x01\0\0\0{0"),
    },
    Fault {
        name: "bad-float-text-is-zero",
        what: "a float's text is read as far as it is a number, and as 0 if it is none",
        cause: "atof",
        versions: EVERY,
        way: Way::Reads(b"f", |walk, object| {
            let right = str::from_utf8(walk.payload(object)?).ok().filter(|text| text.parse::<f64>().is_err())?;
            let ends = (1..right.len()).rev().filter_map(|end| right.get(..end));
            let number = ends.into_iter().find(|text| text.parse::<f64>().is_ok()).unwrap_or("0");
            let size = u8::try_from(number.len()).ok()?;
            Edit::of(2 + right.len(), object.spelled(b'f', &[&[size], number.as_bytes()].concat()))
        }),
        example: Example::Stream(b"f\0"),
    },
];

fn refused(class: &str, message: &str) -> Observation {
    Observation::Rejected(Exception { class: class.into(), message: message.into() })
}

/// The same interpreter with another limit, for cases that may reach it.
fn other_depth(profile: &Profile, case: &[u8], depth: u32) -> Option<Profile> {
    let may_reach = case.len() + 1 >= profile.max_depth as usize;
    may_reach.then(|| profile.clone().with_max_depth(depth))
}

/// An earlier release of the same version.
fn release(profile: &Profile, micro: u8) -> Option<Profile> {
    Profile::for_release(&Release { micro, ..profile.release })
}

/// Types that no version knows.
const UNKNOWN: [u8; 97] = {
    let known = b"0NTF.SiIlfgxystuaAzZ()[<>{}:crR";
    let mut unknown = [0; 97];
    let (mut code, mut count) = (0_u8, 0);
    while code < 128 {
        let mut index = 0;
        while index < known.len() && known[index] != code {
            index += 1;
        }
        if index == known.len() {
            unknown[count] = code;
            count += 1;
        }
        code += 1;
    }
    unknown
};
