// Says when new mails are there, without moving the list; says so when it cannot know.
"use strict";

const news = document.getElementById("news");
const seen = Number(news.dataset.count);
const EVERY_MS = 2000;

async function look() {
  try {
    const answer = await fetch("/mails.json?since=" + seen);
    const fresh = (await answer.json()).count - seen;
    news.classList.remove("stale");
    news.replaceChildren(...(fresh > 0 ? [link(fresh)] : []));
  } catch {
    news.classList.add("stale");
    news.textContent = "The mail sink does not answer: this list may be old. Trying again.";
  }
  setTimeout(look, EVERY_MS);
}

function link(fresh) {
  const to = document.createElement("a");
  to.href = "/";
  to.textContent = fresh === 1 ? "1 new mail" : fresh + " new mails";
  return to;
}

setTimeout(look, EVERY_MS);
