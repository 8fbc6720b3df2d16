/** @import { View } from './view.js' */

/** A pointer that moved no farther than this has clicked. */
const CLICK_PX = 4
const WHEEL_ZOOM = 0.0016

/**
 * Wheel, drag and pinch on the diagram.
 * @param {HTMLElement} element @param {View} view
 * @param {{ onView: () => void, onClick: (point: { x: number, y: number }) => void, onHover: (point: { x: number, y: number } | undefined) => void }} handlers
 */
export function listenToGestures(element, view, { onView, onClick, onHover }) {
  /** @type {Map<number, { x: number, y: number }>} */
  const pointers = new Map()
  let movedPx = 0

  element.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault()
      const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)
      const unitPx = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1
      if (isSideways) view.panBy(((event.deltaX || event.deltaY) * unitPx) / view.pxPerUs)
      else view.zoom(Math.exp(-event.deltaY * unitPx * WHEEL_ZOOM * (event.ctrlKey ? 4 : 1)), view.usAt(event.offsetX))
      onHover(undefined)
      onView()
    },
    { passive: false },
  )
  element.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return
    element.setPointerCapture(event.pointerId)
    pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY })
    movedPx = pointers.size === 1 ? 0 : CLICK_PX + 1
  })
  element.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId)
    const now = { x: event.offsetX, y: event.offsetY }
    if (before === undefined) return onHover(now)
    onHover(undefined)
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1]
    pointers.set(event.pointerId, now)
    movedPx += Math.abs(now.x - before.x) + Math.abs(now.y - before.y)
    if (movedPx <= CLICK_PX) return
    if (other !== undefined) {
      const apart = Math.max(10, Math.abs(before.x - other.x))
      view.zoom(Math.max(10, Math.abs(now.x - other.x)) / apart, view.usAt((now.x + other.x) / 2))
    }
    view.panBy((before.x - now.x) / view.pxPerUs / pointers.size)
    onView()
  })
  element.addEventListener('pointerup', (event) => {
    if (pointers.delete(event.pointerId) && movedPx <= CLICK_PX) onClick({ x: event.offsetX, y: event.offsetY })
  })
  element.addEventListener('pointercancel', (event) => pointers.delete(event.pointerId))
  element.addEventListener('pointerleave', () => onHover(undefined))
}

/**
 * Calls `onAt` with where the minimap is pressed or dragged.
 * @param {HTMLElement} element @param {(x: number) => void} onAt
 */
export function listenToMinimap(element, onAt) {
  /** @param {PointerEvent} event */
  const tell = (event) => onAt(event.offsetX)
  element.addEventListener('pointerdown', (event) => {
    element.setPointerCapture(event.pointerId)
    tell(event)
  })
  element.addEventListener('pointermove', (event) => {
    if (element.hasPointerCapture(event.pointerId)) tell(event)
  })
}
