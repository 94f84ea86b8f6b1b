// The listening desk: pairs of clips, one pair at a time, heard as A and B on one clock.

import { MOTIF, NATURAL } from "./blind.js";
import { loadClip } from "./clips.js";
import { addKeys } from "./keys.js";
import { Score } from "./score.js";
import { sourceLink } from "./sources.js";

const STEP = 0.5; // seconds that an arrow key moves
const EARLY = 0.5; // seconds before the motif is due, where listening for it starts
const LETTERS = ["A", "B"];

export class Desk {
  #opening = 0;

  constructor(root, player, answers) {
    Object.assign(this, { root, player, answers });
    const pairs = JSON.parse(root.querySelector("script.pairs").textContent);
    this.always = root.dataset.blind === "always";
    this.pairs = this.always ? answers.shuffled(pairs) : pairs;
    this.blind = this.always;
    this.said = null; // the first of two answers
    this.lanes = LETTERS.map((letter) => {
      const element = root.querySelector(`.lane[data-letter=${letter}]`);
      return { element, score: new Score(element.querySelector(".view"), (seconds) => player.seek(seconds)) };
    });
    this.#listen();
    this.#keys();
    const wanted = this.pairs.findIndex(({ id }) => `#${id}` === location.hash);
    const waiting = this.pairs.findIndex((pair) => !answers.of(pair));
    this.open(wanted >= 0 ? wanted : Math.max(0, this.always ? waiting : 0));
  }

  get pair() {
    return this.pairs[this.index];
  }

  get hiding() {
    return this.blind && !this.answers.of(this.pair);
  }

  // Which clip is A and which is B: in blind mode as this listener's chance has it.
  get order() {
    const first = this.blind ? this.answers.first(this.pair) : "before";
    return first === "before" ? ["before", "after"] : ["after", "before"];
  }

  // Resolves to whether this pair is still the open one when its clips are there.
  async open(index) {
    this.index = (index + this.pairs.length) % this.pairs.length;
    this.said = null;
    this.clips = null;
    const opening = ++this.#opening;
    this.player.open([]);
    this.show();
    const { pair, order } = this;
    try {
      const clips = await Promise.all(order.map((which) => loadClip(pair[which].clip)));
      if (opening !== this.#opening) return false;
      this.clips = clips;
      this.#problem("");
      if (clips.every(({ buffer }) => buffer)) this.player.open(clips.map(({ buffer }) => buffer));
    } catch (error) {
      if (opening !== this.#opening) return false;
      this.#problem(error.message);
    }
    this.show();
    return true;
  }

  // Everything but the playhead.
  show() {
    const { pair, root, hiding } = this;
    root.toggleAttribute("data-hiding", hiding);
    document.body.toggleAttribute("data-blind", this.blind);
    this.#text("[data-title]", hiding ? `Pair ${this.index + 1}` : pair.title);
    this.#text("[data-track]", pair.track);
    this.#text("[data-place]", `${this.index + 1} of ${this.pairs.length}`);
    const link = root.querySelector("[data-page]");
    link.hidden = hiding || !pair.page;
    if (pair.page) {
      link.href = pair.page;
      link.textContent = `${pair.model} · ${pair.candidate}`;
    }
    this.lanes.forEach(({ element, score }, number) => {
      const side = pair[this.order[number]];
      element.querySelector("[data-name]").textContent = hiding ? "" : side.name;
      element.querySelector("[data-state]").textContent = hiding ? "" : side.state;
      const file = element.querySelector("a[download]");
      file.hidden = hiding;
      if (hiding) file.removeAttribute("href");
      else file.href = `${document.body.dataset.root}clips/${side.clip}.flac`;
      element.querySelector(".view").setAttribute("aria-label", this.#described(LETTERS[number], side));
      const clip = this.clips?.[number];
      if (clip) score.show(clip, hiding ? pair.marks : [...pair.marks, ...side.marks], hiding ? pair.boundary : Infinity);
    });
    const facts = root.querySelector("[data-facts]");
    facts.hidden = hiding;
    const [before, after] = pair.sources;
    const rows = [...pair.facts, ["written in", sourceLink(before, "before"), ", ", sourceLink(after, "after")]];
    facts.replaceChildren(...(hiding ? [] : rows).map(([name, ...values]) => {
      const item = document.createElement("div");
      item.append(Object.assign(document.createElement("dt"), { textContent: name }));
      const value = document.createElement("dd");
      value.append(...values);
      item.append(value);
      return item;
    }));
    for (const button of document.querySelectorAll("[data-pair]")) {
      const index = this.pairs.findIndex(({ id }) => id === button.dataset.pair);
      if (button.dataset.pair === pair.id) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      button.toggleAttribute("data-hidden", this.blind && !this.answers.of(this.pairs[index]));
    }
    const toggle = root.querySelector("[data-do=blind]");
    toggle?.setAttribute("aria-pressed", String(this.blind));
    root.querySelector("[data-do=due]").hidden = pair.due === null;
    this.#questions();
    this.#state();
  }

  draw() {
    for (const { score } of this.lanes) score.draw();
  }

  toggleBlind() {
    if (this.always) return;
    const place = this.player.position;
    this.blind = !this.blind;
    this.open(this.index).then((still) => still && this.player.seek(place));
    this.#say(this.blind ? "Blind: A and B are in random order until you have answered." : "A is before, B is after.");
  }

  choose(number) {
    this.player.choose(number);
    this.#say(LETTERS[number]);
  }

  answer(question, said) {
    if (!this.hiding || !this.clips) return false;
    if (question === "motif") {
      this.said = said;
      this.#questions();
      this.#say("Which sounds more natural?");
      return true;
    }
    if (!this.said) return false;
    this.answers.give(this.pair, this.said, said);
    this.said = null;
    this.show();
    const [a, b] = this.order;
    this.#say(`Saved. A was ${this.pair[a].name}, B was ${this.pair[b].name}.`);
    return true;
  }

  // What plays is in sight: keys work wherever the page is scrolled to.
  #toggle() {
    const { top, bottom } = this.root.getBoundingClientRect();
    if (!this.player.playing && (bottom < 80 || top > innerHeight - 80)) this.root.scrollIntoView({ block: "start" });
    return this.player.toggle();
  }

  #listen() {
    const { root, player } = this;
    const acts = {
      play: () => this.#toggle(),
      switch: () => this.choose(1 - player.chosen),
      loop: () => player.setLoop(player.loop ? null : [0, player.duration]),
      due: () => player.seek(Math.max(0, this.pair.due - EARLY)),
      previous: () => this.open(this.index - 1),
      next: () => this.open(this.index + 1),
      blind: () => this.toggleBlind(),
    };
    this.acts = acts;
    for (const button of root.querySelectorAll("[data-do]")) button.addEventListener("click", () => acts[button.dataset.do]());
    for (const button of root.querySelectorAll("[data-choose]")) button.addEventListener("click", () => this.choose(Number(button.dataset.choose)));
    for (const button of root.querySelectorAll("[data-answer]")) button.addEventListener("click", () => this.answer(button.dataset.answer, button.value));
    for (const button of document.querySelectorAll("[data-pair]")) {
      button.addEventListener("click", () => {
        this.open(this.pairs.findIndex(({ id }) => id === button.dataset.pair));
        root.scrollIntoView({ block: "start" });
      });
    }
    player.addEventListener("change", () => this.#state());
    this.answers.addEventListener("change", () => this.show());
  }

  #keys() {
    const { acts, player } = this;
    addKeys("Listen", [
      ["Space", "play, pause", acts.play],
      ["X", "switch between A and B, in place", acts.switch],
      ["A", "hear A", () => this.choose(0)],
      ["B", "hear B", () => this.choose(1)],
      ["L", "loop", acts.loop],
      ["S", "jump to just before the motif is due", () => (this.pair.due === null ? false : acts.due())],
      ["←", "half a second back", () => player.seek(player.position - STEP), true],
      ["→", "half a second forward", () => player.seek(player.position + STEP), true],
    ]);
    addKeys("Pairs", [
      ["N", "next pair", acts.next],
      ["P", "previous pair", acts.previous],
    ]);
    const answers = [["motif", MOTIF, "the motif returns"], ["natural", NATURAL, "more natural:"]].flatMap(([question, choices, words]) =>
      choices.map(([said, meaning]) => [question, said, `${words} ${meaning}`]));
    addKeys("Blind", [
      ...(this.always ? [] : [["H", "hide which is which", acts.blind]]),
      ...answers.map(([question, said, words], number) => [String(number + 1), words, () => this.answer(question, said)]),
    ]);
  }

  #questions() {
    const { root, hiding, said } = this;
    root.querySelector(".questions").hidden = !hiding;
    root.querySelector("[data-question=natural]").toggleAttribute("data-waiting", !said);
    for (const button of root.querySelectorAll("[data-answer]")) {
      const motif = button.dataset.answer === "motif";
      button.setAttribute("aria-pressed", String(motif && button.value === said));
      button.disabled = !this.clips || (!motif && !said);
    }
    const given = this.answers.of(this.pair);
    const line = root.querySelector("[data-given]");
    line.hidden = hiding || !this.blind || !given;
    if (!given) return;
    const heard = MOTIF.find(([name]) => name === given.motif)[1];
    const natural = NATURAL.find(([name]) => name === given.natural)[1];
    line.textContent = `You heard the motif ${heard}; more natural: ${natural}.`;
  }

  #state() {
    const { player, root } = this;
    const ready = player.buffers.length > 0;
    for (const button of root.querySelectorAll("[data-do=play], [data-do=switch], [data-do=loop], [data-do=due], [data-choose]")) button.disabled = !ready;
    const play = root.querySelector("[data-do=play]");
    play.toggleAttribute("data-playing", player.playing);
    play.querySelector(".label").textContent = player.playing ? "Pause" : "Play";
    root.querySelector("[data-do=loop]").setAttribute("aria-pressed", String(player.loop !== null));
    this.lanes.forEach(({ element }, number) => {
      element.toggleAttribute("data-heard", number === player.chosen);
      element.querySelector("[data-choose]").setAttribute("aria-pressed", String(number === player.chosen));
    });
    this.#follow();
  }

  #follow() {
    const { player } = this;
    const place = player.buffers.length ? player.heard : null;
    for (const { score } of this.lanes) score.playhead(place);
    this.#text("[data-time]", place === null ? "" : `${place.toFixed(2)} / ${player.duration.toFixed(2)} s`);
    cancelAnimationFrame(this.frame);
    if (player.playing) this.frame = requestAnimationFrame(() => this.#follow());
  }

  #described(letter, side) {
    return this.hiding ? `${letter}: waveform and chroma of the prefix; the continuation is hidden`
      : `${letter}, ${side.name}: waveform and chroma; ${side.state}`;
  }

  #problem(message) {
    const line = this.root.querySelector(".problem");
    line.hidden = !message;
    line.textContent = message;
  }

  #text(selector, text) {
    const element = this.root.querySelector(selector);
    if (element) element.textContent = text;
  }

  #say(text) {
    document.getElementById("live").textContent = text;
  }
}
