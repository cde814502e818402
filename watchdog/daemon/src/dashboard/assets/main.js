// Main: decides what this page shows: one cluster, or all of them in a line each.

import { begin as beginActs } from "./acts.js";
import { showCluster } from "./cluster.js";
import { el, setText } from "./dom.js";
import { read } from "./feed.js";
import { showOverview } from "./overview.js";
import { clock, everySecond, now } from "./time.js";

const asked = new URLSearchParams(location.search).get("cluster");

everySecond(() => setText(document.getElementById("clock"), `${clock(now())} UTC`));

async function start() {
  const signedIn = beginActs();
  // A page that is asked for one cluster does not wait to learn of the others.
  if (asked) showCluster(asked);
  const names = await read("/api/v1/clusters");
  navigation(names);
  if (!asked) {
    if (names.length === 1) showCluster(names[0]);
    else showOverview();
  }
  await signedIn;
}

function navigation(names) {
  const here = asked ?? (names.length === 1 ? names[0] : null);
  const where = document.getElementById("where");
  if (names.length === 1) {
    where.append(el("span", { class: "here", text: names[0] }));
    return;
  }
  const options = names.map((name) => el("option", { value: name, text: name, selected: name === here }));
  const all = el("option", { value: "", text: "all clusters", selected: !here });
  const choose = el("select", { "aria-label": "Cluster" }, all, ...options);
  choose.addEventListener("change", () => {
    location.assign(choose.value ? `/?cluster=${encodeURIComponent(choose.value)}` : "/");
  });
  where.append(choose);
}

start().catch((error) => {
  const signIn = error.status === 401 ? el("a", { href: "/login", text: "Sign in" }) : null;
  const main = document.getElementById("main");
  main.replaceChildren(el("p", { class: "empty", role: "alert", text: `This watchdog does not answer: ${error.message} ` }, signIn));
});
