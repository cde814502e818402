//! File: the identities of a file, read again whenever it changes; a broken one leaves the old ones in force.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use crate::identities::Identities;
use crate::mistake::IdentitiesError;

/// A larger file is no list of people.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Whoever else may write it could make themselves what they like.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// How a file looked when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
    mode: u32,
}

/// See the module.
#[derive(Debug)]
pub struct IdentitiesFile {
    path: PathBuf,
    current: RwLock<Arc<Identities>>,
    /// As it looked last; none when it could not be looked at.
    seen: Mutex<Option<Stamp>>,
}

impl IdentitiesFile {
    /// Reads it for the first time.
    ///
    /// # Errors
    ///
    /// As [`Identities::parse`], and when it can't be read or others may write it.
    pub fn open(path: &Path) -> Result<Self, IdentitiesError> {
        let seen = stamp(path).ok();
        let identities = read(path)?;
        let current = RwLock::new(Arc::new(identities));
        Ok(Self { path: path.to_owned(), current, seen: Mutex::new(seen) })
    }

    /// The identities that are in force.
    pub fn current(&self) -> Arc<Identities> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads it again if it looks otherwise than before; answers whether it did, and how many identities there are now.
    ///
    /// # Errors
    ///
    /// As [`IdentitiesFile::open`], once for each change; the old identities stay in force.
    pub fn refresh(&self) -> Result<Option<usize>, IdentitiesError> {
        let looks = stamp(&self.path).ok();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == looks {
                return Ok(None);
            }
            *seen = looks;
        }
        let identities = read(&self.path)?;
        let count = identities.len();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identities);
        Ok(Some(count))
    }
}

fn stamp(path: &Path) -> std::io::Result<Stamp> {
    let metadata = std::fs::metadata(path)?;
    Ok(Stamp {
        modified: metadata.modified().ok(),
        bytes: metadata.len(),
        inode: metadata.ino(),
        mode: metadata.mode(),
    })
}

fn read(path: &Path) -> Result<Identities, IdentitiesError> {
    let unreadable = |source| IdentitiesError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // Of the file that is read, not of one that came in its place meanwhile.
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(IdentitiesError::Writable { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(IdentitiesError::TooLarge { path: path.to_owned(), max: FILE_BYTES_MAX });
    }
    Identities::parse(path, &text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::role::Role;

    fn row(name: &str, role: &str) -> String {
        format!("[[identity]]\nname = \"{name}\"\nrole = \"{role}\"\ncertificate = \"{name}\"\n")
    }

    fn role_of(file: &IdentitiesFile, name: &str) -> Option<Role> {
        let shown = crate::CertificateIdentity { name: name.to_owned(), role: None };
        file.current().by_certificate(&shown).role
    }

    fn allow(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_change_is_seen_and_a_broken_one_is_told_once_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("people.toml");
        let write = |text: &str| {
            // As an editor does: another file takes its place.
            let new = directory.path().join("new");
            std::fs::write(&new, text).unwrap();
            allow(&new, 0o640);
            std::fs::rename(&new, &path).unwrap();
        };
        write(&row("ann", "viewer"));
        let file = IdentitiesFile::open(&path).unwrap();
        assert_eq!(role_of(&file, "ann"), Some(Role::Viewer));
        assert_eq!(file.refresh().unwrap(), None);

        write(&(row("ann", "admin") + &row("bob", "viewer")));
        assert_eq!(file.refresh().unwrap(), Some(2));
        assert_eq!(role_of(&file, "ann"), Some(Role::Admin));

        write(&row("ann", "emperor"));
        let said = file.refresh().unwrap_err().to_string();
        assert!(said.contains("people.toml:3:8: role: unknown role"), "{said}");
        assert_eq!(file.refresh().unwrap(), None, "told once");
        assert_eq!(role_of(&file, "ann"), Some(Role::Admin), "the old ones stand");

        std::fs::remove_file(&path).unwrap();
        assert!(matches!(file.refresh(), Err(IdentitiesError::Unreadable { .. })));
        assert_eq!(role_of(&file, "ann"), Some(Role::Admin));

        write(&row("ann", "none"));
        assert_eq!(file.refresh().unwrap(), Some(1));
        assert_eq!(role_of(&file, "ann"), None);
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("people.toml");
        std::fs::write(&path, row("ann", "admin")).unwrap();
        for (mode, fine) in [(0o600, true), (0o644, true), (0o664, false), (0o646, false)] {
            allow(&path, mode);
            let said = IdentitiesFile::open(&path).map_err(|error| error.to_string());
            assert_eq!(said.is_ok(), fine, "{mode:o}");
            assert!(fine || said.unwrap_err().contains("chmod go-w"));
        }
    }

    #[test]
    fn what_is_no_list_of_people_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("people.toml");
        std::fs::write(&path, "#".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() + 1)).unwrap();
        allow(&path, 0o600);
        assert!(matches!(IdentitiesFile::open(&path), Err(IdentitiesError::TooLarge { .. })));
        assert!(IdentitiesFile::open(directory.path()).is_err());
    }
}
