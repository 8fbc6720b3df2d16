// Plots as inline SVG, in a page that needs nothing else: no script, no network; light or dark as the reader has it.

export interface Line {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Plot {
  readonly title: string
  readonly xUnit: string
  readonly yUnit: string
  readonly lines: readonly Line[]
  /** Shown at the points of each line, by their place: how many were in flight there. Such points are drawn as dots. */
  readonly pointNames?: readonly string[]
  /** Drawn across, with its name. */
  readonly limits?: readonly { readonly name: string; readonly y: number }[]
  /** Drawn from bottom to top, each with its name: moments at which something was done. */
  readonly marks?: readonly { readonly name: string; readonly x: number }[]
}

export type Cell = string | { readonly text: string; readonly class: string }

const WIDTH = 860
const HEIGHT = 300
const LEFT = 70
const RIGHT = 20
const TOP = 16
const BOTTOM = 40
const TICKS = 5
/** Of a line; more would not be seen. */
const POINTS_MAX = 800

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2129; --dim: #667085; --grid: #e4e7ec; --page: #fff; --c0: #2563eb; --c1: #d97706; --c2: #059669; --c3: #9333ea; --limit: #dc2626 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ec; --dim: #98a2b3; --grid: #2b313b; --page: #14171c; --c0: #7aa7ff; --c1: #f5b14c; --c2: #4fd1a5; --c3: #c99bff; --limit: #ff7b72 } }
body { margin: 2rem auto; max-width: 900px; padding: 0 1rem; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin: 2rem 0 .3rem }
svg { width: 100%; height: auto; display: block } text { fill: var(--dim); font: 12px system-ui, sans-serif }
.grid { stroke: var(--grid) } .limit { stroke: var(--limit); stroke-dasharray: 5 4 } .limit-name { fill: var(--limit) }
table { border-collapse: collapse } td, th { padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid var(--grid); font-variant-numeric: tabular-nums }
.wide { overflow-x: auto } .wide table { font-size: 12px; white-space: nowrap } .wide td, .wide th { padding-right: .5rem }
.pass { color: var(--c2); fill: var(--c2) } .fail { color: var(--limit); fill: var(--limit) }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .4em 0 1em } .note { color: var(--dim) }`

/** A page of its own. `facts` come first, as a table. */
export function page(title: string, facts: readonly (readonly [string, string])[], sections: readonly string[]): string {
  const rows = facts.map(([name, value]) => `<tr><td>${escape(name)}</td><td>${escape(value)}</td></tr>`).join('\n')
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><style>${STYLE}</style></head>
<body><h1>${escape(title)}</h1>
<table>${rows}</table>
${sections.join('\n')}
</body></html>
`
}

/** Lines over one axis that begins at 0. */
export function linePlot({ title, xUnit, yUnit, lines, limits = [], marks = [], pointNames }: Plot): string {
  const xMax = Math.max(1e-9, ...lines.flatMap(({ points }) => points.map(([x]) => x)))
  const yTop = Math.max(1e-9, ...lines.flatMap(({ points }) => points.map(([, y]) => y)), ...limits.map(({ y }) => y))
  const step = niceStep(yTop / TICKS)
  const yMax = Math.ceil(yTop / step) * step
  const x = (value: number): string => (LEFT + (value / xMax) * (WIDTH - LEFT - RIGHT)).toFixed(1)
  const y = (value: number): string => (HEIGHT - BOTTOM - (value / yMax) * (HEIGHT - TOP - BOTTOM)).toFixed(1)
  const xStep = niceStep(xMax / TICKS)
  const grid = [
    ...ticks(step, yMax).map(
      (v) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(v)}" y2="${y(v)}"/><text x="${LEFT - 8}" y="${y(v)}" dy="4" text-anchor="end">${short(v)}</text>`,
    ),
    ...ticks(xStep, xMax).map((v) => `<text x="${x(v)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${short(v)}</text>`),
    `<text x="${WIDTH - RIGHT}" y="${HEIGHT - 4}" text-anchor="end">${escape(xUnit)}</text>`,
    `<text x="${LEFT}" y="${TOP - 4}">${escape(yUnit)}</text>`,
  ]
  const paths = lines.map(({ points }, i) => {
    const shown = thin(points)
    const d = shown.map(([px, py], n) => `${n === 0 ? 'M' : 'L'}${x(px)} ${y(py)}`).join('')
    return `<path d="${d}" fill="none" stroke="var(--c${i % 4})" stroke-width="1.6"/>`
  })
  const dotsOf = ({ points }: Line, line: number): string[] =>
    points.map(([px, py], n) => {
      // To the left, so that the one at the right edge is seen, too.
      const name = `<text x="${x(px)}" y="${y(py)}" dx="-7" dy="-5" text-anchor="end">${escape(pointNames?.[n] ?? '')}</text>`
      return `<circle cx="${x(px)}" cy="${y(py)}" r="3.5" fill="var(--c${line % 4})"/>${name}`
    })
  const dots = pointNames === undefined ? [] : lines.flatMap(dotsOf)
  const bounds = limits.map(
    (limit) =>
      `<line class="limit" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(limit.y)}" y2="${y(limit.y)}"/><text class="limit-name" x="${LEFT + 6}" y="${y(limit.y)}" dy="-4">${escape(limit.name)}</text>`,
  )
  const moments = marks.map(
    (mark) =>
      `<line class="limit" x1="${x(mark.x)}" x2="${x(mark.x)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><text class="limit-name" x="${x(mark.x)}" y="${TOP + 10}" dx="5">${escape(mark.name)}</text>`,
  )
  const key = lines.map(({ name }, i) => `<span class="key" style="background:var(--c${i % 4})"></span>${escape(name)}`).join('')
  return `<h2>${escape(title)}</h2><div class="note">${key}</div>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">${[...grid, ...paths, ...dots, ...bounds, ...moments].join('')}</svg>`
}

/** Bars of counts, on a logarithmic scale: one pause among a million must be seen. */
export function barPlot(
  title: string,
  xUnit: string,
  bars: readonly { readonly name: string; readonly count: number }[],
): string {
  const max = Math.log10(1 + Math.max(1, ...bars.map(({ count }) => count)))
  const slot = (WIDTH - LEFT - RIGHT) / bars.length
  const shapes = bars.map(({ name, count }, i) => {
    const height = (Math.log10(1 + count) / max) * (HEIGHT - TOP - BOTTOM - 16)
    const left = LEFT + i * slot
    const middle = (left + slot / 2).toFixed(1)
    const top = HEIGHT - BOTTOM - height
    return (
      `<rect x="${(left + 4).toFixed(1)}" y="${top.toFixed(1)}" width="${(slot - 8).toFixed(1)}" height="${height.toFixed(1)}" fill="var(--c0)"/>` +
      `<text x="${middle}" y="${(top - 4).toFixed(1)}" text-anchor="middle">${count}</text>` +
      `<text x="${middle}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${escape(name)}</text>`
    )
  })
  return `<h2>${escape(title)}</h2>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">${shapes.join('')}<text x="${WIDTH - RIGHT}" y="${HEIGHT - 4}" text-anchor="end">${escape(xUnit)}</text></svg>`
}

function niceStep(least: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(least))
  return magnitude * ([1, 2, 5].find((factor) => factor * magnitude >= least) ?? 10)
}

function ticks(step: number, max: number): number[] {
  return Array.from({ length: Math.floor(max / step + 1e-9) + 1 }, (_, i) => i * step)
}

/** A table of text; a cell may have a class. */
export function htmlTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cellOf = (cell: Cell): string =>
    typeof cell === 'string' ? `<td>${escape(cell)}</td>` : `<td class="${escape(cell.class)}">${escape(cell.text)}</td>`
  const headings = head.map((name) => `<th>${escape(name)}</th>`).join('')
  const lines = rows.map((row) => `<tr>${row.map(cellOf).join('')}</tr>`)
  return `<div class="wide"><table><tr>${headings}</tr>\n${lines.join('\n')}</table></div>`
}

/** Keeps the highest of each run of points: peaks must be seen. */
function thin(points: Line['points']): Line['points'] {
  const run = Math.ceil(points.length / POINTS_MAX)
  if (run <= 1) return points
  return Array.from({ length: Math.ceil(points.length / run) }, (_, i) =>
    points.slice(i * run, (i + 1) * run).reduce((best, point) => (point[1] > best[1] ? point : best)),
  )
}

function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`
  return String(Number(value.toPrecision(3)))
}

/** Text as it may stand in HTML, also in an attribute. */
export function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
