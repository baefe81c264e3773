//! Your reader against what CPython 3.11 does, which Provost predicts: `cargo +nightly fuzz run read`.
#![no_main]

use harness::comparison::Pair;
use harness::oracle::Verdict;
use harness::subjects::{InProcess, core::Core};
use libfuzzer_sys::fuzz_target;
use reader::{Read, Reader, Refusal, Value};
use std::sync::{LazyLock, Mutex};

#[derive(Clone)]
struct Mine;

impl Reader for Mine {
    fn declaration(&self) -> String {
        r#"{"exec":1,"name":"mine","version":"0.1","pythons":["3.11"]}"#.into()
    }

    /// Put your reader here; this one knows None.
    fn load(&mut self, stream: &[u8], _python: (u8, u8), _rewrite: bool) -> Result<Read, Refusal> {
        match stream.first() {
            Some(b'N') => Ok(Read { value: Value::None, consumed: Some(1), rewritten: None }),
            Some(code) => Err(Refusal::Unsupported(format!("the type byte {code:#04x}"))),
            None => Err(Refusal::error("there is no object")),
        }
    }
}

static PAIR: LazyLock<Mutex<Pair>> = LazyLock::new(|| {
    let (subject, declaration) = InProcess::new(Mine, "3.11").expect("the declaration is as EXEC.md says");
    let core = Core::for_reader(&declaration, "3.11").expect("a Python that Provost knows");
    Mutex::new(Pair::new(&declaration.name, core, Box::new(subject)))
});

fuzz_target!(|data: &[u8]| {
    let mut pair = PAIR.lock().expect("no comparison panics");
    let compared = pair.compare(data).expect("a reader in this process is always there");
    if let Verdict::Diverge(divergence) = compared.verdict {
        drop(pair);
        panic!("{divergence}");
    }
});
