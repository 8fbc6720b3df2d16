import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Makes creations, renames and removals in a directory durable. Windows has no such call and does not need it. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return
  const fd = openSync(directory, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Makes a directory and its parents, durably and accessible to this user only. It goes step by step, because mkdir with `recursive`
 * never returns where a parent answers ENOENT, as under /proc.
 */
export function makeDirectory(directory: string): void {
  const path = resolve(directory)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return
  if (found !== undefined) throw Object.assign(new Error(`${path} is a file, not a directory`), { code: 'ENOTDIR' })
  if (dirname(path) !== path) makeDirectory(dirname(path))
  mkdirSync(path, { mode: 0o700 })
  syncDirectory(dirname(path))
}

/** Writes a file and syncs its contents. Its name is durable only after syncDirectory. */
export function writeFileSynced(path: string, contents: string | Uint8Array): void {
  const fd = openSync(path, 'w', 0o600)
  try {
    writeFileSync(fd, contents)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Renames within one directory, durably. */
export function renameSynced(from: string, to: string): void {
  renameSync(from, to)
  syncDirectory(dirname(to))
}
