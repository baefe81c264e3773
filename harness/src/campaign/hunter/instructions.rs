//! Instructions: what the core says of them against what `dis` and the code objects say, for some of the cases.

use super::Hunter;
use crate::case::Case;
use crate::generators::Generator;
use crate::observation::Observation;
use crate::oracle::{Relation, Signature, Verdict};
use crate::subjects::Broken;
use crate::subjects::core::Prediction;
use std::collections::BTreeMap;

/// Generators that make code objects. Of each, one case in so many is asked about its instructions: `dis` is a program in Python,
/// and takes as long as a hundred cases, or as compiling one.
const SHARES: [(Generator, u64); 4] =
    [(Generator::Codes, 64), (Generator::Streams, 256), (Generator::Pyc, 128), (Generator::Programs, 4)];

/// Whether this case is one of them; its number decides.
fn is_chosen(case: &Case, predicted: &Observation) -> bool {
    let share = SHARES.iter().find(|(generator, _)| generator.name() == case.origin.generator());
    let number = case.origin.made().map(|(_, number)| number);
    let is_turn = share.zip(number).is_some_and(|((_, share), number)| number.is_multiple_of(*share));
    is_turn
        && matches!(predicted, Observation::Accepted(_))
        && case.bytes.first().is_some_and(|byte| byte & 0x7F == b'c')
}

impl Hunter<'_> {
    /// The verdicts on the instructions of those cases that are asked about them, by their places.
    pub(super) fn instructions(
        &mut self,
        cases: &[Case],
        predictions: &[Prediction],
    ) -> Result<BTreeMap<usize, Vec<Verdict>>, Broken> {
        let is_chosen = |place: &usize| is_chosen(&cases[*place], &predictions[*place].observation);
        let places: Vec<usize> = (0..cases.len()).filter(is_chosen).collect();
        if places.is_empty() {
            return Ok(BTreeMap::new());
        }
        let chosen: Vec<Case> = places.iter().map(|place| cases[*place].clone()).collect();
        let mut found: BTreeMap<usize, Vec<Verdict>> = BTreeMap::new();
        let family = self.member.pair.family().to_owned();
        let families = [Some("core"), Some(family.as_str()).filter(|_| !self.member.pair.is_alone())];
        for family in families.into_iter().flatten() {
            let compared = self.member.pair.compare_in(Relation::Bytecode, family, &chosen)?;
            for (place, one) in places.iter().zip(compared) {
                let verdict = match one.verdict {
                    Verdict::Diverge(divergence) if family != "core" => {
                        self.confirm(&cases[*place], &divergence.signature)?.unwrap_or(Verdict::Diverge(divergence))
                    }
                    other => other,
                };
                let is_compared = family != "core" && matches!(verdict, Verdict::Agree | Verdict::Diverge(_));
                self.ledger.counts(cases[*place].origin.generator()).instructions += u64::from(is_compared);
                found.entry(*place).or_default().push(verdict);
            }
        }
        Ok(found)
    }

    /// Asks a fresh process about what is new; gives the verdict if that does not say the same.
    fn confirm(&mut self, case: &Case, signature: &Signature) -> Result<Option<Verdict>, Broken> {
        if !self.ledger.wants_confirmation(signature) {
            return Ok(None);
        }
        let mut fresh = self.member.pair.fresh();
        let again = fresh.compare_in(Relation::Bytecode, &signature.family, std::slice::from_ref(case))?.swap_remove(0);
        if matches!(again.verdict, Verdict::Diverge(divergence) if divergence.signature == *signature) {
            return Ok(None);
        }
        let why = "not the same in a fresh process";
        self.ledger.flaky(signature, case, why);
        Ok(Some(Verdict::Inconclusive(why.into())))
    }
}
