// Starts what the page holds.

import { sortTable, walkMoments } from "./features.js";
import { listen } from "./keys.js";
import { Player } from "./player.js";
import { Sample } from "./sample.js";
import { themes } from "./settings.js";

const player = new Player();
const samples = [...document.querySelectorAll(".sample")].map((figure) => new Sample(figure, player));

document.querySelectorAll("table[data-sortable]").forEach(sortTable);
walkMoments(samples);

themes(document.getElementById("theme"), () => {
  for (const sample of samples) sample.draw();
});
document.getElementById("no-audio").hidden = Player.possible;
listen(document.getElementById("legend"), document.getElementById("legend-open"));
window.report = { player, samples };
