//! Campaigns with subjects that behave as a test wants them to.

use super::*;
use crate::comparison::Pair;
use crate::expected::{Entry, Expected, Status};
use crate::generators::Generator;
use crate::matrix::Tally;
use crate::observation::Observation;
use crate::observation::{Accepted, Canon, Dump, Fault};
use crate::oracle::Relation;
use crate::oracle::Signature;
use crate::record::Recorder;
use crate::subjects::Subject;
use crate::subjects::core::{Core, Prediction};
use crate::subjects::{Broken, Compiled};
use protocol::{CanonMode, Compile, Exception, Load};
use reports::{Counts, Reached, Sighting};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// How a subject differs from what the core predicts of it.
#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    Honest,
    /// Flips a bit in each dump at version 4.
    DumpsWrongly,
    /// Rejects what it should accept.
    RejectsAll,
    /// Dies of streams of even length.
    Crashes,
    /// As `DumpsWrongly`, but not in a process that is fresh.
    WrongOnlyWhenUsed,
    /// Never answers.
    TimesOut,
    /// Can no longer be asked after some batches.
    Breaks,
}

/// A subject made of the core's own predictions.
struct Fake {
    core: Core,
    behaviour: Behaviour,
    fresh: bool,
    asked: u32,
    /// Cases that the model calls undefined and that were asked all the same.
    killers: std::sync::Arc<AtomicU32>,
}

impl Fake {
    fn observe(&self, case: &[u8], load: &Load) -> Observation {
        let observation = self.core.predict(case).observation;
        let used = self.behaviour == Behaviour::WrongOnlyWhenUsed && !self.fresh;
        let crash = || interpreters::Fault::Crash { signal: "SIGSEGV".into(), stderr: String::new() };
        let timeout =
            || interpreters::Fault::Timeout { after: Duration::from_secs(1), limit: interpreters::TimeLimit::Cpu };
        match observation {
            Observation::Undefined(_) => {
                self.killers.fetch_add(1, Ordering::Relaxed);
                Observation::Faulted(Fault::Worker(crash()))
            }
            _ if self.behaviour == Behaviour::TimesOut => Observation::Faulted(Fault::Worker(timeout())),
            _ if self.behaviour == Behaviour::Crashes && case.len().is_multiple_of(2) => {
                Observation::Faulted(Fault::Worker(crash()))
            }
            Observation::Accepted(_) if self.behaviour == Behaviour::RejectsAll => {
                Observation::Rejected(Exception { class: "ValueError".into(), message: "no".into() })
            }
            Observation::Accepted(Accepted { consumed, canon, mut dumps }) => {
                dumps.retain(|(version, _)| load.versions.contains(version));
                for (version, dump) in &mut dumps {
                    if let Dump::Bytes { bytes, unpredictable, .. } = dump {
                        *unpredictable = None;
                        if *version == 4 && (used || self.behaviour == Behaviour::DumpsWrongly) {
                            bytes[0] ^= 0x80;
                        }
                    }
                }
                let canon = match (load.canon, canon) {
                    (CanonMode::None, _) => Canon::Unasked,
                    (CanonMode::Hash, Canon::Text(text)) => Canon::Hash(Sha256::digest(text).into()),
                    (_, canon) => canon,
                };
                Observation::Accepted(Accepted { consumed, canon, dumps })
            }
            other => other,
        }
    }
}

impl Subject for Fake {
    fn load(&mut self, load: &Load) -> Result<Vec<Observation>, Broken> {
        self.asked += 1;
        if self.behaviour == Behaviour::Breaks && self.asked > 2 {
            let (interpreter, reason, advice) = ("fake".into(), "it broke".into(), "repair it".into());
            return Err(Broken { interpreter, reason, advice });
        }
        Ok(load.cases.iter().map(|case| self.observe(case, load)).collect())
    }

    fn compile(&mut self, _: &Compile) -> Result<Compiled, Broken> {
        Ok(Compiled::Faulted("it has no compiler".into()))
    }

    fn restarts(&self) -> u32 {
        0
    }

    fn fresh(&self) -> Box<dyn Subject> {
        let (behaviour, killers) = (self.behaviour, std::sync::Arc::clone(&self.killers));
        Box::new(Fake { core: self.core.clone(), behaviour, fresh: true, asked: 0, killers })
    }
}

fn plan(seed: u64, cases: u64) -> Plan {
    let generators = vec![Generator::Values, Generator::Streams];
    Plan { seed, cases: Some(cases), generators, ..Plan::of_nothing() }
}

fn header() -> reports::Run {
    reports::Run {
        format: reports::FORMAT,
        provost_version: "0".into(),
        generator_version: 1,
        started: "1970-01-01T00:00:00Z".into(),
        command: String::new(),
        arguments: vec![],
        corpus: "0".repeat(64),
        seed: 4,
        minutes: None,
        cases: None,
        generators: vec![],
        shard: None,
        parts: vec![],
        host: reports::Host { os: String::new(), arch: String::new(), cpus: 1 },
    }
}

fn core(version: &str) -> Core {
    Core::named(version).unwrap()
}

fn fake(version: &str, behaviour: Behaviour) -> Member {
    let core = Core::named(version).unwrap();
    let killers = std::sync::Arc::default();
    let subject = Box::new(Fake { core: core.clone(), behaviour, fresh: false, asked: 0, killers });
    let pair = Pair::new("fake", core, subject);
    let (id, release) = (format!("fake:{version}"), version.to_owned());
    Member { id, version: version.into(), release, pair, facts: None, before: None }
}

/// What a campaign came to: the last numbers, without the time, and the smallest case of each finding of each subject.
#[derive(Debug, Default, PartialEq)]
struct Came {
    counts: BTreeMap<(String, String), Counts>,
    made: BTreeMap<(String, Generator), reports::Statistics>,
    reached: BTreeMap<String, Reached>,
    findings: BTreeMap<(Signature, String), String>,
    sightings: BTreeMap<(String, String), Sighting>,
    faults: BTreeMap<(String, String), Vec<String>>,
    notes: BTreeSet<String>,
    broke: Vec<String>,
}

impl Came {
    fn hear(&mut self, message: Message) {
        let sha256 = |case: &crate::case::Case| crate::case::sha256_hex(&case.bytes);
        match message {
            Message::Save(turns, saved) => {
                let Turns { counts, statistics, reached, sightings, found, silences, notes, .. } = *turns;
                let each = |c: Counts| ((c.subject.clone(), c.generator.clone()), Counts { ms: 0, restarts: 0, ..c });
                self.counts.extend(counts.into_iter().map(each));
                self.made.extend(statistics.iter().map(|made| (made.key(), made.event())));
                self.reached.extend(reached.into_iter().map(|column| (column.subject.clone(), column)));
                let each = |(s, _): (Sighting, _)| ((s.signature.clone(), s.subject.clone()), s);
                self.sightings.extend(sightings.into_iter().map(each));
                let each = |found: Found| ((found.divergence.signature, found.subject), sha256(&found.case));
                self.findings.extend(found.into_iter().map(each));
                for silence in silences {
                    self.faults.entry((silence.subject, silence.kind)).or_default().push(sha256(&silence.case));
                }
                self.notes.extend(notes.into_iter().map(|(_, text)| text));
                let _ = saved.send(());
            }
            Message::Noted(_, text) => drop(self.notes.insert(text)),
            Message::Broke(_, reason) => self.broke.push(reason),
            Message::Counted(_) | Message::Minimized(_) | Message::Merged(_) => {}
        }
    }
}

fn came_of(plan: &Plan, members: Vec<Member>) -> Came {
    let mut came = Came::default();
    run(plan, members, &AtomicBool::new(false), &mut |message| {
        came.hear(message);
        Ok(())
    })
    .unwrap();
    came
}

/// A finding about the subject, not about the core alone.
fn about_the_subject(came: &Came) -> Vec<String> {
    let signatures: BTreeSet<&Signature> = came.findings.keys().map(|(signature, _)| signature).collect();
    signatures.into_iter().filter(|s| s.relation == Relation::Model).map(|s| s.path.clone()).collect()
}

#[test]
fn every_case_ends_in_exactly_one_way() {
    for behaviour in [Behaviour::Honest, Behaviour::DumpsWrongly, Behaviour::Crashes, Behaviour::TimesOut] {
        let came = came_of(&plan(1, 301), vec![fake("3.10", behaviour), fake("2.7", behaviour)]);
        assert_eq!(came.counts.len(), 4);
        for counts in came.counts.values() {
            let sum = |reasons: &BTreeMap<String, u64>| reasons.values().sum::<u64>();
            let (inconclusive, skipped) = (sum(&counts.inconclusive), sum(&counts.skipped));
            assert_eq!(counts.cases, counts.compared + inconclusive + skipped + counts.faulted, "{counts:?}");
            assert_eq!(counts.compared, counts.agreed + counts.expected + counts.diverged, "{counts:?}");
        }
        let total: u64 = came.counts.values().map(|counts| counts.cases).sum();
        assert_eq!(total, 301, "a limit of cases is kept");
        let shares = ["fake:3.10", "fake:2.7"].map(|id| {
            came.counts.iter().filter(|((subject, _), _)| subject == id).map(|(_, counts)| counts.cases).sum::<u64>()
        });
        assert_eq!(shares, [151, 150]);
    }
}

/// A case that nobody answered has reached no rule, and the core alone proves nothing about an interpreter.
#[test]
fn only_what_was_compared_counts_in_the_matrix() {
    let members = vec![fake("3.10", Behaviour::Honest), fake("3.9", Behaviour::TimesOut), Member::alone(core("3.8"))];
    let came = came_of(&plan(1, 150), members);
    let column = |id: &str| &came.reached[id];
    let compared = |id: &str| came.counts.values().filter(|c| c.subject == id).map(|c| c.compared).sum::<u64>();
    assert_eq!(column("fake:3.10").compared, compared("fake:3.10"));
    assert!(column("fake:3.10").cases.iter().flatten().sum::<u64>() > 300);
    assert!(column("fake:3.10").masked.keys().any(|mask| mask == "bytes of a dump: hash-order"));
    assert_eq!((column("fake:3.9").compared, compared("fake:3.9")), (0, 0));
    assert!(!came.reached.contains_key("core:3.8"));
}

#[test]
fn the_same_seed_gives_the_same_campaign_and_another_seed_another_one() {
    let members = || vec![fake("3.10", Behaviour::DumpsWrongly), fake("3.8", Behaviour::RejectsAll)];
    let first = came_of(&plan(5, 300), members());
    assert_eq!(first, came_of(&plan(5, 300), members()));
    // Whoever else takes part makes no difference.
    let alone = came_of(&plan(5, 150), vec![fake("3.10", Behaviour::DumpsWrongly)]);
    for (key, counts) in &alone.counts {
        assert_eq!(first.counts.get(key), Some(counts));
    }
    assert_ne!(first, came_of(&plan(6, 300), members()));
}

/// Neither who works at the same time nor how many cases are asked at once decides what is asked and what comes of it.
#[test]
fn jobs_and_batches_change_nothing() {
    let members = || {
        let fakes =
            [("3.10", Behaviour::DumpsWrongly), ("2.7", Behaviour::Crashes), ("3.14", Behaviour::WrongOnlyWhenUsed)];
        let alone = ["3.8", "3.15"].map(|version| Member::alone(core(version)));
        fakes.into_iter().map(|(version, behaviour)| fake(version, behaviour)).chain(alone).collect::<Vec<_>>()
    };
    let all = Generator::ALL.to_vec();
    let plan = Plan { generators: all, ..plan(5, 2503) };
    let came = came_of(&plan, members());
    assert!(came.findings.len() > 2 && !came.faults.is_empty() && !came.notes.is_empty(), "{came:?}");
    for (jobs, batch) in [(1, BATCH), (5, 1), (2, 7), (5, 1000)] {
        assert_eq!(came_of(&Plan { jobs, batch, ..plan.clone() }, members()), came, "{jobs} jobs, batches of {batch}");
    }
}

/// What is written down of a campaign.
fn recorded(plan: &Plan, members: Vec<Member>) -> reports::RunLog {
    let out = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::create(out.path(), plan.seed, plan.shard, &plan.expected).unwrap();
    let shard = (plan.shard != Shard::WHOLE).then(|| plan.shard.to_string());
    let arguments = shard.iter().flat_map(|shard| ["--shard".to_owned(), shard.clone()]).collect();
    recorder.write(&reports::Event::Run(reports::Run { arguments, shard, ..header() })).unwrap();
    recorder.write(&reports::Event::Rules(crate::matrix::rules())).unwrap();
    for Member { id, .. } in &members {
        let subject = reports::Subject { id: id.clone(), usable: true, ..reports::Subject::default() };
        recorder.introduce(subject).unwrap();
    }
    run(plan, members, &AtomicBool::new(false), &mut |message| recorder.hear(message)).unwrap();
    recorder.flush().unwrap();
    reports::read(recorder.log_path()).unwrap()
}

/// What a run reports, without times, rates, restarts and what it was merged from, and in an order of its own.
fn reported(mut log: reports::RunLog) -> reports::RunLog {
    log.counts.iter_mut().for_each(|counts| (counts.ms, counts.restarts) = (0, 0));
    for finding in &mut log.findings {
        // They name the folder.
        (finding.repro_python, finding.repro_rust) = (None, None);
    }
    log.counts.sort_by_key(|counts| (counts.subject.clone(), counts.generator.clone()));
    log.statistics.sort_by_key(|made| (made.subject.clone(), made.generator.clone()));
    log.reached.sort_by_key(|column| column.subject.clone());
    log.sightings.sort_by_key(|sighting| (sighting.subject.clone(), sighting.signature.clone()));
    log.findings.sort_by_key(|finding| finding.signature.clone());
    log.faults.sort_by_key(|fault| (fault.subject.clone(), fault.turn));
    log.notes.sort_by_key(|note| note.text.clone());
    log.run.parts.clear();
    reports::RunLog { places: Vec::new(), seconds: 0.0, partial: None, events: 0, ..log }
}

/// However a run is shared, and in whatever order its parts are put together: it comes to what it would have come to.
#[test]
fn shards_come_to_the_whole_run() {
    let members = || {
        let fakes = [("3.10", Behaviour::DumpsWrongly), ("2.7", Behaviour::Crashes), ("3.13", Behaviour::RejectsAll)];
        fakes.map(|(version, behaviour)| fake(version, behaviour)).into_iter().collect::<Vec<_>>()
    };
    let plan = Plan { generators: Generator::ALL.to_vec(), ..plan(5, 6001) };
    let whole = reported(recorded(&plan, members()));
    assert!(whole.findings.len() > 2 && whole.faults.len() > 8 && whole.notes.len() > 3, "{whole:?}");
    let merged = |parts: &[(String, reports::RunLog)]| reports::merge(parts.to_vec()).unwrap();
    let mut dice = 0x9E37_79B9_u64;
    let mut below = |limit: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % limit
    };
    for _ in 0..3 {
        let of = 2 + below(9);
        let part =
            |index: u64| (index.to_string(), recorded(&Plan { shard: Shard { index, of }, ..plan.clone() }, members()));
        let mut parts: Vec<(String, reports::RunLog)> = (0..of).map(part).collect();
        let once = merged(&parts);
        assert_eq!(reported(once.clone()), whole, "{of} shards");
        parts.extend_from_within(1..);
        for place in 1..parts.len() {
            parts.swap(place, usize::try_from(below(place as u64 + 1)).unwrap());
        }
        assert_eq!(merged(&parts), once, "{of} shards in another order, some of them twice");
    }
}

/// What a fuzzer left becomes findings with signatures, each file once.
#[test]
fn files_can_be_the_cases() {
    let dir = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 6] = [
        ("crash-1", b"N"),
        ("crash-2", b"i\x01\0\0\0"),
        ("slow-unit-3", b"\xff"),
        ("a.pyc", b"no header"),
        // A header and a stream; and a header without one, which may be a stream.
        ("crash-4", b"\x03\xf3\r\n\0\0\0\0N"),
        ("crash-5", b"\x03\xf3\r\n"),
    ];
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let plan =
        Plan { cases: None, generators: vec![Generator::Streams], inputs: Some(dir.path().into()), ..plan(5, 0) };
    let came = came_of(&plan, vec![fake("3.10", Behaviour::RejectsAll), fake("2.7", Behaviour::Honest)]);
    let counts = |id: &str| came.counts[&(id.to_owned(), "streams".to_owned())].clone();
    assert_eq!((counts("fake:3.10").cases, counts("fake:3.10").diverged), (8, 3));
    // What is a .pyc file is imported, which a fake cannot.
    assert_eq!((counts("fake:2.7").cases, counts("fake:2.7").agreed), (8, 5));
}

/// Wherever a campaign ends, the rest of it makes it what it would have been.
#[test]
fn a_campaign_can_be_continued_after_any_save() {
    let members = || vec![fake("3.10", Behaviour::DumpsWrongly), fake("2.7", Behaviour::Crashes)];
    let plan = Plan { generators: Generator::ALL.to_vec(), ..plan(5, 4001) };
    let came = came_of(&plan, members());
    for end in [1, 2, 5, 9, 14] {
        let out = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::create(out.path(), plan.seed, plan.shard, &plan.expected).unwrap();
        recorder.write(&reports::Event::Run(header())).unwrap();
        let folder = recorder.folder().to_owned();
        let mut parts = Came::default();
        let mut saves = 0;
        let result = run(&plan, members(), &AtomicBool::new(false), &mut |message| {
            anyhow::ensure!(saves < end, "killed");
            if let Message::Save(turns, _) = &message {
                saves += 1;
                parts.hear(Message::Save(turns.clone(), channel().0));
            }
            recorder.hear(message)
        });
        drop(recorder);
        assert_eq!(result.unwrap_err().to_string(), "killed");
        let (log, told) = reports::Log::resume(&folder).unwrap();
        let mut recorder = Recorder::resume(&folder, log, &told, &plan.expected).unwrap();
        let mut members = members();
        for member in &mut members {
            member.before = Some(recorder.before(&told, &member.id).unwrap());
        }
        run(&plan, members, &AtomicBool::new(false), &mut |message| {
            if let Message::Save(turns, _) = &message {
                parts.hear(Message::Save(turns.clone(), channel().0));
            }
            recorder.hear(message)
        })
        .unwrap();
        assert_eq!(parts, came, "ended after {end} saves");
        let occurrences = |came: &Came| came.sightings.values().map(|sighting| sighting.occurrences).sum::<u64>();
        let told = reports::read(recorder.log_path()).unwrap();
        assert_eq!(told.findings.iter().map(|finding| finding.occurrences).sum::<u64>(), occurrences(&came));
    }
}

#[test]
fn each_behaviour_is_seen_for_what_it_is() {
    let came = |behaviour| came_of(&plan(3, 150), vec![fake("3.10", behaviour)]);
    let sum = |came: &Came, count: fn(&Counts) -> u64| came.counts.values().map(count).sum::<u64>();

    let honest = came(Behaviour::Honest);
    assert_eq!(about_the_subject(&honest), [""; 0]);
    assert!(sum(&honest, |c| c.agreed) > 80, "{honest:?}");

    let wrong = came(Behaviour::DumpsWrongly);
    // Where the order of a set cannot be predicted, the flag is noticed when the dump is read.
    let paths = about_the_subject(&wrong);
    assert!(paths.iter().all(|path| path.starts_with("dump")) && paths.contains(&"dump[4].flag".into()), "{paths:?}");

    let rejecting = came(Behaviour::RejectsAll);
    assert_eq!(about_the_subject(&rejecting), ["outcome"]);
    assert!(sum(&rejecting, |c| c.diverged) > 30);

    let crashing = came(Behaviour::Crashes);
    assert!(about_the_subject(&crashing).iter().all(|path| path == "outcome"), "{crashing:?}");
    assert!(sum(&crashing, |c| c.diverged) > 30);

    let slow = came(Behaviour::TimesOut);
    assert_eq!(about_the_subject(&slow), [""; 0]);
    assert_eq!((sum(&slow, |c| c.agreed), sum(&slow, |c| c.diverged)), (0, 0));

    let broken = came(Behaviour::Breaks);
    assert_eq!(broken.broke.len(), 1, "{:?}", broken.broke);
}

/// An implementation's releases are what an entry of corpus/expected names, not the version of the language.
#[test]
fn an_expected_divergence_is_one_of_the_implementations_release() {
    let check = |releases: &str, listed: bool| {
        let entry = Entry {
            relation: Relation::Model,
            path: "outcome".into(),
            core: "*".into(),
            subject: "*".into(),
            subjects: vec![releases.into()],
            status: Status::ByDesign,
            reason: "it rejects all".into(),
            family: "fake".into(),
        };
        let plan = Plan { expected: Expected { entries: vec![entry] }, ..plan(3, 60) };
        let came = came_of(&plan, vec![Member { release: "7.3.19".into(), ..fake("3.10", Behaviour::RejectsAll) }]);
        let sum = |count: fn(&Counts) -> u64| came.counts.values().map(count).sum::<u64>();
        assert_eq!((sum(|c| c.expected) > 0, sum(|c| c.diverged) > 0), (listed, !listed), "{releases}");
    };
    check("7.3.19", true);
    check("7.3", true);
    check("7.3.1", false);
    check("3.10", false);
}

/// 22 levels of sets in sets: the value is compared, and its dumps are left out by name.
#[test]
fn slow_dumps_are_not_asked_for() {
    let stream = [b">\x01\0\0\0".repeat(22), b"N".to_vec()].concat();
    for (version, asked) in [("3.10", 5), ("3.12", 0)] {
        let core = core(version);
        let prediction = core.predict(&stream);
        let question = Pair::alone(core.clone()).question(&prediction).unwrap();
        let Prediction { observation, reached, .. } = prediction;
        assert_eq!((question.canon, question.versions.len()), (true, asked), "{version}");
        let mut tally = Tally::new("fake", core.profile());
        tally.compared(reached, &observation);
        let slow = tally.column().masked.get("slow dump, not asked for: sorting-sets").copied();
        assert_eq!(slow.unwrap_or(0) + asked as u64, 5, "{version}");
    }
}

#[test]
fn what_only_a_used_process_does_is_noted_as_flaky() {
    let came = came_of(&plan(3, 150), vec![fake("3.10", Behaviour::WrongOnlyWhenUsed)]);
    assert!(came.notes.iter().any(|note| note.contains("flaky")), "{:?}", came.notes);
}

/// Each cause is asked about once, and the numbers are those of a run that did not ask.
#[test]
fn a_killer_is_asked_once_for_each_cause() {
    let member = fake("3.10", Behaviour::Honest);
    let core = member.pair.core().clone();
    let killers = std::sync::Arc::<AtomicU32>::default();
    let killed = killers.clone();
    let subject = Fake { core: core.clone(), behaviour: Behaviour::Honest, fresh: false, asked: 0, killers: killed };
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("seeds")).unwrap();
    for index in 0..50_u8 {
        let killer = [b"\xa9\x02<\x01\0\0\0r\0\0\0\0i".as_slice(), &[index, 0, 0, 0]].concat();
        std::fs::write(dir.path().join(format!("seeds/{index}.marshal")), killer).unwrap();
    }
    let plan = Plan { generators: vec![Generator::Streams], corpus: dir.path().into(), ..plan(1, 50) };
    let came = came_of(&plan, vec![Member { pair: Pair::new("fake", core, Box::new(subject)), ..member }]);
    let counts = came.counts.values().next().unwrap();
    assert_eq!(killers.load(Ordering::Relaxed), 1);
    assert_eq!((counts.faulted, counts.compared), (0, 0), "what is undefined is never agreement");
    assert_eq!(counts.skipped.values().sum::<u64>(), 50, "{counts:?}");
    assert_eq!(came.faults.values().map(Vec::len).sum::<usize>(), 1, "{came:?}");
    let rules = crate::matrix::rules().rules;
    let reached = rules.iter().zip(&came.reached["fake:3.10"].cases).filter(|(_, cases)| cases.is_some_and(|n| n > 0));
    let groups: Vec<_> = reached.map(|(rule, cases)| (rule.group.as_str(), *cases)).collect();
    assert_eq!(groups, [(reports::KILLERS, Some(1))], "nothing was compared, so no other rule was reached");
}

/// How many programs an interpreter refuses is a number of the report, like anything that was not compared.
#[test]
fn a_program_that_gave_no_case_is_counted() {
    let plan = Plan { generators: vec![Generator::Programs], ..plan(1, 30) };
    let came = came_of(&plan, vec![fake("3.10", Behaviour::Honest)]);
    let counts = &came.counts[&("fake:3.10".to_owned(), "programs".to_owned())];
    assert_eq!((counts.cases, counts.compared), (30, 0));
    assert_eq!(counts.skipped, BTreeMap::from([("the compiler did not answer".to_owned(), 30)]));
    assert!(
        came.notes.iter().any(|note| note.contains("programs seed 1 index 1 at optimization 1")),
        "{:?}",
        came.notes
    );
}

/// A .pyc file gives two cases unless its header is refused, and a run has no more than were asked for.
#[test]
fn a_header_and_its_stream_are_a_case_each() {
    let plan = Plan { generators: vec![Generator::Pyc], ..plan(1, 45) };
    let came = came_of(&plan, vec![fake("3.12", Behaviour::Honest)]);
    let counts = &came.counts[&("fake:3.12".to_owned(), "pyc".to_owned())];
    assert!((30..=44).contains(&counts.cases), "{counts:?}");
    assert!(counts.skipped["the subject imports nothing"] >= 20 && counts.agreed > 0, "{counts:?}");
}

#[test]
fn without_an_interpreter_the_core_is_checked_by_itself() {
    let came = came_of(&plan(2, 100), Core::all().map(Member::alone).collect());
    for core in Core::all() {
        let id = format!("core:{}", core.profile().version);
        let counts = &came.counts[&(id, "values".to_owned())];
        assert!(counts.agreed > counts.cases / 2, "{counts:?}");
    }
    assert_eq!(about_the_subject(&came), [""; 0]);
}

#[test]
fn a_finding_is_on_disk_before_the_next_batch_and_survives_a_kill() {
    let out = tempfile::tempdir().unwrap();
    let plan = plan(4, 150);
    let mut recorder = Recorder::create(out.path(), plan.seed, plan.shard, &plan.expected).unwrap();
    recorder.write(&reports::Event::Run(header())).unwrap();
    let (folder, log) = (recorder.folder().to_owned(), recorder.log_path().to_owned());
    let mut saves = 0;
    run(&plan, vec![fake("3.10", Behaviour::DumpsWrongly)], &AtomicBool::new(false), &mut |message| {
        let save = matches!(&message, Message::Save(turns, _) if !turns.found.is_empty());
        recorder.hear(message)?;
        if save {
            // As if the process ended here: what is on disk now is all there is.
            saves += 1;
            let run = reports::read(&log)?;
            assert!(!run.findings.is_empty() && run.end.is_none());
            for finding in run.findings {
                let bytes = std::fs::read(folder.join(finding.case.path.unwrap())).unwrap();
                assert_eq!(crate::case::sha256_hex(&bytes), finding.case.sha256);
            }
        }
        Ok(())
    })
    .unwrap();
    assert!(saves > 0);
    recorder.flush().unwrap();
    let run = reports::read(&log).unwrap();
    let diverged: u64 = run.counts.iter().map(|counts| counts.diverged).sum();
    let occurrences: u64 = run.findings.iter().map(|finding| finding.occurrences).sum();
    assert!(occurrences >= diverged, "{occurrences} and {diverged}");
}

/// A release that nobody has compared with the model: each finding says so, and the same finding of another release does not.
#[test]
fn findings_of_a_newer_release_than_the_model_bear_a_caution() {
    let check = |versions: &[&str], cautioned: &[&str]| {
        let out = tempfile::tempdir().unwrap();
        let plan = plan(4, 150);
        let mut recorder = Recorder::create(out.path(), plan.seed, plan.shard, &plan.expected).unwrap();
        let members: Vec<Member> = versions.iter().map(|version| fake(version, Behaviour::RejectsAll)).collect();
        for Member { id, pair, .. } in &members {
            let (id, caution) = (id.clone(), pair.core().caution());
            let subject = reports::Subject { id, usable: true, caution, ..reports::Subject::default() };
            recorder.introduce(subject).unwrap();
        }
        run(&plan, members, &AtomicBool::new(false), &mut |message| recorder.hear(message)).unwrap();
        assert!(recorder.unexpected() > 0);
        for finding in recorder.findings() {
            let caution = finding.caution.as_deref().unwrap_or_default();
            for version in versions {
                let told = caution.contains(&format!("fake:{version}: the model may be behind"));
                assert_eq!(told, cautioned.contains(version), "{caution:?}");
            }
        }
    };
    check(&["3.14.200"], &["3.14.200"]);
    check(&["3.14.2"], &[]);
    check(&["3.14.200", "3.14.2"], &["3.14.200"]);
}

#[test]
fn a_failing_listener_ends_the_campaign_with_its_error() {
    let error = run(&plan(1, u64::MAX), vec![fake("3.10", Behaviour::Honest)], &AtomicBool::new(false), &mut |_| {
        anyhow::bail!("the disk is full")
    });
    assert_eq!(error.unwrap_err().to_string(), "the disk is full");
}

#[test]
fn the_time_limit_leaves_one_turn_of_each_generator_and_a_stop_leaves_none() {
    let plan = Plan { time: Some(Duration::ZERO), cases: None, ..plan(1, 0) };
    let came = came_of(&plan, vec![fake("3.10", Behaviour::Honest), fake("2.7", Behaviour::Honest)]);
    assert_eq!(came.counts.len(), 4);
    for counts in came.counts.values() {
        assert!(counts.cases > 0 && counts.cases <= 64, "{counts:?}");
    }
    let members = vec![fake("3.10", Behaviour::Honest)];
    run(&plan, members, &AtomicBool::new(true), &mut |_| panic!("nothing happens after a stop")).unwrap();
}

#[test]
fn the_gate_lets_in_no_more_than_it_has_places() {
    const THREADS: usize = 6;
    const TURNS: usize = 40;
    let gate = Gate::new(2);
    let (inside, passed) = (AtomicU32::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (gate, inside, passed) = (&gate, &inside, &passed);
            scope.spawn(move || {
                for _ in 0..TURNS {
                    gate.pass(|| {
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 2);
                        passed.lock().unwrap().push(thread);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            });
        }
    });
    assert_eq!(passed.into_inner().unwrap().len(), THREADS * TURNS);
    assert_eq!(gate.places().free, 2);
}
