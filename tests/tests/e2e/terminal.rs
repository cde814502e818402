//! Terminal: an incident and an election as a person sees them on a terminal, on a real cluster.

use std::time::Instant;

use watchdog_tests::story::{Backend, PATIENCE, Story};
use watchdog_tests::terminal::Terminal;

#[test]
fn an_incident_and_an_election_are_seen_on_the_screen_and_q_leaves_it_as_it_was() {
    let story = Story::begin(Backend::Embedded).unwrap();
    let command = story.dev.ctl_command(&["status", "--watch"]).unwrap();
    let mut terminal = Terminal::start(&command, 140, 40).unwrap();
    let modes = terminal.modes().unwrap();
    terminal.until("a calm cluster", PATIENCE, |screen| screen.contains("Replicas: 3 healthy")).unwrap();

    let dead = story.replica("demo-b").unwrap();
    let killed = Instant::now();
    story.kill(&dead).unwrap();
    terminal
        .until("the incident", PATIENCE, |screen| {
            screen.contains("demo-b died on") && screen.contains("SIGKILL")
        })
        .unwrap();
    eprintln!("seen {} ms after the kill", killed.elapsed().as_millis());
    let healed = |screen: &str| {
        let steps = ["start  demo-b", "probe  demo-b"].iter().all(|step| screen.contains(step));
        screen.contains("Replicas: 3 healthy") && screen.contains("Last plan") && steps
    };
    terminal.until("the heal, step by step", PATIENCE, healed).unwrap();

    let status = story.dev.status().unwrap();
    let epoch = status["leader"]["epoch"].as_u64().unwrap();
    let watchdogs = status["watchdogs"].as_array().unwrap();
    let leader = watchdogs.iter().find(|watchdog| watchdog["role"] == "leader").unwrap();
    story.dev.kill9(u32::try_from(leader["pid"].as_u64().unwrap()).unwrap()).unwrap();
    let next = |screen: &str| {
        let head = screen.lines().next().unwrap_or_default();
        let told =
            head.split("epoch ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        told.is_some_and(|now| now > epoch) && screen.contains("Replicas: 3 healthy")
    };
    terminal.until("the next leader", PATIENCE, next).unwrap();

    terminal.press("q").unwrap();
    assert_eq!(terminal.until_ended(PATIENCE).unwrap(), "before\nended with 0");
    assert!(!terminal.is_taken());
    assert_eq!(terminal.modes().unwrap(), modes);
}
