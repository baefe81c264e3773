//! Attempts to break out of a confined process; each succeeds in one that is not.
//!
//! What this kernel has no means against is said and left out.

mod common;

use common::{INTERPRETERS, WORKER};
use protocol::{Compile, Request};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The attempts that both programs below know, and the part of the confinement that is against each.
const ATTEMPTS: [(&str, &str); 9] = [
    ("create", "files"),
    ("append", "files"),
    ("truncate", "files"),
    ("remove", "files"),
    ("folder", "files"),
    ("rename", "files"),
    ("link", "files"),
    ("mode", "network"),
    ("socket", "network"),
];

/// Says for each attempt whether it succeeds, in the folder that the variable BREAK_OUT names.
const PYTHON: &str = r#"
import os, socket
def attempt(name, act):
    try:
        act()
        os.write(2, ("can %s\n" % name).encode())
    except EnvironmentError as error:
        os.write(2, ("cannot %s: %s\n" % (name, error)).encode())
def at(name):
    return os.path.join(os.environ["BREAK_OUT"], name)
attempt("create", lambda: open(at("new"), "w").close())
attempt("append", lambda: open(at("old"), "a").close())
attempt("truncate", lambda: os.truncate(at("old"), 0) if hasattr(os, "truncate") else open(at("old"), "r+").truncate(0))
attempt("link", lambda: os.symlink("old", at("link")))
attempt("mode", lambda: os.chmod(at("old"), 0o777))
attempt("rename", lambda: os.rename(at("first"), at("second")))
attempt("remove", lambda: os.remove(at("victim")))
attempt("folder", lambda: os.mkdir(at("folder")))
attempt("socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close())
attempt("signal", lambda: os.kill(int(os.environ["BREAK_OUT_PARENT"]), 0))
attempt("read", lambda: open(at("old")).close())
attempt("null", lambda: open(os.devnull, "w").close())
"#;

/// The same for Node.
const NODE: &str = r#"
const fs = require("fs"), path = require("path"), dgram = require("dgram");
const at = (name) => path.join(process.env.BREAK_OUT, name);
const say = (text) => fs.writeSync(2, text + "\n");
const attempt = (name, act) => { try { act(); say("can " + name) } catch (e) { say(`cannot ${name}: ${e.message}`) } };
attempt("create", () => fs.writeFileSync(at("new"), ""));
attempt("append", () => fs.appendFileSync(at("old"), ""));
attempt("truncate", () => fs.truncateSync(at("old"), 0));
attempt("link", () => fs.symlinkSync("old", at("link")));
attempt("mode", () => fs.chmodSync(at("old"), 0o777));
attempt("rename", () => fs.renameSync(at("first"), at("second")));
attempt("remove", () => fs.unlinkSync(at("victim")));
attempt("folder", () => fs.mkdirSync(at("folder")));
attempt("signal", () => process.kill(Number(process.env.BREAK_OUT_PARENT), 0));
attempt("read", () => fs.readFileSync(at("old")));
attempt("null", () => fs.writeFileSync("/dev/null", ""));
const socket = dgram.createSocket("udp4");
socket.on("error", (e) => { say("cannot socket: " + e.message); process.exit(0) });
socket.bind(0, "127.0.0.1", () => { say("can socket"); process.exit(0) });
"#;

fn host() -> Command {
    Command::new(env!("CARGO_BIN_EXE_host"))
}

/// Whether a part of the confinement is in force on this machine.
fn in_force(part: &str) -> bool {
    let said = String::from_utf8(host().arg("confinement").output().unwrap().stdout).unwrap();
    assert!(said.contains(&format!("\"{part}\":")), "{said}");
    let is = said.contains(&format!("\"{part}\":true"));
    if !is {
        eprintln!("skipped: this kernel cannot refuse: {part}");
    }
    is
}

/// What a program says that it can do, in a folder of its own.
fn can(mut command: Command) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for name in ["old", "first", "victim"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    command.env("BREAK_OUT", folder.path()).env("BREAK_OUT_PARENT", std::process::id().to_string());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // A worker is asked to compile; whoever is none does not listen.
    let ask = Request::Compile(Compile { source: Vec::new(), filename: String::new(), optimize: 0 });
    let _ = protocol::write_frame(child.stdin.as_mut().unwrap(), &ask.encode());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("can read") && said.contains("can null"), "{command:?}: {said}");
    said.lines().filter_map(|line| line.strip_prefix("can ")).map(str::to_owned).collect()
}

/// A program succeeds with everything, and with nothing that is refused once it is confined.
#[track_caller]
fn check(what: &str, plain: Option<Command>, confined: Command) {
    eprintln!("{what}");
    if let Some(plain) = plain {
        let free = can(plain);
        for (attempt, _) in ATTEMPTS.iter().chain(&[("signal", "")]) {
            assert!(free.iter().any(|can| can == attempt), "{what}: even when it is free it cannot {attempt}");
        }
    }
    let confined = can(confined);
    for (attempt, part) in ATTEMPTS.iter().chain(&[("signal", "signals")]) {
        assert!(!in_force(part) || !confined.iter().any(|can| can == attempt), "{what}: confined it can {attempt}");
    }
}

/// The programs with these names that PATH or pyenv has.
fn programs(names: &[&str]) -> Vec<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let versions = home.join(".pyenv/versions").read_dir().into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(versions.map(|version| version.path().join("bin")));
    let files = folders.flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    let mut found: Vec<_> = files.filter_map(|file| file.canonicalize().ok()).filter(|file| file.is_file()).collect();
    found.sort();
    found.dedup();
    // A shim starts another program.
    found.retain(|file| std::fs::read(file).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")));
    found
}

fn check_programs(names: &[&str], arguments: &[&str]) {
    let found = programs(names);
    if found.is_empty() {
        eprintln!("skipped: there is no {}", names.join(" or "));
    }
    for program in found {
        let mut plain = Command::new(&program);
        plain.args(arguments);
        let mut confined = host();
        confined.args(["run", "--"]).arg(&program).args(arguments);
        check(&program.display().to_string(), Some(plain), confined);
    }
}

#[test]
fn a_script_cannot_break_out() {
    check_programs(&["python3", "python2.7"], &["-S", "-c", PYTHON]);
}

#[test]
fn node_cannot_break_out() {
    check_programs(&["node"], &["-e", NODE]);
}

#[test]
fn the_embedded_interpreter_cannot_break_out() {
    for interpreter in &*INTERPRETERS {
        let (major, minor) = interpreter.version;
        let stdlib = interpreter.prefix.join(format!("lib/python{major}.{minor}"));
        let prefix = tempfile::tempdir().unwrap();
        hostile_prefix(prefix.path(), &stdlib);
        let mut confined = host();
        confined.arg("embed").arg("--libpython").arg(&interpreter.libpython).arg("--worker").arg(&*WORKER);
        confined.arg("--prefix").arg(prefix.path());
        check(&interpreter.libpython.display().to_string(), None, confined);
    }
}

/// A standard library of links, but for the module that the worker imports in order to compile: that tries it.
fn hostile_prefix(prefix: &Path, stdlib: &Path) {
    let lib = prefix.join("lib").join(stdlib.file_name().unwrap());
    std::fs::create_dir_all(&lib).unwrap();
    for entry in stdlib.read_dir().unwrap().flatten().filter(|entry| entry.file_name() != "warnings.py") {
        std::os::unix::fs::symlink(entry.path(), lib.join(entry.file_name())).unwrap();
    }
    let warnings = std::fs::read_to_string(stdlib.join("warnings.py")).unwrap();
    std::fs::write(lib.join("warnings.py"), warnings + PYTHON).unwrap();
}
