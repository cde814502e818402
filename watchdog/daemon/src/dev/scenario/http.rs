//! HTTP: the smallest client with which a customer asks a replica.

use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer answers are cut here; none of ours is.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks once, on a connection of its own; `base` is `http://host:port`. Answers the status and the body.
///
/// # Errors
///
/// If nothing that is HTTP comes back within `patience`.
pub(super) async fn ask(
    method: &str,
    base: &str,
    path: &str,
    patience: Duration,
) -> anyhow::Result<(u16, String)> {
    let answer = timeout(patience, exchange(method, base, path)).await;
    let answer = answer.map_err(|_| anyhow::anyhow!("no answer within {} ms", patience.as_millis()))??;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP came back")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.trim().to_owned()))
}

async fn exchange(method: &str, base: &str, path: &str) -> anyhow::Result<String> {
    let host = base.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).await.context("connect")?;
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.context("ask")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await.context("read the answer")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers the same to the first who asks; nothing at all when it is empty.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = [0; 512];
            let _ = stream.read(&mut question).await.unwrap();
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        base
    }

    #[tokio::test]
    async fn an_answer_is_read_and_anything_else_is_an_error_in_time() {
        let patience = Duration::from_secs(10);
        let base = server("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\ndraining\n").await;
        assert_eq!(ask("GET", &base, "/score", patience).await.unwrap(), (503, "draining".to_owned()));

        let base = server("SSH-2.0\r\n").await;
        let error = ask("GET", &base, "/", patience).await.unwrap_err();
        assert_eq!(error.to_string(), "no HTTP came back");

        let base = server("").await;
        let error = ask("GET", &base, "/", Duration::from_millis(30)).await.unwrap_err();
        assert_eq!(error.to_string(), "no answer within 30 ms");
    }
}
