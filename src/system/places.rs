//! Who may change what lies at a path, and where it came from.

use std::path::Path;

/// Whether a file carries macOS' mark of a download, which keeps it from being run by launchd.
#[must_use]
pub fn is_quarantined(path: &Path) -> bool {
    imp::is_quarantined(path)
}

#[cfg(target_os = "macos")]
mod imp {
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    pub(super) fn is_quarantined(path: &Path) -> bool {
        let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else { return false };
        let name = c"com.apple.quarantine";
        // SAFETY: both are NUL-terminated strings that outlive the call, and a size of 0 asks for the length alone.
        unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0, 0, 0) >= 0 }
    }
}

#[cfg(not(target_os = "macos"))]
mod imp {
    use std::path::Path;

    pub(super) const fn is_quarantined(_: &Path) -> bool {
        false
    }
}
