//! Frames and the primitive fields inside them.

use std::io::{self, Read, Write};

/// The longest frame that either side accepts, in bytes.
pub const MAX_FRAME: usize = 1 << 30;

/// A frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The pipe failed.
    #[error("the pipe to the worker failed: {0}")]
    Io(#[from] io::Error),
    /// The other side closed the pipe in the middle of a frame.
    #[error("the pipe was closed in the middle of a frame")]
    Truncated,
    /// The length field is larger than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is longer than the limit of {MAX_FRAME}")]
    TooLong(usize),
}

/// A frame's payload does not follow the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad message at byte {offset}: {reason}")]
pub struct MessageError {
    /// Where in the payload.
    pub offset: usize,
    /// What is wrong there.
    pub reason: String,
}

/// Reads one frame; `None` at a clean end of file.
///
/// # Errors
/// When the pipe fails, ends inside a frame, or announces more than [`MAX_FRAME`] bytes.
pub fn read_frame(input: &mut impl Read) -> Result<Option<Vec<u8>>, FrameError> {
    let mut length = [0; 4];
    let mut have = 0;
    while have < 4 {
        match input.read(&mut length[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Truncated),
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    let mut payload = vec![0; length];
    input.read_exact(&mut payload).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => FrameError::Truncated,
        _ => e.into(),
    })?;
    Ok(Some(payload))
}

/// Writes one frame with a single `write_all`, so that a small answer costs one system call, and flushes.
///
/// # Errors
/// When the pipe fails or the payload is longer than [`MAX_FRAME`].
pub fn write_frame(output: &mut impl Write, payload: &[u8]) -> Result<(), FrameError> {
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_FRAME);
    let length = length.ok_or(FrameError::TooLong(payload.len()))?;
    let mut frame = Vec::with_capacity(4 + payload.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(payload);
    output.write_all(&frame)?;
    output.flush()?;
    Ok(())
}

/// Appends a blob: its length as u32, then its bytes.
///
/// # Panics
/// When the blob is longer than 4 GiB, which [`write_frame`] would refuse anyway.
pub(crate) fn put_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a blob is shorter than 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Takes fields off the front of a payload.
pub(crate) struct Fields<'a> {
    payload: &'a [u8],
    offset: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        Fields { payload, offset: 0 }
    }

    pub(crate) fn error<T>(&self, reason: impl Into<String>) -> Result<T, MessageError> {
        Err(MessageError { offset: self.offset, reason: reason.into() })
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], MessageError> {
        match self.payload[self.offset..].get(..length) {
            Some(bytes) => {
                self.offset += length;
                Ok(bytes)
            }
            None => self.error(format!("{length} bytes wanted, {} left", self.payload.len() - self.offset)),
        }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, MessageError> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, MessageError> {
        let b = self.take(4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    pub(crate) fn blob(&mut self) -> Result<&'a [u8], MessageError> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<String, MessageError> {
        Ok(String::from_utf8_lossy(self.blob()?).into_owned())
    }

    pub(crate) fn end(&self) -> Result<(), MessageError> {
        let left = self.payload.len() - self.offset;
        if left == 0 { Ok(()) } else { self.error(format!("{left} bytes too many")) }
    }
}
