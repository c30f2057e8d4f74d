//! D-Bus as a pipe: many calls are written at once, answers and signals are read as they come.
//!
//! The manager is asked for hundreds of things in a row; one round trip each would cost more than the answers. So a batch
//! of calls goes out in one write, and one inbox sorts what comes back into answers, by serial, and signals, which
//! are kept until somebody waits for them.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::DynamicType;
use zbus::message::{Message, Type};

use super::pipe::Pipe;
use crate::error::{Error, Result};

/// Calls without an answer yet: enough to hide the round trip. A bus refuses more than 128.
const AT_ONCE: usize = 96;

/// Longer than any answer that does not wait for a job takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The bus itself.
pub(super) const BUS: (&str, &str) = ("org.freedesktop.DBus", "/org/freedesktop/DBus");

/// A connection to a message bus.
pub(super) struct Bus {
    pipe: Pipe,
    signals: VecDeque<Message>,
}

/// A connection on which we have said who we are, and are not answered yet.
pub(super) struct Greeting {
    pipe: Pipe,
    hello: NonZeroU32,
}

impl Greeting {
    /// Connects to the bus whose socket is `socket`. Nothing that we say depends on its answers, so all of it goes out at
    /// once. Files are not passed.
    pub(super) fn send(socket: &Path) -> Result<Self> {
        let mut pipe = Pipe::connect(socket, PATIENCE)?;
        let hello = call(BUS.0, BUS.1, BUS.0, "Hello", &())?;
        let uid = crate::system::machine::euid().to_string();
        // In hexadecimal, as the digits of a text are: 3 and the digit.
        let uid: String = uid.chars().flat_map(|digit| ['3', digit]).collect();
        let mut bytes = format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n").into_bytes();
        bytes.extend_from_slice(hello.data());
        pipe.send(&bytes)?;
        Ok(Self { pipe, hello: hello.primary_header().serial_num() })
    }

    /// The bus, once it has answered.
    pub(super) fn answered(mut self) -> Result<Bus> {
        let until = Instant::now() + PATIENCE;
        let silent = || Error::timed_out("the message bus does not answer");
        let refused = |why: String| Error::failed(format!("the message bus does not talk to us: {why}"));
        let line = self.pipe.line(until)?.ok_or_else(silent)?;
        if !line.starts_with("OK ") {
            return Err(refused(line));
        }
        let mut bus = Bus { pipe: self.pipe, signals: VecDeque::new() };
        loop {
            match bus.next(until)?.ok_or_else(silent)? {
                (Some(serial), Err(refusal)) if serial == self.hello => return Err(refused(refusal.text)),
                (Some(serial), Ok(_)) if serial == self.hello => return Ok(bus),
                _ => {}
            }
        }
    }
}

/// The other side's "no".
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// `org.freedesktop.systemd1.NoSuchUnit`.
    pub(super) name: String,
    /// In its words.
    pub(super) text: String,
}

impl Refusal {
    /// As an error, after `tried`.
    pub(super) fn error(&self, tried: &str) -> Error {
        let short = self.name.rsplit('.').next().unwrap_or_default();
        if matches!(short, "AccessDenied" | "InteractiveAuthorizationRequired" | "AuthFailed") {
            return Error::not_permitted(format!("cannot {tried}: {}", self.text))
                .hint("run it as root (`sudo daemonctl ...`), or use your own manager with `--user`");
        }
        Error::failed(format!("cannot {tried}: {}", self.text))
    }
}

/// What became of a call.
pub(super) type Answer = std::result::Result<Message, Refusal>;

/// A method call.
pub(super) fn call<B: Serialize + DynamicType>(
    to: &'static str,
    path: &str,
    interface: &'static str,
    member: &'static str,
    body: &B,
) -> Result<Message> {
    Message::method_call(path, member)
        .destination(to)
        .interface(interface)
        .build(body)
        .map_err(|error| Error::failed(format!("cannot build the D-Bus call `{member}`: {error}")))
}

/// What a message carries.
pub(super) fn body<T: DeserializeOwned + zbus::Type>(message: &Message) -> Result<T> {
    let body = message.body();
    let parsed: std::result::Result<T, _> = body.deserialize();
    parsed.map_err(|error| odd(&error))
}

/// The error for an answer that can't be read.
pub(super) fn odd(error: &zbus::Error) -> Error {
    Error::failed(format!("systemd gave an answer of another shape than expected: {error}"))
}

impl Bus {
    /// Connects to the bus whose socket is `socket`.
    pub(super) fn open(socket: &Path) -> Result<Self> {
        Greeting::send(socket)?.answered()
    }

    /// Makes the calls and gives the answers in their order.
    pub(super) fn batch(&mut self, calls: &[Message], limit: Duration) -> Result<Vec<Answer>> {
        let until = Instant::now() + limit;
        let index: HashMap<NonZeroU32, usize> =
            calls.iter().enumerate().map(|(at, call)| (call.primary_header().serial_num(), at)).collect();
        let mut answers: Vec<Option<Answer>> = calls.iter().map(|_| None).collect();
        let (mut sent, mut answered) = (0, 0);
        while answered < calls.len() {
            if sent < calls.len() && sent - answered <= AT_ONCE / 2 {
                let end = calls.len().min(answered + AT_ONCE);
                let bytes: Vec<&[u8]> = calls[sent..end].iter().map(|call| &**call.data()).collect();
                self.pipe.send(&bytes.concat())?;
                sent = end;
            }
            let (serial, answer) =
                self.next(until)?.ok_or_else(|| Error::timed_out("systemd does not answer on D-Bus"))?;
            // An answer that nobody waits for any more is none of these.
            if let Some(at) = serial.and_then(|serial| index.get(&serial)) {
                answered += usize::from(answers[*at].replace(answer).is_none());
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// Makes one call; a refusal is an error after `tried`.
    pub(super) fn one(&mut self, call: Message, tried: &str) -> Result<Message> {
        match self.batch(&[call], PATIENCE)?.pop() {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refusal)) => Err(refusal.error(tried)),
            None => Err(Error::failed(format!("cannot {tried}: no answer"))),
        }
    }

    /// The next signal; None: none came by then.
    pub(super) fn signal(&mut self, until: Instant) -> Result<Option<Message>> {
        while self.signals.is_empty() {
            match self.pipe.message(until)? {
                None => return Ok(None),
                Some(message) if message.message_type() == Type::Signal => self.signals.push_back(message),
                Some(_) => {}
            }
        }
        Ok(self.signals.pop_front())
    }

    /// Forgets the signals that came so far.
    pub(super) fn drop_signals(&mut self) {
        self.signals.clear();
    }

    /// The next answer, and which call it answers; None: none came by then. Signals are kept.
    fn next(&mut self, until: Instant) -> Result<Option<(Option<NonZeroU32>, Answer)>> {
        loop {
            let Some(message) = self.pipe.message(until)? else { return Ok(None) };
            let call = message.header().reply_serial();
            match message.message_type() {
                Type::Signal => self.signals.push_back(message),
                Type::MethodReturn => return Ok(Some((call, Ok(message)))),
                Type::Error => return Ok(Some((call, Err(refusal(&message))))),
                // Nobody has anything to ask of us.
                Type::MethodCall => {}
            }
        }
    }
}

fn refusal(message: &Message) -> Refusal {
    let name = message.header().error_name().map_or_else(String::new, ToString::to_string);
    let text = message.body().deserialize::<String>().unwrap_or_default();
    let text = if text.is_empty() { name.clone() } else { text };
    Refusal { name, text }
}
