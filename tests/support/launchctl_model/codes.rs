//! launchctl's exit codes are error numbers: those of the system below 107, launchd's own above.

pub(crate) const NOT_PERMITTED: i32 = 1;
pub(crate) const NO_ENTRY: i32 = 2;
pub(crate) const NO_PROCESS: i32 = 3;
pub(crate) const IO: i32 = 5;
pub(crate) const IN_PROGRESS: i32 = 36;
pub(crate) const ALREADY: i32 = 37;
pub(crate) const USAGE: i32 = 64;
/// Not launchctl's: the model's own, for what it does not know.
pub(crate) const NOT_MODELLED: i32 = 70;
pub(crate) const BAD_PLIST: i32 = 109;
pub(crate) const BAD_PROGRAM: i32 = 111;
pub(crate) const NO_SERVICE: i32 = 113;
pub(crate) const DISABLED: i32 = 119;
pub(crate) const BAD_OWNER: i32 = 122;
pub(crate) const BAD_DOMAIN: i32 = 125;
pub(crate) const BAD_SESSION: i32 = 134;
pub(crate) const PROTECTED: i32 = 150;

/// The words that launchctl has for a code.
pub(crate) const fn words(code: i32) -> &'static str {
    match code {
        1 => "Operation not permitted",
        2 => "No such file or directory",
        3 => "No such process",
        5 => "Input/output error",
        17 => "File exists",
        22 => "Invalid argument",
        36 => "Operation now in progress",
        37 => "Operation already in progress",
        107 => "Malformed bundle",
        108 => "Invalid path",
        109 => "Invalid property list",
        110 => "Invalid or missing service identifier",
        111 => "Invalid or missing Program/ProgramArguments",
        112 => "Could not find specified domain",
        113 => "Could not find specified service",
        114 => "The specified username does not exist",
        115 => "The specified group does not exist",
        116 => "Routine not yet implemented",
        119 => "Service is disabled",
        121 => "Path not searched for services",
        122 => "Path had bad ownership/permissions",
        124 => "Domain is tearing down",
        125 => "Domain does not support specified action",
        133 => "Multiple errors were returned",
        134 => "Service cannot load in requested session",
        137 => "Service does not support specified action",
        139 => "Service cannot presently execute",
        144 => "Requestor lacks required entitlement",
        146 => "Domain is in on-demand-only mode",
        150 => "Operation not permitted while System Integrity Protection is engaged",
        155 => "Refusing to execute/trust quarantined program/file",
        _ => "unknown error",
    }
}

/// The names of sysexits(3), which `print` puts behind an exit code.
pub(crate) const fn exit_name(code: i32) -> Option<&'static str> {
    Some(match code {
        64 => "EX_USAGE",
        65 => "EX_DATAERR",
        66 => "EX_NOINPUT",
        67 => "EX_NOUSER",
        68 => "EX_NOHOST",
        69 => "EX_UNAVAILABLE",
        70 => "EX_SOFTWARE",
        71 => "EX_OSERR",
        72 => "EX_OSFILE",
        73 => "EX_CANTCREAT",
        74 => "EX_IOERR",
        75 => "EX_TEMPFAIL",
        76 => "EX_PROTOCOL",
        77 => "EX_NOPERM",
        78 => "EX_CONFIG",
        _ => return None,
    })
}

/// The words that `print` has for a signal: `Terminated: 15`.
pub(crate) fn signal_words(signal: i32) -> String {
    let words = match signal {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        4 => "Illegal instruction",
        6 => "Abort trap",
        8 => "Floating point exception",
        9 => "Killed",
        11 => "Segmentation fault",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        _ => "Signal",
    };
    format!("{words}: {signal}")
}
