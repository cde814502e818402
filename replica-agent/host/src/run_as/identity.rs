//! Identity: the user that a program runs as, with its groups, as the machine's own name service tells them.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, geteuid, initgroups, setgid, setuid};

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    name: CString,
    uid: Uid,
    gid: Gid,
    home: PathBuf,
}

impl User {
    /// Looks a user up. It may ask a directory over the network, so it must never be asked on the runtime.
    ///
    /// # Errors
    ///
    /// A sentence: there is none of that name, or the name service does not say.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        let found = nix::unistd::User::from_name(name);
        let found = found.map_err(|error| format!("cannot look up the program's user {name:?}: {error}"))?;
        let found =
            found.ok_or_else(|| format!("the program's user {name:?} does not exist on this host"))?;
        let c_name = CString::new(name).map_err(|_| format!("{name:?} can't be a user's name"))?;
        Ok(Self { name: c_name, uid: found.uid, gid: found.gid, home: found.dir })
    }

    /// Its home directory.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Gives it a file or a directory.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(crate) fn own(&self, path: &Path) -> std::io::Result<()> {
        std::os::unix::fs::lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
    }

    /// Lets it read a file, and not write it.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(crate) fn may_read(&self, path: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        std::os::unix::fs::lchown(path, Some(geteuid().as_raw()), Some(self.gid.as_raw()))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640))
    }

    /// Has this process be that user from here on, with all of its groups; for good.
    ///
    /// # Errors
    ///
    /// Only root may become anybody else.
    pub(crate) fn assume(&self) -> Result<(), String> {
        if !geteuid().is_root() {
            let is_already = geteuid() == self.uid;
            let name = self.name.to_string_lossy();
            return if is_already {
                Ok(())
            } else {
                Err(format!("only a host agent of root can run as {name}"))
            };
        }
        let set = initgroups(&self.name, self.gid).and_then(|()| setgid(self.gid));
        set.and_then(|()| setuid(self.uid))
            .map_err(|error| format!("cannot become {}: {error}", self.name.to_string_lossy()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name_and_a_stranger_is_named() {
        assert_eq!(User::find("root").unwrap().home(), Path::new("/root"));
        let stranger = User::find("no-such-user").unwrap_err();
        assert!(stranger.contains("\"no-such-user\" does not exist on this host"), "{stranger}");
    }
}
