import type { NodeId } from '../../paxos/types.js'
import { NO_REMEDIES, type Remedy } from '../../remedy.js'

/**
 * A result of an inspection.
 * - MISSING: there is no node's data.
 * - UNFINISHED: the directory was never finished, or damaged files are still to be set aside. The next start completes it.
 * - NO_IDENTITY: identity.json is missing or unreadable.
 * - DAMAGED: a file or a record is missing or differs from what was written.
 * - LOST_WRITES: the last writes are missing: a log was cut, or the database is an older copy.
 * - FOREIGN: a part of it belongs to another directory.
 * - APPLY_FAILED: the node has stopped at a slot that it could not apply.
 * - UNSUPPORTED_LEVEL: the node has stopped because its version does not know the level of the log.
 * - UNSUPPORTED_FORMAT: another version wrote it.
 * - UNREADABLE: the system refuses to read it.
 * - IN_USE: a process holds the directory.
 * - CHANGING: the directory is in use, and its files changed while they were read.
 * - UNCLEAN_STOP: the last process was killed, or the machine stopped.
 * - SET_ASIDE: it keeps files that were found damaged earlier.
 * - REPLACING: it replaces a damaged directory, and the members do not know it yet.
 */
export type FindingCode =
  | 'MISSING'
  | 'UNFINISHED'
  | 'NO_IDENTITY'
  | 'DAMAGED'
  | 'LOST_WRITES'
  | 'FOREIGN'
  | 'APPLY_FAILED'
  | 'UNSUPPORTED_LEVEL'
  | 'UNSUPPORTED_FORMAT'
  | 'UNREADABLE'
  | 'IN_USE'
  | 'CHANGING'
  | 'UNCLEAN_STOP'
  | 'SET_ASIDE'
  | 'REPLACING'

export interface Finding {
  readonly code: FindingCode
  /** A fault keeps the node from starting as it is; a note is worth knowing. */
  readonly kind: 'fault' | 'note'
  /** The fact and its place. */
  readonly what: string
  readonly means: string
  /** The remedy; empty when there is nothing to do. */
  readonly remedy: string
  /** Of that, what there is a code for. */
  readonly remedies: readonly Remedy[]
}

type Advice = Pick<Finding, 'kind' | 'means' | 'remedy' | 'remedies'>

const SELF_REPAIR: readonly string[] = [
  'If the cluster has other members, start the node: it keeps these files in a folder damaged-<n>, and learns all from the others.',
  'If it is alone, put the whole directory back from a copy, or make a new cluster from a backup.',
]
const WITHOUT_SELF_REPAIR = 'If it is lost, replace the member, and start the new one in an empty directory.'
const RESTORE_BACKUP: readonly Remedy[] = [{ code: 'RESTORE_BACKUP' }]

/** Returns a finding with its advice. @param nodeId the owner of the directory, if known */
export function finding(code: FindingCode, what: string, nodeId?: NodeId): Finding {
  return { code, what, ...adviceOn(code, nodeId) }
}

function adviceOn(code: FindingCode, nodeId: NodeId | undefined): Advice {
  const replace: readonly Remedy[] = [{ code: 'REPLACE_MEMBER', nodeId }]
  switch (code) {
    case 'MISSING':
      return fault(
        'no node has ever run here, or its data was moved or deleted',
        [
          'Look whether this is the right directory.',
          "If a node's data stood here and is lost, the other nodes have it: replace the member.",
        ],
        replace,
      )
    case 'UNFINISHED':
      return note('the next start of the node finishes it')
    case 'NO_IDENTITY':
      return fault(
        'nobody can say whose votes these are: the node does not start, and does not repair this by itself',
        ['Put identity.json back from where the directory was copied or moved.', WITHOUT_SELF_REPAIR],
        replace,
      )
    case 'DAMAGED':
      return fault(
        'the node may have forgotten a promise or a vote: it must not vote from this directory',
        nodeId === undefined ? ['Put the whole directory back from a copy.', WITHOUT_SELF_REPAIR] : SELF_REPAIR,
        nodeId === undefined ? replace : RESTORE_BACKUP,
      )
    case 'LOST_WRITES':
      return fault(
        'the last writes of the node are gone, and with them perhaps votes: it must not vote from this directory',
        ['If a newer copy of the whole directory is at hand, put that in its place.', ...SELF_REPAIR],
        RESTORE_BACKUP,
      )
    case 'FOREIGN':
      return fault(
        'files of two directories are mixed: the node does not start, and does not repair this by itself',
        ['Put back the files that belong together; never mix those of two nodes.', WITHOUT_SELF_REPAIR],
        replace,
      )
    case 'APPLY_FAILED':
      return fault(
        'the directory is whole, but the node stops at each start, before it applies anything',
        [
          'If only this node has stopped there, or another version can carry the slot out, have the slot tried again.',
          'Otherwise stop every node, and have the slot skipped in the directories of a majority.',
        ],
        [{ code: 'RETRY_SLOT' }, { code: 'SKIP_SLOT' }],
      )
    case 'UNSUPPORTED_LEVEL':
      return fault(
        'the directory is whole, but a version that does not know the level stops at each start, before it applies anything',
        ['Install the version that raised the level, or a newer one, and start the node: nothing else is needed.'],
      )
    case 'UNSUPPORTED_FORMAT':
      return fault('this version cannot tell whether it is whole', ['Use the version of Synod that wrote it, or a newer one.'])
    case 'UNREADABLE':
      return fault('it cannot be told whether the directory is whole', ['Run this as the user that the node runs as.'])
    case 'CHANGING':
      return fault('the files changed while they were read: this says nothing about them', ['Stop the node and run this again.'])
    case 'IN_USE':
      return note('what follows is how it was a moment ago')
    case 'UNCLEAN_STOP':
      return note('it was killed, or the machine stopped: the next start takes the lock over')
    case 'SET_ASIDE':
      return note(
        'found damaged by an earlier start, which kept it here',
        'Delete it when nobody needs to look into what has happened.',
      )
    case 'REPLACING':
      return note('it asks to be let in again when it is started, and learns all from the others')
  }
}

function fault(means: string, advice: readonly string[], remedies: readonly Remedy[] = NO_REMEDIES): Advice {
  return { kind: 'fault', means, remedy: advice.join(' '), remedies }
}

function note(means: string, advice = ''): Advice {
  return { kind: 'note', means, remedy: advice, remedies: NO_REMEDIES }
}
