//! Which dumps do not load as the value that was dumped.
//!
//! Reading back what was written is a property that everybody expects, and older formats do not have it. A harness that
//! checks it must know where it is not owed.

use super::{CACHED, Loaded, Object, WALKED};
use crate::graph::Value;
use crate::text;
use alloc::borrow::Cow;

/// What a dump loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Before version 3 there are no references: shared parts come back as copies.
    Sharing,
    /// Before version 2 floats are texts, and `nan` has neither sign nor payload.
    NanBits,
    /// 2.7 writes a pair of surrogates as one character.
    SurrogatePairs,
    /// 3.15.0 writes references to frozendicts and refuses to read them.
    FrozenDictReference,
    /// Since 3.14 loading writes counters into code that no compiler makes, and they end up elsewhere each time.
    CodeCounters,
    /// A free-threaded build shares what is in the constants of code objects, and in tuples that were among them once: these
    /// come back as others.
    KeptConstants,
}

impl Loss {
    /// A short name for counters and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Loss::Sharing => "sharing",
            Loss::NanBits => "nan-bits",
            Loss::SurrogatePairs => "surrogate-pairs",
            Loss::FrozenDictReference => "frozendict-reference",
            Loss::CodeCounters => "code-counters",
            Loss::KeptConstants => "kept-constants",
        }
    }
}

impl Loaded<'_, '_> {
    /// Why the dump at a marshal version need not load as this value again; `None` if it does.
    #[must_use]
    pub fn loss(&self, version: u8) -> Option<Loss> {
        let reached = self.owners.iter().enumerate().filter(|(_, owners)| **owners > 0);
        reached.filter_map(|(object, _)| Object::try_from(object).ok()).find_map(|object| self.loss_of(object, version))
    }

    fn loss_of(&self, object: Object, version: u8) -> Option<Loss> {
        let python2 = self.profile.is_python2();
        let nan = text::parse_float(b"nan", python2);
        let loses_bits = |bits: u64| version < 2 && f64::from_bits(bits).is_nan() && Some(bits) != nan;
        let text_loses_bits = |text: &[u8]| text::parse_float(text, python2).is_some_and(loses_bits);
        match self.value(object) {
            Value::Float(bits) if loses_bits(bits) => Some(Loss::NanBits),
            Value::Complex(real, imaginary) if loses_bits(real) || loses_bits(imaginary) => Some(Loss::NanBits),
            Value::FloatText(text) if text_loses_bits(text) => Some(Loss::NanBits),
            Value::ComplexText(real, imaginary) if text_loses_bits(real) || text_loses_bits(imaginary) => {
                Some(Loss::NanBits)
            }
            Value::Str(string) if python2 && matches!(text::combine_surrogates(string.bytes), Cow::Owned(_)) => {
                Some(Loss::SurrogatePairs)
            }
            _ if !self.node(object).has_edges() => None,
            _ if self.profile.free_threaded && self.holds_kept(object) => Some(Loss::KeptConstants),
            _ if version < 3 && self.is_repeated(object) => Some(Loss::Sharing),
            Value::FrozenDict(_) if !self.profile.refers_to_frozendicts() && self.is_repeated(object) => {
                Some(Loss::FrozenDictReference)
            }
            Value::Code(_) => {
                let shown = self.shown_code(object).ok()?;
                let again = crate::opcode::shown(&shown, self.ints(object).flags, self.profile).ok();
                (again.as_ref() != Some(&shown)).then_some(Loss::CodeCounters)
            }
            _ => None,
        }
    }

    /// Whether a free-threaded build has another object in the place of a tuple that was a constant, and keeps compound ones
    /// that it holds.
    fn holds_kept(&self, object: Object) -> bool {
        let is_kept = |part: &Object| self.has(*part, CACHED) && !self.parts(*part).is_empty();
        let is_replaced = self.has(object, WALKED) && !self.has(object, CACHED);
        is_replaced
            && self.parts(object).iter().any(is_kept)
            && self.parts(object).iter().all(|it| self.is_immortal(*it))
    }

    /// Whether a compound object has several owners; the caller's reference to the root is not one.
    fn is_repeated(&self, object: Object) -> bool {
        let owners = self.owners[object as usize] - u32::from(object == self.root());
        let single = matches!(self.node(object).code, b'(' | b')' | b'>') && self.parts(object).is_empty();
        !single && owners > u32::from(object != self.root())
    }
}
