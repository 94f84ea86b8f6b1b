// What stands on the page of a stretch: its place in the recording, its pairs, all of it in words.

import { announce } from "./announce.js";
import { drawMatrix } from "./matrix.js";
import { alikeWords, pairHereWords, range, recordingWords, sentence, stretchWords } from "./words.js";

const element = (id) => document.getElementById(id);

export class StretchScreen {
  constructor(reviewer, screen, desk) {
    Object.assign(this, { reviewer, screen, desk });
  }

  show(item) {
    this.screen.only("stretch");
    const { sample_rate: rate } = item;
    element("stretch").classList.toggle("unheard", Boolean(item.problem));
    element("stretch-track").textContent = [item.track.name, range(item.stretch, rate), item.track.credit].filter(Boolean).join(" · ");
    this.screen.trouble("stretch-problem", item.problem, "This stretch cannot be heard: ");
    this.screen.noted(item.note ?? item.decision?.note ?? "");
    this.#states(item);
    element("whole-words").textContent = recordingWords(item.recording, rate);
    element("stretch-warning").hidden = !item.warning;
    element("stretch-warning").textContent = item.warning ? sentence(item.warning) : "";
    this.#pairs(item);
    this.#alike(item);
    this.draw(item);
    this.#announce(item);
  }

  draw(item) {
    this.desk.draw();
    const figure = element("stretch-matrix").parentElement;
    figure.hidden = !item.matrix;
    if (!item.matrix) return;
    drawMatrix(element("stretch-matrix"), item.matrix, item.sample_rate, { pairs: item.pairs.map(({ windows }) => windows), stretch: item.stretch });
    element("stretch-matrix-caption").textContent =
      `Self-similarity of the whole track, ${item.matrix.seconds.toFixed(0)} s; above it the stretch. Diagonals are returns.`;
    element("stretch-matrix").setAttribute("aria-label", "Self-similarity of the track with the pairs marked");
  }

  words(item) {
    return stretchWords(item).join(" ");
  }

  #states(item) {
    const waiting = item.pairs.filter(({ verdict }) => !verdict).length;
    element("stretch-own").hidden = !item.decision;
    element("stretch-own").textContent = item.decision
      ? `You answered: ${item.decision.verdict === "nothing_else" ? "nothing else returns" : "cannot tell"}. Undo (U) reopens the stretch.`
      : "";
    const line = element("stretch-pending");
    line.hidden = !waiting;
    line.textContent = waiting
      ? `${waiting === 1 ? "1 pair here is" : `${waiting} pairs here are`} not decided yet. “Nothing else” means: beside ` +
        `${waiting === 1 ? "it" : "them"}. The stretch counts as known once ${waiting === 1 ? "it is" : "they are"} decided.`
      : "";
    for (const button of document.querySelectorAll("[data-heard]")) {
      button.setAttribute("aria-pressed", String(item.decision?.verdict === button.dataset.heard));
      button.disabled = Boolean(item.problem) && button.dataset.heard === "nothing_else";
    }
    const silent = ["play", "back", "on", "home", "in", "out", "motif", "recurrence"];
    for (const what of silent) for (const button of document.querySelectorAll(`#stretch [data-do=${what}]`)) button.disabled = Boolean(item.problem);
  }

  #pairs(item) {
    const rows = item.pairs.map((pair) => {
      const row = document.createElement("li");
      const text = pairHereWords(pair, item.sample_rate);
      if (!pair.queued) row.textContent = text;
      else row.append(Object.assign(document.createElement("a"), { href: `/as/${this.reviewer}/review/${pair.pair}`, textContent: text }));
      return row;
    });
    const none = Object.assign(document.createElement("li"), { textContent: "None was proposed or added." });
    element("here").replaceChildren(...(rows.length ? rows : [none]));
  }

  #alike(item) {
    const rows = (item.alike ?? []).map((moments) => Object.assign(document.createElement("li"), { textContent: alikeWords(moments) }));
    element("alike").hidden = element("alike-name").hidden = !rows.length;
    element("alike").replaceChildren(...rows);
  }

  #announce(item) {
    const count = item.pairs.length;
    const pairs = count === 0 ? "No pair" : count === 1 ? "1 pair" : `${count} pairs`;
    announce(`New stretch: ${range(item.stretch, item.sample_rate)} of ${item.track.name}. ${pairs} here.`);
  }
}
