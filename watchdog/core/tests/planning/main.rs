//! Planning: stories, properties and a table a safeguard for the half of the core that decides.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod forgotten;
mod goal_words;
mod large;
mod next;
mod outdated;
mod properties;
mod rolling;
mod rolling_properties;
mod stories;
mod vetting;
mod words;
mod world;
