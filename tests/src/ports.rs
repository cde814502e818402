//! Ports: free TCP ports on 127.0.0.1 that no other rig of this machine is given meanwhile.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

/// Below the kernel's ephemeral range (32768 …), so that neither an outgoing connection nor someone else's `:0` takes
/// a port between our look and its use, also while its owner is being restarted.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// One lock file per port, held until this process ends, however it ends.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// Returns a port that nobody listens on, and that stays reserved for this process until it ends.
///
/// # Errors
///
/// If the lock files cannot be written, or every port of the range is taken.
pub fn free() -> anyhow::Result<u16> {
    let directory = std::env::temp_dir().join("watchdog-test-ports");
    make_shared(&directory).with_context(|| format!("make {}", directory.display()))?;
    let start = scatter();
    for step in 0..COUNT {
        let port = FIRST + (start + step) % COUNT;
        let path = directory.join(port.to_string());
        let Ok(file) = OpenOptions::new().create(true).append(true).mode(0o666).open(&path) else { continue };
        if file.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            HELD.lock().unwrap_or_else(PoisonError::into_inner).push(file);
            return Ok(port);
        }
    }
    anyhow::bail!("no free port between {FIRST} and {}", FIRST + COUNT)
}

/// Makes the directory writable for every user of the machine.
fn make_shared(directory: &Path) -> std::io::Result<()> {
    if !directory.is_dir() {
        std::fs::create_dir_all(directory)?;
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o1777))?;
    }
    Ok(())
}

/// Where to begin looking: anywhere, so that two processes seldom try the same ports.
fn scatter() -> u16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    u16::try_from(now.wrapping_mul(2_654_435_761) % u32::from(COUNT)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeSet;

    #[test]
    fn a_port_is_given_once() {
        let ports: BTreeSet<u16> = (0..200).map(|_| super::free().unwrap()).collect();
        assert_eq!(ports.len(), 200);
    }
}
