import type { Random } from '../random.js'

/** The shares of the kinds of operations, as weights from 0 to 1. */
export interface OperationMix {
  /** Puts and deletes. */
  readonly keyRate: number
  /** Transactions over keys and bank both. */
  readonly txnRate: number
  /** Openings, deposits, withdrawals, transfers. */
  readonly movementRate: number
  /** Two-phase transfers: holds, posts, voids. */
  readonly holdRate: number
  /** Batches of transfers, with linked groups. */
  readonly batchRate: number
  /** Reads through the log. */
  readonly logReadRate: number
}

/** The behaviour of the clients of a run. Rates are from 0 to 1. */
export interface ClientHabits extends OperationMix {
  readonly clientCount: number
  /** Share of clients without a session: their calls are bare, as with grpcurl, and only ids make a repeat safe. */
  readonly sessionlessRate: number
  /** Maximum number of unanswered requests of one client. */
  readonly outstandingMax: number
  readonly thinkMsMean: number
  /** Time after which a client leaves a node that owes it answers and sends nothing. */
  readonly timeoutMs: number
  /** Share of calls with a short deadline; the others wait as long as it takes. */
  readonly hurryRate: number
  /** Rate of bursts: many requests at once, with short deadlines. */
  readonly burstRate: number
  /** Share of reads that do not go through the log. */
  readonly readRate: number
  /** Share of requests that are sent to two nodes. */
  readonly duplicateRate: number
  /** Share of frames, bare requests and bare answers that are lost; a stream breaks with its frame. */
  readonly lossRate: number
  readonly delayMsMean: number
  readonly keyCount: number
  /** At least two. */
  readonly accountCount: number
  /** Share of accounts drawn from the first two only. */
  readonly hotRate: number
  /** Share of requests with a request_id in spite of a session, or without one outside of a session. */
  readonly oddIdRate: number
  /** Share of requests that use an earlier id again, with the same content or with other. */
  readonly reuseRate: number
  /** The longest timeout of a hold, in log time; some have none. */
  readonly holdMsMax: number
  /** Rate at which a client that was just answered closes its session and opens another. */
  readonly closeRate: number
  /** Rate of misuses: another command under a number that was just answered, or a guessed session. */
  readonly misuseRate: number
  /** Mean time between two deaths of one client; 0: none dies. It comes back and knows nothing of what it asked before. */
  readonly deathMsMean: number
  /** Mean time between two absences of one client, in which it asks for nothing; 0: none leaves. */
  readonly absenceMsMean: number
}

/** A few well-behaved clients. */
export const QUIET_HABITS: ClientHabits = Object.freeze({
  keyRate: 0.5,
  txnRate: 0,
  movementRate: 0.5,
  holdRate: 0,
  batchRate: 0,
  logReadRate: 0,
  clientCount: 2,
  sessionlessRate: 0,
  outstandingMax: 1,
  thinkMsMean: 50,
  timeoutMs: 800,
  hurryRate: 0,
  burstRate: 0,
  readRate: 0.3,
  duplicateRate: 0,
  lossRate: 0,
  delayMsMean: 0.5,
  keyCount: 5,
  accountCount: 5,
  hotRate: 0,
  oddIdRate: 0,
  reuseRate: 0,
  holdMsMax: 1_000,
  closeRate: 0,
  misuseRate: 0,
  deathMsMean: 0,
  absenceMsMean: 0,
})

/** Draws habits: which kinds of operations and of trouble there are, and how much of each (swarm testing). */
export function drawHabits(random: Random): ClientHabits {
  const maybe = (share: number, draw: () => number): number => (random.chance(share) ? draw() : 0)
  const weight = (share: number): number => maybe(share, () => random.between(0.2, 1))
  return {
    keyRate: weight(0.8),
    txnRate: weight(0.5),
    movementRate: weight(0.9),
    holdRate: weight(0.5),
    batchRate: weight(0.4),
    logReadRate: weight(0.3),
    clientCount: random.int(2, 5),
    sessionlessRate: maybe(0.5, () => random.between(0.2, 1)),
    outstandingMax: random.int(1, 4),
    thinkMsMean: random.pick([20, 60, 150]),
    timeoutMs: random.int(300, 1_200),
    hurryRate: maybe(0.5, () => random.between(0.02, 0.3)),
    burstRate: maybe(0.1, () => random.between(0.01, 0.05)),
    readRate: random.pick([0.1, 0.3, 0.6]),
    duplicateRate: maybe(0.5, () => random.between(0.02, 0.3)),
    lossRate: maybe(0.6, () => random.between(0, 0.1)),
    delayMsMean: random.pick([0.2, 0.5, 5]),
    keyCount: random.int(1, 6),
    accountCount: random.int(2, 6),
    hotRate: maybe(0.4, () => random.between(0.3, 0.95)),
    oddIdRate: random.pick([0, 0.1, 0.5]),
    reuseRate: maybe(0.4, () => random.between(0.02, 0.2)),
    holdMsMax: random.pick([50, 500, 5_000]),
    closeRate: maybe(0.3, () => random.between(0.02, 0.2)),
    misuseRate: maybe(0.3, () => random.between(0.02, 0.2)),
    deathMsMean: maybe(0.3, () => random.between(500, 3_000)),
    absenceMsMean: maybe(0.3, () => random.between(500, 3_000)),
  }
}
