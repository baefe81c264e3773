//! See `fuzz::marshal_value`.
#![cfg_attr(fuzzing, no_main)]
fuzz::target!(fuzz::marshal_value);
