//! Held: an application of any type, as the agent holds it.
//!
//! Everything but this file is compiled once, and not for each application.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use watchdog_core::ids::Version;
use watchdog_core::state::{Hash, Key};

use crate::application::{Application, Cancelled, Condition, LoadError, LoadRequest, Progress};

/// What was prepared, ready to take effect.
pub(crate) type Commit =
    Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<(), LoadError>> + Send>> + Send>;

/// [`Application`] without its associated type.
#[async_trait]
pub(crate) trait Held: Send + Sync {
    async fn prepare(
        &self,
        request: LoadRequest,
        progress: Progress,
        cancelled: Cancelled,
    ) -> Result<Commit, LoadError>;
    fn loaded(&self) -> BTreeMap<Key, Hash>;
    fn version(&self) -> Option<Version>;
    fn live(&self) -> Condition;
    fn ready(&self) -> Condition;
    async fn drain(&self);
    async fn undrain(&self);
}

/// The one implementation.
pub(crate) struct Holder<A>(pub(crate) Arc<A>);

#[async_trait]
impl<A: Application> Held for Holder<A> {
    async fn prepare(
        &self,
        request: LoadRequest,
        progress: Progress,
        cancelled: Cancelled,
    ) -> Result<Commit, LoadError> {
        let prepared = self.0.prepare(request, progress, cancelled).await?;
        let application = self.0.clone();
        Ok(Box::new(move || Box::pin(async move { application.commit(prepared).await })))
    }

    fn loaded(&self) -> BTreeMap<Key, Hash> {
        self.0.loaded()
    }

    fn version(&self) -> Option<Version> {
        self.0.version()
    }

    fn live(&self) -> Condition {
        self.0.live()
    }

    fn ready(&self) -> Condition {
        self.0.ready()
    }

    async fn drain(&self) {
        self.0.drain().await;
    }

    async fn undrain(&self) {
        self.0.undrain().await;
    }
}
