import { type Command, Option } from 'commander'
import type { FailedSlot } from '../server/backup/failed-slot.js'
import { wholeNumber } from './cli-options.js'
import { note, print, printJson, styled } from './output.js'

export interface SlotFlags {
  readonly data: readonly string[]
  readonly skipSlot?: number
  readonly retrySlot?: number
  readonly also?: readonly number[]
  readonly yesIKnowWhatMayBeLost?: true
  readonly json?: true
}

/** Adds the flags that name the slot and its fate. */
export function withSlotFlags(command: Command): Command {
  const parseSlot = wholeNumber(1, Number.MAX_SAFE_INTEGER)
  const parseNode = wholeNumber(1, 65_535)
  return command
    .addOption(new Option('--skip-slot <slot>', 'skip a slot that failed: it changes nothing on any node').argParser(parseSlot))
    .addOption(
      new Option('--retry-slot <slot>', 'try a slot that failed again when the node starts')
        .argParser(parseSlot)
        .conflicts('skipSlot'),
    )
    .addOption(
      new Option(
        '--also <ids>',
        'with --skip-slot: nodes, 2,3 say, in whose directories it is skipped, too, on other machines',
      ).argParser((ids) => ids.split(',').map(parseNode)),
    )
}

/** Skips a slot that failed, or has it tried again. `askFor` asks for the cluster's id, unless a flag makes that unnecessary. */
export async function recoverSlot(flags: SlotFlags, askFor: (clusterId: string) => Promise<void>): Promise<void> {
  const how = flags.skipSlot === undefined ? 'retry' : 'skip'
  const slot = flags.skipSlot ?? flags.retrySlot ?? 0
  const alsoOn = flags.also ?? []
  const { resolveFailedSlot } = await import('../server/backup/failed-slot.js')
  const found = await resolveFailedSlot(flags.data, { slot, how, alsoOn }, async (before) => {
    if (how === 'retry') return
    for (const line of warning(slot, before, alsoOn)) note(line)
    if (flags.yesIKnowWhatMayBeLost === undefined) await askFor(before.clusterId)
  })
  const nodes = [...found.toChange, ...found.changed].toSorted((a, b) => a - b)
  if (flags.json) printJson({ slot, how, clusterId: found.clusterId, nodeIds: nodes, unaware: found.unaware })
  else print(`slot ${slot} is ${how === 'skip' ? 'skipped' : 'tried again'} on ${nodesOf(nodes)}: start them`)
  for (const id of found.unaware) note(`node ${id} has not come to the slot: it learns of it from the others`)
}

function warning(slot: number, { clusterId, failure, commandCount, voterIds }: FailedSlot, alsoOn: readonly number[]): string[] {
  const title = `WARNING: nothing of slot ${slot} of cluster ${clusterId} will ever be carried out, on any node.`
  return [
    styled('red', title, process.stderr),
    `  what is lost:        ${commandCount} ${commandCount === 1 ? 'command' : 'commands'}; nobody was told that one of them succeeded`,
    `  why:                 ${failure?.what ?? 'it is skipped already'}`,
    `  their clients hear:  OUTCOME_UNKNOWN, also when they try again in the same session`,
    `  must be stopped:     every node of the cluster; its voters are ${voterIds.join(', ')}`,
    ...(alsoOn.length === 0 ? [] : [`  to be done as well:  the same on ${nodesOf(alsoOn)}, before any node starts`]),
  ]
}

function nodesOf(ids: readonly number[]): string {
  return ids.length === 1 ? `node ${ids[0]}` : `nodes ${ids.join(', ')}`
}
