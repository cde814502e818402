//! Manual: completions for shells and pages for `man`, both made from the command line itself.

use std::io::Write as _;
use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::arguments::{Arguments, Manual};
use crate::failure::Failure;

/// Prints or writes what is asked for.
pub(crate) fn run(manual: &Manual) -> Result<(), Failure> {
    let mut command = Arguments::command();
    let mut written = Vec::new();
    match manual {
        Manual::Completions { shell } => {
            clap_complete::generate(*shell, &mut command, "watchdogctl", &mut written);
        }
        Manual::Man { dir: None } => {
            command.build();
            written = page(&command)?;
        }
        Manual::Man { dir: Some(dir) } => {
            command = command.disable_help_subcommand(true);
            command.build();
            std::fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))?;
            return pages(&command, dir);
        }
    }
    let mut output = std::io::stdout().lock();
    output.write_all(&written)?;
    Ok(output.flush()?)
}

/// Writes the page of a command and those of all below it.
fn pages(command: &clap::Command, dir: &Path) -> Result<(), Failure> {
    let path = dir.join(Man::new(command.clone()).get_filename());
    std::fs::write(&path, page(command)?).map_err(|error| unwritable(&path, &error))?;
    command.get_subcommands().try_for_each(|below| pages(below, dir))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Refused(format!("cannot write {}: {error}", path.display()))
}

/// A page; what stands behind the options is kept line by line, because most of it is examples.
fn page(command: &clap::Command) -> std::io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    // Not the library's title: that calls the page of `plan show` only `show`.
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let version = env!("CARGO_PKG_VERSION");
    writeln!(page, ".TH {} 1 \"\" \"Watchdog {version}\" \"Watchdog\"", name.to_uppercase())?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(more) = command.get_after_long_help().or_else(|| command.get_after_help()) {
        let lines = more.to_string().lines().map(as_it_is).collect::<String>();
        write!(page, ".SH NOTES\n.nf\n{lines}.fi\n")?;
    }
    if command.get_version().is_some() {
        man.render_version_section(&mut page)?;
    }
    // An empty line is a gap already; the breaks around it are faults to whoever checks pages.
    Ok(String::from_utf8_lossy(&page).replace("\n.br\n\n.br\n", "\n.sp\n").into_bytes())
}

/// A line in which nothing means anything to roff.
fn as_it_is(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
    format!("{guard}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_an_example_is_a_request_to_roff() {
        let table = [(".ru - x", "\\&.ru \\- x\n"), ("'a", "\\&'a\n"), ("a\\b", "a\\eb\n"), ("", "\n")];
        for (line, written) in table {
            assert_eq!(as_it_is(line), written);
        }
    }
}
