//! The commands of the manifests in `ci/scale`, really run, with few cases.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The command for a shard in a manifest: the line that calls `ci/scale/shard`, for fewer cases and another folder.
fn command(manifest: &str, out: &Path) -> String {
    let text = std::fs::read_to_string(root().join("ci/scale").join(manifest)).unwrap();
    let line = text.lines().find(|line| line.contains("ci/scale/shard")).unwrap();
    let command = line[line.find("ci/scale/shard").unwrap()..].trim_end_matches("\"]").replace("\\\"", "\"");
    let cases = command.split(' ').next_back().unwrap();
    let folder = command.split(' ').nth(3).unwrap();
    command
        .replace(cases, "1280 --subject core:3.12")
        .replace(&format!(" {folder} "), &format!(" '{}' ", out.display()))
}

/// Runs it as the scheduler does; what it said.
fn run(command: &str, index: &str, out: &Path) -> String {
    let output = Command::new("bash")
        .args(["-c", command])
        .current_dir(root())
        .envs([("INDEX", index), ("JOB_COMPLETION_INDEX", index), ("SEED", "1")])
        .env("PROVOST", env!("CARGO_BIN_EXE_provost"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && out.is_dir(), "{command}\n{said}");
    said
}

fn logs(out: &Path) -> BTreeSet<PathBuf> {
    std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path().join(reports::FILE_NAME)).collect()
}

#[test]
fn a_shard_is_begun_continued_and_not_done_twice() {
    for manifest in ["github.yml", "kubernetes.yaml"] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("the runs");
        let command = command(manifest, &out);
        run(&command, "1", &out);
        let [log] = logs(&out).into_iter().collect::<Vec<_>>().try_into().unwrap();
        let whole = reports::read(&log).unwrap();
        assert!(whole.run.shard.as_ref().is_some_and(|shard| shard.starts_with("1/")), "{manifest}: {:?}", whole.run);
        assert!(run(&command, "1", &out).contains("came to its end before"));

        // As if the machine had been taken away before the end.
        let text = std::fs::read_to_string(&log).unwrap();
        let end = text.find("{\"event\":\"end\"").unwrap();
        std::fs::write(&log, &text[..end]).unwrap();
        run(&command, "1", &out);
        assert_eq!(logs(&out).len(), 1, "it went on");
        let counts = |log: &reports::RunLog| log.counts.iter().map(|counts| counts.cases).sum::<u64>();
        assert_eq!(counts(&reports::read(&log).unwrap()), counts(&whole));

        run(&command, "2", &out);
        assert_eq!(logs(&out).len(), 2, "another shard is another run");
        let fewer = format!("{command} --generators values");
        run(&fewer, "1", &out);
        assert_eq!(logs(&out).len(), 3, "with other arguments it is another run");
        for command in [&command, &fewer] {
            assert!(run(command, "1", &out).contains("came to its end before"));
        }
        assert_eq!(logs(&out).len(), 3);
    }
}

/// A night with a `cargo` that does nothing: which stages run within these hours, and which are named with the minutes they need.
#[test]
fn a_night_runs_what_fits() {
    let dir = tempfile::tempdir().unwrap();
    let cargo = "#!/bin/sh\ncase \"$1 $2\" in 'fuzz list') echo one; echo two ;; 'provost merge') exit 2 ;; esac\n";
    for name in ["cargo", "cargo-fuzz"] {
        let path = dir.path().join(name);
        std::fs::write(&path, cargo).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let check = |hours: &str, wanting: &[(&str, &str)]| {
        let out = dir.path().join(hours);
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
        for night in 10..50 {
            std::fs::create_dir_all(out.join(format!("nights/20200101-0000{night}"))).unwrap();
        }
        let output = Command::new(root().join("ci/nightly"))
            .args(["--hours", hours, "--out", out.to_str().unwrap()])
            .env("PATH", path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "nothing can be merged");
        assert_eq!(std::fs::read_dir(out.join("nights")).unwrap().count(), 30, "the last ones, with this one");
        let summary = std::fs::read_to_string(out.join("summary.md")).unwrap();
        let rows: Vec<(&str, &str)> = summary
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
            .filter_map(|(name, told)| Some((name, told.split_once("needs ")?.1.split_once(' ')?.0)))
            .collect();
        assert_eq!(rows, wanting, "{summary}");
        for stage in
            ["hunt", "fuzz-one", "fuzz-two", "normal", "kills", "killed-workers", "mutants", "oss-fuzz", "stdlib"]
        {
            assert_eq!(summary.matches(&format!("| {stage} |")).count(), 1, "{stage}: {summary}");
        }
    };
    check("4", &[]);
    check("0.5", &[("stdlib", "60")]);
    check(
        "0.1",
        &[
            ("hunt", "2"),
            ("fuzz-sanitized", "0.5"),
            ("oss-fuzz", "8"),
            ("identify", "10"),
            ("normal", "15"),
            ("kills", "15"),
            ("mutants", "15"),
            ("killed-workers", "20"),
            ("stdlib", "60"),
        ],
    );
}
