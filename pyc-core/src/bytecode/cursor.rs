//! What the tables of a code object say of one instruction after the other.

use super::{Body, Handler, LineRange, Lines, Position, Positions};
use crate::prelude::*;

/// The entries of the tables that an instruction is in.
#[derive(Debug, Clone, Copy)]
pub struct Covering<'c> {
    /// Its line.
    pub line: Option<&'c LineRange>,
    /// Its lines and columns (3.11 and later).
    pub position: Option<&'c Position>,
    /// Where an exception in it goes (3.11 and later). Of several entries the first of the table.
    pub handler: Option<&'c Handler>,
}

/// Goes through the tables of a code object beside its instructions.
///
/// ```
/// # use pyc_core::bytecode::Body;
/// # fn show(body: &Body<'_>) {
/// let mut cursor = body.cursor();
/// for instruction in body.instructions() {
///     let line = cursor.at(instruction.offset).line.and_then(|range| range.line);
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Cursor<'g> {
    lines: Lines<'g>,
    line: Option<LineRange>,
    positions: Positions<'g>,
    position: Option<Position>,
    handlers: Vec<Handler>,
    /// The first handler that may cover what follows, if each of them begins where those before it have ended.
    next_handler: Option<usize>,
    /// What was asked last.
    offset: usize,
}

impl<'g> Cursor<'g> {
    /// At the beginning of a code object.
    #[must_use]
    pub(super) fn new(body: &Body<'g>) -> Cursor<'g> {
        let (mut lines, mut positions) = (body.lines(), body.positions());
        let handlers: Vec<Handler> = body.handlers().collect();
        let are_in_order = handlers.is_sorted_by(|before, next| before.end <= next.start);
        Cursor {
            line: lines.next(),
            lines,
            position: positions.next(),
            positions,
            handlers,
            next_handler: are_in_order.then_some(0),
            offset: 0,
        }
    }

    /// The entries that cover this byte of `co_code`. It must not lie before the one that was asked last: entries that were
    /// passed are not found again.
    #[inline]
    pub fn at(&mut self, offset: usize) -> Covering<'_> {
        debug_assert!(self.offset <= offset, "a cursor goes ahead only");
        self.offset = offset;
        while self.line.as_ref().is_some_and(|range| range.end <= offset) {
            self.next_line();
        }
        while self.position.as_ref().is_some_and(|position| position.end <= offset) {
            self.next_position();
        }
        let place = self.handler(offset as u64);
        let (line, position) = (self.line.as_ref(), self.position.as_ref());
        Covering { line, position, handler: place.and_then(|place| self.handlers.get(place)) }
    }

    // What these two write is read at once; a copy of it, made in larger pieces, would have to wait for them.
    #[inline(never)]
    fn next_line(&mut self) {
        self.line = self.lines.next();
    }

    #[inline(never)]
    fn next_position(&mut self) {
        self.position = self.positions.next();
    }

    /// Which handler covers the offset.
    #[inline]
    fn handler(&mut self, offset: u64) -> Option<usize> {
        let covers = |handler: &Handler| (handler.start..handler.end).contains(&offset);
        let Some(next) = &mut self.next_handler else { return self.handlers.iter().position(covers) };
        while self.handlers.get(*next).is_some_and(|handler| handler.end <= offset) {
            *next += 1;
        }
        self.handlers.get(*next).filter(|handler| covers(handler)).map(|_| *next)
    }
}
