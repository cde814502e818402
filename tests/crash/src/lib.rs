//! Crash: kills a process of a real cluster at each of its named crash points, and checks what becomes of the cluster.
//!
//! ```text
//! table of points ─► arm one ─► provoke what leads there ─► killed? ─► at rest again? ─► audits ─► next
//! ```
//!
//! What dies is restarted as a machine's init would: by `watchdog dev`.

pub mod audit;
pub mod campaign;
pub mod points;
pub mod provoke;
pub mod stage;
pub mod trial;
