//! Certs: makes an authority and certificates in a directory, and tells what to copy where.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;
use watchdog_trust::mint::{Authority, MintError, Minted, Subject};
use watchdog_trust::{CertificateFacts, Role};

use crate::arguments::{CertsCommand, Format, Issue};
use crate::failure::Failure;
use crate::screen::Screen;

/// How long an authority holds.
const AUTHORITY_VALID: Duration = Duration::from_hours(24 * 3650);
/// Machines are also reached by what runs on themselves.
const OWN: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// Runs `certs …`.
pub(crate) fn run(command: CertsCommand, format: Format) -> Result<(), Failure> {
    match command {
        CertsCommand::Init(issue) => init(&issue),
        CertsCommand::Issue(issue) => more(&issue),
        CertsCommand::Show { files } => show(&files, format),
    }
}

fn init(issue: &Issue) -> Result<(), Failure> {
    let wanted = wanted(issue)?;
    directory(&issue.dir)?;
    // Of two authorities nobody should have to ask which is which.
    let name = format!("watchdog authority of {}", humantime::format_rfc3339_seconds(SystemTime::now()));
    let authority = Authority::make(&name, AUTHORITY_VALID).map_err(|error| unmade(&error))?;
    let (certificate, key) = paths(&issue.dir, "ca");
    authority.minted().write(&certificate, &key).map_err(|error| unwritten(&certificate, &error))?;
    let text = format!(
        "{}  the authority: everybody gets a copy\n{}  its key: whoever has it can be anybody; keep it off the machines\n",
        certificate.display(),
        key.display()
    );
    Screen::of_stdout().print(&text)?;
    write(issue, (&authority, &wanted))
}

fn more(issue: &Issue) -> Result<(), Failure> {
    let wanted = wanted(issue)?;
    if wanted.is_empty() {
        return Err(Failure::Usage("for whom? pass --watchdog, --host or --person".to_owned()));
    }
    let (certificate, key) = paths(&issue.dir, "ca");
    let read = |path: &Path| {
        let hint = "make an authority with `watchdogctl certs init`";
        let unreadable = |error| Failure::Refused(format!("cannot read {}: {error}; {hint}", path.display()));
        std::fs::read_to_string(path).map_err(unreadable)
    };
    let minted = Minted { certificate: read(&certificate)?, key: read(&key)? };
    let authority = Authority::from_pem(minted).map_err(|error| unmade(&error))?;
    write(issue, (&authority, &wanted))
}

/// One certificate to make.
struct Wanted {
    name: String,
    role: Role,
    hosts: Vec<String>,
}

fn wanted(issue: &Issue) -> Result<Vec<Wanted>, Failure> {
    let machines = |machines: &[crate::arguments::Machine], role| {
        let wanted = machines.iter().map(|machine| {
            let own = OWN.map(str::to_owned).into_iter();
            let own = own.filter(|own| !machine.addresses.contains(own));
            let hosts = machine.addresses.iter().cloned().chain(own).collect();
            Wanted { name: machine.name.clone(), role, hosts }
        });
        wanted.collect::<Vec<_>>()
    };
    let mut wanted = machines(&issue.watchdogs, Role::Watchdog);
    wanted.extend(machines(&issue.hosts, Role::Agent));
    wanted.extend(issue.people.iter().map(|person| Wanted {
        name: person.name.clone(),
        role: person.role,
        hosts: Vec::new(),
    }));
    let mut names = BTreeSet::new();
    match wanted.iter().find(|wanted| !names.insert(&wanted.name)) {
        Some(Wanted { name, .. }) => {
            Err(Failure::Usage(format!("{name} is named twice; each needs a name, and files, of its own")))
        }
        None => Ok(wanted),
    }
}

fn write(issue: &Issue, (authority, wanted): (&Authority, &[Wanted])) -> Result<(), Failure> {
    let into = issue.into.as_ref().unwrap_or(&issue.dir);
    directory(into)?;
    // All or none: half a deployment would have to be taken apart by hand.
    let files = wanted.iter().flat_map(|wanted| <[PathBuf; 2]>::from(paths(into, &wanted.name)));
    if let Some(there) = files.into_iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(Failure::Refused(format!(
            "{} is there already, and is left alone; name another directory with --into",
            there.display()
        )));
    }
    for wanted in wanted {
        let (certificate, key) = paths(into, &wanted.name);
        let subject = Subject { name: &wanted.name, role: Some(wanted.role), hosts: &wanted.hosts };
        let minted = authority.issue(&subject, issue.valid).map_err(|error| unmade(&error))?;
        minted.write(&certificate, &key).map_err(|error| unwritten(&certificate, &error))?;
        Screen::of_stdout().print(&instructions((&certificate, &key), &issue.dir, wanted))?;
    }
    Ok(())
}

/// What to do with a certificate.
fn instructions((certificate, key): (&Path, &Path), ca: &Path, wanted: &Wanted) -> String {
    let (certificate, key, ca) = (certificate.display(), key.display(), ca.join("ca.pem"));
    let (name, role, ca) = (&wanted.name, wanted.role, ca.display());
    let mut text = format!("{certificate}  {key}  {role} {name}: ");
    let _ = match role {
        Role::Watchdog | Role::Agent => {
            let directory = if role == Role::Watchdog { "watchdog" } else { "replica-agent" };
            writeln!(
                text,
                "copy both and {ca} to /etc/{directory}/ on {}, and write into its configuration\n  \
                 [tls]\n  ca = \"/etc/{directory}/ca.pem\"\n  certificate = \"/etc/{directory}/{name}.pem\"\n  \
                 key = \"/etc/{directory}/{name}.key\"",
                wanted.hosts.first().map_or("its machine", String::as_str)
            )
        }
        _ => writeln!(
            text,
            "give both and {ca} to {name}, who sets\n  \
             WATCHDOG_TLS_CA=ca.pem WATCHDOG_TLS_CERT={name}.pem WATCHDOG_TLS_KEY={name}.key"
        ),
    };
    text
}

fn show(files: &[PathBuf], format: Format) -> Result<(), Failure> {
    let mut told = Vec::new();
    let mut text = String::new();
    for file in files {
        let found = CertificateFacts::read(file).map_err(|error| Failure::Refused(error.to_string()))?;
        for facts in found {
            let until = humantime::format_rfc3339_seconds(facts.not_after).to_string();
            let role =
                facts.identity.role.map_or(if facts.signs { "authority" } else { "no role" }, Role::word);
            let left = facts.not_after.duration_since(SystemTime::now()).map(|left| left.as_secs() / 86_400);
            let left = left.map_or("EXPIRED".to_owned(), |days| format!("{days} days"));
            let name = &facts.identity.name;
            let _ = writeln!(
                text,
                "{}  {role} {name:?}, until {until} ({left}), signed by {:?}{}{}",
                file.display(),
                facts.issuer,
                if facts.hosts.is_empty() { "" } else { ", for " },
                facts.hosts.join(", ")
            );
            told.push(json!({
                "file": file, "name": name, "role": role, "until": until, "issuer": facts.issuer, "hosts": facts.hosts,
            }));
        }
    }
    match format {
        Format::Table => Screen::of_stdout().print(&text),
        Format::Json => {
            let text = serde_json::to_string_pretty(&told).map_err(io::Error::from)?;
            Screen::of_stdout().print(&(text + "\n"))
        }
    }
}

fn paths(directory: &Path, name: &str) -> (PathBuf, PathBuf) {
    (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")))
}

fn directory(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path)
        .map_err(|error| Failure::Refused(format!("cannot make {}: {error}", path.display())))
}

fn unmade(error: &MintError) -> Failure {
    Failure::Refused(format!("{error}: {}", error.source))
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return Failure::Refused(format!(
            "{error}, and is left alone; `certs issue` makes more certificates"
        ));
    }
    Failure::Refused(format!("cannot write {}: {error}", path.display()))
}
