//! Settings: what every command needs to know, resolved from arguments and environment.

use crate::arguments::{Common, Format};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::screen::Screen;
use crate::values;

const NO_ENDPOINT: &str = "which watchdogs? pass --endpoint URL (again for each, or separated by commas) or set \
     WATCHDOG_ENDPOINTS; `watchdog dev --dir D` writes its URLs to D/endpoints:\n  \
     export WATCHDOG_ENDPOINTS=$(cat D/endpoints)";

const NO_CLUSTER: &str = "which cluster? pass --cluster NAME or set WATCHDOG_CLUSTER; the one of `watchdog dev` is \
     called demo:\n  export WATCHDOG_CLUSTER=demo";

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
        for given in common.endpoints.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
            let url = values::endpoint(given).map_err(Failure::Usage)?;
            if !endpoints.contains(&url) {
                endpoints.push(url);
            }
        }
        if endpoints.is_empty() {
            return Err(Failure::Usage(NO_ENDPOINT.to_owned()));
        }
        let cluster = common.cluster.ok_or_else(|| Failure::Usage(NO_CLUSTER.to_owned()))?.to_string();
        Ok(Self {
            fleet: Fleet::new(cluster.clone(), endpoints, common.timeout),
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

/// The user and the machine.
fn who() -> String {
    let user = std::env::var("USER").ok().filter(|name| !name.is_empty() && !name.contains(char::is_control));
    let user = user.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    let system = rustix::system::uname();
    format!("{user}@{}", system.nodename().to_string_lossy())
}
