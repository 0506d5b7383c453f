// Keeps the page as the house is. Without it every page still reads, and every button still works.

const $ = (selector, root = document) => root.querySelector(selector);
const page = document.body.dataset.page;
const zone = document.body.dataset.zone;
// The house's clock is the truth; this machine's may be wrong, and a demo's night is not now.
let offset = Number(document.body.dataset.now) - Date.now();
const houseNow = () => Date.now() + offset;

/* What is live */

// The server speaks at least every 20 s. Longer silence is a stream that died without saying so: a laptop that slept.
const SILENCE = 50_000;
const PAUSES = [500, 1_000, 2_000, 5_000, 10_000];
let source, failures = 0, heard = Date.now(), retry;

function connect() {
  clearTimeout(retry);
  source?.close();
  heard = Date.now();
  source = new EventSource({ models: "/models/events", body: "/body/events", memory: "/memory/events", incident: "/body/events" }[page] ?? "/events");
  source.onopen = () => { heard = Date.now(); failures = 0; pulse("live", "live"); };
  // The browser's own retry gives up for good on some answers; ours does not.
  source.onerror = () => { source.close(); lost(); };
  on("now", (data) => { offset = Date.parse(data.at) - Date.now(); tick(); });
  if (page === "incident") {
    on("part", refetchSoon);
  } else if (["models", "body", "memory"].includes(page)) {
    on("part", (data) => swap(data.part, data.html));
  } else if (page === "home") {
    on("part", (data) => swap(data.part, data.html));
    on("banner", announce);
  } else {
    const trace = $("#story")?.dataset.trace;
    for (const kind of ["banner", "happening", "screen"]) {
      on(kind, (_, text) => { if (text.includes(trace)) refetchSoon(); });
    }
  }
}

function on(kind, act) {
  source.addEventListener(kind, (event) => { heard = Date.now(); act(JSON.parse(event.data), event.data); });
}

function lost() {
  pulse("lost", "not live");
  const pause = PAUSES[Math.min(failures++, PAUSES.length - 1)];
  clearTimeout(retry);
  retry = setTimeout(connect, pause);
}

function pulse(state, text) {
  const el = $("#pulse");
  if (el.dataset.state === state) return;
  el.dataset.state = state;
  $(".pulse-text", el).textContent = text;
}

setInterval(() => { if (Date.now() - heard > SILENCE) lost(), connect(); }, 5_000);
addEventListener("online", connect);
// A page that comes back out of the browser's own store may be hours old.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

/* Parts of the page */

// The new part takes the old one's place without taking anyone's place away: focus and opened details stay.
function swap(part, html) {
  const el = $(`[data-part="${part}"]`);
  if (!el) return;
  const focused = el.contains(document.activeElement) ? document.activeElement : null;
  const id = focused?.id || focused?.closest("[id]")?.id;
  const place = focused && [...el.querySelectorAll("a, button, summary, article")].indexOf(focused);
  const opened = [...el.querySelectorAll("details[open][id]")].map((details) => details.id);
  el.innerHTML = html;
  for (const details of opened) document.getElementById(details)?.setAttribute("open", "");
  if (focused) {
    const rest = [...el.querySelectorAll("a, button, summary, article")];
    const article = id && document.getElementById(id.replace(/-(ack|story)$/, ""));
    const next = (id && document.getElementById(id)) || article || rest[Math.min(place, rest.length - 1)] || $(`#${part}-title`);
    next?.focus({ preventScroll: true });
  }
  if (part === "sentence") document.title = $("[data-title]", el)?.dataset.title ?? document.title;
  tick();
}

// Screen readers hear each banner once for each time it is said: at once if it is bad, in a pause if it is not.
const told = new Map();
function announce(banner) {
  if (banner.acked || told.get(banner.id) === banner.count) return;
  told.set(banner.id, banner.count);
  const urgent = banner.severity === "error" || banner.severity === "critical";
  $(urgent ? "#urgent" : "#polite").textContent = `${banner.severity}: ${banner.title}. ${banner.message}`;
}

let refetch;
function refetchSoon() {
  clearTimeout(refetch);
  refetch = setTimeout(async () => {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const story = $("#story", fresh);
    if (story) $("#story").innerHTML = story.innerHTML, document.title = fresh.title;
  }, 150);
}

/* The time in the house */

const wall = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone || undefined });
function tick() {
  const now = houseNow(), text = wall.format(now), clock = $("#clock");
  if (clock && clock.textContent !== text) clock.textContent = text;
  const line = $("#timeline");
  if (!line) return;
  const from = Number(line.dataset.from), to = Number(line.dataset.to);
  const at = `${Math.min(100, Math.max(0, ((now - from) / (to - from)) * 100)).toFixed(2)}%`;
  for (const mark of line.querySelectorAll("[data-now]")) {
    for (const name of ["x", "x1", "x2"]) if (mark.hasAttribute(name)) mark.setAttribute(name, at);
    if (mark.tagName === "text") mark.textContent = `now ${text}`;
  }
}
setInterval(tick, 10_000);

/* Buttons */

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-live]")) return;
  event.preventDefault();
  const button = event.submitter ?? $("button", form);
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    const body = new URLSearchParams(new FormData(form, event.submitter));
    const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "application/json" } });
    if (answer.status === 401) return location.reload();
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({}));
      toast([problem.title ?? `It failed (${answer.status})`, problem.detail, problem.hint].filter(Boolean).join(". "));
    }
  } catch {
    toast("The house did not answer. Nothing is known of what came of it.");
  } finally {
    button.removeAttribute("aria-busy");
  }
});

let hush;
function toast(text) {
  const el = $("#toast");
  el.textContent = text;
  el.hidden = false;
  clearTimeout(hush);
  hush = setTimeout(() => { el.hidden = true; }, 9_000);
}

/* Keys */

const help = $("#help"), keys = $("#keys-on");
const KEYS = "sanctum-keys";
if (help) {
  $("#help-open").hidden = false;
  $("#help-open").addEventListener("click", () => help.showModal());
  keys.checked = localStorage.getItem(KEYS) !== "off";
  keys.addEventListener("change", () => localStorage.setItem(KEYS, keys.checked ? "on" : "off"));
}

document.addEventListener("keydown", (event) => {
  if (!help || !keys.checked || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
  if (help.open) return void (event.key === "?" && help.close());
  const banners = [...document.querySelectorAll(".banner")];
  const here = document.activeElement?.closest(".banner");
  const at = here ?? banners.find((banner) => !("acked" in banner.dataset)) ?? banners[0];
  const step = (by) => banners[Math.min(banners.length - 1, Math.max(0, here ? banners.indexOf(here) + by : 0))]?.focus();
  switch (event.key) {
    case "?": help.showModal(); break;
    case "j": step(1); break;
    case "k": step(-1); break;
    case "a": at && $('[data-act="ack"]', at)?.click(); break;
    case "s": at && $('[data-act="story"]', at)?.click(); break;
    default: return;
  }
  event.preventDefault();
});

connect();
tick();
