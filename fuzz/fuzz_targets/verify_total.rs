//! See `fuzz::verify_total`.
#![cfg_attr(fuzzing, no_main)]
fuzz::target!(fuzz::verify_total, mutate: fuzz::mutate_stream, cross: fuzz::cross_streams);
