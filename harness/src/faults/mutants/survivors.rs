//! Where mutants are that pyc-core's own tests notice and generated cases do not, and why. Whoever makes the generators find
//! one changes the count: an entry that is no longer true is an error as much as one that is missing.

/// A file and a function in it, how many mutants of it are not found, and why no case shows them.
pub(super) const KNOWN: &[(&str, usize, &str)] = &[];
