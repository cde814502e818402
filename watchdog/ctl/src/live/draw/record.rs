//! Record: the view of the record alone, like the end of a file that grows.

use super::blocks::{Block, From, footer, paragraphs, rule, top};
use crate::live::scene::Scene;
use crate::render::{EventLines, Paper, Tone, clean};

/// The view of the record, from top to bottom.
pub(super) fn blocks(scene: &Scene, columns: usize, paper: &Paper) -> Vec<Block> {
    let head = top(&format!("{}   record", clean(&scene.cluster)), columns, paper);
    let lost = scene.record_lost.as_ref();
    let lost = lost.map(|why| (Tone::Bad, format!("Connection lost, and asked for again: {why}")));
    vec![
        Block::new(0, vec![head], Vec::new(), 1),
        Block::new(1, Vec::new(), paragraphs(lost.into_iter().collect(), columns), 6),
        events(scene, columns),
        footer(" q quit   ↑ ↓ PgUp PgDn Home scroll   End follow", columns),
    ]
}

fn events(scene: &Scene, columns: usize) -> Block {
    let below = scene.scroll.at;
    let remark = if below == 0 { "following".to_owned() } else { format!("{below} more below") };
    let head = vec![rule(&format!("{} events", scene.events.len()), &remark, columns)];
    let mut lines = EventLines::default();
    let body = scene.events.iter().map(|event| lines.words(event).into()).collect();
    Block { scrolls: true, from: From::End, ..Block::new(2, head, body, usize::MAX) }
}
