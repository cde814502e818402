//! Rng: chance, from a seed and nothing else (`SplitMix64`).

/// A stream of numbers that a seed determines.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x5851_f42d_4c95_7f2d)
    }

    /// Another stream, which draws from this one do not disturb.
    #[must_use]
    pub fn split(&self, label: u64) -> Self {
        let mut other = Self(self.0 ^ label.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        other.draw();
        other
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end`, without it; 0 when there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        let wide = (u128::from(self.draw()) * u128::from(end)) >> 64;
        u64::try_from(wide).unwrap_or_default()
    }

    /// An index into something of this length.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// A number from `low` to `high`, both included.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True so many times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// When there are none.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.index(all.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_stream_and_its_numbers_are_in_range() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        assert!((0..100).all(|_| a.draw() == b.draw()));
        assert!((0..1_000).all(|_| (3..=9).contains(&a.range(3, 9))));
        assert_ne!(Rng::new(7).split(1).draw(), Rng::new(7).split(2).draw());
        let heads = (0..10_000).filter(|_| a.chance(250)).count();
        assert!((2_200..2_800).contains(&heads), "{heads}");
    }
}
