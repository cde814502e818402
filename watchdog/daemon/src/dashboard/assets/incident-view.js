// Incident view: the timeline, each incident of which opens down to its steps, evidence, snapshot and refusals.

import { chip, el, keyedList, panel, setAttribute, setShown, setText } from "./dom.js";
import { read } from "./feed.js";
import { Incidents } from "./incidents.js";
import { spent } from "./plans.js";
import { takeEvents } from "./store.js";
import { clock, everySecond, now, span } from "./time.js";
import { plain, planStatus, stepTone } from "./words.js";

const SHOWN = 40;
const PAGE = 300;
/** So many of one fault that begin together are one line, which opens to them. */
const GROUP_FROM = 4;
const TOGETHER_MS = 2000;

/** The panel; `why(name)` opens the verdict on a replica. */
export function incidentPanel(store, base, why) {
  const { node, beside, body } = panel("incidents", "Incidents");
  const items = el("ol", { class: "timeline", reversed: true });
  const none = el("p", { class: "empty", text: "Nothing has happened that is on record here." });
  const more = el("button", { type: "button", class: "order plain", text: "Show earlier" });
  body.append(none, items, more);
  const makers = {
    note: noteRow,
    incident: (item) => incidentRow(item, store, base, why),
    group: () => groupRow((item) => incidentRow(item, store, base, why)),
  };
  let fold = new Incidents();
  let shown = SHOWN;
  const list = keyedList(items, (item) => makers[item.kind](item));
  const stamps = new Map();

  function show() {
    // An incident is one object that grows; a fresh wrapper says that it did.
    const rows = grouped(fold.items.map((item) => stamps.get(item.id) ?? item).reverse());
    list.show(rows.slice(0, shown).map((item) => [item.id, item]));
    const open = fold.items.filter((item) => item.kind === "incident" && !item.endedAt).length;
    setText(beside, open ? `${open} open` : "none open");
    setShown(none, fold.items.length === 0);
    const oldest = store.events[0]?.sequence ?? 1;
    setShown(more, rows.length > shown || oldest > 1);
  }

  function again() {
    fold = new Incidents();
    stamps.clear();
    list.clear();
    store.events.forEach((event) => fold.take(event));
    show();
  }

  more.addEventListener("click", async () => {
    shown += SHOWN;
    const oldest = store.events[0]?.sequence ?? 1;
    if (oldest > 1) takeEvents(store, await read(`${base}/events?before=${oldest}&limit=${PAGE}`).catch(() => []));
    again();
  });

  everySecond(() => list.each((part) => part.tick?.()));

  return {
    node,
    show(changes) {
      const fresh = changes.events ?? [];
      if (fresh.length === 0) return changes.plans ? list.each((part) => part.refresh?.()) : undefined;
      if (changes.first) return again();
      const touched = new Set(fresh.flatMap((event) => fold.take(event)));
      for (const item of touched) stamps.set(item.id, { ...item });
      if (touched.size > 0) show();
      announce(touched);
    },
  };
}

/** Says aloud what began and what is over; nothing in between. */
function announce(touched) {
  const told = [...touched].filter((item) => item.kind === "incident");
  const over = told.filter((item) => item.endedAt).map((item) => `${item.subject}: over after ${span(Date.parse(item.endedAt) - Date.parse(item.at))}`);
  const begun = told.filter((item) => !item.endedAt && !item.told).map((item) => `Incident: ${item.message}`);
  told.forEach((item) => (item.told = true));
  const text = [...begun, ...over].slice(0, 3).join(". ");
  if (text) setText(document.getElementById("news"), text);
}

/** Folds neighbours of the same fault that began together. */
function grouped(items) {
  const rows = [];
  for (let at = 0; at < items.length; ) {
    let end = at + 1;
    const alike = (other) => other.kind === "incident" && other.fault === items[at].fault && Date.parse(items[at].at) - Date.parse(other.at) < TOGETHER_MS;
    if (items[at].kind === "incident") while (end < items.length && alike(items[end])) end += 1;
    const some = items.slice(at, end);
    // Named after its oldest, so that it stays itself while it grows.
    if (some.length >= GROUP_FROM) rows.push({ kind: "group", id: `g${some.at(-1).id}`, items: some });
    else rows.push(...some);
    at = end;
  }
  return rows;
}

function groupRow(make) {
  const subject = el("b");
  const fault = el("span", { class: "fault-word" });
  const fate = el("span");
  const time = el("time");
  const inner = el("ol", { class: "timeline" });
  const list = keyedList(inner, make);
  const node = el("li", { class: "incident-row" }, el("details", { class: "incident group" }, el("summary", {}, time, subject, fault, fate), inner));
  return {
    node,
    tick: () => list.each((part) => part.tick?.()),
    refresh: () => list.each((part) => part.refresh?.()),
    patch({ items }) {
      const open = items.filter((item) => !item.endedAt).length;
      const longest = Math.max(...items.map((item) => Date.parse(item.endedAt ?? item.at) - Date.parse(item.at)));
      setText(time, clock(items.at(-1).at));
      setText(subject, `${items.length} replicas`);
      setText(fault, plain(items[0].fault));
      fate.replaceChildren(open ? chip(`${open} open`, "dead") : chip(`all healed in ${span(longest)}`, "well"));
      setAttribute(node, "data-open", open > 0);
      list.show(items.map((item) => [item.id, item]));
    },
  };
}

function noteRow(note) {
  const by = note.by ? ` · ${note.by}` : "";
  return { node: el("li", { class: "note-row", "data-kind": note.word }, el("time", { datetime: note.at, text: clock(note.at) }), el("span", { class: "what" }, note.message, el("span", { class: "muted", text: by }))) };
}

function incidentRow(first, store, base, why) {
  const subject = el("b");
  const fault = el("span", { class: "fault-word" });
  const fate = el("span");
  const time = el("time", { datetime: first.at, text: clock(first.at) });
  const inside = el("div", { class: "inside" });
  const details = el("details", { class: "incident" }, el("summary", {}, time, subject, fault, fate), inside);
  const node = el("li", { class: "incident-row", "data-incident": first.id }, details);
  let item = first;
  const tick = () => {
    const lasts = span((item.endedAt ? Date.parse(item.endedAt) : now()) - Date.parse(item.at));
    const [word, tone] = item.endedAt ? [`healed in ${lasts}`, "well"] : item.human ? [`needs a human · ${lasts}`, "held"] : [`open · ${lasts}`, "dead"];
    if (fate.textContent !== word) fate.replaceChildren(chip(word, tone));
  };
  const refresh = () => details.open && open(inside, item, { store, base, why });
  details.addEventListener("toggle", refresh);
  return {
    node,
    tick,
    refresh,
    patch(next) {
      item = next;
      setText(subject, item.subject);
      setText(fault, plain(item.fault));
      setText(time, clock(item.at));
      setAttribute(node, "data-open", item.endedAt ? null : true);
      tick();
      refresh();
    },
  };
}

/** What an opened incident shows; built when it is opened, and again when it has grown. */
function open(place, item, { store, base, why }) {
  const wasOpen = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.key));
  const plans = [...item.plans.keys()].map((id) => planPart(id, item, { store, base }));
  const button = store.replicas.has(item.subject) ? el("button", { type: "button", class: "order plain", text: `Why ${item.subject} is as it is`, on: { click: () => why(item.subject) } }) : null;
  place.replaceChildren(
    el("p", { class: "message", text: item.human ?? item.message }),
    ...titled("Evidence", item.evidence.map(evidence)),
    ...titled("What was done", plans),
    ...titled(item.endedAt ? "Why not sooner" : "Why not", item.refusals.map((refusal) => el("p", { class: "refusal" }, el("time", { text: clock(refusal.at, true) }), ` ${refusal.message}`))),
    everything(item),
    ...(button ? [button] : []),
  );
  for (const one of place.querySelectorAll("details")) if (wasOpen.has(one.dataset.key)) one.open = true;
}

function titled(title, parts) {
  return parts.length ? [el("h3", { text: title }), ...parts] : [];
}

const SOURCES = { group: "the group", host_agent: "its host agent", replica: "itself", record: "the record" };

function evidence(one) {
  const found = one.finding;
  if (!found) return el("p", { class: "muted", text: "The evidence stands in the record." });
  const proof = found.evidence.proof === "proven" ? "proven" : "silence";
  const said = `said by ${SOURCES[found.evidence.source] ?? found.evidence.source} at ${clock(Number(found.evidence.at), true)} · ${proof} · ${one.strikes} strikes since ${clock(Number(one.since), true)}`;
  return el("p", { class: "evidence" }, el("b", { text: plain(found.kind) }), ` ${found.detail}`, el("span", { class: "muted block", text: said }));
}

function planPart(id, item, { store, base }) {
  const place = el("div", { class: "plan-part" });
  const show = (plan) => {
    const [word, tone] = planStatus(plan.status);
    const pictured = plan.steps.some((step) => step.kind === "snapshot");
    place.replaceChildren(el("p", {}, chip(word, tone), el("b", { text: ` plan ${plan.id} ` }), plan.reason), stepTable(plan, item), ...(pictured ? [snapshotPart(plan, base)] : []));
  };
  const known = store.plans.get(id);
  if (known) show(known);
  else read(`${base}/plans/${encodeURIComponent(id)}`).then(show, (error) => place.replaceChildren(el("p", { class: "muted", text: error.message })));
  return place;
}

/** The steps that concern it; a plan may heal others too. */
function stepTable(plan, item) {
  const own = plan.steps.filter((step) => !step.replica || step.replica === item.subject);
  const steps = own.length ? own : plan.steps;
  const head = el("tr", {}, ...["Step", "Status", "Took", "Why"].map((name) => el("th", { scope: "col", text: name })));
  const rows = steps.map((step) =>
    el("tr", { "data-tone": stepTone(step.status) }, el("th", { scope: "row", text: plain(step.kind) }), el("td", { class: "state" }, el("span", { class: "mark", "aria-hidden": "true" }), step.status), el("td", { class: "num", text: spent(step) }), el("td", { class: "wide", text: step.error ?? step.why })),
  );
  return el("table", { class: "grid small" }, el("caption", { class: "unseen", text: `Steps of plan ${plan.id}` }), el("thead", {}, head), el("tbody", {}, ...rows));
}

function snapshotPart(plan, base) {
  const inside = el("div");
  const details = el("details", { "data-key": `snapshot-${plan.id}`, class: "snapshot" }, el("summary", { text: "Snapshot taken before anything was destroyed" }), inside);
  let asked = false;
  details.addEventListener("toggle", async () => {
    if (!details.open || asked) return;
    asked = true;
    try {
      const { snapshots } = await read(`${base}/plans/${encodeURIComponent(plan.id)}/snapshots`);
      const parts = snapshots.flatMap((one) => [el("p", { class: "muted", text: `${one.replica} · ${one.incarnation} · ${clock(one.at, true)}` }), picture(one.snapshot_json)]);
      inside.replaceChildren(...(parts.length ? parts : [el("p", { class: "muted", text: "None was filed." })]));
    } catch (error) {
      asked = false;
      inside.replaceChildren(el("p", { class: "fault", text: error.message }));
    }
  });
  return details;
}

function picture(text) {
  let parts = {};
  try {
    parts = JSON.parse(text);
  } catch {
    return el("pre", { tabindex: "0", text });
  }
  const list = el("dl", { class: "picture" });
  for (const [name, value] of Object.entries(parts)) {
    const told = typeof value === "string" ? value : JSON.stringify(value, null, 1);
    const long = told.length > 80 || told.includes("\n");
    list.append(el("dt", { text: plain(name) }), el("dd", {}, long ? el("pre", { tabindex: "0", text: told }) : told));
  }
  return list;
}

/** Every entry of the record that belongs to it. */
function everything(item) {
  const lines = item.entries.map((event) => el("li", {}, el("time", { text: clock(event.at, true) }), el("span", { class: "kind", text: plain(event.kind) }), event.message));
  return el("details", { "data-key": "all", class: "entries" }, el("summary", { text: `All ${item.entries.length} entries of the record` }), el("ol", { class: "entries-list" }, ...lines));
}
