// The page of the API tries calls: each operation gets a form, made of the document when it is opened. The key is read
// from its field when a call is sent, kept nowhere else, and gone with the page; it goes to this server alone.
const panel = document.getElementById("asker");
const keyField = document.getElementById("key");
const skeleton = document.getElementById("try");
let asked; // for the document, once
const readDocument = () => (asked ??= fetch("openapi.json").then((response) => response.json()));

panel.hidden = false;
addEventListener("pagehide", () => { keyField.value = ""; });
keyField.addEventListener("input", () => { panel.querySelector("[value=key]").checked = true; });
document.querySelectorAll("details[data-try]").forEach((details) => {
  details.hidden = false;
  details.addEventListener("toggle", () => { if (details.open && details.childElementCount === 1) build(details); });
});

const build = async (details) => {
  const { method, address } = details.dataset;
  const whole = await readDocument();
  const operation = whole.paths[address][method];
  const form = skeleton.content.cloneNode(true).querySelector("form");
  const fields = form.querySelector("[data-fields]");
  (operation.parameters ?? []).forEach((parameter) => fields.append(fieldOf(whole, operation, parameter)));
  const body = operation.requestBody?.content?.["application/json"];
  if (body) fields.append(bodyField(operation, body));
  form.querySelector("[data-send]").textContent = `Send ${method.toUpperCase()}`;
  form.addEventListener("input", ({ target }) => {
    const key = form.querySelector("[data-name=Idempotency-Key]");
    if (key && target !== key) key.value = newKey(); // the same key with another body would be refused
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); send(form, method, address); });
  details.append(form);
};

const newKey = () => crypto.randomUUID?.() ?? `try-${Date.now()}`;

const labelled = (operation, name, where, field, note) => {
  const row = document.createElement("p");
  const label = document.createElement("label");
  const about = document.createElement("small");
  field.id = `${operation.operationId}.${where}.${name}`;
  field.dataset.where = where;
  field.dataset.name = name;
  label.htmlFor = field.id;
  label.textContent = name;
  about.id = `${field.id}.about`;
  about.textContent = note;
  field.setAttribute("aria-describedby", about.id);
  row.append(label, " ", about, field);
  return row;
};

const fieldOf = (whole, operation, parameter) => {
  const schema = shapeOf(whole, parameter.schema);
  const several = schema.type === "array";
  const field = several ? document.createElement("textarea") : choiceOf(schema) ?? document.createElement("input");
  if (several) field.rows = 2;
  field.required = Boolean(parameter.required);
  field.autocomplete = "off";
  field.spellcheck = false;
  if (parameter.name === "Idempotency-Key") field.value = newKey();
  const kind = [parameter.in, parameter.required && "required", several && "one on each line"].filter(Boolean).join(", ");
  const about = [parameter.description?.replaceAll("`", ""), several && shapeOf(whole, schema.items).enum?.join(", ")].filter(Boolean);
  const note = about.length ? `${kind}: ${about.join(" ")}` : kind;
  return labelled(operation, parameter.name, parameter.in, field, note);
};

const shapeOf = (whole, schema) => {
  const found = schema.$ref ? whole.components.schemas[schema.$ref.split("/").pop()] : schema;
  const parts = found.anyOf ?? found.allOf;
  return parts ? shapeOf(whole, parts.find((part) => part.type !== "null")) : found;
};

const choiceOf = (schema) => {
  const values = schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : null);
  if (!values) return null;
  const select = document.createElement("select");
  select.append(...["", ...values].map((value) => new Option(value, value)));
  return select;
};

const bodyField = (operation, body) => {
  const field = document.createElement("textarea");
  field.value = JSON.stringify(body.example, null, 2);
  field.rows = Math.min(field.value.split("\n").length + 1, 24);
  field.spellcheck = false;
  return labelled(operation, "body", "body", field, "JSON");
};

const send = async (form, method, address) => {
  const button = form.querySelector("[data-send]");
  if (button.hasAttribute("aria-disabled")) return;
  const call = callOf(form, method, address);
  show(form, { status: "Waiting …", curl: curlOf(call), headers: "", body: "" });
  button.setAttribute("aria-disabled", "true");
  const began = performance.now();
  try {
    const response = await fetch(call.address, {
      method: call.method,
      headers: { ...call.headers, ...secretOf(call) },
      body: call.body,
      credentials: call.byKey ? "omit" : "same-origin",
      cache: "no-store",
    });
    const text = await response.text();
    const took = Math.round(performance.now() - began);
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    show(form, { status: `${response.status} ${response.statusText} in ${took} ms`, headers, body: pretty(text) });
  } catch (error) {
    show(form, { status: `Not sent, or not answered: ${error.message}` });
  }
  button.removeAttribute("aria-disabled");
};

const callOf = (form, method, address) => {
  const call = { method: method.toUpperCase(), headers: {}, body: undefined, byKey: asksByKey() };
  const query = new URLSearchParams();
  let path = address;
  form.querySelectorAll("[data-where]").forEach(({ dataset: { where, name }, value, rows }) => {
    if (where === "path") path = path.replace(`{${name}}`, encodeURIComponent(value.trim()));
    else if (where === "body") call.body = value;
    else if (value.trim() === "") return;
    else if (where === "header") call.headers[name] = value.trim();
    else (rows ? value.split("\n") : [value]).filter(Boolean).forEach((one) => query.append(name, one));
  });
  if (call.body !== undefined) call.headers["Content-Type"] = "application/json";
  call.address = location.origin + path + (query.size ? `?${query}` : "");
  return call;
};

const asksByKey = () => panel.querySelector("[name=asker]:checked").value === "key";
const secretOf = (call) => (call.byKey ? { Authorization: `Bearer ${keyField.value.trim()}` } : csrfOf(call));
const csrfOf = (call) => {
  const cookie = document.cookie.split("; ").find((one) => /^(__Host-)?lk-csrf=/.test(one));
  return call.method === "GET" || !cookie ? {} : { "X-CSRFToken": cookie.split("=")[1] };
};

// The secret itself never stands in the line: the shell puts it there.
const curlOf = (call) => {
  const token = call.method === "GET" ? [] : ['-H "X-CSRFToken: $LK_CSRF"'];
  const secret = call.byKey ? ['-H "Authorization: Bearer $LK_KEY"'] : ['-b "$LK_COOKIES"', ...token];
  const headers = Object.entries(call.headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  const body = call.body === undefined ? [] : [`--data ${quoted(call.body)}`];
  const method = call.method === "GET" ? [] : [`-X ${call.method}`];
  return ["curl -i", ...method, quoted(call.address), ...secret, ...headers, ...body].join(" \\\n  ");
};
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const pretty = (text) => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

const show = (form, told) => {
  form.querySelector("[data-answer]").hidden = false;
  Object.entries(told).forEach(([name, text]) => {
    const place = form.querySelector(`[data-told=${name}]`);
    place.textContent = text;
    const heading = place.previousElementSibling;
    if (place.tagName === "PRE") place.hidden = heading.hidden = text === "";
  });
};
