import type { Moment } from '../../replication/state-machine.js'
import { drained } from '../../tables/steps.js'
import type { TransferBatchRequest } from '../bank/bank.js'
import { BATCH_ANSWER_BYTES_MAX, batchAnswerBytes } from '../bank/batch-answer.js'
import type { Movement } from '../bank/movement.js'
import type { Books } from '../books.js'
import { type Bounds, checkEach } from '../bounds.js'
import type { Definition } from '../definition.js'
import { Refusal } from '../refusal.js'
import { checkTransfer } from './transfer.js'

/** Carries out transfers in order, each for itself, but of a linked group all or none. */
export type Request = TransferBatchRequest

type LinkedGroup = TransferBatchRequest['linkedGroups'][number]

export interface Outcome {
  /** One for each transfer, in order. */
  readonly results: readonly (Movement | Refusal)[]
}

const TRANSFERS_MAX = 8_190

/** Refused with RESPONSE_TOO_LARGE as a whole; what is refused of a transfer stands in its result. */
export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: false,
  access: ({ transfers }) =>
    transfers.flatMap(({ sourceAccountId, destinationAccountId }) => [
      { right: 'DEBIT' as const, account: sourceAccountId },
      { right: 'CREDIT' as const, account: destinationAccountId },
    ]),
  check({ transfers, linkedGroups }, bounds) {
    if (transfers.length < 1 || transfers.length > TRANSFERS_MAX) {
      bounds.broken('transfers', 'TRANSFER_COUNT', TRANSFERS_MAX)
      return
    }
    checkEach(bounds, 'transfers', transfers, checkTransfer)
    checkGroups(bounds, linkedGroups, transfers.length)
  },
  carryOut: (books, request, at) => drained(carryOutInSteps(books, request, at)),
  carryOutInSteps,
  effectSlot: ({ results }, slot) =>
    Math.max(...results.map((result) => (result instanceof Refusal ? (result.movement?.slot ?? slot) : result.slot))),
}

function* carryOutInSteps(books: Books, request: Request, at: Moment): Generator<undefined, Outcome | Refusal> {
  if (batchAnswerBytes(request) > BATCH_ANSWER_BYTES_MAX) {
    return Refusal.of('RESPONSE_TOO_LARGE', { bytes_max: String(BATCH_ANSWER_BYTES_MAX) })
  }
  yield
  return { results: yield* books.bank.transferBatch(request, at, books.room) }
}

function checkGroups(bounds: Bounds, groups: readonly LinkedGroup[], transferCount: number): void {
  let end = 0
  for (let i = 0; i < groups.length && !bounds.isEnough; i++) {
    const { first, count } = groups[i] as LinkedGroup
    bounds.enter('linkedGroups', i)
    if (first < end) bounds.broken('first', 'GROUP_OVERLAPS', end)
    if (count < 2 || first + count > transferCount) bounds.broken('count', 'GROUP_COUNT', transferCount)
    bounds.leave()
    end = first + count
  }
}
