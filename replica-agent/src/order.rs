//! Order: what a watchdog orders, parsed at the edge and checked against who we are.

use std::str::FromStr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use watchdog_core::difference::Difference;
use watchdog_core::ids::{Epoch, Incarnation, StepId, Version};
use watchdog_core::state::{Hash, State};
use watchdog_membership::tree::BoxError;
use watchdog_proto::agent::{self as proto, act_request};

use crate::identity::Identity;
use crate::refusal::Refusal;

/// The longest that a step may go without progress.
const PATIENCE_MAX: Duration = Duration::from_hours(24);

/// One step for this very process.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) epoch: Epoch,
    pub(crate) step: StepId,
    /// How long the step may go without progress.
    pub(crate) patience: Duration,
    pub(crate) act: Act,
}

/// What an embedded agent does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    Drain,
    Undrain,
    Load(LoadOrder),
}

/// A move from one version to another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoadOrder {
    pub(crate) from: Version,
    pub(crate) to: Version,
    pub(crate) difference: Difference,
    pub(crate) from_hash: Hash,
    pub(crate) to_hash: Hash,
    /// The whole target, for when what is in memory is not what the order begins from.
    pub(crate) target: Option<State>,
}

impl Order {
    /// Parses an order, and refuses what is not for this process.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] that names the field.
    pub(crate) fn parse(request: proto::ActRequest, us: &Identity) -> Result<Self, Refusal> {
        let order = request.order.ok_or(Refusal::Missing { field: "order" })?;
        us.check_cluster("order.cluster", &order.cluster)?;
        us.check_incarnation("order.target", &order.target)?;
        let step = parse("order.step", &order.step)?;
        let act = request.act.ok_or(Refusal::Missing { field: "act" })?;
        if order.timeout_ms == 0 {
            return Err(Refusal::Missing { field: "order.timeout_ms" });
        }
        Ok(Self {
            epoch: Epoch(order.epoch),
            step,
            patience: Duration::from_millis(order.timeout_ms).min(PATIENCE_MAX),
            act: Act::parse(act, us)?,
        })
    }
}

impl Act {
    /// The word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Undrain => "undrain",
            Self::Load(_) => "load",
        }
    }

    fn parse(act: act_request::Act, us: &Identity) -> Result<Self, Refusal> {
        let not_ours = |act| Refusal::NotOurs { act, host: us.host.to_string() };
        match act {
            act_request::Act::Start(_) => Err(not_ours("start")),
            act_request::Act::Kill(_) => Err(not_ours("kill")),
            act_request::Act::Snapshot(_) => Err(not_ours("snapshot")),
            act_request::Act::Drain(drain) => {
                us.check_replica("drain.replica", &drain.replica)?;
                us.check_incarnation("drain.incarnation", &drain.incarnation)?;
                Ok(Self::Drain)
            }
            act_request::Act::Undrain(undrain) => {
                us.check_replica("undrain.replica", &undrain.replica)?;
                us.check_incarnation("undrain.incarnation", &undrain.incarnation)?;
                Ok(Self::Undrain)
            }
            act_request::Act::Load(load) => {
                us.check_replica("load.replica", &load.replica)?;
                us.check_incarnation("load.incarnation", &load.incarnation)?;
                LoadOrder::parse(&load).map(Self::Load)
            }
        }
    }
}

impl LoadOrder {
    fn parse(load: &proto::Load) -> Result<Self, Refusal> {
        let mut difference: Difference = parse_json("load.difference_json", &load.difference_json)?;
        difference.0.retain(|key, _| !key.is_ours());
        let to_hash = parse("load.to_hash", &load.to_hash)?;
        let target = match load.state_json.as_str() {
            "" => None,
            text => Some(parse_json::<State>("load.state_json", text)?.application()),
        };
        if let Some(found) = target.as_ref().map(State::hash).filter(|hash| *hash != to_hash) {
            let source = format!("it hashes to {found}, not to to_hash {to_hash}").into();
            return Err(Refusal::Malformed { field: "load.state_json", source });
        }
        Ok(Self {
            from: Version(load.from_version),
            to: Version(load.to_version),
            difference,
            from_hash: parse("load.from_hash", &load.from_hash)?,
            to_hash,
            target,
        })
    }
}

/// Parses a text field.
pub(crate) fn parse<T>(field: &'static str, text: &str) -> Result<T, Refusal>
where
    T: FromStr,
    T::Err: Into<BoxError>,
{
    if text.is_empty() {
        return Err(Refusal::Missing { field });
    }
    text.parse().map_err(|source: T::Err| Refusal::Malformed { field, source: source.into() })
}

fn parse_json<T: DeserializeOwned>(field: &'static str, text: &str) -> Result<T, Refusal> {
    if text.is_empty() {
        return Err(Refusal::Missing { field });
    }
    serde_json::from_str(text).map_err(|source| Refusal::Malformed { field, source: source.into() })
}

impl Identity {
    /// Refuses what is for another cluster.
    pub(crate) fn check_cluster(&self, field: &'static str, theirs: &str) -> Result<(), Refusal> {
        if theirs.is_empty() {
            return Err(Refusal::Missing { field });
        }
        if theirs == self.cluster.as_str() {
            return Ok(());
        }
        Err(Refusal::OtherCluster { field, ours: self.cluster.clone(), theirs: shorten(theirs) })
    }

    /// Refuses what is for another replica.
    pub(crate) fn check_replica(&self, field: &'static str, theirs: &str) -> Result<(), Refusal> {
        if theirs.is_empty() {
            return Err(Refusal::Missing { field });
        }
        if theirs == self.replica.as_str() {
            return Ok(());
        }
        Err(Refusal::OtherReplica { field, ours: self.replica.clone(), theirs: shorten(theirs) })
    }

    /// Refuses what is for another life of this replica.
    pub(crate) fn check_incarnation(&self, field: &'static str, theirs: &str) -> Result<(), Refusal> {
        let theirs: Incarnation = parse(field, theirs)?;
        if theirs == self.incarnation {
            return Ok(());
        }
        let (replica, ours) = (self.replica.clone(), self.incarnation);
        Err(Refusal::OtherIncarnation { field, replica, ours, theirs })
    }
}

/// A foreign text, short enough to be repeated in an error.
fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use tonic::Status;

    use super::*;

    type Spoil = Box<dyn Fn(&mut proto::ActRequest)>;

    fn load_request(us: &Identity) -> proto::ActRequest {
        let empty = State::default().hash().to_string();
        proto::ActRequest {
            order: Some(proto::Order {
                cluster: us.cluster.to_string(),
                epoch: 3,
                plan: "3-1".into(),
                step: "3-1-1".into(),
                target: us.incarnation.to_string(),
                timeout_ms: 1_000,
                session: String::new(),
            }),
            act: Some(act_request::Act::Load(proto::Load {
                replica: us.replica.to_string(),
                incarnation: us.incarnation.to_string(),
                from_version: 1,
                to_version: 2,
                difference_json: "{}".into(),
                from_hash: empty.clone(),
                to_hash: empty,
                state_json: "{}".into(),
            })),
        }
    }

    fn spoil_order(spoil: impl Fn(&mut proto::Order)) -> impl Fn(&mut proto::ActRequest) {
        move |request| spoil(request.order.as_mut().unwrap())
    }

    fn spoil_load(spoil: impl Fn(&mut proto::Load)) -> impl Fn(&mut proto::ActRequest) {
        move |request| {
            let Some(act_request::Act::Load(load)) = &mut request.act else { panic!("a load") };
            spoil(load);
        }
    }

    #[test]
    fn every_refusal_names_the_field_at_fault() {
        let us = Identity::example();
        let other = "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4f";
        let table: Vec<(Spoil, &str)> = vec![
            (Box::new(|r| r.order = None), "order: missing"),
            (Box::new(|r| r.act = None), "act: missing"),
            (Box::new(|r| r.act = Some(act_request::Act::Kill(proto::Kill::default()))), "act.kill: "),
            (Box::new(spoil_order(|o| o.cluster = "other".into())), "order.cluster: this agent belongs to"),
            (Box::new(spoil_order(|o| o.cluster = String::new())), "order.cluster: missing"),
            (Box::new(spoil_order(|o| o.target = other.into())), "order.target: this is incarnation"),
            (
                Box::new(spoil_order(|o| o.target = "x".into())),
                "order.target: not usable: \"x\" is not an inc",
            ),
            (Box::new(spoil_order(|o| o.step = "3_1".into())), "order.step: not usable: "),
            (Box::new(spoil_order(|o| o.timeout_ms = 0)), "order.timeout_ms: missing"),
            (Box::new(spoil_load(|l| l.replica = "demo-z".into())), "load.replica: this agent is that of"),
            (Box::new(spoil_load(|l| l.incarnation = other.into())), "load.incarnation: this is incarnation"),
            (Box::new(spoil_load(|l| l.difference_json = "[]".into())), "load.difference_json: not usable: "),
            (
                Box::new(spoil_load(|l| l.to_hash = "7".into())),
                "load.to_hash: not usable: \"7\" is not a hash",
            ),
            (Box::new(spoil_load(|l| l.from_hash = String::new())), "load.from_hash: missing"),
            (
                Box::new(spoil_load(|l| l.state_json = "{\"model/m\": 1}".into())),
                "load.state_json: not usable: it ha",
            ),
        ];
        for (spoil, expected) in table {
            let mut request = load_request(&us);
            spoil(&mut request);
            let status = Status::from(Order::parse(request, &us).unwrap_err());
            assert!(status.message().starts_with(expected), "{}", status.message());
        }
        assert!(Order::parse(load_request(&us), &us).is_ok());
    }
}
