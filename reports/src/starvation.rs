//! Whether a generator does what it promises.
//!
//! A generator that quietly stopped to make something, or whose valid cases are no longer accepted, still gives cases that
//! agree. It is *starved*, and the report says so.

use crate::{FeatureCount, Statistics};

/// So many cases must have been looked at before what is missing counts as missing.
const ENOUGH: u64 = 10_000;

/// So many valid cases must have been refused, and one in so many, before that is more than an accident: a case that takes
/// too long, or too much memory.
const REFUSED: u64 = 10;
const ONE_REFUSED_IN: u64 = 1000;

impl Statistics {
    /// In what way the generator does not keep its promises, by these numbers.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a share in percent
    pub fn starvation(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.wanted && self.cases == 0 {
            reasons.push("made no case".to_owned());
        }
        let refused = self.valid.saturating_sub(self.valid_accepted);
        if self.owes && refused >= REFUSED && refused.saturating_mul(ONE_REFUSED_IN) > self.valid {
            let share = 100.0 * refused as f64 / self.valid as f64;
            reasons.push(format!("{refused} of {} valid cases were not accepted ({share:.1} %)", self.valid));
        }
        if self.sampled >= ENOUGH {
            let missing = |feature: &&FeatureCount| feature.promised && feature.cases == 0;
            reasons.extend(self.features.iter().filter(missing).map(|feature| format!("no {}", feature.name)));
        }
        reasons
    }
}
