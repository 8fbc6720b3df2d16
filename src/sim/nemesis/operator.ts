import { MemberError } from '../../host/api.js'
import type { LevelInForce } from '../../host/membership/binary-version.js'
import type { MembershipChange, MembershipRecord, NodeId } from '../../paxos/types.js'
import type { Checker } from '../checkers/checker.js'
import { sameMembership } from '../checkers/membership-book.js'
import { check } from '../checkers/violation.js'
import type { Scheduler } from '../cluster/scheduler.js'
import type { SimulatedNode } from '../cluster/simulated-node.js'
import type { FaultTotals } from '../plan/faults.js'
import type { Random } from '../random.js'
import type { EventTrace } from '../trace/event-trace.js'
import { tellChange } from '../trace/trace-words.js'
import type { Survival } from './survival.js'

/** A task of the operator. */
export type OperatorTask =
  | { readonly kind: 'addMember' }
  | { readonly kind: 'raiseLevel'; readonly level: number }
  | { readonly kind: 'replaceMember' | 'updateMember' | 'transferLeadership'; readonly nodeId: NodeId }
  /** `switchesOff`: whether the machine is switched off when it is removed; drawn if not given. */
  | { readonly kind: 'removeMember'; readonly nodeId: NodeId; readonly switchesOff?: boolean }

export interface OperatorSettings {
  /** Every machine, including spare ones. */
  readonly nodes: readonly SimulatedNode[]
  readonly survival: Survival
  readonly checker: Checker
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly trace: EventTrace
  /** Called when a spare machine is put into use: clients may use it from now on. */
  readonly onCommissioned: (node: SimulatedNode) => void
  readonly onRemoved: (nodeId: NodeId) => void
  readonly onBug: (error: Error) => void
}

const TIMEOUT_MS = 1_500
const BACKOFF_MS_MEAN = 150
/** A transfer of leadership may never succeed, so the tries are limited. */
const TRANSFER_TRIES = 3
const RAISE_TRIES = 6
const WAIT_MS = 50
const START_FIRST_RATE = 0.3
const SWITCH_OFF_RATE = 0.5

/** Changes the membership, one task after the other, and repeats each request until it is done. */
export class Operator {
  readonly #settings: OperatorSettings
  readonly #queue: OperatorTask[] = []
  #current: OperatorTask | undefined
  /** The spare machine that is being added. */
  #newcomer: SimulatedNode | undefined
  #isStopping = false

  constructor(settings: OperatorSettings) {
    this.#settings = settings
  }

  get isIdle(): boolean {
    return this.#current === undefined
  }

  /** The spare machine that is being added: the operator cannot finish without it. */
  get newcomer(): SimulatedNode | undefined {
    return this.#newcomer
  }

  /** The current task, for people. */
  get task(): string {
    return this.#current === undefined ? 'nothing' : tellOperation(this.#current)
  }

  /** Queues a task. */
  request(operation: OperatorTask): void {
    if (this.#isStopping) return
    this.#queue.push(operation)
    if (this.isIdle) void this.#work()
  }

  /** Finishes the current change, and begins no other. */
  stop(): void {
    this.#isStopping = true
    this.#queue.length = 0
  }

  async #work(): Promise<void> {
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        this.#current = next
        if (await this.#carryOut(next)) this.#settings.totals.count(next.kind)
      }
    } catch (error) {
      this.#settings.onBug(error instanceof Error ? error : new Error(String(error)))
    }
    this.#current = undefined
  }

  /** Carries a task out. Returns false if that was not possible. */
  async #carryOut(operation: OperatorTask): Promise<boolean> {
    // A member that is let in meanwhile cannot know that a directory was put back.
    while (this.#settings.survival.hasImpostor && !this.#isStopping) await this.#sleep(WAIT_MS)
    const { memberships } = this.#settings.checker
    if (!memberships.isFormed) return false
    switch (operation.kind) {
      case 'addMember':
        return this.#add()
      case 'removeMember':
        return this.#remove(this.#deadMember ?? operation.nodeId, operation.switchesOff)
      case 'replaceMember': {
        const replaced = this.#deadMember ?? operation.nodeId
        if (!memberships.latest.has(replaced) || !(await this.#add())) return false
        return this.#remove(replaced)
      }
      case 'updateMember':
        return this.#update(operation.nodeId)
      case 'raiseLevel':
        return this.#raiseLevel(operation.level)
      case 'transferLeadership':
        return this.#transfer(operation.nodeId)
    }
  }

  /** A member that will never run again. */
  get #deadMember(): NodeId | undefined {
    const { nodes, checker } = this.#settings
    return checker.memberships.latest.members.find(({ nodeId }) => nodes[nodeId - 1]?.haltCode !== undefined)?.nodeId
  }

  async #add(): Promise<boolean> {
    const { nodes, random, checker, onCommissioned } = this.#settings
    const { lastNodeId } = checker.memberships.latest
    const spare = nodes.find((node) => node.id > lastNodeId && !node.isCommissioned)
    if (spare === undefined || this.#isStopping) return false
    this.#newcomer = spare
    const { id: nodeId } = spare
    const startsFirst = random.chance(START_FIRST_RATE)
    if (startsFirst) spare.commission()
    await this.#change({ kind: 'add', ...spare.addresses }, () => false)
    spare.commission()
    onCommissioned(spare)
    // It may have lost its directory before it became a member.
    const isHopeless = (): boolean => spare.haltCode !== undefined
    const isPromoted = await this.#change({ kind: 'promote', nodeId }, isHopeless)
    this.#newcomer = undefined
    if (!isPromoted) await this.#remove(nodeId)
    return isPromoted
  }

  async #remove(nodeId: NodeId, switchesOff?: boolean): Promise<boolean> {
    const { nodes, survival, random, onRemoved } = this.#settings
    if (this.#isStopping || !survival.canRemove(nodeId)) return false
    survival.leaving = nodeId
    await this.#change({ kind: 'remove', nodeId }, () => false)
    survival.leaving = undefined
    onRemoved(nodeId)
    // The machine is not needed: any operator may switch it off at once. Otherwise it finds out by itself.
    if (switchesOff ?? random.chance(SWITCH_OFF_RATE)) nodes[nodeId - 1]?.switchOff()
    return true
  }

  /** Records a node's current addresses in the membership. Returns false if it is no member, or is removed before that is done. */
  #update(nodeId: NodeId): Promise<boolean> {
    const { nodes, checker } = this.#settings
    const node = nodes[nodeId - 1]
    const isNone = (): boolean => !checker.memberships.latest.has(nodeId)
    if (node === undefined || isNone()) return Promise.resolve(false)
    return this.#change({ kind: 'update', ...node.addresses }, isNone)
  }

  /** Raises the level. Returns true once it is in force. */
  async #raiseLevel(level: number): Promise<boolean> {
    const { checker, trace } = this.#settings
    for (let i = 0; i < RAISE_TRIES && !this.#isStopping; i++) {
      const node = this.#anyNode
      const outcome = node && (await this.#within<LevelInForce>((settle) => node.raiseLevel(level, TIMEOUT_MS, settle)))
      if (outcome instanceof MemberError)
        trace.tell({ kind: 'note', text: `n${node?.id} tells the operator: ${outcome.code}, ${outcome.message}` })
      else if (outcome !== undefined) {
        const { level: told, slot } = outcome
        trace.tell({ kind: 'note', text: `n${node?.id} tells the operator that the log is at level ${told}` })
        check(told >= level, () => `node ${node?.id} told the operator of level ${told}, not ${level}`)
        check(
          checker.levelAt(slot) === told,
          () => `node ${node?.id} told the operator of level ${told} as of slot ${slot}, where it is ${checker.levelAt(slot)}`,
        )
        this.#checkKnown(told)
        return told > 1
      }
      await this.#sleep(this.#settings.random.exponential(BACKOFF_MS_MEAN))
    }
    return false
  }

  /** Checks that every member has run a version that knows the level: each must have said that it does. */
  #checkKnown(level: number): void {
    const { nodes, checker } = this.#settings
    if (level === checker.firstLevel) return
    const members = checker.memberships.latest.members.map(({ nodeId }) => nodeId)
    const ignorant = members.find((nodeId) => nodes[nodeId - 1]?.software.hasRunNext !== true)
    check(ignorant === undefined, () => `the log was raised to level ${level}, which node ${ignorant} never knew`)
  }

  async #transfer(nodeId: NodeId): Promise<boolean> {
    for (let i = 0; i < TRANSFER_TRIES && !this.#isStopping; i++) {
      const node = this.#anyNode
      if (node !== undefined) {
        const outcome = await this.#within<NodeId>((settle) => node.transferLeadership(nodeId, TIMEOUT_MS, settle))
        if (typeof outcome === 'number') return true
      }
      await this.#sleep(this.#settings.random.exponential(BACKOFF_MS_MEAN))
    }
    return false
  }

  /** Asks several nodes until the change is made, or is hopeless; then returns false. */
  async #change(change: MembershipChange, isHopeless: () => boolean): Promise<boolean> {
    const { random, trace } = this.#settings
    trace.tell({ kind: 'note', text: `the operator wants: ${tellChange(change)}` })
    while (!this.#isSettled(change)) {
      if (isHopeless()) return false
      const node = this.#anyNode
      if (node !== undefined) await this.#ask(node, change)
      if (!this.#isSettled(change)) await this.#sleep(random.exponential(BACKOFF_MS_MEAN))
    }
    trace.tell({ kind: 'note', text: `settled: ${tellChange(change)}` })
    return true
  }

  async #ask(node: SimulatedNode, change: MembershipChange): Promise<void> {
    const { trace, checker } = this.#settings
    const outcome = await this.#within<MembershipRecord>((settle) => node.changeMembership(change, TIMEOUT_MS, settle))
    if (outcome === undefined) return
    if (outcome instanceof MemberError) {
      trace.tell({ kind: 'note', text: `n${node.id} tells the operator: ${outcome.code}, ${outcome.message}` })
      return
    }
    const { memberships, chosenUpTo } = checker
    check(
      memberships.all.some((one) => sameMembership(one, outcome)) && outcome.fromSlot <= chosenUpTo + 1,
      () =>
        `node ${node.id} told the operator of membership ${outcome.epoch}, which the log does not say, or which is not in force`,
    )
    check(
      this.#isSettled(change),
      () =>
        `node ${node.id} told the operator that a change is made, but no majority of the new voters has it on disk: ${tellChange(change)}`,
    )
  }

  #isSettled(change: MembershipChange): boolean {
    const { kind, nodeId } = change
    const { memberships, settled } = this.#settings.checker
    if (!memberships.isFormed) return false
    const member = settled.member(nodeId)
    if (kind === 'remove') return member === undefined && settled.lastNodeId >= nodeId
    if (kind === 'update') return member?.peerAddress === change.peerAddress
    return kind === 'promote' ? (member?.votesFrom ?? 0) > 0 : member !== undefined
  }

  /** Returns the outcome; undefined if there is no answer in time. */
  #within<T>(ask: (settle: (outcome: T | MemberError) => void) => void): Promise<T | MemberError | undefined> {
    return new Promise((resolve) => {
      ask(resolve)
      this.#settings.scheduler.after(1.5 * TIMEOUT_MS, () => resolve(undefined))
    })
  }

  get #anyNode(): SimulatedNode | undefined {
    const up = this.#settings.nodes.filter((node) => node.isUp)
    return up.length === 0 ? undefined : this.#settings.random.pick(up)
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#settings.scheduler.after(delayMs, resolve))
  }
}

function tellOperation(operation: OperatorTask): string {
  if (operation.kind === 'raiseLevel') return `to raise the level to ${operation.level}`
  return operation.kind === 'addMember' ? 'to add a member' : `${operation.kind} n${operation.nodeId}`
}
