//! Harm: how each kind of fault begins, on whom, and how it is to be taken back.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use rustix::process::Signal;
use watchdog_tests::http;

use super::{Nemesis, Undo};
use crate::fault::{Kind, Planned};
use crate::net::{EACH, Node, OUTSIDE, Rule};
use crate::site::Site;
use crate::stale::{self, Reply};
use crate::witness::Life;

/// A fault that has begun.
pub(super) struct Harm {
    pub(super) target: String,
    pub(super) incarnation: Option<String>,
    pub(super) busy: Vec<String>,
    pub(super) undo: Undo,
    pub(super) reply: Option<Reply>,
}

impl Harm {
    fn on(target: String, undo: Undo) -> Self {
        Self { busy: vec![target.clone()], target, incarnation: None, undo, reply: None }
    }

    fn on_life(life: &Life, undo: Undo) -> Self {
        Self { incarnation: Some(life.incarnation.clone()), ..Self::on(life.replica.clone(), undo) }
    }
}

impl Nemesis<'_> {
    /// Begins a fault; `None` when there is nobody whom it may hit now.
    pub(super) fn begin(&mut self, planned: &Planned) -> anyhow::Result<Option<Harm>> {
        let draw = planned.draw;
        match planned.kind {
            Kind::Cut
            | Kind::OneWayCut
            | Kind::Loss
            | Kind::ZooCut
            | Kind::JournalCut
            | Kind::AgentsCut
            | Kind::HostLost => self.cut(planned.kind, draw),
            Kind::PauseLeader => Ok(self.leader().and_then(|node| self.pause(node))),
            Kind::PauseWatchdog => Ok(self.free(Node::Dog, draw).and_then(|node| self.pause(node))),
            Kind::PauseAgent => Ok(self.free(Node::Host, draw).and_then(|node| self.pause(node))),
            Kind::PauseZoo => Ok(self.free_zoo(draw).and_then(|node| self.pause(node))),
            Kind::KillLeader => Ok(self.leader().and_then(|node| self.kill(node))),
            Kind::KillWatchdog => Ok(self.free(Node::Dog, draw).and_then(|node| self.kill(node))),
            Kind::KillAgent => Ok(self.free(Node::Host, draw).and_then(|node| self.kill(node))),
            Kind::KillZoo => Ok(self.free_zoo(draw).and_then(|node| self.kill(node))),
            Kind::KillZooLeader => Ok(self.zoo_leader().and_then(|node| self.kill(node))),
            Kind::KillReplica | Kind::HangReplica | Kind::Drift | Kind::Lie => {
                Ok(self.replica(planned.kind, draw))
            }
            Kind::DatabaseRestart | Kind::DatabaseKill | Kind::DatabaseFreeze => {
                Ok(self.database(planned.kind))
            }
            Kind::AgentDiskFull => match self.free(Node::Host, draw) {
                Some(node) => self.fill(node).map(Some),
                None => Ok(None),
            },
            Kind::DatabaseDiskFull if self.is_busy("db") => Ok(None),
            Kind::DatabaseDiskFull => self.fill(Node::Database).map(Some),
            Kind::ClockStep => self.step_clock(draw),
            Kind::StaleOrder => Ok(self.order(draw)),
        }
    }

    fn free(&self, kind: fn(usize) -> Node, draw: u64) -> Option<Node> {
        let first = usize::try_from(draw % EACH as u64).unwrap_or_default();
        let nodes = (0..EACH).map(|offset| kind((first + offset) % EACH));
        nodes.into_iter().find(|node| !self.is_busy(&node.name()))
    }

    /// A minority of ZooKeeper: with two of three away only one thing would ever be tested, that everybody holds.
    fn free_zoo(&self, draw: u64) -> Option<Node> {
        let healthy = (0..EACH).all(|index| !self.is_busy(&Node::Zoo(index).name()));
        healthy.then(|| self.free(Node::Zoo, draw)).flatten()
    }

    fn leader(&self) -> Option<Node> {
        self.stage.leader().map(Node::Dog).filter(|node| !self.is_busy(&node.name()))
    }

    fn zoo_leader(&self) -> Option<Node> {
        self.free_zoo(0)?;
        self.stage.zoo_leader().map(Node::Zoo)
    }

    fn cut(&self, kind: Kind, draw: u64) -> anyhow::Result<Option<Harm>> {
        let all = Node::all();
        let some = all[usize::try_from(draw % all.len() as u64).unwrap_or_default()];
        let others = |one: Node| all.iter().copied().filter(move |other| *other != one);
        let apart =
            |one: Node, rest: Vec<Node>| rest.into_iter().flat_map(move |other| Rule::apart(one, other));
        let zoo = || (0..EACH).map(Node::Zoo).collect();
        let cut: Option<(Node, Vec<Rule>)> = match kind {
            Kind::OneWayCut => {
                let from =
                    others(some).nth(usize::try_from(draw >> 32).unwrap_or_default() % (all.len() - 1));
                from.map(|from| (some, vec![Rule::deaf(some, from.address())]))
            }
            Kind::Loss => Some((some, vec![Rule::lossy(some, 10 + (draw >> 32) % 50)])),
            Kind::ZooCut => {
                let client: fn(usize) -> Node = if draw & 8 == 0 { Node::Dog } else { Node::Host };
                self.free(client, draw).map(|client| (client, apart(client, zoo()).collect()))
            }
            Kind::JournalCut => {
                self.leader().map(|leader| (leader, apart(leader, vec![Node::Database]).collect()))
            }
            Kind::AgentsCut => {
                let hosts = (0..EACH).map(Node::Host).collect();
                self.leader().map(|leader| (leader, apart(leader, hosts).collect()))
            }
            Kind::HostLost => self.free(Node::Host, draw).map(|host| {
                let outside = Rule::deaf(host, OUTSIDE);
                (host, apart(host, others(host).collect()).chain([outside]).collect())
            }),
            _ => Some((some, apart(some, others(some).collect()).collect())),
        };
        let Some((target, rules)) = cut.filter(|(target, _)| !self.is_busy(&target.name())) else {
            return Ok(None);
        };
        rules.iter().try_for_each(Rule::apply)?;
        Ok(Some(Harm::on(target.name(), Undo::Lift(rules))))
    }

    fn pause(&mut self, node: Node) -> Option<Harm> {
        self.unit(node)?.signal(Signal::STOP);
        Some(Harm::on(node.name(), Undo::Revive(node)))
    }

    fn kill(&mut self, node: Node) -> Option<Harm> {
        self.unit(node)?.kill();
        Some(Harm::on(node.name(), Undo::Revive(node)))
    }

    fn database(&mut self, kind: Kind) -> Option<Harm> {
        if self.is_busy("db") {
            return None;
        }
        match kind {
            Kind::DatabaseFreeze => self.stage.signal_database(Signal::STOP),
            _ => self.stage.stop_database(kind == Kind::DatabaseRestart),
        }
        Some(Harm::on("db".to_owned(), Undo::Revive(Node::Database)))
    }

    fn life(&self, draw: u64) -> Option<Life> {
        let living = self.witness.living();
        let free: Vec<&Life> = living.iter().filter(|life| !self.is_busy(&life.replica)).collect();
        let index = usize::try_from(draw % free.len().max(1) as u64).unwrap_or_default();
        free.get(index).map(|life| (*life).clone())
    }

    fn replica(&self, kind: Kind, draw: u64) -> Option<Harm> {
        let life = self.life(draw)?;
        match kind {
            Kind::KillReplica => life.signal(Signal::KILL).then(|| Harm::on_life(&life, Undo::Nothing)),
            Kind::HangReplica => {
                life.signal(Signal::STOP).then(|| Harm::on_life(&life, Undo::Wake(life.clone())))
            }
            _ => {
                let path = if kind == Kind::Lie { "/debug/lie" } else { "/debug/drift?version=1" };
                let address = self.stage.site.announced(&life, "service")?;
                let (status, _) =
                    http::ask("POST", &address, path, std::time::Duration::from_millis(500)).ok()?;
                (status == 200).then(|| Harm::on_life(&life, Undo::Nothing))
            }
        }
    }

    /// Fills what is left of a small disk.
    fn fill(&self, node: Node) -> anyhow::Result<Harm> {
        let path = self.stage.site.disk(node).join("filler");
        fill(&path).with_context(|| format!("fill the disk of {}", node.name()))?;
        Ok(Harm::on(node.name(), Undo::Empty(path)))
    }

    fn step_clock(&self, draw: u64) -> anyhow::Result<Option<Harm>> {
        let Some(node) = self.free(Node::Dog, draw) else { return Ok(None) };
        let seconds = [-600_i64, -30, -3, 3, 30, 600][usize::try_from((draw >> 8) % 6).unwrap_or_default()];
        self.stage.site.set_clock(node, seconds)?;
        Ok(Some(Harm::on(format!("{} by {seconds:+} s", node.name()), Undo::Nothing)))
    }

    /// An order under the epoch before the newest that the agent has on disk.
    fn order(&mut self, draw: u64) -> Option<Harm> {
        let life = self.life(draw >> 8)?;
        let host = (0..EACH).find(|index| Node::Host(*index).name() == life.host)?;
        let newest = crate::ledger::newest_epoch(&self.stage.site.disk(Node::Host(host)))?;
        let epoch = newest.checked_sub(1).filter(|epoch| *epoch > 0)?;
        self.orders += 1;
        let reply = if draw & 1 == 0 {
            stale::kill(&Site::agent(host), &life, (epoch, self.orders))
        } else {
            stale::drain(&self.stage.site.announced(&life, "agent")?, &life, (epoch, self.orders))
        };
        (reply != Reply::Absent).then(|| Harm { reply: Some(reply), ..Harm::on_life(&life, Undo::Nothing) })
    }
}

fn fill(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    let mut block = vec![0_u8; 256 * 1024];
    loop {
        match file.write(&block) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                // Down to the last page.
                if block.len() <= 4096 {
                    return Ok(());
                }
                block.truncate(block.len() / 2);
            }
            Err(error) => return Err(error),
        }
    }
}
