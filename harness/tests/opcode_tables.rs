//! `pyc-core/src/opcode/tables.rs` says what the interpreters say.
//!
//! For each opcode a code object is loaded whose first instruction has that opcode and whose other units are not zero; the
//! dump shows the base opcode and how many units were zeroed as its caches. `BLESS=1` rewrites the tables of the versions
//! that are on this machine.

mod found;

use interpreters::{Driver, Interpreter, Limits, Outcome, Supervisor};
use protocol::{Answer, CanonMode, Load};
use pyc_core::code::{CodeInts, Field, fields};
use pyc_core::{CodeLayout, Graph, NodeId, Profile, Release, Value, read};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

const UNITS: usize = 24;

/// What an opcode came to: its base and its caches; `None` when the interpreter died of it.
type Shown = Option<(u8, usize)>;

#[test]
fn tables_are_the_interpreters() {
    let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pyc-core/src/opcode/tables.rs");
    let mut text = std::fs::read_to_string(&tables).unwrap();
    let limits = Limits::default();
    let interpreters = found::interpreters();
    let mut seen = BTreeMap::new();
    for interpreter in &interpreters {
        let profile = Release::parse(&interpreter.facts.version).and_then(|r| Profile::for_release(&r));
        let Some(profile) = profile.filter(|p| p.code_layout == CodeLayout::Python311) else { continue };
        if interpreter.facts.implementation == "cpython" {
            let shown = probe(interpreter, &profile, limits.clone());
            let section = section(&profile, &shown, interpreter.driver == Driver::Pyodide, &text);
            let other = seen.insert(profile.version, section.clone());
            assert!(other.is_none_or(|other| other == section), "two builds of {} differ", profile.version);
        }
    }
    if seen.is_empty() {
        println!("skipped: no CPython of 3.11 or later was found, so no table was compared");
    }
    for (version, section) in &seen {
        let heading = format!("// {version}\n");
        let start = text.find(&heading).unwrap_or_else(|| panic!("tables.rs has no section for {version}"));
        let end = text[start + 1..].find("// 3.").map_or(text.len(), |at| start + 1 + at);
        if std::env::var_os("BLESS").is_some() {
            let gap = if end == text.len() { "" } else { "\n" };
            text.replace_range(start..end, &format!("{section}{gap}"));
        } else {
            assert_eq!(
                text[start..end].trim_end(),
                section.trim_end(),
                "{version}: run again with BLESS=1 to take what the interpreter says"
            );
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&tables, text).unwrap();
    }
}

fn probe(interpreter: &Interpreter, profile: &Profile, limits: Limits) -> Vec<Shown> {
    let mut supervisor = Supervisor::new(interpreter, limits);
    let mut ask = |codes: &[Vec<u8>]| -> Vec<Option<Vec<u8>>> {
        let cases = codes.iter().map(|code| stream(profile, code)).collect();
        let load = Load { canon: CanonMode::None, consumed: false, versions: vec![profile.marshal_version], cases };
        let outcomes = supervisor.load(&load).unwrap();
        outcomes.into_iter().map(|outcome| dumped_code(outcome, profile)).collect()
    };
    let filled = |opcode: u8, filler: u8| [&[opcode, 1][..], &[filler, 1].repeat(UNITS)].concat();
    // A unit that stays as it is wherever it stands.
    let plain: Vec<Vec<u8>> = (1..100).map(|opcode| filled(opcode, opcode)).collect();
    let unchanged = |(code, shown): (&Vec<u8>, Option<Vec<u8>>)| (shown.as_ref() == Some(code)).then_some(code[0]);
    let filler = plain.iter().zip(ask(&plain)).find_map(unchanged).expect("a unit without caches");
    let codes: Vec<Vec<u8>> = (0..=255).map(|opcode| filled(opcode, filler)).collect();
    ask(&codes)
        .into_iter()
        .map(|shown| {
            let shown = shown?;
            let caches = shown[2..].chunks(2).take_while(|unit| *unit == [0, 0]).count();
            Some((shown[0], caches))
        })
        .collect()
}

/// A code object with these instructions and nothing else.
fn stream(profile: &Profile, code: &[u8]) -> Vec<u8> {
    let mut graph = Graph::new(profile);
    let objects: Vec<NodeId> = fields(profile.code_layout)
        .iter()
        .map(|field| match field {
            Field::Code => graph.bytes(code),
            Field::Consts | Field::Names | Field::Localsplusnames => graph.tuple(&[]),
            Field::Filename | Field::Name | Field::Qualname => graph.str("probe"),
            _ => graph.bytes(b""),
        })
        .collect();
    let root = graph.code(CodeInts { stacksize: 1, ..CodeInts::default() }, &objects).unwrap();
    graph.set_root(root);
    graph.write().unwrap()
}

fn dumped_code(outcome: Outcome, profile: &Profile) -> Option<Vec<u8>> {
    let Outcome::Answer(Answer::Accepted(loaded)) = outcome else { return None };
    let dump = loaded.dumps[0].clone().ok()?;
    let graph = read(&dump, profile).unwrap();
    let Value::Code(code) = graph.value(graph.root()) else { panic!("a code object was dumped") };
    match graph.value(code.object(Field::Code)?) {
        Value::Bytes(bytes) => Some(bytes.to_vec()),
        _ => None,
    }
}

/// The tables as source text. WebAssembly survives what kills other builds, so there the list of deadly opcodes stays.
fn section(profile: &Profile, shown: &[Shown], survives: bool, old: &str) -> String {
    let version = profile.version;
    let name = format!("{}{}", version.major, version.minor);
    let mut deadly: Vec<usize> = (0..256).filter(|i| shown[*i].is_none()).collect();
    if survives {
        let line = old.lines().find_map(|l| l.strip_prefix(&format!("pub(super) static DEADLY_{name}: &[u8] = &[")));
        let listed = line.and_then(|l| l.strip_suffix("];")).unwrap_or_default();
        deadly = listed.split(", ").filter_map(|n| n.parse().ok()).collect();
    }
    let mut out = format!("// {version}\n");
    let mut table = |what: &str, doc: &str, value: &dyn Fn(usize) -> usize| {
        // Instruction sets have the caches, too.
        let scope = if what == "CACHES" { "crate" } else { "super" };
        writeln!(out, "\n/// {doc}\n#[rustfmt::skip]\npub({scope}) static {what}_{name}: [u8; 256] = [").unwrap();
        for row in 0..16 {
            let numbers: Vec<String> = (16 * row..16 * row + 16).map(|i| value(i).to_string()).collect();
            writeln!(out, "    {},", numbers.join(", ")).unwrap();
        }
        out.push_str("];\n");
    };
    let alive = |i: usize| shown[i].filter(|_| !deadly.contains(&i));
    table("BASE", "The opcode that `co_code` shows for each opcode.", &|i| alive(i).map_or(i, |(base, _)| base.into()));
    table("CACHES", "How many cache units follow each opcode.", &|i| alive(i).map_or(0, |(_, caches)| caches));
    let deadly: Vec<String> = deadly.iter().map(ToString::to_string).collect();
    writeln!(out, "\n/// Opcodes that kill the interpreter when it loads the code (3.12, 3.13) or shows `co_code`.")
        .unwrap();
    writeln!(out, "#[rustfmt::skip]\npub(super) static DEADLY_{name}: &[u8] = &[{}];", deadly.join(", ")).unwrap();
    out
}
