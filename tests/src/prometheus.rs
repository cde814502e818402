//! Prometheus: a real one that scrapes what it is told to, and its promtool.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::reaper::Directory;
use crate::{Guarded, ports, wait_for};

const PATIENCE: Duration = Duration::from_secs(30);

/// The example that is shipped: rules, their tests, a configuration and a dashboard.
pub fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/monitoring").join(file)
}

/// Runs promtool, with `input` as its standard input; answers what it said.
///
/// # Errors
///
/// If it is not there or finds fault, with what it said.
pub fn promtool(arguments: &[&str], input: &str) -> anyhow::Result<String> {
    let directory = Directory::fresh("promtool-")?;
    let file = directory.path().join("input");
    std::fs::write(&file, input).context("write the input of promtool")?;
    let input = std::fs::File::open(&file).context("read the input of promtool")?;
    let output = Command::new("promtool").args(arguments).stdin(input).output().context("run promtool")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    anyhow::ensure!(output.status.success(), "promtool {}: {}\n{said}", arguments.join(" "), output.status);
    Ok(said)
}

/// A running Prometheus; it ends on drop.
#[derive(Debug)]
pub struct Prometheus {
    address: String,
    _process: Guarded,
    _directory: Directory,
}

impl Prometheus {
    /// Starts it with the shipped configuration and rules, quickened, to scrape these addresses.
    ///
    /// # Errors
    ///
    /// If it is not installed, or the configuration is not as it was.
    pub fn start(watchdogs: &[String], agents: &[String]) -> anyhow::Result<Self> {
        let directory = Directory::fresh("prometheus-")?;
        let home = directory.path();
        std::fs::copy(example("alerts.yml"), home.join("alerts.yml")).context("copy the rules")?;
        let mut config =
            std::fs::read_to_string(example("prometheus.yml")).context("read the configuration")?;
        let changes = [
            ("_interval: 15s", "_interval: 1s".to_owned()),
            ("[\"127.0.0.1:7400\"]", targets(watchdogs)),
            ("[\"127.0.0.1:7201\"]", targets(agents)),
        ];
        for (from, to) in changes {
            anyhow::ensure!(config.contains(from), "the example does not hold {from} any more");
            config = config.replace(from, &to);
        }
        std::fs::write(home.join("prometheus.yml"), config).context("write the configuration")?;
        let address = format!("127.0.0.1:{}", ports::free()?);
        let mut command = Command::new("prometheus");
        command.current_dir(home).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address={address}"));
        let process = Guarded::spawn("prometheus", &mut command, &home.join("log"))?;
        let this = Self { address, _process: process, _directory: directory };
        wait_for("prometheus to be ready", PATIENCE, || this.get("/-/ready").ok())?;
        Ok(this)
    }

    /// What a query answers now.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn query(&self, query: &str) -> anyhow::Result<Vec<Value>> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let encoded: String = query
            .bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect();
        let answer: Value = serde_json::from_str(&self.get(&format!("/api/v1/query?query={encoded}"))?)?;
        Ok(answer["data"]["result"].as_array().context("no result")?.clone())
    }

    /// The alerts that fire or are about to.
    ///
    /// # Errors
    ///
    /// If it does not say.
    pub fn alerts(&self) -> anyhow::Result<Vec<Value>> {
        let answer: Value = serde_json::from_str(&self.get("/api/v1/alerts")?)?;
        Ok(answer["data"]["alerts"].as_array().context("no alerts")?.clone())
    }

    /// By the older HTTP, whose answers come in one piece.
    fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        anyhow::ensure!(head.split(' ').nth(1) == Some("200"), "{path}: {head}\n{body}");
        Ok(body.to_owned())
    }
}

fn targets(addresses: &[String]) -> String {
    let quoted: Vec<String> =
        addresses.iter().map(|address| format!("\"{}\"", address.trim_start_matches("http://"))).collect();
    format!("[{}]", quoted.join(", "))
}
