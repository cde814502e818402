//! Corpus: inputs that are kept in the repository, a file each.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use watchdog_core::state::Hash;

use crate::target::Target;

/// Good and nearly good inputs.
pub const CORPUS: &str = "corpus";
/// Inputs that once showed a bug.
pub const CRASHES: &str = "crashes";
/// Inputs that show a bug which is not mended yet.
pub const AWAITING: &str = "awaiting";

/// Where the inputs of a kind for a target are.
pub fn directory(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target)
}

/// The inputs of a kind for a target, with the names of their files, in the order of these.
///
/// # Errors
///
/// When a file can't be read; that there are none is fine.
pub fn load(kind: &str, target: &str) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let directory = directory(kind, target);
    let mut inputs = Vec::new();
    if !directory.exists() {
        return Ok(inputs);
    }
    for entry in fs::read_dir(&directory).with_context(|| format!("read {}", directory.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        inputs.push((name, fs::read(&path).with_context(|| format!("read {}", path.display()))?));
    }
    inputs.sort();
    Ok(inputs)
}

/// Keeps an input under a name that follows from it; answers where.
///
/// # Errors
///
/// When the file can't be written.
pub fn keep(kind: &str, target: &str, input: &[u8]) -> anyhow::Result<PathBuf> {
    let directory = directory(kind, target);
    fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    let path = directory.join(Hash::of(input).short());
    fs::write(&path, input).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

/// Writes the samples of a target as its corpus, in the place of the old one.
///
/// # Errors
///
/// When a file can't be written.
pub fn rewrite(target: &Target) -> anyhow::Result<usize> {
    let directory = directory(CORPUS, target.name);
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
    }
    let samples = (target.samples)();
    for sample in &samples {
        keep(CORPUS, target.name, sample)?;
    }
    Ok(samples.len())
}
