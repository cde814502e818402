// Feed: follows one cluster by server-sent events, and comes again when it was cut off.

/** A stream that says nothing for this long is not one any more; the watchdog says something every five seconds. */
const SILENCE_MS = 15000;
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 5000;

/**
 * Follows `cluster`. `told(kind, data)` is called for `picture`, `story`, `change` and `beat`, and
 * `state(word)` with `live`, `lost` or `refused`.
 */
export function follow(cluster, { told, state }) {
  let source = null;
  let after = null;
  let pause = PAUSE_MIN_MS;
  let silence = 0;

  const again = (word) => {
    source?.close();
    source = null;
    clearTimeout(silence);
    state(word);
    setTimeout(open, pause);
    pause = Math.min(pause * 2, PAUSE_MAX_MS);
  };

  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(() => again("lost"), SILENCE_MS);
  };

  function open() {
    const query = after === null ? "" : `?after=${after}`;
    source = new EventSource(`/api/v1/${encodeURIComponent(cluster)}/live${query}`);
    for (const kind of ["picture", "story", "change", "beat"]) {
      source.addEventListener(kind, (event) => {
        alive();
        if (event.lastEventId) after = event.lastEventId;
        if (kind === "picture") {
          pause = PAUSE_MIN_MS;
          state("live");
        }
        told(kind, JSON.parse(event.data));
      });
    }
    source.onerror = () => {
      // The browser comes again by itself where the connection broke; it gives up where it was refused.
      if (source?.readyState === EventSource.CLOSED) again("refused");
      else state("lost");
    };
    alive();
  }

  open();
}

/** Reads JSON; throws an error with the watchdog's own sentence. */
export async function read(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = new Error(body.error ?? `${answer.status} ${answer.statusText}`);
    error.status = answer.status;
    throw error;
  }
  return body;
}
