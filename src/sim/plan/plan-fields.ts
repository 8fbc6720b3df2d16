import type { NodeId } from '../../paxos/types.js'

/** An invalid plan. The message names the field and says what it must be. */
export class InvalidPlan extends Error {
  override readonly name = 'InvalidPlan'
}

/**
 * Returns a reader of the fields of `value`. `path` is its place in the plan, '' for the whole plan. @throws InvalidPlan if it is
 * no object
 */
export function fieldsOf(value: unknown, path: string): PlanFields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return new PlanFields(value, path)
  throw new InvalidPlan(`${path === '' ? 'a plan' : path} must be an object, not ${tell(value)}`)
}

/**
 * Reads an object of a plan field by field, and rejects fields that are left over. `otherwise` is the value of a missing field;
 * without it the field must be present. All methods throw InvalidPlan.
 */
export class PlanFields {
  readonly #values: ReadonlyMap<string, unknown>
  readonly #path: string
  readonly #read = new Set<string>()

  constructor(object: object, path: string) {
    this.#values = new Map(Object.entries(object))
    this.#path = path
  }

  number(name: string, min: number, max: number, otherwise?: number): number {
    const value = this.#take(name, otherwise)
    if (typeof value === 'number' && value >= min && value <= max) return value
    this.#refuse(name, `a number from ${min} to ${max}`, value)
  }

  integer(name: string, min: number, max: number, otherwise?: number): number {
    const value = this.#take(name, otherwise)
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    this.#refuse(name, `a whole number from ${min} to ${max}`, value)
  }

  flag(name: string, otherwise?: boolean): boolean {
    const value = this.#take(name, otherwise)
    if (typeof value === 'boolean') return value
    this.#refuse(name, 'true or false', value)
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.#take(name)
    const found = allowed.find((one) => one === value)
    return found ?? this.#refuse(name, `one of ${allowed.join(', ')}`, value)
  }

  /** Reads an object; a missing one is empty. */
  object(name: string): PlanFields {
    return fieldsOf(this.#take(name, {}), this.#pathOf(name))
  }

  list(name: string, lengthMax: number, otherwise?: readonly unknown[]): readonly unknown[] {
    const value = this.#take(name, otherwise)
    if (Array.isArray(value) && value.length <= lengthMax) return value
    this.#refuse(name, `a list of at most ${lengthMax}`, value)
  }

  /** Reads a list of different nodes, at least one. */
  nodeIds(name: string, nodeCount: number, otherwise?: readonly NodeId[]): readonly NodeId[] {
    const list = this.list(name, nodeCount, otherwise)
    const ids = list.filter((id): id is NodeId => isNodeId(id, nodeCount))
    if (ids.length > 0 && ids.length === list.length && new Set(ids).size === ids.length) return ids
    this.#refuse(name, `a list of different nodes from 1 to ${nodeCount}`, list)
  }

  /** Reads a list of all nodes, each once, in any order. If missing, it is in ascending order. */
  nodeOrder(name: string, nodeCount: number): readonly NodeId[] {
    const inTurn = Array.from({ length: nodeCount }, (_, i) => i + 1)
    const ids = this.nodeIds(name, nodeCount, inTurn)
    if (ids.length === nodeCount) return ids
    this.#refuse(name, `a list of all nodes from 1 to ${nodeCount}, each once`, ids)
  }

  links(name: string, nodeCount: number): readonly (readonly [NodeId, NodeId])[] {
    const list = this.list(name, nodeCount * (nodeCount - 1))
    return list.map((link, i) => {
      if (isLink(link, nodeCount)) return link
      this.#refuse(`${name}[${i}]`, `[from, to], two different nodes from 1 to ${nodeCount}`, link)
    })
  }

  target(name: string, nodeCount: number): NodeId | 'leader' | 'follower' {
    const value = this.#take(name)
    if (value === 'leader' || value === 'follower' || isNodeId(value, nodeCount)) return value
    this.#refuse(name, `"leader", "follower" or a node from 1 to ${nodeCount}`, value)
  }

  /** Rejects fields that were not read: otherwise a misspelt name would go unnoticed. */
  end(): void {
    for (const name of this.#values.keys()) {
      if (this.#read.has(name)) continue
      throw new InvalidPlan(`${this.#pathOf(name)} is not known; known here are ${[...this.#read].join(', ')}`)
    }
  }

  #take(name: string, otherwise?: unknown): unknown {
    this.#read.add(name)
    return this.#values.has(name) ? this.#values.get(name) : otherwise
  }

  #pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`
  }

  #refuse(name: string, expected: string, found: unknown): never {
    throw new InvalidPlan(
      `${this.#pathOf(name)} must be ${expected}, ${found === undefined ? 'and is missing' : `not ${tell(found)}`}`,
    )
  }
}

function isNodeId(value: unknown, nodeCount: number): value is NodeId {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= nodeCount
}

function isLink(value: unknown, nodeCount: number): value is readonly [NodeId, NodeId] {
  return Array.isArray(value) && value.length === 2 && value.every((id) => isNodeId(id, nodeCount)) && value[0] !== value[1]
}

function tell(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
