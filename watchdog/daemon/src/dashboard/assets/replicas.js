// Replicas: a row each, patched one by one, so that hundreds stay readable and quick.

import { el, keyedList, panel, setAttribute, setShown, setText } from "./dom.js";
import { ago, everySecond } from "./time.js";
import { byName, isWell, rank, toneOf } from "./words.js";

const COLUMNS = [
  ["replica", "Replica"],
  ["state", "State"],
  ["version", "Version"],
  ["host", "Host"],
  ["since", "Since"],
];
/** From so many on, a map of all of them stands above the table. */
const MAP_FROM = 12;

/** The panel; `open(name)` shows why a replica is as it is. */
export function replicaPanel(store, open) {
  const { node, beside, body } = panel("replicas", "Replicas");
  const filter = el("input", { type: "search", id: "filter", placeholder: "Name, host or state", "aria-label": "Show only replicas whose name, host or state holds this", autocomplete: "off" });
  const unwell = el("input", { type: "checkbox", id: "unwell" });
  const unwellLabel = el("label", { for: "unwell", class: "check" }, unwell, el("span", { text: "Unwell or moving" }));
  const shown = el("span", { class: "muted", id: "shown", role: "status" });
  beside.append(shown, unwellLabel, filter);
  const map = el("div", { class: "map", "aria-hidden": "true" });
  const order = { by: "state", down: false };
  const { table, rows, heads } = grid(order, () => arrange());
  body.append(map, el("div", { class: "scroll rows", tabindex: "0", role: "region", "aria-label": "Table of replicas" }, table));
  const empty = el("p", { class: "empty", text: "No replica fits.", hidden: true });
  body.append(empty);

  const list = keyedList(rows, () => row(store, open));
  const cells = keyedList(map, () => cell());
  let held = new Set();

  function arrange() {
    const all = [...store.replicas.values()];
    const words = filter.value.trim().toLowerCase();
    const fits = (one) => (!unwell.checked || !isWell(one)) && (!words || `${one.replica} ${one.host ?? ""} ${one.state}`.toLowerCase().includes(words));
    const wanted = all.filter(fits).sort(sorter(order));
    list.show(wanted.map((one) => [one.replica, one]));
    const many = all.length >= MAP_FROM;
    setShown(map, many);
    if (many) cells.show(all.sort((a, b) => byName(a.host ?? "~", b.host ?? "~") || byName(a.replica, b.replica)).map((one) => [one.replica, one]));
    const ill = all.filter((one) => !isWell(one)).length;
    setText(shown, wanted.length === all.length ? `${all.length}` : `${wanted.length} of ${all.length}`);
    setText(unwellLabel.lastChild, `Unwell or moving (${ill})`);
    setShown(empty, wanted.length === 0);
    for (const [name, head] of heads) setAttribute(head, "aria-sort", name === order.by ? (order.down ? "descending" : "ascending") : null);
  }

  filter.addEventListener("input", arrange);
  unwell.addEventListener("change", arrange);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(input|textarea|select)$/i.test(event.target.tagName) && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      filter.focus();
    }
  });
  everySecond(() => {
    for (const name of store.replicas.keys()) list.get(name)?.tick();
  });

  return {
    node,
    show(changes) {
      if (changes.status && store.status) {
        const now = new Set(store.status.holds.map((hold) => hold.target));
        const moved = [...store.replicas.keys()].filter((name) => now.has(name) !== held.has(name));
        held = now;
        for (const name of moved) list.get(name)?.hold(held.has(name));
      }
      if (changes.replicas) {
        arrange();
        if (changes.all) for (const name of held) list.get(name)?.hold(true);
      }
    },
  };
}

function grid(order, arrange) {
  const heads = new Map();
  const header = el("tr");
  for (const [name, title] of COLUMNS) {
    const button = el("button", { type: "button", class: "sort", text: title });
    button.addEventListener("click", () => {
      order.down = order.by === name && !order.down;
      order.by = name;
      arrange();
    });
    const head = el("th", { scope: "col", class: name }, button);
    heads.set(name, head);
    header.append(head);
  }
  const rows = el("tbody");
  const caption = el("caption", { class: "unseen", text: "Replicas, a row each: state, version, host, and since when" });
  const table = el("table", { class: "grid replicas" }, caption, el("thead", {}, header), rows);
  return { table, rows, heads };
}

function sorter({ by, down }) {
  const name = (a, b) => byName(a.replica, b.replica);
  const keys = {
    replica: name,
    state: (a, b) => rank(a) - rank(b) || a.state.localeCompare(b.state) || name(a, b),
    version: (a, b) => (a.version ?? -1) - (b.version ?? -1) || name(a, b),
    host: (a, b) => byName(a.host ?? "", b.host ?? "") || name(a, b),
    since: (a, b) => (b.since ?? "").localeCompare(a.since ?? "") || name(a, b),
  };
  const compare = keys[by];
  return down ? (a, b) => compare(b, a) : compare;
}

function row(store, open) {
  const link = el("button", { type: "button", class: "name", "aria-haspopup": "dialog" });
  const hold = el("span", { class: "chip ask", text: "held", hidden: true });
  const mark = el("span", { class: "mark", "aria-hidden": "true" });
  const word = el("span", { class: "word" });
  const version = el("span", { class: "v" });
  const expected = el("span", { class: "expected" });
  const host = el("td", { class: "host" });
  const since = el("td", { class: "since" });
  const node = el(
    "tr",
    {},
    el("th", { scope: "row" }, link, hold),
    el("td", { class: "state" }, mark, word),
    el("td", { class: "version" }, version, expected),
    host,
    since,
  );
  let now = null;
  link.addEventListener("click", () => open(now.replica));
  const tick = () => setText(since, now?.since ? ago(now.since) : "");
  return {
    node,
    tick,
    hold: (held) => setShown(hold, held),
    patch(one) {
      now = one;
      setText(link, one.replica);
      setAttribute(node, "data-tone", toneOf(one));
      setAttribute(node, "data-replica", one.replica);
      setText(word, one.state);
      setText(version, one.version === null ? "–" : `v${one.version}`);
      setText(expected, one.expected !== null && one.expected !== one.version ? ` → v${one.expected}` : "");
      setText(host, one.host ?? "–");
      setAttribute(since, "title", one.since);
      tick();
    },
  };
}

function cell() {
  const node = el("i");
  return {
    node,
    patch(one) {
      setAttribute(node, "data-tone", toneOf(one));
      setAttribute(node, "title", `${one.replica} on ${one.host ?? "no host"}: ${one.state}`);
    },
  };
}
