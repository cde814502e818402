//! Incidents: a fault is on the page at once, and opens down to its steps, evidence and snapshot.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Desk;

/// What the issue asks for is a second; what is measured is far less.
const SEEN_WITHIN_MS: f64 = 1_000.0;

/// Notes by the page's own clock, which is this machine's, when an incident about somebody stands in the page.
const NOTE_SIGHT: &str = "
    window.sightings = {};
    const note = () => document.querySelectorAll('.incident-row').forEach((row) => {
        const name = row.querySelector('summary b').textContent;
        const key = `${row.dataset.incident} ${name}`;
        if (window.known.has(key) || window.sightings[name]) return;
        window.sightings[name] = performance.timeOrigin + performance.now();
    });
    window.known = new Set([...document.querySelectorAll('.incident-row')].map((row) => `${row.dataset.incident} ${row.querySelector('summary b').textContent}`));
    new MutationObserver(note).observe(document.getElementById('incidents'), { childList: true, subtree: true, characterData: true });";

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1e3
}

#[test]
fn a_killed_replica_is_an_incident_on_the_page_within_a_second() {
    let desk = Desk::open();
    desk.page.script(NOTE_SIGHT, &[]).unwrap();
    let dead = desk.story.replica("demo-b").unwrap();
    let killed_at = now_ms();
    desk.story.kill(&dead).unwrap();
    let seen_at = desk.page.until("the incident", "return window.sightings['demo-b'] ?? null").unwrap();
    let took = seen_at.as_f64().unwrap() - killed_at;
    eprintln!("kill -9 to the incident on the page: {took:.0} ms");
    assert!((0.0..SEEN_WITHIN_MS).contains(&took), "{took} ms");

    desk.story.until_replaced(&dead).unwrap();
    desk.until_sentence("All 3 replicas are well.");
    let over = "return document.querySelector('.incident-row:not([data-open]) .chip.well') ? true : null";
    desk.page.until("the end of the incident", over).unwrap();
    let said = desk.text("return document.getElementById('news').textContent");
    assert!(said.contains("demo-b"), "a screen reader is told {said:?}");
    // The graph shows the plan that healed it.
    let steps =
        "return [...document.querySelectorAll('.plan .steps b')].map((step) => step.textContent).join(' ')";
    assert_eq!(desk.text(steps), "start probe");
    desk.is_quiet();
}

#[test]
fn an_incident_opens_down_to_step_evidence_snapshot_and_refusals() {
    let desk = Desk::open();
    let hung = desk.story.replica("demo-c").unwrap();
    desk.story.freeze(&[hung.pid]).unwrap();
    desk.story.until_replaced(&hung).unwrap();
    let find = "const row = [...document.querySelectorAll('.incident-row')].find((row) => row.textContent.includes('unresponsive')); ";
    desk.page.until("the incident", &format!("{find} return Boolean(row)")).unwrap();
    desk.page.script(&format!("{find} row.querySelector('details').open = true"), &[]).unwrap();
    let told = |what: &str, selector: &str, word: &str| {
        let body = format!(
            "{find} return [...row.querySelectorAll({})].some((part) => part.textContent.includes({}))",
            json!(selector),
            json!(word)
        );
        desk.page.until(what, &body).unwrap();
    };
    for step in ["snapshot", "kill", "start", "probe"] {
        told(step, "tbody th", step);
    }
    told("the evidence", ".evidence", "3 strikes since");
    told("its source", ".evidence", "said by its host agent");
    desk.page.script(&format!("{find} row.querySelector('.snapshot').open = true"), &[]).unwrap();
    told("the snapshot", ".snapshot .picture", &hung.incarnation);
    desk.page.script(&format!("{find} row.querySelector('.entries').open = true"), &[]).unwrap();
    told("the record", ".entries-list", "is no longer unresponsive");

    // What can't be done says why, in the timeline and in the verdict.
    desk.story.dev.ctl(&["hold", "demo-a", "--reason", "<b>moving racks</b>"]).unwrap();
    let held = desk.story.replica("demo-a").unwrap();
    desk.story.kill(&held).unwrap();
    let refused = "return document.getElementById('refusals').textContent.includes('<b>moving racks</b>')";
    desk.page.until("the refusal, as text", refused).unwrap();
    desk.page.script("document.querySelector('tr[data-replica=demo-a] button.name').click()", &[]).unwrap();
    let why = "return document.querySelector('#why[open] .why-body')?.textContent.includes('moving racks')";
    desk.page.until("the verdict", why).unwrap();
    assert_eq!(
        desk.page.script("return document.querySelectorAll('main b b, #why li b b').length", &[]).unwrap(),
        json!(0)
    );
    desk.is_quiet();
}

#[test]
fn a_rollout_and_the_log_are_told_as_they_move() {
    let desk = Desk::open();
    let goal = json!({
        "reason": "more for foreign cards",
        "set": { "model/fraud": { "weights": { "amount": 0.003 }, "bias": -1.0 } },
        "rollout": { "canary": ["demo-a"], "soak_ms": 1_500 },
    });
    // A soak may be over between two questions of ours, so the page itself notes that it showed one.
    let notes = "new MutationObserver(() => { window.soaked ||= document.querySelector('.track [data-at=here]')?.textContent === 'Soak' && document.querySelector('.soak').textContent.startsWith('soaks for') }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true })";
    desk.page.script(notes, &[]).unwrap();
    let id = desk.story.declare(&goal).unwrap();
    desk.page.until("the countdown of the canary's soak", "return window.soaked === true").unwrap();
    assert_eq!(desk.story.until_over(&id).unwrap()["status"], "achieved");
    let over = "return [...document.querySelectorAll('.goals li')].some((goal) => goal.textContent.includes('achieved'))";
    desk.page.until("the achieved goal", over).unwrap();
    let marked = "return document.querySelector('.log tbody tr')?.textContent.includes('stable') && document.querySelector('.log tbody button.name').textContent === 'v8'";
    desk.page.until("the entry, marked", marked).unwrap();
    desk.page.click(".log tbody button.name").unwrap();
    let changed = desk.page.until(
        "its difference",
        "return [...document.querySelectorAll('.diff .plus')].map((line) => line.textContent).join('')",
    );
    assert!(changed.unwrap().as_str().unwrap().contains("0.003"));
    let compare = "const [a, b] = [document.getElementById('log-a'), document.getElementById('log-b')]; a.value = 7; b.value = 8; a.form.requestSubmit()";
    desk.page.script(compare, &[]).unwrap();
    let one = "return document.querySelector('.difference')?.textContent.includes('0 to add, 1 to change, 0 to remove')";
    desk.page.until("the difference of two versions", one).unwrap();
    let versions: Value = desk
        .page
        .script("return [...document.querySelectorAll('.replicas .v')].map((cell) => cell.textContent)", &[])
        .unwrap();
    assert_eq!(versions, json!(["v8", "v8", "v8"]));
    desk.is_quiet();
}
