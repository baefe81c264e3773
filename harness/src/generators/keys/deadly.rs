//! Instructions that end interpreters of some versions, and those that nearly do.
//!
//! Since 3.11 somebody walks over them: who loads them (3.12, 3.13), who shows them, who hashes them. Whether he meets the
//! deadly one depends on what is before it, and whether he leaves the code, on what is last and how long it is.

use super::Maker;
use super::members::string;
use crate::generators::code::DEADLY;
use crate::generators::codes::opcodes::Opcodes;
use crate::generators::luck::Luck;

impl Maker<'_, '_> {
    pub(super) fn deadly_code(&mut self) -> Vec<u8> {
        let Some(code) = self.code(&[]) else { return b"N".to_vec() };
        let instructions = self.deadly_instructions();
        // They stand behind the integers; those of `code` are taken out.
        let at = 1 + 4 * 5;
        let old = 5 + usize::from(code[at + 1]);
        [&code[..at], &string(b's', &instructions), &code[at + old..]].concat()
    }

    fn deadly_instructions(&mut self) -> Vec<u8> {
        let opcodes = Opcodes::of(self.target.version);
        let mut code = Vec::new();
        for _ in 0..self.u.below(10) {
            let letters: &[u8] = if self.u.one_in(6) { b"s" } else { b"cnlfaro-" };
            let opcode = opcodes.from(self.u.byte(), letters).unwrap_or(0);
            code.extend([opcode, self.u.byte() & 3]);
            code.extend(vec![0; 2 * opcodes.caches(opcode)]);
        }
        // One or two, anywhere: between instructions, in caches, in places that are compared at once.
        for _ in 0..self.u.below(3) {
            let units = code.len() / 2;
            if units > 0 {
                let deadly = if self.u.below(4) == 0 { 241 + self.u.pick(&[0, 3, 12]) } else { self.u.pick(&DEADLY) };
                code[2 * self.u.index(units)] = deadly;
            }
        }
        if self.u.below(3) == 0 {
            let units = code.len() / 2;
            code.truncate(2 * self.u.index(units + 1));
        }
        code
    }
}
