/** @import { Lane, Span } from './spans.js' */
/** @import { Scene } from './diagram.js' */
import { BAND_PX, requestBox, WRITE_PX, WRITE_TOP_PX } from './layout.js'
import { colourOfNode } from './palette.js'

/** The font of everything but names. */
export const FONT = '11px ui-sans-serif, system-ui, sans-serif'
const HATCH_PX = 8
const DIGIT_PX = 7
const OUTAGE_PX_MAX = 30

/** As much of the text as there is room for. @param {CanvasRenderingContext2D} context @param {string} text @param {{ x: number, y: number, widthMax: number }} place */
export function fillTextWithin(context, text, { x, y, widthMax }) {
  if (widthMax < 12) return
  if (context.measureText(text).width <= widthMax) return context.fillText(text, x, y)
  let length = Math.min(text.length, Math.ceil(widthMax / 4))
  while (length > 0 && context.measureText(`${text.slice(0, length)}…`).width > widthMax) length--
  if (length > 2) context.fillText(`${text.slice(0, length)}…`, x, y)
}

/** Under the messages: the line of a lane, what it is doing, and when it is down. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {number} index */
export function drawLane(context, scene, index) {
  const { trace, view, palette, layout } = scene
  const lane = trace.lanes[index]
  const y = layout.laneYs[index]
  context.fillStyle = palette.line
  context.fillRect(view.left, Math.round(y), view.width, 1)
  for (const span of lane.outages)
    drawOutage(context, scene, span, { y, px: Math.min(OUTAGE_PX_MAX, layout.laneHeights[index] - 2) })
  for (const phase of lane.phases) {
    const place = placeOf(scene, phase)
    if (place !== undefined) drawPhase(context, scene, phase, { ...place, y })
  }
}

/** Over the messages: writes, applied slots, requests, and the moments when a node went or came. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {number} index */
export function drawOnLane(context, scene, index) {
  const { trace, layout } = scene
  const lane = trace.lanes[index]
  const y = layout.laneYs[index]
  drawWrites(context, scene, lane, y)
  drawApplied(context, scene, lane, y)
  drawRequests(context, scene, lane, index)
  for (const span of lane.outages) {
    drawOutageLabel(context, scene, span, y)
    drawMark(context, scene, span, y)
  }
}

/** From where to where a span is seen; undefined for nowhere. @param {Scene} scene @param {Span} span */
function placeOf({ view }, span) {
  const x1 = view.xOf(span.fromUs)
  const x2 = view.xOf(span.toUs)
  if (x2 < view.left || x1 > view.left + view.width) return undefined
  return { x1: Math.max(x1, view.left - 2), x2: Math.min(x2, view.left + view.width + 2) }
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Span} span @param {{ y: number, px: number }} where */
function drawOutage(context, scene, span, { y, px }) {
  const place = placeOf(scene, span)
  if (place === undefined) return
  const { x1, x2 } = place
  const { palette } = scene
  const width = Math.max(2, x2 - x1)
  const top = y - px / 2
  const isLasting = span.label !== 'paused' && span.label !== 'away'
  const colour = !isLasting ? palette.warn : palette.down
  context.save()
  context.fillStyle = palette.background
  context.fillRect(x1, top, width, px)
  context.globalAlpha = 0.14
  context.fillStyle = colour
  context.fillRect(x1, top, width, px)
  context.beginPath()
  context.rect(x1, top, width, px)
  context.clip()
  context.globalAlpha = 0.55
  context.strokeStyle = colour
  context.lineWidth = 1
  context.beginPath()
  for (let x = Math.floor((x1 - px) / HATCH_PX) * HATCH_PX; x < x2; x += HATCH_PX) {
    context.moveTo(x, isLasting ? top + px : top)
    context.lineTo(x + (isLasting ? px : 0), isLasting ? top : top + px)
  }
  context.stroke()
  context.restore()
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Span} span @param {number} y */
function drawOutageLabel(context, scene, span, y) {
  const place = span.step === 0 ? undefined : placeOf(scene, span)
  if (place === undefined) return
  const width = context.measureText(span.label).width
  if (width > place.x2 - place.x1 - 20) return
  // Who is paused still leads, and says so on its band.
  const middle = span.label === 'paused' ? y + 13 : y
  context.fillStyle = scene.palette.background
  context.fillRect(place.x1 + 10, middle - 7, width + 8, 14)
  context.fillStyle = scene.palette.text
  context.textAlign = 'left'
  context.fillText(span.label, place.x1 + 14, middle + 0.5)
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Span & { ballot: number }} phase @param {{ x1: number, x2: number, y: number }} place */
function drawPhase(context, { trace, palette }, phase, { x1, x2, y }) {
  const colour = colourOfNode(palette, trace.laneOfBallot(phase.ballot))
  const width = Math.max(x2 - x1, 1)
  context.fillStyle = colour
  context.textAlign = 'left'
  switch (phase.label) {
    case 'leading':
      context.fillRect(x1, y - BAND_PX / 2, width, BAND_PX)
      context.fillStyle = palette.background
      context.font = `bold ${FONT}`
      fillTextWithin(context, `leads ${trace.ballotName(phase.ballot)}`, { x: x1 + 6, y: y + 0.5, widthMax: width - 8 })
      context.font = FONT
      return
    case 'scouting':
      context.fillStyle = palette.background
      context.fillRect(x1, y - BAND_PX / 2, width, BAND_PX)
      context.fillStyle = colour
      context.fillRect(x1, y - BAND_PX / 2, width, 2)
      context.fillRect(x1, y + BAND_PX / 2 - 2, width, 2)
      fillTextWithin(context, `scouts ${trace.ballotName(phase.ballot)}`, { x: x1 + 4, y: y + 0.5, widthMax: width - 6 })
      return
    case 'polling':
      context.fillStyle = palette.text
      for (let x = x1; x < x2; x += 6) context.fillRect(x, y - 1.5, 3, 3)
      return
    case 'following':
      context.fillRect(x1, y - 1, width, 3)
      return
    default:
      context.fillStyle = palette.quiet
      for (let x = x1; x < x2; x += 10) context.fillRect(x, y - 1, 5, 2)
  }
}

/** Below the lane; red where it failed or was lost. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Lane} lane @param {number} y */
function drawWrites(context, scene, lane, y) {
  const { palette, trace, filters } = scene
  const top = y + WRITE_TOP_PX
  let lastX = Number.NEGATIVE_INFINITY
  context.textAlign = 'left'
  for (const write of lane.writes) {
    const place = filters.isShown[write.step] === 1 ? placeOf(scene, write) : undefined
    if (place === undefined) continue
    const { x1, x2 } = place
    const isGood = write.label !== 'lost' && write.label !== 'failed'
    if (isGood && x2 < lastX + 1) continue
    lastX = Math.max(x2, x1 + 1.5)
    const width = Math.max(1.5, x2 - x1)
    context.fillStyle = isGood ? palette.quiet : palette.bad
    if (write.label === 'buffered') {
      context.fillRect(x1, top + 1, width, 1)
      context.fillRect(x1, top + WRITE_PX - 2, width, 1)
    } else context.fillRect(x1, top, width, WRITE_PX)
    if (!isGood) fillTextWithin(context, write.label, { x: x2 + 3, y: top + WRITE_PX / 2, widthMax: 60 })
    else if (width > 60) {
      fillTextWithin(context, trace.contentsOf(write.step), { x: x1, y: top + WRITE_PX + 8, widthMax: width })
    }
  }
}

/** Ticks for applied slots, with their numbers where there is room. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Lane} lane @param {number} y */
function drawApplied(context, { view, palette, trace, filters }, lane, y) {
  let lastLabelX = Number.NEGATIVE_INFINITY
  let lastTickX = Number.NEGATIVE_INFINITY
  context.fillStyle = palette.text
  context.textAlign = 'center'
  for (const step of lane.applied) {
    if (filters.isShown[step] !== 1 || !view.isInView(trace.atUs[step])) continue
    const x = view.xOf(trace.atUs[step])
    if (x - lastTickX < 1) continue
    lastTickX = x
    context.fillRect(x - 0.5, y - 12, 1, 5)
    const slot = String(trace.slot[step])
    if (x - lastLabelX < slot.length * DIGIT_PX + 12) continue
    lastLabelX = x
    context.fillText(slot, x, y - 18)
  }
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Lane} lane @param {number} index */
function drawRequests(context, scene, lane, index) {
  const { palette, trace, filters, layout } = scene
  for (const request of lane.requests) {
    const place = filters.isShown[request.step] === 1 ? placeOf(scene, request) : undefined
    if (place === undefined) continue
    const { top, height } = requestBox(layout, lane, request, index)
    const width = Math.max(2, place.x2 - place.x1)
    context.fillStyle = palette.background
    context.fillRect(place.x1, top, width, height)
    context.fillStyle = request.label === 'answered' ? palette.good : request.label === 'given up' ? palette.warn : palette.bad
    context.globalAlpha = 0.28
    context.fillRect(place.x1, top, width, height)
    context.globalAlpha = 1
    context.fillRect(place.x1, top, width, Math.min(2, height))
    if (height < 10) continue
    context.fillStyle = palette.text
    context.textAlign = 'left'
    const text = trace.wordsOf(request.step).replace(/^\S+ asks \S+: /, '')
    fillTextWithin(context, text, { x: place.x1 + 3, y: top + height / 2 + 1.5, widthMax: width - 4 })
  }
}

/** The moment when a node went, and when it came back. @param {CanvasRenderingContext2D} context @param {Scene} scene @param {Span} span @param {number} y */
function drawMark(context, { view, palette }, span, y) {
  if (span.endStep !== 0 && view.isInView(span.toUs)) {
    const x = view.xOf(span.toUs)
    context.fillStyle = palette.good
    context.beginPath()
    context.moveTo(x, y - 6)
    context.lineTo(x + 8, y)
    context.lineTo(x, y + 6)
    context.fill()
  }
  if (span.step === 0 || !view.isInView(span.fromUs)) return
  const x = view.xOf(span.fromUs)
  const isPause = span.label === 'paused' || span.label === 'away'
  context.strokeStyle = isPause ? palette.warn : palette.bad
  context.lineWidth = 2.5
  context.beginPath()
  context.moveTo(x - (isPause ? 2 : 6), y - 6)
  context.lineTo(x + (isPause ? -2 : 6), y + 6)
  context.moveTo(x + (isPause ? 3 : -6), isPause ? y - 6 : y + 6)
  context.lineTo(x + (isPause ? 3 : 6), isPause ? y + 6 : y - 6)
  context.stroke()
}
