//! HTTP: the smallest client that a rig needs, so that measuring costs nothing.

use std::fmt::Write as _;
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
    let answer = send(socket(address)?, &Ask { method, path, ..Ask::default() }, patience)?;
    Ok((answer.status, answer.body))
}

/// The address of a URL, or of its part behind the scheme.
///
/// # Errors
///
/// If it is none.
pub fn socket(address: &str) -> anyhow::Result<SocketAddr> {
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    host.parse().with_context(|| format!("{address} is not an address"))
}

/// Headers of a request, by name.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// `GET` and the like.
    pub method: &'a str,
    /// Below the address.
    pub path: &'a str,
    /// Beside `host`, unless that is among them, and those that tell of the body's length and the connection's end.
    pub headers: Headers<'a>,
    /// What follows them.
    pub body: &'a [u8],
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self { method: "GET", path: "/", headers: &[], body: b"" }
    }
}

/// What comes back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// 200 and the like.
    pub status: u16,
    /// What stands before the body.
    pub head: String,
    /// The body as it came; in chunks, with their lengths and what trails them.
    pub body: String,
}

impl Answer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        line(&self.head, name)
    }

    /// The same among what trails the body.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        line(&self.body, name)
    }
}

fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let mut named = pairs.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| value.trim())
}

/// Sends one request, and reads to the end.
///
/// # Errors
///
/// As [`ask`].
pub fn send(socket: SocketAddr, ask: &Ask<'_>, patience: Duration) -> anyhow::Result<Answer> {
    let mut stream = begin(socket, ask, patience)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).context("not an HTTP answer")?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// Sends one request.
fn begin(socket: SocketAddr, ask: &Ask<'_>, patience: Duration) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&socket, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.set_nodelay(true)?;
    let Ask { method, path, headers, body } = ask;
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    let host = socket.to_string();
    let named = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
    let own = [("host", host.as_str())];
    for (name, value) in headers.iter().chain(own.iter().filter(|_| !named)) {
        write!(head, "{name}: {value}\r\n")?;
    }
    write!(head, "content-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
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
        let ask = Ask { path, headers, ..Ask::default() };
        let mut lines = BufReader::new(begin(socket(address)?, &ask, patience)?);
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
