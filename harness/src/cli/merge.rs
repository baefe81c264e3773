//! `provost merge`: one run of several.

use super::hunt::ending::{finish, tell};
use super::root;
use crate::expected::Expected;
use crate::record::Recorder;
use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use reports::{FILE_NAME, Level, Log, RunLog, Verdict};
use std::collections::{BTreeMap, BTreeSet};
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
        let mut given = Vec::new();
        for folder in &self.runs {
            for part in read(folder)? {
                given.push((path(&part.log)?, part));
            }
        }
        let parts: BTreeMap<&String, &Part> = given.iter().rev().map(|(path, part)| (path, part)).collect();
        let runs = parts.iter().map(|(path, part)| ((*path).clone(), part.log.clone())).collect();
        let merged = reports::merge(runs)?;
        let scratch = self.scratch()?;
        let used: Vec<(&String, &Part)> =
            merged.run.parts.iter().filter_map(|part| Some((&part.path, *parts.get(&part.path)?))).collect();
        for (path, part) in &used {
            keep(part, path, &scratch)?;
        }
        let expected = Expected::read(&root().join("corpus").join("expected"))?;
        let mut recorder = Recorder::of(&scratch, &self.out, &merged, &expected)?;
        let used: Vec<&RunLog> = used.into_iter().map(|(_, part)| &part.log).collect();
        let missing = missing(&used);
        for text in &missing {
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
        let was_stopped = |log: &&RunLog| log.end.as_ref().is_some_and(|end| end.interrupted);
        let interrupted = !missing.is_empty() || used.iter().any(was_stopped);
        let compares = compares || merged.run.arguments.iter().any(|argument| argument == "--plant");
        let mut text = format!("{} of {} runs merged\n", used.len(), given.len());
        for part in doubles(&given, &merged) {
            text.push_str(&format!("left out, as another one tells of the same work: {}\n", part.folder.display()));
        }
        tell(&format!("{text}\n"))?;
        let status = finish(&mut recorder, &compared, compares, interrupted, &merged.run.arguments)?;
        // At the end, where it is seen.
        for text in &missing {
            tell(&format!("warning: {text}\n"))?;
        }
        Ok(status)
    }

    /// A folder beside that of the merged run, in which it is made.
    fn scratch(&self) -> Result<PathBuf> {
        let out = self.out.display();
        ensure!(!self.out.join(FILE_NAME).exists(), "{out} holds a run already; name another folder with --out");
        let is_empty = std::fs::read_dir(&self.out).map_or(true, |mut entries| entries.next().is_none());
        ensure!(is_empty, "{out} is not empty; name another folder with --out");
        let whole = std::path::absolute(&self.out).with_context(|| format!("{out} is no folder"))?;
        let name = whole.file_name().ok_or_else(|| anyhow!("{out} cannot be made; name another folder with --out"))?;
        let scratch = whole.with_file_name(format!(".{}.part", name.display()));
        // Of a merge that was killed.
        if scratch.exists() {
            std::fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
        }
        Ok(scratch)
    }
}

/// The runs that were given and add nothing.
fn doubles<'a>(given: &'a [(String, Part)], merged: &RunLog) -> Vec<&'a Part> {
    let mut used: BTreeSet<&str> = merged.run.parts.iter().map(|part| part.path.as_str()).collect();
    given.iter().filter(|(path, _)| !used.remove(path.as_str())).map(|(_, part)| part).collect()
}

/// The runs in a folder: one, or those that it was merged from.
fn read(folder: &Path) -> Result<Vec<Part>> {
    let read = |path: &Path| {
        let what = || format!("{} holds no run to merge; a run is a folder with {FILE_NAME} in it", folder.display());
        reports::read(path).with_context(what)
    };
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
    // Shards of one run have the same arguments but for which shard they are.
    let mut shards: BTreeMap<(Vec<String>, &str, &str), Vec<&str>> = BTreeMap::new();
    for run in parts.iter().map(|log| &log.run) {
        if let Some((index, of)) = run.shard.as_deref().and_then(|shard| shard.split_once('/')) {
            shards.entry((run.whole(), &run.corpus, of)).or_default().push(index);
        }
    }
    for ((arguments, _, of), there) in shards {
        let is_missing = |index: &u64| !there.contains(&index.to_string().as_str());
        let missing: Vec<String> =
            (0..of.parse().unwrap_or(0)).filter(is_missing).map(|index: u64| format!("{index}/{of}")).collect();
        if !missing.is_empty() {
            let (missing, arguments) = (missing.join(", "), arguments.join(" "));
            texts.push(format!("shards of the run are missing: {missing} of hunt {arguments}"));
        }
    }
    texts
}
