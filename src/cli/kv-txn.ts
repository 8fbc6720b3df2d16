import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { type ClientFlags, outcomeCounts, withClientFlags } from './cli-options.js'
import { readTextArgument } from './input.js'
import { note, print, printJson } from './output.js'
import type { BytesReader } from './proto-json.js'

const HELP = `
The transaction is a synod.kv.v1.TxnRequest in protobuf's JSON, as \`synod call kv/Txn\` takes it: values are base64, or with --text, text.
It may also be - for stdin, or @FILE. Without a request_id it gets a random one, with which it is retried until it is answered.

Example:
  $ synod kv txn --text '{"compare": [{"key": "lock", "version": 0}],
                          "then": [{"put": {"key": "lock", "value": "me"}}],
                          "else": [{"get": {"key": "lock"}}]}'`

export function addTxn(kv: Command): void {
  withClientFlags(outcomeCounts(kv.command('txn')).argument('<json>', 'compare, then, else'))
    .description('compare, then carry out one of two lists of operations, on keys and on the bank')
    .option('--text', 'values are text, not base64: in the transaction, and in the answer where they are UTF-8')
    .addHelpText('after', HELP)
    .action(async (json: string, flags: ClientFlags & { text?: true }) => {
      const [{ findMethod }, { parseMessage }] = await Promise.all([import('./methods.js'), import('./proto-json.js')])
      const method = findMethod('kv/Txn')
      const text = readTextArgument(json, 'the transaction')
      const request = parseMessage(method.input, text, 'the transaction', flags.text ? readValueAsText : undefined)
      ensureRequestId(request as { requestId?: unknown })
      const { callUnary } = await import('./unary.js')
      const answer = await callUnary(method, request, { flags, isRepeatable: true })
      show(answer as unknown as TxnAnswer, flags)
    })
}

/** Reads text for `value` fields only; signatures and the like stay base64. */
const readValueAsText: BytesReader = ({ name }, text) => (name === 'value' ? Buffer.from(text).toString('base64') : text)

function ensureRequestId(request: { requestId?: unknown }): void {
  if (request.requestId !== '') return
  request.requestId = randomUUID()
  note(`request id ${String(request.requestId)}`)
}

interface TxnAnswer {
  readonly succeeded: boolean
  readonly responses: readonly unknown[]
}

function show(answer: TxnAnswer, { json, text }: ClientFlags & { text?: true }): void {
  const shown = text ? withTextValues(answer) : answer
  if (json) return printJson(shown)
  print(answer.succeeded ? 'the conditions held: then' : 'a condition did not hold: else')
  for (const response of shown.responses) printJson(response)
}

/** Returns the JSON with text in place of base64 under each `value` that is UTF-8. */
function withTextValues<T>(answer: T): T {
  if (Array.isArray(answer)) return answer.map(withTextValues) as T
  if (typeof answer !== 'object' || answer === null) return answer
  const entries = Object.entries(answer).map(([name, item]) => [
    name,
    name === 'value' && typeof item === 'string' ? Buffer.from(item, 'base64') : withTextValues(item as unknown),
  ])
  return Object.fromEntries(entries) as T
}
