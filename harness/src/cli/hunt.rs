//! `provost hunt`: the main job.

use super::{Discovery, MORE, Search, root, select, target_dir};
use crate::campaign::{self, Member, Message, Plan};
use crate::comparison::Question;
use crate::expected::Expected;
use crate::generators::{self, Generator};
use crate::matrix;
use crate::progress::{Progress, Totals, table};
use crate::record::{Recorder, rfc3339};
use crate::statistics;
use crate::subjects::Reality;
use crate::subjects::core::Core;
use anyhow::{Context, Result, bail};
use clap::Args;
use interpreters::{Driver, Interpreter, Limits, Unusable};
use protocol::CanonMode;
use reports::{Counts, End, Event, Host, Level, Run, Subject, Verdict};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a hunt takes when nothing else limits it, in minutes.
const MINUTES: f64 = 1.0;

/// How many cases that the model calls undefined a Pyodide is asked: it takes seconds to start again.
const PYODIDE_KILLERS: u32 = 2;

/// How many findings are shown in the terminal; the report has all.
const SHOWN: usize = 10;

/// Arguments of `hunt`.
#[derive(Debug, Args)]
pub(crate) struct Hunt {
    /// Stop after this time [default: 1, unless --cases or --full is given]
    #[arg(long)]
    minutes: Option<f64>,
    /// Stop after this many cases in total, of which each subject gets the same share
    #[arg(long)]
    cases: Option<u64>,
    /// Decides all cases; the same seed and --cases give the same cases again [default: from the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// Only these subjects, such as cpython:3.12, 3.11, 3.14-debug or core (repeatable)
    #[arg(long, value_name = "ID")]
    subject: Vec<String>,
    /// Where the cases come from, in turn
    #[arg(long, value_delimiter = ',', default_value = "stdlib,values,streams,codes,programs,pyc")]
    generators: Vec<Generator>,
    /// Every file of each standard library at every optimization level; stops when all are done
    #[arg(long)]
    full: bool,
    /// How many subjects work at the same time [default: two for each processor]
    #[arg(long)]
    jobs: Option<usize>,
    /// How long each finding may be minimized, such as 30s or 2m; 0 for not at all
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    minimize_for: Duration,
    /// The folder of reports [default: reports/out of the repository]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The folder that keeps compiled standard libraries [default: in the target folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    #[command(flatten)]
    search: Search,
}

/// Starts every worker before the time runs. A Pyodide takes seconds, and minutes once all the others are busy.
fn start_all(members: &mut [Member]) {
    std::thread::scope(|scope| {
        for member in members.iter_mut().filter(|member| !member.pair.is_alone()) {
            // One that fails now fails again in the campaign, which says so.
            scope.spawn(move || drop(member.pair.ask_one(&Question::BARE, b"N", CanonMode::None)));
        }
    });
}

impl Hunt {
    /// Exit status 0 if everything agrees, 1 on a divergence that is not listed, 2 if something is broken.
    pub(crate) fn run(&self) -> Result<u8> {
        let plan = self.plan()?;
        let stop = Arc::new(AtomicBool::new(false));
        let pressed = Arc::clone(&stop);
        ctrlc::set_handler(move || {
            if pressed.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("stopping after the current batches; once more to stop at once");
        })?;
        let core_alone = !self.subject.is_empty() && self.subject.iter().all(|id| id.split(':').next() == Some("core"));
        let needs_none = core_alone || self.search.plant.is_some();
        let discovery = if needs_none { Discovery::default() } else { self.search.run().whole()? };
        let selected = if needs_none { Vec::new() } else { select(&discovery.found.interpreters, &self.subject)? };
        let out = self.out.clone().unwrap_or_else(|| root().join("reports").join("out"));
        let mut recorder = Recorder::create(&out, plan.seed, &plan.expected)?;
        let begin = Instant::now();
        recorder.write(&Event::Run(self.header(&plan)))?;
        let mut members = self.members(&selected, core_alone, &mut recorder)?;
        for unusable in &discovery.found.unusable {
            recorder.write(&Event::Subject(unusable_subject(unusable)))?;
        }
        if let Some(reason) = &discovery.not_built {
            eprintln!("{reason}");
            recorder.note(Level::Warning, reason)?;
        }
        let ids: Vec<String> = members.iter().map(|member| member.id.clone()).collect();
        eprintln!("seed {}, {} subjects: {}", plan.seed, ids.len(), ids.join(" "));
        let compares = members.iter().any(|member| !member.pair.is_alone());
        if !compares && !core_alone {
            let text = "Nothing is compared with a CPython: no interpreter that can be used was found. \
                        pyc-core is checked by the oracles that need none.";
            eprintln!("{text}\n{MORE}");
            recorder.note(Level::Warning, text)?;
            recorder.note(Level::Info, MORE)?;
        }
        if compares {
            recorder.write(&Event::Rules(matrix::rules()))?;
        }
        start_all(&mut members);
        let mut progress = Progress::new(&ids, plan.time);
        campaign::run(&plan, members, &stop, &mut |message| {
            let counted = match &message {
                Message::Counted(counts) => counts.first().map(|c| (c.subject.clone(), Totals::of(counts))),
                _ => None,
            };
            recorder.hear(message)?;
            let counted = counted.as_ref().map(|(id, totals)| (id.as_str(), *totals));
            progress.update(counted, recorder.findings().count(), recorder.unexpected());
            Ok(())
        })?;
        progress.finish();
        let interrupted = stop.load(Ordering::Relaxed);
        let plant = self.plant();
        finish(&mut recorder, &ids, compares, interrupted, begin.elapsed(), &plant)
    }

    fn plan(&self) -> Result<Plan> {
        let minutes = self.minutes.or_else(|| (self.cases.is_none() && !self.full).then_some(MINUTES));
        let time =
            minutes.map(|m| Duration::try_from_secs_f64(m * 60.0).context("--minutes: no such time")).transpose()?;
        let seed = self.seed.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            // Short enough to be read out.
            (u64::from(now.subsec_nanos()) ^ now.as_secs()) & 0xFFFF_FFFF
        });
        let mut generators = self.generators.clone();
        generators.sort();
        generators.dedup();
        if self.full && !generators.contains(&Generator::Stdlib) {
            bail!("--full is about the generator stdlib, which --generators leaves out");
        }
        if self.search.plant.is_some() {
            // A planted fault neither compiles nor imports.
            generators.retain(|g| !matches!(g, Generator::Stdlib | Generator::Programs | Generator::Pyc));
        }
        Ok(Plan {
            seed,
            time,
            cases: self.cases,
            generators,
            full: self.full,
            // One that starts needs a processor; were all at work, the slowest would still be starting when the time is up.
            jobs: self.jobs.unwrap_or_else(|| 2 * std::thread::available_parallelism().map_or(1, usize::from)),
            minimize_for: self.minimize_for,
            corpus: root().join("corpus"),
            cache: self.cache.clone().unwrap_or_else(|| target_dir().join("provost").join("stdlib")),
            expected: Expected::read(&root().join("corpus").join("expected"))?,
        })
    }

    /// The option that plants the same fault again.
    fn plant(&self) -> String {
        self.search.plant.map_or(String::new(), |fault| format!(" --plant {}", fault.name))
    }

    fn header(&self, plan: &Plan) -> Run {
        let generators: Vec<String> = plan.generators.iter().map(ToString::to_string).collect();
        let minutes = plan.time.map(|time| time.as_secs_f64() / 60.0);
        let mut command = format!("cargo provost hunt --seed {} --generators {}", plan.seed, generators.join(","));
        command += &minutes.map_or(String::new(), |minutes| format!(" --minutes {minutes}"));
        command += &plan.cases.map_or(String::new(), |cases| format!(" --cases {cases}"));
        command += if plan.full { " --full" } else { "" };
        command += &self.plant();
        command += &self.subject.iter().map(|id| format!(" --subject {id}")).collect::<String>();
        Run {
            format: reports::FORMAT,
            provost_version: env!("CARGO_PKG_VERSION").into(),
            generator_version: generators::VERSION,
            started: rfc3339(SystemTime::now()),
            command,
            seed: plan.seed,
            minutes,
            cases: plan.cases,
            generators,
            host: Host {
                os: std::env::consts::OS.into(),
                arch: std::env::consts::ARCH.into(),
                cpus: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
            },
        }
    }

    /// Those who take part, each introduced in the log: the interpreters, or the core alone if there is none.
    fn members(&self, selected: &[&Interpreter], core_alone: bool, recorder: &mut Recorder) -> Result<Vec<Member>> {
        let mut members = Vec::new();
        if self.search.plant.is_some() {
            members.extend(self.search.subjects(&self.subject)?.into_iter().map(Member::from));
            for member in &members {
                recorder.write(&Event::Subject(native(member, "pyc-core with a planted fault")))?;
            }
            return Ok(members);
        }
        for interpreter in selected {
            let core = Core::of(&interpreter.facts);
            recorder.introduce(introduce(interpreter, &core))?;
            match core {
                Ok(core) => {
                    let subject = Box::new(Reality::new(interpreter, Limits::default()));
                    let member = Member::interpreter(&interpreter.id, &interpreter.facts, core, subject);
                    let killers = if interpreter.driver == Driver::Pyodide { PYODIDE_KILLERS } else { member.killers };
                    members.push(Member { killers, ..member });
                }
                Err(reason) => eprintln!("{}: left out: {reason}", interpreter.id),
            }
        }
        if members.is_empty() {
            members.extend(Core::all().map(Member::alone));
            if core_alone {
                members.retain(|member| self.subject.iter().any(|id| id == "core" || *id == member.id));
            }
            if members.is_empty() {
                bail!(
                    "--subject {} selects nothing; there is core:X.Y for every profile",
                    self.subject.join(" --subject ")
                );
            }
            for member in &members {
                recorder
                    .write(&Event::Subject(native(member, "pyc-core by itself: oracles that need no interpreter")))?;
            }
        }
        Ok(members)
    }
}

/// A time in seconds, minutes or hours: `30s`, `2m`, `1h`, `0`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("{unit:?} is no unit; write 30s, 2m or 1h")),
    };
    let number: f64 = number.parse().map_err(|_| format!("{number:?} is no number; write 30s, 2m or 1h"))?;
    Duration::try_from_secs_f64(number * seconds).map_err(|e| e.to_string())
}

fn introduce(interpreter: &Interpreter, core: &Result<Core, String>) -> Subject {
    let no_core = core.as_ref().err();
    Subject {
        id: interpreter.id.clone(),
        usable: no_core.is_none(),
        reason: no_core.cloned(),
        advice: no_core.map(|_| "it takes part as soon as pyc-core has a profile for it".into()),
        facts: Some(Box::new(interpreter.facts.clone())),
        driver: Some(interpreter.driver.name().into()),
        driver_reason: interpreter.driver_reason.clone(),
        found_by: Some(interpreter.found_by.clone()),
        start_up_ms: u64::try_from(interpreter.start_up.as_millis()).ok(),
        caution: core.as_ref().ok().and_then(Core::caution),
    }
}

fn unusable_subject(unusable: &Unusable) -> Subject {
    Subject {
        id: unusable.what.clone(),
        usable: false,
        reason: Some(unusable.reason.clone()),
        advice: Some(unusable.advice.clone()),
        facts: None,
        driver: None,
        driver_reason: None,
        found_by: None,
        start_up_ms: None,
        caution: None,
    }
}

/// A subject in this process.
fn native(member: &Member, what: &str) -> Subject {
    Subject {
        id: member.id.clone(),
        usable: true,
        reason: None,
        advice: None,
        facts: None,
        driver: Some("native".into()),
        driver_reason: Some(what.into()),
        found_by: None,
        start_up_ms: None,
        caution: None,
    }
}

/// Writes the end, prints the summary, and gives the exit status.
fn finish(
    recorder: &mut Recorder,
    ids: &[String],
    compares: bool,
    interrupted: bool,
    time: Duration,
    plant: &str,
) -> Result<u8> {
    let silent: Vec<String> = ids.iter().filter(|id| Totals::of(of(recorder, id)).compared == 0).cloned().collect();
    for id in &silent {
        recorder.note(Level::Warning, format!("{id}: nothing was compared; give it more time with --minutes"))?;
    }
    recorder.flush()?;
    let made: Vec<reports::Statistics> = recorder.made().collect();
    let starved: Vec<String> = made
        .iter()
        .filter(|statistics| !statistics.starved.is_empty())
        .map(|s| format!("{}: the generator {} is starved: {}", s.subject, s.generator, s.starved.join("; ")))
        .collect();
    for text in &starved {
        recorder.note(Level::Warning, text)?;
    }
    let unmet: Vec<String> = recorder.unmet().map(ToString::to_string).collect();
    for entry in &unmet {
        recorder.note(Level::Info, format!("listed in corpus/expected and not met in this run: {entry}"))?;
    }
    let broken = recorder.broken().to_vec();
    let (verdict, status) = match (broken.is_empty(), recorder.unexpected(), compares && silent.len() < ids.len()) {
        (false, _, _) => (Verdict::Broken, 2),
        (true, 1.., _) => (Verdict::Diverged, 1),
        (true, 0, true) => (Verdict::Agree, 0),
        (true, 0, false) => (Verdict::NothingCompared, 0),
    };
    let seconds = time.as_secs_f64();
    recorder.write(&Event::End(End { verdict, exit_code: status, interrupted, seconds }))?;
    let report = recorder.render()?;
    print!("{}", summary(recorder, ids));
    if recorder.reached().next().is_some() {
        println!("\n{}", matrix::summary(recorder.reached()));
    }
    let lines = [statistics::summary(&made), starved].concat();
    if !lines.is_empty() {
        println!("\n{}", lines.join("\n"));
    }
    let mut new: Vec<&reports::Finding> = recorder.findings().filter(|finding| finding.is_new()).collect();
    new.sort_by_key(|finding| finding.rank());
    for finding in new.into_iter().take(SHOWN) {
        println!("\n{} ({}x in {})", finding.signature, finding.occurrences, finding.seen_in.join(", "));
        println!("  at {} ({})", finding.first_difference.as_deref().unwrap_or_default(), finding.origin);
        if let Some(original) = finding.original_length {
            let how = if finding.smallest { "minimized" } else { "minimized as far as the time went" };
            println!("  {} bytes, {how} from {original}", finding.case.length);
        }
        if !finding.also.is_empty() {
            println!("  the same cause: {}", finding.also.join("; "));
        }
        let width = finding.observed.subject.len();
        println!("  {:width$}  {}", finding.expected.subject, finding.expected.detail);
        println!("  {}  {}", finding.observed.subject, finding.observed.detail);
        let case = recorder.folder().join(finding.case.path.as_deref().unwrap_or_default());
        println!("  cargo provost replay {}{plant}", case.display());
        finding.caution.iter().for_each(|caution| println!("  {caution}"));
    }
    if !unmet.is_empty() {
        println!("\n{} entries of corpus/expected were not met in this run", unmet.len());
    }
    for (id, caution) in recorder.cautions() {
        println!("\n{id}: {caution}");
    }
    for (id, reason) in &broken {
        println!("\nBROKEN {id}: {reason}");
    }
    for id in &silent {
        println!("\n{id}: nothing was compared");
    }
    println!("\nlog     {}\nreport  {}", recorder.log_path().display(), report.display());
    let known = recorder.findings().filter(|finding| finding.expected_entry.is_some()).count();
    println!(
        "{}{}, {known} more that are expected ({seconds:.0} s)",
        if interrupted { "interrupted; " } else { "" },
        match verdict {
            Verdict::Agree => "all agree".to_owned(),
            Verdict::NothingCompared => "nothing was compared with a CPython; no finding in pyc-core alone".to_owned(),
            Verdict::Broken => format!("broken; {}", findings(recorder.unexpected())),
            Verdict::Diverged => findings(recorder.unexpected()),
        },
    );
    Ok(u8::try_from(status).unwrap_or(2))
}

fn findings(n: usize) -> String {
    format!("{n} finding{}", if n == 1 { "" } else { "s" })
}

fn of<'a>(recorder: &'a Recorder, id: &str) -> Vec<&'a Counts> {
    recorder.counts().filter(|counts| counts.subject == *id).collect()
}

fn summary(recorder: &Recorder, ids: &[String]) -> String {
    let heading = [
        "subject",
        "cases",
        "compared",
        "agreed",
        "expected",
        "diverged",
        "undecided",
        "skipped",
        "faulted",
        "restarts",
        "cases/s",
    ];
    let mut rows = vec![heading.map(String::from).to_vec()];
    let mut sources =
        vec![["compiled", "from", "cases", "identical", "not compiled", "other"].map(String::from).to_vec()];
    for id in ids {
        let counts = of(recorder, id);
        let t = Totals::of(counts.iter().copied());
        let rate = t.cases.saturating_mul(1000) / t.ms.max(1);
        let numbers = [
            t.cases,
            t.compared,
            t.agreed,
            t.expected,
            t.diverged,
            t.inconclusive,
            t.skipped,
            t.faulted,
            t.restarts,
            rate,
        ];
        rows.push(std::iter::once(id.clone()).chain(numbers.iter().map(ToString::to_string)).collect());
        let compiled = |c: &&&Counts| {
            [Generator::Stdlib, Generator::Programs].iter().any(|g| c.generator == g.name()) && c.cases > 0
        };
        for c in counts.iter().filter(compiled) {
            let numbers = [c.cases, c.agreed, c.not_compiled, c.cases - c.agreed - c.not_compiled];
            let who = [id.clone(), c.generator.clone()];
            sources.push(who.into_iter().chain(numbers.iter().map(ToString::to_string)).collect());
        }
    }
    let sources = if sources.len() > 1 { format!("\n{}", table(&sources)) } else { String::new() };
    table(&rows) + &sources
}
