//! Wire: from an address to the adapter that speaks with it.
//!
//! ```text
//! zookeeper://h1:2181,h2:2181/chroot ──► zookeeper::ZooKeeper
//! embedded://127.0.0.1:7000          ──► embedded::Embedded
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::tree::Connect;
use crate::{embedded, zookeeper};

/// The session time-out where nobody says otherwise; shorter ones die by themselves on a loaded machine.
pub const SESSION_TIMEOUT_DEFAULT: Duration = Duration::from_secs(4);

/// Why a text is not the address of a coordination service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It starts with something else.
    #[error(
        "{url:?} is not a coordination address; use zookeeper://host:port,…/path or embedded://127.0.0.1:port"
    )]
    Scheme {
        /// The text.
        url: String,
    },
    /// No host, or an empty one among them.
    #[error("{url:?} names no host; expected zookeeper://host:port,…/path")]
    NoHost {
        /// The text.
        url: String,
    },
    /// A host of ZooKeeper is not `host` or `host:port`.
    #[error("{host:?} is not a host of ZooKeeper; expected host or host:port")]
    BadHost {
        /// The host.
        host: String,
    },
    /// The path has empty or odd segments.
    #[error(
        "{chroot:?} is not a path in ZooKeeper; expected segments of A-Z a-z 0-9 . _ -, without a slash at the end"
    )]
    BadChroot {
        /// The path.
        chroot: String,
    },
    /// The embedded service has exactly one address.
    #[error("{address:?} is not an address of the embedded service; expected 127.0.0.1:port")]
    BadAddress {
        /// What stands there.
        address: String,
    },
    /// The embedded service is of this machine only.
    #[error("{address} is not on this machine; beyond one machine coordination is ZooKeeper's")]
    NotLoopback {
        /// What stands there.
        address: SocketAddr,
    },
}

/// The address of a coordination service, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoordinationUrl {
    /// A ZooKeeper ensemble.
    ZooKeeper {
        /// `host:port`, each.
        hosts: Vec<String>,
        /// Below which all paths stand; empty, or with a slash at its start.
        chroot: String,
    },
    /// The embedded service of a watchdog on this machine.
    Embedded {
        /// Where it listens.
        address: SocketAddr,
    },
}

impl FromStr for CoordinationUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        if let Some(rest) = url.strip_prefix("zookeeper://") {
            return zookeeper_url(url, rest);
        }
        let Some(address) = url.strip_prefix("embedded://") else {
            return Err(UrlError::Scheme { url: shown(url) });
        };
        let bad = |_| UrlError::BadAddress { address: shown(address) };
        let address: SocketAddr = address.trim_end_matches('/').parse().map_err(bad)?;
        if !address.ip().is_loopback() {
            return Err(UrlError::NotLoopback { address });
        }
        Ok(Self::Embedded { address })
    }
}

/// What was given, cut where it is longer than anybody reads.
fn shown(text: &str) -> String {
    const CHARACTERS_MAX: usize = 200;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn zookeeper_url(url: &str, rest: &str) -> Result<CoordinationUrl, UrlError> {
    let (hosts, chroot) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if hosts.split(',').any(str::is_empty) {
        return Err(UrlError::NoHost { url: shown(url) });
    }
    let hosts: Vec<String> = hosts.split(',').map(with_port).collect::<Result<_, _>>()?;
    let chroot = if chroot == "/" { "" } else { chroot };
    if !chroot.is_empty() && !is_path(chroot) {
        return Err(UrlError::BadChroot { chroot: shown(chroot) });
    }
    Ok(CoordinationUrl::ZooKeeper { hosts, chroot: chroot.to_owned() })
}

fn with_port(host: &str) -> Result<String, UrlError> {
    let bad = || UrlError::BadHost { host: shown(host) };
    if host.contains(|c: char| c.is_whitespace() || c == '@' || c == '/') {
        return Err(bad());
    }
    let name_end = host.rfind(']').map_or(0, |end| end + 1);
    match host[name_end..].rsplit_once(':') {
        None => Ok(format!("{host}:2181")),
        Some((name, port)) => {
            let named = name_end > 0 || (!name.is_empty() && !name.contains(':'));
            let numbered = port.parse::<u16>().is_ok_and(|port| port > 0) && !port.starts_with('+');
            if named && numbered { Ok(host.to_owned()) } else { Err(bad()) }
        }
    }
}

/// Whether `path` is absolute and of segments `[A-Za-z0-9._-]+`, none of them `.` or `..`.
pub(crate) fn is_path(path: &str) -> bool {
    let segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment))
}

/// How sessions are opened, whichever service it is.
#[derive(Debug, Clone)]
pub struct Options {
    /// After how long without a sign of life the service ends a session.
    pub session_timeout: Duration,
    /// Who we are; with it everything that we create is ours alone (ZooKeeper only).
    pub digest: Option<Digest>,
    /// How connections are encrypted (ZooKeeper only).
    pub tls: Option<Tls>,
}

impl Default for Options {
    fn default() -> Self {
        Self { session_timeout: SESSION_TIMEOUT_DEFAULT, digest: None, tls: None }
    }
}

/// A user and a password, for ZooKeeper's `digest` scheme.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    user: String,
    password: String,
}

/// A text is not `user:password`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("coordination credentials must be one line `user:password`")]
pub struct DigestError;

impl Digest {
    /// The bytes that ZooKeeper wants.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        format!("{}:{}", self.user, self.password).into_bytes()
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    /// Parses `user:password`, as the credentials file holds it; a line end after it is ignored.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let line = text.trim_end_matches(['\r', '\n']);
        match line.split_once(':') {
            Some((user, password)) if !user.is_empty() && !password.is_empty() && !line.contains('\n') => {
                Ok(Self { user: user.to_owned(), password: password.to_owned() })
            }
            _ => Err(DigestError),
        }
    }
}

impl fmt::Debug for Digest {
    /// Leaves the password out: this ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How connections are encrypted, and who we are in them: PEM files, read for each session, so that new ones are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Whose signature makes a server's certificate good.
    pub ca: PathBuf,
    /// Our own certificate and its key, where the service wants them.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Picks the adapter for `url`. Nothing is connected yet.
///
/// # Errors
///
/// A [`UrlError`] that says what is expected there.
pub fn connector(url: &str, options: Options) -> Result<Arc<dyn Connect>, UrlError> {
    Ok(match url.parse()? {
        CoordinationUrl::ZooKeeper { hosts, chroot } => {
            Arc::new(zookeeper::ZooKeeper::new(zookeeper::ZooKeeperConfig { hosts, chroot, options }))
        }
        CoordinationUrl::Embedded { address } => {
            Arc::new(embedded::Embedded::new(address, options.session_timeout))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood_or_refused_with_the_reason() {
        let ensemble = |hosts: &[&str], chroot: &str| {
            let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
            Ok(CoordinationUrl::ZooKeeper { hosts, chroot: chroot.to_owned() })
        };
        let bad_host = |host: &str| Err(UrlError::BadHost { host: host.to_owned() });
        let far = "10.0.0.1:7000";
        let table = [
            ("zookeeper://h1,h2:2182/prod/a", ensemble(&["h1:2181", "h2:2182"], "/prod/a")),
            ("zookeeper://[::1]:2181/", ensemble(&["[::1]:2181"], "")),
            ("zookeeper://", Err(UrlError::NoHost { url: "zookeeper://".into() })),
            ("zookeeper://h1,,h2", Err(UrlError::NoHost { url: "zookeeper://h1,,h2".into() })),
            ("zookeeper://h1:0", bad_host("h1:0")),
            ("zookeeper://h1:x", bad_host("h1:x")),
            ("zookeeper://h1/a//b", Err(UrlError::BadChroot { chroot: "/a//b".into() })),
            ("zookeeper://h1/a/..", Err(UrlError::BadChroot { chroot: "/a/..".into() })),
            ("embedded://localhost", Err(UrlError::BadAddress { address: "localhost".into() })),
            ("etcd://h1", Err(UrlError::Scheme { url: "etcd://h1".into() })),
        ];
        for (url, expected) in table {
            assert_eq!(url.parse::<CoordinationUrl>(), expected, "{url}");
        }
        let refused = format!("embedded://{far}").parse::<CoordinationUrl>();
        assert!(matches!(refused, Err(UrlError::NotLoopback { .. })), "{refused:?}");
        assert!("embedded://127.0.0.1:7000".parse::<CoordinationUrl>().is_ok());
    }

    #[test]
    fn credentials_are_one_line_and_never_printed() {
        let digest: Result<Digest, _> = "watchdog:s3cret\n".parse();
        let shown = format!("{digest:?}");
        assert!(shown.contains("watchdog") && !shown.contains("s3cret"), "{shown}");
        for bad in ["", "watchdog", ":x", "a:", "a:b\nc:d"] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestError), "{bad:?}");
        }
    }
}
