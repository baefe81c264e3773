//! See `fuzz::marshal_roundtrip`.
#![cfg_attr(fuzzing, no_main)]
fuzz::target!(fuzz::marshal_roundtrip, mutate: fuzz::mutate_stream, cross: fuzz::cross_streams);
