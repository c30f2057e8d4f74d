//! `[service.NAME.limits]`: what a service may use up.

use super::build::Build;
use super::decode::{table, words};
use super::error::ManifestError;
use super::layers::Layers;
use super::text::Count;
use super::units::Size;
use crate::service::{Limits, Priority};

table! {
    /// What it may use up: cgroup, rlimit or Job Object.
    LimitsTable "limits" "[service.NAME.limits]" {
        /// Bytes of memory.
        memory: Size = LimitsMemory,
        /// Processor cores, such as 1.5.
        cpu: f64 = LimitsCpu,
        /// Processes and threads.
        tasks: Count = LimitsTasks,
        /// File descriptors.
        open_files: Count = LimitsOpenFiles,
        /// How it is scheduled.
        priority: Priority = LimitsPriority,
    }
}

words!(Priority { Idle = "idle", Low = "low", Normal = "normal", High = "high" });

/// What the service may use up.
pub(crate) fn build(layers: Option<Layers<'_, LimitsTable>>, cx: &mut Build<'_>) -> Limits {
    let Some(layers) = layers else {
        return Limits::default();
    };
    let cpu = layers.get(|table| &table.cpu);
    if let Some(cpu) = cpu
        && !(0.01..=4096.0).contains(&cpu.value)
    {
        let error = ManifestError::new(cpu.at, format!("`limits.cpu` cannot be {}", cpu.value));
        cx.fault(error.expected("expected a number of cores from 0.01 to 4096"));
    }
    Limits {
        memory: layers.get(|table| &table.memory).map(|size| size.value.0),
        cpu: cpu.map(|cpu| cpu.value),
        tasks: layers.get(|table| &table.tasks).map(|tasks| tasks.value.wide()),
        open_files: layers.get(|table| &table.open_files).map(|files| files.value.wide()),
        priority: layers.get(|table| &table.priority).map(|priority| priority.value),
    }
}
