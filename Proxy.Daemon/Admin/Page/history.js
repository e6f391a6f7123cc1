// What the last minute was like: the daemon tells counts, the page makes rates of them.

const Kept = 60;

// Rates are over some seconds: what comes in bursts is no rate of one second.
const RateSamples = 4;

/** Counts and connect times of one worker. */
class WorkerHistory {
  constructor() {
    this.totals = [];
    this.connect = [];
  }

  /** @returns {{dials, sent, received}} a second; NaN until there are two samples */
  get rates() {
    const last = this.totals.at(-1), first = this.totals[0];
    const seconds = last && last !== first ? (last.time - first.time) / 1000 : NaN;
    const rate = name => Math.max(0, last?.[name] - first?.[name]) / seconds;
    return { dials: rate("dials"), sent: rate("sent"), received: rate("received") };
  }
}

export class History {
  #workers = new Map();

  /** Another run of the daemon counts from zero. */
  clear() {
    this.#workers.clear();
  }

  of(id) {
    let history = this.#workers.get(id);
    if (!history)
      this.#workers.set(id, history = new WorkerHistory());
    return history;
  }

  /** Workers as they were at one time; their counts hold what live connections have moved until then. */
  add(workers, time) {
    for (const worker of workers) {
      const history = this.of(worker.id);
      push(history.totals, RateSamples, {
        time,
        dials: worker.total_connections,
        sent: worker.bytes_sent,
        received: worker.bytes_received,
      });
      push(history.connect, Kept, worker.connect_ms ?? null);
    }

    const known = new Set(workers.map(worker => worker.id));
    for (const id of this.#workers.keys()) {
      if (!known.has(id))
        this.#workers.delete(id);
    }
  }

  /** The longest connect time that is kept, milliseconds: sparklines of all workers have one scale. */
  get longestConnect() {
    let longest = 1;
    for (const { connect } of this.#workers.values()) {
      for (const value of connect)
        longest = Math.max(longest, value ?? 0);
    }

    return longest;
  }

  /** All workers together, a second. */
  get rates() {
    const sum = { dials: 0, sent: 0, received: 0 };
    for (const { rates } of this.#workers.values()) {
      for (const name in sum)
        sum[name] += rates[name];
    }

    return sum;
  }
}

function push(list, most, value) {
  list.push(value);
  if (list.length > most)
    list.shift();
}

/** The points of a sparkline in a box of 60 by 20, the latest at the right edge. */
export function sparkPoints(values, longest) {
  const points = [];
  const from = Kept - values.length;
  values.forEach((value, i) => {
    if (value !== null)
      points.push(`${from + i + 1},${(19 - 18 * value / longest).toFixed(1)}`);
  });
  return points.join(" ");
}
