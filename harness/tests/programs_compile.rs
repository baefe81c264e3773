//! What the generator of programs writes for a version is accepted by every interpreter of that version that is found.

mod found;

use harness::generators::{Generator, Target, generate, programs};
use interpreters::{Limits, Outcome, Supervisor};
use protocol::{Answer, Compile};
use pyc_core::{Profile, Release};

const PROGRAMS: u64 = 60;

#[test]
fn every_interpreter_compiles_the_programs_for_its_version() {
    let interpreters = found::interpreters();
    if interpreters.is_empty() {
        println!("skipped: no interpreter was found, so no program was compiled");
    }
    for interpreter in &interpreters {
        let profile = Release::parse(&interpreter.facts.version).and_then(|release| Profile::for_release(&release));
        let (Some(profile), "cpython") = (profile, interpreter.facts.implementation.as_str()) else {
            println!("skipped: {} is not a CPython with a profile", interpreter.id);
            continue;
        };
        let mut supervisor = Supervisor::new(interpreter, Limits::default());
        for index in 0..PROGRAMS {
            let source = generate(Generator::Programs, Target::from(&profile), 1, index, &[]).bytes;
            let compile = Compile { source, filename: "program.py".into(), optimize: programs::level(index) };
            let outcome = supervisor.compile(&compile).unwrap();
            let compiled = matches!(outcome, Outcome::Answer(Answer::Compiled(_)));
            assert!(compiled, "{}: program {index}: {outcome:?}", interpreter.id);
        }
    }
}
