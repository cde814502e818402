//! Nemesis: carries out the schedule, ends each fault in its time, and writes down what it did.

mod harm;

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::fault::{Kind, Planned};
use crate::net::{Node, Rule};
use crate::stage::Stage;
use crate::stale::Reply;
use crate::time::now_ms;
use crate::witness::{Life, Witness};

const ROUND: Duration = Duration::from_millis(50);
/// A fault that finds nobody whom it may hit waits so long for one.
const PATIENCE: Duration = Duration::from_secs(8);

/// A fault that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// What.
    pub kind: Kind,
    /// Whom it hit.
    pub target: String,
    /// Which life, when it hit a replica.
    pub incarnation: Option<String>,
    /// When it began.
    pub from_ms: u64,
    /// When it was taken back, or was over by itself.
    pub to_ms: Option<u64>,
    /// What an agent said to a stale order.
    pub reply: Option<Reply>,
}

/// How a fault is taken back.
enum Undo {
    Nothing,
    Lift(Vec<Rule>),
    /// A process is started again, or was only stopped.
    Revive(Node),
    /// A replica that nobody has killed meanwhile goes on.
    Wake(Life),
    Empty(std::path::PathBuf),
}

/// A program that ended without the nemesis having ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallen {
    /// On which node.
    pub name: String,
    /// When that was seen.
    pub at_ms: u64,
}

struct Running {
    act: usize,
    busy: Vec<String>,
    until: Instant,
    undo: Undo,
}

/// See the module.
pub struct Nemesis<'a> {
    stage: &'a mut Stage,
    witness: &'a Witness,
    /// What was done.
    pub acts: Vec<Act>,
    /// Who ended without our doing, and was started again as an init would.
    pub fallen: Vec<Fallen>,
    running: Vec<Running>,
    orders: u64,
}

impl<'a> Nemesis<'a> {
    /// One that has done nothing yet.
    pub fn new(stage: &'a mut Stage, witness: &'a Witness) -> Self {
        Self { stage, witness, acts: Vec::new(), fallen: Vec::new(), running: Vec::new(), orders: 0 }
    }

    /// Carries out a schedule to its end, and takes everything back; `tell` hears of each fault.
    ///
    /// # Errors
    ///
    /// If our own tools fail: a fault that can't be taken back would be blamed on the product.
    pub fn carry_out(&mut self, schedule: &[Planned], mut tell: impl FnMut(&Act)) -> anyhow::Result<()> {
        let mut due = Instant::now();
        for planned in schedule {
            due += planned.after;
            while Instant::now() < due {
                self.take_back_due()?;
                std::thread::sleep(ROUND);
            }
            let before = self.acts.len();
            self.attempt(planned)?;
            due = due.max(Instant::now());
            self.acts[before..].iter().for_each(&mut tell);
        }
        while !self.running.is_empty() {
            self.take_back_due()?;
            std::thread::sleep(ROUND);
        }
        self.revive_fallen()
    }

    fn attempt(&mut self, planned: &Planned) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            if let Some(harm) = self.begin(planned)? {
                let now = now_ms();
                let act = self.acts.len();
                self.acts.push(Act {
                    kind: planned.kind,
                    target: harm.target,
                    incarnation: harm.incarnation,
                    from_ms: now,
                    to_ms: matches!(harm.undo, Undo::Nothing).then_some(now),
                    reply: harm.reply,
                });
                if !matches!(harm.undo, Undo::Nothing) {
                    let until = Instant::now() + planned.lasts;
                    self.running.push(Running { act, busy: harm.busy, until, undo: harm.undo });
                }
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Ok(());
            }
            self.take_back_due()?;
            std::thread::sleep(ROUND);
        }
    }

    fn take_back_due(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        while let Some(index) = self.running.iter().position(|running| running.until <= now) {
            let over = self.running.swap_remove(index);
            self.take_back(over.undo)?;
            self.acts[over.act].to_ms = Some(now_ms());
        }
        self.revive_fallen()
    }

    fn take_back(&mut self, undo: Undo) -> anyhow::Result<()> {
        match undo {
            Undo::Nothing => {}
            Undo::Lift(rules) => rules.iter().try_for_each(Rule::lift)?,
            Undo::Revive(Node::Database) => {
                self.stage.signal_database(Signal::CONT);
                self.stage.database.start()?;
            }
            Undo::Revive(node) => {
                if let Some(unit) = self.unit(node) {
                    unit.signal(Signal::CONT);
                    unit.start()?;
                }
            }
            Undo::Wake(life) => {
                life.signal(Signal::CONT);
            }
            Undo::Empty(path) => std::fs::remove_file(path)?,
        }
        Ok(())
    }

    fn revive_fallen(&mut self) -> anyhow::Result<()> {
        for node in Node::all() {
            let name = node.name();
            if self.is_busy(&name) {
                continue;
            }
            if let Some(unit) = self.unit(node)
                && !unit.is_running()
            {
                unit.start()?;
                self.fallen.push(Fallen { name, at_ms: now_ms() });
            }
        }
        Ok(())
    }

    fn unit(&mut self, node: Node) -> Option<&mut crate::unit::Unit> {
        match node {
            Node::Zoo(index) => self.stage.zoo.get_mut(index),
            Node::Dog(index) => self.stage.dogs.get_mut(index),
            Node::Host(index) => self.stage.hosts.get_mut(index),
            Node::Database => Some(&mut self.stage.database),
        }
    }

    /// Whether a fault already has it.
    fn is_busy(&self, name: &str) -> bool {
        self.running.iter().any(|running| running.busy.iter().any(|busy| busy == name))
    }
}
