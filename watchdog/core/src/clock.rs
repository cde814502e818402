//! Clock: a wall clock that can be counted on to measure durations.
//!
//! A wall clock is set by people and daemons, and a lease or a soak that is measured with it ends when it jumps. This one
//! walks towards the wall clock, at most a tenth faster or slower than true time:
//!
//! ```text
//! wall clock ──► behind, or ahead by less than a minute ──► walk:  0.9 ≤ told / true ≤ 1.1, never backwards
//!          └──► farther ahead ───────► step: what was measured before means nothing any more (`steps` tells)
//! ```
//!
//! So a duration of `d` as told is at least `d / 1.1` long in truth, which the margins of the policy cover.

use crate::ids::Time;

/// A wall clock that is farther ahead than this, in milliseconds, is not walked to.
const STEP_MS: u64 = 60_000;
/// What is told is kept finer than it is told, so that frequent questions don't round the walk away.
const FINE: u64 = 10;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// In tenths of milliseconds.
    told: u64,
    asked_at: u64,
    steps: u64,
}

impl Clock {
    /// A clock that shows what the wall clock shows, when the monotonic clock shows `monotonic_ms`.
    pub fn new(wall: Time, monotonic_ms: u64) -> Self {
        Self { told: wall.0.saturating_mul(FINE), asked_at: monotonic_ms, steps: 0 }
    }

    /// The time, when the wall clock shows `wall` and the monotonic clock shows `monotonic_ms` milliseconds.
    pub fn tell(&mut self, wall: Time, monotonic_ms: u64) -> Time {
        let wall = wall.0.saturating_mul(FINE);
        let passed_ms = monotonic_ms.saturating_sub(self.asked_at);
        self.asked_at = self.asked_at.max(monotonic_ms);
        let by_pace = |pace: u64| self.told.saturating_add(passed_ms.saturating_mul(pace));
        if wall.saturating_sub(by_pace(FINE)) > STEP_MS * FINE {
            (self.told, self.steps) = (wall, self.steps + 1);
        } else {
            self.told = wall.clamp(by_pace(FINE - 1), by_pace(FINE + 1));
        }
        Time(self.told / FINE)
    }

    /// Goes on from `at` if that is later: what is written down has happened, whoever's clock it was stamped by.
    pub fn raise(&mut self, at: Time) {
        self.told = self.told.max(at.0.saturating_mul(FINE));
    }

    /// How often it gave up walking and stepped; whoever measures with it begins anew when this has changed.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_walks_to_a_wall_clock_that_jumped_and_steps_to_one_that_is_far_away() {
        let mut clock = Clock::new(Time(1_000_000), 0);
        // monotonic, wall, told, steps
        let table = [
            (1_000, 1_001_000, 1_001_000, 0),
            // 20 s ahead: one second more shows 1.1 s.
            (2_000, 1_022_000, 1_002_100, 0),
            (3_000, 1_023_000, 1_003_200, 0),
            // 20 s behind: never backwards.
            (4_000, 984_000, 1_004_100, 0),
            (4_000, 984_000, 1_004_100, 0),
            (1_004_000, 1_984_000, 1_984_000, 0),
            // An hour ahead.
            (1_005_000, 5_585_000, 5_585_000, 1),
            // And back again: it waits for it, and time goes on.
            (1_006_000, 1_986_000, 5_585_900, 1),
            (1_007_000, 1_987_000, 5_586_800, 1),
        ];
        for (monotonic, wall, told, steps) in table {
            assert_eq!(
                (clock.tell(Time(wall), monotonic), clock.steps()),
                (Time(told), steps),
                "at {monotonic}"
            );
        }
    }

    #[test]
    fn after_who_was_ahead_time_goes_on() {
        let mut clock = Clock::new(Time(1_000), 0);
        clock.raise(Time(601_000));
        assert_eq!((clock.tell(Time(2_000), 1_000), clock.steps()), (Time(601_900), 0));
        clock.raise(Time(5));
        assert_eq!(clock.tell(Time(3_000), 2_000), Time(602_800));
    }

    #[test]
    fn frequent_questions_do_not_keep_it_from_walking() {
        let (mut often, mut seldom) = (Clock::new(Time(0), 0), Clock::new(Time(0), 0));
        for ms in 1..=5_000 {
            often.tell(Time(ms + 20_000), ms);
        }
        assert_eq!(often.tell(Time(25_000), 5_000), seldom.tell(Time(25_000), 5_000));
        assert_eq!(often.tell(Time(25_000), 5_000), Time(5_500));
    }
}
