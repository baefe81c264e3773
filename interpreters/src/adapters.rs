//! Readers of other people: starting what the user named, and asking what it declares.

use crate::candidates::which;
use crate::exec::Declaration;
use crate::interpreter::{Driver, Found, Interpreter, Limits, Unusable, Workspace};
use crate::launch::{Launch, Through};
use crate::process::Worker;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Finds readers: each is a program, or a command line, that speaks EXEC.md. Each is one subject for each Python that it reads.
#[must_use]
pub fn adapters(commands: &[String], home: &Workspace, limits: &Limits) -> Found {
    let mut found = Found::default();
    for command in commands {
        match start(command, home, limits) {
            Ok(interpreters) => found.interpreters.extend(interpreters),
            Err(reason) => found.unusable.push(Unusable {
                what: command.clone(),
                reason,
                advice: "ask it with `cargo provost adapter test`".into(),
                named: true,
            }),
        }
    }
    found
}

/// The subjects that an adapter is.
fn start(command: &str, home: &Workspace, limits: &Limits) -> Result<Vec<Interpreter>, String> {
    let (program, arguments) = words(command).ok_or("there is no such program")?;
    let launch = Launch::Adapter { through: None, program, arguments, python: String::new(), declaration: None };
    let begin = Instant::now();
    let (launch, declaration, unconfined) = confined(launch, home, limits)?;
    let start_up = begin.elapsed();
    let Launch::Adapter { through, program, arguments, .. } = launch else { return Err("it is no adapter".into()) };
    let subject = |python: &String| Interpreter {
        id: format!("{}:{python}", declaration.name),
        facts: declaration.facts(python),
        driver: Driver::Adapter,
        driver_reason: None,
        found_by: "--adapter".into(),
        path: program.clone(),
        start_up,
        unconfined: unconfined.clone(),
        launch: Launch::Adapter {
            through: through.clone(),
            program: program.clone(),
            arguments: arguments.clone(),
            python: python.clone(),
            declaration: Some(Box::new(declaration.clone())),
        },
    };
    Ok(declaration.pythons.iter().map(subject).collect())
}

/// How it starts, what it declares, and why it is not confined, if it is not.
fn confined(
    launch: Launch,
    home: &Workspace,
    limits: &Limits,
) -> Result<(Launch, Declaration, Option<String>), String> {
    let host = std::path::absolute(&home.host).unwrap_or_else(|_| home.host.clone());
    let mut unconfined = Some(format!("{} is not built (cargo build --release -p host)", host.display()));
    if host.is_file() {
        let through = launch.clone().through(Some(Through { host, filter: true }));
        match Worker::start_adapter(&through, limits) {
            Ok((_, declaration)) => return Ok((through, declaration, None)),
            Err(reason) => unconfined = Some(format!("it does not start when it is confined: {reason}")),
        }
    }
    let (_, declaration) = Worker::start_adapter(&launch, limits)?;
    Ok((launch, declaration, unconfined))
}

/// A program with its arguments: the whole text, if there is such a file. Words that are files are made absolute, because
/// adapters run in another folder.
fn words(command: &str) -> Option<(PathBuf, Vec<OsString>)> {
    let absolute = |word: &str| {
        let path = Path::new(word);
        path.exists().then(|| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
    };
    if let Some(program) = absolute(command) {
        return Some((program, Vec::new()));
    }
    let mut words = command.split_ascii_whitespace();
    let first = words.next()?;
    let program = absolute(first).or_else(|| which(first.as_ref(), &|name| std::env::var_os(name)))?;
    Some((program, words.map(|word| absolute(word).map_or_else(|| word.into(), Into::into)).collect()))
}
