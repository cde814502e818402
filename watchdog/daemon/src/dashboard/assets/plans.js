// Plans: what is being done, as a graph of steps: a lane a replica, side by side, each step after the one before it.

import { decisionButtons } from "./acts.js";
import { chip, el, keyedList, panel, setAttribute, setShown, setText } from "./dom.js";
import { newest } from "./store.js";
import { ago, everySecond, now, span } from "./time.js";
import { isOpen, plain, planStatus, stepTone } from "./words.js";

/** Earlier plans in the list. */
const EARLIER = 8;
/** With more lanes than these, why each step is done is told on the step's title alone. */
const MANY = 3;

/** The panel. */
export function planPanel(store, base) {
  const { node, beside, body } = panel("plans", "Plan");
  const graphs = el("div", { class: "graphs" });
  const none = el("p", { class: "empty", text: "No plan yet: nothing had to be done." });
  const earlierBody = el("tbody");
  const caption = el("caption", { class: "unseen", text: "Earlier plans, newest first" });
  const earlier = el("details", { class: "earlier" }, el("summary", { text: "Earlier plans" }), el("table", { class: "grid small" }, caption, earlierBody));
  body.append(none, graphs, earlier);
  const list = keyedList(graphs, (plan) => graph(plan, base));
  const rows = keyedList(earlierBody, earlierRow);
  const ticking = new Set();
  everySecond(() => ticking.forEach((id) => list.get(id)?.tick()));

  return {
    node,
    show(changes) {
      if (!changes.plans) return;
      const plans = newest(store.plans, (plan) => plan.created_at);
      const open = plans.filter(isOpen);
      // Most heals are over before anybody looks: the last one stays until the next.
      const shown = open.length > 0 ? open : plans.slice(0, 1);
      list.show(shown.map((plan) => [plan.id, plan]));
      ticking.clear();
      shown.forEach((plan) => ticking.add(plan.id));
      setText(beside, open.length > 0 ? `${open.length} open` : "none open");
      setShown(none, shown.length === 0);
      const old = plans.filter((plan) => !shown.includes(plan)).slice(0, EARLIER);
      setShown(earlier, old.length > 0);
      rows.show(old.map((plan) => [plan.id, plan]));
    },
  };
}

function graph(first, base) {
  const status = el("span");
  const when = el("span", { class: "muted when" });
  const reason = el("p", { class: "reason" });
  const buttons = el("div", { class: "decide" });
  const lanes = el("div", { class: "lanes" });
  const title = el("h3", { id: `plan-${first.id}`, text: `Plan ${first.id}` });
  const node = el("article", { class: "plan", "aria-labelledby": `plan-${first.id}` }, el("div", { class: "plan-head" }, title, status, when, buttons), reason, lanes);
  const list = keyedList(lanes, lane);
  let plan = first;
  let asked = false;
  const tick = () => setText(when, plan.created_at ? `${ago(plan.created_at)}${ago(plan.created_at) === "now" ? "" : " ago"}` : "");
  return {
    node,
    tick,
    patch(next) {
      plan = next;
      const [word, tone] = planStatus(next.status);
      status.replaceChildren(chip(word, tone));
      setAttribute(node, "data-status", next.status);
      setText(reason, next.reason);
      const asks = next.status === "awaiting_approval";
      if (asks !== asked) {
        buttons.replaceChildren(...(asks ? decisionButtons(base, next) : []));
        asked = asks;
      }
      const byReplica = new Map();
      for (const step of next.steps) {
        const key = step.replica ?? "";
        if (!byReplica.has(key)) byReplica.set(key, []);
        byReplica.get(key).push(step);
      }
      lanes.style.setProperty("--steps", String(Math.max(1, ...[...byReplica.values()].map((steps) => steps.length))));
      setAttribute(lanes, "data-many", byReplica.size > MANY);
      list.show([...byReplica].map(([replica, steps]) => [replica, { replica, steps }]));
      tick();
    },
  };
}

function lane({ replica }) {
  const steps = el("ol", { class: "steps" });
  const name = replica || "the cluster";
  const node = el("div", { class: "lane", role: "group", "aria-label": `Steps for ${name}` }, el("span", { class: "lane-name", text: name }), steps);
  const list = keyedList(steps, step);
  return { node, patch: ({ steps: all }) => list.show(all.map((one) => [one.id, one])) };
}

function step() {
  const kind = el("b");
  const word = el("span", { class: "word" });
  const took = el("span", { class: "took" });
  const why = el("span", { class: "why" });
  const bar = el("progress", { max: 100, hidden: true, "aria-label": "Progress" });
  const node = el("li", {}, el("span", { class: "box" }, kind, word, took, bar), why);
  return {
    node,
    patch(one) {
      setText(kind, plain(one.kind));
      setText(word, one.progress ? `${one.status}: ${one.progress}` : one.status);
      setText(took, spent(one));
      setText(why, one.error ?? one.why);
      setAttribute(node, "data-tone", stepTone(one.status));
      setAttribute(node, "aria-current", one.status === "running" ? "step" : null);
      setAttribute(node, "title", `${one.id}: ${one.why}${one.error ? `: ${one.error}` : ""}`);
      setShown(bar, one.percent !== null);
      if (one.percent !== null) bar.value = one.percent;
    },
  };
}

/** How long a step took, or has been taking. */
export function spent(one) {
  if (!one.started_at) return "";
  const end = one.finished_at ? Date.parse(one.finished_at) : now();
  return one.finished_at ? span(end - Date.parse(one.started_at)) : `${span(end - Date.parse(one.started_at))} …`;
}

function earlierRow() {
  const id = el("th", { scope: "row", class: "mono" });
  const status = el("td");
  const reason = el("td", { class: "wide" });
  const when = el("td", { class: "since" });
  return {
    node: el("tr", {}, id, status, reason, when),
    patch(plan) {
      const [word, tone] = planStatus(plan.status);
      setText(id, plan.id);
      status.replaceChildren(chip(word, tone));
      setText(reason, plan.reason);
      setText(when, ago(plan.created_at));
      setAttribute(when, "title", plan.created_at);
    },
  };
}
