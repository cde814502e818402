//! Manual: the command line of what teaches shells and `man` about this program.

use std::path::PathBuf;

use clap::Subcommand;
use clap_complete::Shell;

/// What needs no watchdog.
#[derive(Debug, Subcommand)]
pub(crate) enum Manual {
    /// Print the script that teaches a shell to complete our commands.
    #[command(after_help = "Examples:\n  \
        watchdogctl completions bash > /usr/share/bash-completion/completions/watchdogctl\n  \
        watchdogctl completions zsh > /usr/local/share/zsh/site-functions/_watchdogctl\n  \
        watchdogctl completions fish > ~/.config/fish/completions/watchdogctl.fish")]
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print our manual page, or write one for each command.
    #[command(after_help = "Examples:\n  watchdogctl man | man -l -\n  \
        watchdogctl man --dir /usr/local/share/man/man1")]
    Man {
        /// Where to write all pages, as NAME.1.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}
