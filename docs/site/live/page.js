// The page: choose a digit, drag w, and see lab 4's network draw it. The arithmetic is in worker.js.
"use strict";

(() => {
  /** @typedef {{x: Float32Array, unconditional: ?Float32Array, conditional: ?Float32Array}} Step */
  /** @typedef {"fresh" | "settle" | "drag" | "ten"} Kind why a walk is made, which says how it is shown */
  /**
   * @typedef {{kind: Kind, id: number, noise: Float32Array, labels: number[], w: number, steps: number, walk: Step[]}}
   *   Task a walk from noise to one digit or ten
   */

  const STEPS = 12; // of Euler's method; lab 4's classifier accepts all of 100 digits drawn with 8
  const QUICK_STEPS = 5; // while w is being dragged
  const PIXELS = 32 * 32;
  const ALL_DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const PARTS = ["worker", "model", "reference"];
  const BACKENDS = { wasm: "WebAssembly", webgpu: "WebGPU" };
  const SAYS = [
    [0, "The label is ignored, so any digit may come out."],
    [0.95, "The label has less effect than in training."],
    [1.05, "The velocity for this digit, exactly as it was trained."],
    [4.5, "The effect of the label is exaggerated: clear digits, less variety."],
    [10, "Too much of a good thing: thick strokes, hard edges, hardly any variety."],
  ];

  const root = document.getElementById("live");
  /** @param {string} name @returns {any} the element with this name in the live part */
  const part = (name) => document.getElementById(`live-${name}`);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const base = "live/";

  let worker = null;
  let seed = 3;
  let tasks = 0;
  /** @type {?Task} */ let running = null;
  /** @type {?Task} */ let queued = null;
  /** @type {?Task} the walk that the page shows */ let shown = null;
  /** @type {?Task} the walk of ten digits that the page shows */ let shownTen = null;

  // Walks

  /** Make a walk of this kind from what the controls say. @param {Kind} kind @returns {Task} */
  function task(kind) {
    const digit = Number(root.querySelector("input[name=live-choice]:checked").value);
    const labels = kind === "ten" ? ALL_DIGITS : [digit];
    const noise = window.normalNoise(seed, PIXELS * labels.length);
    const steps = kind === "drag" ? QUICK_STEPS : STEPS;
    return { kind, id: ++tasks, noise, labels, w: Number(part("w").value), steps, walk: [] };
  }

  /** Start a walk, which ends the one before. A walk made while w is dragged waits for the one before. */
  function request(kind) {
    if (!worker) return;
    const next = task(kind);
    if (kind === "drag" && running?.kind === "drag") {
      queued = next;
      return;
    }
    queued = null;
    run(next);
  }

  /** @param {Task} next */
  function run(next) {
    running = next;
    root.dataset.state = "running";
    const { id, noise, labels, w, steps } = next;
    worker.postMessage({ type: "sample", id, noise, labels, w, steps });
  }

  /** Take a step of the running walk. */
  function onStep({ id, i, steps, calls, ms, ...step }) {
    if (!running || id !== running.id) return;
    const walk = running;
    walk.walk.push(step);
    const ended = i === steps;
    if (walk.kind === "ten") showTen(walk);
    else if (walk.kind === "drag") ended && showDigit(walk.labels[0], step.x, walk.w, 1);
    else if (ended || (walk.kind === "fresh" && !still)) showWalk(walk);
    if (ended) finish(walk, calls, ms);
  }

  /**
   * @param {Task} walk
   * @param {number} calls how often the worker evaluated the network for it
   * @param {number} ms how long it took
   */
  function finish(walk, calls, ms) {
    running = null;
    Object.assign(root.dataset, { state: "done", kind: walk.kind, calls: String(calls), ms: ms.toFixed(0) });
    root.result = walk; // for tests
    part("status").textContent =
      `${calls} evaluations of the network in ${(ms / 1000).toFixed(1)} s, by ${BACKENDS[root.dataset.backend]}`;
    const tenWanted = part("ten").getAttribute("aria-pressed") === "true";
    if (queued) run(queued);
    else if (tenWanted && (walk.kind === "fresh" || walk.kind === "settle")) run(task("ten"));
    queued = null;
  }

  // Pictures

  /** Show a walk as far as it has come, at its last time. @param {Task} walk */
  function showWalk(walk) {
    shown = walk;
    const strip = part("strip");
    if (walk.walk.length === 1 || walk.kind === "settle") strip.width = SIDE * (walk.steps + 1); // clears it
    walk.walk.forEach((step, i) => window.drawInk(strip, step.x, i));
    part("t").value = walk.walk.length - 1;
    showTime();
  }

  /** Show the state and the velocities at the time that the slider says. */
  function showTime() {
    const i = Math.min(Number(part("t").value), shown ? shown.walk.length - 1 : 0);
    part("t-value").textContent = (i / STEPS).toFixed(2);
    if (!shown) return;
    const { walk, w, labels, steps } = shown;
    showDigit(labels[0], walk[i].x, w, i / steps);
    const at = Math.min(i, steps - 1); // at t = 1 no velocity was needed
    const { x, unconditional, conditional } = walk[at];
    const guided = conditional.map((v, k) => (1 - w) * unconditional[k] + w * v);
    part("at").textContent = (at / steps).toFixed(2);
    for (const [name, u] of Object.entries({ unconditional, conditional, guided })) {
      window.drawVelocity(part(name), u);
      window.drawInk(part(`${name}-end`), x.map((v, k) => v + (1 - at / steps) * u[k]));
    }
  }

  function showDigit(label, x, w, t) {
    window.drawInk(part("digit"), x);
    part("digit").setAttribute("aria-label", `A drawing of the digit ${label} at w = ${w} and t = ${t.toFixed(2)}`);
    for (const element of root.querySelectorAll(".live-label")) element.textContent = label;
  }

  /** @param {Task} ten */
  function showTen(ten) {
    shownTen = ten;
    const { walk, labels, w } = ten;
    const { x } = walk[walk.length - 1];
    labels.forEach((label, k) => {
      const canvas = part("ten-row").children[k];
      window.drawInk(canvas, x.subarray(PIXELS * k, PIXELS * (k + 1)));
      canvas.setAttribute("aria-label", `A drawing of the digit ${label} at w = ${w}`);
    });
  }

  /** Draw everything again, in the colours of a new theme. */
  function redraw() {
    const time = part("t").value;
    if (shown) showWalk(shown);
    if (shownTen) showTen(shownTen);
    part("t").value = time;
    showTime();
  }

  // Controls

  function showScale() {
    const w = Number(part("w").value);
    part("w-value").textContent = w.toFixed(1);
    part("w-says").textContent = SAYS.find(([up]) => w <= up)[1];
  }

  function makeControls() {
    for (const digit of ALL_DIGITS) {
      const id = `live-choice-${digit}`;
      const checked = digit === 3 ? "checked" : "";
      const input = `<input type="radio" name="live-choice" id="${id}" value="${digit}" ${checked}>`;
      part("digits").insertAdjacentHTML("beforeend", `<span>${input}<label for="${id}">${digit}</label></span>`);
      part("ten-row").insertAdjacentHTML("beforeend", '<canvas width="32" height="32" role="img"></canvas>');
    }
    part("t").max = STEPS;
    part("strip").width = SIDE * (STEPS + 1);
    part("digits").addEventListener("change", () => request("fresh"));
    part("w").addEventListener("input", () => (showScale(), request("drag")));
    part("w").addEventListener("change", () => request("settle"));
    part("t").addEventListener("input", showTime);
    part("noise").addEventListener("click", () => {
      seed = Math.floor(Math.random() * 2 ** 31);
      request("fresh");
    });
    part("ten").addEventListener("click", ({ target }) => {
      const on = target.getAttribute("aria-pressed") !== "true";
      target.setAttribute("aria-pressed", on);
      part("ten-row").hidden = !on;
      request(on ? "ten" : "settle");
    });
    showScale();
    window.drawInk(part("digit"), window.normalNoise(seed, PIXELS));
    // A theme has a colour of ink.
    new MutationObserver(redraw).observe(document.body, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }

  // Start

  /** WebGPU where a real one is found and the runtime can wait for it, else WebAssembly. */
  async function chooseBackend() {
    const asked = new URLSearchParams(location.search).get("backend");
    if (asked in BACKENDS) return asked;
    if (!navigator.gpu || !("Suspending" in WebAssembly)) return "wasm";
    const adapter = await navigator.gpu.requestAdapter().catch(() => null);
    return adapter && !adapter.info?.isFallbackAdapter ? "webgpu" : "wasm";
  }

  /** Load everything and start the worker. @param {string} backend */
  async function begin(backend) {
    root.dataset.state = "loading";
    root.dataset.backend = backend;
    const names = [...PARTS, `${backend}-code`, `${backend}-binary`];
    const [program, model, reference, code, binary] = await window.loadParts(base, names, (share) => {
      part("progress").value = share;
      part("progress-text").textContent = `Loading the network: ${Math.round(100 * share)} %`;
    });
    part("progress-text").textContent = "Starting the network";
    part("progress").removeAttribute("value");
    const packed = Uint8Array.from(atob(program), (letter) => letter.charCodeAt(0));
    const source = new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")));
    const address = URL.createObjectURL(new Blob([await source.text()], { type: "text/javascript" }));
    const next = new Worker(address);
    next.onmessage = ({ data }) => {
      if (data.type === "step") onStep(data);
      if (data.type === "ready") {
        worker = next;
        part("loading").hidden = true;
        request("fresh");
      }
      if (data.type === "failed") fail(next, backend, data.message);
    };
    next.onerror = (event) => fail(next, backend, event.message);
    next.postMessage({ type: "start", backend, parts: { code, binary, model, reference } });
  }

  /** After a failure of WebGPU try WebAssembly; after one of WebAssembly show the film. */
  function fail(broken, backend, message) {
    console.error(message);
    broken?.terminate();
    worker = null;
    if (backend === "webgpu") begin("wasm").catch((error) => fail(null, "wasm", error));
    else showFilm("The network could not be started in this browser.");
  }

  /** Show a film in place of the network. @param {string} why a sentence */
  function showFilm(why) {
    root.dataset.state = "film";
    root.querySelector(".live-card").hidden = true;
    root.querySelector(".live-lead").hidden = true;
    part("film").hidden = false;
    part("why").textContent = why;
    part("film").insertAdjacentHTML("beforeend", `<img src="${base}guidance.gif" alt="Ten digits form from noise">`);
  }

  const lacking = ["WebAssembly", "Worker", "DecompressionStream"].find((name) => !(name in window));
  const go = () => chooseBackend().then(begin).catch((error) => fail(null, "wasm", error));
  if (lacking) showFilm(`The network needs ${lacking}, which this browser does not offer.`);
  else {
    makeControls();
    const careful = navigator.connection?.saveData;
    part("load").hidden = !careful;
    part("progress-box").hidden = careful;
    part("load").addEventListener("click", () => {
      part("load").hidden = true;
      part("progress-box").hidden = false;
      go();
    });
    if (!careful) addEventListener("load", go);
  }
})();
