/** @import { View } from './view.js' */

const GLIDE_MS = 220
/** Counts glides: the last one wins. */
let glideCount = 0

/**
 * Moves what is in view there, at once for whoever wants no motion.
 * @param {View} view @param {{ fromUs: number, toUs: number }} to @param {() => void} draw called after each move
 */
export function glide(view, to, draw) {
  const glideNumber = ++glideCount
  const before = { fromUs: view.fromUs, toUs: view.toUs }
  view.show(to.fromUs, to.toUs)
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return draw()
  const after = { fromUs: view.fromUs, toUs: view.toUs }
  const startMs = performance.now()
  /** @param {number} nowMs */
  const move = (nowMs) => {
    if (glideNumber !== glideCount) return
    const part = Math.min(1, Math.max(0, (nowMs - startMs) / GLIDE_MS))
    const eased = 1 - (1 - part) ** 3
    view.show(before.fromUs + (after.fromUs - before.fromUs) * eased, before.toUs + (after.toUs - before.toUs) * eased)
    draw()
    if (part < 1) requestAnimationFrame(move)
  }
  move(startMs)
}
