//! User: the numbers behind a user's name, from /etc/passwd.

use std::path::PathBuf;

/// Whom a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// User and group number.
    pub(crate) ids: (u32, u32),
    /// Home directory.
    pub(crate) home: PathBuf,
}

impl User {
    /// Looks a user up; `None` if the machine has none of that name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/etc/passwd").ok()?, name)
    }

    fn parse(passwd: &str, name: &str) -> Option<Self> {
        let mut fields =
            passwd.lines().map(|line| line.split(':')).find(|line| line.clone().next() == Some(name))?;
        let ids = (fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Self { ids, home: fields.nth(1)?.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb-x:x:7:8::/srv:/bin/false\n";
        let expected = User { ids: (7, 8), home: "/srv".into() };
        assert_eq!(User::parse(passwd, "web-x"), Some(expected));
        assert_eq!(User::parse(passwd, "web"), None);
    }
}
