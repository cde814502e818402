//! Stage: everything that a run needs, started and waited for: ZooKeeper, PostgreSQL, watchdogs, host agents.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::Signal;
use serde_json::Value;
use watchdog_tests::process::children_of;
use watchdog_tests::{postgres, wait_for, zookeeper};

use crate::net::{self, EACH, Node, run};
use crate::site::{CLUSTER, DATABASE_PORT, Site};
use crate::unit::Unit;

/// More goals than are declared.
const GOALS_MAX: &str = "10000";
/// Two busy cores start ten programs, four of them large.
const START_PATIENCE: Duration = Duration::from_secs(90);
const DATABASE_STOP: Duration = Duration::from_secs(10);
const AGENT_DISK: &str = "16m";
const DATABASE_DISK: &str = "192m";

/// See the module.
pub struct Stage {
    /// Where everything stands.
    pub site: Site,
    /// Where our programs are.
    pub programs: PathBuf,
    /// By node, except the database.
    pub zoo: Vec<Unit>,
    /// The watchdogs.
    pub dogs: Vec<Unit>,
    /// The host agents.
    pub hosts: Vec<Unit>,
    /// PostgreSQL.
    pub database: Unit,
    /// The library that tells a watchdog another time, where it is installed.
    pub faketime: Option<PathBuf>,
}

impl Stage {
    /// Builds it in `root` from the programs in `programs`; the host agents are those called `agent`.
    ///
    /// # Errors
    ///
    /// If something does not start.
    pub fn open(root: &Path, programs: &Path, agent: &str) -> anyhow::Result<Self> {
        // PostgreSQL runs as another user and must come through.
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).context("open the directory")?;
        net::build().context("build the network")?;
        let site = Site::new(root)?;
        site.configure(programs)?;
        let faketime = find_faketime();
        let mut stage = Self {
            zoo: (0..EACH).map(|index| zoo(&site, index)).collect(),
            dogs: (0..EACH).map(|index| dog(&site, index, programs, faketime.as_deref())).collect(),
            hosts: (0..EACH).map(|index| host(&site, index, &programs.join(agent))).collect(),
            database: database(&site)?,
            programs: programs.to_owned(),
            site,
            faketime,
        };
        stage.mount_disks()?;
        stage.initialise_database()?;
        stage.zoo.iter_mut().try_for_each(Unit::start)?;
        stage.database.start()?;
        wait_for("PostgreSQL", START_PATIENCE, || stage.sql("SELECT 1").ok())?;
        stage.dogs.iter_mut().chain(&mut stage.hosts).try_for_each(Unit::start)?;
        stage.found()?;
        Ok(stage)
    }

    fn mount_disks(&self) -> anyhow::Result<()> {
        let hosts = (0..EACH).map(|index| (Node::Host(index), AGENT_DISK));
        for (node, size) in hosts.chain([(Node::Database, DATABASE_DISK)]) {
            let disk = self.site.disk(node);
            fs::create_dir_all(&disk).context("make a disk's directory")?;
            let options = format!("size={size},mode=755");
            run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&disk))?;
        }
        Ok(())
    }

    fn initialise_database(&self) -> anyhow::Result<()> {
        let disk = self.site.disk(Node::Database);
        if let Some(user) = postgres::unprivileged()? {
            chown(&disk, Some(user.uid), Some(user.gid)).context("give the disk to postgres")?;
        }
        let mut initdb = Command::new("setpriv");
        initdb.args(as_postgres()?).arg(postgres::find_binaries()?.join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]);
        run(initdb.args(["--no-sync", "--wal-segsize=1", "-D"]).arg(disk.join("data")).current_dir(&disk))?;
        let access = format!("host all all {}/24 trust\n", net::OUTSIDE);
        let file = disk.join("data/pg_hba.conf");
        let text = fs::read_to_string(&file).context("read who may connect")?;
        fs::write(&file, text + &access).context("let the nodes connect")
    }

    /// Declares the first goal and waits until it is achieved everywhere.
    fn found(&self) -> anyhow::Result<()> {
        let file = self.site.goal();
        fs::write(&file, crate::site::founding().to_string()).context("write the founding goal")?;
        let file = file.to_string_lossy().into_owned();
        let mut last = String::new();
        wait_for("the founding goal to be taken", START_PATIENCE, || {
            let output = self.ctl(&["goal", "apply", "-f", &file]).ok()?;
            last = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.success().then_some(())
        })
        .with_context(|| last.clone())?;
        let begun = Instant::now();
        let rest = self.until_at_rest(START_PATIENCE);
        rest.with_context(|| format!("the cluster was not founded within {:?}", begun.elapsed()))?;
        Ok(())
    }

    /// Waits until every declared replica is healthy on the stable version and nothing is left to do.
    ///
    /// # Errors
    ///
    /// After `patience`, with what is still open.
    pub fn until_at_rest(&self, patience: Duration) -> anyhow::Result<Value> {
        let mut open = String::from("nobody answered");
        let found = wait_for("a cluster at rest", patience, || match self.at_rest() {
            Ok(Ok(status)) => Some(status),
            Ok(Err(what)) => {
                open = what;
                None
            }
            Err(error) => {
                open = format!("{error:#}");
                None
            }
        });
        found.with_context(|| format!("still open: {open}"))
    }

    /// The status when nothing is left to do, else what is.
    fn at_rest(&self) -> anyhow::Result<Result<Value, String>> {
        // Before the status, which names no goal that waits for its turn.
        let goals = self.told(&["goal", "list", "--limit", GOALS_MAX])?;
        let goes_on = goals["goals"].as_array().into_iter().flatten().find(|goal| goal["ended_at"].is_null());
        let status = self.status()?;
        Ok(match goes_on {
            Some(goal) => Err(format!("goal {} is {}", goal["id"], goal["status"])),
            None => what_is_open(&status).map_or(Ok(status), Err),
        })
    }

    /// The status as the leader tells it.
    ///
    /// # Errors
    ///
    /// If nobody leads, or nobody answers in time.
    pub fn status(&self) -> anyhow::Result<Value> {
        self.told(&["status"])
    }

    /// What `watchdogctl` says, as JSON.
    fn told(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = self.ctl(&[&["-o", "json"], arguments].concat())?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "watchdogctl {}: {}", arguments.join(" "), said.trim());
        serde_json::from_slice(&output.stdout).context("read what watchdogctl says")
    }

    /// Runs `watchdogctl` as an operator outside of all cuts.
    ///
    /// # Errors
    ///
    /// If it can't be run.
    pub fn ctl(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        ctl(&self.programs, arguments)
    }

    /// Asks the database directly, from outside of all cuts.
    ///
    /// # Errors
    ///
    /// If it does not answer within five seconds.
    pub fn sql(&self, statement: &str) -> anyhow::Result<String> {
        let address = Node::Database.address();
        let url = format!("postgres://postgres@{address}:{DATABASE_PORT}/postgres");
        let output = Command::new("timeout")
            .arg("20")
            .arg(postgres::find_binaries()?.join("psql"))
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", statement])
            .env("PGCONNECT_TIMEOUT", "5")
            .output()
            .context("run psql")?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "psql: {}", said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The index of the watchdog that leads.
    pub fn leader(&self) -> Option<usize> {
        let status = self.status().ok()?;
        let id = status["leader"]["id"].as_str()?;
        (0..EACH).find(|index| Node::Dog(*index).name() == id)
    }

    /// The index of the ZooKeeper node that leads.
    pub fn zoo_leader(&self) -> Option<usize> {
        (0..EACH).find(|index| {
            let address = Node::Zoo(*index).address();
            let script = format!("exec 3<>/dev/tcp/{address}/2181; echo srvr >&3; cat <&3");
            let output = Command::new("timeout").args(["1", "bash", "-c", &script]).output();
            output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("Mode: leader"))
        })
    }

    /// Ends PostgreSQL: in order, or with SIGKILL for all of its processes.
    pub fn stop_database(&mut self, in_order: bool) {
        if in_order {
            return self.database.stop(Signal::INT, DATABASE_STOP);
        }
        // Its backends lead groups of their own.
        let backends = self.database.pid().map(children_of).unwrap_or_default();
        self.database.kill();
        signal_all(&backends, Signal::KILL);
    }

    /// Stops or continues all processes of PostgreSQL.
    pub fn signal_database(&self, signal: Signal) {
        self.database.signal(signal);
        signal_all(&self.database.pid().map(children_of).unwrap_or_default(), signal);
    }
}

/// What keeps a cluster from being at rest, by its status; `None` when nothing does.
pub fn what_is_open(status: &Value) -> Option<String> {
    if status["leader"].is_null() {
        return Some("nobody leads".to_owned());
    }
    let (head, stable) = (status["head"].as_u64(), status["stable"].as_u64());
    if head.is_none() || head != stable {
        return Some(format!("the head is {head:?} and stable is {stable:?}; {}", status["refusals"]));
    }
    for what in ["plan", "goal", "paused"] {
        if !status[what].is_null() {
            return Some(format!("{what}: {}", status[what]));
        }
    }
    let replicas = status["replicas"].as_array()?;
    let declared = crate::site::PLAIN.len() + 1;
    if replicas.len() != declared {
        return Some(format!("{} of {declared} replicas are known", replicas.len()));
    }
    let bad = |row: &&Value| row["state"] != "healthy" || row["version"] != row["expected"];
    replicas.iter().find(bad).map(|row| format!("{row}; {}", status["refusals"]))
}

/// Runs `watchdogctl`, which may not take longer than ten seconds.
///
/// # Errors
///
/// If it can't be run.
pub fn ctl(programs: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new("timeout");
    command.arg("10").arg(programs.join("watchdogctl")).args(arguments);
    command.env("WATCHDOG_ENDPOINTS", Site::endpoints()).env("WATCHDOG_CLUSTER", CLUSTER);
    command.env("USER", "operator").output().context("run watchdogctl")
}

fn signal_all(pids: &[u32], signal: Signal) {
    let pids = pids.iter().filter_map(|pid| rustix::process::Pid::from_raw(i32::try_from(*pid).ok()?));
    for pid in pids {
        // Who has just ended needs no signal any more.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn find_faketime() -> Option<PathBuf> {
    let machines = fs::read_dir("/usr/lib").ok()?.flatten();
    machines.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file())
}

fn zoo(site: &Site, index: usize) -> Unit {
    let node = Node::Zoo(index);
    let config = site.config(node);
    Unit::new(&node.name(), site.log(&node.name()), move || {
        let mut command = node.command("java");
        command.args(zookeeper::java_arguments()).arg(&config);
        command
    })
}

fn dog(site: &Site, index: usize, programs: &Path, faketime: Option<&Path>) -> Unit {
    let node = Node::Dog(index);
    let (config, clock) = (site.config(node), site.clock(node));
    let program = programs.join("watchdog").to_string_lossy().into_owned();
    let faketime = faketime.map(Path::to_owned);
    Unit::new(&node.name(), site.log(&node.name()), move || {
        let mut command = node.command(&program);
        command.args(["run", "--config"]).arg(&config).env("NO_COLOR", "1");
        if let Some(library) = &faketime {
            // Time-outs are by the monotonic clock, and machines whose that jumps do not exist.
            command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock);
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("FAKETIME_CACHE_DURATION", "1");
        }
        command
    })
}

fn host(site: &Site, index: usize, program: &Path) -> Unit {
    let node = Node::Host(index);
    let config = site.config(node);
    let program = program.to_string_lossy().into_owned();
    Unit::new(&node.name(), site.log(&node.name()), move || {
        let mut command = node.command(&program);
        command.args(["run", "--config"]).arg(&config).env("NO_COLOR", "1");
        command
    })
}

fn as_postgres() -> anyhow::Result<Vec<String>> {
    let user = postgres::unprivileged()?.context("PostgreSQL is run by root only through another user")?;
    let (uid, gid) = (format!("--reuid={}", user.uid), format!("--regid={}", user.gid));
    Ok(vec![uid, gid, "--clear-groups".to_owned()])
}

fn database(site: &Site) -> anyhow::Result<Unit> {
    let node = Node::Database;
    let disk = site.disk(node);
    let binary = postgres::find_binaries()?.join("postgres");
    let user = as_postgres()?;
    Ok(Unit::new(&node.name(), site.log(&node.name()), move || {
        let mut command = node.command("setpriv");
        command.args(&user).arg(&binary).arg("-D").arg(disk.join("data")).arg("-k").arg(&disk);
        command.args(["-h", &node.address().to_string(), "-p", &DATABASE_PORT.to_string()]);
        for setting in ["max_connections=100", "shared_buffers=32MB", "max_wal_size=32MB", "min_wal_size=8MB"]
        {
            command.args(["-c", setting]);
        }
        command.current_dir(&disk);
        command
    }))
}
