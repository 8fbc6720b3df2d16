import type { CoreOptions } from '../../paxos/core-options.js'
import type { ClientHabits } from '../clients/habits.js'
import { parseFault } from './fault-fields.js'
import { QUIET_PLAN, type WorldPlan } from './plan.js'
import { fieldsOf, InvalidPlan, type PlanFields } from './plan-fields.js'

/** A world that can be replayed: its plan, and the seed of everything that the plan leaves to chance. */
export interface SeededPlan {
  readonly seed: number
  readonly plan: WorldPlan
}

const FORMAT = 1
export const SEED_MAX = 2 ** 32 - 1
const NODES_MAX = 9
const SPARES_MAX = 9
const FAULTS_MS_MAX = 600_000
const FAULTS_MAX = 10_000
/** Maximum number of clients, accounts and the like. */
const COUNT_MAX = 100
const WEIGHT_MAX = 1_000

/** Formats a plan as JSON text that parsePlan reads, with one line for each fault. */
export function formatPlan({ seed, plan }: SeededPlan): string {
  const { faults, ...rest } = plan
  const head = JSON.stringify({ format: FORMAT, seed, ...rest }, undefined, 2).slice(0, -2)
  const lines = faults.map((fault) => `    ${JSON.stringify(fault)}`)
  return `${head},\n  "faults": [${lines.length > 0 ? `\n${lines.join(',\n')}\n  ` : ''}]\n}\n`
}

/**
 * Parses a plan from JSON, written by formatPlan or by hand. Missing fields are as in the quiet plan: no faults, good links.
 * @throws InvalidPlan that names the field and says what it must be
 */
export function parsePlan(text: string): SeededPlan {
  const fields = fieldsOf(parseJson(text), '')
  const format = fields.integer('format', 1, Number.MAX_SAFE_INTEGER, FORMAT)
  if (format !== FORMAT) throw new InvalidPlan(`format is ${format}; this version of synod reads ${FORMAT}`)
  const seed = fields.integer('seed', 0, SEED_MAX)
  const nodeCount = fields.integer('nodeCount', 1, NODES_MAX, QUIET_PLAN.nodeCount)
  const spareCount = fields.integer('spareCount', 0, SPARES_MAX, QUIET_PLAN.spareCount)
  const machineCount = nodeCount + spareCount
  const plan: WorldPlan = {
    nodeCount,
    spareCount,
    options: objectLike(QUIET_PLAN.options, fields.object('options')),
    link: objectLike(QUIET_PLAN.link, fields.object('link')),
    syncMsMean: fields.number('syncMsMean', 0, 10_000, QUIET_PLAN.syncMsMean),
    turnMsMax: fields.number('turnMsMax', 0, 10_000, QUIET_PLAN.turnMsMax),
    tickMs: fields.number('tickMs', 1, 1_000, QUIET_PLAN.tickMs),
    checkpointEverySlots: fields.integer('checkpointEverySlots', 1, Number.MAX_SAFE_INTEGER, QUIET_PLAN.checkpointEverySlots),
    logSlotsMax: fields.integer('logSlotsMax', 1, Number.MAX_SAFE_INTEGER, QUIET_PLAN.logSlotsMax),
    quotaBytes: fields.integer('quotaBytes', 0, Number.MAX_SAFE_INTEGER, QUIET_PLAN.quotaBytes),
    limits: objectLike(QUIET_PLAN.limits, fields.object('limits')),
    habits: objectLike(QUIET_PLAN.habits, fields.object('habits')),
    faults: fields.list('faults', FAULTS_MAX, []).map((fault, i) => parseFault(fault, `faults[${i}]`, machineCount)),
    encodesMessages: fields.flag('encodesMessages', QUIET_PLAN.encodesMessages),
    faultsMs: fields.number('faultsMs', 0, FAULTS_MS_MAX, QUIET_PLAN.faultsMs),
    healOrder: fields.nodeOrder('healOrder', machineCount),
  }
  fields.end()
  const contradiction = contradictionIn(plan.options) ?? restlessnessOf(plan.habits)
  if (contradiction !== undefined) throw new InvalidPlan(contradiction)
  return { seed, plan }
}

/**
 * Returns why no node could lead for long with these times, in a sentence that names two of them; undefined if they are
 * consistent.
 */
export function contradictionIn(options: CoreOptions): string | undefined {
  const { heartbeatIntervalMs, electionTimeoutMsMin, electionTimeoutMsMax } = options
  if (electionTimeoutMsMin > electionTimeoutMsMax) {
    return `options.electionTimeoutMsMin, ${electionTimeoutMsMin}, must not be above options.electionTimeoutMsMax, ${electionTimeoutMsMax}`
  }
  if (heartbeatIntervalMs >= electionTimeoutMsMin) {
    return `options.heartbeatIntervalMs, ${heartbeatIntervalMs}, must be below options.electionTimeoutMsMin, ${electionTimeoutMsMin}`
  }
  return undefined
}

/** Returns an error for a habit so frequent that virtual time would hardly advance; undefined if there is none. */
function restlessnessOf(habits: ClientHabits): string | undefined {
  const name = (['deathMsMean', 'absenceMsMean'] as const).find((one) => habits[one] > 0 && habits[one] < 1)
  return name && `habits.${name} must be 0 (never) or a number of at least 1, not ${habits[name]}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new InvalidPlan(`a plan must be a JSON object: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

/**
 * Reads an object with the fields of `template`, which also gives the values of missing fields. The name of a number determines
 * its bounds.
 */
function objectLike<T extends object>(template: T, fields: PlanFields): T {
  const result = Object.fromEntries(Object.entries(template).map(([name, value]) => [name, valueLike(value, name, fields)]))
  fields.end()
  return result as T
}

function valueLike(template: unknown, name: string, fields: PlanFields): unknown {
  if (typeof template === 'object' && template !== null) return objectLike(template, fields.object(name))
  if (typeof template === 'boolean') return fields.flag(name, template)
  if (typeof template !== 'number') throw new TypeError(`${name} is neither a number nor a flag`)
  if (name.endsWith('Rate')) return fields.number(name, 0, 1, template)
  const min = template < 1 ? 0 : 1
  // Durations that are not 0 in the quiet plan are intervals: at 0 they would repeat without virtual time advancing.
  if (/Ms(Min|Max|Mean)?$/.test(name)) return fields.number(name, min, FAULTS_MS_MAX, template)
  if (name.endsWith('Count') || name === 'outstandingMax') return fields.integer(name, min, COUNT_MAX, template)
  if (/(Max|Slots)$/.test(name)) return fields.integer(name, min, Number.MAX_SAFE_INTEGER, template)
  return fields.number(name, 0, WEIGHT_MAX, template)
}
