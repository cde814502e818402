//! Disk: the file that holds the nodes which outlive sessions, and the server, of the embedded coordination service.
//!
//! *Guarantees.* The file is replaced as a whole (written aside, synced, renamed), so that it is either the old or the
//! new one after any crash. A file that is not what was written is refused by its name, never guessed at: neither a
//! damaged one nor one that a person has edited and hashed again.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use watchdog_core::state::Hash;

use crate::embedded::store::PATH_BYTES_MAX;
use crate::tree::Node;
use crate::wire::is_path;

/// The format that this build writes and reads.
const FORMAT: u32 = 1;
/// How many transactions are set aside at once, so that numbers go on growing without a write for each.
const RESERVED: i64 = 1_000_000;
/// No service gets so far; higher numbers would run over.
const TRANSACTION_MAX: i64 = i64::MAX / 2;
/// Nor so far.
const NODE_VERSION_MAX: i32 = i32::MAX / 2;

/// What the file holds, under a first line with the hash of it.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    format: u32,
    /// No transaction above this number was ever given.
    reserved: i64,
    nodes: Nodes,
}

/// By path. A path that is given twice is no file of ours, and a plain map would keep the second.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Nodes(BTreeMap<String, SavedNode>);

#[derive(Debug, Serialize, Deserialize)]
struct SavedNode {
    /// Hexadecimal, because a node may hold anything.
    data: String,
    created: i64,
    modified: i64,
    version: i32,
}

impl<'de> Deserialize<'de> for Nodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Nodes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("nodes by path")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Nodes, A::Error> {
                let mut nodes = BTreeMap::new();
                while let Some((path, node)) = map.next_entry::<String, SavedNode>()? {
                    if nodes.contains_key(&path) {
                        return Err(A::Error::custom(format_args!("{path:?} is there twice")));
                    }
                    nodes.insert(path, node);
                }
                Ok(Nodes(nodes))
            }
        }
        deserializer.deserialize_map(Reader)
    }
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
        let (reserved, nodes) = match fs::read(&path) {
            Ok(bytes) => read(&bytes).map_err(|fault| corrupt(&path, &fault))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => (0, BTreeMap::new()),
            Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        };
        Ok((Self { path, reserved, _lock: lock }, reserved, nodes))
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
        (self.path.clone(), bytes(transaction + RESERVED, nodes))
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

/// What the file holds when no transaction above `reserved` was given and these nodes outlive sessions.
pub(crate) fn bytes<'a>(reserved: i64, nodes: impl Iterator<Item = (&'a String, &'a Node)>) -> Vec<u8> {
    let nodes = Nodes(nodes.map(|(path, node)| (path.clone(), SavedNode::of(node))).collect());
    let body = serde_json::to_vec(&Saved { format: FORMAT, reserved, nodes }).unwrap_or_default();
    let mut bytes = format!("{}\n", Hash::of(&body)).into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

/// Reads what [`bytes`] wrote.
pub(crate) fn read(bytes: &[u8]) -> Result<(i64, BTreeMap<String, Node>), String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no first line")?;
    let (hash, body) = (&bytes[..end], &bytes[end + 1..]);
    if hash != Hash::of(body).to_string().as_bytes() {
        return Err("its hash does not fit its content".to_owned());
    }
    let saved: Saved = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if saved.format != FORMAT {
        return Err(format!("it has format {}; this build reads {FORMAT}", saved.format));
    }
    if !(0..=TRANSACTION_MAX).contains(&saved.reserved) {
        return Err(format!("{} is no number of a transaction", saved.reserved));
    }
    let nodes = saved.nodes.0.into_iter().map(|(path, node)| match node.read(&path, saved.reserved) {
        Ok(node) => Ok((path, node)),
        Err(fault) => Err(format!("{}: {fault}", path.escape_debug())),
    });
    Ok((saved.reserved, nodes.collect::<Result<_, _>>()?))
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

    fn read(self, path: &str, reserved: i64) -> Result<Node, &'static str> {
        let Self { created, modified, version, .. } = self;
        if !is_path(path) || path.len() > PATH_BYTES_MAX {
            return Err("that is no path");
        }
        if created < 0 || modified < created || modified > reserved {
            return Err("its transactions are in no order that can be");
        }
        if !(0..=NODE_VERSION_MAX).contains(&version) {
            return Err("its version can't be");
        }
        let data = hexadecimal(self.data.as_bytes()).ok_or("what it holds is not hexadecimal")?;
        Ok(Node { data, created, modified, version, owner: None })
    }
}

/// The bytes that [`SavedNode::of`] wrote, which writes small digits.
fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
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
        let body = std::str::from_utf8(&bytes[65..]).unwrap();
        for (from, to) in [
            ("\"format\":1", "\"format\":0"),
            ("\"data\":\"31\"", "\"data\":\"+1\""),
            ("\"data\":\"31\"", "\"data\":\"3\""),
            ("\"version\":2", "\"version\":-2"),
            ("\"created\":7", "\"created\":9"),
            ("\"/a\":{", "\"/a\":{\"data\":\"\",\"created\":1,\"modified\":1,\"version\":1},\"/a\":{"),
            ("\"/a\"", "\"a\""),
            ("\"reserved\":1000001", "\"reserved\":9223372036854775807"),
        ] {
            let edited = body.replacen(from, to, 1);
            assert_ne!(edited, body, "{from}");
            fs::write(&path, format!("{}\n{edited}", Hash::of(edited.as_bytes()))).unwrap();
            let error = Disk::open(directory.path()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{from}: {error}");
        }
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert_eq!(Disk::open(directory.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
