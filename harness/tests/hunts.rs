//! Hunts that are killed, starved, repeated, or given subjects that misbehave (`fakes.py`).

use reports::{Counts, FILE_NAME, Finding, RunLog, Sighting};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A folder with fake interpreters and the folder of runs.
struct Scene {
    dir: tempfile::TempDir,
    pythons: Vec<String>,
    /// The name of the folder of runs.
    runs: String,
}

impl Scene {
    /// One interpreter for each of these flaws; `None`, with a note, where there is no Python to make them of.
    fn new(flaws: &[&str]) -> Option<Scene> {
        let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok();
        let Some(python) = python.filter(|output| output.status.success()) else {
            println!("skipped: there is no python3 on PATH");
            return None;
        };
        let python = String::from_utf8(python.stdout).unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (fakes, worker) = (here.join("tests/fakes.py"), here.join("../interpreters/script/worker.py"));
        let dir = tempfile::tempdir().unwrap();
        let pythons = flaws.iter().map(|flaw| {
            let home = dir.path().join(flaw);
            std::fs::create_dir(&home).unwrap();
            let [python, fakes, worker, home] =
                [Path::new(python.trim()), &fakes, &worker, &home].map(|path| format!("'{}'", path.display()));
            let wrapper = dir.path().join(format!("python-{flaw}"));
            std::fs::write(&wrapper, format!("#!/bin/sh\nexec {python} -S -s -B {fakes} {worker} {home} \"$@\"\n"))
                .unwrap();
            std::fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).unwrap();
            wrapper.to_str().unwrap().to_owned()
        });
        let pythons = pythons.collect();
        Some(Scene { dir, pythons, runs: "runs".into() })
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join(&self.runs)
    }

    /// The arguments of a hunt over the fakes.
    fn hunt(&self, more: &[&str]) -> Vec<String> {
        let fixed = ["hunt", "--no-search", "--no-pyodide", "--driver", "script", "--save-every", "0", "--out"];
        let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
        arguments.push(self.out().to_str().unwrap().to_owned());
        arguments.extend(self.pythons.iter().flat_map(|python| ["--python".to_owned(), python.clone()]));
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        arguments
    }

    /// The processes of the workers that are left: their command lines name this folder.
    fn workers(&self) -> Vec<String> {
        let folder = self.dir.path().to_str().unwrap();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains("fakes.py") && line.contains(folder)).collect()
    }
}

fn provost(arguments: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
    command.args(arguments).env_remove("PROVOST_PYTHONS").stdin(Stdio::null());
    command
}

/// Starts, and says nothing.
fn quiet(arguments: &[String]) -> Child {
    provost(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Runs to the end; the exit status and what was said.
fn output(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// The only run there is, or the last one.
fn last_run(out: &Path) -> PathBuf {
    let runs: BTreeSet<PathBuf> = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
    runs.into_iter().next_back().unwrap()
}

fn resume(run: &Path) -> Vec<String> {
    ["hunt", "--save-every", "0", "--resume", run.to_str().unwrap()].map(str::to_owned).to_vec()
}

/// What a run came to, without what the clock decides.
#[derive(Debug, PartialEq)]
struct Came {
    counts: BTreeMap<(String, String), Counts>,
    statistics: BTreeMap<(String, String), reports::Statistics>,
    reached: BTreeMap<String, reports::Reached>,
    sightings: BTreeMap<(String, String), Sighting>,
    findings: BTreeMap<String, (String, u64, Vec<String>)>,
    faults: BTreeSet<(String, String, String)>,
    faults_told: usize,
}

fn came(run: &Path) -> Came {
    let log = read(run);
    let counts = |c: Counts| ((c.subject.clone(), c.generator.clone()), Counts { ms: 0, restarts: 0, ..c });
    let finding = |f: Finding| (f.signature, (f.case.sha256, f.occurrences, f.seen_in));
    let faults_told = log.faults.len();
    let fault = |f: reports::FaultEvent| (f.subject, f.kind, f.case.unwrap().sha256);
    Came {
        counts: log.counts.into_iter().map(counts).collect(),
        statistics: log.statistics.into_iter().map(|s| ((s.subject.clone(), s.generator.clone()), s)).collect(),
        reached: log.reached.into_iter().map(|column| (column.subject.clone(), column)).collect(),
        sightings: log.sightings.into_iter().map(|s| ((s.subject.clone(), s.signature.clone()), s)).collect(),
        findings: log.findings.into_iter().map(finding).collect(),
        faults: log.faults.into_iter().map(fault).collect(),
        faults_told,
    }
}

fn read(run: &Path) -> RunLog {
    reports::read(&run.join(FILE_NAME)).unwrap()
}

/// Every whole line of the log is an event as the schema says, and every case that it names is there.
fn validate(run: &Path) {
    let schema = include_str!("../../reports/schema/event.schema.json");
    let schema = jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap();
    let text = std::fs::read_to_string(run.join(FILE_NAME)).unwrap();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let event = serde_json::from_str(line).unwrap();
        assert!(schema.is_valid(&event), "{line}");
    }
    if text.contains('\n') {
        for finding in read(run).findings {
            let case = std::fs::read(run.join(finding.case.path.unwrap())).unwrap();
            assert_eq!(case.len() as u64, finding.case.length);
        }
    }
}

/// Numbers that look random (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Kills the program with SIGKILL after this time; whether it was still there.
fn kill_after(mut child: Child, time: Duration) -> bool {
    let id = child.id().to_string();
    let (sender, ended) = channel();
    let waiting = std::thread::spawn(move || {
        let status = child.wait().unwrap();
        let _ = sender.send(());
        status
    });
    if ended.recv_timeout(time).is_err() {
        Command::new("kill").args(["-KILL", &id]).status().unwrap();
    }
    waiting.join().unwrap().code().is_none()
}

/// Kills hunts over these fakes at random moments, continues each until it has come to its end, and compares it with one that
/// nobody disturbed; so often that there are this many kills.
fn check_kills(flaws: &[&str], more: &[&str], kills: u32) {
    let Some(scene) = Scene::new(flaws) else { return };
    let hunt = scene.hunt(&[&["--seed", "3", "--minimize-for", "0"], more].concat());
    let begin = Instant::now();
    let (status, said) = output(&mut provost(&hunt));
    assert_eq!(status, Some(1), "{said}");
    let whole_time = begin.elapsed();
    let wanted = came(&last_run(&scene.out()));
    assert!(wanted.findings.len() > 1, "{wanted:?}");
    let seed = u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos());
    println!("the moments of the kills come from {seed}");
    let mut dice = Dice(seed | 1);
    let mut killed = 0;
    while killed < kills {
        std::fs::remove_dir_all(scene.out()).unwrap();
        let mut command = hunt.clone();
        loop {
            let time = whole_time.mul_f64(dice.below(1000) as f64 / 1000.0);
            let was_killed = killed < kills && kill_after(quiet(&command), time);
            let deadline = Instant::now() + Duration::from_secs(20);
            while !scene.workers().is_empty() {
                assert!(Instant::now() < deadline, "workers outlive their parent: {:?}", scene.workers());
            }
            let log =
                || scene.out().exists().then(|| last_run(&scene.out()).join(FILE_NAME)).filter(|log| log.exists());
            if log().is_some() {
                validate(&last_run(&scene.out()));
            }
            killed += u32::from(was_killed);
            let has_header = || log().is_some_and(|log| std::fs::read(log).unwrap().contains(&b'\n'));
            if has_header() {
                command = resume(&last_run(&scene.out()));
            } else {
                // It was killed before there was anything to continue.
                command.clone_from(&hunt);
                if scene.out().exists() {
                    std::fs::remove_dir_all(scene.out()).unwrap();
                }
            }
            let has_ended = || has_header() && read(&last_run(&scene.out())).end.is_some();
            if killed >= kills && !has_ended() {
                let (status, said) = output(&mut provost(&command));
                assert_eq!(status, Some(1), "{said}");
            }
            if has_ended() {
                break;
            }
        }
        let run = last_run(&scene.out());
        validate(&run);
        assert_eq!(came(&run), wanted, "killed {killed} times; the moments come from {seed}");
    }
}

#[test]
fn a_hunt_that_is_killed_and_continued_loses_nothing_and_counts_nothing_twice() {
    check_kills(&["wrong", "crasher"], &["--cases", "800"], 10);
}

/// `ci/kills`.
#[test]
#[ignore = "takes long; ci/kills runs it"]
fn many_kills() {
    let kills = std::env::var("PROVOST_KILLS").map_or(200, |kills| kills.parse().unwrap());
    check_kills(&["wrong", "crasher"], &["--cases", "2500"], kills);
}

/// The processes below this one.
fn descendants(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok());
    // The name of the program stands in parentheses, and may hold anything.
    let parents: Vec<(u32, u32)> = stats
        .filter_map(|stat| {
            let id = stat.split(' ').next()?.parse().ok()?;
            Some((id, stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect();
    let mut found = vec![parent];
    for place in 0.. {
        let Some(&one) = found.get(place) else { break };
        found.extend(parents.iter().filter(|(_, parent)| *parent == one).map(|(id, _)| *id));
    }
    found.split_off(1)
}

/// `ci/kills --workers`: a hunt over every interpreter, one of whose workers is killed every ten seconds, comes to the verdicts of
/// one that nobody disturbs.
#[test]
#[ignore = "takes long; ci/kills runs it"]
fn killed_workers_change_no_verdict() {
    let cases = std::env::var("PROVOST_CASES").unwrap_or_else(|_| "400000".into());
    let dir = tempfile::tempdir().unwrap();
    let check = |generators: &str, cases: &str, same: fn(Came) -> Came| {
        let hunt = |name: String| {
            let out = dir.path().join(name);
            let fixed =
                ["hunt", "--seed", "3", "--minimize-for", "0", "--generators", generators, "--cases", cases, "--out"];
            (fixed.into_iter().chain([out.to_str().unwrap()]).map(str::to_owned).collect::<Vec<_>>(), out)
        };
        let (command, calm) = hunt(format!("{generators} calm"));
        let (status, said) = output(&mut provost(&command));
        assert!(matches!(status, Some(0 | 1)), "{said}");
        let (command, disturbed) = hunt(format!("{generators} disturbed"));
        let (disturbed_status, kills) = kill_workers(&command);
        println!("{generators}: {kills} workers were killed");
        assert!(kills > 0, "{cases} cases take no ten seconds");
        assert_eq!(disturbed_status, status);
        validate(&last_run(&disturbed));
        assert_eq!(same(came(&last_run(&disturbed))), same(came(&last_run(&calm))), "{kills} workers were killed");
    };
    check("values,streams,keys,codes,pyc,stdlib", &cases, |came| came);
    // The order in which a compiler writes constant sets follows addresses, and since 3.13 a name that was seen before may be written
    // in full once more (PROTOCOL.md). So the same verdicts may be about other bytes, of another length.
    let few = (cases.parse::<u64>().unwrap() / 20).to_string();
    check("programs", &few, |came| {
        let counts = came.counts.into_iter().map(|(of, counts)| (of, Counts { bytes: 0, ..counts })).collect();
        Came { counts, statistics: BTreeMap::new(), reached: BTreeMap::new(), ..came }
    });
}

/// Hunts, kills a random worker every ten seconds, and returns the exit status and how many were killed.
fn kill_workers(command: &[String]) -> (Option<i32>, u32) {
    let mut child = quiet(command);
    let parent = child.id();
    let (sender, ended) = channel();
    let waiting = std::thread::spawn(move || {
        let status = child.wait().unwrap();
        let _ = sender.send(());
        status.code()
    });
    let mut dice = Dice(u64::from(parent) | 1);
    let mut kills = 0;
    while ended.recv_timeout(Duration::from_secs(10)).is_err() {
        let workers = descendants(parent);
        if let Some(worker) = workers.get(usize::try_from(dice.below(workers.len().max(1) as u64)).unwrap()) {
            kills += u32::from(Command::new("kill").args(["-KILL", &worker.to_string()]).status().unwrap().success());
        }
    }
    (waiting.join().unwrap(), kills)
}

/// Three machines share a run. One is killed and goes on, another one is killed and begins anew: together they come to the run of
/// one machine, in whatever order they are merged.
#[test]
fn shards_merge_into_the_whole_run() {
    let Some(mut scene) = Scene::new(&["wrong", "crasher"]) else { return };
    let limits = ["--seed", "3", "--cases", "2400", "--minimize-for", "0"];
    let (status, said) = output(&mut provost(&scene.hunt(&limits)));
    assert_eq!(status, Some(1), "{said}");
    let wanted = came(&last_run(&scene.out()));
    assert!(wanted.findings.len() > 1 && wanted.faults_told > 4, "{wanted:?}");

    let mut runs = Vec::new();
    for shard in ["0/3", "1/3", "2/3"] {
        scene.runs = format!("runs {}", shard.replace('/', " of "));
        let hunt = scene.hunt(&[&limits[..], &["--shard", shard]].concat());
        if shard != "0/3" {
            // It may have come to its end before; that is another thing that must change nothing.
            kill_after(quiet(&hunt), Duration::from_millis(900));
        }
        let is_begun = || scene.out().exists() && std::fs::read(last_run(&scene.out()).join(FILE_NAME)).is_ok();
        let goes_on = shard == "1/3" && is_begun() && read(&last_run(&scene.out())).end.is_none();
        let (status, said) = output(&mut provost(&if goes_on { resume(&last_run(&scene.out())) } else { hunt }));
        assert_eq!(status, Some(1), "{said}");
        runs.extend(std::fs::read_dir(scene.out()).unwrap().map(|entry| entry.unwrap().path()));
    }
    let merge = |runs: &[&Path], out: &Path| {
        let mut arguments = vec!["merge".to_owned(), "--out".into(), out.display().to_string()];
        arguments.extend(runs.iter().map(|run| run.display().to_string()));
        output(&mut provost(&arguments))
    };
    let folder = |name: &str| scene.dir.path().join(name);
    let all: Vec<&Path> = runs.iter().map(PathBuf::as_path).collect();
    let (status, said) = merge(&all, &folder("merged"));
    assert_eq!(status, Some(1), "{said}");
    validate(&folder("merged"));
    assert_eq!(came(&folder("merged")), wanted);
    assert!(folder("merged/report.html").exists());
    assert!(!said.contains("missing"), "{said}");

    let (_, said) = merge(&all[..1], &folder("first"));
    let noted = |run: &Path| read(run).notes.iter().map(|note| note.text.clone()).collect::<Vec<_>>().join("\n");
    assert!(noted(&folder("first")).contains("shards of the run are missing: 1/3, 2/3"), "{said}");
    assert!(said.contains("warning: shards of the run are missing: 1/3, 2/3"), "{said}");
    assert!(!read(&folder("first")).is_whole());
    // A shard of another run does not stand for one of this.
    scene.runs = "another seed".into();
    let shard = ["--seed", "4", "--cases", "60", "--minimize-for", "0", "--shard", "1/3"];
    output(&mut provost(&scene.hunt(&shard)));
    let (_, said) = merge(&[&all[..1], &[last_run(&scene.out()).as_path()]].concat(), &folder("two runs"));
    assert_eq!(said.matches("warning: shards of the run are missing: ").count(), 2, "{said}");
    let backwards: Vec<&Path> = all.iter().rev().copied().collect();
    // What a merge that was killed left behind.
    std::fs::create_dir_all(folder(".again.part").join("cases")).unwrap();
    let (_, said) = merge(&[&backwards[..], &[&folder("first")]].concat(), &folder("again"));
    assert_eq!(came(&folder("again")), wanted, "a run that is given twice counts once");
    assert!(said.contains("left out, as another one tells of the same work: "), "{said}");
    assert!(!folder(".again.part").exists());
    let mut command = provost(&[
        "merge".to_owned(),
        "--out".into(),
        folder("read").display().to_string(),
        all[0].display().to_string(),
    ]);
    let mut unread = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(unread.stdout.take());
    assert_eq!(unread.wait().unwrap().code(), Some(1), "nobody reads, and the run is what it is");
    let (status, said) = merge(&[folder("nowhere").as_path()], &folder("none"));
    assert_eq!((status, said.matches("No such file").count()), (Some(2), 1), "{said}");
    assert!(said.contains("a run is a folder with run.jsonl in it"), "{said}");

    let (status, said) = merge(&all, &folder("again"));
    assert_eq!(status, Some(2));
    assert!(said.contains("holds a run already"), "{said}");
    let log = all[0].join(FILE_NAME);
    let text = std::fs::read_to_string(&log).unwrap();
    let version = format!("\"generator_version\":{}", harness::generators::VERSION);
    std::fs::write(&log, text.replacen(&version, "\"generator_version\":1", 1)).unwrap();
    let (status, said) = merge(&all, &folder("other"));
    assert_eq!(status, Some(2));
    assert!(said.contains("not of one version") && said.contains("generators 1"), "{said}");
    assert!(!folder("other").exists(), "nothing is half-written");
}

/// What was found and not yet minimized is minimized when the run goes on, and what has one cause is told as one.
#[test]
fn findings_of_a_killed_hunt_are_minimized_when_it_is_continued() {
    let out = tempfile::tempdir().unwrap();
    let hunt =
        ["hunt", "--seed", "1", "--cases", "2000", "--plant", "int-unsigned", "--out", out.path().to_str().unwrap()];
    let hunt = hunt.map(str::to_owned);
    let (status, said) = output(&mut provost(&hunt));
    assert_eq!(status, Some(1), "{said}");
    let first = last_run(out.path());
    let log = std::fs::read_to_string(first.join(FILE_NAME)).unwrap();
    // As if the program had ended when something was found and nothing was minimized.
    let mut cut = 0;
    for line in log.split_inclusive('\n').take_while(|line| !line.contains("\"original_length\":1")) {
        cut += line.len();
        if line.starts_with("{\"event\":\"checkpoint\"") && log[..cut].contains("{\"event\":\"finding\"") {
            break;
        }
    }
    std::fs::write(first.join(FILE_NAME), &log[..cut]).unwrap();
    assert!(read(&first).findings.iter().any(|finding| !finding.smallest));
    let (status, said) = output(&mut provost(&resume(&first)));
    assert_eq!(status, Some(1), "{said}");
    let findings = read(&first).findings;
    assert!(findings.iter().all(|finding| finding.smallest), "{findings:?}");
    assert_eq!(findings.iter().filter(|finding| finding.is_new()).count(), 1, "{findings:?}");
    let (status, said) = output(&mut provost(&resume(&first)));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("came to its end"), "{said}");
}

#[test]
fn jobs_change_nothing_with_interpreters() {
    let Some(scene) = Scene::new(&["honest", "wrong", "crasher"]) else { return };
    let runs = ["1", "2", "5"].map(|jobs| {
        let hunt = scene.hunt(&["--seed", "3", "--cases", "600", "--minimize-for", "0", "--jobs", jobs]);
        let (status, said) = output(&mut provost(&hunt));
        assert_eq!(status, Some(1), "{said}");
        let run = last_run(&scene.out());
        let came = came(&run);
        std::fs::remove_dir_all(run).unwrap();
        came
    });
    assert!(!runs[0].findings.is_empty() && !runs[0].faults.is_empty(), "{:?}", runs[0]);
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0], runs[2]);
}

/// Each is shown as what it is, and the others' results stay.
#[test]
fn subjects_that_misbehave_are_shown_as_what_they_are() {
    const FLAWS: [&str; 9] = ["honest", "liar", "crasher", "hanger", "garbler", "chatterer", "swapper", "slow", "hog"];
    let Some(scene) = Scene::new(&FLAWS) else { return };
    let limits = ["--case-cpu", "1s", "--silence", "30s", "--minimize-for", "0", "--generators", "values"];
    let (status, said) = output(&mut provost(&scene.hunt(&[&["--seed", "1", "--cases", "720"], &limits[..]].concat())));
    assert_eq!(status, Some(2), "{said}");
    let run = last_run(&scene.out());
    validate(&run);
    let log = read(&run);
    let id = |flaw: &str| {
        let is_it =
            |s: &&reports::Subject| s.facts.as_ref().is_some_and(|facts| facts.prefix.ends_with(&format!("/{flaw}")));
        log.subjects.iter().find(is_it).unwrap_or_else(|| panic!("no {flaw} in {:?}", log.subjects)).clone()
    };
    let counts =
        |flaw: &str| log.counts.iter().find(|counts| counts.subject == id(flaw).id).cloned().unwrap_or_default();
    let faults = |flaw: &str| {
        let of = log.faults.iter().filter(|fault| fault.subject == id(flaw).id && fault.expected_by_model.is_none());
        of.map(|fault| fault.kind.as_str()).collect::<BTreeSet<_>>()
    };
    let paths = |flaw: &str| {
        let of = log.sightings.iter().filter(|sighting| sighting.subject == id(flaw).id);
        of.map(|sighting| sighting.signature.as_str()).collect::<Vec<_>>()
    };
    let honest = counts("honest");
    assert_eq!((honest.cases, honest.diverged, faults("honest").len()), (80, 0, 0), "{honest:?}");
    for same in ["chatterer", "slow"] {
        let Counts { subject, ms, .. } = counts(same);
        assert_eq!(counts(same), Counts { subject, ms, ..honest.clone() });
    }
    assert!(id("slow").start_up_ms > Some(900), "{:?}", id("slow"));
    for (flaw, fault) in
        [("crasher", "SIGSEGV"), ("hanger", "timeout"), ("garbler", "protocol"), ("hog", "out of memory")]
    {
        assert_eq!(faults(flaw), BTreeSet::from([fault]), "{flaw}");
        assert_eq!(counts(flaw).cases, 80, "{flaw}");
        assert!(counts(flaw).agreed > 60 && counts(flaw).restarts > 0, "{:?}", counts(flaw));
    }
    assert!(paths("crasher").iter().all(|path| path.contains("faulted:SIGSEGV")), "{:?}", paths("crasher"));
    // Asked for one case alone, it gives the right answer.
    let of = format!("{}: flaky, did not happen again", id("swapper").id);
    assert!(log.notes.iter().any(|note| note.text.starts_with(&of)), "{:?}", log.notes);
    assert!(counts("swapper").agreed < 10, "{:?}", counts("swapper"));
    assert_eq!(counts("liar").cases, 0);
    let told: Vec<_> = log.notes.iter().filter(|note| note.text.contains("when it was found and is")).collect();
    assert!(told.len() == 1 && told[0].text.starts_with(&id("liar").id), "{told:?}");
    assert!(said.contains(&format!("BROKEN {}", id("liar").id)), "{said}");
}

/// A run that cannot be written down ends with the file's name and what to do, and goes on from there.
#[test]
fn a_disk_that_is_full_ends_a_run_that_can_be_continued() {
    let out = tempfile::tempdir().unwrap();
    let hunt = [
        "hunt",
        "--seed",
        "1",
        "--cases",
        "3000",
        "--plant",
        "int-unsigned",
        "--minimize-for",
        "0",
        "--save-every",
        "0",
    ];
    let hunt: Vec<String> = hunt.into_iter().chain(["--out"]).map(str::to_owned).collect();
    let at = |name: &str| [&hunt[..], &[out.path().join(name).to_str().unwrap().to_owned()]].concat();
    let (status, said) = output(&mut provost(&at("whole")));
    assert_eq!(status, Some(1), "{said}");
    let wanted = came(&last_run(&out.path().join("whole")));
    for (number, kib) in [40, 150, 400].into_iter().enumerate() {
        let folder = out.path().join(number.to_string());
        // No file may become longer than that; without the trap, the signal would end the program.
        let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
        let mut command = Command::new("bash");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_provost")]).args(at(&number.to_string()));
        let (status, said) = output(&mut command);
        let run = last_run(&folder);
        assert_eq!(status, Some(2), "{said}");
        let log = run.join(FILE_NAME);
        let [log, again] = [log.display().to_string(), format!("--resume {}", run.display())];
        assert!(said.contains(&format!("cannot write {log}")) && said.contains(&again), "{said}");
        validate(&run);
        let text = std::fs::read(run.join(FILE_NAME)).unwrap();
        assert!(text.ends_with(b"\n"), "the log ends with half a line");
        let (status, said) = output(&mut provost(&resume(&run)));
        assert_eq!(status, Some(1), "{said}");
        assert_eq!(came(&run), wanted);
    }
}

/// A run that cannot go on says why, and nothing is changed.
#[test]
fn a_run_that_cannot_go_on_says_why() {
    let out = tempfile::tempdir().unwrap();
    let hunt = |out: &Path| {
        let hunt =
            ["hunt", "--seed", "1", "--cases", "300", "--subject", "core:3.12", "--generators", "values", "--out"];
        hunt.into_iter().chain([out.to_str().unwrap()]).map(str::to_owned).collect::<Vec<_>>()
    };
    #[track_caller]
    fn check(arguments: &[String], said: &[&str]) {
        let (status, text) = output(&mut provost(arguments));
        assert_eq!(status, Some(2), "{text}");
        for words in said {
            assert!(text.contains(words), "{text}");
        }
    }
    let file = out.path().join("file");
    std::fs::write(&file, "").unwrap();
    check(&hunt(&file), &["cannot create", file.to_str().unwrap()]);
    check(&hunt(&file.join("below")), &["cannot create", file.to_str().unwrap()]);
    check(&resume(&out.path().join("nowhere")), &["nowhere cannot be continued", "No such file"]);

    let runs = out.path().join("runs");
    let (status, said) = output(&mut provost(&hunt(&runs)));
    assert_eq!(status, Some(0), "{said}");
    let run = last_run(&runs);
    check(&resume(&run), &["came to its end"]);
    check(&[resume(&run), vec!["--seed".into(), "2".into()]].concat(), &["cannot be used with"]);

    let log = run.join(FILE_NAME);
    let text = std::fs::read_to_string(&log).unwrap();
    let open: String = text.split_inclusive('\n').filter(|line| !line.contains("\"event\":\"end\"")).collect();
    let refused = |change: &dyn Fn(&str) -> String, said: &[&str]| {
        let changed = change(&open);
        std::fs::write(&log, &changed).unwrap();
        check(&resume(&run), said);
        assert_eq!(std::fs::read_to_string(&log).unwrap(), changed, "what is refused is left as it is");
    };
    let version = |key: &str| open.split_once(&format!("\"{key}\":")).unwrap().1.split_once(',').unwrap().0.to_owned();
    let generators = version("generator_version");
    let other = |key: &'static str, new: &'static str| {
        let old = format!("\"{key}\":{}", version(key));
        move |text: &str| text.replacen(&old, &format!("\"{key}\":{new}"), 1)
    };
    refused(&other("generator_version", "1"), &["with generators 1", &format!("with generators {generators}")]);
    let corpus = format!("\"{}\"", "0".repeat(64));
    refused(&other("corpus", Box::leak(corpus.into_boxed_str())), &["the corpus"]);
    refused(&|text| text.replace("\"--cases\",\"300\"", "\"--cases\",\"-3\""), &["not those of a hunt"]);
    refused(&|text| text.replacen("\"event\":\"subject\"", "\"event\":\"surprise\"", 1), &["line 2: unknown event"]);
    std::fs::write(&log, &open).unwrap();
    let lock = reports::Log::open(&run).unwrap();
    check(&resume(&run), &["another process is writing to it", log.to_str().unwrap()]);
    drop(lock);
    let (status, said) = output(&mut provost(&resume(&run)));
    assert_eq!(status, Some(0), "{said}");
}

/// The builds that took part have to be there again.
#[test]
fn a_run_is_not_continued_with_another_interpreter() {
    let Some(scene) = Scene::new(&["honest"]) else { return };
    let (status, said) = output(&mut provost(&scene.hunt(&["--seed", "1", "--cases", "64", "--generators", "values"])));
    assert_eq!(status, Some(0), "{said}");
    let log = last_run(&scene.out()).join(FILE_NAME);
    let text = std::fs::read_to_string(&log).unwrap();
    let open: String = text.split_inclusive('\n').filter(|line| !line.contains("\"event\":\"end\"")).collect();
    std::fs::write(&log, open.replacen("\"build\":\"", "\"build\":\"another ", 1)).unwrap();
    let (status, said) = output(&mut provost(&resume(&last_run(&scene.out()))));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("took part in the run") && said.contains("another "), "{said}");
}

/// A folder that is deleted while a run goes on is noticed.
#[test]
fn a_log_that_was_deleted_ends_the_run() {
    let out = tempfile::tempdir().unwrap();
    let mut log = reports::Log::create(out.path()).unwrap();
    let note = reports::Event::Note(reports::Note { level: reports::Level::Info, text: "here".into(), sums_up: false });
    log.write(&note).unwrap();
    std::fs::remove_file(log.path()).unwrap();
    let error = log.write(&note).unwrap_err();
    assert!(error.to_string().contains("deleted"), "{error}");
}
