//! The tables in the documents are true.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn the_readme_names_every_command() {
    let help = Command::new(env!("CARGO_BIN_EXE_provost")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"hunt"), "{help}");
    let readme = read("README.md");
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(readme.contains(&format!("cargo provost {command}")), "README.md says nothing of {command}");
    }
}

/// Everything in back quotes that looks like a path, and every path in the table of the flow.
#[test]
fn paths_in_the_documents_exist() {
    let mut checked = 0;
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "fuzz/README.md"] {
        let text = read(document);
        let words = text.split(|c: char| c.is_whitespace() || "`(),;".contains(c));
        let paths = words.map(|word| word.trim_end_matches(['.', ':'])).filter(|word| {
            let first = word.split('/').next().unwrap_or_default();
            ["pyc-core", "harness", "interpreters", "reports", "fuzz", "corpus", "ci", "bench", "docs"].contains(&first)
                && word.contains('/')
        });
        // `reports/out` is made by a run; `fuzz/corpus` and `fuzz/artifacts` by the fuzzer.
        let made = ["reports/out", "fuzz/corpus", "fuzz/artifacts"];
        for path in paths.filter(|path| !made.iter().any(|m| path.starts_with(m)) && !path.contains(['<', '*'])) {
            let within = |base: &str| root().join(base).join(path).exists();
            assert!(within(".") || within("interpreters"), "{document} speaks of {path}, which does not exist");
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} paths were found");
}

#[test]
fn every_fuzz_target_has_a_binary_and_a_row() {
    let sources = std::fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap();
    let sources: BTreeSet<String> =
        sources.map(|e| e.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let manifest = read("fuzz/Cargo.toml");
    let binaries: BTreeSet<String> = manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|section| section.split("name = \"").nth(1)?.split('"').next().map(str::to_owned))
        .collect();
    let readme = read("fuzz/README.md");
    let rows: BTreeSet<String> =
        readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned)).collect();
    assert_eq!(sources, binaries, "fuzz_targets and [[bin]] sections");
    assert_eq!(sources, rows, "fuzz_targets and the table in fuzz/README.md");
}

/// corpus/aspects.toml tells other programs what the model masks.
#[test]
fn aspects_are_listed() {
    let text = std::fs::read_to_string(root().join("corpus/aspects.toml")).unwrap();
    let listed: toml::Table = text.parse().unwrap();
    let entries = listed["aspect"].as_array().unwrap();
    assert!(entries.iter().all(|entry| !entry["reason"].as_str().unwrap().trim().is_empty()));
    let names: Vec<&str> = entries.iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    for aspect in pyc_core::model::Aspect::ALL {
        assert!(names.contains(&aspect.name()), "{} is missing", aspect.name());
    }
}

/// docs/FAULTS.md is written by a command, which may not have been run since a fault was added.
#[test]
fn planted_faults_are_listed() {
    let text = read("docs/FAULTS.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let listed: Vec<&str> = rows.map(|(name, _)| name).collect();
    let planted: Vec<&str> = harness::faults::Fault::all().map(|fault| fault.name).collect();
    assert_eq!(listed, planted, "run `cargo provost faults`");
}

/// Every file below `folder`, tests left out, with its code and its comments.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// The generators and the matrix have tables of versions of their own, so that they share no mistake with pyc-core. Each file
/// that compares versions says up to which one somebody has read it; a new profile makes this fail until somebody does again.
#[test]
fn what_compares_versions_was_reviewed_for_the_newest() {
    let newest = pyc_core::Profile::all().map(|profile| profile.version).max().unwrap();
    let line = format!("//! Reviewed for Python {newest}.");
    let mut found = Vec::new();
    sources(&root().join("harness/src"), &mut found);
    let compares = |text: &str| {
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        // A version is a pair there, `(3, 11)`, or the name of a range, `SINCE_311`.
        let number = |line: &str, before: &str| {
            line.split(before).skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        code.into_iter().any(|line| ["(3, ", "Version::new(3, ", "SINCE_3", "UNTIL_3"].iter().any(|b| number(line, b)))
    };
    let checked: Vec<_> = found.iter().filter(|(_, text)| compares(text)).collect();
    for (path, text) in &checked {
        assert!(text.contains(&line), "{} compares versions: review it, then write \"{line}\"", path.display());
    }
    assert!(checked.len() > 12, "only {} files were found", checked.len());
    // What the verifier knows of instructions is by version, too.
    assert!(read("pyc-core/src/bytecode/safety/rules.rs").contains(&line));
}
