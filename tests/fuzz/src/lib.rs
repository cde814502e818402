//! Fuzz: everything of ours that reads bytes from outside, fed with bytes that nobody would write.
//!
//! ```text
//! corpus ─► mutate ─► target: parse, and check what must hold of every answer ─► verdict
//!   ▲                                │ panic, too slow                             │
//!   └──── a verdict never seen ◄─────┼─────────────────────────────────────────────┘
//!                                    ▼
//!                        reduce ─► crashes/, replayed by `cargo test`
//! ```
//!
//! It runs on stable Rust and is the same for the same seed. Without the compiler's help it can't see which branches
//! are taken; it goes by what is said: an input that is refused in words that were not heard before is kept to
//! be mutated further.

pub mod awaiting;
pub mod bad;
pub mod campaign;
pub mod corpus;
pub mod mutate;
pub mod reduce;
pub mod rng;
pub mod run;
pub mod supervise;
pub mod target;
pub mod targets;
pub mod told;
