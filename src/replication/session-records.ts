import { crc32 } from 'node:zlib'
import { encode } from '../encoding/encode.js'
import { AnswerRefusal, type SessionAnswer, SessionAnswers, SessionCounters, SessionRecord } from '../gen/synod/state/v1/state.js'
import type { SessionCodec } from './session-entries.js'
import type { KeptAnswer } from './session-table.js'

const NO_BYTES = new Uint8Array(0)
/** Above it lengths of commands are taken modulo, so that a digest is a safe integer. */
const LENGTHS = 2 ** 21

/** The form of sessions in a checkpoint. */
export const sessionCodec: SessionCodec = {
  /** Two commands of one digest have another length or differ by chance in one of four billion. */
  digest: (command) => (command.length % LENGTHS) * 2 ** 32 + crc32(command),
  encodeSession: ({ token, answers, ...record }) =>
    encode(SessionRecord, { ...record, token: Buffer.from(token, 'latin1'), answers: answers.map(toWireAnswer) }),
  decodeSession(bytes) {
    const { token, answers, ...record } = SessionRecord.decode(bytes)
    return { ...record, token: Buffer.from(token).toString('latin1'), answers: answers.map(toKeptAnswer) }
  },
  encodeAnswers: (answers) => encode(SessionAnswers, { answers: answers.map(toWireAnswer) }),
  decodeAnswers: (bytes) => SessionAnswers.decode(bytes).answers.map(toKeptAnswer),
  encodeCounters: (counters) => encode(SessionCounters, counters),
  decodeCounters: (bytes) => SessionCounters.decode(bytes),
}

function toWireAnswer({ requestNumber, slot, digest, outcome }: KeptAnswer): SessionAnswer {
  const answer = { requestNumber, slot, digest, result: NO_BYTES, refusal: AnswerRefusal.UNSPECIFIED }
  switch (outcome) {
    case 'sessionFull':
      return { ...answer, refusal: AnswerRefusal.SESSION_FULL }
    case 'skipped':
      return { ...answer, refusal: AnswerRefusal.SKIPPED }
    default:
      return { ...answer, result: outcome }
  }
}

function toKeptAnswer({ requestNumber, slot, digest, result, refusal }: SessionAnswer): KeptAnswer {
  // All of one shape, each result a plain array on the heap: there are very many, and otherwise they take half as much again.
  const answerOf = (outcome: KeptAnswer['outcome']): KeptAnswer => ({ requestNumber, digest, slot, outcome })
  switch (refusal) {
    case AnswerRefusal.UNSPECIFIED: {
      const copy = new Uint8Array(result.length)
      copy.set(result)
      return answerOf(copy)
    }
    case AnswerRefusal.SESSION_FULL:
      return answerOf('sessionFull')
    case AnswerRefusal.SKIPPED:
      return answerOf('skipped')
    case AnswerRefusal.UNRECOGNIZED:
      throw new Error('an answer is refused in a way that is not known: written by a newer version?')
  }
}
