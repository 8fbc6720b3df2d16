import type { Command } from 'commander'
import { type ClientFlags, outcomeCounts, withClientFlags } from './cli-options.js'
import { readTextArgument } from './input.js'
import { printJson } from './output.js'

const EXAMPLE = `
A service has short names: synod.kv.v1.KeyValueService, KeyValueService or kv. Requests and answers are protobuf's JSON: fields as in
the proto or in camelCase, bytes in base64, 64-bit numbers as strings, durations as "3s". The request may also be - for stdin, or @FILE.

Example:
  $ synod call bank/GetBalance '{"account_id": "alice"}'
  $ synod call cluster/Status`

/** Adds the dynamic client: it calls any method by its name, with descriptors only. */
export function addCallCommand(program: Command): void {
  withClientFlags(
    outcomeCounts(program.command('call')).argument('<method>', 'SERVICE/METHOD').argument('[json]', 'the request', '{}'),
  )
    .description('call any unary method with a request in JSON, once, at one node')
    .addHelpText('after', EXAMPLE)
    .action(async (name: string, json: string, flags: ClientFlags) => {
      const [{ findMethod }, { parseMessage }] = await Promise.all([import('./methods.js'), import('./proto-json.js')])
      const method = findMethod(name)
      const request = parseMessage(method.input, readTextArgument(json, 'the request'), 'the request')
      const { callUnary } = await import('./unary.js')
      printJson(await callUnary(method, request, { flags, isRepeatable: false }))
    })
}
