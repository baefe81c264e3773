//! The report: one HTML file that needs no server, no network, no font and no script.
//!
//! Everything in a log is hostile text: exception messages, file names and canons come from fuzzed bytes. Three walls hold
//! it: the templates escape all that they interpolate, [`text::visible`] makes control characters harmless, and the page
//! forbids the browser any script but its own and any request at all.

mod findings;
mod generators;
mod matrix;
mod tables;
mod text;

use crate::summary::{Summary, Tone, all, plural, word};
use crate::{Level, RunLog};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use text::{duration, percent};
pub(crate) use text::{grouped, hex_dump, moment, snippet, visible};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// What the browser may do: use this page's style and this very script. The hash is that of `script.js`.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; \
                      script-src 'sha256-/BU/Dz8o4njvYf6YPAbsO9fxSIhERuf3LZVggWiKKSk='";

/// The report of a run, as one HTML file.
#[must_use]
pub fn render(run: &RunLog) -> String {
    let summary = Summary::of(run);
    let sections = [
        Some(facts(&summary)),
        tables::results(&summary),
        findings::unexpected(&summary),
        findings::known(&summary),
        tables::faults(&summary),
        matrix::matrix(&summary),
        generators::generators(&summary),
        tables::acceptance(&summary),
        tables::reasons(&summary),
        tables::interpreters(&summary),
        notes(&summary),
    ];
    let body = html! {
        (masthead(&summary))
        main {
            (verdict(&summary))
            (tiles(&summary))
            @for section in sections.iter().flatten() { (section) }
        }
        (footer(&summary))
        script { (PreEscaped(SCRIPT)) }
    };
    page(&format!("Provost: {}", summary.headline()), &body)
}

/// A whole page, in which nothing of what a log says can do harm.
pub(crate) fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    text::visible(&page.into_string())
}

/// A section with a heading, the name of which is also its address in the page.
pub(crate) fn section(id: &str, title: &str, lead: &str, body: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            @if !lead.is_empty() { p.lead { (lead) } }
            (body)
        }
    }
}

/// A wide thing that scrolls by itself, also with the keyboard.
pub(crate) fn scroller(label: &str, body: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(label) tabindex="0" { (body) } }
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Calm => "calm",
    }
}

/// The tone for those who do not see colours.
fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "\u{2713}",
        Tone::Warn => "!",
        Tone::Bad => "\u{2717}",
        Tone::Calm => "\u{2013}",
    }
}

fn masthead(s: &Summary) -> Markup {
    html! {
        header.masthead {
            svg viewBox="0 0 24 24" width="26" height="26" aria-hidden="true" {
                path d="M12 1.8 3.6 4.9v6.3c0 5.2 3.5 9.3 8.4 11 4.9-1.7 8.4-5.8 8.4-11V4.9z" fill="none"
                    stroke="currentColor" stroke-width="1.7" stroke-linejoin="round" {}
                path d="m8.2 12 2.7 2.8 5-5.6" fill="none" stroke="currentColor" stroke-width="1.7"
                    stroke-linecap="round" stroke-linejoin="round" {}
            }
            span.brand { "Provost" }
            span.what { "Differential test of marshal readers and writers" }
            time datetime=(s.log.run.started) { (text::moment(&s.log.run.started)) }
        }
    }
}

fn verdict(s: &Summary) -> Markup {
    html! {
        @for warning in s.warnings() { p.banner.warn role="note" { (warning) } }
        @for note in s.log.notes.iter().filter(|n| n.level == Level::Error) { p.banner.bad role="note" { (note.text) } }
        section.verdict.(tone(s.tone())) aria-labelledby="verdict-title" {
            p.kicker { span.sign aria-hidden="true" { (sign(s.tone())) } (word(s.verdict())) }
            h1 id="verdict-title" { (s.headline()) }
            @for line in s.explanation() { p { (line) } }
            @if s.cpythons().next().is_none() { (how_to_get_one(s)) }
            @if !s.rows.is_empty() {
                ul.chips aria-label="Subjects" {
                    @for (i, row) in s.rows.iter().enumerate() {
                        li { a.chip.(tone(row.standing.tone())) href={ "#subject-" (i) } title=(row.standing.word()) {
                            span.sign aria-hidden="true" { (sign(row.standing.tone())) }
                            (row.id)
                            span.unseen { ": " (row.standing.word()) }
                        } }
                    }
                }
            }
        }
    }
}

/// What a user without a usable CPython can do; the advice that the run itself gave comes first.
fn how_to_get_one(s: &Summary) -> Markup {
    let advised = s.rows.iter().filter(|r| r.is_cpython).filter_map(|r| Some((r.id, r.subject?.advice.as_ref()?)));
    html! {
        div.howto {
            h2 { "How to get one" }
            ul {
                @for (id, advice) in advised { li { code { (id) } ": " (advice) } }
                li {
                    "Install any CPython, of your system's packages or with pyenv, and run the same command again; "
                    "several versions side by side are better."
                }
            }
        }
    }
}

fn tiles(s: &Summary) -> Markup {
    // What was compared without a CPython must not make the numbers look better.
    let [compared, agreed] = s.cpythons().fold([0u64; 2], |[compared, agreed], row| {
        [compared.saturating_add(row.total.compared), agreed.saturating_add(row.total.agreed)]
    });
    let others = s.sum(|c| c.compared).saturating_sub(compared);
    let surprising: usize = s.rows.iter().map(|row| row.surprising_faults).sum();
    let tile = |name: &str, value: &str, detail: &str, look: Tone| {
        html! { div.tile.(tone(look)) { dt { (name) } dd { span.value { (value) } span.detail { (detail) } } } }
    };
    let alarm = |n: usize| if n > 0 { Tone::Bad } else { Tone::Calm };
    html! {
        dl.tiles {
            (tile("Comparisons", &grouped(compared), &format!("with CPythons; {} without one", grouped(others)), Tone::Calm))
            (tile("Agreement", &percent(agreed, compared), "of those with CPythons", Tone::Calm))
            (tile("Unexpected", &s.unexpected.len().to_string(), "findings", alarm(s.unexpected.len())))
            (tile("Known", &s.known.len().to_string(), "divergences, listed", Tone::Calm))
            (tile("Faults", &grouped(s.sum(|c| c.faulted).max(s.log.faults.len() as u64)),
                &format!("{surprising} not predicted"),
                if surprising > 0 { Tone::Warn } else { Tone::Calm }))
            (tile("Undecided", &grouped(s.sum(|c| all(&c.inconclusive)).saturating_add(s.sum(|c| all(&c.skipped)))),
                "inconclusive or skipped", Tone::Calm))
            @if let Some(end) = &s.log.end {
                (tile("Duration", &duration(end.seconds), if end.interrupted { "until interrupted" } else { "in all" }, Tone::Calm))
            } @else {
                (tile("Duration", "\u{2013}", "not known", Tone::Warn))
            }
        }
    }
}

fn facts(s: &Summary) -> Markup {
    let run = &s.log.run;
    let limits = match (run.minutes, run.cases) {
        (None, None) => "none".to_owned(),
        (minutes, cases) => {
            let minutes = minutes.map(|m| duration(m * 60.0));
            let cases = cases.map(|n| format!("{} cases", grouped(n)));
            minutes.into_iter().chain(cases).collect::<Vec<_>>().join(", ")
        }
    };
    let cpus = usize::try_from(run.host.cpus).unwrap_or(usize::MAX);
    let body = html! {
        (text::snippet(&run.command))
        dl.facts {
            div { dt { "Started" } dd { (text::moment(&run.started)) } }
            div { dt { "Seed" } dd { code { (run.seed) } } }
            div { dt { "Limits" } dd { (limits) } }
            div { dt { "Generators" } dd { (run.generators.join(", ")) } }
            div { dt { "Provost" } dd { (run.provost_version) ", generators " (run.generator_version) } }
            div { dt { "Machine" } dd { (run.host.os) " " (run.host.arch) ", " (plural(cpus, "CPU")) } }
            @if let Some(end) = &s.log.end {
                div { dt { "Ended" } dd {
                    (word(end.verdict)) ", exit code " (end.exit_code) " after " (duration(end.seconds))
                    @if end.interrupted { ", interrupted" }
                } }
            } @else {
                div { dt { "Ended" } dd { "not, as far as the log tells" } }
            }
        }
    };
    section("run", "The run", "", &body)
}

fn notes(s: &Summary) -> Option<Markup> {
    if s.log.notes.is_empty() {
        return None;
    }
    let body = html! {
        ul.notes {
            @for note in &s.log.notes {
                @let (name, look) = match note.level {
                    Level::Info => ("info", Tone::Calm),
                    Level::Warning => ("warning", Tone::Warn),
                    Level::Error => ("error", Tone::Bad),
                };
                li { span.badge.(tone(look)) { (name) } " " (note.text) }
            }
        }
    };
    Some(section("notes", "Notes", "", &body))
}

fn footer(s: &Summary) -> Markup {
    let run = &s.log.run;
    html! {
        footer {
            "Made from " (crate::FILE_NAME) " alone: " (grouped(s.log.events)) " events, log format " (run.format)
            ", Provost " (run.provost_version) ". "
            @if s.log.partial.is_none() { "The log is complete." } @else { "The log is not complete." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{POLICY, SCRIPT};
    use base64::Engine;
    use sha2::Digest;

    #[test]
    fn policy_allows_the_script() {
        let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(SCRIPT));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "script.js has changed: its hash is now sha256-{hash}");
    }
}
