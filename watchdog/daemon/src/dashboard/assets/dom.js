// Dom: makes and patches elements; what comes from outside only ever becomes text.

/** Makes an element. Attributes that are null or false are left out; `on` holds listeners, `text` its text. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value ?? "";
    else if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets a text, and touches nothing when it is that already. */
export function setText(node, text) {
  const wanted = text ?? "";
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Sets or removes an attribute, and touches nothing when it is so already. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Shows or hides. */
export function setShown(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

/**
 * A list whose nodes stay who they are: `make(item)` answers `{ node, patch }`; only items that are other objects than
 * before are patched, and only nodes that stand elsewhere are moved. The first `skip` children of the parent are not its.
 */
export function keyedList(parent, make, skip = 0) {
  const kept = new Map();
  return {
    show(pairs) {
      const focused = parent.contains(document.activeElement) ? document.activeElement : null;
      const wanted = new Set(pairs.map(([key]) => key));
      for (const [key, part] of kept) {
        if (!wanted.has(key)) {
          part.node.remove();
          kept.delete(key);
        }
      }
      let at = parent.children[skip] ?? null;
      pairs.forEach(([key, item]) => {
        let part = kept.get(key);
        if (!part) {
          part = { ...make(item), item: undefined };
          kept.set(key, part);
        }
        if (part.item !== item) {
          part.patch?.(item);
          part.item = item;
        }
        if (at && part.node !== at && part.node === at.nextElementSibling) {
          // The one before it has left its place; it is put where it belongs when its turn comes.
          const moved = at;
          at = part.node;
          moved.remove();
        }
        if (part.node === at) at = at.nextElementSibling;
        else parent.insertBefore(part.node, at);
      });
      if (focused && focused !== document.activeElement && parent.contains(focused)) focused.focus();
    },
    get: (key) => kept.get(key),
    each: (act) => kept.forEach(act),
    clear() {
      for (const part of kept.values()) part.node.remove();
      kept.clear();
    },
  };
}

/** A section with a heading; answers it, the place beside the heading, and the place below. */
export function panel(id, title, note) {
  const beside = el("div", { class: "beside" });
  const body = el("div", { class: "body" });
  const heading = el("h2", { id: `${id}-title`, text: title });
  const notes = note ? el("p", { class: "note", text: note }) : null;
  const head = el("div", { class: "head" }, heading, beside);
  const node = el("section", { class: "panel", id, "aria-labelledby": `${id}-title` }, head, notes, body);
  return { node, beside, body };
}

/** A word on a coloured ground. */
export function chip(word, tone) {
  return el("span", { class: `chip ${tone}`, text: word });
}
