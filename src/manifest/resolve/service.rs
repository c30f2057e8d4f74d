//! One service: its layers as one, complete and absolute, and what contradicts itself in it.

use std::collections::{BTreeMap, HashMap};

use crate::key::Key;
use crate::layout::Scope;
use crate::manifest::build::{Build, key_of};
use crate::manifest::decode::{At, Field, Table};
use crate::manifest::env_file::EnvFileItem;
use crate::manifest::error::{ManifestError, nearest, shown};
use crate::manifest::layers::Layers;
use crate::manifest::service::ServiceTable;
use crate::manifest::source::{Position, Span};
use crate::manifest::text::{Line, Set};
use crate::manifest::{
    health, hooks, limits, logs, native, probe, ready, reload, restart, schedule, security, stop, thresholds, watch,
};
use crate::service::{Dependency, EnvFile, HostMode, Kind, RestartPolicy, Service, Start};

pub(super) fn resolved(
    name: &At<String>,
    layers: Layers<'_, ServiceTable>,
    names: &HashMap<&str, usize>,
    cx: &mut Build<'_>,
) -> Service {
    let broken = cx.dry && layers.iter().any(|table| table.broken);
    let exec = layers.get(|table| &table.exec);
    if exec.is_none() && !broken {
        let error = ManifestError::new(name.at, format!("`{}` has no `exec`", shown(&name.value)));
        cx.fault(
            error.expected("this service").hint("add the command that it runs: exec = [\"./program\", \"--option\"]"),
        );
    }
    let mut given = given(layers, cx);
    let kind = layers.get(|table| &table.kind).map_or(Kind::Service, |kind| kind.value);
    let place = |key: Option<Span>| key.unwrap_or(name.at);
    let reload = layers
        .below(|table| &table.reload)
        .and_then(|below| reload::build(below, place(key_of(layers.get(|table| &table.reload))), cx));
    let has_reload = layers.get(|table| &table.reload).is_some();
    let (user, group) = accounts(layers, &mut given, cx);
    let limits = limits::build(layers.below(|table| &table.limits), cx);
    let thresholds = thresholds::build(layers.below(|table| &table.thresholds), &limits, cx);
    let made = Service {
        name: name.value.clone(),
        instances: layers.get(|table| &table.instances).map(|list| list.value.0.clone()).unwrap_or_default(),
        instance: None,
        description: line(layers.get(|table| &table.description), cx).unwrap_or_else(|| name.value.clone()),
        display_name: line(layers.get(|table| &table.display_name), cx),
        label: layers.get(|table| &table.label).map(|label| cx.line(&label.value.0, label.at)),
        documentation: layers
            .get(|table| &table.documentation)
            .map(|list| list.value.0.iter().map(|url| cx.line(&url.value.0, url.at)).collect())
            .unwrap_or_default(),
        exec: exec.map(|exec| cx.argv(&exec.value)).unwrap_or_default(),
        working_dir: layers.get(|table| &table.working_dir).map(|dir| cx.path(&dir.value, dir.at)),
        user,
        group,
        umask: layers.get(|table| &table.umask).map(|umask| umask.value.0),
        env: env(layers, cx),
        env_files: env_files(layers, cx),
        start: layers.get(|table| &table.start).map_or(Start::Boot, |start| start.value),
        host: layers.get(|table| &table.host).map_or(HostMode::Auto, |host| host.value),
        kind,
        after: dependencies(layers.get(|table| &table.after), &name.value, names, cx),
        requires: dependencies(layers.get(|table| &table.requires), &name.value, names, cx),
        wants: dependencies(layers.get(|table| &table.wants), &name.value, names, cx),
        instances_of: BTreeMap::new(),
        own_folders: false,
        wait_for: layers
            .get(|table| &table.wait_for)
            .map(|list| list.value.0.iter().filter_map(|entry| probe::wait_for(entry, cx)).collect())
            .unwrap_or_default(),
        ready: layers
            .below(|table| &table.ready)
            .and_then(|below| ready::build(below, place(key_of(layers.get(|table| &table.ready))), cx)),
        health: layers
            .below(|table| &table.health)
            .and_then(|below| health::build(below, place(key_of(layers.get(|table| &table.health))), cx))
            .map(Box::new),
        restart: restart::build(layers.below(|table| &table.restart), kind, cx),
        stop: stop::build(layers.below(|table| &table.stop), cx),
        reload,
        watch: layers
            .below(|table| &table.watch)
            .and_then(|below| watch::build(below, place(key_of(layers.get(|table| &table.watch))), has_reload, cx)),
        logs: logs::build(layers.below(|table| &table.logs), place(key_of(layers.get(|table| &table.logs))), cx),
        limits,
        thresholds,
        security: security::build(layers.below(|table| &table.security), cx),
        hooks: hooks::build(layers.below(|table| &table.hooks), cx),
        schedule: layers
            .below(|table| &table.schedule)
            .and_then(|below| schedule::build(below, place(key_of(layers.get(|table| &table.schedule))), cx))
            .map(Box::new),
        native: native_settings(layers, cx),
        given,
    };
    kinds(name, layers, &made, cx);
    both_wanted_and_required(layers, cx);
    made
}

fn line(field: Option<&Field<Line>>, cx: &mut Build<'_>) -> Option<String> {
    field.map(|field| cx.line(&field.value.0, field.at))
}

/// The keys that count, with the places of their names. Of keys among which one only can hold, those of the highest layer
/// that has any of them.
fn given(layers: Layers<'_, ServiceTable>, cx: &Build<'_>) -> BTreeMap<Key, Position> {
    let mut given = BTreeMap::new();
    let mut chosen: Vec<(&'static str, usize)> = Vec::new();
    for (depth, table) in layers.iter().enumerate() {
        table.visit_keys(&mut |key, at, group| {
            if let Some(group) = group {
                match chosen.iter().find(|(name, _)| *name == group) {
                    Some((_, above)) if *above < depth => return,
                    Some(_) => {}
                    None => chosen.push((group, depth)),
                }
            }
            given.entry(key).or_insert_with(|| cx.source.position(at));
        });
        if let Some((_, at)) = table.native(cx.target.backend) {
            given.entry(Key::Native).or_insert_with(|| cx.source.position(at));
        }
    }
    given
}

/// User and group. In user scope nobody can become somebody else.
fn accounts(
    layers: Layers<'_, ServiceTable>,
    given: &mut BTreeMap<Key, Position>,
    cx: &mut Build<'_>,
) -> (Option<String>, Option<String>) {
    let fields = [(Key::User, layers.get(|table| &table.user)), (Key::Group, layers.get(|table| &table.group))];
    let [user, group] = fields.map(|(key, field)| {
        let field = field?;
        let account = cx.line(&field.value.0, field.at);
        if cx.target.scope == Scope::System || cx.dry {
            return Some(account);
        }
        let oneself = key == Key::User
            && cx.facts.env("USER").or_else(|| cx.facts.env("LOGNAME")).is_some_and(|me| me == account);
        if oneself {
            given.remove(&key);
        } else {
            let error = ManifestError::new(field.key, format!("`{}` cannot be chosen in user scope", key.path()));
            cx.fault(
                error
                    .expected("services of a user run as that user")
                    .hint("remove it, or install with `--system` as root"),
            );
        }
        None
    });
    (user, group)
}

fn env(layers: Layers<'_, ServiceTable>, cx: &mut Build<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for table in layers.iter() {
        for (name, value) in table.env.iter().flat_map(|env| &env.value.0) {
            if !env.contains_key(&name.value) {
                env.insert(name.value.clone(), cx.string(&value.value.0, value.at));
            }
        }
    }
    env
}

fn env_files(layers: Layers<'_, ServiceTable>, cx: &mut Build<'_>) -> Vec<EnvFile> {
    let items = layers.get(|table| &table.env_file).into_iter().flat_map(|list| &list.value.0);
    let one = |item: &At<EnvFileItem>| match &item.value {
        EnvFileItem::Path(path) => Some(EnvFile { path: cx.path(path, item.at), optional: false }),
        EnvFileItem::Table(table) => {
            cx.exactly_one("an entry of `env_file`", item.at, table.broken, &[("path", key_of(table.path.as_ref()))]);
            let path = table.path.as_ref()?;
            let optional = table.optional.as_ref().is_some_and(|optional| optional.value);
            Some(EnvFile { path: cx.path(&path.value, path.at), optional })
        }
    };
    items.filter_map(one).collect()
}

/// Endings of names that are a manager's own.
const FOREIGN: [&str; 8] = [".service", ".target", ".socket", ".mount", ".path", ".timer", ".slice", ".device"];

fn dependencies(
    list: Option<&Field<Set<Line>>>,
    own: &str,
    names: &HashMap<&str, usize>,
    cx: &mut Build<'_>,
) -> Vec<Dependency> {
    let mut found = Vec::new();
    for item in list.into_iter().flat_map(|list| &list.value.0) {
        let name = item.value.0.as_str();
        if name == own {
            let error = ManifestError::new(item.at, format!("`{name}` depends on itself"));
            cx.fault(error.hint("remove it"));
        } else if names.contains_key(name) {
            found.push(Dependency::Service(name.to_owned()));
        } else if FOREIGN.iter().any(|ending| name.len() > ending.len() && name.ends_with(ending)) {
            found.push(Dependency::Foreign(cx.line(name, item.at)));
        } else {
            let error = ManifestError::new(item.at, format!("this manifest has no service `{}`", shown(name)));
            let hint = match nearest(name, names.keys().copied().filter(|other| *other != own)) {
                Some(meant) => format!(
                    "did you mean `{meant}`? A unit of the service manager is named in full: `{}.service`",
                    shown(name)
                ),
                None => format!("a unit of the service manager is named in full: `{}.service`", shown(name)),
            };
            cx.fault(error.expected("expected the name of a service").hint(hint));
        }
    }
    found
}

fn both_wanted_and_required(layers: Layers<'_, ServiceTable>, cx: &mut Build<'_>) {
    let (Some(requires), Some(wants)) = (layers.get(|table| &table.requires), layers.get(|table| &table.wants)) else {
        return;
    };
    for wanted in &wants.value.0 {
        if let Some(required) = requires.value.0.iter().find(|item| item.value == wanted.value) {
            let error = ManifestError::new(wanted.at, format!("`{}` is wanted and required", shown(&wanted.value.0)));
            let error = error.expected("`wants` goes on without it, `requires` does not");
            cx.fault(error.related(required.at, "required here").hint("remove one of the two"));
        }
    }
}

fn native_settings(layers: Layers<'_, ServiceTable>, cx: &mut Build<'_>) -> serde_json::Value {
    let mut settings = serde_json::Value::Null;
    for table in layers.iter() {
        if let Some((native, _)) = table.native(cx.target.backend) {
            native::lay_under(&mut settings, native, cx);
        }
    }
    settings
}

/// What `type` rules out.
fn kinds(name: &At<String>, layers: Layers<'_, ServiceTable>, service: &Service, cx: &mut Build<'_>) {
    let kind = layers.get(|table| &table.kind);
    let schedule = layers.get(|table| &table.schedule);
    let at_type = |error: ManifestError| match kind {
        Some(kind) => error.related(kind.at, "the type"),
        None => error.hint("add `type = \"task\"`, or remove the schedule"),
    };
    if let (Some(schedule), Kind::Service | Kind::Oneshot) = (schedule, service.kind) {
        let error = ManifestError::new(schedule.key, "a `schedule` is for `type = \"task\"` only");
        cx.fault(at_type(error).hint("write `type = \"task\"`, or remove the schedule"));
    }
    if service.kind == Kind::Service {
        return;
    }
    let word = if service.kind == Kind::Task { "task" } else { "oneshot" };
    if service.kind == Kind::Task && schedule.is_none() {
        let at = kind.map_or(name.at, |kind| kind.at);
        let error = ManifestError::new(at, "a task needs a schedule");
        cx.fault(error.hint("add `schedule = { every = \"15m\" }` or `schedule = { calendar = \"daily 02:30\" }`, or write `type = \"oneshot\"`"));
    }
    let running = [
        ("health", key_of(layers.get(|table| &table.health))),
        ("ready", key_of(layers.get(|table| &table.ready))),
        ("reload", key_of(layers.get(|table| &table.reload))),
    ];
    for (table, key) in running {
        if let Some(key) = key {
            let error =
                ManifestError::new(key, format!("`{table}` means nothing for a {word}, which runs to completion"));
            cx.fault(at_type(error).hint(format!("remove `{table}`, or write `type = \"service\"`")));
        }
    }
    if matches!(service.restart.policy, RestartPolicy::Always | RestartPolicy::OnSuccess) {
        let policy = layers.below(|table| &table.restart).and_then(|below| below.get(|table| &table.policy));
        let at = policy.map_or(name.at, |policy| policy.at);
        let error = ManifestError::new(at, format!("a {word} that succeeded cannot be restarted: it is done"));
        let hint =
            format!("write `restart = {{ policy = \"never\" }}` or `\"on-failure\"` in `[service.{}]`", name.value);
        cx.fault(at_type(error).expected("this policy restarts it after success").hint(hint));
    }
}
