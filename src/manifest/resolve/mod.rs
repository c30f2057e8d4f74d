//! From tables to services: defaults, overrides, interpolation, absolute paths, dependency order. Pure: what it must know
//! of the machine comes through [`Facts`].

mod service;

use std::cell::Cell;
use std::collections::HashMap;

use crate::backend::{BackendKind, Target};
use crate::facts::{Facts, Foreign};
use crate::layout::Scope;
use crate::manifest::build::{Build, ResolveDirs};
use crate::manifest::error::{ManifestError, ManifestErrors};
use crate::manifest::layers::Layers;
use crate::manifest::order;
use crate::manifest::parse::Manifest;
use crate::manifest::service::ServiceTable;
use crate::manifest::source::Span;
use crate::service::{Dependency, Service};

/// The services of a manifest, complete, dependencies before those that need them, otherwise in the order of the file.
pub fn resolve(
    manifest: &Manifest,
    target: &Target,
    facts: &dyn Facts,
    dirs: &ResolveDirs,
) -> Result<Vec<Service>, ManifestErrors> {
    let (services, errors) = all(manifest, target, facts, dirs, false);
    ManifestErrors::check(&manifest.source, errors)?;
    Ok(services)
}

/// What contradicts itself in a manifest that has other faults already, whatever the target.
pub(crate) fn contradictions(manifest: &Manifest) -> Vec<ManifestError> {
    let target = Target::elsewhere(BackendKind::Systemd, Scope::System);
    all(manifest, &target, &Foreign, &ResolveDirs { manifest_dir: "/".into() }, true).1
}

fn all(
    manifest: &Manifest,
    target: &Target,
    facts: &dyn Facts,
    dirs: &ResolveDirs,
    dry: bool,
) -> (Vec<Service>, Vec<ManifestError>) {
    let manifest_dir = dirs.manifest_dir.to_string_lossy();
    let entries = &manifest.services.0;
    let names: HashMap<&str, usize> =
        entries.iter().enumerate().map(|(i, (name, _))| (name.value.as_str(), i)).collect();
    let mut errors = Vec::new();
    let mut services = Vec::with_capacity(entries.len());
    let mut edges = Vec::with_capacity(entries.len());
    for (name, table) in entries {
        let layers = layers(table, manifest.defaults.as_deref(), target);
        let mut cx = Build {
            source: &manifest.source,
            errors: Vec::new(),
            name: &name.value,
            instanced: layers.get(|table| &table.instances).is_some(),
            dry,
            target,
            facts,
            manifest_dir: &manifest_dir,
            windows: target.os == "windows",
            own_folders: Cell::new(false),
        };
        edges.push(edges_of(layers, &names));
        let mut service = service::resolved(name, layers, &names, &mut cx);
        service.own_folders = cx.own_folders.get();
        services.push(service);
        errors.append(&mut cx.errors);
    }
    let order = order::order(&edges, |index| &entries[index].0, &mut errors);
    let mut ordered = in_order(services, &order);
    note_instances(&mut ordered);
    (ordered, errors)
}

/// The services in this order; most manifests are written in it, and then nothing is moved.
fn in_order(services: Vec<Service>, order: &[usize]) -> Vec<Service> {
    if order.is_sorted() {
        return services;
    }
    let mut services: Vec<Option<Service>> = services.into_iter().map(Some).collect();
    order.iter().filter_map(|index| services[*index].take()).collect()
}

/// A dependency on a service means all of its instances.
fn note_instances(services: &mut [Service]) {
    let instances: HashMap<String, Vec<String>> = services
        .iter()
        .filter(|service| !service.instances.is_empty())
        .map(|service| (service.name.clone(), service.instances.clone()))
        .collect();
    for service in services {
        for dependency in service.after.iter().chain(&service.requires).chain(&service.wants) {
            if let Dependency::Service(name) = dependency
                && let Some(list) = instances.get(name)
            {
                service.instances_of.insert(name.clone(), list.clone());
            }
        }
    }
}

/// The layers of a service on a target, the top first.
fn layers<'a>(
    table: &'a ServiceTable,
    defaults: Option<&'a ServiceTable>,
    target: &Target,
) -> Layers<'a, ServiceTable> {
    let on = |table: Option<&'a ServiceTable>, name: &str| table?.on.as_ref()?.value.get(name);
    let (backend, os) = (target.backend.name(), target.os);
    // Windows is both: its overrides count once.
    let os = if os == backend { "" } else { os };
    Layers::new([
        on(Some(table), backend),
        on(Some(table), os),
        Some(table),
        on(defaults, backend),
        on(defaults, os),
        defaults,
    ])
}

/// What comes before the service: what it wants too, since managers order that.
fn edges_of(layers: Layers<'_, ServiceTable>, names: &HashMap<&str, usize>) -> Vec<(usize, Span)> {
    let lists =
        [layers.get(|table| &table.after), layers.get(|table| &table.requires), layers.get(|table| &table.wants)];
    let items = lists.into_iter().flatten().flat_map(|list| &list.value.0);
    items.filter_map(|item| Some((*names.get(item.value.0.as_str())?, item.at))).collect()
}
