import type { Bound, Bounds } from '../app/bounds.js'
import { checkOperation } from '../app/check.js'
import type { Operation } from '../app/operation.js'
import { OPERATIONS } from '../app/operations/index.js'
import type { FieldViolation } from './field-violation.js'
import { readStep } from './from-wire.js'
import type { Reading, WireStep } from './wire-form.js'

/** Largest number of violations that one answer names: they travel in the trailers, which are small. */
const VIOLATIONS_MAX = 20

/** The reason why a request is not tried. */
export interface Objection {
  readonly reason: 'INVALID_ARGUMENT' | 'LEVEL_TOO_LOW'
  /** At least one. */
  readonly violations: readonly FieldViolation[]
}

/** Finds what is wrong with a request in itself, and words for it: field paths as in the proto, `transfers[3].amount`. */
export class Violations implements Reading, Bounds {
  readonly level: number
  readonly isInitial: boolean
  readonly #found: FieldViolation[] = []
  readonly #path: string[] = []
  #beyondLevel: FieldViolation | undefined

  constructor({ level = Number.POSITIVE_INFINITY, isInitial = false }: { level?: number; isInitial?: boolean } = {}) {
    this.level = level
    this.isInitial = isInitial
  }

  get isEnough(): boolean {
    return this.#found.length >= VIOLATIONS_MAX
  }

  /** Undefined when nothing is wrong. What the level does not have comes first: of that nothing else can be told. */
  get objection(): Objection | undefined {
    if (this.#beyondLevel !== undefined) return { reason: 'LEVEL_TOO_LOW', violations: [this.#beyondLevel] }
    return this.#found.length === 0 ? undefined : { reason: 'INVALID_ARGUMENT', violations: this.#found }
  }

  /** Checks an operation that stands by itself, or in another. */
  check(operation: Operation): void {
    const { since } = OPERATIONS[operation.$case]
    if (since <= this.level) return checkOperation(operation, this)
    const field = this.#path.join('') || `${protoName(operation.$case)}.`
    this.#beyondLevel ??= { field: field.slice(0, -1), description: beyondLevel(since, this.level) }
  }

  has(field: string, since: number): boolean {
    if (since <= this.level) return true
    this.#beyondLevel ??= { field: this.#path.join('') + field, description: beyondLevel(since, this.level) }
    return false
  }

  wrong(field: string, description: string): void {
    if (!this.isEnough) this.#found.push({ field: this.#path.join('') + field, description })
  }

  broken(field: string, bound: Bound, number?: number | bigint): void {
    this.wrong(protoName(field), BOUNDS[bound](number ?? 0))
  }

  enter(list: string, index: number): void {
    this.#path.push(`${protoName(list)}[${index}].`)
  }

  leave(): void {
    this.#path.pop()
  }

  /** Nothing is kept: a view will do. */
  keep(bytes: Uint8Array): Uint8Array {
    return bytes
  }

  readStep(step: WireStep | undefined): Operation | undefined {
    if (step === undefined) {
      this.wrong('operation', 'must be given')
      return undefined
    }
    this.#path.push(`${protoName(step.$case)}.`)
    const operation = readStep(step, this)
    this.#path.pop()
    return operation
  }

  checkStep(operation: Operation | undefined): void {
    // readStep has told of one that is missing.
    if (operation === undefined) return
    this.#path.push(`${protoName(operation.$case)}.`)
    this.check(operation)
    this.#path.pop()
  }
}

const whole = new Intl.NumberFormat('en-US')

/** The words for a bound that is broken, with its number. */
const BOUNDS: Readonly<Record<Bound, (number: number | bigint) => string>> = {
  EMPTY: () => 'must not be empty',
  TEXT_TOO_LONG: (bytesMax) => `must be at most ${whole.format(bytesMax)} bytes of UTF-8`,
  VALUE_TOO_LONG: (bytesMax) => `must be at most ${Number(bytesMax) / 1_048_576} MiB (${whole.format(bytesMax)} bytes)`,
  PAGE_TOO_LARGE: (max) => `must be at most ${whole.format(max)}`,
  PREFIX_WITH_RANGE: () => 'must not be given together with start or end',
  TOO_MANY_CONDITIONS: (max) => `must be at most ${max} conditions`,
  TOO_MANY_OPERATIONS: (max) => `must be at most ${max} operations`,
  AMOUNT: (max) => `must be 1 to ${max} minor units`,
  AMOUNT_OF_HOLD: (max) => `must be 0 (all of it) to ${max}`,
  OVERDRAFT_LIMIT: (max) => `must be 0 to ${max}`,
  SAME_ACCOUNT: () => 'must be another account than source_account_id',
  NOT_PENDING: () => 'is only for pending transfers',
  TIMEOUT: () => 'must be 1 ms to 3,650 days',
  TRANSFER_COUNT: (max) => `must be 1 to ${whole.format(max)} transfers`,
  GROUP_OVERLAPS: (end) => `must be at least ${end}: groups ascend and do not overlap`,
  GROUP_COUNT: (transferCount) => `must be at least 2 and stay within the ${transferCount} transfers`,
  PUBLIC_KEY: (length) => `must be an ed25519 key of 32 bytes, has ${length}`,
}

function beyondLevel(since: number, level: number): string {
  return `is of level ${since}, and the cluster is at level ${level}: raise it when every member knows the new one`
}

/** A field's name in the proto. */
function protoName(camelCase: string): string {
  return camelCase.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
