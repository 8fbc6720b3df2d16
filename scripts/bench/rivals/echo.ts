import { SYNOD_KEY_PATHS } from '../clients/synod-unary.js'
import { UnaryKeyClient } from '../clients/unary.js'
import type { KeyClient, KeyRival, MeasuredProcess } from '../types.js'
import { Child } from './child.js'

/** One process that answers Synod's calls at once: the floor under any server on grpc-js. */
export class EchoRival implements KeyRival {
  readonly name = 'echo'
  readonly title = 'echo, unreplicated'
  readonly processes: readonly MeasuredProcess[] = [{ name: 'echo', pid: () => this.#child?.pid }]
  #child: Child<number> | undefined
  #address = ''

  async start(): Promise<void> {
    this.#child = new Child(new URL('./echo-process.ts', import.meta.url))
    this.#address = `127.0.0.1:${await this.#child.message()}`
  }

  async stop(): Promise<void> {
    await this.#child?.kill()
  }

  keyClient(): KeyClient {
    return new UnaryKeyClient([this.#address], SYNOD_KEY_PATHS)
  }

  /** It would not keep them. */
  async putKeys(): Promise<void> {}
}
