//! Goals: what the fake says about goals, and what it was told of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use watchdog_proto::admin::{
    DiffLine, GoalApplyReply, GoalApplyRequest, GoalDiffReply, GoalDiffRequest, GoalReplicaView, GoalView,
};

use super::Shared;

/// What it knows of goals.
#[derive(Debug, Default)]
pub(crate) struct GoalScript {
    /// What any goal would change.
    pub(crate) diff: GoalDiffReply,
    /// What is wrong with any goal, if it is sent to be compared.
    pub(crate) refuses_diff: Option<Status>,
    /// What is wrong with any goal, if it is declared.
    pub(crate) refuses_apply: Option<Status>,
    /// The head to which the log moves just before the next goal is declared.
    pub(crate) moves_to: Option<u64>,
    /// The story of one goal, each view told to all who watch.
    pub(crate) views: Vec<GoalView>,
    /// What was declared.
    pub(crate) applied: Vec<GoalApplyRequest>,
    /// The goals that were compared.
    pub(crate) compared: Vec<String>,
}

impl GoalScript {
    /// One key that changes on top of `head`.
    pub(crate) fn changes_one(&mut self, head: u64) {
        let line = DiffLine {
            operation: "change".into(),
            key: "model/fraud".into(),
            before_json: Some("1".into()),
            after_json: Some("2".into()),
        };
        self.diff = GoalDiffReply { head, lines: vec![line], changed: 1, ..GoalDiffReply::default() };
    }

    pub(super) fn diff(&mut self, request: &GoalDiffRequest) -> Result<GoalDiffReply, Status> {
        self.compared.push(request.goal_json.clone());
        self.refuses_diff.clone().map_or(Ok(self.diff.clone()), Err)
    }

    pub(super) fn apply(&mut self, request: GoalApplyRequest) -> Result<GoalApplyReply, Status> {
        if let Some(head) = self.moves_to.take() {
            self.diff.head = head;
        }
        let (at, head) = (request.at, self.diff.head);
        self.applied.push(request);
        if let Some(status) = &self.refuses_apply {
            return Err(status.clone());
        }
        if let Some(expected) = at.filter(|expected| *expected != head) {
            let said = format!("the log has moved on: its head is {head}, not {expected}");
            return Err(Status::aborted(said));
        }
        let message = "goal g-1 is declared".to_owned();
        Ok(GoalApplyReply { id: "g-1".into(), status: "pending".into(), message, head })
    }

    pub(super) fn known(&self, id: &str) -> Result<GoalView, Status> {
        let known = self.views.last().filter(|view| view.id == id).cloned();
        known.ok_or_else(|| Status::not_found(format!("id: there is no goal {id}")))
    }
}

/// The goal `g-1` at some stage; an empty one is none.
pub(crate) fn goal(status: &str, stage: &str, replicas: &str) -> GoalView {
    let replica = |word: &str| {
        let (name, stage) = word.split_once('=').unwrap();
        GoalReplicaView { replica: name.into(), stage: stage.into(), ..GoalReplicaView::default() }
    };
    GoalView {
        id: "g-1".into(),
        status: status.into(),
        gist: "set model/fraud".into(),
        by: "alice@desk".into(),
        declared_at: "2026-05-01T09:30:00Z".into(),
        stage: (!stage.is_empty()).then(|| stage.to_owned()),
        stage_detail: (!stage.is_empty()).then(|| format!("it is at {stage}")),
        why: if stage.is_empty() { format!("so it was {status}") } else { String::new() },
        replicas: replicas.split_whitespace().map(replica).collect(),
        ..GoalView::default()
    }
}

/// Tells the story from its beginning, and goes on as it does, to its end.
pub(super) fn watch(shared: Arc<Shared>) -> ReceiverStream<Result<GoalView, Status>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut told = 0;
        loop {
            let changed = shared.changed.notified();
            let news: Vec<GoalView> = shared.script.lock().unwrap().goals.views[told..].to_vec();
            told += news.len();
            for view in news {
                let over = !["pending", "rolling"].contains(&view.status.as_str());
                if sender.send(Ok(view)).await.is_err() || over {
                    return;
                }
            }
            tokio::select! { () = changed => {}, () = tokio::time::sleep(Duration::from_millis(50)) => {} }
        }
    });
    ReceiverStream::new(receiver)
}
