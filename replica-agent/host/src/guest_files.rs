//! Guest files: reads files that a guarded program may have put there, without trusting anything about them.
//!
//! *Guarantees.* No link is followed, and no mount crossed, beneath the directory that is ours; only a regular file is
//! read, and no more of it than a bound; opening never waits for anybody. A read that hangs all the same, on a broken
//! disk, keeps one thread of a few, and whoever asked is answered.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// How many reads may be under way at once, hanging ones included.
const READS_MAX: usize = 32;
/// Longer than any disk takes that works.
const PATIENCE: Duration = Duration::from_millis(100);

static READS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(READS_MAX)));

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadFault {
    /// It is not there.
    #[error("is not there")]
    Absent,
    /// It is a link, or leads through one.
    #[error("is a link, which is not followed")]
    Link,
    /// It is no file with contents.
    #[error("is {kind}, not a regular file")]
    Kind {
        /// What it is.
        kind: &'static str,
    },
    /// It is larger than what it should hold can be.
    #[error("is larger than {max} bytes")]
    TooLarge {
        /// The bound.
        max: u64,
    },
    /// The disk does not answer.
    #[error("does not open within {} ms", PATIENCE.as_millis())]
    Hangs,
    /// The kernel refuses.
    #[error("can't be read: {0}")]
    Io(String),
}

impl From<Errno> for ReadFault {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT => Self::Absent,
            Errno::LOOP | Errno::XDEV => Self::Link,
            other => Self::Io(other.to_string()),
        }
    }
}

/// Opens a regular file beneath `root`, which is ours, for reading.
///
/// # Errors
///
/// Why it is none that may be read.
pub(crate) fn open(root: &Path, beneath: &Path) -> Result<File, ReadFault> {
    let directory = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH;
    let root = openat(CWD, root, directory, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let opened = match openat2(&root, beneath, flags, Mode::empty(), resolve) {
        // An older kernel, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => {
            let mut at = root;
            for part in beneath.parent().into_iter().flat_map(Path::components) {
                let Component::Normal(part) = part else { return Err(ReadFault::Link) };
                at = openat(&at, part, directory | OFlags::NOFOLLOW, Mode::empty())?;
            }
            let name = beneath.file_name().ok_or(ReadFault::Absent)?;
            openat(&at, name, flags, Mode::empty())?
        }
        // A socket can't be opened at all.
        Err(Errno::NXIO) => return Err(ReadFault::Kind { kind: "a socket" }),
        other => other?,
    };
    match FileType::from_raw_mode(fstat(&opened)?.st_mode) {
        FileType::RegularFile => Ok(File::from(opened)),
        other => Err(ReadFault::Kind { kind: word(other) }),
    }
}

fn word(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "a FIFO",
        FileType::Directory => "a directory",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    }
}

/// Reads a whole file beneath `root`.
///
/// # Errors
///
/// Why it is none that may be read.
pub(crate) fn read(root: &Path, beneath: &Path, max: u64) -> Result<Vec<u8>, ReadFault> {
    let mut bytes = Vec::new();
    let file = open(root, beneath)?;
    file.take(max + 1).read_to_end(&mut bytes).map_err(|error| ReadFault::Io(error.to_string()))?;
    if bytes.len() as u64 > max { Err(ReadFault::TooLarge { max }) } else { Ok(bytes) }
}

/// Reads one file again and again, never more than one read at a time.
#[derive(Debug)]
pub(crate) struct Reader {
    root: PathBuf,
    beneath: PathBuf,
    max: u64,
    reading: Option<JoinHandle<Result<Vec<u8>, ReadFault>>>,
}

impl Reader {
    /// A reader of `beneath` under `root`.
    pub(crate) fn new(root: PathBuf, beneath: PathBuf, max: u64) -> Self {
        Self { root, beneath, max, reading: None }
    }

    /// Reads it, off the runtime and within a deadline.
    ///
    /// # Errors
    ///
    /// Why it is none that may be read; [`ReadFault::Hangs`] also when an earlier read still does.
    pub(crate) async fn read(&mut self) -> Result<Vec<u8>, ReadFault> {
        let reading = if let Some(reading) = &mut self.reading {
            reading
        } else {
            let permit = READS.clone().try_acquire_owned().map_err(|_| ReadFault::Hangs)?;
            let (root, beneath, max) = (self.root.clone(), self.beneath.clone(), self.max);
            self.reading.insert(tokio::task::spawn_blocking(move || {
                let _permit = permit;
                read(&root, &beneath, max)
            }))
        };
        let read = tokio::time::timeout(PATIENCE, reading).await.map_err(|_| ReadFault::Hangs)?;
        self.reading = None;
        read.unwrap_or_else(|_| Err(ReadFault::Io("the thread that reads failed".into())))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_of_ours_is_read_and_nothing_waits() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(directory.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("a/good"), "good").unwrap();
        std::fs::write(root.join("a/long"), "0123456789").unwrap();
        std::os::unix::fs::symlink("../../secret", root.join("a/link")).unwrap();
        std::os::unix::fs::symlink("/", root.join("b")).unwrap();
        let fifo = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(CWD, root.join("a/fifo"), fifo).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("a/socket")).unwrap();
        let table = [
            ("a/good", Ok("good")),
            ("a/none", Err("is not there")),
            ("a/long", Err("is larger than 9 bytes")),
            ("a/link", Err("is a link, which is not followed")),
            ("b/dev/zero", Err("is a link, which is not followed")),
            ("../secret", Err("is a link, which is not followed")),
            ("a/fifo", Err("is a FIFO, not a regular file")),
            ("a/socket", Err("is a socket, not a regular file")),
            ("a", Err("is a directory, not a regular file")),
        ];
        for (path, expected) in table {
            let found = read(&root, Path::new(path), 9);
            let found =
                found.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|fault| fault.to_string());
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{path}");
        }
        let device = read(Path::new("/dev"), Path::new("zero"), 9).unwrap_err();
        assert_eq!(device, ReadFault::Kind { kind: "a device" });
    }
}
