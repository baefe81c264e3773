//! The opcodes of every version, generated from the interpreters: never edit the rows by hand.
//!
//! pyc-core has tables of its own, made in another way: what a generator and the library under test share, no test sees.
//! These come from each interpreter's `opcode` module (`harness/tests/opcodes.py`), and `harness/tests/opcode_letters.rs`
//! compares them with the interpreters found (`BLESS=1` rewrites the rows).
//!
//! Reviewed for Python 3.15.

/// What a version makes of the 256 opcodes.
pub(in crate::generators) struct Opcodes {
    pub(in crate::generators) version: (u8, u8),
    pub(in crate::generators) extended_arg: u8,
    /// The first opcode with an argument (up to 3.5 the others are one byte long).
    pub(in crate::generators) have_argument: u8,
    /// What the argument is of: `c`onstant, `n`ame, `l`ocal, `f`ree variable, jump (`a`bsolute, `r`elative), `o`ther, `-`
    /// none. `s`pecialized and `i`nstrumented ones stand in no file; `.` is no opcode, or a cache.
    pub(in crate::generators) letters: &'static [u8; 256],
    /// How many cache units follow, in hexadecimal.
    caches: &'static [u8; 256],
}

impl Opcodes {
    /// The table of a version; of one that has none, the newest.
    pub(in crate::generators) fn of(version: (u8, u8)) -> &'static Opcodes {
        ALL.iter().find(|row| row.version == version).unwrap_or(&ALL[ALL.len() - 1])
    }

    pub(in crate::generators) fn caches(&self, opcode: u8) -> usize {
        char::from(self.caches[usize::from(opcode)]).to_digit(16).unwrap_or(0) as usize
    }

    /// The first opcode from `start` on, going round, whose letter is among these.
    pub(in crate::generators) fn from(&self, start: u8, letters: &[u8]) -> Option<u8> {
        (0..=255_u8).map(|step| start.wrapping_add(step)).find(|op| letters.contains(&self.letters[usize::from(*op)]))
    }
}

#[rustfmt::skip]
static ALL: [Opcodes; 11] = [
    Opcodes {
        version: (2, 7),
        extended_arg: 145,
        have_argument: 90,
        letters: b"------...-----.-...---------------......----......--------------\
        -----.--------------------nnoronnnnocnoooononnraaaaan..arrr.lll.\
        ..ooooofff..ooor.ooo............................................\
        ................................................................",
        caches: b"0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000",
    },
    Opcodes {
        version: (3, 6),
        extended_arg: 144,
        have_argument: 90,
        letters: b".-----...----..---.--.--------....................---..---.-----\
        ----------.---------------nnoronnnn.cnoooononnraaaaan..arrr.llln\
        ..oooo.ffff..ooroooofoooooroooo.................................\
        ................................................................",
        caches: b"0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000",
    },
    Opcodes {
        version: (3, 7),
        extended_arg: 144,
        have_argument: 90,
        letters: b".-----...----..---.--.--------....................---..---.-----\
        ----------.---------------nnoronnnn.cnoooononnraaaaan..arrr.lll.\
        ..oooo.ffff..ooroooofoooooroooo.no..............................\
        ................................................................",
        caches: b"0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000",
    },
    Opcodes {
        version: (3, 8),
        extended_arg: 144,
        have_argument: 90,
        letters: b".------..----..---.--.--------....................--------.-----\
        ----------.-----.---------nnoronnnn.cnoooononnraaaaan.....r.lll.\
        ..oooo.ffff..ooroooofoooooroooo.noro............................\
        ................................................................",
        caches: b"0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000",
    },
    Opcodes {
        version: (3, 9),
        extended_arg: 144,
        have_argument: 90,
        letters: b".------..----..---.--.--------..................-----.----.-----\
        ----------------..------.-nnoronnnn.cnoooononnraaaaanoo..ar.lll.\
        ..oooo.ffff..ooroooof.....rooo..nooooo..........................\
        ................................................................",
        caches: b"0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000",
    },
    Opcodes {
        version: (3, 10),
        extended_arg: 144,
        have_argument: 90,
        letters: b".------..----..---.--.-------------..............----.----.-----\
        ----------------..------.-nnoronnnnocnoooononnraaaaanooo.ar.lll.\
        .ooooo.ffff..ooroooof...o.rooo..nooooo..........................\
        ................................................................",
        caches: b"0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000\
        0000000000000000000000000000000000000000000000000000000000000000",
    },
    Opcodes {
        version: (3, 11),
        extended_arg: 144,
        have_argument: 90,
        letters: b".--ssssss----ss-sssssssss-ssss----s---sssssssssss------sssss--ss\
        ssss----ss--ssssss--------nnoronnnnocnoooononnrrrsrrnoooosorllls\
        rroooorfffffrsosoooofosoossooossnsooooossssocrrrrssss...........\
        ................................................................",
        caches: b"00011111100001101444444444222200000000044444000550000005aaaa10aa\
        1111000011001111110000000000100400000000004200000100500001100001\
        00000000000001010000000004400044a0000010111400000111100000000000\
        0000000000000000000000000000000000000000000000000000000000000000",
    },
    Opcodes {
        version: (3, 12),
        extended_arg: 144,
        have_argument: 90,
        letters: b".-----sss-s--ss-s-sssssss---ss----s---sssssssssss-------ssss--ss\
        ssss--s-ss--sssssss-s-s-s-nnoronnnnocnoooononnrsssrrnoooocorllll\
        rroooorfffffrnoloooosoooossooossssoooosss..ocoonf...............\
        .............................................iiiiiiiiiiiiiiiiii.",
        caches: b"0000001110100110101111133100330000300033333333333000000031111011\
        1111009099009999999000000000110400000000009100044400400000110000\
        0000000000000100000040000400000111000011100300000000000000000000\
        0000000000000000000000000000000000000000000001000300000010000000",
    },
    Opcodes {
        version: (3, 13),
        extended_arg: 71,
        have_argument: 44,
        letters: b".--s----------------------------------------ooooooooooooooooooon\
        flnnooioronnorrrooncfllllfnnnnfoorrrroocrooonflllnnoooo.........\
        .....................ossssssssssssssssssssssssssssssssssssssssss\
        sssssssssssssssssssssssssssssss.............iiiiiiiiiiiiiiiiiii.",
        caches: b"0001010000000000000000000000000000000001300001000000030000110000\
        0000000010000100009000000004010001111000100040000000010000000000\
        0000000000000000000000111111111111333333333333333333331111111119\
        9999999999944110144411333333111000000000000000000011300001111100",
    },
    Opcodes {
        version: (3, 14),
        extended_arg: 69,
        have_argument: 43,
        letters: b".--s---------------------------------------oooooooooooooooooonfl\
        nnoororonnorrroonoclllllllfnnnoonfoorrrroorooonflllnnoooo.......\
        osssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss\
        ssssssssssssssssssss......................iiiiiiiiiiiiiiiiiiiiii",
        caches: b"0005000000000000000000000000000000000013000050000000300311000000\
        0000001000010000900000000000400010001111001000400000000100000000\
        0555555555555553333333333333333333333311111111111999999999999900\
        4411014441133333311100000000000000000000000001000111100001330100",
    },
    Opcodes {
        version: (3, 15),
        extended_arg: 67,
        have_argument: 41,
        letters: b".--s-------------------------------------oooooooooooooooooonflnn\
        oororoonnorrroonoclllllllfnnnoonfoorrrroorooonflllnnoooo........\
        osssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss\
        sssssssssssssssssssssssssss..............iiiiiiiiiiiiiiiiiiiiiii",
        caches: b"0005100000000000000000000000000000001300005000000030031100000000\
        0000101000100009000000000004000100011110010004000000001000000000\
        1555555555555555333333311333333333333333311111111111111999999999\
        9999441111111444113333331110000000000000000010001111100013311000",
    },
];
