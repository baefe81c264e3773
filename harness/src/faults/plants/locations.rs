//! Line tables and exception tables that were decoded and encoded again.

use super::*;
use crate::faults::tables::{
    Handler, Location, Numbers, exception_varint, handlers, locations, pairs, svarint, varint,
};
use pyc_core::code::Field;

pub(super) const FAULTS: [Fault; 20] = [
    Fault {
        name: "line-sign-without-columns",
        what: "the sign of a line in an entry without columns (13) is lost",
        cause: "an unsigned number where a signed one stands",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| without_sign(walk, object, 13)),
        example: Example::Code(&[("linetable", b"s\x02\0\0\0\xe8\x03")]),
    },
    Fault {
        name: "line-sign-of-long-form",
        what: "the sign of a line in a long entry (14) is lost",
        cause: "an unsigned number where a signed one stands",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| without_sign(walk, object, 14)),
        example: Example::Code(&[("linetable", b"s\x05\0\0\0\xf0\x03\0\0\0")]),
    },
    Fault {
        name: "line-number-one-group",
        what: "a number in a location keeps its low six bits",
        cause: "no test with a line that is far away",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            let numbers = Numbers {
                write: |number, out| varint(number & 63, out),
                write_signed: |number, out| {
                    let start = out.len();
                    svarint(number, out);
                    out.truncate(start + 1);
                    out[start] &= 63;
                },
            };
            location_table(walk, object, |_| {}, numbers)
        }),
        example: Example::Code(&[("linetable", b"s\x03\0\0\0\xe8@\x01")]),
    },
    Fault {
        name: "line-number-highest-first",
        what: "a number in a location is written with its highest bits first",
        cause: "the numbers of the exception table, which are",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            let numbers = Numbers {
                write: exception_varint,
                write_signed: |number, out| {
                    exception_varint(number.unsigned_abs() << 1 | u64::from(number < 0), out);
                },
            };
            location_table(walk, object, |_| {}, numbers)
        }),
        example: Example::Code(&[("linetable", b"s\x03\0\0\0\xe8@\x01")]),
    },
    Fault {
        name: "line-zigzag",
        what: "a negative line is written as in protocol buffers",
        cause: "two ways to keep a sign in the lowest bit",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            let zigzag = |number: i64, out: &mut Vec<u8>| varint((number << 1 ^ number >> 63).cast_unsigned(), out);
            location_table(walk, object, |_| {}, Numbers { write: varint, write_signed: zigzag })
        }),
        example: Example::Code(&[("linetable", b"s\x02\0\0\0\xe8\x03")]),
    },
    Fault {
        name: "end-line-lost",
        what: "a location ends in the line in which it begins",
        cause: "one line for each instruction",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| each(walk, object, |entry| entry.end_line = 0)),
        example: Example::Code(&[("linetable", b"s\x05\0\0\0\xf0\0\x01\0\0")]),
    },
    Fault {
        name: "no-column-is-first",
        what: "a long entry (14) without a column has the first one",
        cause: "columns that are kept with one added, and 0 for none",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            each(walk, object, |entry| {
                if entry.kind == 14 {
                    entry.columns = entry.columns.map(|column| column.max(1))
                }
            })
        }),
        example: Example::Code(&[("linetable", b"s\x05\0\0\0\xf0\0\0\0\0")]),
    },
    Fault {
        name: "end-column-lost",
        what: "a long entry (14) has no end column",
        cause: "a marker of one character",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            each(walk, object, |entry| {
                if entry.kind == 14 {
                    entry.columns[1] = 0
                }
            })
        }),
        example: Example::Code(&[("linetable", b"s\x05\0\0\0\xf0\0\0\0\x01")]),
    },
    Fault {
        name: "nowhere-is-same-line",
        what: "an entry without a location (15) has the line before it (13)",
        cause: "a decoder that yields a line for each instruction",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            each(walk, object, |entry| {
                if entry.kind == 15 {
                    entry.kind = 13
                }
            })
        }),
        example: Example::Code(&[("linetable", b"s\x01\0\0\0\xf8")]),
    },
    Fault {
        name: "second-line-is-first",
        what: "an entry two lines on (12) is written as one line on (11)",
        cause: "a limit that is off by one",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| each(walk, object, |entry| entry.kind -= u8::from(entry.kind == 12))),
        example: Example::Code(&[("linetable", b"s\x03\0\0\0\xe0\0\0")]),
    },
    Fault {
        name: "short-column-six-bits",
        what: "a short entry's column is taken modulo 64",
        cause: "kinds 8 and 9 forgotten",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            each(walk, object, |entry| {
                if matches!(entry.kind, 8 | 9) {
                    entry.kind -= 8
                }
            })
        }),
        example: Example::Code(&[("linetable", b"s\x02\0\0\0\xc0\0")]),
    },
    Fault {
        name: "eight-units-are-seven",
        what: "an entry for eight code units is for seven",
        cause: "a limit that is off by one",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| each(walk, object, |entry| entry.units = entry.units.min(7))),
        example: Example::Code(&[("linetable", b"s\x01\0\0\0\xff")]),
    },
    Fault {
        name: "handler-number-lowest-first",
        what: "numbers of the exception table above 63 are written with their lowest bits first",
        cause: "the numbers of the location table, which are",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| exception_table(walk, object, |_| {}, varint)),
        example: Example::Code(&[("exceptiontable", b"s\x05\0\0\0\x80\0\0A\0")]),
    },
    Fault {
        name: "handler-lasti-lost",
        what: "no entry of the exception table wants the last instruction",
        cause: "the lowest bit of the depth shifted out",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            exception_table(walk, object, |all| all.iter_mut().for_each(|h| h[3] &= !1), exception_varint)
        }),
        example: Example::Code(&[("exceptiontable", b"s\x04\0\0\0\x80\0\0\x01")]),
    },
    Fault {
        name: "handler-end-for-length",
        what: "an entry of the exception table has its end in place of its length",
        cause: "what `dis` shows",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            exception_table(walk, object, |all| all.iter_mut().for_each(|h| h[1] += h[0]), exception_varint)
        }),
        example: Example::Code(&[("exceptiontable", b"s\x04\0\0\0\x81\0\0\0")]),
    },
    Fault {
        name: "handlers-of-one-target-merged",
        what: "of two entries of the exception table in a row with one target and depth the first is kept",
        cause: "a map from targets to handlers",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            exception_table(walk, object, |all| all.dedup_by_key(|handler| [handler[2], handler[3]]), exception_varint)
        }),
        example: Example::Code(&[("exceptiontable", b"s\x08\0\0\0\x80\0\x05\x03\x80\0\x05\x03")]),
    },
    Fault {
        name: "lnotab-unsigned",
        what: "lnotab's lines are taken for unsigned",
        cause: "what they were before 3.6",
        versions: LNOTAB,
        way: Way::Reads(b"s", |walk, object| {
            line_pairs(walk, object, |bytes, lines| match lines {
                0.. => vec![[bytes, lines.cast_unsigned()]],
                _ => vec![[bytes, 127], [0, lines.cast_unsigned() - 127]],
            })
        }),
        example: Example::Code(&[("lnotab", b"s\x02\0\0\0\0\x80")]),
    },
    Fault {
        name: "lnotab-steps-of-nothing-lost",
        what: "pairs of lnotab that only go on in the bytes are lost",
        cause: "nothing new to tell",
        versions: LNOTAB,
        way: Way::Reads(b"s", |walk, object| {
            let keep = |bytes, lines: i8| if lines == 0 { vec![] } else { vec![[bytes, lines.cast_unsigned()]] };
            line_pairs(walk, object, keep)
        }),
        example: Example::Code(&[("lnotab", b"s\x02\0\0\0\0\0")]),
    },
    Fault {
        name: "linetable-no-line-is-step",
        what: "bytes without a line (-128) are 128 lines before",
        cause: "lnotab's signed lines",
        versions: LINETABLE,
        way: Way::Reads(b"s", |walk, object| {
            line_pairs(walk, object, |bytes, lines| match lines {
                -128 => vec![[0, (-127_i8).cast_unsigned()], [bytes, (-1_i8).cast_unsigned()]],
                _ => vec![[bytes, lines.cast_unsigned()]],
            })
        }),
        example: Example::Code(&[("lnotab", b"s\x02\0\0\0\0\x80")]),
    },
    Fault {
        name: "linetable-empty-ranges-lost",
        what: "ranges of no bytes are lost, with their lines",
        cause: "nothing is there",
        versions: LINETABLE,
        way: Way::Reads(b"s", |walk, object| {
            let keep = |bytes, lines: i8| if bytes == 0 { vec![] } else { vec![[bytes, lines.cast_unsigned()]] };
            line_pairs(walk, object, keep)
        }),
        example: Example::Code(&[("lnotab", b"s\x02\0\0\0\0\0")]),
    },
];

fn location_table(walk: &Walk, object: Object, wrong: impl Fn(&mut Location), numbers: Numbers) -> Option<Edit> {
    table(walk, object, Field::Linetable, |right| locations(right, &wrong, numbers))
}

fn each(walk: &Walk, object: Object, wrong: impl Fn(&mut Location)) -> Option<Edit> {
    location_table(walk, object, wrong, Numbers::RIGHT)
}

/// The lines of entries of this kind lose their sign.
fn without_sign(walk: &Walk, object: Object, kind: u8) -> Option<Edit> {
    each(walk, object, |entry| {
        if entry.kind == kind {
            entry.line = entry.line.abs();
        }
    })
}

fn exception_table(
    walk: &Walk,
    object: Object,
    wrong: impl Fn(&mut Vec<Handler>),
    write: fn(u64, &mut Vec<u8>),
) -> Option<Edit> {
    table(walk, object, Field::Exceptiontable, |right| handlers(right, &wrong, write))
}

fn line_pairs(walk: &Walk, object: Object, wrong: impl Fn(u8, i8) -> Vec<[u8; 2]>) -> Option<Edit> {
    table(walk, object, Field::Lnotab, |right| pairs(right, &wrong))
}

/// A table that is another one, in a field of a code object.
fn table(walk: &Walk, object: Object, field: Field, wrong: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Edit> {
    let right = walk.payload(object).filter(|_| walk.field(object) == Some(field))?;
    let table = wrong(right).filter(|table| table != right)?;
    Edit::of(5 + right.len(), object.sized(b's', &table))
}
