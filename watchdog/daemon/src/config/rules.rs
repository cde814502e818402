//! Rules: what the types of the configuration do not say about its values.

use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use tracing_subscriber::EnvFilter;
use watchdog_core::ids::ClusterId;
use watchdog_membership::wire::CoordinationUrl;

use super::mistake::nearest;
use super::{Config, Coordination, CoordinationTable, File, JournalUrl, Log, LogTable};

/// A value that may not be, and why.
type Broken = (Range<usize>, String);

/// Longer ones are a slip of the unit: a day.
const MS: RangeInclusive<u64> = 1..=86_400_000;
/// What the coordination services grant.
const SESSION_TIMEOUT_MS: RangeInclusive<u64> = 200..=60_000;

impl File {
    /// Checks what the types do not; answers the place at fault and what to do about it.
    pub(super) fn checked(self) -> Result<Config, Broken> {
        check(&self.listen, |listen| loopback(*listen))?;
        check(&self.clusters, |clusters| distinct(clusters))?;
        if let Some(address) = &self.address {
            check(address, |address| reachable_url(address))?;
        }
        let journal: JournalUrl =
            self.journal.get_ref().parse().map_err(|reason| (self.journal.span(), reason))?;
        Ok(Config {
            id: self.id,
            listen: self.listen.into_inner(),
            address: self.address.map(Spanned::into_inner),
            clusters: self.clusters.into_inner(),
            journal,
            query_timeout: within(self.query_timeout_ms, 3_000, &MS)?,
            resign_after: within(self.resign_after_ms, 5_000, &MS)?,
            stay_out: within(self.stay_out_ms, 30_000, &MS)?,
            coordination: self.coordination.checked()?,
            access: self.access.checked()?,
            log: self.log.checked()?,
        })
    }
}

impl CoordinationTable {
    fn checked(self) -> Result<Coordination, Broken> {
        check(&self.url, |url| match url.parse::<CoordinationUrl>() {
            Ok(CoordinationUrl::Embedded { address }) if address.port() == 0 => {
                Err("port 0 names no service; give the port on which it listens".to_owned())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        })?;
        let place = self.auth_file.as_ref().map(Spanned::span);
        let coordination = Coordination {
            url: self.url.into_inner(),
            session_timeout: within(self.session_timeout_ms, 4_000, &SESSION_TIMEOUT_MS)?,
            auth_file: self.auth_file.map(Spanned::into_inner),
        };
        let unusable = |error: anyhow::Error| (place.unwrap_or_default(), format!("{error:#}"));
        coordination.options().map_err(unusable)?;
        Ok(coordination)
    }
}

impl LogTable {
    fn checked(self) -> Result<Log, Broken> {
        let filter = match self.filter {
            Some(filter) => {
                check(&filter, |filter| filter_fault(filter))?;
                filter.into_inner()
            }
            None => Log::default().filter,
        };
        Ok(Log { format: self.format, filter })
    }
}

fn check<T>(value: &Spanned<T>, rule: impl FnOnce(&T) -> Result<(), String>) -> Result<(), Broken> {
    rule(value.get_ref()).map_err(|reason| (value.span(), reason))
}

fn within(
    value: Option<Spanned<u64>>,
    default: u64,
    range: &RangeInclusive<u64>,
) -> Result<Duration, Broken> {
    let Some(value) = value else { return Ok(Duration::from_millis(default)) };
    check(&value, |ms| {
        let outside =
            || format!("{ms} milliseconds is out of range; allowed are {} to {}", range.start(), range.end());
        range.contains(ms).then_some(()).ok_or_else(outside)
    })?;
    Ok(Duration::from_millis(value.into_inner()))
}

/// Without TLS nobody beyond this machine may reach us.
pub(crate) fn loopback(listen: SocketAddr) -> Result<(), String> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "{listen} is reachable from other machines and the watchdog has no TLS; listen on 127.0.0.1:{} and put a tunnel (WireGuard, stunnel) in front, whose near end goes into `address`",
        listen.port()
    ))
}

fn distinct(clusters: &[ClusterId]) -> Result<(), String> {
    if clusters.is_empty() {
        return Err("names no cluster; give at least one, such as [\"demo\"]".to_owned());
    }
    let twice = clusters.iter().enumerate().find(|(index, cluster)| clusters[..*index].contains(cluster));
    twice.map_or(Ok(()), |(_, cluster)| Err(format!("names {cluster} twice")))
}

fn reachable_url(address: &str) -> Result<(), String> {
    let expected = || format!("{address:?} is not a URL of ours; expected http://HOST:PORT");
    let uri: tonic::transport::Uri = address.parse().map_err(|_| expected())?;
    if uri.scheme_str() == Some("https") {
        return Err(format!("{address:?} asks for TLS, which the watchdog does not speak; use http://"));
    }
    let bare = uri.path() == "/" && uri.query().is_none() && !address.ends_with('/');
    if uri.scheme_str() != Some("http") || uri.host().is_none() || !bare {
        return Err(expected());
    }
    match uri.port_u16() {
        Some(0) => Err("port 0 cannot be reached; leave `address` out to advertise the real port".to_owned()),
        Some(_) => Ok(()),
        None => Err(format!("{address:?} lacks the port; expected http://HOST:PORT")),
    }
}

/// Whether `url` is the address of a journal.
pub(super) fn journal(url: &str) -> Result<(), String> {
    const EXPECTED: &str = "expected sqlite:PATH or postgres://USER@HOST/DATABASE";
    if let Some(path) = url.strip_prefix("sqlite:") {
        return match path.trim_start_matches('/') {
            "" => Err(format!("{url:?} names no file; expected sqlite:PATH")),
            _ if path.contains(":memory:") => {
                Err("a journal in memory forgets everything when the watchdog ends; expected sqlite:PATH"
                    .to_owned())
            }
            _ => Ok(()),
        };
    }
    if let Some(rest) = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme)) {
        let database = rest.split_once('/').map_or("", |(_, path)| path.split('?').next().unwrap_or(path));
        return if database.is_empty() {
            Err(format!("{:?} names no database; {EXPECTED}", hidden(url)))
        } else {
            Ok(())
        };
    }
    match url.split_once(':') {
        None => Err(format!("{url:?} names no kind of journal; did you mean \"sqlite:{url}\"?")),
        Some((scheme, _)) => match nearest(scheme, ["sqlite", "postgres", "postgresql"]) {
            Some(meant) => Err(format!("unknown kind of journal `{scheme}`; did you mean `{meant}`?")),
            None => Err(format!("unknown kind of journal `{scheme}`; {EXPECTED}")),
        },
    }
}

/// The address of a database without its password, wherever that stands, for messages and logs.
pub(crate) fn hidden(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let authority = &place[..place.find('/').unwrap_or(place.len())];
    let path = &place[authority.len()..];
    let place = match authority.rsplit_once('@').map(|(user, host)| (user.split_once(':'), host)) {
        Some((Some((user, _)), host)) => format!("{user}:…@{host}{path}"),
        _ => place.to_owned(),
    };
    let shown = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if name.eq_ignore_ascii_case("password") => format!("{name}=…"),
        _ => parameter.to_owned(),
    };
    let query: Vec<String> = query.into_iter().flat_map(|query| query.split('&')).map(shown).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{place}{mark}{}", query.join("&"))
}

fn filter_fault(filter: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    EnvFilter::try_new(filter).map_err(|error| format!("{filter:?} is not understood: {error}"))?;
    // A misspelt level is taken for the name of a module, and then nothing is logged.
    let lone = filter.split(',').map(str::trim).find(|part| !part.contains(['=', ':', '_', '[']));
    match lone {
        Some(word) if !LEVELS.contains(&word.to_ascii_lowercase().as_str()) => match nearest(word, LEVELS) {
            Some(meant) => Err(format!("{word:?} is not a level; did you mean `{meant}`?")),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}
