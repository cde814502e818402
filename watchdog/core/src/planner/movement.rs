//! Movement: what brings one replica to the candidate of the goal that rolls.
//!
//! ```text
//! well, as it is declared ──► load (or, for a goal that restarts, a new life)
//! well, with other parameters than it is declared with ──► a new life
//! a volunteer: nothing of it serves ──► what still runs is ended ──► start on the candidate
//! ```

use crate::condition::{is_as_declared, is_healthy};
use crate::ids::{HostId, Incarnation, ReplicaId, Time};
use crate::input::PlanInput;
use crate::ladder;
use crate::policy::Remedy;
use crate::refusal::Reason;
use crate::rollout::Rollout;
use crate::rollout::survey::leaving;
use crate::rollout::volunteer::{is_given_up_elsewhere, is_volunteer};
use crate::safety;
use crate::storm::Storm;

use super::assemble::Treatment;
use super::case::{Case, lives};
use super::{hosts, load, may, restart, start};

/// What a movement is planned with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mover<'a> {
    pub(super) rollout: &'a Rollout,
    pub(super) input: &'a PlanInput,
    pub(super) storm: Option<&'a Storm>,
    /// The incarnation of a new life, while there are any.
    pub(super) fresh: Option<Incarnation>,
}

impl<'a> Mover<'a> {
    /// What brings `replica` to the candidate.
    ///
    /// # Errors
    ///
    /// Why it can't be moved now.
    pub(super) fn movement(&self, replica: &'a ReplicaId) -> Result<Treatment<'a>, Reason> {
        let case = self.case(replica)?;
        if is_volunteer(replica, self.input) {
            return self.volunteer(case);
        }
        self.may_move(&case)?;
        // What fails there must not have been ill before.
        let Some((_, life)) = case.life().filter(|(_, life)| is_healthy(life)) else {
            return Err(Reason::NotWell);
        };
        let serving = case.is_serving();
        let anew = self.rollout.restart || !is_as_declared(life, case.spec);
        let steps = if anew {
            self.place_is_free(replica, &life.host)?;
            restart::restart(&case, &life.host)?
        } else {
            load::load(&case)?
        };
        Ok(Treatment { case, remedy: Remedy::Roll, steps, serving })
    }

    /// A new life on the candidate for one that holds it already, because a load proves nothing about the next start.
    ///
    /// # Errors
    ///
    /// Why it can't be touched now.
    pub(super) fn proof(&self, replica: &'a ReplicaId) -> Result<Treatment<'a>, Reason> {
        let case = self.case(replica)?;
        self.may_move(&case)?;
        let Some((_, life)) = case.life() else { return Err(Reason::NotWell) };
        let serving = case.is_serving();
        let steps = restart::restart(&case, &life.host)?;
        Ok(Treatment { case, remedy: Remedy::Roll, steps, serving })
    }

    /// Whether one that serves may be moved now.
    fn may_move(&self, case: &Case) -> Result<(), Reason> {
        safety::may_touch(case.replica, self.input)?;
        may(Remedy::Roll, Some(case.replica), self.input)?;
        self.is_due(case)
    }

    fn volunteer(&self, case: Case<'a>) -> Result<Treatment<'a>, Reason> {
        if is_given_up_elsewhere(case.replica, self.input) {
            safety::may_touch_released(case.replica, self.input)?;
        } else {
            safety::may_touch(case.replica, self.input)?;
        }
        if let Some(reason) = self.storm.and_then(|storm| storm.holds(case.replica)) {
            return Err(reason);
        }
        may(Remedy::Roll, Some(case.replica), self.input)?;
        self.is_due(&case)?;
        let usable = hosts::usable(&case);
        let home = case.home().filter(|home| usable.contains(home));
        let host = home.or(usable.first().copied()).ok_or_else(|| hosts::why_none(&case))?;
        self.place_is_free(case.replica, host)?;
        let steps = start::start(&case, host)?;
        Ok(Treatment { case, remedy: Remedy::Roll, steps, serving: false })
    }

    fn case(&self, replica: &'a ReplicaId) -> Result<Case<'a>, Reason> {
        let spec = match self.input.replicas.get(replica) {
            Some(Ok(spec)) => spec,
            Some(Err(why)) => return Err(Reason::BadDeclaration { why: why.clone() }),
            None => return Err(Reason::NotDeclared),
        };
        let target = self.rollout.aim(&self.input.target);
        Ok(Case { target, fresh: self.fresh, ..Case::sound(replica, spec, self.input) })
    }

    /// Whether nothing that the log does not declare any more still runs on `host`: what the goal declares anew or in
    /// another way may need its port, its files or whatever else there is only one of.
    fn place_is_free(&self, replica: &ReplicaId, host: &HostId) -> Result<(), Reason> {
        if !self.rollout.declares(replica) {
            return Ok(());
        }
        let stays = |other: &&ReplicaId| {
            lives(self.input, other).any(|(_, life)| life.is_alive() && life.host == *host)
        };
        match leaving(self.input).into_iter().find(stays) {
            Some(by) => Err(Reason::PlaceTaken { by: by.clone(), host: host.clone() }),
            None => Ok(()),
        }
    }

    /// Whether one that kept its old life, because it could not be ended, or that was never reached, may be asked again.
    fn is_due(&self, case: &Case) -> Result<(), Reason> {
        ladder::channel_is_due(case)?;
        let (rollout, input) = (self.rollout, self.input);
        let heals = input.history.heals.get(case.replica).into_iter().flatten();
        let failed: Vec<Time> = heals
            .filter(|heal| heal.remedy == Remedy::Roll && heal.is_try() && !heal.worked())
            .filter(|heal| heal.at >= rollout.started_at)
            .map(|heal| heal.ended_at.unwrap_or(heal.at))
            .collect();
        let Some(last) = failed.last().filter(|_| rollout.expects(case.replica)) else { return Ok(()) };
        let delays = &input.delays_ms;
        let delay = delays.get(failed.len() - 1).or(delays.last()).copied().unwrap_or_default();
        let until = last.plus_ms(delay);
        let tries = u32::try_from(failed.len()).unwrap_or(u32::MAX);
        if input.now < until { Err(Reason::BackingOff { until, tries }) } else { Ok(()) }
    }
}
