//! Live: the views on a whole screen, by the program as it is, on a terminal.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(
    dead_code,
    unused_imports,
    missing_docs,
    clippy::wildcard_imports,
    reason = "each test program uses its part; the services are as long as their protocol"
)]
mod fake;

use std::time::Duration;

use fake::{Fake, ctl, event, nobody};
use watchdog_proto::admin::ReplicaView;
use watchdog_tests::terminal::Terminal;

const PATIENCE: Duration = Duration::from_secs(30);

fn crowd(fake: &Fake, count: usize) {
    let named = |number: usize| ReplicaView {
        replica: format!("demo-{number:03}"),
        state: "healthy".into(),
        ..ReplicaView::default()
    };
    fake.script().status.replicas = (0..count).map(named).collect();
}

fn watch(endpoints: &[&str], arguments: &[&str]) -> Terminal {
    let mut command = ctl(endpoints);
    command.args(arguments);
    Terminal::start(&command, 100, 24).unwrap()
}

/// As it was: its own screen, cursor and modes, and what stood there.
fn given_back(terminal: &Terminal, modes: &str, exit_code: i32) {
    let screen = terminal.until_ended(PATIENCE).unwrap();
    assert_eq!(screen, format!("before\nended with {exit_code}"));
    assert!(!terminal.is_taken());
    assert_eq!(terminal.modes().unwrap(), modes);
}

#[test]
fn a_status_is_watched_scrolled_resized_and_left() {
    let fake = Fake::leading(7);
    crowd(&fake, 200);
    let mut terminal = watch(&[&fake.url], &["status", "--watch"]);
    let modes = terminal.modes().unwrap();
    terminal.until("first row", PATIENCE, |screen| screen.contains("demo-000")).unwrap();
    assert!(terminal.is_taken());
    terminal.press("\x1b[6~").unwrap();
    terminal
        .until("next page", PATIENCE, |screen| !screen.contains("demo-000") && screen.contains("of 200"))
        .unwrap();
    terminal.press("\x1b[F").unwrap();
    terminal.until("last row", PATIENCE, |screen| screen.contains("demo-199")).unwrap();
    terminal.press("\x1b[H\x1b[B").unwrap();
    terminal
        .until("second row", PATIENCE, |screen| screen.contains("2-") && !screen.contains("demo-000"))
        .unwrap();
    terminal.resize(60, 12).unwrap();
    terminal.until("smaller page", PATIENCE, |screen| screen.contains("2-8 of 200")).unwrap();
    fake.script().status.replicas[150].state = "exited".into();
    fake.tell([event(1)]);
    terminal.press("\x1b[H").unwrap();
    terminal.until("the unwell first", PATIENCE, |screen| screen.contains("demo-150  exited")).unwrap();
    terminal.press("q").unwrap();
    given_back(&terminal, &modes, 0);
}

#[test]
fn only_what_has_changed_is_drawn() {
    let fake = Fake::leading(7);
    crowd(&fake, 10);
    let terminal = watch(&[&fake.url], &["status", "--watch"]);
    terminal.until("first row", PATIENCE, |screen| screen.contains("demo-000")).unwrap();
    let before = terminal.bytes().len();
    fake.script().status.replicas[3].state = "exited".into();
    terminal.until("change", PATIENCE, |screen| screen.contains("demo-003  exited")).unwrap();
    let drawn = terminal.bytes()[before..].to_owned();
    assert!(drawn.contains("exited") && !drawn.contains("demo-009"), "{drawn:?}");
    assert!(drawn.contains("\x1b[38;5;1;49mexited"), "red: {drawn:?}");
}

#[test]
fn no_colour_is_honoured() {
    let fake = Fake::leading(7);
    crowd(&fake, 3);
    let mut command = ctl(&[&fake.url]);
    command.args(["status", "--watch"]).env("NO_COLOR", "1");
    let terminal = Terminal::start(&command, 80, 24).unwrap();
    terminal.until("first row", PATIENCE, |screen| screen.contains("demo-000")).unwrap();
    let bytes = terminal.bytes();
    assert!(!bytes.contains("\x1b[38;5;") && !bytes.contains("\x1b[1m"), "{bytes:?}");
}

#[test]
fn a_lost_connection_is_told_and_the_view_goes_on() {
    let mut first = Fake::leading(7);
    crowd(&first, 3);
    let second = Fake::leading(8);
    let leader = second.script().leader.take();
    crowd(&second, 4);
    second.script().refuses_survey = Some(tonic::Status::unavailable("starting"));
    let terminal = watch(&[&first.url, &second.url], &["status", "--watch"]);
    terminal.until("first row", PATIENCE, |screen| screen.contains("demo-002")).unwrap();
    first.kill();
    let lost = terminal
        .until("sentence", PATIENCE, |screen| screen.contains("Connection lost; what is shown is"))
        .unwrap();
    assert!(lost.contains("demo-002"), "what was known is still there: {lost}");
    second.script().refuses_survey = None;
    let electing = "Nobody leads: nothing is healed until a watchdog is elected.";
    terminal.until("election", PATIENCE, |screen| screen.contains(electing)).unwrap();
    second.script().leader = leader;
    let led =
        |screen: &str| screen.contains("epoch 8") && screen.contains("demo-003") && !screen.contains("lost");
    terminal.until("next leader", PATIENCE, led).unwrap();
}

#[test]
fn a_plan_that_was_over_at_once_is_still_shown() {
    let fake = Fake::leading(7);
    crowd(&fake, 3);
    let terminal = watch(&[&fake.url], &["status", "--watch"]);
    terminal.until("first row", PATIENCE, |screen| screen.contains("demo-002")).unwrap();
    fake.tell([event(1)]);
    let shown = |screen: &str| screen.contains("Last plan 7-1: done") && screen.contains("event 1");
    terminal.until("the last plan", PATIENCE, shown).unwrap();
}

#[test]
fn the_record_is_followed_scrolled_and_left() {
    let fake = Fake::leading(7);
    fake.tell((1..=100).map(event));
    let mut terminal = watch(&[&fake.url], &["events", "--follow"]);
    let modes = terminal.modes().unwrap();
    terminal.until("the end", PATIENCE, |screen| screen.contains("event 100 ")).unwrap();
    terminal.press("\x1b[H").unwrap();
    terminal.until("the beginning", PATIENCE, |screen| screen.contains("event 1 ")).unwrap();
    fake.tell([event(101)]);
    terminal
        .until("a remark", PATIENCE, |screen| screen.contains("80 more below") && screen.contains("event 1 "))
        .unwrap();
    terminal.press("G").unwrap();
    terminal.until("the end", PATIENCE, |screen| screen.contains("event 101 ")).unwrap();
    terminal.press("\x03").unwrap();
    given_back(&terminal, &modes, 130);
}

#[test]
fn signals_give_the_terminal_back() {
    let fake = Fake::leading(7);
    crowd(&fake, 3);
    for (signal, exit_code) in [(rustix::process::Signal::TERM, 143), (rustix::process::Signal::INT, 130)] {
        let terminal = watch(&[&fake.url], &["status", "--watch"]);
        let modes = terminal.modes().unwrap();
        terminal.until("first row", PATIENCE, |screen| screen.contains("demo-000")).unwrap();
        let pid = i32::try_from(terminal.pid().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
        given_back(&terminal, &modes, exit_code);
    }
}

#[test]
fn what_is_wrong_is_said_on_the_screen_as_it_was() {
    let (_socket, endpoint) = nobody();
    let terminal = watch(&[&endpoint], &["status", "--watch"]);
    let screen = terminal.until_ended(PATIENCE).unwrap();
    assert!(
        screen.contains("no watchdog answered for cluster demo") && screen.ends_with("ended with 3"),
        "{screen}"
    );

    let fake = Fake::leading(7);
    fake.script().refuses = Some(tonic::Status::permission_denied("cluster demo is not for you"));
    let terminal = watch(&[&fake.url], &["status", "--watch"]);
    let screen = terminal.until_ended(PATIENCE).unwrap();
    assert_eq!(screen, "before\nwatchdogctl: cluster demo is not for you\nended with 1");
    assert!(!terminal.is_taken());
}
