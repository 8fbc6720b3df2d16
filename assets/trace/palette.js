/**
 * The colours of the page's style sheet, for drawing: they change with the colour scheme.
 * @typedef {{ background: string, panel: string, text: string, quiet: string, line: string, grid: string, good: string, bad: string, warn: string, accent: string, down: string, nodes: string[] }} Palette
 */

/** Of this many nodes each has a colour of its own. */
const NODE_COLOURS = 8

/** @returns {Palette} */
export function readPalette() {
  const style = getComputedStyle(document.documentElement)
  /** @param {string} name */
  const colour = (name) => style.getPropertyValue(`--${name}`).trim()
  return {
    background: colour('background'),
    panel: colour('panel'),
    text: colour('text'),
    quiet: colour('quiet'),
    line: colour('line'),
    grid: colour('grid'),
    good: colour('good'),
    bad: colour('bad'),
    warn: colour('warn'),
    accent: colour('accent'),
    down: colour('down'),
    nodes: Array.from({ length: NODE_COLOURS }, (_, i) => colour(`node-${i + 1}`)),
  }
}

/** @param {Palette} palette @param {number} lane of a node; -1 for none */
export function colourOfNode(palette, lane) {
  return lane < 0 ? palette.quiet : (palette.nodes[lane % NODE_COLOURS] ?? palette.quiet)
}
