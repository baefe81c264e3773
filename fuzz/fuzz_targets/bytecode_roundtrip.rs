//! See `fuzz::bytecode_roundtrip`.
#![cfg_attr(fuzzing, no_main)]
fuzz::target!(fuzz::bytecode_roundtrip, mutate: fuzz::mutate_stream, cross: fuzz::cross_streams);
