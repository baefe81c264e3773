//! Brings both sides of each row together.
//!
//! Whatever cannot be had (an interpreter, a peer that does not build, a crate that cannot be downloaded) costs its own rows
//! and no others: an error becomes a row that says why it was skipped.

use super::contest::{Ours, contest, seconds};
use super::inputs::{Input, mutants, pack};
use super::report::{Figures, Row};
use super::rival::Rival;
use super::{Name, Peer, Race};
use crate::roundtrip::{chosen, roundtrip};
use crate::subjects::core::Core;
use anyhow::{Context, Result, bail};
use interpreters::Interpreter;
use pyc_core::Profile;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Of so many streams, the instructions of one are looked at: `dis` takes half a minute for a tenth of a standard library.
const DIS_STRIDE: usize = 16;

/// A Python that pyc-core is measured as, and itself, if it is there.
#[derive(Debug)]
pub struct Target<'a> {
    /// What the subject is called.
    pub id: String,
    /// The Python that is meant.
    pub profile: Profile,
    /// The interpreter.
    pub interpreter: Option<&'a Interpreter>,
}

/// Makes rows.
#[derive(Debug)]
pub struct Runner {
    /// The folder of this repository.
    pub root: PathBuf,
    /// The folder that cargo builds in.
    pub target_dir: PathBuf,
    /// The folder that keeps compiled standard libraries.
    pub cache: PathBuf,
    /// How many rounds are enough.
    pub rounds: usize,
    peers: BTreeMap<&'static str, Result<PathBuf, String>>,
}

/// What the rows of one input share.
struct Setting<'a> {
    target: &'a Target<'a>,
    input: Input,
    streams: Vec<Vec<u8>>,
    /// Holds the streams for the other sides.
    file: &'a Path,
    /// Which streams pyc-core can be timed on.
    accepted: Vec<bool>,
    interpreter: Result<Rival, String>,
}

impl Setting<'_> {
    /// Our side, on the streams that the other side accepts as well.
    fn ours(&self, theirs: Option<&Rival>) -> (Ours<'_>, Vec<bool>) {
        let theirs = |index: usize| theirs.is_none_or(|rival| rival.accepts[index]);
        let chosen: Vec<bool> = self.accepted.iter().enumerate().map(|(index, &ok)| ok && theirs(index)).collect();
        let streams = self.streams.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(stream, _)| &stream[..]);
        (Ours { profile: &self.target.profile, streams: streams.collect() }, chosen)
    }
}

impl Runner {
    /// One that has built nothing yet.
    #[must_use]
    pub fn new(root: PathBuf, target_dir: PathBuf, cache: PathBuf, rounds: usize) -> Runner {
        Runner { root, target_dir, cache, rounds, peers: BTreeMap::new() }
    }

    /// The rows of one Python, each as soon as it is there.
    ///
    /// # Errors
    /// When a row cannot be shown, or there is no temporary folder.
    pub fn run(&mut self, target: &Target, names: &[Name], mut show: impl FnMut(Row) -> Result<()>) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("streams");
        for input in Input::ALL {
            let races: Vec<Race> = names.iter().filter(|name| name.input == input).map(|name| name.race).collect();
            if races.is_empty() {
                continue;
            }
            let mut setting = match self.setting(target, input, &file, races.iter().any(|race| race.needs_python())) {
                Ok(setting) => setting,
                Err(e) => {
                    let skip = |race: Race| self.skip(target, Name { race, input }, &format!("{e:#}"));
                    races.into_iter().map(skip).try_for_each(&mut show)?;
                    continue;
                }
            };
            for race in races {
                let rows = self.race(race, &mut setting);
                let name = Name { race, input };
                rows.unwrap_or_else(|e| vec![self.skip(target, name, &format!("{e:#}"))])
                    .into_iter()
                    .try_for_each(&mut show)?;
            }
        }
        Ok(())
    }

    fn skip(&self, target: &Target, name: Name, reason: &str) -> Row {
        Row::skipped(name.to_string(), target.id.clone(), self.reference(target, name.race), reason.into())
    }

    fn reference(&self, target: &Target, race: Race) -> String {
        let python = || target.interpreter.map_or("CPython", |interpreter| &interpreter.id);
        match race {
            Race::Read | Race::Load | Race::Memcpy => format!("{} loads", python()),
            Race::Dump => format!("{} dumps", python()),
            Race::Dis => format!("{} get_instructions", python()),
            Race::Preserve | Race::Generate => "memcpy".into(),
            Race::Mutate => "its roundtrip".into(),
            Race::Verify => "its read".into(),
            Race::Memory => "bytes read".into(),
            Race::Peer(peer) => format!("{} {}", peer.package, self.version(peer).unwrap_or_default()),
        }
    }

    /// The version of a peer that bench/peers is locked to.
    fn version(&self, peer: &Peer) -> Option<String> {
        let lock = std::fs::read_to_string(self.root.join("bench/peers/Cargo.lock")).ok()?;
        let lock: toml::Table = lock.parse().ok()?;
        let same = |name: &str| name.replace('_', "-") == peer.package;
        let package = lock["package"].as_array()?.iter().find(|package| package["name"].as_str().is_some_and(same))?;
        Some(package["version"].as_str()?.to_owned())
    }

    fn setting<'a>(
        &self,
        target: &'a Target<'a>,
        input: Input,
        file: &'a Path,
        needs_python: bool,
    ) -> Result<Setting<'a>> {
        let streams = input.streams(&target.profile, target.interpreter, &self.root, &self.cache)?;
        std::fs::write(file, pack(&streams))?;
        let accepted = streams.iter().map(|stream| Ours::accepts(stream, &target.profile)).collect();
        let interpreter = match target.interpreter {
            Some(interpreter) if needs_python => self.python(interpreter, file, streams.len()),
            _ => Err(anyhow::anyhow!("there is no interpreter to compare with")),
        };
        Ok(Setting { target, input, streams, file, accepted, interpreter: interpreter.map_err(|e| format!("{e:#}")) })
    }

    fn python(&self, interpreter: &Interpreter, file: &Path, streams: usize) -> Result<Rival> {
        let script = self.root.join("bench/marshal_loads.py");
        let mut command = interpreter.script(&script).context("it cannot run a script")?;
        command.arg(file);
        Rival::start(command, streams).with_context(|| interpreter.id.clone())
    }

    fn race(&mut self, race: Race, setting: &mut Setting) -> Result<Vec<Row>> {
        match race {
            Race::Memory => self.memory(setting),
            Race::Generate => self.generate(setting),
            Race::Mutate => self.mutate(setting),
            Race::Preserve => {
                let (ours, _) = setting.ours(None);
                let graphs = ours.graphs()?;
                self.timed(race, setting, &ours, || Ours::write(&graphs), || Ok(ours.copy()))
            }
            Race::Verify => self.verify(setting),
            Race::Dis if setting.target.profile.is_python2() => bail!("dis of Python 2.7 has no get_instructions"),
            Race::Peer(peer) => {
                let mut rival = self.peer(peer, setting)?;
                let (ours, chosen) = setting.ours(Some(&rival));
                rival.use_only(&chosen)?;
                self.timed(race, setting, &ours, || ours.read(), || rival.round("load"))
            }
            Race::Read | Race::Load | Race::Memcpy | Race::Dump | Race::Dis => {
                // Taken out, so that the streams can be borrowed beside it.
                let python = std::mem::replace(&mut setting.interpreter, Err("it failed in an earlier row".into()));
                let mut python = python.map_err(anyhow::Error::msg)?;
                let (mut ours, mut chosen) = setting.ours(Some(&python));
                if race == Race::Dis {
                    ours.streams = ours.streams.into_iter().step_by(DIS_STRIDE).collect();
                    for (number, chosen) in chosen.iter_mut().filter(|chosen| **chosen).enumerate() {
                        *chosen = number % DIS_STRIDE == 0;
                    }
                }
                python.use_only(&chosen)?;
                let rows = match race {
                    Race::Read => self.timed(race, setting, &ours, || ours.read(), || python.round("load")),
                    Race::Load => self.timed(race, setting, &ours, || ours.load(), || python.round("load")),
                    Race::Memcpy => self.timed(race, setting, &ours, || ours.copy(), || python.round("load")),
                    Race::Dis => self.dis(setting, &ours, &mut python),
                    _ => {
                        let graphs = ours.graphs()?;
                        let values = ours.loaded(&graphs);
                        self.timed(race, setting, &ours, || ours.dump(&values), || python.round("dump"))
                    }
                }?;
                setting.interpreter = Ok(python);
                Ok(rows)
            }
        }
    }

    /// Looking at all instructions.
    fn dis(&self, setting: &Setting, ours: &Ours, python: &mut Rival) -> Result<Vec<Row>> {
        let graphs = ours.graphs()?;
        let (_, count) = ours.dis(&graphs);
        let mut rows = self.timed(Race::Dis, setting, ours, || ours.dis(&graphs).0, || python.round("dis"))?;
        for row in &mut rows {
            if let Some(Figures::Time { instructions, .. }) = &mut row.figures {
                *instructions = Some(count);
            }
        }
        Ok(rows)
    }

    /// Whether all code objects are safe; the bytes are those of their instructions.
    fn verify(&self, setting: &Setting) -> Result<Vec<Row>> {
        let (ours, _) = setting.ours(None);
        let graphs = ours.graphs()?;
        let (_, length) = ours.verify(&graphs);
        let mut rows = self.timed(Race::Verify, setting, &ours, || ours.verify(&graphs).0, || Ok(ours.read()))?;
        for row in &mut rows {
            if let Some(Figures::Time { bytes, .. }) = &mut row.figures {
                *bytes = length;
            }
        }
        Ok(rows)
    }

    /// Making cases, of which nobody needs to accept any.
    fn generate(&self, setting: &Setting) -> Result<Vec<Row>> {
        let Setting { target, input, streams, .. } = setting;
        let cases = input.made((&target.profile).into());
        let ours = Ours { profile: &target.profile, streams: streams.iter().map(Vec::as_slice).collect() };
        self.timed(Race::Generate, setting, &ours, || Ours::make(&cases), || Ok(ours.copy()))
    }

    /// Making what a fuzzer tries, with trying it.
    fn mutate(&self, setting: &Setting) -> Result<Vec<Row>> {
        let Setting { target, streams, .. } = setting;
        let cores: Vec<Core> = Core::all().collect();
        let made = RefCell::new(Vec::new());
        let ours = Ours { profile: &target.profile, streams: streams.iter().map(Vec::as_slice).collect() };
        let make = || seconds(|| drop(made.replace(mutants(streams, &cores))));
        let try_all = || {
            let mut outcome = Ok(());
            let time = seconds(|| {
                outcome = made.borrow().iter().try_for_each(|one| roundtrip(chosen(&cores, one), one).map(drop))
            });
            outcome.map(|()| time).map_err(anyhow::Error::msg)
        };
        self.timed(Race::Mutate, setting, &ours, make, try_all)
    }

    fn timed(
        &self,
        race: Race,
        setting: &Setting,
        ours: &Ours,
        subject: impl FnMut() -> f64,
        reference: impl FnMut() -> Result<f64>,
    ) -> Result<Vec<Row>> {
        let offered = setting.streams.len();
        if ours.streams.is_empty() {
            bail!("it accepts none of {offered} streams");
        }
        let timing = contest(self.rounds, subject, reference)?;
        let (streams, bytes) = (ours.streams.len(), ours.bytes());
        let figures = Figures::Time { streams, offered, bytes, instructions: None, timing };
        Ok(vec![Row {
            bench: Name { race, input: setting.input }.to_string(),
            subject: if race == Race::Memcpy { "memcpy".into() } else { setting.target.id.clone() },
            reference: self.reference(setting.target, race),
            ratio: Some(timing.ratio()),
            figures: Some(figures),
            skipped: None,
        }])
    }

    /// A peer at work on the streams of this setting; builds it if it was not built yet.
    fn peer(&mut self, peer: &'static Peer, setting: &Setting) -> Result<Rival> {
        let (root, target_dir) = (&self.root, &self.target_dir);
        let built = self.peers.entry(peer.name).or_insert_with(|| build(peer, root, target_dir));
        let program = built.as_ref().map_err(|reason| anyhow::anyhow!("it does not build: {reason}"))?;
        let mut command = Command::new(program);
        command.arg(setting.file).arg(setting.target.profile.version.to_string());
        Rival::start(command, setting.streams.len())
    }

    /// Peaks of allocation, measured by a benchmark of pyc-core in a process of its own: an allocator that counts would
    /// slow down everything else.
    fn memory(&self, setting: &Setting) -> Result<Vec<Row>> {
        let Setting { target, input, .. } = setting;
        let mut command = cargo(&self.root);
        command.args(["bench", "--quiet", "-p", "pyc-core", "--bench", "memory", "--target-dir"]).arg(&self.target_dir);
        command.arg("--").arg(target.profile.release.to_string());
        if *input != Input::Crafted {
            command.arg(setting.file);
        }
        let output = command.output().context("cargo cannot be run")?;
        if !output.status.success() {
            bail!("cargo bench failed: {}", complaint(&output));
        }
        let row = |line: &str| {
            let row = memory_row(line)?;
            let what = if *input == Input::Crafted { row.0 } else { input.name() };
            Some(Row {
                bench: format!("{}/{what}", Race::Memory.name()),
                subject: target.id.clone(),
                reference: self.reference(target, Race::Memory),
                ratio: Some(row.1),
                figures: Some(row.2),
                skipped: None,
            })
        };
        let rows: Option<Vec<Row>> = String::from_utf8_lossy(&output.stdout).lines().map(row).collect();
        rows.context("the benchmark of memory printed something else than numbers")
    }
}

/// A line of pyc-core/benches/memory.rs: what, bytes for each byte, and everything.
fn memory_row(line: &str) -> Option<(&str, f64, Figures)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [what, streams, bytes, allocated, worst, loaded, worst_loaded] = fields[..] else { return None };
    let (streams, bytes, allocated) = (streams.parse().ok()?, bytes.parse().ok()?, allocated.parse().ok()?);
    let (worst, loaded, worst_loaded) = (worst.parse().ok()?, loaded.parse().ok()?, worst_loaded.parse().ok()?);
    let ratio = allocated as f64 / bytes as f64;
    Some((what, ratio, Figures::Memory { streams, bytes, allocated, worst, loaded, worst_loaded }))
}

impl Race {
    fn needs_python(self) -> bool {
        matches!(self, Race::Read | Race::Load | Race::Dump | Race::Memcpy | Race::Dis)
    }
}

fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Builds a peer; the text says why it cannot be.
fn build(peer: &Peer, root: &Path, target_dir: &Path) -> Result<PathBuf, String> {
    eprintln!("building {}", peer.package);
    let target_dir = target_dir.join("peers");
    let mut command = cargo(&root.join("bench").join("peers"));
    // What a crate says of the compiler that it needs is often more than it needs.
    command.args(["build", "--quiet", "--release", "--locked", "--ignore-rust-version"]);
    command.args(["--features", peer.name, "--bin", peer.name, "--target-dir"]).arg(&target_dir);
    if peer.unstable {
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    let output = command.output().map_err(|e| format!("cargo cannot be run: {e}"))?;
    if !output.status.success() {
        return Err(complaint(&output));
    }
    Ok(target_dir.join("release").join(format!("{}{}", peer.name, std::env::consts::EXE_SUFFIX)))
}

/// The line in which cargo says what is wrong.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.starts_with("error")).or_else(|| text.lines().next());
    line.unwrap_or("it says nothing").chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_interpreter_the_rows_that_need_one_are_skipped_with_a_reason() {
        let profile = Profile::all().last().unwrap().clone();
        let target = Target { id: "core:X".into(), profile, interpreter: None };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut runner = Runner::new(root, PathBuf::new(), PathBuf::new(), 1);
        let words = ["read/tiny", "preserve/tiny", "preserve/stdlib"].map(String::from);
        let mut rows = Vec::new();
        let keep = |row| {
            rows.push(row);
            Ok(())
        };
        runner.run(&target, &Name::choose(&words).unwrap(), keep).unwrap();
        let reasons: Vec<_> = rows.iter().map(|row| (&*row.bench, row.skipped.as_deref())).collect();
        let expected = [
            ("preserve/stdlib", Some("there is no interpreter to compile it")),
            ("read/tiny", Some("there is no interpreter to compare with")),
            ("preserve/tiny", None),
        ];
        assert_eq!(reasons, expected);
        assert!(rows[2].ratio.unwrap() > 0.0);
    }

    #[test]
    fn peers_are_named_with_their_versions() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let runner = Runner::new(root, PathBuf::new(), PathBuf::new(), 1);
        for peer in &super::super::PEERS {
            let version = runner.version(peer).unwrap_or_else(|| panic!("no version of {}", peer.name));
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");
        }
    }

    #[test]
    fn lines_about_memory_are_understood() {
        let (what, ratio, _) = memory_row("list of None\t1\t100\t5200\t52.00\t5700\t57.00").unwrap();
        assert_eq!((what, ratio), ("list of None", 52.0));
        for bad in ["", "a\t1\t100\t5200\t52.00\t5700", "a\tb\t100\t5200\t52.00\t5700\t57.00"] {
            assert_eq!(memory_row(bad), None);
        }
    }
}
