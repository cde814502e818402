//! Identities: who may do what, as whoever runs the watchdogs writes it.
//!
//! *Holds*: what is refused is told with line and column, and never with a token; whoever is known is known by something
//! of their own.

use std::path::Path;

use watchdog_trust::{CertificateIdentity, Identities, Role, Token};

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};
use crate::told;

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("identities", Flavour::Toml) };

/// What stands in the samples where a token was written in clear.
const SECRET: &str = "5ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7";

fn fuzz(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::no_text() };
    match Identities::parse(Path::new("people.toml"), text) {
        Ok(identities) => Verdict::Taken(known(&identities)),
        Err(error) => {
            let said = error.to_string();
            told::check(&said, "people.toml:");
            // Elsewhere than in the value of a token it would be a word like any other.
            let secret = text.lines().filter(|line| line.contains(SECRET)).all(is_token);
            assert!(!secret || !said.contains(SECRET), "identities: a token is told");
            Verdict::Refused(said)
        }
    }
}

fn is_token(line: &str) -> bool {
    line.trim_start().strip_prefix("token = \"").is_some_and(|value| value.matches('"').count() == 1)
}

/// Who is known, as far as can be asked.
fn known(identities: &Identities) -> String {
    let nobody = Token::fresh().ok().and_then(|token| identities.by_token(&token).cloned());
    assert!(nobody.is_none(), "identities: a token that nobody has is somebody's");
    let shown = |name: &str, role| CertificateIdentity { name: name.to_owned(), role };
    let ann = identities.by_certificate(&shown("ann@example", None));
    let stranger = identities.by_certificate(&shown("nobody \u{7f} has such a name", Some(Role::Agent)));
    assert_eq!(stranger.role, Some(Role::Agent), "identities: a certificate that is not named is changed");
    format!("{} identities, ann has {:?}", identities.len().min(3), ann.role)
}

fn samples() -> Vec<Vec<u8>> {
    let hash = "0123456789abcdef".repeat(4);
    let ann = format!(
        "[[identity]]\nname = \"ann\"\nrole = \"approver\"\ncertificate = \"ann@example\"\ntoken = \"sha256:{hash}\"\n"
    );
    let bob = "\n[[identity]]\nname = \"bob\"\nrole = \"none\"\ncertificate = \"bob\"\n";
    let clear = ann.replace(&format!("sha256:{hash}"), &format!("wdt_{SECRET}"));
    texts(&[
        String::new(),
        ann.clone(),
        format!("{ann}{bob}"),
        format!("{ann}{ann}"),
        clear.clone(),
        clear.replace("wdt_", "sha512:"),
        ann.replace("approver", "watchdog"),
        ann.replace("approver", "aprover"),
        ann.replace("name", "nmae"),
        ann.replace("[[identity]]", "[identity]"),
        ann.replace("\"ann\"", "7"),
        ann.replace("role = \"approver\"\n", ""),
        bob.replace("certificate = \"bob\"\n", ""),
        bob.replace("\"bob\"", "\" bob\""),
        bob.replace("\"bob\"", "\"\\u001b[2J\""),
        "identity = [{ name = \"x\", role = \"viewer\", certificate = \"x\" }]\n".to_owned(),
    ])
}
