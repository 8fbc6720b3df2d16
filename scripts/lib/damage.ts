import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Random } from '../../src/sim/random.js'

/** The kinds of file in a data directory that a node needs. */
const FILE_KINDS = ['.ldb', '.log', 'MANIFEST', 'CURRENT', 'witness', 'identity.json'] as const
type FileKind = (typeof FILE_KINDS)[number]

/**
 * What a node was found to do about its directory.
 * - served: goes on from it, as it is.
 * - repaired: set it aside, and began anew from the others, by itself.
 * - stopped: said what is wrong and what to do, and ended.
 * - refused: it stays up, and the others do not talk to it.
 */
export type Reaction = 'served' | 'repaired' | 'stopped' | 'refused'

export interface Damage {
  readonly kind: string
  /** What is right to do about it. */
  readonly expected: readonly Reaction[]
  /** It needs older copies of the directory. */
  readonly needsCopy?: boolean
  /** It needs two nodes to be down. */
  readonly needsTwo?: boolean
  /** Does it. @returns what it was, for people; undefined when there was nothing to do it to */
  readonly inflict: (place: Place) => string | undefined
}

export interface Place {
  readonly random: Random
  readonly directory: string
  /** An older copy of it, and the same node's directory in another cluster. */
  readonly copy: string | undefined
  readonly foreign: string
  /** Another node's, which is down, too. */
  readonly other: string | undefined
}

const MENDED: readonly Reaction[] = ['served', 'repaired']
const REPAIRED_OR_STOPPED: readonly Reaction[] = ['repaired', 'stopped']

/** An identity that cannot be trusted is never repaired; everything else may be, if it matters at all. */
function expectedOf(kind: FileKind): readonly Reaction[] {
  return kind === 'identity.json' ? ['stopped'] : MENDED
}

export const DAMAGES: readonly Damage[] = [
  ...FILE_KINDS.map((kind) => ({ kind: `bit flipped: ${kind}`, expected: expectedOf(kind), inflict: flip(kind) })),
  ...FILE_KINDS.map((kind) => ({ kind: `truncated: ${kind}`, expected: expectedOf(kind), inflict: truncate(kind) })),
  ...FILE_KINDS.map((kind) => ({ kind: `deleted: ${kind}`, expected: expectedOf(kind), inflict: remove(kind) })),
  ...FILE_KINDS.map((kind) => ({
    kind: `foreign: ${kind}`,
    // What belongs to another directory may also be said to.
    expected: kind === 'identity.json' ? (['stopped'] as const) : (['served', 'repaired', 'stopped'] as const),
    inflict: (place: Place) => exchangeFile(place, kind, place.foreign),
  })),
  ...FILE_KINDS.filter((kind) => kind !== 'identity.json').map((kind) => ({
    kind: `older: ${kind}`,
    // A copy from before the directory was made anew is another directory's.
    expected: ['served', 'repaired', 'stopped'] as const,
    needsCopy: true,
    inflict: (place: Place) => exchangeFile(place, kind, place.copy),
  })),
  {
    kind: 'deleted: db',
    expected: ['repaired'],
    inflict: ({ directory }) => {
      rmSync(join(directory, 'db'), { recursive: true })
      return 'db deleted'
    },
  },
  {
    kind: 'foreign: db',
    expected: REPAIRED_OR_STOPPED,
    inflict: ({ directory, foreign }) => exchange(join(directory, 'db'), join(foreign, 'db'), "another cluster's db"),
  },
  {
    kind: 'older: db',
    expected: REPAIRED_OR_STOPPED,
    needsCopy: true,
    inflict: ({ directory, copy = '' }) => exchange(join(directory, 'db'), join(copy, 'db'), 'an older db'),
  },
  {
    kind: 'deleted: directory',
    expected: ['stopped'],
    inflict: ({ directory }) => {
      rmSync(directory, { recursive: true })
      return 'directory deleted'
    },
  },
  {
    kind: 'foreign: directory',
    expected: ['stopped', 'refused'],
    inflict: ({ directory, foreign }) => exchange(directory, foreign, "another cluster's directory"),
  },
  {
    kind: 'older: directory',
    expected: ['stopped'],
    needsCopy: true,
    inflict: ({ directory, copy = '' }) => exchange(directory, copy, 'an older copy of the directory'),
  },
  {
    kind: 'swapped: directories',
    expected: ['stopped'],
    needsTwo: true,
    inflict: ({ directory, other = '' }) => {
      const aside = `${directory}.aside`
      renameSync(directory, aside)
      renameSync(other, directory)
      renameSync(aside, other)
      return 'two directories swapped'
    },
  },
]

function flip(kind: FileKind): Damage['inflict'] {
  return ({ random, directory }) => {
    const path = anyFile(random, directory, kind, 1)
    if (path === undefined) return undefined
    const bytes = readFileSync(path)
    const at = random.int(0, bytes.length - 1)
    const bit = random.int(0, 7)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
    writeFileSync(path, bytes)
    return `bit ${bit} of byte ${at} of ${basename(path)} (${bytes.length} bytes) flipped`
  }
}

function truncate(kind: FileKind): Damage['inflict'] {
  return ({ random, directory }) => {
    const path = anyFile(random, directory, kind, 1)
    if (path === undefined) return undefined
    const { size } = statSync(path)
    const left = random.int(0, size - 1)
    truncateSync(path, left)
    return `${basename(path)} cut from ${size} to ${left} bytes`
  }
}

function remove(kind: FileKind): Damage['inflict'] {
  return ({ random, directory }) => {
    const path = anyFile(random, directory, kind, 0)
    if (path === undefined) return undefined
    rmSync(path)
    return `${basename(path)} deleted`
  }
}

/** One file by one of the same kind from another directory, under the name that it had here. */
function exchangeFile({ random, directory }: Place, kind: FileKind, from: string | undefined): string | undefined {
  const path = anyFile(random, directory, kind, 0)
  const source = from === undefined ? undefined : anyFile(random, from, kind, 0)
  if (path === undefined || source === undefined) return undefined
  if (readFileSync(path).equals(readFileSync(source))) return undefined
  cpSync(source, path)
  return `${basename(path)} replaced by ${basename(source)} of ${from}`
}

function exchange(path: string, by: string, what: string): string {
  rmSync(path, { recursive: true })
  cpSync(by, path, { recursive: true })
  return `${what} put in its place`
}

function anyFile(random: Random, directory: string, kind: FileKind, sizeMin: number): string | undefined {
  const inDatabase = kind !== 'witness' && kind !== 'identity.json'
  const folder = inDatabase ? join(directory, 'db') : directory
  if (!existsSync(folder)) return undefined
  const isOfKind = (name: string): boolean => (kind.startsWith('.') ? name.endsWith(kind) : name.startsWith(kind))
  const paths = readdirSync(folder)
    .filter(isOfKind)
    .toSorted()
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).size >= sizeMin)
  return paths.length === 0 ? undefined : random.pick(paths)
}
