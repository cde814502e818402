// Facts: the one sentence that matters, the numbers beside it, and the banners above everything.

import { pauseButton, resumeButton } from "./acts.js";
import { el, setAttribute, setShown, setText } from "./dom.js";
import { clock, everySecond, now, span } from "./time.js";
import { count, isMoving, isWell, plain, rank } from "./words.js";

/** Names in the sentence; more are counted. */
const NAMED = 3;
/** Where "is" and the state's word do not make a sentence. */
const HOW = { exited: "has exited", zombie: "is a zombie", unknown: "is not seen" };

/** The head of a cluster's page. */
export function facts(store, base) {
  const sentence = el("h1", { class: "sentence", id: "sentence", text: "Reading …" });
  const more = el("p", { class: "more" });
  const list = el("dl", { class: "facts" });
  const values = new Map();
  for (const name of ["leader", "head", "stable", "replicas", "hosts", "watchdogs"]) {
    const value = el("dd");
    values.set(name, value);
    list.append(el("div", { id: `fact-${name}` }, el("dt", { text: name }), value));
  }
  const node = el("header", { class: "top" }, el("div", { class: "verdict" }, sentence, more), list);
  const banners = bannersOf(store, base);
  document.getElementById("orders").replaceChildren(pauseButton(base));

  return {
    node,
    connection: banners.connection,
    show(changes) {
      if (!store.ready || !(changes.status || changes.replicas)) return;
      banners.show();
      const { tone, text, detail } = verdict(store);
      setText(sentence, text);
      setAttribute(node, "data-tone", tone);
      setText(more, detail);
      numbers(store, values);
      const mark = { well: "", ask: "‖ ", ill: "▲ ", dead: "✕ " }[tone] ?? "";
      document.title = `${mark}${store.status.cluster} · Watchdog`;
    },
  };
}

function verdict(store) {
  const { status } = store;
  const rows = [...store.replicas.values()];
  const ill = rows.filter((row) => !isWell(row) && !isMoving(row)).sort((a, b) => rank(a) - rank(b));
  const moving = rows.filter(isMoving);
  if (status.blind) return { tone: "dead", text: "This watchdog cannot see the cluster.", detail: status.blind };
  if (!status.leader) return { tone: "dead", text: "Nobody leads: nothing is healed until somebody does.", detail: "An election is under way, or no watchdog can win one." };
  if (rows.length === 0) return { tone: "dark", text: "No replica is declared yet.", detail: "Declare them with watchdogctl goal apply." };
  const doing = [status.goal && `Goal ${status.goal} rolls`, status.plan && `plan ${status.plan} is open`].filter(Boolean).join("; ").replace(/^p/, "P");
  if (ill.length === 0) {
    const where = status.stable === null ? "Nothing is stable yet." : `All hold what is stable: version ${status.stable}.`;
    const detail = status.paused ? "Healing is paused." : doing ? `${doing}.` : moving.length ? told(moving) : where;
    if (moving.length > 0) return { tone: "moving", text: `${moving.length} of ${count(rows.length, "replica")} ${moving.length === 1 ? "is" : "are"} on the move.`, detail };
    return { tone: status.paused ? "ask" : "well", text: rows.length === 1 ? "The one replica is well." : `All ${rows.length} replicas are well.`, detail };
  }
  const verb = ill.length === 1 ? "is not" : "are not";
  const more = moving.length ? `; ${moving.length} on the move` : "";
  const act = status.paused ? " Healing is paused." : refusal(status, ill[0]) ?? (doing ? ` ${doing}.` : " Watched: not enough bad checks in a row yet.");
  return { tone: rank(ill[0]) === 0 ? "dead" : "ill", text: `${ill.length} of ${count(rows.length, "replica")} ${verb} well.`, detail: `${told(ill)}${more}.${act}` };
}

function told(rows) {
  const named = rows.slice(0, NAMED).map((row) => `${row.replica} ${HOW[row.state] ?? `is ${row.state}`}${row.state === "healthy" ? ` on version ${row.version}, not ${row.expected}` : ""}`);
  if (rows.length > NAMED) named.push(`${rows.length - NAMED} more`);
  return named.join(", ");
}

/** Why the worst of them is not touched. */
function refusal(status, worst) {
  const first = status.refusals.find((one) => one.replica === worst.replica && one.kind !== "plan_open");
  return first ? ` Not touched: ${first.sentence.replace(`${worst.replica}: `, "")}.` : null;
}

function numbers(store, values) {
  const { status } = store;
  const rows = [...store.replicas.values()];
  const well = rows.filter(isWell).length;
  const up = status.hosts.filter((host) => host.state === "up").length;
  setText(values.get("leader"), status.leader ? `${status.leader.id} · epoch ${status.leader.epoch}` : "none");
  setText(values.get("head"), `v${status.head}`);
  setText(values.get("stable"), status.stable === null ? "none" : `v${status.stable}`);
  setText(values.get("replicas"), `${well} / ${rows.length} well`);
  setText(values.get("hosts"), `${up} / ${status.hosts.length} up`);
  setText(values.get("watchdogs"), String(status.watchdogs.length));
}

function bannersOf(store, base) {
  const place = document.getElementById("banners");
  const pause = banner("paused", "ask", "Healing is paused");
  const follower = banner("follower", "info", "This watchdog follows");
  const lost = banner("lost", "dead", "Not live");
  pause.node.append(resumeButton(base));
  const left = el("span", { class: "left" });
  pause.text.after(left);
  place.replaceChildren(lost.node, pause.node, follower.node);
  let until = null;
  everySecond(() => setText(left, until ? `ends by itself in ${span(Date.parse(until) - now())}` : ""));
  let lostTimer = 0;

  return {
    show() {
      const { status } = store;
      const paused = status.paused;
      until = paused?.until ?? null;
      setText(left, until ? `ends by itself in ${span(Date.parse(until) - now())}` : "");
      setText(pause.text, paused ? `“${paused.reason}” · by ${paused.by} · ${until ? `until ${clock(until)} UTC` : "until it is resumed"}` : "");
      setShown(pause.node, Boolean(paused));
      const elsewhere = !store.leads && status.leader;
      follower.text.replaceChildren(...(elsewhere ? leaderLink(status) : []));
      setShown(follower.node, Boolean(elsewhere));
    },
    connection(word) {
      clearTimeout(lostTimer);
      if (word === "live") return setShown(lost.node, false);
      // A stream that comes again within a moment is no news.
      lostTimer = setTimeout(() => {
        const others = store.status?.watchdogs ?? [];
        const links = others.flatMap((one) => [" ", el("a", { href: pageOf(one.address, store), text: one.id })]);
        lost.text.replaceChildren("What is shown may be old; this page tries again.", ...(links.length ? [" Or ask another watchdog:", ...links] : []));
        setShown(lost.node, true);
      }, 1500);
    },
  };
}

function leaderLink(status) {
  const { id, address } = status.leader;
  return [`${id} leads, and only it takes orders: `, el("a", { href: pageOf(address, { status }), text: `open ${id}` })];
}

/** The same page at another watchdog; nothing but a web address becomes a link. */
export function pageOf(address, store) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !/^https?:$/.test(url.protocol)) return "#";
  return `${url.origin}/?cluster=${encodeURIComponent(store.status?.cluster ?? "")}`;
}

function banner(id, tone, title) {
  const text = el("span", { class: "text" });
  const node = el("div", { class: `banner ${tone}`, id: `banner-${id}`, role: "region", "aria-label": plain(title), hidden: true }, el("strong", { text: title }), text);
  return { node, text };
}
