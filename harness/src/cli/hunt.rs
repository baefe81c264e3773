//! `provost hunt`: the main job.

pub(super) mod ending;
mod past;

use super::{Discovery, MORE, Search, root, select, target_dir};
use crate::campaign::{self, Member, Message, Plan, Shard};
use crate::comparison::Question;
use crate::corpus::fingerprint;
use crate::expected::Expected;
use crate::generators::{self, Generator};
use crate::matrix;
use crate::progress::{Progress, Totals};
use crate::record::{Recorder, rfc3339};
use crate::repro::shell;
use crate::subjects::Reality;
use crate::subjects::core::Core;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use ending::{finish, tell};
use interpreters::{Interpreter, Limits, Unusable};
use past::Past;
use protocol::CanonMode;
use reports::{Event, Host, Level, Run, Subject};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a hunt takes when nothing else limits it, in minutes.
const MINUTES: f64 = 1.0;

/// Arguments of `hunt`.
#[derive(Debug, Clone, Args)]
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
    /// Sources of the cases, used in turn. `execution` cannot be combined with others. It executes code objects that Provost
    /// made, in confined processes; no other generator executes code
    #[arg(long, value_delimiter = ',', default_value = "stdlib,values,streams,keys,codes,programs,pyc")]
    generators: Vec<Generator>,
    /// The files of this folder are the cases, such as the crashes of a fuzzer, in the place of generators
    #[arg(long, value_name = "DIR", conflicts_with_all = ["generators", "full", "minutes", "cases"])]
    inputs: Option<PathBuf>,
    /// Every file of each standard library at every optimization level; stops when all are done
    #[arg(long)]
    full: bool,
    /// Do only this part of the run, such as 0/4, the first of four; `provost merge` makes one run of all parts
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
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
    /// How often progress is saved while nothing is found. A killed run repeats at most this much when it is resumed
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    save_every: Duration,
    /// How much CPU time an interpreter may use for one case
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    case_cpu: Duration,
    /// How long an interpreter may be idle while an answer is due
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    silence: Duration,
    /// Continue the run in this folder with the options in its log. Only --jobs, --save-every and --cache can be given besides
    #[arg(long, value_name = "RUN", conflicts_with_all = DECIDES)]
    resume: Option<PathBuf>,
    /// Only print the parts of the log's header that tell which work a run does, a line each, as they stand there: who looks for
    /// a run of the same work compares them
    #[arg(long, hide = true, conflicts_with = "resume")]
    print_header: bool,
    #[command(flatten)]
    search: Search,
}

/// The options that decide what a run does, and are in its log.
const DECIDES: [&str; 17] = [
    "inputs",
    "minutes",
    "cases",
    "shard",
    "seed",
    "subject",
    "generators",
    "full",
    "minimize_for",
    "case_cpu",
    "silence",
    "out",
    "python",
    "no_search",
    "driver",
    "plant",
    "adapter",
];

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
        if self.print_header {
            return self.work();
        }
        let past = self.resume.as_deref().map(Past::open).transpose()?;
        match &past {
            Some(run) => run.hunt(self)?.hunt(past),
            None => self.hunt(None),
        }
    }

    /// Prints which work this is.
    fn work(&self) -> Result<u8> {
        let Run { provost_version, generator_version, arguments, corpus, .. } = self.header(&self.plan()?)?;
        let arguments = serde_json::to_string(&arguments)?;
        tell(&format!(
            "\"provost_version\":\"{provost_version}\",\"generator_version\":{generator_version},\n\
             \"arguments\":{arguments},\"corpus\":\"{corpus}\",\n"
        ))?;
        Ok(0)
    }

    /// A new run, or the rest of one.
    fn hunt(&self, past: Option<Past>) -> Result<u8> {
        let mut plan = self.plan()?;
        let header = self.header(&plan)?;
        past.as_ref().map_or(Ok(()), |past| past.check(&header))?;
        let stop = Arc::new(AtomicBool::new(false));
        let pressed = Arc::clone(&stop);
        ctrlc::set_handler(move || {
            if pressed.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("stopping after the current turns; once more to stop at once");
        })?;
        let core_alone = !self.subject.is_empty() && self.subject.iter().all(|id| id.split(':').next() == Some("core"));
        let is_known = past.as_ref().is_some_and(Past::is_begun);
        let needs_none =
            core_alone || self.search.plant.is_some() || past.as_ref().is_some_and(Past::needs_no_interpreter);
        let search = if self.executes() { self.search.of_scripts() } else { self.search.clone() };
        let discovery = if needs_none { Discovery::default() } else { search.run().whole()? };
        let mut selected: Vec<Interpreter> = match &past {
            _ if needs_none => Vec::new(),
            Some(past) if is_known => past.interpreters(&discovery)?,
            _ => select(&discovery.found.interpreters, &self.subject)?.into_iter().cloned().collect(),
        };
        if self.executes() {
            selected = executing(selected)?;
        }
        let mut members = self.members(&selected, core_alone)?;
        let mut recorder = match past {
            None => {
                let out = self.out.clone().unwrap_or_else(|| root().join("reports").join("out"));
                let mut recorder = Recorder::create(&out, plan.seed, plan.shard, &plan.expected)?;
                recorder.write(&Event::Run(header))?;
                recorder
            }
            Some(Past { folder, log, run }) => {
                plan.time = plan.time.map(|time| time.saturating_sub(Duration::from_secs_f64(run.seconds)));
                let mut recorder = Recorder::resume(&folder, log, &run, &plan.expected)?;
                for (_, member) in &mut members {
                    member.before = Some(recorder.before(&run, &member.id)?);
                }
                recorder.note(Level::Info, format!("the run was continued after {:.0} s", run.seconds))?;
                recorder
            }
        };
        if !is_known {
            self.introduce(&members, &selected, &discovery, core_alone, &mut recorder)?;
        }
        let members: Vec<Member> = members.into_iter().map(|(_, member)| member).collect();
        self.campaign(&plan, members, &stop, &mut recorder)
    }

    /// The campaign and its report.
    fn campaign(
        &self,
        plan: &Plan,
        mut members: Vec<Member>,
        stop: &AtomicBool,
        recorder: &mut Recorder,
    ) -> Result<u8> {
        let ids: Vec<String> = members.iter().map(|member| member.id.clone()).collect();
        eprintln!("seed {}, {} subjects: {}", plan.seed, ids.len(), ids.join(" "));
        let compares = members.iter().any(|member| !member.pair.is_alone());
        start_all(&mut members);
        let mut progress = Progress::new(&ids, plan.time);
        campaign::run(plan, members, stop, &mut |message| {
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
        finish(recorder, &ids, compares, stop.load(Ordering::Relaxed), &self.search.arguments())
    }

    /// Writes who takes part, who does not, and what to keep in mind about that.
    fn introduce(
        &self,
        members: &[(Subject, Member)],
        selected: &[Interpreter],
        discovery: &Discovery,
        core_alone: bool,
        recorder: &mut Recorder,
    ) -> Result<()> {
        for interpreter in selected {
            if let Err(reason) = Core::for_interpreter(interpreter) {
                eprintln!("{}: left out: {reason}", interpreter.id);
                recorder.introduce(introduce(interpreter, &Err(reason)))?;
            }
        }
        for (subject, _) in members {
            recorder.introduce(subject.clone())?;
        }
        for unusable in &discovery.found.unusable {
            recorder.write(&Event::Subject(unusable_subject(unusable)))?;
        }
        if let Some(reason) = &discovery.not_built {
            eprintln!("{reason}");
            recorder.note(Level::Warning, reason)?;
        }
        let compares = members.iter().any(|(_, member)| !member.pair.is_alone());
        if !compares && !core_alone {
            let text = "Nothing is compared with a CPython: no interpreter that can be used was found. \
                        pyc-core is checked by the oracles that need none.";
            eprintln!("{text}\n{MORE}");
            recorder.note(Level::Warning, text)?;
            recorder.note(Level::Info, MORE)?;
        }
        // What is executed is loaded, and nothing else is compared of it.
        if compares && !self.executes() {
            recorder.write(&Event::Rules(matrix::rules()))?;
        }
        Ok(())
    }

    /// Whether code objects are executed.
    fn executes(&self) -> bool {
        self.generators.contains(&Generator::Execution) && self.inputs.is_none()
    }

    fn plan(&self) -> Result<Plan> {
        let is_endless = self.cases.is_none() && !self.full && self.inputs.is_none();
        let minutes = self.minutes.or_else(|| is_endless.then_some(MINUTES));
        let time =
            minutes.map(|m| Duration::try_from_secs_f64(m * 60.0).context("--minutes: no such time")).transpose()?;
        let seed = self.seed.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            // Short enough to be read out.
            (u64::from(now.subsec_nanos()) ^ now.as_secs()) & 0xFFFF_FFFF
        });
        let mut generators = self.generators.clone();
        if let Some(folder) = &self.inputs {
            let mut listing = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
            ensure!(listing.next().is_some(), "{} holds no file", folder.display());
            generators = vec![Generator::Streams];
        }
        ensure!(
            !self.executes() || generators.len() == 1,
            "the generator execution stands alone: --generators execution"
        );
        generators.sort();
        generators.dedup();
        if self.full && !generators.contains(&Generator::Stdlib) {
            bail!("--full is about the generator stdlib, which --generators leaves out");
        }
        if self.search.plant.is_some() {
            // A planted fault neither compiles nor imports.
            generators.retain(|g| !matches!(g, Generator::Stdlib | Generator::Programs | Generator::Pyc));
        }
        if !self.search.adapter.is_empty() {
            // A reader does not compile.
            generators.retain(|g| !matches!(g, Generator::Stdlib | Generator::Programs));
        }
        Ok(Plan {
            seed,
            time,
            cases: self.cases,
            shard: self.shard.unwrap_or(Shard::WHOLE),
            generators,
            full: self.full,
            // One that starts needs a processor; were all at work, the slowest would still be starting when the time is up.
            jobs: self.jobs.unwrap_or_else(|| 2 * std::thread::available_parallelism().map_or(1, usize::from)),
            batch: campaign::BATCH,
            save_every: self.save_every,
            minimize_for: self.minimize_for,
            corpus: root().join("corpus"),
            inputs: self.inputs.as_ref().map(std::path::absolute).transpose()?,
            cache: self.cache.clone().unwrap_or_else(|| target_dir().join("provost").join("stdlib")),
            expected: Expected::read(&root().join("corpus").join("expected"))?,
        })
    }

    /// Everything that decides what the run does, spelled out.
    fn arguments(&self, plan: &Plan) -> Vec<String> {
        let generators: Vec<String> = plan.generators.iter().map(ToString::to_string).collect();
        let seconds = |time: Duration| format!("{}s", time.as_secs_f64());
        let mut options = vec![("--seed", plan.seed.to_string())];
        // The one is in the place of the other.
        options.extend(plan.inputs.is_none().then(|| ("--generators", generators.join(","))));
        options.extend(plan.time.map(|time| ("--minutes", (time.as_secs_f64() / 60.0).to_string())));
        options.extend(plan.cases.map(|cases| ("--cases", cases.to_string())));
        options.extend(self.subject.iter().map(|id| ("--subject", id.clone())));
        options.extend(self.shard.map(|shard| ("--shard", shard.to_string())));
        options.extend(plan.inputs.as_ref().map(|folder| ("--inputs", folder.display().to_string())));
        options.push(("--minimize-for", seconds(plan.minimize_for)));
        options.push(("--case-cpu", seconds(self.case_cpu)));
        options.push(("--silence", seconds(self.silence)));
        let mut arguments: Vec<String> =
            options.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect();
        arguments.extend(plan.full.then(|| "--full".to_owned()));
        arguments.extend(self.search.arguments());
        arguments
    }

    fn header(&self, plan: &Plan) -> Result<Run> {
        let arguments = self.arguments(plan);
        let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.,:/".contains(c));
        let quoted = |word: &String| if is_plain(word) { word.clone() } else { shell(word) };
        let words: String = arguments.iter().map(|word| format!(" {}", quoted(word))).collect();
        let corpus = fingerprint(&plan.corpus, plan.inputs.as_deref())?;
        Ok(Run {
            format: reports::FORMAT,
            provost_version: env!("CARGO_PKG_VERSION").into(),
            generator_version: generators::VERSION,
            started: rfc3339(SystemTime::now()),
            command: format!("cargo provost hunt{words}"),
            arguments,
            corpus,
            seed: plan.seed,
            minutes: plan.time.map(|time| time.as_secs_f64() / 60.0),
            cases: plan.cases,
            generators: plan.generators.iter().map(ToString::to_string).collect(),
            shard: self.shard.map(|shard| shard.to_string()),
            parts: Vec::new(),
            host: Host {
                os: std::env::consts::OS.into(),
                arch: std::env::consts::ARCH.into(),
                cpus: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
            },
        })
    }

    /// Those who take part, and how the log introduces them: the interpreters, or the core alone if there is none.
    fn members(&self, selected: &[Interpreter], core_alone: bool) -> Result<Vec<(Subject, Member)>> {
        let as_native = |what: &'static str| move |member: Member| (native(&member, what), member);
        if self.search.plant.is_some() {
            let planted = self.search.subjects(&self.subject)?.into_iter().map(Member::from);
            return Ok(planted.map(as_native("pyc-core with a planted fault")).collect());
        }
        let limits = Limits { case_cpu: self.case_cpu, silence: self.silence, ..Limits::default() };
        let mut members = Vec::new();
        for interpreter in selected {
            let core = Core::for_interpreter(interpreter);
            let subject = introduce(interpreter, &core);
            let Ok(core) = core else { continue };
            let reality = Box::new(Reality::new(interpreter, limits.clone()));
            let mut member = Member::interpreter(&interpreter.id, &interpreter.facts, core, reality);
            if interpreter.declaration().is_some() {
                // It has no standard library.
                member.facts = None;
            }
            members.push((subject, member));
        }
        if members.is_empty() {
            let mut cores: Vec<Member> = Core::all().map(Member::alone).collect();
            if core_alone {
                cores.retain(|member| self.subject.iter().any(|id| id == "core" || *id == member.id));
            }
            if cores.is_empty() {
                bail!(
                    "--subject {} selects nothing; there is core:X.Y for every profile",
                    self.subject.join(" --subject ")
                );
            }
            members.extend(cores.into_iter().map(as_native("pyc-core by itself: oracles that need no interpreter")));
        }
        Ok(members)
    }
}

/// These interpreters with workers that execute code objects; who has none is left out.
pub(super) fn executing(interpreters: Vec<Interpreter>) -> Result<Vec<Interpreter>> {
    let executing = |one: Interpreter| match one.executing() {
        Ok(interpreter) => Some(interpreter),
        Err(why) => {
            eprintln!("{}: left out: {why}", one.id);
            None
        }
    };
    let selected: Vec<Interpreter> = interpreters.into_iter().filter_map(executing).collect();
    ensure!(!selected.is_empty(), "no interpreter can execute anything");
    Ok(selected)
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
