// What stands on the page. Texts from outside go in as text, never as markup.

import { drawMatrix } from "./matrix.js";
import { progress, scores, time, transposition, VERDICTS } from "./words.js";

const element = (id) => document.getElementById(id);

export class Screen {
  #toastTimer = 0;

  constructor(reviewer, queue) {
    this.queue = queue;
    element("reviewer").textContent = reviewer;
    for (const tab of document.querySelectorAll(".tabs a")) {
      tab.href = `/as/${reviewer}/${tab.dataset.queue}`;
      if (tab.dataset.queue === queue) tab.setAttribute("aria-current", "page");
    }
    document.title = queue === "review" ? "Leitmotif review" : "Leitmotif review: disagreements";
  }

  state(state) {
    const { decided, remaining } = state.progress;
    element("progress").max = Math.max(1, decided + remaining);
    element("progress").value = decided;
    element("progress-text").textContent = progress(state.progress);
    for (const [queue, count] of Object.entries(state.waiting)) {
      document.querySelector(`[data-count=${queue}]`).textContent = count ?? "";
    }
    element("notices").hidden = !state.notices.length;
    element("notices").textContent = state.notices.join("\n");
    this.#last(state.last);
  }

  item(item, editor) {
    element("message").hidden = true;
    element("item").hidden = false;
    element("item").classList.toggle("unheard", Boolean(item.problem));
    element("question").textContent =
      this.queue === "review" ? "Does this motif return?" : "Reviewers disagree: does this motif return?";
    const facts = [item.track.name, item.track.credit];
    if (item.scores) facts.push(scores(item.scores));
    element("track").textContent = facts.filter(Boolean).join(" · ");
    this.#parts(element("problem"), item.problem, "This item cannot be heard: ");
    this.#others(item);
    element("warning").hidden = !item.warning;
    element("warning").textContent = item.warning ? sentence(item.warning) : "";
    this.noted(item.note ?? item.decision?.note ?? "");
    for (const button of document.querySelectorAll("[data-verdict]")) {
      button.setAttribute("aria-pressed", String(item.decision?.verdict === button.dataset.verdict));
      button.disabled = Boolean(item.problem) && button.dataset.verdict !== "rejected";
    }
    for (const button of document.querySelectorAll("[data-play]")) button.disabled = !item.clips;
    this.draw(item, editor);
    // A key pressed for the last item does nothing to this one's edges.
    if (document.activeElement?.closest(".edge")) element("item").focus();
    this.#announce(item);
  }

  draw(item, editor) {
    editor.draw();
    this.#matrix(item);
  }

  playing(mode) {
    for (const button of document.querySelectorAll("[data-play]")) {
      button.classList.toggle("on", button.dataset.play === mode);
    }
    const label = document.querySelector("[data-play=turn] .label");
    label.textContent = mode ? "Stop" : "Play";
    document.body.toggleAttribute("data-playing", Boolean(mode));
  }

  toggle(name, on) {
    document.querySelector(`[data-toggle=${name}]`).setAttribute("aria-pressed", String(on));
  }

  busy(on) {
    element("item").setAttribute("aria-busy", String(on));
  }

  saved({ saved, scores: found }, item) {
    this.say(`${VERDICTS[saved.verdict]} saved`, saved.verdict);
    this.revealed = { key: saved.key, text: scores(found), name: item.track.name };
    this.#last(saved);
  }

  noted(text) {
    const button = document.querySelector("[data-do=note]");
    button.classList.toggle("on", Boolean(text));
    button.title = text;
  }

  note(text, keep) {
    const dialog = element("note-dialog");
    const field = element("note");
    field.value = text;
    field.onkeydown = (event) => {
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        field.form.requestSubmit();
      }
    };
    // At once, not on `close`, which comes later: a verdict may be pressed right after Enter.
    field.form.onsubmit = () => keep(field.value.trim());
    dialog.showModal();
  }

  say(text, kind = "") {
    const toast = element("toast");
    toast.textContent = text;
    toast.dataset.kind = kind;
    toast.hidden = false;
    element("live").textContent = text;
    clearTimeout(this.#toastTimer);
    this.#toastTimer = setTimeout(() => (toast.hidden = true), kind === "warn" ? 8000 : 1600);
  }

  problem(problem) {
    this.say(`${sentence(problem)}`, "warn");
  }

  finished(state) {
    const { decided } = state.progress;
    if (!state.proposals) {
      this.#message("The queue is empty", {
        found: "data/proposals.jsonl has no proposals",
        "to do": "if you expected proposals, look at metrics/proposals.json and run `dvc repro proposals`",
      });
    } else if (this.queue === "disagreements") {
      this.#message("No disagreements", {
        found: "reviewers agree on all items that they share, or have settled them",
        "to do": "run `leitmotif agreement` to see how well the reviewers agree",
      });
    } else {
      this.#message("All decided", {
        found: `${decided} decisions are saved`,
        "to do": "commit data/decisions, then run `dvc repro` to use the verified labels",
      });
    }
  }

  failed(problem, again) {
    const { what, found, expected, fix } = problem;
    this.#message(what, { found, expected, "to do": fix }, again);
  }

  #message(title, parts, again = null) {
    element("item").hidden = true;
    element("message").hidden = false;
    element("message-title").textContent = title;
    element("message-parts").replaceChildren(...Object.entries(parts).flatMap(([name, text]) => {
      if (!text) return [];
      const [term, value] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      value.textContent = text;
      return [term, value];
    }));
    const action = element("message-action");
    action.parentElement.hidden = !again;
    action.onclick = again;
    element("message").focus();
    element("live").textContent = title;
  }

  #last(last) {
    const line = element("last");
    line.replaceChildren();
    document.querySelector("[data-do=undo]").disabled = !last;
    if (!last) return;
    const verdict = document.createElement("b");
    verdict.textContent = VERDICTS[last.verdict];
    verdict.dataset.verdict = last.verdict;
    const known = this.revealed?.key === last.key;
    line.append("Last: ", verdict, known ? ` · ${this.revealed.name} · ${this.revealed.text}` : "");
  }

  #others(item) {
    const box = element("others");
    box.hidden = !item.others?.length;
    box.textContent = (item.others ?? [])
      .map(({ reviewer, verdict, note }) => `${reviewer}: ${verdict}${note ? `: “${note}”` : ""}`)
      .join("\n");
    element("own").hidden = !item.decision;
    element("own").textContent = item.decision
      ? `You decided: ${item.decision.verdict}. Undo (U) reopens the item.`
      : "";
  }

  #parts(box, problem, lead) {
    box.hidden = !problem;
    box.textContent = problem ? lead + sentence(problem) : "";
  }

  #matrix(item) {
    const figure = element("matrix").parentElement;
    figure.hidden = !item.matrix;
    if (!item.matrix) return;
    drawMatrix(element("matrix"), item.matrix.values, item.matrix.seconds, item.windows, item.sample_rate);
    const { motif, recurrence } = item.windows;
    const lag = (recurrence.start_sample - motif.start_sample) / item.sample_rate;
    element("matrix-caption").textContent =
      `Self-similarity of the whole track, ${item.matrix.seconds.toFixed(0)} s. ` +
      `The windows are ${lag.toFixed(1)} s apart, ${transposition(item.transposition)}.`;
    element("matrix").setAttribute("aria-label", "Self-similarity of the track with the pair marked");
  }

  #announce(item) {
    const { motif, recurrence } = item.windows;
    const rate = item.sample_rate;
    element("live").textContent =
      `New item. Motif at ${time(motif.start_sample, rate)}, recurrence at ` +
      `${time(recurrence.start_sample, rate)}, ${transposition(item.transposition)}.`;
  }
}

function sentence({ what, found, expected, fix }) {
  const parts = [what];
  if (found) parts.push(`found: ${found}`);
  if (expected) parts.push(`expected: ${expected}`);
  if (fix) parts.push(`to do: ${fix}`);
  return parts.join("; ");
}
