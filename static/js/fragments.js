// htmx on the pages that load it: refusals are shown like answers, and a form in a swapped part may be sent again.
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "(403|409|412|422|428|429)", swap: true, error: false },
  { code: "[23]..", swap: true },
  { code: "[45]..", swap: false, error: true },
];
addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector("input[name=csrfmiddlewaretoken]");
  if (token) event.detail.headers["X-CSRFToken"] = token.value;
});
addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt.closest?.("form");
  if (form) { delete form.dataset.sent; delete form.dataset.changed; form.querySelectorAll("button[aria-disabled]").forEach((button) => button.removeAttribute("aria-disabled")); }
});
// A failed request falls back to the ordinary form, which shows the browser's own error or our page.
addEventListener("htmx:sendError", (event) => { const form = event.detail.elt.closest?.("form"); if (form) form.submit(); });
