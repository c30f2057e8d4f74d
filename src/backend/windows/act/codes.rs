//! What Windows answers, in words with a remedy. Its own texts are in the system's language, so they are not shown: the
//! number and the symbolic name find them.

use std::fmt;

use crate::error::Error;
use crate::exit::Exit;

/// A Win32 error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Code(pub(super) u32);

macro_rules! codes {
    ($($name:ident $number:literal $exit:ident $says:literal $remedy:literal,)*) => {
        #[allow(dead_code, reason = "codes that are only told have no other use")]
        impl Code {
            $(pub(super) const $name: Self = Self($number);)*

            /// Number, symbolic name, exit code, what it says, and what to do about it.
            const TABLE: &[(u32, &'static str, Exit, &'static str, &'static str)] =
                &[$(($number, stringify!($name), Exit::$exit, $says, $remedy),)*];
        }
    };
}

codes! {
    FILE_NOT_FOUND 2 Failed "a file is not there" "look at the image path that `daemonctl plan` shows; `daemonctl install` puts the host back",
    PATH_NOT_FOUND 3 Failed "a folder is not there" "look at the image path that `daemonctl plan` shows; `daemonctl install` puts the host back",
    ACCESS_DENIED 5 NotPermitted "access is denied" "run it in an elevated prompt (\"Run as administrator\")",
    INVALID_HANDLE 6 Failed "the handle is not valid" "this is a fault of daemonctl: report it",
    SHARING_VIOLATION 32 Failed "another process has the file open" "close what has it open: an antivirus program lets go after some seconds",
    INVALID_PARAMETER 87 Failed "a value is not one that this Windows takes" "look at the `windows` table of the manifest",
    CALL_NOT_IMPLEMENTED 120 Failed "this Windows does not have the call" "a newer Windows has it",
    INVALID_NAME 123 Manifest "the name is not one that Windows takes" "a service's name has at most 256 characters, and no slash",
    INVALID_LEVEL 124 Failed "this Windows does not know the setting" "a newer Windows has it",
    MORE_DATA 234 Failed "there is more data" "this is a fault of daemonctl: report it",
    BAD_EXE_FORMAT 193 Failed "the program is none for this Windows" "look at the image path: is it an .exe for this processor?",
    DEPENDENT_SERVICES_RUNNING 1051 Failed "other services that need it are running" "stop them first",
    INVALID_SERVICE_CONTROL 1052 Failed "the service does not take this control now" "look at what it is doing: `daemonctl status`",
    SERVICE_REQUEST_TIMEOUT 1053 TimedOut "the program did not answer the service control manager in time" "can its account read and run the program? Is it a program for services? `daemonctl logs` shows what it wrote",
    SERVICE_NO_THREAD 1054 Failed "the service could not make a thread" "is the machine out of memory?",
    SERVICE_DATABASE_LOCKED 1055 Failed "the service control manager is busy: the machine starts, or something else is being installed" "try it again in a minute",
    SERVICE_ALREADY_RUNNING 1056 Done "it is running already" "nothing is to be done",
    INVALID_SERVICE_ACCOUNT 1057 Failed "the account does not exist, or its password is wrong, or one was given to an account that has none" "look at `account`; virtual and managed accounts take no password",
    SERVICE_DISABLED 1058 Failed "the service, or one that it needs, is disabled" "`daemonctl enable NAME`; or `Set-Service NAME -StartupType Manual` for one that is not daemonctl's",
    CIRCULAR_DEPENDENCY 1059 Manifest "the services need each other in a circle" "look at `requires` and at `windows.dependencies`",
    SERVICE_DOES_NOT_EXIST 1060 NotInstalled "there is no such service" "`daemonctl list` shows what is installed",
    SERVICE_CANNOT_ACCEPT_CTRL 1061 Failed "the service takes no controls while it starts or stops" "wait until it is done: `daemonctl status`",
    SERVICE_NOT_ACTIVE 1062 Done "it is not running" "nothing is to be done",
    FAILED_SERVICE_CONTROLLER_CONNECT 1063 Usage "it was not started by the service control manager" "use `daemonctl start`",
    EXCEPTION_IN_SERVICE 1064 Failed "the service crashed while it dealt with a control" "this is a fault of daemonctl's host: report it",
    DATABASE_DOES_NOT_EXIST 1065 Failed "there is no such data base of services" "this is a fault of daemonctl: report it",
    SERVICE_SPECIFIC_ERROR 1066 Failed "the service ended with an error code of its own" "`daemonctl logs` shows what it wrote",
    PROCESS_ABORTED 1067 Failed "the process ended unexpectedly" "look at the System log for events 7031 and 7034, and at `daemonctl logs`",
    SERVICE_DEPENDENCY_FAIL 1068 Failed "a service that it needs did not start" "start that one by itself to see why",
    SERVICE_LOGON_FAILED 1069 Failed "the account could not log on" "is the password right and not expired? Give it anew: `daemonctl install MANIFEST --password-file FILE`. Has the account the right to log on as a service, or does a policy take it away? May this machine use the managed account?",
    SERVICE_START_HANG 1070 TimedOut "the service hung while it started" "`daemonctl logs` shows what it wrote",
    INVALID_SERVICE_LOCK 1071 Failed "the lock of the data base of services is not valid" "this is a fault of daemonctl: report it",
    SERVICE_MARKED_FOR_DELETE 1072 Failed "the service is being deleted, and is gone when the last handle to it is closed" "close the Services console (mmc), Task Manager, Process Explorer, Event Viewer and Server Manager; if nothing helps, restart the machine",
    SERVICE_EXISTS 1073 Failed "there is such a service already" "`--adopt` takes it over",
    ALREADY_RUNNING_LKG 1074 Failed "the machine runs with its last good configuration" "restart the machine",
    SERVICE_DEPENDENCY_DELETED 1075 Failed "a service that it needs does not exist" "look at `requires` and at `windows.dependencies`",
    BOOT_ALREADY_ACCEPTED 1076 Failed "this start of the machine was accepted as good already" "nothing is to be done",
    SERVICE_NEVER_STARTED 1077 NotRunning "it was not started since the machine was" "`daemonctl start NAME`",
    DUPLICATE_SERVICE_NAME 1078 Failed "another service has this name or display name" "give it another `display_name`",
    DIFFERENT_SERVICE_ACCOUNT 1079 Failed "services of one process must have one account" "this is a fault of daemonctl: its services have processes of their own",
    SHUTDOWN_IN_PROGRESS 1115 Failed "the machine is going down" "wait until it is up again",
    SERVICE_NOT_IN_EXE 1083 Failed "the program does not have this service in it" "look at the image path",
    NONE_MAPPED 1332 Failed "there is no such account" "look at `account`, `user` and `allow`",
    LOGON_FAILURE 1326 Failed "the account's name or password is wrong" "give the password anew: `daemonctl install MANIFEST --password-file FILE`",
    PASSWORD_EXPIRED 1330 Failed "the account's password has expired" "change it, and give the new one: `daemonctl install MANIFEST --password-file FILE`",
    ACCOUNT_DISABLED 1331 Failed "the account is disabled" "enable it, or name another",
    LOGON_TYPE_NOT_GRANTED 1385 Failed "the account may not log on as a service" "a policy of the domain takes the right away, or denies it: ask who keeps it",
    RPC_S_SERVER_UNAVAILABLE 1722 Failed "the service control manager does not answer" "is the machine going down?",
    RPC_X_BAD_STUB_DATA 1783 Failed "the service control manager did not understand the request" "this is a fault of daemonctl: report it",
    INVALID_TAG 1733 Failed "this Windows does not know the setting" "a newer Windows has it",
}

impl Code {
    fn entry(self) -> Option<&'static (u32, &'static str, Exit, &'static str, &'static str)> {
        Self::TABLE.iter().find(|(number, ..)| *number == self.0)
    }

    /// `ERROR_SERVICE_MARKED_FOR_DELETE`.
    pub(super) fn name(self) -> Option<String> {
        let (_, name, ..) = self.entry()?;
        Some(if name.starts_with("RPC_") { (*name).to_owned() } else { format!("ERROR_{name}") })
    }

    /// The setting is one that this Windows does not have: an older one, or Wine.
    pub(super) const fn is_unsupported(self) -> bool {
        matches!(self, Self::INVALID_LEVEL | Self::INVALID_TAG | Self::CALL_NOT_IMPLEMENTED | Self::INVALID_PARAMETER)
    }

    /// The error of what was tried.
    pub(super) fn error(self, tried: impl fmt::Display) -> Error {
        let Some((_, _, exit, _, remedy)) = self.entry() else {
            return Error::failed(format!("cannot {tried}: {self}"));
        };
        let exit = if matches!(exit, Exit::Done | Exit::NotRunning) { Exit::Failed } else { *exit };
        Error::new(exit, format!("cannot {tried}: {self}")).hint(*remedy)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some((number, _, _, says, _)) => {
                write!(f, "{says} (Win32 error {number}, {})", self.name().unwrap_or_default())
            }
            None => write!(f, "Windows says error {}; `net helpmsg {}` tells more", self.0, self.0),
        }
    }
}

/// `.tried("start `web`")` on Windows' answers.
pub(super) trait Tried<T> {
    /// Turns a code into "cannot TRIED: why".
    fn tried(self, tried: impl fmt::Display) -> crate::error::Result<T>;
}

impl<T> Tried<T> for Result<T, Code> {
    fn tried(self, tried: impl fmt::Display) -> crate::error::Result<T> {
        self.map_err(|code| code.error(tried))
    }
}

/// An exit code that a service reported as its own, in words: what Windows itself ends processes with has names.
pub(super) fn exit_in_words(code: u32) -> String {
    let name = match code {
        0xC000_0005 => "access violation",
        0xC000_0017 => "out of memory",
        0xC000_001D => "illegal instruction",
        0xC000_0094 => "division by zero",
        0xC000_00FD => "stack overflow",
        0xC000_0135 => "a DLL is missing",
        0xC000_0139 => "a DLL lacks a function",
        0xC000_013A => "ended by Ctrl-C",
        0xC000_0142 => "a DLL could not be initialized",
        0xC000_0374 => "the heap is damaged",
        0xC000_0409 => "abort, or a damaged stack",
        0xE043_4352 => "an exception of .NET",
        0xE06D_7363 => "an exception of C++",
        _ if code >= 0x8000_0000 => return format!("exited with code {code:#010X}"),
        _ => return format!("exited with code {code}"),
    };
    format!("exited with code {code:#010X} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_told_with_number_name_and_remedy() {
        let error = Code::SERVICE_MARKED_FOR_DELETE.error("delete `web`");
        assert!(error.to_string().contains("(Win32 error 1072, ERROR_SERVICE_MARKED_FOR_DELETE)"), "{error}");
        assert!(error.hints()[0].contains("Task Manager"));
        assert_eq!(Code::ACCESS_DENIED.error("x").exit(), Exit::NotPermitted);
        assert_eq!(Code::SERVICE_DOES_NOT_EXIST.error("x").exit(), Exit::NotInstalled);
        assert!(Code(4711).error("x").to_string().contains("net helpmsg 4711"));
        for (number, name, _, says, remedy) in Code::TABLE {
            assert!(!says.is_empty() && !remedy.is_empty(), "{number} {name}");
            assert_eq!(Code::TABLE.iter().filter(|entry| entry.0 == *number).count(), 1, "{number} twice");
        }
    }

    #[test]
    fn exit_codes() {
        assert_eq!(exit_in_words(3), "exited with code 3");
        assert_eq!(exit_in_words(0xC000_0005), "exited with code 0xC0000005 (access violation)");
    }
}
