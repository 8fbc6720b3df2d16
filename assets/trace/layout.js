/** @import { Message, Trace } from './model.js' */
/** @import { Lane, Span } from './spans.js' */
/** @import { View } from './view.js' */
import { ON_ITS_WAY } from './model.js'

export const AXIS_PX = 24
export const FAULT_ROW_PX = 18
const FAULT_ROWS_MAX = 5
const CLIENT_PX_MIN = 22
const CLIENT_PX_MAX = 46
const NODE_PX_MIN = 58
const REQUEST_PX_MAX = 15
const BOTTOM_PX = 10
/** How high the band of a leader is; lines begin and end at the edge of it. */
export const BAND_PX = 13
/** How far below its lane a write is drawn, and how high. */
export const WRITE_TOP_PX = 9
export const WRITE_PX = 5

/** How far a message gets that does not arrive: never just to the lane of another node, between two of up to five. */
const PROGRESS = new Map([
  ['lost', 0.4],
  ['cut', 0.62],
  [ON_ITS_WAY, 0.28],
])

/**
 * Where things stand, in px from the top: `laneYs` are the middles of the lanes, nodes first.
 * @typedef {{ height: number, faultsTop: number, faultRows: number, lanesTop: number, laneYs: number[], laneHeights: number[] }} Layout
 */

/** Clients stand on top, as they ask, and the nodes below share what is left. @param {Trace} trace @param {number} heightMin @returns {Layout} */
export function layOut(trace, heightMin) {
  const faultRows = Math.min(FAULT_ROWS_MAX, Math.max(0, ...trace.faults.map((fault) => fault.row + 1)))
  const lanesTop = AXIS_PX + faultRows * FAULT_ROW_PX + 8
  const clientCount = trace.laneNames.length - trace.nodeCount
  const spare = heightMin - lanesTop - BOTTOM_PX - trace.nodeCount * NODE_PX_MIN
  const clientPx = clientCount === 0 ? 0 : Math.min(CLIENT_PX_MAX, Math.max(CLIENT_PX_MIN, spare / 3 / clientCount))
  const nodePx = Math.max(NODE_PX_MIN, (heightMin - lanesTop - BOTTOM_PX - clientCount * clientPx) / Math.max(1, trace.nodeCount))
  const nodesTop = lanesTop + clientCount * clientPx
  const laneYs = trace.laneNames.map((_, i) =>
    i < trace.nodeCount ? nodesTop + (i + 0.5) * nodePx : lanesTop + (i - trace.nodeCount + 0.5) * clientPx,
  )
  const laneHeights = trace.laneNames.map((_, i) => (i < trace.nodeCount ? nodePx : clientPx))
  const height = nodesTop + trace.nodeCount * nodePx + BOTTOM_PX
  return { height, faultsTop: AXIS_PX, faultRows, lanesTop, laneYs, laneHeights }
}

/**
 * The line of a message, in px; one that does not arrive ends on the way.
 * @param {Message} message @param {View} view @param {Layout} layout
 */
export function lineOf(message, view, layout) {
  const progress = PROGRESS.get(message.fate) ?? 1
  const down = (layout.laneYs[message.to] ?? 0) > (layout.laneYs[message.from] ?? 0) ? BAND_PX / 2 : -BAND_PX / 2
  const x1 = view.xOf(message.fromUs)
  const y1 = (layout.laneYs[message.from] ?? 0) + down
  const x2 = view.xOf(message.toUs)
  const y2 = (layout.laneYs[message.to] ?? 0) - down
  return { x1, y1, x2: x1 + (x2 - x1) * progress, y2: y1 + (y2 - y1) * progress }
}

/** Where a request is drawn on its client's lane: the more there are at once, the flatter. @param {Layout} layout @param {Lane} lane @param {Span} request @param {number} index of the lane */
export function requestBox(layout, lane, request, index) {
  const px = (layout.laneHeights[index] ?? 0) - 6
  const rows = Math.max(1, lane.requestRows)
  const height = Math.min(REQUEST_PX_MAX, px / rows)
  return { top: (layout.laneYs[index] ?? 0) - (height * rows) / 2 + request.row * height, height: height - 1.5 }
}

/** From a point to a line between two points, in px. @param {number} x @param {number} y @param {{ x1: number, y1: number, x2: number, y2: number }} line */
export function distanceTo(x, y, { x1, y1, x2, y2 }) {
  const dx = x2 - x1
  const dy = y2 - y1
  const length = dx * dx + dy * dy
  const along = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / length))
  return Math.hypot(x - x1 - along * dx, y - y1 - along * dy)
}

/** Lines are hit within so many px. */
const REACH_PX = 7

/**
 * The step under a point of the diagram: of a message (its sending, or its end if that is nearer), a write, a request, a fault, an event
 * of a lane; 0 for none.
 * @param {{ x: number, y: number }} point @param {{ trace: Trace, view: View, layout: Layout, isShown: Uint8Array }} scene
 */
export function stepUnder({ x, y }, scene) {
  return spanUnder(x, y, scene) || laneEventUnder(x, y, scene) || messageUnder(x, y, scene)
}

/** @param {number} x @param {number} y @param {{ trace: Trace, view: View, layout: Layout, isShown: Uint8Array }} scene */
function messageUnder(x, y, { trace, view, layout, isShown }) {
  let best = 0
  let bestPx = REACH_PX
  const reachUs = REACH_PX / view.pxPerUs
  trace.forEachMessage(view.usAt(x) - reachUs, view.usAt(x) + reachUs, (message) => {
    if (isShown[message.step] !== 1) return
    const line = lineOf(message, view, layout)
    const px = distanceTo(x, y, line)
    if (px >= bestPx) return
    bestPx = px
    const isNearEnd = message.endStep !== 0 && Math.hypot(x - line.x2, y - line.y2) < Math.hypot(x - line.x1, y - line.y1)
    best = isNearEnd ? message.endStep : message.step
  })
  return best
}

/** @param {number} x @param {number} y @param {{ trace: Trace, view: View, layout: Layout, isShown: Uint8Array }} scene */
function spanUnder(x, y, { trace, view, layout, isShown }) {
  const us = view.usAt(x)
  const slackUs = 3 / view.pxPerUs
  /** @param {readonly { step: number, fromUs: number, toUs: number }[]} spans */
  const at = (spans) =>
    spans.findLast((span) => isShown[span.step] === 1 && us >= span.fromUs - slackUs && us <= span.toUs + slackUs)
  if (y >= layout.faultsTop && y < layout.faultsTop + layout.faultRows * FAULT_ROW_PX) {
    const row = Math.floor((y - layout.faultsTop) / FAULT_ROW_PX)
    return at(trace.faults.filter((fault) => Math.min(fault.row, layout.faultRows - 1) === row))?.step ?? 0
  }
  for (const [i, lane] of trace.lanes.entries()) {
    const dy = y - (layout.laneYs[i] ?? 0)
    if (lane.isNode && dy >= WRITE_TOP_PX - 1 && dy <= WRITE_TOP_PX + WRITE_PX + 2) return at(lane.writes)?.step ?? 0
    if (lane.isNode || Math.abs(dy) > (layout.laneHeights[i] ?? 0) / 2) continue
    const isAtY = lane.requests.filter((request) => {
      const { top, height } = requestBox(layout, lane, request, i)
      return y >= top - 2 && y <= top + height + 2
    })
    return at(isAtY)?.step ?? 0
  }
  return 0
}

/** What happened on the line of a lane itself. @param {number} x @param {number} y @param {{ trace: Trace, view: View, layout: Layout, isShown: Uint8Array }} scene */
function laneEventUnder(x, y, { trace, view, layout, isShown }) {
  const lane = layout.laneYs.findIndex((laneY, i) => i < trace.nodeCount && Math.abs(y - laneY) <= 5)
  if (lane < 0) return 0
  const us = view.usAt(x)
  const reachUs = REACH_PX / view.pxPerUs
  let best = 0
  let bestUs = reachUs
  for (let step = trace.lastStepAt(us + reachUs); step > 0 && trace.atUs[step] >= us - reachUs; step--) {
    if (isShown[step] !== 1 || trace.lane[step] !== lane || trace.messageOf[step] !== 0) continue
    const awayUs = Math.abs(trace.atUs[step] - us)
    if (awayUs >= bestUs) continue
    best = step
    bestUs = awayUs
  }
  return best
}
