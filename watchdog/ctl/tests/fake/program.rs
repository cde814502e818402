//! Program: watchdogctl as it is built, and places where nobody answers it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};

/// The program, told of nothing but its arguments and the cluster `demo`.
pub(crate) fn ctl(endpoints: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchdogctl"));
    command.env("WATCHDOG_ENDPOINTS", endpoints.join(",")).env("WATCHDOG_CLUSTER", "demo");
    command.env("USER", "alice").env_remove("NO_COLOR");
    command
}

/// Runs it to its end.
pub(crate) fn run(endpoints: &[&str], arguments: &[&str]) -> Output {
    ctl(endpoints).args(arguments).output().unwrap()
}

/// Standard output as text.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error as text.
pub(crate) fn complained(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// An endpoint at which nobody listens, and nobody can as long as the socket lives.
pub(crate) fn nobody() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

/// An endpoint that takes connections and never says a word, like a stopped process.
pub(crate) fn hung() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Runs it to its end with this on its standard input.
pub(crate) fn fed(endpoints: &[&str], arguments: &[&str], input: &str) -> Output {
    let mut command = ctl(endpoints);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A child that does not outlive its test.
pub(crate) struct Guarded(pub(crate) Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Guarded {
    /// What it says on standard output, as it says it.
    pub(crate) fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        BufReader::new(self.0.stdout.take().unwrap()).lines().map(Result::unwrap)
    }

    /// Its exit code, and all that it complained of.
    pub(crate) fn ended(&mut self) -> (Option<i32>, String) {
        let mut complaint = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        (self.0.wait().unwrap().code(), complaint)
    }
}

/// Starts it with its output in pipes.
pub(crate) fn piped(endpoints: &[&str], arguments: &[&str]) -> Guarded {
    let mut command = ctl(endpoints);
    Guarded(command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Starts it on a terminal of 60 columns; what it draws is read from the file, to the end of the child.
pub(crate) fn on_a_terminal(endpoints: &[&str], arguments: &[&str]) -> (Guarded, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let size = rustix::termios::Winsize { ws_row: 20, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&theirs, size).unwrap();
    let mut command = ctl(endpoints);
    command.args(arguments).env("TERM", "xterm").stdout(theirs.try_clone().unwrap()).stderr(theirs);
    (Guarded(command.spawn().unwrap()), File::from(ours))
}
