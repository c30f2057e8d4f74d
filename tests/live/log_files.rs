//! `logs.file`: the output is in that file, rotated by size, and nothing is lost on the way.

use crate::support::{Test, eventually};

#[test]
fn rotated_by_size() {
    let Some(t) = Test::live("log_file") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--stay\", \"flood\", \"200000\", \"--line\", \"100\"]\n\
         logs = { to = [\"file\"], file = \"{dir}/out.log\", format = \"raw\", max_size = \"64KiB\", keep = 10, compress = \"none\" }\n",
    );
    t.install().ok();
    let files = || -> Vec<_> {
        let mut files: Vec<_> = std::fs::read_dir(&t.dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("out"))
            .collect();
        files.sort();
        files
    };
    let bytes = || files().iter().map(|path| path.metadata().map_or(0, |meta| meta.len())).sum::<u64>();
    eventually("all of it is written", || bytes() >= 200_000);
    assert!(files().len() >= 3, "it was not rotated: {:?}", files());
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() <= 66 * 1024, "{} has {} bytes", path.display(), text.len());
        assert!(text.ends_with('\n') && text.lines().all(|line| line.len() == 99), "{} has half lines", path.display());
    }
    assert_eq!(bytes(), 200_000, "lost or doubled");
    let shown = t.run(&["logs", "{p}a", "-n", "5"]).ok();
    assert_eq!(shown.stdout.lines().count(), 5, "{shown}");
    assert_eq!(t.run(&["logs", "{p}a", "-n", "all", "--json"]).ok().stdout.lines().count(), 2000);
}

#[test]
fn the_two_streams_apart() {
    let Some(t) = Test::live("log_apart") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--stay\", \"lines\", \"10\", \"--both\"]\n\
         logs = { to = [\"file\"], stdout = \"{dir}/out\", stderr = \"{dir}/err\", format = \"raw\" }\n",
    );
    t.install().ok();
    let lines = |name: &str| std::fs::read_to_string(t.path(name)).unwrap_or_default().lines().count();
    eventually("each has its half", || lines("out") == 5 && lines("err") == 5);
    t.run(&["restart", "{p}a"]).ok();
    eventually("a restart appends", || lines("out") == 10 && lines("err") == 10);
}

#[test]
fn rotated_files_are_taken_over_by_a_command() {
    let Some(t) = Test::live("log_archive") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--stay\", \"flood\", \"200000\", \"--line\", \"100\"]\n\
         logs = { to = [\"file\"], file = \"{dir}/out.log\", format = \"raw\", max_size = \"64KiB\", \
         archive = [\"{child}\", \"append\", \"{dir}/taken\"] }\n",
    );
    t.install().ok();
    let taken = || std::fs::read_to_string(t.path("taken")).unwrap_or_default();
    eventually("three are taken", || taken().lines().count() == 3);
    eventually("and gone", || taken().lines().all(|path| !std::path::Path::new(path).exists()));
    assert!(taken().lines().is_sorted(), "the oldest first: {}", taken());
}
