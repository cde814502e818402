//! Disk: the file that holds the nodes which outlive sessions, and the server, of the embedded coordination service.
//!
//! *Guarantees.* The file is replaced as a whole (written aside, synced, renamed), so that it is either the old or the
//! new one after any crash. A file that is not what was written is refused by its name, never guessed at.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use watchdog_core::state::Hash;

use crate::tree::Node;

/// The format that this build writes and reads.
const FORMAT: u32 = 1;
/// How many transactions are set aside at once, so that numbers go on growing without a write for each.
const RESERVED: i64 = 1_000_000;

/// What the file holds, under a first line with the hash of it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Saved {
    format: u32,
    /// No transaction above this number was ever given.
    reserved: i64,
    nodes: BTreeMap<String, SavedNode>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedNode {
    /// Hexadecimal, because a node may hold anything.
    data: String,
    created: i64,
    modified: i64,
    version: i32,
}

/// The directory of one service; nobody else may serve it meanwhile.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
    reserved: i64,
    _lock: File,
}

impl Disk {
    /// Opens the directory, made as needed, and reads what is there: the last transaction, and the nodes.
    pub(crate) fn open(directory: &Path) -> io::Result<(Self, i64, BTreeMap<String, Node>)> {
        fs::create_dir_all(directory)?;
        let lock = File::create(directory.join("lock"))?;
        if let Err(error) = lock.try_lock() {
            let message = format!("{} is served by another process: {error}", directory.display());
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        }
        let path = directory.join("tree");
        let saved = load(&path)?;
        let nodes = saved.nodes.into_iter().map(|(path, node)| Ok((path, node.read()?)));
        let nodes = nodes.collect::<Result<_, String>>().map_err(|fault| corrupt(&path, &fault))?;
        Ok((Self { path, reserved: saved.reserved, _lock: lock }, saved.reserved, nodes))
    }

    /// Whether `transaction` comes near the end of what was set aside.
    pub(crate) fn runs_short(&self, transaction: i64) -> bool {
        transaction + RESERVED / 2 > self.reserved
    }

    /// Makes what is to be written; the caller gives it to [`write()`] where blocking does no harm.
    pub(crate) fn prepare<'a>(
        &self,
        transaction: i64,
        nodes: impl Iterator<Item = (&'a String, &'a Node)>,
    ) -> (PathBuf, Vec<u8>) {
        let nodes = nodes.map(|(path, node)| (path.clone(), SavedNode::of(node))).collect();
        let reserved = transaction + RESERVED;
        let body = serde_json::to_vec(&Saved { format: FORMAT, reserved, nodes }).unwrap_or_default();
        let mut bytes = format!("{}\n", Hash::of(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        (self.path.clone(), bytes)
    }

    /// The write of what was prepared at `transaction` has succeeded.
    pub(crate) fn written(&mut self, transaction: i64) {
        self.reserved = transaction + RESERVED;
    }
}

/// Replaces the file.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = File::create(&aside).map_err(named)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(named)?;
    fs::rename(&aside, path).map_err(named)?;
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(named)
}

fn load(path: &Path) -> io::Result<Saved> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::default()),
        Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    };
    let end = bytes.iter().position(|b| *b == b'\n').ok_or_else(|| corrupt(path, "it has no first line"))?;
    let (hash, body) = (&bytes[..end], &bytes[end + 1..]);
    if hash != Hash::of(body).to_string().as_bytes() {
        return Err(corrupt(path, "its hash does not fit its content"));
    }
    let saved: Saved = serde_json::from_slice(body).map_err(|error| corrupt(path, &error.to_string()))?;
    if saved.format > FORMAT {
        return Err(corrupt(path, &format!("it has format {}; this build reads {FORMAT}", saved.format)));
    }
    Ok(saved)
}

fn corrupt(path: &Path, fault: &str) -> io::Error {
    let advice = "move it aside to start anew: members join again, and the journal keeps epochs growing";
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {fault}; {advice}", path.display()))
}

impl SavedNode {
    fn of(node: &Node) -> Self {
        use std::fmt::Write as _;
        let mut data = String::with_capacity(node.data.len() * 2);
        for byte in &node.data {
            // Writing to a text cannot fail.
            let _ = write!(data, "{byte:02x}");
        }
        Self { data, created: node.created, modified: node.modified, version: node.version }
    }

    fn read(self) -> Result<Node, String> {
        let pairs = self.data.as_bytes().chunks(2);
        let byte = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2);
            text.and_then(|text| u8::from_str_radix(text, 16).ok())
        };
        let data = pairs.map(byte).collect::<Option<_>>().ok_or("a node is not hexadecimal")?;
        let Self { created, modified, version, .. } = self;
        Ok(Node { data, created, modified, version, owner: None })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn node(data: &[u8]) -> Node {
        Node { data: data.to_vec(), created: 7, modified: 8, version: 2, owner: None }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let nodes = BTreeMap::from([("/a".to_owned(), node(&[0, 255, 10])), ("/b".to_owned(), node(b""))]);
        {
            let (mut disk, transaction, empty) = Disk::open(directory.path()).unwrap();
            assert_eq!((transaction, empty.len()), (0, 0));
            assert!(disk.runs_short(0));
            let (path, bytes) = disk.prepare(41, nodes.iter());
            write(&path, &bytes).unwrap();
            disk.written(41);
            assert!(!disk.runs_short(41));
            let busy = Disk::open(directory.path()).unwrap_err();
            assert!(busy.to_string().contains("another process"), "{busy}");
        }
        let (_, transaction, read) = Disk::open(directory.path()).unwrap();
        assert!(transaction > 41);
        assert_eq!(read, nodes);
    }

    #[test]
    fn a_damaged_file_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tree");
        let (disk, _, _) = Disk::open(directory.path()).unwrap();
        let nodes = BTreeMap::from([("/a".to_owned(), node(b"1"))]);
        let (_, bytes) = disk.prepare(1, nodes.iter());
        drop(disk);
        for position in [0, 30, 64, 65, bytes.len() - 3] {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1;
            fs::write(&path, &damaged).unwrap();
            let error = Disk::open(directory.path()).unwrap_err();
            assert!(error.to_string().contains("tree"), "{position}: {error}");
        }
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert_eq!(Disk::open(directory.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
