//! Linux: `/proc` and the cgroup file system.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Relation;

/// The processes of the cgroup that this process is in, and of those below it; None where that can't be told, or
/// where we are in it ourselves, so that it is not the service's own.
pub(super) fn cgroup_members(pid: u32) -> Option<Vec<u32>> {
    let (of_it, own) = (text(format!("/proc/{pid}/cgroup")).ok()?, text("/proc/self/cgroup").ok()?);
    let hierarchy = HIERARCHIES
        .iter()
        .find(|hierarchy| cgroup(hierarchy, &of_it).is_some_and(|folder| folder.join("cgroup.procs").exists()))?;
    let folder = cgroup(hierarchy, &of_it)?;
    if cgroup(hierarchy, &own).is_none_or(|own| own.starts_with(&folder)) {
        return None;
    }
    let mut members = Vec::new();
    collect(&folder, &mut members).ok()?;
    Some(members)
}

/// How a `/proc/PID/cgroup` marks the unified hierarchy and systemd's own, and where the cgroup file system has them.
const HIERARCHIES: [(&str, &str); 2] = [("0::", "/sys/fs/cgroup"), (":name=systemd:", "/sys/fs/cgroup/systemd")];

/// The folder of the cgroup that a `/proc/PID/cgroup` names.
fn cgroup((mark, root): &(&str, &str), text: &str) -> Option<PathBuf> {
    let (_, path) = text.lines().find_map(|line| line.split_once(mark))?;
    Some(Path::new(root).join(path.trim_start_matches('/')))
}

/// A file of `/proc` in one read and one that finds its end: it does not tell its length, and each further read may make
/// the kernel walk its whole table again.
fn text(path: impl AsRef<Path>) -> std::io::Result<String> {
    let mut bytes = Vec::with_capacity(32 * 1024);
    fs::File::open(path)?.read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(std::io::Error::other)
}

fn collect(folder: &Path, members: &mut Vec<u32>) -> std::io::Result<()> {
    let processes = text(folder.join("cgroup.procs"))?;
    members.extend(processes.lines().filter_map(|line| line.parse::<u32>().ok()));
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
        let stat = text(entry.path().join("stat")).ok()?;
        Some(Relation { pid, parent: stat_field(&stat, 4)?, session: stat_field(&stat, 6)? })
    })
    .collect()
}

/// Threads of a process.
pub(super) fn threads(pid: u32) -> Option<u64> {
    stat_field(&text(format!("/proc/{pid}/stat")).ok()?, 20)
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

/// The sockets that a process has open, but for those that are surely not on the network.
fn socket_inodes(proc: &Path) -> std::io::Result<Vec<u64>> {
    let inode = |path: &Path| {
        let link = fs::read_link(path).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok().filter(|_| !is_local(path))
    };
    Ok(fs::read_dir(proc.join("fd"))?.flatten().filter_map(|entry| inode(&entry.path())).collect())
}

/// Whether a socket, given by its `/proc/PID/fd/N`, is known to be local to the machine. Nearly every service of systemd
/// has one, to the journal, and looking for it among the listeners of the network would cost more than all else.
fn is_local(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut name = [0_u8; 32];
    let (at, room) = (name.as_mut_ptr().cast(), name.len());
    // SAFETY: both texts end with NUL, and the kernel writes no more than there is room for.
    let length = unsafe { libc::getxattr(path.as_ptr(), c"system.sockprotoname".as_ptr(), at, room) };
    let name = usize::try_from(length).ok().and_then(|length| name.get(..length)).unwrap_or_default();
    name.starts_with(b"UNIX") || name.starts_with(b"NETLINK")
}

fn listening_in(proc: &Path) -> BTreeMap<u64, String> {
    let tables = [("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp")];
    let read = |(file, protocol)| {
        let table = text(proc.join("net").join(file)).unwrap_or_default();
        table.lines().skip(1).filter_map(|line| listener(line, protocol)).collect::<Vec<_>>()
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
    fn a_local_socket_is_known_by_its_name() {
        use std::os::fd::AsRawFd;
        let path = |fd: i32| PathBuf::from(format!("/proc/self/fd/{fd}"));
        let (local, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let network = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(is_local(&path(local.as_raw_fd())));
        assert!(!is_local(&path(network.as_raw_fd())));
        assert!(!is_local(Path::new("/proc/self/fd/nothing")));
    }

    #[test]
    fn our_own_cgroup_is_nobodys() {
        assert_eq!(cgroup_members(std::process::id()), None);
    }
}
