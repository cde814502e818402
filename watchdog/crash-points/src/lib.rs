//! Crash points: named places between two effects, at which a test may have the process die.
//!
//! ```text
//! test:    DIRECTORY/NAME.armed holds how many visits pass ─────► … ─────► DIRECTORY/NAME.killed.PID
//! process: crash_point!("NAME") ─► takes the file ─► none left? ─yes─► SIGKILL to itself
//!                                                        └─no─► puts it back, one less
//! ```
//!
//! A point is armed from outside, in a process that runs already, which is why the points are files and
//! not the settings of a process. Whoever takes the file first is the only one that dies.
//! The names, and what brings a process to each, stand in `tests/crash/src/points`.

/// Names the directory of the armed points; without it nothing is ever looked for.
pub const VARIABLE: &str = "WATCHDOG_CRASH_POINTS";

/// A place at which this process may be told to die.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::visit($name)
    };
}

pub use points::{passed_on, visit};

#[cfg(all(feature = "armed", debug_assertions))]
mod points {
    use std::path::PathBuf;
    use std::sync::OnceLock;

    use super::VARIABLE;

    fn directory() -> Option<&'static PathBuf> {
        static DIRECTORY: OnceLock<Option<PathBuf>> = OnceLock::new();
        DIRECTORY.get_or_init(|| std::env::var_os(VARIABLE).map(PathBuf::from)).as_ref()
    }

    /// Dies here if the point is armed and its visits have passed.
    pub fn visit(name: &'static str) {
        let Some(directory) = directory() else { return };
        let (pid, armed) = (std::process::id(), directory.join(format!("{name}.armed")));
        let taken = directory.join(format!("{name}.taken.{pid}"));
        if std::fs::rename(&armed, &taken).is_err() {
            return;
        }
        let left: u64 = std::fs::read_to_string(&taken).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        if left > 0 {
            // A point that can't be put back kills nobody, and whoever armed it waits in vain and says so.
            let _ = std::fs::write(&taken, (left - 1).to_string());
            let _ = std::fs::rename(&taken, &armed);
            return;
        }
        let _ = std::fs::rename(&taken, directory.join(format!("{name}.killed.{pid}")));
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal takes effect when the kernel says so; nothing may happen here until then.
        loop {
            std::thread::park();
        }
    }

    /// What a process that starts others with a fresh environment gives them, so that their points can be armed too.
    pub fn passed_on() -> Option<(String, String)> {
        Some((VARIABLE.to_owned(), directory()?.to_str()?.to_owned()))
    }
}

#[cfg(not(all(feature = "armed", debug_assertions)))]
mod points {
    /// Nothing, in this build.
    #[inline]
    pub const fn visit(_name: &'static str) {}

    /// Nothing, in this build.
    #[inline]
    pub const fn passed_on() -> Option<(String, String)> {
        None
    }
}
