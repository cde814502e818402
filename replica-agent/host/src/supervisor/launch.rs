//! Launch: the step between fork and the program: a session and a control group of its own, then exec.
//!
//! ```text
//! host agent ─spawn─► replica-agent --launch … ─setsid, join group, open logs─exec─► program
//!            ◄──── end of file: it runs ──── or a sentence: why it does not ─────┘
//! ```
//!
//! A program of our own does this because code between fork and exec would have
//! to be `unsafe`. It runs before anything else of this binary, in well under a
//! millisecond, and the program has joined its group before its first instruction.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use rustix::process::{Pid, getppid, setsid};

/// The hidden first argument.
pub(crate) const WORD: &str = "--launch";

/// What the launcher is told on its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launch {
    /// The control group's file to join by.
    pub(crate) entrance: Option<PathBuf>,
    /// Where standard error goes.
    pub(crate) errors: PathBuf,
    /// Whom to run as.
    pub(crate) owner: Option<(u32, u32)>,
    /// Where to run.
    pub(crate) directory: Option<PathBuf>,
    /// What to run.
    pub(crate) argv: Vec<String>,
}

impl Launch {
    /// The command that runs it.
    pub(crate) fn command(&self, launcher: &Path) -> Command {
        let mut command = Command::new(launcher);
        let path = |path: &Option<PathBuf>| path.clone().unwrap_or_default();
        command.arg(WORD).arg(std::process::id().to_string()).arg(path(&self.entrance)).arg(&self.errors);
        command.arg(self.owner.map_or_else(String::new, |(user, group)| format!("{user}:{group}")));
        command.arg(path(&self.directory)).args(&self.argv);
        command
    }

    fn parse(mut words: impl Iterator<Item = OsString>) -> Option<(u32, Self)> {
        let parent = words.next()?.to_str()?.parse().ok()?;
        let filled = |word: OsString| (!word.is_empty()).then(|| PathBuf::from(word));
        let entrance = filled(words.next()?);
        let errors = PathBuf::from(words.next()?);
        let owner = parse_owner(&words.next()?);
        let directory = filled(words.next()?);
        let argv = words.map(|word| word.into_string().ok()).collect::<Option<Vec<_>>>()?;
        Some((parent, Self { entrance, errors, owner, directory, argv }))
    }
}

fn parse_owner(word: &OsStr) -> Option<(u32, u32)> {
    let (user, group) = word.to_str()?.split_once(':')?;
    Some((user.parse().ok()?, group.parse().ok()?))
}

/// Becomes the program; returns only when that fails.
pub(crate) fn launch(words: impl Iterator<Item = OsString>) -> ExitCode {
    let Some((parent, launch)) = Launch::parse(words) else {
        eprintln!("{WORD} is for the host agent only");
        return ExitCode::from(2);
    };
    // The copy is closed by exec, which is how the host agent learns that the program runs.
    let pipe = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), 3);
    let reason = become_program(parent, &launch);
    if let Ok(pipe) = pipe {
        // Nobody listens when the host agent is gone, and then nobody needs to know.
        let _ = std::fs::File::from(pipe).write_all(reason.as_bytes());
    }
    ExitCode::from(127)
}

fn become_program(parent: u32, launch: &Launch) -> String {
    if let Err(error) = setsid() {
        return format!("no session of its own: {error}");
    }
    if let Some(entrance) = &launch.entrance
        && let Err(error) = std::fs::write(entrance, "0")
    {
        return format!("cannot join {}: {error}", entrance.display());
    }
    // A host agent that died after the fork can't record this process; it must not start behind its back.
    if getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs()) != Some(parent) {
        return "the host agent is gone".into();
    }
    let errors = match OpenOptions::new().create(true).append(true).open(&launch.errors) {
        Ok(errors) => errors,
        Err(error) => return format!("cannot open {}: {error}", launch.errors.display()),
    };
    let Some((program, arguments)) = launch.argv.split_first() else { return "no program".into() };
    let mut command = Command::new(program);
    command.args(arguments).stderr(errors);
    if let Some((user, group)) = launch.owner {
        command.uid(user).gid(group);
    }
    if let Some(directory) = &launch.directory {
        command.current_dir(directory);
    }
    format!("cannot run {program}: {}", command.exec())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_is_heard() {
        let told = Launch {
            entrance: None,
            errors: "/log dir/err".into(),
            owner: Some((7, 8)),
            directory: Some("/srv".into()),
            argv: vec!["/bin/x".into(), String::new(), "--launch".into()],
        };
        let command = told.command(Path::new("/proc/self/exe"));
        let words = command.get_args().skip(1).map(OsStr::to_owned);
        assert_eq!(Launch::parse(words).unwrap(), (std::process::id(), told));
    }
}
