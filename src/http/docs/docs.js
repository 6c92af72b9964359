// Makes the page of /openapi.json. Everything it says becomes text nodes and attributes, never markup. The token is
// nowhere but in its input field, and goes nowhere but into the Authorization header of calls to this host.

const token = document.getElementById("token");
const state = document.getElementById("state");
let description;

// An element with attributes and children; a child that is a string is text.
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// What a `$ref` of the description stands for.
function resolved(value) {
  if (!value.$ref) return value;
  const steps = value.$ref.split("/").slice(1);
  return steps.reduce((at, step) => at[step.replaceAll("~1", "/").replaceAll("~0", "~")], description);
}

// The few marks that the description's texts use: `code`, **strong**, *emphasis*.
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)/).filter(Boolean).map((part) => {
    if (part.length > 2 && part.startsWith("`")) return make("code", {}, part.slice(1, -1));
    if (part.length > 4 && part.startsWith("**")) return make("strong", {}, part.slice(2, -2));
    if (part.length > 2 && part.startsWith("*")) return make("em", {}, part.slice(1, -1));
    return part;
  });
}

// Paragraphs, and lists of lines that begin with a hyphen.
function prose(text) {
  return text.trim().split(/\n\n+/).map((part) => {
    const lines = part.split("\n");
    if (!lines.every((line) => line.startsWith("- "))) return make("p", {}, ...inline(lines.join(" ")));
    return make("ul", {}, ...lines.map((line) => make("li", {}, ...inline(line.slice(2)))));
  });
}

function table(caption, headings, rows) {
  const head = make("tr", {}, ...headings.map((heading) => make("th", { scope: "col" }, heading)));
  const body = rows.map(([first, ...others]) =>
    make("tr", {}, make("th", { scope: "row" }, first), ...others.map((cell) => make("td", {}, ...[cell].flat()))));
  const made = make("table", { "aria-label": caption }, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, made);
}

// What a value has to look like, in words.
function form(schema) {
  const { type, items, maxItems, description: words } = resolved(schema);
  if (type === "array") return `a list, as a,b,c, of at most ${maxItems}; each is ${form(items)}`;
  return type === "boolean" ? "true or false; false if left out" : words;
}

function parameterField(operation, parameter) {
  const id = `${operation.name}-${parameter.name}`;
  const schema = resolved(parameter.schema);
  const choices = schema.type === "boolean" ? ["true", "false"] : schema.enum;
  const common = { id, name: parameter.name, "aria-describedby": `${id}-about` };
  const needed = { always: "needed", "one of": "one of these is needed", never: "optional" }[parameter["x-needed"]];
  const field = choices
    ? make("select", common, make("option", { value: "" }, "left out"),
      ...choices.map((choice) => make("option", { value: choice }, choice)))
    : make("input", {
      ...common,
      type: "text",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      placeholder: `such as ${[parameter.example].flat().join(",")}`,
      pattern: schema.pattern,
      "aria-required": parameter["x-needed"] === "always" ? "true" : undefined,
    });
  return make("div", { class: "parameter" },
    make("div", {},
      make("label", { for: id }, make("code", {}, parameter.name)), " ",
      make("span", { class: "needed" }, needed),
      make("p", { id: `${id}-about` }, ...inline(parameter.description), ". ",
        make("span", { class: "quiet" }, `Form: ${form(parameter.schema)}`))),
    field);
}

// A labelled choice; `choices` are pairs of a value and what to call it.
function choice(id, label, choices) {
  const select = make("select", { id }, ...choices.map(([value, text]) => make("option", { value }, text)));
  return [make("label", { for: id }, label, select), select];
}

// What the form says, as a request: method, address, content type, body.
function requestOf(operation, method, place, values) {
  const url = new URL(operation.path, new URL(description.servers[0].url, location.origin));
  const encoded = new URLSearchParams(values).toString().replaceAll("%2C", ",");
  if (place === "query" || method === "GET") {
    url.search = encoded;
    return { method, url: url.href };
  }
  if (place === "form") return { method, url: url.href, kind: "application/x-www-form-urlencoded", body: encoded };
  const typed = values.map(([name, text]) => {
    const { type } = resolved(operation.parameters.find((parameter) => parameter.name === name).schema);
    if (type === "array") return [name, text.trim() === "[]" ? [] : text.split(",")];
    return [name, type === "boolean" ? text === "true" : text];
  });
  return { method, url: url.href, kind: "application/json", body: JSON.stringify(Object.fromEntries(typed)) };
}

// The request as a line for a shell. The token is a variable of the shell's.
function curl({ method, url, kind, body }) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl -sS", `-X ${method}`, '-H "Authorization: Bearer $TOKEN"'];
  if (kind) parts.push(`-H ${quoted(`Content-Type: ${kind}`)}`, `--data ${quoted(body)}`);
  return [...parts, quoted(url)].join(" ");
}

// Sends a request, and shows the answer, or why there is none.
async function send({ method, url, kind, body }, told, shown) {
  const headers = {};
  if (token.value.trim()) headers.Authorization = `Bearer ${token.value.trim()}`;
  if (kind) headers["Content-Type"] = kind;
  told.className = "";
  told.textContent = "Waiting for the answer …";
  shown.replaceChildren();
  const started = performance.now();
  try {
    const answer = await fetch(url, { method, headers, body, credentials: "omit", redirect: "error", cache: "no-store" });
    const text = await answer.text();
    told.className = answer.ok ? "good" : "bad";
    told.textContent = `${answer.status} ${answer.statusText} after ${Math.round(performance.now() - started)} ms`;
    const rows = [...answer.headers].map(([name, value]) => [name, make("span", { class: "mono" }, value)]);
    shown.replaceChildren(
      make("pre", { class: "wrap", tabindex: "0", role: "region", "aria-label": "Body of the answer" }, pretty(text)),
      make("details", {}, make("summary", {}, "Headers of the answer"), table("Headers of the answer", ["Name", "Value"], rows)));
  } catch (error) {
    told.className = "bad";
    told.textContent = `No answer: ${error.message}`;
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// The form that explains the parameters, tries the operation, and shows the curl line.
function tryForm(operation) {
  const { name, methods } = operation;
  const [methodLabel, method] = choice(`${name}--method`, "Method", methods.map((one, place) => {
    const note = operation.byMethod[one].deprecated ? " (older form, deprecated)" : place === 0 ? "" : " (also)";
    return [one, one + note];
  }));
  const [placeLabel, place] = choice(`${name}--place`, "Parameters in", [
    ["query", "the query"], ["json", "a JSON object"], ["form", "a form"],
  ]);
  const line = make("pre", { class: "wrap", tabindex: "0", role: "region", "aria-label": `curl line of ${name}` });
  const copy = make("button", { type: "button" });
  const button = make("button", { type: "submit" }, `Send ${methods[0]}`);
  const told = make("p", { role: "status" });
  const shown = make("div");
  const fields = operation.parameters.map((parameter) => parameterField(operation, parameter));
  const parameters = fields.length
    ? [make("fieldset", {}, make("legend", {}, "Parameters"), ...fields)]
    : [make("p", { class: "quiet" }, "No parameters.")];
  const made = make("form", { autocomplete: "off", "aria-label": `Try ${name}` }, ...parameters,
    make("div", { class: "row" }, methodLabel, ...(fields.length ? [placeLabel] : [])),
    line, make("div", { class: "row" }, button, copy), told, shown);
  made.noValidate = true;

  const request = () => {
    const values = [...new FormData(made)].filter(([, value]) => value !== "");
    return requestOf(operation, method.value, place.value, values);
  };
  const update = () => {
    placeLabel.hidden = method.value === "GET";
    button.textContent = `Send ${method.value}`;
    line.textContent = curl(request());
    copy.textContent = "Copy the curl line";
  };
  made.addEventListener("input", update);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    await send(request(), told, shown);
    button.disabled = false;
  });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line.textContent);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "The browser doesn't let this page copy";
    }
  });
  update();
  return made;
}

// What may come back, by the documented method.
function answers(operation) {
  const rows = Object.entries(operation.byMethod[operation.methods[0]].responses).map(([status, response]) => {
    const { description: words, headers, content } = resolved(response);
    const { example } = content["application/json"];
    const shown = example === undefined ? prose(words) : [make("pre", { class: "wrap" }, JSON.stringify(example, null, 2))];
    const special = Object.keys(headers).filter((name) => !/^(X-|Cache-|RateLimit-)/.test(name));
    const named = special.map((name) => make("p", { class: "quiet" }, "With the header ", make("code", {}, name), "."));
    return [status, [...shown, ...named]];
  });
  return make("details", {}, make("summary", {}, "Answers and reasons"),
    table(`Answers of ${operation.name}`, ["Status", "Body, or reasons"], rows));
}

function article(operation) {
  const documented = operation.byMethod[operation.methods[0]];
  return make("article", { id: operation.name, "aria-labelledby": `${operation.name}--title` },
    make("h3", { id: `${operation.name}--title` },
      make("span", { class: "method" }, operation.methods[0]), ` ${operation.path}`),
    make("div", { class: "about" }, make("p", {}, make("strong", {}, documented.summary)), ...prose(documented.description)),
    tryForm(operation), answers(operation));
}

function operations() {
  return Object.entries(description.paths).map(([path, item]) => {
    const methods = item["x-methods"];
    const byMethod = Object.fromEntries(methods.map((method) => [method, item[method.toLowerCase()]]));
    const { tags, parameters } = byMethod[methods[0]];
    return { path, name: path.split("/").at(-1), methods, byMethod, tag: tags[0], parameters };
  });
}

function render() {
  const all = operations();
  const parts = [];
  const links = [];
  for (const tag of description.tags) {
    const mine = all.filter((operation) => operation.tag === tag.name);
    parts.push(make("h2", {}, tag.name), ...prose(tag.description), ...mine.map(article));
    const items = mine.map(({ name }) => make("li", {}, make("a", { href: `#${name}` }, name)));
    links.push(make("h2", {}, tag.name), make("ul", {}, ...items));
  }
  const headers = Object.entries(description.components.headers)
    .map(([name, header]) => [name, inline(header.description)]);
  const { info, components } = description;
  document.getElementById("version").textContent = info.version;
  document.getElementById("nav").replaceChildren(...links);
  document.getElementById("main").replaceChildren(
    make("details", {}, make("summary", {}, "How requests and answers look"), ...prose(info.description),
      make("h2", { class: "small" }, "Token"), ...prose(components.securitySchemes.token.description),
      make("h2", { class: "small" }, "Headers of answers"), table("Headers of answers", ["Name", "Meaning"], headers),
      make("p", {}, "All of this for programs: ", make("a", { href: "/openapi.json" }, "/openapi.json"), ".")),
    ...parts);
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

document.getElementById("access").addEventListener("submit", (event) => event.preventDefault());
try {
  const answer = await fetch("/openapi.json", { credentials: "omit" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  description = await answer.json();
  render();
} catch (error) {
  state.className = "bad";
  state.textContent = `The description can't be read: ${error.message}`;
}
