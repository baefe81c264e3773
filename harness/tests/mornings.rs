//! What CI systems and maintainers are told of a run: of a planted fault, once everywhere.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn provost(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
    command.args(arguments);
    command
}

fn output(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// A run over a reader with this fault, or over pyc-core alone.
fn hunt(out: &Path, seed: &str, fault: Option<&str>) -> PathBuf {
    let folder = out.join(format!("{seed}-{}", fault.unwrap_or("core")));
    let what = fault.map_or(["--subject", "core"], |fault| ["--plant", fault]);
    let fixed = ["hunt", "--seed", seed, "--cases", "1500", "--out", folder.to_str().unwrap()];
    let (status, said) = output(&mut provost(&[&fixed[..], &what].concat()));
    assert_eq!(status, Some(i32::from(fault.is_some())), "{said}");
    std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}

fn times(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_planted_fault_is_told_once_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let run = hunt(dir.path(), "1", Some("int-unsigned"));
    let run = run.to_str().unwrap();
    let log = reports::read(&Path::new(run).join(reports::FILE_NAME)).unwrap();
    let new: Vec<&reports::Finding> = log.findings.iter().filter(|finding| finding.is_new()).collect();
    let [finding] = new.as_slice() else { panic!("one fault is one finding: {new:?}") };
    let signature = finding.signature.as_str();

    let (junit, sarif, page) = (path("junit.xml"), path("provost.sarif"), path("summary.md"));
    let files = ["--junit", &junit, "--sarif", &sarif, "--summary", &page, "--annotations"];
    let (status, annotations) = output(&mut provost(&[&["report", "ci", run], &files[..]].concat()));
    assert_eq!(status, Some(1), "the status is that of the run");
    let errors: Vec<&str> = annotations.lines().filter(|line| line.starts_with("::error")).collect();
    assert_eq!(errors.len(), 1, "{annotations}");
    assert_eq!(times(errors[0], signature), 1, "{annotations}");

    let junit = std::fs::read_to_string(junit).unwrap();
    let junit = roxmltree::Document::parse(&junit).unwrap();
    let failures: Vec<_> = junit.descendants().filter(|node| node.has_tag_name("failure")).collect();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].parent().unwrap().attribute("name"), Some(signature));
    let suites = junit.root_element();
    assert_eq!((suites.attribute("failures"), suites.attribute("errors")), (Some("1"), Some("0")));
    let cases = junit.descendants().filter(|node| node.has_tag_name("testcase")).count().to_string();
    assert_eq!(suites.attribute("tests"), Some(cases.as_str()));

    let sarif: Value = serde_json::from_str(&std::fs::read_to_string(sarif).unwrap()).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let open: Vec<&Value> = results.iter().filter(|result| result["suppressions"].is_null()).collect();
    assert_eq!(open.len(), 1, "{results:?}");
    assert_eq!((&open[0]["level"], &open[0]["properties"]["signature"]), (&"error".into(), &signature.into()));
    let case = open[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
    assert!(Path::new(run).join(case).exists());

    let summary = std::fs::read_to_string(&page).unwrap();
    assert_eq!((times(&summary, signature), times(&summary, "## New findings")), (1, 1), "{summary}");
    let (_, later) = output(&mut provost(&["report", "ci", run, "--known", run]));
    assert_eq!((times(&later, signature), times(&later, "## New findings")), (1, 0), "{later}");

    let (status, issues) = output(&mut provost(&["report", "issues", "--dry-run", run]));
    assert_eq!((status, times(&issues, reports::MARK)), (Some(0), 1), "{issues}");
    assert_eq!(times(&issues, &format!("Provost: {signature}\n")), 1, "{issues}");
}

#[test]
fn a_trend_tells_when_a_finding_was_seen_and_what_became_worse() {
    let dir = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> =
        (1..=4).map(|night| hunt(dir.path(), &night.to_string(), (night == 4).then_some("int-unsigned"))).collect();
    for (night, run) in runs.iter().enumerate() {
        let log = run.join(reports::FILE_NAME);
        let text = std::fs::read_to_string(&log).unwrap();
        let started = reports::read(&log).unwrap().run.started;
        std::fs::write(&log, text.replacen(&started, &format!("2026-01-0{}T01:00:00Z", night + 1), 1)).unwrap();
        let ratio = if night == 3 { 1.0 } else { 4.0 + night as f64 / 10.0 };
        let row = |bench: &str, ratio: f64| serde_json::json!({"bench": bench, "subject": "core:3.12", "reference": "cpython:3.12", "ratio": ratio});
        let bench = format!("{}\n{}\n", row("read/stdlib", ratio), row("load/stdlib", 2.0));
        std::fs::write(run.join("bench.jsonl"), bench).unwrap();
        let fault = |found: bool| serde_json::json!({"found": {"combined": [1, if found { Some(2) } else { None }]}});
        std::fs::write(run.join("faults.jsonl"), format!("{}\n{}\n", fault(true), fault(night != 3))).unwrap();
    }
    let page = dir.path().join("trend.html");
    let mut arguments = vec!["report", "trend", "--out", page.to_str().unwrap()];
    arguments.extend(runs.iter().rev().map(|run| run.to_str().unwrap()));
    let (status, worse) = output(&mut provost(&arguments));
    assert_eq!(status, Some(0));
    let told = |line: &str| assert!(worse.lines().any(|worse| worse == line), "{line}\n{worse}");
    told("worse: read/stdlib core:3.12: slower beside CPython in one run: 1.00, and 4.10 in the nights before");
    told("worse: power: 1 of 2 planted faults are found, and 2 of 2 were");
    assert!(!worse.contains("load/stdlib"), "{worse}");
    let page = std::fs::read_to_string(page).unwrap();
    let findings = page.split("id=\"findings\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert_eq!(times(findings, "<strong>not listed</strong>"), 1, "{findings}");
    assert_eq!(times(findings, "2026-01-04"), 2, "first and last seen in the fourth night: {findings}");
}

/// With a `gh` that tells what it is asked: what is open is not opened again, and what is gone is closed after three runs.
#[test]
fn issues_are_opened_once_and_closed_when_they_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = hunt(dir.path(), "1", None);
    let there = hunt(dir.path(), "2", Some("int-unsigned"));
    let other = |name: &str, log: String| {
        let folder = dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(reports::FILE_NAME), log).unwrap();
        folder
    };
    // The same readers, without the fault.
    let good = std::fs::read_to_string(elsewhere.join(reports::FILE_NAME)).unwrap().replace("\"core:", "\"planted:");
    let killed = other("killed", good[..good.find("{\"event\":\"end\"").unwrap()].to_owned());
    let gone = other("gone", good);
    let log = reports::read(&there.join(reports::FILE_NAME)).unwrap();
    let [issue] = reports::issues(&log).try_into().unwrap();
    let gh = dir.path().join("gh");
    let check = |open: &Value, runs: &[&PathBuf], wanted: &[&str]| {
        std::fs::write(dir.path().join("open.json"), open.to_string()).unwrap();
        let script = "#!/bin/sh\ncd \"${0%/*}\"\ncase $2 in list) cat open.json ;; *) echo \"$2 $3\" >>calls ;; esac\n";
        std::fs::write(&gh, script).unwrap();
        std::fs::set_permissions(&gh, PermissionsExt::from_mode(0o755)).unwrap();
        let calls = dir.path().join("calls");
        std::fs::write(&calls, "").unwrap();
        let mut command = provost(&["report", "issues"]);
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
        let (status, said) = output(command.args(runs).env("PATH", path));
        assert_eq!(status, Some(0), "{said}");
        let calls = std::fs::read_to_string(calls).unwrap();
        assert_eq!(calls.lines().collect::<Vec<_>>(), wanted);
    };
    let open = serde_json::json!([{"number": 7, "body": issue.body}, {"number": 8, "body": "somebody else's"}]);
    check(&serde_json::json!([]), &[&there], &["create --label"]);
    check(&open, &[&there], &[]);
    check(&open, &[&gone, &gone], &[]);
    check(&open, &[&gone, &gone, &gone], &["close 7"]);
    check(&open, &[&there, &gone, &gone], &[]);
    // Another signature stands for the same cause, or its own stands for another one.
    let same = |names: String| serde_json::json!([{"number": 7, "body": issue.body.replace(reports::MARK, &names)}]);
    check(&same(format!("{}0123456789abcdef ", reports::MARK)), &[&there], &[]);
    check(&same(format!("{}0123456789abcdef in core -->", reports::MARK)), &[&there], &["create --label"]);
    // A run that was killed, or of other subjects, says nothing about the finding.
    check(&open, &[&gone, &killed, &gone], &[]);
    check(&open, &[&gone, &gone, &elsewhere], &[]);
    // A merge that was killed leaves a folder without a run, which must not hide the others.
    let empty = dir.path().join("merged");
    std::fs::create_dir(&empty).unwrap();
    check(&open, &[&empty, &gone, &gone, &gone], &["close 7"]);
    let page = dir.path().join("trend.html");
    let trend = ["report", "trend", "--out", page.to_str().unwrap()];
    assert_eq!(output(provost(&trend).args([&empty, &gone])).0, Some(0));
    assert_eq!(output(provost(&trend).arg(&empty)).0, Some(2));
    assert_eq!(output(provost(&["report", "ci", gone.to_str().unwrap(), "--known"]).arg(&empty)).0, Some(0));
    let (status, _) = output(provost(&["report", "issues"]).arg(&there).env("PATH", dir.path().join("empty")));
    assert_eq!(status, Some(2));
}
