//! What an interpreter says of instructions, beside what pyc-core says of them.
//!
//! The text that both make is specified in interpreters/PROTOCOL.md, under `disassemble`.

use crate::dis::{File, Taken};
use crate::observation::{Accepted, Canon, Fault, Observation};
use crate::subjects::core::{Core, guard};
use protocol::Exception;
use pyc_core::bytecode::{Assembled, Body, Position, text};
use pyc_core::code::{Code, kind};
use pyc_core::model::Loaded;
use pyc_core::{Graph, Profile, Value};
use std::fmt::Write;

/// What the core predicts of an interpreter that is asked for the instructions in a stream: a text in the place of the canon; or
/// why it should not be asked.
#[must_use]
pub fn predict(core: &Core, stream: &[u8]) -> Observation {
    let nothing = |why: &str| Observation::Skipped(why.into());
    if !core.is_model() {
        return nothing("its instructions are its own");
    }
    guard(|| {
        let Ok(file) = File::stream(stream, core.profile()) else { return nothing("it is refused") };
        if let Some(cause) = Loaded::new(file.graph(), core.profile()).hazard() {
            return Observation::Undefined(cause.name().into());
        }
        expected(&file).map_or_else(Observation::Skipped, said)
    })
    .unwrap_or_else(|message| Observation::Faulted(Fault::Panic(message)))
}

/// The observation that a text about instructions is.
pub(crate) fn said(text: String) -> Observation {
    Observation::Accepted(Accepted { consumed: None, canon: Canon::Text(text), dumps: Vec::new() })
}

/// What gets lost of a stream whose code objects are taken apart and put together: a word for what is taken apart, and how it
/// fails.
pub type Lost = (&'static str, String);

/// Takes the code objects of a stream apart and puts them together: as steps and residue, and as text.
///
/// # Errors
/// When other bytes come of it.
pub fn reassemble(core: &Core, stream: &[u8]) -> Result<(), Lost> {
    let profile = core.profile();
    guard(|| {
        let Ok(file) = File::stream(stream, profile) else { return Ok(()) };
        for (path, id) in file.codes(None).unwrap_or_default() {
            let is_whole = |taken: Taken<'_>| taken.assembly.assemble().is_ok_and(|it| is_same(&it, &taken.body));
            if !file.taken(id).is_none_or(is_whole) {
                return Err(("code", format!("{path} assembles to other bytes")));
            }
        }
        let stream = &stream[..file.graph().consumed()];
        let lost = |how: String| Err(("text", how));
        match text::disassemble(stream, Some(profile)).map(|document| text::assemble(&text::print(&document))) {
            Ok(Ok(again)) if again == stream => Ok(()),
            Ok(Ok(_)) => lost("the text assembles to other bytes".into()),
            Ok(Err(error)) => lost(format!("the text is refused: {error}")),
            Err(error) => lost(format!("there is no text: {error:?}")),
        }
    })
    .unwrap_or_else(|message| Err(("panic", message)))
}

/// Whether what was put together is what was taken apart.
pub(crate) fn is_same(assembled: &Assembled, body: &Body<'_>) -> bool {
    let Assembled { code, line_table, exception_table } = assembled;
    code == body.code && line_table == body.line_table && exception_table == body.exception_table
}

/// What pyc-core expects of an interpreter: the text, or why nothing can be expected.
///
/// # Errors
/// When the stream is no code object, or the interpreter does not survive it.
pub fn expected(file: &File<'_>) -> Result<String, String> {
    let profile = file.profile();
    if !matches!(file.graph().value(file.graph().root()), Value::Code(_)) {
        return Err("not a code object".into());
    }
    let (mut text, error) = file.python_listing(None);
    match error {
        None => {}
        Some(crate::dis::Error::Raised(raised)) => {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            let _ = writeln!(text, "raised {}: {}", raised.class, raised.message);
        }
        Some(other) => return Err(other.to_string()),
    }
    let mut out = addresses(&text);
    let graph = file.graph();
    let mut stack = vec![graph.root()];
    while let Some(id) = stack.pop() {
        let Value::Code(code) = graph.value(graph.resolve(id)) else { continue };
        let body = Body::new(graph, &code, profile);
        let (mut lines, mut positions) = (body.lines(), body.positions());
        lines.by_ref().for_each(drop);
        positions.by_ref().for_each(drop);
        if lines.is_cut() || positions.is_cut() {
            return Err("the interpreter reads on behind its line table".into());
        }
        if has_uncounted_free_variables(&code, graph, profile) {
            return Err("the interpreter writes behind the tuple of free variables".into());
        }
        tables(&body, profile, &mut out);
        stack.extend(body.consts.iter().rev());
    }
    Ok(out)
}

/// Whether `co_freevars` lists more names than were counted: a variable that is local or a cell besides is not, and the tuple is too
/// short (`get_localsplus_counts` and `get_localsplus_names` of codeobject.c, 3.11 and later).
fn has_uncounted_free_variables(code: &Code<'_>, graph: &Graph<'_>, profile: &Profile) -> bool {
    let is_listed_alone = |kind: u8| kind & kind::FREE != 0 && !kind::is_free(kind);
    profile.has_positions() && code.variables(graph).iter().any(|(_, kind)| is_listed_alone(*kind))
}

/// Lines since 3.10 and positions since 3.11.
fn tables(body: &Body<'_>, profile: &Profile, out: &mut String) {
    let word = |number: Option<i32>| number.map_or("-".to_owned(), |number| number.to_string());
    if profile.has_lines() {
        let lines = body.lines().map(|range| (format!("{},{},{}", range.start, range.end, word(range.line)), 1));
        let _ = writeln!(out, "lines {}", runs(lines));
    }
    if profile.has_positions() {
        let places = body.positions().map(|Position { start, end, line, end_line, column, end_column }| {
            let words = [line, end_line, column, end_column].map(word);
            (words.join(","), (end - start) / 2)
        });
        let _ = writeln!(out, "positions {}", runs(places));
    }
}

/// Equal items in a row once, with their number.
fn runs(items: impl Iterator<Item = (String, usize)>) -> String {
    let mut runs: Vec<(String, usize)> = Vec::new();
    for (item, count) in items {
        match runs.last_mut() {
            Some((last, sum)) if *last == item => *sum += count,
            _ => runs.push((item, count)),
        }
    }
    runs.iter().map(|(item, count)| format!("{item}*{count}")).collect::<Vec<_>>().join(" ")
}

/// A text with every address as `0x0`: constants may hold some, too.
fn addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("at 0x") {
        let (before, behind) = rest.split_at(at + "at 0x".len());
        out.push_str(before);
        let digits = behind.bytes().take_while(u8::is_ascii_hexdigit).count();
        let is_word = rest[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        if is_word || digits == 0 {
            rest = behind;
            continue;
        }
        out.push('0');
        rest = &behind[digits..];
    }
    out + rest
}

/// How lines are compared that have a set in them, whose members are in the order of a hash table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sets {
    /// Without order.
    Sorted,
    /// Not at all: the stream may say a member twice, or two that are equal.
    Ignored,
}

/// The first line in which two texts differ: its number from 1 on, and both.
#[must_use]
pub fn difference<'t>(ours: &'t str, theirs: &'t str, sets: Sets) -> Option<(usize, &'t str, &'t str)> {
    let mut lines = (ours.split('\n'), theirs.split('\n'));
    for number in 1.. {
        let (our, their) = match (lines.0.next(), lines.1.next()) {
            (None, None) => return None,
            (our, their) => (our.unwrap_or("(nothing)"), their.unwrap_or("(nothing)")),
        };
        let may_differ = has_set(our) && has_set(their) && (sets == Sets::Ignored || sorted(our) == sorted(their));
        if our != their && !may_differ {
            return Some((number, our, their));
        }
    }
    None
}

/// What is around the first character in which two lines differ.
#[must_use]
pub fn around<'t>(ours: &'t str, theirs: &'t str) -> [&'t str; 2] {
    const BEFORE: usize = 60;
    let same = ours.char_indices().zip(theirs.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    let at = same.unwrap_or(ours.len().min(theirs.len()));
    let start = (0..=at.saturating_sub(BEFORE)).rev().find(|start| ours.is_char_boundary(*start)).unwrap_or(0);
    [ours, theirs].map(|line| line.get(start..).unwrap_or(line))
}

fn has_set(line: &str) -> bool {
    line.contains("set(") || line.contains('{')
}

fn sorted(line: &str) -> Vec<char> {
    let mut characters: Vec<char> = line.chars().collect();
    characters.sort_unstable();
    characters
}

/// A text with U+FFFD in place of each surrogate, which the worker encodes as it is.
fn without_surrogates(mut text: Vec<u8>) -> String {
    for at in 0..text.len().saturating_sub(2) {
        if let [first @ 0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF] = &mut text[at..at + 3] {
            [*first, *second, *third] = [0xEF, 0xBF, 0xBD];
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The answer of a worker as an observation of its text.
pub(crate) fn answered(outcome: interpreters::Outcome) -> Result<String, Observation> {
    use interpreters::Outcome;
    use protocol::Answer;
    match outcome {
        Outcome::Answer(Answer::Disassembled(text)) => Ok(without_surrogates(text)),
        Outcome::Answer(Answer::Rejected(Exception { class, message })) => {
            Err(Observation::Rejected(Exception { class, message }))
        }
        Outcome::Answer(_) => Err(Observation::Skipped("an answer to another request".into())),
        Outcome::Fault(fault) => Err(Observation::Faulted(Fault::Worker(fault))),
    }
}
