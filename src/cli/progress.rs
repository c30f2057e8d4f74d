//! What a command waits for, on the terminal's last line once it takes longer than half a second.
//!
//! A thread draws it, since whoever waits is busy waiting. It lives from the first wait to the end of the command,
//! and only where somebody sees it: standard error is a terminal and `--quiet` is not given.

use std::io::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Context, style};
use crate::backend::Progress;
use crate::system::interrupt;
use crate::system::terminal::{self, Stream};

/// Shorter waits are not shown.
const PATIENCE: Duration = Duration::from_millis(500);

/// While one thing is waited for, its seconds are counted.
const TICK: Duration = Duration::from_secs(1);

/// Starts to watch for Ctrl-C; shows nothing yet.
pub(super) fn new(context: &Context) -> Shown {
    interrupt::watch();
    let shows = !context.globals.quiet() && terminal::is_smart(Stream::Stderr);
    Shown { shows, drawing: None, last: String::new() }
}

/// The line. Cleared when dropped.
pub struct Shown {
    shows: bool,
    drawing: Option<(Sender<String>, JoinHandle<()>)>,
    last: String,
}

impl Progress for Shown {
    fn waiting(&mut self, unit: &str, what: &str) {
        if !self.shows {
            return;
        }
        let text = match (unit.is_empty(), what.starts_with("waiting")) {
            (true, true) => what.to_owned(),
            (true, false) => format!("waiting for {what}"),
            (false, true) => format!("{unit}: {what}"),
            (false, false) => format!("{unit}: waiting for {what}"),
        };
        if text == self.last {
            return;
        }
        self.last.clone_from(&text);
        let (texts, _) = self.drawing.get_or_insert_with(|| {
            let (sender, receiver) = mpsc::channel();
            (sender, std::thread::spawn(move || draw(&receiver)))
        });
        // It ends only when we drop the sender.
        let _ = texts.send(text);
    }

    fn interrupted(&self) -> bool {
        interrupt::seen()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some((texts, thread)) = self.drawing.take() {
            drop(texts);
            // So that the line is gone before anything else is printed.
            let _ = thread.join();
        }
    }
}

fn draw(texts: &mpsc::Receiver<String>) {
    let began = Instant::now();
    let (mut text, mut since, mut drawn) = (String::new(), began, false);
    loop {
        let pause = if drawn { TICK } else { PATIENCE.saturating_sub(began.elapsed()) };
        match texts.recv_timeout(pause) {
            Ok(next) => {
                text = next;
                since = Instant::now();
                if !drawn && began.elapsed() < PATIENCE {
                    continue;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let columns = terminal::width(Stream::Stderr).unwrap_or(80);
        put(&format!("\r{}\u{1b}[K", line(&text, since.elapsed(), columns)));
        drawn = true;
    }
    if drawn {
        put("\r\u{1b}[K");
    }
}

fn line(text: &str, waited: Duration, columns: usize) -> String {
    let text = style::harmless(text);
    let whole = if waited < TICK { text.into_owned() } else { format!("{text} ({} s)", waited.as_secs()) };
    // One column is left free: some terminals wrap when the last is written.
    style::cut(&whole, columns.saturating_sub(1)).into_owned()
}

fn put(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // A terminal that has gone away needs no progress.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_fits_and_counts() {
        assert_eq!(line("web: waiting for tcp 127.0.0.1:80", Duration::ZERO, 80), "web: waiting for tcp 127.0.0.1:80");
        assert_eq!(line("web: waiting", Duration::from_secs(12), 80), "web: waiting (12 s)");
        assert_eq!(line("web: waiting", Duration::ZERO, 8), "web: w…");
        assert_eq!(line("a\nb", Duration::ZERO, 80), "a\\nb");
    }
}
