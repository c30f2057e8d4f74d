//! A service that writes more than anybody can read, and more than the disk is to keep.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use daemonctl::host::logs::read;
use daemonctl::report::{Effect, State};
use daemonctl::service::LogFile;

use super::support::*;

const MIB: u64 = 1 << 20;
const LINE: usize = 4096;

/// A gigabyte, in as many pieces as the disk is to keep at a time.
const PIECES: u64 = 16;
const PIECE: u64 = 64 * MIB;

const MAX_SIZE: u64 = 16 * MIB;
const KEEP: u32 = 5;

fn files(path: &Path) -> Vec<PathBuf> {
    let mut files = read::generations(path, None);
    // Between a rotation and the next line there is none.
    files.extend(Some(path.to_owned()).filter(|path| path.exists()));
    files
}

fn size(path: &Path) -> u64 {
    files(path).iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum()
}

fn line(number: u64) -> Vec<u8> {
    let mut line = format!("{number} ").into_bytes();
    line.resize(LINE - 1, b'x');
    line.push(b'\n');
    line
}

/// The last line that was written.
fn last(path: &Path) -> Option<Vec<u8>> {
    let file = files(path).into_iter().rev().find(|file| std::fs::metadata(file).is_ok_and(|file| file.len() > 0))?;
    let (mut file, mut line) = (File::open(file).ok()?, vec![0; LINE]);
    file.seek(SeekFrom::End(-i64::try_from(LINE).ok()?)).ok()?;
    file.read_exact(&mut line).ok()?;
    Some(line)
}

/// Counts the lines of the last piece, each compared byte by byte.
fn whole(path: &Path) {
    let lines = PIECE / LINE as u64;
    let skipped = size(path) - PIECE;
    let mut all: Box<dyn Read> = Box::new(std::io::empty());
    for file in files(path) {
        all = Box::new(all.chain(File::open(file).expect("a generation")));
    }
    std::io::copy(&mut (&mut all).take(skipped), &mut std::io::sink()).expect("what was before it");
    let mut found = vec![0; LINE];
    for number in 1..=lines {
        all.read_exact(&mut found).expect("a line");
        assert!(found == line(number), "line {number}: {}", found.escape_ascii());
    }
    assert_eq!(all.read(&mut found).expect("the end"), 0);
}

#[test]
fn a_gigabyte_is_kept_line_by_line_on_a_tenth_of_the_disk() {
    let supervisor = Supervisor::start();
    let path = supervisor.file("out/flood.log");
    let fifo = |name: &str| {
        let path = supervisor.file(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        (path.display().to_string(), File::options().read(true).write(true).open(path).expect("open"))
    };
    let ((go, mut begin), (done, is_done)) = (fifo("go"), fifo("done"));
    let mut flood = service(
        "flood",
        sh("while read -r _; do \"$0\" flood \"$1\" --line \"$2\"; echo done > \"$4\"; done < \"$3\""),
    );
    flood.exec.extend([testchild(), PIECE.to_string(), LINE.to_string(), go, done]);
    flood.logs.file = Some(LogFile::One(path.clone()));
    (flood.logs.max_size, flood.logs.keep) = (Some(MAX_SIZE), Some(KEEP));
    supervisor.install(&flood);
    assert_eq!(supervisor.start_unit("flood"), Ok(Effect::Started));
    let before = resident(supervisor.pid());
    let mut is_done = BufReader::new(is_done);
    for _ in 0..PIECES {
        begin.write_all(b"go\n").expect("go");
        is_done.read_line(&mut String::new()).expect("done");
        let end = line(PIECE / LINE as u64);
        until(|| last(&path).as_ref() == Some(&end)).expect("the last line");
        // Throwing away is done beside the writing.
        let kept = || read::generations(&path, None).len();
        until(|| kept() <= KEEP as usize).unwrap_or_else(|()| panic!("{} generations are kept", kept()));
        assert!(size(&path) <= MAX_SIZE * u64::from(KEEP + 1) + MIB, "{}", size(&path));
        whole(&path);
    }
    let after = resident(supervisor.pid());
    assert!(after < before + 8 * MIB, "{before} bytes became {after}");
    let record = supervisor.wait_state("flood", State::Running);
    assert_eq!((record.machine.restarts, record.logs[0].dropped), (0, 0));
}

#[test]
fn a_flood_without_end_drowns_nobody() {
    let supervisor = Supervisor::start();
    let path = supervisor.file("out/flood.log");
    let mut flood = service("flood", child(&["flood", &u64::MAX.to_string(), "--line", &LINE.to_string()]));
    flood.logs.file = Some(LogFile::One(path.clone()));
    (flood.logs.max_size, flood.logs.keep) = (Some(4 * MIB), Some(2));
    supervisor.install(&flood);
    supervisor.install(&service("web", child(&["sleep"])));
    assert_eq!(supervisor.start_unit("flood"), Ok(Effect::Started));
    for _ in 0..3 {
        let newest = || read::generations(&path, None).pop();
        let had = newest();
        until(|| newest() != had).expect("it flows");
        assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
        assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    }
    assert_eq!(supervisor.stop_unit("flood"), Ok(Effect::Stopped));
    assert_eq!(supervisor.record("flood").expect("a record").logs[0].dropped, 0);
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
