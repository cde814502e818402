// Store: what is known of one cluster, brought up to date by what the stream tells.

/** Entries of the record that a page keeps. */
const EVENTS_MAX = 2000;
/** Plans and goals that a page keeps. */
const KEPT_MAX = 60;

/** A store that knows nothing yet. */
export function emptyStore() {
  return { ready: false, leads: false, status: null, replicas: new Map(), plans: new Map(), goals: new Map(), events: [] };
}

/** Takes in all that is. */
export function takePicture(store, picture) {
  store.ready = true;
  store.leads = picture.leads;
  store.status = picture.status;
  store.replicas = new Map(picture.replicas.map((row) => [row.replica, row]));
  store.plans = new Map(picture.plans.map((plan) => [plan.id, plan]));
  store.goals = new Map(picture.goals.map((goal) => [goal.id, goal]));
}

/** Takes in what is different; objects that did not change stay the same objects. */
export function takeChange(store, change) {
  if (change.leads !== undefined) store.leads = change.leads;
  if (change.status) store.status = change.status;
  for (const row of change.replicas ?? []) store.replicas.set(row.replica, row);
  for (const name of change.gone ?? []) store.replicas.delete(name);
  for (const plan of change.plans ?? []) store.plans.set(plan.id, plan);
  for (const goal of change.goals ?? []) store.goals.set(goal.id, goal);
  trim(store.plans, (plan) => plan.created_at);
  trim(store.goals, (goal) => goal.declared_at);
  return takeEvents(store, change.events ?? []);
}

/** Takes in entries of the record, known or not, in any order; answers those that are new. */
export function takeEvents(store, events) {
  const known = new Set(store.events.map((event) => event.sequence));
  const fresh = events.filter((event) => !known.has(event.sequence));
  if (fresh.length === 0) return fresh;
  const last = store.events.at(-1)?.sequence ?? 0;
  store.events.push(...fresh);
  if (fresh.some((event) => event.sequence < last)) store.events.sort((a, b) => a.sequence - b.sequence);
  if (store.events.length > EVENTS_MAX) store.events.splice(0, store.events.length - EVENTS_MAX);
  return fresh;
}

/** The newest first. */
export function newest(map, moment) {
  return [...map.values()].sort((a, b) => moment(b).localeCompare(moment(a)) || b.id.localeCompare(a.id, "en", { numeric: true }));
}

function trim(map, moment) {
  if (map.size <= KEPT_MAX) return;
  for (const old of newest(map, moment).slice(KEPT_MAX)) map.delete(old.id);
}
