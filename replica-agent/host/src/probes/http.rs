//! Http: asks over one kept connection, with as little work as a question needs.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A longer head than this is no answer to a health question.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// A body up to this is read away so that the connection can be kept.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A connection that is kept from question to question.
#[derive(Debug, Default)]
pub(super) struct Http {
    connection: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Http {
    /// `GET path` at `address`; 2xx is well.
    pub(super) async fn get(&mut self, address: &str, path: &str) -> Result<(), String> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: replica-agent\r\n\r\n");
        // A kept connection may have been closed since; a fresh one speaks for the replica.
        if let Some(kept) = self.connection.take()
            && let Ok(answer) = self.exchange(kept, &request).await
        {
            return answer;
        }
        let fresh =
            TcpStream::connect(address).await.map_err(|error| format!("connect to {address}: {error}"))?;
        // Without it the answer's last packet may wait for an acknowledgement.
        let _ = fresh.set_nodelay(true);
        self.exchange(fresh, &request).await.map_err(|error| format!("GET {path} at {address}: {error}"))?
    }

    /// Forgets the connection: its answer may still come, to another question.
    pub(super) fn give_up(&mut self) {
        self.connection = None;
    }

    async fn exchange(&mut self, mut stream: TcpStream, request: &str) -> io::Result<Result<(), String>> {
        stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if self.buffer.len() > HEAD_BYTES_MAX || stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let Some((status, length)) = parse_head(&self.buffer[..head]) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if let Some(length) = length.filter(|length| *length <= BODY_BYTES_MAX) {
            while self.buffer.len() < head + length {
                if stream.read_buf(&mut self.buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            self.connection = Some(stream);
        }
        if (200..300).contains(&status) { Ok(Ok(())) } else { Ok(Err(format!("answered {status}"))) }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The status, and the length of the body when the connection can be kept after it.
pub(crate) fn parse_head(head: &[u8]) -> Option<(u16, Option<usize>)> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let headers = || head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    let header = |name: &str| {
        headers()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    };
    let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let length = header("content-length").and_then(|length| length.parse().ok());
    Some((status, length.filter(|_| !closes && header("transfer-encoding").is_none())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_status_and_whether_the_connection_can_be_kept() {
        let table = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", Some((200, Some(2)))),
            ("HTTP/1.1 503 No\r\ncontent-length:0\r\nConnection: close\r\n\r\n", Some((503, None))),
            ("HTTP/1.0 204 Empty\r\n\r\n", Some((204, None))),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Some((200, None))),
            ("SSH-2.0-OpenSSH\r\n\r\n", None),
        ];
        for (head, expected) in table {
            assert_eq!(parse_head(head.as_bytes()), expected, "{head}");
        }
    }
}
