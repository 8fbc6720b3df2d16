import type { Random } from '../random.js'

/** How much of what is asked for is of each kind, as weights from 0 to 1. */
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

/** How the clients of a run behave. Rates are from 0 to 1. */
export interface ClientHabits extends OperationMix {
  readonly clientCount: number
  /** How many of these have no session: each call stands alone, as with grpcurl, and only ids make a repeat safe. */
  readonly sessionlessRate: number
  /** So many requests of one client may be unanswered at once. */
  readonly outstandingMax: number
  readonly thinkMsMean: number
  /** How long a client lets a node owe it answers without a word. */
  readonly timeoutMs: number
  /** How often a call has a deadline of its own that comes soon; the others wait for as long as it takes. */
  readonly hurryRate: number
  /** How often so much is asked at once that hardly all can be answered in time. */
  readonly burstRate: number
  /** How often something is read beside the log. */
  readonly readRate: number
  /** How often a request is sent twice, to two nodes. */
  readonly duplicateRate: number
  /** Of frames, or bare requests and answers, each on its way; a stream breaks with it. */
  readonly lossRate: number
  readonly delayMsMean: number
  readonly keyCount: number
  /** At least two. */
  readonly accountCount: number
  /** How often an account is the first one, or the second, though there are more. */
  readonly hotRate: number
  /** How often a request of one that has a session bears a request_id, too; of one without, it lacks it as often. */
  readonly oddIdRate: number
  /** How often an id is used that was used before, with the same content or with other. */
  readonly reuseRate: number
  /** The longest timeout of a hold, in log time; some have none. */
  readonly holdMsMax: number
  /** How often one that has just been answered closes its session, and opens another. */
  readonly closeRate: number
  /** How often somebody asks something else under a number that has just been answered, or guesses at a session. */
  readonly misuseRate: number
  /** Between two deaths of one client; 0: none dies. It comes back, and knows nothing of what it asked before. */
  readonly deathMsMean: number
  /** Between two absences of one client, in which it asks for nothing; 0: none leaves. */
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
