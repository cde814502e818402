//! Course: how a life begins, what its version does to it, and how it ends.

use watchdog_core::desk::{Desk, Fence, Recent};
use watchdog_core::ids::Incarnation;
use watchdog_core::state::Hash;

use super::{Life, Mood, Trait};
use crate::event::{AgentWork, Event, LateWord, LifeWork};
use crate::fact::Fact;
use crate::order::Order;
use crate::setup::EMBEDDING;
use crate::world::World;

impl World {
    /// A process begins, as an order says.
    pub(crate) fn be_born(&mut self, host: usize, order: &Order, incarnation: Incarnation) {
        let spec = order.spec.clone().unwrap_or_else(|| self.setup.newcomer(&mut self.rng.split(1)));
        let pid = self.hosts[host].next_pid();
        let leaves_in_ms = self.rng.range(20, 1_500);
        let life = Life {
            replica: order.replica.clone(),
            incarnation,
            host,
            pid,
            embeds: spec.program == EMBEDDING,
            exclusive: spec.exclusive,
            leaves_in_ms,
            born_at: self.now,
            state: order.state.clone(),
            version: order.version,
            hash: order.hash,
            is_ready: false,
            is_draining: false,
            mood: Mood::Well,
            until_mended: false,
            well_since: None,
            last_well: None,
            session: None,
            told: None,
            desk: Desk::new(Fence::new(order.epoch)),
            recent: Recent::default(),
            is_disowned: false,
        };
        self.hear(&Fact::Born { life: &life });
        self.say(|world| {
            format!("{} begins on {} ({})", life.replica, world.setup.hosts[host], short(incarnation))
        });
        let slow = self.hosts[host].slow > 0;
        let does = Trait::of(&life.state, &life.replica);
        let ready_in = match (does, slow) {
            (_, true) => self.rng.range(5_000, 30_000),
            (Trait::Slow, false) => self.rng.range(5_000, 15_000),
            (_, false) => self.rng.range(60, 400),
        };
        self.lives.insert(incarnation, life);
        self.plan_in(20, Event::Life(incarnation, LifeWork::Join));
        match does {
            Trait::DiesAtStart | Trait::DiesOnlyAtStart | Trait::FailsToLoad => {
                self.plan_in(ready_in / 2, Event::Life(incarnation, LifeWork::Crash("exit 1")));
            }
            _ => self.plan_in(ready_in, Event::Life(incarnation, LifeWork::Ready)),
        }
    }

    /// Something happens to a life.
    pub(crate) fn live(&mut self, incarnation: Incarnation, work: LifeWork) {
        if !self.lives.contains_key(&incarnation) {
            return;
        }
        match work {
            LifeWork::Join => {}
            LifeWork::Ready => self.come_up(incarnation),
            LifeWork::Crash(status) => return self.die(incarnation, status),
            LifeWork::Stick => self.feel(incarnation, Mood::Stuck),
            LifeWork::Sicken => self.feel(incarnation, Mood::Sick),
            LifeWork::Recover => self.recover(incarnation),
            LifeWork::Loaded(step) => self.end_load(incarnation, &step),
            LifeWork::Drift(hash) => self.drift(incarnation, hash),
        }
        self.recount(incarnation);
    }

    /// After a change: what is told of it, and who probes it.
    pub(crate) fn recount(&mut self, incarnation: Incarnation) {
        let now = self.now;
        let Some(life) = self.lives.get_mut(&incarnation) else { return };
        life.reckon(now);
        let host = life.host;
        self.cover();
        self.tell_group(incarnation);
        let (run, soon) = (self.hosts[host].run, self.rng.range(100, 320));
        self.plan_in(soon, Event::Agent(host, run, AgentWork::Probe(incarnation)));
    }

    fn come_up(&mut self, incarnation: Incarnation) {
        let Some(life) = self.lives.get_mut(&incarnation) else { return };
        life.is_ready = true;
        let (replica, state) = (life.replica.clone(), life.state.clone());
        self.say(|_| format!("{replica} serves"));
        self.behave(incarnation, Trait::of(&state, &replica));
    }

    /// What a version does to who holds it.
    pub(crate) fn behave(&mut self, incarnation: Incarnation, does: Trait) {
        let soon = self.rng.range(100, 2_000);
        let work = match does {
            Trait::Good | Trait::Slow | Trait::DiesAtStart | Trait::DiesOnlyAtStart | Trait::FailsToLoad => {
                return;
            }
            Trait::Dies => LifeWork::Crash("exit 139"),
            Trait::Hangs => LifeWork::Stick,
            Trait::Sickens => LifeWork::Sicken,
            Trait::Lies => LifeWork::Drift(Hash::of(b"a lie")),
        };
        self.plan_in(if does == Trait::Lies { 0 } else { soon }, Event::Life(incarnation, work));
    }

    pub(crate) fn feel(&mut self, incarnation: Incarnation, mood: Mood) {
        let Some(life) = self.lives.get_mut(&incarnation) else { return };
        if life.mood == Mood::Well {
            life.mood = mood;
            let replica = life.replica.clone();
            self.say(|_| match mood {
                Mood::Well => format!("{replica} is well"),
                Mood::Sick => format!("{replica} feels ill"),
                Mood::Stuck => format!("{replica} does not answer any more"),
                Mood::Stopped => format!("{replica} is stopped"),
            });
        }
    }

    fn recover(&mut self, incarnation: Incarnation) {
        let Some(life) = self.lives.get_mut(&incarnation).filter(|life| life.until_mended) else { return };
        (life.mood, life.until_mended) = (Mood::Well, false);
    }

    fn drift(&mut self, incarnation: Incarnation, hash: Hash) {
        let now = self.now;
        // What a program holds that has no word of its own nobody can know.
        let Some(life) = self.lives.get_mut(&incarnation).filter(|life| life.embeds) else { return };
        life.fall_ill(now);
        life.hash = hash;
        let replica = life.replica.clone();
        self.say(|_| format!("{replica} holds something else in memory than it should"));
    }

    /// A process ends, for whatever reason.
    pub(crate) fn die(&mut self, incarnation: Incarnation, status: &'static str) {
        let Some(mut life) = self.lives.remove(&incarnation) else { return };
        life.fall_ill(self.now);
        self.hear(&Fact::Died { life: &life });
        self.say(|_| format!("{} ends: {status} ({})", life.replica, short(incarnation)));
        self.cover();
        let host = life.host;
        if let Some(record) = life.told.filter(|_| life.session.is_some() && self.rng.chance(300)) {
            // What it said last may still be on its way.
            let late = self.rng.range(1, 400);
            let word = LateWord { replica: life.replica, incarnation, host, record };
            self.plan_in(late, Event::LateWord(Box::new(word)));
        }
        if self.hosts[host].is_up() {
            let (run, soon) = (self.hosts[host].run, self.rng.range(1, 3));
            self.plan_in(soon, Event::Agent(host, run, AgentWork::Notice(incarnation, status)));
        }
    }
}

/// The end of an incarnation, enough to tell one from another.
pub(crate) fn short(incarnation: Incarnation) -> String {
    let text = incarnation.to_string();
    text[text.len() - 6..].to_owned()
}
