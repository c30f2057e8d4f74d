//! The settings beside those that every service has: one structure each.

use windows_sys::Win32::System::Services as win;

use super::super::{Kind, Level, Raw, Win, accounts};
use super::buffers::{done, filled, handle, texts, wide_list};
use crate::system::access::files::{text, wide};

/// One that the service has.
pub(super) fn level(service: Raw, kind: Kind) -> Win<Level> {
    // SAFETY: the service is open; the buffer has the size that is given.
    let buffer = filled(|buffer, size, needed| unsafe {
        win::QueryServiceConfig2W(handle(service), kind as u32, buffer, size, needed)
    })?;
    let start = buffer.as_ptr();
    // SAFETY: the call filled the buffer with the structure of the level that was asked for, texts and lists in the
    // buffer behind it; it is aligned for each of them.
    Ok(unsafe {
        match kind {
            Kind::Description => Level::Description(text((*start.cast::<win::SERVICE_DESCRIPTIONW>()).lpDescription)),
            Kind::Delayed => {
                Level::Delayed((*start.cast::<win::SERVICE_DELAYED_AUTO_START_INFO>()).fDelayedAutostart != 0)
            }
            Kind::Failure => {
                let told = &*start.cast::<win::SERVICE_FAILURE_ACTIONSW>();
                let actions = if told.lpsaActions.is_null() {
                    &[]
                } else {
                    std::slice::from_raw_parts(told.lpsaActions, told.cActions as usize)
                };
                Level::Failure {
                    reset: told.dwResetPeriod,
                    actions: actions.iter().map(|action| (action.Type.cast_unsigned(), action.Delay)).collect(),
                    command: text(told.lpCommand),
                    reboot_message: text(told.lpRebootMsg),
                }
            }
            Kind::FailureOnExit => Level::FailureOnExit(
                (*start.cast::<win::SERVICE_FAILURE_ACTIONS_FLAG>()).fFailureActionsOnNonCrashFailures != 0,
            ),
            Kind::SidType => Level::SidType((*start.cast::<win::SERVICE_SID_INFO>()).dwServiceSidType),
            Kind::Privileges => Level::Privileges(texts(
                (*start.cast::<win::SERVICE_REQUIRED_PRIVILEGES_INFOW>()).pmszRequiredPrivileges,
            )),
            Kind::Preshutdown => {
                Level::Preshutdown((*start.cast::<win::SERVICE_PRESHUTDOWN_INFO>()).dwPreshutdownTimeout)
            }
        }
    })
}

/// Has the service have it.
pub(super) fn set_level(service: Raw, level: &Level) -> Win<()> {
    let set = |info: *const core::ffi::c_void| {
        // SAFETY: used below with structures of the level, whose texts and lists live on for the call.
        done(unsafe { win::ChangeServiceConfig2W(handle(service), level.kind() as u32, info) })
    };
    match level {
        Level::Description(told) => {
            let mut told = wide(told);
            let info = win::SERVICE_DESCRIPTIONW { lpDescription: told.as_mut_ptr() };
            set((&raw const info).cast())
        }
        Level::Delayed(on) => {
            let info = win::SERVICE_DELAYED_AUTO_START_INFO { fDelayedAutostart: (*on).into() };
            set((&raw const info).cast())
        }
        Level::Failure { reset, actions, command, reboot_message } => {
            if actions.iter().any(|(kind, _)| *kind == win::SC_ACTION_REBOOT.cast_unsigned()) {
                accounts::let_us_shut_down();
            }
            let mut actions: Vec<win::SC_ACTION> = actions
                .iter()
                .map(|(kind, delay)| win::SC_ACTION { Type: kind.cast_signed(), Delay: *delay })
                .collect();
            let (mut command, mut message) = (wide(command), wide(reboot_message));
            let count = u32::try_from(actions.len()).unwrap_or_default();
            let info = win::SERVICE_FAILURE_ACTIONSW {
                dwResetPeriod: *reset,
                lpRebootMsg: message.as_mut_ptr(),
                lpCommand: command.as_mut_ptr(),
                cActions: count,
                // None, and a pointer that is not null, takes away those that are there.
                lpsaActions: actions.as_mut_ptr(),
            };
            set((&raw const info).cast())
        }
        Level::FailureOnExit(on) => {
            let info = win::SERVICE_FAILURE_ACTIONS_FLAG { fFailureActionsOnNonCrashFailures: (*on).into() };
            set((&raw const info).cast())
        }
        Level::SidType(kind) => {
            let info = win::SERVICE_SID_INFO { dwServiceSidType: *kind };
            set((&raw const info).cast())
        }
        Level::Privileges(names) => {
            let mut names = wide_list(names);
            let info = win::SERVICE_REQUIRED_PRIVILEGES_INFOW { pmszRequiredPrivileges: names.as_mut_ptr() };
            set((&raw const info).cast())
        }
        Level::Preshutdown(ms) => {
            let info = win::SERVICE_PRESHUTDOWN_INFO { dwPreshutdownTimeout: *ms };
            set((&raw const info).cast())
        }
    }
}
