//! A stand-in for `log`, the reader of macOS' unified log: `log show` and `log stream` of what launchd says of its jobs, and of
//! what a test has them say (`launchctl model say TARGET TEXT`), as JSON, one entry a line.
//!
//! launchd's entries have the form of public captures: `[gui/501/web [4711]:] Successfully spawned web[4711] because speculative`.
//! Its other entries, levels, activities and most of the fields are not modelled, nor is any other style.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{client, codes, predicate};

/// What is asked for.
struct Asked {
    stream: bool,
    predicate: predicate::Predicate,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

pub(crate) fn run(args: &[OsString]) -> ExitCode {
    let words: Vec<String> = args.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match asked(&words).and_then(|asked| print(args, &asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("log: {why}");
            ExitCode::from(u8::try_from(codes::USAGE).unwrap_or(1))
        }
    }
}

fn asked(words: &[String]) -> Result<Asked, String> {
    let (verb, mut rest) = words.split_first().ok_or("usage: log show | stream")?;
    let stream = match verb.as_str() {
        "show" => false,
        "stream" => true,
        other => return Err(format!("`{other}` is not modelled")),
    };
    let (mut style, mut found, mut start, mut end) = (None, None, None, None);
    let at = |text: &str| Timestamp::strptime("%Y-%m-%d %H:%M:%S%z", text).map_err(|error| error.to_string());
    while let [option, value, more @ ..] = rest {
        match option.as_str() {
            "--style" => style = Some(value.as_str()),
            "--predicate" => found = Some(predicate::parse(value)?),
            "--start" if !stream => start = Some(at(value)?),
            "--end" if !stream => end = Some(at(value)?),
            // Nothing here is older than a test.
            "--last" if !stream => {}
            other => return Err(format!("`{other}` is not modelled")),
        }
        rest = more;
    }
    if !rest.is_empty() || style != Some("ndjson") {
        return Err("only `--style ndjson` is modelled".to_owned());
    }
    Ok(Asked { stream, predicate: found.ok_or("without a predicate it is not modelled")?, start, end })
}

fn print(args: &[OsString], asked: &Asked) -> Result<(), String> {
    let mut out = std::io::stdout();
    if asked.stream {
        writeln!(out, "Filtering the log data using a predicate").map_err(|error| error.to_string())?;
    }
    let mut seen = if asked.stream { history(args)?.len() } else { 0 };
    let mut count = 0;
    loop {
        let all = history(args)?;
        for entry in all.get(seen..).unwrap_or_default().iter().filter_map(entry) {
            let in_time = |time: Timestamp| {
                asked.start.is_none_or(|start| time >= start) && asked.end.is_none_or(|end| time <= end)
            };
            if in_time(entry.0) && asked.predicate.holds(&entry.1) {
                count += 1;
                writeln!(out, "{}", entry.1).map_err(|error| error.to_string())?;
            }
        }
        seen = all.len();
        if !asked.stream {
            return writeln!(out, "{}", json!({ "count": count, "finished": 1 })).map_err(|error| error.to_string());
        }
        out.flush().map_err(|error| error.to_string())?;
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn history(args: &[OsString]) -> Result<Vec<Value>, String> {
    let answer =
        client::ask(args, vec!["model".to_owned(), "history".to_owned()]).map_err(|error| error.to_string())?;
    serde_json::from_str(&answer.out).map_err(|error| error.to_string())
}

/// What of the model's history is an entry of the log, and when it was made.
fn entry(line: &Value) -> Option<(Timestamp, Value)> {
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let (target, pid) = (format!("{}/{}", text("domain"), text("label")), line["pid"].as_i64());
    let of_job = |words: String| format!("[{target} [{}]:] {words}", pid.unwrap_or(0));
    let (process, image, message) = match line["what"].as_str()? {
        "spawned" => {
            let name = text("program").rsplit('/').next().unwrap_or_default().to_owned();
            let words = format!("Successfully spawned {name}[{}] because {}", pid?, text("reason"));
            (Some(1), "/sbin/launchd".to_owned(), of_job(words))
        }
        "ended" => {
            let status = line["status"].as_i64()?;
            let words = match status & 0x7f {
                0 => format!("exited due to exit({})", status >> 8),
                signal => format!("exited due to signal {signal}"),
            };
            (Some(1), "/sbin/launchd".to_owned(), of_job(words))
        }
        "said" => (pid, text("program"), text("message")),
        _ => return None,
    };
    let time = Timestamp::from_microsecond(line["at"].as_i64()?).ok()?;
    let value = json!({
        "timestamp": time.strftime("%Y-%m-%d %H:%M:%S.%6f+0000").to_string(), "eventType": "logEvent",
        "messageType": "Default", "eventMessage": message, "processID": process?, "processImagePath": image,
        "subsystem": "", "category": "",
    });
    Some((time, value))
}
