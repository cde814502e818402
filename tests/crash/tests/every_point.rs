//! Every point: a process dies at each crash point once, on real clusters, and every promise is kept.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use watchdog_crash::campaign::{Plan, run};
use watchdog_crash::points;
use watchdog_tests::story::Backend;

#[test]
fn a_death_at_any_point_breaks_no_promise() {
    let points: Vec<_> = points::all().collect();
    let plan = Plan { backend: Backend::Embedded, clusters: 6, times: 1, tells: false };
    let outcome = run(&points, plan).unwrap();
    assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
    assert_eq!((outcome.passed, outcome.kills), (points.len(), points.len() as u64));
}
