//! Deployment: a cluster as its owner sets it up: `watchdogctl certs init`, a file for each program, TLS to every store.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use watchdog_proto::admin::admin_client::AdminClient;
use watchdog_proto::admin::{ChangeRequest, LogAppendRequest};
use watchdog_tests::postgres::{Durability, Postgres, unprivileged};
use watchdog_tests::process::Swept;
use watchdog_tests::story::{PATIENCE, runs};
use watchdog_tests::visitor::Visitor;
use watchdog_tests::zookeeper::Ensemble;
use watchdog_tests::{Directory, Guarded, dev, ports, wait_for};

/// A deployment in a directory of its own.
struct Site {
    directory: Directory,
    url: String,
}

impl Site {
    /// Makes everybody's certificates; the stores have some, too.
    fn new() -> Self {
        let directory = Directory::fresh("deployment-").unwrap();
        let url = format!("https://127.0.0.1:{}", ports::free().unwrap());
        let site = Self { directory, url };
        let certs = site.path("certs").display().to_string();
        let machines = ["--watchdog", "w1=127.0.0.1", "--host", "h1=127.0.0.1", "--host", "store=127.0.0.1"];
        let told =
            site.ctl(&[&["certs", "init", "--dir", &certs, "--person", "ada=admin"], &machines[..]].concat());
        assert!(
            told.contains("copy both") && told.contains("certificate = \"/etc/watchdog/w1.pem\""),
            "{told}"
        );
        let shown = site.ctl(&["certs", "show", &format!("{certs}/h1.pem")]);
        assert!(shown.contains("agent \"h1\", until ") && shown.contains("127.0.0.1"), "{shown}");
        let again = site.command(&["certs", "init", "--dir", &certs]).output().unwrap();
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        assert!(!again.status.success() && said.contains("ca.pem is there already"), "{said}");
        site
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(dev::program("watchdogctl").unwrap());
        command.args(arguments).env("WATCHDOG_ENDPOINTS", &self.url).env("WATCHDOG_CLUSTER", "demo");
        command
    }

    fn ctl(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn status(&self) -> Option<Value> {
        let file = |name: &str| self.path("certs").join(name).display().to_string();
        let (ca, certificate, key) = (file("ca.pem"), file("ada.pem"), file("ada.key"));
        let tls = ["--tls-ca", &ca, "--tls-cert", &certificate, "--tls-key", &key];
        let output = self.command(&[&tls[..], &["-o", "json", "status"]].concat()).output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    fn table(&self, name: &str) -> String {
        let certs = self.path("certs");
        let file = |name: &str| certs.join(name).display().to_string();
        format!(
            "ca = {:?}\ncertificate = {:?}\nkey = {:?}\n",
            file("ca.pem"),
            file(&format!("{name}.pem")),
            file(&format!("{name}.key"))
        )
    }

    fn start(&self, program: &str, text: &str) -> Guarded {
        let file = self.path(&format!("{program}.toml"));
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(dev::program(program).unwrap());
        command.arg("run").arg("--config").arg(&file);
        Guarded::spawn(program, &mut command, &self.path(&format!("{program}.log"))).unwrap()
    }

    /// One node of ZooKeeper that lets in nobody without a certificate, and the port for that.
    fn zookeeper(&self) -> (Ensemble, u16) {
        let certs = self.path("certs");
        let read = |file: &str| std::fs::read_to_string(certs.join(file)).unwrap();
        let (store, port) = (self.path("store.pem"), ports::free().unwrap());
        std::fs::write(&store, format!("{}{}", read("store.key"), read("store.pem"))).unwrap();
        let settings = format!(
            "secureClientPort={port}\nserverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\
             ssl.keyStore.location={}\nssl.keyStore.type=PEM\nssl.trustStore.location={}\nssl.trustStore.type=PEM\n\
             ssl.clientAuth=need\n",
            store.display(),
            certs.join("ca.pem").display()
        );
        (Ensemble::start_with(1, &settings).unwrap(), port)
    }

    /// A PostgreSQL that lets in nobody over TCP without TLS, and the address of its journal.
    fn postgres(&self) -> (Postgres, String) {
        let server = Postgres::start(Durability::Unsynced).unwrap();
        let home = server.socket_directory();
        for file in ["store.pem", "store.key"] {
            std::fs::copy(self.path("certs").join(file), home.join(file)).unwrap();
            if let Some(user) = unprivileged().unwrap() {
                std::os::unix::fs::chown(home.join(file), Some(user.uid), Some(user.gid)).unwrap();
            }
        }
        std::fs::write(home.join("data/pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").unwrap();
        for (setting, file) in [("ssl_cert_file", "store.pem"), ("ssl_key_file", "store.key")] {
            let set = format!("ALTER SYSTEM SET {setting} = '{}'", home.join(file).display());
            server.psql("postgres", &set).unwrap();
        }
        server.psql("postgres", "ALTER SYSTEM SET ssl = on").unwrap();
        server.restart().unwrap();
        let url = server.create_database().unwrap();
        (server, url)
    }
}

fn replica(status: &Value) -> Option<(u32, String)> {
    let row = status["replicas"].as_array()?.iter().find(|row| row["state"] == "healthy")?;
    Some((u32::try_from(row["pid"].as_u64()?).ok()?, row["incarnation"].as_str()?.to_owned()))
}

async fn found(site: &Site) {
    let channel = Visitor::citizen(&site.path("certs"), "ada").connect(&site.url).await.unwrap();
    let spec = json!({ "hosts": ["h1"], "program": "scoring-server", "probes": [{ "kind": "http", "path": "/healthz" }] });
    let changes = [("replica/demo-a", spec), ("policy/healing", json!({ "quiet_ms": 1_000 }))];
    let changes =
        changes.map(|(key, value)| ChangeRequest { key: key.into(), value_json: Some(value.to_string()) });
    let request = LogAppendRequest {
        cluster: "demo".into(),
        expected_head: 0,
        author: "tests".into(),
        changes: changes.into(),
    };
    AdminClient::new(channel).log_append(request).await.unwrap();
}

fn watchdog(site: &Site, journal: &str, zookeeper: u16) -> String {
    let listen = site.url.trim_start_matches("https://");
    let coordination = coordination(site, "w1", zookeeper);
    format!(
        "id = \"w1\"\nlisten = {listen:?}\nclusters = [\"demo\"]\njournal = {journal:?}\n{coordination}[tls]\n{}",
        site.table("w1")
    )
}

fn host(site: &Site, zookeeper: u16) -> String {
    let dir = site.path("host").display().to_string();
    let program = dev::program("scoring-server").unwrap().display().to_string();
    let coordination = coordination(site, "h1", zookeeper);
    format!(
        "host = \"h1\"\nlisten = \"127.0.0.1:0\"\ndir = {dir:?}\nclusters = [\"demo\"]\n{coordination}[tls]\n{}\
         [programs.scoring-server]\nargv = [{program:?}]\n",
        site.table("h1")
    )
}

fn coordination(site: &Site, name: &str, port: u16) -> String {
    let keys: Vec<String> = site.table(name).lines().map(|line| format!("tls_{line}\n")).collect();
    let keys = keys.concat();
    format!("[coordination]\nurl = \"zookeeper://127.0.0.1:{port}/watchdog\"\n{keys}")
}

#[test]
fn a_deployment_with_tls_to_everything_heals() {
    let site = Site::new();
    let (_ensemble, zookeeper) = site.zookeeper();
    let (postgres, plain) = site.postgres();
    let ca = site.path("certs/ca.pem").display().to_string();
    let encrypted = |ca: &str| format!("{plain}?sslmode=verify-full&sslrootcert={ca}");

    // Whoever can't tell that the store is the right one, does not talk to it.
    let foreign = site.path("foreign").display().to_string();
    site.ctl(&["certs", "init", "--dir", &foreign]);
    let mut doubtful =
        site.start("watchdog", &watchdog(&site, &encrypted(&format!("{foreign}/ca.pem")), zookeeper));
    wait_for("a refusal", PATIENCE, || doubtful.log().contains("invalid peer certificate").then_some(()))
        .unwrap();
    doubtful.kill();

    let _ended = Swept(site.directory.path());
    let _watchdog = site.start("watchdog", &watchdog(&site, &encrypted(&ca), zookeeper));
    let _host = site.start("replica-agent", &host(&site, zookeeper));
    wait_for("a leader", PATIENCE, || site.status().filter(|status| status["leader"].is_object())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(found(&site));
    let healthy = || wait_for("a healthy replica", PATIENCE, || replica(&site.status()?)).unwrap();
    let (pid, life) = healthy();

    // Beyond its start, so that it is no crash loop.
    std::thread::sleep(Duration::from_millis(1_500));
    let number = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(number, rustix::process::Signal::KILL).unwrap();
    wait_for("its heir", PATIENCE, || replica(&site.status()?).filter(|(_, heir)| *heir != life)).unwrap();
    assert!(!runs(pid));
    let sessions = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND datname LIKE 'test%'";
    assert_ne!(postgres.psql("postgres", sessions).unwrap(), "0");
}
