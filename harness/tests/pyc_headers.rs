//! Generated .pyc files: the model says of their headers what each interpreter's import says.

mod found;

use arbitrary::Unstructured;
use harness::generators::{pyc, tape};
use harness::subjects::core::Core;
use harness::subjects::{Reality, Subject};
use interpreters::Limits;
use protocol::Import;

const FILES: u64 = 2000;

#[test]
fn imports_agree_about_headers() {
    let interpreters = found::interpreters();
    let mut compared = 0;
    for interpreter in interpreters.iter().filter(|i| i.facts.implementation == "cpython") {
        let core = match Core::of(&interpreter.facts) {
            Ok(core) => core,
            Err(reason) => {
                println!("skipped: {}: {reason}", interpreter.id);
                continue;
            }
        };
        let make = |index| pyc::generate(&mut Unstructured::new(&tape(1, "pyc", index)), core.target(), &[]);
        let files: Vec<pyc::Generated> = (0..FILES).map(make).collect();
        let ask = |file: &pyc::Generated| Import {
            file: file.bytes.clone(),
            source: file.source.as_ref().map(|source| (source.bytes.clone(), source.mtime)),
        };
        let asked: Vec<Import> = files.iter().map(ask).collect();
        let said = Reality::new(interpreter, Limits::default()).import(&asked).unwrap();
        for ((file, ask), said) in files.iter().zip(&asked).zip(said) {
            let start = &file.bytes[..file.bytes.len().min(20)];
            assert_eq!(said, core.import(ask), "{}: {:?} {start:02x?}", interpreter.id, file.wrong);
        }
        compared += 1;
    }
    if compared == 0 {
        println!("skipped: no CPython was found, so no header was compared");
    }
}
