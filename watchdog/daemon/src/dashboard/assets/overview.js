// Overview: all clusters of this watchdog, a line each, the worst first.

import { chip, el, keyedList, panel, setAttribute, setText } from "./dom.js";
import { read } from "./feed.js";
import { byName, count } from "./words.js";

const LOOK_EVERY_MS = 2000;

/** Shows the list, and keeps it true while somebody looks at it. */
export function showOverview() {
  document.title = "Watchdog";
  const { node, beside, body } = panel("clusters", "Clusters");
  const columns = ["Cluster", "State", "Replicas", "Leader", "Epoch", "Head", "Stable", "Now"];
  const header = el("tr", {}, ...columns.map((name) => el("th", { scope: "col", text: name })));
  const rows = el("tbody");
  const caption = el("caption", { class: "unseen", text: "Clusters, a row each; the worst first" });
  body.append(el("div", { class: "scroll" }, el("table", { class: "grid" }, caption, el("thead", {}, header), rows)));
  document.getElementById("main").replaceChildren(node);
  const list = keyedList(rows, line);
  const live = document.getElementById("live");

  const look = async () => {
    if (document.hidden) return;
    try {
      const lines = (await read("/api/v1/overview")).sort((a, b) => trouble(b) - trouble(a) || byName(a.cluster, b.cluster));
      list.show(lines.map((one) => [one.cluster, one]));
      const ill = lines.filter((one) => trouble(one) > 0).length;
      setText(beside, ill ? `${ill} of ${count(lines.length, "cluster")} need a look` : `${count(lines.length, "cluster")}, all well`);
      live.dataset.state = "live";
      setText(document.getElementById("live-word"), "live");
    } catch (error) {
      live.dataset.state = "lost";
      setText(document.getElementById("live-word"), error.message);
    }
  };
  look();
  setInterval(look, LOOK_EVERY_MS);
  document.addEventListener("visibilitychange", look);
}

function trouble(one) {
  if (one.blind) return 4;
  if (!one.leader) return 3;
  if (one.unwell > 0) return 2;
  return one.paused ? 1 : 0;
}

const STATES = [["well", "well"], ["paused", "ask"], ["unwell", "ill"], ["no leader", "dead"], ["blind", "dead"]];

function line() {
  const link = el("a", { class: "name" });
  const cells = columnsOf(["state", "replicas", "leader", "epoch", "head", "stable", "now"]);
  const node = el("tr", {}, el("th", { scope: "row" }, link), ...cells.values());
  return {
    node,
    patch(one) {
      setText(link, one.cluster);
      setAttribute(link, "href", `/?cluster=${encodeURIComponent(one.cluster)}`);
      const [word, tone] = STATES[trouble(one)];
      cells.get("state").replaceChildren(chip(word, tone));
      setText(cells.get("replicas"), one.unwell ? `${one.unwell} of ${one.replicas} unwell` : `${one.replicas}`);
      setText(cells.get("leader"), one.leader?.id ?? "none");
      setText(cells.get("epoch"), one.leader ? String(one.leader.epoch) : "");
      setText(cells.get("head"), `v${one.head}`);
      setText(cells.get("stable"), one.stable === null ? "none" : `v${one.stable}`);
      setText(cells.get("now"), one.blind ?? (one.paused ? `paused: ${one.paused.reason}` : (one.goal && `goal ${one.goal} rolls`) || (one.plan && `plan ${one.plan}`) || ""));
    },
  };
}

function columnsOf(names) {
  return new Map(names.map((name) => [name, el("td", { class: name })]));
}
