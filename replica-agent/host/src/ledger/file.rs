//! File: the ledger on disk: a line of checksum and JSON an entry, synced before it counts.
//!
//! ```text
//! 3f2a6b1c9d4e0011 {"entry":"epoch","cluster":"demo","epoch":7}
//! ```
//!
//! A last line without its end is an append that was never acknowledged, and is
//! cut off. A whole line that does not match its checksum is corruption: then
//! nothing in the file is believed, because what was forgotten can't be known.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use serde::Deserialize;
use watchdog_core::state::Hash;

use super::LedgerError;
use super::entry::{Entry, FORMAT};

/// Hexadecimal digits of the checksum; enough against accidents, and nobody attacks their own disk.
const CHECKSUM_DIGITS: usize = 16;
/// Space that stays allocated ahead, so that deaths can be recorded on a full disk.
const RESERVE_BYTES: u64 = 64 * 1024;
/// How much is allocated at a time.
const ALLOCATE_BYTES: u64 = 512 * 1024;

/// An open ledger file.
#[derive(Debug)]
pub(super) struct LedgerFile {
    path: PathBuf,
    file: File,
    length: u64,
    allocated: u64,
}

/// What a ledger file held.
#[derive(Debug)]
pub(crate) enum Found {
    /// It was readable.
    Entries(Vec<Entry>),
    /// A newer program wrote it, in this format.
    NewerFormat(u32),
    /// It was not; the reason.
    Corrupt(String),
}

/// Reads a ledger; `None` when there is none.
///
/// # Errors
///
/// [`LedgerError::Io`] when the disk does not let us; that is no corruption.
pub(super) fn read(path: &Path) -> Result<Option<Found>, LedgerError> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => {
            file.read_to_end(&mut bytes).map_err(|source| LedgerError::io("read", path, source))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LedgerError::io("open", path, error)),
    };
    Ok(Some(parse(&bytes)))
}

/// Understands what a ledger file holds.
pub(crate) fn parse(bytes: &[u8]) -> Found {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
    let mut entries = Vec::new();
    for (index, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line_number = index + 1;
        let Some(json) = checked(&line[..line.len() - 1]) else {
            return Found::Corrupt(format!("line {line_number} does not match its checksum"));
        };
        // A newer program may know entries that we do not.
        if let (0, Some(format)) = (index, format_of(json).filter(|format| *format > FORMAT)) {
            return Found::NewerFormat(format);
        }
        match serde_json::from_slice(json) {
            Ok(Entry::Ledger { .. }) if index > 0 => {
                return Found::Corrupt(format!("line {line_number} begins another ledger"));
            }
            Ok(Entry::Ledger { format: 0, .. }) => {
                return Found::Corrupt("format 0 was never written".to_owned());
            }
            Ok(entry) => entries.push(entry),
            Err(error) => return Found::Corrupt(format!("line {line_number} holds no entry: {error}")),
        }
    }
    match entries.first() {
        Some(Entry::Ledger { .. }) => Found::Entries(entries),
        _ => Found::Corrupt("the first line does not say whose ledger it is".into()),
    }
}

/// The JSON of a line, if it carries its checksum.
fn checked(line: &[u8]) -> Option<&[u8]> {
    let (checksum, json) = line.split_at_checked(CHECKSUM_DIGITS)?;
    let json = json.strip_prefix(b" ")?;
    (checksum == checksum_of(json).as_bytes()).then_some(json)
}

/// The format that a first line names.
fn format_of(json: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct Header {
        format: u32,
    }
    serde_json::from_slice::<Header>(json).ok().map(|header| header.format)
}

fn checksum_of(json: &[u8]) -> String {
    let mut digits = Hash::of(json).to_string();
    digits.truncate(CHECKSUM_DIGITS);
    digits
}

/// The lines of these entries.
pub(crate) fn lines(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        // An entry holds only texts and numbers under text keys, which JSON can always hold.
        let json = serde_json::to_vec(entry).unwrap_or_default();
        bytes.extend_from_slice(checksum_of(&json).as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(&json);
        bytes.push(b'\n');
    }
    bytes
}

impl LedgerFile {
    /// Replaces the file at `path` by one that holds exactly `entries`, durably.
    pub(super) fn replace(path: &Path, entries: &[Entry]) -> Result<Self, LedgerError> {
        let error = |source| LedgerError::io("replace", path, source);
        let temporary = path.with_extension("new");
        let bytes = lines(entries);
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).open(&temporary).map_err(error)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(error)?;
        watchdog_crash_points::crash_point!("ledger.replace.written");
        std::fs::rename(&temporary, path).map_err(error)?;
        watchdog_crash_points::crash_point!("ledger.replace.renamed");
        sync_directory(path).map_err(error)?;
        Ok(Self { path: path.to_owned(), file, length: bytes.len() as u64, allocated: 0 })
    }

    /// How long it is, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Appends and syncs. `order` asks for free space first, so that orders stop before facts do.
    pub(super) fn append(&mut self, entries: &[Entry], order: bool) -> Result<(), LedgerError> {
        let error = |source| LedgerError::io("append to", &self.path, source);
        if self.file.metadata().map_err(error)?.nlink() == 0 {
            return Err(LedgerError::Gone { path: self.path.clone() });
        }
        let bytes = lines(entries);
        let reserved = self.reserve(bytes.len() as u64);
        if let (true, Err(source)) = (order, reserved) {
            return Err(LedgerError::io("reserve space for", &self.path, source));
        }
        if let Err(source) = self.file.write_all(&bytes) {
            // Whatever was half written must not stand before the next line.
            return Err(match self.rewind() {
                Ok(()) => LedgerError::io("append to", &self.path, source),
                Err(source) => LedgerError::Poisoned { path: self.path.clone(), source: source.into() },
            });
        }
        watchdog_crash_points::crash_point!("ledger.append.written");
        // After a failed sync the kernel forgets what it could not write, so a second one proves nothing.
        let poisoned =
            |source: io::Error| LedgerError::Poisoned { path: self.path.clone(), source: source.into() };
        self.file.sync_data().map_err(poisoned)?;
        watchdog_crash_points::crash_point!("ledger.append.synced");
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn rewind(&mut self) -> io::Result<()> {
        use std::io::Seek;
        self.file.set_len(self.length)?;
        self.file.seek(io::SeekFrom::Start(self.length))?;
        self.allocated = self.length;
        Ok(())
    }

    fn reserve(&mut self, coming: u64) -> io::Result<()> {
        let needed = self.length + coming + RESERVE_BYTES;
        if needed <= self.allocated {
            return Ok(());
        }
        for length in [needed + ALLOCATE_BYTES, needed] {
            match fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, length) {
                Ok(()) => {
                    self.allocated = length;
                    return Ok(());
                }
                Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {}
                // A file system that can't reserve; its own writes will say when it is full.
                Err(_) => {
                    self.allocated = u64::MAX;
                    return Ok(());
                }
            }
        }
        Err(rustix::io::Errno::NOSPC.into())
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}
