// htmx on the pages that load it: refusals are shown like answers, and nothing typed is lost.
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
// An answer without the part that was asked for (a refusal, a page of another kind), or none at all: the form goes the
// ordinary way and shows it. What was typed stays in the browser, and the form's one-time key keeps the effect single.
const sendPlainly = (event) => {
  const { elt } = event.detail.requestConfig;
  const form = elt.closest("form");
  if (!form) return location.assign(elt.href);
  form.dataset.sent = "yes"; // no question about unsaved text: it is on its way
  form.submit();
};
const holds = (answer, id) => id && answer.includes(`id="${id}"`);
addEventListener("htmx:beforeSwap", (event) => {
  const { target, serverResponse, requestConfig } = event.detail;
  const { elt } = requestConfig;
  if (elt.matches("form") && holds(serverResponse, elt.id)) { // the form itself came back, with what is wrong in it
    event.detail.target = elt;
    event.detail.selectOverride = `#${elt.id}`;
  } else if (elt.matches("form") ? !holds(serverResponse, target.id) : !serverResponse.includes("fact-form")) {
    event.detail.shouldSwap = false;
    sendPlainly(event);
  }
});
addEventListener("htmx:sendError", sendPlainly);
