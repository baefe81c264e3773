//! Code objects from nothing, instruction by instruction.
//!
//! ```
//! use pyc_core::bytecode::document::{Document, Symbol};
//! use pyc_core::{Profile, Version};
//! let mut document = Document::new(Profile::of(Version::new(3, 12)).unwrap());
//! let one = document.values.int(1);
//! let mut module = document.build("module", 1);
//! module.op("RESUME", Symbol::Number(0))?;
//! module.op("LOAD_CONST", Symbol::Const(one))?;
//! module.op("RETURN_VALUE", Symbol::None)?;
//! module.finish();
//! assert!(document.write().unwrap().starts_with(b"\xcb\x0d\r\n"));
//! # Ok::<(), pyc_core::bytecode::document::OpError>(())
//! ```

use super::{Block, Document, OpError, Symbol, ValueId, Values};
use crate::bytecode::{Label, Region};

/// A code object that is being built.
#[derive(Debug)]
pub struct Builder<'d> {
    document: &'d mut Document,
    /// What was built so far: arguments, variables and so on are its fields.
    pub block: Block,
    line: i32,
    labels: u32,
    /// The label of the next instruction.
    next: Option<Label>,
}

impl Document {
    /// Begins a code object that is defined in this line.
    pub fn build(&mut self, label: &str, line: i32) -> Builder<'_> {
        let block = Block { line, ..Block::new(label) };
        Builder { document: self, block, line, labels: 0, next: None }
    }
}

impl Builder<'_> {
    /// The values of the document.
    pub fn values(&mut self) -> &mut Values {
        &mut self.document.values
    }

    /// The value that is the code object of this block.
    pub fn code(&mut self, block: usize) -> ValueId {
        self.document.code(block)
    }

    /// What is next comes from this line.
    pub fn line(&mut self, line: i32) {
        self.line = line;
    }

    /// A new label, for a place that may come later.
    pub fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels)
    }

    /// The label for what is next: this one, or the one that what is next has already.
    pub fn here(&mut self, label: Label) -> Label {
        *self.next.get_or_insert(label)
    }

    /// Adds an instruction.
    ///
    /// # Errors
    /// When the version has none of this name, or it takes another kind of argument.
    pub fn op(&mut self, name: &str, operand: Symbol) -> Result<(), OpError> {
        let mut op = self.document.op(name, operand, self.line)?;
        op.label = self.next.take();
        // Up to 3.9 a line is where it begins.
        let last = self.block.ops.iter().rev().find_map(|op| op.place.line);
        if !self.document.profile().has_lines() && last == Some(self.line) {
            op.place.line = None;
        }
        self.block.ops.push(op);
        Ok(())
    }

    /// Exceptions between two labels go to a third one, which finds so many values on the stack (3.11 and later).
    pub fn handler(&mut self, start: Label, end: Label, target: Label, depth: u64, lasti: bool) {
        self.block.regions.push(Region { start, end, target, depth, lasti });
    }

    /// Puts the code object at the end of the document; the number of its block.
    pub fn finish(mut self) -> usize {
        self.block.end = self.next;
        self.document.blocks.push(self.block);
        self.document.blocks.len() - 1
    }
}
