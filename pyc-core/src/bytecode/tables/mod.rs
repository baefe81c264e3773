//! One file of data for each version of Python; a new version is a new file, and a line here.

use super::table::InstructionSet;

mod python_2_7;
mod python_3_10;
mod python_3_11;
mod python_3_12;
mod python_3_13;
mod python_3_14;
mod python_3_15;
mod python_3_6;
mod python_3_7;
mod python_3_8;
mod python_3_9;

pub(super) static SETS: [InstructionSet; 11] = [
    InstructionSet::new(&python_2_7::DATA),
    InstructionSet::new(&python_3_6::DATA),
    InstructionSet::new(&python_3_7::DATA),
    InstructionSet::new(&python_3_8::DATA),
    InstructionSet::new(&python_3_9::DATA),
    InstructionSet::new(&python_3_10::DATA),
    InstructionSet::new(&python_3_11::DATA),
    InstructionSet::new(&python_3_12::DATA),
    InstructionSet::new(&python_3_13::DATA),
    InstructionSet::new(&python_3_14::DATA),
    InstructionSet::new(&python_3_15::DATA),
];
