// Incidents: folds entries of the record into what people call an incident, and notes for what is none.

/** The same fault of the same replica so soon after the last one is the same incident: it did not stay healed. */
const SAME_WITHIN_MS = 5000;
/** A death so shortly before a conviction belongs to it. */
const DEATH_BEFORE_MS = 60000;

const NOTES = new Set(["term_opened", "resigned", "paused", "resumed", "held", "released", "storm_released", "goal_declared", "goal_begun", "goal_ended", "undone", "marked"]);

/** Folds entries, oldest first. Everything that it makes is new, so that it can be done again with older entries. */
export class Incidents {
  constructor() {
    this.items = [];
    this.byReplica = new Map();
    this.byPlan = new Map();
    this.deaths = new Map();
  }

  /** Takes in one entry; answers the items that it made or changed. */
  take(event) {
    const detail = parse(event.detail_json);
    if (event.kind === "died") return this.died(event);
    if (event.kind === "convicted") return this.convicted(event, detail);
    if (event.kind === "plan_recorded") return this.planned(event, detail);
    if (event.kind === "cleared") return this.cleared(event, detail);
    if (event.kind === "refused") return this.refused(event, detail);
    if (event.plan) return this.ofPlan(event, detail);
    if (event.kind === "quarantined" || event.kind === "escalated") return this.toHumans(event);
    return NOTES.has(event.kind) ? [this.note(event)] : [];
  }

  died(event) {
    const open = this.openOf(event.replica);
    if (open) return [add(open, event)];
    this.deaths.set(event.replica, event);
    return [];
  }

  convicted(event, detail) {
    const finding = detail?.conviction?.finding;
    const subject = finding?.subject?.replica ?? (finding?.subject?.host ? `host ${finding.subject.host}` : (event.replica ?? "the cluster"));
    let incident = this.openOf(subject) ?? this.recentOf(subject, event, finding?.kind);
    if (!incident) {
      incident = this.begin(subject, event, finding?.kind ?? "fault");
      const death = this.deaths.get(subject);
      if (death && at(event) - at(death) < DEATH_BEFORE_MS) {
        incident.at = death.at;
        incident.entries.push(death);
      }
      this.deaths.delete(subject);
    }
    incident.open.add(finding?.kind ?? "fault");
    incident.endedAt = null;
    incident.evidence.push({ ...detail?.conviction, at: event.at });
    return [add(incident, event)];
  }

  begin(subject, event, fault) {
    const incident = {
      kind: "incident",
      id: `i${event.sequence}`,
      sequence: event.sequence,
      subject,
      fault,
      message: event.message,
      at: event.at,
      endedAt: null,
      open: new Set(),
      plans: new Map(),
      entries: [],
      evidence: [],
      refusals: [],
      human: null,
    };
    this.items.push(incident);
    this.byReplica.set(subject, incident);
    return incident;
  }

  planned(event, detail) {
    const healed = (detail?.plan?.heals ?? []).map((heal) => heal.replica);
    const incidents = healed.map((replica) => this.openOf(replica)).filter(Boolean);
    this.byPlan.set(event.plan, incidents);
    return incidents.map((incident) => {
      incident.plans.set(event.plan, detail?.status ?? "running");
      return add(incident, event);
    });
  }

  ofPlan(event, detail) {
    const incidents = this.byPlan.get(event.plan) ?? [];
    return incidents.map((incident) => {
      if (event.kind === "plan_status") {
        incident.plans.set(event.plan, detail?.status ?? "done");
        close(incident, event);
      }
      return add(incident, event);
    });
  }

  cleared(event, detail) {
    const subject = detail?.subject?.replica ?? (detail?.subject?.host ? `host ${detail.subject.host}` : event.replica);
    const incident = this.openOf(subject);
    if (!incident) return [];
    incident.open.delete(detail?.fault);
    close(incident, event);
    return [add(incident, event)];
  }

  refused(event, detail) {
    const refusals = detail?.refusals ?? [];
    const all = this.items.filter((item) => item.kind === "incident" && !item.endedAt);
    const concerned = all.filter((incident) => refusals.some((one) => !one.subject || one.subject.replica === incident.subject || `host ${one.subject.host}` === incident.subject));
    return concerned.map((incident) => {
      incident.refusals.push({ at: event.at, message: event.message });
      return add(incident, event);
    });
  }

  toHumans(event) {
    const incident = this.openOf(event.replica) ?? this.byReplica.get(event.replica);
    if (!incident) return [this.note(event)];
    incident.human = event.message;
    return [add(incident, event)];
  }

  note(event) {
    const note = { kind: "note", id: `n${event.sequence}`, sequence: event.sequence, word: event.kind, at: event.at, message: event.message, by: event.by };
    this.items.push(note);
    return note;
  }

  openOf(subject) {
    const incident = this.byReplica.get(subject);
    return incident && !incident.endedAt ? incident : null;
  }

  recentOf(subject, event, fault) {
    const incident = this.byReplica.get(subject);
    return incident?.endedAt && incident.fault === fault && at(event) - Date.parse(incident.endedAt) < SAME_WITHIN_MS ? incident : null;
  }
}

function add(incident, event) {
  incident.entries.push(event);
  return incident;
}

/** It is over when no fault of it stands any more and no plan for it is open. */
function close(incident, event) {
  const busy = [...incident.plans.values()].some((status) => status === "running" || status === "awaiting_approval");
  if (incident.open.size === 0 && !busy) incident.endedAt ??= event.at;
}

function at(event) {
  return Date.parse(event.at);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
