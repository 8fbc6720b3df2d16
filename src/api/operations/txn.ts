import type { Compare } from '../../app/kv/keys.js'
import type { Operation } from '../../app/operation.js'
import { CompareOperator, type TxnOperation, type Compare as WireCompare } from '../../gen/synod/kv/v1/kv.js'
import { header, type Reading, type WireForm, type WireStepResponse } from '../wire-form.js'

export const form: WireForm<'txn'> = {
  fromWire: (request, reading) => ({
    compare: readEach('compare', request.compare, reading, readCompare),
    // oxlint-disable-next-line unicorn/no-thenable -- the proto's name; a transaction is never awaited
    then: readEach('then', request.then, reading, readTxnOperation),
    else: readEach('else', request.else, reading, readTxnOperation),
  }),
  toWire: ({ succeeded, responses, revision }, writing) => ({
    header,
    succeeded,
    responses: responses.map((response) => ({ response: writing.outcome(response) as WireStepResponse })),
    revision,
  }),
}

function readEach<Wire, T>(
  list: string,
  items: readonly Wire[],
  reading: Reading,
  read: (item: Wire, reading: Reading) => T,
): T[] {
  return items.map((item, i) => {
    reading.enter(list, i)
    const value = read(item, reading)
    reading.leave()
    return value
  })
}

/** In the place of one that is missing, of which `reading` has heard, stands none: it is checked, never carried out. */
function readTxnOperation({ operation }: TxnOperation, reading: Reading): Operation {
  return reading.readStep(operation) as Operation
}

function readCompare({ key, operator, target }: WireCompare, reading: Reading): Compare {
  if (target === undefined) reading.wrong('target', 'value, version, create_revision or mod_revision must be given')
  return { key, operator: readOperator(operator, reading), target: target ?? NO_TARGET }
}

const NO_TARGET = { $case: 'version', value: 0n } as const

function readOperator(operator: CompareOperator, reading: Reading): Compare['operator'] {
  switch (operator) {
    case CompareOperator.NOT_EQUAL:
      return 'notEqual'
    case CompareOperator.LESS:
      return 'less'
    case CompareOperator.GREATER:
      return 'greater'
    case CompareOperator.UNSPECIFIED:
    case CompareOperator.EQUAL:
      return 'equal'
    case CompareOperator.UNRECOGNIZED:
    default:
      reading.wrong('operator', 'must be EQUAL, NOT_EQUAL, LESS or GREATER')
      return 'equal'
  }
}
