//! See `fuzz::pyc_roundtrip`.
#![cfg_attr(fuzzing, no_main)]
fuzz::target!(fuzz::pyc_roundtrip, mutate: fuzz::mutate_pyc, cross: fuzz::cross_pycs);
