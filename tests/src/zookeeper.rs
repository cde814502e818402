//! ZooKeeper: a real ensemble of plain processes on fresh ports, whose nodes can be killed, stopped and restarted.
//!
//! ```text
//! Ensemble::start(3) ─► ports, zoo.cfg, myid ─► 3 × java ─► each answers `srvr`, one of them as leader
//! shared()           ─► one ensemble per test process, a fresh and existing chroot per call
//! ```

mod shared;

pub use shared::{Chroot, shared};

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal;

use crate::process::{Guarded, wait_for};
use crate::reaper::Directory;
use crate::{ports, process};

/// Where Debian's packages put what a server needs; without netty-codec TLS would fail.
const JARS: [&str; 5] = [
    "/usr/share/java/zookeeper.jar",
    "/usr/share/java/slf4j-simple.jar",
    "/usr/share/java/netty-codec.jar",
    "/usr/share/java/netty-resolver.jar",
    "/usr/share/java/netty-transport-native-unix-common.jar",
];
/// A loaded machine of two cores needs up to three seconds for three nodes; this is not a figure, but a stop.
const START_PATIENCE: Duration = Duration::from_mins(1);
const ASK_PATIENCE: Duration = Duration::from_secs(1);

/// A running ensemble; killed and removed on drop.
#[derive(Debug)]
pub struct Ensemble {
    nodes: Vec<Node>,
    // Declared last, because the nodes write to it until they are dropped.
    _directory: Directory,
}

impl Ensemble {
    /// Starts `nodes` servers and waits until all serve and one leads.
    ///
    /// # Errors
    ///
    /// If Debian's packages are missing (named in the message) or the ensemble does not come up.
    pub fn start(nodes: usize) -> anyhow::Result<Self> {
        Self::start_with(nodes, "")
    }

    /// The same, with lines behind all others in the configuration of each node.
    ///
    /// # Errors
    ///
    /// As [`Ensemble::start`].
    pub fn start_with(nodes: usize, settings: &str) -> anyhow::Result<Self> {
        need_packages()?;
        let directory = Directory::fresh("zookeeper-")?;
        let mut places = Vec::new();
        for _ in 0..nodes {
            places.push(Place { client: ports::free()?, quorum: ports::free()?, election: ports::free()? });
        }
        let mut members = String::new();
        for (index, Place { quorum, election, .. }) in places.iter().enumerate() {
            writeln!(members, "server.{}=127.0.0.1:{quorum}:{election}", index + 1)?;
        }
        members.push_str(settings);
        let nodes = places.iter().enumerate();
        let nodes = nodes.map(|(index, place)| Node::prepare(directory.path(), index, place, &members));
        let ensemble = Self { nodes: nodes.collect::<anyhow::Result<_>>()?, _directory: directory };
        for node in &ensemble.nodes {
            node.launch()?;
        }
        for node in &ensemble.nodes {
            node.wait_until_serving()?;
        }
        ensemble.leader_index()?;
        Ok(ensemble)
    }

    /// All client addresses, comma-separated.
    pub fn connect_string(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        addresses.join(",")
    }

    /// The node at `index`, which counts from zero.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// How many nodes there are, running or not.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// The index of the node that leads, waiting for an election that is under way.
    ///
    /// # Errors
    ///
    /// If no node leads after a minute.
    pub fn leader_index(&self) -> anyhow::Result<usize> {
        wait_for("a leader of the ensemble", START_PATIENCE, || {
            self.nodes.iter().position(|node| matches!(node.mode().as_deref(), Some("leader" | "standalone")))
        })
    }
}

/// Ports of one node.
#[derive(Debug)]
struct Place {
    client: u16,
    quorum: u16,
    election: u16,
}

/// One server of an ensemble.
#[derive(Debug)]
pub struct Node {
    name: String,
    client: u16,
    config: PathBuf,
    log: PathBuf,
    process: Mutex<Option<Guarded>>,
}

impl Node {
    fn prepare(directory: &Path, index: usize, place: &Place, members: &str) -> anyhow::Result<Self> {
        let home = directory.join((index + 1).to_string());
        let data = home.join("data");
        std::fs::create_dir_all(&data).context("make the node's directory")?;
        std::fs::write(data.join("myid"), format!("{}\n", index + 1)).context("write myid")?;
        let settings = format!(
            "tickTime=100\ninitLimit=100\nsyncLimit=20\nminSessionTimeout=200\nmaxSessionTimeout=60000\n\
             clientPort={}\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n\
             admin.enableServer=false\nstandaloneEnabled=false\ndataDir={}\n{members}",
            place.client,
            data.display(),
        );
        let config = home.join("zoo.cfg");
        std::fs::write(&config, settings).context("write zoo.cfg")?;
        Ok(Self {
            name: format!("zookeeper-{}", index + 1),
            client: place.client,
            config,
            log: home.join("log"),
            process: Mutex::new(None),
        })
    }

    /// The address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.client))
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(Guarded::pid)
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            process.kill();
        }
    }

    /// Stops it with SIGSTOP: its connections stay open and say nothing.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a stopped one run on.
    pub fn cont(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it if it runs, starts it on its old data and waits until it serves.
    ///
    /// # Errors
    ///
    /// If it does not serve after a minute, which is so as long as a majority is away.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.start()?;
        self.wait_until_serving()
    }

    /// Kills it if it runs and removes all that it has stored: the next start is that of a new server.
    ///
    /// # Errors
    ///
    /// If its data can't be removed.
    pub fn forget(&self) -> anyhow::Result<()> {
        self.kill();
        let stored = self.config.with_file_name("data").join("version-2");
        std::fs::remove_dir_all(&stored).with_context(|| format!("remove {}", stored.display()))
    }

    /// Like [`Node::restart`], without waiting: for several nodes of a lost majority.
    ///
    /// # Errors
    ///
    /// If the program cannot be started.
    pub fn start(&self) -> anyhow::Result<()> {
        self.kill();
        self.launch()
    }

    /// Waits until it serves requests, so until it has joined a quorum.
    ///
    /// # Errors
    ///
    /// After a minute, with the end of its log.
    pub fn wait_until_serving(&self) -> anyhow::Result<()> {
        wait_for(&format!("{} to serve", self.name), START_PATIENCE, || self.mode()).map(drop).with_context(
            || self.process().as_ref().map_or_else(|| "it was not started".to_owned(), Guarded::log_tail),
        )
    }

    /// `leader`, `follower` or `standalone`; `None` while it does not serve.
    pub fn mode(&self) -> Option<String> {
        let answer = self.ask("srvr").ok()?;
        answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Sends a four-letter word and returns the answer.
    ///
    /// # Errors
    ///
    /// If nobody answers within a second.
    pub fn ask(&self, word: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address(), ASK_PATIENCE)?;
        stream.set_read_timeout(Some(ASK_PATIENCE))?;
        stream.write_all(word.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn launch(&self) -> anyhow::Result<()> {
        let mut java = Command::new("java");
        java.args(java_arguments()).arg(&self.config);
        *self.process() = Some(Guarded::spawn(&self.name, &mut java, &self.log)?);
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = self.process().as_ref() {
            process.signal(signal);
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<Guarded>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `java` is told before the configuration file of a server.
pub fn java_arguments() -> Vec<String> {
    let mut arguments: Vec<String> = [
        "-Xms64m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-Dzookeeper.admin.enableServer=false",
        "-Dzookeeper.extendedTypesEnabled=true",
        "-Dzookeeper.forceSync=no",
        "-Dzookeeper.fastleader.minNotificationInterval=200",
        "-cp",
    ]
    .map(str::to_owned)
    .into();
    arguments.extend([JARS.join(":"), "org.apache.zookeeper.server.quorum.QuorumPeerMain".to_owned()]);
    arguments
}

/// Checks that Debian's packages are there.
///
/// # Errors
///
/// Names the one that is missing.
pub fn need_packages() -> anyhow::Result<()> {
    for jar in JARS {
        anyhow::ensure!(Path::new(jar).exists(), "{jar} is missing: apt-get install -y libzookeeper-java");
    }
    let java = process::is_program("java");
    anyhow::ensure!(java, "java is missing: apt-get install -y default-jre-headless");
    Ok(())
}
