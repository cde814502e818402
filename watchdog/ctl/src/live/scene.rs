//! Scene: all that a live view knows and where its reader has scrolled to; changed by news and keys only.

use std::collections::VecDeque;
use std::time::SystemTime;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use watchdog_proto::admin::{ClusterStatus, Event, GoalView, PlanView, ReplicaView};

use crate::render::Tone;

/// Older events are forgotten: `events --since` has them.
const EVENTS_MAX: usize = 10_000;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Replicas, plan, goal, refusals, last events.
    Cluster,
    /// The record alone.
    Record,
}

/// What has been heard.
#[derive(Debug, Clone)]
pub(super) enum News {
    /// How the cluster is, and when that was asked.
    Status(Box<ClusterStatus>, SystemTime),
    /// The open plan, or the last one.
    Plan(Box<PlanView>),
    /// The goal that rolls; nothing when none does.
    Goal(Option<Box<GoalView>>),
    /// Something has happened.
    Event(Box<Event>),
    /// Nobody tells how the cluster is, and why.
    StatusLost(String),
    /// A watchdog tells the record.
    RecordFound,
    /// Nobody tells the record, and why.
    RecordLost(String),
}

/// What a key means for the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Go on.
    Stay,
    /// Enough was seen.
    Leave,
    /// Ctrl-C.
    Interrupt,
}

/// A window over lines, of which there may be more than fit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scroll {
    /// The first line that is seen, or in a record that is followed: how many lines stand below the window.
    pub(super) at: usize,
    /// How many lines the window had when it was drawn last.
    pub(super) page: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Scene {
    /// What is shown.
    pub(super) subject: Subject,
    /// Of which cluster.
    pub(super) cluster: String,
    /// How it is, as far as known.
    pub(super) status: Option<ClusterStatus>,
    /// When that was asked.
    pub(super) seen: Option<SystemTime>,
    /// Why it is not known better.
    pub(super) status_lost: Option<String>,
    /// Why nobody tells the record.
    pub(super) record_lost: Option<String>,
    /// The open plan, or the last.
    pub(super) plan: Option<PlanView>,
    /// The goal that rolls.
    pub(super) goal: Option<GoalView>,
    /// The last events, oldest first.
    pub(super) events: VecDeque<Event>,
    /// Whether those that are not well stand first.
    pub(super) unwell_first: bool,
    /// Where the reader is.
    pub(super) scroll: Scroll,
}

impl Scene {
    /// One of which nothing is known yet.
    pub(super) fn of(subject: Subject, cluster: &str) -> Self {
        Self {
            subject,
            cluster: cluster.to_owned(),
            status: None,
            seen: None,
            status_lost: None,
            record_lost: None,
            plan: None,
            goal: None,
            events: VecDeque::new(),
            unwell_first: true,
            scroll: Scroll::default(),
        }
    }

    /// Takes in what was heard.
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Status(status, at) => {
                self.status = Some(*status);
                self.seen = Some(at);
                self.status_lost = None;
            }
            News::Plan(plan) => self.plan = Some(*plan),
            News::Goal(goal) => self.goal = goal.map(|goal| *goal),
            News::Event(event) => {
                self.events.push_back(*event);
                if self.events.len() > EVENTS_MAX {
                    self.events.pop_front();
                }
                // Whoever reads what is past goes on reading it.
                if self.subject == Subject::Record && self.scroll.at > 0 {
                    self.scroll.at = (self.scroll.at + 1).min(self.events.len());
                }
            }
            News::StatusLost(why) => self.status_lost = Some(why),
            News::RecordFound => self.record_lost = None,
            News::RecordLost(why) => self.record_lost = Some(why),
        }
    }

    /// Does what a key says.
    pub(super) fn press(&mut self, key: KeyEvent) -> Next {
        if key.kind == KeyEventKind::Release {
            return Next::Stay;
        }
        let page = self.scroll.page.saturating_sub(1).max(1);
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Next::Interrupt,
            KeyCode::Char('q') | KeyCode::Esc => return Next::Leave,
            KeyCode::Up | KeyCode::Char('k') => self.back(1),
            KeyCode::Down | KeyCode::Char('j') => self.forward(1),
            KeyCode::PageUp | KeyCode::Char('b') => self.back(page),
            KeyCode::PageDown | KeyCode::Char(' ' | 'f') => self.forward(page),
            KeyCode::Home | KeyCode::Char('g') => self.back(usize::MAX),
            KeyCode::End | KeyCode::Char('G') => self.forward(usize::MAX),
            KeyCode::Char('u') if self.subject == Subject::Cluster => {
                self.unwell_first = !self.unwell_first;
                self.scroll.at = 0;
            }
            _ => {}
        }
        Next::Stay
    }

    /// Towards the beginning.
    fn back(&mut self, lines: usize) {
        self.scroll.at = match self.subject {
            Subject::Cluster => self.scroll.at.saturating_sub(lines),
            Subject::Record => self.scroll.at.saturating_add(lines).min(self.last()),
        };
    }

    /// Towards the end.
    fn forward(&mut self, lines: usize) {
        self.scroll.at = match self.subject {
            Subject::Cluster => self.scroll.at.saturating_add(lines).min(self.last()),
            Subject::Record => self.scroll.at.saturating_sub(lines),
        };
    }

    /// How far the window can move.
    fn last(&self) -> usize {
        let lines = match self.subject {
            Subject::Cluster => self.status.as_ref().map_or(0, |status| status.replicas.len()),
            Subject::Record => self.events.len(),
        };
        lines.saturating_sub(self.scroll.page.max(1))
    }

    /// Remembers how large the window was drawn, and moves it when it now ends behind the last line.
    pub(super) fn drawn(&mut self, page: usize) {
        self.scroll.page = page;
        self.scroll.at = self.scroll.at.min(self.last());
    }

    /// The status with its replicas in the order that the reader wants.
    pub(super) fn ordered(&self) -> Option<ClusterStatus> {
        let mut status = self.status.clone()?;
        if self.unwell_first {
            status.replicas.sort_by_key(|replica| std::cmp::Reverse(badness(replica)));
        }
        Some(status)
    }
}

/// How much a replica wants to be looked at.
fn badness(replica: &ReplicaView) -> u8 {
    match Tone::of_state(&replica.state) {
        Tone::Bad => 3,
        Tone::Unsure => 2,
        _ if replica.expected.is_some() && replica.expected != replica.version => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(scene: &mut Scene, code: KeyCode) -> Next {
        scene.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn replica(name: &str, state: &str) -> ReplicaView {
        ReplicaView { replica: name.into(), state: state.into(), ..ReplicaView::default() }
    }

    fn crowd(count: usize) -> Scene {
        let mut scene = Scene::of(Subject::Cluster, "demo");
        let replicas = (0..count).map(|number| replica(&format!("r{number}"), "healthy")).collect();
        let status = ClusterStatus { replicas, ..ClusterStatus::default() };
        scene.hear(News::Status(Box::new(status), SystemTime::UNIX_EPOCH));
        scene.drawn(10);
        scene
    }

    #[test]
    fn keys_move_the_window_and_never_beyond_the_ends() {
        let mut scene = crowd(100);
        let table = [
            (KeyCode::Up, 0),
            (KeyCode::Down, 1),
            (KeyCode::PageDown, 10),
            (KeyCode::Char(' '), 19),
            (KeyCode::PageUp, 10),
            (KeyCode::End, 90),
            (KeyCode::Down, 90),
            (KeyCode::Char('k'), 89),
            (KeyCode::Home, 0),
            (KeyCode::Char('x'), 0),
        ];
        for (key, at) in table {
            assert_eq!(press(&mut scene, key), Next::Stay);
            assert_eq!(scene.scroll.at, at, "{key:?}");
        }
        assert_eq!(press(&mut scene, KeyCode::Char('q')), Next::Leave);
        assert_eq!(press(&mut scene, KeyCode::Esc), Next::Leave);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(scene.press(control_c), Next::Interrupt);
        press(&mut scene, KeyCode::End);
        scene.drawn(60);
        assert_eq!(scene.scroll.at, 40, "a larger window shows more, not nothing");
    }

    #[test]
    fn the_unwell_stand_first_until_the_reader_wants_them_in_order() {
        let mut scene = crowd(1);
        let drifted = ReplicaView { expected: Some(2), version: Some(1), ..replica("b", "healthy") };
        let replicas =
            vec![replica("a", "healthy"), drifted, replica("c", "loading"), replica("d", "exited")];
        let status = ClusterStatus { replicas, ..ClusterStatus::default() };
        scene.hear(News::Status(Box::new(status), SystemTime::UNIX_EPOCH));
        let order = |scene: &Scene| {
            let replicas = scene.ordered().map(|status| status.replicas).unwrap_or_default();
            replicas.into_iter().map(|it| it.replica).collect::<String>()
        };
        assert_eq!(order(&scene), "dcba");
        press(&mut scene, KeyCode::Char('u'));
        assert_eq!(order(&scene), "abcd");
    }

    #[test]
    fn a_reader_of_the_past_is_not_moved_by_the_present() {
        let mut scene = Scene::of(Subject::Record, "demo");
        let tell = |scene: &mut Scene| scene.hear(News::Event(Box::default()));
        (0..50).for_each(|_| tell(&mut scene));
        scene.drawn(10);
        tell(&mut scene);
        assert_eq!(scene.scroll.at, 0, "it follows");
        press(&mut scene, KeyCode::Up);
        tell(&mut scene);
        assert_eq!(scene.scroll.at, 2, "the same lines are seen");
        press(&mut scene, KeyCode::Home);
        assert_eq!(scene.scroll.at, 42, "the first ten of 52");
        press(&mut scene, KeyCode::End);
        assert_eq!(scene.scroll.at, 0, "it follows again");
        (0..EVENTS_MAX + 5).for_each(|_| tell(&mut scene));
        assert_eq!(scene.events.len(), EVENTS_MAX);
    }

    #[test]
    fn what_was_lost_is_found_again() {
        let mut scene = crowd(1);
        scene.hear(News::StatusLost("gone".into()));
        scene.hear(News::RecordLost("gone too".into()));
        assert!(scene.status_lost.is_some() && scene.record_lost.is_some() && scene.status.is_some());
        scene.hear(News::RecordFound);
        scene.hear(News::Status(Box::default(), SystemTime::UNIX_EPOCH));
        assert!(scene.status_lost.is_none() && scene.record_lost.is_none());
    }
}
