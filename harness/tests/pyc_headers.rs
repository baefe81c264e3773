//! Generated .pyc files: the model says of their headers what each interpreter's import says.

use harness::generators::{Target, pyc, tape};
use interpreters::{Limits, Options, Outcome, Supervisor, Workspace, discover};
use protocol::{Answer, Exception, Import};
use pyc_core::pyc::{Refusal, SourceFile, import};
use pyc_core::{Profile, Release};

const FILES: u64 = 2000;

#[test]
fn imports_agree_about_headers() {
    let home = Workspace::locate();
    let found = discover(&Options {
        pythons: Vec::new(),
        search: true,
        driver: None,
        // Only if it is there already: a test does not install anything.
        pyodide: std::env::var_os("PROVOST_PYODIDE_MODULES").is_some() || home.pyodide.join("node_modules").is_dir(),
        home,
        limits: Limits::default(),
    });
    let mut compared = 0;
    for interpreter in found.interpreters.iter().filter(|i| i.facts.implementation == "cpython") {
        let Some(profile) = Release::parse(&interpreter.facts.version).and_then(|r| Profile::for_release(&r)) else {
            println!("skipped: {} has no profile", interpreter.id);
            continue;
        };
        let target = Target::from(&profile);
        let make = |index| pyc::generate(&mut arbitrary::Unstructured::new(&tape(1, "pyc", index)), target, &[]);
        let files: Vec<pyc::Generated> = (0..FILES).map(make).collect();
        let ask = |file: &pyc::Generated| Import {
            file: file.bytes.clone(),
            source: file.source.as_ref().map(|source| (source.bytes.clone(), source.mtime)),
        };
        let asked: Vec<Import> = files.iter().map(ask).collect();
        let said = Supervisor::new(interpreter, Limits::default()).import(&asked).unwrap();
        for (file, said) in files.iter().zip(said) {
            let source = file.source.as_ref().map(|source| SourceFile { bytes: &source.bytes, mtime: source.mtime });
            let predicted = match import(&file.bytes, &profile, source, "case") {
                Ok(flags) => Answer::Imported(flags),
                Err(Refusal { class, message }) => Answer::Rejected(Exception { class: class.into(), message }),
            };
            let start = &file.bytes[..file.bytes.len().min(20)];
            assert_eq!(said, Outcome::Answer(predicted), "{}: {:?} {start:02x?}", interpreter.id, file.wrong);
        }
        compared += 1;
    }
    if compared == 0 {
        println!("skipped: no CPython was found, so no header was compared");
    }
}
