//! Libraries that are loaded when they are needed first.
//!
//! A host that supervises a service needs none of these, but its program names them: for the table of `status`, for
//! certificates, for folders of users, for windows that are asked to close. Each would be mapped into each host and take
//! its memory there, and one of them changes how a process is told of a shutdown: with `user32` loaded, handlers of a
//! console are not called any more
//! (<https://learn.microsoft.com/windows/console/setconsolectrlhandler>).
//!
//! Microsoft's linker loads late what `build.rs` names to it; GNU's does not know how. There, what the crates that we use
//! call is defined here, and so never sought in a library while the program is loaded.
#![allow(clippy::unused_unit, reason = "a function that gives nothing is defined like the others")]

use std::ffi::{CStr, c_void};
use std::sync::OnceLock;

use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExA};

/// A pointer to whatever it may be: only the callers and the library know.
type Pointer = *mut c_void;

/// `ERROR_PROC_NOT_FOUND`, and the same as `NTSTATUS` and as `HRESULT`.
const ERROR: u32 = 127;
const STATUS: i32 = 0xC000_007A_u32.cast_signed();
const RESULT: i32 = 0x8007_007F_u32.cast_signed();

/// The address of a function, which is never unloaded. Nobody but the system has put the library where it is sought.
fn find(library: &CStr, name: &CStr) -> Option<usize> {
    // SAFETY: both texts end with a zero.
    let found = unsafe {
        let module = LoadLibraryExA(library.as_ptr().cast(), std::ptr::null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32);
        if module.is_null() { None } else { GetProcAddress(module, name.as_ptr().cast()) }
    };
    found.map(|function| function as usize)
}

/// Defines functions of libraries, each with what it answers where there is no such function.
macro_rules! late {
    ($($library:literal { $(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty, else $none:expr;)* })*) => {$($(
        /// The library's function of that name.
        #[unsafe(no_mangle)]
        extern "system" fn $name($($arg: $type),*) -> $result {
            static FOUND: OnceLock<Option<usize>> = OnceLock::new();
            const NAME: &CStr = match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => c"",
            };
            let Some(function) = *FOUND.get_or_init(|| find($library, NAME)) else { return $none };
            // SAFETY: it is the address of a function that takes and gives values of these sizes, by its documentation;
            // what the caller owes to it is handed on as it is.
            unsafe {
                let function = std::mem::transmute::<usize, unsafe extern "system" fn($($type),*) -> $result>(function);
                function($($arg),*)
            }
        }
    )*)*};
}

late! {
    c"bcrypt.dll" {
        fn BCryptGenRandom(algorithm: Pointer, buffer: Pointer, length: u32, flags: u32) -> i32, else STATUS;
    }
    c"crypt32.dll" {
        fn CertCloseStore(store: Pointer, flags: u32) -> i32, else 0;
        fn CertDuplicateCertificateContext(context: Pointer) -> Pointer, else std::ptr::null_mut();
        fn CertEnumCertificatesInStore(store: Pointer, last: Pointer) -> Pointer, else std::ptr::null_mut();
        fn CertFreeCertificateContext(context: Pointer) -> i32, else 0;
        fn CertGetEnhancedKeyUsage(context: Pointer, flags: u32, usage: Pointer, size: Pointer) -> i32, else 0;
        fn CertOpenStore(provider: Pointer, encoding: u32, of: usize, flags: u32, what: Pointer) -> Pointer,
            else std::ptr::null_mut();
        fn CertVerifyTimeValidity(time: Pointer, information: Pointer) -> i32, else 1;
    }
    c"ole32.dll" {
        fn CoTaskMemFree(memory: Pointer) -> (), else ();
    }
    c"oleaut32.dll" {
        fn GetErrorInfo(reserved: u32, information: Pointer) -> i32, else 1;
    }
    c"pdh.dll" {
        fn PdhAddEnglishCounterW(query: Pointer, path: Pointer, user: usize, counter: Pointer) -> u32, else ERROR;
        fn PdhCloseQuery(query: Pointer) -> u32, else ERROR;
        fn PdhCollectQueryData(query: Pointer) -> u32, else ERROR;
        fn PdhGetFormattedCounterValue(counter: Pointer, format: u32, kind: Pointer, value: Pointer) -> u32, else ERROR;
        fn PdhOpenQueryA(source: Pointer, user: usize, query: Pointer) -> u32, else ERROR;
        fn PdhRemoveCounter(counter: Pointer) -> u32, else ERROR;
    }
    c"powrprof.dll" {
        fn CallNtPowerInformation(level: i32, input: Pointer, length: u32, output: Pointer, room: u32) -> i32,
            else STATUS;
    }
    c"psapi.dll" {
        fn GetModuleFileNameExW(process: Pointer, module: Pointer, name: Pointer, room: u32) -> u32, else 0;
        fn GetProcessMemoryInfo(process: Pointer, counters: Pointer, size: u32) -> i32, else 0;
    }
    c"shell32.dll" {
        fn CommandLineToArgvW(line: Pointer, count: Pointer) -> Pointer, else std::ptr::null_mut();
        fn SHGetKnownFolderPath(folder: Pointer, flags: u32, token: Pointer, path: Pointer) -> i32, else RESULT;
    }
    c"user32.dll" {
        fn EnumWindows(call: Pointer, value: isize) -> i32, else 0;
        fn GetWindowThreadProcessId(window: Pointer, process: Pointer) -> u32, else 0;
        fn PostMessageW(window: Pointer, message: u32, first: usize, second: isize) -> i32, else 0;
    }
}
