import { WireType } from '@bufbuild/protobuf/wire'
import { BankAndKeys } from '../../src/api/bank-and-keys.js'
import { WORDS } from '../../src/api/words.js'
import { bytesOf } from '../../src/encoding/keep.js'
import { BinaryReader, BinaryWriter } from '../../src/encoding/protobuf.js'
import { Command } from '../../src/gen/synod/session/v1/session.js'
import { Member } from '../../src/member.js'
import { LEVEL_MAX } from '../../src/replication/levels.js'
import { Sessions } from '../../src/replication/sessions.js'

/** The level that the next version brings. */
const NEXT_LEVEL = LEVEL_MAX + 1
/** Its new operation puts the value behind what stands under the key: field 15,001 of Command. Its door takes puts of such keys for it. */
const APPEND_TAG = (15_001 << 3) | WireType.LengthDelimited
export const APPEND_PREFIX = 'append:'

type Put = Extract<NonNullable<Command['operation']>, { $case: 'put' }>['value']

/**
 * Makes of this process's program a version newer, as a colleague's next commit would: it knows level 2, which brings one operation more,
 * and it has another sentence for a reason. Its door lets the new operation into the log at any level, which a right one does not.
 */
export function setNextVersion(): void {
  Object.defineProperty(Sessions.prototype, 'knownLevels', { get: () => ({ levelMin: 1, levelMax: NEXT_LEVEL }) })
  WORDS.ACCOUNT_NOT_FOUND = () => 'nobody has opened that account'
  tellVersion()
  addDoor()
  addOperation()
}

function tellVersion(): void {
  const start = Member.start.bind(Member)
  Member.start = (options, ...rest) => start({ ...options, version: 'next' }, ...rest)
}

function addDoor(): void {
  // oxlint-disable-next-line typescript/unbound-method -- called on the object that it is asked of
  const { submit } = Member.prototype
  Member.prototype.submit = function submitOrAppend(this: Member, request, ...rest) {
    const put = putOf(request.command)
    if (put?.key.startsWith(APPEND_PREFIX) !== true) return submit.call(this, request, ...rest)
    const append = { ...put, key: put.key.slice(APPEND_PREFIX.length) }
    const command = new BinaryWriter().uint32(APPEND_TAG).bytes(encodePut(append)).finish()
    return submit.call(this, { ...request, command }, ...rest)
  }
}

function addOperation(): void {
  // oxlint-disable-next-line typescript/unbound-method -- called on the object that it is asked of
  const { apply } = BankAndKeys.prototype
  BankAndKeys.prototype.apply = function applyOrAppend(this: BankAndKeys, bytes, at) {
    const put = at.level >= NEXT_LEVEL ? appended(bytes) : undefined
    if (put === undefined) return apply.call(this, bytes, at)
    const { pair } = this.books.keys.get({ key: put.key })
    const before = pair === undefined ? [] : [bytesOf(pair.value)]
    return apply.call(this, encodePut({ ...put, value: Buffer.concat([...before, put.value]) }), at)
  }
}

function encodePut(value: Put): Uint8Array {
  return Command.encode({ operation: { $case: 'put', value } }).finish()
}

function putOf(bytes: Uint8Array): Put | undefined {
  const { operation } = Command.decode(bytes)
  return operation?.$case === 'put' ? operation.value : undefined
}

function appended(bytes: Uint8Array): Put | undefined {
  const reader = new BinaryReader(bytes)
  return reader.uint32() === APPEND_TAG ? putOf(reader.bytes()) : undefined
}
