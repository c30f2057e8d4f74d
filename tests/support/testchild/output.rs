//! Streams: floods, numbered lines, lines in pieces, bytes that are no text.
//!
//! Each `write` is one system call, unless the pipe takes less: what a capture sees is then decided here.

use super::{Args, Done, unknown};
use std::io::Write as _;

#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// std's stdout holds lines back; a pipe's end of our own does not.
pub(crate) fn write(stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
    match stream {
        Stream::Err => std::io::stderr().write_all(bytes),
        Stream::Out => super::sys::stdout(|file| file.write_all(bytes)),
    }
}

pub(crate) fn flood(mut args: Args) -> Done {
    const CHUNK: usize = 64 << 10;
    let total: u64 = args.number("flood BYTES")?;
    let (mut length, mut stream) = (None, Stream::Out);
    while let Some(option) = args.option() {
        match option.as_str() {
            "--line" => length = Some(args.number::<usize>("--line LEN")?.max(1)),
            "--stderr" => stream = Stream::Err,
            other => return Err(unknown(other)),
        }
    }
    args.end()?;
    let (mut left, mut number) = (total, 0u64);
    while left > 0 {
        number += 1;
        let mut piece = match length {
            None => vec![b'x'; CHUNK],
            Some(length) => numbered(number, length),
        };
        if let Ok(left) = usize::try_from(left) {
            piece.truncate(left);
        }
        write(stream, &piece)?;
        left -= piece.len() as u64;
    }
    Ok(0)
}

/// `12 xxxxxx\n`, of `length` bytes with its newline; a number too long for that is cut.
fn numbered(number: u64, length: usize) -> Vec<u8> {
    let mut line = format!("{number} ").into_bytes();
    line.resize(length - 1, b'x');
    line.push(b'\n');
    line
}

pub(crate) fn lines(mut args: Args) -> Done {
    let count: u64 = args.number("lines N")?;
    let (mut every, mut odd, mut even) = (None, Stream::Out, Stream::Out);
    while let Some(option) = args.option() {
        match option.as_str() {
            "--every" => every = Some(args.millis("--every MS")?),
            "--stderr" => (odd, even) = (Stream::Err, Stream::Err),
            "--both" => even = Stream::Err,
            other => return Err(unknown(other)),
        }
    }
    args.end()?;
    for number in 1..=count {
        let stream = if number % 2 == 0 { even } else { odd };
        write(stream, format!("line {number}\n").as_bytes())?;
        if let Some(every) = every {
            std::thread::sleep(every);
        }
    }
    Ok(0)
}

pub(crate) fn half_lines(args: Args) -> Done {
    args.end()?;
    for piece in ["one\ntw", "o\nthr", "ee"] {
        write(Stream::Out, piece.as_bytes())?;
    }
    Ok(0)
}

pub(crate) fn invalid_utf8(args: Args) -> Done {
    args.end()?;
    write(Stream::Out, b"good\n\xff\xfe\ncaf\xe9\nnul\0nul\n\x1b[31mred\x1b[0m\nend\n")?;
    Ok(0)
}
