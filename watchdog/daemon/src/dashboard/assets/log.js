// Log: the metadata log, newest first, each entry with its difference, and the difference of any two versions.

import { chip, el, keyedList, panel, setAttribute, setShown, setText } from "./dom.js";
import { read } from "./feed.js";
import { ago, everySecond } from "./time.js";
import { count } from "./words.js";

const PAGE = 25;
/** Lines of a value that are compared line by line; longer ones are shown one after the other. */
const LINES_COMPARED = 400;
const MARKS = { stable: "well", rejected: "dead", candidate: "moving" };

/** The panel. */
export function logPanel(store, base) {
  const { node, beside, body } = panel("log", "Log");
  const columns = ["Version", "Key", "Change", "Mark", "Goal", "Author", "When"];
  const head = el("tr", {}, ...columns.map((name) => el("th", { scope: "col", text: name })));
  const caption = el("caption", { class: "unseen", text: "Entries of the metadata log, newest first" });
  const table = el("table", { class: "grid small log" }, caption, el("thead", {}, head));
  const more = el("button", { type: "button", class: "order plain", text: "Show earlier" });
  const fault = el("p", { class: "fault", role: "alert", hidden: true });
  body.append(compare(base, store), fault, el("div", { class: "scroll" }, table), more);
  const entries = new Map();
  const list = keyedList(table, entryRow, 2);
  let state = "";
  let reading = null;

  function show() {
    const newest = [...entries.values()].sort((a, b) => b.version - a.version);
    list.show(newest.map((entry) => [entry.version, entry]));
    setShown(more, (newest.at(-1)?.version ?? 1) > 1);
    setText(beside, `head v${store.status.head}`);
  }

  async function load(from, limit) {
    try {
      const reply = await read(`${base}/log?from=${from}&limit=${limit}`);
      for (const entry of reply.entries) {
        // The same object where nothing is other, so that nothing is drawn again.
        if (JSON.stringify(entries.get(entry.version)) !== JSON.stringify(entry)) entries.set(entry.version, entry);
      }
      setShown(fault, false);
    } catch (error) {
      setShown(fault, true);
      setText(fault, `The log can't be read: ${error.message}`);
    }
    show();
  }

  /** Marks move to entries that are known already, so that the newest page is read again. */
  async function refresh() {
    const head = store.status.head;
    await load(Math.max(1, head - PAGE + 1), PAGE);
  }

  more.addEventListener("click", () => {
    const oldest = Math.min(...entries.keys());
    const from = Math.max(1, oldest - PAGE);
    load(from, oldest - from);
  });
  everySecond(() => entries.forEach((_, version) => list.get(version)?.tick()));

  return {
    node,
    show() {
      if (!store.ready) return;
      const marks = store.events.filter((event) => event.kind === "marked").length;
      const next = `${store.status.head} ${store.status.stable} ${marks}`;
      if (next === state) return;
      state = next;
      // After the page is drawn, and one read for a row of changes.
      clearTimeout(reading);
      reading = setTimeout(refresh, 50);
    },
  };
}

function entryRow() {
  const toggle = el("button", { type: "button", class: "name", "aria-expanded": "false" });
  const cells = ["key", "operation", "marked", "goal", "author", "since"].map((name) => el("td", { class: name }));
  const [key, operation, mark, goal, author, when] = cells;
  const row = el("tr", {}, el("th", { scope: "row" }, toggle), ...cells);
  const difference = el("td", { colspan: 7 });
  const below = el("tr", { class: "below", hidden: true }, difference);
  // A body of its own keeps an entry's two rows together.
  const node = el("tbody", {}, row, below);
  let entry = null;
  const tick = () => entry && setText(when, ago(entry.at));
  toggle.addEventListener("click", () => {
    const open = below.hidden;
    setShown(below, open);
    setAttribute(toggle, "aria-expanded", String(open));
    if (open) difference.replaceChildren(lines(entry.before_json, entry.after_json), el("p", { class: "muted mono hash", text: `epoch ${entry.epoch} · hash ${entry.hash}` }));
  });
  return {
    node,
    tick,
    patch(next) {
      entry = next;
      setText(toggle, `v${entry.version}`);
      setText(key, entry.key);
      setText(operation, entry.before_json === null ? "added" : entry.operation === "delete" ? "removed" : "changed");
      mark.replaceChildren(...(entry.mark ? [chip(entry.mark, MARKS[entry.mark] ?? "dark")] : []));
      setText(goal, entry.goal ?? "");
      setText(author, entry.author);
      setAttribute(when, "title", entry.at);
      tick();
    },
  };
}

function compare(base, store) {
  const a = el("input", { type: "number", min: 0, required: true, id: "log-a", size: 6 });
  const b = el("input", { type: "number", min: 0, required: true, id: "log-b", size: 6 });
  const result = el("div", { class: "difference", role: "status" });
  const form = el("form", { class: "compare" }, el("label", { for: "log-a", text: "From version" }), a, el("label", { for: "log-b", text: "to" }), b, el("button", { class: "order plain", type: "submit", text: "Show the difference" }));
  form.addEventListener("focusin", () => {
    if (!a.value && store.status?.stable) a.value = store.status.stable;
    if (!b.value && store.status) b.value = store.status.head;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const reply = await read(`${base}/log/diff?a=${Number(a.value)}&b=${Number(b.value)}`);
      const parts = reply.lines.map((line) => el("div", { class: "changed-key" }, el("h3", { class: "mono", text: `${{ add: "+", change: "~", remove: "-" }[line.operation]} ${line.key}` }), lines(line.before_json, line.after_json)));
      result.replaceChildren(el("p", { text: `${reply.added} to add, ${reply.changed} to change, ${reply.removed} to remove, between ${count(Math.abs(b.value - a.value), "version")}.` }), ...parts);
    } catch (error) {
      result.replaceChildren(el("p", { class: "fault", text: error.message }));
    }
  });
  return el("div", {}, form, result);
}

/** The difference of two values, line by line. */
function lines(before, after) {
  const old = pretty(before);
  const young = pretty(after);
  const all = old.length + young.length > LINES_COMPARED ? [...old.map((line) => ["-", line]), ...young.map((line) => ["+", line])] : compared(old, young);
  const rows = all.map(([sign, line]) => el("span", { class: { "+": "plus", "-": "minus" }[sign] ?? "same", text: `${sign} ${line}\n` }));
  return el("pre", { class: "diff", tabindex: "0" }, ...rows);
}

function pretty(json) {
  if (json === null || json === undefined) return [];
  try {
    return JSON.stringify(JSON.parse(json), null, 2).split("\n");
  } catch {
    return [json];
  }
}

/** The longest common lines stay; what is around them was taken out or put in. */
function compared(old, young) {
  const length = Array.from({ length: old.length + 1 }, () => new Uint16Array(young.length + 1));
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = young.length - 1; j >= 0; j -= 1) length[i][j] = old[i] === young[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
  }
  const told = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < young.length) {
    if (i < old.length && j < young.length && old[i] === young[j]) {
      told.push([" ", old[i]]);
      [i, j] = [i + 1, j + 1];
    } else if (j >= young.length || (i < old.length && length[i + 1][j] >= length[i][j + 1])) {
      told.push(["-", old[i]]);
      i += 1;
    } else {
      told.push(["+", young[j]]);
      j += 1;
    }
  }
  return told;
}
