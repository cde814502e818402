//! Feed: asks how the cluster is, at once after an event and otherwise every second, and tells the news.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};
use watchdog_proto::admin::{ClusterStatus, Event, GoalShowRequest, PlanShowRequest, StatusRequest};

use super::scene::{News, Subject};
use crate::failure::Failure;
use crate::fleet::{Client, Listener, Wanted};
use crate::settings::Settings;

/// From one look to the next when nothing happens.
const INTERVAL: Duration = Duration::from_secs(1);
/// The least time between two looks, however much happens.
const SPACING: Duration = Duration::from_millis(100);

/// Tells until there is no use in going on.
pub(super) async fn tell(
    subject: Subject,
    wanted: Wanted,
    news: &Sender<News>,
    settings: &Settings,
) -> Result<(), Failure> {
    let heard = Heard::default();
    let mut ear = Ear { news, heard: &heard };
    match subject {
        Subject::Record => settings.fleet.record(wanted, &mut ear).await,
        Subject::Cluster => tokio::select! {
            ended = settings.fleet.record(wanted, &mut ear) => ended,
            failed = look(news, &heard, settings) => failed,
        },
    }
}

/// What the record has said that is worth a look.
#[derive(Debug, Default)]
struct Heard {
    something: Notify,
    /// The last plan that was mentioned: a heal may be over before anybody asks for the open one.
    plan: RefCell<Option<String>>,
}

/// Hears the record.
struct Ear<'a> {
    news: &'a Sender<News>,
    heard: &'a Heard,
}

impl Ear<'_> {
    /// Waits while more has happened than is drawn yet.
    async fn pass_on(&self, news: News) -> Result<(), Failure> {
        self.heard.something.notify_one();
        self.news.send(news).await.map_err(|_| Failure::Closed)
    }
}

impl Listener for Ear<'_> {
    async fn opened(&mut self) -> Result<(), Failure> {
        self.pass_on(News::RecordFound).await
    }

    async fn event(&mut self, event: Event) -> Result<(), Failure> {
        if let Some(plan) = &event.plan {
            self.heard.plan.replace(Some(plan.clone()));
        }
        self.pass_on(News::Event(Box::new(event))).await
    }

    async fn trouble(&mut self, sentence: &str) -> Result<(), Failure> {
        self.pass_on(News::RecordLost(sentence.to_owned())).await
    }

    fn has_left(&self) -> bool {
        self.news.is_closed()
    }
}

/// Looks again and again; that nobody answers for a while is part of the story.
async fn look(news: &Sender<News>, heard: &Heard, settings: &Settings) -> Result<(), Failure> {
    loop {
        let told = match ask(settings).await {
            Ok(status) => {
                let (plan, goal) = (status.plan.clone(), status.goal.clone());
                let told = news.send(News::Status(Box::new(status), SystemTime::now())).await;
                let plan = plan.or_else(|| heard.plan.borrow().clone());
                details(plan, goal, news, settings).await;
                told
            }
            Err(failure) if failure.may_pass() => news.send(News::StatusLost(failure.to_string())).await,
            Err(failure) => return Err(failure),
        };
        told.map_err(|_| Failure::Closed)?;
        sleep(SPACING).await;
        // Either way it is time to look again.
        let _ = timeout(INTERVAL.saturating_sub(SPACING), heard.something.notified()).await;
    }
}

async fn ask(settings: &Settings) -> Result<ClusterStatus, Failure> {
    let request = StatusRequest { cluster: settings.cluster.clone() };
    settings.fleet.read(async |mut to: Client| to.status(request.clone()).await).await
}

/// Asks for the plan and the goal; whoever does not know them, or does not answer, is asked at the next look.
async fn details(plan: Option<String>, goal: Option<String>, news: &Sender<News>, settings: &Settings) {
    let cluster = &settings.cluster;
    if let Some(id) = plan {
        let request = PlanShowRequest { cluster: cluster.clone(), id };
        let asked = settings.fleet.read(async |mut to: Client| to.plan_show(request.clone()).await);
        if let Ok(plan) = asked.await {
            let _ = news.send(News::Plan(Box::new(plan))).await;
        }
    }
    let Some(id) = goal else {
        let _ = news.send(News::Goal(None)).await;
        return;
    };
    let request = GoalShowRequest { cluster: cluster.clone(), id };
    let asked = settings.fleet.read(async |mut to: Client| to.goal_show(request.clone()).await);
    if let Ok(goal) = asked.await {
        let _ = news.send(News::Goal(Some(Box::new(goal)))).await;
    }
}
