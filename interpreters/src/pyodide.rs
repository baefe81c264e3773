//! Pyodide releases: CPython built for WebAssembly and run by Node, for versions that are not installed natively.
//!
//! The packages are pinned by package-lock.json; each dependency is one interpreter. What nobody has natively is installed on first
//! use. The others, 32-bit builds of versions that there are, are optional dependencies: they are used once `npm ci` installed them.

use crate::candidates::{Environment, which};
use crate::interpreter::{Unusable, Workspace};
use crate::launch::Launch;
use crate::probe::run;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The environment variable that names a node_modules folder other than the one in `pyodide`; worker.mjs reads it too.
pub(crate) const MODULES: &str = "PROVOST_PYODIDE_MODULES";

/// The oldest Node that the packages run on.
const OLDEST_NODE: u32 = 18;

/// How long npm may take.
const INSTALLATION: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
struct Package {
    dependencies: BTreeMap<String, String>,
    #[serde(default, rename = "optionalDependencies")]
    optional: BTreeMap<String, String>,
}

/// The folder of each release and how to start it; `progress` hears of an installation before it begins.
///
/// # Errors
/// What is missing.
pub(crate) fn launches(
    home: &Workspace,
    environment: Environment,
    limit: Duration,
    progress: &dyn Fn(&str),
) -> Result<Vec<(PathBuf, Launch)>, Unusable> {
    let folder = &home.pyodide;
    let unusable =
        |reason: String, advice: &str| Unusable { what: "Pyodide".into(), reason, advice: advice.into(), named: false };
    let manifest = folder.join("package.json");
    let package: Package = std::fs::read(&manifest)
        .map_err(|e| e.to_string())
        .and_then(|text| serde_json::from_slice(&text).map_err(|e| e.to_string()))
        .map_err(|e| unusable(format!("{}: {e}", manifest.display()), "restore the file from the repository"))?;
    let node_advice = format!("install Node {OLDEST_NODE} or newer");
    let node = which(OsStr::new("node"), environment)
        .ok_or_else(|| unusable("there is no `node` on PATH".into(), &node_advice))?;
    check_node(&node, limit).map_err(|reason| unusable(reason, &node_advice))?;

    let given = environment(MODULES).filter(|value| !value.is_empty()).map(PathBuf::from);
    let modules = given.clone().unwrap_or_else(|| folder.join("node_modules"));
    let modules = std::path::absolute(&modules).unwrap_or(modules);
    let is_missing = |name: &String| !modules.join(name).join("package.json").is_file();
    let missing: Vec<_> = package.dependencies.keys().filter(|name| is_missing(name)).map(String::as_str).collect();
    if !missing.is_empty() {
        let missing = missing.join(" and ");
        if given.is_some() {
            let reason = format!("{} does not hold {missing}", modules.display());
            return Err(unusable(reason, &format!("install it there, or unset {MODULES}")));
        }
        let npm = which(OsStr::new("npm"), environment).ok_or_else(|| {
            unusable(format!("{missing} is not installed, and there is no `npm` on PATH"), "install npm")
        })?;
        progress(&format!("installing {missing} (once)"));
        install(&npm, folder).map_err(|reason| {
            unusable(reason, &format!("run `npm ci` in {} and see why it fails", folder.display()))
        })?;
    }
    let worker = folder.join("worker.mjs");
    let worker = std::path::absolute(&worker).unwrap_or(worker);
    let launch = |package: String| {
        let place = modules.join(&package);
        let (node, worker, modules) = (node.clone(), worker.clone(), modules.clone());
        (place, Launch::Pyodide { through: None, node, worker, modules, package })
    };
    let optional = package.optional.into_keys().filter(|name| !is_missing(name));
    Ok(package.dependencies.into_keys().chain(optional).map(launch).collect())
}

fn check_node(node: &Path, limit: Duration) -> Result<(), String> {
    let mut command = Command::new(node);
    command.arg("--version");
    let output = run(command, limit).map_err(|e| format!("{}: {e}", node.display()))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version.strip_prefix('v').and_then(|v| v.split('.').next()).and_then(|v| v.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST_NODE => Ok(()),
        _ => Err(format!("{} says that its version is {version:?}", node.display())),
    }
}

fn install(npm: &Path, folder: &Path) -> Result<(), String> {
    let mut command = Command::new(npm);
    command.args(["ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    let output = run(command, INSTALLATION).map_err(|e| format!("npm ci: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words: Vec<_> = words.lines().filter(|line| !line.trim().is_empty()).take(3).collect();
    Err(format!("npm ci ended with {}: {}", output.status, words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const NODE: &str = "echo v20.1.2";
    const NPM: &str = "for p in a b; do mkdir -p node_modules/$p; echo {} > node_modules/$p/package.json; done";
    const PACKAGE: &str = r#"{"dependencies": {"a": "npm:x@1", "b": "npm:x@2"}}"#;

    /// What comes of this package.json with these shell scripts on PATH: names, or the reason; and the progress.
    fn outcome(
        package: &str,
        programs: &[(&str, &str)],
        modules: Option<&str>,
    ) -> (Result<Vec<String>, String>, String) {
        let root = tempfile::tempdir().unwrap();
        let home = Workspace::at(root.path(), root.path());
        std::fs::create_dir(&home.pyodide).unwrap();
        std::fs::write(home.pyodide.join("package.json"), package).unwrap();
        for (program, script) in programs {
            let program = root.path().join(program);
            std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let environment = |name: &str| match name {
            "PATH" => Some(root.path().into()),
            MODULES => modules.map(Into::into),
            _ => None,
        };
        let heard = std::cell::RefCell::new(String::new());
        let progress = |message: &str| heard.borrow_mut().push_str(message);
        let launches = launches(&home, &environment, Duration::from_secs(60), &progress);
        let names = launches.map_err(|failure| failure.reason).map(|launches| {
            let installed = launches.iter().filter(|(place, _)| place.is_dir());
            installed.map(|(place, _)| place.file_name().unwrap().to_string_lossy().into_owned()).collect()
        });
        (names, heard.into_inner())
    }

    #[test]
    fn the_first_use_installs() {
        let (names, progress) = outcome(PACKAGE, &[("node", NODE), ("npm", NPM)], None);
        assert_eq!(names, Ok(vec!["a".into(), "b".into()]));
        assert_eq!(progress, "installing a and b (once)");
    }

    #[test]
    fn what_is_optional_is_used_where_it_is() {
        let check = |optional: &str, expected: &[&str]| {
            let package = format!(
                r#"{{"dependencies": {{"a": "npm:x@1"}}, "optionalDependencies": {{"{optional}": "npm:x@2"}}}}"#
            );
            let (names, progress) = outcome(&package, &[("node", NODE), ("npm", NPM)], None);
            assert_eq!(names, Ok(expected.iter().map(ToString::to_string).collect()));
            assert_eq!(progress, "installing a (once)");
        };
        check("b", &["a", "b"]);
        check("c", &["a"]);
    }

    #[test]
    fn what_is_missing_is_said() {
        #[track_caller]
        fn check(package: &str, programs: &[(&str, &str)], modules: Option<&str>, reason: &str) {
            let (names, _) = outcome(package, programs, modules);
            let actual = names.unwrap_err();
            assert!(actual.contains(reason), "{actual}");
        }
        check("{}", &[("node", NODE)], None, "package.json: missing field `dependencies`");
        check(PACKAGE, &[], None, "no `node` on PATH");
        check(PACKAGE, &[("node", "echo v16.20.0")], None, "its version is \"v16.20.0\"");
        check(PACKAGE, &[("node", "exit 1")], None, "its version is \"\"");
        check(PACKAGE, &[("node", NODE)], None, "a and b is not installed, and there is no `npm`");
        let failing = "echo 'npm error network' >&2; exit 7";
        check(PACKAGE, &[("node", NODE), ("npm", failing)], None, "exit status: 7: npm error network");
        check(PACKAGE, &[("node", NODE), ("npm", NPM)], Some("/nonexistent"), "/nonexistent does not hold a and b");
    }
}
