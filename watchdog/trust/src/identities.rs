//! Identities: who there is, how each is recognised, and what each may do; read from a file.
//!
//! ```toml
//! [[identity]]
//! name = "ann"
//! role = "approver"            # viewer, operator, approver, admin; none takes away what a certificate gives
//! certificate = "ann@example"  # the common name of a certificate, and/or
//! token = "sha256:…"           # what `watchdogctl token new` prints
//! ```

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::connection::CertificateIdentity;
use crate::mistake::{IdentitiesError, Source};
use crate::role::Role;
use crate::token::{Token, TokenHash};
use crate::words::nearest;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 100;
/// As long as X.509 allows a common name to be, in bytes.
const COMMON_NAME_BYTES_MAX: usize = 64;
/// More than these are no list of people.
const IDENTITIES_MAX: usize = 10_000;
/// The word for no role at all.
const NONE: &str = "none";

/// One who may be recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name for the record.
    pub name: String,
    /// What they may do; nothing at all when it was taken away.
    pub role: Option<Role>,
    /// The common name of their certificate.
    pub certificate: Option<String>,
    /// What is kept of their token.
    pub token: Option<TokenHash>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identities(Vec<Identity>);

/// The file as it stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    identity: Vec<Spanned<Row>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: Spanned<String>,
    role: Spanned<String>,
    certificate: Option<Spanned<String>>,
    token: Option<Spanned<String>>,
}

/// Where something is wrong, and what.
type Broken = (Range<usize>, String);

impl Identities {
    /// Reads what a file would hold.
    ///
    /// # Errors
    ///
    /// [`IdentitiesError::Wrong`], with the place and what was probably meant.
    pub fn parse(path: &Path, text: &str) -> Result<Self, IdentitiesError> {
        let source = Source { path, text };
        let file: File = toml::from_str(text).map_err(|error| source.explain(&error))?;
        file.checked().map(Self).map_err(|(span, what)| source.wrong(&span, &what))
    }

    /// Who shows this token. It takes as long whoever it is, and if it is nobody.
    pub fn by_token(&self, token: &Token) -> Option<&Identity> {
        self.by_token_hash(&token.hash())
    }

    /// Who showed the token of which this is kept.
    pub fn by_token_hash(&self, hash: &TokenHash) -> Option<&Identity> {
        let found = |found, identity| if matches(identity, hash) { Some(identity) } else { found };
        self.0.iter().fold(None, found)
    }

    /// Who shows this certificate: as the file says, or as the certificate itself does.
    pub fn by_certificate(&self, certificate: &CertificateIdentity) -> Identity {
        let named = |identity: &&Identity| identity.certificate.as_ref() == Some(&certificate.name);
        self.0.iter().find(named).cloned().unwrap_or_else(|| Identity {
            name: certificate.name.clone(),
            role: certificate.role,
            certificate: Some(certificate.name.clone()),
            token: None,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn matches(identity: &Identity, hash: &TokenHash) -> bool {
    identity.token.is_some_and(|token| token == *hash)
}

impl File {
    fn checked(self) -> Result<Vec<Identity>, Broken> {
        if let Some(extra) = self.identity.get(IDENTITIES_MAX) {
            return Err((extra.span(), format!("more than {IDENTITIES_MAX} identities")));
        }
        let (mut names, mut certificates, mut tokens) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut identities = Vec::with_capacity(self.identity.len());
        for row in self.identity {
            let span = row.span();
            let Row { name, role, certificate, token } = row.into_inner();
            once(&mut names, &name, "name")?;
            text(&name, ("name", NAME_BYTES_MAX))?;
            if let Some(certificate) = &certificate {
                text(certificate, ("certificate", COMMON_NAME_BYTES_MAX))?;
                once(&mut certificates, certificate, "certificate")?;
            }
            let kept: Option<TokenHash> = token
                .as_ref()
                .map(|token| {
                    token.get_ref().parse().map_err(|error| (token.span(), format!("token: {error}")))
                })
                .transpose()?;
            if let Some(token) = &token
                && !tokens.insert(token.get_ref().clone())
            {
                return Err((token.span(), "token: somebody above has the same one".to_owned()));
            }
            if certificate.is_none() && token.is_none() {
                let name = name.get_ref();
                return Err((span, format!("{name} can't be recognised: give a certificate or a token")));
            }
            let granted = granted(&role, token.is_some())?;
            let certificate = certificate.map(Spanned::into_inner);
            identities.push(Identity { name: name.into_inner(), role: granted, certificate, token: kept });
        }
        Ok(identities)
    }
}

fn granted(role: &Spanned<String>, by_token: bool) -> Result<Option<Role>, Broken> {
    let word = role.get_ref().as_str();
    if word == NONE {
        return Ok(None);
    }
    let known = || Role::ALL.map(Role::word).into_iter().chain([NONE]);
    match word.parse::<Role>() {
        Ok(machine @ (Role::Agent | Role::Watchdog)) if by_token => Err((
            role.span(),
            format!("role: {machine} is for machines, which show certificates; a token is for people"),
        )),
        Ok(role) => Ok(Some(role)),
        Err(_) => Err((
            role.span(),
            match nearest(word, known()) {
                Some(meant) => format!("role: unknown role {word:?}; did you mean {meant:?}?"),
                None => {
                    format!(
                        "role: unknown role {word:?}; there are {}",
                        known().collect::<Vec<_>>().join(", ")
                    )
                }
            },
        )),
    }
}

fn text(value: &Spanned<String>, (key, max): (&str, usize)) -> Result<(), Broken> {
    let text = value.get_ref();
    let wrong = |what: String| Err((value.span(), format!("{key}: {what}")));
    if text.trim().is_empty() || text.trim() != text {
        return wrong("must not be empty, nor begin or end with a space".to_owned());
    }
    if text.len() > max {
        return wrong(format!("is {} bytes long; at most {max} are allowed", text.len()));
    }
    if text.chars().any(char::is_control) {
        return wrong("holds a control character".to_owned());
    }
    Ok(())
}

fn once(seen: &mut BTreeSet<String>, value: &Spanned<String>, key: &str) -> Result<(), Broken> {
    if seen.insert(value.get_ref().clone()) {
        return Ok(());
    }
    Err((value.span(), format!("{key}: {:?} is there already, above", value.get_ref())))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const HASH: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const GOOD: &str = r#"[[identity]]
name = "ann"
role = "approver"
certificate = "ann@example"
token = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

[[identity]]
name = "bob"
role = "none"
certificate = "bob"
"#;

    fn parse(text: &str) -> Result<Identities, String> {
        Identities::parse(Path::new("people.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn mistakes_are_told_with_their_place_and_what_was_meant() {
        assert_eq!(parse(GOOD).unwrap().len(), 2);
        assert!(parse("").unwrap().is_empty());
        let clear = format!("wdt_{}", "a".repeat(64));
        let table = [
            // instead of | what | is said
            ("name =", "nam =", "2:1: unknown key `nam`; did you mean `name`?"),
            (
                "name =",
                "password =",
                "2:1: unknown key `password`; known are: name, role, certificate, token",
            ),
            ("identity", "identities", "1:3: unknown key `identities`; did you mean `identity`?"),
            ("name = \"ann\"\n", "", "1:1: the key `name` is missing"),
            ("\"ann\"", "7", "2:8: expected a text in quotes"),
            ("\"ann\"", "\" ann\"", "2:8: name: must not be empty, nor begin or end with a space"),
            ("\"ann\"", "\"\"", "2:8: name: must not be empty"),
            ("\"ann\"", "\"a\\u001b\"", "2:8: name: holds a control character"),
            ("\"bob\"", "\"ann\"", "8:8: name: \"ann\" is there already, above"),
            (
                "certificate = \"bob\"",
                "certificate = \"ann@example\"",
                "10:15: certificate: \"ann@example\" is",
            ),
            ("approver", "aprover", "3:8: role: unknown role \"aprover\"; did you mean \"approver\"?"),
            ("approver", "root", "3:8: role: unknown role \"root\"; there are agent, watchdog, viewer"),
            ("approver", "watchdog", "3:8: role: watchdog is for machines, which show certificates"),
            (HASH, &HASH[..20], "5:9: token: expected \"sha256:\" and 64 hexadecimal digits"),
            (HASH, &clear, "5:9: token: this is the token itself, which should not be kept"),
            ("certificate = \"bob\"", "", "7:1: bob can't be recognised: give a certificate or a token"),
            ("certificate = \"bob\"\n", "certificate = \"bob", "10:"),
        ];
        for (from, to, expected) in table {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from} is not there");
            let said = parse(&text).unwrap_err();
            assert!(
                said.contains(&format!("people.toml:{expected}")),
                "{to}\n said: {said}\n not: {expected}"
            );
            assert!(!said.contains("aaaa"), "{said}");
        }
    }

    #[test]
    fn the_example_shows_every_key() {
        let example = include_str!("../../../examples/identities.toml");
        let identities = parse(example).unwrap();
        assert_eq!((identities.len(), identities.0[1].role), (2, None));
        let said = parse(&example.replacen("name =", "nonsense-key =", 1)).unwrap_err();
        let (_, known) = said.split_once("known are: ").unwrap();
        for key in known.split(", ") {
            assert!(example.contains(&format!("\n{key} = ")), "{key}");
        }
    }

    #[test]
    fn one_bracket_is_one_too_few() {
        let (first, _) = GOOD.split_once("\n\n").unwrap();
        let said = parse(&first.replacen("[[identity]]", "[identity]", 1)).unwrap_err();
        assert!(said.contains("people.toml:1:1: expected [[identity]], with two brackets"), "{said}");
    }

    #[test]
    fn the_file_goes_before_the_certificate() {
        let identities = parse(GOOD).unwrap();
        let shows = |name: &str, role| {
            let shown = CertificateIdentity { name: name.to_owned(), role };
            let identity = identities.by_certificate(&shown);
            (identity.name, identity.role)
        };
        let table = [
            // shown by the certificate | granted
            (("ann@example", None), ("ann", Some(Role::Approver))),
            (("ann@example", Some(Role::Admin)), ("ann", Some(Role::Approver))),
            (("bob", Some(Role::Admin)), ("bob", None)),
            (("eve", Some(Role::Operator)), ("eve", Some(Role::Operator))),
            (("eve", None), ("eve", None)),
        ];
        for ((name, role), (known_as, granted)) in table {
            assert_eq!(shows(name, role), (known_as.to_owned(), granted), "{name} {role:?}");
        }
    }

    #[test]
    fn a_token_finds_its_owner_only() {
        let token = Token::fresh().unwrap();
        let text = GOOD.replace(HASH, &token.hash().to_string());
        let identities = parse(&text).unwrap();
        assert_eq!(identities.by_token(&token).map(|it| it.name.as_str()), Some("ann"));
        assert_eq!(identities.by_token(&Token::fresh().unwrap()), None);
    }
}
