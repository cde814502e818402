//! Door: one watchdog behind authentication, people of each role with tokens, and a browser of sorts.
//!
//! ```text
//! watchdogctl token new (for each) ─► identities.toml ─► watchdog run ─► leads `demo`
//! ```

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::Context as _;
use serde_json::Value;

use crate::dev::program;
use crate::http::{Answer, Ask};
use crate::story::PATIENCE;
use crate::zookeeper::Chroot;
use crate::{Directory, Guarded, http, ports, wait_for, zookeeper};

/// Who there is: a name, and the role.
pub const PEOPLE: [(&str, &str); 4] =
    [("vera", "viewer"), ("olga", "operator"), ("ada", "approver"), ("alf", "admin")];

/// What is otherwise than usual.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The journal; else one of SQLite in the directory.
    pub journal: Option<String>,
    /// A line `user:password` for ZooKeeper.
    pub coordination_auth: Option<String>,
    /// Nobody is asked who they are.
    pub off: bool,
    /// What is logged.
    pub log: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Door {
    address: String,
    tokens: Vec<String>,
    daemon: Guarded,
    directory: Directory,
    chroot: Chroot,
}

impl Door {
    /// Starts it and waits until it leads.
    ///
    /// # Errors
    ///
    /// If the programs are not built, or it does not come to lead.
    pub fn open(setup: &Setup) -> anyhow::Result<Self> {
        let chroot = zookeeper::shared()?;
        let directory = Directory::fresh("door-")?;
        let home = directory.path().to_owned();
        let tokens = make_people(&home)?;
        let address = format!("http://127.0.0.1:{}", ports::free()?);
        let config = write_config(&home, &address, (setup, &chroot.url()))?;
        let mut command = Command::new(program("watchdog")?);
        command.arg("run").arg("--config").arg(&config);
        command.envs(setup.log.as_ref().map(|level| ("WATCHDOG_LOG", level)));
        let daemon = Guarded::spawn("watchdog run", &mut command, &home.join("log"))?;
        let door = Self { address, tokens, daemon, directory, chroot };
        wait_for("a leader", PATIENCE, || {
            http::ask("GET", &door.address, "/leader", PATIENCE).ok().filter(|(status, _)| *status == 200)
        })
        .with_context(|| door.daemon.log_tail())?;
        Ok(door)
    }

    /// Its URL.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The token of one of [`PEOPLE`].
    ///
    /// # Errors
    ///
    /// If there is no such person.
    pub fn token(&self, name: &str) -> anyhow::Result<&str> {
        let index = PEOPLE.iter().position(|(known, _)| *known == name);
        Ok(&self.tokens[index.with_context(|| format!("nobody is called {name}"))?])
    }

    /// The file that says who there is.
    pub fn identities(&self) -> PathBuf {
        self.directory.path().join("identities.toml")
    }

    /// Where its coordination service is.
    pub fn coordination(&self) -> String {
        self.chroot.url()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// `watchdogctl` as one of [`PEOPLE`].
    ///
    /// # Errors
    ///
    /// If it can't be run.
    pub fn ctl(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Output> {
        let file = self.directory.path().join(format!("{name}.token"));
        let mut command = Command::new(program("watchdogctl")?);
        command.args(arguments).arg("--token-file").arg(file).args(["--by", "root@somewhere"]);
        command.env("WATCHDOG_ENDPOINTS", &self.address).env("WATCHDOG_CLUSTER", "demo");
        command.output().context("run watchdogctl")
    }

    /// The same with the token in the environment.
    ///
    /// # Errors
    ///
    /// If it can't be run.
    pub fn ctl_by_environment(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(program("watchdogctl")?);
        command.args(arguments).env("WATCHDOG_TOKEN", self.token(name)?);
        command.env("WATCHDOG_ENDPOINTS", &self.address).env("WATCHDOG_CLUSTER", "demo");
        command.output().context("run watchdogctl")
    }

    /// The record, as JSON.
    ///
    /// # Errors
    ///
    /// If it can't be read.
    pub fn events(&self) -> anyhow::Result<Vec<Value>> {
        let output = self.ctl("vera", &["-o", "json", "events"])?;
        let events: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok(events.as_array().context("the events are no list")?.clone())
    }

    /// Sends one request over HTTP.
    ///
    /// # Errors
    ///
    /// If nothing that is HTTP comes back.
    pub fn send(&self, ask: &Ask<'_>) -> anyhow::Result<Answer> {
        http::send(self.socket()?, ask, PATIENCE)
    }

    /// Asks a method of gRPC with an empty message, as a client of HTTP/1.1; answers the status of gRPC.
    ///
    /// # Errors
    ///
    /// If there is none in the answer.
    pub fn call(&self, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<(u32, String)> {
        let all = [&[("content-type", "application/grpc"), ("te", "trailers")], headers].concat();
        let answer = self.send(&Ask { method: "POST", path, headers: &all, body: b"\0\0\0\0\0" })?;
        let status = answer.header("grpc-status").or_else(|| answer.trailer("grpc-status"));
        let status = status.with_context(|| format!("{path}: no status in {answer:?}"))?;
        let message = answer.header("grpc-message").unwrap_or_default().replace("%20", " ");
        Ok((status.parse()?, message))
    }

    fn socket(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.address.trim_start_matches("http://").parse()?)
    }
}

/// A token for each, by the program that people use; what is kept of them goes into the file of identities.
fn make_people(home: &Path) -> anyhow::Result<Vec<String>> {
    let mut tokens = Vec::new();
    let mut file = String::new();
    for (name, role) in PEOPLE {
        let mut command = Command::new(program("watchdogctl")?);
        let output = command.args(["-o", "json", "token", "new", "--name", name, "--role", role]).output()?;
        let new: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let text = |field: &str| new[field].as_str().context("watchdogctl token new lacks a field");
        std::fs::write(home.join(format!("{name}.token")), text("token")?)?;
        tokens.push(text("token")?.to_owned());
        writeln!(file, "{}", text("identity")?)?;
    }
    std::fs::write(home.join("identities.toml"), file)?;
    Ok(tokens)
}

fn write_config(
    home: &Path,
    address: &str,
    (setup, coordination): (&Setup, &str),
) -> anyhow::Result<PathBuf> {
    let listen = address.trim_start_matches("http://");
    let own = format!("sqlite:{}", home.join("journal.db").display());
    let journal = setup.journal.as_ref().unwrap_or(&own);
    let mut text = format!(
        "id = \"w\"\nlisten = \"{listen}\"\nclusters = [\"demo\"]\njournal = \"{journal}\"\n\n[coordination]\nurl = \"{coordination}\"\n"
    );
    if let Some(auth) = &setup.coordination_auth {
        let file = home.join("coordination.auth");
        std::fs::write(&file, auth)?;
        writeln!(text, "auth_file = \"{}\"", file.display())?;
    }
    if !setup.off {
        writeln!(text, "\n[access]\nidentities = \"{}\"", home.join("identities.toml").display())?;
    }
    let config = home.join("watchdog.toml");
    std::fs::write(&config, text)?;
    Ok(config)
}
