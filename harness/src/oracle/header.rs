//! The `header` relation: what an import says of a .pyc file before it reads the stream.

use super::{Relation, Sides, Verdict, unanswered};
use crate::observation::Observation;

/// What was predicted of an import against what it says: the same exception with the same text, or the same flags.
///
/// Flags are observed as a canon: `int 3`.
pub fn header(family: &str, predicted: &Observation, observed: &Observation) -> Verdict {
    let sides = Sides { relation: Relation::Header, family, ..super::classes(predicted, observed) };
    let diverge = |path: &str| sides.diverge(path, path, predicted, observed);
    if let Some(verdict) = unanswered(predicted, observed, || diverge("outcome")) {
        return verdict;
    }
    match (predicted, observed) {
        _ if predicted == observed => Verdict::Agree,
        (Observation::Rejected(e), Observation::Rejected(o)) if e.class == o.class => diverge("message"),
        (Observation::Rejected(_), Observation::Rejected(_)) => diverge("class"),
        (Observation::Accepted(_), Observation::Accepted(_)) => diverge("flags"),
        _ => diverge("outcome"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::flags;
    use protocol::Exception;

    #[test]
    fn headers_agree_in_everything_that_an_import_tells() {
        let check = |predicted: &Observation, observed: &Observation, path: Option<&str>| {
            let found = match header("cpython", predicted, observed) {
                Verdict::Agree => None,
                Verdict::Diverge(divergence) => Some(divergence.signature.path),
                other => Some(format!("{other:?}")),
            };
            assert_eq!(found.as_deref(), path, "{predicted:?} {observed:?}");
        };
        let refused = |class: &str, message: &str| {
            Observation::Rejected(Exception { class: class.into(), message: message.into() })
        };
        check(&flags(3), &flags(3), None);
        check(&flags(3), &flags(2), Some("flags"));
        check(&flags(0), &refused("EOFError", "short"), Some("outcome"));
        check(&refused("EOFError", "short"), &refused("EOFError", "short"), None);
        check(&refused("EOFError", "short"), &refused("EOFError", "shorter"), Some("message"));
        check(&refused("EOFError", "short"), &refused("ImportError", "short"), Some("class"));
        check(&flags(3), &Observation::Skipped("why".into()), Some("Inconclusive(\"skipped: why\")"));
    }
}
