//! What the generator of programs writes for a version is accepted by every interpreter of that version that is found.

mod found;

use harness::case::{Case, Origin};
use harness::comparison::Pair;
use harness::faults::Fault;
use harness::faults::subject::Planted;
use harness::generators::{Generator, Target, generate, programs};
use harness::observation::Observation;
use harness::subjects::core::{Core, payload};
use harness::subjects::{Broken, Compiled, Reality, Subject};
use interpreters::{Limits, Outcome, Supervisor};
use protocol::{Answer, Compile, Load};
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
            let outcome = supervisor.compile(&programs::compile(source, index)).unwrap();
            let compiled = matches!(outcome, Outcome::Answer(Answer::Compiled(_)));
            assert!(compiled, "{}: program {index}: {outcome:?}", interpreter.id);
        }
    }
}

/// Compiles as an interpreter does, and reads as a planted fault does.
struct WrongReader {
    compiler: Reality,
    reader: Planted,
}

impl Subject for WrongReader {
    fn load(&mut self, load: &Load) -> Result<Vec<Observation>, Broken> {
        self.reader.load(load)
    }

    fn compile(&mut self, compile: &Compile) -> Result<Compiled, Broken> {
        self.compiler.compile(compile)
    }

    fn restarts(&self) -> u32 {
        0
    }

    fn fresh(&self) -> Box<dyn Subject> {
        unreachable!("nobody asks for a fresh one")
    }
}

/// A program on which a reader is wrong shrinks as text, and what is left compiles.
#[test]
fn programs_shrink_as_text() {
    let found = found::interpreters();
    let is_it =
        |one: &&interpreters::Interpreter| one.facts.implementation == "cpython" && one.facts.version.starts_with("3.");
    let Some(interpreter) = found.iter().rfind(is_it) else {
        println!("skipped: no Python 3 was found, so no program was compiled");
        return;
    };
    let core = Core::of(&interpreter.facts).unwrap();
    let fault = Fault::all().find(|fault| fault.name == "int-unsigned").unwrap();
    let compiler = Reality::new(interpreter, Limits::default());
    let reader = Planted::new(fault, core.clone());
    let mut pair = Pair::new(Planted::FAMILY, core.clone(), Box::new(WrongReader { compiler, reader }));
    for index in 0.. {
        let text = generate(Generator::Programs, core.target(), 1, index, &[]).bytes;
        let compiled = pair.subject().unwrap().compile(&programs::compile(text.clone(), index)).unwrap();
        let Compiled::Pyc(pyc) = compiled else { continue };
        let case = Case::stream(payload(&pyc).unwrap(), Origin::generated(Generator::Programs, 1, index));
        let Some((divergence, _)) = pair.divergences(&case).unwrap().into_iter().next() else { continue };
        let small = pair.minimize_program(&case, &divergence.signature, &mut |_| true).unwrap().unwrap();
        let small = String::from_utf8(small.bytes).unwrap();
        assert!(small.contains('-') && small.len() < 20 && small.len() < text.len(), "{small}");
        return;
    }
}
