//! Linux: `/proc` and the cgroup file system.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::Relation;

/// The processes of the cgroup that this process is in, and of those below it; None where that can't be told, or
/// where we are in it ourselves, so that it is not the service's own.
pub(super) fn cgroup_members(pid: u32) -> Option<Vec<u32>> {
    let of = |pid: &str| fs::read_to_string(format!("/proc/{pid}/cgroup")).ok().and_then(|text| cgroup_folder(&text));
    let folder = of(&pid.to_string())?;
    if of("self").is_none_or(|own| own.starts_with(&folder)) {
        return None;
    }
    let mut members = Vec::new();
    collect(&folder, &mut members).ok()?;
    Some(members)
}

/// Where the cgroup file system has the cgroup that a `/proc/PID/cgroup` names: the unified one, or systemd's own
/// hierarchy.
fn cgroup_folder(text: &str) -> Option<PathBuf> {
    let below =
        |mark: &str| text.lines().find_map(|line| line.split_once(mark)).map(|(_, path)| path.trim_start_matches('/'));
    let unified = below("0::").map(|path| Path::new("/sys/fs/cgroup").join(path));
    let own = below(":name=systemd:").map(|path| Path::new("/sys/fs/cgroup/systemd").join(path));
    unified.into_iter().chain(own).find(|folder| folder.join("cgroup.procs").exists())
}

fn collect(folder: &Path, members: &mut Vec<u32>) -> std::io::Result<()> {
    let text = fs::read_to_string(folder.join("cgroup.procs"))?;
    members.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // A cgroup can go away at any moment.
            let _ = collect(&entry.path(), members);
        }
    }
    Ok(())
}

/// Every process of the machine.
pub(super) fn relations() -> Vec<Relation> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some(Relation { pid, parent: stat_field(&stat, 4)?, session: stat_field(&stat, 6)? })
    })
    .collect()
}

/// Threads of a process.
pub(super) fn threads(pid: u32) -> Option<u64> {
    stat_field(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, 20)
}

/// A field of `/proc/PID/stat`, numbered as in proc(5), from the third on: the second may contain anything.
fn stat_field<T: std::str::FromStr>(stat: &str, number: usize) -> Option<T> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// Listening sockets by inode, for each network namespace that was looked at.
#[derive(Debug, Default)]
pub(super) struct Sockets(BTreeMap<PathBuf, BTreeMap<u64, String>>);

impl Sockets {
    /// What the processes listen on, each once, sorted by protocol and port.
    pub(super) fn listening(&mut self, pids: &[u32]) -> Result<Vec<String>, String> {
        let mut found = BTreeSet::new();
        for pid in pids {
            let proc = PathBuf::from(format!("/proc/{pid}"));
            let inodes = match socket_inodes(&proc) {
                Ok(inodes) => inodes,
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    return Err("only its user and root may look at what it has open".to_owned());
                }
                // It has ended since.
                Err(_) => continue,
            };
            if inodes.is_empty() {
                continue;
            }
            let namespace = fs::read_link(proc.join("ns/net")).unwrap_or_default();
            let sockets = self.0.entry(namespace).or_insert_with(|| listening_in(&proc));
            found.extend(inodes.iter().filter_map(|inode| sockets.get(inode)).cloned());
        }
        Ok(found.into_iter().collect())
    }
}

fn socket_inodes(proc: &Path) -> std::io::Result<Vec<u64>> {
    let links = fs::read_dir(proc.join("fd"))?.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    Ok(links.filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect())
}

fn listening_in(proc: &Path) -> BTreeMap<u64, String> {
    let tables = [("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp")];
    let read = |(file, protocol)| {
        let text = fs::read_to_string(proc.join("net").join(file)).unwrap_or_default();
        text.lines().skip(1).filter_map(|line| listener(line, protocol)).collect::<Vec<_>>()
    };
    tables.into_iter().flat_map(read).collect()
}

/// A line of `/proc/net/{tcp,udp}*`, if that socket listens: its inode and what is shown.
fn listener(line: &str, protocol: &str) -> Option<(u64, String)> {
    let mut fields = line.split_ascii_whitespace();
    let (local, state, inode) = (fields.nth(1)?, fields.nth(1)?, fields.nth(5)?);
    // TCP_LISTEN; a UDP socket that is not connected has TCP_CLOSE.
    let listens = matches!((protocol, state), ("tcp", "0A") | ("udp", "07"));
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok().filter(|port| *port != 0 && listens)?;
    Some((inode.parse().ok()?, format!("{protocol} {}", SocketAddr::new(address_of(address)?, port))))
}

/// An address in the kernel's notation: words of four bytes, each as the machine has it in memory.
fn address_of(hex: &str) -> Option<IpAddr> {
    let mut bytes = [0; 16];
    let words = hex.len() / 8;
    for word in 0..words {
        let value = u32::from_str_radix(hex.get(word * 8..word * 8 + 8)?, 16).ok()?;
        bytes.get_mut(word * 4..word * 4 + 4)?.copy_from_slice(&value.to_ne_bytes());
    }
    match words {
        1 => Some(IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]))),
        4 => Some(IpAddr::V6(Ipv6Addr::from(bytes))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_hides_nothing() {
        let stat = "42 (a) b (c) S 7 42 40 0 -1 4194560 1 0 0 0 3 4 0 0 20 0 5 0 123456 1 1";
        assert_eq!(stat_field(stat, 4), Some(7));
        assert_eq!(stat_field(stat, 6), Some(40));
        assert_eq!(stat_field(stat, 20), Some(5));
        assert_eq!(stat_field::<u32>(stat, 2), None);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn listeners_are_read() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0 100 0";
        assert_eq!(listener(line, "tcp"), Some((12345, "tcp 127.0.0.1:8080".to_owned())));
        assert_eq!(listener(&line.replace(" 0A ", " 01 "), "tcp"), None);
        let six = line.replace("0100007F", "00000000000000000000000001000000");
        assert_eq!(listener(&six, "tcp"), Some((12345, "tcp [::1]:8080".to_owned())));
        assert_eq!(listener(&line.replace(" 0A ", " 07 "), "udp"), Some((12345, "udp 127.0.0.1:8080".to_owned())));
        assert_eq!(listener("nonsense", "tcp"), None);
    }

    #[test]
    fn our_own_listener_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let expected = format!("tcp {}", listener.local_addr().unwrap());
        let ports = Sockets::default().listening(&[std::process::id()]).unwrap();
        assert!(ports.contains(&expected), "{ports:?}");
    }

    #[test]
    fn our_own_cgroup_is_nobodys() {
        assert_eq!(cgroup_members(std::process::id()), None);
    }
}
