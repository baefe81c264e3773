//! The commands of the manifests in `ci/scale`, really run, with few cases.

use std::collections::BTreeSet;
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
    }
}
