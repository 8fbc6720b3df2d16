/** So many pixels as the screen has for it. @param {HTMLCanvasElement} canvas @param {number} width @param {number} height in CSS px */
export function setSize(canvas, width, height) {
  const ratio = devicePixelRatio || 1
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(height * ratio)
}

/** For drawing in CSS px. @param {HTMLCanvasElement} canvas */
export function contextOf(canvas) {
  const context = canvas.getContext('2d', { alpha: false })
  if (context === null) throw new Error('the browser has no canvas')
  const ratio = devicePixelRatio || 1
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  return context
}
