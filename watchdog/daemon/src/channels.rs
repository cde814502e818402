//! Channels: connections that are kept open by address, as many as are in use.
//!
//! A cluster may have thousands of agents, and to drop the connection to one that is asked at every check is to make
//! it anew at every check. So what goes is what nobody asked for in a while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Up to so many are kept however long they are idle: replicas come and go with their ports.
const KEPT_IDLE: usize = 512;
/// Beyond that, one that was not asked for in this time goes.
const IDLE: Duration = Duration::from_mins(2);
/// How often idle ones are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// However many are in use, there are no more; then the one that was asked for least lately goes.
const CHANNELS_MAX: usize = 16_384;

/// The connections that are kept open, by address.
#[derive(Debug)]
pub(crate) struct Channels<C> {
    by_address: HashMap<String, Kept<C>>,
    /// When idle ones were last looked for, which costs a look at all.
    swept_at: Option<Instant>,
}

#[derive(Debug)]
struct Kept<C> {
    channel: C,
    used_at: Instant,
}

impl<C> Default for Channels<C> {
    fn default() -> Self {
        Self { by_address: HashMap::new(), swept_at: None }
    }
}

impl<C: Clone> Channels<C> {
    /// The connection to `address`, made by `connect` if there is none.
    ///
    /// Whoever still uses one that goes holds a handle of their own, and is not disturbed.
    ///
    /// # Errors
    ///
    /// Those of `connect`.
    pub(crate) fn get<E>(
        &mut self,
        address: &str,
        now: Instant,
        connect: impl FnOnce() -> Result<C, E>,
    ) -> Result<C, E> {
        if let Some(kept) = self.by_address.get_mut(address) {
            kept.used_at = now;
            return Ok(kept.channel.clone());
        }
        let channel = connect()?;
        self.make_room(now);
        self.by_address.insert(address.to_owned(), Kept { channel: channel.clone(), used_at: now });
        Ok(channel)
    }

    fn make_room(&mut self, now: Instant) {
        if self.by_address.len() < KEPT_IDLE {
            return;
        }
        let swept = self.swept_at.is_some_and(|at| now.saturating_duration_since(at) < SWEEP_EVERY);
        if swept && self.by_address.len() < CHANNELS_MAX {
            return;
        }
        self.swept_at = Some(now);
        self.by_address.retain(|_, kept| now.saturating_duration_since(kept.used_at) < IDLE);
        if self.by_address.len() < CHANNELS_MAX {
            return;
        }
        let oldest = self.by_address.iter().min_by_key(|(_, kept)| kept.used_at);
        if let Some(oldest) = oldest.map(|(address, _)| address.clone()) {
            self.by_address.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Asks for an address; answers whether the connection was made anew.
    fn made(channels: &mut Channels<()>, number: usize, now: Instant) -> bool {
        let mut made = false;
        let connect = || {
            made = true;
            Ok::<_, Infallible>(())
        };
        let _ = channels.get(&format!("http://h{number}"), now, connect);
        made
    }

    #[test]
    fn what_is_in_use_is_kept_and_what_is_idle_goes() {
        let (mut channels, start) = (Channels::default(), Instant::now());
        for number in 0..2_000 {
            assert!(made(&mut channels, number, start));
        }
        // At the next checks all are there: none was dropped for another.
        for check in 1..4 {
            let now = start + check * Duration::from_mins(1);
            let anew = (0..1_500).filter(|number| made(&mut channels, *number, now)).count();
            assert_eq!(anew, 0, "check {check}");
        }
        let now = start + Duration::from_secs(200);
        assert!(made(&mut channels, 9_999, now));
        assert_eq!(channels.by_address.len(), 1_501, "those that nobody asked for are gone");
    }

    #[test]
    fn there_is_a_bound_and_it_takes_the_least_lately_used() {
        let (mut channels, start) = (Channels::default(), Instant::now());
        for number in 0..CHANNELS_MAX {
            assert!(made(&mut channels, number, start + Duration::from_micros(number as u64)));
        }
        let now = start + Duration::from_secs(1);
        assert!(!made(&mut channels, 0, now));
        assert!(made(&mut channels, CHANNELS_MAX, now));
        assert_eq!(channels.by_address.len(), CHANNELS_MAX);
        assert!(!made(&mut channels, 0, now));
        assert!(made(&mut channels, 1, now), "the least lately used was dropped");
    }

    #[test]
    fn a_few_are_kept_however_idle() {
        let (mut channels, start) = (Channels::default(), Instant::now());
        assert!((0..100).all(|number| made(&mut channels, number, start)));
        let later = start + Duration::from_hours(24);
        assert!((0..100).all(|number| !made(&mut channels, number, later)));
    }
}
