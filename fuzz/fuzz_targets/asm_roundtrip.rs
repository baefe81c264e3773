//! See `fuzz::asm_roundtrip`.
#![cfg_attr(fuzzing, no_main)]
fuzz::target!(fuzz::asm_roundtrip, mutate: fuzz::mutate_stream, cross: fuzz::cross_streams);
