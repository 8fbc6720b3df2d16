// Kills the nodes of a real cluster under load, damages, swaps, deletes and exchanges their files while they are down, starts them
// again, and does what an operator would where a node has stopped and said so. After each round everything that was acknowledged must be
// there exactly once, on every node, and the states of all must be the same.
//
//   npx tsx scripts/soak-recovery.ts [--rounds 60] [--minutes N] [--seed 1] [--clients 4] [--quick] [--kind TEXT] [--kill one|leader|all]
//
// --kind takes only damage that begins so ('older', 'bit flipped: .ldb'); --kill kills only so many.
// --quick is a minute or so, for CI. Every choice comes from the seed; what the nodes do meanwhile does not. Ports are free ones; the
// data is in a temporary directory, which is kept where a round fails: the rounds after it go on with a new cluster. Prints a line a
// round, then how often each kind of damage was done and what it led to, how long nodes took to serve again, and 'N passed, N failed'.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Random } from '../src/sim/random.js'
import { build } from './lib/build.js'
import { Cluster, type ClusterNode, describeEnd, until } from './lib/cluster.js'
import { DAMAGES, type Damage, type Reaction } from './lib/damage.js'
import { Ledger, Load, pushOutOfWindow, putMany } from './lib/ledger.js'
import { Outcomes } from './lib/outcomes.js'
import { codeOfEnd, untilReaction } from './lib/reaction.js'

const NODES = 3
const FORM_TIMEOUT_MS = 60_000
const GO_ON_TIMEOUT_MS = 60_000
const LEVEL_TIMEOUT_MS = 60_000
/** Older copies of a node's directory that are kept. */
const COPIES = 2
const FAILURES_MAX = 5

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '4' },
    kind: { type: 'string' },
    kill: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
})
const ROUNDS = Number(flags.rounds ?? (flags.quick ? 12 : 60))
const MINUTES = Number(flags.minutes ?? (flags.quick ? 1.2 : Number.POSITIVE_INFINITY))

const random = new Random(Number(flags.seed))
const outcomes = new Outcomes()
const work = mkdtempSync(join(tmpdir(), 'synod-recovery-'))
const endMs = performance.now() + MINUTES * 60_000

/** Where none of the wanted kinds can be: it is only killed. */
const NONE: Damage = { kind: 'none', expected: ['served'], inflict: () => undefined }

/** Kinds of damage in random order, each as often as the others. */
class Deck {
  #cards: Damage[] = []

  draw(canBe: (damage: Damage) => boolean): Damage {
    const wanted = DAMAGES.filter(({ kind }) => flags.kind === undefined || kind.startsWith(flags.kind))
    if (!wanted.some(canBe)) return NONE
    for (;;) {
      const at = this.#cards.findIndex(canBe)
      const [card] = at < 0 ? [] : this.#cards.splice(at, 1)
      if (card !== undefined) return card
      this.#cards = [...this.#cards, ...random.shuffle(wanted)]
    }
  }
}

/** One cluster, for as many rounds as it survives. */
class Soak {
  readonly directory: string
  readonly #cluster: Cluster
  readonly #ledger: Ledger
  readonly #foreign: ReadonlyMap<number, string>
  /** By node id, oldest first. */
  readonly #copies = new Map<number, string[]>()
  #copyCount = 0

  static async begin(directory: string, foreign: ReadonlyMap<number, string>): Promise<Soak> {
    mkdirSync(directory)
    const cluster = await Cluster.make({ directory, nodes: NODES })
    const ledger = new Ledger(cluster)
    for (const node of cluster.nodes) cluster.start(node)
    try {
      await cluster.untilFormed(FORM_TIMEOUT_MS)
      await ledger.begin()
      // A checkpoint, and a log that no longer begins with slot 1.
      await pushOutOfWindow(cluster)
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return new Soak(directory, cluster, ledger, foreign)
  }

  private constructor(directory: string, cluster: Cluster, ledger: Ledger, foreign: ReadonlyMap<number, string>) {
    this.directory = directory
    this.#cluster = cluster
    this.#ledger = ledger
    this.#foreign = foreign
  }

  /** Kill, damage, start, mend, check. Returns what happened, for people. */
  async round(number: number, deck: Deck): Promise<string> {
    const cluster = this.#cluster
    const said: string[] = []
    const before = this.#ledger.acknowledgedCount
    const load = new Load(this.#ledger, cluster.endpoints, {
      clients: Number(flags.clients),
      name: `r${number}`,
      random: random.fork(),
    })
    try {
      await load.progress(100, GO_ON_TIMEOUT_MS)
      const leader = await cluster.untilFormed(FORM_TIMEOUT_MS)
      const dead = this.#victims(leader)
      await Promise.all(dead.map((node) => cluster.kill(node)))
      said.push(`killed ${dead.map((node) => `n${node.nodeId}${node === leader ? ' (leader)' : ''}`).join(', ')}`)
      if (dead.length === 1) await load.progress(50, GO_ON_TIMEOUT_MS)
      if (dead.length === 1 && !flags.quick && random.chance(0.15)) {
        await pushOutOfWindow(cluster)
        said.push('others left its log behind')
      }
      await delay(random.int(0, 1_000))
      said.push(...(await this.#strike(dead, deck, dead.length < NODES / 2)))
      await cluster.untilFormed(FORM_TIMEOUT_MS)
      await load.progress(100, GO_ON_TIMEOUT_MS)
    } finally {
      await load.stop()
    }
    const unknown = this.#ledger.unknownCount
    await this.#check('new')
    for (const { dataDirectory } of cluster.nodes) removeSetAside(dataDirectory)
    said.push(`${this.#ledger.acknowledgedCount - before} acknowledged, ${unknown} were unknown; all there`)
    return said.join('; ')
  }

  async #check(scope: 'new' | 'all'): Promise<void> {
    await this.#ledger.settle()
    await this.#cluster.untilLevel(LEVEL_TIMEOUT_MS)
    await this.#ledger.check(random.fork(), scope)
    await this.#cluster.untilLevel(LEVEL_TIMEOUT_MS)
  }

  async end(): Promise<void> {
    await this.#check('all')
    await this.#cluster.stop()
    rmSync(this.directory, { recursive: true })
  }

  /** Whatever is left of it. */
  async abandon(): Promise<void> {
    await Promise.all(this.#cluster.nodes.map((node) => this.#cluster.kill(node)))
  }

  #victims(leader: ClusterNode): readonly ClusterNode[] {
    const { nodes } = this.#cluster
    const draw = flags.kill === 'one' ? 3 : flags.kill === 'leader' ? 0 : flags.kill === 'all' ? 8 : random.int(0, 9)
    if (draw < 3) return [leader]
    if (draw < 7) return [random.pick(nodes)]
    return draw < 9 ? nodes : random.shuffle(nodes).slice(0, 2)
  }

  /** Damages the first of the dead, starts all of them, and mends what does not mend itself. */
  async #strike(dead: readonly ClusterNode[], deck: Deck, hasMajority: boolean): Promise<string[]> {
    const [victim, second] = random.shuffle(dead)
    if (victim === undefined) throw new Error('nobody is dead')
    const pristine = this.#copy(victim)
    const copies = (this.#copies.get(victim.nodeId) ?? []).filter((copy) => copy !== pristine && existsSync(copy))
    const damage = deck.draw(
      ({ needsCopy, needsTwo }) => (!needsCopy || copies.length > 0) && (!needsTwo || second !== undefined),
    )
    const copy = copies.length === 0 ? undefined : random.pick(copies)
    const foreign = this.#foreign.get(victim.nodeId) ?? this.#foreign.get(1) ?? ''
    const place = { random, directory: victim.dataDirectory, copy, foreign, other: second?.dataDirectory }
    const what = damage.inflict(place)
    for (const node of dead) this.#cluster.start(node)
    const isSwap = damage.needsTwo === true && what !== undefined
    const reaction = await untilReaction(this.#cluster, victim, FORM_TIMEOUT_MS)
    outcomes.note(what === undefined ? NONE.kind : damage.kind, reaction, codeOfEnd(victim))
    const reacted = `n${victim.nodeId}: ${what ?? 'no damage'}; ${reaction}${reaction === 'stopped' ? ` (${codeOfEnd(victim)})` : ''}`
    const expected: readonly Reaction[] = what === undefined ? ['served'] : damage.expected
    if (!expected.includes(reaction) || codeOfEnd(victim) === 'other') {
      throw new Error(
        `${reacted}, but expected ${expected.join(' or ')}: ${victim.ended === undefined ? '' : describeEnd(victim)}`,
      )
    }
    if (reaction === 'served' || reaction === 'repaired') {
      const servedMs = await this.#cluster.untilServing(victim, FORM_TIMEOUT_MS)
      outcomes.noteServing(reaction, servedMs)
      this.#keep(victim, reaction === 'served' ? pristine : undefined)
      if (reaction === 'repaired' || random.chance(0.5)) rmSync(pristine, { recursive: true, force: true })
      return [`${reacted}, serves after ${Math.round(servedMs)} ms`]
    }
    const byReplacing = hasMajority && !isSwap && random.chance(0.5)
    if (byReplacing) return [reacted, await this.#replace(victim, pristine)]
    await this.#cluster.kill(victim)
    if (isSwap && second !== undefined) {
      await until(`n${second.nodeId} stops, too`, FORM_TIMEOUT_MS, () => Promise.resolve(second.ended !== undefined))
      swapBack(victim.dataDirectory, second.dataDirectory)
      this.#cluster.start(second)
    } else {
      rmSync(victim.dataDirectory, { recursive: true, force: true })
      cpSync(pristine, victim.dataDirectory, { recursive: true })
    }
    this.#cluster.start(victim)
    const servedMs = await this.#cluster.untilServing(victim, FORM_TIMEOUT_MS)
    outcomes.noteServing('put back', servedMs)
    this.#keep(victim, pristine)
    return [reacted, `put back, serves after ${Math.round(servedMs)} ms`]
  }

  /** What the message of the node that stopped says: `synod member replace`, and a new node. */
  async #replace(old: ClusterNode, pristine: string): Promise<string> {
    const cluster = this.#cluster
    const fresh = await cluster.newNode()
    const others = cluster.nodes.filter((node) => node !== old)
    await cluster.kill(old)
    cluster.configure([...others, fresh], fresh)
    cluster.start(fresh)
    const spec = `${fresh.nodeId}=${fresh.peerAddress}/${fresh.clientAddress}`
    const { code, output } = await cluster.synod(['member', 'replace', String(old.nodeId), spec, '--timeout', '90000'])
    if (code !== 0) throw new Error(`synod member replace ended with ${code}: ${output}`)
    const servedMs = await cluster.untilServing(fresh, FORM_TIMEOUT_MS)
    outcomes.noteServing('replaced', servedMs)
    // Whoever brings the old machine back, with all its data, must not do harm.
    rmSync(old.dataDirectory, { recursive: true, force: true })
    cpSync(pristine, old.dataDirectory, { recursive: true })
    cluster.start(old)
    await until(`the removed n${old.nodeId} stops by itself`, FORM_TIMEOUT_MS, () => Promise.resolve(old.ended !== undefined))
    if (codeOfEnd(old) !== 'REMOVED') throw new Error(`the removed node did not say so: ${describeEnd(old)}`)
    for (const copy of [pristine, ...(this.#copies.get(old.nodeId) ?? [])]) rmSync(copy, { recursive: true, force: true })
    rmSync(old.dataDirectory, { recursive: true, force: true })
    return `replaced by n${fresh.nodeId}, serves after ${Math.round(servedMs)} ms`
  }

  /** The directory of a node that is down. */
  #copy(node: ClusterNode): string {
    const to = join(this.directory, 'copies', String(++this.#copyCount))
    removeSetAside(node.dataDirectory)
    cpSync(node.dataDirectory, to, { recursive: true })
    return to
  }

  /** From the next round on this is an older copy; one that was made before its directory was given up stays one. */
  #keep(node: ClusterNode, copy: string | undefined): void {
    const copies = this.#copies.get(node.nodeId) ?? []
    if (copy !== undefined) copies.push(copy)
    while (copies.length > COPIES) rmSync(copies.shift() ?? '', { recursive: true, force: true })
    this.#copies.set(node.nodeId, copies.filter(existsSync))
  }
}

/** Another cluster with the same node ids. @returns its directories by node id */
async function makeForeign(directory: string): Promise<ReadonlyMap<number, string>> {
  mkdirSync(directory, { recursive: true })
  const cluster = await Cluster.make({ directory, nodes: NODES })
  try {
    for (const node of cluster.nodes) cluster.start(node)
    await cluster.untilFormed(FORM_TIMEOUT_MS)
    const client = cluster.connect({ timeoutMs: FORM_TIMEOUT_MS })
    await putMany(client, 'foreign', 2_000)
    client.close()
  } finally {
    await Promise.all(cluster.nodes.map((node) => cluster.kill(node)))
  }
  return new Map(cluster.nodes.map((node) => [node.nodeId, node.dataDirectory]))
}

function swapBack(one: string, other: string): void {
  cpSync(one, `${one}.aside`, { recursive: true })
  rmSync(one, { recursive: true })
  cpSync(other, one, { recursive: true })
  rmSync(other, { recursive: true })
  cpSync(`${one}.aside`, other, { recursive: true })
  rmSync(`${one}.aside`, { recursive: true })
}

function removeSetAside(directory: string): void {
  for (const name of existsSync(directory) ? readdirSync(directory) : []) {
    if (name.startsWith('damaged-')) rmSync(join(directory, name), { recursive: true })
  }
}

build()
const deck = new Deck()
const foreign = await makeForeign(join(work, 'foreign'))
let soak: Soak | undefined
let passed = 0
let failed = 0
for (let number = 1; number <= ROUNDS && performance.now() < endMs && failed < FAILURES_MAX; number++) {
  try {
    soak ??= await Soak.begin(join(work, `from-round-${number}`), foreign)
    console.log(`round ${number}: ${await soak.round(number, deck)}`)
    passed++
  } catch (error) {
    failed++
    console.error(`round ${number} FAILED:`, error, `\nthe data and logs are kept in ${soak?.directory ?? work}`)
    await soak?.abandon()
    soak = undefined
  }
}
try {
  await soak?.end()
} catch (error) {
  failed++
  console.error('in the end:', error, `\nthe data and logs are kept in ${soak?.directory}`)
  await soak?.abandon()
}
if (failed === 0) rmSync(work, { recursive: true })
outcomes.print()
console.log(`\nseed ${flags.seed}\n\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
