//! Screen: where output goes, how wide it is, and whether anybody still reads it.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::SystemTime;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::tcgetwinsize;

use crate::failure::Failure;
use crate::render::Paper;

/// Standard output, as it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// Whether a person looks at it.
    pub(crate) is_terminal: bool,
    /// Whether that person also has keys, and a terminal on which anything can be drawn anywhere.
    pub(crate) is_live: bool,
    colour: bool,
}

impl Screen {
    /// Looks at standard output and at `NO_COLOR`.
    pub(crate) fn of_stdout() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let banned = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let is_live = is_terminal && !dumb && io::stdin().is_terminal();
        Self { is_terminal, is_live, colour: is_terminal && !banned && !dumb }
    }

    /// What renderers need to know; asked anew each time, because windows are resized.
    pub(crate) fn paper(self) -> Paper {
        let width = if self.is_terminal { tcgetwinsize(io::stdout()).ok() } else { None };
        let width = width.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        Paper { width, colour: self.colour, now: SystemTime::now() }
    }

    /// Writes text and flushes it.
    ///
    /// # Errors
    ///
    /// [`Failure::Closed`] when nobody reads any more.
    #[expect(clippy::unused_self, reason = "there is one way to write, and it goes through the screen")]
    pub(crate) fn print(self, text: &str) -> Result<(), Failure> {
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        Ok(output.flush()?)
    }

    /// Whether the reader of our pipe has left, which a program that waits does not learn from writing.
    pub(crate) fn abandoned(self) -> bool {
        let output = io::stdout();
        let mut looked = [PollFd::new(&output, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        !self.is_terminal
            && poll(&mut looked, Some(&at_once)).is_ok()
            && looked[0].revents().intersects(PollFlags::ERR | PollFlags::NVAL)
    }
}

/// A few lines on a terminal that are drawn over and over; elsewhere they are only printed.
#[derive(Debug)]
pub(crate) struct Block {
    screen: Screen,
    /// How many lines of it stand above the cursor.
    lines: usize,
}

impl Block {
    /// One of which nothing is drawn yet.
    pub(crate) fn new(screen: Screen) -> Self {
        Self { screen, lines: 0 }
    }

    /// Puts these lines, none of them wider than the screen, in the place of the last ones.
    pub(crate) fn replace(&mut self, text: &str) -> Result<(), Failure> {
        if !self.screen.is_terminal {
            return self.screen.print(text);
        }
        let back = if self.lines > 0 { format!("\x1b[{}A\r", self.lines) } else { String::new() };
        self.lines = text.lines().count();
        // Nothing is cleared before its replacement is there, so that it does not flicker.
        self.screen.print(&format!("{back}{}\x1b[J", text.replace('\n', "\x1b[K\n")))
    }
}

/// The message without anything that moves the cursor: watchdogs and files have a say in it.
fn harmless(message: &str) -> String {
    let mut harmless = String::with_capacity(message.len());
    for character in message.chars() {
        match character {
            '\n' => harmless.push('\n'),
            character if character.is_control() => harmless.extend(character.escape_default()),
            character => harmless.push(character),
        }
    }
    harmless
}

/// Says something on standard error, where it does not mix with the answer.
pub(crate) fn complain(message: &str) {
    // Nobody is left to be told that standard error is closed.
    let _ = writeln!(io::stderr(), "watchdogctl: {}", harmless(message));
}
