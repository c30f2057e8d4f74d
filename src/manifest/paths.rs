//! Paths as text, by the rules of the target's operating system, which need not be this one's.

/// Whether it begins at a root.
pub(crate) fn is_absolute(path: &str, windows: bool) -> bool {
    if !windows {
        return path.starts_with('/');
    }
    let bytes = path.as_bytes();
    let drive = bytes.len() >= 3 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && is_slash(bytes[2]);
    drive || (bytes.len() >= 2 && is_slash(bytes[0]) && is_slash(bytes[1]))
}

const fn is_slash(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

/// Whether it names a place, as opposed to a program that is searched for.
pub(crate) fn has_folder(path: &str, windows: bool) -> bool {
    path.contains('/') || (windows && path.contains(['\\', ':']))
}

/// `path` seen from `base`, without `.` and `..`; links are not looked at.
pub(crate) fn absolute(path: &str, base: &str, windows: bool) -> String {
    if is_absolute(path, windows) {
        normal(path, windows)
    } else {
        let base = if base.is_empty() { "/" } else { base };
        normal(&format!("{base}{}{path}", if windows { '\\' } else { '/' }), windows)
    }
}

fn normal(path: &str, windows: bool) -> String {
    if !windows {
        if !path.contains("//") && !path.contains("/.") && !path.ends_with('/') {
            return path.to_owned();
        }
        let mut parts = Vec::new();
        collapse(path.split('/'), &mut parts);
        return format!("/{}", parts.join("/"));
    }
    let path = path.replace('/', "\\");
    let (root, rest) = if let Some(share) = path.strip_prefix(r"\\") {
        // \\server\share is the root.
        let length = 1 + share.split('\\').take(2).map(|part| part.len() + 1).sum::<usize>();
        path.split_at(length.min(path.len()))
    } else {
        path.split_at(path.find('\\').map_or(0, |at| at + 1))
    };
    let mut parts = Vec::new();
    collapse(rest.split('\\'), &mut parts);
    let root = root.trim_end_matches('\\');
    format!("{root}\\{}", parts.join("\\"))
}

fn collapse<'p>(path: impl Iterator<Item = &'p str>, parts: &mut Vec<&'p str>) {
    for part in path {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn unix() {
        let at = |path| absolute(path, "/srv/app", false);
        assert_eq!(at("/bin/x"), "/bin/x");
        assert_eq!(at("./x"), "/srv/app/x");
        assert_eq!(at("x/"), "/srv/app/x");
        assert_eq!(at("../x"), "/srv/x");
        assert_eq!(at("../../../x"), "/x");
        assert_eq!(at("/a//b/./c/.."), "/a/b");
        assert_eq!(at("/"), "/");
        assert_eq!(at("/a/.hidden"), "/a/.hidden");
        assert_eq!(at("/etc/*.toml"), "/etc/*.toml");
    }

    #[test]
    fn windows() {
        let at = |path| absolute(path, r"C:\app", true);
        assert_eq!(at(r"C:\x\..\y.exe"), r"C:\y.exe");
        assert_eq!(at("D:/x/y"), r"D:\x\y");
        assert_eq!(at(r".\web.exe"), r"C:\app\web.exe");
        assert_eq!(at(r"\\server\share\x\.\y"), r"\\server\share\x\y");
    }
}
