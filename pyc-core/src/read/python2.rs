//! How 2.7 reads on where others stop: behind the end of the stream, and after an exception in a dict.

use super::{Fault, PLENTY, Reader};
use crate::aftermath::{Stored, is_kept_pair};
use crate::error::{Cause, Error};
use crate::graph::NodeId;
use crate::prelude::*;

impl Reader<'_, '_> {
    /// The exception that is pending.
    #[inline]
    pub(super) fn exception(&self) -> Option<&Error> {
        self.aftermath.as_ref()?.exception.as_ref()
    }

    /// From now on an exception is pending.
    #[cold]
    pub(super) fn raise(&mut self, exception: Error) {
        self.aftermath.get_or_insert_default().exception = Some(exception);
    }

    /// 2.7: an exception inside a dict's value only drops that pair; the dict fails when it ends.
    pub(super) fn unwind_to_dict_value(&mut self, fault: Fault) -> Result<(), Fault> {
        while let Some(frame) = self.frames.last() {
            if frame.awaits_value(self.pending.len()) {
                self.pending.pop();
                self.raise(*fault);
                return Ok(());
            }
            self.pending.truncate(frame.base as usize);
            self.frames.pop();
        }
        Err(fault)
    }

    /// 2.7 makes room for what a size claims, and where that fails inside a dict it reads on behind the size.
    pub(super) fn allocate(&self, n: i32, offset: usize) -> Result<(), Fault> {
        let fails = n.unsigned_abs() > PLENTY && n != i32::MIN;
        if fails && self.frames.iter().any(|frame| frame.code == b'{') {
            return self.undefined(Cause::MemoryInDict, offset);
        }
        Ok(())
    }

    /// 2.7 takes -1.0 for a failure when an exception is pending.
    pub(super) fn taken_for_failure(&self, value: f64) -> Result<(), Fault> {
        match self.exception() {
            #[allow(clippy::float_cmp)] // exactly this value
            Some(pending) if value == -1.0 => Err(Box::new(pending.clone())),
            _ => Ok(()),
        }
    }

    /// Little-endian bytes of 2.7, where missing ones read as all ones; and how many there are.
    pub(super) fn lenient<const WIDTH: usize>(&mut self) -> ([u8; WIDTH], usize) {
        let rest = &self.graph.input[self.at..];
        let have = rest.len().min(WIDTH);
        let mut bytes = [0xFF; WIDTH];
        bytes[..have].copy_from_slice(&rest[..have]);
        self.at += have;
        (bytes, have)
    }

    /// 2.7 with an exception pending: storing a set's member or a dict's key may fail for it, or forget it.
    pub(super) fn store(&mut self, key: NodeId, offset: usize) -> Result<(), Fault> {
        let (Some(pending), Some(frame)) = (self.exception().cloned(), self.frames.last()) else { return Ok(()) };
        let Some(aftermath) = &mut self.aftermath else { return Ok(()) };
        let children = &self.pending[frame.base as usize..];
        let before: Vec<NodeId> = if aftermath.knows(frame.node) {
            Vec::new()
        } else if frame.is_dict() {
            let pairs = children[..children.len() - 2].chunks_exact(2);
            pairs.filter(|pair| is_kept_pair(&self.graph, pair)).map(|pair| pair[0]).collect()
        } else {
            children.to_vec()
        };
        match aftermath.store(&self.graph, frame.node, &before, key) {
            Stored::Yes => Ok(()),
            Stored::No => Err(Box::new(pending)),
            Stored::Unknown => self.undefined(Cause::ForgottenException, offset),
        }
    }
}
