// What stands on the page. Texts from outside go in as text, never as markup.

import { alarm, announce } from "./announce.js";
import { drawMatrix } from "./matrix.js";
import { drawRecording } from "./overview.js";
import { pairWords, progress, range, recordingWords, scores, sentence, time, transposition, VERDICTS } from "./words.js";

const element = (id) => document.getElementById(id);
const TITLES = { review: "", disagreements: ": disagreements", stretches: ": stretches" };
const LOOKS = { nothing_else: "positive", cannot_tell: "ambiguous" };
const QUESTIONS = {
  review: "Does this motif return?",
  disagreements: "Reviewers disagree: does this motif return?",
  stretches: "Is this the pair that you mean?",
};

export class Screen {
  #toastTimer = 0;

  constructor(reviewer, queue) {
    this.queue = queue;
    element("reviewer").textContent = reviewer;
    for (const tab of document.querySelectorAll(".tabs a")) {
      tab.href = `/as/${reviewer}/${tab.dataset.queue}`;
      if (tab.dataset.queue === queue) tab.setAttribute("aria-current", "page");
    }
    document.title = `Leitmotif review${TITLES[queue]}`;
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
    this.only("item");
    const draft = item.kind === "draft";
    element("item").classList.toggle("unheard", Boolean(item.problem));
    element("question").textContent = QUESTIONS[this.queue];
    const facts = [item.track.name, item.track.credit];
    if (item.scores) facts.push(scores(item.scores));
    element("track").textContent = facts.filter(Boolean).join(" · ");
    element("draft").hidden = element("draft-semitones-label").hidden = !draft;
    element("verdicts").hidden = draft;
    for (const what of ["undo", "skip", "add"]) element("item").querySelector(`[data-do=${what}]`).hidden = draft;
    if (draft) element("draft-semitones").value = item.transposition;
    this.trouble("problem", item.problem, "This item cannot be heard: ");
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

  // Shows one of the page's sections, and leads the focus from a hidden one to it.
  only(section) {
    const lost = document.activeElement?.closest("#item, #stretch, #message");
    for (const name of ["item", "stretch", "message"]) element(name).hidden = name !== section;
    if (lost && lost.id !== section) element(section).focus();
  }

  draw(item, editor) {
    editor.draw();
    this.#matrix(item);
    this.#recording(item);
  }

  // What is shown, in words; edges may have moved.
  words(item, windows) {
    const lines = pairWords(item, windows);
    const shown = item.recording ? lines.slice(1) : lines; // the recording stands beside its picture
    element("words").replaceChildren(...shown.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    return lines.join(" ");
  }

  trouble(id, problem, lead) {
    element(id).hidden = !problem;
    element(id).textContent = problem ? lead + sentence(problem) : "";
    if (problem) alarm(element(id).textContent);
  }

  playing(mode) {
    for (const button of document.querySelectorAll("[data-play]")) {
      button.classList.toggle("on", button.dataset.play === mode);
    }
    document.querySelector("[data-play=turn] .label").textContent = mode ? "Stop" : "Play";
    document.querySelector("[data-do=play] .label").textContent = mode ? "Pause" : "Play";
    document.body.toggleAttribute("data-playing", Boolean(mode));
  }

  toggle(name, on) {
    document.querySelector(`[data-toggle=${name}]`).setAttribute("aria-pressed", String(on));
  }

  busy(on) {
    for (const name of ["item", "stretch"]) element(name).setAttribute("aria-busy", String(on));
  }

  saved({ saved, scores: found }, item) {
    this.say(item.kind === "draft" ? "Pair saved" : `${VERDICTS[saved.verdict]} saved`, saved.verdict);
    const text = saved.windows.stretch ? "" : scores(found);
    this.revealed = { key: saved.key, text, name: item.track.name };
    this.#last(saved);
  }

  noted(text) {
    for (const button of document.querySelectorAll("[data-do=note]")) {
      button.classList.toggle("on", Boolean(text));
      button.title = text;
    }
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
    (kind === "warn" ? alarm : announce)(text);
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
        found: "no pair has decisions of reviewers that differ and are not settled",
        "to do": "run `leitmotif agreement` to see how well the reviewers agree",
      });
    } else if (this.queue === "stretches") {
      this.#message("All stretches are answered", {
        found: `${decided} answers are saved`,
        "to do": state.waiting.review
          ? `decide the ${state.waiting.review} pairs that wait in the queue: a stretch is known once its pairs are decided`
          : "commit data/decisions, then run `dvc repro` to use the verified labels",
      });
    } else {
      this.#message("All decided", {
        found: `${decided} decisions are saved`,
        "to do": state.waiting.stretches
          ? `go on with the ${state.waiting.stretches} stretches: where nobody listened, a recurrence may be missing`
          : "commit data/decisions, then run `dvc repro` to use the verified labels",
      });
    }
  }

  failed(problem, again) {
    const { what, found, expected, fix } = problem;
    this.#message(what, { found, expected, "to do": fix }, again);
  }

  #message(title, parts, again = null) {
    this.only("message");
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
    announce(title);
  }

  #last(last) {
    for (const button of document.querySelectorAll("[data-do=undo]")) button.disabled = !last;
    for (const line of [element("last"), element("stretch-last")]) {
      line.replaceChildren();
      if (!last) continue;
      const verdict = Object.assign(document.createElement("b"), { textContent: VERDICTS[last.verdict] });
      verdict.dataset.verdictLook = LOOKS[last.verdict] ?? last.verdict;
      const known = this.revealed?.key === last.key;
      line.append("Last: ", verdict, known ? ` · ${this.revealed.name}${this.revealed.text ? ` · ${this.revealed.text}` : ""}` : "");
    }
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

  #matrix(item) {
    const figure = element("matrix").parentElement;
    figure.hidden = !item.matrix;
    if (!item.matrix) return;
    const { windows, sample_rate: rate, matrix } = item;
    drawMatrix(element("matrix"), matrix, rate, { pairs: [windows] });
    const lag = (windows.recurrence.start_sample - windows.motif.start_sample) / rate;
    element("matrix-caption").textContent =
      `Self-similarity of the whole track, ${matrix.seconds.toFixed(0)} s. ` +
      `The windows are ${lag.toFixed(1)} s apart, ${transposition(item.transposition)}.`;
    element("matrix").setAttribute("aria-label", "Self-similarity of the track with the pair marked");
  }

  #recording(item) {
    const figure = element("recording");
    figure.hidden = !item.recording;
    if (!item.recording) return;
    const { windows, recording, sample_rate: rate } = item;
    const canvas = figure.querySelector("canvas");
    drawRecording(canvas, recording, { pairs: [windows] });
    canvas.setAttribute("aria-label", `The whole recording with motif at ${range(windows.motif, rate)} and recurrence at ${range(windows.recurrence, rate)}`);
    figure.querySelector("figcaption").textContent = recordingWords(recording, rate);
  }

  #announce(item) {
    const { motif, recurrence } = item.windows;
    const rate = item.sample_rate;
    announce(
      `${item.kind === "draft" ? "Your pair" : "New item"}. Motif at ${time(motif.start_sample, rate)}, recurrence at ` +
      `${time(recurrence.start_sample, rate)}, ${transposition(item.transposition)}.`);
  }
}
