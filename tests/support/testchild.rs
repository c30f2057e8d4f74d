//! The child of the tests: a program that behaves, or misbehaves, exactly as told. `HELP` below is its manual.
//!
//! Rules it keeps, so that tests can lean on it:
//! * A line such as `listening on ...`, `ignoring TERM` or `ready` is written only once it is true: wait for it, never nap.
//! * Files are written whole or not at all (`--out`, `--pid-file`, `write-file`), or by one append (`append`, `signal-log`).
//! * It waits on signals and pipes. The only clocks are those a caller asks for (`--after MS`).
//! * It ends by itself after `--life` seconds, so a failed test leaves nothing behind for long.
//!
//! Files: `show` prints what the process was given, `output` writes streams, `wait` lives and dies, `serve` and `notify`
//! become ready, `tree` leaves processes behind; `unix` and `other` hold the mechanisms, with the same signatures.

use std::error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

#[path = "testchild/notify.rs"]
mod notify;
#[path = "testchild/output.rs"]
mod output;
#[path = "testchild/serve.rs"]
mod serve;
#[path = "testchild/show.rs"]
mod show;
#[cfg_attr(unix, path = "testchild/unix.rs")]
#[cfg_attr(not(unix), path = "testchild/other.rs")]
mod sys;
#[path = "testchild/tree.rs"]
mod tree;
#[path = "testchild/wait.rs"]
mod wait;

const HELP: &str = "\
usage: testchild [OPTION...] MODE [ARG...]

Options come before the mode and are done in the order given:
  --print TEXT       write TEXT and a newline to stdout
  --eprint TEXT      the same to stderr
  --pid-file FILE    write this process's pid
  --append FILE TEXT append TEXT and a newline to FILE
  --notify TEXT      send TEXT to NOTIFY_SOCKET
  --out FILE         what a `show` mode prints goes to FILE (whole or not at all)
  --stay             after the mode, wait for a signal (TERM kills)
  --life SECONDS     end by SIGALRM after so long; 0 = never (default 900)

Show what it was given, as one line of JSON (text that is not UTF-8 as an array of bytes):
  args [ARG...]      the arguments that follow, byte for byte
  env [NAME...]      the environment, or these variables (null where unset)
  cwd                the working directory
  ids                pid ppid pgid sid uid euid gid egid groups umask nofile; on Linux cap_eff, no_new_privs
  fds                the open file descriptors
  signals            blocked and ignored signals by name (Linux)
  stdin              all that came on stdin

Live and die:
  exit N [after MS | when FILE]     exit with code N, at once or when FILE is there
  crash [SIGNAL]     die by SIGNAL (default ABRT), without a core file
  sleep              wait; TERM kills
  graceful [CODE]    prints `ready`; on TERM or INT prints `stopping`, exits with CODE (default 0)
  slow-term MS       the same, but takes MS to leave
  ignore-term [SIGNAL...]      ignores these (default TERM), prints `ignoring TERM`, waits
  flaky FILE N [CODE]          exits with CODE (default 1) the first N times, then waits; FILE counts the starts
  signal-log FILE [hold]       appends `ready`, then the name of each signal; TERM and INT end it unless hold
  hup-count FILE     keeps FILE at the number of HUPs had, from 0
  write-file PATH TEXT         writes it, then waits
  append PATH TEXT   appends a line by one write, exits 0
  stamp FILE         appends `PID NANOSECONDS` (monotonic clock), then waits
  alloc BYTES        touches so much memory, prints `allocated`, waits
  burn               spins one core until it is killed

Become ready:
  serve PORT [--host ADDR] [--ready-after MS] [--ready-on SIGNAL] [--die-after MS] [--port-file FILE] [--sick-file FILE]
                     TCP and HTTP; port 0 picks one; prints `listening on ADDR:PORT`. /health answers 200, or 503 while
                     the sick file exists; /status/NNN answers NNN; /hang never answers; /die exits 1; all else 404
  notify [--after MS | --on SIGNAL] [--watchdog MS] [--hang-on SIGNAL] [--status TEXT]
                     sends READY=1, then prints `ready`; WATCHDOG=1 every MS, until --hang-on's signal; on HUP RELOADING=1
                     and READY=1; on TERM STOPPING=1 and exit 0

Leave processes behind (CHILD is a testchild command line, after `--` where it starts with an option; default `sleep`):
  fork-leave [--pid-file FILE] [CHILD...]     a daemon of the old kind: the child has its own session, we exit 0
  grandchild [--setsid] [--hold-stdout] [--pid-file FILE] [--exit CODE] [CHILD...]
                     starts the child (its stdio on the null device unless --hold-stdout), then waits, or exits
  spawn N            starts N `sleep` children, prints `spawned N`, waits

Write:
  flood BYTES [--line LEN] [--stderr]     so many bytes; with --line one write a line of LEN bytes, each numbered
  lines N [--every MS] [--stderr | --both]    `line 1` to `line N`, one write each; --both: even ones to stderr
  half-lines         `one\\ntwo\\nthree` in the writes `one\\ntw`, `o\\nthr`, `ee`, no newline at the end
  invalid-utf8       the lines `good`, ff fe, `caf` e9, `nul` 00 `nul`, ESC `[31mred` ESC `[0m`, `end`

Signals are named without SIG. A mode that this platform lacks exits 2.
";

/// What a mode comes to: an exit code, or a message and exit 1.
type Done = Result<u8, Box<dyn Error>>;

/// The arguments still to be read.
struct Args(std::vec::IntoIter<OsString>);

impl Args {
    fn next(&mut self) -> Option<OsString> {
        self.0.next()
    }

    fn rest(self) -> Vec<OsString> {
        self.0.collect()
    }

    /// The next argument, which `what` names.
    fn need(&mut self, what: &str) -> Result<OsString, Box<dyn Error>> {
        self.next().ok_or_else(|| format!("{what} is missing").into())
    }

    fn text(&mut self, what: &str) -> Result<String, Box<dyn Error>> {
        self.need(what)?.into_string().map_err(|had| format!("{what} is not UTF-8: {}", had.display()).into())
    }

    fn number<N: std::str::FromStr>(&mut self, what: &str) -> Result<N, Box<dyn Error>> {
        let text = self.text(what)?;
        text.parse().map_err(|_| format!("{what}: `{text}` is not a number in range").into())
    }

    fn millis(&mut self, what: &str) -> Result<Duration, Box<dyn Error>> {
        Ok(Duration::from_millis(self.number(what)?))
    }

    /// The next argument, if it is an option; `--` ends them.
    fn option(&mut self) -> Option<String> {
        let next = self.0.as_slice().first()?.to_str()?.to_owned();
        if !next.starts_with("--") {
            return None;
        }
        self.0.next();
        (next != "--").then_some(next)
    }

    /// Refuses what is left over.
    fn end(mut self) -> Result<(), Box<dyn Error>> {
        match self.next() {
            None => Ok(()),
            Some(more) => Err(format!("one argument too many: `{}`", more.display()).into()),
        }
    }
}

fn unknown(option: &str) -> Box<dyn Error> {
    format!("unknown option `{option}` (see --help)").into()
}

/// Writes bytes to a stream by one call, past any buffer, so that each write is one write.
fn put(stream: output::Stream, bytes: &[u8]) -> std::io::Result<()> {
    output::write(stream, bytes)
}

fn say(line: &str) -> std::io::Result<()> {
    put(output::Stream::Out, format!("{line}\n").as_bytes())
}

/// A file which a reader sees whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}

/// A line appended by one write.
fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())
}

fn run(mut args: Args) -> Done {
    let mut out = None;
    let mut stay = false;
    let mut seconds = 900;
    while let Some(option) = args.option() {
        match option.as_str() {
            "--help" => {
                put(output::Stream::Out, HELP.as_bytes())?;
                return Ok(0);
            }
            "--print" => say(&args.text("--print TEXT")?)?,
            "--eprint" => {
                let line = args.text("--eprint TEXT")? + "\n";
                put(output::Stream::Err, line.as_bytes())?;
            }
            "--pid-file" => {
                let file = args.need("--pid-file FILE")?;
                let pid = format!("{}\n", std::process::id());
                write_whole(file.as_ref(), pid.as_bytes())?;
            }
            "--append" => {
                let file = args.need("--append FILE")?;
                append(file.as_ref(), &args.text("--append FILE TEXT")?)?;
            }
            "--notify" => sys::notify(&args.text("--notify TEXT")?)?,
            "--out" => out = Some(args.need("--out FILE")?),
            "--stay" => stay = true,
            "--life" => seconds = args.number("--life SECONDS")?,
            other => return Err(unknown(other)),
        }
    }
    sys::limit_life(seconds);
    let mode = args.text("the mode (see --help)")?;
    let code = match mode.as_str() {
        "args" | "env" | "cwd" | "ids" | "fds" | "signals" | "stdin" => {
            let line = show::show(&mode, args)? + "\n";
            match out {
                Some(file) => write_whole(file.as_ref(), line.as_bytes())?,
                None => put(output::Stream::Out, line.as_bytes())?,
            }
            0
        }
        "exit" => wait::exit(args)?,
        "crash" => wait::crash(args)?,
        "sleep" => wait::sleep(args)?,
        "graceful" => wait::graceful(args)?,
        "slow-term" => wait::slow_term(args)?,
        "ignore-term" => wait::ignore(args)?,
        "flaky" => wait::flaky(args)?,
        "signal-log" => wait::signal_log(args)?,
        "hup-count" => wait::hup_count(args)?,
        "write-file" => wait::write_file(args)?,
        "append" => wait::append_line(args)?,
        "stamp" => wait::stamp(args)?,
        "alloc" => wait::alloc(args)?,
        "burn" => wait::burn(args)?,
        "serve" => serve::serve(args)?,
        "notify" => notify::notify(args)?,
        "fork-leave" => tree::fork_leave(args)?,
        "grandchild" => tree::grandchild(args)?,
        "spawn" => tree::spawn(args)?,
        "flood" => output::flood(args)?,
        "lines" => output::lines(args)?,
        "half-lines" => output::half_lines(args)?,
        "invalid-utf8" => output::invalid_utf8(args)?,
        other => return Err(format!("unknown mode `{other}` (see --help)").into()),
    };
    if stay {
        sys::pause();
    }
    Ok(code)
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match run(Args(args.into_iter())) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("testchild: {error}");
            let missing =
                error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::Unsupported);
            ExitCode::from(if missing { 2 } else { 1 })
        }
    }
}
