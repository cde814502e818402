//! Run: one execution of a target, with its panics caught and its time taken.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::target::{Target, Verdict};

/// What an execution came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target answered.
    Answered(Verdict),
    /// It panicked; where, and in which words.
    Panicked(String),
    /// It took longer than it may.
    Slow(Duration),
}

/// How much processor time an execution may take, for so many bytes of input.
///
/// Three seconds of grace a megabyte tell a quadratic reader from a linear one, also on a slow machine; without optimisation
/// it has eight times as long.
pub fn time_max(bytes: usize) -> Duration {
    let scale = if cfg!(debug_assertions) { 8 } else { 1 };
    Duration::from_millis(scale * (200 + 3 * bytes as u64 / 1_000))
}

thread_local! {
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes panics instead of printing them.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let inside = SAID.with_borrow(Option::is_some);
            if !inside {
                return before(info);
            }
            let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
            let words = format!("{}: {}", place.unwrap_or_default(), payload(info.payload()));
            SAID.set(Some(words));
        }));
    });
}

fn payload(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}

/// The processor time that this thread has had.
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Runs the target once; answers how long it took, too.
pub fn run(target: &Target, input: &[u8]) -> (Outcome, Duration) {
    listen();
    SAID.set(Some(String::new()));
    let began = thread_time();
    let answer = panic::catch_unwind(AssertUnwindSafe(|| (target.fuzz)(input)));
    let took = thread_time().saturating_sub(began);
    let said = SAID.take().unwrap_or_default();
    let outcome = match answer {
        Err(_) => Outcome::Panicked(said),
        Ok(_) if took > time_max(input.len()) => Outcome::Slow(took),
        Ok(verdict) => Outcome::Answered(verdict),
    };
    (outcome, took)
}

/// What tells one finding from another: where it panicked, or that it was slow.
pub fn kind(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Answered(_) => None,
        Outcome::Panicked(said) => {
            // Two assertions of one line differ in their words, not in the values behind them.
            let words = said.split(['\n', '"', '`']).next().unwrap_or_default();
            Some(words.chars().filter(|c| !c.is_ascii_digit()).take(160).collect())
        }
        Outcome::Slow(_) => Some("slow".to_owned()),
    }
}
