// Every form: sent once, never lost without a word; an error gets the focus; the sheet's buttons that need a script appear.
addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => form.querySelectorAll("button:not([type=button])").forEach((button) => button.setAttribute("aria-disabled", "true")));
  setTimeout(() => release(form), 8000); // the answer is late: let the person try again, the server knows the form's key
});

const release = (form) => {
  delete form.dataset.sent;
  form.querySelectorAll("button[aria-disabled]").forEach((button) => button.removeAttribute("aria-disabled"));
};
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(release));

// Back shows what was sent: such pages are not kept by the browser, nor is what was typed into them. It lives in the
// tab's own history and goes with the tab; the form's one-time key comes back too, so that the server knows the form.
const path = (form) => new URL(form.action).pathname;
addEventListener("submit", ({ target: form }) => {
  if (!form.elements.form_key || form.hasAttribute("hx-post")) return;
  const typed = [...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken");
  history.replaceState({ path: path(form), typed }, "");
});
const restore = ({ path: of, typed }) => {
  const form = [...document.forms].find((one) => one.elements.form_key && path(one) === of);
  if (!form) return;
  typed.forEach(([name, value]) => {
    const field = form.elements[name];
    if (!field) return;
    field.value = value;
    if (value && field.closest) field.closest("details")?.setAttribute("open", "");
  });
};
const cameBack = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
if (cameBack && history.state?.typed) restore(history.state);

const changed = (form) => form.dataset.sent === undefined && form.dataset.changed !== undefined;
addEventListener("input", (event) => {
  const form = event.target.form;
  if (form && "guard" in form.dataset) form.dataset.changed = "";
});
addEventListener("beforeunload", (event) => {
  if ([...document.querySelectorAll("form[data-guard]")].some(changed)) event.preventDefault();
});

// A press on Cancel is an answer already.
addEventListener("click", (event) => {
  const form = event.target.closest("form[data-guard] a[href]:not([target])")?.closest("form");
  if (form) delete form.dataset.changed;
});

if (location.hash === "#search") document.getElementById("search")?.focus();

addEventListener("click", (event) => {
  const button = event.target.closest("[data-take]");
  if (!button) return;
  const input = document.getElementById(button.dataset.take);
  input.value = button.dataset.value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.focus();
});
const dress = (part) => {
  part.querySelector("[aria-invalid=true]")?.focus();
  part.querySelectorAll("[data-take]").forEach((button) => { button.hidden = false; });
};
dress(document);
addEventListener("htmx:afterSettle", (event) => dress(event.target));

document.querySelectorAll("[data-theme-choice]").forEach((button) => {
  button.addEventListener("click", () => { document.documentElement.dataset.theme = button.value; });
});
