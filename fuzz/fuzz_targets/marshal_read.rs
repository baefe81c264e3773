//! See `fuzz::marshal_read`.
#![cfg_attr(fuzzing, no_main)]
fuzz::target!(fuzz::marshal_read, mutate: fuzz::mutate_stream, cross: fuzz::cross_streams);
