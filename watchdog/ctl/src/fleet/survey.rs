//! Survey: everyone is asked at once who leads; the highest epoch wins.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};
use watchdog_proto::admin::{LeaderReply, LeaderRequest, LeaderView};

use super::ask::{self, Caller, Client, Said, rounded, with_scheme};
use super::{Testimony, ask::once};

/// What the others still get when the first has answered: a hung one must not hold up the rest.
const GRACE: Duration = Duration::from_millis(300);

/// Who answered, and whom they call their leader.
#[derive(Debug)]
pub(crate) struct Survey {
    answered: Vec<(String, LeaderReply)>,
    /// Without an answer, but there.
    odd: Vec<Testimony>,
    /// Without a connection.
    unreachable: Vec<Testimony>,
}

/// Asks all `endpoints` at once.
pub(super) async fn run(
    cluster: &str,
    (caller, endpoints): (&Caller, &[String]),
    patience: Duration,
) -> Survey {
    let started = Instant::now();
    let deadline = started + patience;
    let request = LeaderRequest { cluster: cluster.to_owned() };
    let call = async |mut watchdog: Client| watchdog.leader(request.clone()).await;
    let mut asked: FuturesUnordered<_> =
        endpoints.iter().map(|endpoint| once((caller, endpoint.clone()), deadline, &call)).collect();
    let mut end = pin!(sleep_until(deadline));
    let mut survey = Survey { answered: Vec::new(), odd: Vec::new(), unreachable: Vec::new() };
    let mut pending: Vec<String> = endpoints.to_vec();
    loop {
        tokio::select! {
            heard = asked.next() => {
                let Some((endpoint, answer)) = heard else { break };
                pending.retain(|other| *other != endpoint);
                let first = answer.is_ok() && survey.answered.is_empty();
                if first {
                    end.as_mut().reset(deadline.min(Instant::now() + GRACE));
                }
                survey.note(endpoint, answer);
            }
            () = &mut end => break,
        }
    }
    for endpoint in pending {
        survey.note(endpoint, Err(Said::Nothing { patience: rounded(started.elapsed()) }));
    }
    survey
}

impl Survey {
    fn note(&mut self, endpoint: String, answer: Result<LeaderReply, ask::Said>) {
        match answer {
            Ok(reply) => self.answered.push((endpoint, reply)),
            Err(said @ Said::Unreachable { .. }) => self.unreachable.push(Testimony { endpoint, said }),
            Err(said) => self.odd.push(Testimony { endpoint, said }),
        }
    }

    /// The answer with the newest leader, or any answer, or none.
    pub(crate) fn reply(&self) -> Option<&LeaderReply> {
        let replies = self.answered.iter().map(|(_, reply)| reply);
        replies.max_by_key(|reply| reply.leader.as_ref().map(|leader| leader.epoch))
    }

    /// The newest leader that anybody named.
    pub(crate) fn leader(&self) -> Option<&LeaderView> {
        self.reply().and_then(|reply| reply.leader.as_ref())
    }

    /// Whom to ask, in which order: the leader, those that answered, those that may be slow.
    pub(crate) fn order(&self) -> Vec<String> {
        let leader = self.leader().map(|leader| with_scheme(&leader.address));
        let answered = self.answered.iter().map(|(endpoint, _)| endpoint.clone());
        let odd = self.odd.iter().map(|testimony| testimony.endpoint.clone());
        let mut order: Vec<String> = Vec::new();
        for endpoint in leader.into_iter().chain(answered).chain(odd) {
            if !order.contains(&endpoint) {
                order.push(endpoint);
            }
        }
        order
    }

    /// Whether nobody is there at all.
    pub(super) fn is_silent(&self) -> bool {
        let speaks = |testimony: &Testimony| testimony.said.refusal().is_some();
        self.answered.is_empty() && !self.odd.iter().any(speaks)
    }

    /// The "no" of somebody, when nobody gave an answer.
    pub(crate) fn refusal(&self) -> Option<&str> {
        let no = self.odd.iter().find_map(|testimony| testimony.said.refusal());
        no.filter(|_| self.answered.is_empty())
    }

    /// What each said, for the message that nobody leads.
    pub(crate) fn into_testimonies(self) -> Vec<Testimony> {
        let answered = self.answered.into_iter().map(|(endpoint, reply)| {
            let said = match reply.leader {
                Some(leader) => Said::AskLeader { leader: with_scheme(&leader.address) },
                None => Said::NoLeader,
            };
            Testimony { endpoint, said }
        });
        answered.chain(self.odd).chain(self.unreachable).collect()
    }

    /// What became of those that will not be asked again.
    pub(super) fn into_unreachable(self) -> Vec<Testimony> {
        self.unreachable
    }
}
