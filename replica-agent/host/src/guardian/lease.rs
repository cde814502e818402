//! Lease: a file with one number, the time since boot in milliseconds until which a replica may run.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// The number always takes as many bytes, so that it is replaced in place: whole, and also on a full disk.
const DIGITS: usize = 20;
/// What stands there when the replica is dead. Mere deletion proves nothing: a whole directory may be deleted by mistake.
const RELEASED: &[u8; DIGITS] = b"released            ";

/// What a lease file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// It may run until this time since boot.
    Until(Duration),
    /// It is dead; nothing is left to guard.
    Released,
}

impl Deadline {
    /// Understands what a lease file holds; nothing readable is a lease that has run out.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        if bytes == RELEASED {
            return Self::Released;
        }
        let digits =
            std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let digits = digits.filter(|text| text.len() == DIGITS);
        Self::Until(Duration::from_millis(digits.and_then(|text| text.parse().ok()).unwrap_or(0)))
    }

    /// Until when it may run; `None` when it is dead.
    pub(crate) fn until(self) -> Option<Duration> {
        match self {
            Self::Until(until) => Some(until),
            Self::Released => None,
        }
    }
}

/// An open lease file.
#[derive(Debug)]
pub(crate) struct LeaseFile(File);

impl LeaseFile {
    /// Opens it, or makes an empty one.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        Ok(Self(file))
    }

    /// What it says; nothing readable is a lease that has run out.
    pub(crate) fn deadline(&self) -> Deadline {
        let mut bytes = [0; DIGITS];
        if self.0.read_exact_at(&mut bytes, 0).is_err() {
            return Deadline::Until(Duration::ZERO);
        }
        Deadline::parse(&bytes)
    }

    /// Moves the deadline.
    pub(crate) fn set_deadline(&self, deadline: Duration) -> io::Result<()> {
        let ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        self.0.write_all_at(format!("{ms:020}").as_bytes(), 0)
    }

    /// Lets the guardian go, and removes the file.
    pub(crate) fn release(&self, path: &Path) -> io::Result<()> {
        self.0.write_all_at(RELEASED, 0)?;
        std::fs::remove_file(path)
    }

    /// Takes the lock that says "guarded"; answers whether it was free.
    pub(crate) fn guard(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_lease_says_until_when_or_that_it_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lease");
        let lease = LeaseFile::open(&path).unwrap();
        assert_eq!(lease.deadline(), Deadline::Until(Duration::ZERO));
        lease.set_deadline(Duration::from_millis(1_234)).unwrap();
        let reader = LeaseFile::open(&path).unwrap();
        assert_eq!(reader.deadline(), Deadline::Until(Duration::from_millis(1_234)));
        assert!(lease.guard().unwrap());
        assert!(!reader.guard().unwrap());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            reader.deadline(),
            Deadline::Until(Duration::from_millis(1_234)),
            "deleted is not released"
        );
        let _ = lease.release(&path);
        assert_eq!(reader.deadline(), Deadline::Released);
    }
}
