//! Reach: whether what others run for us is there, so that its absence is told at once and by name.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use watchdog_membership::wire::CoordinationUrl;

use crate::config::JournalUrl;

const PATIENCE: Duration = Duration::from_secs(2);

/// Where the group is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Coordination {
    /// In this process.
    Embedded,
    /// In an ensemble that is there.
    ZooKeeper {
        /// Its whole address.
        url: String,
        /// `host:port`, each.
        hosts: Vec<String>,
    },
}

/// Reads `--coordination`.
pub(super) fn coordination(text: &str) -> Result<Coordination, String> {
    if text == "embedded" {
        return Ok(Coordination::Embedded);
    }
    match text.parse() {
        Ok(CoordinationUrl::ZooKeeper { hosts, .. }) => {
            Ok(Coordination::ZooKeeper { url: text.to_owned(), hosts })
        }
        Ok(CoordinationUrl::Embedded { .. }) => {
            Err("this process serves the embedded service itself, where it likes; say just `embedded`"
                .to_owned())
        }
        Err(error) if text.starts_with("zookeeper://") => Err(error.to_string()),
        Err(_) => Err("expected embedded or zookeeper://host:port,…/path".to_owned()),
    }
}

/// One server of the ensemble is enough.
pub(super) async fn zookeeper(hosts: &[String]) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for host in hosts {
        match connect(host).await {
            Ok(()) => return Ok(()),
            Err(fault) => faults.push(format!("{host}: {fault}")),
        }
    }
    anyhow::bail!("no server of ZooKeeper can be reached ({}); is it running?", faults.join("; "))
}

/// The database's server; a file is made when it is opened.
pub(super) async fn journal(url: &JournalUrl) -> anyhow::Result<()> {
    let Some(host) = server_of(url.as_str()) else { return Ok(()) };
    match connect(&host).await {
        Ok(()) => Ok(()),
        Err(fault) => anyhow::bail!("PostgreSQL at {host} cannot be reached ({fault}); is it running?"),
    }
}

/// `host:port` of a PostgreSQL that is reached over TCP.
fn server_of(url: &str) -> Option<String> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // Without a host, or with an encoded path as host, it is a socket in the file system.
    if host.is_empty() || host.contains('%') {
        return None;
    }
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    Some(if has_port { host.to_owned() } else { format!("{host}:5432") })
}

async fn connect(host: &str) -> Result<(), String> {
    match timeout(PATIENCE, TcpStream::connect(host)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_server_of_a_database_is_found_in_its_address() {
        let table = [
            ("postgres://u:p@h:1/d", Some("h:1")),
            ("postgres://u:p@h/d", Some("h:5432")),
            ("postgresql://[::1]/d", Some("[::1]:5432")),
            ("postgres://[::1]:7/d?x", Some("[::1]:7")),
            ("postgres:///d?host=/run/postgresql", None),
            ("postgres://%2Frun%2Fpostgresql/d", None),
            ("sqlite:/x", None),
        ];
        for (url, expected) in table {
            assert_eq!(server_of(url).as_deref(), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn who_is_not_there_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap().to_string();
        // A port of this address range that nobody was ever given.
        let away = "127.77.0.1:1".to_owned();
        assert!(zookeeper(&[away.clone(), there.clone()]).await.is_ok(), "one is enough");
        let error = zookeeper(std::slice::from_ref(&away)).await.unwrap_err().to_string();
        assert!(error.contains(&away) && error.contains("ZooKeeper"), "{error}");
        let error =
            journal(&format!("postgres://u:secret@{away}/d").parse().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains(&away) && !error.contains("secret"), "{error}");
        assert!(journal(&format!("postgres://u@{there}/d").parse().unwrap()).await.is_ok());
    }
}
