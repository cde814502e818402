//! Timeline: prints the record as it grows, from whichever watchdog answers.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;
use watchdog_proto::admin::{Event, EventsRequest};

use super::client::Client;
use super::{CLUSTER, say};

const TRY_NEXT: Duration = Duration::from_millis(100);

/// Prints what happens from `since` on, each entry once, also across the deaths of watchdogs.
pub(super) async fn tell(client: &Client, since: SystemTime) -> Infallible {
    let since = humantime::format_rfc3339_millis(since).to_string();
    let mut last = 0;
    for watchdog in 0_usize.. {
        let request = EventsRequest {
            cluster: CLUSTER.to_owned(),
            since_sequence: if last == 0 { 0 } else { last + 1 },
            since: (last == 0).then(|| since.clone()),
            follow: true,
        };
        match client.follow(watchdog, request).await {
            Ok(mut events) => {
                while let Ok(Some(event)) = events.message().await {
                    // Another watchdog may begin a little before where the last one broke off.
                    if event.sequence > last {
                        last = event.sequence;
                        say(line(&event));
                    }
                }
            }
            Err(status) => tracing::debug!(%status, "cannot follow the record here"),
        }
        sleep(TRY_NEXT).await;
    }
    std::future::pending().await
}

/// `21:40:11.123 plan_opened demo-a message`
pub(super) fn line(event: &Event) -> String {
    let time = event.at.get(11..23).unwrap_or(&event.at);
    let about = event.replica.as_deref().map_or_else(String::new, |replica| format!("{replica} "));
    format!("{time} {:<13} {about}{}", event.kind, event.message)
}
