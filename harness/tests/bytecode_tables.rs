//! The tables of pyc-core/src/bytecode and pyc-core/src/repr say what the interpreters say.
//!
//! `BLESS=1` rewrites those of the versions that are on this machine.

mod found;

use interpreters::Interpreter;
use pyc_core::{Profile, Release, Version};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pyc-core/src").join(path)
}

/// The version of a CPython that can be started as a program.
fn version(interpreter: &Interpreter) -> Option<Version> {
    let release = Release::parse(&interpreter.facts.version)?;
    let is_known = Profile::for_release(&release).is_some() && interpreter.facts.implementation == "cpython";
    // A Pyodide names a file, too, and it is no program.
    let is_program = interpreter.facts.platform != "emscripten" && Path::new(&interpreter.facts.executable).is_file();
    (is_known && is_program).then_some(release.version)
}

/// What a script of this folder prints under each version.
fn printed(script: &str) -> BTreeMap<Version, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let mut texts: BTreeMap<Version, String> = BTreeMap::new();
    for interpreter in found::interpreters() {
        let Some(version) = version(&interpreter) else { continue };
        let output = Command::new(&interpreter.facts.executable).arg(&script).output().unwrap();
        // An executable that is not started as it was found may lack its library.
        if !output.status.success() {
            println!("skipped: {} cannot run it: {}", interpreter.id, String::from_utf8_lossy(&output.stderr));
            continue;
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let other = texts.insert(version, text.clone());
        assert!(other.is_none_or(|other| other == text), "two builds of {version} differ");
    }
    if texts.is_empty() {
        println!("skipped: no CPython was found, so no table was compared");
    }
    texts
}

#[track_caller]
fn check(path: &Path, expected: &str) {
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(path, expected).unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let message = "run again with BLESS=1 to take what the interpreter says";
    assert!(text == expected, "{}: {message}", path.display());
}

#[test]
fn opcodes_are_the_interpreters() {
    for (Version { major, minor }, text) in printed("bytecode_tables.py") {
        check(&source(&format!("bytecode/tables/python_{major}_{minor}.rs")), &text);
    }
}

/// The table holds the versions in which each range begins, so it can only be made where all are; one version is compared
/// with what the table says of it.
#[test]
fn printable_characters_are_the_interpreters() {
    let ranges: BTreeMap<Version, Vec<(u32, u32)>> = printed("printable.py")
        .into_iter()
        .map(|(version, text)| {
            let number = |text: &str| text.parse::<u32>().unwrap();
            (
                version,
                text.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (number(a), number(b))).collect(),
            )
        })
        .collect();
    let path = source("repr/printable.rs");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once("&[\n").unwrap();
    let rows: Vec<(u32, u32, u8)> = rest.split('(').filter_map(row).collect();
    let mut since: BTreeMap<u32, u8> = BTreeMap::new();
    for (first, last, minor) in &rows {
        since.extend((*first..=*last).map(|character| (character, *minor)));
    }
    for (version, ranges) in ranges.iter().filter(|(version, _)| version.major == 3) {
        let said = ranges.iter().flat_map(|(first, last)| *first..=*last);
        if std::env::var_os("BLESS").is_some() {
            for character in said {
                let known = since.entry(character).or_insert(version.minor);
                *known = version.minor.min(*known);
            }
        } else {
            let table = since.iter().filter(|(_, minor)| **minor <= version.minor).map(|(character, _)| *character);
            assert!(table.eq(said), "{version}: run again with BLESS=1, where every version is");
        }
    }
    check(&path, &format!("{head}&[\n{}];\n", written(&since)));
}

fn row(text: &str) -> Option<(u32, u32, u8)> {
    let mut numbers = text.split_once(')')?.0.split(", ");
    let hex = |text: &str| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    Some((hex(numbers.next()?)?, hex(numbers.next()?)?, numbers.next()?.parse().ok()?))
}

fn written(since: &BTreeMap<u32, u8>) -> String {
    let mut rows: Vec<(u32, u32, u8)> = Vec::new();
    for (character, minor) in since {
        match rows.last_mut() {
            Some((_, last, same)) if *last + 1 == *character && same == minor => *last += 1,
            _ => rows.push((*character, *character, *minor)),
        }
    }
    let mut text = String::new();
    let mut line = String::new();
    for (first, last, minor) in rows {
        let row = format!(" ({first:#X}, {last:#X}, {minor}),").replace("0X", "0x");
        if line.len() + row.len() > 116 {
            writeln!(text, "   {line}").unwrap();
            line.clear();
        }
        line.push_str(&row);
    }
    writeln!(text, "   {line}").unwrap();
    text
}
