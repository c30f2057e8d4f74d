//! launchctl's exit codes are error numbers: those of the system below 107, launchd's own above.

/// What a failed call means for what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// There is no such job.
    NotLoaded,
    /// Something of it still goes on: ask again.
    InFlux,
    /// Anything at all; the cause is to be looked for.
    Opaque,
    /// Its label is disabled.
    Disabled,
    /// The domain is not there, or takes no such job.
    NoDomain,
    /// Somebody else may.
    NotPermitted,
    /// What the code says.
    Other,
}

/// Of a code other than 0.
pub(super) const fn meaning(code: i32) -> Meaning {
    match code {
        3 | 113 => Meaning::NotLoaded,
        17 | 36 | 37 => Meaning::InFlux,
        5 => Meaning::Opaque,
        119 => Meaning::Disabled,
        112 | 124 | 125 | 134 => Meaning::NoDomain,
        1 | 13 | 150 => Meaning::NotPermitted,
        _ => Meaning::Other,
    }
}

/// What launchd calls it; None: a number that it does not explain either.
pub(super) const fn words(code: i32) -> Option<&'static str> {
    Some(match code {
        1 => "operation not permitted",
        2 => "no such file or directory",
        3 => "no such process",
        5 => "input/output error",
        13 => "permission denied",
        17 => "file exists",
        22 => "invalid argument",
        36 => "operation now in progress",
        37 => "operation already in progress",
        64 => "wrong usage",
        107 => "malformed bundle",
        108 => "invalid path",
        109 => "invalid property list",
        110 => "invalid or missing service identifier",
        111 => "invalid or missing program",
        112 => "could not find the domain",
        113 => "could not find the service",
        114 => "the user does not exist",
        115 => "the group does not exist",
        116 => "not implemented",
        118 => "bad response from the server",
        119 => "the service is disabled",
        121 => "path not searched for services",
        122 => "the path has bad ownership or permissions",
        124 => "the domain is being torn down",
        125 => "the domain does not support the action",
        126 => "the request is no longer supported",
        133 => "several errors",
        134 => "the service cannot load in this session",
        137 => "the service does not support the action",
        139 => "the service cannot run at present",
        140 => "the name is reserved or invalid",
        144 => "an entitlement is missing",
        146 => "the domain is in on-demand-only mode",
        150 => "not permitted while System Integrity Protection is engaged",
        155 => "macOS refuses to run a quarantined program",
        _ => return None,
    })
}

/// The words for an exit code that sysexits(3) names, as launchd uses them for what it could not start.
pub(super) const fn spawn_failure(code: i32) -> Option<&'static str> {
    match code {
        78 => Some("launchd could not set it up: its program, folder or log file is missing or may not be used"),
        _ => None,
    }
}

/// What a reason of the kernel's means.
pub(super) fn exit_reason(raw: &str) -> &'static str {
    let name = raw.split([' ', '|']).next().unwrap_or(raw);
    match name {
        "OS_REASON_CODESIGNING" => "its code signature is not valid (a program must be replaced, never overwritten)",
        "OS_REASON_DYLD" => "a library of it could not be loaded",
        "OS_REASON_EXEC" => "it could not be executed",
        "OS_REASON_TCC" => "macOS denied it access to protected files",
        _ if name.starts_with("JETSAM_REASON") => "the system was short of memory",
        _ => "the system ended it",
    }
}
