//! Outside: the readers of what stands in the tables, for whoever tests them with rows that nobody wrote.
//!
//! No part of the crate's contract.

use watchdog_core::change::{Head, LogEntry};
use watchdog_core::ids::{PlanId, Version};
use watchdog_core::record::Entry;
use watchdog_core::state::State;
use watchdog_ports::healing_log::PlanInputRecord;
use watchdog_ports::journal_error::JournalError;

use crate::inputs;
use crate::reading;
use crate::rows::{self, Cells, RawChange, Term};

/// What stands in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row as a database might have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row(pub Vec<Cell>);

impl Cells for Row {
    fn int(&self, column: usize) -> Result<i64, String> {
        match self.0.get(column) {
            Some(Cell::Int(number)) => Ok(*number),
            other => Err(format!("column {column} holds {other:?} and no number")),
        }
    }

    fn maybe_text(&self, column: usize) -> Result<Option<&str>, String> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Null) => Ok(None),
            other => Err(format!("column {column} holds {other:?} and no text")),
        }
    }

    fn bytes(&self, column: usize) -> Result<&[u8], String> {
        match self.0.get(column) {
            Some(Cell::Bytes(bytes)) => Ok(bytes),
            other => Err(format!("column {column} holds {other:?} and no bytes")),
        }
    }
}

/// Reads a row of the metadata log.
///
/// # Errors
///
/// What is wrong with it.
pub fn change(row: &Row) -> Result<LogEntry, JournalError> {
    RawChange::read(row)?.entry()
}

/// Reads a row of the record.
///
/// # Errors
///
/// What is wrong with it.
pub fn entry(row: &Row) -> Result<Entry, JournalError> {
    rows::entry(row)
}

/// Reads the row of the term: who leads, and where the log ends.
///
/// # Errors
///
/// What is wrong with it.
pub fn term(row: &Row) -> Result<(String, Head), JournalError> {
    let term = Term::read(row)?;
    Ok((term.watchdog, term.head))
}

/// Reads a snapshot of the state.
///
/// # Errors
///
/// What is wrong with it.
pub fn snapshot(row: &Row, version: Version) -> Result<(Head, State), String> {
    reading::read_snapshot(row, version)
}

/// Reads the input of a plan.
///
/// # Errors
///
/// What is wrong with it.
pub fn plan_input(row: &Row, plan: &PlanId) -> Result<PlanInputRecord, String> {
    inputs::checked(row, plan).and_then(inputs::unpacked)
}
