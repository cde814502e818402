//! Journal rows: what may stand in the tables, a line for each column. The first line says of which table it is.
//!
//! A column is `n` for nothing, `i7` for a number, `tTEXT` for a text, `zTEXT` for a text that is packed, `auto` for the
//! digest that the row must carry. *Holds*: a row that is believed says what it was written for.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::json;
use watchdog_core::change::{Change, LogEntry};
use watchdog_core::ids::{Epoch, PlanId, Time, Version};
use watchdog_core::record::Body;
use watchdog_core::state::{Hash, State};
use watchdog_journal::outside::{self, Cell, Row};

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("journal_rows", Flavour::Json) };

fn fuzz(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::no_text() };
    let mut lines = text.split('\n');
    let table = lines.next().unwrap_or_default();
    let columns: Vec<&str> = lines.collect();
    let digest = digest(table, &columns).unwrap_or_default();
    let row = Row(columns.iter().map(|column| cell(column, &digest)).collect());
    let plan: PlanId = "3-1".parse().expect("a name");
    match table {
        "change" => Verdict::of(outside::change(&row).inspect(|entry| {
            assert_eq!(entry.hash, entry.computed_hash(), "row: a change is believed without its hash");
        })),
        "entry" => Verdict::of(outside::entry(&row).inspect(|entry| {
            let text = serde_json::to_string(&entry.body).expect("an entry is JSON");
            let again: Body =
                serde_json::from_str(&text).expect("row: an entry can't be read as it is written");
            assert_eq!(again, entry.body, "row: an entry is read as another");
        })),
        "term" => Verdict::of(outside::term(&row)),
        "snapshot" => Verdict::of(outside::snapshot(&row, Version(3))),
        "input" => Verdict::of(outside::plan_input(&row, &plan)),
        _ => Verdict::Refused("no table".to_owned()),
    }
}

fn cell(column: &str, digest: &str) -> Cell {
    if column == "auto" {
        return Cell::Text(digest.to_owned());
    }
    let mut chars = column.chars();
    let kind = chars.next();
    let rest = chars.as_str();
    match kind {
        Some('i') => rest.parse().map_or(Cell::Null, Cell::Int),
        Some('t') => Cell::Text(rest.to_owned()),
        Some('z') => Cell::Bytes(packed(rest)),
        Some('b') => Cell::Bytes(rest.bytes().collect()),
        _ => Cell::Null,
    }
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// The digest that a row of this table must carry.
fn digest(table: &str, columns: &[&str]) -> Option<String> {
    let text = |index: usize| columns.get(index)?.strip_prefix('t');
    let number =
        |index: usize| columns.get(index)?.strip_prefix('i')?.parse::<i64>().ok().map(i64::cast_unsigned);
    let value = |index: usize| text(index).map(serde_json::from_str::<serde_json::Value>).transpose().ok();
    match table {
        "change" => {
            let entry = LogEntry {
                version: Version(number(0)?),
                at: Time(number(1)?),
                epoch: Epoch(number(2)?),
                author: text(3)?.to_owned(),
                goal: text(4).and_then(|goal| goal.parse().ok()),
                change: Change { key: text(5)?.parse().ok()?, before: value(6)?, after: value(7)? },
                previous: text(8)?.parse().ok()?,
                hash: Hash::default(),
            };
            Some(entry.computed_hash().to_string())
        }
        "entry" => {
            let mut all = number(0)?.to_string();
            write!(all, "\n{}\n{}\n{}\n{}", number(1)?, number(2)?, text(3)?, text(4)?).ok()?;
            Some(Hash::of(all.as_bytes()).to_string())
        }
        "snapshot" => Some(Hash::of(format!("{}\n{}", text(1)?, text(3)?).as_bytes()).to_string()),
        "input" => {
            let bytes = packed(columns.get(2)?.strip_prefix('z')?);
            let all = [format!("3-1\n{}\n", text(0)?).as_bytes(), &bytes].concat();
            Some(Hash::of(&all).to_string())
        }
        _ => None,
    }
}

fn samples() -> Vec<Vec<u8>> {
    let state: State = serde_json::from_value(json!({"model/m": {"a": 1.5}})).expect("a state");
    let state = serde_json::to_string(&state).expect("a state is JSON");
    let zero = Hash::default().to_string();
    let body =
        serde_json::to_string(&Body::Paused { reason: "r".into(), until: Some(Time(9)) }).expect("JSON");
    texts(&[
        format!("change\ni1\ni5\ni2\ntme\nn\ntmodel/m\nn\nt{{\"a\":1.5}}\nt{zero}\nauto"),
        format!("change\ni2\ni5\ni2\ntme\ntg-1\ntmodel/m\nt{{\"a\":1.5}}\nn\nt{zero}\nauto"),
        format!("change\ni-1\ni-1\ni-1\nt\nn\ntmodel\nn\ntnull\nt{zero}\nt{zero}"),
        format!("entry\ni1\ni5\ni2\ntw1\nt{body}\nauto"),
        "entry\ni2\ni5\ni2\ntw1\nt{\"kind\":\"resumed\"}\nauto".to_owned(),
        "entry\ni2\ni5\ni2\ntw1\nt{\"kind\":\"later\"}\nauto".to_owned(),
        format!("term\ni3\ntw1\ni7\nt{zero}"),
        "term\nn\nn\nn\nn".to_owned(),
        format!("snapshot\ni3\nt{zero}\nauto\nt{state}"),
        format!("snapshot\ni3\nt{zero}\nt{zero}\nt{state}"),
        "input\nt0.1.0\nauto\nz{\"cluster\":\"demo\"}".to_owned(),
        "input\nt0.1.0\nauto\nb\u{1}\u{2}".to_owned(),
        "other".to_owned(),
    ])
}
