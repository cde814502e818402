//! Net: a namespace for every node, joined by a bridge, and the rules that make them deaf to each other.
//!
//! Everything of ours listens on loopback only, because it has no TLS. So the nodes have addresses of the loopback
//! range, which the kernel is told to route between the namespaces: real packets on real links, that no other machine
//! could ever be sent.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::Context as _;

/// The address of the bridge itself, where customers and operators are.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);

/// One machine of the cluster; the numbers count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A ZooKeeper node.
    Zoo(usize),
    /// A watchdog.
    Dog(usize),
    /// A host agent and its replicas.
    Host(usize),
    /// PostgreSQL.
    Database,
}

/// How many there are of each kind but the database.
pub const EACH: usize = 3;

impl Node {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let kinds: [fn(usize) -> Self; 3] = [Self::Zoo, Self::Dog, Self::Host];
        let numbered = kinds.into_iter().flat_map(|kind| (0..EACH).map(kind));
        numbered.chain([Self::Database]).collect()
    }

    /// What it is called, also in the product's configuration.
    pub fn name(self) -> String {
        match self {
            Self::Zoo(index) => format!("z{}", index + 1),
            Self::Dog(index) => format!("w{}", index + 1),
            Self::Host(index) => format!("h{}", index + 1),
            Self::Database => "db".to_owned(),
        }
    }

    /// Its address.
    pub fn address(self) -> Ipv4Addr {
        let (base, index) = match self {
            Self::Zoo(index) => (11, index),
            Self::Dog(index) => (21, index),
            Self::Host(index) => (31, index),
            Self::Database => (41, 0),
        };
        Ipv4Addr::new(127, 77, 0, base + u8::try_from(index).unwrap_or_default())
    }

    /// `program`, to be run there.
    pub fn command(self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name())).arg("--").arg(program);
        command
    }
}

/// A rule of the packet filter of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    at: Node,
    words: Vec<String>,
}

impl Rule {
    /// `at` hears nothing of `from`.
    pub fn deaf(at: Node, from: Ipv4Addr) -> Self {
        let words = ["-s".to_owned(), from.to_string(), "-j".to_owned(), "DROP".to_owned()];
        Self { at, words: words.into() }
    }

    /// `at` loses so many of a hundred packets that other nodes send.
    pub fn lossy(at: Node, percent: u64) -> Self {
        let share = format!("0.{:02}", percent.min(99));
        let outside = OUTSIDE.to_string();
        let words = ["!", "-s", &outside, "-m", "statistic", "--mode", "random", "--probability", &share];
        let words = words.into_iter().chain(["-j", "DROP"]).map(str::to_owned);
        Self { at, words: words.collect() }
    }

    /// Both sides hear nothing of each other.
    pub fn apart(a: Node, b: Node) -> [Self; 2] {
        [Self::deaf(a, b.address()), Self::deaf(b, a.address())]
    }

    /// Lets it stand from now on.
    ///
    /// # Errors
    ///
    /// If iptables refuses.
    pub fn apply(&self) -> anyhow::Result<()> {
        self.change("-A")
    }

    /// Takes it back.
    ///
    /// # Errors
    ///
    /// If iptables refuses.
    pub fn lift(&self) -> anyhow::Result<()> {
        self.change("-D")
    }

    fn change(&self, verb: &str) -> anyhow::Result<()> {
        let mut command = self.at.command("iptables");
        run(command.args(["-w", verb, "INPUT"]).args(&self.words))
    }
}

/// Makes the namespaces, in a network namespace that is ours alone.
///
/// # Errors
///
/// If the kernel or iproute2 refuses.
pub fn build() -> anyhow::Result<()> {
    // Our own /run, so that the names of the namespaces go with our mounts.
    run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]))?;
    ip("link add name hub0 type bridge")?;
    prepare(None)?;
    ip(&format!("addr add {OUTSIDE}/24 dev hub0 scope global"))?;
    ip("link set hub0 up")?;
    for node in Node::all() {
        let name = node.name();
        ip(&format!("netns add {name}"))?;
        ip(&format!("link add v-{name} type veth peer name eth0 netns {name}"))?;
        ip(&format!("link set v-{name} master hub0 up"))?;
        prepare(Some(node))?;
        ip(&format!("-n {name} addr add {}/24 dev eth0 scope global", node.address()))?;
        ip(&format!("-n {name} link set eth0 up"))?;
    }
    Ok(())
}

/// Leaves 127.0.0.1 alone to the namespace itself, and lets it route the rest of that range.
fn prepare(node: Option<Node>) -> anyhow::Result<()> {
    let prefix = node.map_or_else(String::new, |node| format!("-n {} ", node.name()));
    ip(&format!("{prefix}link set lo up"))?;
    ip(&format!("{prefix}addr flush dev lo"))?;
    ip(&format!("{prefix}addr add 127.0.0.1/32 dev lo scope host"))?;
    let mut command = node.map_or_else(|| Command::new("sh"), |node| node.command("sh"));
    run(command.args(["-c", "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet"]))
}

fn ip(words: &str) -> anyhow::Result<()> {
    run(Command::new("ip").args(words.split(' ')))
}

/// Runs a command that says something only when it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("run {}", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{command:?}: {}: {}", output.status, said.trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_names_and_addresses_of_their_own() {
        let all = Node::all();
        let names: std::collections::BTreeSet<String> = all.iter().map(|node| node.name()).collect();
        let addresses: std::collections::BTreeSet<Ipv4Addr> = all.iter().map(|node| node.address()).collect();
        assert_eq!((names.len(), addresses.len()), (3 * EACH + 1, 3 * EACH + 1));
        assert!(addresses.iter().all(Ipv4Addr::is_loopback), "the product listens nowhere else");
    }

    #[test]
    fn rules_say_who_does_not_hear_whom() {
        let [there, back] = Rule::apart(Node::Dog(0), Node::Host(1));
        assert_eq!((there.at, there.words.join(" ")), (Node::Dog(0), "-s 127.77.0.32 -j DROP".to_owned()));
        assert_eq!((back.at, back.words.join(" ")), (Node::Host(1), "-s 127.77.0.21 -j DROP".to_owned()));
        assert!(Rule::lossy(Node::Host(0), 5).words.contains(&"0.05".to_owned()));
    }
}
