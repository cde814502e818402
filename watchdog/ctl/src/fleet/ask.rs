//! Ask: one question to one watchdog, and what may be heard instead of an answer.

use std::error::Error;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};
use watchdog_proto::admin::admin_client::AdminClient;
use watchdog_trust::Dialer;

use crate::bearer::Bearer;

/// A connection to one watchdog.
pub(crate) type Client = AdminClient<InterceptedService<Channel, Bearer>>;

/// As whom, and in what trust, watchdogs are asked.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Whom we believe, and by which certificate we are known.
    pub(crate) dialer: Dialer,
    /// The token by which we are known.
    pub(crate) bearer: Bearer,
}

/// Where a follower names the leader.
const LEADER_METADATA: &str = "watchdog-leader";
/// A whole state can be large: many keys of up to 64 KiB.
const MESSAGE_MAX_BYTES: usize = 256 << 20;
/// A watchdog that is stopped, and so leaves its connections open, is noticed by an unanswered ping.
const PING_INTERVAL: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// What was heard instead of an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Said {
    /// There is no connection, so nothing was sent.
    #[error("cannot connect: {why}")]
    Unreachable {
        /// The innermost cause.
        why: String,
    },
    /// It was sent, and nothing came.
    #[error("no answer within {}", humantime::format_duration(*.patience))]
    Nothing {
        /// How long we waited.
        patience: Duration,
    },
    /// It was sent, and the connection broke.
    #[error("the connection broke: {why}")]
    Broke {
        /// The innermost cause.
        why: String,
    },
    /// It answers, and knows of no leader.
    #[error("knows of no leader")]
    NoLeader,
    /// It follows.
    #[error("it follows {leader}")]
    AskLeader {
        /// The leader's URL.
        leader: String,
    },
    /// It can't now.
    #[error("{sentence}")]
    NotNow {
        /// What it said.
        sentence: String,
    },
    /// Whatever it is, it does not know the question.
    #[error("does not know the question: not a watchdog, or an older one")]
    Foreign,
    /// A definite no.
    #[error("{sentence}")]
    No {
        /// Of which kind.
        code: Code,
        /// What it said.
        sentence: String,
    },
}

impl Said {
    /// The sentence of a definite no.
    pub(crate) fn refusal(&self) -> Option<&str> {
        match self {
            Self::No { sentence, .. } => Some(sentence),
            _ => None,
        }
    }
}

impl From<Status> for Said {
    fn from(status: Status) -> Self {
        // Only a status that was made here has a cause: a watchdog's comes as text.
        if let Some(cause) = status.source() {
            return Self::Broke { why: innermost(cause) };
        }
        let leader = status.metadata().get(LEADER_METADATA).and_then(|value| value.to_str().ok());
        if let (Code::FailedPrecondition, Some(leader)) =
            (status.code(), leader.filter(|url| !url.is_empty()))
        {
            return Self::AskLeader { leader: with_scheme(leader) };
        }
        let sentence = if status.message().is_empty() {
            format!("refused without a reason ({})", status.code())
        } else {
            status.message().to_owned()
        };
        match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Self::NotNow { sentence },
            Code::Unimplemented => Self::Foreign,
            code => Self::No { code, sentence },
        }
    }
}

/// A leader's address as a URL.
pub(crate) fn with_scheme(address: &str) -> String {
    let address = address.trim_end_matches('/');
    if address.contains("://") { address.to_owned() } else { format!("http://{address}") }
}

/// Connects to one watchdog.
pub(super) async fn dial((caller, url): (&Caller, &str), patience: Duration) -> Result<Client, Said> {
    let tune = |endpoint: Endpoint| {
        endpoint
            .connect_timeout(patience)
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
    };
    let nothing =
        || Said::Unreachable { why: format!("not within {}", humantime::format_duration(patience)) };
    let channel = timeout(patience, caller.dialer.connect(url, tune))
        .await
        .map_err(|_| nothing())?
        .map_err(|error| Said::Unreachable { why: innermost(error.as_ref()) })?;
    Ok(Client::new(InterceptedService::new(channel, caller.bearer.clone()))
        .max_decoding_message_size(MESSAGE_MAX_BYTES))
}

/// Asks one watchdog once, and says again whom.
pub(crate) async fn once<T>(
    (caller, url): (&Caller, String),
    deadline: Instant,
    call: &impl AsyncFn(Client) -> Result<Response<T>, Status>,
) -> (String, Result<T, Said>) {
    let patience = deadline.saturating_duration_since(Instant::now());
    let asked = async {
        let client = dial((caller, &url), patience).await?;
        match timeout(patience, call(client)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(Said::from(status)),
            Err(_) => Err(Said::Nothing { patience: rounded(patience) }),
        }
    };
    let answer = asked.await;
    (url, answer)
}

/// To whole tenths of a second, for people.
pub(crate) fn rounded(duration: Duration) -> Duration {
    let tenths = (duration.as_millis() + 50) / 100;
    Duration::from_millis(u64::try_from(tenths * 100).unwrap_or(u64::MAX))
}

/// The cause that says most: transport errors wrap it several times.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    // "Connection refused (os error 111)": the number helps nobody.
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_names_the_leader() {
        let mut status = Status::failed_precondition("not the leader");
        status.metadata_mut().insert(LEADER_METADATA, "127.0.0.1:7402".parse().expect("ascii"));
        assert!(
            matches!(Said::from(status), Said::AskLeader { leader } if leader == "http://127.0.0.1:7402")
        );
        let status = Status::failed_precondition("plan 1-1 is done");
        assert_eq!(Said::from(status).refusal(), Some("plan 1-1 is done"));
    }

    #[test]
    fn only_a_definite_no_is_a_refusal() {
        let table = [
            (Status::not_found("no replica x"), Some("no replica x")),
            (Status::internal(""), Some("refused without a reason (Internal error)")),
            (Status::unavailable("the journal does not answer"), None),
            (Status::unimplemented(""), None),
        ];
        for (status, refusal) in table {
            let said = Said::from(status);
            assert_eq!(said.refusal(), refusal, "{said}");
        }
    }
}
