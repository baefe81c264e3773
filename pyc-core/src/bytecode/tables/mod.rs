//! One file of data for each version of Python; a new version is a new file, and a line here.

use super::table::InstructionSet;
use crate::opcode::caches;

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
    InstructionSet::new(&python_2_7::DATA, &caches::NONE),
    InstructionSet::new(&python_3_6::DATA, &caches::NONE),
    InstructionSet::new(&python_3_7::DATA, &caches::NONE),
    InstructionSet::new(&python_3_8::DATA, &caches::NONE),
    InstructionSet::new(&python_3_9::DATA, &caches::NONE),
    InstructionSet::new(&python_3_10::DATA, &caches::NONE),
    InstructionSet::new(&python_3_11::DATA, &caches::PYTHON_311),
    InstructionSet::new(&python_3_12::DATA, &caches::PYTHON_312),
    InstructionSet::new(&python_3_13::DATA, &caches::PYTHON_313),
    InstructionSet::new(&python_3_14::DATA, &caches::PYTHON_314),
    InstructionSet::new(&python_3_15::DATA, &caches::PYTHON_315),
];
