//! The daemon: callers, ends of processes and the clock are events; one loop takes them in turn.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::job::Ending;
use crate::launchd::Launchd;
use crate::wire::{self, Request};

/// What happens to launchd.
pub(crate) enum Event {
    /// Somebody called `launchctl`; `real` is their account. `checked`: its fault has been seen to.
    Asked { request: Request, real: u32, stream: UnixStream, checked: bool },
    /// A process has ended.
    Ended(i32, Ending),
    /// The test is over.
    Quit,
}

/// How long services have when the test is over.
const AT_THE_END: Duration = Duration::from_secs(3);

pub(crate) fn run(folder: &Path) -> std::io::Result<()> {
    // What the test has open is no business of the services.
    // SAFETY: only marks descriptors to be closed by an execve(2); none is closed here, and std's own are marked already.
    unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) };
    // As the first process does, it takes over what others leave behind; a reboot must reach that too.
    nix::sys::prctl::set_child_subreaper(true)?;
    let socket = folder.join("socket");
    let listener = UnixListener::bind(&socket)?;
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777))?;
    let (events, inbox) = mpsc::channel();
    let (spawned, spawns) = mpsc::channel();
    let mut launchd = Launchd::new(folder, events.clone(), spawned)?;
    let callers = events.clone();
    std::thread::spawn(move || accept(&listener, &callers));
    let ends = events.clone();
    std::thread::spawn(move || reap(&ends, &spawns));
    std::thread::spawn(move || {
        // Standard input ends with the test, however that ends.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = events.send(Event::Quit);
    });
    println!("ready");
    launchd.run(&inbox);
    Ok(())
}

fn accept(listener: &UnixListener, events: &Sender<Event>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let events = events.clone();
        std::thread::spawn(move || {
            let Ok(peer) = getsockopt(&stream, PeerCredentials) else { return };
            let Ok(request) = wire::receive(&stream) else { return };
            let _ = events.send(Event::Asked { request, real: peer.uid(), stream, checked: false });
        });
    }
}

fn reap(events: &Sender<Event>, spawns: &Receiver<()>) {
    loop {
        let event = match waitpid(None::<Pid>, None) {
            Ok(WaitStatus::Exited(pid, code)) => Event::Ended(pid.as_raw(), Ending::Code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => Event::Ended(pid.as_raw(), Ending::Signal(signal as i32)),
            Err(Errno::ECHILD) => match spawns.recv() {
                Ok(()) => continue,
                Err(_) => return,
            },
            Ok(_) | Err(_) => continue,
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

/// The next event; None: `until` has come.
pub(crate) fn next(inbox: &Receiver<Event>, until: Option<Instant>) -> Option<Event> {
    match until {
        None => inbox.recv().ok(),
        Some(until) => inbox.recv_timeout(until.saturating_duration_since(Instant::now())).ok(),
    }
}

impl Launchd {
    fn run(&mut self, inbox: &Receiver<Event>) {
        loop {
            match next(inbox, self.due()) {
                None => {}
                Some(Event::Quit) => return self.end_everything(AT_THE_END, inbox),
                Some(Event::Ended(pid, ending)) => self.ended(pid, ending),
                Some(Event::Asked { request, real, stream, checked }) => {
                    self.asked(request, real, stream, checked, inbox);
                }
            }
            self.tick();
        }
    }
}
