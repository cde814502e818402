//! Orders: what is clicked is done, recorded and shown; what may not be clicked says why.

use std::time::Duration;

use serde_json::{Value, json};
use watchdog_tests::browser::key;
use watchdog_tests::{admin, http};

use super::{Desk, follower, leader};

const PATIENCE: Duration = Duration::from_secs(10);

impl Desk {
    /// Waits for something by its selector and clicks it.
    fn click(&self, selector: &str) {
        self.page
            .until(selector, &format!("return Boolean(document.querySelector({}))", json!(selector)))
            .unwrap();
        self.page.click(selector).unwrap();
    }

    fn banner(&self) -> String {
        self.text("const banner = document.getElementById('banner-paused'); return banner.hidden ? '' : banner.textContent")
    }
}

#[test]
fn a_plan_is_approved_and_another_rejected_by_a_click() {
    let desk = Desk::open();
    let mut policy = admin::value(&desk.story.dev, "policy/healing").unwrap();
    policy["autonomy"] = json!({ "start": "approve" });
    admin::append(&desk.story.dev, &[("policy/healing", Some(policy))]).unwrap();

    let dead = desk.story.replica("demo-b").unwrap();
    desk.story.kill(&dead).unwrap();
    desk.click(".plan[data-status=awaiting_approval] button[data-act=approve]");
    desk.page
        .until(
            "the question",
            "return document.querySelector('dialog[open] h2')?.textContent.startsWith('Approve plan')",
        )
        .unwrap();
    desk.click("dialog[open] button[type=submit]");
    desk.story.until_replaced(&dead).unwrap();
    desk.until_sentence("All 3 replicas are well.");
    let events = desk.story.events().unwrap();
    let approved =
        events.iter().any(|event| event["kind"] == "plan_status" && event["by"] == "anybody on this machine");
    assert!(approved, "the record says who approved: {events:#?}");

    let dead = desk.story.replica("demo-c").unwrap();
    desk.story.kill(&dead).unwrap();
    desk.click(".plan[data-status=awaiting_approval] button[data-act=reject]");
    desk.click("dialog[open] button[type=submit]");
    desk.story.until_refused("declined").unwrap();
    desk.page
        .until("the refusal", "return document.getElementById('refusals').textContent.includes('declined')")
        .unwrap();
    desk.is_quiet();
}

#[test]
fn healing_is_paused_and_resumed_by_a_click() {
    let desk = Desk::open();
    desk.click("button[data-act=pause]");
    // Without a reason nothing is ordered.
    desk.click("dialog[open] button[type=submit]");
    assert_eq!(desk.story.dev.status().unwrap()["paused"], Value::Null);
    desk.page.script("document.getElementById('order-reason').focus()", &[]).unwrap();
    desk.page.keys("moving racks").unwrap();
    desk.click("dialog[open] button[type=submit]");
    desk.page.until("the banner", "return !document.getElementById('banner-paused').hidden").unwrap();
    let banner = desk.banner();
    for part in
        ["Healing is paused", "“moving racks”", "by anybody on this machine", "until ", "ends by itself in"]
    {
        assert!(banner.contains(part), "{part} is not in {banner:?}");
    }
    let paused = desk.story.dev.status().unwrap()["paused"].clone();
    assert_eq!(paused["reason"], "moving racks");
    assert!(paused["until"].is_string(), "{paused}");
    // Somebody else's pause and resume are seen too.
    desk.story.dev.ctl(&["resume"]).unwrap();
    desk.page.until("no banner", "return document.getElementById('banner-paused').hidden").unwrap();
    desk.story.dev.ctl(&["pause", "--reason", "the night"]).unwrap();
    desk.page
        .until(
            "the banner",
            "return document.getElementById('banner-paused').textContent.includes('until it is resumed')",
        )
        .unwrap();
    desk.click("button[data-act=resume]");
    desk.click("dialog[open] button[type=submit]");
    desk.page.until("no banner", "return document.getElementById('banner-paused').hidden").unwrap();
    assert_eq!(desk.story.dev.status().unwrap()["paused"], Value::Null);
    desk.is_quiet();
}

#[test]
fn all_can_be_done_by_keyboard() {
    let desk = Desk::open();
    let focus = "return document.activeElement.dataset.act ?? document.activeElement.id ?? ''";
    let tab_to = |wanted: &str| {
        for _ in 0..40 {
            if desk.text(focus) == wanted {
                return;
            }
            desk.page.keys(key::TAB).unwrap();
        }
        panic!("the keyboard does not reach {wanted}");
    };
    tab_to("pause");
    desk.page.keys(key::ENTER).unwrap();
    desk.page.until("the question", "return document.activeElement.id === 'order-reason'").unwrap();
    desk.page.keys("by keys").unwrap();
    desk.page.keys(&[key::TAB, key::TAB, key::TAB, key::ENTER].concat()).unwrap();
    desk.page
        .until(
            "the banner",
            "return document.getElementById('banner-paused').textContent.includes('by keys')",
        )
        .unwrap();

    desk.page.script("document.activeElement.blur()", &[]).unwrap();
    desk.page.keys("/").unwrap();
    assert_eq!(desk.text(focus), "filter");
    desk.page.keys("demo-c").unwrap();
    let rows = "return [...document.querySelectorAll('.replicas tbody tr')].map((row) => row.dataset.replica).join(' ')";
    assert_eq!(desk.text(rows), "demo-c");
    let on_name =
        "return document.activeElement.classList.contains('name') && document.activeElement.textContent";
    for _ in 0..12 {
        desk.page.keys(key::TAB).unwrap();
        if desk.text(on_name) == "demo-c" {
            break;
        }
    }
    desk.page.keys(key::ENTER).unwrap();
    desk.page.until("the verdict", "return document.querySelector('#why[open] .verdict-line')?.textContent.includes('demo-c is healthy')").unwrap();
    desk.page.keys(key::ESCAPE).unwrap();
    desk.page.until("the end of the verdict", "return !document.querySelector('#why[open]')").unwrap();
    assert_eq!(desk.text(on_name), "demo-c", "the focus is where it was");
    desk.is_quiet();
}

#[test]
fn a_follower_says_who_leads_and_takes_no_orders() {
    let desk = Desk::open();
    let (ahead, behind) = (leader(&desk.story), follower(&desk.story));
    desk.page.go(&format!("{behind}/?cluster=demo")).unwrap();
    let link = "return document.querySelector('#banner-follower:not([hidden]) a')?.href ?? null";
    let link = desk.page.until("the banner", link).unwrap();
    assert_eq!(link, json!(format!("{ahead}/?cluster=demo")));
    let button = "const button = document.querySelector('button[data-act=pause]'); return button.getAttribute('aria-disabled') === 'true' ? button.title : ''";
    let why = desk.page.until("the reason", button).unwrap();
    assert!(why.as_str().unwrap().contains("leads, and only it takes orders"), "{why}");
    desk.is_quiet();
    // What the page would be told, were it to ask all the same.
    let ask = "const { csrf } = await (await fetch('/api/v1/whoami')).json();
        const answer = await fetch('/api/v1/demo/pause', { method: 'POST', headers: { 'content-type': 'application/json', 'x-watchdog-csrf': csrf }, body: JSON.stringify({ reason: 'no', for_ms: 0 }) });
        window.told = { status: answer.status, ...(await answer.json()) };";
    desk.page.script(&format!("(async () => {{ {ask} }})()"), &[]).unwrap();
    let told = desk.page.until("the answer", "return window.told ?? null").unwrap();
    assert_eq!((&told["status"], &told["leader"]), (&json!(409), &json!(ahead)), "{told}");
    // And nobody from elsewhere gets even that.
    let (status, _) = http::ask("POST", &ahead, "/api/v1/demo/resume", PATIENCE).unwrap();
    assert!((400..500).contains(&status), "{status}");
}
