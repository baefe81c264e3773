//! `provost doctor`: which interpreters there are, and whether they really answer.

use super::{Discovery, MORE, Search};
use crate::observation::{Accepted, Canon, Observation};
use crate::subjects::core::{Core, payload};
use crate::subjects::{Compiled, Reality, Subject};
use anyhow::Result;
use clap::Args;
use interpreters::{Confinement, Found, Interpreter, Limits};
use protocol::{CanonMode, Compile, Load};
use serde::Serialize;
use std::io::Write;
use std::time::Instant;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    search: Search,
    /// Everything as one JSON object
    #[arg(long)]
    json: bool,
    /// List the readers that come with Provost. Readers that are not installed are downloaded and installed first
    #[arg(long)]
    adapters: bool,
}

/// A short conversation: compile a line, load what came out, look at it, dump it.
#[derive(Debug, Serialize)]
struct Smoke {
    ok: bool,
    ms: u128,
    /// What went wrong; else what pyc-core says of the same stream.
    says: String,
}

#[derive(Serialize)]
struct Patient<'a> {
    #[serde(flatten)]
    interpreter: &'a Interpreter,
    smoke: Smoke,
    /// What to keep in mind about what it will be compared with.
    caution: Option<String>,
}

#[derive(Serialize)]
struct Diagnosis<'a> {
    interpreters: Vec<Patient<'a>>,
    unusable: &'a [interpreters::Unusable],
    embedded_worker: &'a str,
    confinement: Confinement,
    more: &'a str,
}

impl Doctor {
    /// Exit status 2 if an interpreter that was found does not answer, or one that was named cannot be used.
    pub(crate) fn run(&self) -> Result<u8> {
        if self.adapters || !self.search.adapter.is_empty() {
            return super::adapter::list(&self.search.adapter);
        }
        let discovery = self.search.run();
        let Discovery { found: Found { interpreters, unusable, confinement }, not_built } = &discovery;
        let examine = |interpreter| Patient { interpreter, smoke: smoke(interpreter), caution: caution(interpreter) };
        let patients: Vec<Patient> = interpreters.iter().map(examine).collect();
        let healthy = patients.iter().all(|patient| patient.smoke.ok);
        let mut out = std::io::stdout().lock();
        let embedded_worker = not_built.as_deref().unwrap_or("built");
        if self.json {
            let confinement = *confinement;
            let diagnosis = Diagnosis { interpreters: patients, unusable, embedded_worker, confinement, more: MORE };
            serde_json::to_writer_pretty(&mut out, &diagnosis)?;
            writeln!(out)?;
        } else {
            writeln!(out, "embedded worker: {embedded_worker}")?;
            writeln!(out, "confinement: {}\n", confined(*confinement))?;
            patients.iter().try_for_each(|patient| show(&mut out, patient))?;
            if patients.is_empty() {
                writeln!(
                    out,
                    "No interpreter that can be used was found. `provost hunt` then checks pyc-core by itself.\n"
                )?;
            }
            for one in unusable {
                writeln!(out, "not usable: {}\n  why  {}\n  do   {}\n", one.what, one.reason, one.advice)?;
            }
            writeln!(out, "{MORE}")?;
        }
        Ok(if healthy && discovery.missed().next().is_none() { 0 } else { 2 })
    }
}

fn show(out: &mut impl Write, patient: &Patient) -> Result<()> {
    let Patient { interpreter, smoke, caution } = patient;
    let Interpreter { id, facts, driver, driver_reason, found_by, path, start_up, unconfined, .. } = interpreter;
    let debug = if facts.debug { ", debug build" } else { "" };
    let gil = if facts.gil { "GIL" } else { "no GIL" };
    let (version, bits, magic) = (&facts.version, facts.pointer_bits, &facts.magic);
    writeln!(out, "{id}")?;
    writeln!(out, "  is      {} {version}, {bits} bit, {gil}{debug}, {}", facts.implementation, facts.platform)?;
    writeln!(out, "  formats magic {} ({magic}), marshal version {}", magic_number(magic), facts.marshal_version)?;
    let why = driver_reason.as_ref().map_or(String::new(), |why| format!(" ({why})"));
    writeln!(out, "  driver  {}{why}, starts in {} ms", driver.name(), start_up.as_millis())?;
    writeln!(out, "  found   {} (by: {found_by})", path.display())?;
    unconfined.iter().try_for_each(|why| writeln!(out, "  caution its worker is not wholly confined: {why}"))?;
    let verdict = if smoke.ok { "answers" } else { "DOES NOT ANSWER" };
    writeln!(out, "  smoke   {verdict} in {} ms: {}", smoke.ms, smoke.says)?;
    caution.iter().try_for_each(|caution| writeln!(out, "  caution {caution}"))?;
    writeln!(out)?;
    Ok(())
}

/// What this machine keeps workers from, and what not.
fn confined(confinement: Confinement) -> String {
    let Confinement { files, signals, network, privileges } = confinement;
    let can = [
        (files, "write files"),
        (network, "use the network"),
        (signals, "signal other processes"),
        (privileges, "gain privileges"),
    ];
    let those = |refused: bool| can.iter().filter(|(is, _)| *is == refused).map(|(_, what)| *what).collect::<Vec<_>>();
    match (those(true).join(", "), those(false).join(", ")) {
        (none, _) if none.is_empty() => {
            "workers can do what you can; this kernel offers no means, or host is not built".into()
        }
        (all, none) if none.is_empty() => format!("workers cannot {all}"),
        (some, others) => format!("workers cannot {some}; this kernel does not keep them from: {others}"),
    }
}

/// The first two bytes of a magic number's eight hexadecimal digits as a number.
fn magic_number(digits: &str) -> String {
    let byte = |at: usize| digits.get(at..at + 2).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    byte(0).zip(byte(2)).map_or_else(|| "?".into(), |(low, high)| (low | high << 8).to_string())
}

fn caution(interpreter: &Interpreter) -> Option<String> {
    Core::of(&interpreter.facts).ok()?.caution()
}

fn smoke(interpreter: &Interpreter) -> Smoke {
    let begin = Instant::now();
    let result = converse(interpreter);
    let ms = begin.elapsed().as_millis();
    match result {
        Ok(says) => Smoke { ok: true, ms, says },
        Err(says) => Smoke { ok: false, ms, says },
    }
}

/// A value without a code object: `{None: [1, 2.5, 'ab', (b'x',)]}`.
const SMOKE: &[u8] = b"{N[\x04\0\0\0i\x01\0\0\0g\0\0\0\0\0\0\x04@\xda\x02ab)\x01s\x01\0\0\0x0";

fn converse(interpreter: &Interpreter) -> Result<String, String> {
    let core = Core::of(&interpreter.facts);
    let mut subject = Reality::new(interpreter, Limits::default());
    let compile = Compile { source: b"x = 1\n".to_vec(), filename: "smoke.py".into(), optimize: 0 };
    let stream = match subject.compile(&compile).map_err(|e| e.to_string())? {
        // Code objects that are not CPython's are outside of what is compared.
        Compiled::Pyc(_) if core.as_ref().is_ok_and(|core| !core.is_model()) => SMOKE.to_vec(),
        Compiled::Pyc(pyc) => payload(&pyc)?,
        Compiled::Refused(e) => return Err(format!("it does not compile `x = 1`: {}: {}", e.class, e.message)),
        Compiled::Faulted(reason) => return Err(reason),
    };
    let versions = vec![interpreter.facts.marshal_version];
    let load = Load { canon: CanonMode::Text, consumed: true, versions, cases: vec![stream.clone()] };
    let observations = subject.load(&load).map_err(|e| e.to_string())?;
    let Some(Observation::Accepted(accepted)) = observations.first() else {
        return Err(format!("it does not load what it has compiled: {observations:?}"));
    };
    let Canon::Text(canon) = &accepted.canon else { return Err(format!("no canon: {:?}", accepted.canon)) };
    let lines = canon.lines().count();
    let core = match core {
        Err(reason) => return Ok(format!("{lines} lines of canon; not compared: {reason}")),
        Ok(core) => core,
    };
    Ok(match core.predict(&stream).observation {
        Observation::Accepted(Accepted { canon: Canon::Text(predicted), .. }) if predicted == *canon => {
            format!("{lines} lines of canon, as pyc-core predicts")
        }
        _ => format!("{lines} lines of canon, NOT as pyc-core predicts"),
    })
}
