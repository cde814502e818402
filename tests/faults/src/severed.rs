//! Severed: all watchdogs and host agents are cut off from ZooKeeper, and one replica drifts, which tempts them to act.
//!
//! Row 17 of the scorecard: everybody keeps still while nobody can know who leads, and customers notice nothing.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use watchdog_tests::http;

use crate::customer::{Customer, Experience};
use crate::history::{CutOff, begun};
use crate::net::{EACH, Node, Rule};
use crate::site::{EXCLUSIVE, EXCLUSIVE_LEASE_MS, SESSION_MS};
use crate::stage::Stage;
use crate::time::ms;
use crate::witness::{Life, Witness};

/// What is under way at the cut may still come to its end.
const ECHO: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(2);

/// Everybody is cut off.
pub struct Severed<'a> {
    stage: &'a Stage,
    witness: &'a Witness,
    customer: &'a Customer,
    rules: Vec<Rule>,
    since: Instant,
    acts: usize,
    living: Vec<Life>,
    heard: Experience,
}

impl<'a> Severed<'a> {
    /// Cuts them off.
    ///
    /// # Errors
    ///
    /// If our own tools fail.
    pub fn begin(stage: &'a Stage, witness: &'a Witness, customer: &'a Customer) -> anyhow::Result<Self> {
        let clients = (0..EACH).map(Node::Dog).chain((0..EACH).map(Node::Host));
        let rules: Vec<Rule> = clients
            .flat_map(|client| (0..EACH).flat_map(move |zoo| Rule::apart(client, Node::Zoo(zoo))))
            .collect();
        rules.iter().try_for_each(Rule::apply)?;
        let since = Instant::now();
        std::thread::sleep(ECHO);
        let (acts, living, heard) = (ordered(stage)?, witness.living(), customer.experience());
        Ok(Self { stage, witness, customer, rules, since, acts, living, heard })
    }

    /// Keeps them cut off until so much time has passed since the cut; says what happened meanwhile.
    ///
    /// # Errors
    ///
    /// If our own tools fail.
    pub fn last(&self, lasts: Duration) -> anyhow::Result<CutOff> {
        std::thread::sleep(Duration::from_millis(SESSION_MS).saturating_sub(self.since.elapsed()));
        self.tempt()?;
        std::thread::sleep(lasts.saturating_sub(self.since.elapsed()));
        let (acts, heard) = (ordered(self.stage)?, self.customer.experience());
        let lasted_ms = ms(self.since.elapsed());
        self.rules.iter().try_for_each(Rule::lift)?;
        Ok(CutOff {
            lasted_ms,
            acts: acts - self.acts,
            died: Vec::new(),
            failed: heard.failed.len() - self.heard.failed.len(),
            answered: heard.answered - self.heard.answered,
        })
    }

    /// Somebody who reaches the journal and the agents sees a replica that holds the wrong version.
    fn tempt(&self) -> anyhow::Result<()> {
        let life = self.living.iter().find(|life| life.replica != EXCLUSIVE).context("no replica lives")?;
        let address = self.stage.site.announced(life, "service").context("a replica has no address")?;
        let (status, said) = http::ask("POST", &address, "/debug/drift?version=1", PATIENCE)?;
        anyhow::ensure!(status == 200, "{} does not drift: {said}", life.replica);
        Ok(())
    }

    /// Who lived at the cut and does not live now, and may not have died.
    pub fn dead(&self, lasted_ms: u64) -> Vec<String> {
        let living = self.witness.living();
        let gone = |life: &&Life| !living.iter().any(|it| it.incarnation == life.incarnation);
        // Its lease ends an exclusive one, so that another may be started when nobody can ask.
        let may = |life: &Life| life.replica == EXCLUSIVE && lasted_ms >= EXCLUSIVE_LEASE_MS;
        let gone = self.living.iter().filter(gone).filter(|life| !may(life));
        gone.map(|life| format!("{} ({})", life.replica, life.incarnation)).collect()
    }
}

/// Steps that were recorded to be sent, and steps that agents began.
fn ordered(stage: &Stage) -> anyhow::Result<usize> {
    let intended = stage.sql("SELECT count(*) FROM record WHERE kind = 'intended'")?;
    let intended: usize = intended.trim().parse().context("count the intents")?;
    Ok(intended + begun(stage)?)
}
