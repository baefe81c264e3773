//! What a report must say, and what it must never do.

use reports::{Counts, End, FeatureCount, Level, Note, RunLog, Spread, Statistics, Verdict, render};
use std::path::Path;

fn sample() -> RunLog {
    reports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample.jsonl")).unwrap()
}

/// The sample, as it would be if every finding were listed and nothing had gone wrong.
fn quiet() -> RunLog {
    let mut log = sample();
    log.findings.retain(|f| f.expected_entry.is_some());
    for counts in &mut log.counts {
        counts.agreed += counts.diverged;
        counts.diverged = 0;
    }
    log.counts.retain(|c| c.compared > 0);
    log.subjects.retain(|s| s.id == "core" || log.counts.iter().any(|c| c.subject == s.id));
    log.end = Some(End { verdict: Verdict::Agree, exit_code: 0, interrupted: false, seconds: 1.0 });
    log
}

fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page.find(from).unwrap_or_else(|| panic!("no {from}")) + from.len();
    &page[start..start + page[start..].find(to).unwrap()]
}

fn headline(log: &RunLog) -> String {
    between(&render(log), "<h1 id=\"verdict-title\">", "</h1>").to_owned()
}

/// The colour in which the verdict is shown.
fn tone(log: &RunLog) -> String {
    between(&render(log), "<section class=\"verdict ", "\"").to_owned()
}

#[test]
fn the_headline_says_what_was_compared() {
    #[track_caller]
    fn check(log: &RunLog, want_tone: &str, want: &str) {
        assert_eq!((tone(log).as_str(), headline(log).as_str()), (want_tone, want));
    }
    check(&sample(), "bad", "4 unexpected findings in 6 of 10 CPythons");
    check(&quiet(), "good", "Agrees with 10 CPythons, apart from 2 known divergences");

    let mut log = quiet();
    log.findings.clear();
    check(&log, "good", "Agrees with 10 CPythons");

    log.notes.push(Note { level: Level::Error, text: "the disk is full".into(), sums_up: false });
    check(&log, "warn", "Agrees with 10 CPythons");

    let mut log = quiet();
    log.counts.retain(|c| c.subject == "core");
    check(&log, "warn", "Nothing was compared with a CPython");

    let mut log = quiet();
    log.end = Some(End { verdict: Verdict::Broken, exit_code: 2, interrupted: false, seconds: 1.0 });
    check(&log, "bad", "The run broke before it could come to a verdict");

    // The events overrule a harness that calls its run green.
    let mut log = sample();
    log.end = quiet().end;
    check(&log, "bad", "4 unexpected findings in 6 of 10 CPythons");
    assert!(render(&log).contains("its own log says otherwise"));

    // A divergence that was counted but not written down is not forgotten.
    let mut log = quiet();
    log.counts[3].diverged = 1;
    check(&log, "bad", "The run failed without an unexpected finding");
}

#[test]
fn rules_that_were_not_reached_are_named() {
    let page = render(&sample());
    let section = between(&page, "<section id=\"rules\"", "</section>");
    let missed: Vec<&str> =
        between(section, "<ul class=\"missed\">", "</ul>").split("</li>").filter(|li| !li.is_empty()).collect();
    let expected = [
        "<li>refusals: <b>NULL at the top</b> (cpython:3.6)",
        "<li>2.7: <b>a dict reads on after a value that fails</b> (cpython:2.7)",
    ];
    assert_eq!(missed, expected);
    let count = |what: &str| section.matches(what).count();
    assert_eq!((count("class=\"n missed\""), count("class=\"n never\"")), (2, 3));
    assert!(section.contains("512\u{202f}345") && section.contains("dump not asked for: expansion"), "{section}");

    let mut log = sample();
    for column in &mut log.reached {
        column.cases.iter_mut().flatten().for_each(|cases| *cases += 1);
    }
    assert!(render(&log).contains("Every rule that a subject can reach was reached."));
    log.reached.clear();
    assert!(!render(&log).contains("<section id=\"rules\""));
}

#[test]
fn partial_and_interrupted_runs_are_flagged() {
    assert!(!render(&quiet()).contains("class=\"banner"));
    let mut log = quiet();
    (log.end, log.partial) = (None, Some(reports::Gap::NoEnd));
    assert!(render(&log).contains("Partial run: the log has no end."));
    assert_eq!(tone(&log), "warn");
    log.partial = Some(reports::Gap::TornLine);
    assert!(render(&log).contains("Partial run: the last line of the log is torn."));
    let mut log = quiet();
    log.end.as_mut().unwrap().interrupted = true;
    assert!(render(&log).contains("Interrupted run"));
}

#[test]
fn a_subject_that_produced_nothing_is_never_green() {
    for victim in quiet().subjects.iter().filter(|s| s.id != "core") {
        let mut log = quiet();
        log.findings.clear();
        for counts in log.counts.iter_mut().filter(|c| c.subject == victim.id) {
            let nothing = Counts { cases: counts.cases, restarts: 3, ..Counts::default() };
            *counts = Counts { subject: counts.subject.clone(), generator: counts.generator.clone(), ..nothing };
        }
        let page = render(&log);
        let place = log.subjects.iter().position(|s| s.id == victim.id).unwrap();
        let row = between(&page, &format!("<tr id=\"subject-{place}\""), "</tr>");
        assert!(row.contains("nothing compared") && !row.contains("good"), "{row}");
        assert_eq!(tone(&log), "warn");
        assert!(page.contains(&format!("Took part, but produced nothing to compare: {}.", victim.id)));
    }
}

#[test]
fn nothing_compared_comes_with_advice() {
    let mut log = sample();
    log.counts.clear();
    log.findings.clear();
    log.end = None;
    let page = render(&log);
    assert!(page.contains("How to get one"));
    let advice = log.subjects.iter().find_map(|s| s.advice.as_deref()).unwrap();
    assert!(between(&page, "How to get one", "</div>").contains(advice));
    assert!(!page.contains("<tr class=\"row-good") && !page.contains("class=\"chip good"));
}

#[test]
fn a_run_of_which_nothing_is_known_has_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    let text = include_str!("sample.jsonl");
    std::fs::write(&path, text.lines().next().unwrap()).unwrap();
    let log = reports::read(&path).unwrap();
    assert_eq!(headline(&log), "Nothing was compared with a CPython");
    assert!(render(&log).contains("The log names no subject."));
    assert!(render(&log).contains(&log.run.seed.to_string()));
}

/// Every text and every number of the sample is replaced by something hostile; the page keeps its structure.
#[test]
fn hostile_text_is_harmless() {
    const EVIL: &str =
        "\"'><script>alert(1)</script><!--</style>&amp;\u{1b}[31m\0\r\u{202e}\u{7f}\u{85}{{7*7}}\u{ffff}";
    fn poison(value: &mut serde_json::Value, key: &str) {
        match value {
            serde_json::Value::String(s) => {
                let words = ["event", "verdict", "level", "outcome"];
                if !words.contains(&key) {
                    s.insert_str(s.len() / 2 - usize::from(!s.is_char_boundary(s.len() / 2)), EVIL);
                }
            }
            serde_json::Value::Array(all) => all.iter_mut().for_each(|v| poison(v, key)),
            serde_json::Value::Object(map) => {
                map.iter_mut().for_each(|(k, v)| poison(v, k));
                if key == "inconclusive" || key == "skipped" {
                    map.insert(EVIL.into(), u64::MAX.into());
                }
            }
            serde_json::Value::Number(n) if n.is_u64() && !small(key) => *value = u64::MAX.into(),
            _ => {}
        }
    }
    fn small(key: &str) -> bool {
        let small = "format generator_version cpus protocol version_info marshal_version pointer_bits unicode_max optimize exit_code";
        small.split(' ').any(|s| s == key)
    }
    let text: String = include_str!("sample.jsonl")
        .lines()
        .map(|line| {
            let mut value = serde_json::from_str(line).unwrap();
            poison(&mut value, "");
            value.to_string() + "\n"
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    std::fs::write(&path, text).unwrap();
    let page = render(&reports::read(&path).unwrap());
    let tame = render(&sample());
    for tag in ["<script", "</script", "<style", "</style", "<section", "<table", "<h1", "<!--"] {
        assert_eq!(page.matches(tag).count(), tame.matches(tag).count(), "{tag}");
    }
    let hidden = page.chars().find(|c| (c.is_control() && !"\n\t".contains(*c)) || "\u{202e}\u{ffff}".contains(*c));
    assert_eq!(hidden, None);
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("\\u{1b}[31m\\u{0}\\u{d}\\u{202e}")
    );
    // Inside an attribute only a quote ends the value.
    assert!(!page.contains("\"'>") && !page.contains("\"'&gt;"));
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let page = render(&sample());
    for outside in ["http://", "https://", "src=", "@import", "url(", "<link", "<iframe", "<img"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn tables_are_accessible() {
    let page = render(&sample());
    let tables: Vec<&str> = page.split("<table").skip(1).collect();
    assert!(tables.len() >= 5);
    for table in tables {
        let table = table.split("</table>").next().unwrap();
        let title: String = table.chars().take(120).collect();
        assert!(table.contains("<caption>"), "no caption: {title}");
        assert!(table.contains("scope=\"col\"") && table.contains("scope=\"row\""), "no headings: {title}");
        // Every row has as many cells as there are columns, or the numbers stand under the wrong names.
        let columns = between(table, "<thead>", "</thead>").matches("scope=\"col\"").count();
        for row in between(table, "<tbody>", "</tbody>").split("<tr").skip(1) {
            let spanned = row.matches("colspan=\"11\"").count() * 10;
            let cells = row.matches("</td>").count() + row.matches("</th>").count() + spanned;
            assert_eq!(cells, columns, "{title}\n{row}");
        }
    }
}

#[test]
fn a_starved_generator_is_marked() {
    let feature = |name: &str, cases| FeatureCount { name: name.into(), cases, promised: true };
    let made = |starved: &[&str], valid_accepted| Statistics {
        subject: "cpython:3.12".into(),
        generator: "values".into(),
        valid: 1000,
        valid_accepted,
        sampled: 40,
        size: Spread { sum: 100, max: 9 },
        features: vec![feature("list", 40), feature("slice", 0)],
        starved: starved.iter().map(|&reason| reason.into()).collect(),
        ..Statistics::default()
    };
    let mut log = quiet();
    assert!(!render(&log).contains("<section id=\"generators\""));
    log.statistics.push(made(&[], 1000));
    let page = render(&log);
    let section = between(&page, "<section id=\"generators\"", "</section>");
    assert!(section.contains("Every generator made what it promises.") && section.contains("2.5"), "{section}");
    log.statistics[0] = made(&["no <slice>"], 998);
    let page = render(&log);
    let section = between(&page, "<section id=\"generators\"", "</section>");
    assert!(section.contains("cpython:3.12: no &lt;slice&gt;"), "{section}");
    assert_eq!(section.matches("missed").count(), 3, "the list, the share and the feature: {section}");
}
