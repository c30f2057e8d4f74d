//! Passwords: from a prompt, standard input, a file or a variable, never from an argument; wiped when they go.

use std::fmt;
use std::path::PathBuf;

use super::files;
use crate::error::{Error, IoContext, Result};
use crate::exit::Exit;

/// A password. It is not shown, and its memory is wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes a text over.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(...)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        wipe(std::mem::take(&mut self.0).into_bytes());
    }
}

/// Overwrites bytes so that the compiler cannot leave it out: what is looked at afterwards must have been done.
fn wipe(mut bytes: Vec<u8>) {
    bytes.fill(0);
    std::hint::black_box(&bytes);
}

/// Where the password of a service's account comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PasswordFrom {
    /// Asked for on the terminal.
    #[default]
    Prompt,
    /// The first line of standard input.
    Stdin,
    /// The first line of a file.
    File(PathBuf),
    /// A variable of the environment.
    Env(String),
}

impl PasswordFrom {
    /// Reads it.
    pub fn read(&self, account: &str) -> Result<Password> {
        let text = match self {
            Self::Prompt => return ask(account),
            Self::Stdin => {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).doing("read the password from standard input")?;
                line
            }
            Self::File(path) => {
                let missing =
                    || Error::failed(format!("there is no file `{}` to read the password from", path.display()));
                let bytes = files::read(&super::absolute(path)?)?.ok_or_else(missing)?;
                String::from_utf8(bytes).map_err(|error| {
                    wipe(error.into_bytes());
                    Error::failed(format!("the password in `{}` is not UTF-8", path.display()))
                })?
            }
            Self::Env(name) => super::env(name)
                .ok_or_else(|| Error::failed(format!("the environment has no variable `{name}` with the password")))?,
        };
        let line = text.lines().next().unwrap_or_default().to_owned();
        wipe(text.into_bytes());
        if line.is_empty() {
            return Err(Error::failed(format!("the password of `{account}` is empty"))
                .hint("accounts without a password cannot run services"));
        }
        Ok(Password::new(line))
    }
}

fn ask(account: &str) -> Result<Password> {
    use std::io::IsTerminal;
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Error::new(
            Exit::Usage,
            format!("the account `{account}` needs a password, and there is no terminal to ask on"),
        )
        .hint("give it by `--password-stdin`, `--password-file FILE` or `--password-env NAME`")
        .hint(r"a virtual account (`NT SERVICE\NAME`, the default) and a managed one (`DOMAIN\name$`) need none"));
    }
    let line = super::terminal::hidden_line(&format!("password of {account}: "))?;
    if line.is_empty() {
        return Err(Error::failed("no password was given"));
    }
    Ok(Password::new(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_a_file_only_the_first_line_counts_and_nothing_shows_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        std::fs::write(&path, "s3cret\nmore\n").expect("written");
        let password = PasswordFrom::File(path.clone()).read("web").expect("read");
        assert_eq!(password.reveal(), "s3cret");
        assert_eq!(format!("{password:?}"), "Password(...)");
        std::fs::write(&path, "\n").expect("written");
        assert!(PasswordFrom::File(path).read("web").is_err());
    }
}
