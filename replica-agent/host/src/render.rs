//! Render: writes a file into a directory that a guarded program may write to as well.
//!
//! ```text
//! directory, link by link ─► target's owner and mode ─► new file beside it ─► fsync ─► exchange ─► fsync directory
//!                                                                       load failed ◄─┴─► settled
//!                                                            exchanged back, as it was     the old one is removed
//! ```
//!
//! *Guarantees.* Everything is done by descriptor, so what lies there decides
//! nothing about where root writes. Owner and mode of a target stay what they
//! were, and so does a link: what it names is written when that is in the same
//! directory or beneath it, and refused otherwise. A link on the way to the
//! directory is followed only if it is root's or ours.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Uid, fchmod, fchown, fstat, fsync,
    openat, openat2, readlinkat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;
use uuid::Uuid;

/// A chain of more links than these is a ring.
const LINKS_MAX: usize = 16;
/// The mode of a file that was not there.
const MODE_NEW: u32 = 0o644;

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// A file that was written, and can still be put back as it was.
#[derive(Debug)]
pub(crate) struct Written {
    directory: OwnedFd,
    name: OsString,
    /// The old file, under another name; `None` when there was none.
    old: Option<OsString>,
}

impl Written {
    /// Lets the old file go.
    pub(crate) fn settle(self) {
        if let Some(old) = self.old {
            // It is in nobody's way under a name that nobody knows.
            let _ = unlinkat(&self.directory, &old, AtFlags::empty());
        }
    }

    /// Puts the old file back: the same one, with its owner and its mode.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(crate) fn put_back(self) -> io::Result<()> {
        match &self.old {
            Some(old) => renameat(&self.directory, old, &self.directory, &self.name)?,
            None => unlinkat(&self.directory, &self.name, AtFlags::empty())?,
        }
        Ok(fsync(&self.directory)?)
    }
}

/// Writes a file whole or not at all, durably.
///
/// # Errors
///
/// Nothing was changed.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<Written> {
    let parent = path.parent().ok_or_else(|| io::Error::other("it names no file"))?;
    let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
    let (directory, name) = target(&walk(parent)?, name)?;
    let before = match statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
            return Err(io::Error::other("what is there is not a regular file"));
        }
        Ok(stat) => Some((stat.st_uid, stat.st_gid, stat.st_mode & 0o777)),
        Err(Errno::NOENT) => None,
        Err(error) => return Err(error.into()),
    };
    let beside = beside(&name);
    let made = make(&directory, (&beside, text), before);
    let exchanged = made.and_then(|()| exchange(&directory, (&beside, &name), before.is_some()));
    match exchanged {
        Ok(old) => Ok(Written { old: old.then_some(beside), directory, name }),
        Err(error) => {
            // The error that matters is the one that is told.
            let _ = unlinkat(&directory, &beside, AtFlags::empty());
            Err(error)
        }
    }
}

fn beside(name: &OsStr) -> OsString {
    let mut beside = OsString::from(".");
    // A name has 255 bytes at most.
    beside.push(OsStr::from_bytes(&name.as_bytes()[..name.len().min(150)]));
    beside.push(format!(".{}.new", Uuid::now_v7()));
    beside
}

fn make(
    directory: &OwnedFd,
    (beside, text): (&OsStr, &str),
    before: Option<(u32, u32, u32)>,
) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(directory, beside, flags, Mode::from_raw_mode(0o600))?);
    file.write_all(text.as_bytes())?;
    if let Some((owner, group, _)) = before {
        let own = fstat(&file)?;
        if (own.st_uid, own.st_gid) != (owner, group) {
            fchown(&file, Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)))
                .map_err(|error| io::Error::other(format!("cannot keep its owner: {error}")))?;
        }
    }
    fchmod(&file, Mode::from_raw_mode(before.map_or(MODE_NEW, |(.., mode)| mode)))?;
    file.sync_all()
}

/// Puts the new file in its place; answers whether the old one now has the new one's name.
fn exchange(directory: &OwnedFd, (beside, name): (&OsStr, &OsStr), is_there: bool) -> io::Result<bool> {
    let exchanged = is_there
        && match renameat_with(directory, beside, directory, name, RenameFlags::EXCHANGE) {
            Ok(()) => true,
            // Not every file system can, and the old one may have gone meanwhile.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOENT) => false,
            Err(error) => return Err(error.into()),
        };
    if !exchanged {
        renameat(directory, beside, directory, name)?;
    }
    fsync(directory)?;
    Ok(exchanged)
}

/// The directory of this path, link by link.
fn walk(path: &Path) -> io::Result<OwnedFd> {
    let mut at = openat(CWD, if path.is_absolute() { "/" } else { "." }, DIRECTORY, Mode::empty())?;
    let mut left: Vec<OsString> = parts(path);
    let mut links = 0;
    while let Some(part) = left.pop() {
        at = match openat(&at, &part, DIRECTORY, Mode::empty()) {
            Ok(next) => next,
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let stat = statat(&at, &part, AtFlags::SYMLINK_NOFOLLOW)?;
                let is_trusted = stat.st_uid == 0 || stat.st_uid == geteuid().as_raw();
                links += 1;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink || links > LINKS_MAX {
                    return Err(Errno::NOTDIR.into());
                }
                if !is_trusted {
                    let part = part.to_string_lossy();
                    return Err(io::Error::other(format!("{part} on its way is a link of another user")));
                }
                let target = readlinkat(&at, &part, Vec::new())?;
                let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                left.extend(parts(target));
                if !target.is_absolute() {
                    continue;
                }
                openat(CWD, "/", DIRECTORY, Mode::empty())?
            }
            Err(error) => return Err(error.into()),
        };
    }
    Ok(at)
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |component: Component<'_>| match component {
        Component::Normal(part) => Some(part.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(part).collect()
}

/// Where a name leads, without leaving its directory upwards.
fn target(base: &OwnedFd, name: &OsStr) -> io::Result<(OwnedFd, OsString)> {
    let leads_out = || io::Error::other("it is a link that leads out of its directory");
    let mut beneath = Path::new(name).to_owned();
    for _ in 0..LINKS_MAX {
        let file = beneath.file_name().ok_or_else(leads_out)?.to_owned();
        let parent = beneath.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = match parent {
            Some(parent) => {
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
                let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
                openat2(base, parent, flags, Mode::empty(), resolve)
                    .map_err(|error| if error == Errno::XDEV { leads_out() } else { error.into() })?
            }
            None => base.as_fd().try_clone_to_owned()?,
        };
        match readlinkat(&directory, &file, Vec::new()) {
            Ok(link) => {
                let link = Path::new(OsStr::from_bytes(link.as_bytes()));
                if link.is_absolute() {
                    return Err(leads_out());
                }
                beneath = parent.map_or_else(|| link.to_owned(), |parent| parent.join(link));
            }
            Err(Errno::INVAL | Errno::NOENT) => return Ok((directory, file)),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::LOOP.into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    #[test]
    fn mode_owner_and_link_stay_and_nothing_is_written_outside() {
        let outside = tempfile::tempdir().unwrap();
        let directory = outside.path().join("conf");
        std::fs::create_dir_all(directory.join("sub")).unwrap();
        let (target, secret) = (directory.join("sub/target"), outside.path().join("secret"));
        std::fs::write(&target, "old").unwrap();
        std::fs::write(&secret, "secret").unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).unwrap();
        let is_root = geteuid().is_root();
        if is_root {
            chown(&target, Some(65_534), Some(65_534)).unwrap();
        }
        let link = directory.join("link");
        symlink("sub/target", &link).unwrap();
        let written = write(&link, "new").unwrap();
        let standing = || std::fs::metadata(&target).map(|it| (it.mode() & 0o777, it.uid())).unwrap();
        let expected = (0o600, if is_root { 65_534 } else { geteuid().as_raw() });
        assert!(link.is_symlink());
        assert_eq!((std::fs::read_to_string(&link).unwrap().as_str(), standing()), ("new", expected));
        written.put_back().unwrap();
        assert_eq!((std::fs::read_to_string(&link).unwrap().as_str(), standing()), ("old", expected));
        write(&link, "newer").unwrap().settle();
        assert_eq!(std::fs::read_dir(directory.join("sub")).unwrap().count(), 1, "nothing is left beside it");

        for (name, leads) in [("up", "../secret"), ("absolute", secret.to_str().unwrap()), ("ring", "ring")] {
            symlink(leads, directory.join(name)).unwrap();
            write(&directory.join(name), "stolen").unwrap_err();
        }
        let fifo = directory.join("fifo");
        rustix::fs::mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).unwrap();
        assert!(write(&fifo, "x").unwrap_err().to_string().contains("not a regular file"));
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "secret");
    }

    #[test]
    fn a_new_file_is_taken_away_again_and_a_strangers_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let new = directory.path().join("new");
        let written = write(&new, "x").unwrap();
        assert_eq!(std::fs::metadata(&new).unwrap().mode() & 0o777, MODE_NEW);
        written.put_back().unwrap();
        assert!(!new.exists());
        let way = directory.path().join("way");
        symlink("/etc", &way).unwrap();
        if geteuid().is_root() {
            std::os::unix::fs::lchown(&way, Some(65_534), Some(65_534)).unwrap();
            let refused = write(&way.join("watchdog-test"), "x").unwrap_err().to_string();
            assert!(refused.contains("a link of another user"), "{refused}");
        }
    }
}
