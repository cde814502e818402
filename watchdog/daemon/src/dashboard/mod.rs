//! Dashboard: the page at `/`, what it reads, and the stream by which it stays true.
//!
//! ```text
//! world stirs, record grows ─► feed (one per cluster, only while somebody looks on)
//!                                │ one picture, one difference, one text, at most ten a second
//!                                ▼
//!              broadcast of shared bytes ─► /api/v1/{cluster}/live ─► every page
//! ```

mod assets;
mod feed;
mod live;
mod overview;
mod picture;
mod reads;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use watchdog_core::ids::ClusterId;

use crate::admin::AdminService;
use feed::Feed;

pub(crate) use assets::pages;

/// A feed per cluster.
type Feeds = Arc<BTreeMap<ClusterId, Arc<Feed>>>;

/// What the page asks for, below `/api/v1`.
pub(crate) fn api(admin: &AdminService) -> Router {
    let feed = |(id, handle): (&ClusterId, &crate::cluster::Handle)| {
        (id.clone(), Arc::new(Feed::new(id.clone(), handle.clone())))
    };
    let feeds: Feeds = Arc::new(admin.clusters().iter().map(feed).collect());
    let live = Router::new().route("/{cluster}/live", get(live::live)).with_state(feeds);
    reads::routes(admin).merge(live)
}
