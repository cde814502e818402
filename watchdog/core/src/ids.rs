//! Ids: the names and numbers by which everything else is addressed.
//!
//! A name matches `[a-z0-9][a-z0-9-]{0,62}`, so that it can stand in a path, a
//! log line and a shell argument without quoting. Names are parsed once, at the
//! edge; inside, an invalid one can't be written.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a name must not be empty")]
    Empty,
    /// Longer than 63 bytes.
    #[error("name {name:?} is {length} bytes long; at most 63 are allowed")]
    TooLong {
        /// The first 63 characters of it.
        name: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A byte that may not stand there.
    #[error(
        "name {name:?} has {found:?} at position {position}; use a-z, 0-9 and '-', not starting with '-'"
    )]
    BadCharacter {
        /// The text.
        name: String,
        /// The offending character.
        found: char,
        /// Counted from 1, in characters.
        position: usize,
    },
}

/// The longest name, in bytes.
pub const NAME_MAX: usize = 63;

fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_MAX {
        return Err(NameError::TooLong { name: name.chars().take(NAME_MAX).collect(), length: name.len() });
    }
    let bad = name
        .chars()
        .enumerate()
        .find(|&(index, c)| !(c.is_ascii_lowercase() || c.is_ascii_digit() || (c == '-' && index > 0)));
    match bad {
        Some((index, found)) => {
            Err(NameError::BadCharacter { name: name.to_owned(), found, position: index + 1 })
        }
        None => Ok(()),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses a name.
            ///
            /// # Errors
            ///
            /// A [`NameError`] that says which character is wrong and where.
            pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
                let name = name.into();
                check_name(&name)?;
                Ok(Self(name))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    )*};
}

names! {
    /// One guarded application: a name, its own election, its own log.
    ClusterId,
    /// A named slot that should be alive.
    ReplicaId,
    /// A machine on which replicas run, as its host agent calls it.
    HostId,
    /// One watchdog process.
    WatchdogId,
    /// An operator's declared goal.
    GoalId,
    /// A healing plan: `<epoch>-<count within the epoch>`; they sort as numbers, and so by time.
    PlanId,
    /// A step of a plan: `<plan>-<index>`; agents remember what they began by it. They sort as numbers too.
    StepId,
}

macro_rules! ordered {
    ($($name:ident by $order:expr),* $(,)?) => {$(
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                $order(self.as_str(), other.as_str())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    )*};
}

ordered! {
    ClusterId by str::cmp,
    ReplicaId by str::cmp,
    HostId by str::cmp,
    WatchdogId by str::cmp,
    GoalId by str::cmp,
    PlanId by by_numbers,
    StepId by by_numbers,
}

/// Compares what stands between the hyphens, as numbers where it is one: `1-9` comes before `1-10`.
fn by_numbers(one: &str, other: &str) -> Ordering {
    let part = |text: &str| text.parse::<u64>().map_err(|_| text.to_owned());
    let by_parts = one.split('-').map(part).cmp(other.split('-').map(part));
    // Names of equal numbers, such as `1-1` and `1-01`, are two names all the same.
    by_parts.then_with(|| one.cmp(other))
}

impl PlanId {
    /// The id of the `count`th plan of `epoch`; the caller counts.
    pub fn numbered(epoch: Epoch, count: u64) -> Self {
        Self(format!("{epoch}-{count}"))
    }

    /// The id of the step at `index` (from 0) of this plan; people count from 1.
    pub fn step(&self, index: usize) -> StepId {
        StepId(format!("{}-{}", self.0, index + 1))
    }
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The next one; nothing ever comes near the last.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}

numbers! {
    /// The leader's fencing token, strictly growing; 0 means that nobody has led yet.
    Epoch,
    /// The position of a change in the metadata log, from 1; 0 is the empty state.
    Version,
    /// The position of an entry in the record, from 1; 0 means before the first.
    Sequence,
}

/// A moment: milliseconds since 1970-01-01 UTC, as told by whoever observed it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// Milliseconds from `earlier` until this; 0 when `earlier` is later.
    pub fn since_ms(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment, `ms` milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// One process life of a replica: a UUID (version 7), minted when the process is started.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Incarnation(u128);

/// A text is not an incarnation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an incarnation; expected a UUID such as 0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e")]
pub struct IncarnationError {
    text: String,
}

impl Incarnation {
    /// The incarnation whose UUID has these 128 bits.
    pub const fn from_u128(bits: u128) -> Self {
        Self(bits)
    }

    /// This one, named later than `known`: a clock that is behind another's does not show in what follows.
    ///
    /// Only the time in front moves, so that it stays as unique as it was. One that lies at the end of time, which only
    /// a stranger can bear, is not followed.
    #[must_use]
    pub fn later_than(self, known: Self) -> Self {
        let time = (known.0 >> RANDOM_BITS) + 1;
        let is_later = self > known || time >> (u128::BITS - RANDOM_BITS) != 0;
        let random = self.0 & ((1 << RANDOM_BITS) - 1);
        if is_later { self } else { Self((time << RANDOM_BITS) | random) }
    }
}

/// A UUID of version 7 begins with 48 bits of time; what follows makes it unique.
const RANDOM_BITS: u32 = 80;

impl FromStr for Incarnation {
    type Err = IncarnationError;

    fn from_str(text: &str) -> Result<Self, IncarnationError> {
        let error = || IncarnationError { text: text.chars().take(40).collect() };
        let shape = text.len() == 36
            && text.char_indices().all(|(index, c)| match index {
                8 | 13 | 18 | 23 => c == '-',
                _ => c.is_ascii_digit() || ('a'..='f').contains(&c),
            });
        if !shape {
            return Err(error());
        }
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        u128::from_str_radix(&hex, 16).map(Self).map_err(|_| error())
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Incarnation {
    type Error = IncarnationError;
    fn try_from(text: String) -> Result<Self, IncarnationError> {
        text.parse()
    }
}

impl From<Incarnation> for String {
    fn from(incarnation: Incarnation) -> String {
        incarnation.to_string()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_wrong_with_them() {
        let long = "a".repeat(64);
        let table = [
            ("scoring-b", Ok(())),
            ("7", Ok(())),
            ("", Err(NameError::Empty)),
            (&long, Err(NameError::TooLong { name: "a".repeat(63), length: 64 })),
            ("-a", Err(NameError::BadCharacter { name: "-a".into(), found: '-', position: 1 })),
            ("a_b", Err(NameError::BadCharacter { name: "a_b".into(), found: '_', position: 2 })),
            ("aä", Err(NameError::BadCharacter { name: "aä".into(), found: 'ä', position: 2 })),
        ];
        for (text, expected) in table {
            assert_eq!(ReplicaId::new(text).map(|_| ()), expected, "{text:?}");
        }
    }

    #[test]
    fn plans_and_steps_sort_as_numbers() {
        let table = [
            ("1-9", "1-10"),
            ("9-1", "10-1"),
            ("1-10-9", "1-10-10"),
            ("1-9-20", "1-10-1"),
            ("1-2", "1-2-1"),
            ("1-1", "1-a"),
            ("1-01", "1-1"),
        ];
        for (earlier, later) in table {
            let plan = |text| PlanId::new(text).unwrap();
            let step = |text| StepId::new(text).unwrap();
            assert!(plan(earlier) < plan(later) && plan(later) > plan(earlier), "{earlier} < {later}");
            assert!(step(earlier) < step(later), "{earlier} < {later}");
        }
        assert!(HostId::new("h-10").unwrap() < HostId::new("h-9").unwrap(), "names of people's are texts");
    }

    #[test]
    fn a_new_name_is_later_than_what_is_known() {
        let at = |time: u128, random: u128| Incarnation::from_u128((time << 80) | (7 << 76) | random);
        let table = [
            // minted | known | named
            (at(100, 5), at(99, 9), at(100, 5)),
            (at(100, 5), at(100, 9), at(101, 5)),
            (at(100, 5), at(7_200_100, 9), at(7_200_101, 5)),
            (at(100, 5), Incarnation::from_u128(u128::MAX), at(100, 5)),
        ];
        for (minted, known, named) in table {
            assert_eq!(minted.later_than(known), named, "{minted} after {known}");
        }
    }

    #[test]
    fn incarnations_survive_their_text() {
        let text = "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e";
        assert_eq!(text.parse::<Incarnation>().unwrap().to_string(), text);
        for bad in [
            "",
            "0197c7a05f3e7c2d80003f2a6b1c9d4e",
            "0197C7A0-5f3e-7c2d-8000-3f2a6b1c9d4e",
            "é197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4",
        ] {
            assert!(bad.parse::<Incarnation>().is_err(), "{bad:?}");
        }
    }
}
