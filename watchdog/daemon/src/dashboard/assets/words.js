// Words: which tone each state, status and fault is told in, and in which order they matter.

const STATES = {
  healthy: "well",
  starting: "moving",
  loading: "moving",
  draining: "moving",
  unhealthy: "ill",
  unresponsive: "ill",
  zombie: "ill",
  exited: "dead",
  missing: "dead",
  quarantined: "held",
  unknown: "dark",
};

/** How bad a tone is; the worst comes first. */
const ORDER = { dead: 0, ill: 1, held: 2, dark: 3, moving: 4, well: 5 };

/** The tone of a replica: one that is healthy on a wrong version is on its way. */
export function toneOf(row) {
  const tone = STATES[row.state] ?? "dark";
  return tone === "well" && row.version !== row.expected ? "moving" : tone;
}

/** Whether nothing is wrong with a replica. */
export function isWell(row) {
  return toneOf(row) === "well";
}

/** Whether it is on its way to where it should be. */
export function isMoving(row) {
  return toneOf(row) === "moving";
}

/** For sorting: the worst first. */
export function rank(row) {
  return ORDER[toneOf(row)];
}

const PLANS = {
  awaiting_approval: ["awaits approval", "ask"],
  running: ["running", "moving"],
  done: ["done", "well"],
  failed: ["failed", "dead"],
  superseded: ["superseded", "dark"],
  cancelled: ["cancelled", "dark"],
};

/** Word and tone of a plan's status. */
export function planStatus(status) {
  return PLANS[status] ?? [status, "dark"];
}

/** Whether a plan may still act. */
export function isOpen(plan) {
  return plan.status === "running" || plan.status === "awaiting_approval";
}

const STEPS = { pending: "dark", running: "moving", done: "well", failed: "dead", unknown: "ill", cancelled: "dark" };

/** The tone of a step's status. */
export function stepTone(status) {
  return STEPS[status] ?? "dark";
}

const GOALS = { pending: "dark", rolling: "moving", achieved: "well", rejected: "dead", superseded: "dark", withdrawn: "dark" };

/** The tone of a goal's status. */
export function goalTone(status) {
  return GOALS[status] ?? "dark";
}

/** A word as people write it. */
export function plain(word) {
  return (word ?? "").replaceAll("_", " ");
}

/** `1 replica`, `3 replicas`. */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Names in the order of people: demo-2 before demo-10, demo-z before demo-aa. */
export function byName(a, b) {
  return a.length - b.length && !/\d/.test(a + b) ? a.length - b.length : a.localeCompare(b, "en", { numeric: true });
}
