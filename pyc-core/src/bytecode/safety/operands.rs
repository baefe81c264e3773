//! What operands an instruction can have, whatever is before and behind it.

use super::frame::Frame;
use super::machine::{Checked, Machine, Step, Wrong, small};
use super::violation::{Detail, Kind};
use crate::bytecode::Operand;

/// Of what can be any number.
const UNLIMITED: u32 = u32::MAX;

/// How many variants there are.
const OPERANDS: usize = Operand::Contains as usize + 1;

/// What the operands of a code object have to be below, by [`Operand`].
pub(super) struct Limits {
    below: [u32; OPERANDS],
    /// The same where nothing else is to be said of an operand, else 0.
    plain: [u32; OPERANDS],
}

/// The bits below an index, which say something else.
const BITS: [u8; OPERANDS] = {
    let mut bits = [0; OPERANDS];
    bits[Operand::NameAndNull as usize] = 1;
    bits[Operand::NameAndSelf as usize] = 1;
    bits[Operand::SuperName as usize] = 2;
    bits[Operand::ImportName as usize] = 2;
    bits[Operand::LocalPair as usize] = 4;
    bits
};

impl Limits {
    pub(super) fn of(frame: &Frame<'_>) -> Limits {
        let (profile, data) = (frame.profile, frame.set.data);
        let bad = usize::from(data.compare.last() == Some(&"BAD"));
        let cells = if profile.has_localsplus() { frame.fast } else { frame.cells + frame.frees };
        let ints = usize::try_from(profile.largest_small_int()).unwrap_or(0) + 1;
        let mut below = [UNLIMITED; OPERANDS];
        for (operand, most) in [
            (Operand::Const, frame.consts.len()),
            (Operand::Name, frame.names),
            (Operand::NameAndNull, frame.names),
            (Operand::NameAndSelf, frame.names),
            (Operand::SuperName, frame.names),
            (Operand::ImportName, frame.names),
            (Operand::Local, frame.fast),
            (Operand::LocalPair, frame.fast),
            (Operand::Free, cells),
            (Operand::Compare, (data.compare.len() - bad) << profile.comparison_shift()),
            (Operand::Binary, data.binary.len()),
            (Operand::Convert, 4),
            (Operand::Intrinsic1, data.intrinsics_1.len()),
            (Operand::Intrinsic2, data.intrinsics_2.len()),
            (Operand::Special, data.special.len()),
            (Operand::Common, data.common.len()),
            (Operand::SmallInt, ints),
        ] {
            below[operand as usize] = small(most);
        }
        let mut plain = below;
        plain[Operand::Convert as usize] = 0;
        plain[Operand::Intrinsic2 as usize] = 0;
        if frame.fast < 16 {
            plain[Operand::LocalPair as usize] = 0;
        }
        Limits { below, plain }
    }

    /// Whether an operand is one without a closer look.
    pub(super) fn allow(&self, operand: Operand, argument: u32) -> bool {
        argument >> BITS[operand as usize] < self.plain[operand as usize]
    }
}

impl Machine<'_, '_> {
    /// What can be wrong with an instruction by itself.
    #[cold]
    pub(super) fn check_alone(&self, step: &Step) -> Checked<()> {
        if step.is_cut {
            return Err(self.wrong(Kind::CutInstruction, Detail::None));
        }
        let (frame, argument): (&Frame<'_>, u32) = (self.frame, step.argument);
        let operand = frame.set.opcode(step.opcode).operand;
        // 2.7 reads an argument behind a prefix, whatever comes there.
        if operand == Operand::None && frame.profile.is_python2() && self.is_prefixed() {
            return Err(self.unclear(Kind::Sequence, Detail::Word("behind no prefix")));
        }
        let (below, index) = (self.limits.below[operand as usize], argument >> BITS[operand as usize]);
        let is_beyond = match operand {
            Operand::LocalPair => index.max(argument & 15) >= below,
            Operand::Convert | Operand::Intrinsic2 => index == 0 || index >= below,
            _ => below != UNLIMITED && index >= below,
        };
        if is_beyond {
            return Err(self.beyond(operand, argument));
        }
        // A compiler writes no prefix for nothing, and an assertion counts on that.
        let is_asserted = frame.profile.debug && frame.profile.has_localsplus() && !self.is_prefixed();
        if step.is_prefix && argument == 0 && is_asserted {
            return Err(self.operand(0));
        }
        Ok(())
    }

    fn beyond(&self, operand: Operand, argument: u32) -> Wrong {
        let kind = match operand {
            Operand::Const => Kind::ConstantIndex,
            Operand::Name | Operand::NameAndNull | Operand::NameAndSelf | Operand::SuperName | Operand::ImportName => {
                Kind::NameIndex
            }
            Operand::Local | Operand::LocalPair | Operand::Free => Kind::VariableIndex,
            _ => return self.operand(argument),
        };
        let below = self.limits.below[operand as usize];
        let high = argument >> BITS[operand as usize];
        let index = if operand == Operand::LocalPair && high < below { argument & 15 } else { high };
        self.wrong(kind, Detail::Numbers(index.into(), below.into()))
    }
}
