//! Requests and answers, field by field as in `interpreters/PROTOCOL.md`.

use crate::wire::{Fields, MessageError, put_blob};
use serde::{Deserialize, Serialize};

/// What the canon field of an answer shall hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanonMode {
    /// Nothing: the canon is not computed.
    None,
    /// The SHA-256 of the canon.
    Hash,
    /// The canon itself.
    Text,
}

/// What the parent asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Who are you?
    Hello,
    /// Load marshal streams and dump them again.
    Load(Load),
    /// Compile a source text to a .pyc file.
    Compile(Compile),
    /// Say what an import says of the headers of .pyc files; one [`Answer`] follows for each of them.
    Import(Vec<Import>),
    /// Say what the module `dis` prints of the code objects in marshal streams; one [`Answer`] follows for each of them.
    Disassemble(Vec<Vec<u8>>),
    /// Execute the code objects in marshal streams; one [`Answer`] follows for each of them. Only a worker that was started for
    /// it does so.
    Execute(Vec<Vec<u8>>),
}

/// A batch of marshal streams; one [`Answer`] follows for each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// What to say about the value.
    pub canon: CanonMode,
    /// Whether to find out how many bytes the first object takes.
    pub consumed: bool,
    /// The marshal versions to dump the value with.
    pub versions: Vec<u8>,
    /// The streams.
    pub cases: Vec<Vec<u8>>,
}

/// A source text to compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compile {
    /// The bytes of the source file, with whatever encoding they declare.
    pub source: Vec<u8>,
    /// The file name that goes into the code objects.
    pub filename: String,
    /// 0, 1 or 2, as in `-O` and `-OO`.
    pub optimize: u8,
}

/// A .pyc file whose header is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The whole file.
    pub file: Vec<u8>,
    /// Contents and time of the source file, if there is one.
    pub source: Option<(Vec<u8>, u32)>,
}

/// The class and text of a Python exception.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Exception {
    /// `type(e).__name__`
    pub class: String,
    /// `str(e)`
    pub message: String,
}

/// What a worker says of its interpreter; the keys are those of the JSON object in PROTOCOL.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // PROTOCOL.md documents each key, once
pub struct Facts {
    pub protocol: u32,
    pub driver: String,
    pub implementation: String,
    pub version: String,
    pub version_info: (u8, u8, u8, String, u32),
    pub implementation_version: String,
    pub magic: String,
    pub marshal_version: u8,
    pub pointer_bits: u8,
    pub unicode_max: u32,
    pub debug: bool,
    pub gil: bool,
    pub free_threaded: bool,
    pub executable: String,
    pub prefix: String,
    pub stdlib: String,
    pub platform: String,
    pub optimize: Vec<u8>,
    pub build: String,
    pub interned_elsewhere: Vec<u8>,
    pub quiets_nans: bool,
}

/// What a worker answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To hello.
    Facts(Box<Facts>),
    /// To a stream that loads.
    Accepted(Loaded),
    /// To a stream that does not load.
    Rejected(Exception),
    /// To compile: the .pyc file.
    Compiled(Vec<u8>),
    /// To compile: the source has an error.
    NotCompiled(Exception),
    /// To a .pyc file whose header an import accepts: its flags.
    Imported(u32),
    /// To a stream that is a code object: what `dis` prints, and the lines and positions.
    Disassembled(Vec<u8>),
    /// To a code object that was executed: how that ended.
    Executed(Ending),
    /// The worker could not understand the request or failed itself.
    Failed(String),
}

/// How the execution of a code object ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With a value.
    Returned,
    /// With an exception of this class, other than those below.
    Raised(String),
    /// A signal ended the process, in a batch and once more alone: its name, and what the process said in a line of its own.
    Died(String),
    /// It took too long.
    Time,
    /// It took too much memory.
    Memory,
    /// Too many frames.
    Recursion,
    /// It was not executed: the stream does not load, or is no code object.
    Refused(String),
    /// A signal ended the process that executed it, but not when it was executed alone.
    Unsettled(String),
}

impl Ending {
    fn parts(&self) -> (u8, &str) {
        match self {
            Ending::Returned => (0, ""),
            Ending::Raised(class) => (1, class),
            Ending::Died(words) => (2, words),
            Ending::Time => (3, ""),
            Ending::Memory => (4, ""),
            Ending::Recursion => (5, ""),
            Ending::Refused(why) => (6, why),
            Ending::Unsettled(words) => (7, words),
        }
    }

    fn decode(f: &mut Fields) -> Result<Ending, MessageError> {
        let (number, text) = (f.u8()?, f.text()?);
        Ok(match number {
            0 => Ending::Returned,
            1 => Ending::Raised(text),
            2 => Ending::Died(text),
            3 => Ending::Time,
            4 => Ending::Memory,
            5 => Ending::Recursion,
            6 => Ending::Refused(text),
            7 => Ending::Unsettled(text),
            other => return f.error(format!("ending {other}")),
        })
    }
}

/// A value that came out of `marshal.loads`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Length of the first object in the stream, if asked for and known.
    pub consumed: Option<u32>,
    /// What [`Load::canon`] asked for (empty, 32 bytes of hash, or text), or why the worker's printer failed.
    pub canon: Result<Vec<u8>, String>,
    /// One for each of [`Load::versions`], in that order.
    pub dumps: Vec<Result<Vec<u8>, Exception>>,
}

const UNKNOWN: u32 = u32::MAX;

impl Request {
    /// The payload of this request's frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Request::Hello => vec![b'H'],
            Request::Load(load) => {
                let mut out = vec![b'L', load.canon as u8, u8::from(load.consumed)];
                out.push(u8::try_from(load.versions.len()).expect("fewer than 256 marshal versions"));
                out.extend_from_slice(&load.versions);
                let count = u32::try_from(load.cases.len()).expect("fewer than 2^32 cases");
                out.extend_from_slice(&count.to_le_bytes());
                for case in &load.cases {
                    put_blob(&mut out, case);
                }
                out
            }
            Request::Compile(compile) => {
                let mut out = vec![b'C'];
                put_blob(&mut out, &compile.source);
                put_blob(&mut out, compile.filename.as_bytes());
                out.push(compile.optimize);
                out
            }
            Request::Import(cases) => {
                let mut out = vec![b'P'];
                let count = u32::try_from(cases.len()).expect("fewer than 2^32 cases");
                out.extend_from_slice(&count.to_le_bytes());
                for Import { file, source } in cases {
                    put_blob(&mut out, file);
                    out.push(u8::from(source.is_some()));
                    let (source, mtime) = source.as_ref().map_or((&[][..], 0), |(source, mtime)| (source, *mtime));
                    put_blob(&mut out, source);
                    out.extend_from_slice(&mtime.to_le_bytes());
                }
                out
            }
            Request::Disassemble(cases) | Request::Execute(cases) => {
                let mut out = vec![if matches!(self, Request::Execute(_)) { b'X' } else { b'D' }];
                let count = u32::try_from(cases.len()).expect("fewer than 2^32 cases");
                out.extend_from_slice(&count.to_le_bytes());
                cases.iter().for_each(|case| put_blob(&mut out, case));
                out
            }
        }
    }

    /// How many bytes the cases in it have.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Request::Hello => 0,
            Request::Load(Load { cases, .. }) | Request::Disassemble(cases) | Request::Execute(cases) => {
                cases.iter().map(Vec::len).sum()
            }
            Request::Compile(Compile { source, .. }) => source.len(),
            Request::Import(files) => files.iter().map(|Import { file, .. }| file.len()).sum(),
        }
    }

    /// Reads a request from a frame's payload.
    ///
    /// # Errors
    /// When the payload is not a request of this protocol version.
    pub fn decode(payload: &[u8]) -> Result<Request, MessageError> {
        let mut f = Fields::new(payload);
        let request = match f.u8()? {
            b'H' => Request::Hello,
            b'L' => {
                let canon = match f.u8()? {
                    0 => CanonMode::None,
                    1 => CanonMode::Hash,
                    2 => CanonMode::Text,
                    other => return f.error(format!("canon mode {other}")),
                };
                let consumed = f.u8()? != 0;
                let versions = f.u8()?;
                let versions = f.take(usize::from(versions))?.to_vec();
                let count = f.u32()?;
                let cases = (0..count).map(|_| f.blob().map(<[u8]>::to_vec)).collect::<Result<_, _>>()?;
                Request::Load(Load { canon, consumed, versions, cases })
            }
            b'C' => Request::Compile(Compile { source: f.blob()?.to_vec(), filename: f.text()?, optimize: f.u8()? }),
            b'P' => {
                let count = f.u32()?;
                Request::Import((0..count).map(|_| Import::decode(&mut f)).collect::<Result<_, _>>()?)
            }
            tag @ (b'D' | b'X') => {
                let count = f.u32()?;
                let cases = (0..count).map(|_| f.blob().map(<[u8]>::to_vec)).collect::<Result<_, _>>()?;
                if tag == b'D' { Request::Disassemble(cases) } else { Request::Execute(cases) }
            }
            other => return f.error(format!("request tag {other:#04x}")),
        };
        f.end()?;
        Ok(request)
    }
}

impl Import {
    fn decode(f: &mut Fields) -> Result<Import, MessageError> {
        let file = f.blob()?.to_vec();
        let with_source = f.u8()? != 0;
        let source = (f.blob()?.to_vec(), f.u32()?);
        Ok(Import { file, source: with_source.then_some(source) })
    }
}

impl Exception {
    fn encode(&self, out: &mut Vec<u8>) {
        put_blob(out, self.class.as_bytes());
        put_blob(out, self.message.as_bytes());
    }

    fn decode(f: &mut Fields) -> Result<Exception, MessageError> {
        Ok(Exception { class: f.text()?, message: f.text()? })
    }
}

impl Loaded {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.consumed.unwrap_or(UNKNOWN).to_le_bytes());
        out.push(u8::from(self.canon.is_err()));
        put_blob(out, self.canon.as_deref().unwrap_or_else(|reason| reason.as_bytes()));
        for dump in &self.dumps {
            out.push(u8::from(dump.is_err()));
            match dump {
                Ok(bytes) => put_blob(out, bytes),
                Err(exception) => exception.encode(out),
            }
        }
    }

    fn decode(f: &mut Fields, versions: usize) -> Result<Loaded, MessageError> {
        let consumed = Some(f.u32()?).filter(|&n| n != UNKNOWN);
        let canon = match f.u8()? {
            0 => Ok(f.blob()?.to_vec()),
            1 => Err(f.text()?),
            other => return f.error(format!("canon status {other}")),
        };
        let mut dumps = Vec::with_capacity(versions);
        for _ in 0..versions {
            dumps.push(match f.u8()? {
                0 => Ok(f.blob()?.to_vec()),
                1 => Err(Exception::decode(f)?),
                other => return f.error(format!("dump status {other}")),
            });
        }
        Ok(Loaded { consumed, canon, dumps })
    }
}

impl Answer {
    /// The payload of this answer's frame.
    ///
    /// # Panics
    /// Never: [`Facts`] always has a JSON form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Answer::Facts(facts) => {
                out.push(b'h');
                put_blob(&mut out, &serde_json::to_vec(facts).expect("plain data has a JSON form"));
            }
            Answer::Accepted(loaded) => {
                out.push(b'A');
                loaded.encode(&mut out);
            }
            Answer::Rejected(exception) => {
                out.push(b'R');
                exception.encode(&mut out);
            }
            Answer::Compiled(pyc) => {
                out.push(b'P');
                put_blob(&mut out, pyc);
            }
            Answer::NotCompiled(exception) => {
                out.push(b'E');
                exception.encode(&mut out);
            }
            Answer::Imported(flags) => {
                out.push(b'V');
                out.extend_from_slice(&flags.to_le_bytes());
            }
            Answer::Disassembled(text) => {
                out.push(b'D');
                put_blob(&mut out, text);
            }
            Answer::Executed(ending) => {
                let (number, text) = ending.parts();
                out.extend([b'X', number]);
                put_blob(&mut out, text.as_bytes());
            }
            Answer::Failed(reason) => {
                out.push(b'F');
                put_blob(&mut out, reason.as_bytes());
            }
        }
        out
    }

    /// Reads an answer from a frame's payload; `versions` is how many marshal versions the request asked for.
    ///
    /// # Errors
    /// When the payload is not an answer of this protocol version.
    pub fn decode(payload: &[u8], versions: usize) -> Result<Answer, MessageError> {
        let mut f = Fields::new(payload);
        let answer = match f.u8()? {
            b'h' => match serde_json::from_slice(f.blob()?) {
                Ok(facts) => Answer::Facts(facts),
                Err(e) => return f.error(format!("the facts are not what PROTOCOL.md says: {e}")),
            },
            b'A' => Answer::Accepted(Loaded::decode(&mut f, versions)?),
            b'R' => Answer::Rejected(Exception::decode(&mut f)?),
            b'P' => Answer::Compiled(f.blob()?.to_vec()),
            b'E' => Answer::NotCompiled(Exception::decode(&mut f)?),
            b'V' => Answer::Imported(f.u32()?),
            b'D' => Answer::Disassembled(f.blob()?.to_vec()),
            b'X' => Answer::Executed(Ending::decode(&mut f)?),
            b'F' => Answer::Failed(f.text()?),
            other => return f.error(format!("answer tag {other:#04x}")),
        };
        f.end()?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception() -> Exception {
        Exception { class: "ValueError".into(), message: "bad marshal data (\u{e9})".into() }
    }

    /// Encoding and decoding are inverses, and no prefix of a message is a message.
    fn check<T: PartialEq + std::fmt::Debug>(
        value: &T,
        wire: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, MessageError>,
    ) {
        assert_eq!(decode(wire).as_ref(), Ok(value));
        for cut in 0..wire.len() {
            decode(&wire[..cut]).expect_err("a prefix is not a message");
        }
        decode(&[wire, b"x"].concat()).expect_err("nothing may follow a message");
    }

    #[test]
    fn requests_round_trip() {
        let load = Load {
            canon: CanonMode::Text,
            consumed: true,
            versions: vec![0, 4],
            cases: vec![vec![], b"N".to_vec(), vec![0xff; 300]],
        };
        let compile = Compile { source: b"x=1\n".to_vec(), filename: "\u{e9}.py".into(), optimize: 2 };
        let import = vec![
            Import { file: b"\xcb\x0d\r\n".to_vec(), source: None },
            Import { file: vec![], source: Some((b"x=1\n".to_vec(), 7)) },
        ];
        let disassemble = Request::Disassemble(vec![b"N".to_vec(), vec![]]);
        let execute = Request::Execute(vec![b"c".to_vec(), vec![]]);
        let [load, compile, import] = [Request::Load(load), Request::Compile(compile), Request::Import(import)];
        for request in [Request::Hello, load, compile, import, disassemble, execute] {
            check(&request, &request.encode(), Request::decode);
        }
    }

    #[test]
    fn answers_round_trip() {
        let facts = Facts {
            protocol: 1,
            driver: "script".into(),
            implementation: "cpython".into(),
            version: "3.12.1".into(),
            version_info: (3, 12, 1, "final".into(), 0),
            implementation_version: "3.12.1".into(),
            magic: "cb0d0d0a".into(),
            marshal_version: 4,
            pointer_bits: 64,
            unicode_max: 0x10_ffff,
            debug: false,
            gil: true,
            free_threaded: false,
            executable: String::new(),
            prefix: "/usr".into(),
            stdlib: String::new(),
            platform: "linux".into(),
            optimize: vec![0, 1, 2],
            build: "3.12.1 (main)".into(),
            interned_elsewhere: b"_x".to_vec(),
            quiets_nans: false,
        };
        let loaded =
            Loaded { consumed: Some(7), canon: Ok(vec![1; 32]), dumps: vec![Ok(b"N".to_vec()), Err(exception())] };
        let unprinted = Loaded { consumed: None, canon: Err("too deep".into()), dumps: vec![Ok(vec![]), Ok(vec![])] };
        for answer in [
            Answer::Facts(Box::new(facts)),
            Answer::Accepted(loaded),
            Answer::Accepted(unprinted),
            Answer::Rejected(exception()),
            Answer::Compiled(vec![1, 2, 3]),
            Answer::NotCompiled(exception()),
            Answer::Imported(3),
            Answer::Disassembled(b"  1  0 NOP\n".to_vec()),
            Answer::Executed(Ending::Returned),
            Answer::Executed(Ending::Raised("KeyError".into())),
            Answer::Executed(Ending::Died("SIGSEGV\n".into())),
            Answer::Executed(Ending::Time),
            Answer::Executed(Ending::Memory),
            Answer::Executed(Ending::Recursion),
            Answer::Executed(Ending::Refused("EOFError".into())),
            Answer::Executed(Ending::Unsettled("SIGABRT".into())),
            Answer::Failed("no".into()),
        ] {
            check(&answer, &answer.encode(), |wire| Answer::decode(wire, 2));
        }
    }

    #[test]
    fn frames_round_trip_and_errors_are_told_apart() {
        use crate::{FrameError, read_frame, write_frame};
        let mut wire = Vec::new();
        write_frame(&mut wire, b"abc").unwrap();
        let mut input = wire.as_slice();
        assert_eq!(read_frame(&mut input).unwrap().as_deref(), Some(&b"abc"[..]));
        assert!(read_frame(&mut input).unwrap().is_none());
        assert!(matches!(read_frame(&mut &wire[..2]), Err(FrameError::Truncated)));
        assert!(matches!(read_frame(&mut &wire[..5]), Err(FrameError::Truncated)));
        assert!(matches!(read_frame(&mut &[0xff; 4][..]), Err(FrameError::TooLong(_))));
    }
}
