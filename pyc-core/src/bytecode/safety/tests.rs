//! The table of rules, compared with what is known otherwise.

use super::rules::{Act, Item, Rule};
use crate::bytecode::InstructionSet;
use crate::profile::Profile;

/// What the interpreters say of the same instructions, which has another source (`dis.stack_effect`).
#[test]
fn rules_change_the_depth_as_interpreters_say() {
    // In these the compiler reckons with another way than the next instruction, or with more than there is.
    let otherwise = ["GEN_START", "WITH_EXCEPT_START", "END_ASYNC_FOR", "RERAISE", "POP_EXCEPT", "BEGIN_FINALLY"];
    let mut compared = 0;
    for profile in Profile::all() {
        let set = InstructionSet::of(profile);
        for code in 0..=255 {
            let (opcode, rule) = (set.opcode(code), &set.rules[usize::from(code)]);
            let by_rule = matches!(
                rule.act,
                Act::Plain
                    | Act::CallSpread(..)
                    | Act::BuildSlice
                    | Act::Into
                    | Act::Merge(_)
                    | Act::Branch
                    | Act::BranchOnNone(_)
                    | Act::Deref
                    | Act::Named
            );
            if !by_rule || otherwise.contains(&opcode.name) {
                continue;
            }
            for argument in [0, 1, 2, 3, 4, 5, 256, 258] {
                let size = |items: &[Item]| Rule::items(items).map(|(_, count)| count.of(argument) as i64).sum::<i64>();
                let change = size(&rule.gives) - size(&rule.takes);
                let said = opcode.stack_effect(argument, false);
                assert_eq!(said, Some(change), "{} {argument} of {}", opcode.name, profile.version);
                compared += 1;
            }
        }
    }
    assert!(compared > 5000, "{compared}");
}

/// A name that no row has is one of a specialized instruction.
#[test]
fn what_has_no_row_is_internal() {
    for profile in Profile::all() {
        let set = InstructionSet::of(profile);
        for code in 0..=255 {
            let name = set.opcode(code).name;
            let is_internal = set.rules[usize::from(code)].act == Act::Internal;
            let makes = |part: &str| name.contains(part);
            if makes("INSTRUMENTED") || ["CACHE", "RESERVED", "ENTER_EXECUTOR"].contains(&name) || makes("__") {
                assert!(is_internal, "{name} of {}", profile.version);
            }
            let is_known = crate::opcode::shown(
                &[code, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                0,
                profile,
            );
            if let (Ok(shown), false) = (is_known, name.is_empty()) {
                assert!(shown[0] == code || is_internal, "{name} of {}", profile.version);
            }
        }
    }
}
