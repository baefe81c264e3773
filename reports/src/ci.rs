//! What systems of continuous integration read: JUnit XML, SARIF, annotations and a summary for GitHub, and the texts of issues.
//!
//! All of them tell the same: each finding that is new once, under the name that is its signature; what is known, what is listed
//! and was not met, and who could not be asked. Everything in a log is hostile text, and each format has its own way to
//! make it harmless.

use crate::html::visible;
use crate::summary::{Row, Standing, Summary, plural, word};
use crate::{Finding, Level, RunLog};
use maud::{PreEscaped, html};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How the note begins that tells of an entry of corpus/expected that a run could have met and did not.
pub const UNMET: &str = "listed in corpus/expected and not met in this run: ";

/// How the mark begins by which an issue is recognized; the [`fingerprint`]s of its signatures follow, ` in` and the subjects.
pub const MARK: &str = "<!-- provost ";

/// The tracking issue of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The [`fingerprint`]s of its signature and of all that have the same cause: which of them stands for the others changes from
    /// night to night. They are in the text.
    pub fingerprints: Vec<String>,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
}

/// The marks in the text of an issue: the fingerprints of its signatures, and the subjects in which they were seen. None if it is not
/// one of Provost's.
#[must_use]
pub fn marks(body: &str) -> Option<(Vec<&str>, Vec<&str>)> {
    let mark = body.rsplit_once(MARK)?.1.split_once("-->")?.0;
    let (fingerprints, subjects) = mark.split_once(" in ").unwrap_or((mark, ""));
    Some((fingerprints.split_whitespace().collect(), subjects.split_whitespace().collect()))
}

/// What a signature is called where it has to be short: the same in every run.
#[must_use]
pub fn fingerprint(signature: &str) -> String {
    // FNV-1a, 64 bits: a name, not a proof.
    let hash = signature
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// What a person needs to know of a finding, in a few lines.
fn explain(finding: &Finding) -> Vec<String> {
    let Finding { signature, case, seen_in, occurrences, origin, expected, observed, .. } = finding;
    let mut lines = vec![
        signature.clone(),
        format!(
            "seen in {}, {}",
            seen_in.join(", "),
            plural(usize::try_from(*occurrences).unwrap_or(usize::MAX), "case")
        ),
        format!("smallest case: {} bytes, {}{}", case.length, case.hex, if case.truncated { "..." } else { "" }),
        format!("from {origin}"),
        format!("{}: {}", expected.subject, expected.detail),
        format!("{}: {}", observed.subject, observed.detail),
    ];
    lines.extend(finding.caution.clone());
    lines.extend(case.path.as_ref().map(|path| format!("look closer: cargo provost replay RUN/{path}")));
    lines
}

/// That the log is not that of a whole run, who took part and could not be asked, and errors.
fn broken(s: &Summary) -> Vec<String> {
    let partial = s.log.partial.iter().flat_map(|_| s.warnings()).map(str::to_owned);
    let lost = |row: &&Row| matches!(row.standing, Standing::Silent | Standing::Lost);
    let rows = s.rows.iter().filter(lost).map(|row| format!("{}: {}", row.id, row.standing.word()));
    let errors = s.log.notes.iter().filter(|note| note.level == Level::Error).map(|note| note.text.clone());
    partial.chain(rows).chain(errors).collect()
}

/// Entries of corpus/expected that the run did not meet.
fn unmet(log: &RunLog) -> impl Iterator<Item = &str> {
    log.notes.iter().filter_map(|note| note.text.strip_prefix(UNMET))
}

/// JUnit XML: a suite for each subject, with a test for each generator and one for each of its new findings.
#[must_use]
pub fn junit(log: &RunLog) -> String {
    let s = Summary::of(log);
    let findings = |row: &Row| s.unexpected.iter().filter(|finding| finding.subject == row.id).collect::<Vec<_>>();
    let generators = |row: &Row| log.counts.iter().filter(|counts| counts.subject == row.id).collect::<Vec<_>>();
    let seconds = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    let mut suites = Vec::new();
    for row in &s.rows {
        let (found, made) = (findings(row), generators(row));
        let is_broken = matches!(row.standing, Standing::Silent | Standing::Lost);
        let is_absent = row.standing == Standing::Unusable;
        let whole = usize::from(is_broken || is_absent);
        (tests, failures, errors) =
            (tests + found.len() + made.len() + whole, failures + found.len(), errors + usize::from(is_broken));
        let reason = row.subject.and_then(|subject| subject.reason.as_deref()).unwrap_or("nothing was compared");
        suites.push(html! {
            testsuite name=(row.id) tests=(found.len() + made.len() + whole) failures=(found.len())
                errors=(usize::from(is_broken)) skipped=(usize::from(is_absent)) time=(seconds(row.total.ms))
                timestamp=(log.run.started.trim_end_matches('Z')) {
                @for counts in made {
                    // A test has the same name every night.
                    testcase classname=(row.id) name=(counts.generator) time=(seconds(counts.ms)) {
                        system-out { (counts.cases) " cases, " (counts.compared) " compared" }
                    }
                }
                @for finding in found {
                    testcase classname=(row.id) name=(finding.signature) time="0.000" {
                        failure type=(finding.relation) message=(finding.first_difference.as_deref().unwrap_or("it differs")) {
                            (explain(finding).join("\n"))
                        }
                    }
                }
                @if is_broken {
                    testcase classname=(row.id) name="takes part" time="0.000" { error type="broken" message=(reason) {} }
                }
                @if is_absent {
                    testcase classname=(row.id) name="takes part" time="0.000" { skipped message=(reason) {} }
                }
            }
        });
    }
    if let Some(warning) = s.warnings().first().filter(|_| log.partial.is_some()) {
        (tests, errors) = (tests + 1, errors + 1);
        suites.push(html! {
            testsuite name="the run" tests="1" failures="0" errors="1" skipped="0" time="0.000"
                timestamp=(log.run.started.trim_end_matches('Z')) {
                testcase classname="the run" name="comes to its end" time="0.000" { error type="partial" message=(warning) {} }
            }
        });
    }
    let seconds = seconds(s.sum(|counts| counts.ms));
    let page = html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        testsuites name="provost" tests=(tests) failures=(failures) errors=(errors) time=(seconds) {
            @for suite in suites { (suite) }
        }
    };
    visible(&page.into_string())
}

/// SARIF 2.1.0: each finding is a result; those that are listed as expected are suppressed, with the reason.
#[must_use]
pub fn sarif(log: &RunLog) -> Value {
    let s = Summary::of(log);
    let mut relations: Vec<&str> =
        s.unexpected.iter().chain(&s.known).map(|finding| finding.relation.as_str()).collect();
    relations.sort_unstable();
    relations.dedup();
    let rule = |relation: &&str| {
        let text = format!("Two sides do not do what they owe each other: {relation}");
        json!({ "id": relation, "shortDescription": { "text": text } })
    };
    let result = |finding: &&Finding| {
        let uri = finding.case.path.clone().unwrap_or_else(|| "run.jsonl".into());
        let mut result = json!({
            "ruleId": finding.relation,
            "level": if finding.expected_entry.is_some() { "note" } else { "error" },
            "message": { "text": explain(finding).join("\n") },
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": { "uri": uri, "uriBaseId": "RUN" },
                    "region": { "byteOffset": 0, "byteLength": finding.case.length },
                },
            }],
            "partialFingerprints": { "signature/v1": fingerprint(&finding.signature) },
            "occurrenceCount": finding.occurrences.max(1),
            "properties": { "signature": finding.signature, "seenIn": finding.seen_in, "generator": finding.generator },
        });
        if let Some(reason) = &finding.expected_entry {
            result["suppressions"] = json!([{ "kind": "external", "justification": reason }]);
        }
        result
    };
    let notes: Vec<Value> =
        broken(&s).into_iter().map(|text| json!({ "level": "error", "message": { "text": text } })).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Provost",
                "version": log.run.provost_version,
                "rules": relations.iter().map(rule).collect::<Vec<_>>(),
            } },
            "invocations": [{
                "commandLine": log.run.command,
                "startTimeUtc": log.run.started,
                "executionSuccessful": notes.is_empty(),
                "toolExecutionNotifications": notes,
            }],
            "originalUriBaseIds": { "RUN": { "description": { "text": "The folder of the run" } } },
            "results": s.unexpected.iter().chain(&s.known).map(result).collect::<Vec<_>>(),
        }],
    })
}

/// Lines that a step of a GitHub workflow prints: an error for each new finding and for what is broken, a warning for what is
/// listed as expected and was not met.
#[must_use]
pub fn annotations(log: &RunLog) -> String {
    let s = Summary::of(log);
    // https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut lines = String::new();
    for finding in &s.unexpected {
        let title = property(&format!("Provost: {}", finding.seen_in.join(" ")));
        let _ = writeln!(lines, "::error title={title}::{}", data(&explain(finding).join("\n")));
    }
    for text in broken(&s) {
        let _ = writeln!(lines, "::error title=Provost is broken::{}", data(&text));
    }
    for entry in unmet(log) {
        let _ = writeln!(lines, "::warning title=Provost%3A an expectation was not met::{}", data(entry));
    }
    lines
}

/// The page that a maintainer reads in the morning, as Markdown; `known` tells which signatures earlier runs had.
#[must_use]
pub fn summary(log: &RunLog, known: &[String]) -> String {
    let s = Summary::of(log);
    let mut text = format!("# Provost: {}\n\n", plain(&s.headline()));
    let _ = writeln!(
        text,
        "`{}`, {}, {:.0} s: **{}**.\n",
        plain(&log.run.command),
        log.run.started,
        log.seconds,
        word(s.verdict())
    );
    let list = |text: &mut String, title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(text, "## {title}\n");
            for line in &lines {
                let _ = writeln!(text, "- {}", plain(line));
            }
            text.push('\n');
        }
    };
    let line = |finding: &&Finding| {
        let Finding { signature, seen_in, case, .. } = finding;
        format!("{signature} ({}; {} bytes: {})", seen_in.join(", "), case.length, shortened(&case.hex))
    };
    let is_known = |finding: &&Finding| {
        // Which finding stands for those of its cause changes from night to night.
        std::iter::once(&finding.signature).chain(&finding.also).any(|signature| known.contains(signature))
    };
    let (old, new): (Vec<&Finding>, Vec<&Finding>) = s.unexpected.iter().copied().partition(is_known);
    for warning in s.warnings() {
        let _ = writeln!(text, "**{warning}**\n");
    }
    list(&mut text, "New findings", new.iter().map(line).collect());
    list(&mut text, "Findings of earlier nights that are still there", old.iter().map(line).collect());
    list(&mut text, "Broken, or nothing compared", broken(&s));
    list(&mut text, "Listed as expected, and not met", unmet(log).map(str::to_owned).collect());
    text.push_str(
        "| subject | cases | compared | diverged | expected | faulted | standing |\n|---|--:|--:|--:|--:|--:|---|\n",
    );
    for row in &s.rows {
        let total = &row.total;
        let numbers =
            [total.cases, total.compared, total.diverged, total.expected, total.faulted].map(|n| n.to_string());
        let _ = writeln!(text, "| {} | {} | {} |", plain(row.id), numbers.join(" | "), row.standing.word());
    }
    let warned = log.notes.iter().filter(|note| note.level == Level::Warning).map(|note| note.text.clone());
    text.push('\n');
    list(&mut text, "Warnings", warned.collect());
    text
}

/// The tracking issues of the findings that are new in this run.
#[must_use]
pub fn issues(log: &RunLog) -> Vec<Issue> {
    let issue = |finding: &&Finding| {
        let signatures = std::iter::once(&finding.signature).chain(&finding.also);
        let fingerprints: Vec<String> = signatures.map(|signature| fingerprint(signature)).collect();
        let harmless = |id: &String| id.replace(|c: char| c.is_whitespace() || "<>".contains(c), "");
        let subjects: Vec<String> = finding.seen_in.iter().map(harmless).collect();
        let mark = format!("{MARK}{} in {} -->", fingerprints.join(" "), subjects.join(" "));
        let fence = |text: &str| format!("```text\n{}\n```\n", visible(text).replace("```", "` ` `"));
        let mut body = format!("{}\n", fence(&explain(finding).join("\n")));
        for (title, command) in
            [("To see one side", &finding.repro_python), ("To see the other side", &finding.repro_rust)]
        {
            if let Some(command) = command {
                let _ = write!(body, "{title}:\n\n{}\n", fence(command));
            }
        }
        if let Some((seed, index)) = finding.made {
            let _ = writeln!(
                body,
                "The generator `{}` makes the case with seed {seed} and index {index}, generators {}.\n",
                plain(&finding.generator),
                log.run.generator_version
            );
        }
        let _ = writeln!(body, "Found by `{}`, {}.\n\n{mark}", plain(&log.run.command), log.run.started);
        Issue { fingerprints, title: format!("Provost: {}", plain(&finding.signature)), body }
    };
    Summary::of(log).unexpected.iter().map(issue).collect()
}

/// Text that cannot be taken for Markdown or HTML: one line, with nothing that begins something.
fn plain(text: &str) -> String {
    let line = visible(text).replace(['\n', '\r'], " ");
    line.replace('&', "&amp;").replace('<', "&lt;").replace('`', "'").replace('|', "\\|").replace('@', "@\u{200b}")
}

fn shortened(hex: &str) -> String {
    if hex.len() > 64 { format!("{}...", &hex[..64]) } else { hex.to_owned() }
}
