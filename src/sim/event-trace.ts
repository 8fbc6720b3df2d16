import { formatBallot } from '../paxos/ballot.js'
import type { Message } from '../paxos/messages.js'

/** FNV-1a's prime, and its offset basis for the second half. */
const PRIME = 0x01000193
const BASIS = 0x811c9dc5
const BASIS_2 = 0x9747b28c

/**
 * Everything that happens in a world, in order: as a hash, so that two runs can be compared to the byte, and as lines for people when
 * there is a `print`.
 */
export class EventTrace {
  readonly #print: ((line: string) => void) | undefined
  #low = BASIS
  #high = BASIS_2
  #count = 0

  constructor(print: ((line: string) => void) | undefined) {
    this.#print = print
  }

  get count(): number {
    return this.#count
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** An event told in words. */
  note(nowUs: number, text: string): void {
    this.#mix(nowUs)
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i))
    this.#count++
    this.#print?.(`${formatTime(nowUs)} ${text}`)
  }

  /** A message arrived (or, with `fate`, did not). */
  message(nowUs: number, from: number, to: number, message: Message, fate = ''): void {
    this.#mix(nowUs)
    this.#mix(from * 65_536 + to)
    this.#mix(fate.length * 256 + message.kind.length)
    this.#mix(message.kind.charCodeAt(0) * 256 + message.kind.charCodeAt(message.kind.length - 1))
    if ('ballot' in message) this.#mix(message.ballot)
    if ('slot' in message) this.#mix(message.slot)
    if ('decidedUpTo' in message) this.#mix(message.decidedUpTo)
    if ('round' in message) this.#mix(message.round)
    this.#count++
    if (this.#print !== undefined)
      this.#print(`${formatTime(nowUs)} n${from} -> n${to} ${describe(message)}${fate && ` ${fate}`}`)
  }

  #mix(number: number): void {
    const low = number | 0
    this.#low = Math.imul(this.#low ^ low, PRIME)
    this.#high = Math.imul(this.#high ^ (low + Math.floor(number / 2 ** 32)) ^ (this.#low >>> 15), PRIME)
  }
}

export function formatTime(us: number): string {
  return `${(us / 1_000_000).toFixed(6).padStart(10)}s`
}

/** A message in a line, for people. */
function describe(message: Message): string {
  const { kind, ...fields } = message
  const parts = Object.entries(fields).map(([name, value]) => `${name}=${describeField(name, value)}`)
  return [kind, ...parts].join(' ')
}

function describeField(name: string, value: unknown): string {
  if ((name === 'ballot' || name === 'promised') && typeof value === 'number') return formatBallot(value)
  if (Array.isArray(value)) return `[${value.length}]`
  if (typeof value === 'object' && value !== null) return 'kind' in value ? String(value.kind) : '{…}'
  return String(value)
}
