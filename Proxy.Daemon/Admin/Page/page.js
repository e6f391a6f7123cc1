// The page as a whole: asks the daemon for what is, hears from it what happens, and draws what changed.

import { EventStream, forgetToken, get, hasToken, onToken } from "./api.js";
import { Connections } from "./connections.js";
import { askToken, say } from "./dialogs.js";
import { History } from "./history.js";
import { Blacklist, Events, Sessions } from "./lists.js";
import { setAttribute, setText } from "./rows.js";
import { Workers } from "./workers.js";

// Workers each second; the longer lists less often, and a list of thousands of connections less often still.
const TickMs = 1000, ListsEveryMs = 4000, PerConnectionMs = 0.5;

// An event is drawn at once, a storm of them together.
const SoonMs = 40, BetweenMs = 200;

// What somebody who does not see the page is told of: all else is in the list of events.
const Told = new Set([
  "worker_state", "worker_drain", "worker_enable", "worker_added", "worker_leaves", "worker_gone", "demotion", "alert", "stopping",
]);

const byId = id => document.getElementById(id);

const history = new History();
const dirty = new Set();
let frame = 0;

/** Draws these parts with the browser's next frame. */
function draw(...parts) {
  for (const part of parts)
    dirty.add(part);
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    const now = [...dirty];
    dirty.clear();
    for (const part of now)
      part.draw();
  });
}

const workers = new Workers(history, () => draw(workers), refreshAll);
const connections = new Connections(() => draw(connections), refreshAll);
const sessions = new Sessions(() => draw(sessions), refreshAll);
const blacklist = new Blacklist(() => draw(blacklist), refreshAll);
const events = new Events(() => draw(events));

let isLive = false, isBusy = false, isAgain = false, timer = 0;
let refreshedAt = 0, historyAt = -Infinity, connectionsAt = -Infinity, listsAt = -Infinity, connectionCount = 0;

/** Asks for what is due; what an event or a command asks for meanwhile follows. */
async function refresh() {
  clearTimeout(timer);
  timer = 0;
  if (isBusy) {
    isAgain = true;
    return;
  }

  isBusy = true;
  isAgain = false;
  const began = refreshedAt = performance.now();
  try {
    const [now, live] = await Promise.all([
      get("/api/v1/workers"),
      began - connectionsAt >= Math.max(TickMs / 2, connectionCount * PerConnectionMs) ? get("/api/v1/connections") : null,
    ]);
    workers.all = now.workers;
    if (began - historyAt >= TickMs / 2) {
      historyAt = began;
      history.add(now.workers, began);
    }

    if (live) {
      connectionsAt = began;
      connectionCount = live.connections.length;
      connections.all = live.connections;
      draw(connections);
    }

    draw(workers);
    if (began - listsAt >= ListsEveryMs) {
      listsAt = began;
      const [used, avoided] = await Promise.all([get("/api/v1/sessions"), get("/api/v1/blacklist")]);
      sessions.all = used.sessions;
      blacklist.all = avoided.relays;
      draw(sessions, blacklist);
    }

    if (isLive)
      showLink("live");
    byId("forget").hidden = !hasToken();
    byId("footer").hidden = hasToken();
  } catch (failure) {
    // The stream notices by itself when the daemon is away; here it answered with an error, or is about to be missed.
    if (isLive && failure.status)
      showLink("away", `The daemon answers with an error: ${failure.message}`);
  }

  isBusy = false;
  schedule(isAgain ? BetweenMs : Math.max(TickMs, 4 * (performance.now() - began)));
}

function schedule(wait) {
  clearTimeout(timer);
  timer = isLive && !document.hidden ? setTimeout(refresh, wait) : 0;
}

/** Soon, and everything. */
function refreshAll() {
  connectionsAt = listsAt = -Infinity;
  refreshSoon();
}

function refreshSoon() {
  if (isBusy)
    isAgain = true;
  else
    schedule(Math.max(SoonMs, refreshedAt + BetweenMs - performance.now()));
}

let link = "connecting", countdown = 0;

/** Says whether what is shown is so. */
function showLink(state, why = "", waitMs = 0) {
  setAttribute(byId("link"), "data-link", state);
  setAttribute(document.body, "data-link", state);
  setText(byId("link-word"), state);
  byId("away").hidden = state !== "away";
  if (why)
    setText(byId("away-word"), why);
  clearInterval(countdown);
  const until = performance.now() + waitMs;
  const count = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    setText(byId("away-next"), waitMs && left > 0 ? `Next try in ${left} s.` : "Trying again …");
  };
  if (state === "away") {
    count();
    countdown = setInterval(count, 1000);
  }

  if (state !== link && (state === "away" || link === "away"))
    say(state === "away" ? `${why} What is shown is from before.` : "The daemon answers again.");
  link = state;
}

const stream = new EventStream({
  open() {
    isLive = true;
    showLink("live");
    refreshAll();
  },

  event(happened, isNew) {
    if (happened.event === "events_lost")
      history.clear();
    events.add(happened);
    draw(events);
    if (!isNew)
      return;
    if (Told.has(happened.event))
      say(happened.message);
    if (happened.event.startsWith("relay_") || happened.event === "session_rotated")
      listsAt = -Infinity;
    if (happened.event === "connection_closed")
      connectionsAt = -Infinity;
    refreshSoon();
  },

  away(failure, waitMs) {
    isLive = false;
    clearTimeout(timer);
    showLink("away", failure.status ? `The daemon answers with an error: ${failure.message}.` : "The daemon does not answer.", waitMs);
  },
});

onToken(askToken);
byId("away-now").addEventListener("click", () => stream.retry());
byId("forget").addEventListener("click", () => {
  forgetToken();
  location.reload();
});
document.addEventListener("visibilitychange", () => {
  stream.paused = document.hidden;
  if (!document.hidden)
    refreshSoon();
});
stream.run();
