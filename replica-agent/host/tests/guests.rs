//! Guests: whatever a guarded program does, the host agent answers, and lends it nothing.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod rig;

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rig::{HostAgent, Sweep, World, eventually, sleepers, start};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use watchdog_core::state::State;
use watchdog_membership::records::HostRecord;
use watchdog_proto::agent::{Load, Start, StepResult, act_request};

/// The user number that Debian gives to `nobody`.
const NOBODY: u32 = 65_534;

/// A directory in which everybody may write, on a way that everybody may go.
fn shared(world: &World) -> PathBuf {
    let open =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    open(world.directory.path(), 0o755);
    let shared = world.directory.path().join("shared");
    std::fs::create_dir_all(&shared).unwrap();
    open(&shared, 0o777);
    shared
}

/// Started as an agent should not be: with a secret, an open file, an own umask, and deaf to hangups.
fn careless() -> Command {
    let mut runner = Command::new("nohup");
    runner.args(["sh", "-c", "umask 077; exec 7</etc/hostname; exec \"$@\"", "sh"]).env("SECRET", "root's");
    runner
}

fn shell(script: &str) -> String {
    format!("argv = [\"/bin/sh\", \"-c\", {}]", toml_text(script))
}

fn toml_text(text: &str) -> String {
    format!("{text:?}")
}

fn command_probe(program: &str, interval_ms: u64, timeout_ms: u64) -> String {
    format!(
        "[{{\"kind\":\"command\",\"program\":\"{program}\",\"timing\":{{\"interval_ms\":{interval_ms},\"timeout_ms\":{timeout_ms},\"failures\":1}}}}]"
    )
}

/// The ignored signals of a line of /proc/PID/status, but the two that the C library keeps to itself.
fn ignored(line: &str) -> u64 {
    u64::from_str_radix(line.trim_start_matches("SigIgn:").trim(), 16).unwrap() & !0x1_8000_0000
}

async fn load(agent: &mut HostAgent, step: &str, order: &Start, text: &str) -> StepResult {
    let state = format!("{{\"setting/x\":\"{text}\"}}");
    let parsed: State = serde_json::from_str(&state).unwrap();
    let load = Load {
        replica: order.replica.clone(),
        incarnation: order.incarnation.clone(),
        from_version: 1,
        to_version: 2,
        to_hash: parsed.hash().to_string(),
        state_json: state,
        ..Load::default()
    };
    agent.act(agent.order(step), act_request::Act::Load(load)).await.unwrap()
}

fn with_text(replica: &str, program: &str, text: &str) -> Start {
    let state = format!("{{\"setting/x\":\"{text}\"}}");
    let parsed: State = serde_json::from_str(&state).unwrap();
    Start { state_hash: parsed.hash().to_string(), state_json: state, ..start(replica, program) }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_run_as_the_guarded_programs_user_with_nothing_of_ours() {
    let world = World::new().await;
    let seen = shared(&world).join("seen");
    let script = format!(
        "{{ id -u; id -G; umask; pwd; ls /proc/$$/fd | tr '\\n' ' '; echo; grep SigBlk /proc/self/status; grep SigIgn /proc/self/status; env; }} > {0}.new; mv {0}.new {0}",
        seen.display()
    );
    let programs = format!(
        "[programs.sleeper]\nargv = [\"/bin/sleep\", \"300\"]\nuser = \"nobody\"\ndirectory = \"/usr\"\n\
         [programs.look]\n{}\nenvironment = {{ GIVEN = \"yes\" }}\n",
        shell(&script)
    );
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent_under(careless(), (&world.agent_dir(), &programs)).await.unwrap();
    let order = Start { probes_json: command_probe("look", 100, 5_000), ..start("demo-a", "sleeper") };
    let pid = agent.start_replica("1-1-1", order).await;
    eventually("the probe", || seen.exists()).await;
    let seen = std::fs::read_to_string(&seen).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    let groups = Command::new("id").args(["-G", "nobody"]).output().unwrap().stdout;
    assert_eq!(lines[..4], ["65534", String::from_utf8(groups).unwrap().trim(), "0022", "/usr"], "{seen}");
    assert!(!lines[4].split(' ').any(|fd| fd == "7"), "{seen}");
    assert_eq!(lines[5], "SigBlk:\t0000000000000000");
    assert_eq!(ignored(lines[6]), 0, "{seen}");
    let variables: Vec<&str> = lines[7..].iter().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(variables.contains(&"GIVEN") && variables.contains(&"WATCHDOG_REPLICA"), "{seen}");
    let allowed = |name: &&&str| {
        name.starts_with("WATCHDOG_")
            || ["PATH", "GIVEN", "USER", "LOGNAME", "HOME", "PWD", "OLDPWD", "SHLVL", "_"].contains(*name)
    };
    assert_eq!(variables.iter().find(|name| !allowed(name)), None, "{seen}");

    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert_eq!(status.lines().find(|line| line.starts_with("SigIgn:")).map(ignored), Some(0));
    assert!(status.contains(&format!("Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}")), "{status}");
    assert!(!Path::new(&format!("/proc/{pid}/fd/7")).exists(), "what we inherited, it did not");
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("SECRET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_probe_outlives_its_round() {
    let world = World::new().await;
    let programs = format!(
        "[programs.sleeper]\nargv = [\"/bin/sleep\", \"300\"]\n[programs.slow]\n{}\n[programs.leaves]\n{}\n",
        shell("sleep 7077 & setsid sleep 7077 & setsid env -i sleep 7077 & wait"),
        shell("setsid env -i sleep 7078 & sleep 0.05; exit 4"),
    );
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(&programs).await;
    let slow = Start { probes_json: command_probe("slow", 400, 300), ..start("demo-a", "sleeper") };
    agent.start_replica("1-1-1", slow.clone()).await;
    let leaves = Start { probes_json: command_probe("leaves", 200, 5_000), ..start("demo-b", "sleeper") };
    agent.start_replica("1-1-2", leaves.clone()).await;
    let (began, mut most) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(6) {
        most = most.max(sleepers("7077").len());
        assert!(sleepers("7077").len() <= 6 && sleepers("7078").len() <= 2, "they pile up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(most > 0, "the probe never ran");
    agent.kill_replica("1-1-3", &slow, 0).await;
    agent.kill_replica("1-1-4", &leaves, 0).await;
    eventually("all to be gone", || sleepers("7077").len() + sleepers("7078").len() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_is_heard_also_when_the_agent_is_deaf_to_it() {
    let world = World::new().await;
    let shared = shared(&world);
    let (ready, heard) = (shared.join("ready"), shared.join("heard"));
    let script = format!(
        "trap 'echo > {}' HUP; echo > {}; while :; do sleep 0.05; done",
        heard.display(),
        ready.display()
    );
    let programs = format!("[programs.hears]\n{}\nload = {{ signal = \"HUP\" }}\n", shell(&script));
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent_under(careless(), (&world.agent_dir(), &programs)).await.unwrap();
    let order = start("demo-a", "hears");
    agent.start_replica("1-1-1", order.clone()).await;
    eventually("it to be up", || ready.exists()).await;
    assert_eq!(load(&mut agent, "1-1-2", &order, "x").await.error, "");
    eventually("it to hear", || heard.exists()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_fails_leaves_the_file_as_it_was_and_says_why() {
    let world = World::new().await;
    let shared = shared(&world);
    let file = shared.join("x.conf");
    let script = "id -u; grep -q bad \"$0\" && echo out of luck >&2 && exit 3; sleep 7079 & exit 0";
    let programs = format!(
        "[programs.reads]\nargv = [\"/bin/sleep\", \"300\"]\nuser = \"nobody\"\n[programs.reads.load]\n\
         render = {{ {:?} = \"setting/x\" }}\ncommand = [\"/bin/sh\", \"-c\", {}, {:?}]\n",
        file.to_str().unwrap(),
        toml_text(script),
        file.to_str().unwrap(),
    );
    std::fs::write(&file, "as it came").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
    let standing = || {
        let data = std::fs::metadata(&file).unwrap();
        (std::fs::read_to_string(&file).unwrap(), data.mode() & 0o777, data.uid(), data.gid())
    };
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(&programs).await;
    let order = with_text("demo-a", "reads", "first");
    agent.start_replica("1-1-1", order.clone()).await;
    let as_nobodys = |text: &str| (text.to_owned(), 0o600, NOBODY, NOBODY);
    assert_eq!(standing(), as_nobodys("first"));
    let began = Instant::now();
    assert_eq!(load(&mut agent, "1-1-2", &order, "good").await.error, "");
    assert!(began.elapsed() < Duration::from_secs(10), "what it left in the background is not waited for");
    assert_eq!(sleepers("7079").len(), 0);
    assert_eq!(standing(), as_nobodys("good"));
    let failed = load(&mut agent, "1-1-3", &order, "bad").await;
    assert_eq!(failed.error, "the load command failed: exit 3: out of luck");
    assert_eq!((failed.code.as_str(), failed.blame.as_str()), ("load_command", "version"));
    assert_eq!(standing(), as_nobodys("good"), "put back");
    assert_eq!(std::fs::read_dir(&shared).unwrap().count(), 1, "nothing is left beside it");
}

async fn metrics(world: &World) -> String {
    let host: HostRecord = world.node("/demo/hosts/host-a", |_| true).await;
    let address = host.address.trim_start_matches("http://").to_owned();
    let get = async {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    tokio::time::timeout(Duration::from_secs(5), get).await.expect("metrics answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_lies_where_its_address_should_be_the_agent_answers_and_says_so() {
    let world = World::new().await;
    let secret = shared(&world).join("secret");
    std::fs::write(&secret, "{\"agent\":\"http://secret:1\",\"service\":null}").unwrap();
    let table = [
        ("demo-a", "mkfifo $WATCHDOG_ADDRESS_FILE".to_owned(), "is a FIFO"),
        ("demo-b", "mkfifo $WATCHDOG_ADDRESS_FILE".to_owned(), "is a FIFO"),
        ("demo-c", "ln -s /dev/zero $WATCHDOG_ADDRESS_FILE".to_owned(), "is a link"),
        ("demo-d", format!("ln -s {} $WATCHDOG_ADDRESS_FILE", secret.display()), "is a link"),
        ("demo-e", "truncate -s 1G $WATCHDOG_ADDRESS_FILE".to_owned(), "is larger than 65536 bytes"),
        ("demo-f", "echo nonsense > $WATCHDOG_ADDRESS_FILE".to_owned(), "is not readable as addresses"),
    ];
    let program = |(name, script, _): &(&str, String, &str)| {
        let script = format!("{script}; exec sleep 300");
        format!("[programs.{name}]\n{}\nuser = \"nobody\"\n", shell(&script))
    };
    let programs: String = table.iter().map(program).collect();
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(&programs).await;
    let mut orders = Vec::new();
    for (replica, ..) in &table {
        let probes_json = "[{\"kind\":\"http\",\"path\":\"/\"}]".to_owned();
        let order = Start { probes_json, ..start(replica, replica) };
        agent.start_replica(&format!("1-1-{}", orders.len() + 1), order.clone()).await;
        orders.push(order);
    }
    for restart in [false, true] {
        if restart {
            let asked = Instant::now();
            assert_eq!(agent.end(Signal::TERM), Some(0));
            assert!(asked.elapsed() < Duration::from_secs(10), "SIGTERM ends it");
            agent = world.agent(&programs).await;
        }
        for (order, (replica, _, expected)) in orders.iter().zip(&table) {
            let says = format!("its address file {expected}");
            let record = world.process(replica, &order.incarnation, |it| it.detail.contains(&says)).await;
            assert!(!record.detail.contains("secret"), "{record:?}");
        }
        assert_eq!(agent.look(&["demo-a", "demo-c"]).await.processes.len(), 2);
        assert!(metrics(&world).await.contains("watchdog_agent_processes"));
    }
}
