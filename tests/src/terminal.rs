//! Terminal: a program on a terminal of its own, whose screen is read as a person would, and whose keys are pressed.
//!
//! ```text
//! sh: says "before" ─► the program ─► says "ended with N"       all on one pseudo-terminal, as its session's own
//! ```

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

const SCRIPT: &str = "echo before; \"$0\" \"$@\"; echo \"ended with $?\"";

/// What has been drawn.
struct Drawn {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

/// A program on its terminal; both end on drop.
pub struct Terminal {
    shell: Child,
    ours: File,
    /// Kept, so that the terminal outlives the program and its modes can be read.
    theirs: File,
    drawn: Arc<(Mutex<Drawn>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("screen", &self.screen()).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Starts a program, with the arguments and the environment of `command`, on a screen of that size.
    ///
    /// # Errors
    ///
    /// If there is no pseudo-terminal, or no `setsid` (util-linux).
    pub fn start(command: &Command, columns: u16, lines: u16) -> anyhow::Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let path = ptsname(&ours, Vec::new())?.into_string()?;
        let theirs = OpenOptions::new().read(true).write(true).open(path)?;
        tcsetwinsize(&theirs, size(columns, lines))?;
        let mut shell = Command::new("setsid");
        shell.args(["--ctty", "sh", "-c", SCRIPT]).arg(command.get_program()).args(command.get_args());
        shell.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs.try_clone()?);
        let shell = shell.spawn().context("run setsid")?;
        let ours = File::from(ours);
        let drawn = Drawn { parser: vt100::Parser::new(some(lines)?, some(columns)?, 0), bytes: Vec::new() };
        let drawn = Arc::new((Mutex::new(drawn), Condvar::new()));
        let reader = read(ours.try_clone()?, Arc::clone(&drawn));
        Ok(Self { shell, ours, theirs, drawn, reader: Some(reader) })
    }

    fn drawn(&self) -> MutexGuard<'_, Drawn> {
        self.drawn.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands on the screen.
    pub fn screen(&self) -> String {
        self.drawn().parser.screen().contents()
    }

    /// Whether the screen is the alternate one, or the cursor is hidden.
    pub fn is_taken(&self) -> bool {
        let drawn = self.drawn();
        drawn.parser.screen().alternate_screen() || drawn.parser.screen().hide_cursor()
    }

    /// All that was ever written to it.
    pub fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.drawn().bytes).into_owned()
    }

    /// Waits until the screen is as looked for.
    ///
    /// # Errors
    ///
    /// After `patience`, with `what` and the screen as it is.
    pub fn until(
        &self,
        what: &str,
        patience: Duration,
        look: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        let deadline = Instant::now() + patience;
        let mut drawn = self.drawn();
        loop {
            let screen = drawn.parser.screen().contents();
            if look(&screen) {
                return Ok(screen);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            anyhow::ensure!(!left.is_zero(), "no {what} within {patience:?}; the screen is:\n{screen}");
            let waited = self.drawn.1.wait_timeout(drawn, left);
            drawn = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(drawn, _)| drawn);
        }
    }

    /// Presses keys, given as the bytes that a keyboard sends.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub fn press(&mut self, keys: &str) -> anyhow::Result<()> {
        self.ours.write_all(keys.as_bytes()).context("press keys")
    }

    /// Makes the screen another size.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub fn resize(&self, columns: u16, lines: u16) -> anyhow::Result<()> {
        self.drawn().parser.screen_mut().set_size(some(lines)?, some(columns)?);
        tcsetwinsize(&self.theirs, size(columns, lines)).context("resize the terminal")
    }

    /// The terminal's modes: whether it echoes, waits for whole lines, and so on.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub fn modes(&self) -> anyhow::Result<String> {
        let it = tcgetattr(&self.theirs)?;
        Ok(format!("{:?} {:?} {:?}", it.input_modes, it.output_modes, it.local_modes))
    }

    /// The process id of the program itself.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn pid(&self) -> anyhow::Result<u32> {
        let shell = self.shell.id();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
        children.split_whitespace().next().and_then(|pid| pid.parse().ok()).context("the program has ended")
    }

    /// Waits until the program has ended; answers the screen that it left.
    ///
    /// # Errors
    ///
    /// After `patience`.
    pub fn until_ended(&self, patience: Duration) -> anyhow::Result<String> {
        self.until("end of the program", patience, |screen| screen.contains("ended with "))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // With its session's leader and its terminal the program gets SIGHUP; killed for sure are both.
        if let Ok(pid) = self.pid()
            && let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
        // The reader ends when nobody holds the terminal any more.
        if let Ok(nothing) = File::open("/dev/null") {
            self.theirs = nothing;
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn some(count: u16) -> anyhow::Result<NonZero<u16>> {
    NonZero::new(count).context("a screen has at least one line and one column")
}

fn size(columns: u16, lines: u16) -> Winsize {
    Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Reads what is drawn until the terminal is gone.
fn read(mut terminal: File, drawn: Arc<(Mutex<Drawn>, Condvar)>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut bytes = [0; 8_192];
        while let Ok(count @ 1..) = terminal.read(&mut bytes) {
            let mut all = drawn.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.parser.process(&bytes[..count]);
            all.bytes.extend_from_slice(&bytes[..count]);
            drawn.1.notify_all();
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_program_has_a_terminal_with_a_screen_keys_and_a_size() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "trap 'stty size' WINCH; test -t 0 && echo on a terminal; read -r key; read -r key",
        ]);
        let mut terminal = Terminal::start(&command, 40, 5).unwrap();
        let patience = Duration::from_secs(20);
        terminal.until("greeting", patience, |screen| screen == "before\non a terminal").unwrap();
        let modes = terminal.modes().unwrap();
        assert!(modes.contains("ECHO"), "{modes}");
        terminal.resize(50, 7).unwrap();
        terminal.press("x\r").unwrap();
        terminal.until("size", patience, |screen| screen.contains("7 50")).unwrap();
        terminal.press("y\r").unwrap();
        terminal.until_ended(patience).unwrap();
        assert!(!terminal.is_taken() && terminal.bytes().contains("before\r\n"));
    }
}
