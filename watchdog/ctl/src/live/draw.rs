//! Draw: a scene on a frame; pure, so that what a person sees is tested without a terminal.
//!
//! ```text
//! header        cluster, leader, epoch, head, stable, time
//! alarms        lost connection, blind, no leader, pause, holds, hosts that are gone
//! goal          stage, countdown, replicas by stage
//! replicas      scrolls; the unwell first
//! plan          its steps, around the one that moves
//! refusals      why nothing is done
//! events        the last ones
//! footer        the keys
//! ```

mod blocks;
mod record;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::layout::{Wish, share};
use super::scene::{Scene, Subject};
use crate::render::{Paper, Tone, fit};

/// A line in words, each with what it means.
type Words = Vec<(Tone, String)>;

/// Draws the scene, and tells it how much of it was seen.
pub(super) fn draw(scene: &mut Scene, frame: &mut Frame<'_>, paper: &Paper) {
    let area = frame.area();
    let (columns, lines) = (usize::from(area.width), usize::from(area.height));
    let blocks = match scene.subject {
        Subject::Cluster => blocks::of_cluster(scene, columns, paper),
        Subject::Record => record::blocks(scene, columns, paper),
    };
    let wishes: Vec<Wish> = blocks.iter().map(|block| block.wish).collect();
    let shares = share(lines, &wishes);
    let page = blocks.iter().zip(&shares).find(|(block, _)| block.scrolls);
    scene.drawn(page.map_or(0, |(block, share)| share.saturating_sub(block.head.len())));
    let mut at = 0;
    for (block, share) in blocks.iter().zip(shares) {
        for words in block.seen(share, scene.scroll.at) {
            put(frame, at, words, paper);
            at += 1;
        }
    }
}

/// One line, cut at the edge.
fn put(frame: &mut Frame<'_>, at: usize, words: Words, paper: &Paper) {
    let area = frame.area();
    let Ok(y) = u16::try_from(at) else { return };
    let mut left = usize::from(area.width);
    let mut spans = Vec::new();
    for (tone, word) in words {
        let long = word.chars().count();
        let word = if long > left { fit(&word, left) } else { word };
        left = left.saturating_sub(long);
        spans.push(Span::styled(word, style(tone, paper)));
    }
    let line = Rect { x: area.x, y: area.y + y, width: area.width, height: 1 };
    frame.render_widget(Line::from(spans), line.intersection(area));
}

/// What a tone looks like; nothing at all where colours are not wanted.
fn style(tone: Tone, paper: &Paper) -> Style {
    let plain = Style::new();
    if !paper.colour {
        return plain;
    }
    match tone {
        Tone::Plain => plain,
        Tone::Good => plain.fg(Color::Green),
        Tone::Unsure => plain.fg(Color::Yellow),
        Tone::Bad => plain.fg(Color::Red),
        Tone::Faint => plain.add_modifier(Modifier::DIM),
        Tone::Strong => plain.add_modifier(Modifier::BOLD),
    }
}
