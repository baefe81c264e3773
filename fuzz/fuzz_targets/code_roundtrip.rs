//! See `fuzz::code_roundtrip`.
#![cfg_attr(fuzzing, no_main)]
fuzz::target!(fuzz::code_roundtrip, mutate: fuzz::mutate_stream, cross: fuzz::cross_streams);
