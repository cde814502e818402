//! Stage: the terminal, taken over and given back.
//!
//! *Guarantees*: whatever ends the program, except SIGKILL, the terminal is as it was: its own screen with what stood on
//! it, its modes, its cursor.

use std::io::{self, Stdout, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::draw::draw;
use super::scene::Scene;
use crate::render::Paper;

/// Whether the terminal is ours at the moment.
static OURS: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// See the module.
#[derive(Debug)]
pub(super) struct Stage {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Stage {
    /// Takes the terminal over.
    pub(super) fn open() -> io::Result<Self> {
        // A panic is told on the terminal's own screen, not on one that is gone with it.
        HOOK.call_once(|| {
            let others = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                others(panic);
            }));
        });
        OURS.store(true, Ordering::SeqCst);
        let stage = || {
            enable_raw_mode()?;
            execute!(stdout(), EnterAlternateScreen)?;
            Terminal::new(CrosstermBackend::new(stdout()))
        };
        stage().map(|terminal| Self { terminal }).inspect_err(|_| give_back())
    }

    /// Draws what has changed since the last time.
    pub(super) fn draw(&mut self, scene: &mut Scene, paper: &Paper) -> io::Result<()> {
        self.terminal.draw(|frame| draw(scene, frame, paper)).map(drop)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        give_back();
    }
}

/// Makes the terminal what it was, once.
fn give_back() {
    if OURS.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing.
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::process::Command;
    use std::time::Duration;

    use watchdog_tests::terminal::Terminal;

    use super::*;

    /// Tells this test, when it runs on a terminal of its own, to panic there.
    const PANIC: &str = "WATCHDOGCTL_TEST_PANICS";

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_told_on_it() {
        if std::env::var_os(PANIC).is_some() {
            let _stage = Stage::open().unwrap();
            panic!("told where it can be read");
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        let this = "live::stage::tests::a_panic_gives_the_terminal_back_and_is_told_on_it";
        command.args([this, "--exact", "--nocapture"]).env(PANIC, "1").env("RUST_BACKTRACE", "0");
        let terminal = Terminal::start(&command, 100, 30).unwrap();
        let modes = terminal.modes().unwrap();
        let screen = terminal.until_ended(Duration::from_secs(20)).unwrap();
        assert!(terminal.bytes().contains("\x1b[?1049h"), "it was taken over");
        assert!(screen.starts_with("before") && screen.contains("told where it can be read"), "{screen}");
        assert!(!terminal.is_taken());
        assert_eq!(terminal.modes().unwrap(), modes);
    }
}
