//! Thresholds: what a service uses against what is worth an event. Pure: samples in, crossings out.
//!
//! A threshold is crossed upwards when its value exceeds it, and downwards below nine tenths of it, so that what wavers
//! about it does not tell of itself all the time. Processor time is averaged over about ten seconds, and begins at none,
//! so that a start is no crossing.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine::Moment;
use crate::events::{Measure, Measured};
use crate::service::Thresholds;

/// An hour of restarts counts.
const HOUR: Duration = Duration::from_secs(3600);

/// The time over which processor time is averaged.
const SMOOTH: f64 = 10.0;

/// Below this part of its threshold a value is under it again.
const UNDER: f64 = 0.9;

/// How often a sample is taken: of what is near a threshold, of what does something, and of what is idle.
pub const PACES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// What the processes of a service use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident bytes.
    pub memory: u64,
    /// Processor time since they began.
    pub cpu: Duration,
}

/// A threshold was crossed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing {
    /// Upwards.
    pub over: bool,
    /// By what.
    pub measured: Measured,
}

/// What is kept of one service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Meter {
    /// When the last sample was taken, and the processor time then.
    last: Option<(Moment, Duration)>,
    /// Cores, averaged.
    load: f64,
    /// Cores since the last sample.
    busy: f64,
    memory: u64,
    over: BTreeSet<Measure>,
    restarts: VecDeque<Moment>,
}

impl Meter {
    /// What is over its threshold now.
    pub fn over(&self) -> impl Iterator<Item = Measure> + '_ {
        self.over.iter().copied()
    }

    /// A sample.
    pub fn take(&mut self, thresholds: &Thresholds, usage: Usage, now: Moment) -> Vec<Crossing> {
        if let Some((at, cpu)) = self.last {
            let passed = now.saturating_sub(at).as_secs_f64().max(0.001);
            // A process that ended takes its time with it.
            self.busy = usage.cpu.saturating_sub(cpu).as_secs_f64() / passed;
            self.load += (self.busy - self.load) * passed / (SMOOTH + passed);
        }
        self.last = Some((now, usage.cpu));
        self.memory = usage.memory;
        self.judge(thresholds)
    }

    /// It does not run any more.
    pub fn ended(&mut self, thresholds: &Thresholds) -> Vec<Crossing> {
        (self.last, self.load, self.busy, self.memory) = (None, 0.0, 0.0, 0);
        self.judge(thresholds)
    }

    /// It is started again after an end of its own.
    pub fn restarted(&mut self, thresholds: &Thresholds, now: Moment) -> Option<Crossing> {
        self.restarts.push_back(now);
        self.count(thresholds, now)
    }

    /// Restarts of more than an hour ago count no more.
    pub fn count(&mut self, thresholds: &Thresholds, now: Moment) -> Option<Crossing> {
        let most = thresholds.restarts_per_hour? as usize;
        while self.restarts.front().is_some_and(|at| now.saturating_sub(*at) >= HOUR)
            // More than are needed to know that it is over.
            || self.restarts.len() > most.saturating_mul(2) + 16
        {
            self.restarts.pop_front();
        }
        let (count, most) = (u32::try_from(self.restarts.len()).unwrap_or(u32::MAX), thresholds.restarts_per_hour?);
        self.cross(Measure::Restarts, f64::from(count), f64::from(most), count <= most)
    }

    /// When a restart counts no more, where that matters.
    #[must_use]
    pub fn counts_until(&self) -> Option<Moment> {
        let over = self.over.contains(&Measure::Restarts);
        self.restarts.front().filter(|_| over).map(|at| at.saturating_add(HOUR))
    }

    /// The time until the next sample.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "parts of a threshold, roughly")]
    pub fn pace(&self, thresholds: &Thresholds) -> Duration {
        let memory = thresholds.memory.map_or(0.0, |most| self.memory as f64 / most as f64);
        let cpu = thresholds.cpu.map_or(0.0, |most| self.load.max(self.busy) / most);
        match memory.max(cpu) {
            near if near >= 0.8 => PACES[0],
            some if some >= 0.5 || self.busy >= 0.1 => PACES[1],
            _ => PACES[2],
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "more than 2^53 bytes are not told to the byte")]
    fn judge(&mut self, thresholds: &Thresholds) -> Vec<Crossing> {
        let measures = [
            (Measure::Memory, self.memory as f64, thresholds.memory.map(|most| most as f64)),
            (Measure::Cpu, self.load, thresholds.cpu),
        ];
        let cross = |(measure, value, most): (Measure, f64, Option<f64>)| {
            let most = most?;
            self.cross(measure, value, most, value < most * UNDER)
        };
        measures.into_iter().filter_map(cross).collect()
    }

    fn cross(&mut self, measure: Measure, value: f64, threshold: f64, under: bool) -> Option<Crossing> {
        let measured = Measured { measure, value, threshold };
        if value > threshold {
            return self.over.insert(measure).then_some(Crossing { over: true, measured });
        }
        (under && self.over.remove(&measure)).then_some(Crossing { over: false, measured })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn thresholds() -> Thresholds {
        Thresholds { memory: Some(100 * MIB), cpu: Some(0.5), restarts_per_hour: Some(2) }
    }

    fn told(crossings: &[Crossing]) -> Vec<(Measure, bool)> {
        crossings.iter().map(|crossing| (crossing.measured.measure, crossing.over)).collect()
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn memory_is_told_once_and_again_when_it_is_well_under() {
        let mut meter = Meter::default();
        let mut at = 0;
        let mut sample = |mib: u64| {
            at += 1;
            told(&meter.take(&thresholds(), Usage { memory: mib * MIB, cpu: Duration::ZERO }, secs(at)))
        };
        assert!(sample(100).is_empty(), "at the threshold is not over it");
        assert_eq!(sample(101), [(Measure::Memory, true)]);
        assert!(sample(200).is_empty() && sample(95).is_empty() && sample(101).is_empty(), "it wavers");
        assert_eq!(sample(89), [(Measure::Memory, false)]);
        assert_eq!(sample(101), [(Measure::Memory, true)]);
    }

    #[test]
    fn a_burst_is_no_load_and_a_load_is_seen_in_some_seconds() {
        let mut meter = Meter::default();
        let (mut at, mut cpu) = (Duration::ZERO, Duration::ZERO);
        let mut run = |seconds: f64, cores: f64| {
            at += Duration::from_secs_f64(seconds);
            cpu += Duration::from_secs_f64(seconds * cores);
            told(&meter.take(&thresholds(), Usage { memory: 0, cpu }, at))
        };
        assert!(run(1.0, 1.0).is_empty(), "the first sample has nothing to compare with");
        assert!(run(1.0, 1.0).is_empty());
        assert!(run(5.0, 0.0).is_empty());
        let seen = (0..40).position(|_| run(0.5, 1.0) == [(Measure::Cpu, true)]);
        assert!(seen.is_some_and(|half_seconds| (10..20).contains(&half_seconds)), "{seen:?}");
        assert_eq!((0..20).filter(|_| run(1.0, 0.0) == [(Measure::Cpu, false)]).count(), 1);
    }

    #[test]
    fn restarts_count_for_an_hour() {
        let mut meter = Meter::default();
        let all = thresholds();
        assert_eq!(meter.restarted(&all, secs(0)), None);
        assert_eq!(meter.restarted(&all, secs(10)), None);
        let crossing = meter.restarted(&all, secs(20)).unwrap();
        assert!(crossing.over);
        assert_eq!((crossing.measured.value, crossing.measured.threshold), (3.0, 2.0));
        assert_eq!(meter.counts_until(), Some(secs(3600)));
        assert_eq!(meter.count(&all, secs(3599)), None);
        assert!(!meter.count(&all, secs(3600)).unwrap().over);
        assert_eq!(meter.counts_until(), None);
    }

    #[test]
    fn a_crash_loop_keeps_no_more_than_it_needs() {
        let mut meter = Meter::default();
        for second in 0..3000 {
            let _ = meter.restarted(&thresholds(), secs(second));
        }
        assert!(meter.restarts.len() <= 21, "{}", meter.restarts.len());
        assert!(meter.over.contains(&Measure::Restarts));
    }

    #[test]
    fn an_end_is_an_end_of_use_and_the_pace_follows_the_load() {
        let mut meter = Meter::default();
        let all = thresholds();
        assert_eq!(meter.pace(&all), PACES[2]);
        let _ = meter.take(&all, Usage { memory: 60 * MIB, cpu: Duration::ZERO }, secs(1));
        assert_eq!(meter.pace(&all), PACES[1]);
        let _ = meter.take(&all, Usage { memory: 120 * MIB, cpu: Duration::ZERO }, secs(2));
        assert_eq!(meter.pace(&all), PACES[0]);
        assert_eq!(told(&meter.ended(&all)), [(Measure::Memory, false)]);
        assert_eq!(meter.pace(&all), PACES[2]);
    }
}
