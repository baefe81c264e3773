//! Two readers of the exported corpus: pyc-core, and one whose answers are in a file.

use marshal_corpus::{INTERPRETERS, Interpreter, Loaded, Reader, Refused, Value, check};
use pyc_core::model::{Dump, Loaded as Model};
use pyc_core::{Exception, Profile, Release, read};
use std::collections::HashMap;
use std::process::ExitCode;

struct Core {
    interpreter: &'static Interpreter,
    profile: Profile,
}

fn refused(exception: &Exception) -> Refused {
    Refused { class: Some(exception.class.into()), message: Some(exception.message.clone()) }
}

impl Reader for Core {
    fn release(&self) -> &str {
        self.interpreter.release
    }

    fn load(&self, stream: &[u8]) -> Result<Loaded, Refused> {
        let graph = read(stream, &self.profile).map_err(|error| refused(&error.exception(&self.profile)))?;
        let value = Value::Canon(Model::new(&graph, &self.profile).canon());
        Ok(Loaded { value, consumed: Some(graph.consumed()) })
    }

    fn dump(&self, stream: &[u8], version: u8) -> Option<Result<Vec<u8>, Refused>> {
        let graph = read(stream, &self.profile).ok()?;
        match Model::new(&graph, &self.profile).dump(version) {
            Dump::Bytes { bytes, .. } => Some(Ok(bytes)),
            Dump::Raises(exception) => Some(Err(refused(&exception))),
            Dump::Undefined(_) | Dump::Slow(_) => None,
        }
    }
}

struct File {
    release: String,
    answers: HashMap<String, Vec<String>>,
}

impl File {
    fn answer(&self, stream: &[u8]) -> &[String] {
        let key: String = stream.iter().map(|byte| format!("{byte:02x}")).collect();
        &self.answers[&key]
    }
}

fn refusal(class: &str, message: &str) -> Refused {
    Refused { class: Some(class.into()), message: Some(message.into()) }
}

impl Reader for File {
    fn release(&self) -> &str {
        &self.release
    }

    fn load(&self, stream: &[u8]) -> Result<Loaded, Refused> {
        match self.answer(stream) {
            [outcome, consumed, plain, ..] if outcome == "accepted" => {
                let value = if plain.is_empty() { Value::Untold } else { Value::Plain(plain.clone()) };
                Ok(Loaded { value, consumed: consumed.parse().ok() })
            }
            [outcome, class, message] if outcome == "rejected" => Err(refusal(class, message)),
            _ => Err(Refused::default()),
        }
    }

    fn dump(&self, stream: &[u8], version: u8) -> Option<Result<Vec<u8>, Refused>> {
        let dump = self.answer(stream).get(3 + usize::from(version))?;
        if let Some((class, message)) = dump.split_once(": ") {
            return Some(Err(refusal(class, message)));
        }
        let byte = |at| u8::from_str_radix(dump.get(at..at + 2)?, 16).ok();
        (0..dump.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>().map(Ok)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let release = arguments[0].clone();
    let report = match arguments.get(1) {
        Some(path) => {
            let text = std::fs::read_to_string(path).expect("the answers are there");
            let rows = text.lines().map(|line| {
                let mut cells = line.split('\t').map(String::from);
                (cells.next().unwrap_or_default(), cells.collect())
            });
            check(&File { release, answers: rows.collect() })
        }
        None => {
            let interpreter = INTERPRETERS.iter().find(|one| one.release == release).expect("the release was asked");
            let parsed = Release::parse(&release).expect("it is a release");
            let profile = Profile::for_release(&parsed).expect("it has a profile");
            let profile = profile.with_pointer_bits(interpreter.pointer_bits).with_max_depth(interpreter.max_depth);
            check(&Core { interpreter, profile })
        }
    };
    for (name, difference) in &report.wrong {
        println!("{name}: {difference}");
    }
    println!("{} agreed, {} skipped, {} wrong", report.agreed, report.skipped, report.wrong.len());
    ExitCode::from(u8::from(report.agreed == 0 || !report.wrong.is_empty()))
}
