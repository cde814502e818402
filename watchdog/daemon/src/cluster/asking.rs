//! Asking: questions to agents that no check waits for: who answers late is heard when the answer comes.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinSet};

/// Questions under way, at most one to each address. What is dropped asks no longer.
pub(crate) struct Asking<T> {
    tasks: JoinSet<T>,
    under_way: BTreeMap<Id, String>,
    answers: Vec<T>,
}

impl<T: Send + 'static> Asking<T> {
    /// Nobody is asked yet.
    pub(crate) fn new() -> Self {
        Self { tasks: JoinSet::new(), under_way: BTreeMap::new(), answers: Vec::new() }
    }

    /// Asks, unless this address is being asked already.
    pub(crate) fn ask(&mut self, address: &str, question: impl Future<Output = T> + Send + 'static) {
        if !self.under_way.values().any(|asked| asked == address) {
            let id = self.tasks.spawn(question).id();
            self.under_way.insert(id, address.to_owned());
        }
    }

    /// Resolves when an answer has come that was not taken yet; never, when nothing is asked.
    pub(crate) async fn answered(&mut self) {
        while self.answers.is_empty() {
            if !self.hear().await {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What was answered since the last call, when all have answered or `patience` is over.
    pub(crate) async fn answers(&mut self, patience: Duration) -> Vec<T> {
        // Over or not, what has come by now is taken.
        let _ = tokio::time::timeout(patience, async { while self.hear().await {} }).await;
        std::mem::take(&mut self.answers)
    }

    /// Waits for the next answer; false when none is awaited.
    async fn hear(&mut self) -> bool {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, answer))) => {
                self.under_way.remove(&id);
                self.answers.push(answer);
                true
            }
            // Whoever panicked has said nothing, and may be asked again.
            Some(Err(broken)) => {
                self.under_way.remove(&broken.id());
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    const NO_TIME: Duration = Duration::from_millis(10);

    /// A question that is answered by hand.
    fn question() -> (oneshot::Sender<u32>, impl Future<Output = u32> + Send) {
        let (answer, asked) = oneshot::channel();
        (answer, async { asked.await.unwrap() })
    }

    #[tokio::test(start_paused = true)]
    async fn who_answers_late_is_heard_later_and_is_not_asked_twice() {
        let mut asking = Asking::new();
        let (quick, question_a) = question();
        let (slow, question_b) = question();
        asking.ask("a", question_a);
        asking.ask("b", question_b);
        quick.send(1).unwrap();
        assert_eq!(asking.answers(NO_TIME).await, [1], "b does not keep a waiting");
        asking.ask("b", async { 99 });
        assert_eq!(asking.answers(NO_TIME).await, [], "b is still being asked");
        slow.send(2).unwrap();
        asking.answered().await;
        assert_eq!(asking.answers(NO_TIME).await, [2]);
        asking.ask("b", async { 3 });
        assert_eq!(asking.answers(NO_TIME).await, [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_panics_may_be_asked_again() {
        let mut asking = Asking::new();
        let (dropped, question_a) = question();
        asking.ask("a", question_a);
        drop(dropped);
        assert_eq!(asking.answers(NO_TIME).await, []);
        asking.ask("a", async { 1 });
        assert_eq!(asking.answers(NO_TIME).await, [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_when_nobody_is_asked() {
        let mut asking = Asking::<u32>::new();
        assert_eq!(asking.answers(NO_TIME).await, []);
        assert!(tokio::time::timeout(NO_TIME, asking.answered()).await.is_err());
    }
}
