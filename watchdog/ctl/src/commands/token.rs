//! Token: makes one, prints it once, and says what to write into the file of identities. Nobody is asked.

use serde::Serialize;
use watchdog_trust::{Identities, Role, Token};

use super::json;
use crate::arguments::{Format, TokenCommand};
use crate::failure::Failure;
use crate::screen::{Screen, complain};

/// What a program is given.
#[derive(Serialize)]
struct New<'a> {
    token: &'a str,
    identity: &'a str,
}

/// Runs `token …`.
pub(crate) fn run(command: &TokenCommand, format: Format, screen: Screen) -> Result<(), Failure> {
    let TokenCommand::New { name, role } = command;
    let token = Token::fresh()?;
    let lines = identity(name, *role, &token)?;
    match format {
        Format::Json => screen.print(&json(&New { token: token.reveal(), identity: &lines })?),
        Format::Table => {
            // What is for the file goes elsewhere than the secret, so that a pipe gets only that.
            complain(&format!(
                "give the token to {name}, it is not shown again; append this to the file of identities:\n\n{lines}"
            ));
            screen.print(&format!("{}\n", token.reveal()))
        }
    }
}

/// The lines for the file, as the watchdogs will read them.
fn identity(name: &str, role: Role, token: &Token) -> Result<String, Failure> {
    let quoted = toml::Value::from(name).to_string();
    let lines = format!("[[identity]]\nname = {quoted}\nrole = \"{role}\"\ntoken = \"{}\"\n", token.hash());
    let read = Identities::parse("identity".as_ref(), &lines);
    read.map(|_| lines).map_err(|error| Failure::Usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn what_is_printed_is_what_is_read() {
        let token = Token::fresh().unwrap();
        for name in ["ann", "ann \"the\" o'bob", "ann@example.org", "Änne"] {
            let lines = identity(name, Role::Approver, &token).unwrap();
            let read = Identities::parse("x".as_ref(), &lines).unwrap();
            let found = read.by_token(&token).unwrap();
            assert_eq!((found.name.as_str(), found.role), (name, Some(Role::Approver)));
            assert!(!lines.contains(token.reveal()), "{lines}");
        }
        for (name, role) in [("", Role::Viewer), ("a\nb", Role::Viewer), ("w1", Role::Watchdog)] {
            assert!(identity(name, role, &token).is_err(), "{name:?} {role}");
        }
    }
}
