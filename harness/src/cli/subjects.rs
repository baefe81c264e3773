//! Who takes part in a command: interpreters, or a planted fault in their place.

use super::{Search, select};
use crate::campaign::Member;
use crate::comparison::Pair;
use crate::faults::Fault;
use crate::faults::subject::Planted;
use crate::repro;
use crate::subjects::Reality;
use crate::subjects::core::Core;
use anyhow::{Result, ensure};
use interpreters::Limits;

/// A subject, and the core under its profile.
pub(super) struct Chosen {
    /// `cpython:3.12`
    pub(super) id: String,
    /// `3.12.1`
    pub(super) version: String,
    /// The executable that a person can ask the same.
    pub(super) program: Option<String>,
    /// The command line of an adapter: what answers is a reader of somebody's.
    pub(super) adapter: Option<String>,
    pub(super) pair: Pair,
}

impl From<Chosen> for Member {
    fn from(Chosen { id, version, pair, .. }: Chosen) -> Member {
        Member { id, release: version.clone(), version, pair, facts: None, before: None }
    }
}

impl Search {
    /// The subjects that `ids` select, all of them if there are none. An interpreter whose Python pyc-core has no profile
    /// for is left out, and the reason is printed.
    ///
    /// # Errors
    /// When an interpreter that was named cannot be used, or an id selects nothing.
    pub(super) fn subjects(&self, ids: &[String]) -> Result<Vec<Chosen>> {
        if let Some(fault) = self.plant {
            return planted(fault, ids);
        }
        let discovery = self.run().whole()?;
        let mut chosen = Vec::new();
        for interpreter in select(&discovery.found.interpreters, ids)? {
            match Core::for_interpreter(interpreter) {
                Ok(core) => {
                    let subject = Box::new(Reality::new(interpreter, Limits::default()));
                    let pair = Pair::new(&interpreter.facts.implementation, core, subject);
                    let (id, version) = (interpreter.id.clone(), interpreter.facts.version.clone());
                    let adapter = interpreter
                        .adapter()
                        .map(|words| words.iter().map(|word| repro::shell_path(word)).collect::<Vec<_>>().join(" "));
                    let program = interpreter.executable().map(|path| path.display().to_string());
                    let program = program.filter(|_| adapter.is_none());
                    chosen.push(Chosen { id, version, program, adapter, pair });
                }
                Err(reason) => eprintln!("{}: skipped: {reason}", interpreter.id),
            }
        }
        Ok(chosen)
    }
}

/// A reader that is wrong in one way, under each of its versions: `planted:3.12`.
fn planted(fault: &'static Fault, ids: &[String]) -> Result<Vec<Chosen>> {
    let cores = Core::all().filter(|core| fault.concerns(core.profile()));
    let of = |core: Core| {
        let version = core.profile().version.to_string();
        let pair = Pair::new(Planted::FAMILY, core.clone(), Box::new(Planted::new(fault, core)));
        Chosen { id: format!("{}:{version}", Planted::FAMILY), version, program: None, adapter: None, pair }
    };
    let mut chosen: Vec<Chosen> = cores.map(of).collect();
    let all: Vec<String> = chosen.iter().map(|one| one.id.clone()).collect();
    chosen.retain(|one| ids.is_empty() || ids.iter().any(|id| *id == one.id || *id == one.version));
    ensure!(!chosen.is_empty(), "--subject {} selects nothing; there are: {}", ids.join(" --subject "), all.join(", "));
    Ok(chosen)
}

/// The fault with this name.
pub(super) fn fault(name: &str) -> Result<&'static Fault, String> {
    let found = Fault::all().find(|fault| fault.name == name);
    found.ok_or_else(|| "no planted fault has this name; docs/FAULTS.md lists them".to_owned())
}
