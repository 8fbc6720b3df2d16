/** @import { Message, Trace } from './model.js' */
/** @import { Scene } from './diagram.js' */
import { lineOf } from './layout.js'
import { ON_ITS_WAY } from './model.js'
import { colourOfNode } from './palette.js'

/** More messages than this at once are thinned out, so that lines are up to so many px apart. */
const MANY = 8_000
const GRID_PX_MAX = 4
/** More lines to a px than this get no arrowheads, and more than that no labels. */
const ARROWS_PER_PX = 0.8
const LABELS_PER_PX = 1
/** A label stands on a line of at least this width that is not steeper than this. */
const LABEL_PX_MIN = 80
const LABEL_SLOPE_MAX = 1.6
/** What is drawn is kept apart on a grid of such cells. */
const CELL_PX = 12

/**
 * @typedef {{ message: Message, line: ReturnType<typeof lineOf>, colour: string }} Line
 */

/** All but the labels, for which there is something to be drawn first. @param {CanvasRenderingContext2D} context @param {Scene} scene */
export function drawMessages(context, scene) {
  const lines = collectLines(scene)
  drawLines(context, scene, lines)
  drawCrosses(context, scene, lines)
  if (lines.length <= ARROWS_PER_PX * scene.view.width) for (const line of lines) drawEnd(context, line)
  context.globalAlpha = 1
  return lines
}

/** One message alone, to be seen among the others. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Message} message @param {{ colour: string, width: number }} how */
export function drawMarkedMessage(context, { view, layout }, message, { colour, width }) {
  const line = lineOf(message, view, layout)
  context.strokeStyle = colour
  context.lineWidth = width
  context.beginPath()
  context.moveTo(line.x1, line.y1)
  context.lineTo(line.x2, line.y2)
  context.stroke()
}

/**
 * The lines in view, without those that would cover one another, or nearly when there are very many.
 * @param {Scene} scene @returns {Line[]}
 */
function collectLines({ trace, filters, view, layout, palette }) {
  /** @type {Message[]} */
  const messages = []
  trace.forEachMessage(view.fromUs, view.toUs, (message) => {
    if (filters.isShown[message.step] === 1) messages.push(message)
  })
  const gridPx = Math.min(GRID_PX_MAX, Math.max(1, messages.length / MANY))
  /** Of each way and colour: where the last line began, and how wide those are that begin there. @type {Map<number, { at: number, widths: Set<number> }>} */
  const last = new Map()
  /** @type {Line[]} */
  const lines = []
  for (const message of messages) {
    const line = lineOf(message, view, layout)
    const lane = trace.laneOfBallot(trace.ballot[message.step])
    const way = ((message.from * 64 + message.to) * 64 + lane + 1) * 2 + (message.fate === 'delivered' ? 0 : 1)
    const at = Math.round(line.x1 / gridPx)
    const width = Math.round((line.x2 - line.x1) / gridPx)
    const seen = last.get(way)
    if (seen?.at !== at) last.set(way, { at, widths: new Set([width]) })
    else if (seen.widths.has(width)) continue
    else seen.widths.add(width)
    lines.push({ message, line, colour: colourOfNode(palette, lane) })
  }
  return lines
}

/** Fainter the more there are, so that many do not become one block. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {readonly Line[]} lines */
function drawLines(context, { view }, lines) {
  const alpha = Math.min(0.9, Math.max(0.16, (0.75 * view.width) / Math.max(1, lines.length)))
  /** One path for all lines that look alike. @type {Map<string, { path: Path2D, colour: string, alpha: number, width: number }>} */
  const paths = new Map()
  for (const { message, line, colour } of lines) {
    const isLost = isNotArriving(message)
    const key = `${colour} ${message.isHeartbeat} ${isLost}`
    let group = paths.get(key)
    if (group === undefined) {
      const visible = isLost ? Math.max(alpha, 0.5) : message.isHeartbeat ? alpha * 0.45 : alpha
      group = { path: new Path2D(), colour, alpha: visible, width: message.isHeartbeat ? 1 : 1.4 }
      paths.set(key, group)
    }
    group.path.moveTo(line.x1, line.y1)
    group.path.lineTo(line.x2, line.y2)
  }
  for (const group of paths.values()) {
    context.globalAlpha = group.alpha
    context.strokeStyle = group.colour
    context.lineWidth = group.width
    context.stroke(group.path)
  }
  context.globalAlpha = 1
}

/** @param {Message} message */
function isNotArriving({ fate }) {
  return fate === 'lost' || fate === 'cut' || fate === 'refused' || fate === 'down'
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {readonly Line[]} lines */
function drawCrosses(context, { palette, view }, lines) {
  const lost = lines.filter(({ message }) => isNotArriving(message))
  const isCrowded = lost.length / view.width > 0.15
  const size = isCrowded ? 2.5 : 4
  context.strokeStyle = palette.bad
  context.lineWidth = isCrowded ? 1.2 : 1.8
  context.beginPath()
  for (const { line } of lost) {
    context.moveTo(line.x2 - size, line.y2 - size)
    context.lineTo(line.x2 + size, line.y2 + size)
    context.moveTo(line.x2 - size, line.y2 + size)
    context.lineTo(line.x2 + size, line.y2 - size)
  }
  context.stroke()
}

/** An arrowhead; a ring where the receiver is paused, dots where it was still on its way. @param {CanvasRenderingContext2D} context @param {Line} line */
function drawEnd(context, { message, line, colour }) {
  if (isNotArriving(message)) return
  const dx = line.x2 - line.x1
  const dy = line.y2 - line.y1
  const length = Math.hypot(dx, dy)
  if (length < 12) return
  const ux = dx / length
  const uy = dy / length
  const size = message.isHeartbeat ? 5 : 7
  context.fillStyle = colour
  context.globalAlpha = message.isHeartbeat ? 0.5 : 0.95
  context.beginPath()
  if (message.fate === 'waits') context.arc(line.x2, line.y2, 3.5, 0, 7)
  else if (message.fate === ON_ITS_WAY) {
    for (let i = 1; i <= 3; i++) context.rect(line.x2 + ux * i * 5 - 1, line.y2 + uy * i * 5 - 1, 2, 2)
  } else {
    context.moveTo(line.x2, line.y2)
    context.lineTo(line.x2 - ux * size - uy * size * 0.4, line.y2 - uy * size + ux * size * 0.4)
    context.lineTo(line.x2 - ux * size + uy * size * 0.4, line.y2 - uy * size - ux * size * 0.4)
  }
  context.fill()
}

/** Along the lines, where they cover neither one another nor an end of another line. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {readonly Line[]} lines */
export function drawMessageLabels(context, { trace, palette, view }, lines) {
  if (lines.length > LABELS_PER_PX * view.width) return
  /** @type {Set<number>} */
  const taken = new Set()
  context.textAlign = 'center'
  for (const { message, line, colour } of lines) {
    const dx = line.x2 - line.x1
    const dy = line.y2 - line.y1
    if (message.isHeartbeat || Math.abs(dx) < LABEL_PX_MIN || Math.abs(dy / dx) > LABEL_SLOPE_MAX) continue
    const text = labelOf(trace, message)
    const width = context.measureText(text).width
    const length = Math.hypot(dx, dy)
    if (width > length - 30) continue
    const place = freePlace({ line, length, width, taken, view })
    if (place === undefined) continue
    context.save()
    context.translate(place.x, place.y)
    context.rotate(Math.atan(dy / dx))
    context.globalAlpha = 0.88
    context.fillStyle = palette.background
    context.fillRect(-width / 2 - 3, -7, width + 6, 14)
    context.globalAlpha = 1
    context.fillStyle = colour
    context.fillText(text, 0, 0)
    context.restore()
  }
}

/**
 * Where on its line a label covers no other one; undefined for nowhere.
 * @param {{ line: ReturnType<typeof lineOf>, length: number, width: number, taken: Set<number>, view: Scene['view'] }} label
 */
function freePlace({ line, length, width, taken, view }) {
  const ux = (line.x2 - line.x1) / length
  const uy = (line.y2 - line.y1) / length
  for (const part of [0.5, 0.35, 0.65, 0.22, 0.78]) {
    const along = part * length
    if (along < width / 2 + 12 || along > length - width / 2 - 12) continue
    const x = line.x1 + ux * along
    const y = line.y1 + uy * along
    if (x - width / 2 < view.left || x + width / 2 > view.left + view.width) continue
    const cells = []
    for (let at = -width / 2; at <= width / 2; at += CELL_PX / 2) {
      for (const off of [-4, 4]) {
        const column = Math.floor((x + ux * at - uy * off) / CELL_PX)
        cells.push(Math.floor((y + uy * at + ux * off) / CELL_PX) * 4096 + column)
      }
    }
    if (cells.some((cell) => taken.has(cell))) continue
    for (const cell of cells) taken.add(cell)
    return { x, y }
  }
  return undefined
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
