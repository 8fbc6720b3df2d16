/** @import { Lane, Message, Span, Trace } from './model.js' */
/** @import { Filters } from './filters.js' */
/** @import { Layout } from './layout.js' */
/** @import { Palette } from './palette.js' */
/** @import { View } from './view.js' */
import { AXIS_PX, FAULT_ROW_PX, lineOf, WRITE_PX, WRITE_TOP_PX } from './layout.js'
import { ON_ITS_WAY } from './model.js'
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
 * @property {ReadonlySet<number>} found the steps that a search found
 */

/** More lines than this at once get no arrowheads; more than that no labels. */
const ARROWS_MAX = 1_500
const LABELS_MAX = 400
/** A label needs a line this long. */
const LABEL_PX_MIN = 70
const FONT = '11px ui-sans-serif, system-ui, sans-serif'
const BAND_PX = 12

/** Draws all of it. @param {CanvasRenderingContext2D} context @param {Scene} scene */
export function drawDiagram(context, scene) {
  const { view, layout, palette } = scene
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
  scene.trace.lanes.forEach((lane, i) => {
    drawLane(context, scene, lane, layout.laneYs[i] ?? 0)
  })
  const lines = collectLines(scene)
  drawMessages(context, scene, lines)
  scene.trace.lanes.forEach((lane, i) => {
    drawOnLane(context, scene, lane, i)
  })
  drawFound(context, scene)
  drawSelection(context, scene)
  context.restore()
  drawLaneNames(context, scene)
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawGrid(context, { view, layout, palette }) {
  const { ticks, stepUs } = ticksOf(view, 90)
  context.strokeStyle = palette.grid
  context.lineWidth = 1
  context.beginPath()
  for (const us of ticks) {
    const x = Math.round(view.xOf(us)) + 0.5
    context.moveTo(x, AXIS_PX - 4)
    context.lineTo(x, layout.height)
  }
  context.stroke()
  context.fillStyle = palette.quiet
  context.textAlign = 'center'
  for (const us of ticks) context.fillText(formatUs(us, stepUs), view.xOf(us), AXIS_PX / 2)
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawFaults(context, { trace, view, layout, palette, filters }) {
  context.textAlign = 'left'
  for (const fault of trace.faults) {
    if (filters.isShown[fault.step] !== 1) continue
    const x1 = view.xOf(fault.fromUs)
    const x2 = Math.max(x1 + 2, view.xOf(fault.toUs))
    if (x2 < view.left || x1 > view.left + view.width) continue
    const y = layout.faultsTop + Math.min(fault.row, layout.faultRows - 1) * FAULT_ROW_PX
    context.globalAlpha = 0.22
    context.fillStyle = palette.warn
    context.fillRect(x1, y + 1, x2 - x1, FAULT_ROW_PX - 3)
    context.globalAlpha = 1
    context.fillRect(x1, y + 1, 2, FAULT_ROW_PX - 3)
    if (fault.endStep !== 0 && !fault.isMomentary) context.fillRect(x2 - 1, y + 1, 1, FAULT_ROW_PX - 3)
    const from = Math.max(x1, view.left) + 5
    context.fillStyle = palette.text
    if (fault.isMomentary) fillTextWithin(context, fault.label, from, y + FAULT_ROW_PX / 2, 150)
    else fillTextWithin(context, fault.label, from, y + FAULT_ROW_PX / 2, Math.min(x2, view.left + view.width) - from - 3)
  }
}

/** As much of the text as there is room for. @param {CanvasRenderingContext2D} context @param {string} text @param {number} x @param {number} y @param {number} widthMax */
function fillTextWithin(context, text, x, y, widthMax) {
  if (widthMax < 14) return
  if (context.measureText(text).width <= widthMax) return context.fillText(text, x, y)
  let length = text.length
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > widthMax) length--
  if (length > 2) context.fillText(`${text.slice(0, length)}…`, x, y)
}

/** Under the messages: the line of a lane, and when nothing happened on it. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Lane} lane @param {number} y */
function drawLane(context, { view, palette }, lane, y) {
  context.strokeStyle = palette.line
  context.lineWidth = 1
  context.beginPath()
  context.moveTo(view.left, Math.round(y) + 0.5)
  context.lineTo(view.left + view.width, Math.round(y) + 0.5)
  context.stroke()
  for (const span of lane.outages) {
    const x1 = Math.max(view.left - 1, view.xOf(span.fromUs))
    const x2 = Math.min(view.left + view.width + 1, view.xOf(span.toUs))
    if (x2 < view.left || x1 > view.left + view.width) continue
    drawHatched(
      context,
      { x1, x2: Math.max(x2, x1 + 2), y1: y - 15, y2: y + 15 },
      span.label === 'paused' ? palette.warn : palette.down,
      palette,
    )
    if (span.label === 'not started') continue
    context.fillStyle = palette.text
    context.textAlign = 'left'
    fillTextWithin(context, span.label, x1 + 6, y - 22, x2 - x1 - 8)
  }
}

/** @param {CanvasRenderingContext2D} context @param {{ x1: number, x2: number, y1: number, y2: number }} box @param {string} colour @param {Palette} palette */
function drawHatched(context, { x1, x2, y1, y2 }, colour, palette) {
  context.save()
  context.beginPath()
  context.rect(x1, y1, x2 - x1, y2 - y1)
  context.fillStyle = palette.background
  context.fill()
  context.globalAlpha = 0.14
  context.fillStyle = colour
  context.fill()
  context.clip()
  context.globalAlpha = 0.6
  context.strokeStyle = colour
  context.lineWidth = 1
  context.beginPath()
  const height = y2 - y1
  for (let x = Math.floor((x1 - height) / 8) * 8; x < x2; x += 8) {
    context.moveTo(x, y2)
    context.lineTo(x + height, y1)
  }
  context.stroke()
  context.restore()
}

/**
 * The lines in view, without those that would cover one another.
 * @param {Scene} scene
 */
function collectLines({ trace, filters, view, layout }) {
  /** @type {{ message: Message, line: ReturnType<typeof lineOf>, lane: number }[]} */
  const lines = []
  const drawn = new Set()
  trace.forEachMessage(view.fromUs, view.toUs, (message) => {
    if (filters.isShown[message.step] !== 1) return
    const line = lineOf(message, view, layout)
    const lane = trace.laneOfBallot(trace.ballot[message.step])
    const isSpecial = message.fate !== 'delivered'
    const at = Math.round(line.x1) * 8192 + Math.round(line.x2 - line.x1)
    const key = ((at * 64 + message.from) * 64 + message.to) * 32 + (isSpecial ? 16 : 0) + lane + 1
    if (drawn.has(key)) return
    drawn.add(key)
    lines.push({ message, line, lane })
  })
  return lines
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {ReturnType<typeof collectLines>} lines */
function drawMessages(context, scene, lines) {
  const { palette, view } = scene
  const density = lines.length / view.width
  const alpha = Math.min(0.9, Math.max(0.16, 0.75 / density))
  /** One path for all lines of a kind. @type {Map<string, { path: Path2D, colour: string, isHeartbeat: boolean, isLost: boolean }>} */
  const paths = new Map()
  for (const { message, line, lane } of lines) {
    const isLost = isNotArriving(message.fate)
    const key = `${lane} ${message.isHeartbeat} ${isLost}`
    let group = paths.get(key)
    if (group === undefined) {
      group = { path: new Path2D(), colour: colourOfNode(palette, lane), isHeartbeat: message.isHeartbeat, isLost }
      paths.set(key, group)
    }
    group.path.moveTo(line.x1, line.y1)
    group.path.lineTo(line.x2, line.y2)
  }
  for (const { path, colour, isHeartbeat, isLost } of paths.values()) {
    context.globalAlpha = isLost ? Math.max(alpha, 0.5) : isHeartbeat ? alpha * 0.45 : alpha
    context.strokeStyle = colour
    context.lineWidth = isHeartbeat ? 1 : 1.4
    context.stroke(path)
  }
  context.globalAlpha = 1
  drawCrosses(context, scene, lines)
  if (lines.length <= ARROWS_MAX) drawArrows(context, scene, lines)
  if (lines.length <= LABELS_MAX) drawLabels(context, scene, lines)
}

/** @param {string} fate */
function isNotArriving(fate) {
  return fate === 'lost' || fate === 'cut' || fate === 'refused' || fate === 'down'
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {ReturnType<typeof collectLines>} lines */
function drawCrosses(context, { palette, view }, lines) {
  const lost = lines.filter(({ message }) => isNotArriving(message.fate))
  const size = lost.length / view.width > 0.15 ? 2.5 : 4
  context.strokeStyle = palette.bad
  context.lineWidth = size > 3 ? 1.8 : 1.2
  context.beginPath()
  for (const { line } of lost) {
    context.moveTo(line.x2 - size, line.y2 - size)
    context.lineTo(line.x2 + size, line.y2 + size)
    context.moveTo(line.x2 - size, line.y2 + size)
    context.lineTo(line.x2 + size, line.y2 - size)
  }
  context.stroke()
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {ReturnType<typeof collectLines>} lines */
function drawArrows(context, { palette }, lines) {
  for (const { message, line, lane } of lines) {
    if (isNotArriving(message.fate)) continue
    const dx = line.x2 - line.x1
    const dy = line.y2 - line.y1
    const length = Math.hypot(dx, dy)
    if (length < 12) continue
    const ux = dx / length
    const uy = dy / length
    const size = message.isHeartbeat ? 5 : 7
    context.fillStyle = colourOfNode(palette, lane)
    context.globalAlpha = message.isHeartbeat ? 0.5 : 0.95
    context.beginPath()
    if (message.fate === 'waits') {
      context.arc(line.x2, line.y2, 3, 0, 7)
    } else if (message.fate === ON_ITS_WAY) {
      for (let i = 1; i <= 3; i++) context.rect(line.x2 + ux * i * 5, line.y2 + uy * i * 5, 2, 2)
    } else {
      context.moveTo(line.x2, line.y2)
      context.lineTo(line.x2 - ux * size - uy * size * 0.4, line.y2 - uy * size + ux * size * 0.4)
      context.lineTo(line.x2 - ux * size + uy * size * 0.4, line.y2 - uy * size - ux * size * 0.4)
    }
    context.fill()
  }
  context.globalAlpha = 1
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {ReturnType<typeof collectLines>} lines */
function drawLabels(context, { trace, palette }, lines) {
  /** Where there is a label already, in a coarse grid. */
  const taken = new Set()
  context.textAlign = 'center'
  for (const { message, line, lane } of lines) {
    const dx = line.x2 - line.x1
    const dy = line.y2 - line.y1
    if (Math.abs(dx) < LABEL_PX_MIN) continue
    const x = line.x1 + dx * 0.5
    const y = line.y1 + dy * 0.5
    const cell = `${Math.round(x / 70)} ${Math.round(y / 14)}`
    if (taken.has(cell)) continue
    taken.add(cell)
    context.save()
    context.translate(x, y)
    context.rotate(Math.atan(dy / dx))
    const text = labelOf(trace, message)
    const width = context.measureText(text).width
    if (width < Math.hypot(dx, dy) - 24) {
      context.globalAlpha = 0.85
      context.fillStyle = palette.background
      context.fillRect(-width / 2 - 3, -7, width + 6, 14)
      context.globalAlpha = 1
      context.fillStyle = lane < 0 ? palette.text : colourOfNode(palette, lane)
      context.fillText(text, 0, 0)
    }
    context.restore()
  }
}

/** @param {Trace} trace @param {Message} message */
function labelOf(trace, { step }) {
  const ballot = trace.ballot[step]
  const slot = trace.slot[step]
  const last = trace.lastSlot[step]
  const parts = [trace.typeName(step)]
  if (ballot !== 0) parts.push(trace.ballotName(ballot))
  if (slot !== 0) parts.push(slot === last ? `slot ${slot}` : `slots ${slot}–${last}`)
  return parts.join(' ')
}

/** Over the messages: phases, writes, applied slots, requests. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Lane} lane @param {number} index */
function drawOnLane(context, scene, lane, index) {
  const { view, palette, layout, trace, filters } = scene
  const y = layout.laneYs[index] ?? 0
  for (const phase of lane.phases) {
    const x1 = view.xOf(phase.fromUs)
    const x2 = view.xOf(phase.toUs)
    if (x2 < view.left || x1 > view.left + view.width) continue
    drawPhase(context, scene, phase, { x1: Math.max(x1, view.left - 2), x2: Math.min(x2, view.left + view.width + 2), y })
  }
  drawWrites(context, scene, lane, y)
  drawApplied(context, scene, lane, y)
  for (const request of lane.requests) {
    if (filters.isShown[request.step] !== 1) continue
    const x1 = view.xOf(request.fromUs)
    const x2 = Math.max(view.xOf(request.toUs), x1 + 2)
    if (x2 < view.left || x1 > view.left + view.width) continue
    const isAnswered = request.endStep !== 0
    const top = y - 8 + (request.row % 4) * 5
    context.fillStyle = isAnswered ? palette.good : palette.bad
    context.globalAlpha = 0.75
    context.fillRect(x1, top, x2 - x1, 3.5)
    context.globalAlpha = 1
  }
  for (const span of lane.outages) drawMark(context, scene, span, y)
  void trace
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Span & { ballot: number }} phase @param {{ x1: number, x2: number, y: number }} place */
function drawPhase(context, { trace, palette }, phase, { x1, x2, y }) {
  const colour = colourOfNode(palette, trace.laneOfBallot(phase.ballot))
  context.fillStyle = colour
  const width = Math.max(x2 - x1, 1)
  switch (phase.label) {
    case 'leading': {
      context.fillRect(x1, y - BAND_PX / 2, width, BAND_PX)
      context.fillStyle = palette.background
      context.textAlign = 'left'
      context.font = `bold ${FONT}`
      fillTextWithin(context, `leads ${trace.ballotName(phase.ballot)}`, x1 + 5, y + 0.5, width - 8)
      context.font = FONT
      return
    }
    case 'scouting':
      context.fillRect(x1, y - 4, width, 1.5)
      context.fillRect(x1, y + 3, width, 1.5)
      context.fillStyle = palette.background
      context.fillRect(x1, y - 2.5, width, 5.5)
      context.fillStyle = colour
      context.textAlign = 'left'
      fillTextWithin(context, `scouts ${trace.ballotName(phase.ballot)}`, x1 + 3, y - 12, width + 40)
      return
    case 'polling':
      for (let x = x1; x < x2; x += 5) context.fillRect(x, y - 1.5, 2.5, 3)
      return
    case 'following':
      context.fillRect(x1, y - 1, width, 2.5)
      return
    default:
      context.fillStyle = palette.quiet
      for (let x = x1; x < x2; x += 10) context.fillRect(x, y - 1, 5, 2)
  }
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Lane} lane @param {number} y */
function drawWrites(context, { view, palette, trace, filters }, lane, y) {
  let lastX = Number.NEGATIVE_INFINITY
  for (const write of lane.writes) {
    if (filters.isShown[write.step] !== 1) continue
    const x1 = view.xOf(write.fromUs)
    const x2 = view.xOf(write.toUs)
    if (x2 < view.left || x1 > view.left + view.width) continue
    const isGood = write.label === 'synced' || write.label === 'kept'
    if (isGood && x2 < lastX + 1) continue
    lastX = Math.max(x2, x1 + 1.5)
    context.fillStyle = isGood ? palette.quiet : palette.bad
    context.fillRect(x1, y + WRITE_TOP_PX, Math.max(1.5, x2 - x1), WRITE_PX)
    if (!isGood && write.endStep !== 0) {
      context.textAlign = 'left'
      fillTextWithin(context, write.label, x2 + 3, y + WRITE_TOP_PX + WRITE_PX / 2, 60)
    } else if (x2 - x1 > 50) {
      context.fillStyle = palette.text
      context.textAlign = 'left'
      fillTextWithin(
        context,
        trace.wordsOf(write.step).replace(/^n\d+ writes /, ''),
        x1 + 2,
        y + WRITE_TOP_PX + WRITE_PX + 8,
        x2 - x1,
      )
    }
  }
}

/** Ticks for applied slots, with their numbers where there is room. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Lane} lane @param {number} y */
function drawApplied(context, { view, palette, trace, filters }, lane, y) {
  let lastX = Number.NEGATIVE_INFINITY
  let lastTick = Number.NEGATIVE_INFINITY
  context.fillStyle = palette.text
  context.textAlign = 'center'
  for (const step of lane.applied) {
    if (filters.isShown[step] !== 1 || !view.isInView(trace.atUs[step])) continue
    const x = view.xOf(trace.atUs[step])
    if (x - lastTick < 1) continue
    lastTick = x
    context.fillRect(x - 0.5, y - 10, 1, 4)
    if (x - lastX < 26) continue
    lastX = x
    context.fillText(String(trace.slot[step]), x, y - 16)
  }
}

/** The moment when a node went. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Span} span @param {number} y */
function drawMark(context, { view, palette }, span, y) {
  if (span.step === 0 || !view.isInView(span.fromUs)) return
  const x = view.xOf(span.fromUs)
  context.strokeStyle = span.label === 'paused' ? palette.warn : palette.bad
  context.lineWidth = 2.5
  context.beginPath()
  if (span.label === 'paused') {
    context.moveTo(x - 2, y - 7)
    context.lineTo(x - 2, y + 7)
    context.moveTo(x + 3, y - 7)
    context.lineTo(x + 3, y + 7)
  } else {
    context.moveTo(x - 6, y - 6)
    context.lineTo(x + 6, y + 6)
    context.moveTo(x - 6, y + 6)
    context.lineTo(x + 6, y - 6)
  }
  context.stroke()
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawFound(context, { trace, view, layout, palette, found }) {
  context.strokeStyle = palette.accent
  context.lineWidth = 2
  for (const step of found) {
    if (!view.isInView(trace.atUs[step])) continue
    context.beginPath()
    context.arc(view.xOf(trace.atUs[step]), layout.laneYs[trace.lane[step]] ?? layout.faultsTop, 6, 0, 7)
    context.stroke()
  }
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawSelection(context, { trace, view, layout, palette, step }) {
  const { failureStep } = trace.data
  if (failureStep !== 0) drawCursor(context, { x: view.xOf(trace.atUs[failureStep]), height: layout.height, colour: palette.bad })
  if (step === 0) return
  drawCursor(context, { x: view.xOf(trace.atUs[step]), height: layout.height, colour: palette.accent })
  const message = trace.messageAt(step)
  context.strokeStyle = palette.accent
  if (message !== undefined) {
    const line = lineOf(message, view, layout)
    context.lineWidth = 3.5
    context.beginPath()
    context.moveTo(line.x1, line.y1)
    context.lineTo(line.x2, line.y2)
    context.stroke()
  }
  const isEnd = message !== undefined && step === message.endStep
  const laneY = layout.laneYs[isEnd ? message.to : trace.lane[step]]
  if (laneY === undefined) return
  context.lineWidth = 2.5
  context.beginPath()
  context.arc(view.xOf(trace.atUs[step]), laneY, 8, 0, 7)
  context.stroke()
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
    const y = layout.laneYs[i] ?? 0
    context.globalAlpha = filters.hiddenLanes.has(i) ? 0.4 : 1
    if (lane.isNode) {
      context.fillStyle = colourOfNode(palette, i)
      context.fillRect(6, y - 7, 5, 14)
    }
    context.fillStyle = palette.text
    context.font = lane.isNode ? `bold 13px ui-sans-serif, system-ui, sans-serif` : FONT
    fillTextWithin(context, lane.name, lane.isNode ? 16 : 6, y, view.left - (lane.isNode ? 18 : 8))
    context.font = FONT
  })
  context.globalAlpha = 1
  if (layout.faultRows > 0) {
    context.fillStyle = palette.quiet
    context.fillText('faults', 6, layout.faultsTop + FAULT_ROW_PX / 2)
  }
}
