//! HTTP: the smallest client that a rig needs, so that measuring costs nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

/// Asks once; `address` is `http://host:port` or `host:port`. Answers the status and the body.
///
/// # Errors
///
/// If it can't connect, or nothing that is HTTP comes back in time.
pub fn ask(method: &str, address: &str, path: &str, patience: Duration) -> anyhow::Result<(u16, String)> {
    let answer = whole(method, address, path, &[], patience)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).context("not an HTTP answer")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

/// Headers of a request, by name.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// Asks once and answers everything that came back, head and body.
///
/// # Errors
///
/// As [`ask`].
#[expect(clippy::too_many_arguments, reason = "the parts of a request, each another thing")]
pub fn whole(
    method: &str,
    address: &str,
    path: &str,
    headers: Headers<'_>,
    patience: Duration,
) -> anyhow::Result<String> {
    let mut stream = send((method, address, path), headers, patience)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn send(
    (method, address, path): (&str, &str, &str),
    headers: Headers<'_>,
    patience: Duration,
) -> anyhow::Result<TcpStream> {
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    let socket: SocketAddr = host.parse().with_context(|| format!("{address} is not an address"))?;
    let mut stream = TcpStream::connect_timeout(&socket, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.set_nodelay(true)?;
    let more: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let more = more.concat();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n"
    )?;
    Ok(stream)
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Stream {
    lines: BufReader<TcpStream>,
}

/// One of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its kind.
    pub kind: String,
    /// Its id, when it has one.
    pub id: String,
    /// What it says.
    pub data: String,
}

impl Stream {
    /// Begins to follow.
    ///
    /// # Errors
    ///
    /// As [`ask`], and when the answer is not 200.
    pub fn open(address: &str, path: &str, headers: Headers<'_>, patience: Duration) -> anyhow::Result<Self> {
        let mut lines = BufReader::new(send(("GET", address, path), headers, patience)?);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        anyhow::ensure!(first.starts_with("HTTP/1.1 200"), "{path} answers {first:?}");
        Ok(Self { lines })
    }

    /// Waits for the next event. Lines of chunks and of the head are none of an event's, and so are skipped.
    ///
    /// # Errors
    ///
    /// When the stream ends, or nothing comes in time.
    pub fn event(&mut self) -> anyhow::Result<Event> {
        let mut event = Event::default();
        loop {
            let mut line = String::new();
            anyhow::ensure!(self.lines.read_line(&mut line)? > 0, "the stream has ended");
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some(kind) = line.strip_prefix("event: ") {
                kind.clone_into(&mut event.kind);
            } else if let Some(id) = line.strip_prefix("id: ") {
                id.clone_into(&mut event.id);
            } else if let Some(data) = line.strip_prefix("data: ") {
                data.clone_into(&mut event.data);
                return Ok(event);
            }
        }
    }
}

/// Asks for JSON; `None` when it does not answer 200 with JSON in time.
pub fn json(address: &str, path: &str, patience: Duration) -> Option<Value> {
    let (status, body) = ask("GET", address, path, patience).ok()?;
    (status == 200).then(|| serde_json::from_str(&body).ok()).flatten()
}
