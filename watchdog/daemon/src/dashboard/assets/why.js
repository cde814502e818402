// Why: the verdict on one replica in a sheet at the side: what is seen, how it is known, what is done or refused.

import { chip, el, setText } from "./dom.js";
import { read } from "./feed.js";
import { clock } from "./time.js";
import { plain, toneOf } from "./words.js";

/** The sheet. */
export function whySheet(base) {
  const title = el("h2", { id: "why-title" });
  const body = el("div", { class: "why-body", "aria-live": "polite" });
  const close = el("button", { type: "button", class: "order plain", text: "Close" });
  const dialog = el("dialog", { class: "sheet", id: "why", "aria-labelledby": "why-title" }, el("div", { class: "head" }, title, close), body);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  let replica = null;
  let reading = false;

  async function load() {
    if (reading || !replica) return;
    reading = true;
    const asked = replica;
    try {
      const verdict = await read(`${base}/why/${encodeURIComponent(asked)}`);
      if (asked === replica) body.replaceChildren(...tell(verdict));
    } catch (error) {
      if (asked === replica) body.replaceChildren(el("p", { class: "fault", text: error.message }));
    } finally {
      reading = false;
    }
    if (asked !== replica) load();
  }

  return {
    open(name) {
      replica = name;
      setText(title, name);
      body.replaceChildren(el("p", { class: "muted", text: "Asking …" }));
      dialog.showModal();
      load();
    },
    /** These replicas are other than they were. */
    refresh(names) {
      if (dialog.open && names.has(replica)) load();
    },
  };
}

function tell(verdict) {
  const tone = toneOf({ state: verdict.state, version: null, expected: null });
  return [
    el("p", { class: "verdict-line" }, chip(verdict.state, tone), ` ${verdict.verdict}`),
    ...part("What is seen, and how it is known", verdict.findings, finding, "Nothing is wrong with it."),
    ...part("What is being done", verdict.doing, (line) => el("li", { text: line }), verdict.plan ? `Plan ${verdict.plan} is open.` : "Nothing has to be."),
    ...part("Why not", verdict.refusals, (refusal) => el("li", {}, el("b", { text: plain(refusal.kind) }), ` ${refusal.sentence}`), "Nothing stands in the way."),
    ...(verdict.offers.length === 0 ? [] : part("What you can decide", verdict.offers, (offer) => el("li", {}, `${offer.what} `, el("code", { text: offer.command })))),
    ...part("What was done before", verdict.history, (line) => el("li", { class: "mono", text: line }), "It was never healed."),
  ];
}

function part(title, items, make, none) {
  const heading = el("h3", { text: title });
  if (items.length === 0) return [heading, el("p", { class: "muted", text: none })];
  return [heading, el("ul", {}, ...items.map(make))];
}

function finding(one) {
  const strikes = `${one.strikes} of ${one.needed} strikes${one.convicted ? ", convicted" : ""}`;
  return el("li", {}, el("b", { text: plain(one.fault) }), ` ${one.detail}`, el("span", { class: "muted block", text: `said by ${one.source} at ${clock(one.at, true)} · ${strikes}` }));
}
