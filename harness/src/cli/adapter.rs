//! `provost adapter`: for people who want their own reader compared.

use super::{root, workspace};
use crate::adapters::{Language, write};
use crate::comparison::{Compared, Pair};
use crate::observation::{Fault, Observation};
use crate::oracle::{Came, Verdict};
use crate::repro;
use crate::subjects::Reality;
use crate::subjects::core::Core;
use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use interpreters::exec::Operation;
use interpreters::{Interpreter, Limits, adapters};
use pyc_core::Profile;
use pyc_core::bytecode::text;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `adapter`.
#[derive(Debug, Args)]
pub(crate) struct Adapter {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write a skeleton that works
    New {
        /// The language that it is written in
        #[arg(long, value_enum)]
        lang: Language,
        /// In place of an adapter a fuzz target for cargo-fuzz, which asks a Rust library in its own process
        #[arg(long)]
        fuzz: bool,
        /// The folder to write it into
        folder: PathBuf,
    },
    /// Hold a short conversation with an adapter, and say line by line what is wrong
    Test {
        /// A program, or a command line in quotes
        program: String,
    },
}

/// What an adapter is asked in a test: what it is, and the bytes, which every Python reads alike.
const CASES: [(&str, &[u8]); 19] = [
    ("None", b"N"),
    ("True", b"T"),
    ("an int", b"i\xff\xff\xff\xff"),
    ("a long int", b"l\xfd\xff\xff\xff\x01\0\x02\0\x03\0"),
    ("a float", b"g\0\0\0\0\0\0\xf8\x3f"),
    ("a complex", b"y\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\x80"),
    ("bytes", b"s\x02\0\0\0\0\xff"),
    ("text", b"u\x03\0\0\0a\xc3\xa9"),
    ("a tuple", b"(\x02\0\0\0i\x05\0\0\0N"),
    ("a list", b"[\x01\0\0\0(\0\0\0\0"),
    ("a dict", b"{u\x01\0\0\0ai\x01\0\0\0u\x01\0\0\0bN0"),
    ("a set", b"<\x02\0\0\0i\x01\0\0\0i\x02\0\0\0"),
    ("a frozenset", b">\x01\0\0\0i\x07\0\0\0"),
    ("Ellipsis", b"."),
    ("nothing", b""),
    ("an empty tuple twice", b"(\x02\0\0\0(\0\0\0\0(\0\0\0\0"),
    ("an unknown type", b"\x01"),
    ("an int that is cut", b"i\x01"),
    ("a tuple without an item", b"(\x02\0\0\0N"),
];

impl Adapter {
    /// Exit status 1 if something is wrong.
    pub(crate) fn run(&self) -> Result<u8> {
        match &self.task {
            Task::New { lang, fuzz, folder } => {
                write(*lang, *fuzz, folder, &root())?;
                println!("{}: a skeleton that works; put your reader into it", folder.display());
                let (make, start) = lang.commands();
                match fuzz {
                    true => println!("  cd {} && cargo +nightly fuzz run read", folder.display()),
                    false => {
                        let make = make.map_or(String::new(), |make| format!(" && {make}"));
                        println!("  cd {}{make}", folder.display());
                        println!("  cargo provost adapter test {start:?}\n  cargo provost hunt --adapter {start:?}");
                    }
                }
                Ok(0)
            }
            Task::Test { program } => test(program),
        }
    }
}

fn test(program: &str) -> Result<u8> {
    let limits = Limits { silence: Duration::from_secs(5), start: Duration::from_secs(20), ..Limits::default() };
    let (home, _) = workspace(true);
    let found = adapters(&[program.to_owned()], &home, &limits);
    if let Some(unusable) = found.unusable.first() {
        println!("hello: WRONG: {}", unusable.reason);
        return Ok(1);
    }
    let mut wrong = 0;
    for (index, interpreter) in found.interpreters.iter().enumerate() {
        let Some(declaration) = interpreter.declaration() else { continue };
        if index == 0 {
            let operations: Vec<String> =
                declaration.operations.iter().map(|o| format!("{o:?}").to_lowercase()).collect();
            let owes: Vec<String> = declaration.owes.iter().map(|o| format!("{o:?}").to_lowercase()).collect();
            println!(
                "hello: {} {}, {}; owes {}",
                declaration.name,
                declaration.version,
                operations.join(" "),
                owes.join(" ")
            );
            interpreter.unconfined.iter().for_each(|why| println!("hello: it is not confined: {why}"));
        }
        let core = match Core::for_interpreter(interpreter) {
            Ok(core) => core,
            Err(reason) => {
                println!("{}: WRONG: {reason}", interpreter.id);
                wrong += 1;
                continue;
            }
        };
        let rewrites = declaration.can(Operation::Rewrite);
        let mut pair = Pair::new(&declaration.name, core, Box::new(Reality::new(interpreter, limits.clone())));
        let code = code_object(pair.core().profile());
        for (what, stream) in CASES.into_iter().chain([("a code object", &*code)]) {
            let compared = match pair.compare(stream) {
                Ok(compared) => compared,
                Err(broken) => {
                    println!("{}: {what}: WRONG: {}", interpreter.id, broken.reason);
                    return Ok(1);
                }
            };
            let (is_wrong, line) = told(&compared, rewrites);
            wrong += usize::from(is_wrong);
            println!("{}: {what}: {line}", interpreter.id);
        }
    }
    match wrong {
        0 => println!("nothing is wrong; `cargo provost hunt --adapter {program:?}` asks more"),
        1 => println!("1 answer is wrong"),
        n => println!("{n} answers are wrong"),
    }
    Ok(u8::from(wrong > 0))
}

/// `lambda: None`, as this Python writes it.
fn code_object(profile: &Profile) -> Vec<u8> {
    let text = format!(".python {}\n.bare\n.code f\nLOAD_CONST None\nRETURN_VALUE\n", profile.version);
    text::assemble(&text).unwrap_or_else(|e| unreachable!("these instructions are there in every version: {e}"))
}

/// Whether an answer is wrong, and what to say of it.
fn told(compared: &Compared, rewrites: bool) -> (bool, String) {
    let Compared { observation, verdict, .. } = compared;
    match (verdict, observation) {
        (_, Observation::Faulted(Fault::Worker(interpreters::Fault::Protocol { reason }))) => {
            (true, format!("WRONG: its answer: {reason}"))
        }
        (_, Observation::Faulted(fault)) => (true, format!("WRONG: {fault}")),
        (Verdict::Diverge(divergence), _) => {
            let came = Came::of(observation, verdict);
            let says = repro::excerpt(&divergence.subject);
            (
                true,
                format!(
                    "WRONG ({came}): at {}: CPython says {}; your reader says {says}",
                    divergence.at,
                    repro::excerpt(&divergence.core)
                ),
            )
        }
        (Verdict::Inconclusive(why), Observation::Accepted(_)) => (true, format!("WRONG: {why}")),
        (Verdict::Inconclusive(why), _) => (false, why.clone()),
        (_, Observation::Accepted(_)) if rewrites => (false, "right, and written".into()),
        (_, Observation::Accepted(_)) => (false, "right".into()),
        (_, other) => (false, format!("right: {}", repro::excerpt(&other.to_string()))),
    }
}

/// The commands of the readers that were named.
pub(super) fn commands(named: &[String]) -> Result<Vec<String>> {
    let places = places();
    places.commands(named, &mut |name, reason| eprintln!("{name}: skipped: {reason}")).map_err(|e| anyhow!("{e:#}"))
}

/// Where the adapters are.
pub(super) fn places() -> crate::adapters::Places {
    let installed = super::target_dir().join("adapters");
    crate::adapters::Places { adapters: root().join("adapters"), installed }
}

/// Lists readers, those that come with Provost if none is named: what each declares, or why it cannot be asked. Exit status 2 if
/// one that was named cannot.
pub(super) fn list(named: &[String]) -> Result<u8> {
    let places = places();
    let known = places.known()?;
    let all: Vec<String> = known.iter().map(|one| one.name.clone()).collect();
    let (home, _) = workspace(true);
    let mut failed = 0;
    for name in if named.is_empty() { &all } else { named } {
        println!("{name}");
        if let Some(one) = known.iter().find(|one| one.name == *name) {
            println!("  is      {}", one.about);
        }
        let found =
            match places.commands(std::slice::from_ref(name), &mut |name, why| println!("  {name}: skipped: {why}")) {
                Ok(commands) => adapters(&commands, &home, &Limits::default()),
                Err(e) => {
                    println!("  skipped {e:#}");
                    failed += 1;
                    continue;
                }
            };
        if let Some(declaration) = found.interpreters.first().and_then(Interpreter::declaration) {
            println!("  release {} {}", declaration.name, declaration.version);
            println!("  pythons {}", declaration.pythons.join(" "));
        }
        if let Some(why) = found.interpreters.first().and_then(|one| one.unconfined.as_ref()) {
            println!("  caution it is not wholly confined: {why}");
        }
        found.unusable.iter().for_each(|one| println!("  skipped {}", one.reason));
        failed += found.unusable.len();
    }
    Ok(if failed > 0 && !named.is_empty() { 2 } else { 0 })
}
