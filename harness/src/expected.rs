//! Expected divergences: what is known to differ, as data with a reason, in `corpus/expected/<family>.toml`.
//!
//! A run fails on a divergence that is not listed, so that the list, and not somebody's memory, says what is still open.
//! An entry that a run did not meet is only said: most runs do not cover everything.
//!
//! ```toml
//! [[expected]]
//! relation = "model"            # what the finding's signature begins with
//! path = "dump[*].flag"         # a signature's path; * stands for anything
//! core = "accepted"             # the core's outcome class; * stands for anything
//! subject = "accepted"          # the subject's outcome class; * stands for anything
//! subjects = ["3.9", "3.10"]    # releases of the implementation, down to any component; ["*"] for all
//! status = "open"               # open: the model is wrong; upstream: the interpreter is; by_design: neither is
//! reason = "why, or a link"
//! ```
//!
//! An entry holds for the releases in which the difference was seen. PyPy's are its own (`7.3.19`), not the version of the
//! language that it speaks: two releases for 3.11 differ more than one release for 3.9 and one for 3.11.

use crate::oracle::{Relation, Signature};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::fmt;
use std::path::Path;

/// Who has to do something about an expected divergence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The model is wrong and will be corrected.
    Open,
    /// The interpreter is wrong, and it is reported or fixed there.
    Upstream,
    /// Nobody is wrong.
    ByDesign,
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The relation that does not hold.
    pub relation: Relation,
    /// The signature's path, with `*` for anything.
    pub path: String,
    /// The core's outcome class, with `*` for anything.
    pub core: String,
    /// The subject's outcome class, with `*` for anything.
    pub subject: String,
    /// Releases of the subject's implementation, down to any component, or `*`.
    pub subjects: Vec<String>,
    /// Who has to do something.
    pub status: Status,
    /// Why, or where that is discussed.
    pub reason: String,
    /// The subject's family, from the name of the file.
    #[serde(skip)]
    pub family: String,
}

/// All entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// In the order of the files' names, then as written.
    pub entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    expected: Vec<Entry>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { relation, path, core, subject, subjects, family, .. } = self;
        write!(f, "{relation} at {path}: core {core}, {family} {subject} (releases {})", subjects.join(", "))
    }
}

impl Expected {
    /// Reads every `.toml` file of a folder; a folder that does not exist is an empty list.
    ///
    /// # Errors
    /// When a file cannot be read, is not such a list, or has an entry without a subject or a reason, or one twice.
    pub fn read(dir: &Path) -> Result<Expected> {
        let mut entries = Vec::new();
        if !dir.exists() {
            return Ok(Expected { entries });
        }
        let listing = std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
        let mut files: Vec<_> = listing.map(|file| file.map(|f| f.path())).collect::<Result<_, _>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let family = file.file_stem().unwrap_or_default().to_string_lossy();
            let parsed = parse(&text, &family).with_context(|| format!("{} is not as it should be", file.display()))?;
            entries.extend(parsed);
        }
        Ok(Expected { entries })
    }

    /// The index of the entry that lists this signature for this release of the implementation.
    #[must_use]
    pub fn find(&self, signature: &Signature, release: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.covers(signature, release))
    }
}

/// The entries of one file.
fn parse(text: &str, family: &str) -> Result<Vec<Entry>> {
    let File { mut expected } = toml::from_str(text)?;
    for entry in &mut expected {
        family.clone_into(&mut entry.family);
    }
    for (index, entry) in expected.iter().enumerate() {
        ensure!(!entry.reason.trim().is_empty(), "entry {index} ({entry}) has no reason");
        ensure!(!entry.subjects.is_empty(), "entry {index} ({entry}) names no release; [\"*\"] stands for all");
        ensure!(!expected[..index].contains(entry), "entry {index} ({entry}) is there twice");
    }
    Ok(expected)
}

impl Entry {
    fn covers(&self, signature: &Signature, release: &str) -> bool {
        self.relation == signature.relation
            && self.family == signature.family
            && matches(&self.path, &signature.path)
            && matches(&self.core, &signature.core)
            && matches(&self.subject, &signature.subject)
            && self.subjects.iter().any(|prefix| {
                let rest = release.strip_prefix(prefix.as_str());
                prefix == "*" || rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
            })
    }
}

/// Whether a text has the form of a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => match text.strip_prefix(head) {
            None => false,
            Some(rest) => (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(tail, &rest[at..])),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        [[expected]]
        relation = "model"
        path = "dump[*].flag"
        core = "accepted"
        subject = "accepted"
        subjects = ["3.9", "3.11.7"]
        status = "open"
        reason = "because"
    "#;

    fn signature(path: &str) -> Signature {
        Signature {
            relation: Relation::Model,
            family: "cpython".into(),
            core: "accepted".into(),
            subject: "accepted".into(),
            path: path.into(),
        }
    }

    #[test]
    fn an_entry_covers_its_releases_and_paths_and_nothing_else() {
        let list = Expected { entries: parse(LIST, "cpython").unwrap() };
        #[track_caller]
        fn check(list: &Expected, signature: &Signature, release: &str, expected: Option<usize>) {
            assert_eq!(list.find(signature, release), expected, "{signature} of {release}");
        }
        for release in ["3.9.18", "3.9", "3.11.7"] {
            check(&list, &signature("dump[4].flag"), release, Some(0));
        }
        for release in ["3.10.1", "3.11.2", "3.11.71", "3.90.1", "2.7.18"] {
            check(&list, &signature("dump[4].flag"), release, None);
        }
        for path in ["dump[4].bytes", "dump[4].flags", "xdump[4].flag", ""] {
            check(&list, &signature(path), "3.9.18", None);
        }
        check(&list, &Signature { relation: Relation::Reread, ..signature("dump[4].flag") }, "3.9.18", None);
        check(&list, &Signature { family: "pypy".into(), ..signature("dump[4].flag") }, "3.9.18", None);
        check(&list, &Signature { subject: "faulted:SIGSEGV".into(), ..signature("dump[4].flag") }, "3.9.18", None);
    }

    #[test]
    fn lists_that_hide_something_are_refused() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let error = format!("{:#}", parse(text, "cpython").unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
        check(&LIST.replace("because", " "), "has no reason");
        check(&LIST.replace(r#"["3.9", "3.11.7"]"#, "[]"), "names no release");
        check(&LIST.repeat(2), "is there twice");
        check(&LIST.replace("open", "someday"), "unknown variant");
        check(&LIST.replace("status", "state"), "unknown field");
        check(&LIST.replace("reason = \"because\"", ""), "missing field");
    }

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("*[*]", "canon[*]", true),
            ("canon.*:*/*", "canon.consts[*]:int/long", true),
            ("rejected:*", "accepted", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} and {text}");
        }
    }

    /// The list of this repository is one that a run accepts.
    #[test]
    fn the_list_in_the_corpus_is_well_formed() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/expected");
        Expected::read(&dir).unwrap();
    }
}
