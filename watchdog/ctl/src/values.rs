//! Values: what may stand on the command line, parsed once; each error says what is wrong and what was meant.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use watchdog_core::goal::{Named, Restore};
use watchdog_core::ids::Version;

/// A duration such as `2h`, `90s` or `1h 30m`, longer than nothing.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|error| format!("{error}; write 90s, 15m or 2h"))?;
    if duration < Duration::from_millis(1) {
        return Err("it must be longer than nothing; write 90s, 15m or 2h".to_owned());
    }
    if duration > LONGEST {
        return Err("it is longer than a century; write 90s, 15m or 2h".to_owned());
    }
    Ok(duration)
}

/// Longer ones are a slip of the keyboard, and clocks run over.
pub(crate) const LONGEST: Duration = Duration::from_hours(24 * 365 * 100);

/// A sentence that is stored with an operator's act.
pub(crate) fn sentence(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it must say something: it is kept in the record for others to read".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("it must be one line, without control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A moment, as the RFC 3339 text that goes over the wire: a time, `now`, or a duration ago.
pub(crate) fn moment(text: &str, now: SystemTime) -> Result<String, String> {
    let time = if text == "now" {
        now
    } else if let Ok(ago) = humantime::parse_duration(text) {
        now.checked_sub(ago).ok_or_else(|| format!("{text} ago is before all time"))?
    } else {
        humantime::parse_rfc3339_weak(text).map_err(|error| {
            format!("{error}; write a time such as 2026-05-01T09:30:00Z, a duration ago such as 10m, or now")
        })?
    };
    if time < SystemTime::UNIX_EPOCH {
        return Err(format!("{text} is before 1970"));
    }
    Ok(humantime::format_rfc3339_millis(time).to_string())
}

/// Which version of the metadata log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhichVersion {
    /// This one.
    Number(u64),
    /// The newest.
    Head,
    /// The last stable one.
    Stable,
}

impl FromStr for WhichVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "head" => Ok(Self::Head),
            "stable" => Ok(Self::Stable),
            _ => {
                let digits = text.strip_prefix('v').unwrap_or(text);
                let digits = Some(digits).filter(|digits| !digits.starts_with('+')).unwrap_or_default();
                let number = digits.parse().map_err(|_| "not a version; write 12, head or stable".to_owned());
                number.map(Self::Number)
            }
        }
    }
}

/// An earlier state to return to: `stable`, or the number of a version.
pub(crate) fn restorable(text: &str) -> Result<Restore, String> {
    match text.parse()? {
        WhichVersion::Stable => Ok(Restore::Named(Named::Stable)),
        WhichVersion::Number(0) => Err("there is no version 0; they count from 1".to_owned()),
        WhichVersion::Number(version) => Ok(Restore::Version(Version(version))),
        WhichVersion::Head => Err("the head is what stands now; write 12 or stable".to_owned()),
    }
}

/// The URL of a watchdog, with its scheme.
///
/// # Errors
///
/// A sentence, when it is none that we can speak to.
pub(crate) fn endpoint(text: &str, is_encrypted: bool) -> Result<String, String> {
    let expected = if is_encrypted { "https" } else { "http" };
    let wrong = |why: &str| format!("endpoint {text:?}: {why}; write {expected}://HOST:PORT");
    let rest = match text.split_once("://") {
        None => text,
        Some((scheme, rest)) if scheme == expected => rest,
        Some(("http", _)) => return Err(wrong("it is not encrypted, and certificates are given")),
        Some(("https", _)) => {
            let why = "TLS needs a certificate authority: pass --tls-ca FILE or set WATCHDOG_TLS_CA";
            return Err(format!("endpoint {text:?}: {why}"));
        }
        Some((scheme, _)) => return Err(wrong(&format!("scheme {scheme:?} is not known"))),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = authority.rsplit_once(':').ok_or_else(|| wrong("the port is missing"))?;
    if host.is_empty() {
        return Err(wrong("the host is missing"));
    }
    if host.contains('@') {
        return Err(wrong("there are no users"));
    }
    match port.parse::<u16>() {
        // Rust takes a plus for a part of the number, and URLs do not.
        Ok(1..) if !port.starts_with('+') => {}
        _ => return Err(wrong(&format!("{port:?} is not a port"))),
    }
    let url = format!("{expected}://{authority}");
    match url.parse::<tonic::transport::Uri>() {
        Ok(_) => Ok(url),
        Err(error) => Err(wrong(&error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_duration_ago() {
        let now = humantime::parse_rfc3339("2026-05-01T12:00:00Z").unwrap();
        let table = [
            ("now", "2026-05-01T12:00:00.000Z"),
            ("10m", "2026-05-01T11:50:00.000Z"),
            ("1h 30m", "2026-05-01T10:30:00.000Z"),
            ("2026-05-01T09:30:00Z", "2026-05-01T09:30:00.000Z"),
            ("2026-05-01 09:30:00", "2026-05-01T09:30:00.000Z"),
        ];
        for (text, expected) in table {
            assert_eq!(moment(text, now).unwrap(), expected, "{text}");
        }
        for bad in ["", "yesterday", "10 parsecs", "2026-13-01T00:00:00Z", "100000y"] {
            assert!(moment(bad, now).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_endpoint_says_what_is_wrong_with_it() {
        let table = [
            ("http://127.0.0.1:7400", Ok("http://127.0.0.1:7400")),
            ("http://127.0.0.1:7400/", Ok("http://127.0.0.1:7400")),
            ("localhost:7400", Ok("http://localhost:7400")),
            ("http://[::1]:7400", Ok("http://[::1]:7400")),
            ("https://a:1", Err("TLS")),
            ("ftp://a:1", Err("scheme \"ftp\"")),
            ("localhost", Err("port is missing")),
            ("localhost:0", Err("\"0\" is not a port")),
            (":7400", Err("host is missing")),
            ("a:7400/x", Err("is not a port")),
            ("a:+7400", Err("is not a port")),
            ("me@a:7400", Err("there are no users")),
            ("a b:7400", Err("invalid uri")),
        ];
        for (text, expected) in table {
            match (endpoint(text, false), expected) {
                (Ok(url), Ok(expected)) => assert_eq!(url, expected),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        assert_eq!(endpoint("a:1", true).unwrap(), "https://a:1");
        assert_eq!(endpoint("https://a:1", true).unwrap(), "https://a:1");
        assert!(endpoint("http://a:1", true).unwrap_err().contains("not encrypted"));
    }

    #[test]
    fn versions_have_names_too() {
        assert_eq!("12".parse(), Ok(WhichVersion::Number(12)));
        assert_eq!("v12".parse(), Ok(WhichVersion::Number(12)));
        assert_eq!("stable".parse(), Ok(WhichVersion::Stable));
        assert!("latest".parse::<WhichVersion>().unwrap_err().contains("head or stable"));
        assert!("-1".parse::<WhichVersion>().is_err());
        assert_eq!(restorable("v12"), Ok(Restore::Version(Version(12))));
        assert_eq!(restorable("stable"), Ok(Restore::Named(Named::Stable)));
        for (text, lesson) in [("head", "12 or stable"), ("0", "count from 1"), ("x", "not a version")] {
            assert!(restorable(text).is_err_and(|said| said.contains(lesson)), "{text}");
        }
    }

    #[test]
    fn durations_and_sentences_must_say_something() {
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        for bad in ["", "2", "2 fortnights", "0s", "101y", "500000000000y"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
        assert_eq!(sentence(" disk swap "), Ok("disk swap".to_owned()));
        assert!(sentence("  ").is_err() && sentence("a\nb").is_err());
    }
}
