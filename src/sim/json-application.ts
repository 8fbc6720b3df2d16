import type { Moment, StateEntry } from '../machine/state-machine.js'
import { type Application, type Applied, type Command, nameOf } from './application.js'
import { Model } from './model.js'
import type { Query } from './operations.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeCommand(command: Command): Uint8Array {
  return encoder.encode(JSON.stringify(command))
}

export function decodeCommand(bytes: Uint8Array): Command {
  return JSON.parse(decoder.decode(bytes)) as Command
}

export class JsonApplication implements Application {
  readonly #model = new Model()
  readonly #log: { bytes: Uint8Array; at: Moment }[] = []
  #saved = 0

  apply(bytes: Uint8Array, at: Moment): Applied {
    this.#log.push({ bytes, at })
    const command = decodeCommand(bytes)
    if (command.kind === 'openSession') return { name: command.nonce, slot: at.slot, outcome: `client ${this.#model.open()}` }
    return { name: nameOf(command), ...this.#model.apply(command.request, at.slot) }
  }

  query(query: Query): string {
    return this.#model.query(query)
  }

  changes(): Iterable<StateEntry> {
    const entries = this.#log.slice(this.#saved).map(({ bytes, at }, i) => ({
      key: `${this.#saved + i}`,
      value: encoder.encode(JSON.stringify({ at, bytes: decoder.decode(bytes) })),
    }))
    this.#saved = this.#log.length
    return entries
  }

  restore(entries: Iterable<StateEntry>): void {
    for (const { value } of [...entries].toSorted((a, b) => Number(a.key) - Number(b.key))) {
      const { at, bytes } = JSON.parse(decoder.decode(value)) as { at: Moment; bytes: string }
      this.apply(encoder.encode(bytes), at)
    }
    this.#saved = this.#log.length
  }

  brokenInvariants(): string[] {
    return []
  }
}
