//! Heart: keeps a session of the embedded service alive, and says how sure we are that it is.
//!
//! ```text
//! answer ──► Connected     none for 0.35 T ──► Suspended     "no such session", or none for 1.4 T ──► Expired
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;
use watchdog_proto::coordination as proto;

use super::client::Line;
use crate::tree::Session;

/// The shortest pause between two tries.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// Beats until the session is over or nobody holds the tree; `confirmed` is when the session was asked for.
pub(crate) async fn beat(line: Arc<Line>, confirmed: Instant) {
    tokio::select! {
        () = line.over() => {}
        () = keep_alive(&line, confirmed) => {}
    }
}

async fn keep_alive(line: &Line, mut confirmed: Instant) {
    let timeout = line.timeout;
    // Five in a time-out, so that one lost answer does not yet suspend.
    let pause = timeout / 5;
    let (suspends, expires) = (timeout * 35 / 100, timeout * 14 / 10);
    let mut failed = false;
    loop {
        tokio::time::sleep(if failed { (pause / 4).max(PAUSE_MIN) } else { pause }).await;
        let asked = Instant::now();
        let connected = *line.state.borrow() == Session::Connected;
        let patience = if connected { suspends.saturating_sub(confirmed.elapsed()) } else { pause };
        let request = proto::HeartbeatRequest { session: line.session(), mark: 0 };
        let mut client = line.client();
        let answer = tokio::time::timeout(patience.max(PAUSE_MIN), client.heartbeat(request)).await;
        match answer {
            Ok(Ok(_)) => {
                // The session lives for its time-out from when this was sent at the earliest.
                confirmed = asked;
                failed = false;
                line.become_state(Session::Connected);
                continue;
            }
            Ok(Err(status)) if status.code() == Code::NotFound => {
                line.become_state(Session::Expired);
                return;
            }
            Ok(Err(_)) | Err(_) => failed = true,
        }
        if confirmed.elapsed() >= expires {
            line.become_state(Session::Expired);
            return;
        }
        if confirmed.elapsed() >= suspends {
            line.become_state(Session::Suspended);
        }
    }
}
