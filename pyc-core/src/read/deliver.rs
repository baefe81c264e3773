//! Where finished objects go: into the container around them, which may be finished by that as well.

use super::{Fault, Filename, NO_SLOT, Reader, Step, rest_of_code};
use crate::error::ErrorKind;
use crate::graph::{NodeId, bit, small};
use crate::prelude::*;
use crate::profile::Wording;
use crate::{code, validate};

impl Reader<'_, '_> {
    /// Hands a finished object to the container around it, and that, if it is finished by it, to the next. `Some` is the
    /// whole value.
    pub(super) fn deliver<const PYTHON2: bool>(&mut self, step: Step, at: usize) -> Result<Option<NodeId>, Fault> {
        let (child, at) = match step {
            Step::Open => return Ok(None),
            Step::Value(child) => (child, at),
            Step::Null(child) => match self.deliver_null::<PYTHON2>(child, at)? {
                Some(finished) => finished,
                None => return Ok(None),
            },
        };
        if self.add::<PYTHON2>(child, at)? {
            return self.finish::<PYTHON2>();
        }
        Ok(self.frames.is_empty().then_some(child))
    }

    /// Adds a child to the innermost container; whether it is the last one.
    #[inline]
    fn add<const PYTHON2: bool>(&mut self, child: NodeId, at: usize) -> Result<bool, Fault> {
        let Some(frame) = self.frames.last_mut() else { return Ok(false) };
        if frame.hashes() {
            if frame.is_dict() {
                return self.add_to_dict::<PYTHON2>(child, at);
            }
            validate::hashable(self, child, false, at)?;
            if PYTHON2 {
                self.store(child, at)?;
            }
        }
        self.pending.push(child);
        self.see_filename();
        let Some(frame) = self.frames.last_mut() else { return Ok(false) };
        frame.parts |= self.graph.node(self.graph.resolve(child)).kind;
        frame.remaining -= 1;
        Ok(frame.remaining == 0)
    }

    /// A key or value of the innermost container.
    fn add_to_dict<const PYTHON2: bool>(&mut self, child: NodeId, at: usize) -> Result<bool, Fault> {
        let is_value = self.frames.last().is_some_and(|frame| frame.awaits_value(self.pending.len()));
        self.pending.push(child);
        // The key is hashed when the pair is stored, after the value was read.
        if is_value {
            let key = self.pending[self.pending.len() - 2];
            let mut stored = validate::hashable(self, key, true, at);
            if PYTHON2 && stored.is_ok() {
                stored = self.store(key, at);
            }
            match stored {
                Err(fault) if PYTHON2 && fault.cause().is_none() => {
                    self.pending.truncate(self.pending.len() - 2);
                    self.raise(*fault);
                }
                stored => stored?,
            }
        }
        Ok(false)
    }

    /// 3.6: a field of a code object was read, perhaps its file name.
    #[inline]
    fn see_filename(&mut self) {
        let Some(frame) = self.frames.last().filter(|frame| frame.code == b'c') else { return };
        let place = self.pending.len() - 1 - frame.base as usize;
        if self.profile.shares_filename() && Some(place) == code::place(self.profile.code_layout, code::Field::Filename)
        {
            let droppable = self.frames.iter().any(|frame| frame.hashes() && frame.code != b'}');
            self.filename = match self.filename {
                Filename::Unread if droppable => Filename::AtRisk,
                Filename::Unread | Filename::Kept => Filename::Kept,
                Filename::AtRisk | Filename::Used => Filename::Used,
            };
        }
    }

    /// The innermost container has all its children, and with it perhaps the one around it. `Some` is the whole value.
    #[inline]
    pub(super) fn finish<const PYTHON2: bool>(&mut self) -> Result<Option<NodeId>, Fault> {
        loop {
            if let Some(frame) = self.frames.last_mut().filter(|frame| frame.code == b'c') {
                let (base, at) = (frame.base as usize, frame.at as usize);
                let ints = self.graph.nodes[frame.node.at()].extra as usize;
                if let Some(rest) = rest_of_code(frame, &self.graph.nodes, self.pending) {
                    frame.remaining = rest;
                    self.graph.ints[ints].firstlineno = self.long::<PYTHON2>()?;
                    return Ok(None);
                }
                validate::code(self, self.graph.ints[ints], base, at)?;
                if PYTHON2 && let Some(aftermath) = &mut self.aftermath {
                    aftermath.make_code(&self.graph, self.pending[base + 1]);
                }
            }
            let (child, at) = self.close(0);
            if !self.add::<PYTHON2>(child, at)? {
                return Ok(self.frames.is_empty().then_some(child));
            }
        }
    }

    /// NULL ends a dict and is an error elsewhere. `Some` is the object that it finished, and where that starts.
    #[cold]
    fn deliver_null<const PYTHON2: bool>(
        &mut self,
        mut null: NodeId,
        mut at: usize,
    ) -> Result<Option<(NodeId, usize)>, Fault> {
        loop {
            let Some(frame) = self.frames.last() else { return self.fail(ErrorKind::Null("object"), 0) };
            let container = match frame.code {
                b'(' | b')' => "tuple",
                b'[' => "list",
                b'<' | b'>' => "set",
                b'c' if self.profile.wording() == Wording::Python3115 => "code object",
                b'{' | b'}' => {
                    if PYTHON2 && frame.awaits_value(self.pending.len()) {
                        self.pending.push(null);
                        return Ok(None);
                    }
                    // A NULL key ends the dict; since 3.0 a NULL value does too, and its key is dropped.
                    if let Some(pending) = self.exception() {
                        return Err(Box::new(pending.clone()));
                    }
                    self.pending.push(null);
                    return Ok(Some(self.close(0)));
                }
                _ => {
                    // No exception is set: the code object or slice is NULL itself, right here.
                    self.pending.push(null);
                    (null, at) = self.close(bit::CUT | bit::UNFINISHED);
                    continue;
                }
            };
            return match self.exception() {
                Some(pending) => Err(Box::new(pending.clone())),
                None => self.fail(ErrorKind::Null(container), at),
            };
        }
    }

    /// Finishes the innermost container: its pending children become its edges. Returns it and where it starts.
    #[inline]
    pub(super) fn close(&mut self, bits: u8) -> (NodeId, usize) {
        let Some(frame) = self.frames.pop() else { unreachable!("close() is called with an open frame") };
        let start = self.graph.edges.len();
        let base = frame.base as usize;
        self.graph.edges.extend_from_slice(&self.pending[base..]);
        self.pending.truncate(base);
        let kind = frame.finished_kind(&self.graph.nodes);
        let node = &mut self.graph.nodes[frame.node.at()];
        node.start = small(start);
        node.len = small(self.graph.edges.len() - start);
        node.bits = node.bits & !bit::UNFINISHED | bits;
        node.parts = frame.parts;
        node.kind = kind;
        if frame.slot != NO_SLOT && bits == 0 {
            self.slots[frame.slot as usize].kind = node.kind;
        }
        (frame.node, frame.at as usize)
    }
}
