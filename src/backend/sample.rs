//! A service for tests of the backends.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::service::*;

/// A plain one: what a manifest with nothing but `exec` comes to.
pub(super) fn service() -> Service {
    Service {
        name: "web".to_owned(),
        instances: Vec::new(),
        instance: None,
        description: "Example web API".to_owned(),
        display_name: None,
        label: None,
        documentation: Vec::new(),
        exec: vec!["/usr/bin/web".to_owned(), "--port".to_owned(), "8080".to_owned()],
        working_dir: None,
        user: None,
        group: None,
        umask: None,
        env: BTreeMap::new(),
        env_files: Vec::new(),
        start: Start::Boot,
        host: HostMode::Auto,
        kind: Kind::Service,
        after: Vec::new(),
        requires: Vec::new(),
        wants: Vec::new(),
        instances_of: BTreeMap::new(),
        own_folders: false,
        wait_for: Vec::new(),
        ready: None,
        health: None,
        restart: Restart {
            policy: RestartPolicy::OnFailure,
            delay: Duration::from_secs(1),
            factor: 2.0,
            max_delay: Duration::from_secs(60),
            jitter: 0.0,
            limit: Some(RestartLimit { count: 5, within: Duration::from_secs(300) }),
            reset_after: Duration::from_secs(600),
            success_codes: Vec::new(),
            prevent_codes: Vec::new(),
        },
        stop: Stop {
            command: None,
            signal: StopSignal::Signal(Signal::Term),
            timeout: Duration::from_secs(30),
            kill: KillScope::Tree,
        },
        reload: None,
        watch: None,
        logs: Logs {
            native: true,
            file: None,
            format: LogFormat::Raw,
            max_size: None,
            max_age: None,
            keep: None,
            total: None,
            compress: Compress::None,
            archive: None,
        },
        limits: Limits::default(),
        thresholds: Thresholds::default(),
        security: Security {
            profile: Profile::None,
            read_write: Vec::new(),
            capabilities: None,
            secrets: BTreeMap::new(),
        },
        hooks: Hooks::default(),
        schedule: None,
        native: serde_json::Value::Null,
        given: BTreeMap::new(),
    }
}
