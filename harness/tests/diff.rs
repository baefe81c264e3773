//! The cause of a difference is named right, on pairs that interpreters made.

mod found;
mod schema;

use harness::toolbox::diff::{causes, diff};
use pyc_core::{Profile, Release};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The pairs that an interpreter makes, by name.
fn pairs(python: &Path, out: &Path) -> BTreeMap<String, (Vec<u8>, Vec<u8>)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs.py");
    for seed in ["2", "1"] {
        let mut command = Command::new(python);
        command.args([path(&script), path(out), seed]).env("PYTHONHASHSEED", seed).env("PYTHONDONTWRITEBYTECODE", "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}: {}", python.display(), String::from_utf8_lossy(&output.stderr));
    }
    let names = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let kinds: BTreeSet<String> = names.filter_map(|name| Some(name.strip_suffix(".a.pyc")?.to_owned())).collect();
    let file = |kind: &str, side: &str| std::fs::read(out.join(format!("{kind}.{side}.pyc"))).unwrap();
    kinds.into_iter().map(|kind| (kind.clone(), (file(&kind, "a"), file(&kind, "b")))).collect()
}

#[test]
fn causes_are_named_right() {
    let mut met = BTreeSet::new();
    let mut asked = BTreeSet::new();
    let ignored = BTreeSet::new();
    for interpreter in found::interpreters() {
        let Some(python) = interpreter.executable() else { continue };
        let profile = Release::parse(&interpreter.facts.version).and_then(|release| Profile::of(release.version));
        let (Some(profile), "cpython") = (profile, interpreter.facts.implementation.as_str()) else { continue };
        // Of free-threaded builds the constants are immortal.
        if interpreter.facts.free_threaded || !asked.insert(profile.version) {
            continue;
        }
        let out = tempfile::tempdir().unwrap();
        for (name, (left, right)) in pairs(python, out.path()) {
            let kind = ["-oo", "-of-docstring", "-of-docstring-elsewhere", "-in-try"]
                .iter()
                .fold(&*name, |name, end| name.trim_end_matches(end));
            let at = format!("{name} of {}", interpreter.id);
            if left == right {
                // Since 3.11 sets have one order.
                assert!(kind == "set-order" && profile.version.minor >= 11, "{at}");
                continue;
            }
            let found = diff(&left, &right, None, &ignored).unwrap();
            let told: Vec<&str> = found.causes.iter().map(|cause| cause.kind).collect();
            assert_eq!(found.cause(), Some(kind), "{at}: {} {told:?}\n{}", found.verdict, found.detail());
            assert!(found.differences.iter().any(|place| place.kind == kind), "{at}");
            assert_eq!(found.listings.is_empty(), kind != "code", "{at}\n{}", found.detail());
            // A cause that is ignored is none, nor are those that go with it.
            let all = told.iter().map(|kind| (*kind).to_owned()).collect();
            assert!(diff(&left, &right, None, &all).unwrap().same, "{at}");
            met.insert(kind.to_owned());
        }
    }
    if asked.is_empty() {
        println!("skipped: no CPython that can be started was found; no pair was made");
    } else if asked.iter().any(|version| version.minor == 8 || version.minor == 9) {
        let all: BTreeSet<String> = causes().map(str::to_owned).collect();
        assert_eq!(met, all, "not every cause was met");
    }
}

fn provost(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_provost")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code().unwrap(), text)
}

#[track_caller]
fn check(arguments: &[&str], status: i32, said: &[&str]) {
    let all = [&["diff"], arguments].concat();
    let (code, text) = provost(&all);
    let lines = schema::fits("diff", &text);
    assert_eq!(arguments.contains(&"--json"), lines > 0, "{all:?}\n{text}");
    assert_eq!(code, status, "{all:?}\n{text}");
    for one in said {
        assert!(text.contains(one), "{all:?} does not say {one:?}:\n{text}");
    }
}

/// Files and trees that differ in a flag, a header, a name.
#[test]
fn files_and_trees_are_compared_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let seed = |version: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../corpus/seeds/greet-{version}.pyc"));
        std::fs::read(file).unwrap()
    };
    let good = seed("3.12");
    // A flag that nobody needs, on an object that is numbered after all that are referred to.
    let flagged = {
        let pyc = pyc_core::Pyc::parse(&good).unwrap();
        let mut graph = pyc_core::read(pyc.payload, pyc.profile()).unwrap();
        let is_free = |id: &pyc_core::NodeId| {
            graph.is_flagged(*id) && !graph.ids().any(|other| other != *id && graph.resolve(other) == *id)
        };
        let free = graph.ids().find(is_free).unwrap();
        graph.set_flagged(free, false);
        pyc_core::Pyc::new(pyc.profile(), pyc.header, &graph.write().unwrap()).to_bytes()
    };
    let mut touched = good.clone();
    touched[8] ^= 1;
    let put = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let a = put("a/one.pyc", &good);
    let b = put("b/one.pyc", &touched);
    put("a/two.pyc", &good);
    put("b/two.pyc", &good);
    put("a/three.pyc", &good);
    put("b/four.pyc", &good);
    let other = put("other.pyc", &seed("3.13"));
    let bad = put("bad.pyc", &good[..100]);
    check(&[&a, &a], 0, &["the same bytes"]);
    check(&[&a, &b], 1, &["the same program: the time of the source file differs, as it does when", "  mtime: "]);
    check(&["--ignore", "mtime", &a, &b], 0, &["but for what is ignored"]);
    check(&["--json", &a, &b], 1, &["\"same\":false", "\"causes\":[{\"kind\":\"mtime\",\"count\":1}]"]);
    check(&["--json", &a, &bad], 2, &["\"error\":{\"kind\":\"stream\",\"offset\":100"]);
    check(&[&a, &other], 1, &["files of two Pythons: 3.12 and 3.13"]);
    check(&[&a, &bad], 2, &["bad.pyc: "]);
    check(&["-", "-"], 2, &["- and -: standard input is one file"]);
    check(&[&a, "no such file"], 2, &["cannot be read"]);
    check(&["--ignore", "nothing", &a, &b], 2, &["set-order"]);
    let c = put("c.pyc", &flagged);
    check(&[&a, &c], 1, &["1 reference flag differs", "  flags at 0x", ": flagged / not flagged"]);
    let (left, right) = (path(folder.path()).to_owned() + "/a", path(folder.path()).to_owned() + "/b");
    let table = ["one.pyc: the same program", "three.pyc: only in", "four.pyc: only in", "1  the same\n", "1  mtime\n"];
    check(&[&left, &right], 1, &["cause, of 4 files\n"]);
    check(&[&left, &right], 1, &table);
    check(&[&left, &left], 0, &["3  the same\n"]);
    check(
        &["--json", &left, &right],
        1,
        &["{\"file\":\"one.pyc\",\"same\":false", "\"only\":\"left\"", "\"only\":\"right\""],
    );
    check(&[&left, &a], 2, &["a tree and a file"]);
}
