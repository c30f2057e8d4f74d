//! Modes that live, wait and die.

use super::{Args, Done, append, say, sys, write_whole};
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

pub(crate) fn exit(mut args: Args) -> Done {
    let code = args.number("exit N")?;
    match args.next() {
        None => {}
        Some(word) if word == "after" => {
            std::thread::sleep(args.millis("exit N after MS")?);
            args.end()?;
        }
        Some(word) if word == "when" => {
            let file = args.need("exit N when FILE")?;
            args.end()?;
            while !Path::new(&file).exists() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Some(word) => return Err(format!("`{}` instead of `after` or `when`", word.display()).into()),
    }
    Ok(code)
}

pub(crate) fn crash(mut args: Args) -> Done {
    let signal = args.next().unwrap_or("ABRT".into());
    args.end()?;
    sys::die_by(&signal.to_string_lossy())?;
    Err("the signal did not kill".into())
}

pub(crate) fn sleep(args: Args) -> Done {
    args.end()?;
    sys::pause();
}

pub(crate) fn graceful(mut args: Args) -> Done {
    let code = match args.next() {
        None => 0,
        Some(code) => code.to_string_lossy().parse()?,
    };
    args.end()?;
    let signals = sys::Signals::on(&["TERM", "INT"])?;
    say("ready")?;
    signals.wait(None)?;
    say("stopping")?;
    Ok(code)
}

pub(crate) fn slow_term(mut args: Args) -> Done {
    let takes = args.millis("slow-term MS")?;
    args.end()?;
    let signals = sys::Signals::on(&["TERM", "INT"])?;
    say("ready")?;
    signals.wait(None)?;
    say("stopping")?;
    std::thread::sleep(takes);
    Ok(0)
}

pub(crate) fn ignore(args: Args) -> Done {
    let mut names: Vec<String> = args.rest().iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.is_empty() {
        names.push("TERM".to_owned());
    }
    for name in &names {
        sys::ignore(name)?;
    }
    say(&format!("ignoring {}", names.join(" ")))?;
    sys::pause();
}

pub(crate) fn flaky(mut args: Args) -> Done {
    let file = args.need("flaky FILE")?;
    let failures: u64 = args.number("flaky FILE N")?;
    let code = match args.next() {
        None => 1,
        Some(code) => code.to_string_lossy().parse()?,
    };
    args.end()?;
    append(file.as_ref(), "start")?;
    let starts = std::fs::read_to_string(&file)?.lines().count() as u64;
    if starts <= failures {
        say(&format!("failing, start {starts}"))?;
        return Ok(code);
    }
    say(&format!("staying, start {starts}"))?;
    sys::pause();
}

pub(crate) fn signal_log(mut args: Args) -> Done {
    let file = args.need("signal-log FILE")?;
    let hold = match args.next() {
        None => false,
        Some(word) if word == "hold" => true,
        Some(word) => return Err(format!("`{}` instead of `hold`", word.display()).into()),
    };
    args.end()?;
    let signals = sys::Signals::on(&["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "CONT", "WINCH"])?;
    append(file.as_ref(), "ready")?;
    loop {
        if let Some(name) = signals.wait(None)? {
            append(file.as_ref(), &name)?;
            if !hold && matches!(name.as_str(), "TERM" | "INT") {
                return Ok(0);
            }
        }
    }
}

pub(crate) fn hup_count(mut args: Args) -> Done {
    let file = args.need("hup-count FILE")?;
    args.end()?;
    let signals = sys::Signals::on(&["HUP"])?;
    for count in 0u64.. {
        write_whole(file.as_ref(), format!("{count}\n").as_bytes())?;
        signals.wait(None)?;
    }
    Ok(0)
}

pub(crate) fn write_file(mut args: Args) -> Done {
    let file = args.need("write-file PATH")?;
    let text = args.need("write-file PATH TEXT")?;
    args.end()?;
    write_whole(file.as_ref(), text.as_encoded_bytes())?;
    sys::pause();
}

pub(crate) fn append_line(mut args: Args) -> Done {
    let file = args.need("append PATH")?;
    let text = args.text("append PATH TEXT")?;
    args.end()?;
    append(file.as_ref(), &text)?;
    Ok(0)
}

pub(crate) fn stamp(mut args: Args) -> Done {
    let now = sys::monotonic();
    let file = args.need("stamp FILE")?;
    args.end()?;
    let line = format!("{} {}", std::process::id(), now.as_nanos());
    append(file.as_ref(), &line)?;
    sys::pause();
}

pub(crate) fn alloc(mut args: Args) -> Done {
    let size = args.number("alloc BYTES")?;
    args.end()?;
    let memory = vec![1u8; size];
    black_box(&memory);
    say("allocated")?;
    sys::pause();
}

pub(crate) fn burn(args: Args) -> Done {
    args.end()?;
    for turn in 0u64.. {
        black_box(turn);
    }
    Ok(0)
}
