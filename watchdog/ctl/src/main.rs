//! Watchdogctl: the program; everything that it does stands in the library beside it, so that tests reach it.

fn main() -> std::process::ExitCode {
    watchdogctl::main()
}
