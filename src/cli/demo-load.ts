import type { Client } from '../client/client.js'
import { isSynodError } from './failure.js'

interface Transfer {
  readonly transferId: string
  readonly sourceAccountId: string
  readonly destinationAccountId: string
  readonly amount: bigint
}

const WORKERS = 32
const CHECKS_AT_A_TIME = 1_000

/** A stream of transfers between a few accounts, with its own record of what was acknowledged. */
export class TransferStream {
  readonly acknowledged: Transfer[] = []
  /** Transfers that were sent and not answered in time: they may have happened. */
  readonly unknown: Transfer[] = []
  refusedCount = 0
  readonly #client: Client
  readonly #accounts: readonly string[]
  #isRunning = false
  #workers: Promise<void>[] = []
  #count = 0
  /** Resolved by the first acknowledgement of a transfer that began after the mark. */
  #mark: { readonly atMs: number; readonly resolve: (tookMs: number) => void } | undefined

  constructor(client: Client, accounts: readonly string[]) {
    this.#client = client
    this.#accounts = accounts
  }

  start(): void {
    this.#isRunning = true
    this.#workers = Array.from({ length: WORKERS }, () => this.#work())
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await Promise.all(this.#workers)
  }

  /** Resolves with the ms from now until a transfer that begins from now on is acknowledged. */
  untilNextAcknowledged(): Promise<number> {
    return new Promise((resolve) => {
      this.#mark = { atMs: performance.now(), resolve }
    })
  }

  async #work(): Promise<void> {
    while (this.#isRunning) {
      const transfer = this.#draw()
      const beganMs = performance.now()
      try {
        await this.#client.bank.transfer(transfer)
        this.acknowledged.push(transfer)
        this.#onAcknowledged(beganMs)
      } catch (error) {
        this.#onFailed(transfer, error)
      }
    }
  }

  #draw(): Transfer {
    const source = Math.floor(Math.random() * this.#accounts.length)
    const step = 1 + Math.floor(Math.random() * (this.#accounts.length - 1))
    return {
      transferId: `stream-${++this.#count}`,
      sourceAccountId: this.#accounts[source] ?? '',
      destinationAccountId: this.#accounts[(source + step) % this.#accounts.length] ?? '',
      amount: BigInt(1 + Math.floor(Math.random() * 100)),
    }
  }

  #onAcknowledged(beganMs: number): void {
    if (this.#mark === undefined || beganMs < this.#mark.atMs) return
    this.#mark.resolve(performance.now() - this.#mark.atMs)
    this.#mark = undefined
  }

  #onFailed(transfer: Transfer, error: unknown): void {
    if (!isSynodError(error)) throw error
    if (error.code === 'OUTCOME_UNKNOWN') this.unknown.push(transfer)
    else this.refusedCount++
  }

  /** Looks up every transfer. Returns the acknowledged ones that are missing, and the balance of each account if nothing happened twice. */
  async audit(opening: ReadonlyMap<string, bigint>): Promise<{ lost: number; expected: Map<string, bigint> }> {
    const expected = new Map(opening)
    const add = (account: string, amount: bigint): void => void expected.set(account, (expected.get(account) ?? 0n) + amount)
    const known = new Set(this.acknowledged)
    const all = [...this.acknowledged, ...this.unknown]
    let lost = 0
    for (let i = 0; i < all.length; i += CHECKS_AT_A_TIME) {
      const checks = all.slice(i, i + CHECKS_AT_A_TIME).map(async (transfer) => {
        const happened = await this.#happened(transfer)
        if (happened) {
          add(transfer.sourceAccountId, -transfer.amount)
          add(transfer.destinationAccountId, transfer.amount)
        } else if (known.has(transfer)) {
          lost++
        }
      })
      await Promise.all(checks)
    }
    return { lost, expected }
  }

  async #happened({ transferId, amount, sourceAccountId, destinationAccountId }: Transfer): Promise<boolean> {
    const { MovementStatus } = await import('../client/client.js')
    try {
      const { movement } = await this.#client.bank.getTransfer(transferId)
      const isSame =
        movement.amount === amount && movement.source === sourceAccountId && movement.destination === destinationAccountId
      return isSame && movement.status === MovementStatus.POSTED
    } catch (error) {
      if (isSynodError(error) && error.reason === 'TRANSFER_NOT_FOUND') return false
      throw error
    }
  }
}
