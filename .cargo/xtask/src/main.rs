//! Xtask: the commands of this repository: `cargo dev`, `cargo verify`, `cargo xtask …`.

mod machine;
mod programs;
mod scorecard;
mod supply;
mod tally;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

const USAGE: &str = "\
cargo dev [--] [ARGS]   build everything and run a whole cluster on this machine: `watchdog dev ARGS`
cargo verify            format, libraries, lints and all tests, on the real ZooKeeper and PostgreSQL (installed if missing)
cargo figures [WORDS]   measure the README's figures in release mode; words: embedded zookeeper crowd dashboard
cargo scorecard [--long] [--strict] [--only 1,13]   run what proves the product, and print the table of its figures
cargo xtask screenshots take the README's pictures of the dashboard anew, in examples/dashboard
cargo xtask build       build the programs that the end-to-end tests run
cargo xtask install     install with apt-get what the tests need
cargo xtask supply      check the libraries that we use against .deny.toml; installs cargo-deny if missing
cargo xtask test        install, build and test, without format and lints";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next();
    let outcome = match command.as_ref().and_then(|name| name.to_str()) {
        Some("dev") => dev(&arguments.collect::<Vec<_>>()),
        Some("figures") => figures(&arguments.collect::<Vec<_>>()),
        Some("screenshots") => screenshots(),
        Some("scorecard") => scorecard::run(&arguments.collect::<Vec<_>>()),
        Some("verify") => verify::everything(),
        Some("build") => programs::build(),
        Some("install") => machine::install_missing(),
        Some("supply") => supply::check(),
        Some("test") => verify::tests_only(),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the programs and becomes `watchdog dev`, so that signals and the exit code are its own.
fn dev(arguments: &[OsString]) -> anyhow::Result<()> {
    programs::build()?;
    let passed = match arguments.split_first() {
        Some((first, rest)) if first == "--" => rest,
        _ => arguments,
    };
    programs::become_program("watchdog", "dev", passed)
}

/// Builds the programs and becomes the one that takes the pictures.
fn screenshots() -> anyhow::Result<()> {
    machine::install_missing()?;
    programs::build()?;
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/dashboard");
    programs::become_program("screenshots", directory, &[])
}

/// Builds everything optimised and becomes the program that measures.
fn figures(arguments: &[OsString]) -> anyhow::Result<()> {
    programs::build_optimised()?;
    programs::become_optimised("figures", arguments)
}
