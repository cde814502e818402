//! Screenshots: takes the pictures of the dashboard that the README shows, of real clusters, into a directory.
//!
//! `cargo xtask screenshots` builds everything first.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use watchdog_tests::admin;
use watchdog_tests::browser::Browser;
use watchdog_tests::dev::{Dev, Setup};
use watchdog_tests::extras::Extras;

const WINDOW: (u32, u32) = (1360, 980);
const PATIENCE: Duration = Duration::from_secs(30);
/// What a picture may weigh.
const BYTES_MAX: usize = 200_000;

fn main() -> anyhow::Result<()> {
    let directory = PathBuf::from(std::env::args_os().nth(1).context("say into which directory")?);
    std::fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    let browser = Browser::start(WINDOW)?;
    incidents(&browser, &directory)?;
    crowd(&browser, &directory)
}

/// A rollout that soaks, in light and dark; a hang that was healed, opened.
fn incidents(browser: &Browser, directory: &Path) -> anyhow::Result<()> {
    let setup = Setup { replicas: Some(6), more: vec!["--hosts".into(), "3".into()], ..Setup::default() };
    let dev = Dev::start(&setup)?;
    settled(&dev)?;
    browser.go(&address(&dev)?)?;
    let hung = pid(&dev, "demo-c")?;
    dev.signal(hung, rustix::process::Signal::STOP)?;
    dev.wait_for_status("a replacement", PATIENCE, |status| {
        let row = status["replicas"].as_array()?.iter().find(|row| row["replica"] == "demo-c")?;
        (row["state"] == "healthy" && row["pid"] != hung).then_some(())
    })?;
    let find = "const row = [...document.querySelectorAll('.incident-row')].find((row) => row.textContent.includes('unresponsive'));";
    browser.until("the incident", &format!("{find} return Boolean(row && !row.dataset.open)"))?;
    browser.script(&format!("{find} row.querySelector('details').open = true"), &[])?;
    browser.until(
        "its steps",
        &format!("{find} return row.querySelectorAll('.plan-part tbody tr').length >= 4"),
    )?;
    take(browser, directory, ("incident", "light"))?;
    browser.script(&format!("{find} row.querySelector('details').open = false"), &[])?;
    let goal = json!({
        "name": "fraud-v2",
        "reason": "more weight for foreign cards",
        "set": { "model/fraud": { "weights": { "amount": 0.003, "foreign": 0.9 }, "bias": -1.0 } },
        "rollout": { "canary": ["demo-a"], "soak_ms": 20_000 },
    });
    admin::declare(&dev, &goal)?;
    browser.until(
        "the soak",
        "return document.querySelector('.track [data-at=here]')?.textContent === 'Soak'",
    )?;
    dev.ctl(&["hold", "demo-e", "--reason", "its disk is being replaced"])?;
    dev.kill9(pid(&dev, "demo-e")?)?;
    browser
        .until("the open incident", "return Boolean(document.querySelector('.incident-row[data-open]'))")?;
    take(browser, directory, ("light", "light"))?;
    take(browser, directory, ("dark", "dark"))
}

/// Five hundred, a few of which are unwell.
fn crowd(browser: &Browser, directory: &Path) -> anyhow::Result<()> {
    let setup = Setup {
        watchdogs: Some(1),
        replicas: Some(1),
        more: vec!["--hosts".into(), "1".into()],
        ..Setup::default()
    };
    let dev = Dev::start(&setup)?;
    settled(&dev)?;
    let extras = Extras::join(&dev, 499, 20)?;
    dev.ctl(&["pause", "--reason", "moving rack 7 to hall B", "--for", "2h"])?;
    for (index, health) in
        [(6, "unhealthy"), (26, "unhealthy"), (46, "draining"), (66, "loading"), (86, "draining")]
    {
        extras.feel(index, health)?;
    }
    browser.go(&address(&dev)?)?;
    browser.until(
        "the unwell",
        "return document.querySelectorAll('.replicas tr[data-tone=ill]').length === 2",
    )?;
    take(browser, directory, ("crowd", "light"))
}

fn settled(dev: &Dev) -> anyhow::Result<()> {
    dev.wait_for_status("a settled cluster", PATIENCE, |status| {
        (status["stable"].is_u64() && status["plan"].is_null() && status["goal"].is_null()).then_some(())
    })
}

fn address(dev: &Dev) -> anyhow::Result<String> {
    let leader =
        |status: &serde_json::Value| status["leader"]["address"].as_str().map(|leader| format!("{leader}/"));
    dev.wait_for_status("a leader", PATIENCE, leader)
}

fn pid(dev: &Dev, replica: &str) -> anyhow::Result<u32> {
    dev.wait_for_status(replica, PATIENCE, |status| {
        let row = status["replicas"].as_array()?.iter().find(|row| row["replica"] == replica)?;
        u32::try_from(row["pid"].as_u64()?).ok()
    })
}

fn take(browser: &Browser, directory: &Path, (name, scheme): (&str, &str)) -> anyhow::Result<()> {
    browser.prefer(scheme, "reduce")?;
    browser.until("the log", "return Boolean(document.querySelector('.log tbody button.name'))")?;
    let picture = browser.picture()?;
    anyhow::ensure!(picture.len() <= BYTES_MAX, "{name} weighs {} bytes", picture.len());
    let file = directory.join(format!("{name}.png"));
    std::fs::write(&file, picture).with_context(|| format!("write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}
