//! `[service.NAME.security]`: what a service may touch, and its secrets.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::argv::Argv;
use super::build::{Build, key_of};
use super::decode::{At, Decoder, Defs, Raw, Value, table, words};
use super::error::{ManifestError, nearest, shown};
use super::layers::Layers;
use super::source::Span;
use super::text::{Line, Named, PathText, Set};
use crate::service::{Profile, Secret, Security};

table! {
    /// What it may touch.
    SecurityTable "security" "[service.NAME.security]" {
        /// A ready-made set of restrictions: none, standard or strict; none unless given.
        profile: Profile = SecurityProfile,
        /// Files and folders it may write, whatever the profile says.
        read_write: Set<PathText> = SecurityReadWrite,
        /// Linux capabilities it keeps.
        capabilities: Set<Capability> = SecurityCapabilities,
        /// Secrets by the name of the variable or credential; their values never stand in a unit or argv.
        secrets: Named<Box<SecretTable>> = SecuritySecrets,
    }
}

table! {
    /// Where a secret comes from. One of file, env, command, credential.
    SecretTable "secret" "a secret" {
        /// A file's content.
        file: PathText,
        /// A variable of the environment in which `install` runs.
        env: Line,
        /// A command's output, run by `install`.
        command: Argv,
        /// A credential of the service manager.
        credential: Line,
    }
}

words!(Profile { None = "none", Standard = "standard", Strict = "strict" });

/// The capabilities of Linux 6.
const CAPABILITIES: [&str; 41] = [
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_READ",
    "CAP_AUDIT_WRITE",
    "CAP_BLOCK_SUSPEND",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_PERFMON",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_NICE",
    "CAP_SYS_PACCT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_RESOURCE",
    "CAP_SYSLOG",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_WAKE_ALARM",
];

/// A capability by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capability(&'static str);

impl Value for Capability {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::String(text) = raw.get_ref() else {
            return cx.mistyped(raw, "a capability such as \"CAP_NET_BIND_SERVICE\"");
        };
        if let Some(known) = CAPABILITIES.into_iter().find(|known| known == text) {
            return Some(Self(known));
        }
        let upper = text.to_uppercase();
        let meant = nearest(&upper, CAPABILITIES).map(|meant| format!("did you mean `{meant}`?"));
        let error = ManifestError::new(raw.span(), format!("there is no capability `{}`", shown(text)));
        cx.refuse(error.expected("expected a name such as `CAP_NET_BIND_SERVICE`").maybe_hint(meant))
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        serde_json::json!({ "enum": CAPABILITIES.as_slice() })
    }
}

/// What the service may touch.
pub(crate) fn build(layers: Option<Layers<'_, SecurityTable>>, cx: &mut Build<'_>) -> Security {
    let mut security =
        Security { profile: Profile::None, read_write: Vec::new(), capabilities: None, secrets: BTreeMap::new() };
    let Some(layers) = layers else {
        return security;
    };
    if let Some(profile) = layers.get(|table| &table.profile) {
        security.profile = profile.value;
    }
    if let Some(paths) = layers.get(|table| &table.read_write) {
        security.read_write = paths.value.0.iter().map(|path| cx.path(&path.value, path.at)).collect();
    }
    let capabilities = layers.get(|table| &table.capabilities);
    security.capabilities = capabilities.map(|list| list.value.0.iter().map(|item| item.value.0.to_owned()).collect());
    for table in layers.iter() {
        for (name, entry) in table.secrets.iter().flat_map(|secrets| &secrets.value.0) {
            if !security.secrets.contains_key(&name.value)
                && let Some(secret) = secret(entry, cx)
            {
                security.secrets.insert(name.value.clone(), secret);
            }
        }
    }
    security
}

fn secret(entry: &At<Box<SecretTable>>, cx: &mut Build<'_>) -> Option<Secret> {
    secret_at(&entry.value, entry.at, cx)
}

/// Where a secret comes from; `at` is the table's place.
pub(super) fn secret_at(table: &SecretTable, at: Span, cx: &mut Build<'_>) -> Option<Secret> {
    let SecretTable { file, env, command, credential, broken } = table;
    let keys = [
        ("file", key_of(file.as_ref())),
        ("env", key_of(env.as_ref())),
        ("command", key_of(command.as_ref())),
        ("credential", key_of(credential.as_ref())),
    ];
    if !cx.exactly_one("a secret", at, *broken, &keys) {
        return None;
    }
    Some(if let Some(file) = file {
        Secret::File(cx.path(&file.value, file.at))
    } else if let Some(env) = env {
        Secret::Env(cx.string(&env.value.0, env.at))
    } else if let Some(command) = command {
        Secret::Command(cx.argv(&command.value))
    } else {
        let credential = credential.as_ref()?;
        Secret::Credential(cx.string(&credential.value.0, credential.at))
    })
}
