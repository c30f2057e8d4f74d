//! The manager's numbers in the words of the configuration, and back. Pure.

use super::super::scm::{Basic, Level, start};
use crate::backend::windows::config::{
    ErrorControl, Failure, FailureAction, FailureKind, ScmConfig, SidType, StartType,
};

pub(super) const fn start_number(start: StartType) -> u32 {
    match start {
        StartType::Automatic | StartType::AutomaticDelayed => start::AUTO,
        StartType::Manual => start::DEMAND,
        StartType::Disabled => start::DISABLED,
    }
}

pub(super) fn of_basic(name: &str, basic: &Basic) -> ScmConfig {
    ScmConfig {
        name: name.to_owned(),
        display_name: basic.display_name.clone(),
        description: String::new(),
        image_path: basic.image_path.clone(),
        start: match basic.start {
            start::DEMAND => StartType::Manual,
            start::DISABLED => StartType::Disabled,
            _ => StartType::Automatic,
        },
        error_control: ErrorControl::WORDS
            .get(basic.error_control as usize)
            .map_or(ErrorControl::Normal, |(_, it)| *it),
        load_order_group: Some(basic.load_order_group.clone()).filter(|group| !group.is_empty()),
        dependencies: basic.dependencies.clone(),
        account: if basic.account.is_empty() { "LocalSystem".to_owned() } else { basic.account.clone() },
        sid_type: SidType::None,
        required_privileges: Vec::new(),
        preshutdown_ms: None,
        failure: Failure::default(),
        allow: Vec::new(),
        event_source: None,
    }
}

pub(super) fn take(config: &mut ScmConfig, level: Level) {
    match level {
        Level::Description(text) => config.description = text,
        Level::Delayed(delayed) => {
            if delayed && config.start == StartType::Automatic {
                config.start = StartType::AutomaticDelayed;
            }
        }
        Level::Failure { reset, actions, command, reboot_message } => {
            let kind = |number: u32| FailureKind::WORDS.get(number as usize).map_or(FailureKind::None, |(_, it)| *it);
            config.failure = Failure {
                actions: actions
                    .into_iter()
                    .map(|(number, delay_ms)| FailureAction { kind: kind(number), delay_ms })
                    .collect(),
                reset_s: (reset != u32::MAX).then_some(reset),
                command,
                reboot_message,
                on_exit: config.failure.on_exit,
            };
        }
        Level::FailureOnExit(on) => config.failure.on_exit = on,
        Level::SidType(number) => {
            config.sid_type = match number {
                1 => SidType::Unrestricted,
                3 => SidType::Restricted,
                _ => SidType::None,
            };
        }
        Level::Privileges(names) => config.required_privileges = names,
        Level::Preshutdown(ms) => config.preshutdown_ms = Some(ms),
    }
}

pub(super) fn levels_of(config: &ScmConfig) -> Vec<Level> {
    let mut levels = vec![
        Level::Description(config.description.clone()),
        Level::Failure {
            reset: config.failure.reset_s.unwrap_or(u32::MAX),
            actions: config.failure.actions.iter().map(|action| (action.kind as u32, action.delay_ms)).collect(),
            command: config.failure.command.clone(),
            reboot_message: config.failure.reboot_message.clone(),
        },
        Level::FailureOnExit(config.failure.on_exit),
        Level::SidType(match config.sid_type {
            SidType::None => 0,
            SidType::Unrestricted => 1,
            SidType::Restricted => 3,
        }),
        Level::Privileges(config.required_privileges.clone()),
    ];
    // Windows takes it for automatic starts only.
    if config.start.at_boot() {
        levels.push(Level::Delayed(config.start == StartType::AutomaticDelayed));
    }
    levels.extend(config.preshutdown_ms.map(Level::Preshutdown));
    levels
}

/// What a service has that was just made.
pub(super) fn is_default(level: &Level) -> bool {
    match level {
        Level::Description(text) => text.is_empty(),
        Level::Delayed(on) => !on,
        Level::Privileges(names) => names.is_empty(),
        Level::SidType(number) => *number == 0,
        Level::Failure { actions, command, .. } => actions.is_empty() && command.is_empty(),
        // Written whatever it is: without it nobody knows what the actions mean.
        Level::FailureOnExit(_) | Level::Preshutdown(_) => false,
    }
}
