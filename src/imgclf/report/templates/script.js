"use strict";
function show() {
  const at = document.getElementById(location.hash.slice(1)), box = at && at.closest("details");
  if (box) { box.open = true; box.scrollIntoView(); box.querySelector("summary").focus({ preventScroll: true }); }
}
addEventListener("hashchange", show);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) { show(); }
});
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const box of closed) { box.open = true; }
});
addEventListener("afterprint", () => { for (const box of closed) { box.open = false; } });
show();
