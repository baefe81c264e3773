//! What is written from the `.toml`s: the READMEs of the folders; and what is written into them from the golden corpus: the
//! answers.

use super::{Answer, Answers, Fixture, Kind, Sidecar, all, folder, golden, write_about};
use crate::golden::{Dumped, Entry, Text};
use crate::repro::excerpt;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::Path;

/// Bytes of a file that its row shows; of longer ones it tells how many there are.
const SHOWN: usize = 16;

/// The README of a folder, whole.
///
/// # Errors
/// When the corpus cannot be read.
pub fn readme(corpus: &Path, kind: Kind) -> Result<String> {
    let fixtures = folder(corpus, kind)?;
    let mut text = match kind {
        Kind::Seed => "# Seeds\n\nSmall streams and files, written by hand, each for one reason.\n",
        Kind::Regression => "# Regressions\n\nFindings that were promoted: each was once a divergence.\n",
        Kind::Coverage => {
            "# Coverage\n\nCases that generators found and that were cut down, chosen so that every rule of the format has one \
             under every\nversion, and every planted fault shows in one. Everybody agrees on them.\n"
        }
    }
    .to_owned();
    text += "\n[What the corpus is](../README.md). `cargo provost corpus tables` writes this page from the `.toml` beside each \
             file.\n";
    match kind {
        Kind::Seed => seeds(&mut text, &fixtures),
        Kind::Regression => {
            table(&mut text, &["file", "versions", "what it is", "what was wrong"], &fixtures, &|about| {
                vec![versions(about), about.what.clone(), about.root_cause.clone().unwrap_or_default()]
            })
        }
        Kind::Coverage => table(&mut text, &["file", "bytes", "reaches"], &fixtures, &|about| vec![about.what.clone()]),
    }
    Ok(text)
}

fn seeds(text: &mut String, fixtures: &[Fixture]) {
    let mut groups: Vec<&str> = Vec::new();
    for group in fixtures.iter().filter_map(|fixture| fixture.about.group.as_deref()) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups.sort_unstable();
    for group in groups {
        write!(text, "\n## {group}\n").expect("writing to a string cannot fail");
        let of = |fixture: &&Fixture| fixture.about.group.as_deref() == Some(group);
        let fixtures: Vec<Fixture> = fixtures.iter().filter(of).cloned().collect();
        let kill = fixtures.iter().any(|fixture| fixture.about.kills.is_some());
        let heading: &[&str] = if kill { &["file", "bytes", "what", "kills"] } else { &["file", "bytes", "what"] };
        table(text, heading, &fixtures, &|about| {
            let kills = kill.then(|| about.kills.clone().unwrap_or_default());
            [about.what.clone()].into_iter().chain(kills).collect()
        });
    }
}

fn versions(about: &Sidecar) -> String {
    if about.versions.is_empty() { "all".into() } else { about.versions.join(", ") }
}

/// A row for each fixture; a column `bytes` is filled in.
fn table(text: &mut String, heading: &[&str], fixtures: &[Fixture], cells: &dyn Fn(&Sidecar) -> Vec<String>) {
    let heading: Vec<String> = heading.iter().map(|name| (*name).to_owned()).collect();
    writeln!(text, "\n| {} |\n|{}", heading.join(" | "), "---|".repeat(heading.len()))
        .expect("writing to a string cannot fail");
    for fixture in fixtures {
        let mut row = vec![fixture.file().to_owned()];
        row.extend((heading[1] == "bytes").then(|| bytes(&fixture.bytes)));
        row.extend(cells(&fixture.about).into_iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")));
        writeln!(text, "| {} |", row.join(" | ")).expect("writing to a string cannot fail");
    }
}

fn bytes(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match bytes.len() {
        1..=SHOWN => format!("`{}`", digits.join(" ")),
        n => format!("{n} bytes"),
    }
}

/// What the interpreters of the golden corpus answered to a stream, equal answers together, oldest release first.
#[must_use]
pub fn answers(golden: &[Answers], stream: &[u8]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    for (head, entries) in golden {
        let release = &head.version;
        let Some(entry) = entries.get(stream) else { continue };
        let says = says(entry);
        match answers.iter_mut().find(|answer| answer.says == says) {
            Some(answer) => answer.by.push(release.clone()),
            None => answers.push(Answer { says, by: vec![release.clone()] }),
        }
    }
    answers
}

/// An answer in one line; the golden corpus has it in full.
fn says(entry: &Entry) -> String {
    if let Some((class, message)) = &entry.rejected {
        return format!("{class}: {message}");
    }
    if let Some(cause) = &entry.undefined {
        let died = entry.died.as_ref().map(|signal| format!(", died of {signal}"));
        return format!("undefined: {cause}{}", died.unwrap_or_default());
    }
    let value = match &entry.canon {
        Some(Text::Text(text)) => excerpt(&text.trim_end().replace('\n', "; ")),
        Some(Text::Sha256(hash)) => format!("a value with the canon sha256:{}", &hash[..16.min(hash.len())]),
        None => "a value".into(),
    };
    let raises = entry.dumps.iter().enumerate().filter_map(|(version, dump)| match dump {
        Dumped::Raises(class, _) => Some(format!("dumps {version}: {class}")),
        Dumped::Undefined(cause) => Some(format!("dumps {version}: undefined: {cause}")),
        _ => None,
    });
    std::iter::once(value).chain(raises).collect::<Vec<_>>().join(" | ")
}

/// All fixtures, each with the answers of the golden corpus.
///
/// # Errors
/// When the corpus cannot be read.
pub fn described(corpus: &Path) -> Result<Vec<Fixture>> {
    let golden = golden(corpus)?;
    let fixtures = all(corpus)?.into_iter().map(|mut fixture| {
        let answers = answers(&golden, &fixture.stream());
        // What was seen when a finding was promoted stays until an interpreter is asked again.
        if !answers.is_empty() {
            fixture.about.answer = answers;
        }
        fixture
    });
    Ok(fixtures.collect())
}

/// Writes them.
///
/// # Errors
/// When the corpus cannot be read or written.
pub fn write(corpus: &Path) -> Result<()> {
    for fixture in described(corpus)? {
        write_about(corpus, &fixture.name, &fixture.about)?;
    }
    for kind in Kind::ALL {
        let path = corpus.join(kind.folder()).join("README.md");
        std::fs::write(&path, readme(corpus, kind)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::tests::root;

    const AGAIN: &str = "run `cargo provost corpus tables`";

    #[test]
    fn the_tables_are_true() {
        for kind in Kind::ALL {
            let path = root().join(kind.folder()).join("README.md");
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text == readme(&root(), kind).unwrap(), "{}: {AGAIN}", path.display());
        }
    }

    #[test]
    fn the_answers_are_those_of_the_golden_corpus() {
        let said = all(&root()).unwrap();
        for (said, fixture) in said.into_iter().zip(described(&root()).unwrap()) {
            assert!(said == fixture, "{}: {AGAIN}", said.name);
        }
    }
}
