import type { Message } from '../paxos/messages.js'

/**
 * Whether a node may say this that is not known by its data directory: that it wants to be let in, who and where it is, and, before that,
 * the question whether the directory is an older copy.
 */
export function isFromStranger({ kind }: Message): boolean {
  return kind === 'join' || kind === 'recall' || kind === 'roster'
}
