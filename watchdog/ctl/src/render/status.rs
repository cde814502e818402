//! Status: the cluster in one table, and below it what a table can't say.

use watchdog_proto::admin::{ClusterStatus, RefusalView, ReplicaView};

use super::Paper;
use super::paint::Tone;
use super::table::{Cell, Table, Worth};
use super::text::{paragraph, sentence};
use super::when::{age, until};

/// Draws the status.
pub(crate) fn status(status: &ClusterStatus, paper: &Paper) -> String {
    let mut drawn = table(status, paper).draw(paper);
    for (tone, text) in remarks(status, paper) {
        let text = paragraph(&text, "  ", paper);
        drawn += &tone.paint(text.trim_end(), paper);
        drawn.push('\n');
    }
    drawn
}

fn title(status: &ClusterStatus) -> String {
    format!("Cluster: {} ({})", status.cluster, facts(status).join(", "))
}

/// Who leads in which epoch, and the versions.
pub(crate) fn facts(status: &ClusterStatus) -> Vec<String> {
    let mut facts = Vec::new();
    match &status.leader {
        Some(leader) => facts.extend([format!("leader {}", leader.id), format!("epoch {}", leader.epoch)]),
        None => facts.push("no leader".to_owned()),
    }
    facts.push(format!("head {}", status.head));
    facts
        .push(status.stable.map_or_else(|| "nothing stable".to_owned(), |stable| format!("stable {stable}")));
    if status.paused.is_some() {
        facts.push("paused".to_owned());
    }
    facts
}

fn table(status: &ClusterStatus, paper: &Paper) -> Table {
    replicas(Table::titled(title(status)), status, paper)
}

/// A row for each replica; columns that say nothing are left out.
pub(crate) fn replicas(table: Table, status: &ClusterStatus, paper: &Paper) -> Table {
    let replicas = &status.replicas;
    let all = |cell: &dyn Fn(&ReplicaView) -> Cell| replicas.iter().map(cell).collect::<Vec<Cell>>();
    let optional = |text: &Option<String>| Cell::from(text.as_deref().unwrap_or_default());
    table
        .column("Replica", Worth::Needed, all(&|it| it.replica.as_str().into()))
        .column("Host", Worth::Useful, all(&|it| optional(&it.host)))
        .column("State", Worth::Needed, all(&|it| Cell::toned(&it.state, Tone::of_state(&it.state))))
        .column("Version", Worth::Needed, all(&|it| number(it.version)))
        .column("Expected", Worth::Needed, all(&|it| Cell::toned(expected(it), Tone::Bad)))
        .column("State hash", Worth::Needed, all(&|it| Cell::toned(disputed(it, replicas), Tone::Bad)))
        .column("Held", Worth::Needed, all(&|it| Cell::toned(held(it, status), Tone::Unsure)))
        .column(
            "For",
            Worth::Useful,
            all(&|it| it.since.as_ref().map(|at| age(at, paper)).unwrap_or_default().into()),
        )
        .column("Pid", Worth::Useful, all(&|it| number(it.pid.map(u64::from))))
        .column("Address", Worth::Extra, all(&|it| optional(&it.address)))
}

fn number(number: Option<u64>) -> Cell {
    number.map(|number| number.to_string()).unwrap_or_default().into()
}

/// What it should hold, where it holds something else.
fn expected(replica: &ReplicaView) -> String {
    let expected = replica.expected.filter(|_| replica.expected != replica.version);
    expected.map(|version| version.to_string()).unwrap_or_default()
}

/// The state hash, where others hold something else under the same version.
fn disputed(replica: &ReplicaView, all: &[ReplicaView]) -> String {
    let Some(hash) = &replica.state_hash else { return String::new() };
    let differs = |other: &ReplicaView| {
        other.version == replica.version && other.state_hash.as_ref().is_some_and(|other| other != hash)
    };
    if all.iter().any(differs) { hash.chars().take(12).collect() } else { String::new() }
}

/// Whether the replica, or all of its host, is held.
fn held(replica: &ReplicaView, status: &ClusterStatus) -> &'static str {
    let holds = |target: &str| status.holds.iter().any(|hold| hold.target == target);
    if holds(&replica.replica) {
        "yes"
    } else if replica.host.as_deref().is_some_and(holds) {
        "host"
    } else {
        ""
    }
}

/// What a table can't say, the most pressing first.
fn remarks(status: &ClusterStatus, paper: &Paper) -> Vec<(Tone, String)> {
    let mut remarks = alarms(status, paper);
    if let Some(goal) = &status.goal {
        let stage = status.goal_stage.as_deref().filter(|stage| !stage.is_empty());
        let stage = stage.map(|stage| format!(": {stage}")).unwrap_or_default();
        remarks.push((Tone::Unsure, sentence(&format!("Goal {goal} rolls{stage}"))));
    }
    if let Some(plan) = &status.plan {
        let text = format!("Plan {plan} is open: watchdogctl plan show {plan}");
        remarks.push((Tone::Unsure, text));
    }
    // What somebody can do something about is told with the command.
    let decided = |refusal: &&RefusalView| status.offers.iter().any(|offer| offer.what == refusal.sentence);
    for refusal in status.refusals.iter().filter(|refusal| !decided(refusal)) {
        remarks.push((Tone::Bad, sentence(&format!("Refused: {}", refused(refusal)))));
    }
    // To take back a goal that gets on is nothing that waits for anybody.
    let waits = status.offers.len() > 1 || status.goal.is_none();
    for offer in status.offers.iter().filter(|_| waits) {
        remarks.push((Tone::Unsure, format!("To decide: {}: {}", offer.what, offer.command)));
    }
    remarks.extend(watchdogs(status).map(|text| (Tone::Faint, text)));
    remarks
}

/// What stands in the way of healing as a whole: blindness, no leader, a pause, holds, hosts that are gone.
pub(crate) fn alarms(status: &ClusterStatus, paper: &Paper) -> Vec<(Tone, String)> {
    let mut alarms = Vec::new();
    if let Some(blind) = &status.blind {
        alarms.push((Tone::Bad, sentence(&format!("Blind: {blind}"))));
    }
    if status.leader.is_none() {
        alarms.push((Tone::Bad, "Nobody leads: nothing is healed until a watchdog is elected.".to_owned()));
    }
    if status.replicas.is_empty() {
        alarms.push((Tone::Unsure, "No replica is declared.".to_owned()));
    }
    if let Some(pause) = &status.paused {
        let until = until(pause.until.as_deref(), paper);
        alarms.push((Tone::Unsure, sentence(&format!("Paused by {}{until}: {}", pause.by, pause.reason))));
    }
    for hold in &status.holds {
        let until = until(hold.until.as_deref(), paper);
        let text = format!("{} is held by {}{until}: {}", hold.target, hold.by, hold.reason);
        alarms.push((Tone::Unsure, sentence(&text)));
    }
    for host in status.hosts.iter().filter(|host| host.state != "up") {
        alarms.push((Tone::Bad, format!("Host {} is {}.", host.host, host.state)));
    }
    alarms
}

/// The sentence of a refusal, with whom it is about.
pub(crate) fn refused(refusal: &RefusalView) -> String {
    match &refusal.replica {
        Some(replica) if !refusal.sentence.contains(replica.as_str()) => {
            format!("{replica}: {}", refusal.sentence)
        }
        _ => refusal.sentence.clone(),
    }
}

/// Who watches; one alone is worth saying too.
pub(crate) fn watchdogs(status: &ClusterStatus) -> Option<String> {
    if status.watchdogs.is_empty() {
        return None;
    }
    let name = |role: &str, id: &str| if role == "leader" { format!("{id} (leader)") } else { id.to_owned() };
    let names: Vec<String> = status.watchdogs.iter().map(|each| name(&each.role, &each.id)).collect();
    Some(format!("Watchdogs: {}.", names.join(", ")))
}
