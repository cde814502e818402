//! Check: what the types of the config let through and no host can mean.

use std::ops::RangeInclusive;

use tracing_subscriber::EnvFilter;
use watchdog_membership::wire::CoordinationUrl;
use watchdog_telemetry::Endpoint;

use super::{Config, Probing};

/// Longer ones are a slip of the unit: a day.
const MS: RangeInclusive<u64> = 1..=86_400_000;
/// What the coordination services grant.
const SESSION_TIMEOUT_MS: RangeInclusive<u64> = 200..=60_000;
/// Each rotation renames them all.
const LOGS_KEPT_MAX: u64 = 1_000;

impl Config {
    /// Checks what the types do not; answers the key at fault and what to do about it.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        self.tls.check()?;
        self.check_listen().map_err(|reason| ("listen", reason))?;
        if self.clusters.is_empty() {
            return Err(("clusters", "names no cluster; name at least one".into()));
        }
        if let Some(twice) = self.clusters.iter().enumerate().find(|(i, it)| self.clusters[..*i].contains(it))
        {
            return Err(("clusters", format!("names {} twice", twice.1)));
        }
        if self.dir.as_os_str().is_empty() {
            return Err(("dir", "names no directory".into()));
        }
        match self.coordination.url.parse::<CoordinationUrl>() {
            Ok(CoordinationUrl::Embedded { address }) if address.port() == 0 => {
                return Err(("url", "port 0 names no service; give the port on which it listens".into()));
            }
            Ok(_) => {}
            Err(error) => return Err(("url", error.to_string())),
        }
        self.coordination.tls()?;
        self.check_numbers()?;
        self.check_tellers()?;
        self.programs.iter().try_for_each(|(name, program)| {
            program.check().map_err(|(key, why)| (key, format!("program {}: {why}", name.escape_debug())))
        })
    }

    fn check_listen(&self) -> Result<(), String> {
        let (listen, is_encrypted) = (self.listen, self.tls.files().is_some());
        if !listen.ip().is_loopback() && !is_encrypted {
            return Err(format!(
                "{listen} is reachable from other machines and TLS is not configured; listen on 127.0.0.1, or give ca, certificate and key in a table [tls] (`watchdogctl certs init --help` makes them)"
            ));
        }
        if listen.ip().is_unspecified() {
            return Err(format!(
                "{listen} is no address that watchdogs could be told; give the one at which they reach this host"
            ));
        }
        Ok(())
    }

    fn check_tellers(&self) -> Result<(), (&'static str, String)> {
        let otlp = self.telemetry.otlp.as_deref().map_or(Ok(()), |otlp| otlp.parse::<Endpoint>().map(drop));
        otlp.map_err(|error| ("otlp", error.to_string()))?;
        let filter = EnvFilter::try_new(&self.log.filter).map(drop);
        filter.map_err(|error| {
            ("filter", format!("{:?} is not a filter such as info or debug: {error}", self.log.filter))
        })
    }

    fn check_numbers(&self) -> Result<(), (&'static str, String)> {
        let Probing { interval_ms, timeout_ms, failures, startup_ms } = self.probes;
        let numbers = [
            ("lease_ms", self.lease_ms, MS),
            ("grace_max_ms", self.grace_max_ms, 0..=*MS.end()),
            ("session_timeout_ms", self.coordination.session_timeout_ms, SESSION_TIMEOUT_MS),
            ("interval_ms", interval_ms, MS),
            ("timeout_ms", timeout_ms, MS),
            ("failures", u64::from(failures), 1..=u64::from(u32::MAX)),
            ("startup_ms", startup_ms, 0..=*MS.end()),
            ("max_bytes", self.logs.max_bytes, 1..=u64::MAX),
            ("keep", u64::from(self.logs.keep), 0..=LOGS_KEPT_MAX),
        ];
        match numbers.into_iter().find(|(_, value, range)| !range.contains(value)) {
            Some((key, _, range)) if *range.end() >= u64::from(u32::MAX) => {
                Err((key, format!("must be at least {}", range.start())))
            }
            Some((key, value, range)) => Err((
                key,
                format!("{value} is out of range; allowed are {} to {}", range.start(), range.end()),
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::super::ConfigError;
    use super::*;

    const GOOD: &str = "host = \"host-a\"\nlisten = \"127.0.0.1:0\"\ndir = \"/tmp/x\"\nclusters = [\"demo\"]\n[coordination]\nurl = \"embedded://127.0.0.1:1\"\n[programs.web]\nargv = [\"/bin/web\", \"{port}\"]\nparameters.port = { pattern = \"port\", default = \"80\" }\n";

    fn read(text: &str) -> Result<Config, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        let relative =
            |error: ConfigError| error.to_string().replace(&format!("{}/", directory.path().display()), "");
        Config::read(&path).map_err(relative)
    }

    #[test]
    fn mistakes_are_told_with_file_line_and_what_was_meant() {
        assert!(read(GOOD).is_ok());
        let table = [
            ("clusters", "clsters", "agent.toml:4: unknown key `clsters`; did you mean `clusters`?"),
            ("url =", "uri =", "agent.toml:6: unknown key `uri`; did you mean `url`?"),
            (
                "127.0.0.1:0",
                "0.0.0.0:7000",
                "agent.toml:2: listen: 0.0.0.0:7000 is reachable from other machines",
            ),
            ("127.0.0.1:0", "localhost", "agent.toml:2: invalid socket address syntax"),
            ("[\"demo\"]", "[]", "agent.toml:4: clusters: names no cluster"),
            ("[\"demo\"]", "[\"demo\", \"demo\"]", "agent.toml:4: clusters: names demo twice"),
            ("\"/tmp/x\"", "\"\"", "agent.toml:3: dir: names no directory"),
            ("embedded://127.0.0.1:1", "etcd://h1", "agent.toml:6: url: \"etcd://h1\" is not a coordination"),
            (
                "embedded://127.0.0.1:1",
                "embedded://127.0.0.1:0",
                "agent.toml:6: url: port 0 names no service",
            ),
            (
                "[coordination]",
                "lease_ms = 99999999999\n[coordination]",
                "agent.toml:5: lease_ms: 99999999999 is out of range; allowed are 1 to 86400000",
            ),
            ("[programs", "[logs]\nkeep = 4000000000\n[programs", "agent.toml:8: keep: 4000000000 is out of"),
            ("[programs.web]", "[programs.web]\nload = {}", "agent.toml:8: load: program web: does nothing"),
            (
                "[programs.web]",
                "[programs.web]\nenvironment = { \"A=B\" = \"x\" }",
                "agent.toml:8: environment: program web: \"A=B\" can't be the name of a variable",
            ),
            (
                "parameters.port",
                "parameters.PORT = { pattern = \"port\" }\nparameters.port",
                "agent.toml:9: parameters: program web: PORT and port would both be WATCHDOG_PARAM_PORT",
            ),
            ("\"host-a\"", "7", "agent.toml:1: invalid type: integer `7`, expected a string"),
            ("host-a", "Host", "agent.toml:1: name \"Host\" has 'H' at position 1"),
            (
                "{port}",
                "{prt}",
                "agent.toml:8: argv: program web: \"{prt}\" names no parameter; did you mean {port}?",
            ),
            (
                "\"80\"",
                "\"eighty\"",
                "agent.toml:9: parameters: program web: the default of port is not a port number",
            ),
            ("\"port\",", "\"prot\",", "agent.toml:9: unknown value `prot`; did you mean `port`?"),
        ];
        told(&table);
    }

    #[test]
    fn half_of_the_certificates_is_a_mistake_too() {
        told(&[
            (
                "[coordination]",
                "[tls]\nca = \"/no/ca\"\n[coordination]",
                "agent.toml:6: ca: certificate must be given too",
            ),
            (
                "[coordination]",
                "[tls]\nca = \"/no/ca\"\ncertificate = \"/no/c\"\nkey = \"/no/k\"\n[coordination]",
                "agent.toml:7: certificate: cannot read the certificate authority /no/ca: No such file",
            ),
            ("url =", "tls_key = \"/k\"\nurl =", "agent.toml:6: tls_key: tls_ca must be given too"),
        ]);
    }

    fn told(table: &[(&str, &str, &str)]) {
        for (from, to, expected) in table {
            let error = read(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(error.starts_with(expected), "{to}: {error}");
        }
    }

    #[test]
    fn logs_and_spans_go_only_where_they_can() {
        let table = [
            (
                "telemetry",
                "otlp = \"http://10.0.0.1:4317\"",
                "otlp: http://10.0.0.1:4317 leads away from this",
            ),
            ("log", "filter = \"info=loud\"", "filter: \"info=loud\" is not a filter"),
            ("log", "format = \"prety\"", "unknown value `prety`; did you mean `pretty`?"),
        ];
        for (of, key, expected) in table {
            let error =
                read(&GOOD.replacen("[programs", &format!("[{of}]\n{key}\n[programs"), 1)).unwrap_err();
            assert!(error.starts_with(&format!("agent.toml:8: {expected}")), "{key}: {error}");
        }
        let given = GOOD.replacen("[programs", "[telemetry]\notlp = \"http://127.0.0.1:4317\"\n[programs", 1);
        assert!(read(&given).unwrap().telemetry.otlp.is_some());
    }
}
