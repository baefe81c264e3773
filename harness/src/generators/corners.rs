//! Corners: streams that reach one rule of the format on purpose, in its smallest form.
//!
//! [`break_rule`](super::mutate::break_rule) breaks a rule where a random stream has an object to break it on, so rules
//! about rare objects are hardly ever reached. Here the object is made for the rule. Half of the corners are about code
//! objects, which have a rule for each of their fields; all can stand alone or inside a container, where 2.7 has rules of
//! its own about going on.
//!
//! Reviewed for Python 3.15.

use super::code::alone;
use super::emit::Style;
use super::luck::Luck;
use super::mutate::{put, reference, replace};
use super::skim::{Item, long, skim_for};
use super::{Target, codes};
use arbitrary::Unstructured;
use std::slice;

/// An object of each type that is more than its type byte.
const WHOLE: [&[u8]; 23] = [
    b"i\x01\x02\x03\x04",
    b"I\x01\x02\x03\x04\x05\x06\x07\x08",
    b"l\x02\0\0\0\x01\0\x01\0",
    b"f\x031.5",
    b"g\0\0\0\0\0\0\xf8\x3f",
    b"x\x031.5\x02-0",
    b"y\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\xf8\x3f",
    b"s\x02\0\0\0ab",
    b"t\x02\0\0\0ab",
    b"u\x02\0\0\0ab",
    b"a\x02\0\0\0ab",
    b"A\x02\0\0\0ab",
    b"z\x02ab",
    b"Z\x02ab",
    b")\x01N",
    b"(\x01\0\0\0N",
    b"[\x01\0\0\0N",
    b"<\x01\0\0\0N",
    b">\x01\0\0\0N",
    b"r\0\0\0\0",
    b"R\0\0\0\0",
    b"c\0\0\0\0\0\0\0\0\0\0\0\0",
    b"{NN0",
];

/// Objects with a size of four bytes.
const SIZED: &[u8] = b"sutaA([<>l";

/// Containers of one object, as what comes before it and after it. The last ones hash it.
const AROUND: [(&[u8], &[u8]); 10] = [
    (b"(\x01\0\0\0", b""),
    (b")\x01", b""),
    (b"[\x01\0\0\0", b""),
    (b"{N", b"0"),
    (b"{N", b"TF0"),
    (b":N", b"N"),
    (b"}N", b"0"),
    (b"<\x01\0\0\0", b""),
    (b">\x01\0\0\0", b""),
    (b"{", b"N0"),
];

/// Objects without a hash, and what holds them and would else have one.
const UNHASHABLE: [&[u8]; 3] = [b"[\0\0\0\0", b"{0", b"<\0\0\0\0"];
const HOLDERS: [(&[u8], &[u8]); 5] = [(b"", b""), (b"", b""), (b"(\x01\0\0\0", b""), (b":", b"NN"), (b"}N", b"0")];

/// Texts of floats at the edges of what is one.
const TEXTS: [&str; 14] = [
    "1.5\0rest",
    "-nan",
    "-NaN",
    "1e400",
    "-1e999",
    "1e-400",
    "-4.9e-999",
    "",
    "1_0",
    "0x1p3",
    " 1",
    "1e",
    "--1",
    "nan(1)",
];

/// Keys of 2.7 that have one hash, by family: equal, or unequal, or not to be compared without an exception.
const TWINS: [&[&[u8]]; 9] = [
    &[
        b"T",
        b"i\x01\0\0\0",
        b"I\x01\0\0\0\0\0\0\0",
        b"l\x01\0\0\0\x01\0",
        b"g\0\0\0\0\0\0\xf0\x3f",
        b"f\x011",
        b"y\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\0",
        b"x\x011\x010",
    ],
    &[b"F", b"i\0\0\0\0", b"g\0\0\0\0\0\0\0\x80", b"f\x03nan", b"g\0\0\0\0\0\0\xf8\x7f"],
    &[b"i\xff\xff\xff\xff", b"i\xfe\xff\xff\xff", b"g\0\0\0\0\0\0\xf0\xbf", b"f\x02-2"],
    &[b"s\x01\0\0\0a", b"t\x01\0\0\0a", b"u\x01\0\0\0a"],
    // Not to be compared: one is no ASCII.
    &[b"s\x01\0\0\0\xe9", b"t\x01\0\0\0\xe9", b"u\x02\0\0\0\xc3\xa9"],
    // A power of two that has more digits than a float is sure of.
    &[b"I\0\0\0\0\0\0\0\x10", b"l\x05\0\0\0\0\0\0\0\0\0\0\0\x01\0", b"g\0\0\0\0\0\0\xb0\x43", b"f\x041e18"],
    &[
        b"g\0\0\0\0\0\0\xe0\x3f",
        b"f\x030.5",
        b"f\x03inf",
        b"f\x04-inf",
        b"f\x065e-324",
        b"i\xa1\xcb\x04\0",
        b"i\xe4\xda\xfb\xff",
    ],
    // A frozenset whose hash would be -1, which is no hash.
    &[b">\x01\0\0\0Ii\xa4\x04+\x88kk\xea", b"i\xc1\xc78#", b"g\0\0\x80\xe0c\x9c\xc1A"],
    // Code objects; to make the second forgives an exception.
    &[
        b"c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0s\0\0\0\0(\0\0\0\0(\0\0\0\0(\0\0\0\0(\0\0\0\0(\0\0\0\0s\0\0\0\0s\0\0\0\0\0\0\0\0s\0\0\0\0",
        b"c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0s\0\0\0\0(\x01\0\0\0>\0\0\0\0(\0\0\0\0(\0\0\0\0(\0\0\0\0(\0\0\0\0s\0\0\0\0s\0\0\0\0\0\0\0\0s\0\0\0\0",
    ],
];

/// Keys of twins: each `*` is one.
const KEYS: [&[u8]; 7] =
    [b"*", b"*", b"(\x01\0\0\0*", b">\x01\0\0\0*", b"(\x02\0\0\0N*", b">\x02\0\0\0N*", b"(\x02\0\0\0>\x02\0\0\0***"];

/// Keys without a twin, as many as make a table of 2.7 grow.
const OTHERS: [&[u8]; 4] = [b"N", b".", b"S", b"i\x07\0\0\0"];

/// What sorts sets makes a dump of each member, which depends on who holds the parts: `*` is sets in sets. Interpreters take
/// twice as long for each; from 20 on, nobody waits for them.
const NESTED: [&[u8]; 2] =
    [b"*(\x01\0\0\0g\0\0\0\0\0\0\xf8\x3f", b"(\x02\0\0\0\xbe\x01\0\0\0g\0\0\0\0\0\0\xf8\x3f*r\0\0\0\0"];
const NESTING: [usize; 4] = [1, 5, 13, 20];

/// Members that have one dump: each `*` is the same, and equal to nothing.
const UNEQUAL: [&[u8]; 3] =
    [b"g\0\0\0\0\0\0\xf8\x7f", b"y\0\0\0\0\0\0\xf8\x7f\0\0\0\0\0\0\0\0", b"y\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xf8\x7f"];
const MEMBERS: [&[u8]; 4] = [
    b"<\x02\0\0\0**",
    b">\x03\0\0\0*N*",
    b"<\x02\0\0\0(\x01\0\0\0*(\x01\0\0\0*",
    b"(\x02\0\0\0>\x02\0\0\0\xa8\x01\0\0\0*(\x01\0\0\0*r\0\0\0\0",
];

/// UTF-8, nearly.
const UTF8: [&[u8]; 8] = [
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\xbd\xed\xb0\x80",
    b"\xc3(",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    b"a\xff",
    b"\xe6\x97",
];

/// A stream that reaches some rule.
pub(super) fn generate(u: &mut Unstructured<'_>, target: Target) -> Vec<u8> {
    let corner = if target.codes && u.below(2) == 1 { code_object(u, target) } else { scalar_or_container(u, target) };
    if u.below(3) < 2 {
        return corner;
    }
    let (before, after) = u.pick(&AROUND);
    [before, &corner, after].concat()
}

fn scalar_or_container(u: &mut Unstructured<'_>, target: Target) -> Vec<u8> {
    if target.is_python2() && u.one_in(4) {
        return after_exception(u);
    }
    match u.below(26) {
        0..=8 | 24 | 25 => {
            let whole = u.pick(&WHOLE);
            whole[..1 + u.index(whole.len() - 1)].to_vec()
        }
        9 | 10 => {
            let size = u.pick(&[i32::MIN, -1, -2, i32::MIN + 1]);
            [&[u.pick(SIZED)][..], &size.to_le_bytes()].concat()
        }
        11 => {
            let (before, after) = u.pick(&AROUND);
            [before, b"0", after].concat()
        }
        12 | 13 => {
            let ((before, after), (hold, end)) = (u.pick(&AROUND[7..]), u.pick(&HOLDERS));
            [before, hold, u.pick(&UNHASHABLE), end, after].concat()
        }
        14 => {
            let text = u.pick(&TEXTS).as_bytes();
            let text = [&[u8::try_from(text.len()).unwrap_or(0)], text].concat();
            match u.below(3) {
                0 => [b"f", &text[..]].concat(),
                1 => [b"x", &text[..], b"\x010"].concat(),
                _ => [b"x\x010", &text[..]].concat(),
            }
        }
        15 | 20 | 21 => {
            let text = u.pick(&UTF8);
            let code = u.pick(b"uutuaAzZ");
            let size = i32::try_from(text.len()).unwrap_or(0).to_le_bytes();
            [&[code][..], if b"zZ".contains(&code) { &size[..1] } else { &size }, text].concat()
        }
        16 => {
            let (before, after) = u.pick(&[
                (&b"\xa9\x01"[..], &b""[..]),
                (b"\xdb\x01\0\0\0", b""),
                (b"\xfbN", b"\xb0"),
                (b"\xbe\x01\0\0\0", b""),
                (b">\x01\0\0\0\xa8\x01\0\0\0", b""),
                (b"\xbaN", b"N"),
                (b"\xfdN", b"0"),
                (b")\x02\xfdNN0", b""),
                (b"(\x02\0\0\0t\x01\0\0\0x", b""),
            ]);
            // Nothing else is one that 2.7 reads.
            let before = if target.is_python2() && u.below(2) == 1 { b"(\x02\0\0\0t\x01\0\0\0x" } else { before };
            let mut meant = reference(u.pick(&[0, 0, 0, 1, -1]));
            meant[0] = if target.is_python2() { b'R' } else { u.pick(b"rr\xf2") };
            [before, &meant, after].concat()
        }
        // A key whose value is NULL is not hashed.
        17 => [&b"{"[..], u.pick(&UNHASHABLE), b"00"].concat(),
        18 => vec![u.pick(b"?\x01 Q}:RrI\xe9")],
        22 => {
            let sets = b">\x01\0\0\0".repeat(u.pick(&NESTING));
            fill(u.pick(&NESTED), || &sets)
        }
        23 => {
            let unequal = u.pick(&UNEQUAL);
            fill(u.pick(&MEMBERS), || unequal)
        }
        _ => {
            let depth = target.max_depth - u.below(2);
            let (before, _) = u.pick(&AROUND[..4]);
            before.repeat(depth as usize)
        }
    }
}

/// A stream with something in the place of each `*`.
fn fill<'s>(stream: &[u8], mut something: impl FnMut() -> &'s [u8]) -> Vec<u8> {
    stream.iter().flat_map(|byte| if *byte == b'*' { something() } else { slice::from_ref(byte) }).copied().collect()
}

/// A dict of 2.7 with a value that fails, after which the reader reads on: keys that are compared meanwhile, or what takes the
/// exception for its own.
fn after_exception(u: &mut Unstructured<'_>) -> Vec<u8> {
    let family = u.pick(&TWINS);
    let key = u.pick(&KEYS);
    let mut keys: Vec<Vec<u8>> = (0..2 + u.below(6)).map(|_| fill(key, || u.pick(family))).collect();
    if u.one_in(4) {
        keys.splice(1..1, OTHERS.map(<[u8]>::to_vec));
    }
    let size = keys.len().to_le_bytes();
    match u.below(6) {
        0 | 1 => {
            [&b"{N?"[..], &keys.iter().flat_map(|key| [key, &b"N"[..]].concat()).collect::<Vec<u8>>(), b"0"].concat()
        }
        // Some of the keys are there before.
        2 | 3 => {
            let (first, last) = (keys[0].clone(), keys[1..].iter().flat_map(|key| [key, &b"N"[..]].concat()));
            [&b"{"[..], &first, b"NN?", &last.collect::<Vec<u8>>(), b"0"].concat()
        }
        4 => [&b"{N?N"[..], &[u.pick(b"<>")], &size[..4], &keys.concat(), b"0"].concat(),
        // A failure that is a value, and a size that takes all memory.
        _ => [&b"{N?N"[..], u.pick(&[&b"g\0\0\0\0\0\0\xf0\xbf"[..], b"f\x02-1", b"s\xff\xff\xff\x7f"]), b"0"].concat(),
    }
}

/// A code object with something about one of its fields.
fn code_object(u: &mut Unstructured<'_>, target: Target) -> Vec<u8> {
    let mut bytes = alone(u, target, Style::Any);
    // Where the field has not what it takes, another rule is tried.
    for _ in 0..8 {
        if change_code(u, target, &mut bytes).is_some() {
            break;
        }
    }
    bytes
}

fn change_code(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>) -> Option<()> {
    let skimmed = skim_for(target, bytes);
    let below = |parent: usize| move |item: &&Item| item.parent == Some(parent);
    let fields: Vec<Item> = skimmed.items.iter().filter(below(0)).copied().collect();
    let integers = match target.version {
        (3, 8..=10) => 6,
        (3, _) => 5,
        _ => 4,
    };
    match u.below(13) {
        0..=2 => put(bytes, 1 + 4 * u.index(integers), u.pick(&[-1, i32::MIN]))?,
        3 => {
            let at = 1 + 4 * u.index(integers);
            put(bytes, at, u.pick(&[i32::MAX, 200]))?;
        }
        // The sum of the numbers of arguments, and how many of them are positional only.
        4 => {
            let last = if target.version >= (3, 8) { 2 } else { 1 };
            for index in 0..=last {
                put(bytes, 1 + 4 * index, i32::MAX)?;
            }
        }
        5 if target.version >= (3, 8) => {
            let n = long(bytes, 1)?.checked_add(1)?;
            put(bytes, 5, n)?;
        }
        6 | 7 => {
            let field = *fields.get(u.index(fields.len()))?;
            let other = u.pick(&[
                &b"N"[..],
                b"s\0\0\0\0",
                b"u\0\0\0\0",
                b"u\x02\0\0\0ab",
                b")\0",
                b"(\0\0\0\0",
                b"i\0\0\0\0",
                b"0",
            ]);
            replace(bytes, field.at..field.end, other);
        }
        // Before 3.9 a name that is no string ends the process, which is slow to learn often.
        8 if target.version >= (3, 9) => {
            let position = 2 + u.index(if target.version >= (3, 11) { 2 } else { 4 });
            let field = skimmed.items.iter().position(|i| i.parent == Some(0) && i.position == position)?;
            let name = skimmed.items.iter().filter(below(field)).nth(u.index(2))?;
            replace(bytes, name.at..name.end, u.pick(&[&b"N"[..], b"i\0\0\0\0", b"s\x01\0\0\0x", b"(\0\0\0\0"]));
        }
        // An opcode that is none, where somebody asserts that it is one.
        9 if target.asserts_opcodes && u.one_in(8) => {
            let field = fields.first().filter(|i| i.code == b's' && i.end - i.at > 5)?;
            bytes[field.at + 5] = codes::high_unknown(target.version)?;
        }
        // One byte more in the instructions, or in the kinds of variables.
        9 => {
            let field = fields.iter().find(|i| i.position == u.pick(&[0, 4]) && i.code == b's')?;
            let longer = long(bytes, field.at + 1)?.checked_add(1)?;
            put(bytes, field.at + 1, longer)?;
            replace(bytes, field.end..field.end, b"\0");
        }
        10 => {
            let consts = fields.get(1)?;
            let list = [&b"(\x01\0\0\0"[..], u.pick(&UNHASHABLE)].concat();
            replace(bytes, consts.at..consts.end, &list);
            let (before, after) = u.pick(&AROUND[7..]);
            *bytes = [before, bytes, after].concat();
        }
        // The same items in a list.
        12 => {
            let field = fields.get(u.index(fields.len())).filter(|field| b"()".contains(&field.code))?;
            let n =
                skimmed.items.iter().filter(|item| item.parent.map(|p| skimmed.items[p].at) == Some(field.at)).count();
            let items = field.at + if field.code == b'(' { 5 } else { 2 };
            let size = u32::try_from(n).unwrap_or(0).to_le_bytes();
            replace(bytes, field.at..items, &[&b"["[..], &size].concat());
        }
        // The constants hold the code object, or themselves.
        11 if !target.is_python2() => {
            let consts = fields.get(1)?;
            let (code, flag, slot) = u.pick(&[(b'(', 0x80, 0), (b'(' | 0x80, 0, consts.slots)]);
            let holds = [&[code][..], &1_u32.to_le_bytes(), b"r", &slot.to_le_bytes()].concat();
            replace(bytes, consts.at..consts.end, &holds);
            bytes[0] |= flag;
        }
        _ => return None,
    }
    Some(())
}
