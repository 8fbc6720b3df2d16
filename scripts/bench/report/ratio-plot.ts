import { escape } from '../../lib/plot.js'
import { type Ratio, ratioOf, verdictOf } from '../goal.js'

const WIDTH = 860
const ROW_HEIGHT = 22
const LABELS = 430
const RIGHT = 70
/** Further off than that is drawn as that. */
const FACTOR_MAX = 100

/** How far each goal was passed or missed, as a bar from the goal to the right or the left; logarithmic. */
export function ratioPlot(titled: readonly { readonly title: string; readonly ratio: Ratio }[]): string {
  const bars = titled.flatMap(({ title, ratio }) => {
    const factor = factorOf(ratio)
    return factor === undefined
      ? []
      : [{ name: `${title}: ${ratio.goal.figure}, ${ratio.of}`, factor, verdict: verdictOf(ratio) }]
  })
  const reach = Math.max(2, ...bars.map(({ factor }) => Math.max(factor, 1 / factor)))
  const middle = LABELS + (WIDTH - LABELS - RIGHT) / 2
  const x = (factor: number): number => middle + (Math.log(factor) / Math.log(reach)) * (middle - LABELS)
  const height = bars.length * ROW_HEIGHT + 24
  const shapes = bars.map(({ name, factor, verdict }, i) => {
    const [from, to] = [x(1), x(factor)].toSorted((a, b) => a - b) as [number, number]
    const y = 20 + i * ROW_HEIGHT
    return (
      `<text x="${LABELS - 60}" y="${y + 13}" text-anchor="end">${escape(cut(name))}</text>` +
      `<rect class="${verdict === 'PASS' ? 'pass' : 'fail'}" x="${from.toFixed(1)}" y="${y + 2}" width="${Math.max(1, to - from).toFixed(1)}" height="${ROW_HEIGHT - 8}"/>` +
      `<text x="${to.toFixed(1)}" y="${y + 13}" dx="5">${Number(factor.toPrecision(2))}</text>`
    )
  })
  const goal = `<line class="grid" x1="${middle}" x2="${middle}" y1="14" y2="${height}"/><text x="${middle}" y="11" text-anchor="middle">the goal</text>`
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="ratios against goals">${goal}${shapes.join('')}</svg>`
}

/** 1 is the goal, 2 twice as good. */
function factorOf(ratio: Ratio): number | undefined {
  const value = ratioOf(ratio)
  if (value === undefined || Number.isNaN(value)) return undefined
  const { bound } = ratio.goal
  const factor = 'atLeast' in bound ? value / bound.atLeast : bound.atMost / value
  return Math.min(Math.max(factor, 1 / FACTOR_MAX), FACTOR_MAX)
}

function cut(text: string): string {
  return text.length > 62 ? `${text.slice(0, 61)}…` : text
}
