//! Clean: what a process has from whoever started it, and no program that is run for others may have.
//!
//! Descriptors, ignored signals, blocked signals and the umask pass through exec. Under `nohup`, for example, no guest
//! would hear SIGHUP, and a load by signal would be told as done.

use nix::sys::signal::SigSet;
use rustix::fs::Mode;
use tokio::signal::unix::{SignalKind, signal};

/// Rust ignores it in each of its programs, and takes that back at exec.
const SIGPIPE: u32 = 13;

/// Gives up all that was inherited. It must be the first thing that a process does: it closes whatever is open.
///
/// # Errors
///
/// A sentence.
pub(super) fn begin() -> Result<(), String> {
    close_inherited();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    SigSet::empty().thread_set_mask().map_err(|error| format!("cannot unblock signals: {error}"))?;
    heed_signals()
}

fn close_inherited() {
    let listed = std::fs::read_dir("/proc/self/fd").map(|entries| {
        let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        numbers.filter(|number| *number > 2).collect::<Vec<_>>()
    });
    for number in listed.unwrap_or_default() {
        // The one by which we listed them is closed already.
        let _ = nix::unistd::close(number);
    }
}

/// A signal that has a handler is the default again after exec; one that is ignored stays so.
fn heed_signals() -> Result<(), String> {
    let ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
    if ignored.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(|error| format!("cannot heed signals: {error}"))?;
    let _context = runtime.enter();
    for number in ignored {
        // A handler stays when its listener is gone. Those that can't have one are of no use to anybody as ignored.
        if let Err(error) = signal(SignalKind::from_raw(number)).map(drop)
            && number < 32
        {
            return Err(format!("cannot heed signal {number}: {error}"));
        }
    }
    Ok(())
}

/// The ignored signals, as /proc/PID/status tells them; faults of the process itself are left as they are.
fn ignored(status: &str) -> Vec<i32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let faults = [4, 8, 11];
    let set = (1..=64_u32).filter(|number| mask & (1 << (number - 1)) != 0 && *number != SIGPIPE);
    set.filter_map(|number| i32::try_from(number).ok()).filter(|number| !faults.contains(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_understood() {
        let table = [
            ("SigIgn:\t0000000000000001\n", vec![1]),
            ("Name:\tx\nSigIgn:\t0000000000001007\n", vec![1, 2, 3]),
            ("SigIgn:\t0000000000000408\n", vec![]),
            ("", vec![]),
        ];
        for (status, expected) in table {
            assert_eq!(ignored(status), expected, "{status}");
        }
    }
}
