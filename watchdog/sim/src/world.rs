//! World: the cluster and all around it, driven from one event to the next.

use std::collections::BTreeMap;

use watchdog_core::ids::{Incarnation, Time};

use crate::ailing::Ailing;
use crate::audit::{Audits, Truth, Violation};
use crate::dog::Dog;
use crate::event::{Agenda, AgentWork, DogWork, Event};
use crate::fact::Fact;
use crate::figures::Figures;
use crate::host::Host;
use crate::journal::{Fault, Journal};
use crate::life::Life;
use crate::mutant::Safeguard;
use crate::nemesis::Nemesis;
use crate::net::{Net, Node};
use crate::order::{Answer, Asker, Reply, To};
use crate::rng::Rng;
use crate::setup::Setup;
use crate::story::Story;
use crate::zoo::{Holder, Zoo};

/// When every run begins, in milliseconds since 1970: 2026-01-01.
pub(crate) const BEGINS: u64 = 1_767_225_600_000;

/// See the module.
pub struct World {
    /// What the seed made.
    pub setup: Setup,
    /// True time since the beginning, in milliseconds.
    pub now: u64,
    /// What is planned.
    pub agenda: Agenda,
    /// Chance.
    pub rng: Rng,
    /// The network.
    pub net: Net,
    /// By how many milliseconds each machine's clock is off.
    pub clocks: BTreeMap<Node, i64>,
    /// When clocks jumped, and by how much.
    pub jumps: Vec<(u64, u64)>,
    /// The coordination service.
    pub zoo: Zoo,
    /// The journal.
    pub journal: Journal,
    /// What is wrong with the journal.
    pub ailing: Ailing,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The processes of replicas, as they truly are.
    pub lives: BTreeMap<Incarnation, Life>,
    /// The watchdogs.
    pub dogs: Vec<Dog>,
    /// Who does harm.
    pub nemesis: Nemesis,
    /// Who watches.
    pub audits: Audits,
    /// What is told of it.
    pub story: Story,
    /// What is counted.
    pub figures: Figures,
    /// What was broken first.
    pub violation: Option<Violation>,
    /// Whether known mistakes end the run too.
    pub is_strict: bool,
    /// The safeguard that is taken away.
    pub mutant: Option<Safeguard>,
    /// Numbers that are given once.
    pub tickets: u64,
    /// The last change of the group that its watchers were woken for.
    pub stirred: u64,
    /// A hash over everything that happened.
    pub trace: u64,
}

impl World {
    /// The world of a setup, before anything happens.
    pub fn new(setup: Setup, rng: Rng, mutant: Option<Safeguard>) -> Self {
        let mut journal = Journal::new(setup.founding(), Time(BEGINS));
        journal.fences = mutant != Some(Safeguard::JournalFence);
        journal.remembers = mutant != Some(Safeguard::WritesOnce);
        journal.keeps_lives = mutant != Some(Safeguard::LivesKept);
        let dogs = setup.dogs.iter().map(|_| Dog::default()).collect();
        Self {
            now: 0,
            agenda: Agenda::default(),
            net: Net::default(),
            clocks: BTreeMap::new(),
            jumps: Vec::new(),
            zoo: Zoo::default(),
            journal,
            ailing: Ailing::default(),
            hosts: setup.hosts.iter().map(|host| Host::new(host.as_str(), &setup.policy)).collect(),
            lives: BTreeMap::new(),
            dogs,
            nemesis: Nemesis::default(),
            audits: Audits::default(),
            story: Story::default(),
            figures: Figures::default(),
            violation: None,
            is_strict: false,
            mutant,
            tickets: 0,
            stirred: 0,
            trace: 0xcbf2_9ce4_8422_2325,
            setup,
            rng,
        }
    }

    /// Everything that runs begins to.
    pub fn begin(&mut self) {
        for host in 0..self.hosts.len() {
            self.cover();
            self.show(host);
        }
        for dog in 0..self.dogs.len() {
            let soon = self.rng.range(1, 50);
            self.have_begun(dog, soon);
        }
    }

    /// Goes on until `end`, or until something is broken.
    pub fn run_until(&mut self, end: u64) {
        while self.violation.is_none() && self.agenda.next_at().is_some_and(|at| at <= end) {
            let Some((at, event)) = self.agenda.pop() else { break };
            self.now = self.now.max(at);
            self.note(at);
            self.happen(event);
        }
        self.now = self.now.max(end);
    }

    fn happen(&mut self, event: Event) {
        if let Some(host) = self.host_of(&event).filter(|host| self.hosts[*host].paused_by > 0) {
            // It happens when the machine runs again.
            return self.hosts[host].put_off.push(event);
        }
        let Some(event) = self.unless_silent(event).and_then(|event| self.stop_at_order(event)) else {
            return;
        };
        match event {
            Event::Fault(index) => self.strike(index),
            Event::Mend(index) => self.mend(index),
            Event::Expire(session, round) => self.expire(session, round),
            Event::Guard(host, renewals) => self.guard(host, renewals),
            Event::Learn(holder) => self.learn(holder),
            Event::Thaw(dog) => self.thaw_dog(dog),
            Event::ResumeHost(host) => {
                self.resume_host(host);
                self.meet();
            }
            Event::FallInAct(host, ms) => self.fall_in_act(host, ms),
            Event::Dog(dog, term, work) => self.work(dog, term, work),
            Event::Commit(letter) => self.commit(*letter),
            Event::Order(To::Host(host), order, asker) => self.order_host(host, *order, asker),
            Event::Order(To::Life(life), order, asker) => self.order_life(life, *order, asker),
            Event::Seal(To::Host(host), ask, asker) => self.seal_host(host, *ask, asker),
            Event::Seal(To::Life(life), ask, asker) => self.seal_life(life, *ask, asker),
            Event::Agent(host, run, work) => self.agent_works(host, run, work),
            Event::Life(life, work) => self.live(life, work),
            Event::LateWord(word) => self.late_word(*word),
            Event::Redeclare(old, new, times) => self.redeclare(old, new, times),
        }
    }

    /// On which machine something happens, when it is one that can be stopped as a whole.
    fn host_of(&self, event: &Event) -> Option<usize> {
        let of_life = |life: &Incarnation| self.lives.get(life).map(|life| life.host);
        match event {
            Event::Order(To::Host(host), ..)
            | Event::Seal(To::Host(host), ..)
            | Event::Agent(host, ..)
            | Event::Guard(host, _)
            | Event::FallInAct(host, _)
            | Event::Learn(Holder::Agent(host)) => Some(*host),
            Event::Order(To::Life(life), ..)
            | Event::Seal(To::Life(life), ..)
            | Event::Life(life, _)
            | Event::Learn(Holder::Life(life)) => of_life(life),
            _ => None,
        }
    }

    /// What a silent agent is asked it reads when it answers again.
    fn unless_silent(&mut self, event: Event) -> Option<Event> {
        let host = match &event {
            Event::Order(To::Host(host), ..) | Event::Seal(To::Host(host), ..) => *host,
            _ => return Some(event),
        };
        if self.hosts[host].silent_by == 0 {
            return Some(event);
        }
        self.hosts[host].unread.push(event);
        None
    }

    fn agent_works(&mut self, host: usize, run: u64, work: AgentWork) {
        if matches!(work, AgentWork::Rise) {
            return self.raise_agent(host);
        }
        if self.hosts[host].run != run || !self.hosts[host].is_up() {
            return;
        }
        match work {
            AgentWork::Rise => {}
            AgentWork::TakeStock => self.take_stock(host),
            AgentWork::Fork(step) => self.fork(host, &step),
            AgentWork::Notice(life, status) => self.notice(host, life, status),
            AgentWork::KillNow(step, life) => self.kill_now(host, &step, life),
            AgentWork::Finish(step) => self.finish(host, &step),
            AgentWork::Probe(life) => drop(self.probe(host, life)),
        }
    }

    /// Plans an event so many milliseconds from now.
    pub(crate) fn plan_in(&mut self, ms: u64, event: Event) {
        self.agenda.plan(self.now + ms, event);
    }

    /// Plans what a watchdog does in its present term.
    pub(crate) fn plan_dog(&mut self, dog: usize, ms: u64, work: DogWork) {
        let term = self.dogs[dog].term;
        self.plan_in(ms, Event::Dog(dog, term, work));
    }

    /// Whether a safeguard is taken away.
    pub(crate) fn lacks(&self, safeguard: Safeguard) -> bool {
        self.mutant == Some(safeguard)
    }

    /// The wall clock of a machine.
    pub(crate) fn wall(&self, node: Node) -> Time {
        let off = self.clocks.get(&node).copied().unwrap_or_default();
        Time((BEGINS + self.now).saturating_add_signed(off))
    }

    /// The wall clock of a host.
    pub(crate) fn wall_of_host(&self, host: usize) -> Time {
        self.wall(Node::Host(host))
    }

    /// A number that was never given before.
    pub(crate) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Tells the audits what happened.
    pub(crate) fn hear(&mut self, fact: &Fact<'_>) {
        let truth = Truth {
            now: self.now,
            setup: &self.setup,
            zoo: &self.zoo,
            journal: &self.journal,
            hosts: &self.hosts,
            lives: &self.lives,
            dogs: &self.dogs,
            clocks: &self.clocks,
            jumps: &self.jumps,
        };
        self.figures.hear(fact, &truth);
        if self.violation.is_none()
            && let Some(violation) = self.audits.hear(fact, &truth)
        {
            self.complain(violation);
        }
    }

    /// Files a violation; a known one only ends a run that asks for it.
    pub(crate) fn complain(&mut self, violation: Violation) {
        if self.mutant.is_some_and(|mutant| mutant.also_noticed_by().contains(&violation.audit)) {
            return;
        }
        // Whatever is known: it is by this audit that the mutant is to be killed.
        let wanted = self.mutant.is_some_and(|mutant| mutant.audit() == violation.audit);
        match violation.known.filter(|_| !self.is_strict && !wanted) {
            Some(known) => *self.figures.known.entry(known).or_default() += 1,
            None => self.violation = Some(violation),
        }
    }

    /// Adds a line to the story, if one is told.
    pub(crate) fn say(&mut self, line: impl FnOnce(&World) -> String) {
        if self.story.is_told {
            let line = line(self);
            self.story.lines.push((self.now, line));
        }
    }

    /// Folds something into the hash of all that happened.
    pub(crate) fn note(&mut self, number: u64) {
        self.trace = (self.trace ^ number).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// Sends an agent's word back.
    pub(crate) fn answer(&mut self, from: Node, answer: &Answer, (dog, term): Asker) {
        for delay in self.net.deliver((from, Node::Dog(dog)), &mut self.rng).into_iter().flatten() {
            self.plan_in(delay, Event::Dog(dog, term, DogWork::Hear(Box::new(answer.clone()))));
        }
    }

    /// Sends an agent's word on a step back.
    pub(crate) fn answer_step(
        &mut self,
        from: Node,
        step: &watchdog_core::ids::StepId,
        (reply, asker): (Reply, Asker),
    ) {
        self.answer(from, &Answer::Step(step.clone(), reply), asker);
    }

    pub(crate) fn commit_write(&mut self, write: &crate::journal::Write) -> Result<(usize, usize), Fault> {
        let before = self.journal.entries.len();
        let places = self.journal.write(write)?;
        self.hear_entries(before);
        Ok((places.start, places.end))
    }

    /// Tells the audits of the entries from this place on.
    pub(crate) fn hear_entries(&mut self, from: usize) {
        for place in from..self.journal.entries.len() {
            let (entry, ticket) = (self.journal.entries[place].clone(), self.journal.tickets[place]);
            self.say(|_| {
                let told = watchdog_core::tell::tell(&entry.body);
                format!("[{} of epoch {}] {}", entry.by, entry.epoch, told.message)
            });
            self.note(entry.sequence.0 ^ entry.epoch.0 << 40 ^ entry.at.0 << 8);
            self.hear(&Fact::Committed { entry: &entry, ticket });
        }
    }
}
