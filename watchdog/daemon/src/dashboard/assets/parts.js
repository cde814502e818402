// Parts: why nothing is done, what can be decided, and who there is: watchdogs, hosts, holds.

import { pageOf } from "./facts.js";
import { el, keyedList, panel, setAttribute, setShown, setText } from "./dom.js";
import { count, plain } from "./words.js";

/** What stands in the way, a sentence each. */
export function refusalsPanel(store) {
  const { node, beside, body } = panel("refusals", "Why nothing is done");
  const items = el("ul", { class: "refusals" });
  body.append(items);
  node.hidden = true;
  const list = keyedList(items, () => {
    const kind = el("b");
    const sentence = el("span");
    return {
      node: el("li", {}, kind, sentence),
      patch(refusal) {
        setText(kind, plain(refusal.kind));
        setText(sentence, refusal.sentence);
      },
    };
  });
  return {
    node,
    show(changes) {
      if (!changes.status || !store.status) return;
      const { refusals } = store.status;
      setShown(node, refusals.length > 0);
      setText(beside, count(refusals.length, "reason"));
      list.show(refusals.map((refusal) => [`${refusal.kind} ${refusal.sentence}`, refusal]));
    },
  };
}

/** What a human can do about what stands in the way, the gentlest first, each with its command. */
export function offersPanel(store) {
  const { node, beside, body } = panel("offers", "What you can decide");
  const items = el("ul", { class: "refusals" });
  body.append(items);
  node.hidden = true;
  const list = keyedList(items, () => {
    const what = el("span");
    const command = el("code");
    return {
      node: el("li", {}, what, command),
      patch(offer) {
        setText(what, offer.what);
        setText(command, offer.command);
      },
    };
  });
  return {
    node,
    show(changes) {
      if (!changes.status || !store.status) return;
      // To take back a goal that gets on is nothing that waits for anybody.
      const { offers: all, goal } = store.status;
      const offers = all.length > 1 || !goal ? all : [];
      setShown(node, offers.length > 0);
      setText(beside, count(offers.length, "choice"));
      list.show(offers.map((offer) => [`${offer.command} ${offer.what}`, offer]));
    },
  };
}

/** Watchdogs, hosts and holds. */
export function hostsPanel(store) {
  const { node, beside, body } = panel("crew", "Watchdogs and hosts");
  const watchdogs = table("Watchdogs", ["Watchdog", "Role", "Address", "Pid"]);
  const hosts = table("Hosts", ["Host", "State", "Agent at", "Replicas"]);
  const holds = table("Holds", ["Held", "Why", "By", "Until"]);
  body.append(watchdogs.node, el("div", { class: "scroll hosts", tabindex: "0", role: "region", "aria-label": "Table of hosts" }, hosts.node), holds.node);
  const watchdogRows = keyedList(watchdogs.rows, () => {
    const link = el("a");
    const cells = ["role", "address", "pid"].map((name) => el("td", { class: name }));
    return {
      node: el("tr", {}, el("th", { scope: "row" }, link), ...cells),
      patch(one) {
        setText(link, one.id);
        setAttribute(link, "href", pageOf(one.address, store));
        [one.role, one.address, String(one.pid)].forEach((text, index) => setText(cells[index], text));
        setAttribute(cells[0].parentNode, "data-tone", one.role === "leader" ? "well" : "dark");
      },
    };
  });
  const hostRows = keyedList(hosts.rows, plainRow);
  const holdRows = keyedList(holds.rows, plainRow);

  const showHosts = () => {
    const each = new Map();
    for (const row of store.replicas.values()) each.set(row.host, (each.get(row.host) ?? 0) + 1);
    hostRows.show(store.status.hosts.map((host) => [host.host, { cells: [host.host, host.state, host.address, String(each.get(host.host) ?? 0)], tone: { up: "well", gone: "dead" }[host.state] ?? "dark" }]));
  };

  return {
    node,
    show(changes) {
      if (!store.status || !(changes.status || changes.replicas)) return;
      showHosts();
      if (!changes.status) return;
      const { status } = store;
      setText(beside, `${count(status.watchdogs.length, "watchdog")}, ${count(status.hosts.length, "host")}`);
      watchdogRows.show(status.watchdogs.map((one) => [one.id, one]));
      setShown(holds.node, status.holds.length > 0);
      holdRows.show(status.holds.map((hold) => [hold.target, { cells: [hold.target, hold.reason, hold.by, hold.until ?? "released"], tone: "ask" }]));
    },
  };
}

function table(title, columns) {
  const rows = el("tbody");
  const head = el("tr", {}, ...columns.map((name) => el("th", { scope: "col", text: name })));
  return { rows, node: el("table", { class: "grid small" }, el("caption", { class: "unseen", text: title }), el("thead", {}, head), rows) };
}

function plainRow({ cells }) {
  const head = el("th", { scope: "row" });
  const rest = cells.slice(1).map(() => el("td"));
  const node = el("tr", {}, head, ...rest);
  return {
    node,
    patch(one) {
      [head, ...rest].forEach((cell, index) => setText(cell, one.cells[index]));
      setAttribute(node, "data-tone", one.tone);
    },
  };
}
