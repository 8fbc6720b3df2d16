/** @import { Trace } from './model.js' */
/** @import { Filters } from './filters.js' */
/** @import { Palette } from './palette.js' */
/** @import { View } from './view.js' */
import { colourOfNode } from './palette.js'

/**
 * The whole run in a strip: how much happened, who led, what was broken, and which part is in view.
 * @param {CanvasRenderingContext2D} context
 * @param {{ trace: Trace, filters: Filters, view: View, palette: Palette, found: ReadonlySet<number>, step: number, left: number, width: number, height: number }} scene
 */
export function drawMinimap(context, scene) {
  const { trace, view, palette, found, step, left, width, height } = scene
  context.fillStyle = palette.panel
  context.fillRect(0, 0, left + width, height)
  /** @param {number} us */
  const xOf = (us) => left + (us / Math.max(1, trace.endUs)) * width
  drawDensity(context, scene)
  drawLeaders(context, scene, xOf)
  context.fillStyle = palette.warn
  for (const fault of trace.faults) context.fillRect(xOf(fault.fromUs), 0, Math.max(1, xOf(fault.toUs) - xOf(fault.fromUs)), 3)
  context.fillStyle = palette.accent
  for (const at of found) context.fillRect(xOf(trace.atUs[at]) - 0.5, 3, 1.5, 8)
  if (trace.data.failureStep !== 0) {
    context.fillStyle = palette.bad
    context.fillRect(xOf(trace.atUs[trace.data.failureStep]) - 1, 0, 2, height)
  }
  if (step !== 0) {
    context.fillStyle = palette.accent
    context.fillRect(xOf(trace.atUs[step]) - 0.5, 0, 1, height)
  }
  const x1 = Math.max(left, xOf(view.fromUs))
  const x2 = Math.min(left + width, xOf(view.toUs))
  context.globalAlpha = 0.55
  context.fillStyle = palette.background
  context.fillRect(left, 0, x1 - left, height)
  context.fillRect(x2, 0, left + width - x2, height)
  context.globalAlpha = 1
  context.strokeStyle = palette.accent
  context.lineWidth = 2
  context.strokeRect(x1 + 1, 1, Math.max(4, x2 - x1 - 2), height - 2)
}

/** @param {CanvasRenderingContext2D} context @param {Parameters<typeof drawMinimap>[1]} scene */
function drawDensity(context, { trace, filters, palette, left, width, height }) {
  const bins = new Float64Array(Math.max(1, Math.floor(width / 2)))
  for (let step = 1; step <= trace.count; step++) {
    if (filters.isShown[step] !== 1) continue
    bins[Math.min(bins.length - 1, Math.floor((trace.atUs[step] / Math.max(1, trace.endUs)) * bins.length))]++
  }
  const highest = bins.reduce((most, bin) => Math.max(most, bin), 1)
  context.globalAlpha = 0.5
  context.fillStyle = palette.quiet
  bins.forEach((bin, i) => {
    const barPx = (bin / highest) * (height - 8)
    context.fillRect(left + i * 2, height - barPx, 1.6, barPx)
  })
  context.globalAlpha = 1
}

/** @param {CanvasRenderingContext2D} context @param {Parameters<typeof drawMinimap>[1]} scene @param {(us: number) => number} xOf */
function drawLeaders(context, { trace, palette, height }, xOf) {
  trace.lanes.forEach((lane, i) => {
    if (!lane.isNode) return
    const y = 6 + (i / trace.nodeCount) * (height - 12)
    for (const phase of lane.phases) {
      if (phase.label !== 'leading') continue
      context.fillStyle = colourOfNode(palette, i)
      context.fillRect(xOf(phase.fromUs), y, Math.max(1, xOf(phase.toUs) - xOf(phase.fromUs)), 4)
    }
  })
}
