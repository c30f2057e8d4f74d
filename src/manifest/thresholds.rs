//! `[service.NAME.thresholds]`: what is worth an event. Crossing one changes nothing for the service.

use super::build::Build;
use super::decode::{Field, table};
use super::error::ManifestError;
use super::layers::Layers;
use super::text::Count;
use super::units::{Size, show_size};
use crate::service::{Limits, Thresholds};

table! {
    /// What raises an event when it is exceeded, and another when that is over; nothing else happens.
    ThresholdsTable "thresholds" "[service.NAME.thresholds]" {
        /// Resident memory of all its processes.
        memory: Size = ThresholdsMemory,
        /// Processor cores, averaged over about ten seconds.
        cpu: f64 = ThresholdsCpu,
        /// Restarts within the last hour.
        restarts_per_hour: Count = ThresholdsRestartsPerHour,
    }
}

/// What is worth an event.
pub(crate) fn build(layers: Option<Layers<'_, ThresholdsTable>>, limits: &Limits, cx: &mut Build<'_>) -> Thresholds {
    let Some(layers) = layers else {
        return Thresholds::default();
    };
    let memory = layers.get(|table| &table.memory);
    let cpu = layers.get(|table| &table.cpu);
    if let (Some(memory), Some(limit)) = (memory, limits.memory)
        && memory.value.0 > limit
    {
        never(memory, "memory", &show_size(limit), cx);
    }
    if let Some(cpu) = cpu {
        if !(0.01..=4096.0).contains(&cpu.value) {
            let error = ManifestError::new(cpu.at, format!("`thresholds.cpu` cannot be {}", cpu.value));
            cx.fault(error.expected("expected a number of cores from 0.01 to 4096"));
        } else if let Some(limit) = limits.cpu.filter(|limit| cpu.value > *limit) {
            never(cpu, "cpu", &limit.to_string(), cx);
        }
    }
    Thresholds {
        memory: memory.map(|size| size.value.0),
        cpu: cpu.map(|cpu| cpu.value),
        restarts_per_hour: layers.get(|table| &table.restarts_per_hour).map(|count| count.value.count()),
    }
}

/// It can never be exceeded.
fn never<T>(field: &Field<T>, key: &str, limit: &str, cx: &mut Build<'_>) {
    let error = ManifestError::new(field.at, format!("`thresholds.{key}` is above `limits.{key}`, which is {limit}"));
    cx.fault(
        error.expected("what the limit forbids is never exceeded").hint("lower the threshold, or raise the limit"),
    );
}
