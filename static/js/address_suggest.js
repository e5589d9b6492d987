// Addresses suggested while one is typed: a combobox as WAI-ARIA has it. Where no answer comes, the field is a plain one.
const suggestAddresses = (input) => {
  const PAUSE_MS = 200, APART_MS = 700, LETTERS = 3, ROOM_PX = 132; // questions are counted: not one for each letter
  const known = new Map(); // text: its addresses
  const list = document.createElement("ul");
  const status = document.createElement("p");
  let timer, turn = 0, asked = 0, restUntil = 0; // an answer is shown while its turn lasts

  const selected = () => list.querySelector("[aria-selected=true]");
  const select = (option) => {
    selected()?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
  };
  const open = (isOpen) => {
    list.hidden = !isOpen;
    input.setAttribute("aria-expanded", isOpen);
    status.textContent = isOpen ? input.dataset.suggestCount.replace("%d", list.children.length) : "";
  };
  const hide = () => {
    clearTimeout(timer);
    turn += 1;
    select();
    open(false);
  };

  const room = () => visualViewport.offsetTop + visualViewport.height - input.getBoundingClientRect().bottom - 8;
  const makeRoom = () => { // a keyboard on the screen leaves little of it
    if (room() < ROOM_PX) input.parentElement.scrollIntoView({ block: "start" });
    list.style.setProperty("--room", `${Math.max(room(), ROOM_PX)}px`);
  };
  const optionOf = (address, index) => {
    const option = document.createElement("li");
    Object.assign(option, { id: `${list.id}_${index}`, textContent: address });
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    return option;
  };
  const show = (addresses) => {
    if (document.activeElement !== input) return;
    if (!addresses.some((address) => address !== input.value)) return hide();
    list.replaceChildren(...addresses.map(optionOf));
    select();
    open(true);
    makeRoom();
  };

  const rest = ({ status: refused, headers }) => {
    if ([401, 403, 404].includes(refused)) restUntil = Infinity;
    if (refused === 429) restUntil = Date.now() + Number(headers.get("Retry-After")) * 1000;
  };
  const ask = async (text) => {
    asked = Date.now();
    const answer = await fetch(`${input.dataset.suggest}?${new URLSearchParams({ q: text })}`);
    if (!answer.ok) rest(answer);
    const addresses = answer.ok ? (await answer.json()).items.map((item) => item.value) : [];
    if (addresses.length) known.set(text, addresses);
    return addresses;
  };
  const look = async () => {
    const text = input.value.trim(), mine = turn += 1;
    if (text.length < LETTERS || Date.now() < restUntil) return hide();
    const addresses = known.get(text) ?? await ask(text).catch(() => []);
    if (mine === turn) show(addresses);
  };
  const take = (option) => {
    input.value = option.textContent;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    hide();
  };

  list.className = "suggestions";
  list.id = `${input.id}_suggestions`;
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", input.dataset.suggestName);
  status.className = "visually-hidden";
  status.setAttribute("role", "status");
  const said = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id };
  Object.entries(said).forEach(([name, value]) => input.setAttribute(name, value));
  input.after(list, status);

  input.addEventListener("input", ({ isTrusted }) => {
    if (!isTrusted) return; // taken from the list, or by another script
    select();
    clearTimeout(timer);
    turn += 1;
    timer = setTimeout(look, Math.max(PAUSE_MS, asked + APART_MS - Date.now()));
  });
  const step = (by) => { // before the first and behind the last one stands the input itself
    const places = [null, ...list.children];
    select(places.at((places.indexOf(selected()) + by) % places.length));
  };
  input.addEventListener("keydown", (event) => {
    const { key, isComposing } = event, isOpen = !list.hidden;
    if (isComposing) return;
    if (key === "ArrowDown") isOpen ? step(1) : look();
    else if (isOpen && key === "ArrowUp") step(-1);
    else if (isOpen && key === "Enter" && selected()) take(selected());
    else if (isOpen && key === "Escape") hide();
    else return;
    event.preventDefault();
    event.stopPropagation(); // Escape would close the form of a fact too
  });
  input.addEventListener("blur", hide);
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the input keeps the focus
  list.addEventListener("click", ({ target }) => { if (target.matches("[role=option]")) take(target); });
};

// Those of the page at once, those that come with a fragment when they get the focus.
const suggestOnce = (input) => { if (!input.hasAttribute("aria-controls")) suggestAddresses(input); };
document.querySelectorAll("[data-suggest]").forEach(suggestOnce);
addEventListener("focusin", ({ target }) => { if (target.matches?.("[data-suggest]")) suggestOnce(target); });
