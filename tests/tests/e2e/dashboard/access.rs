//! Access: names for all that can be used, contrast for all that can be read, and strict headers.

use std::time::Duration;

use serde_json::{Value, json};
use watchdog_tests::http::{self, Ask};

use super::{Desk, leader};

/// What a text needs before its ground, by WCAG 2.2 AA.
const CONTRAST: f64 = 4.5;

/// What is wrong with the page's structure, a sentence each.
const STRUCTURE: &str = r#"
    const faults = [];
    const named = (node) => (node.getAttribute('aria-label') || node.labels?.[0]?.textContent || node.textContent || node.alt || '').trim();
    for (const node of document.querySelectorAll('button, a[href], input, select, textarea, summary, img:not([alt=""]), [role=region], [role=img], progress')) {
        if (!named(node)) faults.push(`no name: ${node.outerHTML.slice(0, 120)}`);
    }
    for (const table of document.querySelectorAll('table')) {
        if (!table.caption?.textContent) faults.push('a table without a caption');
        for (const head of table.querySelectorAll('th')) if (!head.scope) faults.push(`a heading cell without scope: ${head.textContent}`);
    }
    const ids = [...document.querySelectorAll('[id]')].map((node) => node.id);
    ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => faults.push(`two elements are called ${id}`));
    for (const node of document.querySelectorAll('[aria-labelledby], [aria-describedby]')) {
        for (const id of `${node.getAttribute('aria-labelledby') ?? ''} ${node.getAttribute('aria-describedby') ?? ''}`.trim().split(/\s+/)) {
            if (!document.getElementById(id)) faults.push(`nothing is called ${id}`);
        }
    }
    for (const list of document.querySelectorAll('ul, ol')) {
        if ([...list.children].some((child) => child.tagName !== 'LI')) faults.push('a list with something else in it');
    }
    if (document.querySelectorAll('h1').length !== 1) faults.push('not one main heading');
    if (!document.documentElement.lang) faults.push('no language');
    if (!document.querySelector('main') || !document.querySelector('[role=status][aria-live=polite]')) faults.push('a landmark is missing');
    let level = 1;
    for (const heading of document.querySelectorAll('main h1, main h2, main h3, main h4')) {
        const next = Number(heading.tagName[1]);
        if (next > level + 1) faults.push(`h${next} follows h${level}: ${heading.textContent}`);
        level = next;
    }
    return faults;"#;

/// Each text that is hard to read: its contrast before the ground that it stands on, and the text.
const READING: &str = r"
    const parse = (text) => { const n = text.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
    const light = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
    const ground = (node) => { for (let at = node; at; at = at.parentElement) { const c = parse(getComputedStyle(at).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
    const hard = []; let looked = 0;
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const node = walk.currentNode.parentElement;
        if (!walk.currentNode.textContent.trim() || !node.checkVisibility() || node.closest('.unseen, .skip, noscript, option')) continue;
        looked += 1;
        const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
        const contrast = (a + 0.05) / (b + 0.05);
        if (contrast < arguments[0]) hard.push([contrast, `${node.className} ${walk.currentNode.textContent.trim().slice(0, 40)}`]);
    }
    return { looked, hard };";

#[test]
fn everything_has_a_name_and_can_be_read_in_light_and_dark() {
    let desk = Desk::open();
    // Something of everything: a held replica that died, a pause, an open incident, an open entry, the verdict.
    desk.story.dev.ctl(&["hold", "demo-b", "--reason", "looking at it"]).unwrap();
    desk.story.kill(&desk.story.replica("demo-b").unwrap()).unwrap();
    desk.story.dev.ctl(&["pause", "--reason", "the night"]).unwrap();
    desk.page.until("the banner", "return !document.getElementById('banner-paused').hidden").unwrap();
    desk.page
        .until("the incident", "return Boolean(document.querySelector('.incident-row[data-open]'))")
        .unwrap();
    desk.page.until("the log", "return Boolean(document.querySelector('.log tbody button.name'))").unwrap();
    desk.page.script("document.querySelectorAll('main details').forEach((one) => (one.open = true)); document.querySelector('.log tbody button.name').click()", &[]).unwrap();
    desk.page.until("the steps", "return Boolean(document.querySelector('.inside'))").unwrap();
    for scheme in ["light", "dark"] {
        desk.page.prefer(scheme, "reduce").unwrap();
        assert_eq!(desk.page.script(STRUCTURE, &[]).unwrap(), json!([]), "{scheme}");
        let read = desk.page.script(READING, &[json!(CONTRAST)]).unwrap();
        assert!(read["looked"].as_u64() > Some(60), "{read}");
        assert_eq!(read["hard"], json!([]), "{scheme}");
        let moving = desk.page.script("return document.getAnimations().length", &[]).unwrap();
        assert_eq!(moving, json!(0), "who wants no motion gets none");
    }
    desk.page.script("document.querySelector('tr[data-replica=demo-b] button.name').click()", &[]).unwrap();
    desk.page
        .until("the verdict", "return Boolean(document.querySelector('#why[open] .verdict-line'))")
        .unwrap();
    assert_eq!(desk.page.script(STRUCTURE, &[]).unwrap(), json!([]));
    assert_eq!(desk.page.script(READING, &[json!(CONTRAST)]).unwrap()["hard"], json!([]));
    desk.is_quiet();
}

#[test]
fn the_checks_find_what_is_wrong() {
    let desk = Desk::open();
    let bad = "document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button><table><tr><th>x</th></tr></table><h4 id=where>y</h4><p class=pale>pale</p>'); \
               document.querySelector('.pale').style.cssText = 'color: #999; background: #aaa'";
    desk.page.script(bad, &[]).unwrap();
    let faults = desk.page.script(STRUCTURE, &[]).unwrap();
    assert!(faults.as_array().is_some_and(|faults| faults.len() >= 4), "{faults}");
    let read = desk.page.script(READING, &[json!(CONTRAST)]).unwrap();
    assert!(read["hard"].as_array().is_some_and(|hard| hard.len() == 1), "{read}");
    let inline = "const script = document.createElement('script'); script.textContent = 'window.bad = true'; document.body.append(script); return window.bad ?? false";
    assert_eq!(desk.page.script(inline, &[]).unwrap(), Value::Bool(false), "no script but ours runs");
    assert!(desk.page.complaints().unwrap().iter().any(|said| said.contains("Content Security Policy")));
}

#[test]
fn files_are_served_strictly_and_once() {
    let desk = Desk::open();
    let patience = Duration::from_secs(10);
    let socket = http::socket(&leader(&desk.story)).unwrap();
    let answer = http::send(socket, &Ask::default(), patience).unwrap();
    let head = answer.head.to_lowercase();
    for line in [
        "content-security-policy: default-src 'self'",
        "x-content-type-options: nosniff",
        "referrer-policy: same-origin",
        "cache-control: no-cache",
        "content-type: text/html",
    ] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    let headers = &[("If-None-Match", answer.header("etag").unwrap())];
    let again = http::send(socket, &Ask { headers, ..Ask::default() }, patience).unwrap();
    assert_eq!(again.status, 304, "{again:?}");
    let elsewhere = "return performance.getEntriesByType('resource').filter((one) => !one.name.startsWith(location.origin)).length";
    assert_eq!(desk.page.script(elsewhere, &[]).unwrap(), json!(0), "nothing is loaded from elsewhere");
}
