//! Table: rows in a frame, titled in its upper edge, that gives up columns before it breaks lines.
//!
//! ```text
//! + Cluster: demo (leader watchdog-1) -+
//! | Replica | State   | Version | Pid  |
//! +---------+---------+---------+------+
//! | demo-a  | healthy |      12 | 4711 |
//! +---------+---------+---------+------+
//! ```

use std::fmt::Write as _;

use super::Paper;
use super::paint::Tone;
use super::text::{clean, fit, width, wrap};

/// The narrowest that a column of sentences gets.
const SENTENCE_MIN: usize = 16;

/// On which side a column's words stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// What a column is worth when room is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    /// Left out first.
    Extra,
    /// Left out next.
    Useful,
    /// Never left out.
    Needed,
    /// Never left out, but broken into lines.
    Sentence,
}

/// One word in a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A word in a tone.
    pub(crate) fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: clean(text.as_ref()), tone }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// A column with its cells; one without any text is not drawn.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    name: &'static str,
    align: Align,
    worth: Worth,
    cells: Vec<Cell>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Table {
    title: String,
    columns: Vec<Column>,
}

impl Table {
    /// A table without columns.
    pub(crate) fn titled(title: impl AsRef<str>) -> Self {
        Self { title: clean(title.as_ref()), columns: Vec::new() }
    }

    /// Adds a column on the right; it is left out when it says nothing.
    #[must_use]
    pub(crate) fn column(mut self, name: &'static str, worth: Worth, cells: Vec<Cell>) -> Self {
        if cells.iter().any(|cell| !cell.text.is_empty()) {
            let numeric = |cell: &Cell| cell.text.chars().all(|c| c.is_ascii_digit());
            let align = if cells.iter().all(numeric) { Align::Right } else { Align::Left };
            self.columns.push(Column { name, align, worth, cells });
        }
        self
    }

    /// Draws it.
    pub(crate) fn draw(mut self, paper: &Paper) -> String {
        self.drop_columns(paper);
        let mut widths = self.widths(paper);
        let mut drawn = String::new();
        let mut top = rule(&widths);
        if !self.title.is_empty() {
            let needed = width(&self.title) + 6;
            if paper.width.is_some_and(|room| needed > room) {
                drawn = super::text::paragraph(&self.title, "  ", paper);
            } else {
                let lacking = needed.saturating_sub(width(&top));
                if let Some(last) = widths.last_mut() {
                    *last += lacking;
                    top = rule(&widths);
                } else {
                    top = format!("+{}+", "-".repeat(needed - 2));
                }
                let rest: String = top.chars().skip(width(&self.title) + 3).collect();
                top = format!("+ {} {rest}", Tone::Strong.paint(&self.title, paper));
            }
        }
        let _ = writeln!(drawn, "{top}");
        if self.columns.is_empty() {
            return drawn;
        }
        let names =
            self.columns.iter().map(|column| Cell::toned(column.name, Tone::Strong)).collect::<Vec<_>>();
        drawn += &self.row(&names.iter().collect::<Vec<_>>(), &widths, paper);
        let edge = rule(&widths) + "\n";
        drawn += &edge;
        let rows = self.columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
        for index in 0..rows {
            let empty = Cell::default();
            let cells: Vec<&Cell> =
                self.columns.iter().map(|column| column.cells.get(index).unwrap_or(&empty)).collect();
            drawn += &self.row(&cells, &widths, paper);
        }
        drawn + &edge
    }

    /// Its words, in columns of at most `room`, one line each; for whoever draws another frame around them.
    pub(crate) fn grid(mut self, room: usize) -> Grid {
        let paper = Paper { width: Some(room), colour: false, now: std::time::UNIX_EPOCH };
        self.drop_columns(&paper);
        let widths = self.widths(&paper);
        let rows = self.columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
        let names = self.columns.iter().zip(&widths).map(|(column, width)| fit(column.name, *width));
        let row = |index: usize| {
            let words = self.columns.iter().zip(&widths).map(|(column, width)| {
                let cell = column.cells.get(index).cloned().unwrap_or_default();
                let text = match column.align {
                    Align::Left => fit(&cell.text, *width),
                    Align::Right => format!("{:>width$}", cell.text),
                };
                (cell.tone, text)
            });
            words.collect()
        };
        Grid { names: names.collect(), rows: (0..rows).map(row).collect() }
    }

    /// Gives up columns, the least worth first, the rightmost of these first, until it fits.
    fn drop_columns(&mut self, paper: &Paper) {
        let Some(room) = paper.width else { return };
        for worth in [Worth::Extra, Worth::Useful] {
            while self.narrowest() > room {
                let Some(victim) = self.columns.iter().rposition(|column| column.worth == worth) else {
                    break;
                };
                self.columns.remove(victim);
            }
        }
    }

    fn narrowest(&self) -> usize {
        let column = |column: &Column| match column.worth {
            Worth::Sentence => column.natural().min(SENTENCE_MIN),
            _ => column.natural(),
        };
        1 + self.columns.iter().map(|each| column(each) + 3).sum::<usize>()
    }

    /// As wide as the words, but sentences share what is left.
    fn widths(&self, paper: &Paper) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(Column::natural).collect();
        let Some(room) = paper.width else { return widths };
        let sentences: Vec<usize> =
            (0..widths.len()).filter(|&index| self.columns[index].worth == Worth::Sentence).collect();
        for (done, &index) in sentences.iter().enumerate() {
            let total = 1 + widths.iter().map(|width| width + 3).sum::<usize>();
            let share = total.saturating_sub(room).div_ceil(sentences.len() - done);
            widths[index] = widths[index].saturating_sub(share).max(SENTENCE_MIN.min(widths[index]));
        }
        widths
    }

    /// One row, on as many lines as its longest sentence takes.
    fn row(&self, cells: &[&Cell], widths: &[usize], paper: &Paper) -> String {
        let wrapped: Vec<Vec<String>> =
            cells.iter().zip(widths).map(|(cell, width)| wrap(&cell.text, (*width).max(1))).collect();
        let lines = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        let mut drawn = String::new();
        for line in 0..lines {
            for (index, parts) in wrapped.iter().enumerate() {
                let part = parts.get(line).map_or("", String::as_str);
                let gap = " ".repeat(widths[index].saturating_sub(width(part)));
                let painted = cells[index].tone.paint(part, paper);
                let _ = match self.columns[index].align {
                    Align::Left => write!(drawn, "| {painted}{gap} "),
                    Align::Right => write!(drawn, "| {gap}{painted} "),
                };
            }
            drawn += "|\n";
        }
        drawn
    }
}

/// The words of a table, each as wide as its column.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    /// The heads of the columns.
    pub(crate) names: Vec<String>,
    /// What stands below them.
    pub(crate) rows: Vec<Vec<(Tone, String)>>,
}

impl Column {
    fn natural(&self) -> usize {
        let words = self.cells.iter().map(|cell| width(&cell.text));
        words.chain([width(self.name)]).max().unwrap_or(0)
    }
}

fn rule(widths: &[usize]) -> String {
    widths.iter().fold("+".to_owned(), |rule, width| rule + &"-".repeat(width + 2) + "+")
}
