//! `logs.file`: by `StandardOutput=append:`, which systemd opens as root, whoever the service runs as (systemd.exec(5)),
//! and through whatever symbolic link has the name. So never in a folder that is the service's own: who took over the
//! service could have its output written to the end of any file of the machine.

use std::path::Path;

use crate::backend::answer::{host, native};
use crate::backend::{Answer, Target};
use crate::layout::Scope;
use crate::manifest::folders;
use crate::quote::systemd as quote;
use crate::service::{LogFile, Service};

pub(super) fn answer(service: Option<&Service>, target: &Target) -> Answer {
    if !super::answer::since(target, 240) {
        return host("before version 240 systemd can't append to a file");
    }
    let (paths, how): (Vec<&Path>, _) = match service.and_then(|s| s.logs.file.as_ref()) {
        None => (Vec::new(), "StandardOutput=append:"),
        Some(LogFile::Default) => return host("the host keeps that folder"),
        Some(LogFile::One(path)) => (vec![path], "StandardOutput=append:"),
        Some(LogFile::Apart { stdout, stderr }) => {
            (vec![stdout, stderr], "StandardOutput=append: and StandardError=append:")
        }
    };
    if let Some(why) = paths.iter().find_map(|path| quote::path_refused(path)) {
        return host(why);
    }
    if service.is_some_and(|service| in_its_own(service, &paths, target)) {
        return host("systemd opens it as root, and in a folder of the service's own it could be a link to anywhere");
    }
    native(how)
}

/// Whether a file lies where the service's user, who is not root, can put something else in its place.
fn in_its_own(service: &Service, paths: &[&Path], target: &Target) -> bool {
    let becomes_another = service.user.as_deref().is_some_and(|user| !["root", "0"].contains(&user));
    let of_system = target.scope == Scope::System;
    becomes_another
        && of_system
        && folders(service, &target.layout).iter().any(|folder| paths.iter().any(|path| path.starts_with(folder)))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{service, target};
    use super::*;

    fn answered(change: impl FnOnce(&mut Service)) -> Answer {
        let mut service = service();
        service.user = Some("web".into());
        service.own_folders = true;
        service.logs.file = Some(LogFile::One("/var/log/daemonctl/web/web.log".into()));
        change(&mut service);
        answer(Some(&service), &target())
    }

    // A layout joins its paths as the system that it is rendered on does.
    #[cfg(unix)]
    #[test]
    fn in_the_services_own_folder_the_host_opens_it() {
        assert!(matches!(answered(|_| {}), Answer::Host(why) if why.contains("as root")));
        let apart = LogFile::Apart {
            stdout: "/var/log/web.log".into(),
            stderr: "/var/lib/daemonctl/data/web/deep/errors.log".into(),
        };
        assert!(matches!(answered(|service| service.logs.file = Some(apart)), Answer::Host(_)));
    }

    #[test]
    fn elsewhere_and_for_root_systemd_does() {
        let elsewhere = LogFile::One("/var/log/daemonctl/web-other/web.log".into());
        assert!(matches!(answered(|service| service.logs.file = Some(elsewhere)), Answer::Native(_)));
        for user in [None, Some("root".to_owned()), Some("0".to_owned())] {
            assert!(matches!(answered(|service| service.user = user), Answer::Native(_)));
        }
    }
}
