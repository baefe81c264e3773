//! What a hunt costs, and where the time goes.
//!
//! Each generator hunts alone with each interpreter, with the campaign that `provost hunt` runs. What the worker is asked is written
//! down, and given to that interpreter once more, in a loop that does nothing else: the difference is what asking costs.

use crate::campaign::{self, BATCH, Member, Message, Plan, Shard};
use crate::comparison::Question;
use crate::expected::Expected;
use crate::generators::Generator;
use crate::observation::Observation;
use crate::progress;
use crate::subjects::core::Core;
use crate::subjects::{Broken, Compiled, Reality, Subject};
use anyhow::{Context, Result, anyhow};
use interpreters::{Driver, Interpreter, Limits};
use protocol::{CanonMode, Compile, Import, Load};
use reports::Counts;
use serde::Serialize;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many cases do not count: starting, the corpus, and what ends processes. And how many count.
const fn cases(generator: Generator) -> (u64, u64) {
    match generator {
        Generator::Stdlib => (8, 48),
        Generator::Programs => (16, 160),
        _ => (2048, 4096),
    }
}

/// How often the loop goes over the cases.
const ROUNDS: u32 = 3;

/// /proc counts in hundredths of a second, so predictions are repeated until they took so long.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

const NO_PROC: &str = "the CPU time of processes is not known without a /proc";

/// How long the hunt with all interpreters takes.
const HUNT: Duration = Duration::from_secs(30);

/// How often it is written down what came of it, as `provost hunt` does.
const SAVE_EVERY: Duration = Duration::from_secs(15);

/// What one generator's cases cost with one interpreter. Times are CPU time for each verdict, in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The interpreter.
    pub subject: String,
    /// How it is talked to.
    pub driver: &'static str,
    /// The generator.
    pub generator: &'static str,
    /// Cases that were compared.
    pub verdicts: u64,
    /// How many in a second, of one subject by itself.
    pub per_second: f64,
    /// Of the worker.
    pub worker_us: f64,
    /// Of the interpreter in a loop that does what the worker was asked for and nothing else.
    pub loop_us: f64,
    /// Of the program that hunts, all of it.
    pub harness_us: f64,
    /// Of the core's predictions.
    pub core_us: f64,
    /// The share of the loop's time that the costliest hundredth of what was asked takes.
    pub costliest: f64,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let us = |number: f64| format!("{number:.0}");
        let text = |text: &str| text.to_owned();
        let shares = [self.loop_us / self.worker_us, self.costliest].map(|share| format!("{:.0} %", 100.0 * share));
        let [part, costliest] = shares;
        let numbers = [self.per_second, self.worker_us, self.loop_us].map(us);
        let mut cells = vec![text(self.generator), self.subject.clone(), text(self.driver)];
        cells.extend(numbers);
        cells.extend([part, us(self.harness_us), us(self.core_us), costliest]);
        cells
    }
}

/// What came of a hunt with all interpreters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Whole {
    /// How many interpreters took part.
    pub subjects: usize,
    /// How many processors there are.
    pub cpus: usize,
    /// By the clock.
    pub seconds: f64,
    /// Cases that were compared.
    pub verdicts: u64,
    /// CPU time of the hunt and its workers, in seconds.
    pub cpu_seconds: f64,
    /// How much of the processors' time that nobody else used was used.
    pub busy: f64,
    /// Rules that were reached, each with each interpreter.
    pub rules: u64,
}

impl Whole {
    fn line(&self) -> String {
        let Whole { subjects, cpus, seconds, verdicts, cpu_seconds, busy, rules } = self;
        format!(
            "{subjects} interpreters on {cpus} processors: {verdicts} verdicts in {seconds:.0} s, {:.0} a second; {:.0} us of CPU \
             time each; {:.0} % of the time of the processors that nobody else used; {rules} rules reached, {:.0} a second\n",
            *verdicts as f64 / seconds,
            1e6 * cpu_seconds / *verdicts as f64,
            100.0 * busy,
            *rules as f64 / seconds,
        )
    }
}

/// A minute of `hunt --seed 1` of this program, beside the same of another build of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Beside {
    /// What the other is called.
    pub other: String,
    /// Verdicts a second of both: this one's first.
    pub per_second: [f64; 2],
    /// CPU time for each verdict of both, in microseconds.
    pub cpu_us: [f64; 2],
}

impl Beside {
    fn line(&self) -> String {
        let Beside { other, per_second: [ours, theirs], cpu_us: [our_us, their_us] } = self;
        format!(
            "`provost hunt --seed 1` over the same interpreters for a minute each: {ours:.0} verdicts a second, at {other} \
             {theirs:.0}: {:.2} times as many; {our_us:.0} us of CPU time each, at {other} {their_us:.0}: {:.2} times less\n",
            ours / theirs,
            their_us / our_us
        )
    }
}

/// The heading of the table.
const HEADING: [&str; 10] = [
    "generator",
    "subject",
    "driver",
    "verdicts/s",
    "worker us",
    "loop us",
    "loop/worker",
    "harness us",
    "of it core us",
    "costliest 1 %",
];

/// The rows for a terminal.
#[must_use]
pub fn table(rows: &[Row], whole: &Whole, beside: Option<&Beside>) -> String {
    let heading = [HEADING.map(String::from).to_vec()];
    let lines: Vec<Vec<String>> = heading.into_iter().chain(rows.iter().map(Row::cells)).collect();
    let beside = beside.map(Beside::line).unwrap_or_default();
    format!("{}\n{}{beside}", progress::table(&lines), whole.line())
}

/// The section of docs/PERFORMANCE.md.
#[must_use]
pub fn section(rows: &[Row], whole: &Whole, beside: Option<&Beside>, made: &str) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rows: String = rows.iter().map(|row| line(row.cells())).collect();
    let heading = line(HEADING.map(String::from).to_vec());
    let beside = beside.map(|beside| format!("\n{}", beside.line())).unwrap_or_default();
    format!("{HOW}\n{made}\n\n{heading}|---|---|---|{}\n{rows}\n{}{beside}", "--:|".repeat(7), whole.line())
}

/// Where the section begins.
pub const TITLE: &str = "## A hunt\n";

const HOW: &str = "\
## A hunt

`cargo provost bench --only campaign` measures this table and replaces this section. Each generator hunts alone with each
interpreter, one subject at a time, as `provost hunt` does; after 2048 cases (16 programs, 8 files), 4096 are measured (160
programs, 48 files). Times are microseconds of CPU for each verdict, so another program on the machine changes little;
verdicts a second are by the clock.

| column | what it is |
|---|---|
| worker us | CPU time of the worker's process |
| loop us | that of `bench/campaign_loop.py`, in the same interpreter, over all that the worker was asked: a load, and for each marshal version asked a load and a dump; sources are compiled. The worker also prints the canon, looks where the value ends, and talks; headers of .pyc files are not in the loop |
| harness us | CPU time of the program that hunts: making cases, predicting, comparing, counting |
| of it core us | the predictions by themselves |
| costliest 1 % | the part of the loop's time that one in a hundred of what was asked takes |

The last line is a hunt with all of them. What it used of the processors is compared with that and what was left idle.
";

/// Makes the rows.
#[derive(Debug)]
pub struct Runner<'a> {
    /// The folder of this repository.
    pub root: &'a Path,
    /// The folder that keeps compiled standard libraries.
    pub cache: PathBuf,
}

impl Runner<'_> {
    /// The rows of one interpreter; `script` is the same one, driven by a script.
    ///
    /// # Errors
    /// When it cannot be asked, or there is no /proc.
    pub fn rows(&self, interpreter: &Interpreter, script: &Interpreter) -> Result<Vec<Row>> {
        let core = Core::of(&interpreter.facts).map_err(|e| anyhow!(e))?;
        let generators = [
            Generator::Values,
            Generator::Streams,
            Generator::Keys,
            Generator::Codes,
            Generator::Pyc,
            Generator::Programs,
            Generator::Stdlib,
        ];
        generators.into_iter().map(|generator| self.row(interpreter, script, &core, generator)).collect()
    }

    fn row(&self, interpreter: &Interpreter, script: &Interpreter, core: &Core, generator: Generator) -> Result<Row> {
        let (free, measured) = cases(generator);
        let asked = Arc::new(Asked::default());
        let reality = Reality::new(interpreter, Limits::default());
        let subject = Box::new(Recording { inner: Box::new(reality), asked: Arc::clone(&asked) });
        let member = Member::interpreter(&interpreter.id, &interpreter.facts, core.clone(), subject);
        // What was saved is what a turn came to, and nothing happens meanwhile.
        let save_every = Duration::ZERO;
        // A .pyc file that is refused is one case in place of two.
        let plan = Plan { cases: Some(free + 2 * measured), save_every, ..self.plan(vec![generator], 1) };
        let mut start: Option<Moment> = None;
        let mut end: Option<Moment> = None;
        hunt(&plan, vec![member], &mut |counts, _| {
            // Looking takes time, too.
            let cases = counts.values().map(|counts| counts.cases).sum::<u64>();
            if start.is_none() && cases >= free {
                asked.on.store(true, Ordering::Relaxed);
                start = Some(Moment::now(counts)?);
            } else if cases >= free + measured {
                end = Some(Moment::now(counts)?);
            }
            Ok(())
        })?;
        let (start, end) = start.zip(end).context("the hunt ended before it was measured")?;
        let mut asked = std::mem::take(&mut *asked.all.lock().unwrap_or_else(PoisonError::into_inner));
        // Few are asked that end the process, and the loop has only one.
        asked.retain(|ask| !ask.is_undefined(core));
        let verdicts = end.verdicts - start.verdicts;
        let each = |time: Duration| 1e6 * time.as_secs_f64() / verdicts.max(1) as f64;
        let (looped, costliest) =
            self.looped(script, &asked).with_context(|| format!("{}, {}", interpreter.id, generator.name()))?;
        Ok(Row {
            subject: interpreter.id.clone(),
            driver: interpreter.driver.name(),
            generator: generator.name(),
            verdicts,
            per_second: verdicts as f64 / (end.at - start.at).as_secs_f64(),
            worker_us: each(end.workers - start.workers),
            loop_us: each(looped),
            harness_us: each(end.own - start.own),
            core_us: each(predicted(core, &asked)?),
            costliest,
        })
    }

    /// CPU time of a loop in the interpreter over what was asked, and the part of the costliest hundredth.
    fn looped(&self, script: &Interpreter, asked: &[Ask]) -> Result<(Duration, f64)> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("asked");
        std::fs::write(&file, asked.iter().flat_map(Ask::pack).collect::<Vec<u8>>())?;
        let program = self.root.join("bench/campaign_loop.py");
        let mut command = script.script(&program).context("it cannot run a script")?;
        let output = command.arg(&file).arg(ROUNDS.to_string()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers: Option<Vec<f64>> = text.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[seconds, costliest]) => Ok((Duration::from_secs_f64(seconds), costliest)),
            _ => {
                Err(anyhow!("the loop said {text:?} ({}): {}", output.status, String::from_utf8_lossy(&output.stderr)))
            }
        }
    }

    /// A hunt with all of them.
    ///
    /// # Errors
    /// When one cannot be asked, or there is no /proc.
    pub fn whole(&self, interpreters: &[&Interpreter]) -> Result<Whole> {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let mut members = Vec::new();
        for interpreter in interpreters {
            let core = Core::of(&interpreter.facts).map_err(|e| anyhow!(e))?;
            let reality = Box::new(Reality::new(interpreter, Limits::default()));
            let mut member = Member::interpreter(&interpreter.id, &interpreter.facts, core, reality);
            member.pair.ask_one(&Question::BARE, b"N", CanonMode::None)?;
            members.push(member);
        }
        let subjects = members.len();
        let plan = Plan { time: Some(HUNT), ..self.plan(Generator::ALL.to_vec(), 2 * cpus) };
        let (start, idle) = (Moment::now(&BTreeMap::new())?, idle()?);
        let mut numbers = Numbers::new();
        let mut rules: BTreeMap<String, u64> = BTreeMap::new();
        hunt(&plan, members, &mut |counts, reached| {
            if let Some(reached) = reached {
                let did = reached.cases.iter().flatten().filter(|&&cases| cases > 0).count();
                rules.insert(reached.subject.clone(), did as u64);
            }
            numbers.clone_from(counts);
            Ok(())
        })?;
        let end = Moment::now(&numbers)?;
        let cpu = (end.own - start.own) + (end.workers - start.workers);
        let unused = self::idle()?.saturating_sub(idle);
        Ok(Whole {
            subjects,
            cpus,
            seconds: (end.at - start.at).as_secs_f64(),
            verdicts: end.verdicts,
            cpu_seconds: cpu.as_secs_f64(),
            busy: cpu.as_secs_f64() / (cpu + unused).as_secs_f64(),
            rules: rules.values().sum(),
        })
    }

    /// A minute of another build of this program, and one of this one, over the same interpreters.
    ///
    /// # Errors
    /// When one does not hunt.
    pub fn beside(&self, other: &Path, name: &str, interpreters: &[&Interpreter]) -> Result<Beside> {
        let minute = |program: &Path| -> Result<[f64; 2]> {
            let folder = tempfile::tempdir()?;
            let mut command = Command::new(program);
            command.args(["hunt", "--seed", "1", "--minutes", "1", "--no-pyodide", "--out"]).arg(folder.path());
            command.args(interpreters.iter().flat_map(|one| ["--subject", &one.id]));
            let workers = || cpu_times().map(|times| times.1).context(NO_PROC);
            let before = workers()?;
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
            let cpu = workers()?.saturating_sub(before);
            let run = std::fs::read_dir(folder.path())?.next().with_context(|| format!("no run: {status}"))??;
            let (verdicts, seconds) = told(&std::fs::read_to_string(run.path().join("run.jsonl"))?)?;
            Ok([verdicts / seconds, 1e6 * cpu.as_secs_f64() / verdicts])
        };
        let theirs = minute(other).with_context(|| other.display().to_string())?;
        let ours = minute(&std::env::current_exe()?)?;
        let [per_second, cpu_us] = [0, 1].map(|figure| [ours[figure], theirs[figure]]);
        Ok(Beside { other: name.into(), per_second, cpu_us })
    }

    fn plan(&self, generators: Vec<Generator>, jobs: usize) -> Plan {
        Plan {
            seed: 1,
            time: None,
            cases: None,
            shard: Shard::WHOLE,
            generators,
            full: false,
            jobs,
            batch: BATCH,
            save_every: SAVE_EVERY,
            minimize_for: Duration::ZERO,
            corpus: self.root.join("corpus"),
            inputs: None,
            cache: self.cache.clone(),
            expected: Expected::default(),
        }
    }
}

/// How many verdicts a log has, and how many seconds it took. The log of an older build may have another format.
fn told(log: &str) -> Result<(f64, f64)> {
    let mut compared = BTreeMap::new();
    let mut seconds = None;
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        match event["event"].as_str() {
            Some("counts") => {
                let key = [&event["subject"], &event["generator"]].map(ToString::to_string);
                compared.insert(key, event["compared"].as_f64().unwrap_or(0.0));
            }
            Some("end") => seconds = event["seconds"].as_f64(),
            _ => {}
        }
    }
    Ok((compared.values().sum(), seconds.context("the log has no end")?))
}

/// The numbers of each subject and generator.
type Numbers = BTreeMap<(String, String), Counts>;

/// Hunts; `hear` is called after each turn of a subject, which waits, with all numbers and its column of the matrix.
fn hunt(
    plan: &Plan,
    members: Vec<Member>,
    hear: &mut dyn FnMut(&Numbers, Option<reports::Reached>) -> Result<()>,
) -> Result<()> {
    let mut numbers = Numbers::new();
    campaign::run(plan, members, &AtomicBool::new(false), &mut |message| {
        match message {
            Message::Save(turns, saved) => {
                for counts in turns.counts {
                    numbers.insert((counts.subject.clone(), counts.generator.clone()), counts);
                }
                hear(&numbers, turns.reached)?;
                // It listens until it is answered.
                let _ = saved.send(());
            }
            Message::Broke(id, why) => return Err(anyhow!("{id}: {why}")),
            _ => {}
        }
        Ok(())
    })
}

/// How far a hunt is, and what it took.
struct Moment {
    at: Instant,
    verdicts: u64,
    own: Duration,
    workers: Duration,
}

impl Moment {
    fn now(numbers: &Numbers) -> Result<Moment> {
        let sum = |of: fn(&Counts) -> u64| numbers.values().map(of).sum();
        let (own, workers) = cpu_times().context(NO_PROC)?;
        Ok(Moment { at: Instant::now(), verdicts: sum(|c| c.compared), own, workers })
    }
}

/// How many ticks /proc counts in a second, on every Linux.
const TICKS: u32 = 100;

fn ticks(number: u64) -> Duration {
    Duration::from_secs(number) / TICKS
}

/// CPU times of this process, and of its children: those that run and those that ended.
fn cpu_times() -> Option<(Duration, Duration)> {
    let own = times_of(&std::fs::read_to_string("/proc/self/stat").ok()?)?;
    let id = u64::from(std::process::id());
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let stats = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let children: u64 = stats.filter_map(|stat| times_of(&stat)).filter(|times| times[0] == id).map(|t| t[1]).sum();
    Some((ticks(own[1]), ticks(own[2] + children)))
}

/// The parent, the time, and the time of children that ended, in ticks, from a /proc/PID/stat.
fn times_of(stat: &str) -> Option<[u64; 3]> {
    // The second field is the name in parentheses, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some([number(1)?, number(11)? + number(12)?, number(13)? + number(14)?])
}

/// For how long all processors together had nothing to do since the machine started.
fn idle() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let all = stat.lines().next().unwrap_or_default();
    let number = |index: usize| all.split_ascii_whitespace().nth(index)?.parse::<u64>().ok();
    let idle = number(4).zip(number(5)).context("/proc/stat does not tell how long nothing was done")?;
    Ok(ticks(idle.0 + idle.1))
}

/// CPU time of the predictions.
fn predicted(core: &Core, asked: &[Ask]) -> Result<Duration> {
    let begin = own_time()?;
    for rounds in 1.. {
        for ask in asked {
            if let Ask::Load { question, stream } = ask {
                black_box(core.predict_about(black_box(stream), question));
            }
        }
        let taken = own_time()?.saturating_sub(begin);
        if taken >= LONG_ENOUGH || asked.is_empty() {
            return Ok(taken / rounds);
        }
    }
    Ok(Duration::ZERO)
}

fn own_time() -> Result<Duration> {
    Ok(cpu_times().context(NO_PROC)?.0)
}

/// Something that a worker was asked.
enum Ask {
    Load { question: Question, stream: Vec<u8> },
    Compile(Compile),
}

impl Ask {
    fn is_undefined(&self, core: &Core) -> bool {
        let Ask::Load { question, stream } = self else { return false };
        matches!(core.predict_about(stream, question).observation, Observation::Undefined(_))
    }

    /// As bench/campaign_loop.py reads it.
    fn pack(&self) -> Vec<u8> {
        let (head, data) = match self {
            Ask::Load { question, stream } => {
                let n = u8::try_from(question.versions.len()).unwrap_or(u8::MAX);
                ([&[b'L', n], &question.versions[..]].concat(), stream)
            }
            Ask::Compile(compile) => (vec![b'C', compile.optimize], &compile.source),
        };
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        [&head[..], &length.to_le_bytes(), data].concat()
    }
}

/// What was asked since it is on.
#[derive(Default)]
struct Asked {
    on: AtomicBool,
    all: Mutex<Vec<Ask>>,
}

impl Asked {
    fn extend(&self, asks: impl Iterator<Item = Ask>) {
        if self.on.load(Ordering::Relaxed) {
            self.all.lock().unwrap_or_else(PoisonError::into_inner).extend(asks);
        }
    }
}

/// A subject of which is written down what it is asked.
struct Recording {
    inner: Box<dyn Subject>,
    asked: Arc<Asked>,
}

impl Subject for Recording {
    fn load(&mut self, load: &Load) -> Result<Vec<Observation>, Broken> {
        let question = Question { canon: load.canon != CanonMode::None, versions: load.versions.clone() };
        let ask = |stream: &Vec<u8>| Ask::Load { question: question.clone(), stream: stream.clone() };
        self.asked.extend(load.cases.iter().map(ask));
        self.inner.load(load)
    }

    fn compile(&mut self, compile: &Compile) -> Result<Compiled, Broken> {
        self.asked.extend(std::iter::once(Ask::Compile(compile.clone())));
        self.inner.compile(compile)
    }

    fn import(&mut self, files: &[Import]) -> Result<Vec<Observation>, Broken> {
        self.inner.import(files)
    }

    fn restarts(&self) -> u32 {
        self.inner.restarts()
    }

    fn fresh(&self) -> Box<dyn Subject> {
        self.inner.fresh()
    }
}

/// Whether an interpreter can be measured: its worker is a process whose time is known, and it runs a script.
#[must_use]
pub fn is_native(interpreter: &Interpreter) -> bool {
    interpreter.driver != Driver::Pyodide && interpreter.facts.implementation == "cpython"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_a_process_and_its_children() {
        let stat = "7 (a) b) R 1 5 5 34816 7 4194560 1063 0 0 0 17 25 3 4 20 0 1 0 2094 9 1 1 1 1 1 1 1";
        assert_eq!([times_of(stat), times_of("7 (a) R")], [Some([1, 42, 7]), None]);
    }

    #[test]
    fn what_is_asked_is_packed_as_the_loop_reads_it() {
        let load = Ask::Load { question: Question { canon: true, versions: vec![0, 4] }, stream: b"N".to_vec() };
        assert_eq!(load.pack(), b"L\x02\x00\x04\x01\0\0\0N");
        let compile = Compile { source: b"x".to_vec(), filename: "case".into(), optimize: 2 };
        assert_eq!(Ask::Compile(compile).pack(), b"C\x02\x01\0\0\0x");
    }

    #[test]
    fn the_last_numbers_of_a_log_count() {
        let log = [
            r#"{"event":"counts","subject":"a","generator":"values","compared":5}"#,
            r#"{"event":"counts","subject":"a","generator":"codes","compared":1}"#,
            r#"{"event":"counts","subject":"a","generator":"values","compared":7}"#,
            r#"{"event":"end","seconds":2.5}"#,
        ];
        assert_eq!(told(&log.join("\n")).unwrap(), (8.0, 2.5));
        assert!(told(log[0]).is_err());
    }

    #[test]
    fn a_section_has_all_rows_and_the_hunt() {
        let row = Row {
            subject: "cpython:3.12".into(),
            driver: "embedded",
            generator: "values",
            verdicts: 4000,
            per_second: 9876.0,
            worker_us: 50.0,
            loop_us: 40.0,
            harness_us: 30.0,
            core_us: 20.0,
            costliest: 0.21,
        };
        let whole =
            Whole { subjects: 2, cpus: 2, seconds: 30.0, verdicts: 60000, cpu_seconds: 57.0, busy: 0.95, rules: 900 };
        let beside = Beside { other: "c057dad".into(), per_second: [3000.0, 1000.0], cpu_us: [500.0, 1000.0] };
        let text = section(&[row], &whole, Some(&beside), "Made by hand.");
        assert!(text.starts_with(TITLE) && text.contains("\nMade by hand.\n"));
        for part in [
            "| values | cpython:3.12 | embedded | 9876 | 50 | 40 | 80 % | 30 | 20 | 21 % |",
            "2000 a second; 950 us of CPU time each; 95 % of the time",
            "900 rules reached, 30 a second",
            "3000 verdicts a second, at c057dad 1000: 3.00 times as many; 500 us of CPU time each, at c057dad 1000: 2.00",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
}
