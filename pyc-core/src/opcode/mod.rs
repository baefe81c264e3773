//! What an interpreter shows of the bytecode that it loaded.
//!
//! Since 3.11 a code object's instructions change while they run (specialization, instrumentation, inline caches), so
//! `co_code`, and with it `marshal.dumps`, puts base opcodes and zeroed caches back, whatever the stream contained
//! (`Objects/codeobject.c`, `deopt_code`). Code that no compiler makes can send that walk out of bounds.

mod tables;

/// How many units after each opcode are its inline caches, by version.
pub(crate) mod caches {
    pub(crate) use super::tables::{
        CACHES_311 as PYTHON_311, CACHES_312 as PYTHON_312, CACHES_313 as PYTHON_313, CACHES_314 as PYTHON_314,
        CACHES_315 as PYTHON_315,
    };
    /// Before 3.11.
    pub(crate) static NONE: [u8; 256] = [0; 256];
}

use crate::code::flag;
use crate::error::Cause;
use crate::prelude::*;
use crate::profile::{Profile, Version};

struct Table {
    version: Version,
    base: &'static [u8; 256],
    caches: &'static [u8; 256],
    deadly: &'static [u8],
    /// 3.15: the opcode of GET_ITER, whose argument is rewritten, too (not that of its specialized forms).
    get_iter: Option<u8>,
    counters: Option<Counters>,
    /// The first opcode of specialized instructions, if debug builds assert that no base opcode is one: an opcode that is
    /// not assigned is its own base.
    first_specialized: Option<u8>,
    marks: [u32; 256],
}

/// The counters that loading puts into the first cache unit of an instruction (`Python/specialize.c`, `_PyCode_Quicken`).
/// Since 3.14 that walk knows the caches of base opcodes only: in a stream that contains specialized ones it goes out of
/// step, and what it writes stays visible in `co_code`.
struct Counters {
    adaptive: u16,
    /// Opcodes whose counter starts with another value.
    special: &'static [(u8, u16)],
}

static TABLES: [Table; 5] = {
    use tables as t;
    const fn table(minor: u8, base: &'static [u8; 256], caches: &'static [u8; 256], deadly: &'static [u8]) -> Table {
        Table {
            version: Version::new(3, minor),
            base,
            caches,
            deadly,
            get_iter: None,
            counters: None,
            first_specialized: None,
            marks: marks(base, caches, deadly, None, None),
        }
    }
    [
        table(11, &t::BASE_311, &t::CACHES_311, t::DEADLY_311),
        table(12, &t::BASE_312, &t::CACHES_312, t::DEADLY_312),
        table(13, &t::BASE_313, &t::CACHES_313, t::DEADLY_313),
        Table {
            first_specialized: Some(129),
            marks: marks(&t::BASE_314, &t::CACHES_314, t::DEADLY_314, None, Some(129)),
            counters: Some(Counters {
                adaptive: 0x0011,
                special: &[(75, 0xFFFC), (100, 0x5555), (101, 0x5555), (102, 0x5555), (103, 0x5555)],
            }),
            ..table(14, &t::BASE_314, &t::CACHES_314, t::DEADLY_314)
        },
        Table {
            get_iter: Some(70),
            first_specialized: Some(129),
            marks: marks(&t::BASE_315, &t::CACHES_315, t::DEADLY_315, Some(70), Some(129)),
            counters: Some(Counters {
                adaptive: 0x0009,
                special: &[(74, 0x7D06), (99, 0x5555), (100, 0x5555), (101, 0x5555), (102, 0x5555), (128, 0xFF77)],
            }),
            ..table(15, &t::BASE_315, &t::CACHES_315, t::DEADLY_315)
        },
    ]
};

impl Table {
    fn of(profile: &Profile) -> Option<&'static Table> {
        TABLES.iter().find(|t| t.version == profile.version)
    }

    /// What loading writes into the instructions, in a walk that knows the caches of base opcodes only: the counters, and
    /// 3.15's argument of GET_ITER.
    fn quicken(&self, code: &mut [u8], flags: i32) {
        let Some(counters) = &self.counters else { return };
        let mut at = 0;
        while at + 4 <= code.len() {
            let opcode = code[at];
            let is_base = self.base[usize::from(opcode)] == opcode;
            let caches = if is_base { self.caches[usize::from(opcode)] } else { 0 };
            if caches > 0 {
                let special = counters.special.iter().find(|(op, _)| *op == opcode);
                let counter = special.map_or(counters.adaptive, |(_, counter)| *counter);
                code[at + 2..at + 4].copy_from_slice(&counter.to_le_bytes());
            }
            if self.get_iter == Some(opcode) && code[at + 1] != 0 {
                let awaitable = flags & (flag::COROUTINE | flag::ITERABLE_COROUTINE) != 0;
                code[at + 1] = if awaitable { 2 } else { 3 };
            }
            at += 2 + 2 * usize::from(caches);
        }
    }
}

/// `co_code` of a code object that was loaded with these instructions and flags, under a profile of 3.11 or later; other
/// profiles show them as they are.
///
/// # Errors
/// When the interpreter would crash or write out of bounds.
///
/// ```
/// use pyc_core::{Profile, Version, opcode};
/// let profile = Profile::of(Version::new(3, 12)).unwrap();
/// // 6 is a specialized form of BINARY_OP (122), which has one cache unit.
/// assert_eq!(opcode::shown(&[6, 2, 0xAB, 0xCD], 0, profile), Ok(vec![122, 2, 0, 0]));
/// ```
pub fn shown(code: &[u8], flags: i32, profile: &Profile) -> Result<Vec<u8>, Cause> {
    let mut out = code.to_vec();
    let Some(table) = Table::of(profile) else {
        return Ok(out);
    };
    table.quicken(&mut out, flags);
    let mut at = 0;
    while at + 1 < out.len() {
        let opcode = out[at];
        if table.deadly.contains(&opcode) {
            return Err(Cause::InstrumentedOpcode);
        }
        out[at] = table.base[usize::from(opcode)];
        if profile.debug && table.first_specialized.is_some_and(|first| out[at] >= first) {
            return Err(Cause::DebugAssertion);
        }
        let next = at + 2 + 2 * usize::from(table.caches[usize::from(opcode)]);
        match out.get_mut(at + 2..next) {
            Some(caches) => caches.fill(0),
            None => return Err(Cause::CachesPastEnd),
        }
        at = next;
    }
    Ok(out)
}

/// In [`Table::marks`]: the opcode is shown as another, is not assigned, kills, or has its argument rewritten.
const NOT_PLAIN: u32 = 1 << 24;

/// For each opcode: a bit for each unit after it that is a cache, from bit 1 on; or `NOT_PLAIN`.
const fn marks(
    base: &[u8; 256],
    caches: &[u8; 256],
    deadly: &[u8],
    get_iter: Option<u8>,
    first_specialized: Option<u8>,
) -> [u32; 256] {
    let mut table = [NOT_PLAIN; 256];
    let mut opcode = 0;
    while opcode < 256 {
        // What is shown must stay clear of NOT_PLAIN when it is moved by three units.
        assert!(caches[opcode] < 16);
        let is_rewritten = matches!(get_iter, Some(other) if other as usize == opcode);
        let is_assigned = !matches!(first_specialized, Some(first) if base[opcode] >= first);
        if base[opcode] as usize == opcode && is_assigned && !is_rewritten {
            table[opcode] = (2 << caches[opcode]) - 2;
        }
        opcode += 1;
    }
    let mut i = 0;
    while i < deadly.len() {
        table[deadly[i] as usize] = NOT_PLAIN;
        i += 1;
    }
    // Opcode 0 is what fills caches.
    assert!(table[0] == 0);
    table
}

/// For each set of four units: the bits of these units in a word.
const UNITS: [u64; 16] = {
    let mut table = [0; 16];
    let mut set = 0;
    while set < 16 {
        let mut unit = 0;
        while unit < 4 {
            if set >> unit & 1 != 0 {
                table[set] |= 0xFFFF << (16 * unit);
            }
            unit += 1;
        }
        set += 1;
    }
    table
};

/// The units of some code, four at a time, the last ones filled up with zeros; and how many these are.
fn words(code: &[u8]) -> (&[[u8; 8]], [u8; 8], usize) {
    let (words, rest) = code.as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    (words, last, rest.len() / 2)
}

/// Whether `co_code` shows these instructions as they are, found out without walking from one to the next: no unit is
/// specialized or deadly, and each is followed by as many empty ones as it has caches. (An empty unit has none, so it does
/// not matter that caches are looked at like instructions.)
pub(crate) fn is_plain(code: &[u8], profile: &Profile) -> bool {
    let Some(table) = Table::of(profile) else { return true };
    let (words, last, left) = words(&code[..code.len() & !1]);
    // From bit 0 on: which of the next units are caches.
    let mut caches = 0;
    let (mut seen, mut wrong) = (0, 0);
    let mut look = |word: &[u8; 8]| {
        let mark = |unit: usize| table.marks[usize::from(word[2 * unit])] << unit;
        let marks = caches | mark(0) | mark(1) | mark(2) | mark(3);
        seen |= marks;
        wrong |= u64::from_le_bytes(*word) & UNITS[marks as usize & 15];
        caches = marks >> 4;
        marks
    };
    words.iter().for_each(|word| {
        look(word);
    });
    // Caches that are missing at the end were filled in.
    let missing = look(&last) >> left;
    wrong == 0 && seen < NOT_PLAIN && missing == 0
}

/// Whether any unit may be an opcode that kills: code that a compiler made has none. Many units at a time, so that a
/// processor compares them at once.
fn may_kill(code: &[u8]) -> bool {
    const OPCODES: u64 = 0x00FF_00FF_00FF_00FF;
    const UP_TO_240: u64 = 0x000F_000F_000F_000F;
    const CARRY: u64 = 0x0100_0100_0100_0100;
    let (words, last, _) = words(code);
    let carry = |word: &[u8; 8]| (u64::from_le_bytes(*word) & OPCODES) + UP_TO_240;
    (words.iter().fold(0, |sum, word| sum | carry(word)) | carry(&last)) & CARRY != 0
}

/// Why the hash of a code object with these instructions is undefined, if it is: it is made from the base opcodes, or before
/// 3.12 from `co_code`.
pub(crate) fn undefined_on_hash(code: &[u8], profile: &Profile) -> Option<Cause> {
    if is_plain(code, profile) {
        return None;
    }
    // The flags decide about arguments only.
    let cause = shown(code, 0, profile).err()?;
    (cause != Cause::CachesPastEnd || profile.hashes_shown_code()).then_some(cause)
}

/// Why loading this code is undefined, if it is: 3.12 and 3.13 look at every instruction then, and some kill them; and they
/// write a counter behind each that has caches, also behind the last (`Python/specialize.c`, `_PyCode_Quicken`). There it
/// is outside the code object, unless its size was rounded up.
pub(crate) fn undefined_on_load(code: &[u8], profile: &Profile) -> Option<Cause> {
    if !profile.looks_at_code_on_load() {
        return None;
    }
    let table = Table::of(profile)?;
    let last = code.len().checked_sub(2)?;
    let is_rounded = !code.len().is_multiple_of(usize::from(profile.pointer_bits / 8));
    let may_reach_out = !is_rounded && table.caches[usize::from(code[last])] > 0;
    if !may_reach_out && !may_kill(code) {
        return None;
    }
    // 70 of 3.13, ENTER_EXECUTOR, only kills when the code is shown.
    let deadly = |op: u8| op > 240 && table.deadly.contains(&op);
    let mut at = 0;
    while let Some(&opcode) = code.get(at) {
        if deadly(opcode) {
            return Some(Cause::InstrumentedOpcode);
        }
        if at == last && may_reach_out {
            return Some(Cause::CachesPastEnd);
        }
        at += 2 + 2 * usize::from(table.caches[usize::from(opcode)]);
    }
    None
}

/// The first instruction that makes loading or showing this code undefined: why, and its offset in bytes.
#[must_use]
pub fn undefined_at(code: &[u8], profile: &Profile) -> Option<(Cause, usize)> {
    let table = Table::of(profile)?;
    let mut at = 0;
    while let Some(&opcode) = code.get(at) {
        let next = at + 2 + 2 * usize::from(table.caches[usize::from(opcode)]);
        if table.deadly.contains(&opcode) {
            return Some((Cause::InstrumentedOpcode, at));
        }
        if next > code.len() && at + 1 < code.len() {
            return Some((Cause::CachesPastEnd, at));
        }
        at = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{NOT_PLAIN, Table, is_plain, may_kill, shown, undefined_on_load};
    use crate::error::Cause;
    use crate::prelude::*;
    use crate::{Profile, Version};

    /// BINARY_OP of 3.12 has one cache, LOAD_GLOBAL four, NOP none; 6 is a specialized BINARY_OP.
    #[test]
    fn code_as_a_compiler_makes_it_is_plain() {
        let plain = |code: &[u8]| is_plain(code, Profile::of(Version::new(3, 12)).unwrap());
        let global = [&[116, 1][..], &[0; 8]].concat();
        assert!(plain(b""));
        assert!(plain(&[9, 0, 9, 1]));
        assert!(plain(&[9, 0, 0, 0, 0, 0]));
        assert!(plain(&[122, 1, 0, 0, 9, 0, 122, 2, 0, 0]));
        assert!(plain(&[&global[..], &global, &[9, 0]].concat()));
        assert!(!plain(&[6, 1, 0, 0]));
        assert!(!plain(&[122, 1]));
        assert!(!plain(&[122, 1, 1, 0]));
        assert!(!plain(&[122, 1, 0, 1]));
        assert!(!plain(&global[..8]));
        assert!(!plain(&[&global[..8], &[9, 0]].concat()));
        assert!(!plain(&[254, 0]));
        assert!(is_plain(&[6, 1, 2, 3], Profile::of(Version::new(3, 10)).unwrap()));
    }

    /// Code of all lengths, as a compiler could make it, and with one byte changed.
    #[test]
    fn plain_code_is_shown_as_it_is() {
        for profile in Profile::all().filter(|profile| Table::of(profile).is_some()) {
            let table = Table::of(profile).unwrap();
            let opcodes: Vec<u8> = (1..=255).filter(|op| table.marks[usize::from(*op)] != NOT_PLAIN).collect();
            let mut random = 1_u32;
            let mut next = |below: usize| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 8) as usize % below
            };
            for length in 0..200 {
                let mut code: Vec<u8> = Vec::new();
                while code.len() < length {
                    let opcode = opcodes[next(opcodes.len())];
                    code.extend([opcode, 7]);
                    code.extend(vec![0; 2 * usize::from(table.caches[usize::from(opcode)])]);
                }
                assert!(is_plain(&code, profile), "{} {code:?}", profile.version);
                assert_eq!(shown(&code, 0, profile).as_ref(), Ok(&code));
                code.truncate(length & !1);
                if let Some(place) = length.checked_sub(2) {
                    code[next(place + 1)] = [0, 1, 255][next(3)];
                }
                let is_shown = shown(&code, 0, profile).as_ref() == Ok(&code);
                // Of an opcode whose argument may be rewritten, the argument is not looked at.
                // An opcode that is not assigned kills a debug build.
                let looked_at =
                    |op: u8| table.get_iter == Some(op) || table.first_specialized.is_some_and(|it| op >= it);
                let is_sure = !code.iter().step_by(2).any(|opcode| looked_at(*opcode));
                assert!(is_plain(&code, profile) == (is_shown && is_sure), "{} {code:?}", profile.version);
            }
        }
    }

    /// Loading rewrites the argument of 3.15's GET_ITER (70) where its walk comes by, which steps over the caches of base
    /// opcodes only: behind a specialized one (211, of TO_BOOL with three caches) it is out of step.
    #[test]
    fn what_loading_does_not_come_by_stays() {
        let shown = |code: &[u8]| super::shown(code, 3, Profile::of(Version::new(3, 15)).unwrap()).unwrap();
        let get_iter = [&[70, 7][..], &[0; 8]].concat();
        assert_eq!(shown(&get_iter)[..2], [70, 3]);
        // GET_ITER of the second walk only: the first one takes what is before it for an instruction with a cache.
        let code = [&[211, 153, 37, 37, 37, 37, 37, 37][..], &get_iter].concat();
        assert_eq!(shown(&code)[8..10], [70, 7]);
    }

    /// Seen with PYTHONMALLOC=debug: 106 of 3.12 has caches, so have 53 and, as a form of another, 212 of 3.13.
    #[test]
    fn a_counter_behind_the_last_instruction_is_outside_of_code_that_fills_its_object() {
        let check = |minor, code: &[u8], expected| {
            let undefined = undefined_on_load(code, Profile::of(Version::new(3, minor)).unwrap());
            assert_eq!(undefined, expected, "3.{minor} {code:?}");
        };
        for (minor, opcode) in [(12, 106), (13, 53), (13, 212)] {
            for length in [2, 4, 6, 8, 10, 16] {
                let code = [&vec![0; length - 2][..], &[opcode, 0]].concat();
                check(minor, &code, (length % 8 == 0).then_some(Cause::CachesPastEnd));
                check(11, &code, None);
                check(14, &code, None);
            }
        }
        // A cache that looks like an instruction, and an instruction without caches.
        check(12, &[0, 0, 0, 0, 106, 0, 106, 0], None);
        check(12, &[0, 0, 0, 0, 0, 0, 9, 0], None);
    }

    #[test]
    fn opcodes_that_kill_are_seen() {
        let killed = Some(Cause::InstrumentedOpcode);
        for length in [2, 14, 16, 18, 40] {
            assert!(!may_kill(&[240, 255].repeat(length / 2)));
            for place in (0..length).step_by(2) {
                let mut code = vec![0; length];
                code[place] = 241;
                assert!(may_kill(&code));
                // Nor does one hide another.
                code[length - 2] = 241;
                code[place % 8] = 241;
                assert!(may_kill(&code));
            }
        }
        let kills = |minor| undefined_on_load(&[9, 0, 254, 0], Profile::of(Version::new(3, minor)).unwrap());
        assert_eq!([11, 12, 13, 14].map(kills), [None, killed, killed, None]);
    }
}
