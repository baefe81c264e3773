//! How long an answer is waited for: by the work that the worker does, not by the clock.
//!
//! On a busy machine the same case takes many times as long, and must not come to another end. So what counts is the CPU time
//! of the worker's process group, which holds what a wrapper has started, too. It is looked at only when an answer is late.
//! Only a worker that does nothing is measured by the clock, and every worker where there is no /proc.

use crate::fault::TimeLimit;
use crate::process::Stop;
use std::time::{Duration, Instant};

/// How long no answer is late. What is done in this time is not counted, and is little beside any limit.
const PROMPT: Duration = Duration::from_millis(100);

/// The wait for one answer.
#[derive(Debug)]
pub(crate) struct Patience {
    group: u32,
    /// How much may be worked on an answer.
    cpu: Duration,
    /// How long nothing may happen at all.
    silence: Duration,
    /// When something happened: the worker took a part of the request, or used CPU time.
    alive: Instant,
    look_at: Instant,
    /// CPU time at the first look, and at the last.
    used: Option<(Duration, Duration)>,
}

impl Patience {
    /// Waits for an answer of the process group from now on.
    pub(crate) fn new(group: u32, cpu: Duration, silence: Duration) -> Patience {
        let now = Instant::now();
        Patience { group, cpu, silence, alive: now, look_at: now + PROMPT, used: None }
    }

    /// Starts anew: the worker has taken a part of the request.
    pub(crate) fn restart(&mut self) {
        *self = Patience::new(self.group, self.cpu, self.silence);
    }

    /// For how long nobody needs to look.
    pub(crate) fn left(&self) -> Duration {
        self.look_at.saturating_duration_since(Instant::now())
    }

    /// Looks at what the worker did meanwhile.
    ///
    /// # Errors
    /// When a limit is reached.
    pub(crate) fn look(&mut self) -> Result<(), Stop> {
        let now = Instant::now();
        let mut next = self.silence;
        if let Some(used) = cpu_time(self.group) {
            let (first, last) = self.used.get_or_insert((used, used));
            if used > *last {
                (*last, self.alive) = (used, now);
            }
            next = self.cpu.saturating_sub(used.saturating_sub(*first));
        }
        let silent = now.saturating_duration_since(self.alive);
        if next.is_zero() {
            return Err(Stop::Silent { after: self.cpu, limit: TimeLimit::Cpu });
        }
        if silent >= self.silence {
            return Err(Stop::Silent { after: self.silence, limit: TimeLimit::Silence });
        }
        self.look_at = now + next.min(self.silence - silent).max(PROMPT);
        Ok(())
    }
}

/// The CPU time of the processes of a group; `None` where there is no /proc.
fn cpu_time(group: u32) -> Option<Duration> {
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let processes = processes.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    // One that has ended meanwhile has no file any more.
    let stats = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let ticks: u64 = stats.filter_map(|stat| of_group(&stat, group)).sum();
    std::fs::exists("/proc/self/stat")
        .ok()?
        .then(|| Duration::from_secs(ticks) / u32::try_from(ticks_per_second).unwrap_or(100))
}

/// User and system time in ticks from a /proc/PID/stat, if the process is of this group.
fn of_group(stat: &str, group: u32) -> Option<u64> {
    // The second field is the name in parentheses, which may hold anything; state and parent follow.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(2);
    let number = |field: Option<&str>| field?.parse::<u64>().ok();
    if number(fields.next()) != Some(group.into()) {
        return None;
    }
    let mut times = fields.skip(8);
    Some(number(times.next())? + number(times.next())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_group() {
        let stat = "7 (a) b) R 1 5 5 34816 7 4194560 1063 0 0 0 17 25 3 4 20 0 1 0 2094 9 1 1 1 1 1 1 1";
        assert_eq!([of_group(stat, 5), of_group(stat, 7), of_group("", 0)], [Some(42), None, None]);
    }
}
