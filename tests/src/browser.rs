//! Browser: a headless Chromium of our own, driven over `WebDriver`, and always ended.
//!
//! ```text
//! Browser::start ─► chromedriver, a fresh profile ─► session ─► go(…), script(…), click(…), keys(…)
//! Drop           ─► the session is closed ─► the group is killed, and whoever was told of the profile
//! ```

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Signal, pidfd_send_signal};
use serde_json::{Value, json};

use crate::ports;
use crate::process::{Guarded, told_of, wait_for};
use crate::reaper::Directory;

const PATIENCE: Duration = Duration::from_secs(30);
/// How an element is named in `WebDriver`'s JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// No screen, nothing fetched by itself, and none of its own sandbox, because tests run as root.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// A window with one page.
#[derive(Debug)]
pub struct Browser {
    session: String,
    address: SocketAddr,
    _driver: Guarded,
    directory: Directory,
}

/// A key that is no letter, as `WebDriver` writes it.
pub mod key {
    /// Tabulator.
    pub const TAB: &str = "\u{e004}";
    /// Enter.
    pub const ENTER: &str = "\u{e007}";
    /// Escape.
    pub const ESCAPE: &str = "\u{e00c}";
    /// The space bar.
    pub const SPACE: &str = " ";
}

impl Browser {
    /// Starts one with a window of that size and an empty profile.
    ///
    /// # Errors
    ///
    /// If Chromium or its driver is not installed, or does not come up.
    pub fn start((width, height): (u32, u32)) -> anyhow::Result<Self> {
        let directory = Directory::fresh("browser-")?;
        let port = ports::free()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).arg("--log-level=SEVERE");
        // Whatever it starts carries the directory in its environment, and so is found at the end.
        command.env("HOME", directory.path()).env("TMPDIR", directory.path());
        let log = directory.path().join("log");
        let driver = Guarded::spawn("chromedriver", &mut command, &log)
            .context("start chromedriver; `cargo xtask install` installs it")?;
        let mut browser = Self { session: String::new(), address, _driver: driver, directory };
        wait_for("chromedriver", PATIENCE, || browser.ask("GET", "/status", &Value::Null).ok())?;
        let mut arguments: Vec<String> = ARGUMENTS.iter().map(ToString::to_string).collect();
        arguments.push(format!("--user-data-dir={}", browser.directory.path().join("profile").display()));
        arguments.push(format!("--window-size={width},{height}"));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let made = browser.ask("POST", "/session", &wanted).context("open a window")?;
        browser.session = format!("/session/{}", made["sessionId"].as_str().context("it has no session")?);
        Ok(browser)
    }

    /// Goes to an address, and waits until the page is loaded.
    ///
    /// # Errors
    ///
    /// If the browser does not answer, as everywhere here.
    pub fn go(&self, url: &str) -> anyhow::Result<()> {
        self.tell("POST", "/url", &json!({ "url": url })).map(drop)
    }

    /// Runs a script in each page before its own.
    ///
    /// # Errors
    ///
    /// If the browser does not answer.
    pub fn before_each_page(&self, source: &str) -> anyhow::Result<()> {
        let params = json!({ "source": source });
        let order = json!({ "cmd": "Page.addScriptToEvaluateOnNewDocument", "params": params });
        self.tell("POST", "/goog/cdp/execute", &order).map(drop)
    }

    /// Runs the body of a function in the page and answers what it returns.
    ///
    /// # Errors
    ///
    /// If it throws.
    pub fn script(&self, body: &str, arguments: &[Value]) -> anyhow::Result<Value> {
        self.tell("POST", "/execute/sync", &json!({ "script": body, "args": arguments }))
    }

    /// Runs it until it answers something other than null, false or an empty text.
    ///
    /// # Errors
    ///
    /// After half a minute, with `what`.
    pub fn until(&self, what: &str, body: &str) -> anyhow::Result<Value> {
        wait_for(what, PATIENCE, || {
            self.script(body, &[])
                .ok()
                .filter(|found| !matches!(found, Value::Null | Value::Bool(false)) && found != "")
        })
    }

    /// Clicks, with the pointer, what a selector finds and what can be clicked.
    ///
    /// # Errors
    ///
    /// If there is no such element, or something lies over it.
    pub fn click(&self, selector: &str) -> anyhow::Result<()> {
        let found = self.tell("POST", "/element", &json!({ "using": "css selector", "value": selector }))?;
        let element = found[ELEMENT].as_str().with_context(|| format!("find {selector}"))?;
        self.tell("POST", &format!("/element/{element}/click"), &json!({})).map(drop)
    }

    /// Types, wherever the focus is.
    ///
    /// # Errors
    ///
    /// If the browser does not answer.
    pub fn keys(&self, keys: &str) -> anyhow::Result<()> {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.tell("POST", "/actions", &actions).map(drop)
    }

    /// Has the page believe that people prefer dark or light, and motion or not.
    ///
    /// # Errors
    ///
    /// If the browser does not answer.
    pub fn prefer(&self, scheme: &str, motion: &str) -> anyhow::Result<()> {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": motion },
        ]);
        let order = json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.tell("POST", "/goog/cdp/execute", &order).map(drop)
    }

    /// What the page has complained of since it was last asked.
    ///
    /// # Errors
    ///
    /// If the browser does not answer.
    pub fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let entries = self.tell("POST", "/se/log", &json!({ "type": "browser" }))?;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let loud = entries.iter().filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG");
        Ok(loud.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// The picture of the window, a PNG.
    ///
    /// # Errors
    ///
    /// If the browser does not answer.
    pub fn picture(&self) -> anyhow::Result<Vec<u8>> {
        let picture = self.tell("GET", "/screenshot", &Value::Null)?;
        from_base64(picture.as_str().unwrap_or_default()).context("the picture is no Base64")
    }

    fn tell(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask(method, &format!("{}{path}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len(),
        )?;
        let (fine, text) = body_of(&mut BufReader::new(stream)).context("read the driver's answer")?;
        let mut reply: Value =
            serde_json::from_str(&text).with_context(|| format!("the driver says {text:?}"))?;
        let value = reply["value"].take();
        anyhow::ensure!(fine, "{}: {}", value["error"], value["message"]);
        Ok(value)
    }
}

/// The bytes of a Base64 text; `None` when it is none.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = LETTERS.iter().position(|known| *known == letter)?;
        held = (held << 6 | u32::try_from(value).ok()?) & 0x3fff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// Whether the driver did it, and the body: by its length, because the driver keeps its connections open.
fn body_of(answer: &mut impl BufRead) -> anyhow::Result<(bool, String)> {
    let mut status = String::new();
    answer.read_line(&mut status)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().context("read its length")?;
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok((status.contains(" 200 "), String::from_utf8(body).context("it is no text")?))
}

impl Drop for Browser {
    fn drop(&mut self) {
        // One that does not answer is killed with its driver.
        let _ = self.tell("DELETE", "", &Value::Null);
        for (_, handle) in told_of(self.directory.path()) {
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::from_base64;

    #[test]
    fn pictures_are_read_as_they_are_sent() {
        let table: [(&str, Option<&[u8]>); 5] = [
            ("", Some(b"")),
            ("iVBORw0KGgo=", Some(b"\x89PNG\r\n\x1a\n")),
            ("/+8=", Some(b"\xff\xef")),
            ("Zm9vYmFy", Some(b"foobar")),
            ("no base64", None),
        ];
        for (text, bytes) in table {
            assert_eq!(from_base64(text).as_deref(), bytes, "{text}");
        }
    }
}
