/** @import { Trace } from './model.js' */
/** @import { Filters } from './filters.js' */
/** @import { Layout } from './layout.js' */
/** @import { Palette } from './palette.js' */
/** @import { View } from './view.js' */
import { drawLane, drawOnLane, FONT, fillTextWithin } from './draw-lanes.js'
import { drawMarkedMessage, drawMessageLabels, drawMessages } from './draw-messages.js'
import { AXIS_PX, FAULT_ROW_PX } from './layout.js'
import { colourOfNode } from './palette.js'
import { formatUs, ticksOf } from './view.js'

/**
 * @typedef {object} Scene what there is to draw
 * @property {Trace} trace
 * @property {Filters} filters
 * @property {View} view
 * @property {Layout} layout
 * @property {Palette} palette
 * @property {number} step the selected one, 0 for none
 * @property {number} hovered the one under the pointer, 0 for none
 * @property {ReadonlySet<number>} found the steps that a search found
 */

/** Draws all of it; only what is in view costs time. @param {CanvasRenderingContext2D} context @param {Scene} scene */
export function drawDiagram(context, scene) {
  const { trace, view, layout, palette } = scene
  context.fillStyle = palette.background
  context.fillRect(0, 0, view.left + view.width, layout.height)
  context.font = FONT
  context.textBaseline = 'middle'
  context.save()
  context.beginPath()
  context.rect(view.left, 0, view.width, layout.height)
  context.clip()
  drawGrid(context, scene)
  drawFaults(context, scene)
  for (const index of trace.lanes.keys()) drawLane(context, scene, index)
  const lines = drawMessages(context, scene)
  drawMarked(context, scene)
  drawMessageLabels(context, scene, lines)
  for (const index of trace.lanes.keys()) drawOnLane(context, scene, index)
  drawFound(context, scene)
  drawSelection(context, scene)
  context.restore()
  drawLaneNames(context, scene)
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawGrid(context, { view, layout, palette }) {
  const { ticks, stepUs } = ticksOf(view, 90)
  context.fillStyle = palette.grid
  for (const us of ticks) context.fillRect(Math.round(view.xOf(us)), AXIS_PX - 4, 1, layout.height)
  context.fillStyle = palette.quiet
  context.textAlign = 'center'
  for (const us of ticks) context.fillText(formatUs(us, stepUs), Math.max(view.xOf(us), view.left + 20), AXIS_PX / 2)
}

/** A fault's words may go on after its end, as far as there is room. @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawFaults(context, { trace, view, layout, palette, filters }) {
  const right = view.left + view.width
  const shown = trace.faults.filter((fault) => filters.isShown[fault.step] === 1)
  context.textAlign = 'left'
  for (const fault of shown) {
    const x1 = view.xOf(fault.fromUs)
    const x2 = Math.max(x1 + 2, view.xOf(fault.toUs))
    const next = shown.find((other) => other.row === fault.row && other.fromUs > fault.fromUs)
    const end = Math.min(right, next === undefined ? right : view.xOf(next.fromUs))
    if (end < view.left || x1 > right) continue
    const y = layout.faultsTop + Math.min(fault.row, layout.faultRows - 1) * FAULT_ROW_PX
    context.fillStyle = palette.warn
    context.globalAlpha = 0.24
    context.fillRect(x1, y + 1, x2 - x1, FAULT_ROW_PX - 3)
    context.globalAlpha = 1
    context.fillRect(x1, y + 1, 2, FAULT_ROW_PX - 3)
    if (fault.endStep !== 0 && !fault.isMomentary) context.fillRect(x2 - 1, y + 1, 1, FAULT_ROW_PX - 3)
    if (x2 < view.left) continue
    const from = Math.max(x1, view.left) + 5
    context.fillStyle = palette.text
    fillTextWithin(context, fault.label, { x: from, y: y + FAULT_ROW_PX / 2, widthMax: end - from - 4 })
  }
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawFound(context, { trace, view, layout, palette, found }) {
  context.strokeStyle = palette.accent
  context.lineWidth = 2
  for (const step of found) {
    if (!view.isInView(trace.atUs[step])) continue
    context.beginPath()
    context.arc(view.xOf(trace.atUs[step]), laneYOf(trace, layout, step), 6, 0, 7)
    context.stroke()
  }
}

/** Where on the diagram a step happens: an arrival at the receiver. @param {Trace} trace @param {Layout} layout @param {number} step */
function laneYOf(trace, layout, step) {
  const message = trace.messageAt(step)
  const lane = message !== undefined && step === message.endStep ? message.to : trace.lane[step]
  return layout.laneYs[lane] ?? layout.faultsTop + FAULT_ROW_PX / 2
}

/** The message under the pointer, and the selected one. @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawMarked(context, scene) {
  const { trace, palette, step, hovered } = scene
  const under = trace.messageAt(hovered)
  if (under !== undefined) drawMarkedMessage(context, scene, under, { colour: palette.text, width: 2.5 })
  const selected = trace.messageAt(step)
  if (selected !== undefined) drawMarkedMessage(context, scene, selected, { colour: palette.accent, width: 3.5 })
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawSelection(context, scene) {
  const { trace, view, layout, palette, step } = scene
  const { failureStep } = trace.data
  if (failureStep !== 0) drawCursor(context, { x: view.xOf(trace.atUs[failureStep]), height: layout.height, colour: palette.bad })
  if (step !== 0) drawCursor(context, { x: view.xOf(trace.atUs[step]), height: layout.height, colour: palette.accent })
  if (step === 0) return
  drawAsked(context, scene)
  context.strokeStyle = palette.accent
  context.lineWidth = 2.5
  context.beginPath()
  context.arc(view.xOf(trace.atUs[step]), laneYOf(trace, layout, step), 8, 0, 7)
  context.stroke()
}

/** From a client to the node that it asks, or is answered by. @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawAsked(context, { trace, view, layout, palette, step }) {
  const { [trace.lane[step]]: from, [trace.peer[step]]: to } = layout.laneYs
  if (trace.messageOf[step] !== 0 || from === undefined || to === undefined) return
  const x = view.xOf(trace.atUs[step])
  context.strokeStyle = palette.accent
  context.lineWidth = 3
  context.setLineDash([5, 4])
  context.beginPath()
  context.moveTo(x, from)
  context.lineTo(x, to)
  context.stroke()
  context.setLineDash([])
}

/** @param {CanvasRenderingContext2D} context @param {{ x: number, height: number, colour: string }} line */
function drawCursor(context, { x, height, colour }) {
  context.fillStyle = colour
  context.fillRect(Math.round(x), AXIS_PX - 6, 1, height)
  context.beginPath()
  context.moveTo(x - 5, AXIS_PX - 8)
  context.lineTo(x + 5, AXIS_PX - 8)
  context.lineTo(x, AXIS_PX - 1)
  context.fill()
}

/** In the margin on the left. @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawLaneNames(context, { trace, view, layout, palette, filters }) {
  context.fillStyle = palette.panel
  context.fillRect(0, 0, view.left, layout.height)
  context.fillStyle = palette.line
  context.fillRect(view.left - 1, 0, 1, layout.height)
  context.textAlign = 'left'
  trace.lanes.forEach((lane, i) => {
    const y = layout.laneYs[i]
    context.globalAlpha = filters.hiddenLanes.has(i) ? 0.4 : 1
    context.fillStyle = colourOfNode(palette, i)
    if (lane.isNode) context.fillRect(6, y - 7, 5, 14)
    context.fillStyle = palette.text
    context.font = lane.isNode ? `bold 13px ui-sans-serif, system-ui, sans-serif` : FONT
    const x = lane.isNode ? 16 : 6
    fillTextWithin(context, lane.name, { x, y: y + 0.5, widthMax: view.left - x - 2 })
  })
  context.font = FONT
  context.globalAlpha = 1
  context.fillStyle = palette.quiet
  if (layout.faultRows > 0) context.fillText('faults', 6, layout.faultsTop + FAULT_ROW_PX / 2)
}
