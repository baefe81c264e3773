//! See `fuzz::canon_roundtrip`.
#![cfg_attr(fuzzing, no_main)]
fuzz::target!(fuzz::canon_roundtrip, mutate: fuzz::mutate_stream, cross: fuzz::cross_streams);
