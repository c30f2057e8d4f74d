//! Accounts of this machine, their right to log on as a service, and who runs.

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{CloseHandle, GetLastError, HANDLE, INVALID_HANDLE_VALUE, LUID};
use windows_sys::Win32::Security::Authentication::Identity::{
    LSA_HANDLE, LSA_OBJECT_ATTRIBUTES, LSA_UNICODE_STRING, LsaAddAccountRights, LsaClose, LsaEnumerateAccountRights,
    LsaFreeMemory, LsaNtStatusToWinError, LsaOpenPolicy, LsaRemoveAccountRights, POLICY_CREATE_ACCOUNT,
    POLICY_LOOKUP_NAMES,
};
use windows_sys::Win32::Security::Authorization::ConvertStringSidToSidW;
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, LUID_AND_ATTRIBUTES, LookupAccountNameW, LookupPrivilegeValueW, SE_PRIVILEGE_ENABLED,
    TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows_sys::Win32::System::WindowsProgramming::GetComputerNameW;

use super::Win;
use crate::backend::windows::act::codes::Code;
use crate::system::access::files::{Local, sid_text, text, wide};

const LOG_ON: &str = "SeServiceLogonRight";

fn last() -> Code {
    // SAFETY: reads a number of this thread.
    Code(unsafe { GetLastError() })
}

pub(super) fn machine() -> String {
    let (mut buffer, mut length) = ([0_u16; 256], 256);
    // SAFETY: the buffer has the length that is given.
    if unsafe { GetComputerNameW(buffer.as_mut_ptr(), &raw mut length) } == 0 {
        return ".".to_owned();
    }
    String::from_utf16_lossy(&buffer[..length as usize])
}

/// The identifier of an account; None: there is none of this name.
pub(super) fn sid(account: &str) -> Win<Option<String>> {
    let account = wide(account);
    // As large as any identifier (68 bytes), and aligned for it.
    let (mut sid, mut sid_size) = ([0_u64; 16], 128);
    let (mut domain, mut domain_length, mut kind) = ([0_u16; 512], 512, 0);
    // SAFETY: the name ends with a NUL, the buffers have the sizes that are given.
    let found = unsafe {
        LookupAccountNameW(
            null(),
            account.as_ptr(),
            sid.as_mut_ptr().cast(),
            &raw mut sid_size,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        )
    };
    if found == 0 {
        return match last() {
            Code::NONE_MAPPED => Ok(None),
            code => Err(code),
        };
    }
    // SAFETY: the call filled the buffer with a valid identifier.
    unsafe { sid_text(sid.as_mut_ptr().cast()) }.map(Some).map_err(|_| last())
}

/// The local security authority, open.
struct Policy(LSA_HANDLE);

impl Policy {
    fn open() -> Win<Self> {
        let attributes = LSA_OBJECT_ATTRIBUTES {
            Length: u32::try_from(size_of::<LSA_OBJECT_ATTRIBUTES>()).unwrap_or_default(),
            ..LSA_OBJECT_ATTRIBUTES::default()
        };
        let access = (POLICY_LOOKUP_NAMES | POLICY_CREATE_ACCOUNT).cast_unsigned();
        let mut made = LSA_HANDLE::default();
        // SAFETY: null means this machine; the attributes are empty but for their length.
        let status = unsafe { LsaOpenPolicy(null(), &raw const attributes, access, &raw mut made) };
        told(status).map(|()| Self(made))
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        // SAFETY: it was opened by us and is used no more.
        unsafe { LsaClose(self.0) };
    }
}

fn told(status: i32) -> Win<()> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: turns one number into another.
    Err(Code(unsafe { LsaNtStatusToWinError(status) }))
}

fn identifier(sid: &str) -> Win<Local<core::ffi::c_void>> {
    let (sid, mut made) = (wide(sid), null_mut());
    // SAFETY: the text ends with a NUL, `made` is valid for writing.
    if unsafe { ConvertStringSidToSidW(sid.as_ptr(), &raw mut made) } == 0 { Err(last()) } else { Ok(Local(made)) }
}

pub(super) fn may_log_on(sid: &str) -> Win<bool> {
    let (policy, sid) = (Policy::open()?, identifier(sid)?);
    let (mut rights, mut count): (*mut LSA_UNICODE_STRING, u32) = (null_mut(), 0);
    // SAFETY: the policy is open, the identifier valid, the answers have their places.
    let status = unsafe { LsaEnumerateAccountRights(policy.0, sid.0, &raw mut rights, &raw mut count) };
    match told(status) {
        // It has no rights at all.
        Err(Code::FILE_NOT_FOUND) => return Ok(false),
        // Wine has no such call.
        Err(code) if code.is_unsupported() || code == Code(50) => return Ok(false),
        told => told?,
    }
    if rights.is_null() {
        return Ok(false);
    }
    // SAFETY: the call gave so many of these.
    let found = unsafe { std::slice::from_raw_parts(rights, count as usize) }.iter().any(|right| {
        // SAFETY: each is a text of so many bytes.
        let name = unsafe { std::slice::from_raw_parts(right.Buffer, usize::from(right.Length) / 2) };
        String::from_utf16_lossy(name).eq_ignore_ascii_case(LOG_ON)
    });
    // SAFETY: it came from the call above and is used no more.
    unsafe { LsaFreeMemory(rights.cast()) };
    Ok(found)
}

pub(super) fn let_log_on(sid: &str, may: bool) -> Win<()> {
    let (policy, sid) = (Policy::open()?, identifier(sid)?);
    let mut name = wide(LOG_ON);
    let length = u16::try_from((name.len() - 1) * 2).unwrap_or_default();
    let right = LSA_UNICODE_STRING { Length: length, MaximumLength: length + 2, Buffer: name.as_mut_ptr() };
    // SAFETY: the policy is open, the identifier valid, one right is given and lives on.
    let status = unsafe {
        if may {
            LsaAddAccountRights(policy.0, sid.0, &raw const right, 1)
        } else {
            LsaRemoveAccountRights(policy.0, sid.0, false, &raw const right, 1)
        }
    };
    match told(status) {
        // An account that is gone has no rights to take back.
        Err(Code::FILE_NOT_FOUND) if !may => Ok(()),
        told => told,
    }
}

/// Who sets that a failure restarts the machine must be allowed to do that himself. Where it does not work, Windows says
/// so when it is set.
pub(super) fn let_us_shut_down() {
    let mut token: HANDLE = null_mut();
    // SAFETY: the pseudo handle of the process is always good, `token` is valid for writing.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES, &raw mut token) } == 0 {
        return;
    }
    let (name, mut luid) = (wide("SeShutdownPrivilege"), LUID::default());
    // SAFETY: the name ends with a NUL; null means this machine.
    if unsafe { LookupPrivilegeValueW(null(), name.as_ptr(), &raw mut luid) } != 0 {
        let privileges = TOKEN_PRIVILEGES {
            PrivilegeCount: 1,
            Privileges: [LUID_AND_ATTRIBUTES { Luid: luid, Attributes: SE_PRIVILEGE_ENABLED }],
        };
        // SAFETY: the token is open, one privilege is given; what was before is not asked for.
        unsafe { AdjustTokenPrivileges(token, 0, &raw const privileges, 0, null_mut(), null_mut()) };
    }
    // SAFETY: opened above and used no more.
    unsafe { CloseHandle(token) };
}

/// The names of the programs that run.
pub(super) fn programs() -> Vec<String> {
    // SAFETY: no pointers are handed over.
    let list = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if list == INVALID_HANDLE_VALUE {
        return Vec::new();
    }
    // SAFETY: it was just made, and belongs to nobody else.
    let list = unsafe { OwnedHandle::from_raw_handle(list) };
    let size = u32::try_from(size_of::<PROCESSENTRY32W>()).unwrap_or_default();
    let mut entry = PROCESSENTRY32W { dwSize: size, ..PROCESSENTRY32W::default() };
    let mut names = Vec::new();
    // SAFETY: the list is open, the entry says its size.
    let mut more = unsafe { Process32FirstW(list.as_raw_handle(), &raw mut entry) } != 0;
    while more {
        // SAFETY: the name is a text in the entry that ends with a NUL.
        names.push(unsafe { text(entry.szExeFile.as_ptr()) });
        // SAFETY: as above.
        more = unsafe { Process32NextW(list.as_raw_handle(), &raw mut entry) } != 0;
    }
    names
}
