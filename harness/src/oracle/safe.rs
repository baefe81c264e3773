//! The `safe` relation: what the verifier passes does not end the process that executes it.

use super::{Relation, Sides, Verdict, classes, unanswered};
use crate::observation::{Fault, Observation};

/// What was said of a code object before it was executed against how that ended. A value and an exception are the same: they
/// are the program's own business.
#[must_use]
pub fn safe(family: &str, predicted: &Observation, observed: &Observation) -> Verdict {
    let sides = Sides { relation: Relation::Safe, family, ..classes(predicted, observed) };
    let place = match observed {
        Observation::Faulted(Fault::Worker(interpreters::Fault::Crash { stderr, .. })) => assertion(stderr),
        _ => None,
    };
    let path = place.map_or("outcome".to_owned(), |place| format!("assertion {place}"));
    unanswered(predicted, observed, || sides.diverge(&path, "outcome", predicted, observed)).unwrap_or(Verdict::Agree)
}

/// The function whose assertion did not hold, and the assertion, in what a debug build said.
#[must_use]
pub fn assertion(said: &str) -> Option<String> {
    let (before, condition) = said.lines().find_map(|line| line.split_once(": Assertion `"))?;
    let function = before.rsplit(": ").next()?;
    let function = function.split(['(', ' ']).next().unwrap_or(function);
    Some(format!("{function}: {}", condition.split("' failed").next().unwrap_or(condition)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Accepted, Canon};
    use interpreters::Fault as Worker;

    /// What is said of a code object before and after it is executed, and the path of the divergence if it is one.
    fn check(predicted: &Observation, observed: &Observation, expected: Option<&str>) {
        let found = match safe("cpython", predicted, observed) {
            Verdict::Diverge(divergence) => Some(divergence.signature.path),
            _ => None,
        };
        assert_eq!(found.as_deref(), expected, "{predicted}, {observed}");
    }

    #[test]
    fn only_the_end_of_a_process_that_was_called_safe_is_a_finding() {
        let ended = Observation::Accepted(Accepted { consumed: None, canon: Canon::Unasked, dumps: Vec::new() });
        let raised = Observation::Rejected(protocol::Exception { class: "KeyError".into(), message: String::new() });
        let refused = Observation::Undefined("stack-underflow".into());
        let died = |stderr: &str| {
            Observation::Faulted(Fault::Worker(Worker::Crash { signal: "SIGABRT".into(), stderr: stderr.into() }))
        };
        let memory = Observation::Faulted(Fault::Worker(Worker::OutOfMemory { stderr: String::new() }));
        let said = "python: ../Python/ceval.c:7: static int f(int): Assertion `a->b == 0' failed.\nAborted";
        for (predicted, observed, expected) in [
            (&ended, &ended, None),
            (&ended, &raised, None),
            (&ended, &memory, None),
            (&ended, &died(""), Some("outcome")),
            (&ended, &died("python: x.c:7: g: Assertion `c' failed."), Some("assertion g: c")),
            (&refused, &died(""), None),
            (&refused, &ended, None),
        ] {
            check(predicted, observed, expected);
        }
        assert!(assertion(said).is_some_and(|text| text.ends_with(": a->b == 0")));
    }
}
