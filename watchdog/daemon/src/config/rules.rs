//! Rules: what the types of the configuration do not say about its values.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use tracing_subscriber::EnvFilter;
use watchdog_core::ids::ClusterId;
use watchdog_membership::wire::CoordinationUrl;
use watchdog_telemetry::{Endpoint, EndpointError};
use watchdog_trust::nearest;

use super::secrecy;
use super::{Config, Coordination, CoordinationTable, File, JournalUrl, Log, LogTable, TelemetryTable};

/// A value that may not be, and why.
pub(super) type Broken = (Range<usize>, String);

/// Longer ones are a slip of the unit: a day.
const MS: RangeInclusive<u64> = 1..=86_400_000;
/// What the coordination services grant.
const SESSION_TIMEOUT_MS: RangeInclusive<u64> = 200..=60_000;

impl File {
    /// Checks what the types do not; answers the place at fault and what to do about it.
    pub(super) fn checked(self) -> Result<Config, Broken> {
        let tls = self.tls.checked()?;
        check(&self.listen, |listen| secrecy::listen(*listen, tls.is_some(), self.address.is_some()))?;
        check(&self.clusters, |clusters| distinct(clusters))?;
        if let Some(address) = &self.address {
            check(address, |address| secrecy::reachable(address, tls.is_some()))?;
        }
        let journal: JournalUrl =
            self.journal.get_ref().parse().map_err(|reason| (self.journal.span(), reason))?;
        Ok(Config {
            id: self.id,
            listen: self.listen.into_inner(),
            tls,
            address: self.address.map(Spanned::into_inner),
            clusters: self.clusters.into_inner(),
            journal,
            query_timeout: within(self.query_timeout_ms, 3_000, &MS)?,
            resign_after: within(self.resign_after_ms, 5_000, &MS)?,
            stay_out: within(self.stay_out_ms, 30_000, &MS)?,
            coordination: self.coordination.checked()?,
            access: self.access.checked()?,
            log: self.log.checked()?,
            otlp: self.telemetry.checked()?,
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
        let tls = secrecy::coordination(&self.url, [self.tls_ca, self.tls_certificate, self.tls_key])?;
        let coordination = Coordination {
            url: self.url.into_inner(),
            session_timeout: within(self.session_timeout_ms, 4_000, &SESSION_TIMEOUT_MS)?,
            auth_file: self.auth_file.map(Spanned::into_inner),
            tls,
        };
        let unusable = |error: anyhow::Error| (place.unwrap_or_default(), format!("{error:#}"));
        coordination.options().map_err(unusable)?;
        Ok(coordination)
    }
}

impl TelemetryTable {
    fn checked(self) -> Result<Option<Endpoint>, Broken> {
        let Some(otlp) = self.otlp else { return Ok(None) };
        otlp.get_ref().parse().map(Some).map_err(|error: EndpointError| (otlp.span(), error.to_string()))
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

fn distinct(clusters: &[ClusterId]) -> Result<(), String> {
    if clusters.is_empty() {
        return Err("names no cluster; give at least one, such as [\"demo\"]".to_owned());
    }
    let twice = clusters.iter().enumerate().find(|(index, cluster)| clusters[..*index].contains(cluster));
    twice.map_or(Ok(()), |(_, cluster)| Err(format!("names {cluster} twice")))
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
