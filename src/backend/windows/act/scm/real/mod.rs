//! The service control manager of this machine.

mod buffers;
mod levels;

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::WAIT_TIMEOUT;
use windows_sys::Win32::Security::Authorization::SE_REGISTRY_KEY;
use windows_sys::Win32::Security::{DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR};
use windows_sys::Win32::System::Services as win;
use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_SYNCHRONIZE, WaitForSingleObject};

use self::buffers::{WidePassword, done, filled, handle, last, opened, pointer, texts, wide_list};
use super::{Basic, Change, Kind, Level, Raw, Registered, ScmApi, Seen, Win, accounts, registry};
use crate::backend::windows::act::codes::Code;
use crate::backend::windows::config::EventSource;
use crate::system::access::files::{self, text, wide};
use crate::system::password::Password;

const NO_CHANGE: u32 = u32::MAX;

/// See the module.
#[derive(Debug, Default)]
pub(in super::super) struct Windows {
    /// Open with the right to connect only, and with the right to make services.
    managers: [OnceLock<Owned>; 2],
}

/// An open manager.
#[derive(Debug)]
struct Owned(win::SC_HANDLE);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it was opened by us and is used no more.
        unsafe { win::CloseServiceHandle(self.0) };
    }
}

fn of_io(error: &std::io::Error) -> Code {
    Code(error.raw_os_error().map_or(Code::INVALID_PARAMETER.0, i32::cast_unsigned))
}

impl Windows {
    /// The manager: to make services only where one is made, since that takes an administrator.
    fn manager(&self, create: bool) -> Win<win::SC_HANDLE> {
        let place = &self.managers[usize::from(create)];
        if let Some(open) = place.get() {
            return Ok(open.0);
        }
        let access = win::SC_MANAGER_CONNECT
            | win::SC_MANAGER_ENUMERATE_SERVICE
            | if create { win::SC_MANAGER_CREATE_SERVICE } else { 0 };
        // SAFETY: null means this machine and its active data base.
        let mut made = unsafe { win::OpenSCManagerW(null(), null(), access) };
        if made.is_null() && !create {
            // Who came over the network may connect, and no more.
            // SAFETY: as above.
            made = unsafe { win::OpenSCManagerW(null(), null(), win::SC_MANAGER_CONNECT) };
        }
        if made.is_null() {
            return Err(last());
        }
        Ok(place.get_or_init(|| Owned(made)).0)
    }
}

impl ScmApi for Windows {
    fn create(&self, name: &str, basic: &Basic, password: Option<&Password>) -> Win<Raw> {
        let manager = self.manager(true)?;
        let [name, display, image, account] = [name, &basic.display_name, &basic.image_path, &basic.account].map(wide);
        let group = (!basic.load_order_group.is_empty()).then(|| wide(&basic.load_order_group));
        let needs = (!basic.dependencies.is_empty()).then(|| wide_list(&basic.dependencies));
        let password = password.map(WidePassword::of);
        // SAFETY: all texts end with a NUL and live on; null means none; no tag is asked for.
        opened(unsafe {
            win::CreateServiceW(
                manager,
                name.as_ptr(),
                display.as_ptr(),
                win::SERVICE_ALL_ACCESS,
                basic.service_type,
                basic.start,
                basic.error_control,
                image.as_ptr(),
                pointer(group.as_ref()),
                null_mut(),
                pointer(needs.as_ref()),
                account.as_ptr(),
                pointer(password.as_ref().map(|password| &password.0)),
            )
        })
    }

    fn open(&self, name: &str, access: u32) -> Win<Raw> {
        let (manager, name) = (self.manager(false)?, wide(name));
        // SAFETY: the manager is open, the name ends with a NUL.
        opened(unsafe { win::OpenServiceW(manager, name.as_ptr(), access) })
    }

    fn close(&self, service: Raw) {
        // SAFETY: it was opened by `open` or `create`, and `Held` closes it once.
        unsafe { win::CloseServiceHandle(handle(service)) };
    }

    fn basic(&self, service: Raw) -> Win<Basic> {
        // SAFETY: the service is open; the buffer has the size that is given.
        let buffer = filled(|buffer, size, needed| unsafe {
            win::QueryServiceConfigW(handle(service), buffer.cast(), size, needed)
        })?;
        // SAFETY: the call filled the buffer with this structure, and the buffer is aligned for it.
        let config = unsafe { &*buffer.as_ptr().cast::<win::QUERY_SERVICE_CONFIGW>() };
        // SAFETY: the texts lie in the buffer, and end as documented.
        let (image_path, load_order_group, dependencies, account, display_name) = unsafe {
            (
                text(config.lpBinaryPathName),
                text(config.lpLoadOrderGroup),
                texts(config.lpDependencies),
                text(config.lpServiceStartName),
                text(config.lpDisplayName),
            )
        };
        Ok(Basic {
            service_type: config.dwServiceType,
            start: config.dwStartType,
            error_control: config.dwErrorControl,
            image_path,
            load_order_group,
            dependencies,
            account,
            display_name,
        })
    }

    fn dependencies_in_registry(&self, name: &str) -> Option<Vec<String>> {
        registry::dependencies(name)
    }

    fn change(&self, service: Raw, change: &Change<'_>) -> Win<()> {
        let image = change.image_path.map(wide);
        let group = change.load_order_group.map(wide);
        let needs = change.dependencies.map(wide_list);
        let account = change.account.map(wide);
        let password = change.password.map(WidePassword::of);
        let display = change.display_name.map(wide);
        // SAFETY: the service is open, all texts end with a NUL and live on; null and NO_CHANGE mean as it is.
        done(unsafe {
            win::ChangeServiceConfigW(
                handle(service),
                NO_CHANGE,
                change.start.unwrap_or(NO_CHANGE),
                change.error_control.unwrap_or(NO_CHANGE),
                pointer(image.as_ref()),
                pointer(group.as_ref()),
                null_mut(),
                pointer(needs.as_ref()),
                pointer(account.as_ref()),
                pointer(password.as_ref().map(|password| &password.0)),
                pointer(display.as_ref()),
            )
        })
    }

    fn level(&self, service: Raw, kind: Kind) -> Win<Level> {
        levels::level(service, kind)
    }

    fn set_level(&self, service: Raw, level: &Level) -> Win<()> {
        levels::set_level(service, level)
    }

    fn seen(&self, service: Raw) -> Win<Seen> {
        let mut told = win::SERVICE_STATUS_PROCESS::default();
        let (size, mut needed) = (u32::try_from(size_of_val(&told)).unwrap_or_default(), 0);
        // SAFETY: the service is open; the buffer is the structure of this level, with its size.
        done(unsafe {
            win::QueryServiceStatusEx(
                handle(service),
                win::SC_STATUS_PROCESS_INFO,
                (&raw mut told).cast(),
                size,
                &raw mut needed,
            )
        })?;
        Ok(Seen {
            state: told.dwCurrentState,
            accepts: told.dwControlsAccepted,
            exit: told.dwWin32ExitCode,
            specific: told.dwServiceSpecificExitCode,
            checkpoint: told.dwCheckPoint,
            hint: told.dwWaitHint,
            pid: told.dwProcessId,
        })
    }

    fn start(&self, service: Raw) -> Win<()> {
        // SAFETY: the service is open; no arguments are given.
        done(unsafe { win::StartServiceW(handle(service), 0, null()) })
    }

    fn control(&self, service: Raw, control: u32) -> Win<()> {
        let mut told = win::SERVICE_STATUS::default();
        // SAFETY: the service is open, the answer has its place.
        done(unsafe { win::ControlService(handle(service), control, &raw mut told) })
    }

    fn delete(&self, service: Raw) -> Win<()> {
        // SAFETY: the service is open.
        done(unsafe { win::DeleteService(handle(service)) })
    }

    fn dependents(&self, service: Raw) -> Win<Vec<String>> {
        let mut count = 0;
        // SAFETY: the service is open; the buffer has the size that is given.
        let buffer = filled(|buffer, size, needed| unsafe {
            win::EnumDependentServicesW(
                handle(service),
                win::SERVICE_ACTIVE,
                buffer.cast(),
                size,
                needed,
                &raw mut count,
            )
        })?;
        // SAFETY: the call filled the buffer with so many of these, and it is aligned for them.
        let told =
            unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<win::ENUM_SERVICE_STATUSW>(), count as usize) };
        // SAFETY: the names lie in the buffer and end with a NUL.
        Ok(told.iter().map(|service| unsafe { text(service.lpServiceName) }).collect())
    }

    fn names(&self) -> Win<Vec<(String, String)>> {
        let manager = self.manager(false)?;
        let mut count = 0;
        // SAFETY: the manager is open; the buffer has the size that is given; all of it is asked for at once.
        let buffer = filled(|buffer, size, needed| unsafe {
            let (mut next, mut more) = (0, 0);
            let told = win::EnumServicesStatusExW(
                manager,
                win::SC_ENUM_PROCESS_INFO,
                win::SERVICE_WIN32,
                win::SERVICE_STATE_ALL,
                buffer,
                size,
                &raw mut more,
                &raw mut count,
                &raw mut next,
                null(),
            );
            // It tells what is left, not what it takes.
            *needed = if told == 0 { size.saturating_add(more) } else { 0 };
            told
        })?;
        // SAFETY: the call filled the buffer with so many of these, and it is aligned for them.
        let told = unsafe {
            std::slice::from_raw_parts(buffer.as_ptr().cast::<win::ENUM_SERVICE_STATUS_PROCESSW>(), count as usize)
        };
        // SAFETY: the names lie in the buffer and end with a NUL.
        Ok(told.iter().map(|service| unsafe { (text(service.lpServiceName), text(service.lpDisplayName)) }).collect())
    }

    fn security(&self, service: Raw) -> Win<String> {
        // SAFETY: the service is open; the buffer has the size that is given.
        let mut buffer = filled(|buffer, size, needed| unsafe {
            win::QueryServiceObjectSecurity(handle(service), DACL_SECURITY_INFORMATION, buffer.cast(), size, needed)
        })?;
        let descriptor: PSECURITY_DESCRIPTOR = buffer.as_mut_ptr().cast();
        // SAFETY: the call filled the buffer with a valid descriptor.
        unsafe { files::written(descriptor, DACL_SECURITY_INFORMATION) }.map_err(|error| of_io(&error))
    }

    fn set_security(&self, service: Raw, sddl: &str) -> Win<()> {
        let descriptor = files::descriptor(sddl).map_err(|error| of_io(&error))?;
        // SAFETY: the service is open, the descriptor is valid and lives on.
        done(unsafe { win::SetServiceObjectSecurity(handle(service), DACL_SECURITY_INFORMATION, descriptor.0) })
    }

    fn source(&self, name: &str) -> Win<Option<Registered>> {
        registry::source(name)
    }

    fn register_source(&self, source: &EventSource, owner: &str) -> Win<()> {
        registry::register_source(source, owner)
    }

    fn remove_source(&self, name: &str) -> Win<()> {
        registry::remove_source(name)
    }

    fn machine(&self) -> String {
        accounts::machine()
    }

    fn sid(&self, account: &str) -> Win<Option<String>> {
        accounts::sid(account)
    }

    fn own_sid(&self) -> Win<String> {
        files::own_sid().map_err(|error| of_io(&error))
    }

    fn may_log_on(&self, sid: &str) -> Win<bool> {
        accounts::may_log_on(sid)
    }

    fn let_log_on(&self, sid: &str, may: bool) -> Win<()> {
        accounts::let_log_on(sid, may)
    }

    fn process_ended(&self, pid: u32, within: Duration) -> bool {
        // SAFETY: no pointers are handed over.
        let process = unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, pid) };
        if process.is_null() {
            // There is no such process any more; or it is none of ours to look at, and the state has to do.
            return true;
        }
        // SAFETY: it was just opened, and belongs to nobody else.
        let process = unsafe { OwnedHandle::from_raw_handle(process) };
        let time = u32::try_from(within.as_millis()).unwrap_or(u32::MAX - 1);
        // SAFETY: the process is open.
        unsafe { WaitForSingleObject(process.as_raw_handle(), time) != WAIT_TIMEOUT }
    }

    fn programs(&self) -> Vec<String> {
        accounts::programs()
    }

    fn file_security(&self, path: &Path) -> Win<Option<String>> {
        files::of_file(path).map_err(|error| of_io(&error))
    }

    fn key_security(&self, service: &str) -> Win<Option<String>> {
        let key = format!(r"MACHINE\SYSTEM\CurrentControlSet\Services\{service}");
        files::of_object(&wide(&key), SE_REGISTRY_KEY).map_err(|error| of_io(&error))
    }

    fn let_at_file(&self, path: &Path, sid: &str, change: bool) -> Win<()> {
        files::let_at(path, sid, change).map_err(|error| of_io(&error))
    }

    fn clock(&self) -> Duration {
        static BEGIN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        BEGIN.elapsed()
    }

    fn pause(&self, time: Duration) {
        crate::system::pause(time);
    }
}
