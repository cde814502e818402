//! Host config: what the owner of a host writes.
//!
//! *Holds*: what is refused is told with its line.

use host_agent::outside::Host;

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};
use crate::told;

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("host_config", Flavour::Toml) };

/// One that is understood.
pub(super) const SMALL: &str = "host = \"h1\"\nlisten = \"127.0.0.1:0\"\ndir = \"/tmp/x\"\nclusters = [\"demo\"]\n\
    [coordination]\nurl = \"embedded://127.0.0.1:1\"\n[programs.web]\nargv = [\"/bin/web\", \"--at={listen}\", \"{mode}{\"]\n\
    parameters.listen = { pattern = \"address\" }\nparameters.mode = { one_of = [\"fast\", \"safe\"], default = \"safe\" }\n";

fn fuzz(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::no_text() };
    match Host::configured(text) {
        Ok(_) => Verdict::Taken(String::new()),
        Err(said) => {
            told::check(&said, "agent.toml:");
            Verdict::Refused(said)
        }
    }
}

fn samples() -> Vec<Vec<u8>> {
    let mut samples = texts(&[include_str!("../../../../examples/host-agent.toml"), SMALL]);
    let programs = [
        "[programs.x]\nargv = [\"/x\"]\nuser = \"nobody\"\ndirectory = \"/\"\nenvironment = { A = \"b\" }\n",
        "[programs.x]\nargv = [\"/x\"]\nload = { command = [\"/y\", \"-s\"], render = { \"/z\" = \"setting/z\", \"/w\" = \"*\" } }\n",
        "[programs.x]\nargv = [\"/x\"]\nload = { signal = \"HUP\", command = [\"/y\"] }\n",
        "[programs.x]\nargv = [\"/x\", \"{lsten}\"]\nparameters.listen = { pattern = \"port\", default = \"80\" }\n",
        "[programs.x]\nargv = []\n",
        "[programs.x]\nargv = [\"/x\"]\nparameters.a = { pattern = \"number\", default = \"1e3\" }\n",
        "[programs.x]\nargv = [\"/x\"]\nparameters.a = {}\n",
        "[programs.x]\nargv = [\"/x\"]\nparameters.a-b = { pattern = \"word\" }\nparameters.a_b = { pattern = \"word\" }\n",
        "[programs.\"\"]\nargv = [\"/x\"]\nenvironment = { \"A=B\" = \"c\" }\n",
        "[probes]\ninterval_ms = 0\n",
        "[logs]\nmax_bytes = 1\nkeep = 4294967295\n",
        "lease_ms = 1\n",
    ];
    samples.extend(programs.map(|program| format!("{SMALL}{program}").into_bytes()));
    let replaced = [
        ("\"demo\"", "\"demo\", \"demo\""),
        ("h1", "H 1"),
        ("127.0.0.1:0", "0.0.0.0:1"),
        ("embedded://127.0.0.1:1", "zookeeper://a,b/c"),
        ("embedded://127.0.0.1:1", "nonsense"),
        ("clusters", "clsters"),
        (
            "[coordination]",
            "lease_ms = 5000\ngrace_max_ms = 0\ncgroups = false\n[coordination]\nauth_file = \"/a\"",
        ),
    ];
    samples.extend(replaced.map(|(from, to)| SMALL.replacen(from, to, 1).into_bytes()));
    samples
}
