//! Golden: whole screens, compared with `tests/golden/live-*.txt`; `UPDATE_EXPECT=1` rewrites them, and the diff is read.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;
use watchdog_proto::admin::{ClusterStatus, Event, ReplicaView};

use super::draw::draw;
use super::scene::{News, Scene, Subject};
use crate::render::Paper;
use crate::render::golden::goal::{rolling, soaking};
use crate::render::golden::{compare, healthy, paper, plan_view, replica, troubled};

fn event(second: u32, kind: &str, replica: Option<&str>, message: &str) -> Event {
    Event {
        sequence: u64::from(second),
        at: format!("2026-05-01T11:59:{second:02}Z"),
        kind: kind.into(),
        replica: replica.map(str::to_owned),
        message: message.into(),
        ..Event::default()
    }
}

fn scene(status: ClusterStatus) -> Scene {
    let mut scene = Scene::of(Subject::Cluster, "demo");
    scene.hear(News::Status(Box::new(status), paper(None).now));
    scene
}

/// An incident under way.
fn incident() -> Scene {
    let mut scene = scene(troubled());
    scene.hear(News::Plan(Box::new(plan_view("running"))));
    scene.hear(News::Goal(Some(Box::new(rolling()))));
    for happened in [
        event(41, "elected", None, "watchdog-1 leads in epoch 7"),
        event(57, "died", Some("demo-b"), "demo-b died on host-b: signal 9 (SIGKILL)"),
        event(58, "convicted", Some("demo-b"), "demo-b exited (3 strikes)"),
    ] {
        scene.hear(News::Event(Box::new(happened)));
    }
    scene
}

fn buffer(scene: &mut Scene, columns: u16, lines: u16, paper: &Paper) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    // The first drawing finds out how much fits, as on a real screen.
    terminal.draw(|frame| draw(scene, frame, paper)).unwrap();
    terminal.draw(|frame| draw(scene, frame, paper)).unwrap();
    terminal.backend().buffer().clone()
}

fn screen(scene: &mut Scene, columns: u16, lines: u16) -> String {
    let drawn = buffer(scene, columns, lines, &paper(None));
    let line = |y: u16| {
        let cells = (0..columns).map(|x| drawn[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    (0..lines).map(line).collect()
}

fn press(scene: &mut Scene, code: KeyCode) {
    scene.press(KeyEvent::new(code, KeyModifiers::NONE));
}

fn crowd(count: usize) -> ClusterStatus {
    let named = |number: usize| {
        let state = match number {
            17 => "exited",
            23 => "loading",
            _ => "healthy",
        };
        ReplicaView { replica: format!("demo-{number:03}"), ..replica('a', state) }
    };
    ClusterStatus { replicas: (0..count).map(named).collect(), ..healthy() }
}

#[test]
fn a_healthy_cluster_is_calm() {
    compare("live-healthy", &screen(&mut scene(healthy()), 96, 16));
}

#[test]
fn an_incident_is_told_from_its_banner_to_its_last_event() {
    compare("live-incident", &screen(&mut incident(), 110, 40));
}

#[test]
fn a_small_screen_keeps_the_replicas_and_what_stands_in_the_way() {
    compare("live-small", &screen(&mut incident(), 60, 18));
    compare("live-tiny", &screen(&mut incident(), 30, 5));
    for (columns, lines) in [(1, 1), (2, 3), (10, 2), (300, 1), (1, 100)] {
        screen(&mut incident(), columns, lines);
    }
}

#[test]
fn hundreds_are_scrolled_the_unwell_first() {
    let mut scene = scene(crowd(300));
    compare("live-crowd", &screen(&mut scene, 96, 20));
    press(&mut scene, KeyCode::PageDown);
    let drawn = screen(&mut scene, 96, 20);
    assert!(!drawn.contains("demo-017") && drawn.contains("of 300, unwell first"), "{drawn}");
    press(&mut scene, KeyCode::Char('u'));
    let drawn = screen(&mut scene, 96, 20);
    assert!(drawn.contains("demo-000") && drawn.contains("of 300, by name"), "{drawn}");
    press(&mut scene, KeyCode::End);
    let drawn = screen(&mut scene, 96, 20);
    assert!(drawn.contains("demo-299") && drawn.contains("-300 of 300"), "{drawn}");
}

#[test]
fn a_soak_counts_down() {
    let mut scene = scene(healthy());
    scene.hear(News::Goal(Some(Box::new(soaking()))));
    compare("live-soak", &screen(&mut scene, 96, 18));
}

#[test]
fn a_lost_connection_is_a_sentence_above_what_was_known() {
    let mut lost = scene(healthy());
    let earlier = paper(None).now - Duration::from_secs(12);
    lost.hear(News::Status(Box::new(healthy()), earlier));
    let why =
        "no watchdog answered for cluster demo:\n  http://127.0.0.1:7401: cannot connect: Connection refused";
    lost.hear(News::StatusLost(why.into()));
    compare("live-lost", &screen(&mut lost, 80, 16));

    let mut never = Scene::of(Subject::Cluster, "demo");
    assert!(screen(&mut never, 80, 6).contains("Asking"));
    never.hear(News::StatusLost(why.into()));
    assert!(screen(&mut never, 80, 6).contains("Asked for again: no watchdog answered"));
}

#[test]
fn an_election_is_a_sentence() {
    let mut electing = scene(ClusterStatus { leader: None, ..healthy() });
    electing.hear(News::RecordLost("http://127.0.0.1:7401: the connection broke; going on elsewhere".into()));
    let drawn = screen(&mut electing, 96, 16);
    assert!(drawn.contains("Nobody leads: nothing is healed until a watchdog is elected."), "{drawn}");
    assert!(drawn.contains("The record is not told for the moment: http://127.0.0.1:7401"), "{drawn}");
}

#[test]
fn a_long_plan_is_seen_around_the_step_that_moves() {
    let mut plan = plan_view("running");
    let step = plan.steps[0].clone();
    plan.steps = (0..30).map(|_| step.clone()).collect();
    plan.steps[20].status = "running".into();
    let mut scene = scene(ClusterStatus { plan: Some("7-3".into()), ..healthy() });
    scene.hear(News::Plan(Box::new(plan)));
    let drawn = screen(&mut scene, 96, 40);
    assert!(drawn.contains("21  kill  demo-b   running") && !drawn.contains("\n1 "), "{drawn}");
}

#[test]
fn the_record_follows_until_it_is_scrolled() {
    let mut record = Scene::of(Subject::Record, "demo");
    for second in 0..60 {
        let told = event(second, "step_ended", Some("demo-b"), &format!("event {second}"));
        record.hear(News::Event(Box::new(told)));
    }
    compare("live-record", &screen(&mut record, 80, 10));
    press(&mut record, KeyCode::PageUp);
    record.hear(News::RecordLost("http://127.0.0.1:7401: it has ended; going on elsewhere".into()));
    compare("live-record-past", &screen(&mut record, 80, 10));
}

#[test]
fn tones_are_colours_only_where_they_are_wanted() {
    let plain = buffer(&mut incident(), 110, 40, &paper(None));
    let bare = |cell: &Cell| cell.fg == Color::Reset && cell.bg == Color::Reset && cell.modifier.is_empty();
    assert!(plain.content().iter().all(bare), "{plain:?}");
    let coloured = buffer(&mut incident(), 110, 40, &Paper { colour: true, ..paper(None) });
    let red = coloured.content().iter().filter(|cell| cell.fg == Color::Red).map(Cell::symbol);
    assert!(red.collect::<String>().contains("exited"), "{coloured:?}");
    let words = |buffer: &Buffer| buffer.content().iter().map(Cell::symbol).collect::<String>();
    assert_eq!(words(&plain), words(&coloured), "colours move nothing");
}

#[test]
fn nothing_from_elsewhere_moves_the_cursor() {
    let evil = "a\u{1b}[2Jb\u{7}";
    let mut status = troubled();
    status.cluster = evil.into();
    status.replicas[0].replica = evil.into();
    status.refusals[0].sentence = evil.into();
    let mut scene = scene(status);
    scene.hear(News::StatusLost(evil.into()));
    scene.hear(News::Event(Box::new(event(1, evil, Some(evil), evil))));
    let drawn = screen(&mut scene, 110, 40);
    assert!(!drawn.contains(['\u{1b}', '\u{7}']) && drawn.contains("a\\u{1b}[2Jb"), "{drawn}");
}
