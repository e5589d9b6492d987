// A fact of the card opens its form in its own place. One stands open at a time: what was typed into it is never lost.
const shut = new WeakMap(); // what stood in a place before its form

const close = (form) => {
  const place = form.parentElement;
  const fact = form.dataset.of;
  place.innerHTML = shut.get(place);
  htmx.process(place);
  document.getElementById(fact)?.focus();
};

addEventListener("htmx:beforeRequest", (event) => {
  const open = document.querySelector(".fact-form");
  if (!open || !event.detail.elt.matches("a.fact")) return;
  if (open.dataset.changed === undefined && shut.has(open.parentElement)) return close(open);
  event.preventDefault();
  open.querySelector("input:not([type=hidden]), textarea, select").focus();
});
addEventListener("htmx:beforeSwap", (event) => {
  const { elt } = event.detail.requestConfig;
  if (elt.matches("a.fact")) shut.set(event.detail.target, event.detail.target.innerHTML);
});
addEventListener("htmx:afterSettle", (event) => {
  const { elt } = event.detail.requestConfig;
  if (elt.matches(".fact-form")) document.getElementById(elt.dataset.of)?.focus();
});

addEventListener("click", (event) => {
  const form = event.target.closest("[data-cancel]")?.closest(".fact-form");
  if (!form || !shut.has(form.parentElement)) return;
  event.preventDefault();
  close(form);
});
addEventListener("keydown", (event) => {
  const form = event.target.closest(".fact-form");
  if (event.key === "Escape" && form && form.dataset.changed === undefined && shut.has(form.parentElement)) close(form);
});
