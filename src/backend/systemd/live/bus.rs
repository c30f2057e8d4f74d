//! D-Bus as a pipe: many calls are written at once, answers and signals are read as they come.
//!
//! The manager is asked for hundreds of things in a row; one round trip each would cost more than the answers. So a batch
//! of calls goes out in one write, and one inbox sorts what comes back into answers, by serial, and signals, which
//! are kept until somebody waits for them.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use zbus::export::futures_core::Stream;
use zbus::message::{Message, Type};
use zbus::{Connection, DynamicType, MessageStream, connection};

use crate::error::{Error, IoContext, Result};

/// Calls without an answer yet: enough to hide the round trip. A bus refuses more than 128.
const AT_ONCE: usize = 96;

/// Longer than any answer that does not wait for a job takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a message bus.
pub(super) struct Bus {
    runtime: Runtime,
    connection: Connection,
    inbox: MessageStream,
    signals: VecDeque<Message>,
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
    pub(super) fn open(socket: &std::path::Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .doing("start an event loop for D-Bus")?;
        let stream = std::os::unix::net::UnixStream::connect(socket)
            .doing(format_args!("connect to the message bus at `{}`", socket.display()))?;
        let connection = runtime.block_on(async {
            let building = connection::Builder::unix_stream(stream)
                .max_queued(std::num::NonZeroUsize::new(1024).unwrap_or(std::num::NonZeroUsize::MIN))
                .build();
            match tokio::time::timeout(PATIENCE, building).await {
                Ok(Ok(connection)) => Ok(connection),
                Ok(Err(error)) => Err(Error::failed(format!("the message bus does not talk to us: {error}"))),
                Err(_) => Err(Error::timed_out("the message bus does not answer")),
            }
        })?;
        let inbox = MessageStream::from(&connection);
        Ok(Self { runtime, connection, inbox, signals: VecDeque::new() })
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
                let sending = self.connection.send_all(&calls[sent..end]);
                self.runtime.block_on(sending).map_err(|error| broken(&error))?;
                sent = end;
            }
            let message = self.next(until)?.ok_or_else(|| Error::timed_out("systemd does not answer on D-Bus"))?;
            let at = message.header().reply_serial().and_then(|serial| index.get(&serial).copied());
            let answer = match (message.message_type(), at) {
                (Type::Signal, _) => {
                    self.signals.push_back(message);
                    continue;
                }
                (Type::MethodReturn, Some(at)) => (at, Ok(message)),
                (Type::Error, Some(at)) => (at, Err(refusal(&message))),
                // An answer that nobody waits for any more.
                _ => continue,
            };
            answered += usize::from(answers[answer.0].replace(answer.1).is_none());
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
        if let Some(signal) = self.signals.pop_front() {
            return Ok(Some(signal));
        }
        loop {
            match self.next(until)? {
                None => return Ok(None),
                Some(message) if message.message_type() == Type::Signal => return Ok(Some(message)),
                Some(_) => {}
            }
        }
    }

    /// Forgets the signals that came so far.
    pub(super) fn drop_signals(&mut self) {
        self.signals.clear();
    }

    fn next(&mut self, until: Instant) -> Result<Option<Message>> {
        let Self { runtime, inbox, .. } = self;
        let next = runtime.block_on(async {
            let next = poll_fn(|context| Pin::new(&mut *inbox).poll_next(context));
            tokio::time::timeout_at(until.into(), next).await
        });
        match next {
            Err(_) => Ok(None),
            Ok(Some(Ok(message))) => Ok(Some(message)),
            Ok(Some(Err(error))) => Err(broken(&error)),
            Ok(None) => Err(Error::failed("the message bus closed the connection")),
        }
    }
}

fn broken(error: &zbus::Error) -> Error {
    Error::failed(format!("the connection to the message bus broke: {error}"))
}

fn refusal(message: &Message) -> Refusal {
    let name = message.header().error_name().map_or_else(String::new, ToString::to_string);
    let text = message.body().deserialize::<String>().unwrap_or_default();
    let text = if text.is_empty() { name.clone() } else { text };
    Refusal { name, text }
}
