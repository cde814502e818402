//! Token: a secret that a person shows, and what is kept of it.
//!
//! A token is 256 random bits, which nobody can guess; so its SHA-256 is kept, and needs no salt and no slow hashing,
//! which are for what people think up.

use std::fmt;
use std::str::FromStr;

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How every token begins, so that one that was left somewhere is recognised.
pub const TOKEN_PREFIX: &str = "wdt_";
/// How a kept hash begins.
const HASH_PREFIX: &str = "sha256:";
/// The bytes of a token, and of its hash.
const BYTES: usize = 32;

/// A token in clear. It is shown to whoever asked for it, once; nothing else ever prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// What is kept of a token: enough to recognise it, not enough to show it.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; BYTES]);

/// A text that is no token. It is not repeated: it may be one that was mistyped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a token; one is `wdt_` and 64 hexadecimal digits, as `watchdogctl token new` prints it")]
pub struct NoToken;

/// A text that is not what is kept of a token. It is not repeated: it may be the token itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTokenHash {
    /// It is the secret itself.
    #[error(
        "this is the token itself, which should not be kept; write its hash, as `watchdogctl token new` prints it, and make a new one if others could read this file"
    )]
    InClear,
    /// It is something else.
    #[error("expected \"sha256:\" and 64 hexadecimal digits, as `watchdogctl token new` prints it")]
    Malformed,
}

impl Token {
    /// A new one, from the system's randomness.
    ///
    /// # Errors
    ///
    /// When the system gives none.
    pub fn fresh() -> std::io::Result<Self> {
        Ok(Self(format!("{TOKEN_PREFIX}{}", hex(&random()?))))
    }

    /// The secret, for a header or for whoever asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FromStr for Token {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(TOKEN_PREFIX).ok_or(NoToken)?;
        unhex(digits).map(|_| Self(text.to_owned())).ok_or(NoToken)
    }
}

impl PartialEq for TokenHash {
    /// Takes as long wherever they differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

impl fmt::Display for TokenHash {
    /// As it stands in the file of identities.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HASH_PREFIX}{}", hex(&self.0))
    }
}

impl FromStr for TokenHash {
    type Err = NoTokenHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(TOKEN_PREFIX) {
            return Err(NoTokenHash::InClear);
        }
        let digits = text.strip_prefix(HASH_PREFIX).ok_or(NoTokenHash::Malformed)?;
        unhex(digits).map(Self).ok_or(NoTokenHash::Malformed)
    }
}

/// 256 random bits in hexadecimal digits: a name that nobody guesses.
///
/// # Errors
///
/// When the system gives none.
pub fn unguessable() -> std::io::Result<String> {
    Ok(hex(&random()?))
}

/// Whether two secrets are the same; takes as long wherever they differ.
pub fn same_secret(ours: &str, theirs: &str) -> bool {
    ours.as_bytes().ct_eq(theirs.as_bytes()).into()
}

/// A secret that only who knows `secret` can make, another one for each `to`.
pub fn bound_secret(secret: &str, to: &str) -> String {
    hex(&<[u8; BYTES]>::from(
        Sha256::new().chain_update(secret).chain_update("\n").chain_update(to).finalize(),
    ))
}

fn random() -> std::io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    let mut filled = 0;
    while filled < BYTES {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

fn unhex(digits: &str) -> Option<[u8; BYTES]> {
    let digits = digits.as_bytes();
    if digits.len() != 2 * BYTES {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn a_token_is_recognised_by_what_is_kept_of_it() {
        let (token, other) = (Token::fresh().unwrap(), Token::fresh().unwrap());
        assert_eq!(token.reveal().len(), TOKEN_PREFIX.len() + 64);
        assert_ne!(token, other);
        let kept: TokenHash = token.hash().to_string().parse().unwrap();
        let shown: Token = token.reveal().parse().unwrap();
        assert_eq!(shown.hash(), kept);
        assert_ne!(other.hash(), kept);
        assert_eq!(format!("{token:?} {kept:?}"), "Token(…) TokenHash(…)");
        assert!(!kept.to_string().contains(&token.reveal()[TOKEN_PREFIX.len()..]));
    }

    #[test]
    fn what_is_kept_is_the_digest_of_the_whole_token() {
        let token: Token = format!("wdt_{}", "0".repeat(64)).parse().unwrap();
        assert_eq!(
            token.hash().to_string(),
            "sha256:c0d2730da68445bf72270237f349f6748a4f4cae286a6f2dd60e85f24b13b6b1"
        );
    }

    #[test]
    fn what_is_none_is_refused_and_not_repeated() {
        let digits = "ab".repeat(32);
        for text in ["", "wdt_", "wdt_ab", &digits, &format!("wdt_{}", "AB".repeat(32)), "wdt_é"] {
            let error = text.parse::<Token>().unwrap_err().to_string();
            assert!(text.len() < 5 || !error.contains(text), "{error}");
        }
        let table = [
            (String::new(), NoTokenHash::Malformed),
            (digits.clone(), NoTokenHash::Malformed),
            (format!("sha256:{digits}0"), NoTokenHash::Malformed),
            (format!("sha512:{digits}"), NoTokenHash::Malformed),
            (format!("wdt_{digits}"), NoTokenHash::InClear),
            (format!("sha256:wdt_{digits}"), NoTokenHash::InClear),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<TokenHash>().unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn secrets_are_the_same_only_as_a_whole() {
        let secret = unguessable().unwrap();
        assert!(same_secret(&secret, &secret.clone()));
        for other in ["", &secret[1..], &format!("{secret}0"), &unguessable().unwrap()] {
            assert!(!same_secret(&secret, other), "{other}");
        }
    }
}
