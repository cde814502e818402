//! State: what the metadata log adds up to, and the hash that replicas prove it by.
//!
//! ```text
//! change 1..=v ──fold──► State ──only the application's kinds──► RFC 8785 ──► SHA-256 = state hash
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ids::{NAME_MAX, ReplicaId};

/// The largest value of a key, in bytes of its canonical JSON.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// `kind/name`, such as `model/fraud`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// Why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key:?} is not a key: {reason}")]
pub struct KeyError {
    key: String,
    reason: &'static str,
}

impl Key {
    /// Parses `kind/name`.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] that says which half is wrong.
    pub fn new(key: impl Into<String>) -> Result<Self, KeyError> {
        let key = key.into();
        match key_fault(&key) {
            Some(reason) => Err(KeyError { key: key.chars().take(2 * NAME_MAX).collect(), reason }),
            None => Ok(Self(key)),
        }
    }

    /// The key under which the log declares `replica`.
    pub fn of_replica(replica: &ReplicaId) -> Self {
        Self(format!("replica/{replica}"))
    }

    /// The part before the slash.
    pub fn kind(&self) -> &str {
        self.0.split_once('/').map_or("", |(kind, _)| kind)
    }

    /// The part after the slash.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }

    /// Whether the watchdog itself understands this kind, so that replicas never load it.
    pub fn is_ours(&self) -> bool {
        matches!(self.kind(), "replica" | "policy")
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn key_fault(key: &str) -> Option<&'static str> {
    let Some((kind, name)) = key.split_once('/') else {
        return Some("expected kind/name, such as model/fraud");
    };
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    for (half, empty, long, bad) in [
        (
            kind,
            "the kind before '/' is empty",
            "the kind is longer than 63 bytes",
            "the kind may hold a-z 0-9 - _ .",
        ),
        (
            name,
            "the name after '/' is empty",
            "the name is longer than 63 bytes",
            "the name may hold a-z 0-9 - _ .",
        ),
    ] {
        if half.is_empty() {
            return Some(empty);
        }
        if half.len() > NAME_MAX {
            return Some(long);
        }
        if !half.chars().all(allowed) {
            return Some(bad);
        }
    }
    None
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Key {
    type Err = KeyError;
    fn from_str(key: &str) -> Result<Self, KeyError> {
        Self::new(key)
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;
    fn try_from(key: String) -> Result<Self, KeyError> {
        Self::new(key)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        key.0
    }
}

/// A SHA-256, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

/// A text is not a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a hash; expected 64 hexadecimal digits")]
pub struct HashError {
    text: String,
}

impl Hash {
    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// What it is made of.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let error = || HashError { text: text.chars().take(70).collect() };
        // One hash has one spelling.
        if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| error())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Hash {
    type Error = HashError;
    fn try_from(text: String) -> Result<Self, HashError> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}

/// Writes a value in the one form that everybody hashes alike (RFC 8785).
pub fn canonical(value: &Value) -> String {
    // Only a map with a non-text key or a failing writer can make this fail; a `Value` in memory has neither.
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}

/// The digest of one value: what a replica reports per key that it holds in memory.
pub fn digest(value: &Value) -> Hash {
    Hash::of(canonical(value).as_bytes())
}

/// The state hash that follows from per-key digests: the SHA-256 of their canonical JSON object.
///
/// It is made from the digests and not from the values, so that a replica can
/// prove what it holds in memory without keeping the values as they came.
pub fn hash_of_digests(digests: &BTreeMap<Key, Hash>) -> Hash {
    let ours_left_out = digests.iter().filter(|(key, _)| !key.is_ours());
    let object =
        ours_left_out.map(|(key, hash)| (key.to_string(), Value::String(hash.to_string()))).collect();
    digest(&Value::Object(object))
}

/// What the log adds up to at one version: an ordered map from key to JSON value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State(pub BTreeMap<Key, Value>);

impl State {
    /// The value under `key`.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.0.get(key)
    }

    /// Puts or removes one value.
    pub fn apply(&mut self, key: &Key, after: Option<&Value>) {
        match after {
            Some(value) => self.0.insert(key.clone(), value.clone()),
            None => self.0.remove(key),
        };
    }

    /// The application's part: what replicas load.
    #[must_use]
    pub fn application(&self) -> State {
        State(self.0.iter().filter(|(key, _)| !key.is_ours()).map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    /// The digest of each of the application's values.
    pub fn digests(&self) -> BTreeMap<Key, Hash> {
        self.0
            .iter()
            .filter(|(key, _)| !key.is_ours())
            .map(|(key, value)| (key.clone(), digest(value)))
            .collect()
    }

    /// The hash of the application's part; equal hashes are the same to a replica.
    pub fn hash(&self) -> Hash {
        hash_of_digests(&self.digests())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn state(entries: &[(&str, Value)]) -> State {
        State(entries.iter().map(|(key, value)| (key.parse().unwrap(), value.clone())).collect())
    }

    #[test]
    fn keys_say_which_half_is_wrong() {
        let table = [
            ("model/fraud", None),
            ("setting/a_b.c-d", None),
            ("model", Some("expected kind/name, such as model/fraud")),
            ("/x", Some("the kind before '/' is empty")),
            ("model/", Some("the name after '/' is empty")),
            ("model/a/b", Some("the name may hold a-z 0-9 - _ .")),
            ("Model/a", Some("the kind may hold a-z 0-9 - _ .")),
        ];
        for (key, fault) in table {
            assert_eq!(Key::new(key).err().map(|e| e.reason), fault, "{key}");
        }
    }

    #[test]
    fn the_hash_covers_the_application_only_and_ignores_spelling() {
        let a = state(&[("model/m", json!({"b": 1.0, "a": [1, 2]})), ("replica/r", json!({}))]);
        let b = state(&[("model/m", json!({"a": [1, 2], "b": 1})), ("policy/healing", json!({"x": 1}))]);
        assert_eq!(a.hash(), b.hash());
        assert_ne!(a.hash(), state(&[("model/m", json!({"a": [2, 1], "b": 1}))]).hash());
        assert_eq!(a.hash(), hash_of_digests(&a.application().digests()));
    }
}
