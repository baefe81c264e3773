//! `provost merge`: one run of several.

use super::hunt::ending::finish;
use super::root;
use crate::expected::Expected;
use crate::record::Recorder;
use anyhow::{Context, Result, ensure};
use clap::Args;
use reports::{FILE_NAME, Level, Log, RunLog, Verdict};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder, in that of a merged run, of what it was merged from.
const PARTS: &str = "parts";

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The folders of the runs: shards of one run, runs of several nights or machines, or runs that were merged before
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The folder of the merged run, which must not hold one yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// A run that was made, and where its cases are.
struct Part {
    log: RunLog,
    folder: PathBuf,
}

impl Merge {
    /// The exit status is that of a hunt that had done all of it.
    pub(crate) fn run(&self) -> Result<u8> {
        let mut parts = BTreeMap::new();
        for folder in &self.runs {
            for part in read(folder)? {
                parts.insert(path(&part.log)?, part);
            }
        }
        let runs = parts.iter().map(|(path, part)| (path.clone(), part.log.clone())).collect();
        let merged = reports::merge(runs)?;
        ensure!(
            !self.out.join(FILE_NAME).exists(),
            "{} holds a run already; name another folder with --out",
            self.out.display()
        );
        let used: Vec<(&String, &Part)> =
            merged.run.parts.iter().filter_map(|part| parts.get_key_value(&part.path)).collect();
        for (path, part) in &used {
            keep(part, path, &self.out)?;
        }
        let expected = Expected::read(&root().join("corpus").join("expected"))?;
        let mut recorder = Recorder::of(&self.out, &merged, &expected)?;
        let used: Vec<&RunLog> = used.into_iter().map(|(_, part)| &part.log).collect();
        for text in missing(&used) {
            recorder.sum_up(Level::Warning, text)?;
        }
        for log in &used {
            if log.end.as_ref().is_some_and(|end| end.verdict == Verdict::Broken) {
                recorder.broke(log.run.command.clone(), "a part of the run broke; its notes say why".into());
            }
        }
        let compared: Vec<String> =
            merged.subjects.iter().filter(|subject| subject.usable).map(|subject| subject.id.clone()).collect();
        let compares = merged.subjects.iter().any(|subject| subject.usable && subject.facts.is_some());
        let interrupted = used.iter().any(|log| log.end.as_ref().is_some_and(|end| end.interrupted));
        let plant = merged.run.arguments.iter().skip_while(|argument| *argument != "--plant").nth(1);
        let plant = plant.map_or(String::new(), |fault| format!(" --plant {fault}"));
        let compares = compares || !plant.is_empty();
        println!("{} of {} runs merged\n", used.len(), parts.len());
        finish(&mut recorder, &compared, compares, interrupted, &plant)
    }
}

/// The runs in a folder: one, or those that it was merged from.
fn read(folder: &Path) -> Result<Vec<Part>> {
    let read = |path: &Path| reports::read(path).with_context(|| format!("{}: no run to merge", path.display()));
    let log = read(&folder.join(FILE_NAME))?;
    if log.run.parts.is_empty() {
        return Ok(vec![Part { log, folder: folder.to_owned() }]);
    }
    let part = |part: &reports::Part| Ok(Part { log: read(&folder.join(&part.path))?, folder: folder.to_owned() });
    log.run.parts.iter().map(part).collect()
}

/// The file of a part, in the merged folder: named by what is in it, so that a run that is given twice is one file.
fn path(log: &RunLog) -> Result<String> {
    let mut text = Vec::new();
    for event in log.clone().into_events() {
        serde_json::to_writer(&mut text, &event)?;
    }
    Ok(format!("{PARTS}/{}.jsonl", &crate::case::sha256_hex(&text)[..16]))
}

/// Copies the log and the cases of a part.
fn keep(part: &Part, path: &str, out: &Path) -> Result<()> {
    let failed = |path: &Path| format!("cannot write {}", path.display());
    let path = out.join(path);
    let scratch = path.with_extension("part");
    let mut log = Log::create(&scratch).with_context(|| failed(&scratch))?;
    log.append(&part.log.clone().into_events()).with_context(|| failed(log.path()))?;
    std::fs::rename(log.path(), &path).with_context(|| failed(&path))?;
    std::fs::remove_dir(&scratch).with_context(|| failed(&scratch))?;
    let from = part.folder.join("cases");
    if !from.is_dir() {
        return Ok(());
    }
    let to = out.join("cases");
    std::fs::create_dir_all(&to).with_context(|| failed(&to))?;
    for entry in std::fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))? {
        let (from, to) = (entry?.path(), &to);
        let Some(name) = from.file_name() else { continue };
        let to = to.join(name);
        if !to.exists() {
            let changed = from.metadata()?.modified()?;
            std::fs::copy(&from, &to).with_context(|| failed(&to))?;
            // The time of a source is a part of its .pyc file's case.
            std::fs::File::options().append(true).open(&to)?.set_modified(changed)?;
        }
    }
    Ok(())
}

/// What the merged run does not have: shards that are not there, and parts that came to no end.
fn missing(parts: &[&RunLog]) -> Vec<String> {
    let mut texts = Vec::new();
    for log in parts.iter().filter(|log| log.partial.is_some()) {
        texts.push(format!("a part of the run came to no end, so some of its cases are missing: {}", log.run.command));
    }
    let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for shard in parts.iter().filter_map(|log| log.run.shard.as_deref()) {
        if let Some((index, of)) = shard.split_once('/') {
            shards.entry(of).or_default().push(index);
        }
    }
    for (of, there) in shards {
        let is_missing = |index: &u64| !there.contains(&index.to_string().as_str());
        let missing: Vec<String> =
            (0..of.parse().unwrap_or(0)).filter(is_missing).map(|index: u64| format!("{index}/{of}")).collect();
        if !missing.is_empty() {
            texts.push(format!("shards of the run are missing: {}", missing.join(", ")));
        }
    }
    texts
}
