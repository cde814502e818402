// Acts: what may be ordered from this page, by whom, and after which question.

import { el, setAttribute, setShown, setText } from "./dom.js";
import { read } from "./feed.js";

const ROLES = ["viewer", "operator", "approver", "admin"];
/** Which role each order needs. */
const NEEDS = { pause: "operator", resume: "operator", approve: "approver", reject: "approver" };
const SPANS = [["15 minutes", 900000], ["1 hour", 3600000], ["4 hours", 14400000], ["until it is resumed", 0]];

let me = null;
let current = null;
const buttons = new Set();

/** Learns who looks at this page. */
export async function begin() {
  const who = document.getElementById("who");
  try {
    me = await read("/api/v1/whoami");
    setText(who, `${me.name} · ${me.role}`);
  } catch (error) {
    who.replaceChildren(error.status === 401 ? el("a", { href: "/login", text: "Sign in" }) : `not known: ${error.message}`);
  }
  judge();
}

/** Orders go to the leader only, and some only at some times: judges the buttons anew. */
export function deciding(store) {
  current = store;
  // Buttons of plans that are shown no more.
  for (const pair of buttons) if (!pair[0].isConnected) buttons.delete(pair);
  judge();
}

function judge() {
  for (const [button, act] of buttons) {
    const reason = whyNot(act);
    // Not `disabled`: a button that is skipped by the keyboard can't say why it does nothing.
    setAttribute(button, "aria-disabled", reason ? "true" : null);
    setAttribute(button, "title", reason);
  }
  if (current?.ready) {
    for (const [button, act] of buttons) if (act === "pause") setShown(button, !current.status.paused);
  }
}

function whyNot(act) {
  if (!me) return "who you are is not known here";
  if (ROLES.indexOf(me.role) < ROLES.indexOf(NEEDS[act])) return `your role is ${me.role}; this needs ${NEEDS[act]}`;
  if (current?.ready && !current.leads) {
    const leader = current.status.leader;
    return leader ? `${leader.id} leads, and only it takes orders` : "nobody leads, and so nobody takes orders";
  }
  return null;
}

/** A button for an order; `ask` answers what the dialog asks. */
function orderButton(act, label, tone, ask) {
  const button = el("button", { type: "button", class: `order ${tone}`, "data-act": act, text: label });
  button.addEventListener("click", () => {
    const reason = whyNot(act);
    if (reason) return say(`${label}: ${reason}`);
    open(ask());
  });
  buttons.add([button, act]);
  judge();
  return button;
}

/** Stops all healing for a while. */
export function pauseButton(base) {
  return orderButton("pause", "Pause healing …", "plain", () => ({
    title: "Pause healing?",
    text: "Nothing is healed, rolled out or undone while it is paused. What is under way comes to its end.",
    fields: { reason: true, span: true },
    confirm: "Pause healing",
    path: `${base}/pause`,
  }));
}

/** Ends the pause. */
export function resumeButton(base) {
  return orderButton("resume", "Resume …", "plain", () => ({
    title: "Resume healing?",
    text: "Whatever is wrong by now is healed at once, within the budget.",
    confirm: "Resume healing",
    path: `${base}/resume`,
  }));
}

/** The two answers to a plan that awaits one. */
export function decisionButtons(base, plan) {
  const path = (verb) => `${base}/plans/${encodeURIComponent(plan.id)}/${verb}`;
  const steps = plan.steps.map((step) => [step.kind, step.replica].filter(Boolean).join(" ")).join(", ");
  const yes = orderButton("approve", "Approve …", "main", () => ({
    title: `Approve plan ${plan.id}?`,
    text: `${plan.reason}. It begins at once: ${steps}. It is refused if it would do harm by now.`,
    confirm: "Approve",
    path: path("approve"),
  }));
  const no = orderButton("reject", "Reject …", "plain", () => ({
    title: `Reject plan ${plan.id}?`,
    text: `${plan.reason}. It never begins, and is not proposed again until what it is about is released.`,
    confirm: "Reject",
    path: path("reject"),
  }));
  return [yes, no];
}

function open({ title, text, fields = {}, confirm, path }) {
  const fault = el("p", { class: "fault", role: "alert", hidden: true });
  const reason = el("textarea", { id: "order-reason", name: "reason", rows: 2, required: true, maxlength: 500, autocomplete: "off" });
  const lasts = el("select", { id: "order-span", name: "span" }, ...SPANS.map(([label, ms]) => el("option", { value: ms, text: label })));
  const go = el("button", { class: "order main", type: "submit", text: confirm });
  const back = el("button", { class: "order plain", type: "button", text: "Cancel", on: { click: () => dialog.close() } });
  const form = el(
    "form",
    {},
    el("h2", { id: "order-title", text: title }),
    el("p", { id: "order-text", text }),
    ...(fields.reason ? [el("label", { for: "order-reason", text: "Reason, for the record (required)" }), reason] : []),
    ...(fields.span ? [el("label", { for: "order-span", text: "For how long" }), lasts] : []),
    fault,
    el("div", { class: "row" }, back, go),
  );
  const dialog = el("dialog", { class: "order-dialog", "aria-labelledby": "order-title", "aria-describedby": "order-text" }, form);
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (fields.reason && reason.value.trim() === "") return reason.focus();
    go.disabled = true;
    const body = fields.reason ? { reason: reason.value.trim(), for_ms: Number(lasts.value) } : {};
    const refused = await order(path, body);
    go.disabled = false;
    if (!refused) return dialog.close();
    setShown(fault, true);
    fault.replaceChildren(...refused);
  });
  document.body.append(dialog);
  dialog.showModal();
  (fields.reason ? reason : go).focus();
}

/** Gives the order; answers why not, when it was not taken. */
async function order(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-watchdog-csrf": me.csrf },
      body: JSON.stringify(body),
    });
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) {
      say(told.message ?? "done");
      return null;
    }
    const leader = /^https?:\/\//.test(told.leader ?? "") ? el("a", { href: told.leader, text: ` Open the leader, ${told.leader}` }) : "";
    return [told.error ?? `It was refused: ${answer.status}`, leader];
  } catch (error) {
    return [`This watchdog did not answer: ${error.message}. Look before you try again.`];
  }
}

/** Tells those who listen and those who look. */
function say(text) {
  setText(document.getElementById("news"), text);
  const note = el("p", { class: "toast", text });
  document.body.append(note);
  setTimeout(() => note.remove(), 6000);
}
