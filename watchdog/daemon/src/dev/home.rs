//! Home: the directory in which one `watchdog dev` keeps everything.
//!
//! ```text
//! lock  endpoints  journal.db  coordination/  watchdogs/w1.toml  hosts/h1/agent.toml  logs/w1.log
//! ```

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::say;
use crate::config::JournalUrl;

/// See the module; locked as long as this lives.
pub(super) struct Home {
    path: PathBuf,
    temporary: bool,
    _lock: File,
}

impl Home {
    /// Makes the directory, or takes the one that is there.
    pub(super) fn open(given: Option<&Path>) -> anyhow::Result<Self> {
        let made = given.map_or_else(make_temporary, make)?;
        // The processes are told of it in full, so that they can be found by it.
        let path = made.canonicalize().with_context(|| format!("cannot use {}", made.display()))?;
        anyhow::ensure!(path.to_str().is_some(), "{} is not UTF-8; choose another --dir", path.display());
        let lock = lock(&path)?;
        for part in ["watchdogs", "hosts", "logs"] {
            let part = path.join(part);
            std::fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        }
        let home = Self { path, temporary: given.is_none(), _lock: lock };
        // Whoever waits for it should not see that of an earlier run.
        let _ = std::fs::remove_file(home.endpoints());
        Ok(home)
    }

    /// Its full path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the output of the process `name` goes.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// The same, opened.
    pub(super) fn log_file(&self, name: &str) -> anyhow::Result<File> {
        let path = self.log(name);
        let file = File::options().create(true).append(true).open(&path);
        file.with_context(|| format!("cannot write {}", path.display()))
    }

    /// The journal of those who choose none.
    pub(super) fn default_journal(&self) -> anyhow::Result<JournalUrl> {
        format!("sqlite:{}", self.path.join("journal.db").display()).parse().map_err(anyhow::Error::msg)
    }

    /// Tells where the watchdogs are; the file is there in full or not at all.
    pub(super) fn write_endpoints(&self, endpoints: &str) -> anyhow::Result<()> {
        let draft = self.path.join("endpoints.new");
        std::fs::write(&draft, format!("{endpoints}\n"))
            .and_then(|()| std::fs::rename(&draft, self.endpoints()))
            .with_context(|| format!("cannot write {}", self.endpoints().display()))
    }

    fn endpoints(&self) -> PathBuf {
        self.path.join("endpoints")
    }

    /// Removes what was temporary, unless somebody must find out what went wrong.
    pub(super) fn close(self, clean: bool) {
        let _ = std::fs::remove_file(self.endpoints());
        if !clean {
            say(format_args!("logs are in {}", self.path.join("logs").display()));
        } else if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            say(format_args!("{} could not be removed: {error}", self.path.display()));
        }
    }
}

fn make(given: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(given)
        .with_context(|| format!("cannot make the directory {}", given.display()))?;
    Ok(given.to_owned())
}

fn make_temporary() -> anyhow::Result<PathBuf> {
    let fresh = tempfile::Builder::new().prefix("watchdog-dev-").tempdir();
    Ok(fresh.context("cannot make a temporary directory; choose one with --dir")?.keep())
}

fn lock(home: &Path) -> anyhow::Result<File> {
    let path = home.join("lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("{} is not writable", home.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            anyhow::bail!("another `watchdog dev` runs in {}; choose another --dir", home.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
