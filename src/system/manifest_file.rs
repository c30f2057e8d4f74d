//! Reading a manifest: bounded, and with an answer for everything that is no readable file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::manifest::MAX_SIZE;

/// A manifest's bytes, with what resolving needs of where it is.
#[derive(Debug, Clone)]
pub struct ManifestFile {
    /// The file's name as it was given; `<stdin>` for `-`.
    pub name: PathBuf,
    /// The file's absolute path; None for standard input.
    pub path: Option<PathBuf>,
    /// The folder that relative paths begin at: the file's, or the working folder for standard input.
    pub folder: PathBuf,
    /// What it holds; no more than one byte above [`MAX_SIZE`].
    pub text: Vec<u8>,
}

/// Reads a manifest; `-` is standard input.
pub fn read_manifest(path: &Path) -> Result<ManifestFile> {
    if path.as_os_str() == "-" {
        let text =
            bounded(io::stdin().lock()).map_err(|error| Error::io("read the manifest from standard input", &error))?;
        return Ok(ManifestFile { name: "<stdin>".into(), path: None, folder: super::absolute(Path::new("."))?, text });
    }
    let text = open(path).map_err(|error| explain(path, &error))?;
    let absolute = super::absolute(path)?;
    let folder = absolute.parent().unwrap_or(&absolute).to_owned();
    Ok(ManifestFile { name: path.to_owned(), path: Some(absolute), folder, text })
}

fn open(path: &Path) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe without a writer would wait for ever.
    let kind = std::fs::metadata(path)?;
    if kind.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    bounded(File::open(path)?)
}

fn bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    reader.take(MAX_SIZE as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn explain(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => Error::new(Exit::Manifest, format!("there is no manifest `{shown}`"))
            .hint("`daemonctl init` writes one to start from"),
        io::ErrorKind::IsADirectory => Error::new(Exit::Manifest, format!("`{shown}` is a folder, not a manifest"))
            .hint(format!("name the file in it, such as `{}`", path.join("manifest.toml").display())),
        io::ErrorKind::NotADirectory => {
            Error::new(Exit::Manifest, format!("there is no manifest `{shown}`: a part of the path is no folder"))
        }
        io::ErrorKind::PermissionDenied => Error::io(format_args!("read the manifest `{shown}`"), error)
            .hint("make the file readable for you, or run the command as its owner"),
        _ => Error::io(format_args!("read the manifest `{shown}`"), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_with_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.toml");
        std::fs::write(&path, "manifest = 1").unwrap();
        let file = read_manifest(&path).unwrap();
        assert_eq!(file.text, b"manifest = 1");
        assert_eq!(file.folder, folder.path());
    }

    #[test]
    fn what_is_no_file_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let missing = read_manifest(&folder.path().join("none.toml")).unwrap_err();
        assert_eq!(missing.exit(), Exit::Manifest);
        assert!(missing.to_string().starts_with("there is no manifest"), "{missing}");
        let directory = read_manifest(folder.path()).unwrap_err();
        assert!(directory.to_string().contains("is a folder"), "{directory}");
    }
}
