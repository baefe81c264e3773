//! How a run ends: its verdict, its report, and what is printed.

use crate::generators::Generator;
use crate::matrix;
use crate::progress::{Totals, table};
use crate::record::Recorder;
use crate::repro;
use crate::statistics;
use anyhow::Result;
use reports::{Counts, End, Event, Level, Verdict};
use std::fmt::Write as _;
use std::io::Write as _;

/// How many findings are shown in the terminal; the report has all.
const SHOWN: usize = 10;

/// Cases of so many bytes are shown with them.
const INLINE: u64 = 40;

/// Writes the end, prints the summary, and gives the exit status. `arguments` are those of the command that made the run.
pub(in crate::cli) fn finish(
    recorder: &mut Recorder,
    ids: &[String],
    compares: bool,
    interrupted: bool,
    arguments: &[String],
) -> Result<u8> {
    let silent: Vec<String> = ids.iter().filter(|id| Totals::of(of(recorder, id)).compared == 0).cloned().collect();
    for id in &silent {
        recorder.sum_up(Level::Warning, format!("{id}: nothing was compared; give it more time with --minutes"))?;
    }
    recorder.flush()?;
    let made: Vec<reports::Statistics> = recorder.made().collect();
    let starved: Vec<String> = made
        .iter()
        .filter(|statistics| !statistics.starved.is_empty())
        .map(|s| {
            format!(
                "{}: not all that the generator {} makes is of use: {}",
                s.subject,
                s.generator,
                s.starved.join("; ")
            )
        })
        .collect();
    for text in &starved {
        recorder.sum_up(Level::Warning, text)?;
    }
    let unmet: Vec<String> = recorder.unmet().map(ToString::to_string).collect();
    for entry in &unmet {
        recorder.sum_up(Level::Info, format!("{}{entry}", reports::UNMET))?;
    }
    let broken = recorder.broken().to_vec();
    let (verdict, status) = match (broken.is_empty(), recorder.unexpected(), compares && silent.len() < ids.len()) {
        (false, _, _) => (Verdict::Broken, 2),
        (true, 1.., _) => (Verdict::Diverged, 1),
        (true, 0, true) => (Verdict::Agree, 0),
        (true, 0, false) => (Verdict::NothingCompared, 0),
    };
    let seconds = recorder.seconds();
    recorder.write(&Event::End(End { verdict, exit_code: status, interrupted, seconds }))?;
    let report = recorder.render()?;
    let name = report.file_name().unwrap_or_default().to_owned();
    recorder.publish()?;
    let report = recorder.folder().join(name);
    let mut text = summary(recorder, ids);
    // Executions are compared with the verifier, not with the rules of the format.
    if recorder.reached().any(|column| column.compared > 0) {
        writeln!(text, "\n{}", matrix::summary(recorder.reached()))?;
    }
    let lines = [statistics::summary(&made), starved].concat();
    if !lines.is_empty() {
        writeln!(text, "\n{}", lines.join("\n"))?;
    }
    let mut new: Vec<&reports::Finding> = recorder.findings().filter(|finding| finding.is_new()).collect();
    new.sort_by_key(|finding| finding.rank());
    let more = new.len().saturating_sub(SHOWN);
    let again = again(arguments);
    for finding in new.into_iter().take(SHOWN) {
        writeln!(text, "\n{} ({}x in {})", finding.signature, finding.occurrences, finding.seen_in.join(", "))?;
        writeln!(text, "  at {} ({})", finding.first_difference.as_deref().unwrap_or_default(), finding.origin)?;
        if let Some(original) = finding.original_length {
            let how = if finding.smallest { "minimized" } else { "minimized as far as the time went" };
            writeln!(text, "  {} bytes, {how} from {original}", finding.case.length)?;
        }
        if !finding.also.is_empty() {
            writeln!(text, "  the same cause: {}", finding.also.join("; "))?;
        }
        let width = finding.observed.subject.len();
        writeln!(text, "  {:width$}  {}", finding.expected.subject, finding.expected.detail)?;
        writeln!(text, "  {}  {}", finding.observed.subject, finding.observed.detail)?;
        let case = recorder.folder().join(finding.case.path.as_deref().unwrap_or_default());
        if !finding.case.truncated && finding.case.length <= INLINE {
            writeln!(text, "  {}", finding.case.hex)?;
        }
        writeln!(text, "  cargo provost replay {}{again}", case.display())?;
        if let Some(caution) = &finding.caution {
            writeln!(text, "  {caution}")?;
        }
    }
    if more > 0 {
        writeln!(text, "\n{more} more findings are in the report")?;
    }
    if !unmet.is_empty() {
        writeln!(text, "\n{} entries of corpus/expected were not met in this run", unmet.len())?;
    }
    for (id, caution) in recorder.cautions() {
        writeln!(text, "\n{id}: {caution}")?;
    }
    for (id, reason) in &broken {
        writeln!(text, "\nBROKEN {id}: {reason}")?;
    }
    for id in &silent {
        writeln!(text, "\n{id}: nothing was compared")?;
    }
    writeln!(text, "\nlog     {}\nreport  {}", recorder.log_path().display(), report.display())?;
    let known = recorder.findings().filter(|finding| finding.expected_entry.is_some()).count();
    writeln!(
        text,
        "{}{}, {known} more that are expected ({seconds:.0} s)",
        if interrupted { "interrupted; " } else { "" },
        match verdict {
            Verdict::Agree => "all agree".to_owned(),
            Verdict::NothingCompared => "nothing was compared with a CPython; no finding in pyc-core alone".to_owned(),
            Verdict::Broken => format!("broken; {}", findings(recorder.unexpected())),
            Verdict::Diverged => findings(recorder.unexpected()),
        },
    )?;
    tell(&text)?;
    Ok(u8::try_from(status).unwrap_or(2))
}

/// What another command has to say to ask the same subjects, where these are no interpreters.
fn again(arguments: &[String]) -> String {
    let options = arguments.windows(2).filter(|pair| matches!(&*pair[0], "--plant" | "--adapter"));
    options.map(|pair| format!(" {} {}", pair[0], repro::shell_path(&pair[1]))).collect()
}

/// Prints it. Whoever closes the pipe has read enough, and the run is what it is.
///
/// # Errors
/// When it cannot be written for another reason.
pub(in crate::cli) fn tell(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn findings(n: usize) -> String {
    format!("{n} finding{}", if n == 1 { "" } else { "s" })
}

fn of<'a>(recorder: &'a Recorder, id: &str) -> Vec<&'a Counts> {
    recorder.counts().filter(|counts| counts.subject == *id).collect()
}

fn summary(recorder: &Recorder, ids: &[String]) -> String {
    let heading = [
        "subject",
        "cases",
        "compared",
        "agreed",
        "expected",
        "diverged",
        "undecided",
        "skipped",
        "faulted",
        "instructions",
        "restarts",
        "cases/s",
    ];
    let mut rows = vec![heading.map(String::from).to_vec()];
    let mut sources =
        vec![["compiled", "from", "cases", "identical", "not compiled", "other"].map(String::from).to_vec()];
    for id in ids {
        let counts = of(recorder, id);
        let t = Totals::of(counts.iter().copied());
        let rate = t.cases.saturating_mul(1000) / t.ms.max(1);
        let numbers = [
            t.cases,
            t.compared,
            t.agreed,
            t.expected,
            t.diverged,
            t.inconclusive,
            t.skipped,
            t.faulted,
            t.instructions,
            t.restarts,
            rate,
        ];
        rows.push(std::iter::once(id.clone()).chain(numbers.iter().map(ToString::to_string)).collect());
        let compiled = |c: &&&Counts| {
            [Generator::Stdlib, Generator::Programs].iter().any(|g| c.generator == g.name()) && c.cases > 0
        };
        for c in counts.iter().filter(compiled) {
            let numbers = [c.cases, c.agreed, c.not_compiled, c.cases - c.agreed - c.not_compiled];
            let who = [id.clone(), c.generator.clone()];
            sources.push(who.into_iter().chain(numbers.iter().map(ToString::to_string)).collect());
        }
    }
    let sources = if sources.len() > 1 { format!("\n{}", table(&sources)) } else { String::new() };
    table(&rows) + &sources
}
