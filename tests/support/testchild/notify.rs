//! The `sd_notify` protocol, from the service's end: <https://www.freedesktop.org/software/systemd/man/sd_notify.html>

use super::{Args, Done, say, sys, unknown};
use std::time::Instant;

pub(crate) fn notify(mut args: Args) -> Done {
    let (mut after, mut on, mut beat, mut hang, mut status) = (None, None, None, None, None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "--after" => after = Some(args.millis("--after MS")?),
            "--on" => on = Some(args.text("--on SIGNAL")?),
            "--watchdog" => beat = Some(args.millis("--watchdog MS")?),
            "--hang-on" => hang = Some(args.text("--hang-on SIGNAL")?),
            "--status" => status = Some(args.text("--status TEXT")?),
            other => return Err(unknown(other)),
        }
    }
    args.end()?;
    let mut names = vec!["TERM", "INT", "HUP"];
    names.extend(on.as_deref());
    names.extend(hang.as_deref());
    let signals = sys::Signals::on(&names)?;
    if let Some(status) = status {
        sys::notify(&format!("STATUS={status}"))?;
    }
    let mut ready_at = after.map(|after| Instant::now() + after);
    if on.is_some() {
        say("waiting")?;
    } else if ready_at.is_none() {
        ready_at = Some(Instant::now());
    }
    let (mut ready, mut beat_at) = (false, None);
    loop {
        let now = Instant::now();
        if !ready && ready_at.is_some_and(|at| at <= now) {
            sys::notify("READY=1")?;
            say("ready")?;
            (ready, ready_at) = (true, None);
            beat_at = beat.map(|_| now);
        }
        if let (Some(at), Some(beat)) = (beat_at, beat)
            && at <= now
        {
            sys::notify("WATCHDOG=1")?;
            beat_at = Some(now + beat);
        }
        let next = [ready_at, beat_at].into_iter().flatten().min();
        let Some(signal) = signals.wait(next)? else {
            continue;
        };
        if !ready && on.as_deref() == Some(&signal) {
            ready_at = Some(Instant::now());
        } else if hang.as_deref() == Some(&signal) {
            (beat, beat_at) = (None, None);
            say("hanging")?;
        } else if signal == "HUP" {
            let micros = sys::monotonic().as_micros();
            sys::notify(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"))?;
            sys::notify("READY=1")?;
            say("reloaded")?;
        } else if signal == "TERM" || signal == "INT" {
            sys::notify("STOPPING=1")?;
            say("stopping")?;
            return Ok(0);
        }
    }
}
