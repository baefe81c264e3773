//! The other side of a contest: a process that times a round of work when asked.
//!
//! What another program does can only be timed inside it: sending it a stream takes longer than reading one. So it gets all
//! streams in a file, and later a line for each round, and answers with the seconds that it took. It first says which of
//! the streams it accepts, because a speed on streams that one side refuses is no speed. The lines are described in
//! bench/marshal_loads.py and in bench/peers, which speak alike.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long a rival may take for one answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that times rounds.
#[derive(Debug)]
pub struct Rival {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
    /// Which of the streams it accepts.
    pub accepts: Vec<bool>,
}

impl Rival {
    /// Starts it, for so many streams.
    ///
    /// # Errors
    /// When it does not start, or does not say what it accepts.
    pub fn start(mut command: Command, streams: usize) -> Result<Rival> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("it does not start")?;
        let (input, output) = child.stdin.take().zip(child.stdout.take()).context("it has no pipes")?;
        let (sender, answers) = channel();
        // Ends when the process does.
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.into_iter().try_for_each(|line| sender.send(line))
        });
        let mut rival = Rival { child, input, answers, accepts: Vec::new() };
        let digits = rival.answer()?;
        if digits.len() != streams || digits.bytes().any(|digit| !matches!(digit, b'0' | b'1')) {
            let excerpt: String = digits.chars().take(60).collect();
            bail!("asked which of {streams} streams it accepts, it said {excerpt:?}");
        }
        rival.accepts = digits.bytes().map(|digit| digit == b'1').collect();
        Ok(rival)
    }

    fn answer(&mut self) -> Result<String> {
        if let Ok(answer) = self.answers.recv_timeout(PATIENCE) {
            return Ok(answer);
        }
        match self.child.try_wait() {
            Ok(Some(status)) => bail!("it ended ({status})"),
            _ => bail!("it did not answer within {} s", PATIENCE.as_secs()),
        }
    }

    fn ask(&mut self, line: &str) -> Result<String> {
        // One that has ended says so when it is listened to.
        let _ = writeln!(self.input, "{line}").and_then(|()| self.input.flush());
        self.answer()
    }

    /// Times only these streams from now on.
    ///
    /// # Errors
    /// When it does not understand.
    pub fn use_only(&mut self, chosen: &[bool]) -> Result<()> {
        let digits: String = chosen.iter().map(|&chosen| if chosen { '1' } else { '0' }).collect();
        match self.ask(&format!("use {digits}"))?.as_str() {
            "ok" => Ok(()),
            other => bail!("it said {other:?} instead of ok"),
        }
    }

    /// One round of `load` or `dump`, in seconds.
    ///
    /// # Errors
    /// When it gives no number.
    pub fn round(&mut self, what: &str) -> Result<f64> {
        let answer = self.ask(what)?;
        answer.parse().with_context(|| format!("asked for a round, it said {answer:?}"))
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn rounds_are_asked_for_and_answered() {
        let mut rival = Rival::start(shell("echo 101; read use; echo ok; read round; echo 0.25; cat"), 3).unwrap();
        assert_eq!(rival.accepts, [true, false, true]);
        rival.use_only(&[true, false, false]).unwrap();
        assert_eq!(rival.round("load").unwrap(), 0.25);
        assert!(rival.round("load").unwrap_err().to_string().contains("\"load\""));
    }

    #[test]
    fn one_that_fails_says_why() {
        let error = |script: &str| Rival::start(shell(script), 2).unwrap_err().to_string();
        assert!(error("echo 1").contains("\"1\""));
        assert!(error("echo 1x").contains("\"1x\""));
        assert!(error("exit 3").contains("it "), "{}", error("exit 3"));
        assert!(Rival::start(Command::new("/no/such/program"), 1).is_err());
    }
}
