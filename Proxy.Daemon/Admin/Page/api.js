// Requests of the admin API, and its event stream. The token, where one is asked for, is kept in this tab alone.

const TokenKey = "torbalancer.token";

// The server sends a comment every 15 s; a stream that is silent for longer leads nowhere any more.
const SilenceMs = 40_000, AnswerMs = 30_000;
const FirstWaitMs = 500, LongestWaitMs = 15_000;

let token = sessionStorage.getItem(TokenKey) ?? "";
let askForToken = null;
let asking = null;

/** What the daemon answered instead of what was wanted; status 0: nothing, it was not reached. */
export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Who asks the reader for the token: called with whether one was wrong, gives a promise of the next. */
export function onToken(ask) {
  askForToken = ask;
}

export function hasToken() {
  return token !== "";
}

export function forgetToken() {
  token = "";
  sessionStorage.removeItem(TokenKey);
}

export const get = path => json("GET", path);
export const post = path => json("POST", path);
export const remove = path => json("DELETE", path);

async function json(method, path) {
  const response = await send(method, path);
  try {
    return await response.json();
  } catch (failure) {
    throw new ApiError(0, failure.message);
  }
}

/** Sends a request until it is let in; all that wait for a token wait for the same question. */
async function send(method, path, headers = {}, signal = undefined) {
  for (;;) {
    const used = token;
    let response;
    try {
      response = await fetch(path, {
        method,
        headers: used ? { ...headers, Authorization: `Bearer ${used}` } : headers,
        signal: signal ?? AbortSignal.timeout(AnswerMs),
        credentials: "omit",
        redirect: "error",
      });
    } catch (failure) {
      throw new ApiError(0, failure.message);
    }

    if (response.ok)
      return response;
    if (response.status !== 401)
      throw await problem(response);
    if (used === token)
      await nextToken(used !== "");
  }
}

async function problem(response) {
  try {
    const { detail } = await response.json();
    return new ApiError(response.status, detail ?? response.statusText);
  } catch {
    return new ApiError(response.status, response.statusText);
  }
}

function nextToken(wasWrong) {
  asking ??= askForToken(wasWrong).then(given => {
    token = given;
    sessionStorage.setItem(TokenKey, given);
  }).finally(() => asking = null);
  return asking;
}

/**
 * The event stream, for as long as the page is there. After an end it is asked for again, behind the last event that came; waits grow.
 * EventSource could not send the token.
 */
export class EventStream {
  #last = "";
  #wait = FirstWaitMs;
  #abort = null;
  #wake = null;
  #paused = false;

  /** @param {{open(), event(data, isNew), away(error, waitMs)}} hears what happens to the stream, and what it brings */
  constructor(hears) {
    this.hears = hears;
  }

  async run() {
    for (;;) {
      let error = null;
      if (!this.#paused) {
        try {
          await this.#follow();
          error = new ApiError(0, "the stream ended");
        } catch (failure) {
          error = failure instanceof ApiError ? failure : new ApiError(0, failure.message);
        }
      }

      if (!this.#paused)
        this.hears.away(error ?? new ApiError(0, "the stream ended"), this.#wait);
      await new Promise(resolve => {
        this.#wake = resolve;
        if (!this.#paused)
          setTimeout(resolve, this.#wait);
      });
      this.#wait = Math.min(this.#wait * 2, LongestWaitMs);
    }
  }

  /** Asks again now rather than later. */
  retry() {
    this.#wait = FirstWaitMs;
    this.#wake?.();
  }

  /** A page that nobody looks at holds no connection. */
  set paused(value) {
    this.#paused = value;
    if (value)
      this.#abort?.abort();
    else
      this.retry();
  }

  async #follow() {
    this.#abort = new AbortController();
    const headers = this.#last ? { "Last-Event-ID": this.#last } : {};
    const abort = this.#abort, head = setTimeout(() => abort.abort(), AnswerMs);
    const response = await send("GET", "/api/v1/events?recent=200", headers, abort.signal).finally(() => clearTimeout(head));
    this.#wait = FirstWaitMs;
    this.hears.open();

    // What is sent first happened before: the daemon's own clock says so.
    const opened = Date.parse(response.headers.get("Date")) || Date.now();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const silence = setTimeout(() => this.#abort.abort(), SilenceMs);
      const { value, done } = await reader.read().finally(() => clearTimeout(silence));
      if (done)
        return;
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      for (const block of blocks)
        this.#take(block, opened);
    }
  }

  /** One event as it stands in the stream (HTML Standard, section 9.2.6); the server writes each field once, on one line. */
  #take(block, opened) {
    let data = null;
    for (const line of block.split("\n")) {
      if (line.startsWith("id: "))
        this.#last = line.slice(4);
      else if (line.startsWith("data: "))
        data = line.slice(6);
    }

    if (data === null)
      return;
    const happened = JSON.parse(data);
    this.hears.event(happened, Date.parse(happened.time) >= opened);
  }
}
