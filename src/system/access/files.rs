//! Access lists of files, folders and accounts on this Windows.

use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::FromRawHandle;
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, GENERIC_READ, GENERIC_WRITE, HANDLE, INVALID_HANDLE_VALUE,
    LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, SDDL_REVISION_1, SE_FILE_OBJECT,
    SE_OBJECT_TYPE, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, GetTokenInformation, OWNER_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, PSID, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{
    CREATE_NEW, CreateDirectoryW, CreateFileW, FILE_ATTRIBUTE_NORMAL, FILE_SHARE_DELETE, FILE_SHARE_READ,
    FILE_SHARE_WRITE,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::sddl::{self, Entry};

/// A text as Windows takes it.
pub(crate) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A path as Windows takes it.
pub(crate) fn wide_path(path: &Path) -> Vec<u16> {
    path.as_os_str().encode_wide().chain([0]).collect()
}

/// A text that Windows gave, up to its NUL.
///
/// # Safety
/// `text` is null, or points to a text that ends with a NUL.
pub(crate) unsafe fn text(text: *const u16) -> String {
    if text.is_null() {
        return String::new();
    }
    let mut length = 0;
    // SAFETY: the text ends with a NUL, which is not gone beyond.
    while unsafe { *text.add(length) } != 0 {
        length += 1;
    }
    // SAFETY: all of it was just read.
    String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(text, length) })
}

/// What Windows made with `LocalAlloc`, freed when it goes.
pub(crate) struct Local<T>(pub(crate) *mut T);

impl<T> Drop for Local<T> {
    fn drop(&mut self) {
        // SAFETY: it came from Windows, by a call whose documentation says that it is freed so; null is allowed.
        unsafe { LocalFree(self.0.cast()) };
    }
}

/// A descriptor as text.
///
/// # Safety
/// `descriptor` points to a valid one.
pub(crate) unsafe fn written(descriptor: PSECURITY_DESCRIPTOR, what: u32) -> io::Result<String> {
    let mut made: *mut u16 = null_mut();
    // SAFETY: the descriptor is valid, `made` is valid for writing; the length is not asked for.
    let done = unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor,
            SDDL_REVISION_1,
            what,
            &raw mut made,
            null_mut(),
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    let made = Local(made);
    // SAFETY: the call gave a text that ends with a NUL.
    Ok(unsafe { text(made.0) })
}

/// A text as a descriptor.
pub(crate) fn descriptor(sddl: &str) -> io::Result<Local<core::ffi::c_void>> {
    let (sddl, mut made) = (wide(sddl), null_mut());
    // SAFETY: the text ends with a NUL, `made` is valid for writing; the size is not asked for.
    let done = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl.as_ptr(), SDDL_REVISION_1, &raw mut made, null_mut())
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Local(made)) }
}

/// Owner and access list of what has this name; None: nothing has it.
pub(crate) fn of_object(name: &[u16], kind: SE_OBJECT_TYPE) -> io::Result<Option<String>> {
    let what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    let mut made: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the name ends with a NUL; only the descriptor is asked for.
    let code = unsafe {
        GetNamedSecurityInfoW(name.as_ptr(), kind, what, null_mut(), null_mut(), null_mut(), null_mut(), &raw mut made)
    };
    match code {
        0 => {
            let made = Local(made);
            // SAFETY: the call gave a valid descriptor.
            unsafe { written(made.0, what) }.map(Some)
        }
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => Ok(None),
        code => Err(io::Error::from_raw_os_error(code.cast_signed())),
    }
}

/// Owner and access list of a file or folder; None: nothing is there.
pub(crate) fn of_file(path: &Path) -> io::Result<Option<String>> {
    of_object(&wide_path(path), SE_FILE_OBJECT)
}

/// Lets somebody read (or change) a file, or a folder with all that is and comes in it.
pub(crate) fn let_at(path: &Path, who: &str, change: bool) -> io::Result<()> {
    let Some(found) = of_file(path)? else { return Err(io::ErrorKind::NotFound.into()) };
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, format!("`{found}` is no access list"));
    let mut list = sddl::parse(&found).ok_or_else(invalid)?;
    // Modify; read and execute.
    let mask = if change { 0x13_01bf } else { 0x12_00a9 };
    let Some(entries) = &mut list.entries else { return Ok(()) };
    if sddl::allows(entries, who, mask) {
        return Ok(());
    }
    let mut entry = Entry::allow(who, mask);
    if path.is_dir() {
        entry.flags.push_str("OICI");
    }
    let at = entries.iter().position(Entry::inherited).unwrap_or(entries.len());
    entries.insert(at, entry);
    let made = descriptor(&list.to_string())?;
    let (mut present, mut defaulted, mut acl): (i32, i32, *mut ACL) = (0, 0, null_mut());
    // SAFETY: the descriptor is valid, and so are the places that the answers go to.
    if unsafe { GetSecurityDescriptorDacl(made.0, &raw mut present, &raw mut acl, &raw mut defaulted) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let name = wide_path(path);
    // SAFETY: the name ends with a NUL, the list lives as long as the descriptor, nothing else is set.
    let code = unsafe {
        SetNamedSecurityInfoW(
            name.as_ptr(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION,
            null_mut(),
            null_mut(),
            acl,
            null(),
        )
    };
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.cast_signed())) }
}

/// The security identifier of who runs this.
pub(crate) fn own_sid() -> io::Result<String> {
    let mut token: HANDLE = null_mut();
    // SAFETY: the pseudo handle of the process is always good, `token` is valid for writing.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // As large as any identifier, aligned as the structure in front of it.
    let mut buffer = [0_u64; 32];
    let (size, mut length) = (u32::try_from(size_of_val(&buffer)).unwrap_or_default(), 0);
    // SAFETY: `token` is open; the buffer has the size that is given.
    let told = unsafe { GetTokenInformation(token, TokenUser, buffer.as_mut_ptr().cast(), size, &raw mut length) };
    let error = io::Error::last_os_error();
    // SAFETY: opened above and used no more.
    unsafe { CloseHandle(token) };
    if told == 0 {
        return Err(error);
    }
    // SAFETY: the call filled the buffer with this structure, and the buffer is aligned for it.
    let user = unsafe { &*buffer.as_ptr().cast::<TOKEN_USER>() };
    // SAFETY: the identifier lies in the buffer.
    unsafe { sid_text(user.User.Sid) }
}

/// An identifier as text.
///
/// # Safety
/// `sid` points to a valid one.
pub(crate) unsafe fn sid_text(sid: PSID) -> io::Result<String> {
    let mut made: *mut u16 = null_mut();
    // SAFETY: the identifier is valid, `made` is valid for writing.
    if unsafe { ConvertSidToStringSidW(sid, &raw mut made) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let made = Local(made);
    // SAFETY: the call gave a text that ends with a NUL.
    Ok(unsafe { text(made.0) })
}

/// For the system, administrators and who asks; for users too where all may read.
fn list(readable: bool) -> io::Result<String> {
    let readers = if readable { "(A;OICI;0x1200a9;;;BU)" } else { "" };
    Ok(format!("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{}){readers}", own_sid()?))
}

/// Attributes with a descriptor, for calls that make something.
fn attributes(descriptor: &Local<core::ffi::c_void>) -> SECURITY_ATTRIBUTES {
    SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    }
}

/// Makes a folder that inherits nothing, with its list in the same call: nobody can be quicker.
pub(crate) fn make_guarded_folder(path: &Path, readable: bool) -> io::Result<()> {
    let descriptor = descriptor(&list(readable)?)?;
    let (name, attributes) = (wide_path(path), attributes(&descriptor));
    // SAFETY: the name ends with a NUL, the attributes and their descriptor live on.
    if unsafe { CreateDirectoryW(name.as_ptr(), &raw const attributes) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Makes a file that only administrators, the system and who asks can read.
pub(crate) fn create_private(path: &Path) -> io::Result<std::fs::File> {
    let descriptor = descriptor(&list(false)?.replace("OICI", ""))?;
    let (name, attributes) = (wide_path(path), attributes(&descriptor));
    // SAFETY: the name ends with a NUL, the attributes and their descriptor live on, there is no template.
    let handle = unsafe {
        CreateFileW(
            name.as_ptr(),
            GENERIC_READ | GENERIC_WRITE,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            &raw const attributes,
            CREATE_NEW,
            FILE_ATTRIBUTE_NORMAL,
            null_mut(),
        )
    };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was just opened, and belongs to nobody else.
    Ok(unsafe { std::fs::File::from_raw_handle(handle) })
}

/// Whether everybody who can log on can read it: what has no list of its own kind counts so.
pub(crate) fn is_readable_by_all(path: &Path) -> io::Result<bool> {
    let Some(text) = of_file(path)? else { return Ok(true) };
    let Some(list) = sddl::parse(&text) else { return Ok(true) };
    let Some(entries) = list.entries else { return Ok(true) };
    let broad = [sddl::EVERYONE, "WD", "S-1-5-11", "S-1-5-32-545", "S-1-5-4"];
    let reads = |entry: &Entry| entry.allows() && !entry.inherit_only() && entry.mask & 0x9000_0001 != 0;
    Ok(entries.iter().any(|entry| reads(entry) && broad.contains(&entry.who.as_str())))
}
