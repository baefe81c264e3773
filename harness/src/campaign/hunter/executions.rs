//! Code objects that are executed: what the verifier says of them against what becomes of the interpreter.

use super::Hunter;
use crate::case::Case;
use crate::execution::{ended, verify};
use crate::observation::Observation;
use crate::oracle;
use crate::subjects::Broken;

/// Of what is refused, every n-th is executed, too: it costs two processes for each that dies, and is no news. `provost verifier`
/// measures how many die.
const REFUSED: u64 = 64;

impl Hunter<'_> {
    /// Executes what the verifier passes, and some of what it refuses: that is no finding, and counted apart.
    pub(super) fn executions(&mut self, cases: &[Case]) -> Result<(), Broken> {
        let core = self.member.pair.core();
        let predicted: Vec<Observation> =
            cases.iter().map(|case| verify(&case.bytes, core.profile()).predicted()).collect();
        let mut observed: Vec<Observation> =
            predicted.iter().map(|_| Observation::Skipped("not executed".into())).collect();
        let indexes = |wanted: &dyn Fn(&Observation) -> bool| -> Vec<usize> {
            (0..cases.len()).filter(|index| wanted(&predicted[*index])).collect()
        };
        let safe = indexes(&|predicted| matches!(predicted, Observation::Accepted(_)));
        let refused = indexes(&|predicted| matches!(predicted, Observation::Undefined(_)));
        // Apart, so that what is broken by the one is not taken for the other's.
        let is_asked =
            |index: &usize| cases[*index].origin.made().is_some_and(|(_, number)| number.is_multiple_of(REFUSED));
        for indexes in [safe, refused.into_iter().filter(is_asked).collect()] {
            let streams: Vec<Vec<u8>> = indexes.iter().map(|index| cases[*index].bytes.clone()).collect();
            for (index, observation) in indexes.into_iter().zip(self.member.pair.execute(&streams)?) {
                observed[index] = observation;
            }
        }
        for ((case, predicted), observed) in cases.iter().zip(&predicted).zip(&observed) {
            let verdict = oracle::safe(self.member.pair.family(), predicted, observed);
            // A program that ends in an exception was executed as well as one that returns.
            let looked = if matches!(observed, Observation::Rejected(_)) { &ended() } else { observed };
            self.ledger.look(case, predicted, looked);
            self.ledger.settle(case, predicted, observed, vec![verdict]);
        }
        Ok(())
    }
}
