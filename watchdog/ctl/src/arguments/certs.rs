//! Certs: the command line of `certs …`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use watchdog_trust::Role;

use crate::values::duration;

const EXAMPLES: &str = "\
Everybody who connects shows a certificate, which says who they are (its common name) and what they are (its \
organizational unit): watchdog, agent, or a person's role: viewer, operator, approver, admin. All are signed by one \
private authority.

Examples:
  watchdogctl certs init --dir certs --watchdog w1=10.0.0.1,w1.lan --host host-a=10.0.0.11 --person ada=admin
  watchdogctl certs issue --dir certs --host host-b=10.0.0.12     one more, from the same authority
  watchdogctl certs issue --dir certs --into next --watchdog w1=10.0.0.1,w1.lan     to take the place of an old one
  watchdogctl certs show certs/w1.pem                             who, what, until when

Copy to each machine ca.pem and its own certificate and key, never ca.key; programs take up new files by themselves.";

/// `certs …`
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum CertsCommand {
    /// Make a private authority, and the certificates of a first deployment.
    #[command(after_help = EXAMPLES)]
    Init(Issue),
    /// Make more certificates from the authority of `certs init`.
    #[command(after_help = EXAMPLES)]
    Issue(Issue),
    /// Show whom certificates name, in which role, and until when they hold.
    #[command(after_help = "Example:\n  watchdogctl certs show certs/*.pem")]
    Show {
        /// PEM files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Which certificates to make, and where.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// The directory of the authority: ca.pem, and ca.key, which is to be kept from everybody.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Where to write the certificates [default: the directory of the authority].
    #[arg(long, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,
    /// A watchdog, and the addresses and host names at which others reach it; repeat it for each.
    #[arg(long = "watchdog", value_name = "NAME=ADDR,…")]
    pub(crate) watchdogs: Vec<Machine>,
    /// A host of replicas, and the addresses and host names at which watchdogs reach it; repeat it for each.
    #[arg(long = "host", value_name = "NAME=ADDR,…")]
    pub(crate) hosts: Vec<Machine>,
    /// A person, and their role: viewer, operator, approver or admin; repeat it for each.
    #[arg(long = "person", value_name = "NAME=ROLE")]
    pub(crate) people: Vec<Person>,
    /// For how long the certificates hold, such as 90d; the authority holds for ten years.
    #[arg(long, default_value = "365d", value_parser = duration, value_name = "DURATION")]
    pub(crate) valid: Duration,
}

/// `NAME=ADDR,…`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// What it is called.
    pub(crate) name: String,
    /// Where it is reached.
    pub(crate) addresses: Vec<String>,
}

/// `NAME=ROLE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// Who.
    pub(crate) name: String,
    /// What they may do.
    pub(crate) role: Role,
}

impl FromStr for Machine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "write NAME=ADDR, or NAME=ADDR,ADDR where there are several";
        let (name, addresses) = text.split_once('=').ok_or_else(|| format!("no address; {expected}"))?;
        let addresses: Vec<String> = addresses.split(',').map(str::trim).map(str::to_owned).collect();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        match addresses.iter().find(|address| address.is_empty() || !address.chars().all(fits)) {
            Some(bad) => Err(format!("{bad:?} is not an address or a host name; {expected}")),
            None => Ok(Self { name: named(name)?, addresses }),
        }
    }
}

impl FromStr for Person {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, role) = text.split_once('=').ok_or("no role; write NAME=ROLE")?;
        let role: Role = role.parse().map_err(|error: watchdog_trust::UnknownRole| error.to_string())?;
        if matches!(role, Role::Agent | Role::Watchdog) {
            return Err(format!("{role} is a role of machines; write --host or --watchdog"));
        }
        Ok(Self { name: named(name)?, role })
    }
}

/// It becomes the name of a file.
fn named(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    if name.is_empty() || name.len() > 63 || !name.chars().all(fits) || name.starts_with(['.', '-']) {
        return Err(format!("{name:?} is no name; use up to 63 of A-Z a-z 0-9 . _ @ -"));
    }
    if name == "ca" {
        return Err("ca is the authority itself".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_a_certificate_is_for_is_understood_or_the_mistake_is_told() {
        let machine = Machine { name: "w1".into(), addresses: vec!["10.0.0.1".into(), "w1.lan".into()] };
        assert_eq!("w1=10.0.0.1,w1.lan".parse(), Ok(machine));
        assert_eq!("ada=admin".parse(), Ok(Person { name: "ada".into(), role: Role::Admin }));
        for (text, lesson) in [
            ("w1", "no address"),
            ("w1=", "\"\" is not an address"),
            ("w1=a b", "\"a b\" is not an address"),
            ("../x=a", "is no name"),
            ("ca=a", "the authority itself"),
        ] {
            assert!(text.parse::<Machine>().is_err_and(|said| said.contains(lesson)), "{text}");
        }
        for (text, lesson) in [("ada", "no role"), ("ada=root", "is not a role"), ("ada=agent", "--host")] {
            assert!(text.parse::<Person>().is_err_and(|said| said.contains(lesson)), "{text}");
        }
    }
}
