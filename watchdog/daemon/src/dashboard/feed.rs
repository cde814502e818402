//! Feed: one cluster as it changes, looked at once for all who look on.
//!
//! *Cost.* It runs only while somebody follows. A look costs the rows of the replicas that something was told of, one
//! comparison with the last picture and one text, however many follow; each follower costs the sending of bytes that
//! all of them share. Every row is looked at once a second.
//!
//! *A slow follower.* Nobody waits for it: after [`FRAMES_WAITING`] frames it is cut off, and comes again with the
//! number of the last entry that it has seen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde::Serialize;
use tokio::sync::{Mutex, broadcast};
use tokio::time::{Instant, sleep, sleep_until};
use watchdog_core::ids::{ClusterId, Sequence};
use watchdog_core::record::Entry;
use watchdog_leader::looked::Looked;
use watchdog_proto::admin as wire;

use super::picture::{Difference, Picture, moment};
use crate::admin::events;
use crate::cluster::Handle;
use crate::cluster::books::Batches as _;
use crate::cluster::stir::Onlooker;

/// Between two looks at least, so that a storm of changes costs no more than this many pictures.
const SPACING: Duration = Duration::from_millis(100);
/// A look may take one of so many parts of the time.
const SHARE: u32 = 50;
/// Some of what is shown is not told of when it changes, as what comes with time; it is seen after this long.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Silence is broken after this long, so that a page knows that it is still told everything.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// Frames that wait for a slow follower before it is cut off.
const FRAMES_WAITING: usize = 32;
/// Followers of one cluster; each costs a connection and a place in the row.
const FOLLOWERS_MAX: usize = 256;
/// Entries of the record that are kept for those who come, or come again.
const ENTRIES_KEPT: usize = 256;
/// The longest detail of an entry in the stream; longer ones are read where they stand.
pub(super) const DETAIL_BYTES_MAX: usize = 16 * 1024;

/// See the module.
pub(super) struct Feed {
    cluster: ClusterId,
    handle: Handle,
    live: Mutex<Option<Live>>,
}

/// What is there while somebody follows.
struct Live {
    picture: Picture,
    /// The first frame of whoever comes now.
    text: Option<Bytes>,
    newest: VecDeque<wire::Event>,
    through: Sequence,
    frames: broadcast::Sender<Bytes>,
    told_at: Instant,
}

/// What a follower gets: what is, then what changes.
pub(super) struct Follower {
    /// What is.
    pub(super) first: [Bytes; 2],
    /// What changes.
    pub(super) rest: broadcast::Receiver<Bytes>,
}

/// As many follow as may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crowded;

#[derive(Serialize)]
struct Now<'a> {
    at: String,
    #[serde(flatten)]
    picture: &'a Picture,
}

#[derive(Serialize)]
struct Change<'a> {
    at: String,
    #[serde(flatten)]
    difference: Difference,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    events: &'a [wire::Event],
}

/// Entries for one who comes.
#[derive(Serialize)]
struct Story<'a> {
    /// Whether there were more since the one that was seen last.
    missed: bool,
    events: Vec<&'a wire::Event>,
}

#[derive(Serialize)]
struct Beat {
    at: String,
}

impl Feed {
    /// A feed that nobody follows yet.
    pub(super) fn new(cluster: ClusterId, handle: Handle) -> Self {
        Self { cluster, handle, live: Mutex::new(None) }
    }

    /// Begins to follow, after the entry that was seen last.
    ///
    /// # Errors
    ///
    /// When as many follow as may.
    pub(super) async fn join(self: &Arc<Self>, after: Option<u64>) -> Result<Follower, Crowded> {
        let mut slot = self.live.lock().await;
        if slot.as_ref().is_some_and(|live| live.frames.receiver_count() >= FOLLOWERS_MAX) {
            return Err(Crowded);
        }
        let mut live = match slot.take() {
            Some(live) => live,
            None => self.begin().await,
        };
        let at = moment(&self.handle.world.lock());
        let follower = Follower { first: live.first(at, after), rest: live.frames.subscribe() };
        *slot = Some(live);
        Ok(follower)
    }

    async fn begin(self: &Arc<Self>) -> Live {
        // Before the picture, so that nothing is told between the two.
        let onlooker = self.handle.world.look_on();
        let (through, picture) =
            self.handle.world.as_of_now(|world, now| (world.history.through, Picture::take(world, now)));
        let (frames, _) = broadcast::channel(FRAMES_WAITING);
        let after = Sequence(through.0.saturating_sub(ENTRIES_KEPT as u64));
        let mut live = Live {
            picture,
            text: None,
            newest: VecDeque::new(),
            through: after,
            frames,
            told_at: Instant::now(),
        };
        live.keep(self.entries(after).await.iter());
        tokio::spawn(Arc::clone(self).tell(onlooker));
        live
    }

    /// Tells until nobody follows any more.
    async fn tell(self: Arc<Self>, mut onlooker: Onlooker) {
        let mut all_at = Instant::now() + LOOK_EVERY;
        loop {
            let news = tokio::select! {
                news = onlooker.changed() => match news {
                    Some(news) => news,
                    None => return,
                },
                () = sleep_until(all_at) => Looked::All,
            };
            let began = Instant::now();
            let news = if began >= all_at { Looked::All } else { news };
            if news == Looked::All {
                all_at = began + LOOK_EVERY;
            }
            if !self.look(&news).await {
                return;
            }
            sleep(SPACING.max(began.elapsed() * SHARE)).await;
        }
    }

    /// Looks again at who is in the news, and tells what is other than before; false when nobody follows.
    async fn look(&self, news: &Looked) -> bool {
        let mut slot = self.live.lock().await;
        let Some(live) = slot.as_mut().filter(|live| live.frames.receiver_count() > 0) else {
            *slot = None;
            return false;
        };
        let known = self.handle.world.lock().history.through;
        // A journal that was put back has fewer.
        live.through = live.through.min(known);
        let entries = if known > live.through { self.entries(live.through).await } else { Vec::new() };
        let events = live.keep(entries.iter());
        let (at, newer) =
            self.handle.world.as_of_now(|world, now| (moment(world), live.picture.again(world, now, news)));
        let difference = live.picture.difference(&newer);
        if difference.is_some() || !events.is_empty() {
            let change = Change { at, difference: difference.unwrap_or_default(), events: &events };
            live.send(frame("change", Some(live.through), &change));
            (live.picture, live.text) = (newer, None);
        } else if live.told_at.elapsed() >= BEAT_EVERY {
            live.send(frame("beat", None, &Beat { at }));
        }
        true
    }

    /// What is new in the record; a journal that does not answer is told of in the status.
    async fn entries(&self, after: Sequence) -> Vec<Entry> {
        self.handle.journal.entries_after(&self.cluster, after).await.unwrap_or_default()
    }
}

impl Live {
    /// Takes in entries, and answers them as events.
    fn keep<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>) -> Vec<wire::Event> {
        let events: Vec<wire::Event> = entries.map(|entry| events::view(entry, DETAIL_BYTES_MAX)).collect();
        if let Some(last) = events.last() {
            self.through = Sequence(last.sequence);
        }
        self.newest.extend(events.iter().cloned());
        let surplus = self.newest.len().saturating_sub(ENTRIES_KEPT);
        self.newest.drain(..surplus);
        events
    }

    fn first(&mut self, at: String, after: Option<u64>) -> [Bytes; 2] {
        let picture = &self.picture;
        let now = self.text.get_or_insert_with(|| frame("picture", None, &Now { at, picture })).clone();
        let seen = after.unwrap_or(0);
        let oldest = self.newest.front().map_or(self.through.0 + 1, |event| event.sequence);
        let events = self.newest.iter().filter(|event| event.sequence > seen).collect();
        let story = Story { missed: seen + 1 < oldest || seen > self.through.0, events };
        [now, frame("story", Some(self.through), &story)]
    }

    fn send(&mut self, frame: Bytes) {
        self.told_at = Instant::now();
        // That the last one has gone is noticed at the next look.
        let _ = self.frames.send(frame);
    }
}

/// One event of the stream.
fn frame(event: &str, id: Option<Sequence>, data: &impl Serialize) -> Bytes {
    // Our messages are texts and numbers under text keys; JSON holds no raw line break.
    let data = serde_json::to_string(data).unwrap_or_default();
    let id = id.map(|id| format!("id: {}\n", id.0)).unwrap_or_default();
    Bytes::from(format!("event: {event}\n{id}data: {data}\n\n"))
}
