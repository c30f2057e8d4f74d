//! The log's folder is gone, is a file, is full: the service goes on, losses are counted and told, and it recovers.

use std::path::Path;

use daemonctl::host::state::Record;
use daemonctl::report::State;
use daemonctl::service::LogFile;

use super::support::*;

/// Writes numbered lines; the log goes to `logs/web.log`.
fn start(supervisor: &Supervisor) {
    let mut web = service("web", child(&["lines", "1000000", "--every", "2"]));
    web.logs.file = Some(LogFile::One(supervisor.file("logs/web.log")));
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    until(|| supervisor.file("logs/web.log").exists()).expect("a log");
}

fn told(record: &Record) -> bool {
    record.logs.first().is_some_and(|log| log.trouble.is_some() && log.dropped > 0)
}

fn well(record: &Record) -> bool {
    record.logs.first().is_some_and(|log| log.trouble.is_none())
}

/// The numbers of a log's lines: all whole, in order.
fn numbers(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let numbers: Vec<u64> = whole
        .lines()
        .map(|line| {
            line.strip_prefix("line ").and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("`{line}`"))
        })
        .collect();
    assert!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
    numbers
}

fn not_hurt(supervisor: &Supervisor) {
    let record = supervisor.wait_state("web", State::Running);
    assert_eq!(record.machine.restarts, 0);
}

#[test]
fn a_removed_folder_comes_back_by_itself_and_what_went_with_it_is_counted() {
    let supervisor = Supervisor::start();
    start(&supervisor);
    std::fs::remove_dir_all(supervisor.file("logs")).expect("remove");
    until(|| !numbers(&supervisor.file("logs/web.log")).is_empty()).expect("a new log");
    supervisor.wait("web", |record| record.logs[0].dropped > 0);
    not_hurt(&supervisor);
    supervisor.stop_unit("web").expect("stopped");
}

#[test]
fn a_folder_that_became_a_file_costs_whole_lines_each_counted_and_told() {
    let supervisor = Supervisor::start();
    start(&supervisor);
    std::fs::rename(supervisor.file("logs"), supervisor.file("before")).expect("rename");
    std::fs::write(supervisor.file("logs"), "in the way").expect("write");
    supervisor.wait("web", told);
    not_hurt(&supervisor);
    std::fs::remove_file(supervisor.file("logs")).expect("remove");
    supervisor.wait("web", well);
    until(|| numbers(&supervisor.file("logs/web.log")).len() > 20).expect("the log goes on");
    not_hurt(&supervisor);
    supervisor.stop_unit("web").expect("stopped");
    let dropped = supervisor.record("web").expect("a record").logs[0].dropped;
    let mut all = numbers(&supervisor.file("before/web.log"));
    all.extend(numbers(&supervisor.file("logs/web.log")));
    let length = |number: u64| format!("line {number}\n").len() as u64;
    let last = *all.last().expect("lines");
    let written: u64 = all.iter().copied().map(length).sum();
    assert_eq!(written + dropped, (1..=last).map(length).sum::<u64>(), "every byte is there or counted");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_cuts_no_line_and_is_over_when_there_is_room() {
    let supervisor = Supervisor::start();
    let folder = supervisor.file("logs");
    let Some(_mounted) = Small::mount(&folder) else { return };
    start(&supervisor);
    let filler = folder.join("filler");
    // The log has the rest of its page, and no more.
    let _ = std::fs::write(&filler, vec![0; 1 << 20]);
    supervisor.wait("web", told);
    not_hurt(&supervisor);
    let before = numbers(&folder.join("web.log")).len();
    std::fs::remove_file(&filler).expect("remove");
    supervisor.wait("web", well);
    until(|| {
        let text = std::fs::read_to_string(folder.join("web.log")).unwrap_or_default();
        text.lines().count() > before + 20
    })
    .expect("the log goes on");
    let text = std::fs::read_to_string(folder.join("web.log")).expect("a log");
    let halves = text.lines().filter(|line| !line.starts_with("line ") || line.len() < "line 1".len()).count();
    assert!(halves <= 1, "at most the line that the disk cut: {text}");
    supervisor.stop_unit("web").expect("stopped");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_was_made_read_only_is_borne_too() {
    use nix::mount::MsFlags;
    let supervisor = Supervisor::start();
    let folder = supervisor.file("logs");
    let Some(_mounted) = Small::mount(&folder) else { return };
    let remount =
        |flags| nix::mount::mount(None::<&str>, &folder, None::<&str>, MsFlags::MS_REMOUNT | flags, None::<&str>);
    remount(MsFlags::MS_RDONLY).expect("read-only");
    let mut web = service("web", child(&["lines", "1000000", "--every", "2"]));
    web.logs.file = Some(LogFile::One(folder.join("web.log")));
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let record = supervisor.wait("web", told);
    assert!(record.logs[0].trouble.as_ref().is_some_and(|why| why.contains("Read-only")), "{record:?}");
    not_hurt(&supervisor);
    remount(MsFlags::empty()).expect("writable");
    supervisor.wait("web", well);
    until(|| numbers(&folder.join("web.log")).len() > 20).expect("the log goes on");
    supervisor.stop_unit("web").expect("stopped");
}

/// A disk of 64 KiB; None: we may not mount one.
#[cfg(target_os = "linux")]
struct Small(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Small {
    fn mount(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a folder");
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(Some("tmpfs"), folder, Some("tmpfs"), flags, Some("size=64k")).ok()?;
        Some(Self(folder.to_owned()))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Small {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_service_that_writes_nothing_more_has_its_loss_told() {
    let supervisor = Supervisor::start();
    std::fs::write(supervisor.file("logs"), "in the way").expect("write");
    let mut web = service("web", sh("echo one line; exec sleep 1000"));
    web.logs.file = Some(LogFile::One(supervisor.file("logs/web.log")));
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let record = supervisor.wait("web", told);
    assert_eq!(record.logs[0].dropped, 9);
    supervisor.stop_unit("web").expect("stopped");
}
