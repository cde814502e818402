//! Unfenced: the host agent with its fence open, by which the real-fault suite shows that it would see a stale act.

fn main() -> std::process::ExitCode {
    host_agent::main_unfenced()
}
