/** @import { Trace } from './model.js' */
/** @import { Filters } from './filters.js' */
/** @import { Palette } from './palette.js' */
/** @import { View } from './view.js' */
import { colourOfNode } from './palette.js'

const BIN_PX = 2
const FAULTS_PX = 4

/**
 * The whole run in a strip below the diagram: how much happened, who led, what was broken, and which part is in view.
 * @param {CanvasRenderingContext2D} context
 * @param {{ trace: Trace, filters: Filters, view: View, palette: Palette, found: ReadonlySet<number>, step: number, width: number, height: number }} scene
 */
export function drawMinimap(context, scene) {
  const { trace, view, palette, found, step, width, height } = scene
  /** @param {number} us */
  const xOf = (us) => view.left + view.partOfRun(us) * (width - view.left)
  /** @param {number} us @param {string} colour @param {number} px */
  const mark = (us, colour, px) => {
    context.fillStyle = colour
    context.fillRect(Math.round(xOf(us) - px / 2), 0, px, height)
  }
  context.fillStyle = palette.panel
  context.fillRect(0, 0, width, height)
  drawDensity(context, scene, xOf)
  drawSpans(context, scene, xOf)
  context.fillStyle = palette.accent
  for (const at of found) context.fillRect(xOf(trace.atUs[at]) - 1, FAULTS_PX, 2, 8)
  drawWindow(context, scene, xOf)
  if (trace.data.failureStep !== 0) mark(trace.atUs[trace.data.failureStep], palette.bad, 3)
  if (step !== 0) mark(trace.atUs[step], palette.accent, 1)
}

/** @param {CanvasRenderingContext2D} context @param {Parameters<typeof drawMinimap>[1]} scene @param {(us: number) => number} xOf */
function drawWindow(context, { view, palette, width, height }, xOf) {
  const x1 = Math.max(view.left, xOf(view.fromUs))
  const x2 = Math.min(width, xOf(view.toUs))
  context.globalAlpha = 0.6
  context.fillStyle = palette.background
  context.fillRect(view.left, 0, x1 - view.left, height)
  context.fillRect(x2, 0, width - x2, height)
  context.globalAlpha = 1
  context.strokeStyle = palette.accent
  context.lineWidth = 2
  context.strokeRect(x1 + 1, 1, Math.max(4, x2 - x1 - 2), height - 2)
}

/** @param {CanvasRenderingContext2D} context @param {Parameters<typeof drawMinimap>[1]} scene @param {(us: number) => number} xOf */
function drawDensity(context, { trace, filters, palette, width, height }, xOf) {
  const bins = new Uint32Array(Math.ceil(width / BIN_PX) + 1)
  for (let step = 1; step <= trace.count; step++) {
    if (filters.isShown[step] === 1) bins[Math.floor(xOf(trace.atUs[step]) / BIN_PX)]++
  }
  const highest = bins.reduce((most, bin) => Math.max(most, bin), 1)
  context.globalAlpha = 0.45
  context.fillStyle = palette.quiet
  bins.forEach((bin, i) => {
    const barPx = (bin / highest) * (height - 8)
    context.fillRect(i * BIN_PX, height - barPx, BIN_PX - 0.4, barPx)
  })
  context.globalAlpha = 1
}

/** @param {CanvasRenderingContext2D} context @param {Parameters<typeof drawMinimap>[1]} scene @param {(us: number) => number} xOf */
function drawSpans(context, { trace, palette, height }, xOf) {
  /** @param {{ fromUs: number, toUs: number }} span @param {number} y @param {number} px */
  const bar = ({ fromUs, toUs }, y, px) => context.fillRect(xOf(fromUs), y, Math.max(1, xOf(toUs) - xOf(fromUs)), px)
  context.fillStyle = palette.warn
  for (const fault of trace.faults) bar(fault, 0, FAULTS_PX - 1)
  const rowPx = (height - FAULTS_PX - 4) / trace.nodeCount
  trace.lanes.forEach((lane, i) => {
    if (!lane.isNode) return
    const y = FAULTS_PX + 2 + i * rowPx
    context.fillStyle = palette.down
    for (const outage of lane.outages) if (outage.step !== 0) bar(outage, y + rowPx / 2 - 0.5, 1)
    context.fillStyle = colourOfNode(palette, i)
    for (const phase of lane.phases) if (phase.label === 'leading') bar(phase, y + 1, Math.max(2, rowPx - 3))
  })
}
