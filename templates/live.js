// Keeps the page up to date: asks for it again and changes what has changed, so that marked text, the focus and opened
// details stay as they are. Asks nothing while nobody looks, and says so when there is no answer.
"use strict";
(() => {
  const PATIENCE_MS = 5000;
  const version = document.documentElement.dataset.version;
  const live = document.getElementById("live");
  const silence = document.getElementById("silence");
  let heard = new Date();
  let timer = 0;

  const key = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset.key : undefined);
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);

  function become(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.data = fresh.data;
      return;
    }
    for (const { name, value } of [...fresh.attributes]) {
      // Whether details are open is the reader's choice.
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      let found = at;
      while (found && key(child) !== undefined && !alike(found, child)) found = found.nextSibling;
      if (!found || !alike(found, child)) {
        old.insertBefore(document.adoptNode(child), at);
        continue;
      }
      if (found === at) at = at.nextSibling;
      else old.insertBefore(found, at);
      become(found, child);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  async function update() {
    try {
      const reply = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!reply.ok) throw new Error(reply.statusText);
      const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
      // Another version has another script and other styles.
      if (fresh.documentElement.dataset.version !== version) return location.reload();
      become(live, fresh.getElementById("live"));
      document.title = fresh.title;
      heard = new Date();
      silence.hidden = true;
    } catch {
      silence.textContent = `No answer since ${heard.toISOString().slice(11, 19)} UTC: what stands here is of then.`;
      silence.hidden = false;
    }
  }

  async function go() {
    clearTimeout(timer);
    if (!document.hidden) await update();
    clearTimeout(timer);
    timer = setTimeout(go, 1000 * Number(live.dataset.refresh));
  }

  document.addEventListener("visibilitychange", () => document.hidden || go());
  timer = setTimeout(go, 1000 * Number(live.dataset.refresh));
})();
