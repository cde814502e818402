//! Mutate: changes an input a little, in the way in which inputs of its flavour are built.

mod bytes;
mod json;
mod proto;
mod toml;
pub mod words;

use crate::rng::Rng;
use crate::target::Flavour;

/// No input grows longer than this.
pub const INPUT_BYTES_MAX: usize = 256 * 1024;

/// Mutates inputs of one flavour.
#[derive(Debug)]
pub struct Mutator {
    flavour: Flavour,
    /// Words that mean something to the target.
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// One that knows the words of these inputs.
    pub fn new(flavour: Flavour, inputs: &[Vec<u8>]) -> Self {
        Self { flavour, words: words::of(inputs) }
    }

    /// Changes `input`; others of the pool lend pieces.
    pub fn mutate(&mut self, input: &mut Vec<u8>, pool: &[Vec<u8>], rng: &mut Rng) {
        let built = match self.flavour {
            // Now and then the bytes are just bytes, whatever they are built as.
            _ if rng.one_in(4) => false,
            Flavour::Json => json::mutate(input, &self.words, rng),
            Flavour::Toml => toml::mutate(input, &self.words, rng),
            Flavour::Proto => proto::mutate(input, &self.words, rng),
            Flavour::Text => false,
        };
        if !built {
            bytes::mutate(input, (&self.words, pool), rng);
        }
        input.truncate(INPUT_BYTES_MAX);
    }
}
