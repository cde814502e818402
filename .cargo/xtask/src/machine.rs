//! Machine: what the tests need beside Rust, and how a Debian machine gets it.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

/// A Debian package, and what shows that it is there.
struct Need {
    package: &'static str,
    shown_by: Sign,
}

enum Sign {
    Program(&'static str),
    File(&'static str),
    /// Debian keeps its servers out of the path, in a directory per version.
    PostgresServer,
}

/// Debian also runs it as a service, on all addresses; the tests run their own.
const PROMETHEUS: &str = "prometheus";
/// Where Debian asks whether an installed service may be started.
const POLICY: &str = "/usr/sbin/policy-rc.d";

const NEEDS: [Need; 15] = [
    // Not `zookeeper`: that brings a desktop Java and a user, and the tests run the server from its library.
    Need { package: "libzookeeper-java", shown_by: Sign::File("/usr/share/java/zookeeper.jar") },
    Need { package: "default-jre-headless", shown_by: Sign::Program("java") },
    Need { package: "postgresql", shown_by: Sign::PostgresServer },
    Need { package: "postgresql-client", shown_by: Sign::Program("psql") },
    Need { package: "util-linux", shown_by: Sign::Program("setpriv") },
    Need { package: "iproute2", shown_by: Sign::Program("ip") },
    Need { package: "iptables", shown_by: Sign::Program("iptables") },
    // It has the kernel answer a chosen call with an error, as a disk does that is full or broken.
    Need { package: "strace", shown_by: Sign::Program("strace") },
    Need { package: "faketime", shown_by: Sign::Program("faketime") },
    // They look at the dashboard as people do.
    Need { package: "chromium", shown_by: Sign::Program("chromium") },
    Need { package: "chromium-driver", shown_by: Sign::Program("chromedriver") },
    // It scrapes running clusters, and its promtool judges what they say and the rules of the examples.
    Need { package: PROMETHEUS, shown_by: Sign::Program("promtool") },
    // Whoever completes our commands, and whoever finds faults in our manual pages.
    Need { package: "zsh", shown_by: Sign::Program("zsh") },
    Need { package: "fish", shown_by: Sign::Program("fish") },
    Need { package: "mandoc", shown_by: Sign::Program("mandoc") },
];

impl Sign {
    fn is_seen(&self) -> bool {
        match self {
            Self::Program(name) => is_program(name),
            Self::File(path) => Path::new(path).exists(),
            Self::PostgresServer => std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|versions| {
                versions.flatten().any(|version| version.path().join("bin/postgres").exists())
            }),
        }
    }
}

/// Installs with apt-get what is missing; does nothing when all is there.
///
/// # Errors
///
/// If something is missing and this is not Debian, or we are not root.
pub(crate) fn install_missing() -> anyhow::Result<()> {
    let missing: Vec<&str> =
        NEEDS.iter().filter(|need| !need.shown_by.is_seen()).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    anyhow::ensure!(
        is_program("apt-get"),
        "the tests need {packages} (Debian's names), and there is no apt-get"
    );
    anyhow::ensure!(is_root(), "the tests need {packages}; as root: apt-get install -y {packages}");
    eprintln!("installing what the tests need: {packages}");
    apt_get(&["update"])?;
    let quiet = NoServices::begin()?;
    apt_get(&[&["install", "-y", "--no-install-recommends"], missing.as_slice()].concat())?;
    drop(quiet);
    if missing.contains(&PROMETHEUS) && is_program("systemctl") {
        // Nor at the next boot; where that can't be said nothing is booted.
        let _ = Command::new("systemctl").args(["--quiet", "disable", PROMETHEUS]).output();
    }
    Ok(())
}

/// While it lives Debian starts none of the servers that it installs, unless the machine has a policy of its own.
struct NoServices {
    is_ours: bool,
}

impl NoServices {
    fn begin() -> anyhow::Result<Self> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        match std::fs::File::options().write(true).create_new(true).mode(0o755).open(POLICY) {
            Ok(mut file) => {
                let this = Self { is_ours: true };
                file.write_all(b"#!/bin/sh\nexit 101\n").with_context(|| format!("write {POLICY}"))?;
                Ok(this)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Self { is_ours: false }),
            Err(error) => Err(error).with_context(|| format!("write {POLICY}")),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours
            && let Err(error) = std::fs::remove_file(POLICY)
        {
            eprintln!("{POLICY} is left behind, so that Debian starts no service: {error}");
        }
    }
}

/// Runs apt-get, whose chatter is shown only when it fails.
fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("apt-get")
        .arg("-qq")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .context("run apt-get")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    anyhow::ensure!(output.status.success(), "apt-get {}: {}\n{said}", arguments.join(" "), output.status);
    Ok(())
}

/// Whether a program is found, also where only root's path leads.
fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_root = ["/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(of_root).any(|directory| directory.join(name).is_file())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // /proc/self belongs to the effective user.
    std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}
