import type { Answer, SessionRequest } from '../../host/api.js'
import { MemberError } from '../../host/api.js'
import type { HostedMember } from '../../host/hosted-member.js'
import type { LevelInForce } from '../../host/membership/binary-version.js'
import type { MembershipChange, MembershipRecord, NodeId } from '../../paxos/types.js'
import type { SessionName } from '../../replication/session-table.js'
import type { ClientPort, NodeEnd, Settled, StreamOutlet } from './client-port.js'
import type { SimulatedProcess } from './simulated-process.js'

/** A simulated node as clients and the operator call it. A node that is down loses requests. */
export abstract class CallableNode implements ClientPort {
  abstract readonly id: NodeId
  /** The process that takes the calls; absent while the node is down. */
  protected abstract get process(): SimulatedProcess | undefined

  /** Called with an error that is no answer. */
  protected abstract onUnforeseen(error: unknown): void

  acceptStream(outlet: StreamOutlet): NodeEnd | undefined {
    return this.process?.acceptStream(outlet)
  }

  openSession(timeoutMs: number, settle: Settled<SessionName>): void {
    this.#ask((member) => member.openSession({ timeoutMs }), settle)
  }

  closeSession(session: SessionName, timeoutMs: number, settle: Settled<boolean>): void {
    this.#ask(async (member) => (await member.closeSession(session, { timeoutMs })).closed, settle)
  }

  submit(request: SessionRequest, timeoutMs: number, settle: Settled<Answer>): void {
    this.process?.input((member) => member.submit(request, { timeoutMs }, this.#whileAlive(settle)))
  }

  invoke(command: Uint8Array, timeoutMs: number, settle: Settled<Answer>): void {
    this.#ask((member) => member.invoke(command, { timeoutMs }), settle)
  }

  read(query: Uint8Array, timeoutMs: number, settle: Settled<Answer>): void {
    this.#ask((member) => member.query(query, { timeoutMs }), settle)
  }

  changeMembership(change: MembershipChange, timeoutMs: number, settle: Settled<MembershipRecord>): void {
    this.#ask(async (member) => (await member.changeMembership(change, { timeoutMs })).membership, settle)
  }

  raiseLevel(level: number, timeoutMs: number, settle: Settled<LevelInForce>): void {
    this.#ask((member) => member.raiseLevel(level, { timeoutMs }), settle)
  }

  transferLeadership(to: NodeId, timeoutMs: number, settle: Settled<NodeId>): void {
    this.#ask((member) => member.transferLeadership(to, { timeoutMs }), settle)
  }

  #ask<T>(ask: (member: HostedMember) => Promise<T>, settle: Settled<T>): void {
    const answer = this.#whileAlive(settle)
    this.process?.input((member) => {
      ask(member).then(answer, (error: unknown) => {
        if (error instanceof MemberError) answer(error)
        else this.onUnforeseen(error)
      })
    })
  }

  /** A dead process answers nothing. */
  #whileAlive<T>(settle: Settled<T>): Settled<T> {
    const process = this.process
    return (outcome) => {
      if (process?.runtime.isOver === false) settle(outcome)
    }
  }
}
