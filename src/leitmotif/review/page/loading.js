// Items with their sound and pictures, as the server has them.

import { decoded } from "./player.js";

export async function prepare(api, item) {
  if (!item) return item;
  const clips = Object.entries(item.clips ?? (item.sound ? { stretch: item.sound } : {}));
  const [buffers, matrix] = await Promise.all([
    Promise.all(clips.map(async ([, clip]) => decoded(await api.clip(clip.name), item.sample_rate))),
    item.matrix ? api.matrix(item.track.id, item.transposition ?? 0) : null,
  ]);
  const named = Object.fromEntries(clips.map(([name], index) => [name, buffers[index]]));
  if (item.clips) item.buffers = named;
  else item.buffer = named.stretch ?? null;
  if (item.matrix) item.matrix.values = matrix;
  return item;
}

// The next item, other than those in `but`, and where the reviewer stands.
export async function fetchNext(api, but = []) {
  const answer = await api.next(but);
  return { item: await prepare(api, answer.item), state: answer.state };
}
