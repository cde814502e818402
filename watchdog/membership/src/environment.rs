//! Environment: the `WATCHDOG_*` variables that a host agent sets for a replica: its identity, and where its files are.
//!
//! ```text
//! host agent ── WATCHDOG_* ──► replica        the files that they name: `handover`
//! ```
//!
//! These names are a contract between adjacent versions of two programs, so
//! they stand here and nowhere else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use watchdog_core::ids::{ClusterId, Epoch, HostId, Incarnation, ReplicaId};

use crate::tree::BoxError;
use crate::wire::Tls;

/// The cluster's name.
pub const CLUSTER: &str = "WATCHDOG_CLUSTER";
/// The replica's name.
pub const REPLICA: &str = "WATCHDOG_REPLICA";
/// The host's name.
pub const HOST: &str = "WATCHDOG_HOST";
/// The UUID of this life of the replica; a host agent finds by it the processes that it lost the record of.
pub const INCARNATION: &str = "WATCHDOG_INCARNATION";
/// The url of the coordination service; without it the replica joins no group.
pub const COORDINATION: &str = "WATCHDOG_COORDINATION";
/// The file with the credentials for the coordination service.
pub const COORDINATION_AUTH_FILE: &str = "WATCHDOG_COORDINATION_AUTH_FILE";
/// The file with the certificate authority of the coordination service; with it connections to it are encrypted.
pub const COORDINATION_TLS_CA: &str = "WATCHDOG_COORDINATION_TLS_CA";
/// The file with the certificate to show to the coordination service.
pub const COORDINATION_TLS_CERT: &str = "WATCHDOG_COORDINATION_TLS_CERT";
/// The file with the key of that certificate.
pub const COORDINATION_TLS_KEY: &str = "WATCHDOG_COORDINATION_TLS_KEY";
/// The file with the certificate authority of watchdogs and agents; with it the embedded agent speaks TLS only.
pub const TLS_CA: &str = "WATCHDOG_TLS_CA";
/// The file with the certificate of the embedded agent.
pub const TLS_CERT: &str = "WATCHDOG_TLS_CERT";
/// The file with the key of that certificate.
pub const TLS_KEY: &str = "WATCHDOG_TLS_KEY";
/// How long the coordination service remembers a silent member, in milliseconds.
pub const SESSION_TIMEOUT_MS: &str = "WATCHDOG_SESSION_TIMEOUT_MS";
/// The epoch of the order that started this process.
pub const EPOCH: &str = "WATCHDOG_EPOCH";
/// The file with the state to start from: [`StateFile`](crate::handover::StateFile) as JSON.
pub const STATE_FILE: &str = "WATCHDOG_STATE_FILE";
/// The file into which the replica writes where it listens: [`Addresses`](crate::handover::Addresses) as JSON.
pub const ADDRESS_FILE: &str = "WATCHDOG_ADDRESS_FILE";
/// What the name of each program parameter's variable begins with.
pub const PARAMETER_PREFIX: &str = "WATCHDOG_PARAM_";

/// The session time-out of a replica that was told none, in milliseconds.
pub const SESSION_TIMEOUT_MS_DEFAULT: u64 = 4_000;

/// Why the environment or one of its files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A variable that must be there is not.
    #[error("{variable} is not set; a host agent sets it for each replica that it starts")]
    Missing {
        /// Its name.
        variable: &'static str,
    },
    /// A variable does not hold what it should.
    #[error("{variable}={value:?} is not usable")]
    Malformed {
        /// Its name.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong with it.
        source: BoxError,
    },
    /// A file of the contract can't be read or written.
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What went wrong.
        source: BoxError,
    },
}

/// What a replica is told when it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Whose replica it is.
    pub cluster: ClusterId,
    /// Which slot it fills.
    pub replica: ReplicaId,
    /// Where it runs.
    pub host: HostId,
    /// Which life of the replica it is.
    pub incarnation: Incarnation,
    /// Where the group is kept; `None` joins no group.
    pub coordination: Option<String>,
    /// The file with the credentials for it.
    pub coordination_auth_file: Option<PathBuf>,
    /// How connections to it are encrypted.
    pub coordination_tls: Option<Tls>,
    /// The certificates by which the embedded agent and watchdogs know each other.
    pub tls: Option<Tls>,
    /// How long the group remembers a silent member, in milliseconds.
    pub session_timeout_ms: u64,
    /// The epoch of the order that started it.
    pub epoch: Epoch,
    /// The file with the state to start from.
    pub state_file: PathBuf,
    /// Where to write the addresses at which it listens.
    pub address_file: Option<PathBuf>,
    /// The program's parameters, by the rest of their variable's name: `LISTEN` for `listen`.
    pub parameters: BTreeMap<String, String>,
}

impl Environment {
    /// Reads the environment of this process.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError`] with the name of the first variable that is missing or unusable.
    pub fn of_this_process() -> Result<Self, EnvironmentError> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::parse(std::env::vars_os().filter_map(text).collect())
    }

    /// Reads the given variables; those of others are ignored.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError`] with the name of the first variable that is missing or unusable.
    pub fn parse(mut variables: BTreeMap<String, String>) -> Result<Self, EnvironmentError> {
        Ok(Self {
            cluster: required(&mut variables, CLUSTER)?,
            replica: required(&mut variables, REPLICA)?,
            host: required(&mut variables, HOST)?,
            incarnation: required(&mut variables, INCARNATION)?,
            coordination: optional(&mut variables, COORDINATION)?,
            coordination_auth_file: optional(&mut variables, COORDINATION_AUTH_FILE)?,
            coordination_tls: tls(
                &mut variables,
                [COORDINATION_TLS_CA, COORDINATION_TLS_CERT, COORDINATION_TLS_KEY],
            )?,
            tls: tls(&mut variables, [TLS_CA, TLS_CERT, TLS_KEY])?,
            session_timeout_ms: optional(&mut variables, SESSION_TIMEOUT_MS)?
                .unwrap_or(SESSION_TIMEOUT_MS_DEFAULT),
            epoch: Epoch(optional(&mut variables, EPOCH)?.unwrap_or_default()),
            state_file: required(&mut variables, STATE_FILE)?,
            address_file: optional(&mut variables, ADDRESS_FILE)?,
            parameters: variables
                .iter()
                .filter_map(|(name, value)| Some((name.strip_prefix(PARAMETER_PREFIX)?, value)))
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect(),
        })
    }

    /// The variables that say this: what a host agent gives to the process.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let files = |tls: &Option<Tls>| {
            let identity = tls.as_ref().and_then(|tls| tls.identity.as_ref());
            let (certificate, key) =
                identity.map(|(certificate, key)| (path(certificate), path(key))).unzip();
            [tls.as_ref().map(|tls| path(&tls.ca)), certificate, key]
        };
        let ([coordination_ca, coordination_cert, coordination_key], [ca, cert, key]) =
            (files(&self.coordination_tls), files(&self.tls));
        let fixed = [
            (CLUSTER, Some(self.cluster.to_string())),
            (REPLICA, Some(self.replica.to_string())),
            (HOST, Some(self.host.to_string())),
            (INCARNATION, Some(self.incarnation.to_string())),
            (COORDINATION, self.coordination.clone()),
            (COORDINATION_AUTH_FILE, self.coordination_auth_file.as_ref().map(path)),
            (COORDINATION_TLS_CA, coordination_ca),
            (COORDINATION_TLS_CERT, coordination_cert),
            (COORDINATION_TLS_KEY, coordination_key),
            (TLS_CA, ca),
            (TLS_CERT, cert),
            (TLS_KEY, key),
            (SESSION_TIMEOUT_MS, Some(self.session_timeout_ms.to_string())),
            (EPOCH, Some(self.epoch.to_string())),
            (STATE_FILE, Some(path(&self.state_file))),
            (ADDRESS_FILE, self.address_file.as_ref().map(path)),
        ];
        let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let parameters =
            self.parameters.iter().map(|(name, value)| (parameter_variable(name), value.clone()));
        fixed.chain(parameters).collect()
    }

    /// The value of a program parameter, as it is called in the replica's declaration.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let variable = parameter_variable(name);
        self.parameters.get(&variable[PARAMETER_PREFIX.len()..]).map(String::as_str)
    }
}

/// The variable that carries a program parameter: `WATCHDOG_PARAM_MAX_SIZE` for `max-size`.
pub fn parameter_variable(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    PARAMETER_PREFIX.chars().chain(name.chars().map(letter)).collect()
}

fn optional<T>(
    variables: &mut BTreeMap<String, String>,
    variable: &'static str,
) -> Result<Option<T>, EnvironmentError>
where
    T: FromStr,
    T::Err: Into<BoxError>,
{
    let Some(value) = variables.remove(variable).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    match value.parse() {
        Ok(parsed) => Ok(Some(parsed)),
        Err(source) => Err(EnvironmentError::Malformed { variable, value, source: source.into() }),
    }
}

/// Three variables that name files: a certificate and its key belong together, and with an authority.
fn tls(
    variables: &mut BTreeMap<String, String>,
    [ca, certificate, key]: [&'static str; 3],
) -> Result<Option<Tls>, EnvironmentError> {
    let file = |variables: &mut BTreeMap<String, String>, variable| optional::<PathBuf>(variables, variable);
    let found = (file(variables, ca)?, file(variables, certificate)?, file(variables, key)?);
    match found {
        (None, None, None) => Ok(None),
        (Some(ca), None, None) => Ok(Some(Tls { ca, identity: None })),
        (Some(ca), Some(certificate), Some(key)) => Ok(Some(Tls { ca, identity: Some((certificate, key)) })),
        (None, _, _) => Err(EnvironmentError::Missing { variable: ca }),
        (_, None, _) => Err(EnvironmentError::Missing { variable: certificate }),
        (_, _, None) => Err(EnvironmentError::Missing { variable: key }),
    }
}

fn required<T>(
    variables: &mut BTreeMap<String, String>,
    variable: &'static str,
) -> Result<T, EnvironmentError>
where
    T: FromStr,
    T::Err: Into<BoxError>,
{
    optional(variables, variable)?.ok_or(EnvironmentError::Missing { variable })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment {
            cluster: "demo".parse().unwrap(),
            replica: "demo-a".parse().unwrap(),
            host: "host-1".parse().unwrap(),
            incarnation: "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e".parse().unwrap(),
            coordination: Some("embedded://127.0.0.1:9".into()),
            coordination_auth_file: None,
            coordination_tls: Some(Tls { ca: "/zk/ca.pem".into(), identity: None }),
            tls: Some(Tls {
                ca: "/tls/ca.pem".into(),
                identity: Some(("/tls/a.pem".into(), "/tls/a.key".into())),
            }),
            session_timeout_ms: 2_000,
            epoch: Epoch(3),
            state_file: "/run/state.json".into(),
            address_file: Some("/run/address.json".into()),
            parameters: [("LISTEN".to_owned(), "127.0.0.1:0".to_owned())].into(),
        }
    }

    #[test]
    fn what_a_host_agent_says_is_what_a_replica_hears() {
        let told = environment();
        let mut variables = told.variables();
        variables.insert("PATH".into(), "/bin".into());
        let heard = Environment::parse(variables).unwrap();
        assert_eq!(heard, told);
        assert_eq!(heard.parameter("listen"), Some("127.0.0.1:0"));
        assert_eq!(parameter_variable("max-size"), "WATCHDOG_PARAM_MAX_SIZE");
    }

    #[test]
    fn the_variable_at_fault_is_named() {
        let table = [
            (CLUSTER, None, "WATCHDOG_CLUSTER is not set"),
            (REPLICA, Some("A b"), "WATCHDOG_REPLICA=\"A b\" is not usable"),
            (INCARNATION, Some("7"), "WATCHDOG_INCARNATION=\"7\" is not usable"),
            (SESSION_TIMEOUT_MS, Some("soon"), "WATCHDOG_SESSION_TIMEOUT_MS=\"soon\" is not usable"),
            (STATE_FILE, Some(""), "WATCHDOG_STATE_FILE is not set"),
            (TLS_KEY, None, "WATCHDOG_TLS_KEY is not set"),
            (TLS_CA, None, "WATCHDOG_TLS_CA is not set"),
        ];
        for (variable, value, expected) in table {
            let mut variables = environment().variables();
            variables.remove(variable);
            variables.extend(value.map(|value| (variable.to_owned(), value.to_owned())));
            let error = Environment::parse(variables).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
