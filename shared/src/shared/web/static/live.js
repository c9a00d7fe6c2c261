// A live page: countdowns run locally, the event stream replaces parts of the page, rows keep their
// place while one has the focus, and a page without recent events shows that it is out of date.
"use strict";
(() => {
  const STALE_MS = 4000;
  const TICK_MS = 500;
  const body = document.body;
  const byId = (id) => document.getElementById(id);

  // Time: business time at the last `beat` event, and its rate.
  let anchor = { asOf: Date.parse(body.dataset.asOf), at: performance.now(), rate: 1 };
  let heardAt = performance.now();
  const now = () => anchor.asOf + (performance.now() - anchor.at) * anchor.rate;

  function span(seconds) {
    const s = Math.trunc(seconds);
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.trunc(s / 60)} min`;
    const [great, unit, rest, lesser] =
      s < 86400 ? [3600, "h", 60, "min"] : [86400, "d", 3600, "h"];
    const small = Math.trunc((s % great) / rest);
    return `${Math.trunc(s / great)} ${unit}` + (small ? ` ${small} ${lesser}` : "");
  }

  function show(element, at) {
    const due = Date.parse(element.dataset.due);
    const since = Date.parse(element.dataset.since);
    const seconds = (due - at) / 1000;
    const words = seconds >= 0 ? `${span(seconds)} left` : `${span(-seconds)} over`;
    const time = element.querySelector("time");
    if (time.textContent !== words) time.textContent = words;
    const state = seconds <= 0 ? "over" : (due - at) * 5 <= due - since ? "soon" : "fine";
    if (element.dataset.state !== state) element.dataset.state = state;
  }

  function tick() {
    const silent = performance.now() - heardAt;
    if (body.dataset.live === "live" && silent > STALE_MS) goStale();
    if (body.dataset.live === "connecting" && silent > STALE_MS) goStale();
    const age = Math.trunc(silent / 1000);
    const words = body.dataset.live === "connecting" ? "connecting" : `data ${age} s old`;
    if (byId("age-words").textContent !== words) byId("age-words").textContent = words;
    if (body.dataset.live !== "stale") tickAll(body);
  }

  function tickAll(root) {
    const at = now();
    root.querySelectorAll(".due").forEach((element) => show(element, at));
  }

  function goStale() {
    body.dataset.live = "stale";
    byId("banner").textContent =
      "The connection is lost. What you see is out of date; it is being tried again.";
  }

  function applyBeat(beat) {
    heardAt = performance.now();
    anchor = { asOf: Date.parse(beat.as_of), at: heardAt, rate: beat.rate };
    if (body.dataset.live === "stale") {
      byId("banner").textContent = "The connection is back. What you see is up to date.";
      setTimeout(() => {
        if (body.dataset.live === "live") byId("banner").textContent = "";
      }, 8000);
    }
    body.dataset.live = "live";
    if (beat.release !== body.dataset.release) {
      byId("banner").textContent = "This page is of an older release: reload it.";
    }
    tick();
  }

  // Parts are replaced as a whole, except a list that has the focus.
  let held = null;
  let expected = false; // the next view is the result of the user's own action: show it at once
  let acting = 0;
  let meanwhile = null; // a view that arrived during an action: show it after the action's response

  const rowsOf = (part) =>
    new Map([...part.querySelectorAll("[data-row]")].map((row) => [row.id, row]));

  function receive(html) {
    if (acting) {
      meanwhile = html;
      return;
    }
    const brought = document.createElement("template");
    brought.innerHTML = html;
    for (const part of brought.content.querySelectorAll("[data-part]")) {
      const shown = byId(part.id);
      if (!shown) continue;
      if (shown.contains(document.activeElement) && !expected) hold(shown, part);
      else place(shown, part);
    }
    expected = false;
  }

  function place(shown, part) {
    for (const open of shown.querySelectorAll("details[id]")) {
      const again = part.querySelector(`#${CSS.escape(open.id)}`);
      if (again) again.open = open.open;
    }
    const focused = shown.contains(document.activeElement) ? focusPath(shown) : null;
    shown.replaceWith(part);
    htmx.process(part);
    if (focused) (part.querySelector(focused) || byId("pane") || byId("main")).focus();
    if (held && held.id === part.id) release();
    afterwards();
  }

  function focusPath(shown) {
    const row = document.activeElement.closest("[data-row]");
    return row && shown.contains(row) ? `#${CSS.escape(row.id)} > a` : null;
  }

  // Rows stay in place while one has the focus: their content is updated, removed rows are struck
  // out, and new rows are added only on request.
  function hold(shown, part) {
    const before = rowsOf(shown);
    const after = rowsOf(part);
    let fresh = 0;
    for (const [id, row] of after) {
      const old = before.get(id);
      if (!old) fresh += 1;
      else if (!old.contains(document.activeElement) && old.outerHTML !== row.outerHTML) {
        const renewed = row.cloneNode(true);
        old.replaceWith(renewed);
        htmx.process(renewed);
      } else if (old.dataset.version !== row.dataset.version) {
        old.dataset.version = row.dataset.version;
        const [from, to] = [row.querySelector("a"), old.querySelector("a")];
        if (from && to) to.innerHTML = from.innerHTML;
      }
    }
    for (const [id, row] of before) {
      const gone = !after.has(id);
      row.classList.toggle("gone", gone);
      if (gone) row.dataset.gone = "not here any more";
    }
    held = part.cloneNode(true);
    const more = byId("more");
    more.hidden = fresh === 0;
    more.textContent = `${fresh} new`;
    more.dataset.key = "n";
    afterwards();
  }

  function release() {
    held = null;
    byId("more").hidden = true;
  }

  function catchUp() {
    if (!held) return;
    const part = held;
    const shown = byId(part.id);
    release();
    if (shown) place(shown, part);
  }

  // After any change: mark the selected row, and mark an outdated ticket view.
  function afterwards() {
    const opened = document.querySelector("#pane [data-ticket]");
    const id = opened ? `t-${opened.dataset.ticket.replaceAll("-", "")}` : "";
    for (const row of document.querySelectorAll("[data-row]")) {
      row.toggleAttribute("data-chosen", row.id === id);
      row.querySelector("a").setAttribute("aria-current", row.id === id ? "true" : "false");
    }
    const row = id && byId(id);
    const old = byId("pane-old");
    if (old && row && Number(row.dataset.version) > Number(opened.dataset.version)) {
      old.hidden = false;
    }
    tickAll(body);
  }

  // Show a failed request next to the element that sent it.
  function place_of(element) {
    const pane = element.closest("#pane");
    if (!pane) return byId("said");
    return pane.querySelector(".answer") || pane;
  }

  function showError(element, text) {
    const message = document.createElement("p");
    message.className = "said bad";
    message.role = "alert";
    message.textContent = text;
    place_of(element).replaceChildren(message);
  }

  // During sign-out ignore that the session has ended: the sign-out response redirects.
  let leaving = false;
  document.addEventListener("submit", (event) => {
    leaving = event.target.matches("[action='/sign-out']");
  });
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    event.preventDefault();
    const id = event.target.id;
    if (id === "view") receive(event.detail.data);
    if (id === "beat") applyBeat(JSON.parse(event.detail.data));
    if (id === "ended" && !leaving) location.assign("/sign-in?why=ended");
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.isError && event.detail.xhr.status !== 401) {
      event.detail.shouldSwap = true;
      event.detail.target = place_of(event.detail.requestConfig.elt);
      event.detail.swapOverride = "innerHTML";
    }
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) =>
      showError(event.detail.elt, "No answer came. Press again: nothing is done twice."));
  }
  const isAct = (event) => event.detail.requestConfig?.verb === "post";
  // Listen on the request itself: its element may be gone from the page when the response arrives,
  // and then its events do not reach us.
  document.addEventListener("htmx:beforeSend", (event) => {
    if (!isAct(event)) return;
    acting += 1;
    const { xhr } = event.detail;
    xhr.addEventListener("loadend", () => {
      acting -= 1;
      const html = meanwhile;
      expected = xhr.status >= 200 && xhr.status < 300;
      if (html === null || acting) return;
      meanwhile = null;
      receive(html);
    });
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    afterwards();
    const target = event.detail.target;
    const message = target.querySelector(".said:not([hidden])");
    if (message) message.focus();
    else if (target.id === "pane") target.focus({ preventScroll: true });
  });
  document.addEventListener("focusout", (event) => {
    const next = event.relatedTarget;
    if (held && next && next.id !== "more" && !byId(held.id).contains(next)) catchUp();
  });
  document.addEventListener("DOMContentLoaded", () => {
    byId("more").addEventListener("click", () => {
      const part = held && held.id;
      catchUp();
      const first = part && byId(part).querySelector("[data-row] > a");
      if (first) first.focus();
    });
    afterwards();
    setInterval(tick, TICK_MS);
  });
})();
