//! Texts, lists and buffers as the manager takes and gives them.

use std::ptr::null;

use windows_sys::Win32::Foundation::GetLastError;
use windows_sys::Win32::System::Services as win;

use super::super::{Raw, Win};
use crate::backend::windows::act::codes::Code;
use crate::system::access::files::{text, wide};
use crate::system::password::Password;

/// The code of the call that just failed.
pub(super) fn last() -> Code {
    // SAFETY: reads a number of this thread.
    Code(unsafe { GetLastError() })
}

pub(super) fn done(answer: i32) -> Win<()> {
    if answer == 0 { Err(last()) } else { Ok(()) }
}

/// A list as Windows takes it: each item ends with a NUL, the list with another.
pub(super) fn wide_list(items: &[String]) -> Vec<u16> {
    let mut made: Vec<u16> = items.iter().flat_map(|item| item.encode_utf16().chain([0])).collect();
    made.push(0);
    if items.is_empty() {
        made.push(0);
    }
    made
}

/// A list that Windows gave.
///
/// # Safety
/// `list` is null, or points to texts that each end with a NUL, with another NUL after the last.
pub(super) unsafe fn texts(mut list: *const u16) -> Vec<String> {
    let mut made = Vec::new();
    // SAFETY: the list ends with an empty text, which is not gone beyond.
    while !list.is_null() && unsafe { *list } != 0 {
        // SAFETY: each item is a text that ends with a NUL.
        made.push(unsafe { text(list) });
        let length = made.last().map_or(0, |item| item.encode_utf16().count());
        // SAFETY: behind the item's NUL the next begins, or the end of the list.
        list = unsafe { list.add(length + 1) };
    }
    made
}

/// A buffer that Windows fills, as large as it asks for, aligned for any of its structures.
pub(super) fn filled(mut fill: impl FnMut(*mut u8, u32, *mut u32) -> i32) -> Win<Vec<u64>> {
    let mut buffer = vec![0_u64; 64];
    loop {
        let (size, mut needed) = (u32::try_from(buffer.len() * 8).unwrap_or(u32::MAX), 0);
        if fill(buffer.as_mut_ptr().cast(), size, &raw mut needed) != 0 {
            return Ok(buffer);
        }
        let code = last();
        // 122: the buffer is too small; 234: there is more than fits.
        if !matches!(code.0, 122 | 234) || needed <= size {
            return Err(code);
        }
        buffer.resize(needed as usize / 8 + 1, 0);
    }
}

pub(super) fn handle(service: Raw) -> win::SC_HANDLE {
    std::ptr::with_exposed_provenance_mut(service.0)
}

pub(super) fn opened(service: win::SC_HANDLE) -> Win<Raw> {
    if service.is_null() { Err(last()) } else { Ok(Raw(service.expose_provenance())) }
}

/// A password as Windows takes it, wiped when it goes.
pub(super) struct WidePassword(pub(super) Vec<u16>);

impl WidePassword {
    pub(super) fn of(password: &Password) -> Self {
        Self(wide(password.reveal()))
    }
}

impl Drop for WidePassword {
    fn drop(&mut self) {
        self.0.fill(0);
        std::hint::black_box(&self.0);
    }
}

pub(super) fn pointer(text: Option<&Vec<u16>>) -> *const u16 {
    text.map_or(null(), Vec::as_ptr)
}
