// Time: moments and spans in words, by the watchdog's clock and not by this machine's.

let ahead = 0;
const tickers = new Set();

/** Notes what time the watchdog says that it is. */
export function setNow(at) {
  ahead = Date.parse(at) - Date.now();
}

/** The watchdog's time now, in milliseconds since 1970. */
export function now() {
  return Date.now() + ahead;
}

/** `0.34 s`, `12 s`, `4 min`, `3 h`, `2 d`: two figures are enough. */
export function span(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) {
    const minutes = Math.floor(seconds / 60);
    const rest = Math.floor(seconds % 60);
    return minutes < 10 && rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  }
  if (seconds < 86400) {
    const hours = Math.floor(seconds / 3600);
    const rest = Math.floor((seconds % 3600) / 60);
    return rest ? `${hours} h ${rest} min` : `${hours} h`;
  }
  return `${Math.floor(seconds / 86400)} d`;
}

/** How long ago, in whole seconds and more. */
export function ago(at) {
  const ms = now() - Date.parse(at);
  if (ms < 1000) return "now";
  return ms < 10000 ? `${Math.floor(ms / 1000)} s` : span(ms);
}

/** `23:42:10`, and the day before it when that is another. */
export function clock(at, millis = false) {
  const text = new Date(typeof at === "number" ? at : Date.parse(at)).toISOString();
  const time = text.slice(11, millis ? 23 : 19);
  const today = new Date(now()).toISOString().slice(0, 10);
  return text.slice(0, 10) === today ? time : `${text.slice(0, 10)} ${time}`;
}

/** Calls `tick` each second while the page is looked at. */
export function everySecond(tick) {
  tickers.add(tick);
  tick();
}

setInterval(() => {
  if (!document.hidden) tickers.forEach((tick) => tick());
}, 1000);
