//! Role: what somebody may do.

use std::fmt;
use std::str::FromStr;

/// Each of the four roles of people may do all that those before it may. Machines have roles of their own, which
/// people's acts are not open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A host agent, or an application with an embedded one: may read.
    Agent,
    /// A watchdog: may read, and command agents.
    Watchdog,
    /// A person who may read everything that is no secret.
    Viewer,
    /// May declare and withdraw goals that loosen nothing that guards the cluster, pause, hold, release, and cancel plans.
    Operator,
    /// May also loosen what guards the cluster, decide on plans that await approval, and overrule the storm guard.
    Approver,
    /// May also append to the log directly and move the leadership.
    Admin,
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a role; there are {}", Role::ALL.map(Role::word).join(", "))]
pub struct UnknownRole {
    /// The text.
    pub text: String,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Agent, Self::Watchdog, Self::Viewer, Self::Operator, Self::Approver, Self::Admin];

    /// As it is written in certificates and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Watchdog => "watchdog",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// Whether somebody with this role may do what needs `needed`.
    pub fn may(self, needed: Self) -> bool {
        match (self, needed) {
            (_, Self::Viewer) => true,
            (Self::Agent | Self::Watchdog, _) | (_, Self::Agent | Self::Watchdog) => self == needed,
            (ours, needed) => ours >= needed,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|role| role.word() == text);
        named.ok_or_else(|| UnknownRole { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_it_is_for() {
        use Role::{Admin, Agent, Approver, Operator, Viewer, Watchdog};
        let table = [
            // who | may do what needs
            (Agent, vec![Agent, Viewer]),
            (Watchdog, vec![Watchdog, Viewer]),
            (Viewer, vec![Viewer]),
            (Operator, vec![Viewer, Operator]),
            (Approver, vec![Viewer, Operator, Approver]),
            (Admin, vec![Viewer, Operator, Approver, Admin]),
        ];
        for (role, may) in table {
            let found: Vec<Role> = Role::ALL.into_iter().filter(|needed| role.may(*needed)).collect();
            assert_eq!(found, may, "{role}");
            assert_eq!(role.word().parse(), Ok(role));
        }
        assert_eq!(
            "root".parse::<Role>().map_err(|error| error.to_string()),
            Err("\"root\" is not a role; there are agent, watchdog, viewer, operator, approver, admin"
                .to_owned())
        );
    }
}
