//! Quarantine: stop trying, leave the replica alone, and ask a human.

use crate::plan::Act;

use super::case::Case;
use super::draft::Draft;

/// Plans that a human is told `why`, and that nothing touches the replica until it is released.
pub fn quarantine(case: &Case, why: &str) -> Vec<Draft> {
    let act = Act::Notify { message: why.to_owned(), quarantine: true };
    vec![Draft::new(&case.input.policy, act, why)]
}
