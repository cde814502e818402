//! Certificates: a private authority for a cluster on this machine, and a certificate for everybody in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use watchdog_trust::mint::{Authority, Minted, Subject};
use watchdog_trust::{Clients, Credentials, Dialer, Role, Servers, TlsFiles};

use super::files::watchdog_name;
use super::founding;

/// Everything in it is made anew at each start.
const VALID: Duration = Duration::from_hours(30 * 24);
/// Where everybody listens.
const HOST: &str = "127.0.0.1";
/// Whom the certificate for the person at the keyboard names.
const PERSON: &str = "admin";

/// Where they stand.
#[derive(Debug)]
pub(super) struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// Makes them all.
    pub(super) fn make(home: &Path, watchdogs: u16, hosts: u16) -> anyhow::Result<Self> {
        let certificates = Self { directory: home.join("tls") };
        std::fs::create_dir_all(&certificates.directory)
            .with_context(|| format!("cannot make {}", certificates.directory.display()))?;
        let authority = Authority::make("watchdog dev", VALID)?;
        certificates.write("ca", authority.minted())?;
        let watchdogs = (0..usize::from(watchdogs)).map(|index| (watchdog_name(index), Role::Watchdog));
        let hosts = (0..hosts).map(|index| (founding::host_name(index), Role::Agent));
        for (name, role) in watchdogs.chain(hosts).chain([(PERSON.to_owned(), Role::Admin)]) {
            let places = [HOST.to_owned()];
            let hosts = if role == Role::Admin { &[][..] } else { &places };
            let subject = Subject { name: &name, role: Some(role), hosts };
            certificates.write(&name, &authority.issue(&subject, VALID)?)?;
        }
        Ok(certificates)
    }

    /// The table `[tls]` of one of them.
    pub(super) fn table(&self, name: &str) -> serde_json::Value {
        json!({ "ca": self.path("ca.pem"), "certificate": self.path(&format!("{name}.pem")), "key": self.path(&format!("{name}.key")) })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    fn write(&self, name: &str, minted: &Minted) -> anyhow::Result<()> {
        minted
            .replace(&self.path(&format!("{name}.pem")), &self.path(&format!("{name}.key")))
            .with_context(|| format!("cannot write the certificate of {name}"))
    }
}

/// How the person at the keyboard reaches the watchdogs.
pub(super) fn dialer(certificates: Option<&Certificates>) -> anyhow::Result<Dialer> {
    let Some(certificates) = certificates else { return Ok(Dialer::new(None, Servers::Watchdogs)) };
    let file = |name: &str, end| certificates.path(&format!("{name}.{end}"));
    let files = TlsFiles::new(file("ca", "pem"), file(PERSON, "pem"), file(PERSON, "key"));
    let credentials = Credentials::open(files, Some(Role::Admin), Clients::Certified)?;
    Ok(Dialer::new(Some(credentials), Servers::Watchdogs))
}
