import type { NodeId, Slot } from './paxos/types.js'

/**
 * Something that an operator can do about an error or an alarm. The message beside it says when and why, in words that name no command; the
 * command line has a command for each.
 * - ADD_MEMBER: add this node to the cluster, and start it as a node that joins.
 * - REPLACE_MEMBER: let a new member take the place of this one. `successorId` is the lowest number that a new member may have.
 * - RETRY_SLOT: have a slot that failed tried again.
 * - SKIP_SLOT: have a slot that failed skipped, in the directories of a majority.
 * - RESTORE_BACKUP: make a new cluster from a backup.
 * - RECOVER_SURVIVORS: make a new cluster from what is left of this one.
 * - RAISE_QUOTA: raise the quota of the state.
 * - LOWER_QUOTA: lower it, to `quotaBytes` at most.
 */
export type Remedy =
  | { readonly code: 'ADD_MEMBER'; readonly nodeId: NodeId }
  | { readonly code: 'REPLACE_MEMBER'; readonly nodeId?: NodeId | undefined; readonly successorId?: NodeId | undefined }
  | { readonly code: 'RETRY_SLOT'; readonly slot?: Slot | undefined }
  | { readonly code: 'SKIP_SLOT'; readonly slot?: Slot | undefined }
  | { readonly code: 'RESTORE_BACKUP' }
  | { readonly code: 'RECOVER_SURVIVORS' }
  | QuotaRemedy

/** A remedy for an alarm: alarms are told to clients, too. */
export type QuotaRemedy = { readonly code: 'RAISE_QUOTA' } | { readonly code: 'LOWER_QUOTA'; readonly quotaBytes: number }

/** The remedies of an error that has none. */
export const NO_REMEDIES: readonly never[] = Object.freeze([])
