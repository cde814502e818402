//! Promises: each refusal has a meaning and a way out, and each promise a test that is there.

use crate::source::{Item, items, snake};
use crate::{PAGES, generated, joined, none, read};

/// The page with each meaning as the type tells it; rows of refusals that are not there yet are added without a way out.
fn with_meanings(page: &str, reasons: &[Item]) -> String {
    let row = |reason: &Item| {
        let start = format!("| `{}` |", snake(&reason.name));
        let there = page.lines().find(|line| line.starts_with(&start));
        let way_out =
            there.and_then(|line| line.rsplit(" | ").next()).unwrap_or(" |").trim_end_matches('|').trim();
        format!("{start} {} | {way_out} |", reason.doc)
    };
    let is_row = |line: &str| line.starts_with("| `");
    let before = joined(page.lines().take_while(|line| !is_row(line)).map(str::to_owned));
    let after = page.lines().skip_while(|line| !is_row(line)).skip_while(|line| is_row(line));
    let after = joined(after.map(str::to_owned));
    before + &joined(reasons.iter().map(row)) + &after
}

/// Kinds without a way out.
fn without_way_out(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let bare = rows.filter(|line| line.trim_end_matches('|').trim_end().ends_with('|'));
    bare.map(|line| format!("{} has no way out", line.split('|').nth(1).unwrap_or_default().trim())).collect()
}

/// The tests that a page names, each with its file.
fn proofs(page: &str) -> Vec<(&str, &str)> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains(".rs`: `"));
    rows.filter_map(|line| {
        let (file, test) = line.rsplit(" | ").next()?.split_once("`: `")?;
        Some((file.trim_start_matches('`'), test.split('`').next()?))
    })
    .collect()
}

#[test]
fn every_refusal_has_a_meaning_and_a_way_out() {
    let reason = Item { name: "TooBusy".into(), kind: String::new(), doc: "Much to do.".into() };
    let page = "# A\n| `old` | x | y |\n| `too_busy` | stale | wait |\nend\n";
    let now = with_meanings(page, std::slice::from_ref(&reason));
    assert_eq!(now, "# A\n| `too_busy` | Much to do. | wait |\nend\n");
    let missing = with_meanings("| `old` | x | y |\n", &[reason]);
    assert_eq!(without_way_out(&missing), ["`too_busy` has no way out"]);

    let reasons = items(&read("watchdog/core/src/refusal.rs"), "Reason");
    assert!(reasons.len() > 20 && reasons.iter().all(|reason| !reason.doc.is_empty()), "{reasons:?}");
    let path = format!("{PAGES}/refusals.md");
    generated(&path, &with_meanings(&read(&path), &reasons));
    none(&without_way_out(&read(&path)));
}

#[test]
fn every_promise_has_a_test() {
    let page = "| lost | what | by |\n| a | b | `x.rs`: `it_holds` |\n";
    assert_eq!(proofs(page), [("x.rs", "it_holds")]);

    let page = read(&format!("{PAGES}/failures.md"));
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| lost") && !line.starts_with("| ---"));
    let proofs = proofs(&page);
    assert_eq!(rows.count(), proofs.len(), "a row without a test");
    let gone = proofs.iter().filter(|(file, test)| !read(file).contains(&format!("fn {test}(")));
    none(&gone.map(|(file, test)| format!("{file} has no test {test}")).collect::<Vec<_>>());
}
