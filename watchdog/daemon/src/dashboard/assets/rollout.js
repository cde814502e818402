// Rollout: the goal that rolls, from canary to stable, and the goals before it.

import { chip, el, keyedList, panel, setAttribute, setShown, setText } from "./dom.js";
import { newest } from "./store.js";
import { ago, everySecond, now, span } from "./time.js";
import { count, goalTone, plain } from "./words.js";

const STAGES = [["canary", "Canary"], ["soak", "Soak"], ["batch", "Batches"], ["final_soak", "Final soak"], ["stable", "Stable"]];
const PARTS = [["arrived", "well", "arrived"], ["moving", "moving", "on the way"], ["trial", "ask", "on trial"], ["failed", "dead", "failed"], ["left", "dark", "to go"]];
const EARLIER = 3;

/** The panel. */
export function rolloutPanel(store) {
  const { node, beside, body } = panel("rollout", "Rollout");
  const rolling = rollingGoal();
  const list = el("ul", { class: "goals" });
  body.append(rolling.node, list);
  // Where nobody ever declared a goal there is nothing to tell.
  node.hidden = true;
  const rows = keyedList(list, goalRow);
  return {
    node,
    show(changes) {
      if (!changes.goals) return;
      const goals = newest(store.goals, (goal) => goal.declared_at);
      const one = goals.find((goal) => goal.status === "rolling");
      rolling.show(one ?? null);
      setText(beside, one ? "rolling" : "none rolls");
      setShown(node, goals.length > 0);
      rows.show(goals.filter((goal) => goal !== one).slice(0, EARLIER).map((goal) => [goal.id, goal]));
    },
  };
}

function rollingGoal() {
  const name = el("h3", { id: "goal-name" });
  const stage = el("span");
  const gist = el("p", { class: "reason" });
  const detail = el("p", { class: "muted detail" });
  const track = el("ol", { class: "track", "aria-label": "Stages of the rollout" });
  const stops = new Map();
  for (const [word, title] of STAGES) {
    const stop = el("li", {}, el("span", { text: title }));
    stops.set(word, stop);
    track.append(stop);
  }
  const soak = el("p", { class: "soak", hidden: true });
  const bar = el("div", { class: "share", role: "img", "aria-label": "No replicas" });
  const legend = el("p", { class: "muted legend" });
  const node = el("article", { class: "goal", "aria-labelledby": "goal-name", hidden: true }, el("div", { class: "plan-head" }, name, stage), gist, track, soak, bar, legend, detail);
  let until = null;
  let reached = 0;
  let shown = null;
  const tick = () => {
    const left = until ? Date.parse(until) - now() : 0;
    setShown(soak, Boolean(until));
    setText(soak, left > 0 ? `soaks for ${span(left)} more` : "has soaked; the next move follows");
  };
  everySecond(tick);
  return {
    node,
    show(goal) {
      setShown(node, Boolean(goal));
      if (!goal) return;
      if (shown !== goal.id) [shown, reached] = [goal.id, 0];
      setText(name, `Goal ${goal.id}`);
      stage.replaceChildren(chip(plain(goal.stage ?? "waiting"), goal.stage === "held" ? "dead" : goal.stage === "approval" ? "ask" : "moving"));
      setText(gist, [goal.gist, goal.to === null ? null : `v${goal.base} → v${goal.to}`, `by ${goal.by}`, goal.reason && `“${goal.reason}”`].filter(Boolean).join(" · "));
      setText(detail, goal.stage_detail);
      // A stage that is none of the five (held, healing, a trial) leaves the mark where it was.
      const at = STAGES.findIndex(([word]) => word === goal.stage);
      if (at >= 0) reached = at;
      [...stops.values()].forEach((stop, index) => {
        setAttribute(stop, "data-at", index < reached ? "past" : index === reached ? "here" : "ahead");
        setAttribute(stop, "aria-current", index === reached ? "step" : null);
      });
      until = goal.soak_until;
      tick();
      shares(bar, legend, goal.replicas);
    },
  };
}

function shares(bar, legend, replicas) {
  const counts = PARTS.map(([stage, tone, word]) => ({ tone, word, number: replicas.filter((one) => one.stage === stage).length })).filter((part) => part.number > 0);
  const told = counts.map((part) => `${part.number} ${part.word}`).join(", ");
  setAttribute(bar, "aria-label", `${count(replicas.length, "replica")}: ${told}`);
  setText(legend, told);
  bar.replaceChildren(
    ...counts.map((part) => {
      const piece = el("i", { "data-tone": part.tone });
      piece.style.flexGrow = String(part.number);
      return piece;
    }),
  );
}

function goalRow() {
  const id = el("b");
  const status = el("span");
  const gist = el("span", { class: "gist" });
  const why = el("span", { class: "muted why" });
  const when = el("span", { class: "muted when" });
  return {
    node: el("li", {}, el("span", { class: "line" }, status, id, gist, when), why),
    patch(goal) {
      setText(id, goal.id);
      status.replaceChildren(chip(goal.status, goalTone(goal.status)));
      setText(gist, goal.gist);
      setText(why, goal.why);
      setText(when, ago(goal.ended_at ?? goal.declared_at));
    },
  };
}
