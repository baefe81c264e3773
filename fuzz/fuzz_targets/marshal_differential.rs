//! See `fuzz::marshal_differential`.
#![cfg_attr(fuzzing, no_main)]
fuzz::target!(fuzz::marshal_differential, mutate: fuzz::mutate_stream, cross: fuzz::cross_streams);
