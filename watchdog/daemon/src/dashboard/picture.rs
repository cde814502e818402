//! Picture: what the dashboard shows of one cluster, and what is different between two looks at it.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use watchdog_core::ids::{GoalId, ReplicaId, Time};
use watchdog_leader::looked::Looked;
use watchdog_proto::admin as wire;

use crate::admin::{goal_view, plans, views};
use crate::clock::rfc3339;
use crate::cluster::world::{Role, World};

/// Plans in a picture beside those that are open.
const PLANS_SHOWN: usize = 12;
/// Goals in a picture, the newest.
const GOALS_SHOWN: usize = 8;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Picture {
    /// Whether the watchdog that shows it leads.
    pub(super) leads: bool,
    /// Everything but the replicas.
    pub(super) status: wire::ClusterStatus,
    /// By name.
    #[serde(serialize_with = "views_of")]
    pub(super) replicas: Vec<Row>,
    /// Those that are open and the newest others, newest first.
    pub(super) plans: Vec<wire::PlanView>,
    /// The newest, newest first; the one that rolls in full.
    pub(super) goals: Vec<wire::GoalView>,
}

/// One replica, and the mark of what its row was made of: hundreds that did not change need not be written out again.
#[derive(Debug, Clone)]
pub(super) struct Row {
    mark: u64,
    view: Arc<wire::ReplicaView>,
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.view, &other.view) || self.view == other.view
    }
}

fn views_of<S: Serializer>(rows: &[Row], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(|row| &*row.view))
}

/// What is to be done to an older picture to make it this one.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Difference {
    #[serde(skip_serializing_if = "Option::is_none")]
    leads: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<wire::ClusterStatus>,
    /// Those that are new or other.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "views_of")]
    replicas: Vec<Row>,
    /// Those that are not there any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gone: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plans: Vec<wire::PlanView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    goals: Vec<wire::GoalView>,
}

impl Picture {
    /// Takes one.
    pub(super) fn take(world: &World, now: Time) -> Self {
        Self::of_rows(all_rows(world, &[]), world, now)
    }

    /// Takes the next one: the rows of who is in the news are looked at, and the others are shared with this one.
    pub(super) fn again(&self, world: &World, now: Time, news: &Looked) -> Self {
        let rows = match news {
            Looked::All => all_rows(world, &self.replicas),
            Looked::Only(replicas) => some_rows(world, &self.replicas, replicas),
            Looked::Nothing => self.replicas.clone(),
        };
        Self::of_rows(rows, world, now)
    }

    fn of_rows(replicas: Vec<Row>, world: &World, now: Time) -> Self {
        Self {
            leads: world.role != Role::Follower,
            status: views::status_but_replicas(world, now),
            replicas,
            plans: plans_of(world),
            goals: goals_of(world, now),
        }
    }

    /// What is new in `newer`; `None` when nothing is.
    pub(super) fn difference(&self, newer: &Self) -> Option<Difference> {
        let mut old = Along::new(&self.replicas);
        let replicas = newer.replicas.iter().filter(|row| old.find(&row.view.replica) != Some(*row)).cloned();
        let replicas = replicas.collect();
        let mut new = Along::new(&newer.replicas);
        let gone = self.replicas.iter().map(|row| &row.view.replica).filter(|name| new.find(name).is_none());
        let plans = newer.plans.iter().filter(|plan| !self.plans.contains(plan));
        let goals = newer.goals.iter().filter(|goal| !self.goals.contains(goal));
        let difference = Difference {
            leads: (self.leads != newer.leads).then_some(newer.leads),
            status: (self.status != newer.status).then(|| newer.status.clone()),
            replicas,
            gone: gone.cloned().collect(),
            plans: plans.cloned().collect(),
            goals: goals.cloned().collect(),
        };
        (difference != Difference::default()).then_some(difference)
    }
}

/// Looks names up in rows, both sorted, by going along them once.
struct Along<'a> {
    rows: std::iter::Peekable<std::slice::Iter<'a, Row>>,
}

impl<'a> Along<'a> {
    fn new(rows: &'a [Row]) -> Self {
        Self { rows: rows.iter().peekable() }
    }

    fn find(&mut self, name: &str) -> Option<&'a Row> {
        while self.rows.next_if(|row| row.view.replica.as_str() < name).is_some() {}
        self.rows.peek().filter(|row| row.view.replica == name).copied()
    }
}

fn all_rows(world: &World, old: &[Row]) -> Vec<Row> {
    let mut old = Along::new(old);
    let rows = views::replicas(world);
    rows.into_iter().map(|replica| row_of(world, replica, old.find(replica.as_str()))).collect()
}

/// The old rows, but for those of `replicas`, which are looked at.
fn some_rows(world: &World, old: &[Row], replicas: &BTreeSet<ReplicaId>) -> Vec<Row> {
    let names: BTreeSet<&str> = replicas.iter().map(ReplicaId::as_str).collect();
    let others = old.iter().filter(|row| !names.contains(row.view.replica.as_str()));
    let mut rows: Vec<Row> = others.cloned().collect();
    let mut old = Along::new(old);
    let shown = replicas.iter().filter(|replica| views::is_shown(world, replica));
    rows.extend(shown.map(|replica| row_of(world, replica, old.find(replica.as_str()))));
    rows.sort_by(|one, other| one.view.replica.cmp(&other.view.replica));
    rows
}

/// Its row; the old one, where that is the same.
fn row_of(world: &World, replica: &ReplicaId, old: Option<&Row>) -> Row {
    let seen = views::seen(world, replica);
    let mut hasher = DefaultHasher::new();
    seen.hash(&mut hasher);
    let mark = hasher.finish();
    let same = old.filter(|row| row.mark == mark);
    same.cloned().unwrap_or_else(|| Row { mark, view: Arc::new(seen.view()) })
}

fn plans_of(world: &World) -> Vec<wire::PlanView> {
    let mut others = 0;
    let shown = world.plans.newest(usize::MAX).filter(|story| {
        others += usize::from(!story.status.is_open());
        story.status.is_open() || others <= PLANS_SHOWN
    });
    let views = shown.map(|story| {
        let mut view = views::plan_view(story);
        plans::add_progress(world, story, &mut view);
        view
    });
    views.collect()
}

fn goals_of(world: &World, now: Time) -> Vec<wire::GoalView> {
    let rolls = |id: &GoalId| world.history.rollout.as_ref().is_some_and(|rollout| rollout.goal == *id);
    let views = world.goals.newest(GOALS_SHOWN).map(|story| {
        if !rolls(&story.id) {
            return goal_view::brief(world, story);
        }
        // What is refused stands in the status already.
        wire::GoalView { refusals: Vec::new(), ..goal_view::full(world, story, now) }
    });
    views.collect()
}

/// A moment, as the page reads it.
pub(super) fn moment(world: &World) -> String {
    rfc3339(world.now())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn row(replica: &str, state: &str) -> Row {
        let view = wire::ReplicaView { replica: replica.into(), state: state.into(), ..Default::default() };
        Row { mark: 0, view: Arc::new(view) }
    }

    fn picture(rows: &[(&str, &str)]) -> Picture {
        Picture {
            leads: true,
            status: wire::ClusterStatus { cluster: "demo".into(), ..Default::default() },
            replicas: rows.iter().map(|(name, state)| row(name, state)).collect(),
            plans: Vec::new(),
            goals: Vec::new(),
        }
    }

    /// A world in which nobody was seen yet.
    fn world(declared: &[&str]) -> World {
        let mut world = World::new("demo".parse().unwrap());
        let unread = |name: &&str| (name.parse().unwrap(), Err("a test says nothing of it".to_owned()));
        world.log.replicas = declared.iter().map(unread).collect();
        world
    }

    fn names(picture: &Picture) -> Vec<&str> {
        picture.replicas.iter().map(|row| row.view.replica.as_str()).collect()
    }

    #[test]
    fn the_next_picture_looks_at_who_is_in_the_news_and_at_no_other() {
        let before = Picture::take(&world(&["b", "c", "d", "e"]), Time(1));
        let now = world(&["a", "c", "d", "f"]);
        let table: [(&[&str], &[&str]); 4] = [
            (&["a", "b", "e", "f"], &["a", "c", "d", "f"]),
            (&["b", "zz"], &["c", "d", "e"]),
            (&["a", "d"], &["a", "b", "c", "d", "e"]),
            (&[], &["b", "c", "d", "e"]),
        ];
        for (news, shown) in table {
            let news = Looked::Only(news.iter().map(|name| name.parse().unwrap()).collect());
            let after = before.again(&now, Time(2), &news);
            assert_eq!(names(&after), shown, "{news:?}");
            let kept = |row: &Row| before.replicas.iter().any(|old| Arc::ptr_eq(&old.view, &row.view));
            assert!(after.replicas.iter().filter(|row| row.view.replica == "c").all(kept), "it is the same");
        }
        assert_eq!(before.again(&now, Time(2), &Looked::All), Picture::take(&now, Time(2)));
    }

    #[test]
    fn only_rows_that_are_other_are_told() {
        let before = picture(&[("a", "healthy"), ("b", "healthy"), ("c", "healthy")]);
        let table = [
            (picture(&[("a", "healthy"), ("b", "healthy"), ("c", "healthy")]), None),
            (picture(&[("a", "healthy"), ("b", "exited"), ("c", "healthy")]), Some((vec!["b"], vec![]))),
            (picture(&[("a", "healthy"), ("c", "healthy")]), Some((vec![], vec!["b"]))),
            (
                picture(&[("aa", "healthy"), ("b", "healthy"), ("c", "missing")]),
                Some((vec!["aa", "c"], vec!["a"])),
            ),
        ];
        for (after, told) in table {
            let difference = before.difference(&after);
            let names = difference.as_ref().map(|difference| {
                let changed =
                    difference.replicas.iter().map(|row| row.view.replica.as_str()).collect::<Vec<_>>();
                (changed, difference.gone.iter().map(String::as_str).collect::<Vec<_>>())
            });
            assert_eq!(names, told);
        }
    }

    #[test]
    fn what_did_not_change_is_not_written() {
        let before = picture(&[("a", "healthy")]);
        let after = Picture { leads: false, ..before.clone() };
        let difference = before.difference(&after).unwrap();
        assert_eq!(serde_json::to_string(&difference).unwrap(), r#"{"leads":false}"#);
    }
}
