// Cluster: one cluster's page: makes its parts, and hands each of them what is new to it.

import { deciding } from "./acts.js";
import { el, setText } from "./dom.js";
import { facts } from "./facts.js";
import { follow, read } from "./feed.js";
import { incidentPanel } from "./incident-view.js";
import { logPanel } from "./log.js";
import { hostsPanel, offersPanel, refusalsPanel } from "./parts.js";
import { planPanel } from "./plans.js";
import { replicaPanel } from "./replicas.js";
import { rolloutPanel } from "./rollout.js";
import { emptyStore, takeChange, takeEvents, takePicture } from "./store.js";
import { setNow } from "./time.js";
import { whySheet } from "./why.js";

const WORDS = { live: "live", lost: "lost, coming again", refused: "refused, coming again" };

/** Shows one cluster, and keeps it true. */
export function showCluster(cluster) {
  document.title = `${cluster} · Watchdog`;
  const store = emptyStore();
  const base = `/api/v1/${encodeURIComponent(cluster)}`;
  const why = whySheet(base);
  const head = facts(store, base);
  const parts = {
    plans: planPanel(store, base),
    replicas: replicaPanel(store, (name) => why.open(name)),
    rollout: rolloutPanel(store),
    incidents: incidentPanel(store, base, (name) => why.open(name)),
    refusals: refusalsPanel(store),
    offers: offersPanel(store),
    hosts: hostsPanel(store),
    log: logPanel(store, base),
  };
  const left = el("div", { class: "column" }, parts.plans.node, parts.replicas.node, parts.log.node);
  const right = el("div", { class: "column" }, parts.refusals.node, parts.offers.node, parts.rollout.node, parts.incidents.node, parts.hosts.node);
  document.getElementById("main").replaceChildren(head.node, el("div", { class: "columns" }, left, right));

  const render = (changes) => {
    head.show(changes);
    for (const part of Object.values(parts)) part.show(changes);
    deciding(store);
    if (changes.replicas) why.refresh(changes.replicas);
  };

  const told = {
    picture(picture) {
      takePicture(store, picture);
      render({ all: true, status: true, replicas: new Set(store.replicas.keys()), plans: true, goals: true, events: [] });
      performance.mark("watchdog-picture");
    },
    story(story) {
      const fresh = takeEvents(store, story.events);
      render({ first: true, events: fresh });
      if (story.missed) catchUp();
    },
    change(change) {
      const fresh = takeChange(store, change);
      render({
        status: Boolean(change.status) || change.leads !== undefined,
        replicas: change.replicas || change.gone ? new Set([...(change.replicas ?? []).map((row) => row.replica), ...(change.gone ?? [])]) : null,
        plans: Boolean(change.plans),
        goals: Boolean(change.goals),
        events: fresh,
      });
    },
    beat() {},
  };

  // More was recorded than the stream keeps: the rest is read where it stands.
  async function catchUp() {
    const fresh = takeEvents(store, await read(`${base}/events?limit=500`).catch(() => []));
    render({ first: true, events: fresh });
  }

  follow(cluster, {
    told(kind, data) {
      if (data.at) setNow(data.at);
      told[kind](data);
    },
    state(word) {
      const live = document.getElementById("live");
      live.dataset.state = word;
      setText(document.getElementById("live-word"), WORDS[word]);
      head.connection(word);
    },
  });
}
