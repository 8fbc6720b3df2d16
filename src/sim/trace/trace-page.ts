import { readFileSync } from 'node:fs'
import { assert } from '../../paxos/assert.js'
import type { NodeId } from '../../paxos/types.js'
import { encodeEvents } from './trace-columns.js'
import type { TraceData, TraceFact } from './trace-data.js'
import type { TracedEvent, TraceStep } from './trace-events.js'

/** A run from which a page is made. */
export interface TracedRun {
  /** A title such as `seed 42`. */
  readonly title: string
  /** The command that runs the same world again. */
  readonly replay: string
  readonly facts: readonly TraceFact[]
  /** The plan of the run: numbers, strings and booleans, possibly in objects and lists. */
  readonly plan: object
  /** The planned faults, one line each. */
  readonly schedule: readonly string[]
  readonly faultTotals: readonly TraceFact[]
  readonly nodeIds: readonly NodeId[]
  /** The events of EventTrace.recorded. */
  readonly events: readonly TracedEvent[]
}

/** The path is valid from dist, too: both folders are two levels below the package. */
const ASSETS = new URL('../../../assets/trace/', import.meta.url)
/** The scripts in the order in which they depend on one another. */
const SCRIPTS = [
  'spans.js',
  'states.js',
  'model.js',
  'filters.js',
  'view.js',
  'layout.js',
  'palette.js',
  'draw-lanes.js',
  'draw-messages.js',
  'diagram.js',
  'minimap.js',
  'panel.js',
  'filter-form.js',
  'gestures.js',
  'heading.js',
  'address.js',
  'motion.js',
  'keys.js',
  'canvas.js',
  'page.js',
]

/** Returns the trace page of a run: one HTML file that needs no other file and no network. */
export function tracePage(run: TracedRun): string {
  const parts: readonly (readonly [mark: string, part: string])[] = [
    ['<title>Synod trace</title>', `<title>${escapeText(run.title)} · Synod trace</title>`],
    ['<link rel="stylesheet" href="style.css">', `<style>\n${readAsset('style.css')}</style>`],
    ['<script type="module" src="page.js"></script>', `<script type="module">\n${scripts()}</script>`],
    // The last one, so that no mark is looked for in the data.
    ['<script type="application/json" id="trace">{}</script>', dataElement(traceData(run))],
  ]
  return parts.reduce((page, [mark, part]) => {
    assert(page.includes(mark), `the page has a place for ${mark}`)
    return page.replace(mark, () => part)
  }, readAsset('page.html'))
}

function traceData(run: TracedRun): TraceData {
  const { title, replay, facts, plan, schedule, faultTotals, nodeIds, events } = run
  const verdict = events.findLast(({ event }) => event.kind === 'verdict')?.event
  const { failure, atStep } = verdict?.kind === 'verdict' ? verdict : { failure: undefined, atStep: 0 }
  return {
    title,
    failure: failure ?? null,
    failureStep: (failure && lastStepOfRequest(failure, events)) || atStep,
    replay,
    facts,
    plan: flatten(plan),
    schedule,
    faultTotals,
    nodeIds,
    ...encodeEvents(events, nodeIds),
  }
}

/**
 * Returns the step at which the request that a failure names was last seen: answers are checked at the end, and a sentence about
 * `request 12 of client3` belongs to that step. 0 if it names none.
 */
function lastStepOfRequest(failure: string, events: readonly TracedEvent[]): TraceStep {
  const number = /\brequest (\d+) of /.exec(failure)?.[1]
  return events.findLast(({ event }) => 'request' in event && String(event.request) === number)?.step ?? 0
}

/** Flattens a value: `{ a: { b: 1 } }` becomes `a.b 1`. */
function flatten(value: object, prefix = ''): TraceFact[] {
  return Object.entries(value).flatMap(([name, item]: [string, unknown]): TraceFact[] => {
    if (Array.isArray(item)) return [[`${prefix}${name}`, item.join(', ')]]
    if (typeof item === 'object' && item !== null) return flatten(item, `${prefix}${name}.`)
    return [[`${prefix}${name}`, typeof item === 'number' ? item : String(item)]]
  })
}

function readAsset(name: string): string {
  return readFileSync(new URL(name, ASSETS), 'utf8')
}

/** Returns the scripts as one text: they are modules for the type checker and for tests, but share one scope in the page. */
function scripts(): string {
  const modules = SCRIPTS.map((name) => readAsset(name))
  return modules.map((text) => text.replaceAll(/^import \{[^}]*\} from '[^']*'\n/gm, '').replaceAll(/^export /gm, '')).join('\n')
}

/** Returns the element that holds the data. No string in the data can close it. */
function dataElement(data: TraceData): string {
  return `<script type="application/json" id="trace">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>`
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
