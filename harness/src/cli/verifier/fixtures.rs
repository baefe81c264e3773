//! `provost verifier --fixtures`: for each kind of violation a small code object that ends an interpreter.

use super::{Interpreter, Reality, root};
use crate::execution::fixtures::{About, FOLDER, Fixture, name, only, read, reduce, signal};
use crate::execution::{Verified, verify};
use crate::generators::execution::{Base, OF_EACH, program};
use crate::subjects::core::{Core, payload};
use crate::subjects::{Compiled, Subject};
use anyhow::{Result, bail};
use interpreters::Limits;
use pyc_core::bytecode::safety::{Certainty, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// So many mutants of a kind are executed under each interpreter.
const TRIED: usize = 32;

/// Of so many that end the process the smallest is kept.
const REDUCED: usize = 2;

type What = (Kind, Certainty);

/// Makes the fixtures that are not there yet. The newest interpreter that dies has each; debug builds only what no other has.
pub(super) fn write(interpreters: &[(Interpreter, Core)], seed: u64, cases: u64) -> Result<()> {
    let folder = root().join("corpus").join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let mut found: BTreeSet<String> = read(&folder)?.iter().map(Fixture::name).collect();
    let (debug, release): (Vec<_>, Vec<_>) = interpreters.iter().rev().partition(|(_, core)| core.profile().debug);
    for (interpreter, core) in release.into_iter().chain(debug) {
        let mut subject = Reality::new(interpreter, Limits::default());
        for ((kind, certainty), mutants) in mutants(&mut subject, core, seed, cases)? {
            if found.contains(&name(kind.name(), certainty.name())) {
                continue;
            }
            let Some(fixture) = smallest(&mutants, interpreter, core, &mut subject, seed)? else { continue };
            fixture.write(&folder)?;
            println!("{}: {}: {}", fixture.name(), interpreter.id, fixture.about.sentence);
            found.insert(fixture.name());
        }
    }
    Ok(())
}

/// Mutants with their numbers.
type Numbered = Vec<(u64, Vec<u8>)>;

/// Mutants that the verifier refuses for one kind alone.
fn mutants(subject: &mut Reality, core: &Core, seed: u64, cases: u64) -> Result<BTreeMap<What, Numbered>> {
    let mut found: BTreeMap<What, Numbered> = BTreeMap::new();
    let mut donor: Option<Vec<u8>> = None;
    for number in 0..cases.div_ceil(OF_EACH) {
        let stream = match subject.compile(&program(core.target(), seed, number))? {
            Compiled::Pyc(pyc) => payload(&pyc).map_err(anyhow::Error::msg)?,
            other => bail!("program {number} does not compile: {other:?}"),
        };
        let other = donor.replace(stream.clone()).unwrap_or_else(|| stream.clone());
        let base = Base::new(core.target(), stream);
        for index in number * OF_EACH..(number + 1) * OF_EACH {
            let Some(mutant) = base.case(seed, index, &other) else { continue };
            let Some(what) = only(&mutant, core.profile()) else { continue };
            let known = found.entry(what).or_default();
            if known.len() < TRIED {
                known.push((index, mutant));
            }
        }
    }
    Ok(found)
}

/// The smallest of what comes of some mutants that end the process.
fn smallest(
    mutants: &[(u64, Vec<u8>)],
    interpreter: &Interpreter,
    core: &Core,
    subject: &mut Reality,
    seed: u64,
) -> Result<Option<Fixture>> {
    let streams: Vec<Vec<u8>> = mutants.iter().map(|(_, stream)| stream.clone()).collect();
    let endings = subject.execute(&streams)?;
    let dying = mutants.iter().zip(&endings).filter(|(_, ending)| signal(ending).is_some()).take(REDUCED);
    let mut found: Option<Fixture> = None;
    for ((index, mutant), _) in dying {
        let Some((stream, signal)) = reduce(mutant, core.target(), core.profile(), subject)? else { continue };
        if found.as_ref().is_some_and(|known| known.stream.len() <= stream.len()) {
            continue;
        }
        let Verified::Refused(refusal) = verify(&stream, core.profile()) else { continue };
        let first = refusal.first();
        let about = About {
            kind: first.kind.name().into(),
            verdict: first.certainty.name().into(),
            subject: interpreter.id.clone(),
            release: interpreter.facts.implementation_version.clone(),
            signal,
            sentence: refusal.sentence(),
            seed,
            index: *index,
        };
        found = Some(Fixture { stream, about });
    }
    Ok(found)
}
