//! Board: the dashboard with 500 replicas: how soon it is painted, how soon it moves, and what who looks on costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::json;
use watchdog_tests::browser::Browser;
use watchdog_tests::dev::{Dev, Setup};
use watchdog_tests::extras::{Extras, name};
use watchdog_tests::http::Stream;
use watchdog_tests::process::Guarded;

use crate::samples::Row;

/// Of them one is real.
const REPLICAS: usize = 500;
const HOSTS: usize = 20;
const PAINTS: usize = 10;
const MOVES: usize = 30;
/// How many look on when their cost is measured.
const FOLLOWERS: usize = 20;
/// For how long in each round, how often something moves meanwhile, and which of these moves is also recorded.
const LOOKED_ON: Duration = Duration::from_secs(10);
const MOVES_EVERY: Duration = Duration::from_millis(200);
const RECORDED_EVERY: usize = 5;
const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_mins(1);

/// Notes when as many rows stand in the page and are painted; runs before the page's own scripts.
const NOTE_PAINT: &str = "
    const all = 500;
    const look = () => {
        if (document.querySelectorAll('.replicas tbody tr').length < all) return requestAnimationFrame(look);
        requestAnimationFrame(() => requestAnimationFrame(() => { window.paintedAt = performance.now(); }));
    };
    requestAnimationFrame(look);";

/// Notes when one row is other than before, and that is painted.
const NOTE_MOVE: &str = "
    const row = document.querySelector(`tr[data-replica='${arguments[0]}']`);
    window.movedAt = null;
    const seen = new MutationObserver(() => {
        seen.disconnect();
        requestAnimationFrame(() => { window.movedAt = performance.timeOrigin + performance.now(); });
    });
    seen.observe(row, { subtree: true, attributes: true, characterData: true, childList: true, attributeFilter: ['data-tone'] });";

/// Measures all of it.
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let setup = Setup {
        watchdogs: Some(1),
        replicas: Some(1),
        more: vec!["--hosts".into(), "1".into()],
        ..Setup::default()
    };
    let dev = Dev::start(&setup)?;
    let extras = Extras::join(&dev, REPLICAS - 1, HOSTS)?;
    let mut rows = costs(&dev, &extras)?;
    let browser = Browser::start((1440, 1000))?;
    let first = paints(&browser, dev.endpoints())?;
    rows.insert(
        0,
        Row::new("dashboard, 500 replicas: address to all rows painted", "ms", first, Some(500.0)),
    );
    let moves = moves(&browser, &extras)?;
    rows.insert(1, Row::new("dashboard, 500 replicas: event to the row painted", "ms", moves, Some(200.0)));
    Ok(rows)
}

fn paints(browser: &Browser, address: &str) -> anyhow::Result<Vec<f64>> {
    browser.before_each_page(NOTE_PAINT)?;
    let mut samples = Vec::new();
    for _ in 0..PAINTS {
        browser.go(&format!("{address}/"))?;
        let painted = browser.until("500 rows", "return window.paintedAt ?? null")?;
        samples.push(painted.as_f64().context("the time is no number")?);
        // The rest of the page comes after it, and is not part of the next one's time.
        browser.until("the log", "return Boolean(document.querySelector('.log tbody button.name'))")?;
    }
    Ok(samples)
}

fn moves(browser: &Browser, extras: &Extras) -> anyhow::Result<Vec<f64>> {
    let mut samples = Vec::new();
    for round in 0..MOVES {
        let health = if round % 2 == 0 { "draining" } else { "ready" };
        browser.script(NOTE_MOVE, &[json!(name(7))])?;
        let told_at = now_ms();
        extras.feel(7, health)?;
        let moved = browser.until("the row", "return window.movedAt")?;
        samples.push(moved.as_f64().context("the time is no number")? - told_at);
    }
    Ok(samples)
}

/// What the leader spends with nobody, one and many looking on, while replicas move; in turns, as other things that the
/// machine does come and go.
fn costs(dev: &Dev, extras: &Extras) -> anyhow::Result<Vec<Row>> {
    let status = dev.status()?;
    let pid = status["watchdogs"][0]["pid"].as_u64().context("the watchdog has no process")?;
    let cluster = Cluster { dev, extras, pid };
    let (mut first, mut other, mut reader) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let alone = cluster.share(&[])?;
        let one = cluster.share(&follow(dev.endpoints(), 1)?)?;
        let many = cluster.share(&follow(dev.endpoints(), FOLLOWERS)?)?;
        let read = cluster.share_with_a_reader(round)?;
        first.push(one - alone);
        #[expect(clippy::cast_precision_loss, reason = "a few followers")]
        other.push((many - one) / (FOLLOWERS - 1) as f64);
        reader.push(read - alone);
    }
    let row = |who: &str, samples| {
        let what = format!("{who}, of the leader's CPU, 500 replicas, five changes a second");
        Row::new(what, "% of a core", samples, Some(0.5))
    };
    Ok(vec![
        row("dashboard: the first who looks on", first),
        row("dashboard: each other one", other),
        row("`watchdogctl events --follow`", reader),
    ])
}

/// Somebody who reads all that is told.
struct Follower {
    over: Arc<AtomicBool>,
    changes: Arc<AtomicU64>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn follow(address: &str, count: usize) -> anyhow::Result<Vec<Follower>> {
    let begin = |_| {
        let mut stream = Stream::open(address, "/api/v1/demo/live", &[], PATIENCE)?;
        let (over, changes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let follower = Follower { over: Arc::clone(&over), changes: Arc::clone(&changes) };
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                match stream.event() {
                    Ok(event) => changes.fetch_add(u64::from(event.kind == "change"), Ordering::Relaxed),
                    Err(_) => return,
                };
            }
        });
        Ok(follower)
    };
    (0..count).map(begin).collect()
}

/// A cluster of which the leader's share of a core is taken.
struct Cluster<'a> {
    dev: &'a Dev,
    extras: &'a Extras,
    pid: u64,
}

impl Cluster<'_> {
    fn share(&self, followers: &[Follower]) -> anyhow::Result<f64> {
        let before = crate::crowd::cpu_seconds(self.pid)?;
        let started = Instant::now();
        for round in 0.. {
            if started.elapsed() >= LOOKED_ON {
                break;
            }
            self.extras.feel(7 + round / 2 % 50, if round % 2 == 0 { "draining" } else { "ready" })?;
            if round.is_multiple_of(RECORDED_EVERY) {
                self.record(round / RECORDED_EVERY)?;
            }
            std::thread::sleep(MOVES_EVERY);
        }
        let spent = crate::crowd::cpu_seconds(self.pid)? - before;
        let told = followers.iter().map(|follower| follower.changes.load(Ordering::Relaxed)).min();
        anyhow::ensure!(told.is_none_or(|told| told > 30), "a follower was told only {told:?} changes");
        Ok(spent / started.elapsed().as_secs_f64() * 100.0)
    }

    /// The share while `watchdogctl events --follow` reads along.
    fn share_with_a_reader(&self, round: usize) -> anyhow::Result<f64> {
        let log = self.dev.home().join(format!("followed-{round}.log"));
        let mut command = self.dev.ctl_command(&["events", "--follow"])?;
        let mut reader = Guarded::spawn("watchdogctl", &mut command, &log)?;
        let share = self.share(&[])?;
        reader.kill();
        let told = reader.log().lines().count();
        anyhow::ensure!(told > 4, "`events --follow` told only {told} lines");
        Ok(share)
    }

    /// Has an entry written to the record.
    fn record(&self, time: usize) -> anyhow::Result<()> {
        let host = "h1";
        let words: &[&str] =
            if time.is_multiple_of(2) { &["hold", host, "--reason", "a figure"] } else { &["release", host] };
        let done = self.dev.ctl(words)?;
        anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3
}
