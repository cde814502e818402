//! HTTP: the smallest client that a rig needs, so that measuring costs nothing.

use std::io::{Read as _, Write as _};
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
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    let socket: SocketAddr = host.parse().with_context(|| format!("{address} is not an address"))?;
    let mut stream = TcpStream::connect_timeout(&socket, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.set_nodelay(true)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).context("not an HTTP answer")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

/// Asks for JSON; `None` when it does not answer 200 with JSON in time.
pub fn json(address: &str, path: &str, patience: Duration) -> Option<Value> {
    let (status, body) = ask("GET", address, path, patience).ok()?;
    (status == 200).then(|| serde_json::from_str(&body).ok()).flatten()
}
