//! Logs: rotates what replicas print, without a pipe between them and us.
//!
//! Replicas append to a file that we hold no end of, so that they outlive us.
//! Rotation copies it and cuts it to nothing; what is printed between the two
//! is lost, which is the price for needing nobody's cooperation.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Logs;
use crate::supervisor::Supervisor;

/// How often sizes are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Rotates for ever.
pub(crate) async fn keep_rotating(supervisor: Arc<Supervisor>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let policy = supervisor.config.logs;
        let files: Vec<PathBuf> = supervisor
            .all()
            .iter()
            .flat_map(|kept| supervisor.dirs.logs(&kept.life.cluster, &kept.life.replica))
            .collect();
        let looked = tokio::task::spawn_blocking(move || {
            for file in files {
                if let Err(error) = rotate(&file, policy) {
                    tracing::warn!(path = %file.display(), %error, "a log was cut without a copy");
                }
            }
        });
        // A look that panicked is taken again at the next tick.
        let _ = looked.await;
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Rotates one file if it is too large. It is cut also when no copy could be made: an old log is worth less than the disk.
fn rotate(path: &Path, policy: Logs) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > policy.max_bytes => {}
        _ => return Ok(()),
    }
    for number in (1..policy.keep).rev() {
        // There may be fewer old files than are kept.
        let _ = std::fs::rename(numbered(path, number), numbered(path, number + 1));
    }
    let copied = if policy.keep > 0 { std::fs::copy(path, numbered(path, 1)).map(drop) } else { Ok(()) };
    if copied.is_err() {
        // Half a copy only takes the space that was missing.
        let _ = std::fs::remove_file(numbered(path, 1));
    }
    std::fs::OpenOptions::new().write(true).open(path)?.set_len(0)?;
    copied
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_large_log_is_moved_on_and_its_writer_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.out");
        let mut writer = std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let policy = Logs { max_bytes: 3, keep: 2 };
        for word in ["first", "second", "third", "x"] {
            writer.write_all(word.as_bytes()).unwrap();
            rotate(&path, policy).unwrap();
        }
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(&path), "x");
        assert_eq!(read(&numbered(&path, 1)), "third");
        assert_eq!(read(&numbered(&path, 2)), "second");
        assert!(!numbered(&path, 3).exists());
    }
}
