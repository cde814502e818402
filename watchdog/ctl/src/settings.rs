//! Settings: what every command needs to know, resolved from arguments and environment.

use std::sync::Arc;

use watchdog_trust::{Clients, Credentials, Dialer, Servers, TlsError, TlsFiles};

use crate::arguments::{Common, Format};
use crate::bearer::Bearer;
use crate::failure::Failure;
use crate::fleet::{Caller, Fleet};
use crate::screen::Screen;
use crate::values;

const NO_ENDPOINT: &str = "which watchdogs? pass --endpoint URL (again for each, or separated by commas) or set \
     WATCHDOG_ENDPOINTS; `watchdog dev --dir D` writes its URLs to D/endpoints:\n  \
     export WATCHDOG_ENDPOINTS=$(cat D/endpoints)";

const NO_CLUSTER: &str = "which cluster? pass --cluster NAME or set WATCHDOG_CLUSTER; the one of `watchdog dev` is \
     called demo:\n  export WATCHDOG_CLUSTER=demo";

const NO_AUTHORITY: &str = "whose certificates are good? pass --tls-ca FILE or set WATCHDOG_TLS_CA, too";
const NO_CERTIFICATE: &str = "whose key is it? pass --tls-cert FILE or set WATCHDOG_TLS_CERT, too";
const NO_KEY: &str = "a certificate needs its key: pass --tls-key FILE or set WATCHDOG_TLS_KEY, too";

/// See the module.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Whom to ask.
    pub(crate) fleet: Fleet,
    /// The cluster's name, for requests.
    pub(crate) cluster: String,
    /// Who acts, for the record.
    pub(crate) by: String,
    /// Tables for people or JSON for programs.
    pub(crate) format: Format,
    /// Where it is shown.
    pub(crate) screen: Screen,
}

impl Settings {
    /// Resolves what was given, and teaches what was not.
    pub(crate) fn resolve(common: Common) -> Result<Self, Failure> {
        let mut endpoints = Vec::new();
        let tls = certificates(&common)?;
        for given in common.endpoints.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
            let url = values::endpoint(given, tls.is_some()).map_err(Failure::Usage)?;
            if !endpoints.contains(&url) {
                endpoints.push(url);
            }
        }
        if endpoints.is_empty() {
            return Err(Failure::Usage(NO_ENDPOINT.to_owned()));
        }
        let cluster = common.cluster.ok_or_else(|| Failure::Usage(NO_CLUSTER.to_owned()))?.to_string();
        let bearer = Bearer::find(common.token_file.as_deref())?;
        let caller = Caller { dialer: Dialer::new(tls, Servers::Watchdogs), bearer };
        Ok(Self {
            fleet: Fleet::new(cluster.clone(), endpoints, caller, common.timeout),
            cluster,
            by: common.by.unwrap_or_else(who),
            format: common.output,
            screen: Screen::of_stdout(),
        })
    }

    /// Whether what goes on is drawn anew on a whole screen, instead of printed line by line.
    pub(crate) fn is_live(&self) -> bool {
        self.format == Format::Table && self.screen.is_live
    }
}

/// The certificates that were given: those of an authority are enough for whoever has a token.
fn certificates(common: &Common) -> Result<Option<Arc<Credentials>>, Failure> {
    let Common { tls_ca, tls_cert, tls_key, .. } = common;
    let files = match (tls_ca, tls_cert, tls_key) {
        (None, None, None) => return Ok(None),
        (Some(ca), Some(certificate), Some(key)) => TlsFiles::new(ca, certificate, key),
        (Some(ca), None, None) => TlsFiles { ca: ca.clone(), identity: None },
        (None, _, _) => return Err(Failure::Usage(NO_AUTHORITY.to_owned())),
        (_, None, _) => return Err(Failure::Usage(NO_CERTIFICATE.to_owned())),
        (_, _, None) => return Err(Failure::Usage(NO_KEY.to_owned())),
    };
    let credentials = Credentials::open(files, None, Clients::Certified);
    let told = |error: TlsError| {
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        Failure::Usage(causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
    };
    credentials.map(Some).map_err(told)
}

/// The user and the machine.
fn who() -> String {
    let user = std::env::var("USER").ok().filter(|name| !name.is_empty() && !name.contains(char::is_control));
    let user = user.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    let system = rustix::system::uname();
    format!("{user}@{}", system.nodename().to_string_lossy())
}
