//! Inputs: what plans were computed from, packed small, and unpacked only if it is what was packed.
//!
//! ```text
//! JSON ─► zlib, fast ─► digest over plan, core and packed bytes ─► same transaction as the plan's entries
//!      ◄─ zlib's own checksum ◄─ digest as it must be ◄─ row
//! ```

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use watchdog_core::ids::{ClusterId, PlanId};
use watchdog_core::state::Hash;
use watchdog_ports::healing_log::{PLAN_INPUTS_MAX, PlanInputRecord};
use watchdog_ports::journal_error::JournalError;

use crate::failure::Failure;
use crate::rows::{Cells, parsed};
use crate::session::{Bind, Session};
use crate::sql;

const PACK: &str = "pack the input of a plan";
const READ: &str = "read the input of a plan";

/// Fewer bytes than these are packed where they are; more would hold up others on this thread.
const PACKED_AT_ONCE: usize = 256 * 1024;

/// An input as its row carries it.
pub(crate) struct Packed {
    plan: PlanId,
    core_version: String,
    digest: Hash,
    bytes: Vec<u8>,
}

/// Packs inputs, before a transaction holds anybody up.
pub(crate) async fn pack(inputs: Vec<PlanInputRecord>) -> Result<Vec<Packed>, JournalError> {
    let few = inputs.iter().map(|input| input.input.len()).sum::<usize>() <= PACKED_AT_ONCE;
    let work = || inputs.into_iter().map(packed).collect();
    if few {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| JournalError::Unavailable { operation: PACK, source: error.into() })?
}

fn packed(input: PlanInputRecord) -> Result<Packed, JournalError> {
    let PlanInputRecord { plan, core_version, input } = input;
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(input.len() / 4), Compression::fast());
    let bytes = encoder.write_all(input.as_bytes()).and_then(|()| encoder.finish());
    let bytes = bytes
        .map_err(|error| JournalError::Unstorable { what: format!("the input of plan {plan}: {error}") })?;
    Ok(Packed { digest: digest(&plan, &core_version, &bytes), plan, core_version, bytes })
}

/// Adds packed inputs in the session's transaction, which holds the term row, and drops the oldest.
pub(crate) async fn add(
    session: &mut Session,
    cluster: &ClusterId,
    inputs: Vec<Packed>,
) -> Result<(), Failure> {
    let mut newest = 0;
    for Packed { plan, core_version, digest, bytes } in inputs {
        let binds = vec![
            Bind::text(cluster),
            Bind::text(&plan),
            Bind::Text(core_version),
            Bind::text(&digest),
            Bind::Bytes(bytes),
        ];
        let added = session.fetch(sql::ADD_INPUT, binds, |row| {
            row.number(0).map_err(|what| JournalError::CorruptInput { plan: plan.clone(), what })
        });
        newest = added.await?.first().copied().unwrap_or(newest);
    }
    if newest > PLAN_INPUTS_MAX {
        let binds = vec![Bind::text(cluster), Bind::number(newest - PLAN_INPUTS_MAX)];
        session.execute(sql::DROP_INPUTS, binds).await?;
    }
    Ok(())
}

/// Reads the input of `plan`, if it is kept.
pub(crate) async fn read(
    session: &mut Session,
    cluster: &ClusterId,
    plan: &PlanId,
) -> Result<Option<PlanInputRecord>, JournalError> {
    let corrupt = |what| JournalError::CorruptInput { plan: plan.clone(), what };
    let binds = vec![Bind::text(cluster), Bind::text(plan)];
    let row = session.fetch(sql::INPUT, binds, |row| checked(row, plan).map_err(corrupt)).await;
    let Some(packed) = row.map_err(|failure| failure.during(READ))?.into_iter().next() else {
        return Ok(None);
    };
    let unpacked = tokio::task::spawn_blocking(|| unpacked(packed)).await;
    let unpacked =
        unpacked.map_err(|error| JournalError::Unavailable { operation: READ, source: error.into() })?;
    unpacked.map(Some).map_err(corrupt)
}

/// Reads a row, if it carries its digest.
pub(crate) fn checked(row: &dyn Cells, plan: &PlanId) -> Result<Packed, String> {
    let (core_version, bytes) = (row.text(0)?.to_owned(), row.bytes(2)?.to_owned());
    let digest = digest(plan, &core_version, &bytes);
    if parsed(row.text(1)?)? != digest {
        return Err("it does not carry its digest".to_owned());
    }
    Ok(Packed { plan: plan.clone(), core_version, digest, bytes })
}

/// Unpacks an input, if it is what was packed.
pub(crate) fn unpacked(packed: Packed) -> Result<PlanInputRecord, String> {
    let Packed { plan, core_version, bytes, .. } = packed;
    let mut input = String::new();
    ZlibDecoder::new(bytes.as_slice()).read_to_string(&mut input).map_err(|error| error.to_string())?;
    Ok(PlanInputRecord { plan, core_version, input })
}

fn digest(plan: &PlanId, core_version: &str, bytes: &[u8]) -> Hash {
    Hash::of(&[format!("{plan}\n{core_version}\n").as_bytes(), bytes].concat())
}
