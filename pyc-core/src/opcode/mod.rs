//! What an interpreter shows of the bytecode that it loaded.
//!
//! Since 3.11 a code object's instructions change while they run (specialization, instrumentation, inline caches), so
//! `co_code`, and with it `marshal.dumps`, puts base opcodes and zeroed caches back, whatever the stream contained
//! (`Objects/codeobject.c`, `deopt_code`). Code that no compiler makes can send that walk out of bounds.

mod tables;

use crate::code::flag;
use crate::error::Cause;
use crate::profile::{Profile, Version};

struct Table {
    version: Version,
    base: &'static [u8; 256],
    caches: &'static [u8; 256],
    deadly: &'static [u8],
    /// 3.15: the opcode of GET_ITER, whose argument is rewritten, too.
    get_iter: Option<u8>,
}

static TABLES: [Table; 5] = {
    use tables as t;
    const fn table(
        minor: u8,
        base: &'static [u8; 256],
        caches: &'static [u8; 256],
        deadly: &'static [u8],
        get_iter: Option<u8>,
    ) -> Table {
        Table { version: Version::new(3, minor), base, caches, deadly, get_iter }
    }
    [
        table(11, &t::BASE_311, &t::CACHES_311, t::DEADLY_311, None),
        table(12, &t::BASE_312, &t::CACHES_312, t::DEADLY_312, None),
        table(13, &t::BASE_313, &t::CACHES_313, t::DEADLY_313, None),
        table(14, &t::BASE_314, &t::CACHES_314, t::DEADLY_314, None),
        table(15, &t::BASE_315, &t::CACHES_315, t::DEADLY_315, Some(70)),
    ]
};

/// `co_code` of a code object that was loaded with these instructions and flags, under a profile of 3.11 or later; other
/// profiles show them as they are.
///
/// # Errors
/// When the interpreter would crash or write out of bounds.
///
/// ```
/// use pyc_core::{Profile, Version, opcode};
/// let profile = Profile::of(Version::new(3, 12)).unwrap();
/// // 148 is a specialized COMPARE_OP (107 is its base there for some numbers); caches are zeroed.
/// assert_eq!(opcode::shown(&[0x97, 0, 0x7c, 0], 0, profile), Ok(vec![0x97, 0, 0x7c, 0]));
/// ```
pub fn shown(code: &[u8], flags: i32, profile: &Profile) -> Result<Vec<u8>, Cause> {
    let mut out = code.to_vec();
    let Some(table) = TABLES.iter().find(|t| t.version == profile.version) else {
        return Ok(out);
    };
    let mut at = 0;
    while at + 1 < out.len() {
        let opcode = out[at];
        if table.deadly.contains(&opcode) {
            return Err(Cause::InstrumentedOpcode);
        }
        out[at] = table.base[usize::from(opcode)];
        if table.get_iter == Some(out[at]) && out[at + 1] != 0 {
            let awaitable = flags & (flag::COROUTINE | flag::ITERABLE_COROUTINE) != 0;
            out[at + 1] = if awaitable { 2 } else { 3 };
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

/// Whether loading this code kills the interpreter (3.12 and 3.13 look at every instruction then).
pub(crate) fn kills_on_load(code: &[u8], profile: &Profile) -> bool {
    profile.dies_of_instrumented_on_load()
        && TABLES.iter().find(|t| t.version == profile.version).is_some_and(|table| {
            // 70 of 3.13, ENTER_EXECUTOR, only kills when the code is shown.
            let deadly = |op: u8| op > 240 && table.deadly.contains(&op);
            let mut at = 0;
            while let Some(&opcode) = code.get(at) {
                if deadly(opcode) {
                    return true;
                }
                at += 2 + 2 * usize::from(table.caches[usize::from(opcode)]);
            }
            false
        })
}
