import type { DeleteRequest } from '../../gen/synod/kv/v1/kv.js'
import { header, type Reading, type WireForm } from '../wire-form.js'
import { toWirePair } from '../wire-pair.js'

export const form: WireForm<'delete'> = {
  fromWire(request, reading) {
    findContradictions(request, reading)
    return { target: request.target ?? EVERY_KEY, returnPrevious: request.returnPrevious }
  },
  toWire: ({ deletedCount, revision, previous }) => ({ header, deletedCount, revision, previous: previous.map(toWirePair) }),
}

const EVERY_KEY = { $case: 'prefix', value: '' } as const

/** A prefix that was left empty by mistake deletes nothing: every key goes only where `all` says so. */
function findContradictions({ target, all }: DeleteRequest, reading: Reading): void {
  const isEvery = target === undefined || (target.$case === 'prefix' && target.value === '')
  if (all && !isEvery) reading.wrong('all', 'must not be set together with a key or a prefix')
  if (all || !isEvery) return
  if (target === undefined) reading.wrong('target', 'key or prefix must be given, or all set')
  else reading.wrong('prefix', 'must not be empty unless all is set: every key begins so')
}
