// Figures as people read them.

const Units = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count) {
  if (!Number.isFinite(count))
    return "–";
  let unit = 0;
  while (count >= 1024 && unit < Units.length - 1) {
    count /= 1024;
    unit++;
  }

  return `${unit === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)} ${Units[unit]}`;
}

export function perSecond(count) {
  return Number.isFinite(count) ? count >= 10 ? `${Math.round(count)}` : count.toFixed(1) : "–";
}

export function milliseconds(value) {
  return value === undefined || value === null ? "–" : value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`;
}

/** A length of time, at most two units: 4 s, 3 min, 2 h 5 min, 3 d 4 h. */
export function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60)
    return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60)
    return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24)
    return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${Math.floor(hours / 24)} d`;
}

export function number(count) {
  return count.toLocaleString("en");
}

export function plural(count, one, many = one + "s") {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** The name of a relay out of $FINGERPRINT~nickname; the beginning of its fingerprint where it has none. */
export function relay(text) {
  const [fingerprint, nickname] = text.split("~");
  return nickname || fingerprint.slice(0, 9);
}

export function clock(time) {
  const date = new Date(time);
  const two = value => String(value).padStart(2, "0");
  const day = date.toDateString() === new Date().toDateString() ? "" : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} `;
  return `${day}${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
