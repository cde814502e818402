//! Cluster: one watchdog's part in one cluster: follow, campaign, lead, and again.
//!
//! ```text
//! open a session ──► enter the row ──► follow (observe, read along) ──won──► mint the epoch, open the term ──► lead
//!        ▲                                                                                              │
//!        └───────────────────────── withdraw, stay out for a while if need be ◄── stop ─────────────────┘
//! ```

mod audit;
pub(crate) mod books;
mod decree;
pub(crate) mod execute;
pub(crate) mod goal_book;
mod goals;
mod guests;
mod hearing;
pub(crate) mod judge;
pub(crate) mod landmarks;
pub(crate) mod lead;
mod obey;
pub(crate) mod observe;
pub(crate) mod operator;
mod orders;
pub(crate) mod pauses;
pub(crate) mod plan_book;
pub(crate) mod seal;
pub(crate) mod sighting;
pub(crate) mod stir;
pub(crate) mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use watchdog_core::ids::{ClusterId, Epoch, WatchdogId};
use watchdog_leader::looked::Looked;
use watchdog_leader::seal::Sealing;
use watchdog_membership::election::Contender;
use watchdog_membership::records::{ContenderRecord, FORMAT, Paths};
use watchdog_membership::term::Term;
use watchdog_membership::tree::{Connect, Session, Tree};
use watchdog_membership::view::View;
use watchdog_ports::delays::Delays;
use watchdog_trust::Dialer;

use crate::agents::Agents;
use crate::cluster::books::{Books, Journal};
use crate::cluster::execute::Executor;
use crate::cluster::guests::Guests;
use crate::cluster::lead::{Lead, Stop, Unread};
use crate::cluster::observe::Observer;
use crate::cluster::operator::{Act, Acts, Denial};
use crate::cluster::seal::Sealer;
use crate::cluster::world::{Role, SharedWorld, World};

/// How often a follower reads along.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);
/// How often a journal that lacks something is looked at again.
const HOLD_EVERY: Duration = Duration::from_millis(200);
/// Operators' acts that wait for the next check.
const ACTS_WAITING: usize = 64;

/// What others hold of a cluster's task.
#[derive(Clone)]
pub(crate) struct Handle {
    /// What is known.
    pub(crate) world: SharedWorld,
    /// Where the record and the log are read.
    pub(crate) journal: Arc<dyn Journal>,
    /// Where operators' acts go.
    pub(crate) acts: Acts,
    /// How agents are reached.
    pub(crate) agents: Arc<Agents>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// What the watchdog says about itself, and how it behaves.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Its name.
    pub(crate) id: WatchdogId,
    /// Where it answers.
    pub(crate) address: String,
    /// How it reaches agents.
    pub(crate) dialer: Dialer,
    /// How long it leads on without a journal that others can reach.
    pub(crate) resign_after: Duration,
    /// How long it stays out then.
    pub(crate) stay_out: Duration,
}

/// See the module.
pub(crate) struct ClusterTask {
    identity: Identity,
    cluster: ClusterId,
    connect: Arc<dyn Connect>,
    journal: Arc<dyn Journal>,
    agents: Arc<Agents>,
    world: SharedWorld,
    acts: mpsc::Receiver<Act>,
}

impl ClusterTask {
    /// A task for `cluster`, and the handle to it.
    pub(crate) fn new(
        identity: Identity,
        cluster: ClusterId,
        connect: Arc<dyn Connect>,
        journal: Arc<dyn Journal>,
    ) -> (Self, Handle) {
        let (sender, acts) = mpsc::channel(ACTS_WAITING);
        let world = SharedWorld::new(World::new(cluster.clone()));
        let agents = Arc::new(Agents::new(identity.dialer.clone()));
        let guests = Arc::new(Guests::of(Arc::clone(&journal)));
        let (told, asked) = (world.clone(), Arc::clone(&agents));
        let handle = Handle { world: told, journal: guests, acts: sender, agents: asked };
        (Self { identity, cluster, connect, journal, agents, world, acts }, handle)
    }

    /// Takes part until told to stop.
    pub(crate) async fn run(mut self, mut shutdown: crate::shutdown::Shutdown) {
        let mut delays = Delays::reconnecting();
        while !shutdown.is_asked() {
            let opened = tokio::select! {
                opened = self.connect.open() => opened,
                () = shutdown.asked() => return,
            };
            let stay_out = match opened {
                Ok(tree) => {
                    delays.reset();
                    self.world.lock().begin_session(tree.session());
                    let stay_out = self.take_part(&tree, &mut shutdown).await;
                    self.world.lock().session = None;
                    // Closing the session takes our contender with it, so that the next one leads at once.
                    tree.close().await;
                    stay_out
                }
                Err(error) => {
                    tracing::warn!(cluster = %self.cluster, %error, "can't reach the coordination service");
                    let why = format!("the coordination service can't be reached: {error}");
                    self.go_blind(&why);
                    Duration::ZERO
                }
            };
            self.idle(stay_out.max(delays.next_delay()), &mut shutdown).await;
        }
    }

    /// One session: follows, and leads when it is our turn; answers how long to stay out.
    async fn take_part(
        &mut self,
        tree: &Arc<dyn Tree>,
        shutdown: &mut crate::shutdown::Shutdown,
    ) -> Duration {
        match self.session(tree, shutdown).await {
            Ok(Stop::CutOff | Stop::Unheard(_) | Stop::Resigned(_)) => self.identity.stay_out,
            Ok(stop) => {
                tracing::info!(cluster = %self.cluster, %stop, "not leading any more");
                Duration::ZERO
            }
            Err(error) => {
                tracing::warn!(cluster = %self.cluster, error = format!("{error:#}"), "session ended");
                self.go_blind(&format!("{error:#}"));
                Duration::ZERO
            }
        }
    }

    async fn session(
        &mut self,
        tree: &Arc<dyn Tree>,
        shutdown: &mut crate::shutdown::Shutdown,
    ) -> anyhow::Result<Stop> {
        let paths = Paths::new(&self.cluster);
        self.world.lock().doubt_journal();
        let mut books = Books::new(self.cluster.clone(), Arc::clone(&self.journal), self.world.clone());
        let mut observer = Observer::new(View::open(Arc::clone(tree), paths.clone()).await?);
        let reaches_journal = books.catch_up().await.is_ok();
        let mut contender =
            Contender::enter(Arc::clone(tree), paths, self.contender(reaches_journal)).await?;
        watchdog_crash_points::crash_point!("daemon.contender.entered");
        if let Some(stop) = self.follow(&mut contender, (&mut books, &mut observer), shutdown).await? {
            return Ok(stop);
        }
        watchdog_crash_points::crash_point!("daemon.election.won");
        let highest = self.journal.highest_term(&self.cluster).await?;
        let term = Arc::new(Term::mint(contender, highest).await?);
        let epoch = term.epoch();
        watchdog_crash_points::crash_point!("daemon.epoch.minted");
        pauses::read(&term, &self.world).await?;
        if !self.journal_is_whole(&term, &books, shutdown).await? {
            return Ok(Stop::ShuttingDown);
        }
        let at = {
            let mut world = self.world.lock();
            world.raise_clock();
            world.tally.begin_term(epoch);
            world.now()
        };
        self.journal.open_term(&self.cluster, epoch, &self.identity.id, at).await?;
        watchdog_crash_points::crash_point!("daemon.term.opened");
        if let Some(behind) = books.catch_up().await? {
            anyhow::bail!("{behind}");
        }
        tracing::info!(cluster = %self.cluster, %epoch, "leading");
        observer.begin_anew();
        let mut lead = self.lead(term, (books, observer));
        self.world.lock().begin_term(epoch);
        let stop = lead.reign(&mut self.acts, shutdown).await;
        watchdog_crash_points::crash_point!("daemon.reign.ended");
        self.world.lock().end_term();
        Ok(stop)
    }

    /// Holds until the journal has all that was committed before our term, before anything is written to it; false
    /// when told to stop.
    async fn journal_is_whole(
        &mut self,
        term: &Term,
        books: &Books,
        shutdown: &mut crate::shutdown::Shutdown,
    ) -> anyhow::Result<bool> {
        let Some(must) = term.previous() else { return Ok(true) };
        while let Some(behind) = books.missing(must).await? {
            let why = behind.to_string();
            self.world.lock().hold(behind);
            // We stay in front, so that nobody else goes on with it either, and pass on what must be there.
            term.confirm(must.term, must.head, must.hash).await?;
            tokio::select! {
                () = tokio::time::sleep(HOLD_EVERY) => {}
                Some(act) = self.acts.recv() => pauses::without_journal(term, &self.world, act, &why).await,
                () = shutdown.asked() => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads along until it is our turn; or says why it will not be.
    async fn follow(
        &mut self,
        contender: &mut Contender,
        (books, observer): (&mut Books, &mut Observer),
        shutdown: &mut crate::shutdown::Shutdown,
    ) -> anyhow::Result<Option<Stop>> {
        let mut read_at = Instant::now();
        loop {
            // A journal that can't be read is told of in the view; a follower has nothing else to do about it.
            let read = books.catch_up().await;
            if let Ok(Some(behind)) = &read {
                anyhow::bail!("{behind}");
            }
            let reaches_journal = read.is_ok();
            if reaches_journal {
                read_at = Instant::now();
            }
            observer.observe(&self.world, &BTreeSet::new(), &self.agents).await;
            anyhow::ensure!(!observer.is_over(), "the session is over");
            if contender.record().reaches_journal != reaches_journal {
                contender.update(self.contender(reaches_journal)).await?;
            }
            // First in the row, it would keep those from leading who can.
            if read_at.elapsed() > self.identity.resign_after
                && self.world.lock().another_reaches_journal(&self.identity.id)
            {
                return Ok(Some(Stop::CutOff));
            }
            tokio::select! {
                won = contender.won(), if reaches_journal => {
                    won?;
                    return Ok(None);
                }
                () = tokio::time::sleep(FOLLOW_EVERY) => {}
                Some(act) = self.acts.recv() => deny(act),
                () = shutdown.asked() => return Ok(Some(Stop::ShuttingDown)),
            }
        }
    }

    fn lead(&self, term: Arc<Term>, (books, observer): (Books, Observer)) -> Lead {
        let (finished_by, finished) = mpsc::unbounded_channel();
        let (sealed_by, sealed) = mpsc::unbounded_channel();
        let executor = Arc::new(Executor {
            cluster: self.cluster.clone(),
            world: self.world.clone(),
            journal: Arc::clone(&self.journal),
            agents: Arc::clone(&self.agents),
            term: Arc::clone(&term),
            finished: finished_by,
        });
        Lead {
            id: self.identity.id.clone(),
            world: self.world.clone(),
            sealing: Sealing::new(term.epoch()),
            sealer: Sealer { agents: Arc::clone(&self.agents), answers: sealed_by },
            resign_after: self.identity.resign_after,
            tidied_at: books.now(),
            asked_again_at: None,
            clock_steps: self.world.lock().clock_steps(),
            // Whatever a follower saw it did not judge.
            unjudged: Looked::All,
            agents: Arc::clone(&self.agents),
            unread: Unread::default(),
            books,
            observer,
            term,
            executor,
            finished,
            sealed,
        }
    }

    fn contender(&self, reaches_journal: bool) -> ContenderRecord {
        ContenderRecord {
            format: FORMAT,
            watchdog: self.identity.id.clone(),
            address: self.identity.address.clone(),
            pid: std::process::id(),
            reaches_journal,
        }
    }

    /// Waits outside the row; operators are told who leads meanwhile.
    async fn idle(&mut self, time: Duration, shutdown: &mut crate::shutdown::Shutdown) {
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                Some(act) = self.acts.recv() => deny(act),
                () = shutdown.asked() => return,
            }
        }
    }

    fn go_blind(&self, why: &str) {
        let mut world = self.world.lock();
        let now = world.now();
        world.observation.go_blind(now, why);
    }
}

fn deny(act: Act) {
    // An operator who has gone needs no answer.
    let _ = act.answer.send(Err(Denial::NotLeader));
}

impl World {
    /// Everything is seen through this session from now on.
    pub(crate) fn begin_session(&mut self, session: watch::Receiver<Session>) {
        self.session = Some(session);
        self.tally.session();
    }

    /// A term of ours begins: strikes are counted afresh, by our own eyes.
    pub(crate) fn begin_term(&mut self, epoch: Epoch) {
        self.raise_clock();
        self.role = Role::Leader(epoch);
        self.strikes = watchdog_core::strikes::StrikeBook::new(&self.history);
        self.refusals.clear();
        self.obstacles.clear();
        self.errand_fault = None;
    }

    /// Our term is over.
    pub(crate) fn end_term(&mut self) {
        self.role = Role::Follower;
        self.tally.end_term();
        self.refusals.clear();
        self.findings.clear();
    }
}
