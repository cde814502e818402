//! Net: who can reach whom, and what becomes of one message.
//!
//! A link has a direction: what can be asked need not be answered.

use std::collections::BTreeMap;

use crate::rng::Rng;

/// A machine, or a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A watchdog's.
    Dog(usize),
    /// A host with its agent and replicas.
    Host(usize),
    /// The coordination service.
    Zoo,
    /// The journal's database.
    Journal,
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dog(index) => write!(f, "watchdog w{}", index + 1),
            Self::Host(index) => write!(f, "host h{}", index + 1),
            Self::Zoo => f.write_str("ZooKeeper"),
            Self::Journal => f.write_str("the journal"),
        }
    }
}

/// What became of messages, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mishaps {
    /// Lost.
    pub lost: u64,
    /// Delivered twice.
    pub doubled: u64,
    /// Held back, so that later ones overtake them.
    pub reordered: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Net {
    cuts: BTreeMap<(Node, Node), u32>,
    /// How many stretches of bad weather there are now.
    storms: u32,
    /// What became of messages in them.
    pub mishaps: Mishaps,
}

impl Net {
    /// Whether what `from` sends reaches `to`.
    pub fn is_open(&self, from: Node, to: Node) -> bool {
        self.cuts.is_empty() || !self.cuts.contains_key(&(from, to))
    }

    /// Whether both hear each other.
    pub fn is_whole(&self, a: Node, b: Node) -> bool {
        self.is_open(a, b) && self.is_open(b, a)
    }

    /// Cuts one direction, once more.
    pub fn cut(&mut self, from: Node, to: Node) {
        *self.cuts.entry((from, to)).or_default() += 1;
    }

    /// Takes back one cut.
    pub fn mend(&mut self, from: Node, to: Node) {
        if let Some(cuts) = self.cuts.get_mut(&(from, to)) {
            *cuts -= 1;
            if *cuts == 0 {
                self.cuts.remove(&(from, to));
            }
        }
    }

    /// Bad weather begins or ends.
    pub fn weather(&mut self, bad: bool) {
        self.storms = if bad { self.storms + 1 } else { self.storms.saturating_sub(1) };
    }

    /// After how many milliseconds each copy of a message arrives; none: it is lost.
    pub fn deliver(&mut self, (from, to): (Node, Node), rng: &mut Rng) -> [Option<u64>; 2] {
        if !self.is_open(from, to) {
            return [None, None];
        }
        let usual = rng.range(1, 4);
        if self.storms == 0 {
            return [Some(usual), None];
        }
        match rng.below(100) {
            0..12 => {
                self.mishaps.lost += 1;
                [None, None]
            }
            12..24 => {
                self.mishaps.doubled += 1;
                [Some(usual), Some(rng.range(1, 3_000))]
            }
            24..36 => {
                self.mishaps.reordered += 1;
                [Some(if rng.chance(300) { rng.range(6_000, 20_000) } else { rng.range(50, 6_000) }), None]
            }
            _ => [Some(usual), None],
        }
    }
}
